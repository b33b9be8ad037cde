"""How far a pose model is from labels: error, PCK, OKS and its average precision.

- *Error*: distance from the label in trunk lengths (pelvis to thorax), the median over a
  recording's labelled frames, as everywhere in this project.
- *PCK@x*: share of keypoints within x trunk lengths (Yang & Ramanan 2013, IEEE TPAMI 35:2878,
  with the trunk in place of the box, as tPCK).
- *OKS*: object keypoint similarity, and AP over its thresholds 0.50 to 0.95 (Lin et al. 2014;
  cocodataset.org, "Keypoint evaluation"), by pycocotools. There is one infant and one guess a
  picture, so AR is the share of pictures whose OKS is above the threshold, averaged; AP is lower
  where wrong guesses are the more confident ones.

What hides a mean is shown by infant; intervals are over infants, who are the sample.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from fidgety.errors import NotAssessable
from fidgety.pose.finetune.labels import LabelledFrame, Labels, marked_box
from fidgety.pose.normalisation import trunk_length
from fidgety.skeletons import COCO_17

#: COCO's spread of labellers a keypoint, as a share of the square root of the area (Lin et al.).
COCO_SIGMAS = dict(
    zip(
        COCO_17.keypoints,
        (
            *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
            *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
        ),
        strict=True,
    )
)
#: Spread of keypoints that COCO does not have, by a word in their name; checked in this order.
OTHER_SIGMAS = (
    (("eye", "nose", "mouth", "ear"), 0.03),
    (("heel", "toe", "foot"), 0.089),
    (("thumb", "index", "pinky", "hand", "finger"), 0.062),
    (("hip", "pelvis"), 0.107),
    (("spine", "thorax", "neck", "sternum", "chest", "head"), 0.079),
)
DEFAULT_SIGMA = 0.079
#: COCO's area is that of the body's outline; mmpose takes this share of the box where it is
#: not known (``BaseCocoStyleDataset.parse_data_info``).
AREA_SHARE = 0.53
#: Space around the marks of a box that stands for the body, as a share of its longer side.
BOX_MARGIN = 0.1
PCK_AT = (0.1, 0.2)
N_BOOTSTRAP = 2000
#: Infants below which an interval says nothing.
MIN_INFANTS = 3


def sigmas_of(keypoints: Sequence[str]) -> NDArray[np.float64]:
    """Return COCO's spread for each keypoint; others take that of their kind."""

    def one(name: str) -> float:
        if name in COCO_SIGMAS:
            return COCO_SIGMAS[name]
        parts = name.split("_")
        return next(
            (s for words, s in OTHER_SIGMAS if any(w in parts for w in words)), DEFAULT_SIGMA
        )

    return np.array([one(name) for name in keypoints])


def body_area(frame: LabelledFrame) -> float:
    """Return the area that OKS is relative to, in square pixels."""
    _, _, width, height = marked_box(frame, BOX_MARGIN)
    return max(AREA_SHARE * width * height, 1.0)


def trunk_lengths(labels: Labels) -> NDArray[np.float64]:
    """Return for each frame the trunk length of its recording in pixels; NaN where unknown.

    It is the median over the recording's labelled frames, so that a trunk seen at a slant does
    not make errors large.
    """
    keys = [(f.infant, f.recording, (f.width_px, f.height_px)) for f in labels.frames]
    lengths = {}
    for key in set(keys):
        own = [f.position for f, k in zip(labels.frames, keys, strict=True) if k == key]
        try:
            lengths[key] = trunk_length(np.stack(own).transpose(0, 2, 1), labels.keypoints)
        except NotAssessable:
            lengths[key] = np.nan
    return np.array([lengths[key] for key in keys])


