"""Speed and memory of cleaning: ``python -m benchmarks.cleaning_speed``.

A phantom's 2D track (5 minutes at 25 frames a second: 7,500 frames of BlazePose-33) with
jitter, gaps, outliers and an exchange of sides is cleaned, on one core, and beside it the
``movement`` library does its own steps of the kind, in turns in the same process: values of low
confidence out, rolling median, modified Akima interpolation of gaps, Savitzky-Golay.

Two comparisons: our whole cleaning, which does more (it also puts exchanged sides right, judges
bones and joints, keeps account of every value's origin), and our functions for those four
steps alone. Time is the processor's own, all threads together, so that other programs count little.
Peak memory is what NumPy allocates while cleaning, in sizes of the positions' array.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import xarray as xr
from movement.filtering import (
    filter_by_confidence,
    interpolate_over_time,
    rolling_filter,
    savgol_filter,
)
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from fidgety.config.cleaning import CleaningConfig
from fidgety.pose.cleaning import clean, low_confidence, window_frames
from fidgety.pose.gaps import blank, present
from fidgety.pose.imputation import impute
from fidgety.pose.normalisation import trunk_length
from fidgety.pose.smoothing import smooth
from fidgety.pose.tracks import Pose, to_dataset
from fidgety.pose.trajectory import robust_trajectory

try:
    from benchmarks.cleaning_accuracy import corrupt, phantoms
except ImportError:  # run as a file
    from cleaning_accuracy import corrupt, phantoms  # type: ignore[no-redef]

CORRUPTIONS = ("noise", "gaps", "missing", "outliers", "swap")
DURATION_S = 300.0


def make_track(seed: int = 0) -> Pose:
    """Simulate a phantom, spoil its track, and lower the confidence of a tenth of its values."""
    pose = corrupt(phantoms(1, seed, DURATION_S)[0], CORRUPTIONS, np.random.default_rng(seed)).pose
    rng = np.random.default_rng([seed, 1])
    confidence = rng.uniform(0.4, 1.0, pose.confidence.shape)
    confidence[rng.random(confidence.shape) < 0.1] = 0.1
    return replace(pose, confidence=confidence)


def our_steps(pose: Pose, config: CleaningConfig) -> NDArray[np.float64]:
    """Do the four steps by our functions, every keypoint smoothed."""
    doubted = low_confidence(pose.confidence, config.min_confidence)
    position = blank(pose.position, doubted | ~present(pose.position))
    trajectory = robust_trajectory(
        position,
        pose.time_s,
        window_frames=window_frames(config.jump_window_s, pose.fps),
        longest_gap_s=config.max_gap_s,
        body_length=trunk_length(position, pose.keypoints),
    )
    filled, _ = impute(
        trajectory.centre, pose.time_s, pose.fps, config.max_gap_s, config.makima_gap_s
    )
    return smooth(
        filled,
        config.smoothing,
        fps=pose.fps,
        window_frames=config.smoothing_window_frames,
        order=config.smoothing_order,
        cutoff_hz=config.cutoff_hz,
    )


def their_steps(data: xr.Dataset, fps: float, config: CleaningConfig) -> xr.DataArray:
    """Do the four steps by the ``movement`` library, with the same windows and limits."""
    position = filter_by_confidence(data.position, data.confidence, config.min_confidence)
    position = rolling_filter(
        position, window_frames(config.jump_window_s, fps), "median", min_periods=1
    )
    position = interpolate_over_time(position, "makima", max_gap=round(config.max_gap_s * fps))
    return savgol_filter(
        position, config.smoothing_window_frames, config.smoothing_order, mode="nearest"
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a piece of work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most memory that is held at once during a piece of work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _line(name: str, values: NDArray[np.float64], unit: str) -> str:
    low, middle, high = np.percentile(values, [0, 50, 100])
    return f"{name:<46}{middle:8.2f} {unit:<6} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds, ours and theirs in turns")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    config = CleaningConfig()
    pose = make_track()
    data = to_dataset(pose)
    data["position"] = data.position.astype(np.float64)  # the same numbers to both
    works: dict[str, Callable[[], object]] = {
        "fidgety, whole cleaning": lambda: clean(pose, config),
        "fidgety, the four steps": lambda: our_steps(pose, config),
        "movement, the four steps": lambda: their_steps(data, pose.fps, config),
    }
    for work in works.values():
        work()  # imports and caches
    with threadpool_limits(1):
        taken = np.array([[seconds(work) for work in works.values()] for _ in range(args.rounds)])
    n, _, k = pose.position.shape
    print(f"{n} frames x {k} keypoints, {args.rounds} rounds in turns, one core; median (range)")
    for name, column in zip(works, taken.T, strict=True):
        print(_line(name, column, "s"))
    print(_line("movement's steps over our whole cleaning", taken[:, 2] / taken[:, 0], "times"))
    print(_line("movement's steps over our four steps", taken[:, 2] / taken[:, 1], "times"))
    for name in ("fidgety, whole cleaning", "movement, the four steps"):
        peak = peak_bytes(works[name]) / pose.position.nbytes
        print(f"{name + ', peak memory':<46}{peak:8.2f} arrays of {pose.position.nbytes} bytes")


if __name__ == "__main__":
    main()
