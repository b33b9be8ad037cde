"""Which of the persons in a file is the infant.

A file lists persons frame by frame, with or without a number that stays with a person. Without
numbers, persons are linked from frame to frame by the distance between their keypoints. The
infant is who has the most known keypoints over the whole recording: it lies in the middle of the
picture all the time, while parents and staff come and go or show a hand. The numbers of a tracker
change when it loses a person, so tracks that continue the infant's, at its place and at times when
it has none, are joined to it. The choice is recorded, and who else was in view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from fidgety.pose.importers.content import unreadable

#: Largest median distance of the keypoints between two sights of a person, in diagonals of the
#: box around it: an infant throws its limbs about, but lies where it lies.
GATE = 0.5
#: Fewest keypoints that two sights must share to be compared one by one.
MIN_SHARED = 3
#: Two persons in one frame whose keypoints are nearer than this, in diagonals, are one body that
#: was found twice.
DOUBLE = 0.1
#: Name of who is the only person in every frame of a file without names.
INFANT = "1"
#: Most persons in a frame: each is compared with each of the frame before.
MAX_PERSONS = 30
#: Frames for which a lost person is remembered when linking; tracks are joined over longer times.
MEMORY = 30


@dataclass(frozen=True)
class Sights:
    """Persons as a file lists them: one entry a person and frame.

    Parameters
    ----------
    frame : ndarray of shape (sight,)
        Number of the frame, not decreasing.
    position : ndarray of shape (sight, space, keypoint)
        NaN is missing.
    confidence : ndarray of shape (sight, keypoint)
        As in the file.
    person : list, optional
        For each sight what names the person over time; None: the file does not say.
    """

    frame: NDArray[np.int64]
    position: NDArray[np.float64]
    confidence: NDArray[np.float64]
    person: Sequence[str] | None = None

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where a keypoint has all its coordinates: array of shape (sight, keypoint)."""
        return np.asarray(np.isfinite(self.position).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True)
class Choice:
    """The infant's sights.

    Parameters
    ----------
    rows
        Indices of the sights, one a frame at most, in the order of frames.
    details
        What was chosen among what.
    others
        Number of a frame to how many other persons are in it; None where the file lists nobody
        else at all, so that it is not known whether it would.
    """

    rows: NDArray[np.intp]
    details: dict[str, Any]
    others: Mapping[int, int] | None = None


def link(sights: Sights, memory: int = MEMORY) -> list[str]:
    """Name persons over time by where their keypoints are.

    Parameters
    ----------
    sights
        Its ``person`` is not looked at.
    memory
        Frames for which a person that is not seen is remembered.

    Returns
    -------
    list of str
        For each sight the person: ``"1"``, ``"2"``, ... in the order of their appearance.
    """
    names = [""] * len(sights.frame)
    last: dict[int, int] = {}  # person to its last sight
    n_persons = 0
    edges = np.flatnonzero(np.diff(sights.frame)) + 1
    for rows in np.split(np.arange(len(sights.frame)), edges):
        if rows.size == 0:
            continue
        now = sights.frame[rows[0]]
        last = {p: r for p, r in last.items() if now - sights.frame[r] <= memory}
        persons = list(last)
        given: dict[int, int] = {}
        if persons:
            cost = np.array([[_distance(sights, last[p], int(r)) for r in rows] for p in persons])
            # A pair beyond the gate costs more than all pairs within it together.
            matched = linear_sum_assignment(np.where(cost <= GATE, cost, 1e6))
            given = {
                int(rows[j]): persons[i]
                for i, j in zip(*matched, strict=True)
                if cost[i, j] <= GATE
            }
        for row in map(int, rows):
            if row not in given:
                n_persons += 1
                given[row] = n_persons
            names[row] = str(given[row])
            last[given[row]] = row
    return names


def _distance(sights: Sights, a: int, b: int) -> float:
    """Median distance of shared keypoints, in diagonals of the larger of the two boxes.

    Of two sights that share too few, the distance of their centres.
    """
    known = np.asarray(np.isfinite(sights.position[[a, b]]).all(axis=1))
    if not known.any(axis=1).all():
        return np.inf
    points = [sights.position[row][:, known[i]] for i, row in enumerate((a, b))]
    size = max(_diagonal(one) for one in points)
    shared = known.all(axis=0)
    if shared.sum() >= MIN_SHARED:
        steps = np.linalg.norm(sights.position[a] - sights.position[b], axis=0)[shared]
        step = float(np.median(steps))
    else:
        step = float(np.linalg.norm(points[0].mean(axis=1) - points[1].mean(axis=1)))
    return step / size if size > 0 else np.inf


