"""Where models find fidgety movements, and how early they decide: figures, a page, text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fidgety.evaluation.early import CURVES, FINAL_S
from fidgety.evaluation.localisation import IOUS, MEAN, METHODS, WHOLE
from fidgety.evaluation.plots import COLOURS, MARKERS, draw_words, figure, to_svg
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import count, grid, interval, number

CURVE_TEXTS = {
    "auc": "AUC",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "final": "Decision is final",
}
#: Times that the page's table shows, at most; the curves have all.
SHOWN_TIMES = 4
NO_INTERVALS = "The study has no annotated intervals of infants that are assessed."
NONE_IN_COMMON = (
    "No infant with a label, of whom the compared models have a result, has an annotated interval "
    "with fidgety movements."
)
NOBODY = "No set has infants with a label and a result."


@dataclass(frozen=True)
class InstanceComparison:
    """What is told of instances.

    Parameters
    ----------
    localisation, early
        Tables of :mod:`fidgety.evaluation.localisation` and :mod:`fidgety.evaluation.early`.
    rater
        Whose intervals the localisation is judged by.
    why
        Why there is no localisation; empty where there is one.
    left_out
        Sentences about models and infants that are not compared.
    """

    localisation: pd.DataFrame
    early: pd.DataFrame
    rater: str
    why: str = ""
    left_out: Sequence[str] = ()


def why_no_localisation(raters: Iterable[str], rater: str, table: pd.DataFrame) -> str:
    """Say in words why a table of localisation is empty; nothing where it is not.

    Parameters
    ----------
    raters
        Of the annotated intervals.
    rater
        The one that counts.
    table
        Of :func:`~fidgety.evaluation.localisation.localisation_table`.
    """
    if len(table):
        return ""
    known = sorted(set(raters))
    if not known:
        return NO_INTERVALS
    if rater not in known:
        return (
            f"No annotated interval is of the rater {rater} (gao.rater); there are those of "
            f"{', '.join(known)}."
        )
    return NONE_IN_COMMON


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def figure_text(row: Mapping[str, Any], name: str, digits: int = 2) -> str:
    """Write a figure and its interval; a dash where it is undefined."""
    limits = interval(row["low"], row["high"], digits)
    return number(row[name], digits) + ("" if limits == "–" else f" ({limits})")


def shown_times(times_s: Sequence[float]) -> list[float]:
    """Choose some times of a curve, evenly spread, the last one among them."""
    known = sorted(set(times_s))
    places = np.linspace(0, len(known), SHOWN_TIMES + 1)[1:]
    return sorted({known[max(round(p), 1) - 1] for p in places.tolist()})


def _sets(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["set"]))


def localisation_rows(table: pd.DataFrame, role: str) -> list[dict[str, Any]]:
    """Lay the average precision of one set out: a row a model and method, a column an IoU."""
    own = table[table["set"] == role]
    rows = []
    for (method, model), part in own.groupby(["method", "model"], sort=False):
        by_iou = {row["iou"]: row for row in _rows(part)}
        rows.append(
            {
                "model": model,
                "scores": part["scores"].iloc[0],
                "method": METHODS[str(method)].text if method else "",
                "cells": [figure_text(by_iou[i], "ap") for i in _iou_names()],
                "detections": int(part["detections"].iloc[0]),
            }
        )
    return rows


def _iou_names() -> list[str]:
    return [*(f"{at:g}" for at in IOUS), MEAN]


def counts_text(table: pd.DataFrame, role: str) -> str:
    """Say of how many infants and annotated intervals a set's average precision is."""
    row = _rows(table[table["set"] == role])[0]
    return (
        f"{count(int(row['n']), 'rated infant')}, {int(row['n_with'])} with "
        f"{count(int(row['intervals']), 'annotated interval')} and {row['n'] - row['n_with']} "
        "with none"
    )


