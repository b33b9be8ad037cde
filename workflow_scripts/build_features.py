"""Judge whether a recording is fit, and build its feature sets."""

from dataclasses import replace

from fidgety.background.camera_record import read_camera_motion
from fidgety.config.features import FeaturesConfig
from fidgety.config.quality import QualityConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.features.build import build_features
from fidgety.features.contract import Tracks
from fidgety.features.store import FEATURES_SCHEMA, write_features
from fidgety.pose.quality_record import write_quality
from fidgety.pose.tracks import Pose, read_pose
from fidgety.pose.verdict import quality_record
from workflow_scripts.stage import Job, run


def judged_pose(job: Job) -> Pose:
    """Read the clean pose and write the record of its quality.

    Raises
    ------
    NotAssessable
        With the pose's own reason, or if it is not fit; the record is written all the same.
    """
    provenance = replace(job.provenance(), parameters=dict(job.params.quality))
    try:
        pose = read_pose(job.input.clean)
    except NotAssessable as error:
        write_quality(job.output.quality, Outcome.of(error), {}, provenance)
        raise
    background = job.input.get("background")
    camera = read_camera_motion(background) if background else None
    outcome, record = quality_record(pose, QualityConfig.model_validate(job.params.quality), camera)
    print(f"quality: {record['measures']}")
    write_quality(job.output.quality, outcome, record, provenance)
    outcome.raise_if_not_ok()
    return pose


def main(job: Job) -> None:
    """Write one group a feature set; a set that cannot be had has its reason."""
    config = FeaturesConfig.model_validate(dict(job.params.config))
    pose = judged_pose(job)
    try:
        tracks = Tracks(pose, read_pose(job.input.lifted))
    except NotAssessable as error:
        tracks = Tracks(pose, None, Outcome.of(error))
    features = build_features(tracks, config)
    for name, one in features.sets.items():
        print(f"{name}: {one.values.shape[1]} features, {one.units}")
    for name, why in features.unavailable.items():
        print(f"{name}: not available, {why.detail}")
    write_features(job.output.features, features, job.provenance(libraries=("numpy",)))


if __name__ == "__main__":
    run(
        main,
        snakemake,  # type: ignore[name-defined]  # noqa: F821
        not_assessable={"features": FEATURES_SCHEMA},
    )
