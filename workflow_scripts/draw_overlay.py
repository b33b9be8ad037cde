"""Draw the skeleton over an infant's video, the infant's face and all around it hidden.

For raters it draws the same video larger and better, for those who are to have no help without
the skeleton.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import tee

from fidgety.background.apply import make_alter
from fidgety.background.base import Mask
from fidgety.background.read import BodyMasks
from fidgety.config.background import BackgroundConfig
from fidgety.config.report import ReportConfig
from fidgety.errors import ConfigError, NotAssessable, Reason
from fidgety.files import atomic_path
from fidgety.pose.tracks import read_pose
from fidgety.progress import track
from fidgety.report.media import MOST_KBPS
from fidgety.report.overlay import even, overlay_frames, overlay_size, track_frames
from fidgety.storage import read_outcome
from fidgety.video.read import Frame, iter_frames, video_info
from fidgety.video.record import read_video_record
from fidgety.video.write import VideoWriter
from workflow_scripts.stage import Job, run

#: Quality of the overlay video: smaller than the standard one, good enough to look at.
CRF = 26
#: Why nobody can read without help where nothing of the picture is shown.
NO_PICTURE = (
    "report.overlay: skeleton shows nothing of the picture, so that without the model's skeleton "
    "there is nothing to read. Set report.overlay to picture for a study of readings."
)


@contextmanager
def pictures(job: Job, source: str) -> Iterator[tuple[Iterator[Frame], Iterator[Mask] | None]]:
    """Open the video's frames, the background hidden as configured, and the body masks."""
    alter = make_alter(BackgroundConfig.model_validate(job.params.get("background") or {}))
    path = job.input.get("background")
    if path is None:
        yield iter_frames(source), None
        return
    with BodyMasks(str(path)) as body:
        if alter is None:
            yield iter_frames(source), body.iter()
            return
        # Frames and masks are taken in step, so each mask is read once and kept for a moment.
        used, kept = tee(body.iter())
        yield map(alter, iter_frames(source), used), kept


def write(job: Job, frames: Iterable[Frame], fps: float, size: tuple[int, int], n: int) -> None:
    """Write the overlay video: as the report's are, or as the rule has it drawn."""
    drawing = job.params.get("drawing") or {"crf": CRF, "kbps": MOST_KBPS}
    quality = {"crf": drawing["crf"], "most_kbps": drawing["kbps"]}
    with VideoWriter(job.output.video, fps, *size, **quality) as writer:
        for frame in track(frames, "draw overlay", n):
            writer.write(frame)


def is_usable(job: Job) -> bool:
    """Tell whether the video and its body masks are there: else nothing of it is shown."""
    record, background = job.input.get("record"), job.input.get("background")
    return (record is None or read_video_record(str(record)).outcome.ok) and (
        background is None or read_outcome(str(background)).ok
    )


def draw(job: Job) -> None:
    """Draw frame by frame."""
    config = ReportConfig.model_validate(job.params.config)
    skeleton = bool(job.params.get("skeleton", True))
    if not skeleton and config.overlay == "skeleton":
        raise ConfigError(NO_PICTURE)
    source = job.input.get("video")
    pose = read_pose(str(job.input.clean))
    if source is not None and not is_usable(job):
        source = None  # tracks that were imported do not need it
    if source is None and not skeleton:
        raise NotAssessable(Reason.VIDEO_UNREADABLE, "there is no picture without the skeleton")
    if source is None:
        side = even(config.overlay_max_side_px)
        write(job, track_frames(pose, side), pose.fps, (side, side), pose.n_frames)
        return
    info = video_info(str(source))
    drawing = job.params.get("drawing") or {"max_side_px": config.overlay_max_side_px}
    whole = max(info.width_px, info.height_px)
    size = overlay_size(info.width_px, info.height_px, drawing["max_side_px"] or whole)
    with pictures(job, str(source)) as (frames, masks):
        drawn = overlay_frames(frames, pose, size, config, masks, skeleton=skeleton)
        write(job, drawn, info.fps, size, info.n_frames)


def main(job: Job) -> None:
    """Draw the overlay; without a pose the face cannot be hidden, so nothing is shown."""
    try:
        draw(job)
    except NotAssessable as error:
        # The page finds an empty file and gives the reason in its place.
        print(f"not assessable, so there is no overlay: {error}", file=sys.stderr)
        with atomic_path(job.output.video) as temporary:
            temporary.touch()


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
