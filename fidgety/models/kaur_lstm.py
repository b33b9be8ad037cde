"""The LSTM of Kaur et al. 2025 (section 3.3): layers of (64, 32) or (128, 64, 32) units.

The last layer's state at the snippet's end meets one sigmoid output; dropout of 0.3 stands behind
every layer. What the paper leaves open is as in Keras, with which it was made: one bias a gate,
starting at 1 for the forget gate and at 0 for the others, Glorot's uniform weights for the input
and orthogonal ones for the state. (PyTorch keeps two biases a gate that are added; the second one
is fixed at 0 here, so that a layer of h units on d inputs has 4 h (d + h + 1) parameters.)
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.models.base import NetworkSystem, TrainingPlan
from fidgety.models.kaur_lstm_options import LstmOptions
from fidgety.models.snippets import (
    SnippetNetwork,
    require_sizes,
    snippet_inputs,
    snippet_training,
)


def lstm_layer(n_inputs: int, units: int) -> nn.LSTM:
    """Build a layer with one trained bias a gate and Keras's first weights.

    Parameters
    ----------
    n_inputs
        Values a frame.
    units
        Width of the state.
    """
    layer = nn.LSTM(n_inputs, units, batch_first=True)
    weights = dict(layer.named_parameters())
    with torch.no_grad():
        for name in ("bias_ih_l0", "bias_hh_l0"):
            weights[name].zero_()
        weights["bias_ih_l0"][units : 2 * units] = 1.0  # gates: input, forget, cell, output
        # Keras draws the four gates' weights as one matrix, transposed.
        nn.init.xavier_uniform_(weights["weight_ih_l0"])
        nn.init.orthogonal_(weights["weight_hh_l0"])
    weights["bias_hh_l0"].requires_grad_(False)
    return layer


class LstmNetwork(SnippetNetwork):
    """LSTM layers, one on the other.

    Parameters
    ----------
    n_features, n_classes
        Width of the input and number of classes.
    options
        Sizes.
    """

    def __init__(self, n_features: int, n_classes: int, options: LstmOptions) -> None:
        super().__init__()
        widths = (n_features, *options.units)
        self.layers = nn.ModuleList(lstm_layer(n, units) for n, units in pairwise(widths))
        self.add_head(options.units[-1], n_classes, options.dropout)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last layer's state at the end, of shape (instance, units)."""
        for layer in self.layers[:-1]:
            x = self.dropout(layer(x)[0])
        return self.layers[-1](x)[0][:, -1]


class Lstm(NetworkSystem):
    """Kaur 2025's LSTM."""

    name = "lstm"
    options = LstmOptions
    objective = "instance"

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 10 s snippets at 30 frames a second, every feature a z-score."""
        return snippet_inputs(options)

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        require_sizes(cls.name, n_features, n_classes)
        return LstmNetwork(n_features, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Adam with early stopping, as published."""
        return snippet_training(options)