def _diagonal(points: NDArray[np.float64]) -> float:
    """Diagonal of the box around points of shape (space, keypoint)."""
    return float(np.linalg.norm(points.max(axis=1) - points.min(axis=1)))


def choose(sights: Sights, *, join: bool) -> Choice:
    """Choose the infant.

    Parameters
    ----------
    sights
        All persons; at least one sight with a known keypoint.
    join
        Whether a person may stand under several names (a tracker's numbers, links by
        distance); False where the names are a person's own.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``, if more persons than :data:`MAX_PERSONS` are in a frame.
    """
    known = sights.known.sum(axis=1)
    in_view = np.bincount(sights.frame[known > 0] - int(sights.frame.min()))
    if in_view.max() > MAX_PERSONS:
        unreadable(f"{in_view.max()} persons in one frame, more than {MAX_PERSONS}: is this one?")
    linked_by = "the file"
    if sights.person is not None:
        names = list(sights.person)
    elif in_view.max() <= 1:
        names, linked_by = [INFANT] * len(known), "being alone"
    else:
        names, linked_by = link(sights), "distance"
    by_name: dict[str, dict[int, int]] = defaultdict(dict)
    n_double = 0
    for row, name in enumerate(names):
        if known[row] == 0:
            continue
        frame = int(sights.frame[row])
        other = by_name[name].get(frame)
        n_double += other is not None
        if other is None or _weight(sights, row) > _weight(sights, other):
            by_name[name][frame] = row
    amount = {name: int(known[list(rows.values())].sum()) for name, rows in by_name.items()}
    # Equal amounts: who comes first in the file, whatever its name.
    order = sorted(amount, key=lambda name: (-amount[name], min(by_name[name].values())))
    chosen = dict(by_name[order[0]])
    joined = []
    if join:
        frames = np.array(sorted(chosen))
        for name in order[1:]:
            if _continues(sights, chosen, frames, by_name[name]):
                chosen |= by_name[name]
                own_frames = sorted(by_name[name])
                frames = np.insert(frames, np.searchsorted(frames, own_frames), own_frames)
                joined.append(name)
    details: dict[str, Any] = {
        "individual": order[0],
        "persons": {
            "tracks": len(order),
            "linked_by": linked_by,
            "known_keypoints": {name: amount[name] for name in order[:5]},
        },
    }
    if joined:
        details["persons"]["joined"] = len(joined)
        details["persons"]["frames_joined"] = len(chosen) - len(by_name[order[0]])
    if n_double:
        details["persons"]["named_twice_in_a_frame"] = n_double
    rows = np.array([chosen[frame] for frame in sorted(chosen)], dtype=np.intp)
    own = {order[0], *joined}
    theirs = {name: sights_of for name, sights_of in by_name.items() if name not in own}
    others = _others(sights, known, chosen, theirs) if len(order) > 1 else None
    return Choice(rows, details, others)


def _others(
    sights: Sights,
    known: NDArray[np.int_],
    chosen: Mapping[int, int],
    theirs: Mapping[str, Mapping[int, int]],
) -> dict[int, int]:
    """Count the other persons in every frame that has one.

    One or two keypoints by themselves are no person, and who lies where the infant lies is the
    infant, found twice.
    """
    count: dict[int, int] = defaultdict(int)
    for rows in theirs.values():
        for frame, row in rows.items():
            mine = chosen.get(frame)
            double = mine is not None and _distance(sights, mine, row) <= DOUBLE
            if known[row] >= MIN_SHARED and not double:
                count[frame] += 1
    return dict(count)


def _weight(sights: Sights, row: int) -> float:
    confidence = np.nan_to_num(sights.confidence[row])
    return float(confidence[sights.known[row]].sum())


def _continues(
    sights: Sights, chosen: dict[int, int], frames: NDArray[np.int_], other: dict[int, int]
) -> bool:
    """Tell whether another track is the chosen person at other times; ``frames`` are its own.

    It shares no frame with the chosen one, and wherever one of the two stops and the other
    goes on, the keypoints are at the same place.
    """
    if chosen.keys() & other.keys():
        return False
    others = sorted(other)
    # Between which two of the chosen frames each of the other's lies: neighbours in time are
    # those with none of the other's own in between.
    places = np.searchsorted(frames, others)
    for i, place in enumerate(places):
        row = other[others[i]]
        starts = i == 0 or places[i - 1] != place
        stops = i == len(places) - 1 or places[i + 1] != place
        for at, applies in ((place - 1, starts), (place, stops)):
            near = applies and 0 <= at < len(frames)
            if near and _distance(sights, chosen[int(frames[at])], row) > GATE:
                return False
    return True
