"""What snippets cost in training: ``python -m benchmarks.snippet_pipeline``.

The cohort of a larger lab: 100 infants of 3 minutes at 30 frames a second, both inputs of Kaur
2025 (60 values a frame), mirrored as well, as random series. Two questions:

- **Time.** Of a training step of the three-layer 1D-CNN (batches of 16, overlap 150), which part
  is taken by drawing snippets, collating and moving them? Measured over the first epoch's batches
  with the project's own data set and sampler, in turns with the step itself.
- **Memory.** How much memory do the series with all snippets of the overlap of 299 frames take, and
  how much would the same snippets take laid out side by side (the plain way, computed, not made)?
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch
from torch.utils.data import DataLoader

from fidgety.datasets.instances import InstanceData, ShuffledBatches
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.models.base import parse_model_options
from fidgety.models.kaur import Cnn1d
from fidgety.training.lit import InstanceClassification

INFANTS, SECONDS, RATE_HZ, FEATURES, WINDOW = 100, 180, 30, 60, 300


def make_series(n: int, seconds: int) -> list[Series]:
    """Draw random recordings, with their mirror images."""
    rng = np.random.default_rng(0)
    names = tuple(f"f{k}" for k in range(FEATURES))
    shape = (seconds * RATE_HZ, FEATURES)
    return [
        Series(
            str(k), str(k), "", rng.standard_normal(shape, dtype=np.float32), names, 0.0, RATE_HZ,
            rng.standard_normal(shape, dtype=np.float32),
        )
        for k in range(n)
    ]  # fmt: skip


def make_data(series: list[Series], overlap: int) -> InstanceData:
    """Cut the snippets; half of the infants are of each class."""
    windows = cut_windows(series, WINDOW, WINDOW - overlap)
    return InstanceData(series, windows, windows.series % 2)


def peak_gb() -> float:
    """Return the most memory that this process has had, in gigabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def time_epoch(data: InstanceData) -> tuple[float, float, int]:
    """Return seconds for the data and for the steps of one epoch, and its batches."""
    options = parse_model_options(Cnn1d, {"preset": "kaur2025"})
    torch.manual_seed(0)
    network = Cnn1d.build(options, FEATURES, 2).train()
    module = InstanceClassification(network, torch.ones(2), Cnn1d.training(options).optimiser)
    optimiser = module.configure_optimizers()
    loader = DataLoader(data, batch_sampler=ShuffledBatches(len(data), 16, 1, True))
    waited = worked = 0.0
    batches = 0
    begin = time.process_time()
    for batch in loader:
        ready = time.process_time()
        optimiser.zero_grad()
        module.training_step(batch, batches).backward()
        optimiser.step()
        done = time.process_time()
        waited, worked, batches, begin = (
            waited + ready - begin, worked + done - ready, batches + 1, done,
        )  # fmt: skip
    return waited, worked, batches


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--infants", type=int, default=INFANTS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--epochs", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    before = peak_gb()
    series = make_series(chosen.infants, chosen.seconds)
    all_snippets = make_data(series, 299)
    n = len(all_snippets)
    plain = n * WINDOW * FEATURES * 4 * 2 / 1e9
    print(
        f"overlap 299: {n} snippets of {chosen.infants} infants; {peak_gb() - before:.2f} GB for "
        f"everything (baseline, laid out side by side with their mirror images: {plain:.0f} GB)"
    )
    data = make_data(series, 150)
    for epoch in range(1, chosen.epochs + 1):
        waited, worked, batches = time_epoch(data)
        data_ms, step_ms = 1e3 * waited / batches, 1e3 * worked / batches
        print(
            f"overlap 150, epoch {epoch}: {batches} batches of 16; a batch {data_ms:.2f} ms for "
            f"the data, {step_ms:.2f} ms for the step: the data take "
            f"{100 * waited / (waited + worked):.1f} % (processor time)"
        )


if __name__ == "__main__":
    main()
