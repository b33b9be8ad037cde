"""Files for a paper: the methods with their references, and reporting checklists.

The checklists are TRIPOD+AI by main item (Collins et al. 2024, BMJ 385:e078378), STARD-AI
(Sounderajah et al. 2025, Nat Med 31:3283) and CLAIM (Tejani et al. 2024, Radiol Artif Intell
6:e240300), in words of our own: the published ones count. What a run knows is filled in; all else
stays a question.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fidgety import __version__
from fidgety.report.methods import Methods, flatten
from fidgety.report.pages import HERE

#: Checklists: their data file and what they are.
CHECKLISTS = {"tripod-ai": "TRIPOD+AI", "stard-ai": "STARD-AI", "claim": "CLAIM"}
CHECKLIST_COLUMNS = ("item", "section", "asks", "state", "answer")


def methods_text(found: Methods, versions: Mapping[str, str]) -> str:
    """Return the methods as Markdown: paragraphs, references, versions.

    Parameters
    ----------
    found
        Paragraphs and references.
    versions
        Software to its version.
    """
    parts = ["# Methods\n"]
    parts += [f"**{heading}.** {text}\n" for heading, text in found.paragraphs]
    parts += ["## References\n"]
    parts += ["\n".join(f"{n}. {one}" for n, one in enumerate(found.references, 1)) + "\n"]
    parts += ["## Versions\n"]
    parts += ["\n".join(f"- {name} {version}" for name, version in versions.items()) + "\n"]
    return "\n".join(parts)


def known_answers(
    found: Methods, study: Mapping[str, Any], metrics: pd.DataFrame
) -> dict[str, str]:
    """Return what a run knows of the checklist, by the names in its data file.

    Parameters
    ----------
    found
        The methods.
    study
        The whole configuration as plain values.
    metrics
        The evaluation's table of figures.
    """
    text = dict(found.paragraphs)
    sets = ", ".join(dict.fromkeys(metrics["set"].astype(str)))
    classes = "; ".join(
        f"{c['name']} ({'at risk' if c['at_risk'] else 'not at risk'})" for c in study["classes"]
    )
    parts = "by site" if study["folds"]["by"] == "site" else "by infant"
    sizes = ", ".join(
        f"{role} {int(rows['n'].max())}"
        for role, rows in metrics.groupby("set", sort=False)
        if len(rows)
    )
    started = [
        f"{name} ({model['kind']})"
        for name, model in study["models"].items()
        if model.get("options", {}).get("weights")
    ]
    split = (
        "Development infants were judged by a fold model that never saw them; external and new "
        "infants by all fold models."
    )
    return {
        "objectives": f"Figures are of these sets: {sets}.",
        "cohorts": "Cohorts of the run are in results/cohort/. Add origin and dates.",
        "inclusion": f"{text['Cohort']} Add setting, centres and treatments.",
        "preparation": f"{text['Video']} {text['Pose']} {text['Cleaning']}",
        "outcome": f"Classes: {classes}. Add who assessed them, how, and blinded to what.",
        "predictors": text["Features"],
        "missing": text["Cleaning"],
        "training": f"{text.get('Training', '')} {text['Evaluation']}",
        "threshold": f"A probability of being at risk, from 0 to 1. {text['Evaluation']}",
        "split": split,
        "software": f"Code: fidgety {__version__}. Add funding, conflicts, protocol, registration "
        "and data.",
        "participants": "results/report/index.html and results/cohort/.",
        "specification": "Weights, history and preprocessing: results/models/, as one file by "
        "`snakemake bundle`.",
        "performance": "results/evaluation/metrics.tsv; subgroups by `snakemake compare`.",
        "classes": f"Classes: {classes}.",
        "devices": f"The column `device` of results/cohort/, where the sheet gives it; standard "
        f"videos: {text['Video']} Software: fidgety {__version__}. Add makers, models, settings.",
        "index_test": f"{text['Features']} {text.get('Training', '')}",
        "development": f"Folds {parts}. {split} Infants behind the figures: {sizes}.",
        "blinding": "Models read no label of an infant that they judge. They read characteristics "
        "of the sheet only where their options in parameters.tsv say so.",
        "analysis": text["Evaluation"],
        "undecided": "An infant without a result is in no figure; it is counted with its reason in "
        "results/evaluation/infants.tsv. Fold models that disagree are called undecided on the "
        "pages, but the mean of their probabilities decides. Add what became of undecided labels.",
        "subgroups": "By age, term, sex, site, device and setting: results/comparison/"
        "subgroups.tsv by `snakemake compare`. Add which analyses were planned.",
        "characteristics": "results/evaluation/characteristics.tsv, by set and label; of each "
        "fold's infants: results/folds.tsv.",
        "severity": "Types of fidgety movements, where the sheet has them: "
        "results/evaluation/characteristics.tsv. Add the clinical outcome.",
        "differences": "Compare the sets in results/evaluation/: characteristics.tsv, quality.tsv.",
        "crosstab": "Decision and label of every infant and model: results/evaluation/infants.tsv.",
        "audit": "Every instance's probability by every fold model: results/predictions/, with "
        "version, parameters, code and seed in every file.",
        "selection": f"{text['Quality']} Instances: {text['Features']} Add what was cut by hand.",
        "identity": "Ids of the sheet, no names; videos without metadata; on pages "
        f"report.faces: {study['report']['faces']}, report.overlay: {study['report']['overlay']}. "
        "Add what was done before.",
        "raters": "Where there were blinded readings: results/reading/agreement.tsv, by "
        "`snakemake readings`. Add how differences were settled.",
        "disjoint": f"Folds are dealt {parts}: all recordings of an infant are on one side.",
        "versions": "results/paper/methods.md has the versions; requirements/lock.txt all of them.",
        "start": f"Random numbers from the seed {study['seed']} and the job's name."
        + (f" With another network's weights: {', '.join(started)}." if started else ""),
        "trained": text.get("Training", ""),
        "explained": "Every instance's probability, and attention where a model has it, under the "
        "video on the infants' pages; Grad-CAM of models of pictures; contributions by `snakemake "
        "gao2023`; agreement in time with annotated intervals by `snakemake compare`.",
        "use": f"{text['Quality']} Add the expertise that users need.",
    }


def checklist(name: str, answers: Mapping[str, str]) -> pd.DataFrame:
    """Return a checklist, filled in where there is an answer.

    ``state`` is ``from the run``, to be completed where the answer says ``Add``, or ``open``.

    Parameters
    ----------
    name
        Of :data:`CHECKLISTS`.
    answers
        Of :func:`known_answers`.
    """
    with (HERE / "assets" / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
        items = list(csv.DictReader(file, delimiter="\t"))
    rows = []
    for item in items:
        answer = answers[item["known"]] if item["known"] else ""
        state = "from the run" if answer else "open"
        rows.append({**item, "state": state, "answer": " ".join(answer.split())})
    return pd.DataFrame(rows, columns=list(CHECKLIST_COLUMNS))


def parameters(study: Mapping[str, Any]) -> pd.DataFrame:
    """Return every parameter of the run: ``parameter``, ``value``."""
    return pd.DataFrame(flatten(study), columns=["parameter", "value"])
