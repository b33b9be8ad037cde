"""Figures as SVG: equal data give equal bytes (no dates, fixed ids, text as text)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from fidgety.files import write_text
from fidgety.footnote import footnote_text

#: Okabe and Ito's colours: told apart with any colour vision.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
GREY = "#767676"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "fidgety",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": True,
    "text.parse_math": False,  # names are the user's: a dollar sign is a dollar sign
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@contextmanager
def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> Iterator[Figure]:
    """Give a figure in the house's style; sizes in inches."""
    with matplotlib.rc_context(_STYLE):
        drawing = Figure(figsize=(width, height), layout="constrained")
        drawing.subplots(rows, columns, squeeze=False)
        yield drawing


def to_svg(drawing: Figure) -> str:
    """Render a figure, with the footnote of the job; call inside :func:`figure`."""
    if note := footnote_text():
        drawing.supxlabel(note, x=0.01, ha="left", fontsize=7, color=GREY)
    _settle(drawing)
    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()


def _settle(drawing: Figure) -> None:
    """Fix the layout to a millionth of the figure.

    The solver's last digits depend on the order of objects in memory, and the ids of the SVG's
    clipping paths are hashes of all digits.
    """
    engine = drawing.get_layout_engine()
    if engine is None:
        return
    engine.execute(drawing)
    drawing.set_layout_engine("none")
    for axes in drawing.axes:
        box = axes.get_position(original=True)
        axes.set_position(Bbox(np.round(box.get_points(), 6)), which="original")


def write_svg(path: str | os.PathLike[str], svg: str) -> None:
    """Write a figure, whole or not at all."""
    write_text(path, svg)


def square(axes: Axes, title: str) -> None:
    """Make a panel of two shares, with the line on which they are equal."""
    axes.set_title(title, loc="left", fontweight="bold", fontsize=10)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")


def _panels(drawing: Figure, sets: list[str]) -> Iterator[tuple[Axes, str]]:
    for axes, name in zip(drawing.axes, sets, strict=True):
        square(axes, name)
        yield axes, name


def draw_words(what: str) -> str:
    """Draw a sentence in place of a figure."""
    with figure(4.2, 1.0) as drawing:
        axes = drawing.axes[0]
        axes.axis("off")
        axes.text(0.5, 0.5, what, ha="center", va="center")
        return to_svg(drawing)


def draw_roc(roc: pd.DataFrame, metrics: pd.DataFrame) -> str:
    """Draw the ROC curves, one panel a set.

    Parameters
    ----------
    roc
        Columns model, set, false_positive_rate, true_positive_rate.
    metrics
        Columns model, set, metric, value, low, high, n: for the legend.
    """
    sets = list(dict.fromkeys(roc["set"]))
    if not sets:
        return draw_words("No set has infants of both kinds with a result.")
    models = list(dict.fromkeys(roc["model"]))
    areas = metrics[metrics["metric"] == "auc"].set_index(["model", "set"])
    with figure(4.2 * len(sets), 4.6, columns=len(sets)) as drawing:
        for axes, name in _panels(drawing, sets):
            for k, model in enumerate(models):
                own = roc[(roc["set"] == name) & (roc["model"] == model)]
                if own.empty:
                    continue
                area = areas.loc[(model, name)]
                axes.plot(
                    own["false_positive_rate"],
                    own["true_positive_rate"],
                    color=COLOURS[k % len(COLOURS)],
                    linestyle=("-", "--", "-.")[k % 3],
                    label=f"{model}: {area['value']:.2f} ({area['low']:.2f} to "
                    f"{area['high']:.2f}), n = {int(area['n'])}",
                )
            axes.set_xlabel("1 - specificity")
            axes.set_ylabel("sensitivity")
            axes.legend(loc="lower right", fontsize=8, frameon=True)
        return to_svg(drawing)


def draw_calibration(table: pd.DataFrame) -> str:
    """Draw predicted against observed shares, one panel a set.

    Parameters
    ----------
    table
        Columns model, set, predicted, observed, low, high, n.
    """
    sets = list(dict.fromkeys(table["set"]))
    if not sets:
        return draw_words("No set has labelled infants with a result.")
    models = list(dict.fromkeys(table["model"]))
    with figure(4.2 * len(sets), 4.6, columns=len(sets)) as drawing:
        for axes, name in _panels(drawing, sets):
            draw_bins(axes, table[table["set"] == name], models)
        return to_svg(drawing)


def draw_bins(axes: Axes, table: pd.DataFrame, models: list[str]) -> None:
    """Draw the predicted against the observed shares of one set into a panel.

    Parameters
    ----------
    axes
        Of :func:`square`.
    table
        Columns model, predicted, observed, low, high, n.
    models
        In the order of their colours.
    """
    for k, model in enumerate(models):
        own = table[table["model"] == model]
        if own.empty:
            continue
        observed = own["observed"].to_numpy(dtype=np.float64)
        spread = np.abs(np.stack([own["low"], own["high"]]).astype(float) - observed)
        axes.errorbar(
            own["predicted"] + 0.006 * (k - (len(models) - 1) / 2),
            observed,
            yerr=spread,
            color=COLOURS[k % len(COLOURS)],
            marker=MARKERS[k % len(MARKERS)],
            linewidth=1,
            elinewidth=0.7,
            markersize=4,
            label=f"{model}, n = {int(own['n'].sum())}",
        )
    axes.set_xlabel("predicted probability of being at risk")
    axes.set_ylabel("observed share at risk")
    axes.legend(loc="upper left", fontsize=8, frameon=True)


def boxes(axes: Axes, groups: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
    """Draw boxes as Gao 2023 does: quartiles, whiskers to 1.5 interquartile ranges, outliers.

    Parameters
    ----------
    axes
        Panel.
    groups
        Name and values of each group; the number of values is written below the name.
    """
    shown = [(name, values[np.isfinite(values)]) for name, values in groups]
    axes.boxplot(
        [values for _, values in shown],
        widths=0.55,
        medianprops={"color": COLOURS[1], "linewidth": 1.6},
        flierprops={"markersize": 3, "markeredgecolor": GREY},
        boxprops={"linewidth": 0.9},
    )
    axes.set_xticks(
        range(1, len(shown) + 1), [f"{name}\nn = {len(values)}" for name, values in shown]
    )
