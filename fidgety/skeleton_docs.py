"""Pictures and lists of the known skeletons: ``python -m fidgety.skeleton_docs`` writes them.

- ``docs/images/skeleton-{name}.svg``: each skeleton on one template pose;
- the marked part of ``docs/skeletons.md``: keypoints in order, angles, and what converts to what.

``--check`` writes nothing and ends with an error if a page is not what it would write.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path

import numpy as np

from fidgety.skeletons import SKELETONS, Skeleton, conversion_matrix, opposite, side_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "skeletons.md"
BEGIN, END = "<!-- skeletons: begin -->", "<!-- skeletons: end -->"
WIDTH, HEIGHT = 220, 260
#: Colours of left, right and centre, as in the overlay videos.
COLOURS = {"left": "#56b4e9", "right": "#e69f00", "": "#444444"}

#: An infant on its back, seen from above with the head up: the infant's left is on the picture's
#: right. Left and central keypoints; the right ones are their mirror images.
TEMPLATE: dict[str, tuple[float, float]] = {
    "crown": (110, 18),
    "head": (110, 48),
    "nose": (110, 55),
    "left_eye_inner": (115, 47),
    "left_eye": (120, 46),
    "left_eye_outer": (125, 47),
    "left_ear": (134, 54),
    "mouth_left": (117, 66),
    "neck": (110, 76),
    "thorax": (110, 96),
    "sternum": (110, 104),
    "spine3": (110, 106),
    "spine": (110, 130),
    "spine2": (110, 122),
    "spine1": (110, 140),
    "pelvis": (110, 162),
    "left_collar": (121, 92),
    "left_shoulder": (136, 96),
    "left_elbow": (160, 122),
    "left_wrist": (170, 92),
    "left_hand": (173, 76),
    "left_index": (170, 72),
    "left_pinky": (179, 78),
    "left_thumb": (161, 80),
    "left_hip": (124, 162),
    "left_knee": (156, 194),
    "left_ankle": (136, 226),
    "left_heel": (128, 233),
    "left_foot": (144, 246),
    "left_foot_index": (144, 246),
    "left_big_toe": (142, 247),
    "left_small_toe": (152, 243),
}


def template_pose() -> dict[str, tuple[float, float]]:
    """Return the place of every known keypoint in the picture, right ones too."""
    mirrored = {opposite(k): (WIDTH - x, y) for k, (x, y) in TEMPLATE.items() if side_of(k)}
    return TEMPLATE | mirrored


def draw(skeleton: Skeleton, pose: Mapping[str, tuple[float, float]] | None = None) -> str:
    """Draw a skeleton as SVG: bones, keypoints with their numbers, nodes of the tree alone.

    Parameters
    ----------
    skeleton
        Its keypoints are in the pose, or follow from others that are.
    pose
        Places by name; the template where it is None.
    """
    places = dict(template_pose() if pose is None else pose)
    extra = sorted(set(skeleton.tree_order) - set(skeleton.keypoints))
    weights, _ = conversion_matrix(tuple(places), (*skeleton.keypoints, *extra))
    at = weights @ np.array(list(places.values()), dtype=np.float64)
    place = dict(zip((*skeleton.keypoints, *extra), at.round(1).tolist(), strict=True))
    label = escape(skeleton.title or skeleton.name)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{label}">',
        f"<title>{label}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for a, b in skeleton.bones:
        sides = {side_of(a), side_of(b)}
        colour = COLOURS[sides.pop()] if len(sides) == 1 else COLOURS[""]
        (x1, y1), (x2, y2) = place[a], place[b]
        lines.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" '
            'stroke-width="2"/>'
        )
    for name in extra:
        x, y = place[name]
        lines.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="3" fill="none" stroke="{COLOURS[""]}" '
            f'stroke-dasharray="1.5 1.5"><title>{escape(name)}, derived</title></circle>'
        )
    for number, name in enumerate(skeleton.keypoints):
        x, y = place[name]
        right = side_of(name) == "right"
        lines.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="2.5" fill="{COLOURS[side_of(name)]}">'
            f"<title>{number} {escape(name)}</title></circle>"
            f'<text x="{x - 3 if right else x + 3:g}" y="{y - 2.5:g}" font-size="6.5" '
            f'text-anchor="{"end" if right else "start"}" font-family="sans-serif" '
            f'fill="#222222">{number}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def section(skeleton: Skeleton) -> str:
    """Describe a skeleton for the page."""
    names = ", ".join(f"{i} `{k}`" for i, k in enumerate(skeleton.keypoints))
    text = [
        f"### {skeleton.title}: `{skeleton.name}`",
        "",
        f"![{skeleton.title}](images/skeleton-{skeleton.name}.svg)",
        "",
        f"{names}.",
        "",
        f"Joint angles: {len(skeleton.angles)} ({', '.join(skeleton.angles)}).",
    ]
    if skeleton.aliases:
        pairs = ", ".join(f"`{label}` is `{name}`" for label, name in skeleton.aliases.items())
        text += ["", f"Other names: {pairs}."]
    lacks = {
        other.title: conversion_matrix(skeleton, other)[1]
        for other in (SKELETONS["human36m17"], SKELETONS["body21"])
    }
    gives = [title for title, missing in lacks.items() if not missing]
    lacking = [
        f"{title} lacks {', '.join(f'`{k}`' for k in missing)}"
        for title, missing in lacks.items()
        if missing
    ]
    text += ["", "; ".join([*([f"Gives {' and '.join(gives)}"] if gives else []), *lacking]) + "."]
    return "\n".join(text)


def pages() -> dict[Path, str]:
    """Return every file that is made, with its content."""
    out = {
        ROOT / "docs" / "images" / f"skeleton-{skeleton.name}.svg": draw(skeleton)
        for skeleton in SKELETONS.values()
    }
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} has no part between {BEGIN} and {END}")
    sections = "\n\n".join(section(skeleton) for skeleton in SKELETONS.values())
    out[PAGE] = f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}"
    return out


def main() -> int:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    wrong = []
    for path, text in pages().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        wrong.append(str(path.relative_to(ROOT)))
        if not check:
            path.write_text(text, encoding="utf-8")
    for name in wrong:
        print(f"{'differs' if check else 'wrote'}: {name}")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
