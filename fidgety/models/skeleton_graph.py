"""The skeleton as a graph of joints, for networks that convolve over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import shortest_path

from fidgety.errors import ConfigError
from fidgety.models.snippets import require_sizes
from fidgety.skeletons import BODY_21, HUMAN36M_17, Skeleton

Array = NDArray[np.float64]

#: Skeleton of each feature set with coordinates (:mod:`fidgety.features.coordinates`), and the
#: number of values a joint.
GRAPHS: dict[str, tuple[Skeleton, int]] = {
    "coordinates_2d": (BODY_21, 2),
    "coordinates_3d": (HUMAN36M_17, 3),
}


def skeleton_of(
    kind: str, feature_set: str, n_features: int, n_classes: int
) -> tuple[Skeleton, int]:
    """Return the skeleton of a feature set, and its values a joint.

    Raises
    ------
    ConfigError
        If the features are others, or there are fewer than two classes; ``kind`` is named as the
        model.
    """
    require_sizes(kind, n_features, n_classes)
    skeleton, n_space = GRAPHS[feature_set]
    wanted = len(skeleton.keypoints) * n_space
    if n_features != wanted:
        raise ConfigError(
            f"{kind} needs the {wanted} values of {feature_set}, found {n_features} features."
        )
    return skeleton, n_space


def carriers(skeleton: Skeleton) -> NDArray[np.int64]:
    """Return the index of the joint that carries each one; the root carries itself.

    Raises
    ------
    ValueError
        If a joint is carried by none of the keypoints, and there is no single root.
    """
    place = {name: k for k, name in enumerate(skeleton.keypoints)}
    free = [k for k in skeleton.keypoints if skeleton.parents.get(k) not in place]
    if len(free) != 1:
        raise ValueError(f"{skeleton.name} has no single root: {', '.join(free)}")
    return np.array([place.get(skeleton.parents.get(k, ""), place[k]) for k in skeleton.keypoints])


def partitions(skeleton: Skeleton) -> Array:
    """Return the partitions of a skeleton by direction: self, inward and outward.

    Inward, a joint sees those that it carries; outward, the one that carries it. Columns are where
    a value comes from, rows where it goes; a column sums to 1, or to 0 where nothing leaves.

    Returns
    -------
    ndarray of shape (3, joint, joint)
    """
    own = np.eye(len(skeleton.keypoints))
    inward = np.zeros_like(own)
    for child, carrier in enumerate(carriers(skeleton)):
        if child != carrier:
            inward[carrier, child] = 1.0
    outward = inward.T / np.maximum(inward.T.sum(axis=0, keepdims=True), 1)
    return np.stack([own, inward, outward])


def hops(skeleton: Skeleton) -> Array:
    """Return how many bones lie between joints, of shape (joint, joint)."""
    n = len(skeleton.keypoints)
    edges = np.zeros((n, n))
    for one, other in skeleton.bones:
        edges[skeleton.keypoints.index(one), skeleton.keypoints.index(other)] = 1
    return np.asarray(shortest_path(edges, directed=False, unweighted=True))


def within(skeleton: Skeleton, most: int) -> Array:
    """Return the adjacency of joints at most some bones apart, every column summing to 1.

    Parameters
    ----------
    skeleton
        Joints and bones.
    most
        Bones between two joints that see each other; a joint always sees itself.
    """
    near = (hops(skeleton) <= most).astype(np.float64)
    return np.asarray(near / near.sum(axis=0, keepdims=True))


def exactly(skeleton: Skeleton, frames: int, scales: int) -> Array:
    """Return the disentangled adjacencies of a space-time graph (MS-G3D; Liu 2020).

    Nodes are the joints of some frames, frame after frame. In one frame joints are as far apart as
    they are bones apart; a joint of another frame is as far as in one's own, and oneself in another
    frame one step. Scale k joins every node with itself and with those exactly k steps away; scale
    0 is the identity. Each is normalised by the square roots of the degrees on both sides.

    Parameters
    ----------
    skeleton
        Joints and bones.
    frames
        Of the graph; 1 for the skeleton itself.
    scales
        Number of scales.

    Returns
    -------
    ndarray of shape (scale, frame * joint, frame * joint)
    """
    apart = np.tile(np.maximum(hops(skeleton), np.eye(len(skeleton.keypoints))), (frames, frames))
    np.fill_diagonal(apart, 0)
    found = []
    for k in range(scales):
        near = ((apart == k) | (apart == 0)).astype(np.float64)
        degree = near.sum(axis=1)
        found.append(near / np.sqrt(degree[:, None] * degree[None, :]))
    return np.stack(found)
