"""Classifiers as networks against scikit-learn's own, and LogitBoost against its formulas."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from fidgety.models.classical import fit_linear, fit_logitboost, fit_neighbours, fit_tree


def table(n_classes: int, n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    x = rng.normal(size=(n, 7)) * [1, 5, 0.1, 1, 1, 1, 0]  # the last one is constant
    x[:, 1] += 5 * y
    x[:, 2] -= 0.1 * (y == 1)
    return x, y


def asked(network: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["svm", "lda", "logistic"])
def test_linear_ones_decide_as_scikit_learn_does(kind: str, n_classes: int) -> None:
    x, y = table(n_classes)
    own = {
        "svm": LinearSVC(dual=True, max_iter=100_000, random_state=0),
        "lda": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "logistic": LogisticRegression(max_iter=10_000),
    }[kind]
    theirs = make_pipeline(StandardScaler(), own).fit(x, y)
    other = table(n_classes, seed=1)[0]
    found, decision = asked(fit_linear(x, y, kind), other), theirs.decision_function(other)
    if n_classes == 2:
        np.testing.assert_allclose(found, np.stack([0 * decision, decision], 1), atol=1e-9)
    else:
        np.testing.assert_allclose(found, decision, atol=1e-9)
    if kind != "svm":
        np.testing.assert_allclose(
            np.exp(log_softmax(found, axis=1)), theirs.predict_proba(other), atol=1e-9
        )


@pytest.mark.parametrize("n", [1, 3])
def test_neighbours_vote_as_in_scikit_learn(n: int) -> None:
    x, y = table(3)
    theirs = make_pipeline(StandardScaler(), KNeighborsClassifier(n)).fit(x, y)
    other = table(3, seed=1)[0]
    votes = np.exp(asked(fit_neighbours(x, y, n), other)) - 1 / 3
    np.testing.assert_allclose(votes / n, theirs.predict_proba(other), atol=1e-9)


def test_a_tree_decides_as_in_scikit_learn() -> None:
    x, y = table(3)
    theirs = DecisionTreeClassifier(random_state=0).fit(x, y)
    other = table(3, seed=1)[0]
    found = asked(fit_tree(x, y), other)
    assert (found.argmax(axis=1) == theirs.predict(other)).all()
    # A pure leaf has a third of an item of every other class: two of three classes are together
    # less likely than its own, however few items it has.
    assert np.allclose(np.exp(found.min(axis=1)), 1 / 3)
    shares = np.exp(log_softmax(found, axis=1))
    assert (shares.max(axis=1) > 0.5).all()


def test_logitboost_follows_algorithm_3() -> None:
    x, y = table(2)
    f = np.zeros(len(x))
    for _ in range(11):
        p = expit(2 * f)
        w = p * (1 - p)
        z = np.clip((y - p) / w, -4, 4)
        tree = DecisionTreeRegressor(max_leaf_nodes=3, min_samples_leaf=2, random_state=0)
        f += 0.136 * 0.5 * tree.fit(x, z, w).predict(x)
    boosted = fit_logitboost(x, y, rounds=11, learning_rate=0.136, max_splits=2, min_leaf=2)
    np.testing.assert_allclose(asked(boosted, x), np.stack([0 * f, 2 * f], 1), atol=1e-9)
    assert boosted.feature.shape == (11, 5)


def test_logitboost_of_several_classes_follows_algorithm_6() -> None:
    x, y = table(3)
    wanted, f = np.eye(3)[y], np.zeros((len(x), 3))
    for _ in range(5):
        p = np.exp(log_softmax(f, axis=1))
        w = p * (1 - p)
        z = np.clip((wanted - p) / w, -4, 4)
        step = np.stack(
            [
                DecisionTreeRegressor(max_leaf_nodes=3, min_samples_leaf=2, random_state=0)
                .fit(x, z[:, k], w[:, k])
                .predict(x)
                for k in range(3)
            ],
            1,
        )
        f += 0.3 * 2 / 3 * (step - step.mean(axis=1, keepdims=True))
    boosted = fit_logitboost(x, y, rounds=5, learning_rate=0.3, max_splits=2, min_leaf=2)
    np.testing.assert_allclose(asked(boosted, x), f, atol=1e-9)
    assert (asked(boosted, x).argmax(axis=1) == y).mean() > 0.9


def test_logitboost_lowers_its_loss_every_round() -> None:
    x, y = table(2, seed=3)
    losses = []
    for rounds in range(1, 12):
        boosted = fit_logitboost(x, y, rounds=rounds, learning_rate=0.136, max_splits=2, min_leaf=2)
        losses.append(-log_softmax(asked(boosted, x), axis=1)[np.arange(len(y)), y].mean())
    assert all(later < earlier for earlier, later in pairwise(losses))
