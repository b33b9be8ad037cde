"""Figures of the study's page beside ROC and calibration: worth, frequency of FMs, quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fidgety.evaluation.description import DESCRIBED, included, numbers
from fidgety.evaluation.model_comparison import EVERYBODY
from fidgety.evaluation.plots import COLOURS, GREY, boxes, draw_words, figure, to_svg
from fidgety.evaluation.records import LOST

_NO_TITLES: Mapping[str, str] = MappingProxyType({})
#: Panels of the overview of quality: measure, what stands at its axis, factor.
QUALITY_PANELS = (
    ("missing", "missing values, %", 100.0),
    ("imputed", "imputed values, %", 100.0),
    ("confidence", "median confidence of the pose", 1.0),
    ("fps", "frames a second", 1.0),
)


def draw_benefit(table: pd.DataFrame, titles: Mapping[str, str] = _NO_TITLES) -> str:
    """Draw the decision curves, one panel a set.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.model_comparison.benefit_table`.
    titles
        Set to its title; its name by itself.
    """
    sets = list(dict.fromkeys(table["set"]))
    if not sets:
        return draw_words("No set has infants of both groups with a result.")
    with figure(4.6 * len(sets), 4.2, columns=len(sets)) as drawing:
        for axes, role in zip(drawing.axes, sets, strict=True):
            own = table[table["set"] == role]
            models = list(dict.fromkeys(own["model"]))
            for k, model in enumerate(m for m in models if m != EVERYBODY):
                one = own[own["model"] == model]
                # The colours of the other curves of the same models.
                colour = COLOURS[k % len(COLOURS)]
                axes.fill_between(
                    one["threshold"], one["low"], one["high"], color=colour, alpha=0.12, lw=0
                )
                axes.plot(
                    one["threshold"],
                    one["net_benefit"],
                    color=colour,
                    linestyle=("-", "--", "-.")[k % 3],
                    label=f"{model}, n = {one['n'].iloc[0]}",
                )
            one = own[own["model"] == EVERYBODY]
            axes.plot(
                one["threshold"],
                one["net_benefit"],
                color="#666666",
                linestyle=":",
                label="act on everybody",
            )
            axes.axhline(0.0, color="#000000", linewidth=0.8, label="act on nobody")
            axes.set_title(titles.get(role, role), loc="left", fontsize=9)
            axes.set_xlabel("probability of risk from which one acts")
            axes.set_ylabel("Net benefit (true positives per infant screened)")
            axes.set_ylim(-0.05, max(0.05, float(own["net_benefit"].max()) * 1.1))
            # Below the curves, which it would hide.
            axes.legend(
                fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2
            )
        return to_svg(drawing)


def draw_frequencies(frequencies: pd.DataFrame, labels: Sequence[str]) -> str:
    """Draw how often models see fidgety movements: a row a model, a panel a set, a box a label.

    Parameters
    ----------
    frequencies
        Of :func:`fidgety.evaluation.description.infant_frequencies`.
    labels
        In the order of the boxes.
    """
    sets = list(dict.fromkeys(frequencies["set"]))
    models = list(dict.fromkeys(frequencies["model"]))
    if not models:
        return draw_words("No model finds fidgety movements, or none has a result.")
    with figure(3.4 * len(sets), 3.2 * len(models), len(models), len(sets)) as drawing:
        places = iter(drawing.axes)
        for model in models:
            for role in sets:
                axes = next(places)
                own = frequencies[(frequencies["set"] == role) & (frequencies["model"] == model)]
                axes.set_title(f"{model}, {role}", loc="left", fontsize=9)
                groups = [
                    (one, own.loc[own["label"] == one, "frequency"].to_numpy(dtype=np.float64))
                    for one in labels
                    if (own["label"] == one).any()
                ]
                if not groups:
                    axes.axis("off")
                    axes.text(0.5, 0.5, "no infant with a result", ha="center")
                    continue
                boxes(axes, groups)
                axes.set_ylim(-0.03, 1.03)
                axes.set_ylabel("share of instances with FMs")
        return to_svg(drawing)


def draw_quality(cohort: pd.DataFrame, reasons: pd.DataFrame) -> str:
    """Draw why recordings could not be assessed, and how good the included ones are.

    Parameters
    ----------
    cohort
        Of :func:`fidgety.evaluation.records.read_cohorts`.
    reasons
        Of :func:`fidgety.evaluation.description.reason_table`.
    """
    own = included(cohort)
    sets = [role for role in DESCRIBED if (own["role"] == role).any()]
    if not sets:
        return draw_words("No recording was included.")
    panels = [p for p in QUALITY_PANELS if np.isfinite(numbers(own, p[0])).any()]
    wide = max(2.4, 0.9 * len(sets))
    with figure(4.4 + wide * len(panels), 3.2) as drawing:
        drawing.clear()
        grid = drawing.subplots(
            1, 1 + len(panels), squeeze=False, width_ratios=[4.4, *[wide] * len(panels)]
        )[0]
        _draw_reasons(grid[0], reasons, sets)
        for axes, (name, what, factor) in zip(grid[1:], panels, strict=True):
            values = factor * numbers(own, name)
            boxes(axes, [(role, values[(own["role"] == role).to_numpy()]) for role in sets])
            axes.set_ylim(bottom=min(0.0, float(np.nanmin(values))))
            axes.set_title(what, loc="left", fontsize=9)
            axes.tick_params(axis="x", labelsize=7)
        return to_svg(drawing)


def _draw_reasons(axes: Axes, reasons: pd.DataFrame, sets: Sequence[str]) -> None:
    """Draw the recordings that could not be assessed, a bar a reason, parted by set."""
    shown = reasons[reasons["reason"] != LOST]
    codes = sorted(set(shown["reason"]))
    axes.set_title("recordings not assessable", loc="left", fontsize=9)
    if not codes:
        axes.axis("off")
        axes.text(0.5, 0.5, "none", ha="center")
        return
    start = np.zeros(len(codes))
    for k, role in enumerate(sets):
        own = shown[shown["set"] == role].set_index("reason")["recordings"]
        width = np.array([float(own.get(code, 0)) for code in codes])
        everybody = int(reasons.loc[reasons["set"] == role, "all_recordings"].iloc[0])
        axes.barh(
            codes,
            width,
            left=start,
            height=0.6,
            color=COLOURS[k % len(COLOURS)],
            edgecolor=GREY,
            hatch=("", "//", "..")[k % 3],
            label=f"{role} (of {everybody})",
        )
        start += width
    # From above; few reasons make no thicker bars.
    axes.set_ylim(max(len(codes), 4) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(0, 1.05 * float(start.max()))
    axes.legend(fontsize=7, frameon=True, loc="lower right")
