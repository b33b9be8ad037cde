"""A synthetic cohort: feature files of infants with or without small fast movements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from fidgety.features.store import Features, FeatureSet, coordinate_names, write_features
from fidgety.skeletons import BODY_21, HUMAN36M_17
from fidgety.storage import Provenance

ANGLES = tuple(
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)


def smooth_noise(rng, frames, width, scale):
    """Slow movement: noise of a second's grain."""
    knots = rng.normal(size=(frames // 25 + 2, width)) * scale
    grid = np.linspace(0, len(knots) - 1, frames)
    low = np.floor(grid).astype(int).clip(0, len(knots) - 2)
    w = (grid - low)[:, None]
    return knots[low] * (1 - w) + knots[low + 1] * w


def movement(rng, fidgety, duration_s, fps, width):
    """Posture, gross movement and, if fidgety, small circles at 1 to 2 Hz."""
    frames = int(duration_s * fps)
    t = np.arange(frames) / fps
    out = rng.normal(size=width) + smooth_noise(rng, frames, width, 0.3)
    if fidgety:
        rate = rng.uniform(1.0, 2.0, size=width)
        out = out + 0.15 * np.sin(2 * np.pi * (rate * t[:, None] + rng.random(width)))
    return out.astype(np.float32)


def write_recording(
    path: Path, fidgety=True, duration_s=30.0, fps=25.0, seed=0, change=None, left_out=()
):
    """Write a features file; ``change`` may edit the arrays by set.

    Joints ``left_out`` have no angles.
    """
    rng = np.random.default_rng(seed)
    names = {
        "coordinates_2d": coordinate_names(BODY_21.keypoints, 2),
        "angles_2d": tuple(a for a in ANGLES if a.partition("_")[2] not in left_out),
        "coordinates_3d": coordinate_names(HUMAN36M_17.keypoints, 3),
    }
    values = {n: movement(rng, fidgety, duration_s, fps, len(c)) for n, c in names.items()}
    if change is not None:
        change(values)
    time_s = np.arange(int(duration_s * fps)) / fps
    sets = {n: FeatureSet(values[n], names[n], time_s, fps, "trunk") for n in names}
    write_features(path, Features(fps, sets, {}), Provenance(path.stem))


def write_cohort(folder: Path, per_class=3, duration_s=24.0, reference=0, fps=25.0):
    """Write features and tables; return (development, reference, features, intervals)."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, features, intervals = [], {}, []
    for role, n in (("development", per_class), ("reference", reference)):
        for k in range(n):
            for label in ("normal", "risk"):
                recording = f"{role[:3]}-{label}-{k}"
                path = folder / f"{recording}.h5"
                seed = 1000 * (role == "reference") + 2 * k + (label == "risk")
                write_recording(path, label == "normal", duration_s, fps, seed)
                features[recording] = path
                rows.append(
                    {
                        "recording": recording,
                        "infant": f"i-{recording}",
                        "cohort": role,
                        "role": role,
                        "label": label if role == "development" else "",
                        "status": "ok",
                        "reason": "",
                    }
                )
                intervals.append(
                    {
                        "recording": recording,
                        "start_s": 0.0,
                        "end_s": duration_s,
                        "movement": "fidgety" if label == "normal" else "other",
                        "rater": "consensus",
                    }
                )
    table = pd.DataFrame(rows)
    by_role = {role: table[table["role"] == role] for role in ("development", "reference")}
    return by_role["development"], by_role["reference"], features, intervals
