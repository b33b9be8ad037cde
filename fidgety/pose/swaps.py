"""Left and right exchanged: stretches found and undone.

An estimator that confuses the sides puts the left keypoint where the right one was and the
other way round. At the first and at the last frame of such a stretch both keypoints of a pair
seem to jump onto each other's place; in between, everything looks right. So the evidence is
in the steps, and the most plausible set of stretches is found for all steps together (a
two-state Viterbi search), first for the whole body, then for limbs, then for single pairs of
keypoints.

Two stretches that together cover a recording cannot be told apart by steps: the shorter one
is taken for the exchanged one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidgety.pose.gaps import Mask, Positions, blank
from fidgety.pose.smoothing import jitter
from fidgety.pose.trajectory import Trajectory
from fidgety.skeletons import opposite, side_of

#: Price of a change of sides, against evidence of 1 for a perfect exchange of places.
SWITCH_COST = 0.5
#: The same for a single pair, which has no other pair to agree with: two limbs that cross while
#: frames are missing must not look like an exchange.
LONE_SWITCH_COST = 0.8
#: Price of a frame in the exchanged state: decides which of two complementary stretches it is,
#: and asks for more evidence for longer ones.
FRAME_COST = 2e-4
#: Price of an exchange that lasts to an edge of the recording: one of its ends is not seen.
EDGE_COST = 0.5
#: Two keypoints closer than this (trunk lengths), or than so many times their jitter, cannot
#: be told apart by where they are.
CLOSE = 0.03
CLOSE_JITTERS = 5.0
LIMBS = {
    "face": ("eye_inner", "eye", "eye_outer", "ear", "mouth"),
    "arms": ("collar", "shoulder", "elbow", "wrist", "hand", "pinky", "index", "thumb"),
    "legs": ("hip", "knee", "ankle", "heel", "foot", "foot_index", "big_toe", "small_toe"),
}


@dataclass(frozen=True)
class Swap:
    """A stretch of frames in which sides were exchanged.

    Parameters
    ----------
    keypoints
        The pairs, by the names without their side.
    start_frame, end_frame
        First frame, and the one after the last.
    """

    keypoints: tuple[str, ...]
    start_frame: int
    end_frame: int


def side_pairs(keypoints: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Find the keypoints that exist on both sides.

    Returns
    -------
    dict
        Name without its side to the indices (left, right). ``mouth_left`` counts as well.
    """
    pairs: dict[str, tuple[int, int]] = {}
    for i, name in enumerate(keypoints):
        other = opposite(name)
        if side_of(name) == "left" and other in keypoints:
            plain = name.removeprefix("left_").removesuffix("_left")
            pairs[plain] = (i, keypoints.index(other))
    return pairs


def partners(keypoints: tuple[str, ...]) -> NDArray[np.intp]:
    """Return for each keypoint the index of the other side's (its own if central)."""
    out = np.arange(len(keypoints))
    for left, right in side_pairs(keypoints).values():
        out[left], out[right] = right, left
    return out


def _squared(a: Positions, b: Positions) -> NDArray[np.float64]:
    return np.asarray(((a - b) ** 2).sum(axis=1))


