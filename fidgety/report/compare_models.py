"""The comparison of models for people: a table in text, and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from fidgety.evaluation.cost import budget_words, speed_words
from fidgety.evaluation.model_comparison import ENSEMBLES
from fidgety.evaluation.ranks import Ranks, rank_table
from fidgety.evaluation.recalibration import METHODS, RAW
from fidgety.evaluation.study_plots import draw_benefit
from fidgety.report.compare_figures import (
    METHOD_TEXTS,
    draw_ranks,
    draw_reliability,
)
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.index import METRIC_TEXTS
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import NOTHING, count, grid, p_text

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
CALIBRATION = ("brier", "brier_change", "calibration_slope", "calibration_intercept")
CALIBRATION_TEXTS = METRIC_TEXTS | {"brier_change": "Change of the Brier score"}
COST = {
    "settings": "Settings tried",
    "parameters": "Numbers kept",
    "training_s": "Training a fold",
    "predicting_s_per_minute": "Judging a minute",
}
#: Tables that the page carries: attribute of the result, and what is in it.
DOWNLOADS = {
    "figures": "every figure",
    "pairs": "every pair",
    "ranks_table": "mean ranks",
    "screening": "predictive values and likelihood ratios",
    "zones": "zones of doubt",
    "calibration": "calibration before and after",
    "reliability": "predicted and observed shares",
    "benefit": "decision curves",
    "weights": "what the stacked ensemble learned",
    "cost": "parameters and times",
}


@dataclass(frozen=True)
class ModelComparison:
    """All tables of a comparison (:mod:`fidgety.evaluation.model_comparison`).

    Parameters
    ----------
    figures, pairs, screening, zones, benefit, calibration, reliability, weights, cost, speed
        Tables.
    ranks
        Set to the mean ranks of its models, where there are three or more.
    settings
        Model to how many combinations of options were tried in every fold.
    left_out
        Sentences about models and infants that are not compared.
    not_recalibrated, no_zone, no_ensemble
        Sentences about what could not be computed.
    bundled
        Whether the models came from a bundle, which is why there are no infants to learn from.
    """

    figures: pd.DataFrame
    pairs: pd.DataFrame
    screening: pd.DataFrame
    zones: pd.DataFrame
    benefit: pd.DataFrame
    calibration: pd.DataFrame
    reliability: pd.DataFrame
    weights: pd.DataFrame
    cost: pd.DataFrame
    speed: pd.DataFrame
    ranks: Mapping[str, Ranks] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    not_recalibrated: Sequence[str] = ()
    no_zone: Sequence[str] = ()
    no_ensemble: Sequence[str] = ()
    bundled: bool = False

    @property
    def ranks_table(self) -> pd.DataFrame:
        """Mean ranks as a table."""
        return rank_table(self.ranks)


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


def _sets(result: ModelComparison) -> list[str]:
    return list(dict.fromkeys(result.figures["set"]))


def _cells(table: pd.DataFrame, model: str, measures: Sequence[str]) -> list[str]:
    own = table[table["model"] == model]
    column = "metric" if "metric" in own else "measure"
    by_name = {row[column]: row for row in _rows(own)}
    return [with_interval(by_name[m]) if m in by_name else NOTHING for m in measures]


def _n(table: pd.DataFrame) -> int:
    return int(table.loc[table["metric"] == "auc", "n"].max()) if len(table) else 0


def _shown(table: pd.DataFrame, models: Sequence[str]) -> list[str]:
    """Return the models and ensembles of a set's table, in the order of their rows."""
    return [m for m in (*models, *ENSEMBLES) if m in set(table["model"])]


