"""Choosing the frames of a video that are worth labelling.

Frames are grouped by what they show and one of each group is taken, as DeepLabCut does (Nath et
al. 2019, Nat Protoc 14:2152, step "extract frames", k-means on small pictures; Gao 2023 labelled
five a video). Two things are added, because a labeller's time is dear: blurred frames and
near-duplicates are never chosen, and the chosen ones are spread over the recording.

What a frame shows is its pose where there is one (in trunk lengths, upright, about the sternum:
camera sway and place in the picture do not count), else the picture itself, made small.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from fidgety.errors import NotAssessable
from fidgety.pose.normalisation import normalise
from fidgety.pose.tracks import Pose

#: Width of the small pictures that appearance is compared on.
SMALL_PX = 48
#: Frames that are looked at: more only cost time, neighbours being nearly equal.
MAX_CANDIDATES = 300
#: A frame is blurred when its sharpness is below this share of the video's median.
MIN_SHARPNESS = 0.6
#: Weight of time against what is shown, as a share of the features' variance.
TIME_WEIGHT = 0.25
#: Smallest distance in time, as a share of the distance of evenly spread frames.
MIN_GAP_SHARE = 0.25
#: Root mean square distance below which two frames show the same: in trunk lengths.
SAME_POSE = 0.04
#: The same for small pictures, in grey levels (0 to 255).
SAME_PICTURE = 2.0
#: Frames of a group that are nearest to its middle, of which the sharpest is taken.
NEAREST = 5


@dataclass(frozen=True)
class Candidates:
    """Frames to choose from.

    Parameters
    ----------
    frame : ndarray of int, shape (candidate,)
        Frame numbers, increasing.
    time_s : ndarray of shape (candidate,)
    shown : ndarray of shape (candidate, feature)
        What each shows.
    same
        Root mean square distance of features below which two frames show the same.
    sharpness : ndarray of shape (candidate,)
        In any unit.
    """

    frame: NDArray[np.intp]
    time_s: NDArray[np.float64]
    shown: NDArray[np.float64]
    same: float
    sharpness: NDArray[np.float64]


def candidate_step(n_frames: int) -> int:
    """Return the step between the frames that are looked at."""
    return max(1, -(-n_frames // MAX_CANDIDATES))


def small_picture(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return a frame as a row of grey levels, small and without noise.

    Parameters
    ----------
    frame : ndarray of shape (height, width, 3)
        RGB.
    """
    height = max(1, round(SMALL_PX * frame.shape[0] / frame.shape[1]))
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SMALL_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float64).ravel()


