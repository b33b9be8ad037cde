"""From the names in a file to a skeleton.

The names are those that a lab gave its keypoints. Spelling does not matter, and what
:func:`fidgety.skeletons.match` does not know can be translated (``pose.keypoint_names``). A file
with more than a skeleton's keypoints is used without the others; one with fewer is refused, with
what is missing and what could still be had of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fidgety.errors import NotAssessable, Reason
from fidgety.skeletons import (
    BODY_21,
    HUMAN36M_17,
    SKELETONS,
    Skeleton,
    conversion_matrix,
    own_or_none,
)
from fidgety.skeletons import match as match_whole

#: Most keypoints; layouts with hands and faces have some six hundred.
MAX_KEYPOINTS = 1000


@dataclass(frozen=True)
class Matched:
    """A skeleton in a file.

    Parameters
    ----------
    skeleton
        The skeleton.
    order
        For each of its keypoints the place among the file's.
    dropped
        Names in the file that are no part of it.
    """

    skeleton: Skeleton
    order: tuple[int, ...]
    dropped: tuple[str, ...] = field(default=())


def match_keypoints(
    labels: Sequence[str],
    own: Sequence[Skeleton] = (),
    names: Mapping[str, str] | None = None,
) -> Matched:
    """Find the skeleton that a file's keypoints form or contain.

    Parameters
    ----------
    labels
        As the file has them.
    own
        The user's skeletons, tried first.
    names
        The user's translation: name in the file to name here.

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch``: too many, a name stands twice, or no skeleton is complete.
    """
    if len(labels) > MAX_KEYPOINTS:
        raise NotAssessable(
            Reason.SKELETON_MISMATCH, f"{len(labels)} keypoints, more than {MAX_KEYPOINTS}"
        )
    translated = [(names or {}).get(label.strip(), label.strip()) for label in labels]
    twice = sorted(label for label, n in Counter(translated).items() if n > 1)
    if twice:
        raise NotAssessable(Reason.SKELETON_MISMATCH, f"keypoints named twice: {', '.join(twice)}")
    try:
        skeleton, order = match_whole(translated, own)
        return Matched(skeleton, order)
    except NotAssessable as error:
        # The largest that is complete; of equal ones the user's, then the first known.
        inside = [
            found
            for skeleton in (*own, *SKELETONS.values())
            if (found := _contained(translated, skeleton)) is not None
        ]
        if inside:
            return max(inside, key=lambda found: len(found.order))
        raise NotAssessable(
            Reason.SKELETON_MISMATCH, f"{error.detail}. {_what_is_left(translated)}"
        ) from None


def _contained(labels: Sequence[str], skeleton: Skeleton) -> Matched | None:
    """Return the skeleton within the labels, None if one of its keypoints is not there.

    By names and the user's own aliases alone: what OpenPose calls "neck" is one in OpenPose's
    whole skeleton, but who knows what it is among other points.
    """
    order = []
    names = skeleton if own_or_none(skeleton) else replace(skeleton, aliases={})
    canonical = [names.canonical(label) for label in labels]
    for keypoint in skeleton.keypoints:
        places = [i for i, name in enumerate(canonical) if name == keypoint]
        # An alias gives way to the name itself: "left_foot" is an ankle only without one.
        exact = [i for i in places if labels[i] == keypoint]
        if len(exact or places) != 1:
            return None
        order.append((exact or places)[0])
    dropped = tuple(label for i, label in enumerate(labels) if i not in order)
    return Matched(skeleton, tuple(order), dropped)


def _what_is_left(labels: Sequence[str]) -> str:
    """Say what these keypoints could still give, and how."""
    plain = tuple(dict.fromkeys(HUMAN36M_17.canonical(label) for label in labels))
    texts = []
    for target in (BODY_21, HUMAN36M_17):
        missing = conversion_matrix(plain, target.keypoints)[1]
        if not missing:
            texts.append(f"{target.name} (the features' skeleton) can be derived of them")
            break
        if len(missing) <= len(target.keypoints) // 2:
            texts.append(f"{target.name} could be derived but for {', '.join(missing)}")
    remedy = (
        "Translate names with pose.keypoint_names, or describe these keypoints in a skeleton file "
        "of your own (pose.skeletons)"
    )
    return "; ".join((*texts, remedy))
