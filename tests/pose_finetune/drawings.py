"""Stick figures on noise: labelled pictures that cost nothing, for what needs no likeness."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fidgety.pose.finetune.labels import LabelledFrame, Labels, frame_name
from fidgety.skeletons import COCO_17

SIZE = 160
#: A person standing, head up, in shares of the picture.
POSTURE = {
    "nose": (0.5, 0.2),
    "eye": (0.53, 0.18),
    "ear": (0.56, 0.2),
    "shoulder": (0.6, 0.32),
    "elbow": (0.72, 0.42),
    "wrist": (0.75, 0.55),
    "hip": (0.56, 0.58),
    "knee": (0.64, 0.72),
    "ankle": (0.6, 0.86),
}


def figure(turn_deg: float, rng: np.random.Generator) -> np.ndarray:
    """Return keypoints (keypoint, 2) of a figure that is turned clockwise."""
    points = np.empty((len(COCO_17.keypoints), 2))
    for k, name in enumerate(COCO_17.keypoints):
        side, _, part = name.rpartition("_")
        x, y = POSTURE[part or name]
        points[k] = (x if side != "right" else 1.0 - x, y)
    points = points - 0.5 + rng.normal(0, 0.015, points.shape)
    a = np.deg2rad(turn_deg)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return np.asarray((0.8 * points @ turn.T + 0.5) * SIZE)


def draw(
    folder: Path, infants: int = 4, frames: int = 2, seed: int = 0
) -> tuple[Labels, dict[str, Path]]:
    """Draw figures and label them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    labelled, pictures = [], {}
    for infant in range(infants):
        for k in range(frames):
            points = figure(float(rng.uniform(0, 360)), rng)
            picture = rng.integers(0, 60, (SIZE, SIZE, 3), dtype=np.uint8)
            for a, b in COCO_17.bone_indices:
                ends = [tuple(int(v) for v in points[i]) for i in (a, b)]
                cv2.line(picture, ends[0], ends[1], (220, 200, 180), 4)
            file = frame_name(f"rec-{infant}", k)
            cv2.imwrite(str(folder / file), picture)
            pictures[file] = folder / file
            labelled.append(
                LabelledFrame(
                    file, SIZE, SIZE, points, np.full(len(points), 2), None,
                    f"rec-{infant}", f"inf-{infant}", k,
                )
            )  # fmt: skip
    return Labels(COCO_17.keypoints, tuple(labelled), COCO_17.bones), pictures
