"""A user's own skeleton: a YAML file, read and checked (docs/skeletons.md).

The file of a lab that marks its own points::

    name: marks16
    keypoints: [forehead, left_shoulder, right_shoulder, ...]
    bones:
      - [left_shoulder, left_elbow]
    derived:                    # what a pose gives beyond its keypoints
      nose: [forehead]          # equal weights
      pelvis: {left_hip: 0.5, right_hip: 0.5}
    angles:
      left_wrist: [left_elbow, left_wrist, left_knuckle]
    parents:                    # kinematic tree: which keypoint carries which
      left_elbow: left_shoulder
    aliases:                    # what the tracker's files call them
      Snout: nose

Only ``name``, ``keypoints`` and ``bones`` must be there.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from fidgety.config.base import Section
from fidgety.errors import ConfigError
from fidgety.registry import nearest
from fidgety.skeletons import (
    SKELETONS,
    Skeleton,
    conversion_matrix,
    joint_angles,
    kinematic_tree,
    opposite,
    plain_name,
)

NAME = re.compile(r"[a-z][a-z0-9_-]*")


def _weights(value: Any) -> Any:
    """Turn a list of keypoints into equal weights."""
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return {name: count / len(value) for name, count in Counter(value).items()}
    return value


Recipe = Annotated[dict[str, float], Field(min_length=1), BeforeValidator(_weights)]


class SkeletonFile(Section):
    """What a skeleton's YAML file holds."""

    name: str
    """Short name, unlike those of the skeletons that are known already."""
    title: str = ""
    """Name for people."""
    keypoints: list[str] = Field(min_length=1)
    """In small letters, ``left_`` and ``right_`` in front; a name that other skeletons have
    means the same place."""
    bones: list[tuple[str, str]]
    """Pairs of keypoints that a rigid segment joins."""
    derived: dict[str, Recipe] = Field(default_factory=dict)
    """Keypoints that follow from these: a list to take the mean of, or weights that sum to 1."""
    angles: dict[str, tuple[str, str, str]] = Field(default_factory=dict)
    """Joint angles: from, at, to. Those of the twelve usual ones that can be had come by
    themselves."""
    parents: dict[str, str] = Field(default_factory=dict)
    """Kinematic tree: a keypoint to the one that carries it."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """What a tracker calls a keypoint, to its name here."""


def _unknown(name: str, known: Sequence[str]) -> str:
    return f"{name!r} is no keypoint of this skeleton.{nearest(name, list(known))}"


def _loop(steps: Mapping[str, Sequence[str]]) -> list[str]:
    """Return names that lead back to their beginning; nothing if none do."""
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for other in steps.get(name, ()):
            found = walk(other, [*trail, name])
            if found:
                return found
        done.add(name)
        return []

    for name in steps:
        found = walk(name, [])
        if found:
            return found
    return []


def _check_keypoints(file: SkeletonFile) -> list[str]:
    findings = []
    if not NAME.fullmatch(file.name):
        findings.append(
            f"name: {file.name!r} must be of small letters, digits, '-' and '_', a letter first."
        )
    if file.name in SKELETONS:
        findings.append(f"name: {file.name!r} is a skeleton that is known already; choose another.")
    for name, count in Counter(file.keypoints).items():
        if count > 1:
            findings.append(f"keypoints: {name!r} stands there {count} times.")
        plain = plain_name(name)
        if plain != name:
            findings.append(f"keypoints: write {name!r} as {plain or 'a name of letters'!r}.")
        if opposite(name) not in file.keypoints:
            findings.append(
                f"keypoints: {name!r} has no {opposite(name)!r}; add it, or rename what has no "
                "other side."
            )
    return findings


def _check_bones(file: SkeletonFile) -> list[str]:
    findings = []
    seen: set[frozenset[str]] = set()
    for number, bone in enumerate(file.bones, 1):
        place = f"bones, number {number} [{', '.join(bone)}]"
        findings += [
            f"{place}: {_unknown(k, file.keypoints)}" for k in bone if k not in file.keypoints
        ]
        if bone[0] == bone[1]:
            findings.append(f"{place}: joins a keypoint to itself.")
        elif frozenset(bone) in seen:
            findings.append(f"{place}: stands there twice.")
        seen.add(frozenset(bone))
    return findings


def _check_derived(file: SkeletonFile) -> list[str]:
    findings = []
    known = [*file.keypoints, *file.derived]
    for name, recipe in file.derived.items():
        place = f"derived.{name}"
        if name in file.keypoints:
            findings.append(f"{place}: is a keypoint itself.")
        if plain_name(name) != name:
            findings.append(f"{place}: write it as {plain_name(name)!r}.")
        if opposite(name) not in known:
            findings.append(f"{place}: has no {opposite(name)!r}; add it as well.")
        findings += [f"{place}: {_unknown(k, known)}" for k in recipe if k not in known]
        total = sum(recipe.values())
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            findings.append(f"{place}: the weights sum to {total:g}; they must sum to 1.")
    loop = _loop({name: list(recipe) for name, recipe in file.derived.items()})
    if loop:
        findings.append(f"derived: goes round in a circle: {' from '.join(loop)}.")
    return findings


def _check_angles(file: SkeletonFile, source: Skeleton) -> list[str]:
    findings = []
    for name, triple in file.angles.items():
        missing = conversion_matrix(source, triple)[1]
        findings += [f"angles.{name}: {_unknown(k, file.keypoints)}" for k in missing]
        if len(set(triple)) < 3:
            findings.append(f"angles.{name}: needs three different keypoints: from, at, to.")
    return findings


def _check_parents(file: SkeletonFile, source: Skeleton) -> list[str]:
    if not file.parents:
        return []
    nodes = sorted({*file.parents, *file.parents.values()})
    findings = [
        f"parents: {_unknown(k, file.keypoints)}" for k in conversion_matrix(source, nodes)[1]
    ]
    loop = _loop({child: [parent] for child, parent in file.parents.items()})
    if loop:
        findings.append(f"parents: goes round in a circle: {' under '.join(loop)}.")
        return findings
    roots = sorted(set(nodes) - set(file.parents))
    if len(roots) > 1:
        findings.append(
            f"parents: has {len(roots)} roots ({', '.join(roots)}); all but one need a parent."
        )
    outside = [k for k in file.keypoints if k not in nodes]
    if outside:
        findings.append(f"parents: {', '.join(outside)} are not in the tree.")
    return findings


def _check_aliases(file: SkeletonFile) -> list[str]:
    findings = []
    for label, name in file.aliases.items():
        if name not in file.keypoints:
            findings.append(f"aliases.{label}: {_unknown(name, file.keypoints)}")
        if plain_name(label) in file.keypoints and plain_name(label) != name:
            findings.append(f"aliases.{label}: is the name of another keypoint.")
    return findings


def make_skeleton(file: SkeletonFile) -> Skeleton:
    """Check what the fields say about each other, and make the skeleton.

    Raises
    ------
    ConfigError
        With one line a finding.
    """
    findings = [*_check_keypoints(file), *_check_bones(file), *_check_derived(file)]
    keypoints, derived = tuple(file.keypoints), {k: dict(v) for k, v in file.derived.items()}
    source = Skeleton(file.name, keypoints, (), derived)
    if not findings:  # what follows from names needs sound names
        findings = [
            *_check_angles(file, source),
            *_check_parents(file, source),
            *_check_aliases(file),
        ]
    if findings:
        raise ConfigError("\n".join(findings))
    return Skeleton(
        file.name,
        keypoints,
        tuple(file.bones),
        derived,
        angles=joint_angles(keypoints, derived) | dict(file.angles),
        parents=dict(file.parents) or _usual_tree(source),
        aliases={plain_name(label): name for label, name in file.aliases.items()},
        title=file.title or file.name,
    )


def _usual_tree(source: Skeleton) -> dict[str, str]:
    """Return the usual tree where every keypoint has a usual place in it."""
    try:
        tree = kinematic_tree(source.keypoints)
    except ValueError:
        return {}
    nodes = sorted({*tree, *tree.values()})
    return {} if conversion_matrix(source, nodes)[1] else tree


def load_skeleton(path: Path, name: str | None = None) -> Skeleton:
    """Read a skeleton's file.

    Parameters
    ----------
    path
        YAML file.
    name
        What to call the file in messages.

    Raises
    ------
    ConfigError
        If it cannot be read, or with one line a finding: file, key, value, remedy.
    """
    name = name or str(path)
    # A device or a pipe may have no end, or make who reads it wait for ever.
    if path.exists() and not path.is_file():
        raise ConfigError(f"{name}: cannot be read: it is no file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}.") from None
    # A number of thousands of digits is a ValueError, too.
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(f"{name}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: must have keys (name, keypoints, bones), found {values!r}.")
    try:
        return make_skeleton(SkeletonFile.model_validate(values))
    except ValidationError as error:
        lines = [_describe(finding) for finding in error.errors()]
    except ConfigError as error:
        lines = str(error).splitlines()
    raise ConfigError("\n".join(f"{name}: {line}" for line in lines))


def _describe(finding: Any) -> str:
    place = ".".join(str(part) for part in finding["loc"])
    if finding["type"] == "extra_forbidden":
        known = list(SkeletonFile.model_fields)
        return f"{place}: no such key." + (
            nearest(place, known) or f" Known keys: {', '.join(known)}."
        )
    if finding["type"] == "missing":
        return f"{place}: is missing."
    return f"{place}: {finding['msg']} (found {finding['input']!r})."


def load_skeletons(paths: Sequence[str], base: Path) -> tuple[Skeleton, ...]:
    """Read the user's skeletons (``pose.skeletons``).

    Parameters
    ----------
    paths
        As configured; relative ones start from ``base``, ``~`` is the home folder.
    base
        The working directory.

    Raises
    ------
    ConfigError
        With all files' findings; also if two have one name or the same keypoints.
    """
    findings: list[str] = []
    found: dict[str, Skeleton] = {}
    for path in paths:
        try:
            skeleton = load_skeleton(base / Path(path).expanduser(), f"pose.skeletons: {path}")
        except ConfigError as error:
            findings += str(error).splitlines()
            continue
        for other_path, other in found.items():
            if skeleton.name == other.name:
                findings.append(
                    f"pose.skeletons: {path} and {other_path} have one name, {other.name!r}."
                )
            elif set(skeleton.keypoints) == set(other.keypoints):
                findings.append(
                    f"pose.skeletons: {path} and {other_path} have the same keypoints, so no track "
                    "can tell which is meant. Keep one."
                )
        found[path] = skeleton
    if findings:
        raise ConfigError("\n".join(findings))
    return tuple(found.values())
