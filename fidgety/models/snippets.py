"""What the networks of Kaur et al. 2025 share: input, head, training."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError
from fidgety.models.base import OptimiserPlan, TrainingPlan
from fidgety.models.snippet_options import SnippetNetworkOptions, SnippetOptions


def snippet_inputs(options: SnippetOptions) -> InputSpec:
    """Return what a model reads: snippets of whole features, every one a z-score."""
    return InputSpec(
        feature_sets=options.feature_sets,
        rate_hz=options.rate_hz,
        window_s=options.window_s,
        step_s=options.training_step_s,
        predict_step_s=options.predict_step_s,
        centre=options.centre,
    )


def snippet_training(options: SnippetNetworkOptions) -> TrainingPlan:
    """Return the paper's training: Adam with early stopping."""
    return TrainingPlan(
        epochs=options.epochs,
        patience=options.patience,
        blind_epochs=options.blind_epochs,
        batch_size=options.batch_size,
        optimiser=OptimiserPlan(learning_rate=options.learning_rate),
        class_weights=options.class_weights,
    )


def require_sizes(name: str, n_features: int, n_classes: int) -> None:
    """Refuse data that no classifier can be made for.

    Raises
    ------
    ConfigError
        Without a feature, or with fewer than two classes.
    """
    if n_features < 1 or n_classes < 2:
        raise ConfigError(f"{name} cannot tell {n_classes} classes from {n_features} features.")


class SnippetNetwork(nn.Module):
    """A network on snippets: a last hidden layer, dropout, one sigmoid (or a softmax) output.

    A subclass builds its layers, then calls :meth:`add_head`, and says in :meth:`embed` what the
    last hidden layer is.
    """

    dropout: nn.Dropout
    output: nn.Linear

    def add_head(self, width: int, n_classes: int, dropout: float) -> None:
        """Add what follows the last hidden layer of ``width`` values."""
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, 1 if n_classes == 2 else n_classes)

    @abstractmethod
    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer, of shape (instance, width)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits.

        Parameters
        ----------
        x : Tensor of shape (instance, frame, feature)

        Returns
        -------
        Tensor of shape (instance, class)
            With two classes (0, z): their softmax is the sigmoid of the single output z.
        """
        z = self.output(self.dropout(self.embed(x)))
        return torch.cat([torch.zeros_like(z), z], dim=1) if z.shape[1] == 1 else z
