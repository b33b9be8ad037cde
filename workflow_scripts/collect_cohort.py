"""Collect the recordings of a role: status, reason, quality, characteristics."""

from fidgety.cohort_table import (
    FITNESS,
    by_recording,
    collect_entry,
    summarise,
    write_cohort_table,
)
from fidgety.config.inclusion import InclusionConfig
from fidgety.pose.quality_record import CLEANING
from fidgety.sheet import Recording
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write one row a recording, in the order of the sheet."""
    inclusion = InclusionConfig.model_validate(dict(job.params.inclusion))
    quality = by_recording(job.input.get("quality", []))
    # Training reads none of the measures of fitness: another one makes it no other table.
    measures = (*CLEANING, *FITNESS) if job.params.fitness else CLEANING
    intervals = job.params.get("intervals") or {}
    entries = []
    for row in job.params.rows:
        recording = Recording.model_validate(dict(row))
        name = recording.recording
        entry = collect_entry(
            recording, inclusion, quality.get(name), measures, intervals.get(name, ())
        )
        if entry.findings:
            print(f"warning: {name}: {entry.findings}")
        entries.append(entry)
    write_cohort_table(job.output.table, entries, findings=job.params.fitness)
    print(summarise(entries))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
