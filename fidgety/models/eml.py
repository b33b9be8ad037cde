"""EML (McCay 2022): histograms of how limbs lie and move, and classical classifiers.

Features are those of :mod:`fidgety.models.eml_histograms`, averaged over an infant's stretches; as
these are of one length, that is the histogram of the whole. The classifier learns from one row an
infant (and one of its mirror image) and judges an infant by its row; a stretch by itself is judged
by its own, which says where in the recording the verdict comes from.

Two modes: ``published`` counts ways in pixels, as the paper does, so that camera and infant's size
take part; ``corrected`` in trunk lengths. The paper's constant frame rate of 50 Hz decides nothing:
edges of spectra are relative to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fidgety.datasets.instances import BagBatch, Draw, InstanceData
from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError, RefusedError
from fidgety.models.base import BagOutput, EstimatorSystem, set_weights
from fidgety.models.classical import (
    Linear,
    Neighbours,
    Trees,
    fit_linear,
    fit_logitboost,
    fit_neighbours,
    fit_tree,
)
from fidgety.models.eml_histograms import (
    GIVEN,
    feature_vector,
    histograms,
    in_body_axes,
    trunk_length,
)
from fidgety.models.eml_options import EmlOptions
from fidgety.models.snippets import require_sizes

Array = NDArray[np.float64]

_NETWORKS: Mapping[str, type[Linear | Neighbours | Trees]] = {
    "ensemble": Trees,
    "tree": Trees,
    "nn1": Neighbours,
    "nn3": Neighbours,
    "svm": Linear,
    "lda": Linear,
    "logistic": Linear,
}


def columns_of(names: Sequence[str]) -> NDArray[np.int64]:
    """Find the joints' coordinates among the features.

    Parameters
    ----------
    names
        Features, as ``coordinates_2d/left_wrist_x``.

    Returns
    -------
    ndarray of shape (2, keypoint)
        Columns of :data:`~fidgety.models.eml_histograms.GIVEN`.

    Raises
    ------
    RefusedError
        If one is missing.
    """
    place = {name.rpartition("/")[2]: k for k, name in enumerate(names)}
    wanted = [[f"{joint}_{axis}" for joint in GIVEN] for axis in "xy"]
    lacking = sorted({name for row in wanted for name in row} - set(place))
    if lacking:
        raise RefusedError(f"eml: the features lack {', '.join(lacking)}.")
    return np.array([[place[name] for name in row] for row in wanted], dtype=np.int64)


def row_of(window: NDArray[np.floating], columns: NDArray[np.int64], options: EmlOptions) -> Array:
    """Return the 608 numbers of a stretch.

    Parameters
    ----------
    window : ndarray of shape (frame, feature)
        Not standardised.
    columns
        Of :func:`columns_of`.
    options
        Mode and bin widths.
    """
    position = window[:, columns].astype(np.float64)  # (frame, axis, keypoint)
    position = in_body_axes(position)
    width = options.way_width_px
    if options.mode == "corrected":
        position = position / max(trunk_length(position), 1e-9)
        width = options.way_width_trunk
    return feature_vector(histograms(position, width))


class EmlNetwork(nn.Module):
    """Rows of stretches, their mean over a bag, a classifier.

    Parameters
    ----------
    columns
        Of :func:`columns_of`.
    classifier
        What was fitted.
    options
        The system's own.
    """

    columns: torch.Tensor

    def __init__(
        self,
        columns: NDArray[np.int64],
        classifier: Linear | Neighbours | Trees,
        options: EmlOptions,
    ) -> None:
        super().__init__()
        self.register_buffer("columns", torch.from_numpy(columns))
        self.classifier = classifier
        self.options = options

    def forward(
        self,
        x: torch.Tensor,
        segment: torch.Tensor,
        start: torch.Tensor,
        bag: torch.Tensor,
        n_bags: int,
    ) -> BagOutput:
        """Judge stretches and infants; see :class:`~fidgety.datasets.instances.BagBatch`."""
        length = self.options.window_frames
        values, columns = x.double().numpy(), self.columns.numpy()
        rows = torch.from_numpy(
            np.stack(
                [
                    row_of(values[s, f : f + length], columns, self.options)
                    for s, f in zip(segment.tolist(), start.tolist(), strict=True)
                ]
            )
        )
        count = torch.bincount(bag, minlength=n_bags).double()
        mean = torch.zeros(n_bags, rows.shape[1], dtype=torch.float64).index_add(0, bag, rows)
        mean = mean / count[:, None]
        return BagOutput(
            instance_logits=self.classifier(rows),
            embedding=rows,
            attention=1 / count[bag],
            bag_log_probability=self.classifier(mean).log_softmax(dim=1),
        )

    def prefix_log_probability(self, batch: BagBatch, output: BagOutput) -> torch.Tensor:
        """Judge a bag that ends with each of its stretches, by the mean of the rows so far.

        Parameters
        ----------
        batch
            One bag.
        output
            Of the whole of it.

        Returns
        -------
        Tensor of shape (stretch, class)
        """
        rows = output.embedding
        count = torch.arange(1, len(rows) + 1, dtype=rows.dtype)[:, None]
        judged: torch.Tensor = self.classifier(rows.cumsum(dim=0) / count)
        return judged.log_softmax(dim=1)


def infant_rows(
    data: InstanceData, draws: Sequence[Draw], columns: NDArray[np.int64], options: EmlOptions
) -> tuple[Array, NDArray[np.int64]]:
    """Average the rows of every infant, and of its mirror image.

    Returns
    -------
    x : ndarray of shape (infant and way, number)
    y : ndarray of shape (infant and way,)
    """
    found: dict[tuple[str, bool], list[Array]] = {}
    label: dict[tuple[str, bool], int] = {}
    for draw in draws:
        infant = data.series[int(data.windows.series[draw.item])].infant
        values, target = data[draw]
        key = (infant, draw.mirrored)
        found.setdefault(key, []).append(row_of(values.numpy(), columns, options))
        label[key] = target
    x = np.stack([np.mean(rows, axis=0) for rows in found.values()])
    return x, np.array([label[key] for key in found], dtype=np.int64)


class Eml(EstimatorSystem):
    """McCay 2022's histograms and classifiers."""

    name = "eml"
    options = EmlOptions
    objective = "bag"
    libraries = ("scikit-learn",)

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read the joints' positions as they are, in stretches that do not overlap."""
        return InputSpec(
            feature_sets=options.feature_sets,
            rate_hz=options.rate_hz,
            window_s=options.window_s,
            step_s=options.window_s,
            predict_step_s=options.window_s,
            standardise=False,
        )

    @classmethod
    def fit(
        cls,
        options: Any,
        data: InstanceData,
        draws: Sequence[Draw],
        n_classes: int,
        seed: int,
    ) -> nn.Module:
        """Fit on one row an infant; nothing is random in it."""
        require_sizes(cls.name, data[draws[0]][0].shape[1], n_classes)
        units = sorted({one.units[0] for one in data.series})
        if options.mode == "published" and units != ["pixels"]:
            raise ConfigError(
                f"eml: mode 'published' counts ways in pixels, the features are in "
                f"{', '.join(units)}: set features.scale to none for recordings with video, or "
                "take mode 'corrected'."
            )
        columns = columns_of(data.series[0].names)
        x, y = infant_rows(data, draws, columns, options)
        if len(np.unique(y)) < n_classes:
            raise RefusedError(f"eml: there are infants of {len(np.unique(y))} classes alone.")
        return EmlNetwork(columns, _fit(options, x, y), options)

    @classmethod
    def restore(
        cls, options: Any, n_features: int, n_classes: int, weights: Mapping[str, torch.Tensor]
    ) -> nn.Module:
        """Put the numbers into a classifier of the kind that the options name."""
        require_sizes(cls.name, n_features, n_classes)
        part = "classifier."
        numbers = {n.removeprefix(part): t for n, t in weights.items() if n.startswith(part)}
        network = EmlNetwork(
            np.zeros((2, len(GIVEN)), dtype=np.int64),
            _NETWORKS[options.classifier](numbers),
            options,
        )
        set_weights(network, weights)
        if int(network.columns.max()) >= n_features:
            raise ValueError("the weights are those of another network")
        return network


def _fit(options: EmlOptions, x: Array, y: NDArray[np.int64]) -> Linear | Neighbours | Trees:
    kind = options.classifier
    if kind == "ensemble":
        return fit_logitboost(
            x,
            y,
            rounds=options.trees,
            learning_rate=options.learning_rate,
            max_splits=options.max_splits,
            min_leaf=options.min_leaf,
        )
    if kind == "tree":
        return fit_tree(x, y)
    if kind in ("nn1", "nn3"):
        return fit_neighbours(x, y, int(kind[2:]))
    return fit_linear(x, y, kind)
