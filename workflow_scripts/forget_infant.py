"""Erase an infant from the results and from Snakemake's records of them."""

import sys
from pathlib import Path

from fidgety.errors import FidgetyError
from fidgety.forget.removal import forget, remove, told
from fidgety.forget.search import find_traces
from fidgety.forget.snakemake_files import (
    blacken,
    empty_folders,
    fetched,
    in_use,
    newest_log,
    of_snakemake,
)
from fidgety.forget.whom import Whom
from fidgety.infants_index import INFANTS, Owned, add_infants
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Find the traces, remove them, and say on the terminal what went; the log names nobody."""
    whom = Whom.of(job.params.whom)
    results, hidden, storage = (Path(job.params[name]) for name in ("results", "hidden", "storage"))
    rules = [[str(pattern) for pattern in rule] for rule in job.params.rules]
    traces = find_traces(results, rules, whom)
    touched = [*traces.remove, *traces.rewrite, *traces.half_written]
    if busy := in_use(hidden / "locks", touched):
        raise FidgetyError(
            f"another snakemake is working on {len(busy)} of the files that would go. Wait until "
            "it has ended, or stop it; after a crash, `snakemake --unlock`."
        )
    # Tables of earlier runs, which may know more, go with the rest: an interrupted run is to find
    # the same when it is called again.
    add_infants(results / INFANTS, {whom.infant: Owned(whom.recordings, whom.sources)})
    traces = find_traces(results, rules, whom)
    # The script of this very job is a file of Snakemake's that has the infant in it.
    running = [Path(sys.argv[0]), Path(__file__)]
    records = of_snakemake(hidden, results, rules, whom, traces.remove, running)
    copies = fetched(storage, whom)
    remove([*records, *copies], {hidden, storage, *hidden.parents, *storage.parents})
    remove(empty_folders(hidden, whom.names), {hidden, *hidden.parents})
    # Snakemake's log of this run has its command, with the infant's id.
    for path in newest_log(hidden):
        blacken(path, whom.words)
    forget(traces, whom, results)
    print(f"{len(traces.remove)} files and folders, {len(records)} records of Snakemake")
    print(
        told(traces, [str(one) for one in job.params.whom["yours"]], "removed"), file=job.terminal
    )
    if copies:
        print(f"{len(copies)} local copies of its URLs removed", file=job.terminal)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
