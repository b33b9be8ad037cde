"""The 1D-CNN of Kaur et al. 2025: snippets that carry their infant's label.

Kaur M, Abbasi H, Williams SA, Battin MR, Besier TF, McMorland ACJ (2025). Training General
Movements Classifiers with Global Labels Offers Insights on Sub-movement Quality. Section 3.3:
convolutions over time with filters (32, 64, 128), a dense layer of 64, dropout 0.3, one sigmoid
output; Adam, batches of 16, at most 250 epochs, stop after 10 epochs without a better validation
loss. Snippets of 10 s at 30 frames a second that overlap by 150 frames (section 3.2).

What the paper leaves open, and what stands here: kernel size (5), padding (same), activation
(ReLU), pooling between the convolutions (maximum of 2), how the last one meets the dense layer
(``head``: the mean over time, or all of it flattened), places of the dropout (behind every
convolution's pooling and the dense layer), learning rate (0.001, Adam's customary one), and
class weights in the loss (inverse frequency).

Where the defaults differ (``preset: kaur2025`` is the paper's): 21 keypoints of
:data:`fidgety.skeletons.BODY_21` stand for the 24 landmarks, and every recording's own mean is
subtracted (``centre``). The paper moves the sternum to the origin and normalises no further; here
lengths are in trunk lengths and the trunk points up (``features: {scale: none, upright: false}``
is the paper's).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.models.base import NetworkSystem, TrainingPlan
from fidgety.models.kaur_options import Cnn1dOptions
from fidgety.models.snippets import (
    SnippetNetwork,
    require_sizes,
    snippet_inputs,
    snippet_training,
)


class Cnn1dNetwork(SnippetNetwork):
    """Convolutions over time, a dense layer, a sigmoid (two classes) or softmax (more) head.

    Parameters
    ----------
    n_features, n_classes
        Width of the input and number of classes.
    window_frames
        Length of a snippet; decides the dense layer's width with ``head: flatten``.
    options
        Sizes.
    """

    def __init__(
        self, n_features: int, n_classes: int, window_frames: int, options: Cnn1dOptions
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width, frames = n_features, window_frames
        for filters in options.filters:
            layers += [
                nn.Conv1d(width, filters, options.kernel, padding="same"),
                nn.ReLU(),
                nn.MaxPool1d(options.pool),
                nn.Dropout(options.dropout),
            ]
            width, frames = filters, frames // options.pool
        self.convolutions = nn.Sequential(*layers)
        if options.head == "average":
            self.flatten: nn.Module = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten())
        else:
            self.flatten = nn.Flatten()
            width *= frames
        self.dense = nn.Sequential(nn.Linear(width, options.dense), nn.ReLU())
        self.add_head(options.dense, n_classes, options.dropout)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, of shape (instance, dense)."""
        return self.dense(self.flatten(self.convolutions(x.transpose(1, 2))))


class Cnn1d(NetworkSystem):
    """Kaur 2025's 1D-CNN."""

    name = "cnn1d"
    options = Cnn1dOptions
    objective = "instance"

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 10 s snippets at 30 frames a second, every feature a z-score."""
        return snippet_inputs(options)

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        require_sizes(cls.name, n_features, n_classes)
        return Cnn1dNetwork(n_features, n_classes, options.window_frames, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Adam with early stopping, as published."""
        return snippet_training(options)
