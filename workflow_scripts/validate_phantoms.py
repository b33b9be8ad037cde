"""Compare what the workflow made of the phantoms with their truth."""

import sys

import numpy as np

from fidgety.files import atomic_path, read_json, write_text
from fidgety.phantom.check import RecordingCheck, check_recording
from fidgety.phantom.check_3d import LiftedCheck, check_lifted, lifted_measures
from fidgety.phantom.validation import model_measures, picture_measures, to_table, to_text
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Check every rendered phantom, and write the figures beside their targets."""
    checks: list[RecordingCheck] = []
    notes = [f"{job.params.tracks} recordings are known skeletons with measured noise, no video."]
    files = zip(
        job.params.recordings,
        job.input.truth,
        job.input.records,
        job.input.backgrounds,
        job.input.poses,
        strict=True,
    )
    for recording, *paths in files:
        checks.append(check_recording(*[str(p) for p in paths]))
        print(checks[-1].row(), file=sys.stderr)
        notes += [
            f"{recording} counts as wrong where it has no result: {reason}."
            for reason in checks[-1].reasons
        ]
    lifted: list[LiftedCheck] = []
    for truth, record, pose in zip(
        job.input.truth, job.input.records, job.input.lifted, strict=True
    ):
        lifted.append(check_lifted(str(truth), str(record), str(pose)))
        print(lifted[-1].row(), file=sys.stderr)
        if lifted[-1].reason:
            notes.append(f"{lifted[-1].recording} has no 3D pose: {lifted[-1].reason}.")
    summary = read_json(job.input.summary)
    measures = picture_measures(checks) if checks else []
    measures += lifted_measures(lifted)
    measures += model_measures(summary["metrics"], summary["models"])
    with atomic_path(job.output.table) as temporary:
        to_table(measures).to_csv(temporary, sep="\t", index=False, float_format="%.4f")
    speeds = summary["baseline"]["speed"]
    if speeds:
        mean = np.nanmean(np.array(list(speeds.values()), dtype=float))
        notes.append(f"Mean speed of all infants: {mean:.3f} {summary['baseline']['unit']}.")
    write_text(job.output.text, to_text(measures, notes))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
