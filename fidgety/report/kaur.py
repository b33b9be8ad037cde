"""The study of Kaur 2025: a table in text, its figures, a page.

What comes of the published split by snippet leaks, and says so wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fidgety.datasets.snippet_split import LEAKS, leaks_of
from fidgety.evaluation.plots import COLOURS, MARKERS, draw_words, figure, to_svg
from fidgety.evaluation.snippet_space import densities
from fidgety.evaluation.snippets import BASELINE_KIND, CHOSEN, nested
from fidgety.evaluation.tables import MAJORITY
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import count, grid, interval, number, percent

TITLE = "The study of Kaur 2025"
SPLIT_TEXTS = {"infant": "Split by infant", "snippet": "Published split, by snippet"}
SET_TEXTS = {"development": "Development", "external": "External"}
#: The figures of the main table: level, metric, name.
SHOWN = (
    ("snippet", "accuracy", "Snippets right"),
    ("infant", "accuracy_60", "Infants right, 60 % rule"),
    ("infant", "accuracy_threshold", "Infants right, threshold"),
    ("infant", "auc", "AUC of infants"),
)
#: All figures, for the table of every combination.
ALL = (
    *SHOWN[:2],
    ("infant", "sensitivity_60", "Sensitivity, 60 % rule"),
    ("infant", "specificity_60", "Specificity, 60 % rule"),
    SHOWN[2],
    ("infant", "sensitivity_threshold", "Sensitivity, threshold"),
    ("infant", "specificity_threshold", "Specificity, threshold"),
    SHOWN[3],
)
LIMITS = (
    "Snippets of one infant resemble each other: n that counts is the number of infants.",
    "Intervals are by infant, one figure at a time: among many figures some miss by chance. With "
    "few infants, resampled intervals are rather too narrow. Where nothing differs between "
    "infants, or a group has one infant alone, an interval is that of as many single observations "
    "as there are infants: wide.",
    "The label is the infant's: a snippet counts as wrong where its own movement may well be like "
    "that of the other group.",
    "The AUC of development infants pools the scores of different fold models, which need not be "
    "on one scale.",
)
#: Names of the figures that the published split may flatter, by level and metric.
FLATTERED = {(level, metric): name for level, metric, name in SHOWN[:3]}
SWEEP_COLUMNS = (
    "split",
    "overlap",
    "model",
    "value",
    "low",
    "high",
    "n_infants",
    "n_snippets",
    "leaks",
)
GREY = "#767676"
#: Rows of components up to which the page carries them; more would make it heavy.
CARRIED_ROWS = 20000
_POINTS = 120


@dataclass(frozen=True)
class Similarity:
    """How alike the held-out snippets of a fold are to its model.

    Parameters
    ----------
    fold, split
        Whose model it is.
    infants, labels
        One a snippet, by class, infant and time.
    wrong : ndarray of shape (snippet,)
        Whether the model calls it wrongly.
    similarity : ndarray of shape (snippet, snippet)
        Cosine similarity in the last hidden layer.
    """

    fold: int
    split: str
    infants: tuple[str, ...]
    labels: tuple[str, ...]
    wrong: NDArray[np.bool_]
    similarity: NDArray[np.float64]


@dataclass(frozen=True)
class Study:
    """Everything that is told.

    Parameters
    ----------
    table, optimism, chosen, left_out
        Of :mod:`fidgety.evaluation.snippets`.
    baselines
        Rows of the majority class and of the mean speed, in the columns of ``table``.
    components
        Columns features, fold, part (``train``, ``test``), infant, label, component_1,
        component_2, one row a snippet of the split by infant.
    similarities
        One a fold and split.
    features
        The input that the sweep over overlaps is made with.
    overlap
        The overlap that is looked at closely.
    confidence
        Of the intervals.
    similarity_model
        Whose last hidden layer is compared; None where no model has one.
    """

    table: pd.DataFrame
    optimism: pd.DataFrame
    baselines: pd.DataFrame
    chosen: pd.DataFrame
    left_out: pd.DataFrame
    components: pd.DataFrame
    similarities: Sequence[Similarity]
    features: str
    overlap: int
    confidence: float
    similarity_model: str | None


def _splits(names: Sequence[str]) -> list[str]:
    """Return the splits among names, in the order in which they are told."""
    return [split for split in SPLIT_TEXTS if split in set(names)]


@dataclass(frozen=True)
class Cell:
    """A figure with its interval and what stands behind it, as text.

    Parameters
    ----------
    text, interval
        The figure; its interval, empty where there is none.
    n
        Numbers of infants and, where they count, of snippets.
    folds
        The fold models' own figures; empty where they are not told.
    sort
        What the figure is sorted by.
    why
        Why there is no figure, where that is known.
    """

    text: str = "–"
    interval: str = ""
    n: str = ""
    folds: str = ""
    sort: str = ""
    why: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Cell:
        """Format a row of a table."""
        value = float(row["value"])
        between = interval(row["low"], row["high"])
        n = f"n = {count(int(row['n_infants']), 'infant')}"
        folds = ""
        if row["level"] == "snippet":
            n += f", {count(int(row['n_snippets']), 'snippet')}"
            found = [number(v) for v in str(row["fold_values"]).split()]
            folds = " ".join(found) if set(found) != {"–"} else ""
        return cls(
            number(value),
            "" if between == "–" else between,
            n,
            folds,
            f"{value:.6f}" if np.isfinite(value) else "",
            str(row.get("method", "")).partition("undefined: ")[2],
        )

    @property
    def line(self) -> str:
        """The figure with its interval in one line."""
        return f"{self.text} ({self.interval})" if self.interval else self.text


_NO_CELL = Cell()


def _cells(
    rows: pd.DataFrame, role: str, shown: Sequence[tuple[str, str, str]] = SHOWN
) -> list[Cell]:
    """Return the figures of one model on one set; a dash where there is none."""
    found = {
        (str(r["level"]), str(r["metric"])): r for r in rows[rows["set"] == role].to_dict("records")
    }
    cells = []
    for level, metric, _ in shown:
        # A constant answer has one accuracy, whatever the rule.
        row = found.get((level, metric)) or found.get((level, metric.split("_")[0]))
        cells.append(Cell.of({str(k): v for k, v in row.items()}) if row else _NO_CELL)
    return cells


def _main_groups(study: Study) -> list[dict[str, Any]]:
    """Return the main overlap's figures: one group a split and input, one row a model."""
    table = nested(study.table)
    table = table[table["overlap"] == study.overlap]
    plain = study.baselines[study.baselines["overlap"] == study.overlap]
    chosen = study.chosen[study.chosen["overlap"] == study.overlap]
    groups = []
    for split in _splits(list(table["split"])):
        for features in dict.fromkeys(table["features"]):
            own = table[(table["split"] == split) & (table["features"] == features)]
            if own.empty:
                continue
            rows = pd.concat([own, plain[plain["features"] == features]])
            fitted = chosen[(chosen["split"] == split) & (chosen["features"] == features)]
            models = [(m, rows[rows["model"] == m]) for m in dict.fromkeys(rows["model"])]
            groups.append(
                {
                    "split": SPLIT_TEXTS[split],
                    "features": str(features),
                    "leaks": leaks_of(split),
                    "rows": [
                        _main_row(str(m), found, fitted.loc[fitted["model"] == m, "threshold"])
                        for m, found in models
                    ],
                }
            )
    return groups