def pair_evidence(
    left: Positions,
    right: Positions,
    time_s: NDArray[np.floating],
    *,
    longest_gap_s: float,
    close: float,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Weigh for every step whether a pair's keypoints change places in it.

    A step goes from one frame in which both are there to the next such frame. Each keypoint
    is compared with where its own side, and where the other side, was (or was heading: with
    two limbs that cross at speed the places alone would mislead). The evidence is the
    contrast of the squared distances, ``(own - other) / (own + other)``, averaged over both
    keypoints: 1 for a perfect exchange, -1 for none, 0 where they are close to each other.

    Parameters
    ----------
    left, right : ndarray of shape (frame, space)
    time_s : ndarray of shape (frame,)
    longest_gap_s
        A longer step says nothing.
    close
        Distance below which sides cannot be told apart.

    Returns
    -------
    evidence : ndarray of shape (frame,)
        At the frame where a step ends; NaN elsewhere.
    start : ndarray of int, shape (frame,)
        The frame where that step starts.
    """
    n = left.shape[0]
    out, start = np.full(n, np.nan), np.zeros(n, dtype=np.intp)
    both = np.flatnonzero(np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1))
    if both.size < 2:
        return out, start
    x, y, t = left[both], right[both], time_s[both]
    dt = np.diff(t)
    # Where each side was heading: the last step continued, at most as long as it was.
    ratio = np.zeros(dt.size)
    ratio[1:] = np.minimum(dt[1:] / dt[:-1], 1.0) * (dt[:-1] <= longest_gap_s)
    headed = []
    for z in (x, y):
        velocity = np.zeros_like(z[1:])
        velocity[1:] = z[1:-1] - z[:-2]
        headed.append(z[:-1] + velocity * ratio[:, None])
    evidence = np.zeros(dt.size)
    for now, own, own_headed, other, other_headed in (
        (x[1:], x[:-1], headed[0], y[:-1], headed[1]),
        (y[1:], y[:-1], headed[1], x[:-1], headed[0]),
    ):
        same = np.minimum(_squared(now, own), _squared(now, own_headed))
        cross = np.minimum(_squared(now, other), _squared(now, other_headed))
        evidence += 0.5 * (same - cross) / (same + cross + close**2)
    evidence[dt > longest_gap_s] = np.nan
    out[both[1:]] = evidence
    start[both[1:]] = both[:-1]
    return out, start


def pool(evidence: NDArray[np.float64], start: NDArray[np.intp]) -> NDArray[np.float64]:
    """Pool the evidence of several pairs, frame by frame.

    A step over missing frames may hold its change of sides at any of them: it is counted at
    the one where the other pairs see theirs.

    Parameters
    ----------
    evidence : ndarray of shape (frame, pair)
        From :func:`pair_evidence`.
    start : ndarray of int, shape (frame, pair)

    Returns
    -------
    ndarray of shape (frame,)
        Mean over the pairs that say something; 0 where none does.
    """
    total = np.nansum(evidence, axis=1)
    aligned = evidence.copy()
    with np.errstate(invalid="ignore"):
        long = (evidence > 0) & (np.arange(len(evidence))[:, None] - start > 1)
    for t, pair in np.argwhere(long):
        first = start[t, pair] + 1
        best = first + int(np.argmax(total[first : t + 1]))
        aligned[t, pair], aligned[best, pair] = np.nan, evidence[t, pair]
    known = np.isfinite(aligned)
    return np.asarray(np.nansum(aligned, axis=1) / np.maximum(known.sum(axis=1), 1))


def decode(evidence: NDArray[np.float64], switch_cost: float = SWITCH_COST) -> NDArray[np.bool_]:
    """Find the most plausible stretches of exchanged sides (Viterbi, two states).

    Parameters
    ----------
    evidence : ndarray of shape (frame,)
        For a change of sides at this frame: its gain if the sides change, its price if not.
    switch_cost
        Price of a change.

    Returns
    -------
    ndarray of bool, shape (frame,)
        Where sides are exchanged.
    """
    n = len(evidence)
    if n == 0 or evidence.max() <= switch_cost / 2:
        return np.zeros(n, dtype=bool)
    steps = evidence.tolist()
    right_way, exchanged = 0.0, -EDGE_COST - FRAME_COST
    came_right, came_exchanged = [False] * n, [False] * n
    for t in range(1, n):
        gain, loss = steps[t] - switch_cost, steps[t]
        back, on = exchanged + gain, right_way - loss
        away, still = right_way + gain, exchanged - loss
        came_right[t] = back > on
        came_exchanged[t] = away > still
        right_way = back if back > on else on
        exchanged = (away if away > still else still) - FRAME_COST
    state = np.zeros(n, dtype=bool)
    current = exchanged - EDGE_COST > right_way
    for t in range(n - 1, -1, -1):
        state[t] = current
        if t and (came_exchanged[t] if current else came_right[t]):
            current = not current
    return state


def _levels(names: Sequence[str]) -> list[list[tuple[str, ...]]]:
    """List the groups of pairs that are judged together: the body, limbs, pairs."""
    limbs = [tuple(n for n in names if n in limb) for limb in LIMBS.values()]
    return [[tuple(names)], [limb for limb in limbs if len(limb) > 1], [(n,) for n in names]]


def _stretches(state: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], state.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def _doubtful(
    position: Positions, trajectory: Trajectory, partner: NDArray[np.intp], threshold: float
) -> Mask:
    """Tell which values are far from their own trajectory and from the other side's as well.

    Those are no exchange but outliers, which would only hide one.
    """
    off = np.nan_to_num(trajectory.deviation) > threshold
    to_other = np.linalg.norm(position - trajectory.centre[:, :, partner], axis=1)
    with np.errstate(invalid="ignore"):
        near_other = to_other <= threshold * trajectory.scale
    return off & ~near_other


def find_swaps(
    position: NDArray[np.floating],
    keypoints: tuple[str, ...],
    time_s: NDArray[np.floating],
    trajectory: Trajectory,
    *,
    threshold: float,
    longest_gap_s: float,
    body_length: float,
) -> tuple[Mask, list[Swap]]:
    """Find the stretches in which left and right are exchanged.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
    keypoints
        Names; sides are told by ``left_`` and ``right_``.
    time_s : ndarray of shape (frame,)
    trajectory
        Of ``position``; keeps outliers from hiding an exchange.
    threshold
        Distance from the trajectory that marks an outlier.
    longest_gap_s
        Longest step that can be judged.
    body_length
        Trunk length in the units of ``position``.

    Returns
    -------
    exchanged : ndarray of bool, shape (frame, keypoint)
        Set on both keypoints of a pair.
    swaps
        The stretches, by start.
    """
    pairs = side_pairs(keypoints)
    exchanged = np.zeros((position.shape[0], len(keypoints)), dtype=bool)
    found: list[Swap] = []
    if not pairs:
        return exchanged, found
    partner = partners(keypoints)
    work = blank(position, _doubtful(np.asarray(position), trajectory, partner, threshold))
    noise = CLOSE_JITTERS * jitter(work)
    for level in _levels(list(pairs)):
        evidence = {
            name: pair_evidence(
                work[:, :, left],
                work[:, :, right],
                time_s,
                longest_gap_s=longest_gap_s,
                close=max(CLOSE * body_length, noise[left], noise[right]),
            )
            for name, (left, right) in pairs.items()
        }
        for group in level:
            state = decode(
                pool(
                    np.stack([evidence[name][0] for name in group], axis=1),
                    np.stack([evidence[name][1] for name in group], axis=1),
                ),
                SWITCH_COST if len(group) > 1 else LONE_SWITCH_COST,
            )
            if not state.any():
                continue
            members = np.array([i for name in group for i in pairs[name]])
            mask = np.zeros(exchanged.shape, dtype=bool)
            mask[np.ix_(state, members)] = True
            work = undo_swaps(work, mask, keypoints)
            exchanged ^= mask
    for name, (left, _) in pairs.items():
        found += [Swap((name,), a, b) for a, b in _stretches(exchanged[:, left])]
    return exchanged, _merge(found)


def _merge(swaps: list[Swap]) -> list[Swap]:
    """Join the pairs that were exchanged over the same frames into one entry."""
    groups: dict[tuple[int, int], list[str]] = {}
    for swap in swaps:
        groups.setdefault((swap.start_frame, swap.end_frame), []).extend(swap.keypoints)
    return [Swap(tuple(names), a, b) for (a, b), names in sorted(groups.items())]


def undo_swaps(
    values: NDArray[np.floating], exchanged: Mask, keypoints: tuple[str, ...]
) -> NDArray[np.float64]:
    """Exchange left and right back.

    Parameters
    ----------
    values : ndarray of shape (frame, ..., keypoint)
        Positions or confidences.
    exchanged : ndarray of bool, shape (frame, keypoint)
    keypoints
        Names.
    """
    out = np.array(values, dtype=np.float64)
    swapped = out[..., partners(keypoints)]
    mask = exchanged if out.ndim == 2 else exchanged[:, None, :]
    return np.where(mask, swapped, out)
