"""Files for a paper: the methods with their references, and reporting checklists.

The checklists are TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378), STARD-AI
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
from fidgety.report.methods import Methods, inclusion_sentence, threshold_sentence
from fidgety.report.pages import HERE
from fidgety.report.parameters import parameters
from fidgety.report.wording import NOTHING, count, interval, number

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


#: Measures that answer for a model's performance, those that the run has.
_MEASURES = {
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "macro_f1": "macro F1",
}
#: What begins a request to complete an answer.
ADD = "Add "


def performance(metrics: pd.DataFrame) -> str:
    """Return the main figures of every model and set, each with interval and n.

    Parameters
    ----------
    metrics
        The evaluation's table of figures.
    """
    parts = []
    for (role, model), own in metrics.groupby(["set", "model"], sort=False):
        figures = [
            f"{_MEASURES[row['metric']]} {number(row['value'])} "
            f"({interval(row['low'], row['high'])}, n = {int(row['n'])})"
            for row in own.to_dict("records")
            if row["metric"] in _MEASURES and number(row["value"]) != NOTHING
        ]
        parts += [f"{role}, {model}: {', '.join(figures)}."] if figures else []
    return " ".join(parts)


def events(metrics: pd.DataFrame) -> str:
    """Return how many infants, and of them how many at risk, are behind a set's figures."""
    parts = []
    for role, own in metrics.groupby("set", sort=False):
        risk = own.loc[own["metric"] == "sensitivity", "n"]
        all_n = own.loc[own["metric"].isin(("auc", "accuracy")), "n"]
        if len(all_n):
            at_risk = f", {int(risk.max())} of them at risk" if len(risk) else ""
            parts.append(f"{role}: {count(int(all_n.max()), 'infant')}{at_risk}")
    return f"{'; '.join(parts)}." if parts else ""


