"""What the figures of the study's page show, in words and numbers, where they are not seen.

Every text is made of the table that its figure is drawn from: values with their interval and n.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fidgety.evaluation.model_comparison import EVERYBODY
from fidgety.evaluation.records import LOST
from fidgety.evaluation.study_plots import QUALITY_PANELS
from fidgety.report.described import QUALITY, quality_text, reason_clause
from fidgety.report.language import mark, translate
from fidgety.report.wording import count, interval, number

#: Figures of the page, and what they are called.
FIGURES = {
    "roc": mark("ROC curves of all models"),
    "calibration": mark("Calibration of all models"),
    "benefit": mark("Decision curves of all models"),
    "frequency": mark("Frequency of fidgety movements by group"),
    "quality": mark("Recordings that could not be assessed, and the quality of the others"),
}
EMPTY = mark("There is nothing to show")
#: Probabilities from which one would act at which the decision curves are told.
TOLD_FROM = (0.1, 0.2, 0.4)


def _between(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    """Write an interval in brackets behind its figure; nothing where there is none."""
    text = interval(row[low], row[high])
    return f" [{text}]" if text != "–" else ""


def _groups(table: pd.DataFrame) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of every model and set, under their names and in their order."""
    for (role, model), own in table.groupby(["set", "model"], sort=False):
        yield (
            f"{model}, {role}",
            [{str(k): v for k, v in r.items()} for r in own.to_dict("records")],
        )


def roc(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell the areas under the ROC curves.

    Parameters
    ----------
    metrics
        Of the evaluation's summary.
    """
    return [
        translate(
            "%(model)s, %(set)s: AUC %(area)s [%(interval)s], n = %(n)s",
            model=row["model"],
            set=row["set"],
            area=number(row["value"]),
            interval=interval(row["low"], row["high"]),
            n=row["n"],
        )
        for row in metrics
        if row["metric"] == "auc"
    ]


def _calibration_point(row: Mapping[str, Any]) -> str:
    return translate(
        "predicted %(predicted)s, observed %(observed)s, n = %(n)s",
        predicted=number(row["predicted"]),
        observed=number(row["observed"]) + _between(row),
        n=int(row["n"]),
    )


def calibration(table: pd.DataFrame) -> list[str]:
    """Tell the predicted and the observed share of every group of infants.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.tables.calibration_table`.
    """
    return [
        translate(
            "%(name)s, n = %(n)s: %(points)s",
            name=name,
            n=sum(int(row["n"]) for row in rows),
            points="; ".join(map(_calibration_point, rows)),
        )
        for name, rows in _groups(table)
    ]


def benefit(table: pd.DataFrame) -> list[str]:
    """Tell what acting on the models is worth, and where it is worth more than not asking them.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.model_comparison.benefit_table`.
    """
    plain = {
        (row["set"], round(row["threshold"], 6)): row["net_benefit"]
        for row in table[table["model"] == EVERYBODY].to_dict("records")
    }
    said = []
    for name, rows in _groups(table):
        asked = rows[0]["model"] != EVERYBODY
        points = "; ".join(
            translate(
                "%(worth)s from %(threshold)s on",
                worth=number(row["net_benefit"]) + _between(row),
                threshold=f"{row['threshold']:g}",
            )
            for row in rows
            if np.isclose(row["threshold"], TOLD_FROM).any()
        )
        text = translate(
            "%(name)s, n = %(n)s: net benefit %(points)s",
            name=name,
            n=int(rows[0]["n"]),
            points=points,
        )
        if asked:
            more = sum(
                row["net_benefit"] > max(0.0, plain[row["set"], round(row["threshold"], 6)])
                for row in rows
            )
            text += "; " + translate(
                "more than acting on everybody and on nobody at %(more)s of %(all)s points",
                more=more,
                all=len(rows),
            )
        said.append(text)
    return said


def frequency(table: pd.DataFrame) -> list[str]:
    """Tell how often models see fidgety movements in the infants of every label.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.frequency_table`.
    """
    said = []
    for name, rows in _groups(table):
        said += [
            translate(
                "%(name)s, %(label)s: median share %(median)s, quartiles %(quartiles)s, n = %(n)s",
                name=name,
                label=row["label"],
                median=number(row["median"]) + _between(row),
                quartiles=interval(row["q1"], row["q3"]),
                n=int(row["n"]),
            )
            for row in rows
        ]
        area = number(rows[0]["auc"])
        if area != "–":
            said.append(
                translate(
                    "%(name)s: AUC of the share %(area)s, n = %(n)s",
                    name=name,
                    area=area + _between(rows[0], "auc_low", "auc_high"),
                    n=int(rows[0]["auc_n"]),
                )
            )
    return said


def quality(table: pd.DataFrame, reasons: pd.DataFrame) -> list[str]:
    """Tell why how many recordings could not be assessed, and how good the others are.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.description.quality_table`.
    reasons
        Of :func:`fidgety.evaluation.description.reason_table`.
    """
    said = []
    for role, own in reasons.groupby("set", sort=False):
        rows = own[own["reason"] != LOST].to_dict("records")
        everybody = int(own["all_recordings"].iloc[0])
        lost = sum(int(row["recordings"]) for row in rows)
        whole = translate(
            "%(set)s: %(lost)s of %(recordings)s not assessable",
            set=role,
            lost=lost,
            recordings=count(everybody, "recording"),
        )
        parts = "; ".join(
            f"{int(row['recordings'])}: {reason_clause(row['reason'])}" for row in rows
        )
        said.append(f"{whole} ({parts})" if parts else whole)
    shown = [name for name, _, _ in QUALITY_PANELS]
    for row in table[table["measure"].isin(shown)].to_dict("records"):
        what, digits = QUALITY[row["measure"]]
        median, first, last = (quality_text(float(row[k]), digits) for k in ("median", "q1", "q3"))
        said.append(
            translate(
                "%(what)s, %(set)s: median %(median)s, quartiles %(first)s to %(last)s, n = %(n)s",
                what=translate(what),
                set=row["set"],
                median=median,
                first=first,
                last=last,
                n=int(row["n"]),
            )
        )
    return said


def alternatives(
    metrics: Sequence[Mapping[str, Any]], tables: Mapping[str, pd.DataFrame]
) -> dict[str, str]:
    """Return what stands for every one of :data:`FIGURES` where it is not seen.

    Parameters
    ----------
    metrics
        Of the evaluation's summary.
    tables
        ``calibration``, ``benefit``, ``frequency``, ``quality`` and ``reasons``.
    """
    found = {
        "roc": roc(metrics),
        "calibration": calibration(tables["calibration"]),
        "benefit": benefit(tables["benefit"]),
        "frequency": frequency(tables["frequency"]),
        "quality": quality(tables["quality"], tables["reasons"]),
    }
    return {
        name: ". ".join([translate(what), *(found[name] or [translate(EMPTY)])])
        for name, what in FIGURES.items()
    }
