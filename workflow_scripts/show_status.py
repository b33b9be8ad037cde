"""Show what would run, and why: ask Snakemake, and put its answer together by infant."""

import json
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from fidgety.errors import FidgetyError
from fidgety.files import write_text
from fidgety.report.pages import to_tsv
from fidgety.snakemake_records import unfinished_files
from fidgety.status import Known, other_jobs, parse_summary, status_lines, status_table
from workflow_scripts.stage import Job, run


def ask_snakemake(job: Job, *options: str) -> str:
    """Return Snakemake's summary of all files, with the configuration of this run.

    Parameters
    ----------
    job
        That asks.
    options
        Beside those of the job.

    Raises
    ------
    FidgetyError
        With its own message, if it cannot say.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(job.params.config))
        command = [
            *(str(job.params.python), "-m", "snakemake", "--summary", "--cores", "1"),
            *("--snakefile", str(job.params.snakefile), "--configfile", str(config)),
            *(str(option) for option in job.params.options),
            *options,
        ]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
    if done.returncode:
        raise FidgetyError(f"snakemake --summary says: {done.stderr.strip()[-2000:]}")
    return done.stdout


def force(options: Sequence[str], files: Collection[str]) -> list[str]:
    """Return a command's options with files beside those that it forces."""
    if "--forcerun" not in options:
        return [*options, "--forcerun", *sorted(files)]
    at = options.index("--forcerun") + 1
    return [*options[:at], *sorted(files), *options[at:]]


def main(job: Job) -> None:
    """Write the whole table, and show what is to be done."""
    forced = [str(option) for option in job.params.forced]
    planned = parse_summary(ask_snakemake(job, *forced))
    # A run does them again, but the summary leaves out why, and so what follows from them.
    unfinished = unfinished_files(Path(".snakemake")) & {one.file for one in planned}
    if unfinished:
        again = ask_snakemake(job, *force(forced, unfinished))
        planned = parse_summary(again, unfinished)
    infants = {str(name): Known.of(one) for name, one in job.params.infants.items()}
    table = status_table(planned, infants)
    write_text(str(job.params.table), to_tsv(table))
    text = "\n".join(status_lines(table, other_jobs(planned), str(job.params.table)))
    print(f"\n{text}", file=job.terminal, flush=True)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