def sharpness(frame: NDArray[np.uint8], box: tuple[int, int, int, int] | None = None) -> float:
    """Measure how sharp a frame is: the variance of its Laplacian.

    Pech-Pacheco et al. 2000 (ICPR 3:314); it is compared within a video alone, whose content
    hardly changes.

    Parameters
    ----------
    frame : ndarray of shape (height, width, 3)
        RGB.
    box
        (x0, y0, x1, y1) of the body in pixels: background at rest is sharp in every frame.
    """
    if box is not None:
        x0, y0, x1, y1 = box
        frame = frame[y0:y1, x0:x1]
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def shown_by_pose(pose: Pose, frames: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Describe frames by their pose, or return None where it does not serve.

    Parameters
    ----------
    pose
        Clean pose.
    frames : ndarray of int
        Frame numbers.

    Returns
    -------
    ndarray of shape (frame, 2 * keypoint)
        Trunk lengths, missing values at the recording's median: a keypoint that is lost makes
        no frame special.
    """
    try:
        position, _ = normalise(pose.position[:, :2], pose.keypoints)
    except NotAssessable:
        return None
    known = np.isfinite(position).any(axis=(0, 1))
    if not known.any():
        return None
    position = position[:, :, known]
    middle = np.nanmedian(position, axis=0)
    chosen = position[frames]
    filled = np.where(np.isfinite(chosen), chosen, middle)
    # Both coordinates of a keypoint make one distance: the mean is over keypoints.
    return np.asarray(filled.reshape(len(frames), -1) * np.sqrt(2.0))


def distance(shown: NDArray[np.floating], one: int, others: list[int]) -> NDArray[np.float64]:
    """Return root mean square distances of one frame's features from others'."""
    return np.asarray(np.sqrt(np.mean((shown[others] - shown[one]) ** 2, axis=1)))


def choose_frames(candidates: Candidates, n: int, seed: int) -> list[int]:
    """Choose varied frames.

    Parameters
    ----------
    candidates
        Frames to choose from.
    n
        How many are wanted.
    seed
        Of k-means' first centres.

    Returns
    -------
    list of int
        Indices into the candidates, increasing. Fewer than ``n`` where the video shows no more
        that is different: an infant at rest is not worth five labels.
    """
    if n < 1:
        raise ValueError(f"n is {n}, expected 1 or more")
    sharp = _sharp(candidates.sharpness)
    if sharp.size == 0:
        return []
    span = float(candidates.time_s[-1] - candidates.time_s[0])
    gap = MIN_GAP_SHARE * span / n
    group, far = _groups(candidates, sharp, n, seed)
    chosen: list[int] = []
    # Large groups first: where constraints collide, the common posture keeps its frame.
    for label in sorted(set(group.tolist()), key=lambda g: (-int((group == g).sum()), g)):
        members = sharp[group == label][np.argsort(far[group == label], kind="stable")]
        allowed = [int(m) for m in members if _is_new(candidates, int(m), chosen, gap)]
        if allowed:
            best = max(allowed[:NEAREST], key=lambda m: (candidates.sharpness[m], -m))
            chosen.append(best)
    while len(chosen) < n:
        rest = [int(m) for m in sharp if _is_new(candidates, int(m), chosen, gap)]
        if not rest:
            break
        if not chosen:
            chosen.append(rest[len(rest) // 2])
            continue
        # Farthest point: what differs most from all that is chosen.
        apart = [distance(candidates.shown, m, chosen).min() for m in rest]
        chosen.append(rest[int(np.argmax(apart))])
    return sorted(chosen)


def _sharp(values: NDArray[np.floating]) -> NDArray[np.intp]:
    """Return the candidates that are not blurred."""
    if values.size == 0:
        return np.array([], dtype=np.intp)
    return np.flatnonzero(values >= MIN_SHARPNESS * np.median(values))


def _is_new(candidates: Candidates, one: int, chosen: list[int], gap_s: float) -> bool:
    """Tell whether a frame is apart from all chosen ones, in time and in what it shows."""
    if not chosen:
        return True
    apart_s = np.abs(candidates.time_s[chosen] - candidates.time_s[one])
    return bool(
        (apart_s > 0).all()
        and (apart_s >= gap_s).all()
        and (distance(candidates.shown, one, chosen) >= candidates.same).all()
    )


def _groups(
    candidates: Candidates, sharp: NDArray[np.intp], n: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Group sharp frames by k-means; return each one's group, and how far from its middle."""
    shown = candidates.shown[sharp]
    spread = float(np.sqrt(shown.var(axis=0).sum()))
    time_s = candidates.time_s[sharp]
    clock = (time_s - time_s.mean()) / max(float(time_s.std()), 1e-9)
    features = np.column_stack(
        [
            np.sqrt(1.0 - TIME_WEIGHT) * (shown - shown.mean(axis=0)) / max(spread, 1e-9),
            np.sqrt(TIME_WEIGHT) * clock,
        ]
    )
    n_groups = min(n, len(np.unique(features, axis=0)))
    found = KMeans(n_groups, n_init=4, random_state=seed).fit(features)
    far = np.linalg.norm(features - found.cluster_centers_[found.labels_], axis=1)
    return found.labels_.astype(np.intp), far
