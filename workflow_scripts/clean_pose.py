"""Clean a raw pose and, where its 3D positions came with it, lift it."""

import sys
from typing import Any

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import NotAssessable
from fidgety.pose.cleaning import clean
from fidgety.pose.corrections import Corrections, require_inside
from fidgety.pose.corrections_table import load_corrections
from fidgety.pose.lifters.estimator import EstimatorLifter
from fidgety.pose.lifting import lift
from fidgety.pose.tracks import POSE_SCHEMA, read_pose, write_pose
from fidgety.storage import write_not_assessable
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run

LIBRARIES = ("numpy", "scipy")


def checked_corrections(job: Job) -> Corrections:
    """Read a recording's corrections; where there is a video, they must be in its picture."""
    corrections = load_corrections(job.input.get("corrections"))
    record = read_video_record(job.input["record"]) if job.input.get("record") else None
    if record is not None and record.outcome.ok:
        require_inside(corrections, record.width_px, record.height_px)
    return corrections


def main(job: Job) -> None:
    """Write the clean pose and, if asked for, the lifted one or the reason why there is none."""
    corrections = checked_corrections(job)
    config = CleaningConfig.model_validate(dict(job.params.config))
    provenance = job.provenance(libraries=LIBRARIES)
    cleaned = clean(read_pose(job.input.pose), config, corrections)
    quality: dict[str, Any] = cleaned.pose.details["cleaning"]
    print(f"shares: {quality['shares']}; outliers: {quality['outliers']}")
    print(f"swaps undone: {quality['swaps'] or 'none'}; smoothed: {quality['smoothed'] or 'none'}")
    print(f"by hand: {quality.get('corrections', 'nothing')}")
    if "lifted" in job.output.keys():  # noqa: SIM118 - Snakemake's list iterates over paths
        try:
            lifted = lift(cleaned, config, EstimatorLifter())
        except NotAssessable as error:
            print(f"no 3D pose: {error}", file=sys.stderr)
            write_not_assessable(
                job.output.lifted, error, schema=POSE_SCHEMA, provenance=provenance
            )
        else:
            write_pose(job.output.lifted, lifted, provenance)
    write_pose(job.output.clean, cleaned.pose, provenance)


if __name__ == "__main__":
    outputs = snakemake.output.keys()  # type: ignore[name-defined]  # noqa: F821
    run(
        main,
        snakemake,  # type: ignore[name-defined]  # noqa: F821
        not_assessable={name: POSE_SCHEMA for name in ("clean", "lifted") if name in outputs},
    )
