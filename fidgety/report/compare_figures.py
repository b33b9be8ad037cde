"""Figures of the comparison of models."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from fidgety.evaluation.plots import COLOURS, draw_bins, draw_words, figure, square, to_svg
from fidgety.evaluation.ranks import Ranks
from fidgety.evaluation.recalibration import METHODS
from fidgety.report.flow import ROLE_TEXTS

METHOD_TEXTS = {"raw": "raw scores", "platt": "Platt", "isotonic": "isotonic"}


def draw_reliability(table: pd.DataFrame) -> str:
    """Draw predicted against observed shares: a row a set, before and after recalibration.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.recalibration.reliability_table`.
    """
    sets = list(dict.fromkeys(table["set"]))
    if not sets:
        return draw_words("No set has labelled infants with a result.")
    models = list(dict.fromkeys(table["model"]))
    methods = [m for m in METHODS if m in set(table["method"])]
    size = 4.2 * len(methods), 4.6 * len(sets)
    with figure(*size, rows=len(sets), columns=len(methods)) as drawing:
        places = iter(drawing.axes)
        for role in sets:
            for method in methods:
                axes = next(places)
                square(axes, f"{ROLE_TEXTS[role]}: {METHOD_TEXTS[method]}")
                own = table[(table["set"] == role) & (table["method"] == method)]
                if own.empty:
                    axes.text(0.5, 0.5, "too few validation infants", ha="center")
                    continue
                draw_bins(axes, own, models)
        return to_svg(drawing)


def draw_ranks(found: Mapping[str, Ranks]) -> str:
    """Draw the critical-difference picture (Demsar 2006, Figure 1), a row a set."""
    if not found:
        return draw_words("Mean ranks need three models or more, and infants of both groups.")
    heights = [1.0 + 0.3 * len(one.mean) for one in found.values()]
    with figure(7.5, sum(heights), rows=len(found)) as drawing:
        for axes, (role, one) in zip(drawing.axes, found.items(), strict=True):
            axes.set_title(f"{ROLE_TEXTS[role]}, n = {one.n}", loc="left", fontsize=9)
            _draw_critical(axes, one)
        return to_svg(drawing)


def _draw_critical(axes: Axes, one: Ranks) -> None:
    """Draw ranks on a line, names beside it, and a bar over those who do not differ."""
    count = len(one.mean)
    right = max(float(count), 1 + one.critical_difference)
    margin = 0.55 * (right - 1)
    axes.axis("off")
    thin = {"color": "#000000", "linewidth": 0.9}
    axes.plot([1, count], [0, 0], **thin)  # type: ignore[arg-type]
    for tick in range(1, count + 1):
        axes.plot([tick, tick], [0, 0.15], **thin)  # type: ignore[arg-type]
        axes.text(tick, 0.2, str(tick), ha="center", va="bottom", fontsize=8)
    ruler = [1, 1, 1, 1 + one.critical_difference, 1 + one.critical_difference]
    axes.plot([*ruler, ruler[-1]], [0.85, 1.05, 0.95, 0.95, 0.85, 1.05], **thin)  # type: ignore[arg-type]
    middle = 1 + one.critical_difference / 2
    words = f"critical difference {one.critical_difference:.2f}"
    axes.text(middle, 1.08, words, ha="center", va="bottom", fontsize=8)
    for k, group in enumerate(one.groups):
        ends = [one.mean[group[0]] - 0.03, one.mean[group[-1]] + 0.03]
        axes.plot(ends, [-0.2 - 0.22 * k] * 2, color=COLOURS[0], linewidth=3.5)
    below = 0.35 + 0.22 * len(one.groups)
    better = (count + 1) // 2
    for k, (model, rank) in enumerate(one.mean.items()):
        left = k < better
        y = -below - 0.45 * (k if left else count - 1 - k)
        end = 1 - 0.05 * margin if left else right + 0.05 * margin
        axes.plot([rank, rank, end], [0, y, y], **thin)  # type: ignore[arg-type]
        axes.text(
            end,
            y,
            f"{model}  {rank:.2f} " if left else f" {rank:.2f}  {model}",
            ha="right" if left else "left",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(1 - margin, right + margin)
    axes.set_ylim(-below - 0.45 * better, 1.5)
