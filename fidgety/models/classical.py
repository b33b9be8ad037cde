"""Classical classifiers as networks: scikit-learn fits, buffers hold what it learned.

So they are stored without pickles and scored as every network is. Each takes (item, number) in
double precision and gives logits of shape (item, class), whose largest is the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]

#: Bound of a working response, as in Friedman 2000 (section 4.2: 2 to 4).
MAX_RESPONSE = 4.0


class Fitted(nn.Module):
    """A classifier whose numbers are buffers."""

    def __init__(self, numbers: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        for name, values in numbers.items():
            self.register_buffer(name, values.clone())


class Linear(Fitted):
    """Decision values of a linear classifier on z-scores; with two classes (0, value).

    Buffers: ``mean``, ``sd`` of shape (number,), ``weight`` (decision, number), ``bias``
    (decision,).
    """

    mean: torch.Tensor
    sd: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        found = ((x - self.mean) / self.sd) @ self.weight.T + self.bias
        return torch.cat([torch.zeros_like(found), found], 1) if found.shape[1] == 1 else found


class Neighbours(Fitted):
    """Log of the neighbours' votes, one more shared by all classes, so that none is impossible.

    Buffers: ``mean``, ``sd`` of shape (number,), ``known`` (item, number) z-scores, ``vote``
    (item, class), ``n`` (), the neighbours asked.
    """

    mean: torch.Tensor
    sd: torch.Tensor
    known: torch.Tensor
    vote: torch.Tensor
    n: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        z = (x - self.mean) / self.sd
        distance = torch.cdist(z, self.known, compute_mode="donot_use_mm_for_euclid_dist")
        # Of equals the first: stable, as scikit-learn's brute force on few items.
        nearest = distance.argsort(dim=1, stable=True)[:, : int(self.n)]
        return (self.vote[nearest].sum(dim=1) + 1 / self.vote.shape[1]).log()


class Trees(Fitted):
    """Sum of what trees say.

    Buffers of shape (tree, node): ``feature``, ``threshold``, ``left``, ``right`` (-1 at a leaf),
    and ``value`` (tree, node, class).
    """

    feature: torch.Tensor
    threshold: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    value: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        total = torch.zeros(len(x), self.value.shape[2], dtype=torch.float64)
        for feature, threshold, left, right, value in zip(
            self.feature, self.threshold, self.left, self.right, self.value, strict=True
        ):
            node = torch.zeros(len(x), dtype=torch.int64)
            while bool((left[node] >= 0).any()):
                own = x.gather(1, feature[node].clamp_min(0)[:, None])[:, 0]
                # scikit-learn compares in single precision.
                below = torch.where(own.float() <= threshold[node], left[node], right[node])
                node = torch.where(left[node] >= 0, below, node)
            total += value[node]
        return total


def _scaling(x: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation; of what does not vary, 1."""
    mean, sd = x.mean(axis=0), x.std(axis=0)
    sd[sd <= 1e-9 * np.maximum(np.abs(mean), 1e-9)] = 1.0
    return mean, sd


def _tensors(**numbers: Any) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(values)) for name, values in numbers.items()}


