"""The system of Hashimoto et al. 2022: clips of pictures, each with its infant's label.

Hashimoto Y, Furui A, Shimatani K, et al. (2022). Automated classification of General Movements in
infants using two-stream spatiotemporal fusion network. MICCAI 2022, 753-762. Section 2.3 and the
authors' code: AdamW, a rate of 1e-5, weight decay 1e-4, batches of 64, mirrored at random, mixed
precision, stop after 10 epochs without a better loss; an infant's score is the mean of the logits
of its clips. Here the loss is that of validation infants, not of the training itself, and pictures
are RGB, as ImageNet's statistics are.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError
from fidgety.models.base import (
    SETTLE_BATCHES,
    NetworkSystem,
    OptimiserPlan,
    Pool,
    TrainingPlan,
)
from fidgety.models.two_stream_jitter import jitter
from fidgety.models.two_stream_network import TwoStream, load_imagenet, read_weights
from fidgety.models.two_stream_options import TwoStreamOptions
from fidgety.pixels.clips import CROP_CHANNELS

#: Below this, the last feature map would be a single pixel, which batches of one cannot norm.
SMALLEST_PX = 64


def _check_size(clip: torch.Tensor) -> None:
    if min(clip.shape[2:]) < SMALLEST_PX:
        raise ConfigError(
            f"two_stream: crops of {clip.shape[3]} pixels are too small: set pixels.size_px to "
            f"{SMALLEST_PX} at least (published: 224)."
        )


class TwoStreamClips(TwoStream):
    """The network on clips, whose crop and flow stand in one tensor.

    Parameters
    ----------
    options
        What it is, and how much training clips are varied
        (:mod:`fidgety.models.two_stream_jitter`).
    n_classes
        Number of classes.
    """

    def __init__(self, options: TwoStreamOptions, n_classes: int) -> None:
        super().__init__(
            n_classes,
            options.n_fields,
            options.backbone,
            options.streams,
            options.stream_weight,
        )
        self.colour_jitter, self.place_jitter = options.colour_jitter, options.place_jitter

    def instance_losses(self, clip: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return what is learned from clips, of shape (clip,); inputs as of :meth:`forward`."""
        _check_size(clip)
        clip = jitter(clip, self.colour_jitter, self.place_jitter)
        return self.losses(clip[:, :CROP_CHANNELS], clip[:, CROP_CHANNELS:], target)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Return the logits of clips.

        Parameters
        ----------
        clip : Tensor of shape (clip, 3 + 2 * L, row, column)
            Of :meth:`fidgety.pixels.clips.PixelClips.read`.

        Returns
        -------
        Tensor of shape (clip, class)

        Raises
        ------
        ConfigError
            If the pictures are too small for a ResNet.
        """
        _check_size(clip)
        return super().forward(clip[:, :CROP_CHANNELS], clip[:, CROP_CHANNELS:])


class TwoStreamSystem(NetworkSystem):
    """Hashimoto 2022's two-stream network."""

    name = "two_stream"
    options = TwoStreamOptions
    objective = "instance"
    own_loss = True
    libraries = ("transformers",)

    @classmethod
    def pool(cls, options: Any) -> Pool:
        """Take the mean of the clips' logits, as published."""
        return "logits"

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read clips of one crop and the flow around it."""
        return InputSpec(
            feature_sets=(),
            rate_hz=options.rate_hz,
            window_s=options.window_s,
            step_s=options.step_s,
            predict_step_s=options.predict_step_s,
            pixels=True,
            most_windows=options.clips,
        )

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        if n_features or n_classes < 2:
            raise ConfigError(
                f"{cls.name} cannot tell {n_classes} classes from pictures and {n_features} "
                "features."
            )
        return TwoStreamClips(options, n_classes)

    @classmethod
    def start(cls, options: Any, network: nn.Module) -> None:
        """Take ImageNet weights where their file is given."""
        assert isinstance(network, TwoStream)
        files = options.files()
        if not files:
            print("two_stream: starts from random weights", file=sys.stderr)
            return
        taken = load_imagenet(network, read_weights(files["weights"]), str(files["weights"]))
        print(f"two_stream: {taken} weights of {files['weights'].name}", file=sys.stderr)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """AdamW with early stopping."""
        return TrainingPlan(
            epochs=options.epochs,
            patience=options.patience,
            blind_epochs=options.blind_epochs,
            batch_size=options.batch_size,
            optimiser=OptimiserPlan(
                kind="adamw",
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
            ),
            settle_batches=SETTLE_BATCHES,
            class_weights=options.class_weights,
        )
