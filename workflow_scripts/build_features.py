"""Build the feature sets of a recording."""

from fidgety.config.features import FeaturesConfig
from fidgety.errors import NotAssessable, Outcome
from fidgety.features.build import build_features
from fidgety.features.contract import Tracks
from fidgety.features.store import FEATURES_SCHEMA, write_features
from fidgety.pose.tracks import read_pose
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write one group a feature set; a set that cannot be had has its reason."""
    config = FeaturesConfig.model_validate(dict(job.params.config))
    pose = read_pose(job.input.clean)
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
