"""The support vector machines of Kaur et al. 2025 (section 3.3): flattened snippets, two kernels.

scikit-learn (which wraps LIBSVM) fits; the support vectors, their coefficients and the constants
are stored as plain numbers, and :class:`KernelMachine` evaluates them with PyTorch in double
precision: decision values are scikit-learn's to the last digits, classes are its own. With
mirroring on, every training snippet is there twice, once mirrored.

A decision value f becomes the logits (0, f): what counts as positive at 0.5 is what scikit-learn
calls positive. This is no calibrated probability; thresholds are chosen on validation infants as
for every model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import InputSpec
from fidgety.errors import RefusedError
from fidgety.models.base import EstimatorSystem, set_weights
from fidgety.models.kaur_svm_options import SvmOptions
from fidgety.models.snippets import require_sizes, snippet_inputs

#: Support vectors that a batch is compared with at a time.
CHUNK = 256


class KernelMachine(nn.Module):
    """Decision functions of support vectors, one for two classes, else one a pair of classes.

    Parameters
    ----------
    n_vectors, n_values
        Support vectors, and numbers of each.
    n_classes
        Number of classes.
    kernel
        ``rbf``: exp(-gamma |x - s|^2); ``cubic``: (gamma <x, s> + coef0)^3.
    coef0
        Of the polynomial.
    """

    support_vectors: torch.Tensor
    coefficients: torch.Tensor
    intercept: torch.Tensor
    gamma: torch.Tensor

    def __init__(
        self, n_vectors: int, n_values: int, n_classes: int, kernel: str, coef0: float
    ) -> None:
        super().__init__()
        self.n_classes, self.kernel, self.coef0 = n_classes, kernel, coef0
        pairs = n_classes * (n_classes - 1) // 2
        # Series are float32: single precision keeps them whole.
        self.register_buffer("support_vectors", torch.zeros(n_vectors, n_values))
        self.register_buffer("coefficients", torch.zeros(pairs, n_vectors, dtype=torch.float64))
        self.register_buffer("intercept", torch.zeros(pairs, dtype=torch.float64))
        self.register_buffer("gamma", torch.zeros((), dtype=torch.float64))

    def _kernel(self, x: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        if self.kernel == "cubic":
            return (self.gamma * (x @ vectors.T) + self.coef0) ** 3
        distance = torch.cdist(x, vectors, compute_mode="donot_use_mm_for_euclid_dist")
        return torch.exp(-self.gamma * distance**2)

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Return the decision values.

        Parameters
        ----------
        x : Tensor of shape (instance, frame, feature)

        Returns
        -------
        Tensor of shape (instance, pair), float64
            Two classes: positive speaks for the second. More: pairs (0, 1), (0, 2), ..., (1, 2),
            ...; positive speaks for the first of the pair.
        """
        flat = x.flatten(1).double()
        total = self.intercept.expand(len(x), -1)
        for first in range(0, len(self.support_vectors), CHUNK):
            part = slice(first, first + CHUNK)
            kernel = self._kernel(flat, self.support_vectors[part].double())
            total = total + kernel @ self.coefficients[:, part].T
        return total

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (instance, class), float64.

        With more than two classes: the pairs' votes, ties broken by their decision values as in
        scikit-learn's ``decision_function_shape="ovr"``.
        """
        found = self.decision(x)
        if self.n_classes == 2:
            return torch.cat([torch.zeros_like(found), found], dim=1)
        votes = torch.zeros(len(x), self.n_classes, dtype=found.dtype)
        strength = torch.zeros_like(votes)
        for pair, (a, b) in enumerate(combinations(range(self.n_classes), 2)):
            # A value of zero is the first class's, as in LIBSVM's comparison with zero.
            wins = (found[:, pair] >= 0).to(found.dtype)
            votes[:, a] += wins
            votes[:, b] += 1 - wins
            strength[:, a] += found[:, pair]
            strength[:, b] -= found[:, pair]
        return votes + strength / (3 * (strength.abs() + 1))


def pair_coefficients(fitted: Any) -> NDArray[np.float64]:
    """Lay out the coefficients of a fitted machine, one row a decision function.

    Parameters
    ----------
    fitted
        scikit-learn's ``SVC``, fitted on classes 0, 1, ...

    Returns
    -------
    ndarray of shape (pair, support vector)
        LIBSVM keeps, for a support vector of class i, its coefficient against class j in row
        ``j - 1`` if j > i, else in row ``j``.
    """
    packed = np.asarray(fitted.dual_coef_, dtype=np.float64)
    n_classes = len(fitted.classes_)
    if n_classes == 2:
        return packed
    owner = np.repeat(np.arange(n_classes), fitted.n_support_)
    rows = []
    for a, b in combinations(range(n_classes), 2):
        row = np.zeros(packed.shape[1])
        row[owner == a] = packed[b - 1, owner == a]
        row[owner == b] = packed[a, owner == b]
        rows.append(row)
    return np.stack(rows)


def flattened(
    data: InstanceData, draws: Sequence[Draw], max_gb: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Lay out instances side by side.

    Parameters
    ----------
    data, draws
        As in :meth:`~fidgety.models.base.EstimatorSystem.fit`.
    max_gb
        Refuse what would take more.

    Returns
    -------
    x : ndarray of shape (draw, frame x feature)
        Frames one after the other.
    y : ndarray of shape (draw,)

    Raises
    ------
    RefusedError
        If it takes more than ``max_gb``.
    """
    n_values = data[draws[0]][0].numel()
    size_gb = len(draws) * n_values * 8 / 1e9
    if size_gb > max_gb:
        raise RefusedError(
            f"svm: {len(draws)} training snippets of {n_values} values take {size_gb:.1f} GB side "
            f"by side, more than max_gb = {max_gb:g}. Let them overlap less (overlap_frames or "
            "step_s), switch training.augment_flip off, or raise max_gb."
        )
    x = np.empty((len(draws), n_values))
    y = np.empty(len(draws), dtype=np.int64)
    for k, draw in enumerate(draws):
        values, y[k] = data[draw]
        x[k] = values.numpy().reshape(-1)
    return x, y