def _main_row(model: str, rows: pd.DataFrame, thresholds: pd.Series) -> dict[str, Any]:
    sets = {role: _cells(rows, role) for role in SET_TEXTS}
    return {
        "model": model,
        "baseline": bool((rows["kind"] == BASELINE_KIND).all()),
        "sets": sets,
        "notes": [
            *_choice_notes(str(rows["candidate"].iloc[0]), thresholds),
            *dict.fromkeys(cell.why for cells in sets.values() for cell in cells if cell.why),
        ],
        "leaks": str(rows["leaks"].iloc[0]),
    }


def _choice_notes(candidate: str, thresholds: pd.Series) -> list[str]:
    """Say what is not so with a model: folds without a choice, folds without a model.

    Parameters
    ----------
    candidate
        Of its row.
    thresholds
        Of its fold models; NaN where there is none.
    """
    if candidate not in ("", CHOSEN):
        return [f"options {candidate}"]
    missing = int(thresholds.isna().sum())
    return [f"no model in {missing} of {count(len(thresholds), 'fold')}"] if missing else []


def text_table(study: Study, notes: Sequence[str] = ()) -> str:
    """Write the main overlap's figures as plain text.

    Parameters
    ----------
    study
        What is told.
    notes
        What is not as published.
    """
    lines = [f"{TITLE}: {study.overlap} frames of overlap", ""]
    for group in _main_groups(study):
        for role, words in SET_TEXTS.items():
            told = [r for r in group["rows"] if any(cell.n for cell in r["sets"][role])]
            rows = [_text_row(r, role) for r in told]
            head = f"{group['split']}; input {group['features']}; {words.lower()}"
            lines.append(f"{head}; {group['leaks']}" if group["leaks"] else head)
            if not rows:
                lines += ["no infants in this set", ""]
                continue
            header = ["model", *(name for _, _, name in SHOWN), "behind them"]
            if group["leaks"]:
                header.append("leaks")
            else:
                rows = [r[:-1] for r in rows]
            notes_here = [f"{r['model']}: {note}" for r in told for note in r["notes"]]
            lines += [*grid(header, rows), *notes_here, ""]
    lines += _text_optimism(study)
    lines.append(f"In parentheses: {percent(study.confidence)} intervals by infant. {LIMITS[0]}")
    return "\n".join([*lines, *notes]) + "\n"


