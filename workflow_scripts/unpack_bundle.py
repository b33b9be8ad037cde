"""Unpack the models of a bundle, each file checked against its checksum."""

from pathlib import Path

from fidgety.bundle.archive import unpack_models
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the models below the folder that the rule names."""
    bundle = unpack_models(job.input.bundle, Path(job.params.folder), str(job.params.bundle))
    print(f"unpacked {', '.join(bundle.manifest.models)} of bundle {bundle.identity}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
