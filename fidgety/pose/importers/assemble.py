"""From what a file lists to a :class:`~fidgety.pose.tracks.Pose`: one way for all formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import ConfigError
from fidgety.pose.importers.content import MAX_FRAMES, empty, unreadable
from fidgety.pose.importers.keypoints import match_keypoints
from fidgety.pose.importers.people import Choice, Sights, choose
from fidgety.pose.in_view import in_view_record, nobody_knows
from fidgety.pose.tracks import Pose
from fidgety.skeletons import Skeleton, own_or_none

#: A recording with fewer frames listed than this share of the numbers that they span is no
#: recording: numbers of another kind (identifiers of images) leave gaps like this.
MIN_LISTED = 0.01
#: Added to coordinates that are 0 at the centre of the first pixel; here its outer corner is.
HALF_PIXEL = 0.5
NO_RATE = (
    "the tracks have no times: write their frame rate into the sheet's column fps, or name the "
    "video beside them (column video)"
)


@dataclass(frozen=True)
class Listing:
    """What a file holds.

    Parameters
    ----------
    sights
        Persons frame by frame; keypoints in the order of ``labels``.
    labels
        Names of the keypoints, as in the file.
    numbers : ndarray of shape (frame,)
        Frame numbers that the file lists, with or without a person, increasing.
    every_frame
        Whether the file lists every frame of its video: else those with a person alone.
    join
        Whether a person may have several names; see :func:`~fidgety.pose.importers.people.choose`.
    has_confidence
        False: the file knows none, and each known position counts as certain.
    software
        What made the tracks.
    centred
        Whether coordinates are 0 at the centre of the first pixel.
    units
        One of :data:`~fidgety.pose.tracks.UNITS`.
    details
        What the format adds to the pose's details.
    """

    sights: Sights
    labels: tuple[str, ...]
    numbers: NDArray[np.int64]
    every_frame: bool = True
    join: bool = False
    has_confidence: bool = True
    software: str = "unknown"
    centred: bool = True
    units: str = "pixels"
    details: Mapping[str, Any] = field(default_factory=dict)


def individuals_listing(
    position: NDArray[np.float64],
    confidence: NDArray[np.float64] | None,
    numbers: NDArray[np.int64],
    labels: Sequence[str],
    individuals: Sequence[str],
    **more: Any,
) -> Listing:
    """Make a listing of arrays with one entry an individual.

    Parameters
    ----------
    position : ndarray of shape (frame, individual, space, keypoint)
        NaN is missing.
    confidence : ndarray of shape (frame, individual, keypoint), optional
    numbers : ndarray of shape (frame,)
        Number of each row's frame.
    labels, individuals
        Names.
    **more
        Further fields of :class:`Listing`.
    """
    there = np.asarray(np.isfinite(position).all(axis=2))
    rows, who = np.nonzero(there.any(axis=2))
    known = there[rows, who].astype(np.float64)
    sights = Sights(
        frame=numbers[rows],
        position=position[rows, who],
        confidence=known if confidence is None else confidence[rows, who],
        person=[individuals[i] for i in who],
    )
    return Listing(sights, tuple(labels), numbers, has_confidence=confidence is not None, **more)


def check_numbers(numbers: NDArray[np.int64], what: str = "frame") -> NDArray[np.int64]:
    """Check that frame numbers increase and span no more than a recording.

    Parameters
    ----------
    numbers : ndarray of shape (frame,)
        In the order of the file.
    what
        What is numbered, for the message.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable`` or, if there is none, ``pose_empty``.
    """
    if numbers.size == 0:
        empty(f"no {what} is listed")
    steps = np.diff(numbers)
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0))
        kind = "stands twice" if steps[at] == 0 else f"follows {numbers[at]}"
        unreadable(f"{what} {numbers[at + 1]} {kind}: {what}s must be numbered upwards, once each")
    if numbers[0] < 0:
        unreadable(f"{what} number {numbers[0]} is negative")
    span = int(numbers[-1] - first_number(numbers)) + 1
    if span > MAX_FRAMES:
        unreadable(f"{what}s are numbered up to {numbers[-1]}, more than {MAX_FRAMES}")
    if numbers.size < MIN_LISTED * span:
        unreadable(f"{numbers.size} {what}s are listed of {span} by their numbers")
    return numbers


def first_number(numbers: NDArray[np.int64]) -> int:
    """Return the number of the recording's first frame.

    Zero, unless the numbers begin so high that they count something else: more frames would be
    missing before the first than are spanned in all.
    """
    first, last = int(numbers[0]), int(numbers[-1])
    return 0 if first <= max(1, last - first) else first


def assemble(
    listing: Listing,
    form: str,
    *,
    fps: float | None,
    skeletons: Sequence[Skeleton] = (),
    names: Mapping[str, str] | None = None,
) -> Pose:
    """Make the infant's tracks of what a file lists.

    Frames that the file does not list, or lists without the infant, are missing.

    Parameters
    ----------
    listing
        What the file holds.
    form
        Name of the format.
    fps
        Frames a second.
    skeletons, names
        The user's; see :func:`~fidgety.pose.importers.keypoints.match_keypoints`.

    Raises
    ------
    NotAssessable
        If there is no position, or the keypoints form no skeleton.
    ConfigError
        If the frame rate is not known.
    """
    numbers = check_numbers(listing.numbers)
    matched = match_keypoints(listing.labels, skeletons, names)
    order = list(matched.order)
    all_sights = listing.sights
    sights = Sights(
        all_sights.frame,
        np.where(np.isfinite(all_sights.position), all_sights.position, np.nan)[:, :, order],
        all_sights.confidence[:, order],
        all_sights.person,
    )
    if not sights.known.any():
        empty(f"none of {numbers.size} frames has a position of the {matched.skeleton.name} points")
    if fps is None:
        raise ConfigError(NO_RATE)
    choice = choose(sights, join=listing.join)

    first = first_number(numbers)
    n = int(numbers[-1]) - first + 1
    n_space = sights.position.shape[1]
    position = np.full((n, n_space, len(order)), np.nan)
    confidence = np.zeros((n, len(order)))
    at = sights.frame[choice.rows] - first
    known = sights.known[choice.rows]
    shift = HALF_PIXEL if listing.centred and listing.units == "pixels" else 0.0
    position[at] = np.where(known[:, None, :], sights.position[choice.rows] + shift, np.nan)
    stated = sights.confidence[choice.rows]
    outside = int(((stated < 0) | (stated > 1)).sum())
    confidence[at] = np.nan_to_num(np.clip(stated, 0.0, 1.0)) * known

    details: dict[str, Any] = {
        "format": form,
        "known_share": round(float(known.sum()) / (n * len(order)), 4),
        "counted_in": "frames",
        "every_frame": listing.every_frame,
        "first_frame_number": first,
        "frames_not_listed": n - numbers.size,
        **choice.details,
        **listing.details,
    }
    details["persons"] |= _company(choice, at, first, n, fps)
    if matched.dropped:
        details["keypoints_left_out"] = list(matched.dropped)
    if not listing.has_confidence:
        details["confidence"] = "none in the file: a known position counts as certain"
    if outside:
        details["confidence_out_of_range"] = outside
    return Pose(
        position=position,
        confidence=confidence,
        time_s=np.arange(n) / fps,
        keypoints=matched.skeleton.keypoints,
        fps=fps,
        units=listing.units,
        source_software=listing.software,
        skeleton=matched.skeleton.name,
        own_skeleton=own_or_none(matched.skeleton),
        details=details,
    )


def _company(
    choice: Choice, infant: NDArray[np.int64], first: int, n: int, fps: float
) -> dict[str, Any]:
    """Say who else was in view in ``n`` frames from number ``first`` on.

    ``infant`` are the places of the frames with the infant among them.
    """
    if choice.others is None:
        return nobody_knows()
    others = np.zeros(n, dtype=np.int64)
    for frame, count in choice.others.items():
        others[frame - first] = count
    return in_view_record(others, int((others + np.isin(np.arange(n), infant)).max()), fps)


def _shown(value: Any) -> str:
    """Return the beginning of a value; a number may have more digits than Python prints."""
    try:
        return repr(value)[:30]
    except ValueError:
        return "of thousands of digits"


def whole_numbers(values: Sequence[Any], what: str) -> NDArray[np.int64]:
    """Turn values into whole numbers.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``, naming the first value that is none.
    """
    out = np.empty(len(values), dtype=np.int64)
    for i, value in enumerate(values):
        try:
            number = float(value)
            if not number.is_integer() or abs(number) > 1e15:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            unreadable(f"{what} {_shown(value)} is not a whole number")
        out[i] = int(number)
    return out


def triples(values: Any, labels: int | None, what: str) -> NDArray[np.float64]:
    """Take ``x1, y1, c1, x2, ...`` apart.

    Parameters
    ----------
    values
        A list of numbers; null is missing.
    labels
        Number of keypoints that it must have; None takes any.
    what
        Where it stands, for the message.

    Returns
    -------
    ndarray of shape (keypoint, 3)
    """
    try:
        flat = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        unreadable(f"{what} has keypoints that are no list of numbers")
    if flat.ndim != 1 or flat.size == 0 or flat.size % 3:
        unreadable(f"{what} has {flat.size} values, not three a keypoint")
    if labels is not None and flat.size != 3 * labels:
        unreadable(f"{what} has {flat.size // 3} keypoints, others have {labels}")
    return flat.reshape(-1, 3)
