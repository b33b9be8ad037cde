"""Draw what the models of pictures look at, on the aligned crops."""

from pathlib import Path

import pandas as pd

from fidgety.background.read import BodyMasks
from fidgety.config.report import ReportConfig
from fidgety.files import atomic_directory, write_text
from fidgety.pixels.store import Pixels
from fidgety.pose.tracks import read_pose
from fidgety.report.pages import to_tsv
from fidgety.report.picture_list import COLUMNS, LIST
from fidgety.report.pictures import save_strip, strip
from fidgety.storage import read_dataset
from fidgety.training.looks import LOOK_SCHEMA, from_dataset
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read maps, pixels and pose, write a strip a clip and their list."""
    config = ReportConfig.model_validate(job.params.config)
    pixels = {Path(path).stem: Path(path) for path in job.input.pixels}
    background = {Path(path).stem: Path(path) for path in job.input.background}
    clean = {Path(path).stem: Path(path) for path in job.input.clean}
    with atomic_directory(str(job.output.pictures)) as folder:
        rows = []
        for k, look in enumerate(
            from_dataset(read_dataset(str(job.input.looks), schema=LOOK_SCHEMA)), 1
        ):
            name = look.recording
            with Pixels(pixels[name]) as opened, BodyMasks(background[name]) as masks:
                panels = strip(look, opened, masks, read_pose(clean[name]), config)
            file = f"{k:02d}.png"
            save_strip(list(panels.values()), folder / file)
            row = {name: getattr(look, name, "") for name in COLUMNS}
            rows.append(row | {"file": file, "panels": ",".join(panels)})
        write_text(folder / LIST, to_tsv(pd.DataFrame(rows, columns=list(COLUMNS))))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
