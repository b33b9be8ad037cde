"""The mathematics behind Figure 3 of Kaur 2025."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm
from sklearn.decomposition import FastICA

from fidgety.evaluation import snippet_space
from fidgety.evaluation.snippet_space import (
    cosine_similarity,
    densities,
    independent_components,
)


def mixed(n: int, width: int, seed: int, noise: float = 0.3) -> np.ndarray:
    """Two independent sources in many values, far from the origin."""
    rng = np.random.default_rng(seed)
    sources = np.stack([3 * rng.uniform(-1, 1, n), rng.laplace(size=n)], axis=1)
    return sources @ rng.normal(size=(2, width)) + noise * rng.normal(size=(n, width)) + 5


def distance(found: np.ndarray, known: np.ndarray) -> float:
    """Largest difference, up to the components' order and sign."""
    return min(
        np.abs(found - known[:, order] * np.sign((found * known[:, order]).sum(axis=0))).max()
        for order in ([0, 1], [1, 0])
    )


@pytest.mark.parametrize(("n", "width"), [(3, 50), (40, 500), (120, 700), (300, 8)])
@pytest.mark.parametrize("gram", [10**6, 0])  # inner products kept, and made anew
def test_equals_plain_fast_ica(n: int, width: int, gram: int, monkeypatch) -> None:
    monkeypatch.setattr(snippet_space, "GRAM", gram)
    monkeypatch.setattr(snippet_space, "BLOCK", 60 * n)  # several blocks, the last one smaller
    train, other = mixed(n, width, n), mixed(7, width, 99)
    plain = FastICA(n_components=2, whiten="unit-variance", random_state=4)
    known = plain.fit_transform(train)
    found = independent_components(train, other, 4)
    assert found.note == ""
    assert found.train.shape == (n, 2)
    assert distance(found.train, known) < 1e-8
    # One order and sign for both.
    assert (
        distance(np.vstack([found.train, found.other]), np.vstack([known, plain.transform(other)]))
        < 1e-8
    )


def test_single_precision_is_judged_in_double() -> None:
    train = mixed(60, 300, 1).astype(np.float32)
    plain = FastICA(n_components=2, whiten="unit-variance", random_state=0)
    known = plain.fit_transform(train.astype(np.float64))
    assert distance(independent_components(train, train[:0], 0).train, known) < 1e-8


def test_sources_come_back_in_the_order_of_their_variance() -> None:
    rng = np.random.default_rng(3)
    sources = np.stack([rng.uniform(-1, 1, 800), rng.laplace(size=800)], axis=1)
    sources = (sources - sources.mean(axis=0)) / sources.std(axis=0)
    for strong in (0, 1):
        weights = (
            np.linalg.qr(rng.normal(size=(40, 2)))[0].T
            * np.where([strong, 1 - strong], 1, 9)[:, None]
        )
        found = independent_components(sources @ weights, np.empty((0, 40)), 0)
        related = np.abs(np.corrcoef(found.train.T, sources.T)[:2, 2:])
        assert related[0, strong] > 0.98
        assert related[1, 1 - strong] > 0.98
        assert found.other.shape == (0, 2)


def test_signs_do_not_depend_on_order_or_on_a_constant_keypoint() -> None:
    train = mixed(80, 60, 5)
    found = independent_components(train, train[:5], 2)
    # The value that a component moves most grows with it.
    for k in range(2):
        moved = train.T @ found.train[:, k] / len(train)
        moved -= train.mean(axis=0) * found.train[:, k].mean()
        assert moved[np.abs(moved).argmax()] > 0
    np.testing.assert_allclose(found.other, found.train[:5], atol=1e-9)
    order = np.random.default_rng(0).permutation(80)
    again = independent_components(train[order], train[:5], 2)
    np.testing.assert_allclose(again.train, found.train[order], atol=1e-6)
    # A sternum in the origin: plain FastICA takes its sign from there, which is none.
    centred = np.concatenate([np.zeros((80, 2)), train], axis=1)
    same = independent_components(centred, centred[:5], 2)
    np.testing.assert_allclose(same.train, found.train, atol=1e-6)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        (np.ones((2, 30)), "2 snippets"),
        (np.zeros((0, 30)), "0 snippets"),
        (np.full((9, 30), 0.1), "all snippets are the same"),
        (np.zeros((9, 30)), "all snippets are the same"),
        (np.outer(np.arange(9.0), np.arange(30.0)) + 0.3, "one direction"),
        (np.repeat(mixed(2, 30, 0), 5, axis=0), "one direction"),
    ],
)
def test_no_components_say_why(train: np.ndarray, words: str) -> None:
    found = independent_components(train, np.ones((4, 30)), 0)
    assert words in found.note
    assert found.train.shape == (len(train), 2)
    assert found.other.shape == (4, 2)
    assert np.isnan(found.train).all()
    assert np.isnan(found.other).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not match"):
        independent_components(np.ones((5, 3)), np.ones((5, 4)), 0)
    broken = mixed(9, 5, 0)
    broken[3, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        independent_components(broken, broken[:0], 0)


@pytest.mark.filterwarnings("error")
def test_a_warning_is_told_and_not_lost() -> None:
    # Gaussian noise has no independent directions to settle on.
    noise = np.random.default_rng(5).normal(size=(200, 3))
    notes = {independent_components(noise, noise[:0], seed).note for seed in range(20)}
    assert any("did not converge" in note for note in notes)


def test_density_of_two_values_is_two_kernels() -> None:
    grid = np.linspace(-4, 4, 41)
    found = densities([-1.0, 1.0, np.nan, 3.0], ["a", "a", "a", "b"], grid)
    width = np.std([-1, 1], ddof=1) * 2 ** (-1 / 5)
    np.testing.assert_allclose(
        found["a"], (norm.pdf(grid, -1, width) + norm.pdf(grid, 1, width)) / 2
    )
    assert np.isnan(found["b"]).all()  # one value has no spread
    constant = densities([2.0] * 5 + [0.1 + 0.2, 0.3], ["c"] * 5 + ["d"] * 2, grid)
    assert np.isnan(constant["c"]).all()
    assert np.isnan(constant["d"]).all()  # equal but for rounding
    assert densities([], [], grid) == {}


vectors = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e200, 1e200) | st.just(0.0),
)


@given(vectors)
def test_cosine_is_symmetric_and_bounded(embedding: np.ndarray) -> None:
    found = cosine_similarity(embedding)
    assert np.isfinite(found).all()
    assert (found == found.T).all()
    assert (np.abs(found) <= 1).all()
    assert (np.diag(found) == 1).all()


def test_cosine_by_hand() -> None:
    found = cosine_similarity([[1, 0], [1, 1], [0, -2], [0, 0], [-1e-300, 0]])
    half = np.sqrt(0.5)
    known = [
        [1, half, 0, 0, -1],
        [half, 1, -half, 0, -half],
        [0, -half, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [-1, -half, 0, 0, 1],
    ]
    np.testing.assert_allclose(found, known, atol=1e-12)
    assert cosine_similarity(np.empty((0, 4))).shape == (0, 0)
