"""The published split by snippet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from fidgety.datasets.snippet_split import SnippetSplit, split_snippets
from fidgety.datasets.windows import thin
from fidgety.errors import ConfigError

HOW = SnippetSplit(5)


@given(
    st.integers(5, 60), st.integers(5, 60), st.integers(1, 5), st.integers(0, 3),
    st.floats(0.05, 0.5),
)  # fmt: skip
def test_every_snippet_is_in_one_part(n_normal, n_risk, fold, seed, share):
    classes = np.random.default_rng(seed).permutation([0] * n_normal + [1] * n_risk)
    how = SnippetSplit(5, 42, share)
    train, validation, test = split_snippets(classes, fold, how)
    together = np.concatenate([train, validation, test])
    assert sorted(together) == list(range(len(classes)))
    for k in (0, 1):
        assert (classes[train] == k).sum() >= 2
        assert (classes[test] == k).sum() >= 1
    # The same again; and the folds' test parts are all snippets, once.
    again = split_snippets(classes, fold, how)
    assert all(np.array_equal(a, b) for a, b in zip((train, validation, test), again, strict=True))
    tested = np.concatenate([split_snippets(classes, k, how)[2] for k in range(1, 6)])
    assert sorted(tested) == list(range(len(classes)))


def test_it_is_the_papers():
    """Five stratified folds with random_state 42; a tenth for validation, half of each class."""
    classes = np.array([0] * 110 + [1] * 40)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=42).split(classes, classes))
    for k in range(5):
        train, validation, test = split_snippets(classes, k + 1, HOW)
        assert np.array_equal(test, folds[k][1])
        assert len(train) + len(validation) == 120
        assert np.bincount(classes[validation]).tolist() == [6, 6]


def test_too_few_snippets_are_told():
    with pytest.raises(ConfigError, match="5 snippets of every class"):
        split_snippets(np.array([0] * 20 + [1] * 4), 1, HOW)


@given(st.lists(st.sampled_from("abcd"), min_size=0, max_size=60), st.integers(1, 40))
def test_thinning_keeps_every_owner_and_order(owners, most):
    kept = thin(owners, most)
    assert list(kept) == sorted(set(kept))
    assert len(kept) == min(len(owners), max(most, len(set(owners))))
    assert {owners[k] for k in kept} == set(owners)


def test_thinning_gives_equal_shares():
    kept = thin(["a"] * 2 + ["b"] * 50 + ["c"] * 50, 22)
    names = np.array(["a"] * 2 + ["b"] * 50 + ["c"] * 50)[kept]
    assert {n: int((names == n).sum()) for n in "abc"} == {"a": 2, "b": 10, "c": 10}
    assert list(kept[2:12]) == list(range(2, 52, 5))
