"""Estimate the pose of one recording in every frame of its standard video."""

from fidgety.background.apply import make_alter
from fidgety.background.read import BodyMasks
from fidgety.config.background import BackgroundConfig
from fidgety.config.options import parse_options
from fidgety.config.pose import PoseConfig
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.registry import ESTIMATORS
from fidgety.pose.tracks import POSE_SCHEMA, write_pose
from fidgety.progress import track
from fidgety.video.read import iter_frames
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the raw pose, or hand on the reason of the video or of its background."""
    record = read_video_record(job.input["record"])
    record.outcome.raise_if_not_ok()
    config = PoseConfig.model_validate(job.params["config"])
    alter = make_alter(BackgroundConfig.model_validate(job.params["background"]))
    kind = ESTIMATORS.get(config.method)
    options = parse_options(kind.Options, config.options, "pose.options")
    name = f"pose of {job.wildcards.get('recording', '')}"
    with BodyMasks(job.input["background"]) as masks, kind(options) as estimator:
        estimator.use_threads(job.threads)
        pose = estimate_pose(
            track(iter_frames(job.input["video"]), name, record.n_frames),
            masks,
            config,
            estimator,
            fps=record.fps,
            mask_scale=masks.scale,
            alter=alter,
        )
    print(f"{pose.n_frames} frames: {dict(pose.details)}")
    write_pose(job.output["pose"], pose, job.provenance(libraries=("av", *kind.libraries)))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"pose": POSE_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
