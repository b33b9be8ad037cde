"""mmpose's models by the batch against one frame a call: ``python -m benchmarks.mmpose_batching``.

Both find the keypoints of the same crops with the same random weights, on two processor cores.
One frame a call is mmpose's own ``inference_topdown``, as a plain script would use it; the batch
is this project's estimator, whose results are the same (``tests/pose/test_mmpose.py``). The two
take turns in one process, so that a busy machine slows both; a time is the median over the turns.
The middle column is the estimator with one frame a call: what is left of the gain without
batches. Wanted is at least 1.5 times the speed for RTMPose-t.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Threads that spin while they wait take the time of the process beside them.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from numpy.typing import NDArray

from fidgety.pose.mmpose import MMPose, body_box
from fidgety.pose.mmpose_options import MMPoseOptions
from fidgety.pose.mmpose_runtime import build_model, find_config, read_checkpoint


@dataclass(frozen=True)
class Case:
    """A model, and how long it is measured."""

    name: str
    config: str
    frames: int
    turns: int
    wanted: float | None = None


CASES = (
    Case("RTMPose-t", "rtmpose-t_8xb256-420e_coco-256x192", 30, 9, wanted=1.5),
    Case("RTMPose-m", "rtmpose-m_8xb256-420e_coco-256x192", 15, 3),
    Case("HRNet-w32", "td-hm_hrnet-w32_8xb64-210e_coco-256x192", 15, 3),
)
THREADS = 2


def random_weights(config: str, folder: Path) -> Path:
    """Write a checkpoint of random weights."""
    torch.manual_seed(0)
    path = folder / f"{config}.pth"
    torch.save({"state_dict": build_model(find_config(config), None).state_dict()}, path)
    return path


def ways(case: Case, folder: Path) -> dict[str, Callable[[NDArray[np.uint8]], object]]:
    """Return the ways to find keypoints in crops (frame, side, side, 3), by name."""
    checkpoint = random_weights(case.config, folder)
    options = MMPoseOptions(config=case.config, checkpoint=str(checkpoint), device="cpu")
    estimator = MMPose(options)
    model = build_model(find_config(case.config), read_checkpoint(checkpoint))
    model.test_cfg["flip_test"] = False
    from mmpose.apis import inference_topdown

    def plain(crops: NDArray[np.uint8]) -> object:
        box = body_box(crops.shape[1], options.box_share)
        return [inference_topdown(model, crop[..., ::-1].copy(), box) for crop in crops]

    def single(crops: NDArray[np.uint8]) -> object:
        return [estimator.estimate(crop[None]) for crop in crops]

    return {"plain": plain, "single": single, "batch": estimator.estimate}


def measure(case: Case, folder: Path) -> dict[str, float]:
    """Return milliseconds a frame of each way: medians over turns."""
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (case.frames, 267, 267, 3), dtype=np.uint8)
    chosen = ways(case, folder)
    for way in chosen.values():
        way(crops[:15])  # the first call allocates and picks kernels
    times: dict[str, list[float]] = {name: [] for name in chosen}
    for turn in range(case.turns):
        order = list(chosen) if turn % 2 == 0 else list(chosen)[::-1]
        for name in order:
            start = time.perf_counter()
            chosen[name](crops)
            times[name].append(1000 * (time.perf_counter() - start) / case.frames)
    return {name: float(np.median(values)) for name, values in times.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen models and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", help=f"of: {', '.join(c.name for c in CASES)}")
    chosen = parser.parse_args(arguments).models or [c.name for c in CASES]
    torch.set_num_threads(THREADS)
    print(f"milliseconds a frame, {THREADS} threads; load {os.getloadavg()[0]:.1f}")
    print(f"{'model':<12}{'one a call':>12}{'ours, one':>12}{'ours, 15':>12}{'ratio':>8}  wanted")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if case.name not in chosen:
                continue
            found = measure(case, Path(folder))
            ratio = found["plain"] / found["batch"]
            wanted = f">= {case.wanted}" if case.wanted else "-"
            print(
                f"{case.name:<12}{found['plain']:>12.1f}{found['single']:>12.1f}"
                f"{found['batch']:>12.1f}{ratio:>8.2f}  {wanted}",
                flush=True,
            )


if __name__ == "__main__":
    main()
