"""The published split of Kaur et al. 2025: by snippet, so that it leaks.

Section 3.2: five folds over snippets, ``random_state`` 42; of the four that are not tested, 90 %
are for training and 10 % for validation, half of it from each class. Overlapping snippets of one
infant then stand on both sides, in training and in test: what a model knows of the infant passes
for what it knows of its movement. It is here to reproduce the paper and to measure how much
that flatters (:mod:`fidgety.evaluation.snippets`), and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import RefusedError

#: Stands beside every result of this split.
LEAKS = "leaks: snippets of one infant on both sides"


def leaks_of(split: str) -> str:
    """Return what is wrong with a split, ``infant`` or ``snippet``; empty if nothing is."""
    return LEAKS if split == "snippet" else ""


@dataclass(frozen=True)
class SnippetSplit:
    """How snippets are split.

    Parameters
    ----------
    n
        Number of folds.
    random_state
        Seed of the deal.
    validation_share
        Share of the training snippets that are kept for validation.
    """

    n: int
    random_state: int = 42
    validation_share: float = 0.1


def split_snippets(
    classes: NDArray[np.int64], fold: int, how: SnippetSplit
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split snippets, whoever they are of.

    Parameters
    ----------
    classes : ndarray of shape (snippet,)
        Index of each snippet's class.
    fold
        1 to ``how.n``: the fold that is tested.
    how
        Folds, seed, share.

    Returns
    -------
    train, validation, test : ndarray
        Indices, sorted, that together are all snippets. Of every class an equal number is in
        validation, as far as two or more are left to learn from.

    Raises
    ------
    RefusedError
        If a class has fewer snippets than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    count = np.bincount(classes)
    if count[count > 0].min(initial=len(classes)) < max(how.n, 2):
        raise RefusedError(
            f"the split by snippet needs {how.n} snippets of every class, one for each fold; "
            f"there are {', '.join(map(str, count))}. Let snippets overlap more, or add infants."
        )
    folds = StratifiedKFold(how.n, shuffle=True, random_state=how.random_state)
    rest, test = list(folds.split(np.zeros(len(classes)), classes))[fold - 1]
    present = np.unique(classes)
    wanted = max(round(how.validation_share * len(rest) / len(present)), 1)
    rng = np.random.default_rng([how.random_state, fold])
    kept = []
    for one in present:
        own = rest[classes[rest] == one]
        kept.append(rng.permutation(own)[: max(min(wanted, len(own) - 2), 0)])
    validation = np.sort(np.concatenate(kept))
    return np.setdiff1d(rest, validation), validation, np.sort(test)