def _text_row(row: Mapping[str, Any], role: str) -> list[str]:
    cells = row["sets"][role]
    behind = next((c.n.removeprefix("n = ") for c in cells if c.n), "")
    return [row["model"], *(c.line for c in cells), behind, row["leaks"]]


def _text_optimism(study: Study) -> list[str]:
    own = study.optimism[study.optimism["overlap"] == study.overlap]
    if own.empty:
        return []
    rows = [
        [
            f"{r['model']}, {r['features']}",
            FLATTERED[str(r["level"]), str(r["metric"])],
            number(r["optimism"]),
            interval(r["low"], r["high"]),
            str(r["n_infants"]),
            str(r["leaks"]),
        ]
        for r in own.to_dict("records")
    ]
    header = ["model, input", "figure", "optimism", "interval", "infants", "leaks"]
    return ["How much the published split flatters", *grid(header, rows), ""]


def draw_sweep(study: Study) -> str:
    """Draw Figure 2: the snippets' accuracy against their overlap, one panel a split."""
    rows = _sweep_rows(study)
    splits = _splits(list(rows["split"]))
    if rows["value"].isna().all():
        return draw_words("No development snippet was judged.")
    plain = _sweep_majority(study)
    bottom = np.nanmin([0.5, *rows["low"], *rows["value"], *plain["value"]])
    with figure(5.2 * len(splits), 5.0, columns=len(splits)) as drawing:
        for axes, split in zip(drawing.axes, splits, strict=True):
            _draw_panel(axes, rows[rows["split"] == split], plain, study.overlap)
            leaks = leaks_of(split)
            axes.set_title(
                f"{SPLIT_TEXTS[split]}\n{leaks}" if leaks else SPLIT_TEXTS[split],
                loc="left",
                fontweight="bold",
                fontsize=10,
            )
            axes.set_ylim(np.floor(10 * bottom) / 10 - 0.02, 1.02)
            axes.set_ylabel("share of snippets called rightly")
        return to_svg(drawing)


def _sweep_rows(study: Study) -> pd.DataFrame:
    """Return the development snippets' accuracy of the sweep's input, as the folds chose."""
    table = nested(study.table)
    return table[
        (table["features"] == study.features)
        & (table["set"] == "development")
        & (table["level"] == "snippet")
    ]


def _sweep_majority(study: Study) -> pd.DataFrame:
    """Return the dotted line of the sweep: the majority class."""
    plain = study.baselines
    return plain[
        (plain["features"] == study.features)
        & (plain["set"] == "development")
        & (plain["level"] == "snippet")
        & (plain["model"] == MAJORITY)
    ]


