"""Verify every result file, and show what is wrong and what to do about it."""

import os
from pathlib import Path

from fidgety.errors import FidgetyError
from fidgety.files import write_text
from fidgety.report.pages import to_tsv
from fidgety.status import Known, parse_summary
from fidgety.verify import (
    Remedies,
    as_table,
    missing_files,
    unrecorded_outputs,
    verified_lines,
    verify_files,
)
from workflow_scripts.show_status import ask_snakemake
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the table, show it, and end with an error if anything is wrong."""
    remedies = Remedies(
        *(list(map(str, job.params[name])) for name in ("command", "outputs", "temporary"))
    )
    planned = parse_summary(ask_snakemake(job))
    infants = {str(name): Known.of(one) for name, one in job.params.infants.items()}
    found = verify_files(Path(job.params.results), remedies)
    # Whose a missing file is says more than that it was recorded.
    missing = missing_files(planned, infants, remedies)
    named = {one.file for one in missing}
    found.findings = [one for one in found.findings if one.file not in named] + missing
    found.findings += unrecorded_outputs(planned, found, remedies)
    pending = sum(one.pending and os.path.lexists(one.file) for one in planned)
    table = str(job.params.table)
    write_text(table, to_tsv(as_table(found.findings)))
    lines = verified_lines(found, pending, table)
    print("\n".join(lines[:-1]), file=job.terminal, flush=True)
    if found.findings:
        raise FidgetyError(f"{lines[-1]} All of them: {table}")
    print(lines[-1], file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
