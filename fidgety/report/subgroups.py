"""The page on subgroups, serial recordings and the clinical outcome, and its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fidgety.errors import Outcome, Reason, Status
from fidgety.evaluation.outcome import GMA_LABEL, LABEL, OLD_ENOUGH_MONTHS, PALSY, State
from fidgety.evaluation.plots import COLOURS, MARKERS, draw_words, figure, to_svg
from fidgety.evaluation.serial import FIDGETY_WEEKS
from fidgety.evaluation.subgroups import (
    ENOUGH,
    FEWEST,
    GROUPING_TEXTS,
    MEASURES,
    comparisons,
    too_few,
)
from fidgety.report.flow import ROLE_TEXTS
from fidgety.report.index import METRIC_TEXTS
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import NOTHING, interval, not_assessable, number, p_text

MEASURE_TEXTS = {**METRIC_TEXTS, "with_result": "With a result", "kappa": "Kappa"}
CHARACTERISTIC_TEXTS = {
    "corrected_age_weeks": "corrected age at the first recording (weeks)",
    "gestational_age_weeks": "gestational age (weeks)",
    "birth_weight_g": "birth weight (g)",
}
#: The same in the figure, before a group.
IN_FIGURE = {
    "all": "",
    "corrected_age": "age, ",
    "term": "",
    "sex": "sex, ",
    "site": "site, ",
    "device": "device, ",
    "setting": "",
}
#: Panels of the picture of serial recordings; the table has all infants.
MOST_PANELS = 24


@dataclass(frozen=True)
class Clinic:
    """All tables of the page.

    Parameters
    ----------
    subgroups
        Of :func:`fidgety.evaluation.subgroups.subgroup_table`.
    serial, changes
        Of :mod:`fidgety.evaluation.serial`.
    outcome, follow_up, lost
        Of :mod:`fidgety.evaluation.outcome`.
    left_out
        Sentences about models and infants that are not compared.
    not_grouped
        Sentences about groupings that the sheet does not allow.
    not_serial
        Sentences about infants whose recordings have no ages that tell them apart.
    """

    subgroups: pd.DataFrame
    serial: pd.DataFrame
    changes: pd.DataFrame
    outcome: pd.DataFrame
    follow_up: pd.DataFrame
    lost: pd.DataFrame
    left_out: Sequence[str] = ()
    not_grouped: Sequence[str] = ()
    not_serial: Sequence[str] = ()


def _dicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def cell(row: Mapping[str, Any], names: Sequence[str] = ("value", "low", "high")) -> str:
    """Write a figure with its interval; a dash where it is undefined or not to be read."""
    value, low, high = (float(row[n]) for n in names)
    if not np.isfinite(value) or str(row.get("warning", "")).startswith("do not read"):
        return NOTHING
    limits = interval(low, high)
    return number(value) if limits == NOTHING else f"{number(value)} ({limits})"


def _sets(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table["set"]))


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['group']} ({int(row['n_at_risk'])} and {int(row['n_not_at_risk'])})"


def draw_subgroups(table: pd.DataFrame) -> str:
    """Draw the areas under the curve by subgroup, one panel a set, one colour a model."""
    areas = table[table["measure"] == "auc"]
    sets = _sets(areas)
    if not sets:
        return draw_words("No set has infants with a label and a result.")
    models = list(dict.fromkeys(areas["model"]))
    most = max(
        areas[areas["set"] == s][["grouping", "group"]].drop_duplicates().shape[0] for s in sets
    )
    tall = 0.9 + most * max(0.24, 0.12 * len(models))
    with figure(6.4 * len(sets), tall, columns=len(sets)) as drawing:
        for axes, role in zip(drawing.axes, sets, strict=True):
            own = areas[areas["set"] == role]
            places = list(dict.fromkeys(zip(own["grouping"], own["group"], strict=True)))
            ticks = []
            for k, place in enumerate(places):
                rows = _dicts(own[(own["grouping"] == place[0]) & (own["group"] == place[1])])
                ticks.append(f"{IN_FIGURE[place[0]]}{_label(rows[0])}")
                for row in rows:
                    nth = models.index(row["model"])
                    y = k + 0.7 * ((nth + 0.5) / len(models) - 0.5)
                    _draw_area(axes, row, y, nth)
            axes.axvline(0.5, color="#767676", linewidth=0.8, linestyle=":")
            axes.set_yticks(range(len(places)), ticks, fontsize=8)
            axes.set_ylim(len(places) - 0.4, -0.6)
            axes.set_xlim(-0.02, 1.02)
            axes.set_xlabel("area under the ROC curve")
            axes.set_title(ROLE_TEXTS[role], loc="left", fontsize=9)
        for nth, model in enumerate(models):
            drawing.axes[0].plot(
                [], [], color=COLOURS[nth % len(COLOURS)], marker=MARKERS[nth % len(MARKERS)],
                label=model,
            )  # fmt: skip
        drawing.legend(loc="outside lower center", ncols=4, fontsize=8)
        return to_svg(drawing)


def _draw_area(axes: Any, row: Mapping[str, Any], y: float, nth: int) -> None:
    """Draw one area; infants too few leave a cross at the edge and no figure."""
    colour = COLOURS[nth % len(COLOURS)]
    value = float(row["value"])
    if not np.isfinite(value) or str(row["warning"]).startswith("do not read"):
        axes.plot([0.0], [y], color="#767676", marker="x", markersize=3, linestyle="")
        return
    axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=0.9)
    filled = colour if not row["warning"] else "#ffffff"
    axes.plot(
        [value], [y], color=colour, marker=MARKERS[nth % len(MARKERS)], markersize=4,
        markerfacecolor=filled, linestyle="",
    )  # fmt: skip


def draw_serial(table: pd.DataFrame) -> str:
    """Draw the probability of every recording by corrected age, one panel an infant."""
    infants = list(dict.fromkeys(table["infant"]))[:MOST_PANELS]
    if not infants:
        return draw_words("No infant was recorded at two corrected ages or more.")
    models = list(dict.fromkeys(table["model"]))
    age = table["corrected_age_weeks"].dropna()
    limits = (
        min(FIDGETY_WEEKS[0], float(age.min())) - 1,
        max(FIDGETY_WEEKS[1], float(age.max())) + 1,
    )
    columns = min(4, len(infants))
    rows = -(-len(infants) // columns)
    with figure(max(2.7 * columns, 4.5), 2.2 * rows + 0.8, rows, columns) as drawing:
        for axes in drawing.axes[len(infants) :]:
            axes.axis("off")
        for axes, infant in zip(drawing.axes, infants, strict=False):
            own = table[table["infant"] == infant]
            _draw_infant(axes, own, models)
            for edge in ((limits[0], FIDGETY_WEEKS[0]), (FIDGETY_WEEKS[1], limits[1])):
                axes.axvspan(*edge, color="#dddddd", linewidth=0)
            axes.set_xlim(*limits)
            axes.set_ylim(-0.08, 1.03)
            label = f", {own['label'].iloc[0]}" if own["label"].iloc[0] else ""
            axes.set_title(f"{infant}{label}", loc="left", fontsize=8)
            axes.tick_params(labelsize=7)
        for nth, model in enumerate(models):
            drawing.axes[0].plot(
                [], [], color=COLOURS[nth % len(COLOURS)], marker=MARKERS[nth % len(MARKERS)],
                label=model,
            )  # fmt: skip
        drawing.supxlabel("corrected age, weeks", fontsize=8)
        drawing.supylabel("probability of being at risk", fontsize=8)
        drawing.legend(loc="outside upper center", ncols=4, fontsize=8)
        return to_svg(drawing)


def _draw_infant(axes: Any, own: pd.DataFrame, models: Sequence[str]) -> None:
    for nth, model in enumerate(models):
        one = own[(own["model"] == model) & own["corrected_age_weeks"].notna()]
        said = one[one["probability"].notna()]
        colour = COLOURS[nth % len(COLOURS)]
        if len(said):
            axes.plot(
                said["corrected_age_weeks"], said["probability"], color=colour,
                marker=MARKERS[nth % len(MARKERS)], markersize=4, linewidth=0.9,
            )  # fmt: skip
            axes.axhline(said["threshold"].iloc[0], color=colour, linewidth=0.7, linestyle=":")
        silent = one[one["probability"].isna()]
        # Below the scale: there is a recording, but no figure.
        axes.plot(
            silent["corrected_age_weeks"], np.full(len(silent), -0.04), color="#000000",
            marker="x", markersize=4, linestyle="",
        )  # fmt: skip


def _subgroup_sets(table: pd.DataFrame, confidence: float) -> list[dict[str, Any]]:
    sets = []
    for role, own in table.groupby("set", sort=False):
        groupings = []
        for grouping, part in own.groupby("grouping", sort=False):
            rows = []
            for (group, model), figures in part.groupby(["group", "model"], sort=False):
                by_name = {row["measure"]: row for row in _dicts(figures)}
                first = next(iter(by_name.values()))
                sides = [int(first["n_at_risk"]), int(first["n_not_at_risk"])]
                rows.append(
                    {
                        "group": group,
                        "model": model,
                        "sides": sides,
                        "cells": [_cell(by_name[m]) for m in MEASURES],
                        "warning": too_few(sides),
                    }
                )
            groupings.append({"text": GROUPING_TEXTS[str(grouping)], "rows": rows})
        tested = comparisons(own)
        found = tested[tested["p_holm"] < 1 - confidence]
        sets.append(
            {
                "text": ROLE_TEXTS[str(role)],
                "groupings": groupings,
                "tests": [
                    {
                        "model": m,
                        "n": len(part),
                        "found": int((part["p_holm"] < 1 - confidence).sum()),
                    }
                    for m, part in tested.groupby("model", sort=False)
                ],
                "found": [_test(row) for row in _dicts(found)],
                "tested": [_test(row) for row in _dicts(tested)],
            }
        )
    return sets


def _cell(row: Mapping[str, Any]) -> str:
    """Write a figure; of a share of results also how many infants it is of."""
    text = cell(row)
    asked = row["measure"] == "with_result" and text != NOTHING
    return f"{text}, n = {int(row['n'])}" if asked else text


def _test(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "model": str(row["model"]),
        "group": f"{GROUPING_TEXTS[str(row['grouping'])]}: {row['group']}",
        "measure": MEASURE_TEXTS[str(row["measure"])],
        "difference": cell(
            {**row, "warning": ""}, ("difference", "difference_low", "difference_high")
        ),
        "n_rest": str(int(row["n_rest"])),
        "p": p_text(float(row["p"])),
        "p_holm": p_text(float(row["p_holm"])),
        "warning": str(row["warning"]),
    }


def _why(row: Mapping[str, Any]) -> str:
    """Say why a recording has no figure."""
    if row["status"] == Status.OK.value:
        return ""
    reason, detail = str(row["reason"]), str(row["reason_detail"])
    if not reason:
        return detail
    return not_assessable(Outcome(Status.NOT_ASSESSABLE, Reason(reason), detail))


def _serial_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {
            "infant": row["infant"],
            "set": ROLE_TEXTS[str(row["set"])],
            "label": row["label"] or NOTHING,
            "recording": row["recording"],
            "age": number(row["corrected_age_weeks"], 1),
            "outside": "outside" if row["in_window"] == "no" else "",
            "model": row["model"],
            "probability": cell({**row, "value": row["probability"], "warning": ""}),
            "threshold": number(row["threshold"]),
            "call": row["call"] or NOTHING,
            "infant_probability": number(row["infant_probability"]),
            "measured": number(100 * row["measured"], 0),
            "why": _why(row),
        }
        for row in _dicts(table)
    ]


def _outcome_sets(table: pd.DataFrame, target: str) -> list[dict[str, Any]]:
    sets = []
    for role, own in table[table["target"] == target].groupby("set", sort=False):
        measures = list(dict.fromkeys(own["measure"]))
        first = own.iloc[0]
        sides = [int(first["n_positive"]), int(first["n_negative"])]
        share = own["prevalence"].dropna()
        sets.append(
            {
                "text": ROLE_TEXTS[str(role)],
                "sides": sides,
                "warning": too_few(sides),
                "prevalence": f"{100 * float(share.iloc[0]):.3g} %" if len(share) else NOTHING,
                "columns": [MEASURE_TEXTS[m] for m in measures],
                "rows": [
                    {
                        "name": "the GMA label itself" if name == GMA_LABEL else name,
                        "cells": [cell(row) for row in _dicts(part)],
                    }
                    for name, part in own.groupby("predictor", sort=False)
                ],
            }
        )
    return sets


def _states(follow_up: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "text": ROLE_TEXTS[str(role)],
            "counts": [(state.value, int((own["state"] == state.value).sum())) for state in State],
        }
        for role, own in follow_up.groupby("set", sort=False)
    ]


def _uncounted(follow_up: pd.DataFrame) -> list[dict[str, str]]:
    """List the infants whose outcome does not count, those of whom nothing is known left out."""
    left = follow_up[
        ~follow_up["state"].isin([s.value for s in State if s.counts or s is State.NOT_YET])
    ]
    return [
        {
            "infant": row["infant"],
            "set": ROLE_TEXTS[str(row["set"])],
            "label": row["label"],
            "age": number(row["corrected_age_weeks"], 1),
            "state": row["state"],
            "months": number(row["follow_up_age_months"], 0),
        }
        for row in _dicts(left)
    ]


def _lost(table: pd.DataFrame) -> list[dict[str, str]]:
    def value(row: Mapping[str, Any], which: str) -> str:
        return f"{number(row[which])} (n = {int(row[f'n_{which}'])})"

    return [
        {
            "set": ROLE_TEXTS[str(row["set"])],
            "name": CHARACTERISTIC_TEXTS.get(row["characteristic"], row["characteristic"]),
            "followed": value(row, "followed"),
            "lost": value(row, "lost"),
            "difference": cell({**row, "warning": ""}, ("difference", "low", "high")),
            "p": p_text(row["p"]),
            "p_holm": p_text(row["p_holm"]),
        }
        for row in _dicts(table)
    ]


#: Table of :class:`Clinic` to the file that it is written to, and what it is.
FILES = {
    "subgroups": ("subgroups.tsv", "every figure by subgroup"),
    "serial": ("serial.tsv", "serial recordings"),
    "outcome": ("outcome.tsv", "agreement with the label, prediction of the outcome"),
    "follow_up": ("follow_up.tsv", "what is known of every infant's outcome"),
    "lost": ("lost.tsv", "infants lost to follow-up against those followed"),
}


def page(
    result: Clinic,
    confidence: float,
    *,
    phantoms: bool,
    bundle: Mapping[str, Any] | None = None,
) -> str:
    """Write the page."""
    recorded = bool((result.follow_up["state"] != State.NOT_YET.value).any())
    n_serial = result.serial["infant"].nunique()
    return render(
        "subgroups.html",
        phantoms=phantoms,
        bundle=bundle,
        confidence=f"{100 * confidence:g} %",
        error=f"{100 * (1 - confidence):g} %",
        left_out=list(result.left_out),
        not_grouped=list(result.not_grouped),
        not_serial=list(result.not_serial),
        fewest=FEWEST,
        enough=ENOUGH,
        columns=[MEASURE_TEXTS[m] for m in MEASURES],
        sets=_subgroup_sets(result.subgroups, confidence),
        subgroup_figure=inline(
            draw_subgroups(result.subgroups), "subgroups", "Areas under the ROC curve by subgroup"
        ),
        serial=_serial_rows(result.serial),
        n_serial=n_serial,
        n_drawn=min(n_serial, MOST_PANELS),
        window=f"{FIDGETY_WEEKS[0]:g} to {FIDGETY_WEEKS[1]:g}",
        changes=[
            {
                "set": ROLE_TEXTS[str(r["set"])],
                "model": r["model"],
                "share": cell(r),
                "n": int(r["n"]),
            }
            for r in _dicts(result.changes)
        ],
        serial_figure=inline(
            draw_serial(result.serial), "serial", "Probability by corrected age, infant by infant"
        ),
        agreement=_outcome_sets(result.outcome, LABEL),
        prediction=_outcome_sets(result.outcome, PALSY),
        recorded=recorded,
        old_enough=f"{OLD_ENOUGH_MONTHS:g}",
        states=_states(result.follow_up),
        uncounted=_uncounted(result.follow_up),
        lost=_lost(result.lost),
        downloads=[
            pack(name, to_tsv(getattr(result, table)).encode(), what)
            for table, (name, what) in FILES.items()
        ],
    )
