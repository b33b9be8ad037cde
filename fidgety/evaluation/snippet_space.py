"""How alike snippets are: the mathematics behind Figure 3 of Kaur 2025 (section 3.4)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from scipy.stats import gaussian_kde

#: Values that are centred at once: 32 MB, however many snippets there are.
BLOCK = 2**22
#: Snippets up to which their inner products are kept: 256 MB. Beyond, they are made anew in every
#: step of the solver.
GRAM = 5792
#: A second direction with less of the first one's length is rounding, not movement.
FLAT = 1e-7


@dataclass(frozen=True)
class Components:
    """Independent components of snippets.

    Parameters
    ----------
    train : ndarray of shape (n, 2)
    other : ndarray of shape (m, 2)
        NaN throughout where there are no components.
    note
        Why there are none, or what the algorithm warned of; empty if all went well.
    """

    train: NDArray[np.float64]
    other: NDArray[np.float64]
    note: str = ""


@dataclass(frozen=True)
class _Centred:
    """Snippets minus their mean, never in memory as a whole.

    Parameters
    ----------
    snippets : ndarray of shape (n, value)
    mean : ndarray of shape (value,)
    """

    snippets: NDArray[np.floating]
    mean: NDArray[np.float64]

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Give some values of all snippets at a time."""
        n, values = self.snippets.shape
        width = max(1, BLOCK // n)
        for start in range(0, values, width):
            some = slice(start, start + width)
            yield some, np.asarray(self.snippets[:, some] - self.mean[some], dtype=np.float64)

    def times(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply with a matrix of shape (value, k)."""
        return np.asarray(sum(block @ right[some] for some, block in self._blocks()))

    def transposed_times(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply the transposed with a matrix of shape (n, k)."""
        return np.concatenate([block.T @ right for _, block in self._blocks()])

    def spread(self) -> float:
        """Return the largest distance of a value from its mean."""
        return float(max(np.abs(block).max() for _, block in self._blocks()))

    def gram(self) -> NDArray[np.float64] | LinearOperator:
        """Return the snippets' inner products: a matrix, or where it is large, its action."""
        n = len(self.snippets)
        if n <= GRAM:
            return np.asarray(sum(block @ block.T for _, block in self._blocks()))

        def act(x: NDArray[np.float64]) -> NDArray[np.float64]:
            return self.times(self.transposed_times(x))

        return LinearOperator((n, n), matvec=act, matmat=act, dtype=np.dtype(np.float64))


def _first_that_matters(loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for every row 1 or -1: the sign of its first value that is not rounding."""
    size = np.abs(loadings)
    first = (size > 1e-6 * size.max(axis=1, keepdims=True)).argmax(axis=1)
    return np.sign(loadings[np.arange(len(loadings)), first])


def _principal(
    centred: _Centred, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the two largest singular values and their vectors, (n, 2), (2,), (2, value).

    The vectors have the signs that FastICA's own whitening gives them (the first value is
    positive), so that it starts from the same place; where that value is constant, as that of
    a keypoint in the origin is, the first one that is not.
    """
    start = np.random.default_rng(seed).standard_normal(len(centred.snippets))
    _, space = eigsh(centred.gram(), k=2, which="LA", v0=start)
    # The singular values of the snippets within that plane: more exact than the square roots.
    v, s, rotation = np.linalg.svd(centred.transposed_times(space), full_matrices=False)
    u = space @ rotation.T
    sign = _first_that_matters(v.T)
    return u * sign, s, v.T * sign[:, None]


def independent_components(
    train: NDArray[np.floating], other: NDArray[np.floating], seed: int
) -> Components:
    """Split snippets into two independent components.

    The same as scikit-learn's ``FastICA(n_components=2, whiten="unit-variance")``, which whitens
    by a full singular value decomposition and needs several times the memory of the snippets.
    Only its two largest directions count, so here they alone are found, exactly, by ARPACK from
    the snippets' inner products.

    The components come in the order of the variance of the snippets that they explain. The sign
    of each is such that the value of a snippet that it moves most, the first among equals, grows
    with it.

    Parameters
    ----------
    train : ndarray of shape (n, value)
        Flattened snippets that the components are learned from.
    other : ndarray of shape (m, value)
        Snippets that are expressed in them.
    seed
        Of the start.

    Raises
    ------
    ValueError
        If the numbers of values differ, or a value is not finite.
    """
    train, other = np.asarray(train), np.asarray(other)
    if train.ndim != 2 or other.ndim != 2 or train.shape[1] != other.shape[1]:
        raise ValueError(f"snippets of shapes {train.shape} and {other.shape} do not match")
    if min(train.shape) < 3:
        return _no_components(
            train, other, f"{len(train)} snippets of {train.shape[1]} values: 3 of each are needed"
        )
    mean = train.mean(axis=0, dtype=np.float64)
    centred = _Centred(train, mean)
    spread = centred.spread()
    if not (np.isfinite(spread) and np.isfinite(other).all()):
        raise ValueError("snippets have values that are not finite")
    # A mean of equal values misses them by rounding.
    if spread <= 1e-12 * np.abs(mean).max():
        return _no_components(train, other, "all snippets are the same")
    try:
        u, s, v = _principal(centred, seed)
    except ArpackError as error:
        return _no_components(train, other, f"no principal components: {error}")
    if s[1] <= FLAT * s[0]:
        return _no_components(train, other, "the snippets differ in one direction alone")
    size = np.sqrt(len(train))
    unmixing, note = _unmix(size * u, seed)
    mixing = (unmixing * s) @ v
    order = np.argsort(-(mixing**2).sum(axis=1), kind="stable")
    largest = np.round(np.abs(mixing) / np.abs(mixing).max(axis=1, keepdims=True), 6)
    sign = np.sign(mixing[np.arange(2), largest.argmax(axis=1)])
    rotation = (unmixing * sign[:, None])[order].T
    white = _Centred(other, mean).times(v.T) * (size / s) if len(other) else np.empty((0, 2))
    return Components(size * u @ rotation, white @ rotation, note)


def _unmix(white: NDArray[np.float64], seed: int) -> tuple[NDArray[np.float64], str]:
    """Rotate whitened snippets until they are independent; return the rotation and warnings."""
    from sklearn.decomposition import FastICA

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = FastICA(whiten=False, random_state=seed).fit(white)
    return found.components_, "; ".join(str(w.message) for w in caught)


def _no_components(
    train: NDArray[np.floating], other: NDArray[np.floating], note: str
) -> Components:
    return Components(np.full((len(train), 2), np.nan), np.full((len(other), 2), np.nan), note)


def densities(
    values: ArrayLike, classes: Sequence[str], grid: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Estimate the density of values by class, with Gaussian kernels.

    Parameters
    ----------
    values : array of shape (snippet,)
        NaN is left out.
    classes
        One a value.
    grid : ndarray of shape (point,)
        Where to tell it.

    Returns
    -------
    dict
        Class to density, of shape (point,); NaN where its values do not differ.
    """
    numbers, names = np.asarray(values, dtype=np.float64), np.asarray(classes, dtype=object)
    found = {}
    for name in dict.fromkeys(classes):
        own = numbers[(names == name) & np.isfinite(numbers)]
        if own.size < 2 or np.ptp(own) <= 1e-12 * np.abs(own).max():
            found[name] = np.full(len(grid), np.nan)
        else:
            found[name] = np.asarray(gaussian_kde(own)(grid))
    return found


def cosine_similarity(embedding: ArrayLike) -> NDArray[np.float64]:
    """Compare every snippet with every other.

    Parameters
    ----------
    embedding : array of shape (snippet, width)

    Returns
    -------
    ndarray of shape (snippet, snippet)
        -1 to 1, symmetric, 1 on the diagonal; 0 from and to a vector of zeros.
    """
    x = np.asarray(embedding, dtype=np.float64)
    # By the largest value first: the squares of very large or small ones leave the numbers.
    for length in (np.abs(x).max(axis=1, initial=0), None):
        divisor = np.linalg.norm(x, axis=1) if length is None else length
        x = x / np.where(divisor > 0, divisor, 1.0)[:, None]
    similarity = x @ x.T
    similarity = np.clip((similarity + similarity.T) / 2, -1, 1)
    np.fill_diagonal(similarity, 1)
    return similarity
