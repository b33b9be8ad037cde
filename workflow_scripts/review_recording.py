"""Prepare what a person needs to put a recording's keypoints right."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.corrections import CorrectionsConfig
from fidgety.config.report import ReportConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.files import atomic_directory, atomic_path, write_text
from fidgety.pose.cleaning import Cleaned, clean
from fidgety.pose.corrections import Corrections, Placement, place_corrections
from fidgety.pose.corrections_table import table_text
from fidgety.pose.review import (
    FRAME_COLUMNS,
    DoubtfulFrame,
    doubtful_frames,
    editable,
    frames_table,
    picture_name,
    template_rows,
)
from fidgety.pose.tracks import POSE_SCHEMA, Pose, read_pose
from fidgety.progress import track
from fidgety.report.overlay import Image, even, overlay_frames, track_frames
from fidgety.report.review import mark, write_picture
from fidgety.storage import write_dataset, write_not_assessable
from fidgety.video.read import video_info
from fidgety.video.write import VideoWriter
from workflow_scripts.clean_pose import checked_corrections
from workflow_scripts.draw_overlay import is_usable, pictures
from workflow_scripts.stage import Job, run

#: Side of pictures of tracks that came without a video.
TRACK_SIDE_PX = 640
CRF = 22


@dataclass
class Reviewed:
    """A recording's pose as it is to be reviewed."""

    cleaned: Cleaned
    untouched: Pose
    corrections: Corrections
    placement: Placement
    frames: list[DoubtfulFrame]


def prepare(job: Job) -> Reviewed:
    """Clean the pose again, however sparse it is, and choose the frames.

    Corrections that do not fit are left out: the review is where they are mended.
    """
    raw = read_pose(job.input.pose)
    config = CleaningConfig.model_validate(dict(job.params.config))
    review = CorrectionsConfig.model_validate(dict(job.params.review))
    untouched = clean(raw, config, however_sparse=True)
    corrections, cleaned = Corrections(), untouched
    try:
        corrections = checked_corrections(job)
        if corrections.entries:
            cleaned = clean(raw, config, corrections, however_sparse=True)
    except NotAssessable as error:
        if error.reason is not Reason.CORRECTIONS_INVALID:
            raise
        print(f"corrections left out: {error.detail}")
        corrections = Corrections()
    placement = place_corrections(corrections, raw)
    frames = doubtful_frames(
        cleaned,
        at_most=review.review_frames,
        every_s=review.review_every_s,
        settled=placement.touched,
    )
    return Reviewed(cleaned, untouched.pose, corrections, placement, frames)


def draw(job: Job, pose: Pose, frames: list[DoubtfulFrame], folder: Path) -> None:
    """Write the overlay video at the standard video's own size, and the frames that need eyes."""
    config = ReportConfig.model_validate(dict(job.params.report))
    wanted = {one.frame: one for one in frames}
    source = job.input.get("video")
    if source is not None and not is_usable(job):
        source = None  # imported tracks beside a video that cannot be used

    def write(drawn: Iterator[Image], fps: float, size: tuple[int, int], n: int) -> None:
        with VideoWriter(job.output.overlay, fps, *size, crf=CRF) as writer:
            for t, image in enumerate(track(drawn, "draw review", n)):
                if t in wanted:
                    write_picture(folder / picture_name(t), mark(image, pose, wanted[t], source))
                writer.write(image)

    if source is None:
        side = even(TRACK_SIDE_PX)
        write(track_frames(pose, side), pose.fps, (side, side), pose.n_frames)
        return
    info = video_info(str(source))
    size = (even(info.width_px), even(info.height_px))
    with pictures(job, str(source)) as (video, masks):
        drawn = overlay_frames(video, pose, size, config, masks)
        write(drawn, info.fps, size, info.n_frames)


def write_nothing(job: Job, error: NotAssessable) -> None:
    """Write the files of a recording without a pose: there is nothing to correct."""
    print(f"not assessable: {error}")
    with atomic_path(job.output.overlay) as temporary:
        temporary.touch()
    with atomic_directory(job.output.pictures):
        pass
    write_text(job.output.frames, "\t".join(FRAME_COLUMNS) + "\n")
    write_text(job.output.table, table_text([]))
    write_not_assessable(job.output.pose, error, schema=POSE_SCHEMA, provenance=job.provenance())


def main(job: Job) -> None:
    """Write overlay, pictures, the list of frames, the table to fill in and the pose to edit."""
    try:
        found = prepare(job)
    except NotAssessable as error:
        write_nothing(job, error)
        return
    pose = found.cleaned.pose
    with atomic_directory(job.output.pictures) as folder:
        draw(job, pose, found.frames, folder)
    write_text(job.output.frames, frames_table(found.frames, pose))
    write_text(job.output.table, table_text(template_rows(found.frames, pose, found.corrections)))
    write_dataset(
        job.output.pose,
        editable(pose, found.untouched, found.placement),
        schema=POSE_SCHEMA,
        provenance=job.provenance(libraries=("numpy", "scipy")),
    )
    print(f"{len(found.frames)} frames to look at, {len(found.corrections.entries)} corrections")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
