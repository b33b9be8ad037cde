"""The comparison of models for people: a table in text, the decision curves, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fidgety.evaluation.model_comparison import EVERYBODY
from fidgety.evaluation.plots import COLOURS, draw_words, figure, to_svg
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.index import METRIC_TEXTS
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import grid

#: Columns of the table, as in Table 2 of Gao 2023 and beyond.
TABLE = (
    "auc",
    "accuracy",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "brier",
    "calibration_slope",
)
MEASURES = {"auc": "AUC (DeLong)", "accuracy": "accuracy (McNemar)"}
SCREENING = {
    "ppv": "PPV",
    "npv": "NPV",
    "lr_positive": "Positive likelihood ratio",
    "lr_negative": "Negative likelihood ratio",
}
ZONE = {
    "uncertain": "In the zone",
    "missed": "At risk, called not at risk",
    "false_alarms": "Not at risk, called at risk",
}
NOTHING = "–"


@dataclass(frozen=True)
class ModelComparison:
    """All tables of a comparison (:mod:`fidgety.evaluation.model_comparison`).

    Parameters
    ----------
    figures, pairs, screening, zones, benefit
        Tables.
    parameters
        Model to how many numbers it keeps, in its largest fold.
    left_out
        Sentences about models and infants that are not compared.
    """

    figures: pd.DataFrame
    pairs: pd.DataFrame
    screening: pd.DataFrame
    zones: pd.DataFrame
    benefit: pd.DataFrame
    parameters: Mapping[str, int] = field(default_factory=dict)
    left_out: Sequence[str] = ()


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _number(value: float, digits: int = 2) -> str:
    if np.isposinf(value):
        return "∞"
    return f"{value:.{digits}f}" if np.isfinite(value) else NOTHING


def with_interval(row: Mapping[str, Any], name: str = "value") -> str:
    """Write a figure and its interval; a dash where it is undefined."""
    if not np.isfinite(row[name]) and not np.isposinf(row[name]):
        return NOTHING
    interval = ""
    if np.isfinite(row["low"]) and np.isfinite(row["high"]):
        interval = f" ({_number(row['low'])} to {_number(row['high'])})"
    return f"{_number(row[name])}{interval}"


def p_text(p: float) -> str:
    """Write a p value."""
    if not np.isfinite(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _sets(result: ModelComparison) -> list[str]:
    return list(dict.fromkeys(result.figures["set"]))


def _cells(table: pd.DataFrame, model: str, measures: Sequence[str]) -> list[str]:
    own = table[table["model"] == model]
    column = "metric" if "metric" in own else "measure"
    by_name = {row[column]: row for row in _rows(own)}
    return [with_interval(by_name[m]) if m in by_name else NOTHING for m in measures]


def _n(table: pd.DataFrame) -> int:
    return int(table.loc[table["metric"] == "auc", "n"].max()) if len(table) else 0


def text_table(result: ModelComparison, models: Sequence[str]) -> str:
    """Write the comparison as plain text."""
    lines: list[str] = []
    for role in _sets(result):
        own = result.figures[result.figures["set"] == role]
        lines += [f"{ROLE_TEXTS[role]}, n = {_n(own)}", ""]
        here = [m for m in models if m in set(own["model"])]
        rows = [[m, *_cells(own, m, TABLE)] for m in here]
        lines += [*grid(["model", *(METRIC_TEXTS[m] for m in TABLE)], rows), ""]
        pairs = result.pairs[result.pairs["set"] == role]
        if len(pairs):
            rows = [
                [
                    f"{p['first']} - {p['second']}, {MEASURES[p['measure']]}",
                    with_interval(p, "difference"),
                    p_text(p["p"]),
                    p_text(p["p_holm"]),
                ]
                for p in _rows(pairs)
            ]
            lines += [*grid(["pair", "difference", "p", "p (Holm)"], rows), ""]
    lines += [f"Not compared, {line}." for line in result.left_out]
    return "\n".join(lines) + "\n"


def draw_benefit(table: pd.DataFrame) -> str:
    """Draw the decision curves, one panel a set."""
    sets = list(dict.fromkeys(table["set"]))
    if not sets:
        return draw_words("No set has infants of both groups with a result.")
    with figure(4.6 * len(sets), 4.2, columns=len(sets)) as drawing:
        for axes, role in zip(drawing.axes, sets, strict=True):
            own = table[table["set"] == role]
            for k, model in enumerate(dict.fromkeys(own["model"])):
                one = own[own["model"] == model]
                everybody = model == EVERYBODY
                axes.plot(
                    one["threshold"],
                    one["net_benefit"],
                    color="#666666" if everybody else COLOURS[k % len(COLOURS)],
                    linestyle=":" if everybody else ("-", "--", "-.")[k % 3],
                    label="act on everybody" if everybody else f"{model}, n = {one['n'].iloc[0]}",
                )
            axes.axhline(0.0, color="#000000", linewidth=0.8)
            axes.set_title(ROLE_TEXTS[role], loc="left", fontsize=9)
            axes.set_xlabel("probability of risk from which one acts")
            axes.set_ylabel("net benefit (found infants a screened one)")
            axes.set_ylim(-0.05, max(0.05, float(own["net_benefit"].max()) * 1.1))
            axes.legend(fontsize=8, frameon=True)
        return to_svg(drawing)


def page(
    result: ModelComparison, models: Sequence[str], confidence: float, *, phantoms: bool
) -> str:
    """Write the page."""
    sets = []
    for role in _sets(result):
        own = result.figures[result.figures["set"] == role]
        here = [m for m in models if m in set(own["model"])]
        screening = result.screening[result.screening["set"] == role]
        zones = result.zones[result.zones["set"] == role]
        places = {row["model"]: row for row in _rows(zones.drop_duplicates("model"))}
        sets.append(
            {
                "text": ROLE_TEXTS[role],
                "pooled": role == "development",
                "n": _n(own),
                "rows": [
                    {
                        "model": m,
                        "cells": _cells(own, m, TABLE),
                        "parameters": f"{result.parameters.get(m, 0):,}",
                    }
                    for m in here
                ],
                "pairs": [
                    {
                        "first": p["first"],
                        "second": p["second"],
                        "measure": MEASURES[p["measure"]],
                        "difference": with_interval(p, "difference"),
                        "p": p_text(p["p"]),
                        "p_holm": p_text(p["p_holm"]),
                    }
                    for p in _rows(result.pairs[result.pairs["set"] == role])
                ],
                "prevalence": ""
                if screening.empty
                else f"{100 * float(screening['prevalence'].iloc[0]):.3g} %",
                "screening": [
                    {"model": m, "cells": _cells(screening, m, list(SCREENING))} for m in here
                ],
                "zones": [
                    {
                        "model": m,
                        "zone": f"{_number(places[m]['zone_low'])} to "
                        f"{_number(places[m]['zone_high'])}",
                        "chosen_on": int(places[m]["chosen_on"]),
                        "cells": _cells(zones, m, list(ZONE)),
                    }
                    for m in here
                    if m in places
                ],
            }
        )
    return render(
        "compare_models.html",
        phantoms=phantoms,
        sets=sets,
        columns=[METRIC_TEXTS[m] for m in TABLE],
        screening_columns=list(SCREENING.values()),
        zone_columns=list(ZONE.values()),
        left_out=list(result.left_out),
        confidence=f"{100 * confidence:g} %",
        figure=inline(draw_benefit(result.benefit), "benefit", "Decision curves of all models"),
        downloads=[
            pack(f"{name}.tsv", to_tsv(getattr(result, name)).encode(), what)
            for name, what in (
                ("figures", "every figure"),
                ("pairs", "every pair"),
                ("screening", "predictive values and likelihood ratios"),
                ("zones", "zones of doubt"),
                ("benefit", "decision curves"),
            )
        ],
    )
