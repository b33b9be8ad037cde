"""Write the chosen frames of all recordings for the labelling tools."""

import functools
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidgety.config.labelling import LabellingConfig
from fidgety.errors import FidgetyError, NotAssessable
from fidgety.files import write_text
from fidgety.pose.finetune.kit import kit_files, write_kit
from fidgety.pose.finetune.picked import Picked, read_picked
from fidgety.skeletons import from_dict
from workflow_scripts.stage import Job, run

COLUMNS = ("recording", "infant", "frame", "time_s", "sharpness", "marked", "file", "reason")


def rows(recording: str, found: Picked | NotAssessable) -> list[list[str]]:
    """Return the table's rows about one recording: its frames, or why there are none."""
    if isinstance(found, NotAssessable):
        return [[recording, "", "", "", "", "", "", found.reason.value]]
    return [
        [
            recording,
            found.infant,
            str(frame.frame),
            f"{found.time_s[k]:.3f}",
            f"{found.sharpness[k]:.3f}",
            str(int(frame.marked.sum())),
            f"images/{frame.file}",
            "",
        ]
        for k, frame in enumerate(found.labelled())
    ]


def main(job: Job) -> None:
    """Write pictures, files for the tools, and the table of what was picked."""
    config = LabellingConfig.model_validate(dict(job.params.config))
    table, frames = [list(COLUMNS)], {}
    paths = {Path(str(path)).stem: str(path) for path in job.input.picked}
    for recording, path in sorted(paths.items()):
        try:
            found = read_picked(path)
        except NotAssessable as error:
            print(f"{recording}: no frames: {error}", file=sys.stderr)
            table += rows(recording, error)
            continue
        if len(found.frame) < config.frames_per_video:
            print(
                f"{recording}: {len(found.frame)} frames: it shows nothing more that is different "
                "and sharp",
                file=sys.stderr,
            )
        frames[recording] = found.labelled()
        table += rows(recording, found)
    if not frames:
        raise FidgetyError(
            "no recording gave a frame. Either labelling.roles and labelling.recordings choose "
            "recordings without a video, or nothing; or the log has each one's reason."
        )

    # Pictures of one recording at a time are held, those of a cohort would fill the memory.
    @functools.lru_cache(maxsize=1)
    def pictures(recording: str) -> NDArray[np.uint8]:
        return read_picked(paths[recording]).picture

    skeleton = from_dict(job.params.skeleton)
    files = kit_files(frames, pictures, skeleton, config.formats, config.scorer)
    write_kit(Path(job.output.table).parent, files)
    write_text(job.output.table, "".join("\t".join(row) + "\n" for row in table))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
