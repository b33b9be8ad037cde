"""MAM on a GPU: ``python -m benchmarks.mam_gpu``.

Step
    One of 64 clips of 240 frames (17 joints in 3D, published sizes, forward, backward, Adam), the
    work of ``benchmarks.mam_speed``: its plain encoder, and ours; in single precision, in bf16
    (autocast), and compiled. Medians of events on the GPU; peak memory; arithmetic as a share of
    what a large matrix product reaches in the same precision.
Epoch
    Joint training of the whole MAM as ``preset: gao2023`` on a made-up cohort of infants of 5
    minutes, through ``fidgety.training.lit.fit``, with the series on the GPU once and with every
    batch sent to it; seconds a batch, share of the time that the GPU was busy (NVML), and what
    the paper's cohort takes (725 training infants, 300 epochs, five folds) at that pace.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.mam_speed import (
    CLIP,
    DIMENSIONS,
    FRAMES,
    JOINTS,
    STEP,
    loss_ours,
    loss_plain,
    networks,
    operations,
    training_clips,
)
from fidgety.config.learning import TrainingConfig
from fidgety.datasets.instances import BagData, JointBatches, JointData, only_item
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.models.mam_full import Mam
from fidgety.models.mam_full_options import MamOptions
from fidgety.training.lit import JointClassification, fit

INFANTS, EPOCHS, FOLDS = 725, 300, 5
SHARE_NORMAL = 0.77


def gpu_seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of a piece of work on the GPU."""
    for _ in range(5):
        work()
    times = []
    for _ in range(rounds):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop) / 1000)
    return median(times)


