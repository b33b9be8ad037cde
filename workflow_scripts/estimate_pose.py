"""Estimate the pose of one recording in every frame of its standard video."""

from dataclasses import replace
from pathlib import Path

from fidgety.background.apply import make_alter
from fidgety.background.read import BodyMasks
from fidgety.config.background import BackgroundConfig
from fidgety.config.options import parse_options
from fidgety.config.pose import PoseConfig
from fidgety.pose.base import PoseEstimator
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.registry import ESTIMATORS
from fidgety.pose.together import Group, Place
from fidgety.pose.tracks import POSE_SCHEMA, write_pose
from fidgety.progress import track
from fidgety.video.read import iter_frames
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run

#: Inputs that a recording's pose is made from.
INPUTS = ("video", "record", "background")


def main(job: Job) -> None:
    """Write the raw pose, or hand on the reason of the video or of its background."""
    read_video_record(job.input["record"]).outcome.raise_if_not_ok()
    recording = str(job.wildcards.get("recording", ""))
    place = Place({n: Path(job.input[n]) for n in INPUTS}, Path(job.output["pose"]))
    kind = ESTIMATORS.get(PoseConfig.model_validate(job.params["config"]).method)
    group = Group.of(recording) if kind.again else Group()
    with group.in_turn():
        # Also what a group has left that was cancelled: it may come again in other company.
        if kind.again and place.take(job.params):
            print("estimated together with the other recordings of its group")
            return
        estimate(job, group.others(recording, place, job.params))


def estimate(job: Job, others: dict[str, Place]) -> None:
    """Estimate the job's recording, and those of others where loading the estimator is dear."""
    config = PoseConfig.model_validate(job.params["config"])
    kind = ESTIMATORS.get(config.method)
    options = parse_options(kind.Options, job.on_device(config.options), "pose.options")
    with BodyMasks(job.input["background"]), kind(options) as estimator:
        estimator.use_threads(job.threads)
        one_pose(job, config, estimator)
        for name, place in others.items():
            inputs = {key: str(path) for key, path in place.inputs.items()}
            output = {"pose": str(place.ready(job.params))}
            other = replace(job, input=inputs, output=output, wildcards={"recording": name})
            estimator.reset()
            try:
                one_pose(other, config, estimator)
            except Exception as error:
                # Its own job will tell.
                print(f"{name}: not estimated ahead: {error}")


def one_pose(job: Job, config: PoseConfig, estimator: PoseEstimator) -> None:
    """Estimate one recording."""
    record = read_video_record(job.input["record"])
    record.outcome.raise_if_not_ok()
    alter = make_alter(BackgroundConfig.model_validate(job.params["background"]))
    name = f"pose of {job.wildcards.get('recording', '')}"
    with BodyMasks(job.input["background"]) as masks:
        pose = estimate_pose(
            track(iter_frames(job.input["video"]), name, record.n_frames),
            masks,
            config,
            estimator,
            fps=record.fps,
            mask_scale=masks.scale,
            follows_one=masks.follows_one,
            alter=alter,
        )
    print(f"{pose.n_frames} frames: {dict(pose.details)}")
    libraries = ("av", *type(estimator).libraries)
    write_pose(job.output["pose"], pose, job.provenance(libraries=libraries))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"pose": POSE_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
