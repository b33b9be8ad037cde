"""The comparison of trackers for people: a table in text, figures, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fidgety.evaluation.plots import COLOURS, MARKERS, figure, to_svg
from fidgety.pose.comparison.compare import MEASURES, Comparison
from fidgety.report.pages import pack, render, to_tsv
from fidgety.report.plots import inline
from fidgety.report.wording import count, grid

STAGE_TEXTS = {"raw": "As estimated", "clean": "After cleaning"}
#: Measures that are drawn, each in a panel.
DRAWN = ("error", "pck_0.1", "missing", "jitter", "fast", "frames_per_s")
DIGITS = {"frames_per_s": 1, "memory_mb": 0, "longest_gap_s": 2, "jitter": 4, "fast": 4}


def format_value(measure: str, value: float) -> str:
    """Format a figure with the digits that it deserves; an en dash where there is none."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.{DIGITS.get(measure, 3)}f}"


def _cells(comparison: Comparison, stage: str) -> list[dict[str, Any]]:
    """Return one row a backend: its figures with their intervals."""
    rows = comparison.figures
    rows = rows[(rows["recording"] == "") & (rows["stage"] == stage)]
    out = []
    for backend in dict.fromkeys(rows["backend"]):
        own = rows[rows["backend"] == backend].set_index("measure")
        out.append(
            {
                "backend": backend,
                "cells": {
                    str(name): {
                        "text": format_value(str(name), float(row["value"])),
                        "interval": ""
                        if pd.isna(row["low"])
                        else f"{format_value(str(name), float(row['low']))} to "
                        f"{format_value(str(name), float(row['high']))}",
                    }
                    for name, row in own.iterrows()
                },
            }
        )
    return out


def _used(comparison: Comparison, stage: str) -> list[str]:
    rows = comparison.figures
    return [m for m in MEASURES if m in set(rows[rows["stage"] == stage]["measure"])]


def text_table(comparison: Comparison, compared_with: str, notes: Sequence[str] = ()) -> str:
    """Write the comparison as plain text.

    Parameters
    ----------
    comparison
        What was measured.
    compared_with
        The truth, in words; empty where there is none.
    notes
        Sentences about the backends.
    """
    lines = []
    for stage in dict.fromkeys(comparison.figures["stage"]):
        used = _used(comparison, stage)
        lines += [STAGE_TEXTS[stage], ""]
        rows = [
            [row["backend"], *(row["cells"].get(m, {"text": "–"})["text"] for m in used)]
            for row in _cells(comparison, stage)
        ]
        lines += [*grid(["backend", *(MEASURES[m][0] for m in used)], rows), ""]
    pairs = comparison.agreement[comparison.agreement["recording"] == ""]
    if len(pairs):
        lines += ["Distance between backends, trunk lengths", ""]
        rows = [
            [
                f"{p['a']} and {p['b']}, {STAGE_TEXTS[p['stage']].lower()}",
                *(format_value("error", v) for v in (p["median"], p["p95"], p["both"])),
            ]
            for p in pairs.to_dict("records")
        ]
        lines += [*grid(["pair", "median", "95th percentile", "both found"], rows), ""]
    n = comparison.figures.loc[comparison.figures["recording"] != "", "recording"].nunique()
    lines.append(
        f"{count(n, 'recording')}, {count(len(comparison.keypoints), 'keypoint')} that all "
        "backends give; lengths in trunk lengths."
    )
    if compared_with:
        lines.append(f"Errors are against {compared_with}.")
    lines += [
        f"No result: {f['backend']}, {STAGE_TEXTS[f['stage']].lower()}, {f['recording']}: "
        f"{f['reason']} ({f['detail']})"
        for f in comparison.failures
    ]
    return "\n".join([*lines, *notes]) + "\n"


