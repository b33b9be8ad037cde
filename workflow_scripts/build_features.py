"""Judge whether a recording is fit, and build its feature sets."""

from dataclasses import replace
from typing import Any

from fidgety.background.camera_record import read_camera_motion
from fidgety.config.features import FeaturesConfig
from fidgety.config.quality import QualityConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.features.build import build_features
from fidgety.features.contract import Tracks
from fidgety.features.speed import mean_speeds
from fidgety.features.store import FEATURES_SCHEMA, Features, write_features
from fidgety.pose.quality_record import write_quality
from fidgety.pose.summary import TracksSummary, read_summary, read_video_summary
from fidgety.pose.tracks import Pose, read_pose
from fidgety.pose.verdict import quality_record
from workflow_scripts.stage import Job, run


def summary_of(job: Job) -> TracksSummary:
    """Return what is known of the tracks; without any, duration and rate of the video."""
    found = read_summary(job.input.clean)
    record = job.input.get("record")
    return read_video_summary(record) if found.duration_s is None and record else found


def judged(job: Job) -> tuple[Outcome, dict[str, Any], Pose | None]:
    """Return whether the recording is fit, its record of quality, and the pose if there is one."""
    try:
        pose = read_pose(job.input.clean)
    except NotAssessable as error:
        return Outcome.of(error), {}, None
    background = job.input.get("background")
    camera = read_camera_motion(background) if background else None
    outcome, record = quality_record(pose, QualityConfig.model_validate(job.params.quality), camera)
    print(f"quality: {record['measures']}")
    return outcome, record, pose


def features_of(job: Job, pose: Pose) -> Features:
    """Build the feature sets; one that cannot be had has its reason."""
    config = FeaturesConfig.model_validate(dict(job.params.config))
    try:
        tracks = Tracks(pose, read_pose(job.input.lifted))
    except NotAssessable as error:
        tracks = Tracks(pose, None, Outcome.of(error))
    features = build_features(tracks, config)
    for name, one in features.sets.items():
        print(f"{name}: {one.values.shape[1]} features, {one.units}")
    for name, why in features.unavailable.items():
        print(f"{name}: not available, {why.detail}")
    return features


def main(job: Job) -> None:
    """Write one group a feature set, and the record of quality whether it is fit or not."""
    outcome, record, pose = judged(job)
    features = features_of(job, pose) if pose is not None and outcome.ok else None
    if features is not None:
        record["measures"] = {**record["measures"], **mean_speeds(features)}
    write_quality(
        job.output.quality,
        outcome,
        record,
        replace(job.provenance(), parameters=dict(job.params.quality)),
        summary_of(job).as_dict(),
    )
    outcome.raise_if_not_ok()
    assert features is not None
    write_features(job.output.features, features, job.provenance(libraries=("numpy",)))


if __name__ == "__main__":
    run(
        main,
        snakemake,  # type: ignore[name-defined]  # noqa: F821
        not_assessable={"features": FEATURES_SCHEMA},
    )
