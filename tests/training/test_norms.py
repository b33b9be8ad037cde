"""Batch norm's running means are those of the weights that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from fidgety.config.learning import TrainingConfig
from fidgety.datasets.instances import Draw, InstanceData, ShuffledBatches
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.models.base import OptimiserPlan, TrainingPlan
from fidgety.training.lit import InstanceClassification, fit
from fidgety.training.norms import batches_of, plain_means


class Normed(nn.Module):
    """One convolution, batch norm, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(3, 8, 3)
        self.norm = nn.BatchNorm1d(8)
        self.output = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(torch.relu(self.norm(self.convolution(x.transpose(1, 2)))).mean(dim=2))


def data(n: int = 24) -> InstanceData:
    rng = np.random.default_rng(0)
    names = ("a", "b", "c")
    series = []
    for k in range(n):
        values = (rng.normal(size=(20, 3)) * (1 + k % 2) + 3).astype("f4")
        series.append(Series(str(k), str(k), "", values, names, 0.0, 1.0, values))
    windows = cut_windows(series, 20, 20)
    return InstanceData(series, windows, (windows.series % 2).astype(np.int64))


def loader_of(own: InstanceData, size: int = 8) -> DataLoader:
    return DataLoader(own, batch_sampler=ShuffledBatches(len(own), size, 0, False))


def test_plain_means_are_the_means_of_the_batches() -> None:
    torch.manual_seed(0)
    network, loader = Normed().eval(), loader_of(data())
    with plain_means(network):
        assert network.norm.training
        assert not network.training
        batches = list(batches_of(loader, 2))
        for x, _ in batches:
            network(x)
    assert not network.training
    assert network.norm.momentum == 0.1
    assert len(batches) == 2
    seen = [network.convolution(x.transpose(1, 2)) for x, _ in batches]
    mean = torch.stack([s.mean(dim=(0, 2)) for s in seen]).mean(dim=0)
    variance = torch.stack([s.var(dim=(0, 2)) for s in seen]).mean(dim=0)
    torch.testing.assert_close(network.norm.running_mean, mean)
    torch.testing.assert_close(network.norm.running_var, variance)


@pytest.mark.parametrize("validated", [False, True])
def test_a_short_training_keeps_settled_means(validated: bool, tmp_path: Path) -> None:
    """Three steps at a high rate: running means as training leaves them are far behind."""
    own = data()
    x = torch.stack([own[Draw(k)][0] for k in range(len(own))])

    def learned(settle: int) -> Normed:
        torch.manual_seed(1)
        network = Normed()
        plan = TrainingPlan(
            epochs=3,
            patience=9,
            blind_epochs=3,
            batch_size=24,
            optimiser=OptimiserPlan(learning_rate=0.3),
            settle_batches=settle,
        )
        module = InstanceClassification(network, torch.ones(2), plan.optimiser)
        loader = loader_of(own, 24)
        validation = DataLoader(own, batch_sampler=[[Draw(k) for k in range(24)]])
        fit(
            module,
            loader,
            validation if validated else None,
            plan,
            TrainingConfig(device="cpu"),
            stage="train",
            work=tmp_path / str(settle),
            seed=0,
        )
        return network

    def lag(network: Normed) -> float:
        """Return how far evaluation is from what the network says of the same batch in training."""
        with torch.no_grad():
            judged = network.eval()(x)
            network.norm.train()
            said = network(x)
        return float((judged - said).abs().max())

    assert lag(learned(50)) < 0.05 * lag(learned(0))
