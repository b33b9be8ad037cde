"""Differences and distances between keypoints, computed where they are used.

They are never stored: for 17 keypoints the coordinates are 16 times smaller. Arrays end in
(keypoint, space), as :func:`fidgety.features.store.as_coordinates` gives them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def others(n: int) -> NDArray[np.intp]:
    """For each of ``n`` keypoints the indices of all others, ascending; shape (n, n - 1)."""
    every = np.broadcast_to(np.arange(n), (n, n))
    return np.asarray(every[~np.eye(n, dtype=bool)].reshape(n, n - 1))


def pairwise_differences(
    coordinates: NDArray[np.floating], *, absolute: bool = False
) -> NDArray[np.floating]:
    """Differences from each keypoint to all others, an axis at a time (Gao 2023).

    Parameters
    ----------
    coordinates : ndarray of shape (..., keypoint, space)
    absolute
        The paper's "Euclidean distance in c dimension", ``|p_i - p_j|``. Its released data and
        weights use the signed difference, which is the default.

    Returns
    -------
    ndarray of shape (..., keypoint, keypoint - 1, space)
        ``p_i - p_j`` for the other keypoints j in ascending order; the diagonal is left out.
    """
    order = others(coordinates.shape[-2])
    difference = coordinates[..., :, None, :] - coordinates[..., order, :]
    return np.abs(difference) if absolute else difference


def pairwise_distances(coordinates: NDArray[np.floating]) -> NDArray[np.floating]:
    """Euclidean distances between keypoints, each pair once.

    Parameters
    ----------
    coordinates : ndarray of shape (..., keypoint, space)

    Returns
    -------
    ndarray of shape (..., pair)
        Pairs in the order of :func:`pair_names`.
    """
    i, j = np.triu_indices(coordinates.shape[-2], k=1)
    return np.linalg.norm(coordinates[..., i, :] - coordinates[..., j, :], axis=-1)


def pair_names(keypoints: tuple[str, ...]) -> tuple[str, ...]:
    """Name the pairs of :func:`pairwise_distances`: ``{first}-{second}``."""
    i, j = np.triu_indices(len(keypoints), k=1)
    return tuple(f"{keypoints[a]}-{keypoints[b]}" for a, b in zip(i, j, strict=True))
