"""Choose the frames of one recording that are worth labelling."""

import contextlib
import sys

from fidgety.background.read import BodyMasks
from fidgety.errors import NotAssessable
from fidgety.files import job_seed
from fidgety.pose.finetune.pick import pick
from fidgety.pose.finetune.picked import PICKED_SCHEMA, write_picked
from fidgety.pose.tracks import Pose, read_pose
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run

LIBRARIES = ("av", "numpy", "opencv-contrib-python-headless", "scikit-learn")


def clean_pose(job: Job) -> Pose | None:
    """Return the clean pose; a recording without one is the more worth labelling."""
    if not job.input.get("clean"):
        return None
    try:
        return read_pose(str(job.input.clean))
    except NotAssessable as error:
        print(f"no pose, so frames are compared by their picture alone: {error}", file=sys.stderr)
        return None


def main(job: Job) -> None:
    """Write the chosen frames, or hand on the video's reason."""
    read_video_record(job.input.record).outcome.raise_if_not_ok()
    recording = str(job.wildcards.recording)
    seed = job_seed(int(job.params.seed), "choose_frames", recording)
    with contextlib.ExitStack() as stack:
        masks = None
        if job.input.get("background"):
            with contextlib.suppress(NotAssessable):
                masks = stack.enter_context(BodyMasks(str(job.input.background)))
        picked = pick(
            str(job.input.video),
            recording=recording,
            infant=str(job.params.infant),
            keypoints=tuple(job.params.keypoints),
            n=int(job.params.n),
            seed=seed,
            masks=masks,
            pose=clean_pose(job),
        )
    print(f"chosen: {', '.join(f'{t:.1f} s' for t in picked.time_s)}")
    write_picked(job.output.picked, picked, job.provenance(seed=seed, libraries=LIBRARIES))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"picked": PICKED_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