def sweep_table(study: Study) -> pd.DataFrame:
    """Tabulate what Figure 2 draws.

    Returns
    -------
    DataFrame
        Columns :data:`SWEEP_COLUMNS`, by split; the majority class, which has no split, last.
    """
    rows = _sweep_rows(study)
    parts = [rows[rows["split"] == split] for split in _splits(list(rows["split"]))]
    drawn = [part for part in (*parts, _sweep_majority(study)) if len(part)]
    whole = pd.concat(drawn, ignore_index=True) if drawn else rows
    return whole[list(SWEEP_COLUMNS)]


def _draw_panel(axes: Axes, rows: pd.DataFrame, plain: pd.DataFrame, main: int) -> None:
    overlaps = sorted(set(rows["overlap"]), reverse=True)
    models = list(dict.fromkeys(rows["model"]))
    snippets = rows.groupby("overlap")["n_snippets"].max()
    place = {overlap: k for k, overlap in enumerate(overlaps)}
    axes.set_xticks(range(len(overlaps)), [f"{o}\n{snippets[o]}" for o in overlaps])
    axes.set_xlim(-0.5, len(overlaps) - 0.5)
    axes.set_xlabel("frames of overlap (top), snippets (bottom)")
    if main in place:
        axes.axvspan(place[main] - 0.45, place[main] + 0.45, color="#e8ecf2", zorder=0)
    for k, model in enumerate(models):
        own = rows[rows["model"] == model].sort_values("overlap", ascending=False)
        aside = min(0.09, 0.6 / len(models)) * (k - (len(models) - 1) / 2)
        x = own["overlap"].map(place).to_numpy(dtype=float) + aside
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(
            x,
            own["value"],
            color=colour,
            marker=MARKERS[k % len(MARKERS)],
            markersize=4.5,
            linewidth=1.1,
            label=_at_main(own, str(model), main),
        )
        axes.vlines(x, own["low"], own["high"], color=colour, linewidth=0.9)
    flat = plain[plain["overlap"].isin(overlaps)].sort_values("overlap", ascending=False)
    if len(flat):
        axes.plot(
            flat["overlap"].map(place),
            flat["value"],
            color=GREY,
            linestyle=":",
            label=_at_main(flat, MAJORITY, main),
        )
    legend = axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.2),
        fontsize=8,
        frameon=False,
        title=f"at {main} frames",
    )
    for text in legend.get_texts():
        text.set_fontweight("bold")


def _at_main(rows: pd.DataFrame, model: str, main: int) -> str:
    """Name a line by its figure at the main overlap."""
    own = rows[rows["overlap"] == main]
    if own.empty:
        return model
    row = own.iloc[0]
    if not np.isfinite(row["value"]):
        return f"{model}: no figure, n = {count(int(row['n_infants']), 'infant')}"
    return (
        f"{model}: {number(row['value'])} ({interval(row['low'], row['high'])}), "
        f"n = {count(int(row['n_infants']), 'infant')}"
    )


