"""The figures of the study of Gao 2023: 3a to 3e, 4a, and contributions to the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from fidgety.evaluation.fms import Contrast
from fidgety.evaluation.metrics import roc
from fidgety.evaluation.plots import COLOURS, GREY, boxes, draw_words, figure, to_svg
from fidgety.report.timeline import cell_edges
from fidgety.report.wording import count, interval, number

WITH, WITHOUT, UNRATED = "#cc79a7", "#0072b2", "#d9d9d9"
PLAYER_TEXTS = {
    "video": "video (main branch)",
    "sex": "sex",
    "gestational_age_weeks": "gestational age",
    "birth_weight_g": "birth weight",
    "corrected_age_weeks": "corrected age",
}
#: Points of the false positive rate at which the ROC curve's band is computed.
_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Example:
    """A recording whose instances are drawn, the experts' calls above the model's.

    Parameters
    ----------
    title
        Who it is.
    start_s, stop_s : ndarray of shape (instance,)
        Sorted by time.
    probability : ndarray of shape (instance,)
        Of fidgety movements.
    expert, judged : ndarray of shape (instance,)
        Whether the expert sees them, and whether the instance was judged at all.
    """

    title: str
    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    probability: NDArray[np.float64]
    expert: NDArray[np.bool_]
    judged: NDArray[np.bool_]


EXAMPLE_COLUMNS = ("example", "start_s", "stop_s", "probability", "expert", "judged")


def examples_table(examples: Sequence[Example]) -> pd.DataFrame:
    """Tabulate Figure 3a, a row an instance: :data:`EXAMPLE_COLUMNS`."""
    rows = [
        (one.title, *values)
        for one in examples
        for values in zip(
            one.start_s,
            one.stop_s,
            one.probability,
            one.expert.astype(int),
            one.judged.astype(int),
            strict=True,
        )
    ]
    return pd.DataFrame(rows, columns=list(EXAMPLE_COLUMNS))


def draw_examples(examples: Sequence[Example]) -> str:
    """Draw Figure 3a: every instance as a rectangle, the experts' row above the model's."""
    if not examples:
        return draw_words("No example: none asked for, or no infant with a result and intervals.")
    with figure(8.0, 0.5 + 1.15 * len(examples), rows=len(examples)) as drawing:
        longest = max(float(e.stop_s.max()) for e in examples)
        for axes, one in zip(drawing.axes, examples, strict=True):
            _draw_example(axes, one)
            axes.set_xlim(0, longest)
        drawing.axes[-1].set_xlabel("time (s)")
        drawing.legend(
            handles=[
                Patch(color=WITH, label="fidgety movements"),
                Patch(color=WITHOUT, label="none"),
                Patch(color=UNRATED, label="not judged"),
            ],
            loc="outside lower right",
            ncols=3,
            frameon=False,
            fontsize=8,
        )
        return to_svg(drawing)


def _draw_example(axes: Axes, one: Example) -> None:
    edges = cell_edges(one.start_s, one.stop_s)
    for k, (left, right) in enumerate(edges):
        seen = UNRATED if not one.judged[k] else (WITH if one.expert[k] else WITHOUT)
        own = WITH if one.probability[k] > 0.5 else WITHOUT
        for bottom, colour in ((1.1, seen), (0.0, own)):
            axes.add_patch(
                Rectangle((left, bottom), right - left, 0.9, facecolor=colour, edgecolor="white")
            )
    middle = edges.mean(axis=1)
    axes.plot(middle, 0.9 * one.probability, color="black", linewidth=0.9, marker=".", markersize=3)
    axes.set_ylim(0, 2.05)
    axes.set_yticks([0.45, 1.55], ["model", "experts"])
    axes.set_title(one.title, loc="left", fontsize=9)


def draw_kappa(table: pd.DataFrame, role: str, models: Sequence[str]) -> str:
    """Draw Figure 3b: the infants' kappas against the experts, a box a model.

    Parameters
    ----------
    table
        Of :func:`fidgety.evaluation.fms.kappa_row`.
    role
        Set that is drawn.
    models
        In the order of the boxes.
    """
    own = table[(table["set"] == role) & np.isfinite(table["kappa"].astype(float))]
    if own.empty:
        return draw_words("No infant has intervals of the rater to compare with.")
    groups = [(m, own.loc[own["model"] == m, "kappa"].to_numpy(dtype=float)) for m in models]
    with figure(max(4.5, 1.5 * len(groups)), 3.6) as drawing:
        axes = drawing.axes[0]
        boxes(axes, groups)
        axes.axhline(0, color=GREY, linewidth=0.7, linestyle=":")
        axes.set_ylabel("kappa with experts")
        axes.tick_params(axis="x", labelsize=8)
        return to_svg(drawing)


def draw_frequencies(contrasts: Sequence[Contrast], what: str) -> str:
    """Draw Figures 3c and 3e: frequencies of fidgety movements by group, one panel a set."""
    drawn = [c for c in contrasts if c.first_values.size or c.second_values.size]
    if not drawn:
        return draw_words(what)
    with figure(3.4 * len(drawn), 3.6, columns=len(drawn)) as drawing:
        for axes, one in zip(drawing.axes, drawn, strict=True):
            boxes(axes, [(one.first, one.first_values), (one.second, one.second_values)])
            axes.set_ylim(-0.03, 1.03)
            axes.set_ylabel("frequency of fidgety movements")
            if np.isfinite(one.threshold):
                axes.axhline(one.threshold, color=GREY, linewidth=0.8, linestyle="--")
            p = "" if np.isnan(one.p) else f", p = {one.p:.2g}"
            axes.set_title(f"{one.set}{p}", loc="left", fontsize=9)
        return to_svg(drawing)


def roc_band(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return false positive rates and the band of true ones, both groups' infants resampled."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.ones(first.size, dtype=bool), np.zeros(second.size, dtype=bool)])
    curves = np.empty((resamples, _GRID.size))
    for k in range(resamples):
        values = np.concatenate([rng.choice(first, first.size), rng.choice(second, second.size)])
        curve = roc(truth, values)
        curves[k] = np.interp(_GRID, curve.false_positive_rate, curve.true_positive_rate)
    tail = (1 - confidence) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    return _GRID, low, high


CURVE_COLUMNS = (
    "set", "first", "second", "part", "false_positive_rate", "true_positive_rate", "low", "high",
)  # fmt: skip


def _both(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Return the contrasts that have a curve: those with infants of both groups."""
    return [c for c in contrasts if c.first_values.size and c.second_values.size]


