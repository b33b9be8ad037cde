"""Skeletons: keypoints, bones, sides, joint angles, trees, and one skeleton from another.

A name means one place in the body in every skeleton. What another tracker calls otherwise is an
alias: OpenPose's "neck" is the mean of the shoulders, which is ``thorax`` here. A derived keypoint
is an explicit mean of others (:data:`DERIVED`, and what a skeleton itself adds). What cannot be
derived is an error that names the missing keypoints, never a guess.

A user's own skeleton is a file (:mod:`fidgety.skeleton_file`); functions take such skeletons as
an argument, and a pose carries its own. There is no list to register in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Reason

Weights = dict[str, float]


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
        Keypoints that a pose in this skeleton gives beyond its own: each a weighted mean of
        others. They come before the general :data:`DERIVED`.
    angles
        Name of a joint's angle to the three keypoints that make it: from, at, to.
    parents
        Kinematic tree: a keypoint to the one that carries it. The one without a parent is the
        root. Nodes that are no keypoints (the pelvis of COCO) are derived.
    aliases
        What trackers call the keypoints, to the name here; in the form of :func:`plain_name`.
    title
        Name for people.
    """

    name: str
    keypoints: tuple[str, ...]
    bones: tuple[tuple[str, str], ...]
    derived: dict[str, Weights] = field(default_factory=dict)
    angles: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    title: str = ""

    def index(self, keypoint: str) -> int:
        """Return the position of a keypoint in the arrays."""
        return self.keypoints.index(keypoint)

    @property
    def mirror(self) -> tuple[int, ...]:
        """For each keypoint the index of its partner on the other side (itself if central)."""
        place = {k: i for i, k in enumerate(self.keypoints)}
        return tuple(place.get(opposite(k), i) for i, k in enumerate(self.keypoints))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Index pairs (left, right)."""
        return tuple(
            (i, j)
            for i, j in enumerate(self.mirror)
            if side_of(self.keypoints[i]) == "left" and i != j
        )

    @property
    def bone_indices(self) -> NDArray[np.intp]:
        """Bones as an index array of shape (bone, 2)."""
        pairs = [(self.index(a), self.index(b)) for a, b in self.bones]
        return np.array(pairs, dtype=np.intp).reshape(-1, 2)

    @property
    def root(self) -> str | None:
        """Root of the kinematic tree; None where there is no tree."""
        roots = set(self.parents.values()) - set(self.parents)
        return min(roots) if roots else None

    @property
    def tree_order(self) -> tuple[str, ...]:
        """Nodes of the kinematic tree, each one behind its parent; empty where there is none."""
        if self.root is None:
            return ()
        order = [self.root]
        for node in order:
            order += [child for child, parent in self.parents.items() if parent == node]
        return tuple(order)

    def canonical(self, label: str) -> str:
        """Return this skeleton's name for what a tracker calls ``label``.

        Spelling does not matter (``LShoulder``, ``left shoulder``, ``shoulder_l``); what is
        not known comes back in the form of :func:`plain_name`.
        """
        if label in self.keypoints:
            return label
        plain = plain_name(label)
        for name in (plain, _side_first(plain)):
            for found in (name, self.aliases.get(name)):
                if found in self.keypoints:
                    return found
        return plain


def own_or_none(skeleton: Skeleton) -> Skeleton | None:
    """Return a user's skeleton itself, None for one of :data:`SKELETONS`."""
    return None if SKELETONS.get(skeleton.name) == skeleton else skeleton


def as_dict(skeleton: Skeleton) -> dict[str, Any]:
    """Turn a skeleton into plain values: what goes into files and parameters."""
    return asdict(skeleton)


def from_dict(values: Mapping[str, Any]) -> Skeleton:
    """Take a skeleton out of what :func:`as_dict` gave, JSON's lists for tuples too."""
    return Skeleton(
        name=str(values["name"]),
        keypoints=tuple(values["keypoints"]),
        bones=tuple((str(a), str(b)) for a, b in values["bones"]),
        derived={k: dict(v) for k, v in values.get("derived", {}).items()},
        angles={k: (str(a), str(b), str(c)) for k, (a, b, c) in values.get("angles", {}).items()},
        parents=dict(values.get("parents", {})),
        aliases=dict(values.get("aliases", {})),
        title=str(values.get("title", "")),
    )


def side_of(keypoint: str) -> str:
    """Return ``"left"``, ``"right"``, or an empty string for a central keypoint."""
    for side in ("left", "right"):
        if keypoint.startswith(f"{side}_") or keypoint.endswith(f"_{side}"):
            return side
    return ""