def peak_rate(dtype: torch.dtype) -> float:
    """Return the multiply-adds a second of a large matrix product."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
    return float(8192**3 / gpu_seconds(lambda: torch.mm(a, b), 10))


def measure_step(which: str, bf16: bool, compiled: bool, rounds: int) -> dict[str, float]:
    """Return milliseconds, peak memory in GB and multiply-adds a second of a training step."""
    plain, ours = networks()
    network: Any = (plain if which == "plain" else ours).cuda().train()
    loss: Any = loss_plain if which == "plain" else loss_ours
    if compiled:
        loss = torch.compile(loss)
    clips, label = (t.cuda() for t in training_clips(0))
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16) if bf16 else nullcontext():
            value = loss(network, clips, label)
        value.backward()
        optimiser.step()

    torch.cuda.reset_peak_memory_stats()
    took = gpu_seconds(step, rounds)
    work = 3 * operations(64, 64 * (CLIP - 18), which != "plain")
    return {
        "ms": 1000 * took,
        "peak GB": torch.cuda.max_memory_allocated() / 1e9,
        "multiply-adds a second": work / took,
    }


def cohort(infants: int) -> list[Series]:
    """Make up infants of 5 minutes."""
    rng = np.random.default_rng(0)
    names = tuple(f"coordinates_3d/{k}" for k in range(JOINTS * DIMENSIONS))
    made = []
    for k in range(infants):
        walk = rng.normal(size=(FRAMES, len(names))).astype(np.float32).cumsum(axis=0)
        values = (walk - walk.mean(axis=0)) / walk.std(axis=0)
        info = rng.normal(size=4)
        made.append(Series(f"r{k}", f"i{k}", "", values, names, 0.0, 25.0, values, info=info))
    return made


@contextmanager
def busy() -> Iterator[dict[str, float]]:
    """Sample the share of the time that the GPU computes."""
    found: dict[str, float] = {}
    samples: list[int] = []
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.2):
            try:
                samples.append(torch.cuda.utilization())
            except ModuleNotFoundError:  # No binding of NVML.
                return

    thread = threading.Thread(target=sample)
    thread.start()
    yield found
    done.set()
    thread.join()
    found["busy"] = float(np.mean(samples)) if samples else float("nan")


def measure_epoch(infants: int, epochs: int, on_device: bool) -> dict[str, Any]:
    """Return seconds a batch of joint training, and the share that the GPU is busy."""
    series = cohort(infants)
    options = MamOptions(preset="gao2023", patience=epochs)
    spec = Mam.inputs(options)
    windows = cut_windows(series, spec.window_frames, STEP)
    own = [np.flatnonzero(windows.series == k) for k in range(infants)]
    normal = int(SHARE_NORMAL * infants)
    targets = np.array([0] * normal + [1] * (infants - normal), dtype=np.int64)
    device = torch.device("cuda" if on_device else "cpu")
    bags = BagData(series, windows, own, targets, device=device)
    rng = np.random.default_rng(1)
    marked = rng.integers(0, 2, len(windows))
    clips = BagData(
        series, windows, [np.arange(len(windows))], marked, by_instance=True, device=device
    )
    sampler = JointBatches(
        marked, targets, np.array([len(b) for b in own]),
        per_kind=16, per_class=1, per_bag=16, seed=0, mirror=True,
    )  # fmt: skip
    plan = Mam.training(options)
    assert plan.joint is not None
    module = JointClassification(
        Mam.build(options, JOINTS * DIMENSIONS, 2),
        torch.ones(2),
        (False, True),
        plan.optimiser,
        plan.joint,
    )
    loader = DataLoader(JointData(clips, bags), batch_sampler=sampler, collate_fn=only_item)
    how = TrainingConfig(device="gpu")

    def train(epochs: int) -> float:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            own_plan = replace(plan, blind_epochs=epochs)
            fit(module, loader, None, own_plan, how, stage="train", work=Path(folder), seed=0)
        return time.perf_counter() - start

    train(1)
    with busy() as found:
        took = train(epochs)
    return {"s a batch": took / (epochs * len(sampler)), "batches": len(sampler), **found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("step", "epoch"), help="this part alone")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--infants", type=int, default=200, help="of the made-up cohort")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="where the figures go as well")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("torch finds no GPU here: nothing measured")
        return
    print(torch.cuda.get_device_name(), "PyTorch", torch.__version__)
    figures: dict[str, Any] = {}
    if arguments.only != "epoch":
        figures |= measure_steps(arguments.rounds)
    if arguments.only != "step":
        figures |= measure_epochs(arguments.infants, arguments.epochs)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def measure_steps(rounds: int) -> dict[str, Any]:
    """Measure a training step in every way, and print."""
    figures = {}
    peak = {False: peak_rate(torch.float32), True: peak_rate(torch.bfloat16)}
    print(f"multiply-adds a second: {peak[False]:.3g} single precision, {peak[True]:.3g} bf16")
    for which in ("plain", "ours"):
        for bf16 in (False, True):
            for compiled in (False, True):
                name = f"{which}, {'bf16' if bf16 else 'fp32'}{', compiled' if compiled else ''}"
                found = measure_step(which, bf16, compiled, rounds)
                share = found["multiply-adds a second"] / peak[bf16]
                print(
                    f"step of 64 clips, {name}: {found['ms']:.1f} ms, {found['peak GB']:.2f} GB, "
                    f"{share:.0%} of a large product",
                    flush=True,
                )
                figures[name] = found
    return figures


def measure_epochs(infants: int, epochs: int) -> dict[str, Any]:
    """Measure joint training with the series here and there, and print."""
    figures = {}
    for on_device in (False, True):
        found = measure_epoch(infants, epochs, on_device)
        steps = INFANTS * SHARE_NORMAL
        hours = found["s a batch"] * steps * EPOCHS * FOLDS / 3600
        where = "series on the GPU once" if on_device else "every batch sent"
        print(
            f"joint training, {where}: {1000 * found['s a batch']:.1f} ms a batch, GPU busy "
            f"{found['busy']:.0f} % of the time; "
            f"{INFANTS} infants, {EPOCHS} epochs, {FOLDS} folds: {hours:.1f} h",
            flush=True,
        )
        figures[where] = found
    return figures


if __name__ == "__main__":
    main()
