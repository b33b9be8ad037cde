"""The histograms of EML (McCay 2022): orientation and displacement of limbs, and their spectra.

McCay KD, Hu P, Shum HPH, et al. (2022). A pose-based feature fusion and classification framework
for the early prediction of cerebral palsy in infants. IEEE Trans Neural Syst Rehabil Eng 30, 8-19.
The set that did best on infants' videos:

========================= ==== ======= ============================================================
histogram                 bins of each what is counted
========================= ==== ======= ============================================================
angular displacement      16   joint   turn of the bone over 10 frames; edges halve down from 180
                                       degrees
joint displacement        16   joint   way over 5 frames; the last bin is open
spectrum of displacement  16   joint   amplitudes of the ways over 5 frames; edges at fmax (k/16)^2
bone orientation          8    limb    soft votes to the two nearest of eight directions, by cosine
relative orientation      8    limb    directions to all other core joints, one vote each
spectrum of orientation   16   joint   amplitudes of the bone's direction; edges at fmax (k/16)^20
relative angular displ.   8    limb    turn of the relative orientations over 7 frames; edges halve
========================= ==== ======= ============================================================

Joints are elbows, wrists, knees and ankles, their bones those that end in them; a limb sums its
two. Every histogram sums to 1, or is 0 where there is nothing to count. Together 608 numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDES = ("left", "right")
#: Where each joint's bone begins.
BONES = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee"}
JOINTS = tuple(f"{side}_{joint}" for side in SIDES for joint in BONES)
#: Joints that relative orientation looks at; neck and mid-hip are added.
GIVEN = ("head", *(f"{s}_{j}" for s in SIDES for j in ("shoulder", "hip")), *JOINTS)
CORE = (*GIVEN, "neck", "mid_hip")

ANGLE_FRAMES, WAY_FRAMES, RELATIVE_FRAMES = 10, 5, 7
FINE, COARSE = 16, 8
#: Powers of the spectra's edges: of ways, and of directions.
WAY_POWER, ORIENTATION_POWER = 2, 20
#: 8 joints with four fine histograms, 4 limbs with three coarse ones.
N_NUMBERS = len(JOINTS) * 4 * FINE + len(JOINTS) // 2 * 3 * COARSE
MIN_FRAMES = ANGLE_FRAMES + 1


def in_body_axes(position: Array) -> Array:
    """Put the mid-hip at the origin, and turn every frame so that mid-hip to neck points up.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        :data:`GIVEN`, in any axes.

    Returns
    -------
    ndarray of shape (frame, 2, keypoint)
        :data:`CORE`; up is the second coordinate's negative direction, as in pictures.
    """
    place = {name: k for k, name in enumerate(GIVEN)}

    def middle(joint: str) -> Array:
        pair = [place[f"{side}_{joint}"] for side in SIDES]
        return np.asarray(position[:, :, pair].mean(axis=2, keepdims=True))

    hip = middle("hip")
    whole = np.concatenate([position, middle("shoulder"), hip], axis=2) - hip
    neck = whole[:, :, CORE.index("neck")]
    angle = -np.pi / 2 - np.arctan2(neck[:, 1], neck[:, 0])
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cosine, -sine], 1), np.stack([sine, cosine], 1)], 1)
    return np.asarray(turn @ whole)


def trunk_length(position: Array) -> float:
    """Return the median distance from mid-hip to neck, of :func:`in_body_axes`."""
    return float(np.median(np.linalg.norm(position[:, :, CORE.index("neck")], axis=1)))


def _normed(count: Array) -> Array:
    """Divide every histogram, along the last axis, by its sum."""
    total = count.sum(axis=-1, keepdims=True)
    return np.divide(count, total, out=np.zeros_like(count), where=total > 0)


def _counts(index: NDArray[np.integer], n: int, weight: Array | None = None) -> Array:
    """Count along the first axis; ``index`` of shape (item, histogram) lies in [0, n)."""
    n_histograms = index.shape[1]
    flat = index + n * np.arange(n_histograms)
    weights = None if weight is None else weight.ravel()
    found = np.bincount(flat.ravel(), weights=weights, minlength=n * n_histograms)
    return found.reshape(n_histograms, n).astype(np.float64)


def soft_orientation(angle: Array, n: int = COARSE) -> Array:
    """Count directions with soft votes.

    A direction votes for the two nearest of ``n`` evenly spaced ones (the first at angle 0), for
    each by the cosine of the angle between them.

    Parameters
    ----------
    angle : ndarray of shape (frame, histogram)
        Radians.
    n
        Number of bins.

    Returns
    -------
    ndarray of shape (histogram, n)
        Sums, not normed.
    """
    width = 2 * np.pi / n
    place = np.mod(angle, 2 * np.pi) / width
    lower = np.floor(place)
    before = (place - lower) * width
    first = lower.astype(np.int64) % n
    return _counts(first, n, np.cos(before)) + _counts((first + 1) % n, n, np.cos(width - before))


def hard_orientation(angle: Array, n: int = COARSE) -> Array:
    """Count directions in ``n`` sectors, the first of which begins at angle 0.

    Parameters
    ----------
    angle : ndarray of shape (item, histogram)
        Radians.
    n
        Number of bins.

    Returns
    -------
    ndarray of shape (histogram, n)
    """
    index = np.floor(np.mod(angle, 2 * np.pi) / (2 * np.pi / n)).astype(np.int64)
    return _counts(np.minimum(index, n - 1), n)


def turns(angle: Array, frames: int) -> Array:
    """Return by how much directions turn over some frames, from 0 to pi."""
    change = angle[frames:] - angle[:-frames]
    return np.asarray(np.abs(np.mod(change + np.pi, 2 * np.pi) - np.pi))


def halving_histogram(turn: Array, n: int) -> Array:
    """Count turns in bins whose edges halve down from 180 degrees; the first begins at 0.

    Parameters
    ----------
    turn : ndarray of shape (item, histogram)
        Radians from 0 to pi.
    n
        Number of bins.

    Returns
    -------
    ndarray of shape (histogram, n)
    """
    edges = np.pi / 2.0 ** np.arange(n - 1, 0, -1)
    return _counts(np.searchsorted(edges, turn, side="right"), n)


def ways(position: Array, frames: int = WAY_FRAMES) -> Array:
    """Return how far keypoints move over some frames.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
    frames
        Distance in time.

    Returns
    -------
    ndarray of shape (frame - frames, keypoint)
    """
    return np.asarray(np.linalg.norm(position[frames:] - position[:-frames], axis=1))


def way_histogram(way: Array, width: float, n: int = FINE) -> Array:
    """Count ways in bins of one width; the last holds all that are longer.

    Parameters
    ----------
    way : ndarray of shape (item, histogram)
    width
        Of a bin, in the same units.
    n
        Number of bins.

    Returns
    -------
    ndarray of shape (histogram, n)
    """
    return _counts(np.minimum(way / width, n - 1).astype(np.int64), n)


def spectrum_histogram(values: Array, power: int, n: int = FINE) -> Array:
    """Sum a spectrum's amplitudes between edges at fmax (k / n)^power, k = 0 to n.

    The edges are relative to half the frame rate: the rate itself cancels.

    Parameters
    ----------
    values : ndarray of shape (frame, histogram)
    power
        Of the edges.
    n
        Number of bins.

    Returns
    -------
    ndarray of shape (histogram, n)
    """
    amplitude = np.abs(np.fft.rfft(values, axis=0))
    share = 2 * np.fft.rfftfreq(len(values))
    edges = (np.arange(1, n) / n) ** power
    index = np.searchsorted(edges, share, side="right")
    return _counts(np.repeat(index[:, None], values.shape[1], axis=1), n, amplitude)


def _by_limb(per_joint: Array) -> Array:
    """Sum the two joints of every limb, of (joint, bin)."""
    return np.asarray(per_joint.reshape(-1, 2, per_joint.shape[-1]).sum(axis=1))


def histograms(position: Array, way_width: float) -> dict[str, Array]:
    """Compute all histograms of a window.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        Of :func:`in_body_axes`; at least :data:`MIN_FRAMES` frames.
    way_width
        Bin width of the joint displacement, in the units of the positions.

    Returns
    -------
    dict of str to ndarray of shape (joint or limb, bin)
        By name, in the order of the module's table.
    """
    core = {name: k for k, name in enumerate(CORE)}
    joints = [core[j] for j in JOINTS]
    begins = [core[f"{s}_{b}"] for s in SIDES for b in BONES.values()]
    bone = position[:, :, joints] - position[:, :, begins]
    direction = np.arctan2(bone[:, 1], bone[:, 0])
    way = ways(position[:, :, joints])
    relative, turned = [], []
    for joint in joints:
        others = [k for k in core.values() if k != joint]
        to_others = position[:, :, others] - position[:, :, [joint]]
        angle = np.arctan2(to_others[:, 1], to_others[:, 0])
        relative.append(hard_orientation(angle).sum(axis=0))
        turned.append(halving_histogram(turns(angle, RELATIVE_FRAMES), COARSE).sum(axis=0))
    found = {
        "angular_displacement": halving_histogram(turns(direction, ANGLE_FRAMES), FINE),
        "displacement": way_histogram(way, way_width),
        "displacement_spectrum": spectrum_histogram(way, WAY_POWER),
        "orientation": _by_limb(soft_orientation(direction)),
        "relative_orientation": _by_limb(np.stack(relative)),
        "orientation_spectrum": spectrum_histogram(np.unwrap(direction, axis=0), ORIENTATION_POWER),
        "relative_angular_displacement": _by_limb(np.stack(turned)),
    }
    return {name: _normed(count) for name, count in found.items()}


def feature_vector(found: dict[str, Array]) -> Array:
    """Lay histograms side by side: :data:`N_NUMBERS` numbers."""
    return np.concatenate([one.ravel() for one in found.values()])


def feature_names() -> list[str]:
    """Return what every number of :func:`feature_vector` is."""
    limbs = [f"{side}_{limb}" for side in SIDES for limb in ("arm", "leg")]
    table: Sequence[tuple[str, Sequence[str], int]] = (
        ("angular_displacement", JOINTS, FINE),
        ("displacement", JOINTS, FINE),
        ("displacement_spectrum", JOINTS, FINE),
        ("orientation", limbs, COARSE),
        ("relative_orientation", limbs, COARSE),
        ("orientation_spectrum", JOINTS, FINE),
        ("relative_angular_displacement", limbs, COARSE),
    )
    return [f"{name}/{of}/{bin_}" for name, ofs, n in table for of in ofs for bin_ in range(n)]