def frequency_roc_table(
    contrasts: Sequence[Contrast], *, resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Tabulate how well the frequency alone tells the groups apart (Figure 3d).

    Returns
    -------
    DataFrame
        Columns :data:`CURVE_COLUMNS`: points of the ``curve``, and ``low`` and ``high`` of the
        ``band``, which needs two infants of each group.
    """
    parts = [pd.DataFrame(columns=list(CURVE_COLUMNS))]
    for one in _both(contrasts):
        head = {"set": one.set, "first": one.first, "second": one.second}
        values = np.concatenate([one.first_values, one.second_values])
        curve = roc(np.arange(values.size) < one.first_values.size, values)
        drawn = {
            "part": "curve",
            "false_positive_rate": curve.false_positive_rate,
            "true_positive_rate": curve.true_positive_rate,
        }
        parts.append(pd.DataFrame({**head, **drawn}))
        if min(one.first_values.size, one.second_values.size) > 1:
            x, low, high = roc_band(
                one.first_values,
                one.second_values,
                resamples=min(resamples, 500),
                confidence=confidence,
                seed=seed,
            )
            band = {"part": "band", "false_positive_rate": x, "low": low, "high": high}
            parts.append(pd.DataFrame({**head, **band}))
    found = [part for part in parts if len(part)] or parts
    return pd.concat(found, ignore_index=True).reindex(columns=list(CURVE_COLUMNS))


def draw_frequency_roc(contrasts: Sequence[Contrast], table: pd.DataFrame) -> str:
    """Draw Figure 3d: how well the frequency alone tells the groups apart, with its band.

    Parameters
    ----------
    contrasts
        By set.
    table
        Of :func:`frequency_roc_table`.
    """
    drawn = _both(contrasts)
    if not drawn:
        return draw_words("No set has infants of both groups.")
    with figure(3.6 * len(drawn), 3.8, columns=len(drawn)) as drawing:
        for axes, one in zip(drawing.axes, drawn, strict=True):
            own = table[table["set"] == one.set]
            band, curve = (own[own["part"] == part] for part in ("band", "curve"))
            axes.fill_between(
                band["false_positive_rate"].to_numpy(dtype=float),
                band["low"].to_numpy(dtype=float),
                band["high"].to_numpy(dtype=float),
                color=COLOURS[4],
                alpha=0.35,
                linewidth=0,
            )
            axes.plot(curve["false_positive_rate"], curve["true_positive_rate"], color=COLOURS[0])
            axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
            axes.set_aspect("equal")
            axes.set_xlabel(f"{one.second} taken for {one.first}")
            axes.set_ylabel(f"{one.first} found")
            axes.set_title(
                f"{one.set}: AUC {number(one.auc.value)} "
                f"({interval(one.auc.low, one.auc.high)}), n = {one.auc.n}",
                loc="left",
                fontsize=9,
            )
        return to_svg(drawing)


def draw_weights(table: pd.DataFrame) -> str:
    """Draw Figure 4a: what an instance weighs in the pooling by its probability."""
    with figure(4.4, 3.4) as drawing:
        axes = drawing.axes[0]
        for k, (fold, own) in enumerate(table.groupby("fold")):
            axes.plot(
                own["probability"],
                own["weight"],
                color=COLOURS[k % len(COLOURS)],
                linewidth=1.2,
                label=f"fold {fold}",
            )
        axes.set_xlabel("probability of fidgety movements")
        axes.set_ylabel("weight before the softmax over a bag")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8)
        return to_svg(drawing)


def draw_contributions(table: pd.DataFrame) -> str:
    """Draw every infant's contributions, one row a player, coloured by the player's value."""
    if table.empty:
        return draw_words("No contributions: no characteristics are read, or there is no result.")
    players = [p for p in PLAYER_TEXTS if p in set(table["player"])]
    with figure(6.0, 0.7 + 0.55 * len(players)) as drawing:
        axes = drawing.axes[0]
        for row, player in enumerate(reversed(players)):
            own = table[table["player"] == player]
            x = own["contribution"].to_numpy(dtype=float)
            value = own["value"].to_numpy(dtype=float)
            there = np.isfinite(value)
            span = np.ptp(value[there]) if there.any() else 0.0
            shade = np.full(value.shape, 0.5)
            if span > 0:
                shade[there] = (value[there] - value[there].min()) / span
            # Equal points must not lie on each other: a fixed sequence moves them up and down.
            aside = 0.32 * (2 * ((np.arange(x.size) * 0.618034) % 1) - 1)
            dots = axes.scatter(x, row + aside, c=shade, cmap="cividis", s=9, vmin=0, vmax=1)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_yticks(range(len(players)), [PLAYER_TEXTS[p] for p in reversed(players)])
        axes.set_xlabel("added to the probability of being at risk")
        bar = drawing.colorbar(dots, ax=axes, ticks=[0, 1])
        bar.ax.set_yticklabels(["lowest", "highest"])
        bar.set_label("own value")
        axes.set_title(
            f"{count(table['infant'].nunique(), 'infant')}, one dot each", loc="left", fontsize=9
        )
        return to_svg(drawing)