def oks(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    marked: NDArray[np.bool_],
    area: NDArray[np.floating],
    sigmas: NDArray[np.floating],
) -> NDArray[np.float64]:
    """Return the object keypoint similarity of each frame.

    Parameters
    ----------
    predicted, true : ndarray of shape (frame, keypoint, 2)
        Pixels; a missing prediction counts as infinitely far.
    marked : ndarray of bool, shape (frame, keypoint)
    area : ndarray of shape (frame,)
        Of the body, in square pixels.
    sigmas : ndarray of shape (keypoint,)

    Returns
    -------
    ndarray of shape (frame,)
        0 to 1; NaN in frames without a mark.
    """
    squared = np.where(
        np.isfinite(predicted).all(axis=2), ((predicted - true) ** 2).sum(axis=2), np.inf
    )
    squared = np.where(marked, squared, 0.0)
    similar = np.exp(-squared / (8.0 * sigmas**2 * area[:, None]))
    n = marked.sum(axis=1)
    total = np.where(marked, similar, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def average_precision(
    predicted: NDArray[np.floating],
    true: NDArray[np.floating],
    marked: NDArray[np.bool_],
    area: NDArray[np.floating],
    score: NDArray[np.floating],
    keypoints: Sequence[str],
) -> dict[str, float]:
    """Compute COCO's average precision and recall of one body a frame, by pycocotools.

    Parameters
    ----------
    predicted, true : ndarray of shape (frame, keypoint, 2)
        Pixels; NaN for missing ones. In a frame without any nothing was found.
    marked : ndarray of bool, shape (frame, keypoint)
        Where there is a truth.
    area : ndarray of shape (frame,)
        Of the body, in square pixels: OKS is relative to it.
    score : ndarray of shape (frame,)
        Confidence of each frame's pose: the order in which precision is counted.
    keypoints
        Names, for their spread (:func:`sigmas_of`).

    Returns
    -------
    dict
        ``ap`` (mean over OKS from 0.50 to 0.95), ``ap50``, ``ap75``, ``ar``; NaN without truth.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    used = np.flatnonzero(marked.any(axis=1))
    if used.size == 0:
        return dict.fromkeys(("ap", "ap50", "ap75", "ar"), float("nan"))
    images, truths, guesses = [], [], []
    for number, i in enumerate(used, 1):
        points = np.column_stack([np.where(marked[i, :, None], true[i], 0.0), 2.0 * marked[i]])
        common = {"image_id": number, "category_id": 1, "id": number, "area": float(area[i])}
        box = [0.0, 0.0, float(np.sqrt(area[i])), float(np.sqrt(area[i]))]
        images.append({"id": number})
        truths.append(
            {
                **common,
                "iscrowd": 0,
                "bbox": box,
                "keypoints": points.ravel().tolist(),
                "num_keypoints": int(marked[i].sum()),
            }
        )
        there = np.isfinite(predicted[i]).all(axis=1)
        if not there.any():
            continue
        # A keypoint that was not found is far from everything, but a number.
        far = np.where(there[:, None], predicted[i], -1e7)
        triples = np.column_stack([far, np.ones(len(there))])
        guesses.append(
            {
                **common,
                "bbox": box,
                "score": float(score[i]),
                "keypoints": triples.ravel().tolist(),
            }
        )
    with contextlib.redirect_stdout(io.StringIO()):
        parts = []
        for annotations in (truths, guesses):
            part = COCO()
            part.dataset = {
                "images": images,
                "annotations": annotations,
                "categories": [{"id": 1, "name": "infant", "keypoints": list(keypoints)}],
            }
            part.createIndex()
            parts.append(part)
        judge = COCOeval(*parts, "keypoints")
        judge.params.kpt_oks_sigmas = sigmas_of(keypoints)
        # One range of areas: COCO's limits of small and large are made for its own pictures.
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    # (threshold, recall, category, area, detections); -1 is where there is nothing to find.
    precision, recall = judge.eval["precision"][..., 0, 0, 0], judge.eval["recall"][..., 0, 0, 0]
    thresholds = judge.params.iouThrs

    def at(limit: float) -> float:
        return float(precision[np.argmin(np.abs(thresholds - limit))].clip(0).mean())

    return {
        "ap": float(precision.clip(0).mean()),
        "ap50": at(0.5),
        "ap75": at(0.75),
        "ar": float(recall.clip(0).mean()),
    }


@dataclass(frozen=True)
class Scores:
    """What each labelled keypoint's prediction is off by.

    Parameters
    ----------
    keypoints
        Names.
    infant : tuple of str
        Whom each frame shows (or its recording).
    error : ndarray of shape (frame, keypoint)
        Trunk lengths; NaN where nothing is marked or the trunk is unknown; infinite where a mark
        has no prediction.
    oks : ndarray of shape (frame,)
    precision
        COCO's AP and AR.
    """

    keypoints: tuple[str, ...]
    infant: tuple[str, ...]
    error: NDArray[np.float64]
    oks: NDArray[np.float64]
    precision: dict[str, float]

    def by_infant(self) -> dict[str, dict[str, float]]:
        """Return each infant's mean error, PCK and OKS."""
        out = {}
        for infant in sorted(set(self.infant)):
            rows = np.array([i == infant for i in self.infant])
            out[infant] = _summary(self.error[rows], self.oks[rows])
        return out

    def by_keypoint(self) -> dict[str, dict[str, float]]:
        """Return each keypoint's mean error and PCK."""
        return {
            name: {
                "error": _mean(self.error[:, k]),
                "pck_0.2": _share(self.error[:, k], 0.2),
            }
            for k, name in enumerate(self.keypoints)
        }

    def summary(self, seed: int) -> dict[str, Any]:
        """Return all figures, with intervals over infants.

        Parameters
        ----------
        seed
            Of the bootstrap.
        """
        infants = self.by_infant()
        n_found = int((~np.isnan(self.error)).sum())
        return {
            "n_infants": len(infants),
            "n_frames": len(self.infant),
            "n_keypoints": n_found,
            **_summary(self.error, self.oks),
            **self.precision,
            "intervals": {
                name: interval([row[name] for row in infants.values()], seed)
                for name in ("error", "pck_0.2", "oks")
            },
            "by_infant": infants,
            "by_keypoint": self.by_keypoint(),
        }


def _mean(values: NDArray[np.floating]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _share(values: NDArray[np.floating], limit: float) -> float:
    known = values[~np.isnan(values)]
    return float((known <= limit).mean()) if known.size else float("nan")


def _summary(error: NDArray[np.floating], similar: NDArray[np.floating]) -> dict[str, float]:
    return {
        "error": _mean(error),
        **{f"pck_{limit:g}": _share(error, limit) for limit in PCK_AT},
        "oks": _mean(similar),
    }


def interval(values: Sequence[float], seed: int, level: float = 0.95) -> list[float] | None:
    """Return a bootstrap interval of the mean over infants.

    Percentile bootstrap (Efron & Tibshirani 1993) over infants.

    Parameters
    ----------
    values
        One an infant.
    seed
        Of the resampling.
    level
        Of confidence.

    Returns
    -------
    [low, high], or None with fewer than three infants
    """
    known = np.array([v for v in values if np.isfinite(v)])
    if known.size < MIN_INFANTS or known.size < len(values):
        return None
    if np.ptp(known) == 0:
        return [float(known[0])] * 2
    found = bootstrap(
        (known,),
        np.mean,
        confidence_level=level,
        n_resamples=N_BOOTSTRAP,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return [float(found.low), float(found.high)]


def score(
    labels: Labels, predicted: NDArray[np.floating], confidence: NDArray[np.floating]
) -> Scores:
    """Compare predictions with labels.

    Parameters
    ----------
    labels
        Truth.
    predicted : ndarray of shape (frame, keypoint, 2)
        Pixels of the frames, in the order of the labels; NaN for missing ones.
    confidence : ndarray of shape (frame, keypoint)
    """
    true = np.stack([f.position for f in labels.frames])
    marked = np.stack([f.marked for f in labels.frames])
    area = np.array([body_area(f) if f.marked.any() else 1.0 for f in labels.frames])
    away = np.linalg.norm(predicted - true, axis=2)
    away = np.where(np.isfinite(predicted).all(axis=2), away, np.inf)
    error = np.where(marked, away / trunk_lengths(labels)[:, None], np.nan)
    return Scores(
        labels.keypoints,
        tuple(f.group for f in labels.frames),
        error,
        oks(predicted, np.nan_to_num(true), marked, area, sigmas_of(labels.keypoints)),
        average_precision(
            predicted, true, marked, area, np.nan_to_num(confidence).mean(axis=1), labels.keypoints
        ),
    )


def compare(start: Scores, trained: Scores, seed: int) -> dict[str, Any]:
    """Return what training changed: figures before and after, and the difference by infant."""
    before, after = start.by_infant(), trained.by_infant()
    change = {
        name: [after[i][name] - before[i][name] for i in before]
        for name in ("error", "pck_0.2", "oks")
    }
    return {
        "start": start.summary(seed),
        "trained": trained.summary(seed),
        "change": {
            name: {
                "mean": float(np.mean(values)),
                "interval": interval(values, seed),
                "infants_better": int(
                    np.sum(np.array(values) * (-1 if name == "error" else 1) > 0)
                ),
            }
            for name, values in change.items()
        },
    }
