"""Write the files for a paper: methods, parameters, checklists, model card."""

import platform
from typing import Any

import pandas as pd

from fidgety import __version__
from fidgety.bundle.card import RunCard, characteristics, model_card, training_numbers
from fidgety.bundle.manifest import ModelEntry, TrainingEntry
from fidgety.config.study import ClassConfig
from fidgety.datasets.folds import read_table
from fidgety.evaluation.records import read_cohorts
from fidgety.files import write_text
from fidgety.fingerprint import library_versions
from fidgety.report.methods import methods
from fidgety.report.pages import to_tsv
from fidgety.report.paper import CHECKLISTS, checklist, known_answers, methods_text, parameter_table
from fidgety.report.people import people, placed_by_hand
from fidgety.training.description import read_description
from workflow_scripts.stage import Job, run
from workflow_scripts.write_report import LIBRARIES


def card(job: Job, study: dict[str, Any], metrics: pd.DataFrame) -> str:
    """Write the model card of the models that this run trained."""
    thresholds: dict[str, list[float]] = {}
    for (name, _), path in zip(job.params.model_of, job.input.models, strict=True):
        value = float(read_description(str(path))["threshold"]["value"])
        thresholds.setdefault(str(name), []).append(value)
    folds = read_table(job.input.folds)
    development = read_cohorts([str(job.input.development)])
    reference = job.input.get("reference") or []
    numbers = training_numbers(
        folds, development, read_cohorts([str(reference)]) if reference else None
    )
    described = RunCard(
        classes=[ClassConfig.model_validate(dict(c)) for c in study["classes"]],
        folds=max(len(own) for own in thresholds.values()),
        models={name: ModelEntry(kind=study["models"][name]["kind"]) for name in thresholds},
        configuration=study,
        training=TrainingEntry.model_validate(numbers),
        licence=str(job.params.licence),
        contact=str(job.params.contact),
    )
    return model_card(
        described,
        thresholds,
        metrics=[{str(k): v for k, v in row.items()} for row in metrics.to_dict("records")],
        described=characteristics(folds, development),
        confidence=float(study["evaluation"]["confidence"]),
        with_infants=list(job.params.with_infants),
        bundled=False,
    )


def main(job: Job) -> None:
    """Write all files from the configuration and the figures."""
    study = dict(job.params.study)
    cohort = read_cohorts(job.input.cohort)
    whom = people(cohort)
    found = methods(
        study,
        corrected=placed_by_hand(cohort),
        imported=job.params.imported,
        estimated=job.params.estimated,
        bundle=job.params.get("bundle"),
        people=whom,
    )
    versions = {"fidgety": __version__, "Python": platform.python_version()}
    versions |= {name: str(version) for name, version in library_versions(LIBRARIES).items()}
    metrics = pd.read_csv(job.input.metrics, sep="\t")
    write_text(job.output.methods, methods_text(found, versions))
    write_text(job.output.parameters, to_tsv(parameter_table(study)))
    answers = known_answers(found, study, metrics, whom)
    for name in CHECKLISTS:
        write_text(job.output[name.replace("-", "_")], to_tsv(checklist(name, answers)))
    # Models of a bundle come with a card of their own.
    if job.output.get("card"):
        write_text(job.output.card, card(job, study, metrics))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
