"""Deal the development infants, or their sites, into folds; who has a fold keeps it."""

from collections import Counter

from fidgety.datasets.folds import (
    FoldEntry,
    assign_folds,
    assign_sites,
    infant_labels,
    infant_sites,
    read_previous_folds,
    read_table,
    write_folds,
)
from fidgety.errors import ConfigError
from workflow_scripts.stage import Job, run


def read_given(path: str, by_site: bool) -> list[FoldEntry]:
    """Read the user's own table, which must be of folds made in the same way."""
    entries = read_previous_folds(path)
    if any(bool(entry.site) != by_site for entry in entries):
        ways = ("by infant", "by site") if by_site else ("by site", "by infant")
        raise ConfigError(
            f"folds.file: {path} has folds {ways[0]} (the column 'site' tells), and folds.by asks "
            f"for folds {ways[1]}. Leave folds.file out, or change folds.by."
        )
    return entries


def main(job: Job) -> None:
    """Read the cohort and the earlier folds, write the folds."""
    cohort = read_table(job.input.development)
    labels, sites = infant_labels(cohort), list(job.params.sites)
    given = job.input.get("previous")
    earlier = read_given(given, bool(sites)) if given else []
    own = read_previous_folds(job.output.folds)
    # The user's table wins over what this results folder remembers.
    named = {entry.infant for entry in earlier}
    previous = [*earlier, *(entry for entry in own if entry.infant not in named)]
    if sites:
        entries = assign_sites(labels, infant_sites(cohort), sites, previous)
    else:
        entries = assign_folds(labels, int(job.params.n), int(job.params.seed), previous)
    write_folds(job.output.folds, entries)
    kept = {(e.infant, e.fold) for e in previous} & {(e.infant, e.fold) for e in entries}
    print(f"{len(entries)} infants, {len(kept)} of them where they were before")
    for (fold, site, label), n in sorted(
        Counter((e.fold, e.site, e.label) for e in entries).items()
    ):
        print(f"fold {fold}{f' ({site})' if site else ''}: {n} {label}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
