"""Deal the development infants into folds; infants that have a fold keep it."""

from collections import Counter

from fidgety.datasets.folds import (
    assign_folds,
    infant_labels,
    read_previous_folds,
    read_table,
    write_folds,
)
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the cohort and the earlier folds, write the folds."""
    labels = infant_labels(read_table(job.input.development))
    given = job.input.get("previous")
    earlier = read_previous_folds(given) if given else []
    own = read_previous_folds(job.output.folds)
    # The user's table wins over what this results folder remembers.
    named = {entry.infant for entry in earlier}
    previous = [*earlier, *(entry for entry in own if entry.infant not in named)]
    entries = assign_folds(labels, int(job.params.n), int(job.params.seed), previous)
    write_folds(job.output.folds, entries)
    kept = {(e.infant, e.fold) for e in previous} & {(e.infant, e.fold) for e in entries}
    print(f"{len(entries)} infants, {len(kept)} of them where they were before")
    for (fold, label), n in sorted(Counter((e.fold, e.label) for e in entries).items()):
        print(f"fold {fold}: {n} {label}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
