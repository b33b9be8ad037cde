"""Write the index page of the report."""

import platform
from pathlib import Path

import pandas as pd

from fidgety import __version__
from fidgety.config.report import ReportConfig
from fidgety.evaluation.records import read_cohorts
from fidgety.files import read_json, write_text
from fidgety.fingerprint import library_versions
from fidgety.report.alternatives import FIGURES
from fidgety.report.index import cohort_download, index_page
from fidgety.report.pages import download
from workflow_scripts.stage import Job, run

#: Libraries that decide results.
LIBRARIES = (
    "av",
    "lightning",
    "matplotlib",
    "mediapipe",
    "numpy",
    "opencv-contrib-python-headless",
    "pandas",
    "scikit-learn",
    "scipy",
    "snakemake",
    "torch",
)
#: Evaluation files that are offered for download, where the rule names them.
FILES = {
    "summary": "everything below in one file",
    "metrics": "figures with intervals, by model and set",
    "infants": "result of every infant and model",
    "roc": "points of the ROC curves",
    "calibration": "calibration groups",
    "benefit": "decision curves",
    "characteristics": "characteristics of the cohorts",
    "frequency": "frequency of fidgety movements by group",
    "quality": "quality of the recordings",
    "reasons": "why recordings could not be assessed",
    "roc_figure": "ROC curves as a figure",
    "calibration_figure": "calibration as a figure",
    "benefit_figure": "decision curves as a figure",
    "frequency_figure": "frequency of fidgety movements as a figure",
    "quality_figure": "quality of the recordings as a figure",
}
#: Those that the page shows as tables.
TABLES = ("characteristics", "frequency", "quality", "reasons", "calibration", "benefit")


def main(job: Job) -> None:
    """Read the evaluation and the cohorts, write the index."""
    files = {name: str(job.input[name]) for name in FILES if job.input.get(name)}
    cohorts = [str(p) for p in job.input.cohort]
    given = job.params.get("versions") or {}
    versions = {"fidgety": __version__, "Python": platform.python_version()}
    versions |= {name: str(version) for name, version in library_versions(LIBRARIES).items()}
    downloads = [download(path, FILES[name]) for name, path in files.items()]
    config = ReportConfig.model_validate(job.params.config)
    downloads += [cohort_download(p, config) for p in cohorts]
    write_text(
        job.output.index,
        index_page(
            summary=read_json(files["summary"]),
            infants=pd.read_csv(files["infants"], sep="\t", dtype=str, keep_default_na=False),
            cohort=read_cohorts(cohorts),
            tables={name: pd.read_csv(files[name], sep="\t") for name in TABLES},
            figures={
                name: Path(files[f"{name}_figure"]).read_text(encoding="utf-8") for name in FIGURES
            },
            pages=[str(p) for p in job.input.pages],
            index=str(job.output.index),
            study=job.params.study,
            versions=versions | given,
            downloads=downloads,
            config=config,
            imported=job.params.imported,
            estimated=job.params.estimated,
            bundle=job.params.get("bundle"),
            learned=job.params.get("learned"),
        ),
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