def fit_linear(x: Array, y: NDArray[np.int64], kind: str) -> Linear:
    """Fit a linear classifier on z-scores.

    Parameters
    ----------
    x : ndarray of shape (item, number)
    y : ndarray of shape (item,)
        Every class from 0 on.
    kind
        ``svm``, ``lda`` or ``logistic``, as scikit-learn fits them by default; the covariance of
        ``lda`` is shrunk (Ledoit-Wolf), as there are more numbers than items.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    made: dict[str, Any] = {
        "svm": lambda: LinearSVC(dual=True, max_iter=100_000, random_state=0),
        "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "logistic": lambda: LogisticRegression(max_iter=10_000),
    }
    mean, sd = _scaling(x)
    fitted = made[kind]().fit((x - mean) / sd, y)
    numbers = _tensors(
        mean=mean,
        sd=sd,
        weight=np.asarray(fitted.coef_, dtype=np.float64),
        bias=np.asarray(fitted.intercept_, dtype=np.float64),
    )
    return Linear(numbers)


def fit_neighbours(x: Array, y: NDArray[np.int64], n: int) -> Neighbours:
    """Keep the items; the ``n`` nearest vote, by the distance of z-scores."""
    mean, sd = _scaling(x)
    vote = np.eye(int(y.max()) + 1)[y]
    n = min(n, len(x))
    return Neighbours(_tensors(mean=mean, sd=sd, known=(x - mean) / sd, vote=vote, n=np.int64(n)))


def _laid_out(trees: list[Any], values: list[Array]) -> Trees:
    """Lay scikit-learn's trees side by side, with their nodes' values (node, class)."""
    size = max(tree.node_count for tree in trees)

    def padded(rows: list[Any], fill: float) -> NDArray[Any]:
        return np.stack(
            [
                np.pad(r, [(0, size - len(r)), *[(0, 0)] * (r.ndim - 1)], constant_values=fill)
                for r in map(np.asarray, rows)
            ]
        )

    return Trees(
        _tensors(
            feature=padded([t.feature for t in trees], -2).astype(np.int64),
            threshold=padded([t.threshold for t in trees], 0.0),
            left=padded([t.children_left for t in trees], -1).astype(np.int64),
            right=padded([t.children_right for t in trees], -1).astype(np.int64),
            value=padded(values, 0.0).astype(np.float64),
        )
    )


def fit_tree(x: Array, y: NDArray[np.int64]) -> Trees:
    """Fit one decision tree; a leaf says the log of its items, one more shared by all classes."""
    from sklearn.tree import DecisionTreeClassifier

    fitted = DecisionTreeClassifier(random_state=0).fit(x, y)
    tree = fitted.tree_
    items = tree.value[:, 0] * tree.n_node_samples[:, None]
    return _laid_out([tree], [np.log(items + 1 / items.shape[1])])


def fit_logitboost(
    x: Array,
    y: NDArray[np.int64],
    *,
    rounds: int,
    learning_rate: float,
    max_splits: int,
    min_leaf: int,
) -> Trees:
    """Fit LogitBoost (Friedman, Hastie & Tibshirani 2000, algorithms 3 and 6).

    scikit-learn lacks it. Every round fits a regression tree to the working response
    (y - p) / (p (1 - p)) with weights p (1 - p), one for two classes and else one a class.

    Parameters
    ----------
    x : ndarray of shape (item, number)
    y : ndarray of shape (item,)
        Every class from 0 on.
    rounds
        Trees, of each class.
    learning_rate
        Share of every step that is taken.
    max_splits, min_leaf
        Of a tree.

    Returns
    -------
    Trees
        With two classes the logits are (0, 2 F); else F of every class.
    """
    from sklearn.tree import DecisionTreeRegressor

    n_classes = int(y.max()) + 1
    wanted = np.eye(n_classes)[y]
    binary = n_classes == 2
    score = np.zeros((len(x), n_classes))
    trees, values = [], []
    for _ in range(rounds):
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        p = odds / odds.sum(axis=1, keepdims=True)
        step = np.zeros_like(score)
        for k in [1] if binary else range(n_classes):
            weight = np.maximum(p[:, k] * (1 - p[:, k]), 1e-10)
            response = np.clip((wanted[:, k] - p[:, k]) / weight, -MAX_RESPONSE, MAX_RESPONSE)
            fitted = DecisionTreeRegressor(
                max_leaf_nodes=max_splits + 1, min_samples_leaf=min_leaf, random_state=0
            ).fit(x, response, sample_weight=weight)
            # Algorithm 3: F grows by half a step, and the logit is 2 F. Algorithm 6 centres the
            # classes' steps, here by what each tree says of every class.
            share = np.eye(n_classes)[k] if binary else np.eye(n_classes)[k] - 1 / n_classes
            share = share * (1.0 if binary else (n_classes - 1) / n_classes) * learning_rate
            trees.append(fitted.tree_)
            values.append(fitted.tree_.value[:, 0] * share)
            step += fitted.predict(x)[:, None] * share
        score += step
    return _laid_out(trees, values)