def draw_components(study: Study) -> str:
    """Draw Figure 3A: how the independent components of snippets lie, by class.

    One panel an input and fold of the study, those without components too.
    """
    rows = study.components
    if rows.empty:
        return draw_words("There are no components.")
    by_infant = study.chosen[study.chosen["split"] == "infant"]
    inputs = list(dict.fromkeys([*study.table["features"], *rows["features"]]))
    folds = sorted({*by_infant["fold"], *rows["fold"]})
    classes = list(dict.fromkeys(rows["label"]))
    width, height = 2.5 * len(folds) + 0.4, 1.9 * len(inputs) + 1.0
    with figure(width, height, rows=len(inputs), columns=len(folds)) as drawing:
        for k, axes in enumerate(drawing.axes):
            features, fold = inputs[k // len(folds)], folds[k % len(folds)]
            own = rows[(rows["features"] == features) & (rows["fold"] == fold)]
            _draw_densities(axes, own, classes)
            axes.set_title(f"{features}, fold {fold}\n{_behind(own)}", loc="left", fontsize=8)
        drawing.legend(
            handles=_density_key(classes),
            loc="outside lower center",
            ncols=len(classes) + 3,
            fontsize=8,
            frameon=False,
        )
        return to_svg(drawing)


def _behind(rows: pd.DataFrame) -> str:
    """Say how many infants and snippets are in training and held out."""
    parts = [rows[rows["part"] == part] for part in ("train", "test")]
    infants = " + ".join(str(p["infant"].nunique()) for p in parts)
    snippets = " + ".join(str(len(p)) for p in parts)
    return f"n = {infants} infants, {snippets} snippets"


def _density_key(classes: Sequence[str]) -> list[Line2D]:
    return [
        *(
            Line2D([], [], color=COLOURS[k % len(COLOURS)], linewidth=3, label=str(name))
            for k, name in enumerate(classes)
        ),
        Line2D([], [], color="#000000", linewidth=1.4, label="training snippets"),
        Line2D([], [], color="#000000", linewidth=1.4, linestyle="--", label="held-out snippets"),
        Line2D([], [], color="#000000", linewidth=0.6, label="thin: second component"),
    ]


def _draw_densities(axes: Axes, rows: pd.DataFrame, classes: Sequence[str]) -> None:
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    names = ("component_1", "component_2")
    values = rows[list(names)].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        what = "no components" if len(rows) else "not computed"
        axes.text(0.5, 0.5, what, ha="center", transform=axes.transAxes, fontsize=8)
        axes.set_xticks([])
        return
    margin = 0.1 * float(np.ptp(values)) or 1.0
    places = np.linspace(values.min() - margin, values.max() + margin, _POINTS)
    for component, thickness in zip(names, (1.4, 0.6), strict=True):
        for part, dash in (("train", "-"), ("test", "--")):
            own = rows[rows["part"] == part]
            found = densities(own[component].to_numpy(), list(own["label"]), places)
            for name, density in found.items():
                style: dict[str, Any] = {
                    "color": COLOURS[classes.index(name) % len(COLOURS)],
                    "linewidth": thickness,
                    "linestyle": dash,
                }
                if np.isfinite(density).all():
                    axes.plot(places, density, **style)
                    continue
                # Values that do not differ have no density, and yet a place.
                same = own.loc[own["label"] == name, component].dropna()
                if len(same):
                    axes.axvline(float(same.iloc[0]), **style)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)


