"""Cleaning against truth: ``python -m benchmarks.cleaning_accuracy``.

Truth trajectories are corrupted in known ways, cleaned, and compared with the truth. Beside
it stands the plain alternative: linear interpolation over what is missing, without cleaning.

Corruptions: 20 % of the values removed one by one at random ("missing"), 20 % in gaps of up
to 0.5 s ("gaps"; together half of each), 2 % gross outliers ("outliers": 0.5 to 2 trunk
lengths away), one exchange of left and right for 2 s ("swap": all pairs, or one limb), all
together. "noise" (an estimator's jitter, 0.03 trunk lengths) and "none" show what cleaning
does where nothing is to be repaired.

Errors are in trunk lengths, over all values and over the values that were corrupted. Values
in gaps longer than the limit, which cleaning leaves missing on purpose, are left out of both
columns alike; their share is printed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.pose.cleaning import clean
from fidgety.pose.gaps import blank, present
from fidgety.pose.normalisation import trunk_length
from fidgety.pose.swaps import partners, side_pairs
from fidgety.pose.tracks import Pose
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17

CORRUPTIONS = ("none", "noise", "missing", "gaps", "outliers", "swap", "all")
#: What "all together" is made of.
TOGETHER = ("missing", "gaps", "outliers", "swap")
JITTER = 0.03
REMOVED = 0.20


@dataclass(frozen=True)
class Corrupted:
    """A corrupted pose, and which values are not what they were."""

    pose: Pose
    touched: NDArray[np.bool_]


def _swap_members(pose: Pose, rng: np.random.Generator) -> NDArray[np.intp]:
    """All pairs, or those of one limb pair, by a coin."""
    pairs = side_pairs(pose.keypoints)
    names = list(pairs)
    if rng.random() < 0.5:
        limb = ("elbow", "wrist", "index", "pinky", "thumb", "hand")
        if rng.random() < 0.5:
            limb = ("knee", "ankle", "heel", "foot_index", "foot")
        names = [name for name in names if name in limb]
    return np.array([i for name in names for i in pairs[name]])


def corrupt(pose: Pose, what: Sequence[str], rng: np.random.Generator) -> Corrupted:
    """Corrupt a complete pose.

    Parameters
    ----------
    pose
        Truth.
    what
        Of :data:`CORRUPTIONS`.
    rng
        Draws what is hit.
    """
    n, space, k = pose.position.shape
    body = trunk_length(pose.position, pose.keypoints)
    position = np.array(pose.position, dtype=np.float64)
    touched = np.zeros((n, k), dtype=bool)
    if "noise" in what:
        position += JITTER * body * rng.standard_normal(position.shape)
        touched[:] = True
    if "swap" in what:
        length = min(round(2.0 * pose.fps), n // 3)
        start = int(rng.integers(1, n - length))
        members = _swap_members(pose, rng)
        rows = np.ix_(np.arange(start, start + length), np.arange(space), members)
        other = np.ix_(
            np.arange(start, start + length), np.arange(space), partners(pose.keypoints)[members]
        )
        position[rows] = position[other].copy()
        touched[start : start + length, members] = True
    if "outliers" in what:
        hit = rng.random((n, k)) < 0.02
        direction = rng.standard_normal(position.shape)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        far = rng.uniform(0.5, 2.0, (n, 1, k)) * body
        position = np.where(hit[:, None, :], position + far * direction, position)
        touched |= hit
    gone = np.zeros((n, k), dtype=bool)
    if "gaps" in what:
        longest = max(round(0.5 * pose.fps), 2)
        share = REMOVED / 2 if "missing" in what else REMOVED
        for i in range(k):
            while gone[:, i].mean() < share:
                length = int(rng.integers(2, longest + 1))
                start = int(rng.integers(1, n - length))
                # Gaps that touched would be one longer than the longest.
                if not gone[start - 1 : start + length + 1, i].any():
                    gone[start : start + length, i] = True
    if "missing" in what:
        share = (REMOVED - gone.mean()) / (1 - gone.mean())
        gone |= rng.random((n, k)) < share
    # The first and the last frame stay: beyond them nothing can be interpolated.
    gone[[0, -1]] = False
    return Corrupted(replace(pose, position=blank(position, gone), world=None), touched | gone)


def interpolate_linearly(pose: Pose) -> NDArray[np.float64]:
    """Fill every gap by a straight line: the plain alternative."""
    out = np.array(pose.position, dtype=np.float64)
    there = present(out)
    for i in range(out.shape[2]):
        known = there[:, i]
        for s in range(out.shape[1]):
            out[:, s, i] = np.interp(pose.time_s, pose.time_s[known], out[known, s, i])
    return out


@dataclass(frozen=True)
class Errors:
    """Errors of one method in trunk lengths."""

    every: NDArray[np.float64]
    touched: NDArray[np.float64]

    def row(self) -> tuple[float, float, float, float]:
        """Median and 95th percentile, of all and of the corrupted values."""
        touched = self.touched if self.touched.size else np.zeros(1)
        return (
            *(float(v) for v in np.percentile(self.every, [50, 95])),
            *(float(v) for v in np.percentile(touched, [50, 95])),
        )


@dataclass(frozen=True)
class Comparison:
    """Cleaning and the plain alternative on the same corrupted values."""

    ours: Errors
    linear: Errors
    left_missing: float


def compare(
    truths: Sequence[Pose], what: Sequence[str], config: CleaningConfig, seed: int = 0
) -> Comparison:
    """Corrupt, clean and measure, over several recordings."""
    ours: list[list[NDArray[np.float64]]] = [[], []]
    linear: list[list[NDArray[np.float64]]] = [[], []]
    missing = []
    for i, truth in enumerate(truths):
        corrupted = corrupt(truth, what, np.random.default_rng([seed, i]))
        body = trunk_length(truth.position, truth.keypoints)
        cleaned = clean(corrupted.pose, config).pose.position
        there = present(cleaned)
        missing.append(1 - there.mean())
        for store, position in ((ours, cleaned), (linear, interpolate_linearly(corrupted.pose))):
            error = np.linalg.norm(position - truth.position, axis=1) / body
            store[0].append(error[there])
            store[1].append(error[there & corrupted.touched])
    return Comparison(
        Errors(np.concatenate(ours[0]), np.concatenate(ours[1])),
        Errors(np.concatenate(linear[0]), np.concatenate(linear[1])),
        float(np.mean(missing)),
    )


def parts(corruption: str) -> tuple[str, ...]:
    """Return what a row of the table applies."""
    if corruption == "all":
        return TOGETHER
    return () if corruption == "none" else (corruption,)


def table(title: str, truths: Sequence[Pose], config: CleaningConfig) -> Iterator[str]:
    """Give the table of one set of truths, line by line."""
    yield f"{title}: {len(truths)} recordings; errors in trunk lengths, median / 95th percentile"
    yield (f"{'':10}|{'all values':^39}|{'corrupted values':^39}| left")
    yield (f"{'':10}|{'cleaned':^19}|{'linear':^19}|{'cleaned':^19}|{'linear':^19}| missing")
    for corruption in CORRUPTIONS:
        result = compare(truths, parts(corruption), config)
        ours, linear = result.ours.row(), result.linear.row()
        cells = [
            f"{a:8.4f} / {b:7.4f} " for r in (0, 2) for a, b in (ours[r : r + 2], linear[r : r + 2])
        ]
        yield f"{corruption:10}|{'|'.join(cells)}| {result.left_missing:.2%}"


def real_motion(folder: Path, limit: int | None = None) -> list[Pose]:
    """Read the real infant motion of Gao 2023's public demonstration (z-scored 3D)."""
    data = np.load(folder / "mam" / "segments.npz")
    positions, offsets = data["positions"], data["offsets"]
    poses = []
    for start, end in list(pairwise(offsets))[:limit]:
        position = positions[start:end].astype(np.float64).transpose(0, 2, 1)
        n = len(position)
        poses.append(
            Pose(
                position=position,
                confidence=np.ones((n, 17)),
                time_s=np.arange(n) / 25.0,
                keypoints=HUMAN36M_17.keypoints,
                fps=25.0,
                units="zscore",
                skeleton=HUMAN36M_17.name,
            )
        )
    return poses


