"""Files for a paper: the methods with their references, and a reporting checklist.

The checklist is TRIPOD+AI by main item (Collins et al. 2024, BMJ 385:e078378), in words of our
own: the published one counts. What a run knows is filled in; all else stays a question.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from typing import Any

import pandas as pd

from fidgety import __version__
from fidgety.report.methods import Methods, flatten
from fidgety.report.pages import HERE

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
        "split": "Development infants were judged by a fold model that never saw them; external "
        "and new infants by all fold models.",
        "software": f"Code: fidgety {__version__}. Add funding, conflicts, protocol, registration "
        "and data.",
        "participants": "results/report/index.html and results/cohort/.",
        "specification": "Weights, history and preprocessing: results/models/, as one file by "
        "`snakemake bundle`.",
        "performance": "results/evaluation/metrics.tsv; subgroups by `snakemake compare`.",
        "use": f"{text['Quality']} Add the expertise that users need.",
    }


def checklist(answers: Mapping[str, str]) -> pd.DataFrame:
    """Return the checklist, filled in where there is an answer.

    ``state`` is ``from the run``, to be completed where the answer says ``Add``, or ``open``.
    """
    with (HERE / "assets" / "tripod-ai.tsv").open(encoding="utf-8", newline="") as file:
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