def opposite(keypoint: str) -> str:
    """Return a keypoint's name on the other side of the body.

    The side stands in front (``left_wrist``), or behind (BlazePose's ``mouth_left``).
    """
    for side, other in (("left", "right"), ("right", "left")):
        if keypoint.startswith(f"{side}_"):
            return f"{other}_{keypoint.removeprefix(f'{side}_')}"
        if keypoint.endswith(f"_{side}"):
            return f"{keypoint.removesuffix(f'_{side}')}_{other}"
    return keypoint


def plain_name(label: str) -> str:
    """Bring a label to the form of names here: small letters, digits and ``_``.

    ``l`` and ``r`` as a part of their own become ``left`` and ``right``.

    Examples
    --------
    >>> plain_name("LBigToe"), plain_name("Right Wrist"), plain_name("hip-R")
    ('left_big_toe', 'right_wrist', 'hip_right')
    """
    text = re.sub(r"^([LR])(?=[A-Z][a-z])", r"\1_", label.strip())
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    parts = [part for part in re.split(r"[^a-z0-9]+", text) if part]
    sides = {"l": "left", "r": "right"}
    for end in (0, -1):
        if len(parts) > 1 and parts[end] in sides:
            parts[end] = sides[parts[end]]
            break
    return "_".join(parts)


def _side_first(name: str) -> str:
    """Move a side from behind to the front."""
    side = side_of(name)
    return f"{side}_{name.removesuffix(f'_{side}')}" if side and name.endswith(side) else name


#: Means that give central and distal keypoints where a source does not carry them; the first
#: that can be had is taken. The weights of spine, neck and head follow the usual Human3.6M
#: conventions: spine halfway between pelvis and thorax. BlazePose's ``foot_index`` is the tip of
#: the foot at the big toe.
DERIVED: dict[str, tuple[Weights, ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5}, {"mid_hip": 1.0}),
    "mid_hip": ({"pelvis": 1.0},),
    "thorax": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.5, "thorax": 0.5},),
    "neck": ({"thorax": 0.5, "nose": 0.5}, {"thorax": 0.5, "head": 0.5}),
    "head": (
        {"left_ear": 0.5, "right_ear": 0.5},
        {"left_eye": 0.5, "right_eye": 0.5},
    ),
    "sternum": ({"left_shoulder": 0.5, "right_shoulder": 0.5}, {"thorax": 1.0}),
    **{
        f"{side}_{part}": tuple({f"{side}_{k}": w for k, w in way.items()} for way in ways)
        for side in ("left", "right")
        for part, ways in {
            "hand": ({"index": 0.5, "pinky": 0.5}, {"index": 1.0}),
            "foot": ({"foot_index": 1.0}, {"big_toe": 1.0}),
            "foot_index": ({"big_toe": 1.0},),
            "big_toe": ({"foot_index": 1.0},),
        }.items()
    },
}

#: The joint angles of Kaur 2025 (section 3.1: shoulders, elbows, wrists, hips, knees and ankles of
#: both sides; the paper leaves the vectors open): joint to its two neighbours of the same side.
JOINTS: dict[str, tuple[str, str]] = {
    "shoulder": ("hip", "elbow"),
    "elbow": ("shoulder", "wrist"),
    "wrist": ("elbow", "hand"),
    "hip": ("shoulder", "knee"),
    "knee": ("hip", "ankle"),
    "ankle": ("knee", "foot"),
}

#: What carries a keypoint: the first of these that a skeleton has. Pelvis and thorax exist in
#: every skeleton that has hips and shoulders.
CARRIERS: dict[str, tuple[str, ...]] = {
    "spine": ("pelvis",),
    "spine1": ("pelvis",),
    "spine2": ("spine1",),
    "spine3": ("spine2",),
    "thorax": ("spine", "pelvis"),
    "sternum": ("thorax",),
    "collar": ("spine3",),
    "neck": ("spine3", "thorax"),
    "head": ("neck", "thorax"),
    "crown": ("head", "neck", "thorax"),
    "nose": ("head", "neck", "thorax"),
    "mouth": ("nose",),
    "eye": ("nose",),
    "eye_inner": ("eye",),
    "eye_outer": ("eye",),
    "ear": ("nose", "head"),
    "shoulder": ("collar", "thorax"),
    "elbow": ("shoulder",),
    "wrist": ("elbow",),
    "hip": ("pelvis",),
    "knee": ("hip",),
    "ankle": ("knee",),
    **dict.fromkeys(("hand", "index", "pinky", "thumb"), ("wrist",)),
    **dict.fromkeys(("foot", "heel", "foot_index", "big_toe", "small_toe"), ("ankle",)),
}