def known_answers(
    found: Methods, study: Mapping[str, Any], metrics: pd.DataFrame, whom: str = ""
) -> dict[str, str]:
    """Return what a run knows of the checklists, by the names in their data files.

    An answer to complete says so in a sentence that begins with :data:`ADD`; an empty one is
    none at all.

    Parameters
    ----------
    found
        The methods.
    study
        The whole configuration as plain values.
    metrics
        The evaluation's table of figures.
    whom
        Whom the study is about (:func:`fidgety.report.people.people`).
    """
    text = dict(found.paragraphs)
    sets = ", ".join(dict.fromkeys(metrics["set"].astype(str)))
    classes = "; ".join(
        f"{c['name']} ({'at risk' if c['at_risk'] else 'not at risk'})" for c in study["classes"]
    )
    by_site = study["folds"]["by"] == "site"
    parts = "by site" if by_site else "by infant"
    started = [
        f"{name} ({model['kind']})"
        for name, model in study["models"].items()
        if model.get("options", {}).get("weights")
    ]
    scoring = (
        "Development infants were judged by a fold model that never saw them; external and new "
        "infants by the mean of all fold models."
    )
    training = text.get("Training", "")
    subgroups = "`snakemake compare` writes subgroups to results/comparison/subgroups.tsv."
    return {
        "objectives": f"Figures are of these sets: {sets}.",
        "cohorts": f"{whom} {ADD}where the recordings are from, and whom they represent.",
        "sites": f"{whom} {ADD}the kind of setting and its places.",
        "inclusion": f"{inclusion_sentence(study['inclusion'])} {ADD}how infants were found.",
        "preparation": f"{text['Video']} {text['Pose']} {text['Cleaning']}",
        "outcome": f"Classes: {classes}. {ADD}who assessed them, when, how, and blinded to what.",
        "predictors": text["Features"],
        "scaling": f"{text['Features']} Values were standardised by the training infants of each "
        "fold.",
        "missing": f"{text['Cleaning']} {text['Quality']}",
        "training": training,
        "threshold": "A probability of being at risk, from 0 to 1. "
        f"{threshold_sentence(study)} So it was settled before the infants that a fold model "
        "judges were looked at.",
        "split": f"Folds {parts}. {scoring}",
        "scoring": scoring,
        "heterogeneity": (
            f"Every site was left out of training once. {subgroups}"
            if by_site
            else f"{subgroups} {ADD}differences between hospitals (folds.by: site)."
        ),
        "software": f"fidgety {__version__}, MIT licence. {ADD}its address.",
        "participants": f"{whom} The flow is drawn in results/report/index.html.",
        "events": events(metrics),
        "specification": "Weights, history and preprocessing: results/models/, as one file by "
        "`snakemake bundle`.",
        "performance": f"{performance(metrics)} All figures: results/evaluation/metrics.tsv. "
        f"{subgroups}",
        "classes": f"Classes: {classes}. {ADD}whether that was settled beforehand.",
        "devices": f"Standard videos: {text['Video']} Software: fidgety {__version__}. {ADD}"
        "makers and models of the cameras, and their settings.",
        "index_test": f"{text['Features']} {training}",
        "development": f"Folds {parts}. {scoring} {events(metrics)}",
        "blinding": "Models read no label of an infant that they judge. They read characteristics "
        "of the sheet only where their options in parameters.tsv say so.",
        "analysis": text["Evaluation"],
        "undecided": "An infant without a result is in no figure; it is counted with its reason in "
        "results/evaluation/infants.tsv. Fold models that disagree are called undecided on the "
        f"pages, but the mean of their probabilities decides. {ADD}what became of undecided "
        "labels.",
        "subgroups": f"By age, term, sex, site, device and setting. {subgroups} {ADD}which "
        "analyses were planned.",
        "characteristics": "results/evaluation/characteristics.tsv, by set and label, with what is "
        "missing; of each fold's infants: results/folds.tsv.",
        "severity": "Types of fidgety movements, where the sheet has them: "
        f"results/evaluation/characteristics.tsv. {ADD}the clinical outcome.",
        "differences": "By set: results/evaluation/characteristics.tsv, quality.tsv. "
        f"{ADD}what follows from it.",
        "crosstab": "Decision and label of every infant and model: results/evaluation/infants.tsv.",
        "audit": "Every instance's probability by every fold model: results/predictions/, with "
        "version, parameters, code and seed in every file.",
        "selection": f"{text['Quality']} Instances: {text['Features']} {ADD}what was cut by hand.",
        "identity": "Ids of the sheet, no names; videos without metadata; on pages "
        f"report.faces: {study['report']['faces']}, report.overlay: {study['report']['overlay']}. "
        f"{ADD}what was done before.",
        "raters": "Where there were blinded readings, `snakemake readings` writes "
        f"results/reading/agreement.tsv. {ADD}how differences were settled.",
        "disjoint": f"Folds are dealt {parts}: all recordings of an infant are on one side.",
        "versions": "results/paper/methods.md has the versions; requirements/lock.txt all of them.",
        "start": f"Random numbers from the seed {study['seed']} and the job's name."
        + (f" With another network's weights: {', '.join(started)}." if started else ""),
        "trained": training,
        "explained": "Every instance's probability, and attention where a model has it, under the "
        "video on the infants' pages; Grad-CAM of models of pictures; contributions by `snakemake "
        "gao2023`; agreement in time with annotated intervals by `snakemake compare`. "
        f"{ADD}what was seen.",
        "use": f"{text['Quality']} What cannot be assessed is listed with its reason.",
    }


def checklist(name: str, answers: Mapping[str, str]) -> pd.DataFrame:
    """Return a checklist, filled in where there is an answer.

    ``state`` is ``from the run``, ``partly`` where the answer says what to add, or ``open``.

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
        state = "open" if not answer else "partly" if ADD in answer else "from the run"
        rows.append({**item, "state": state, "answer": " ".join(answer.split())})
    return pd.DataFrame(rows, columns=list(CHECKLIST_COLUMNS))


def parameter_table(study: Mapping[str, Any]) -> pd.DataFrame:
    """Return every parameter of the run: ``parameter``, ``value``; paths are not told."""
    return pd.DataFrame(parameters(study), columns=["parameter", "value"])