def fit_machine(
    x: NDArray[np.float64], y: NDArray[np.int64], n_classes: int, options: SvmOptions
) -> KernelMachine:
    """Fit scikit-learn's machine and take its numbers.

    Parameters
    ----------
    x : ndarray of shape (instance, value)
        Numbers that single precision can hold.
    y : ndarray of shape (instance,)
        Every class from 0 to ``n_classes - 1``.
    n_classes
        Number of classes.
    options
        Kernel and penalty.
    """
    from sklearn.svm import SVC  # what was fitted needs it no more

    variance = float(x.var())
    gamma = options.gamma
    if gamma == "scale":
        gamma = 1.0 / (x.shape[1] * variance) if variance > 0 else 1.0
    fitted = SVC(
        C=options.penalty,
        kernel="poly" if options.kernel == "cubic" else "rbf",
        degree=3,
        gamma=gamma,
        coef0=options.coef0,
        class_weight="balanced" if options.class_weights else None,
    ).fit(x, y)
    if list(fitted.classes_) != list(range(n_classes)):
        raise RefusedError(f"svm: there are snippets of {len(fitted.classes_)} classes alone.")
    machine = KernelMachine(
        len(fitted.support_vectors_), x.shape[1], n_classes, options.kernel, options.coef0
    )
    machine.support_vectors.copy_(torch.from_numpy(fitted.support_vectors_))
    machine.coefficients.copy_(torch.from_numpy(pair_coefficients(fitted)))
    machine.intercept.copy_(torch.from_numpy(np.asarray(fitted.intercept_, dtype=np.float64)))
    machine.gamma.fill_(gamma)
    return machine


class Svm(EstimatorSystem):
    """Kaur 2025's support vector machines."""

    name = "svm"
    options = SvmOptions
    libraries = ("scikit-learn",)

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 10 s snippets at 30 frames a second, every feature a z-score."""
        return snippet_inputs(options)

    @classmethod
    def fit(
        cls,
        options: Any,
        data: InstanceData,
        draws: Sequence[Draw],
        n_classes: int,
        seed: int,
    ) -> nn.Module:
        """Fit on flattened snippets; nothing is random in it."""
        require_sizes(cls.name, data[draws[0]][0].shape[1], n_classes)
        x, y = flattened(data, draws, options.max_gb)
        return fit_machine(x, y, n_classes, options)

    @classmethod
    def restore(
        cls, options: Any, n_features: int, n_classes: int, weights: Mapping[str, torch.Tensor]
    ) -> nn.Module:
        """Build a machine of as many support vectors, and put the numbers into it."""
        require_sizes(cls.name, n_features, n_classes)
        machine = KernelMachine(
            len(weights["support_vectors"]),
            options.window_frames * n_features,
            n_classes,
            options.kernel,
            options.coef0,
        )
        set_weights(machine, weights)
        return machine