def draw_measures(comparison: Comparison) -> str:
    """Draw every backend's figures, recordings as points and their mean as a line."""
    figures = comparison.figures
    drawn = [m for m in DRAWN if m in set(figures["measure"])]
    stages = list(dict.fromkeys(figures["stage"]))
    backends = list(dict.fromkeys(figures["backend"]))
    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    height = 0.8 + 0.35 * len(backends) * len(stages)
    with figure(3.4 * columns, height * rows, rows=rows, columns=columns) as drawing:
        for axes in drawing.axes[len(drawn) :]:
            axes.set_visible(False)
        for axes, measure in zip(drawing.axes, drawn, strict=False):
            name, unit, _ = MEASURES[measure]
            axes.set_title(f"{name} ({unit})" if unit else name, loc="left", fontsize=9)
            places = []
            for i, backend in enumerate(backends):
                for j, stage in enumerate(stages):
                    y = i * len(stages) + j
                    places.append((y, f"{backend}, {stage}" if len(stages) > 1 else backend))
                    own = figures[
                        (figures["backend"] == backend)
                        & (figures["stage"] == stage)
                        & (figures["measure"] == measure)
                    ]
                    single = own[own["recording"] != ""]["value"].to_numpy(dtype=float)
                    axes.plot(
                        single,
                        np.full(len(single), y),
                        linestyle="none",
                        marker=MARKERS[i % len(MARKERS)],
                        markersize=4,
                        color=COLOURS[i % len(COLOURS)],
                        alpha=0.6,
                    )
                    mean = own[own["recording"] == ""]["value"].to_numpy(dtype=float)
                    axes.plot(
                        np.repeat(mean, 2), [y - 0.3, y + 0.3][: 2 * len(mean)], color="#000000"
                    )
            axes.set_yticks([y for y, _ in places], [text for _, text in places])
            axes.set_ylim(len(places) - 0.5, -0.5)
            axes.locator_params(axis="x", nbins=4)
            largest = np.nanmax([0.0, *figures.loc[figures["measure"] == measure, "value"]])
            axes.set_xlim(0, 1.02 if unit == "share" else 1.1 * largest or 1.0)
        return to_svg(drawing)


def page(
    comparison: Comparison, compared_with: str, notes: Sequence[str], *, phantoms: bool
) -> str:
    """Write the page."""
    stages = [
        {
            "text": STAGE_TEXTS[stage],
            "measures": [(m, MEASURES[m][0], MEASURES[m][1]) for m in _used(comparison, stage)],
            "rows": _cells(comparison, stage),
        }
        for stage in dict.fromkeys(comparison.figures["stage"])
    ]
    pairs = comparison.agreement
    return render(
        "compare_pose.html",
        phantoms=phantoms,
        stages=stages,
        meanings=[
            (name, what)
            for m, (name, _, what) in MEASURES.items()
            if m in set(comparison.figures["measure"])
        ],
        pairs=[
            {
                "a": p["a"],
                "b": p["b"],
                "stage": STAGE_TEXTS[p["stage"]],
                "values": [format_value("error", p[k]) for k in ("median", "p95", "both")],
                "n": p["n"],
            }
            for p in pairs[pairs["recording"] == ""].to_dict("records")
        ],
        recordings=[
            {
                "recording": recording,
                "with": comparison.compared_with.get(recording, ""),
                "rows": _recording(comparison, recording),
            }
            for recording in dict.fromkeys(
                comparison.figures.loc[comparison.figures["recording"] != "", "recording"]
            )
        ],
        columns=[(m, MEASURES[m][0]) for m in _used(comparison, "raw")],
        figure=inline(draw_measures(comparison), "compare", "Figures of all backends"),
        failures=[f | {"stage": STAGE_TEXTS[f["stage"]]} for f in comparison.failures],
        keypoints=comparison.keypoints,
        compared_with=compared_with,
        notes=list(notes),
        downloads=[
            pack("pose.tsv", to_tsv(comparison.figures).encode(), "every figure"),
            pack("pose-agreement.tsv", to_tsv(comparison.agreement).encode(), "every pair"),
        ],
    )


def _recording(comparison: Comparison, recording: str) -> list[dict[str, Any]]:
    rows = comparison.figures[comparison.figures["recording"] == recording]
    out = []
    for (backend, stage), own in rows.groupby(["backend", "stage"], sort=False):
        values = {
            str(m): format_value(str(m), float(v))
            for m, v in zip(own["measure"], own["value"], strict=True)
        }
        out.append({"backend": backend, "stage": STAGE_TEXTS[str(stage)], "values": values})
    return out


def to_json(comparison: Comparison, backends: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything as plain values; what is not a number is None."""

    def records(table: pd.DataFrame) -> list[dict[str, Any]]:
        return [
            {
                str(k): None if isinstance(v, float) and not np.isfinite(v) else v
                for k, v in row.items()
            }
            for row in table.to_dict("records")
        ]

    return {
        "backends": dict(backends),
        "keypoints": list(comparison.keypoints),
        "compared_with": dict(comparison.compared_with),
        "figures": records(comparison.figures),
        "agreement": records(comparison.agreement),
        "failures": comparison.failures,
    }
