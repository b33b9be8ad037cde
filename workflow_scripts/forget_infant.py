"""Erase an infant from the results and from Snakemake's records of them."""

from pathlib import Path

from fidgety.errors import FidgetyError
from fidgety.forget import find_traces, forget, in_use, of_snakemake, told, word
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Find the traces, remove them, and say on the terminal what went; the log names nobody."""
    whom = job.params.whom
    infant, recordings = str(whom["infant"]), [str(r) for r in whom["recordings"]]
    hidden, names = Path(job.params.hidden), word({infant, *recordings})
    rules = [[str(pattern) for pattern in rule] for rule in job.params.rules]
    sources = [str(path) for path in whom["sources"]]
    traces = find_traces(Path(job.params.results), rules, infant, recordings, sources)
    if busy := in_use(hidden / "locks", [*traces.remove, *traces.rewrite]):
        raise FidgetyError(
            f"another snakemake is working on {len(busy)} of the infant's files. Wait until it has "
            "ended, or stop it; after a crash, `snakemake --unlock`."
        )
    records = of_snakemake(hidden, [str(p) for p in traces.remove], names)
    forget(traces, names, sources)
    for path in records:
        path.unlink(missing_ok=True)
    print(f"{len(traces.remove)} files and folders, {len(records)} records of Snakemake")
    print(told(traces, [str(one) for one in whom["yours"]], "removed"), file=job.terminal)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
