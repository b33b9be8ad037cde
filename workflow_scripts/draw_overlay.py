"""Draw the skeleton over an infant's video, the face hidden."""

from __future__ import annotations

import sys

from fidgety.config.study import ReportConfig
from fidgety.errors import NotAssessable
from fidgety.pose.tracks import read_pose
from fidgety.progress import track
from fidgety.report.overlay import even, overlay_frames, overlay_size, track_frames
from fidgety.storage import atomic_path
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from workflow_scripts.stage import Job, run

#: Quality of the overlay video: smaller than the standard one, good enough to look at.
CRF = 26


def main(job: Job) -> None:
    """Draw frame by frame; a recording without a pose has an empty file, its page says why."""
    config = ReportConfig.model_validate(job.params.config)
    source = job.input.get("video")
    try:
        pose = read_pose(str(job.input.clean))
    except NotAssessable as error:
        # Without a pose the face cannot be hidden: nothing is shown.
        print(f"not assessable, so there is no overlay: {error}", file=sys.stderr)
        with atomic_path(job.output.video) as temporary:
            temporary.touch()
        return
    if source is None:
        side = even(config.overlay_max_side_px)
        size, fps, total = (side, side), pose.fps, pose.n_frames
        frames = track_frames(pose, side)
    else:
        info = video_info(str(source))
        size = overlay_size(info.width_px, info.height_px, config.overlay_max_side_px)
        fps, total = info.fps, info.n_frames
        frames = overlay_frames(iter_frames(str(source)), pose, size, config)
    with VideoWriter(job.output.video, fps, *size, crf=CRF) as writer:
        for frame in track(frames, "draw overlay", total):
            writer.write(frame)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