def seconds_text(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if not np.isfinite(seconds):
        return NOTHING
    if seconds >= 7200:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 120 else f"{seconds:.3g} s"


def cost_text(row: Mapping[str, Any]) -> str:
    """Write what a model costs: the median, the range, and of how many."""
    timed = row["measure"] not in ("settings", "parameters")
    write = seconds_text if timed else (lambda value: f"{value:,.0f}")
    if not row["n"]:
        return NOTHING
    if not timed and row["low"] == row["high"]:
        return write(row["value"])
    return f"{write(row['value'])} ({write(row['low'])} to {write(row['high'])}, n = {row['n']})"


def _cost_rows(result: ModelComparison, models: Sequence[str]) -> list[dict[str, Any]]:
    by_place = {(row["model"], row["measure"]): row for row in _rows(result.cost)}
    return [
        {
            "model": m,
            "cells": [cost_text(by_place[m, c]) if (m, c) in by_place else NOTHING for c in COST],
        }
        for m in models
    ]


def _calibration_rows(table: pd.DataFrame, models: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for model in models:
        for method in METHODS:
            own = table[(table["model"] == model) & (table["method"] == method)]
            if own.empty:
                continue
            first = own.iloc[0]
            note = "" if method == RAW else str(first["fitted_on"])
            if first["flat"]:
                note += f" ({count(int(first['flat']), 'fold')} level)"
            rows.append(
                {
                    "model": model,
                    "method": METHOD_TEXTS[method],
                    "cells": _cells(own, model, CALIBRATION),
                    "fitted_on": note or NOTHING,
                }
            )
    return rows


def rank_words(one: Ranks) -> str:
    """Say what the mean ranks show."""
    if not np.isfinite(one.p):
        return f"All models rank all infants alike (n = {one.n})."
    found = f"Friedman's test that all are alike: p {_with_sign(one.p)} (n = {one.n})."
    if one.p > 1 - one.confidence:
        return f"{found} So no pair is looked at: the models are not told apart."
    apart = (
        "Not told apart: " + "; ".join(", ".join(group) for group in one.groups) + "."
        if one.groups
        else "Every model differs from every other."
    )
    return (
        f"{found} Models differ whose mean ranks lie more than {one.critical_difference:.2f} apart "
        f"(Nemenyi). {apart}"
    )


def _with_sign(p: float) -> str:
    return p_text(p) if p < 0.001 else f"= {p_text(p)}"


def _weight_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lay out one row a fold: how many infants, and a weight a model."""
    terms = list(dict.fromkeys(table["term"]))
    rows = []
    for fold in dict.fromkeys(table["fold"]):
        own = table[table["fold"] == fold].set_index("term")
        rows.append(
            {
                "fold": "all" if fold == 0 else str(fold),
                "n": int(own["n"].iloc[0]),
                "cells": [
                    f"{float(own['weight'][term]):.2f}" if term in own.index else NOTHING
                    for term in terms
                ],
            }
        )
    return rows


def _pair_cells(pair: Mapping[str, Any]) -> dict[str, str]:
    return {
        "first": pair["first"],
        "second": pair["second"],
        "measure": MEASURES[pair["measure"]],
        "difference": with_interval(pair, "difference"),
        "p": p_text(pair["p"]),
        "p_holm": p_text(pair["p_holm"]),
    }


def text_table(result: ModelComparison, models: Sequence[str]) -> str:
    """Write the comparison as plain text."""
    lines: list[str] = []
    for role in _sets(result):
        own = result.figures[result.figures["set"] == role]
        lines += [f"{ROLE_TEXTS[role]}, n = {_n(own)}", ""]
        rows = [[m, *_cells(own, m, TABLE)] for m in _shown(own, models)]
        lines += [*grid(["model", *(METRIC_TEXTS[m] for m in TABLE)], rows), ""]
        pairs = [_pair_cells(p) for p in _rows(result.pairs[result.pairs["set"] == role])]
        if pairs:
            rows = [
                [
                    f"{p['first']} - {p['second']}, {p['measure']}",
                    *(p["difference"], p["p"], p["p_holm"]),
                ]
                for p in pairs
            ]
            lines += [*grid(["pair", "difference", "p", "p (Holm)"], rows), ""]
        if role in result.ranks:
            lines += [rank_words(result.ranks[role]), ""]
        after = _calibration_rows(result.calibration[result.calibration["set"] == role], models)
        if any(row["method"] != METHOD_TEXTS[RAW] for row in after):
            rows = [[f"{r['model']}, {r['method']}", *r["cells"], r["fitted_on"]] for r in after]
            header = [CALIBRATION_TEXTS[m] for m in CALIBRATION]
            lines += [*grid(["calibration", *header, "fitted on"], rows), ""]
    costs = [[row["model"], *row["cells"]] for row in _cost_rows(result, models)]
    lines += [*grid(["cost", *COST.values()], costs), ""]
    lines.append(budget_words(result.settings))
    lines += [f"{line}." for line in _not_computed(result)]
    lines += [f"Not compared, {line}." for line in result.left_out]
    return "\n".join(lines) + "\n"


#: Why the comparison of a bundle's models is shorter.
BUNDLED = (
    "The models came from a bundle, which holds nobody's scores: recalibration, zones of doubt and "
    "stacking, which are learned on infants kept aside in training, are left out"
)


def _not_computed(result: ModelComparison) -> list[str]:
    if result.bundled:
        return [BUNDLED]
    return [*result.not_recalibrated, *result.no_zone, *result.no_ensemble]


def _table_row(table: pd.DataFrame, model: str, pooled: bool) -> dict[str, Any]:
    """Lay out a model's figures; of pooled fold models, the mean area within folds as well."""
    cells = _cells(table, model, TABLE)
    own = table[(table["model"] == model) & (table["metric"] == "auc")]
    within = float(own["fold_mean"].iloc[0]) if len(own) else np.nan
    if pooled and np.isfinite(within):
        cells[TABLE.index("auc")] += f", within folds {_number(within)}"
    return {"model": model, "cells": cells}


def _set_view(result: ModelComparison, models: Sequence[str], role: str) -> dict[str, Any]:
    """Gather what the page shows of one set."""

    def of(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["set"] == role]

    own, screening, zones = of(result.figures), of(result.screening), of(result.zones)
    reliability, weights = of(result.reliability), of(result.weights)
    places = {row["model"]: row for row in _rows(zones.drop_duplicates("model"))}
    here = _shown(own, models)
    ranks = result.ranks.get(role)
    return {
        "text": ROLE_TEXTS[role],
        "pooled": role == "development",
        "n": _n(own),
        "rows": [_table_row(own, m, role == "development") for m in here],
        "ensembles": any(m in ENSEMBLES for m in here),
        "pairs": [_pair_cells(p) for p in _rows(of(result.pairs))],
        "ranks": rank_words(ranks) if ranks else "",
        "ranks_figure": inline(draw_ranks({role: ranks}), f"ranks-{role}", "Mean ranks")
        if ranks
        else "",
        "prevalence": ""
        if screening.empty
        else f"{100 * float(screening['prevalence'].iloc[0]):.3g} %",
        "screening": [{"model": m, "cells": _cells(screening, m, list(SCREENING))} for m in here],
        "zones": [
            {
                "model": m,
                "zone": f"{_number(places[m]['zone_low'])} to {_number(places[m]['zone_high'])}",
                "chosen_on": int(places[m]["chosen_on"]),
                "cells": _cells(zones, m, list(ZONE)),
            }
            for m in here
            if m in places
        ],
        "calibration": _calibration_rows(of(result.calibration), models),
        "reliability_figure": inline(
            draw_reliability(reliability), f"reliability-{role}", "Predicted and observed shares"
        ),
        "terms": list(dict.fromkeys(weights["term"])),
        "weights": _weight_rows(weights),
    }


def page(
    result: ModelComparison,
    models: Sequence[str],
    confidence: float,
    *,
    phantoms: bool,
    bundle: Mapping[str, Any] | None = None,
) -> str:
    """Write the page."""
    return render(
        "compare_models.html",
        phantoms=phantoms,
        bundle=bundle,
        sets=[_set_view(result, models, role) for role in _sets(result)],
        columns=[METRIC_TEXTS[m] for m in TABLE],
        screening_columns=list(SCREENING.values()),
        zone_columns=list(ZONE.values()),
        calibration_columns=[CALIBRATION_TEXTS[m] for m in CALIBRATION],
        cost_columns=list(COST.values()),
        cost=_cost_rows(result, models),
        timed=speed_words(result.speed),
        budget=budget_words(result.settings),
        left_out=list(result.left_out),
        not_computed=_not_computed(result),
        confidence=f"{100 * confidence:g} %",
        figure=inline(
            draw_benefit(result.benefit, ROLE_TEXTS), "benefit", "Decision curves of all models"
        ),
        downloads=[
            pack(f"{name.removesuffix('_table')}.tsv", to_tsv(getattr(result, name)).encode(), what)
            for name, what in DOWNLOADS.items()
        ],
    )
