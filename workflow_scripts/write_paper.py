"""Write the files for a paper: methods, parameters, checklist."""

import platform

import pandas as pd

from fidgety import __version__
from fidgety.files import write_text
from fidgety.fingerprint import library_versions
from fidgety.report.methods import methods
from fidgety.report.pages import to_tsv
from fidgety.report.paper import checklist, known_answers, methods_text, parameters
from workflow_scripts.stage import Job, run
from workflow_scripts.write_report import LIBRARIES


def main(job: Job) -> None:
    """Write all files from the configuration and the figures."""
    study = dict(job.params.study)
    found = methods(
        study,
        imported=job.params.imported,
        estimated=job.params.estimated,
        bundle=job.params.get("bundle"),
    )
    versions = {"fidgety": __version__, "Python": platform.python_version()}
    versions |= {name: str(version) for name, version in library_versions(LIBRARIES).items()}
    metrics = pd.read_csv(job.input.metrics, sep="\t")
    write_text(job.output.methods, methods_text(found, versions))
    write_text(job.output.parameters, to_tsv(parameters(study)))
    write_text(job.output.checklist, to_tsv(checklist(known_answers(found, study, metrics))))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
