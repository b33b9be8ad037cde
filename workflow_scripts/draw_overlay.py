"""Draw the skeleton over an infant's video, the face hidden."""

import sys
from collections.abc import Iterator

from fidgety.background.apply import make_alter
from fidgety.background.read import BodyMasks
from fidgety.config.background import BackgroundConfig
from fidgety.config.report import ReportConfig
from fidgety.errors import NotAssessable
from fidgety.pose.tracks import read_pose
from fidgety.progress import track
from fidgety.report.overlay import even, overlay_frames, overlay_size, track_frames
from fidgety.storage import atomic_path
from fidgety.video.read import Frame, iter_frames, video_info
from fidgety.video.write import VideoWriter
from workflow_scripts.stage import Job, run

#: Quality of the overlay video: smaller than the standard one, good enough to look at.
CRF = 26


def pictures(job: Job, source: str) -> Iterator[Frame]:
    """Yield the video's frames, the background hidden as the configuration asks."""
    alter = make_alter(BackgroundConfig.model_validate(job.params.get("background") or {}))
    masks = job.input.get("background")
    if alter is None or masks is None:
        yield from iter_frames(source)
        return
    with BodyMasks(str(masks)) as body:
        for frame, mask in zip(iter_frames(source), body.iter(), strict=True):
            yield alter(frame, mask)


def draw(job: Job) -> None:
    """Draw frame by frame."""
    config = ReportConfig.model_validate(job.params.config)
    source = job.input.get("video")
    pose = read_pose(str(job.input.clean))
    if source is None:
        side = even(config.overlay_max_side_px)
        size, fps, total = (side, side), pose.fps, pose.n_frames
        frames = track_frames(pose, side)
    else:
        info = video_info(str(source))
        size = overlay_size(info.width_px, info.height_px, config.overlay_max_side_px)
        fps, total = info.fps, info.n_frames
        frames = overlay_frames(pictures(job, str(source)), pose, size, config)
    with VideoWriter(job.output.video, fps, *size, crf=CRF) as writer:
        for frame in track(frames, "draw overlay", total):
            writer.write(frame)


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
