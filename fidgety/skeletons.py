"""Skeletons: names of keypoints, bones, sides, and how one skeleton is had from another.

A derived keypoint is an explicit mean of others. What cannot be derived is an error that
names the missing keypoints, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason


@dataclass(frozen=True)
class Skeleton:
    """A set of keypoints.

    Parameters
    ----------
    name
        Short name, as it stands in files.
    keypoints
        Names in the order of the arrays.
    bones
        Pairs of keypoints that a rigid segment joins.
    derived
        Keypoints that this skeleton's sources may lack, each a weighted mean of others.
    """

    name: str
    keypoints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    derived: dict[str, dict[str, float]] = field(default_factory=dict)

    def index(self, keypoint: str) -> int:
        """Return the position of a keypoint in the arrays."""
        return self.keypoints.index(keypoint)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each keypoint the index of its partner on the other side (itself if central)."""
        return tuple(self.index(opposite(k)) for k in self.keypoints)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs (left, right)."""
        return tuple(
            (i, j)
            for i, j in enumerate(self.mirror)
            if self.keypoints[i].startswith("left_") and i != j
        )

    @property
    def bone_indices(self) -> NDArray[np.intp]:
        """Bones as an index array of shape (bone, 2)."""
        return np.array([(self.index(a), self.index(b)) for a, b in self.bones], dtype=np.intp)


def opposite(keypoint: str) -> str:
    """Return a keypoint's name on the other side of the body."""
    if keypoint.startswith("left_"):
        return "right_" + keypoint[len("left_") :]
    if keypoint.startswith("right_"):
        return "left_" + keypoint[len("right_") :]
    return keypoint


