"""The Vision Transformer of Kaur et al. 2025 for series (section 3.3).

Every frame is a token: a linear layer, plus a code of its place. Encoders of the original Vision
Transformer follow (Dosovitskiy et al. 2021: normalisation before attention and before the inner
layer, GELU, a class token, a last normalisation), with 8 heads and 2 or 4 layers; then a dense
layer of 128 and one sigmoid output. Dropout of 0.3 stands where it does there: behind every dense
layer and the place code, not on the attention weights. The token's width, the inner layer's, the
kind of the place code and the dense layer's activation (GELU, as in the encoders) are not in the
paper.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.models.base import NetworkSystem, TrainingPlan
from fidgety.models.kaur_vit_options import VitOptions
from fidgety.models.snippets import (
    SnippetNetwork,
    require_sizes,
    snippet_inputs,
    snippet_training,
)


def sinusoidal_code(n: int, width: int) -> torch.Tensor:
    """Return sines and cosines of n places (Vaswani et al. 2017), of shape (n, width)."""
    place = torch.arange(n, dtype=torch.float64)[:, None]
    rate = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.stack([(place * rate).sin(), (place * rate).cos()], dim=2).flatten(1).float()


def encoder(options: VitOptions) -> nn.TransformerEncoderLayer:
    """Build one encoder layer."""
    layer = nn.TransformerEncoderLayer(
        options.width,
        options.heads,
        options.feed_forward,
        options.dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    # As in the original: none on the attention weights. It would cost four times the time.
    layer.self_attn.dropout = 0.0
    return layer


class VitNetwork(SnippetNetwork):
    """A Transformer over the frames of a snippet.

    Parameters
    ----------
    n_features, n_classes
        Width of the input and number of classes.
    options
        Sizes; the snippet's length is the number of places.
    """

    code: torch.Tensor

    def __init__(self, n_features: int, n_classes: int, options: VitOptions) -> None:
        super().__init__()
        self.tokens = nn.Linear(n_features, options.width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, options.width))
        places = options.window_frames + 1
        if options.position == "learned":
            self.code = nn.Parameter(torch.empty(places, options.width))
            nn.init.trunc_normal_(self.code, std=0.02)
        else:
            self.register_buffer("code", sinusoidal_code(places, options.width), persistent=False)
        self.encoders = nn.ModuleList(encoder(options) for _ in range(options.encoder_layers))
        self.norm = nn.LayerNorm(options.width)
        self.dense = nn.Sequential(nn.Linear(options.width, options.dense), nn.GELU())
        self.add_head(options.dense, n_classes, options.dropout)

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return the dense layer, of shape (instance, dense)."""
        first = self.class_token.expand(len(x), 1, -1)
        tokens = self.dropout(torch.cat([first, self.tokens(x)], dim=1) + self.code)
        for encoder in self.encoders:
            tokens = encoder(tokens)
        return self.dense(self.norm(tokens[:, 0]))


class Vit(NetworkSystem):
    """Kaur 2025's Vision Transformer for series."""

    name = "vit"
    options = VitOptions
    objective = "instance"

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 10 s snippets at 30 frames a second, every feature a z-score."""
        return snippet_inputs(options)

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        require_sizes(cls.name, n_features, n_classes)
        return VitNetwork(n_features, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Adam with early stopping, as published."""
        return snippet_training(options)