def _plain(keypoint: str) -> str:
    """Return a keypoint's name without its side."""
    side = side_of(keypoint)
    return keypoint.removeprefix(f"{side}_").removesuffix(f"_{side}") if side else keypoint


def joint_angles(
    keypoints: Sequence[str], derived: Mapping[str, Weights] | None = None
) -> dict[str, tuple[str, str, str]]:
    """Return those of the twelve joint angles whose keypoints exist or can be derived."""
    triples = {
        f"{side}_{joint}": (f"{side}_{a}", f"{side}_{joint}", f"{side}_{b}")
        for joint, (a, b) in JOINTS.items()
        for side in ("left", "right")
    }
    source = Skeleton("", tuple(keypoints), (), dict(derived or {}))
    return {
        name: triple for name, triple in triples.items() if not conversion_matrix(source, triple)[1]
    }


def kinematic_tree(keypoints: Sequence[str]) -> dict[str, str]:
    """Return what carries each keypoint, by :data:`CARRIERS`; the root is the pelvis.

    Raises
    ------
    ValueError
        For a keypoint of which it is not known what carries it.
    """
    parents: dict[str, str] = {}
    todo = [k for k in keypoints if k != "pelvis"]
    for node in todo:
        side = side_of(node)
        ways = CARRIERS.get(_plain(node), ())
        for way in ways:
            sided = next((k for k in (way, f"{side}_{way}") if k in keypoints), None)
            # A thorax that is not among the keypoints is derived, and has a parent as well.
            found = sided or (way if way in ("pelvis", "thorax") else None)
            if found is not None:
                parents[node] = found
                if found not in ("pelvis", *todo):
                    todo.append(found)
                break
        else:
            raise ValueError(f"it is not known what carries {node}")
    return parents


