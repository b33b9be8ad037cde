"""The timeline under a video: what each model says of each moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidgety.training.results import ModelPrediction
from fidgety.training.risk import risk_probability

#: Weights whose range is at most this share of their mean say nothing of a place.
ALIKE = 0.05


@dataclass(frozen=True)
class Cell:
    """The part of the time that one instance stands for.

    Parameters
    ----------
    left_s, right_s
        Where it is drawn: no two cells of a strip overlap.
    start_s, stop_s
        The instance itself.
    probability
        Of what the strip shows, mean over the fold models.
    attention
        Weight in the bag, mean over the fold models; NaN where the model has none.
    """

    left_s: float
    right_s: float
    start_s: float
    stop_s: float
    probability: float
    attention: float = float("nan")


@dataclass(frozen=True)
class Strip:
    """One row of the timeline.

    Parameters
    ----------
    name
        Of the model.
    cells
        In the order of time.
    fidgety
        Whether the probabilities are those of fidgety movements, or else of being at risk.
    """

    name: str
    cells: tuple[Cell, ...]
    fidgety: bool = False

    @property
    def looked(self) -> Literal["unknown", "alike", "apart"]:
        """Whether the model says what it looked at, and if so whether that differs in time."""
        weights = np.array([cell.attention for cell in self.cells])
        if not weights.size or not np.isfinite(weights).all():
            return "unknown"
        alike = np.ptp(weights) <= ALIKE * weights.mean()
        return "alike" if alike else "apart"

    @property
    def attention_heights(self) -> tuple[float, ...]:
        """Weight of every instance as a share of the greatest one."""
        top = max(cell.attention for cell in self.cells)
        return tuple(cell.attention / top for cell in self.cells)


@dataclass(frozen=True)
class Mark:
    """An annotated interval."""

    start_s: float
    stop_s: float
    movement: str
    rater: str

    @property
    def slot(self) -> tuple[float, float, str]:
        """What the page's script reads: from, to, and in words."""
        return self.start_s, self.stop_s, self.movement


def cell_edges(start_s: ArrayLike, stop_s: ArrayLike) -> NDArray[np.float64]:
    """Part overlapping instances among themselves: each has what is nearest to its middle.

    Parameters
    ----------
    start_s, stop_s : array of shape (instance,)
        Sorted by middle; all of one recording.

    Returns
    -------
    ndarray of shape (instance, 2)
        Left and right edge, within the instance. Edges never cross.
    """
    start = np.asarray(start_s, dtype=np.float64)
    stop = np.asarray(stop_s, dtype=np.float64)
    middle = (start + stop) / 2
    left, right = start.copy(), stop.copy()
    if middle.size > 1:
        border = (middle[1:] + middle[:-1]) / 2
        left[1:] = np.maximum(left[1:], border)
        right[:-1] = np.minimum(right[:-1], border)
    return np.stack([left, right], axis=1)


def strips(
    models: Mapping[str, ModelPrediction], recording: str, at_risk: Sequence[bool]
) -> list[Strip]:
    """Make one strip a model for a recording; models without instances in it have none.

    A model that detects fidgety movements shows their probability, which is that of the
    classes not at risk. Any other model's instances carry their infant's label: its strip shows the
    probability of being at risk.
    """
    rows = []
    for name, model in models.items():
        own = np.array([r == recording for r in model.recording], dtype=bool)
        if not model.outcome.ok or not own.any():
            continue
        probability = risk_probability(model.probability[:, own], at_risk).mean(axis=0)
        if model.detects_fidgety:
            probability = 1 - probability
        attention = np.full(probability.shape, np.nan)
        if model.attention is not None:
            attention = model.attention[:, own].mean(axis=0)
        start, stop = model.start_s[own], model.stop_s[own]
        order = np.argsort(start + stop, kind="stable")
        edges = cell_edges(start[order], stop[order])
        rows.append(
            Strip(
                name,
                tuple(
                    Cell(
                        float(edges[i, 0]),
                        float(edges[i, 1]),
                        float(start[k]),
                        float(stop[k]),
                        float(probability[k]),
                        float(attention[k]),
                    )
                    for i, k in enumerate(order)
                ),
                model.detects_fidgety,
            )
        )
    return rows


def marks(intervals: Iterable[Mapping[str, Any]], recording: str) -> dict[str, list[Mark]]:
    """Return a recording's annotated intervals by rater, ``consensus`` first."""
    found: dict[str, list[Mark]] = {}
    for row in intervals:
        if str(row["recording"]) == recording:
            rater = str(row.get("rater") or "")
            found.setdefault(rater, []).append(
                Mark(float(row["start_s"]), float(row["end_s"]), str(row["movement"]), rater)
            )
    order = sorted(found, key=lambda r: (r != "consensus", r))
    return {r: sorted(found[r], key=lambda m: m.start_s) for r in order}


def duration_s(rows: Sequence[Strip], annotated: Mapping[str, Sequence[Mark]]) -> float:
    """Return the latest time on a timeline."""
    ends = [c.stop_s for row in rows for c in row.cells]
    ends += [m.stop_s for own in annotated.values() for m in own]
    return max(ends, default=0.0)