def phantoms(number: int, seed: int = 0, duration_s: float = 60.0) -> list[Pose]:
    """Simulate phantoms' truth (2D, no pictures); needs the phantom's optional dependencies."""
    from fidgety.phantom.plan import plan_cohort
    from fidgety.phantom.record import simulate

    poses = []
    for spec in plan_cohort("validation", seed, duration_s)[:number]:
        simulation = simulate(spec)
        n = len(simulation.time_s)
        poses.append(
            Pose(
                position=simulation.keypoints_px,
                confidence=np.ones((n, len(BLAZEPOSE_33.keypoints))),
                time_s=simulation.time_s,
                keypoints=BLAZEPOSE_33.keypoints,
                fps=float(spec.fps),
                skeleton=BLAZEPOSE_33.name,
            )
        )
    return poses


def shared_folder() -> Path:
    """Return the folder of real data: ``FIDGETY_SHARED`` or ``shared`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("FIDGETY_SHARED", beside)) / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--phantoms", type=int, default=4, help="number of phantoms (0: none)")
    args = parser.parse_args()
    config = CleaningConfig()
    if args.phantoms:
        print("\n".join(table("Phantoms (2D, BlazePose-33)", phantoms(args.phantoms), config)))
        print()
    folder = shared_folder()
    if (folder / "mam").is_dir():
        print("\n".join(table("Real infant motion (3D, z-scored)", real_motion(folder), config)))
    else:
        print(f"no real data in {folder}; FIDGETY_SHARED names another folder")


if __name__ == "__main__":
    main()
