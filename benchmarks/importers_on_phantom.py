"""Every importer against one phantom's truth: ``python -m benchmarks.importers_on_phantom``.

The keypoints of one phantom are written in each foreign format, by the format's own library where
there is one, and read back. The error is the distance in pixels between what comes back and the
truth, over all keypoints in the picture; a format is exact up to the digits that it holds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import Simulation, simulate
from fidgety.pose.importers.reader import read_track
from fidgety.skeletons import BLAZEPOSE_33, Skeleton, conversion_matrix
from tests.pose.foreign import FORMATS, Form, Truth


@dataclass(frozen=True)
class Row:
    """What one importer made of the phantom.

    Parameters
    ----------
    name
        Format.
    keypoints, frames
        That came back.
    median_px, largest_px
        Error in pixels; NaN if nothing came back.
    differing
        Keypoints that are known on one side alone.
    confidence
        Largest difference; NaN where the format has none.
    size_kb, read_s
        Of the file or folder, and the time to read it.
    lost
        What the format does not hold.
    """

    name: str
    keypoints: int
    frames: int
    median_px: float
    largest_px: float
    differing: int
    confidence: float
    size_kb: float
    read_s: float
    lost: str


def truth_in(simulation: Simulation, skeleton: Skeleton, seed: int = 0) -> Truth:
    """Express a phantom in a skeleton; what BlazePose-33 does not give is missing."""
    weights, _ = conversion_matrix(BLAZEPOSE_33, skeleton)
    has = weights.sum(axis=1) > 0.5
    seen = simulation.in_picture @ (weights > 0).T == (weights > 0).sum(axis=1)
    position = np.einsum("tsk,jk->tsj", simulation.keypoints_px, weights)
    known = seen & has
    confidence = np.random.default_rng(seed).uniform(0.3, 1.0, known.shape)
    return Truth(
        np.where(known[:, None, :], position, np.nan),
        np.where(known, confidence, 0.0),
        skeleton,
        simulation.spec.fps,
    )


def compare(name: str, form: Form, truth: Truth, folder: Path) -> Row:
    """Write one format and read it back."""
    path = form.write(truth, folder)
    files = list(path.iterdir()) if path.is_dir() else [path]
    start = time.perf_counter()
    pose = read_track(path, fps=truth.fps)
    seconds = time.perf_counter() - start
    n = min(pose.n_frames, truth.n)
    error = np.linalg.norm(pose.position[:n] - truth.position[:n], axis=1)
    both = np.isfinite(error)
    known = np.isfinite(pose.position[:n, 0]) != np.isfinite(truth.position[:n, 0])
    differing = int(known.sum()) + int(np.isfinite(truth.position[n:, 0]).sum())
    difference = np.abs(pose.confidence[:n] - truth.confidence[:n]).max()
    return Row(
        name,
        len(pose.keypoints),
        pose.n_frames,
        float(np.median(error[both])) if both.any() else float("nan"),
        float(error[both].max()) if both.any() else float("nan"),
        differing,
        float(difference) if form.confidence else float("nan"),
        sum(file.stat().st_size for file in files) / 1024,
        seconds,
        form.lost,
    )


def table(rows: list[Row]) -> str:
    """Lay rows out for a terminal."""
    lines = [
        f"{'format':<22} {'points':>6} {'frames':>6} {'median px':>10} {'max px':>10} "
        f"{'differ':>6} {'confidence':>10} {'kB':>7} {'read s':>7}  lost",
    ]
    for row in rows:
        confidence = "none" if np.isnan(row.confidence) else f"{row.confidence:.1e}"
        lines.append(
            f"{row.name:<22} {row.keypoints:>6} {row.frames:>6} {row.median_px:>10.1e} "
            f"{row.largest_px:>10.1e} {row.differing:>6} {confidence:>10} {row.size_kb:>7.0f} "
            f"{row.read_s:>7.3f}  {row.lost}"
        )
    return "\n".join(lines)


def run(duration_s: float, seed: int) -> list[Row]:
    """Compare all formats on one phantom."""
    spec = PhantomSpec(
        recording="phantom",
        infant="phantom",
        cohort="phantom",
        role="new",
        label="normal",
        fm_type="continuous",
        kind="track",
        duration_s=duration_s,
        seed=seed,
    )
    simulation = simulate(spec)
    rows = []
    for name, form in FORMATS.items():
        truth = truth_in(simulation, form.skeletons[0], seed)
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(compare(name, form, truth, Path(folder)))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", type=float, default=20.0, help="seconds of the phantom")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = run(arguments.duration, arguments.seed)
    print(table(rows))
    wrong = [
        row.name
        for row in rows
        if row.differing or not row.largest_px <= 2 * FORMATS[row.name].tolerance_px
    ]
    print(f"\nbeyond the format's digits: {', '.join(wrong) or 'none'}")


if __name__ == "__main__":
    main()
