"""How far a 3D pose is from the truth, once what a single camera cannot know is taken out.

One camera tells neither how large a body is nor how far away, so poses are aligned frame by frame
before they are compared:

- N-MPJPE (Rhodin 2018, ECCV): root on root, then the one scale that fits best.
- P-MPJPE (protocol 2 of Human3.6M): the shift, turn and scale that fit best, by the closed form
  of Umeyama (1991, IEEE T-PAMI 13:376); never a mirror image.

Both are mean distances over the joints that truth and estimate have in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fidgety.pose.gaps import present

Array = NDArray[np.float64]

#: Fewest joints, of those of truth, with which a frame is compared: with fewer an alignment
#: fits anything.
FEWEST_SHARE = 0.5


def _common(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> Array:
    """Weights (frame, 1, joint): 1 where both have the joint, all 0 in frames with too few."""
    if estimate.shape != truth.shape or estimate.ndim != 3 or estimate.shape[1] != 3:
        raise ValueError(
            f"expected two arrays of shape (frame, 3, joint), got {estimate.shape} and "
            f"{truth.shape}"
        )
    both = present(estimate) & present(truth)
    enough = both.sum(axis=1) >= max(3.0, FEWEST_SHARE * estimate.shape[2])
    return (both & enough[:, None])[:, None, :].astype(np.float64)


def align_scale(
    estimate: NDArray[np.floating], truth: NDArray[np.floating], root: int = 0
) -> Array:
    """Put every frame's root on the truth's and scale it as fits best.

    Parameters
    ----------
    estimate, truth : ndarray of shape (frame, 3, joint)
        NaN is missing; truth and estimate may have different units.
    root
        Joint that is put on the truth's.

    Returns
    -------
    ndarray of shape (frame, 3, joint)
        In the truth's units; NaN in frames without the root or with too few joints.
    """
    weights = _common(estimate, truth)
    a = np.asarray(estimate - estimate[:, :, [root]], dtype=np.float64)
    b = np.asarray(truth - truth[:, :, [root]], dtype=np.float64)
    there = weights > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.sum(np.where(there, a * b, 0.0), axis=(1, 2)) / np.sum(
            np.where(there, a * a, 0.0), axis=(1, 2)
        )
    aligned = scale[:, None, None] * a + truth[:, :, [root]]
    return np.where(there, aligned, np.nan)


def align_similarity(estimate: NDArray[np.floating], truth: NDArray[np.floating]) -> Array:
    """Shift, turn and scale every frame onto the truth as fits best (Umeyama 1991).

    Parameters
    ----------
    estimate, truth : ndarray of shape (frame, 3, joint)
        NaN is missing; truth and estimate may have different units and axes.

    Returns
    -------
    ndarray of shape (frame, 3, joint)
        In the truth's units; NaN where one of both lacks the joint, and in frames with too few.
    """
    weights = _common(estimate, truth)
    there = np.broadcast_to(weights > 0, estimate.shape)
    a, b = np.where(there, estimate, 0.0), np.where(there, truth, 0.0)
    n = weights.sum(axis=2, keepdims=True)
    judged = n[:, 0, 0] > 0
    out = np.full(estimate.shape, np.nan)
    if not judged.any():
        return out
    a, b, weights, n = a[judged], b[judged], weights[judged], n[judged]
    centre_a, centre_b = a.sum(axis=2, keepdims=True) / n, b.sum(axis=2, keepdims=True) / n
    a, b = (a - centre_a) * weights, (b - centre_b) * weights
    u, singular, vt = np.linalg.svd(b @ a.transpose(0, 2, 1))
    # A turn, not a mirror: the direction that matters least is flipped where needed.
    sign = np.ones_like(singular)
    sign[:, 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * sign[:, None, :]) @ vt
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = (singular * sign).sum(axis=1) / (a * a).sum(axis=(1, 2))
    out[judged] = scale[:, None, None] * (rotation @ a) + centre_b
    return np.where(there, out, np.nan)


def mean_distance(aligned: NDArray[np.floating], truth: NDArray[np.floating]) -> Array:
    """Return every frame's mean distance over joints, of shape (frame,); NaN if there is none."""
    distance = np.linalg.norm(aligned - truth, axis=1)
    known = np.isfinite(distance)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, distance, 0.0).sum(axis=1) / known.sum(axis=1))


@dataclass(frozen=True)
class Errors3D:
    """Errors of one recording.

    Parameters
    ----------
    n_mpjpe, p_mpjpe : ndarray of shape (frame,)
        In the truth's units (metres); NaN in frames that could not be compared.
    found
        Share of the truth's joints that the estimate has, over all frames.
    trunk
        Median trunk length of the truth, in its units.
    """

    n_mpjpe: Array
    p_mpjpe: Array
    found: float
    trunk: float

    def row(self) -> dict[str, Any]:
        """Return the recording's mean errors, in millimetres and in trunk lengths."""
        row: dict[str, Any] = {"frames_3d": int(np.isfinite(self.p_mpjpe).sum())}
        for name in ("n_mpjpe", "p_mpjpe"):
            error = _mean(getattr(self, name))
            row |= {f"{name}_mm": 1000 * error, f"{name}_trunk": error / self.trunk}
        return row | {"found_3d": self.found}


def errors_3d(
    estimate: NDArray[np.floating], truth: NDArray[np.floating], trunk: float, root: int = 0
) -> Errors3D:
    """Compare the 3D poses of one recording with the truth.

    Parameters
    ----------
    estimate, truth : ndarray of shape (frame, 3, joint)
        The same joints and frames; truth in metres, both the same way up.
    trunk
        Trunk length of the truth in metres.
    root
        Joint that both share for N-MPJPE.
    """
    known = present(truth)
    return Errors3D(
        mean_distance(align_scale(estimate, truth, root), truth),
        mean_distance(align_similarity(estimate, truth), truth),
        float((present(estimate) & known).sum() / max(known.sum(), 1)),
        trunk,
    )


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def mean_by_infant(
    values: Array,
    infants: tuple[str, ...],
    confidence: float = 0.95,
    highest: float = np.inf,
) -> tuple[float, float, float, int]:
    """Return the mean over infants, its t interval, and the number of infants.

    Parameters
    ----------
    values : ndarray of shape (recording,)
        One value a recording; NaN is left out.
    infants
        Whose each recording is: an infant's recordings count once, by their mean.
    confidence
        Of the interval.
    highest
        Largest value that there can be; the smallest is 0.

    Returns
    -------
    mean, low, high
        The interval, cut to what can be, is NaN with fewer than two infants.
    n
        Infants with a value.
    """
    of_infant: dict[str, list[float]] = {}
    for infant, value in zip(infants, values, strict=True):
        if np.isfinite(value):
            of_infant.setdefault(infant, []).append(float(value))
    means = np.array([np.mean(v) for v in of_infant.values()])
    n = len(means)
    if n == 0:
        return float("nan"), float("nan"), float("nan"), 0
    mean = float(means.mean())
    if n == 1:
        return mean, float("nan"), float("nan"), 1
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1) * means.std(ddof=1) / np.sqrt(n))
    return mean, max(mean - half, 0.0), min(mean + half, highest), n