def _both(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return bones for both sides; central names stay."""
    sided = {"shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot", "heel", "index"}

    def name(keypoint: str, side: str) -> str:
        return f"{side}_{keypoint}" if keypoint in sided else keypoint

    return tuple((name(a, s), name(b, s)) for s in ("left", "right") for a, b in pairs)


#: Means that give central and distal keypoints where a source does not carry them. Order
#: matters: later ones may use earlier ones. The weights of spine, neck and head follow the
#: usual Human3.6M conventions: spine halfway between pelvis and thorax.
DERIVED: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "thorax": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.5, "thorax": 0.5},),
    "neck": ({"thorax": 0.5, "nose": 0.5},),
    "head": (
        {"left_ear": 0.5, "right_ear": 0.5},
        {"left_eye": 0.5, "right_eye": 0.5},
    ),
    "left_hand": ({"left_index": 0.5, "left_pinky": 0.5}, {"left_index": 1.0}),
    "right_hand": ({"right_index": 0.5, "right_pinky": 0.5}, {"right_index": 1.0}),
    "left_foot": ({"left_foot_index": 1.0}, {"left_big_toe": 1.0}),
    "right_foot": ({"right_foot_index": 1.0}, {"right_big_toe": 1.0}),
    "sternum": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
}

BLAZEPOSE_33 = Skeleton(
    "blazepose33",
    (
        "nose",
        "left_eye_inner",
        "left_eye",
        "left_eye_outer",
        "right_eye_inner",
        "right_eye",
        "right_eye_outer",
        "left_ear",
        "right_ear",
        "mouth_left",
        "mouth_right",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_pinky",
        "right_pinky",
        "left_index",
        "right_index",
        "left_thumb",
        "right_thumb",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
        "left_heel",
        "right_heel",
        "left_foot_index",
        "right_foot_index",
    ),
    (
        *_both(
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("wrist", "index"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
        ),
        ("left_ankle", "left_foot_index"),
        ("right_ankle", "right_foot_index"),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
        ("left_ear", "right_ear"),
    ),
)

COCO_17 = Skeleton(
    "coco17",
    (
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    (
        *_both(
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("shoulder", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
        ),
        ("left_shoulder", "right_shoulder"),
        ("left_hip", "right_hip"),
    ),
)

HUMAN36M_17 = Skeleton(
    "human36m17",
    (
        "pelvis",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "spine",
        "thorax",
        "neck",
        "head",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
    ),
    (
        *_both(
            ("pelvis", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("thorax", "shoulder"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
        ),
        ("pelvis", "spine"),
        ("spine", "thorax"),
        ("thorax", "neck"),
        ("neck", "head"),
    ),
)

#: Human3.6M-17 with hands and feet: what 2D features are computed on, so that all twelve
#: joint angles of Kaur 2025 (wrists and ankles among them) exist.
BODY_21 = Skeleton(
    "body21",
    (*HUMAN36M_17.keypoints, "left_hand", "right_hand", "left_foot", "right_foot"),
    (*HUMAN36M_17.bones, *_both(("wrist", "hand"), ("ankle", "foot"))),
)

SKELETONS: dict[str, Skeleton] = {s.name: s for s in (BLAZEPOSE_33, COCO_17, HUMAN36M_17, BODY_21)}


def identify(keypoints: tuple[str, ...]) -> Skeleton:
    """Find the skeleton that a file's keypoints form, in any order.

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch`` if none has all of these names.
    """
    for skeleton in SKELETONS.values():
        if set(keypoints) == set(skeleton.keypoints):
            return skeleton
    closest = min(SKELETONS.values(), key=lambda s: len(set(s.keypoints) ^ set(keypoints)))
    missing = sorted(set(closest.keypoints) - set(keypoints))
    extra = sorted(set(keypoints) - set(closest.keypoints))
    raise NotAssessable(
        Reason.SKELETON_MISMATCH,
        f"closest is {closest.name}; missing: {', '.join(missing) or 'none'}; "
        f"unknown: {', '.join(extra) or 'none'}",
    )


def conversion_matrix(
    source: tuple[str, ...], target: tuple[str, ...]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Weights that give the target's keypoints from the source's.

    Parameters
    ----------
    source, target
        Keypoint names.

    Returns
    -------
    weights : ndarray of shape (target keypoint, source keypoint)
        Rows sum to 1; rows of keypoints that cannot be had are zero.
    missing : tuple of str
        Target keypoints that cannot be had from the source.
    """
    known: dict[str, NDArray[np.float64]] = {
        name: np.eye(len(source))[i] for i, name in enumerate(source)
    }

    def find(name: str, depth: int = 0) -> NDArray[np.float64] | None:
        if name in known:
            return known[name]
        if depth > 4:
            return None
        for recipe in DERIVED.get(name, ()):
            parts = {k: find(k, depth + 1) for k in recipe}
            if all(part is not None for part in parts.values()):
                row = sum(
                    (recipe[k] * part for k, part in parts.items() if part is not None),
                    np.zeros(len(source)),
                )
                known[name] = row
                return row
        return None

    rows = [find(name) for name in target]
    missing = tuple(name for name, row in zip(target, rows, strict=True) if row is None)
    weights = np.stack([np.zeros(len(source)) if row is None else row for row in rows])
    return weights, missing


def convert(
    position: NDArray[np.floating], source: tuple[str, ...], target: Skeleton
) -> NDArray[np.float64]:
    """Express positions in another skeleton.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        Missing values are NaN; a derived keypoint is missing where a part of it is.
    source
        Keypoint names of ``position``.
    target
        Skeleton wanted.

    Returns
    -------
    ndarray of shape (frame, space, target keypoint)

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch``, naming the keypoints that cannot be had.
    """
    weights, missing = conversion_matrix(source, target.keypoints)
    if missing:
        raise NotAssessable(
            Reason.SKELETON_MISMATCH,
            f"{target.name} needs {', '.join(missing)}, which these keypoints do not give",
        )
    out = np.empty((*position.shape[:2], len(target.keypoints)))
    for k, row in enumerate(weights):
        used = np.flatnonzero(row)
        out[:, :, k] = position[:, :, used].astype(np.float64) @ row[used]
    return out
