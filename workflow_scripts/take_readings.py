"""Turn the files that raters sent back into the annotations table and a table of readings."""

from fidgety.files import read_json_record, write_text
from fidgety.reading.plan import KEY_SCHEMA, read_key
from fidgety.reading.returned import read_returned, tabulate
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Check every file, write both tables."""
    key = read_key(read_json_record(str(job.input.key), KEY_SCHEMA))
    returned = read_returned([str(p) for p in job.input.get("returned", [])], key)
    intervals, readings = tabulate(returned, key)
    write_text(job.output.intervals, to_tsv(intervals))
    write_text(job.output.readings, to_tsv(readings))
    print(f"{len(returned)} of {len(key.sittings)} files, {len(readings)} readings")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