def early_rows(table: pd.DataFrame, role: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Lay some moments of one set's curves out.

    Returns
    -------
    columns : list of str
    rows : list of dict
        One a model and measure, and one of the median time to the final decision.
    """
    own = table[table["set"] == role]
    chosen = shown_times(own["time_s"].dropna().tolist())
    rows = []
    for model in dict.fromkeys(own["model"]):
        for measure in CURVES:
            part = own[(own["model"] == model) & (own["measure"] == measure)]
            by_time = {row["time_s"]: row for row in _rows(part)}
            cells = [f"{figure_text(by_time[t], 'value')}, n = {by_time[t]['n']}" for t in chosen]
            rows.append({"model": model, "measure": CURVE_TEXTS[measure], "cells": cells})
    return [f"{t:g} s" for t in chosen], rows


def final_rows(table: pd.DataFrame, role: str) -> list[dict[str, Any]]:
    """Return every model's median time to the final decision in one set."""
    own = table[(table["set"] == role) & (table["measure"] == FINAL_S)]
    return [
        {"model": row["model"], "time": figure_text(row, "value", 1), "n": int(row["n"])}
        for row in _rows(own)
    ]


def draw_localisation(table: pd.DataFrame) -> str:
    """Draw average precision by IoU: a row a set, a column a method."""
    sets = _sets(table)
    if not sets:
        return draw_words("No annotated intervals to judge by.")
    models = [m for m in dict.fromkeys(table["model"]) if m != WHOLE]
    with figure(4.4 * len(METHODS), 3.4 * len(sets), len(sets), len(METHODS)) as drawing:
        panels = [(role, method) for role in sets for method in METHODS]
        for axes, (role, method) in zip(drawing.axes, panels, strict=True):
            for k, model in enumerate([*models, WHOLE]):
                part = table[
                    (table["set"] == role)
                    & (table["model"] == model)
                    & (table["method"] == ("" if model == WHOLE else method))
                    & (table["iou"] != MEAN)
                ]
                if part.empty:
                    continue
                value = part["ap"].to_numpy(dtype=np.float64)
                spread = np.abs(part[["low", "high"]].to_numpy(dtype=np.float64).T - value)
                axes.errorbar(
                    np.array(IOUS) + 0.006 * (k - len(models) / 2),
                    value,
                    yerr=np.nan_to_num(spread),
                    color="#666666" if model == WHOLE else COLOURS[k % len(COLOURS)],
                    linestyle=":" if model == WHOLE else "-",
                    marker=MARKERS[k % len(MARKERS)],
                    markersize=4,
                    linewidth=1,
                    elinewidth=0.7,
                    label=model,
                )
            axes.set_title(f"{ROLE_TEXTS[role]}\n{METHODS[method].text}", loc="left", fontsize=9)
            axes.set_ylim(-0.02, 1.02)
            axes.set_xticks(list(IOUS))
            axes.set_xlabel("temporal intersection over union")
            axes.set_ylabel("average precision")
            axes.legend(fontsize=8, frameon=True)
        return to_svg(drawing)


def draw_early(table: pd.DataFrame) -> str:
    """Draw the curves over time: a row a set, a column a measure; bands are intervals."""
    sets = _sets(table)
    if not sets:
        return draw_words("No infants to judge.")
    models = list(dict.fromkeys(table["model"]))
    with figure(3.2 * len(CURVES), 3.0 * len(sets), len(sets), len(CURVES)) as drawing:
        panels = [(role, measure) for role in sets for measure in CURVES]
        for axes, (role, measure) in zip(drawing.axes, panels, strict=True):
            for k, model in enumerate(models):
                part = table[
                    (table["set"] == role)
                    & (table["model"] == model)
                    & (table["measure"] == measure)
                ]
                if part.empty:
                    continue
                colour = COLOURS[k % len(COLOURS)]
                line = ("-", "--", "-.")[k % 3]
                at, n = part["time_s"], int(part["n"].max())
                label = f"{model}, n = {n}"
                # A single point is no line.
                (drawn,) = axes.plot(at, part["value"], color=colour, linestyle=line, label=label)
                drawn.set_marker("o" if part["value"].notna().sum() == 1 else "")
                axes.fill_between(
                    at.to_numpy(dtype=np.float64),
                    part["low"].to_numpy(dtype=np.float64),
                    part["high"].to_numpy(dtype=np.float64),
                    color=colour,
                    alpha=0.1,
                    linewidth=0,
                )
            axes.set_title(f"{ROLE_TEXTS[role]}\n{CURVE_TEXTS[measure]}", loc="left", fontsize=9)
            axes.set_ylim(-0.02, 1.02)
            axes.set_xlim(0, 1.02 * float(table.loc[table["set"] == role, "time_s"].max()))
            axes.set_xlabel("seconds watched")
            axes.legend(fontsize=7, frameon=True, loc="lower right")
        return to_svg(drawing)


def text_table(result: InstanceComparison) -> str:
    """Write the mean average precision and the times to a decision as plain text."""
    lines: list[str] = []
    for role in _sets(result.localisation):
        counts = counts_text(result.localisation, role)
        lines += [f"{ROLE_TEXTS[role]}, localisation: {counts}", ""]
        rows = [
            [f"{r['model']}, {r['method']}" if r["method"] else r["model"], r["cells"][-1]]
            for r in localisation_rows(result.localisation, role)
        ]
        lines += [*grid(["model", "mAP"], rows), ""]
    if result.why:
        lines += [f"No localisation: {result.why}", ""]
    for role in _sets(result.early):
        lines += [f"{ROLE_TEXTS[role]}, median time to the final decision, seconds", ""]
        cells = [[r["model"], r["time"], str(r["n"])] for r in final_rows(result.early, role)]
        lines += [*grid(["model", "seconds", "n"], cells), ""]
    lines += [f"Not compared, {line}" for line in result.left_out]
    return "\n".join(lines).rstrip() + "\n"


def page(
    result: InstanceComparison,
    confidence: float,
    *,
    phantoms: bool,
    bundle: Mapping[str, Any] | None = None,
) -> str:
    """Write the page."""
    localisation = [
        {
            "text": ROLE_TEXTS[role],
            "counts": counts_text(result.localisation, role),
            "rows": localisation_rows(result.localisation, role),
        }
        for role in _sets(result.localisation)
    ]
    early = []
    for role in _sets(result.early):
        columns, rows = early_rows(result.early, role)
        early.append(
            {
                "text": ROLE_TEXTS[role],
                "pooled": role == "development",
                "columns": columns,
                "rows": rows,
                "final": final_rows(result.early, role),
            }
        )
    where = draw_localisation(result.localisation)
    when = draw_early(result.early)
    return render(
        "compare_instances.html",
        phantoms=phantoms,
        bundle=bundle,
        rater=result.rater,
        why=result.why,
        whole=WHOLE,
        localisation=localisation,
        ious=_iou_names(),
        early=early,
        nobody=NOBODY,
        left_out=list(result.left_out),
        confidence=f"{100 * confidence:g} %",
        where=inline(where, "where", "Average precision of all models by overlap"),
        when=inline(when, "when", "What all models would have said by a time"),
        downloads=[
            pack("localisation.tsv", to_tsv(result.localisation).encode(), "average precision"),
            pack("early.tsv", to_tsv(result.early).encode(), "every curve over time"),
        ],
    )
