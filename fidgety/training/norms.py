"""Batch norm whose running means are those of the weights that are kept.

While a network learns, batch norm keeps running means of what it has seen, with the weights of some
steps ago. Where an epoch has few steps and weights change fast they lag behind, and the network
says something else in evaluation than it learned. Before a network is judged or kept, its means
are therefore taken anew, over training batches, with the weights as they are (Wu & Johnson 2021,
"Rethinking batch in BatchNorm", section 3).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader


@contextlib.contextmanager
def plain_means(network: nn.Module) -> Iterator[None]:
    """Start the running means of batch norm anew, and weigh all batches alike meanwhile."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [m.momentum for m in norms]
    was_training = network.training
    try:
        network.eval()  # without dropout: so it will be judged
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        with torch.no_grad():
            yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.train(was_training)


def batches_of(loader: DataLoader, most: int) -> Iterator[Any]:
    """Return the first batches of an epoch, read here: the loader's own readers are left alone."""
    sampler: Iterable[Any] = loader.batch_sampler  # type: ignore[assignment]
    for draws in islice(sampler, most):
        yield loader.collate_fn([loader.dataset[draw] for draw in draws])


class SettleNorms(Callback):
    """Take the means of batch norm anew, before validation and before an epoch's weights are kept.

    Parameters
    ----------
    loader
        Training batches; their sampler knows the epoch.
    most
        Batches, at most.
    validated
        Whether there is a validation, which then is the place.
    """

    def __init__(self, loader: DataLoader, most: int, validated: bool) -> None:
        self.loader, self.most, self.validated = loader, most, validated

    def _settle(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        network: Any = module.network
        with plain_means(network), trainer.precision_plugin.forward_context():
            for batch in batches_of(self.loader, self.most):
                module.losses(trainer.strategy.batch_to_device(batch))

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Settle before the network is judged."""
        if self.validated:
            self._settle(trainer, module)

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Settle before the weights are kept."""
        if not self.validated:
            self._settle(trainer, module)