def _both(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return bones for both sides; central names stay."""
    central = {"pelvis", "thorax", "spine", "spine3", "neck"}

    def name(keypoint: str, side: str) -> str:
        return keypoint if keypoint in central else f"{side}_{keypoint}"

    return tuple((name(a, s), name(b, s)) for s in ("left", "right") for a, b in pairs)


def _sides(*parts: str) -> tuple[str, ...]:
    """Return left and right of each part, one after the other."""
    return tuple(f"{side}_{part}" for part in parts for side in ("left", "right"))


def _skeleton(
    name: str,
    title: str,
    keypoints: tuple[str, ...],
    bones: tuple[tuple[str, str], ...],
    aliases: dict[str, str] | None = None,
) -> Skeleton:
    """Make a skeleton of known keypoints: its angles and its tree follow from the names."""
    return Skeleton(
        name,
        keypoints,
        bones,
        angles=joint_angles(keypoints),
        parents=kinematic_tree(keypoints),
        aliases=aliases or {},
        title=title,
    )


_ARM = (("shoulder", "elbow"), ("elbow", "wrist"))
_LEG = (("hip", "knee"), ("knee", "ankle"))
_GIRDLES = (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"))


def _make() -> tuple[Skeleton, ...]:
    blazepose = _skeleton(
        "blazepose33",
        "BlazePose-33",
        (
            "nose",
            *(f"{s}_{k}" for s in ("left", "right") for k in ("eye_inner", "eye", "eye_outer")),
            *_sides("ear"),
            "mouth_left",
            "mouth_right",
            *_sides("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
            *_sides("hip", "knee", "ankle", "heel", "foot_index"),
        ),
        (
            *_both(*_ARM, ("wrist", "index"), ("shoulder", "hip"), *_LEG, ("ankle", "heel")),
            ("left_ankle", "left_foot_index"),
            ("right_ankle", "right_foot_index"),
            *_GIRDLES,
            ("left_ear", "right_ear"),
        ),
        {"left_mouth": "mouth_left", "right_mouth": "mouth_right"},
    )
    coco = _skeleton(
        "coco17",
        "COCO-17",
        (
            "nose",
            *_sides("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
        ),
        (*_both(*_ARM, ("shoulder", "hip"), *_LEG), *_GIRDLES),
    )
    human36m = _skeleton(
        "human36m17",
        "Human3.6M-17",
        (
            "pelvis",
            *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
            *("spine", "thorax", "neck", "head"),
            *("left_shoulder", "left_elbow", "left_wrist"),
            *("right_shoulder", "right_elbow", "right_wrist"),
        ),
        (
            *_both(("pelvis", "hip"), *_LEG, ("thorax", "shoulder"), *_ARM),
            ("pelvis", "spine"),
            ("spine", "thorax"),
            ("thorax", "neck"),
            ("neck", "head"),
        ),
        {"root": "pelvis", "hip": "pelvis", "neck_base": "neck", "neck_nose": "neck"}
        | {f"{s}_foot": f"{s}_ankle" for s in ("left", "right")},
    )
    body = _skeleton(
        "body21",
        "Body-21",
        (*human36m.keypoints, "left_hand", "right_hand", "left_foot", "right_foot"),
        (*human36m.bones, *_both(("wrist", "hand"), ("ankle", "foot"))),
    )
    openpose_arms = (
        *("right_shoulder", "right_elbow", "right_wrist"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    )
    openpose_legs = (
        *("right_hip", "right_knee", "right_ankle"),
        *("left_hip", "left_knee", "left_ankle"),
    )
    openpose_head = ("right_eye", "left_eye", "right_ear", "left_ear")
    openpose18 = _skeleton(
        "openpose18",
        "OpenPose-18 (COCO)",
        ("nose", "thorax", *openpose_arms, *openpose_legs, *openpose_head),
        (*_both(("thorax", "shoulder"), *_ARM, ("shoulder", "hip"), *_LEG), _GIRDLES[1]),
        {"neck": "thorax"},
    )
    openpose25 = _skeleton(
        "openpose25",
        "OpenPose-25 (BODY_25)",
        (
            *("nose", "thorax", *openpose_arms, "pelvis", *openpose_legs, *openpose_head),
            *("left_big_toe", "left_small_toe", "left_heel"),
            *("right_big_toe", "right_small_toe", "right_heel"),
        ),
        (
            *_both(("thorax", "shoulder"), *_ARM, ("pelvis", "hip"), *_LEG),
            *_both(("ankle", "heel"), ("ankle", "big_toe"), ("big_toe", "small_toe")),
            ("thorax", "pelvis"),
        ),
        {"neck": "thorax", "mid_hip": "pelvis", "midhip": "pelvis"},
    )
    kaur = _skeleton(
        "kaur24",
        "Kaur-24",
        (
            "nose",
            "sternum",
            *_sides("eye", "ear", "shoulder", "elbow", "wrist", "hand"),
            *_sides("hip", "knee", "ankle", "heel", "foot"),
        ),
        (
            *_both(*_ARM, ("wrist", "hand"), ("shoulder", "hip"), *_LEG),
            *_both(("ankle", "heel"), ("ankle", "foot")),
            *(("sternum", f"{s}_shoulder") for s in ("left", "right")),
            *_GIRDLES,
        ),
    )
    halpe = _skeleton(
        "halpe26",
        "Halpe-26",
        (
            *coco.keypoints,
            *("crown", "neck", "pelvis"),
            *_sides("big_toe", "small_toe", "heel"),
        ),
        (
            *_both(("pelvis", "hip"), *_LEG, *_ARM, ("shoulder", "hip")),
            *_both(("ankle", "heel"), ("ankle", "big_toe"), ("big_toe", "small_toe")),
            _GIRDLES[0],
        ),
        {"head": "crown", "hip": "pelvis", "mid_hip": "pelvis"},
    )
    smpl = _skeleton(
        "smpl24",
        "SMPL-24",
        (
            "pelvis",
            *_sides("hip"),
            "spine1",
            *_sides("knee"),
            "spine2",
            *_sides("ankle"),
            "spine3",
            *_sides("foot"),
            "neck",
            *_sides("collar"),
            "head",
            *_sides("shoulder", "elbow", "wrist", "hand"),
        ),
        (
            *_both(("pelvis", "hip"), *_LEG, ("ankle", "foot")),
            *_both(("spine3", "collar"), ("collar", "shoulder"), *_ARM, ("wrist", "hand")),
            ("pelvis", "spine1"),
            ("spine1", "spine2"),
            ("spine2", "spine3"),
            ("spine3", "neck"),
            ("neck", "head"),
        ),
    )
    return blazepose, coco, human36m, body, openpose18, openpose25, kaur, halpe, smpl


Names = Sequence[str] | Skeleton


def names_of(names: Names) -> tuple[str, ...]:
    """Return the keypoints' names of a skeleton, or the names themselves."""
    return names.keypoints if isinstance(names, Skeleton) else tuple(names)


def conversion_matrix(source: Names, target: Names) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Weights that give the target's keypoints from the source's.

    Parameters
    ----------
    source, target
        Keypoint names, or a skeleton. What a source skeleton derives in its own way comes
        before the general :data:`DERIVED`.

    Returns
    -------
    weights : ndarray of shape (target keypoint, source keypoint)
        Rows sum to 1; rows of keypoints that cannot be had are zero.
    missing : tuple of str
        Target keypoints that cannot be had from the source.
    """
    given, wanted = names_of(source), names_of(target)
    own = source.derived if isinstance(source, Skeleton) else {}
    known: dict[str, NDArray[np.float64]] = dict(zip(given, np.eye(len(given)), strict=True))

    def find(name: str, asked: frozenset[str] = frozenset()) -> NDArray[np.float64] | None:
        if name in known:
            return known[name]
        if name in asked:
            return None
        for recipe in (*((own[name],) if name in own else ()), *DERIVED.get(name, ())):
            parts = {k: find(k, asked | {name}) for k in recipe}
            if all(part is not None for part in parts.values()):
                row = sum(
                    (recipe[k] * part for k, part in parts.items() if part is not None),
                    np.zeros(len(given)),
                )
                known[name] = row
                return row
        return None

    rows = [find(name) for name in wanted]
    missing = tuple(name for name, row in zip(wanted, rows, strict=True) if row is None)
    weights = np.array([np.zeros(len(given)) if row is None else row for row in rows])
    return weights.reshape(len(wanted), len(given)), missing


def convert(position: NDArray[np.floating], source: Names, target: Skeleton) -> NDArray[np.float64]:
    """Express positions in another skeleton.

    Parameters
    ----------
    position : ndarray of shape (frame, space, keypoint)
        Missing values are NaN; a derived keypoint is missing where a part of it is.
    source
        Keypoint names of ``position``, or its skeleton.
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


#: Known skeletons. 2D features are computed on body21, Human3.6M-17 with hands and feet, so that
#: all twelve joint angles of Kaur 2025, wrists and ankles among them, exist. Of Kaur's own 24
#: landmarks the paper gives the number, the sternum and the joints with angles. Here nose, eyes,
#: ears, hands, heels and feet complete them; who has the list writes it as a file.
(
    BLAZEPOSE_33,
    COCO_17,
    HUMAN36M_17,
    BODY_21,
    OPENPOSE_18,
    OPENPOSE_25,
    KAUR_24,
    HALPE_26,
    SMPL_24,
) = _make()

SKELETONS: dict[str, Skeleton] = {
    s.name: s
    for s in (
        BLAZEPOSE_33,
        COCO_17,
        HUMAN36M_17,
        BODY_21,
        OPENPOSE_18,
        OPENPOSE_25,
        KAUR_24,
        HALPE_26,
        SMPL_24,
    )
}


def match(labels: Sequence[str], own: Iterable[Skeleton] = ()) -> tuple[Skeleton, tuple[int, ...]]:
    """Find the skeleton that a file's labels form, and how to bring them to its order.

    Parameters
    ----------
    labels
        As the file has them, in any order and spelling (:meth:`Skeleton.canonical`).
    own
        The user's skeletons; they are tried first.

    Returns
    -------
    skeleton
    order
        For each of the skeleton's keypoints its place among the labels.

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch`` if no skeleton has all of these keypoints and no other; the
        closest is named, with what differs.
    """
    closest: tuple[int, Skeleton, list[str]] | None = None
    for skeleton in (*own, *SKELETONS.values()):
        found = [skeleton.canonical(label) for label in labels]
        differ = len(set(found) ^ set(skeleton.keypoints)) + len(found) - len(set(found))
        if differ == 0:
            return skeleton, tuple(found.index(keypoint) for keypoint in skeleton.keypoints)
        if closest is None or differ < closest[0]:
            closest = differ, skeleton, found
    assert closest is not None
    _, skeleton, found = closest
    missing = sorted(set(skeleton.keypoints) - set(found))
    extra = sorted(set(found) - set(skeleton.keypoints))
    twice = sorted({name for name in found if found.count(name) > 1})
    raise NotAssessable(
        Reason.SKELETON_MISMATCH,
        f"closest is {skeleton.name}; missing: {', '.join(missing) or 'none'}; "
        f"unknown: {', '.join(extra) or 'none'}"
        + (f"; named twice: {', '.join(twice)}" if twice else ""),
    )


def identify(keypoints: Sequence[str], own: Iterable[Skeleton] = ()) -> Skeleton:
    """Find the skeleton that a file's keypoints form, in any order; see :func:`match`.

    Raises
    ------
    NotAssessable
        With ``skeleton_mismatch`` if none has all of these names.
    """
    return match(keypoints, own)[0]