def similarity_table(similarities: Sequence[Similarity], split: str) -> pd.DataFrame:
    """Tabulate the heat maps of Figure 3B of a split, a row a snippet.

    Returns
    -------
    DataFrame
        ``fold``, ``snippet`` (from 1), ``infant``, ``label``, ``wrong``, and ``similarity_K``, the
        cosine similarity with snippet K of the same fold.
    """
    parts = [pd.DataFrame(columns=["fold", "snippet", "infant", "label", "wrong"])]
    for one in sorted((s for s in similarities if s.split == split), key=lambda s: s.fold):
        n = len(one.infants)
        head = pd.DataFrame(
            {
                "fold": one.fold,
                "snippet": np.arange(1, n + 1),
                "infant": one.infants,
                "label": one.labels,
                "wrong": one.wrong.astype(int),
            }
        )
        names = [f"similarity_{k}" for k in range(1, n + 1)]
        alike = pd.DataFrame(np.round(one.similarity, 4), columns=names)
        parts.append(pd.concat([head, alike], axis=1))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def draw_similarity(similarities: Sequence[Similarity], split: str = "infant") -> str:
    """Draw Figure 3B: how alike the held-out snippets of every fold are to its model.

    Parameters
    ----------
    similarities
        Of all splits.
    split
        Which of them.
    """
    own = [s for s in similarities if s.split == split and s.infants]
    own.sort(key=lambda s: s.fold)
    if not own:
        return draw_words("No snippets were compared: no trained network, or none held out.")
    columns = min(3, len(own))
    n_rows = -(-len(own) // columns)
    low = 0.0 if all(np.nanmin(s.similarity, initial=0) >= 0 for s in own) else -1.0
    with figure(4.2 * columns + 0.6, 3.9 * n_rows + 0.3, n_rows, columns) as drawing:
        drawing.set_layout_engine("compressed")  # the panels are square: no gaps between them
        panels = list(drawing.axes)
        for axes in panels[len(own) :]:
            axes.set_visible(False)
        for axes, one in zip(panels, own, strict=False):
            image = axes.imshow(
                one.similarity, vmin=low, vmax=1, cmap="viridis", interpolation="none"
            )
            _draw_infants(axes, one)
        drawing.colorbar(image, ax=panels, shrink=0.5, label="cosine similarity")
        title = "orange dots: called wrongly"
        if leaks_of(split):
            title = f"{SPLIT_TEXTS[split]}; {LEAKS}\n{title}"
        drawing.suptitle(title, fontsize=10, fontweight="bold")
        return to_svg(drawing)


def _runs(infants: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Give where each infant's snippets begin and end."""
    start = 0
    for k in range(1, len(infants) + 1):
        if k == len(infants) or infants[k] != infants[start]:
            yield start, k
            start = k


def _draw_infants(axes: Axes, one: Similarity) -> None:
    """Draw the lines between infants, their ids, and what is called wrongly."""
    n, runs = len(one.infants), list(_runs(one.infants))
    for start, _ in runs[1:]:
        between_classes = one.labels[start] != one.labels[start - 1]
        style: dict[str, Any] = {
            "color": "#000000" if between_classes else "#ffffff",
            "linewidth": 1.4 if between_classes else 0.6,
        }
        axes.axhline(start - 0.5, **style)
        axes.axvline(start - 0.5, **style)
    middles = [(start + stop - 1) / 2 for start, stop in runs]
    small = min(7.0, max(3.0, 150 / max(len(runs), 1)))
    axes.set_xticks(middles, [one.infants[s] for s, _ in runs], rotation=90, fontsize=small)
    axes.set_yticks(
        middles, [f"{one.infants[s]}, {one.labels[s]}" for s, _ in runs], fontsize=small
    )
    wrong = np.flatnonzero(one.wrong)
    margin = np.full(wrong.size, n - 0.5 + 0.025 * n)
    for x, y in ((margin, wrong), (wrong, n - 0.5 - margin - 0.5)):
        axes.plot(
            x,
            y,
            linestyle="none",
            marker="o",
            markersize=2.2,
            color=COLOURS[1],
            clip_on=False,
        )
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_title(
        f"fold {one.fold}: n = {count(len(set(one.infants)), 'infant')}, "
        f"{count(n, 'snippet')}, {wrong.size} wrong",
        loc="left",
        fontsize=8,
        pad=10,
    )


def _estimate(row: Mapping[Any, Any], value: str, low: str, high: str) -> Cell:
    """Format three columns of a row."""
    between = interval(row[low], row[high])
    return Cell(
        number(row[value]),
        "" if between == "–" else between,
        sort=f"{row[value]:.6f}" if np.isfinite(row[value]) else "",
    )


def _optimism(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "features": r["features"],
            "overlap": r["overlap"],
            "model": r["model"],
            "figure": FLATTERED[str(r["level"]), str(r["metric"])],
            "cells": [
                _estimate(r, "snippet_split", "snippet_low", "snippet_high"),
                _estimate(r, "infant_split", "infant_low", "infant_high"),
                _estimate(r, "optimism", "low", "high"),
            ],
            "n": r["n_infants"],
            "leaks": r["leaks"],
        }
        for r in study.optimism.to_dict("records")
    ]


def _sweep(study: Study) -> list[dict[str, Any]]:
    rows = sweep_table(study)
    return [
        {
            "split": SPLIT_TEXTS[str(r["split"])],
            "overlap": r["overlap"],
            "model": r["model"],
            "cell": _estimate(r, "value", "low", "high"),
            "infants": r["n_infants"],
            "snippets": r["n_snippets"],
            "leaks": r["leaks"],
        }
        for r in rows[rows["split"] != ""].to_dict("records")
    ]


def _combinations(study: Study) -> list[dict[str, Any]]:
    """Return every figure of every combination of options at the main overlap."""
    table = study.table[study.table["overlap"] == study.overlap]
    keys = ["split", "features", "model", "candidate", "set", "leaks"]
    return [
        dict(zip(keys, names, strict=True))
        | {
            "split": SPLIT_TEXTS[str(names[0])],
            "set": SET_TEXTS[str(names[4])],
            "cells": _cells(own, str(names[4]), ALL),
        }
        for names, own in table.groupby(keys, sort=False)
    ]


def _chosen(study: Study) -> dict[str, Any]:
    """Return what every fold chose, of the models that have a choice."""
    table = study.chosen[study.chosen["candidate"] != ""]
    folds = sorted(set(table["fold"]))
    keys = ["split", "features", "overlap", "model", "leaks"]
    rows = []
    for names, own in table.groupby(keys, sort=False):
        by_fold = {
            r["fold"]: _choice({str(k): v for k, v in r.items()}) for r in own.to_dict("records")
        }
        row = dict(zip(keys, names, strict=True))
        rows.append(
            row
            | {"split": SPLIT_TEXTS[str(row["split"])]}
            | {"folds": [by_fold.get(k, "–") for k in folds]}
        )
    return {"folds": folds, "rows": rows}


def _choice(row: Mapping[str, Any]) -> str:
    """Say what a fold chose, and why where it had no loss to choose by."""
    if np.isfinite(row["validation_loss"]):
        return str(row["candidate"])
    if not np.isfinite(row["threshold"]):
        return str(row["reason"])
    return f"{row['candidate']} ({row['reason']})"


def _figures(study: Study) -> dict[str, list[Any]]:
    """Return the figures of the page: of the sweep, of components, of similarities."""
    compared = _splits([s.split for s in study.similarities])
    return {
        "sweep": [inline(draw_sweep(study), "sweep", "Accuracy of snippets against overlap")],
        "components": [
            inline(draw_components(study), "components", "Densities of independent components")
        ]
        if len(study.components)
        else [],
        "similarity": [
            {
                "svg": inline(
                    draw_similarity(study.similarities, split),
                    f"similarity-{split}",
                    "Cosine similarity of held-out snippets",
                ),
                "split": SPLIT_TEXTS[split],
                "leaks": leaks_of(split),
            }
            for split in compared
        ],
    }


def _downloads(study: Study) -> list[Any]:
    tables = [
        ("kaur2025.tsv", study.table, "every figure"),
        ("kaur2025-optimism.tsv", study.optimism, "how much the published split flatters"),
        ("kaur2025-baselines.tsv", study.baselines, "majority class and mean speed"),
        ("kaur2025-chosen.tsv", study.chosen, "what every fold chose"),
        ("kaur2025-left-out.tsv", study.left_out, "who and what is not in it, and why"),
    ]
    if len(study.components) <= CARRIED_ROWS:
        tables.append(("kaur2025-components.tsv", study.components, "the points of Figure 3A"))
    return [pack(name, to_tsv(table).encode(), what) for name, table, what in tables]


def page(study: Study, notes: Sequence[str], *, phantoms: bool) -> str:
    """Write the page.

    Parameters
    ----------
    study
        What is told.
    notes
        What is not as published.
    phantoms
        Whether the infants are digital phantoms.
    """
    return render(
        "kaur2025.html",
        phantoms=phantoms,
        title=TITLE,
        overlap=study.overlap,
        features=study.features,
        confidence=percent(study.confidence),
        similarity_model=study.similarity_model,
        splits=[SPLIT_TEXTS[s] for s in _splits(list(study.table["split"]))],
        leaks=LEAKS if "snippet" in set(study.table["split"]) else "",
        shown=[name for _, _, name in SHOWN],
        sets=SET_TEXTS,
        groups=_main_groups(study),
        optimism=_optimism(study),
        figures=_figures(study),
        sweep=_sweep(study),
        all_shown=[name for _, _, name in ALL],
        combinations=_combinations(study),
        chosen=_chosen(study),
        left_out=[
            r | {"splits": " and ".join(SPLIT_TEXTS[k] for k in str(r["split"]).split(", "))}
            for r in study.left_out.to_dict("records")
        ],
        limits_here=LIMITS,
        notes=list(notes),
        downloads=_downloads(study),
    )
