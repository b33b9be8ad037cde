"""Compare the tracks that several backends made of the same videos.

Everything is measured on the keypoints that all of them give. Two stages are compared: what the
backend gave (keypoints below the confidence gate of cleaning count as missing), and the same
after cleaning. A recording of which a backend has no result counts as missing throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import FidgetyError, NotAssessable, Outcome
from fidgety.pose.cleaning import clean
from fidgety.pose.comparison import measures
from fidgety.pose.comparison.reference import Reference
from fidgety.pose.finetune.scoring import average_precision, interval, oks, sigmas_of
from fidgety.pose.gaps import blank
from fidgety.pose.normalisation import trunk_length
from fidgety.pose.quality import longest_gap_s
from fidgety.pose.tracks import Pose
from fidgety.skeletons import Skeleton, conversion_matrix, convert

STAGES = ("raw", "clean")
#: Measures in the order of the tables: name to heading, unit and explanation.
MEASURES: dict[str, tuple[str, str, str]] = {
    "missing": ("Missing", "share", "keypoints not found, or below the confidence gate"),
    "longest_gap_s": ("Longest gap", "s", "longest time that one keypoint is missing"),
    "jitter": ("Jitter", "trunk", "white noise that third differences show, SD a coordinate"),
    "fast": ("Above 8 Hz", "trunk", "root mean square a coordinate of what is faster than 8 Hz"),
    "frames_per_s": ("Speed", "frames/s", "frames a second of the whole job, its start included"),
    "memory_mb": ("Memory", "MB", "largest memory of the job"),
    "pck_0.1": ("PCK@0.1", "share", "keypoints within 0.1 trunk lengths of the truth"),
    "pck_0.2": ("PCK@0.2", "share", "keypoints within 0.2 trunk lengths of the truth"),
    "error": ("Error", "trunk", "mean distance from the truth where a keypoint was found"),
    "found": ("Found", "share", "keypoints of the truth that have a position"),
    "oks": ("OKS", "", "mean object keypoint similarity"),
    "ap": ("AP", "", "average precision over OKS from 0.50 to 0.95, all frames together"),
    "ap50": ("AP50", "", "the same at OKS 0.50"),
    "ap75": ("AP75", "", "the same at OKS 0.75"),
    "ar": ("AR", "", "average recall over OKS from 0.50 to 0.95"),
}
POOLED = ("ap", "ap50", "ap75", "ar")
FIGURE_COLUMNS = (
    "backend", "stage", "recording", "infant", "measure", "value", "low", "high", "n", "unit",
)  # fmt: skip
AGREEMENT_COLUMNS = ("a", "b", "stage", "recording", "median", "p95", "n", "both")


@dataclass(frozen=True)
class Job:
    """What one backend made of one recording.

    Parameters
    ----------
    backend, recording
        Names.
    pose
        Raw tracks; None where there is no result.
    outcome
        Why there is none.
    seconds, memory_mb
        Of the job; NaN where not measured.
    """

    backend: str
    recording: str
    pose: Pose | None
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = float("nan")
    memory_mb: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """The result.

    Parameters
    ----------
    keypoints
        Those that were compared.
    figures
        Long table (:data:`FIGURE_COLUMNS`); the rows of all recordings together have no
        recording, with an interval over infants.
    agreement
        Pairs of backends (:data:`AGREEMENT_COLUMNS`), distances in trunk lengths.
    failures
        Backend, stage, recording, reason and detail of what has no result.
    compared_with
        By recording what its tracks were compared with: ``phantom``, ``labels``, ``corrections``.
    """

    keypoints: tuple[str, ...]
    figures: pd.DataFrame
    agreement: pd.DataFrame
    failures: list[dict[str, str]]
    compared_with: dict[str, str]


def common_keypoints(skeletons: Sequence[Skeleton]) -> tuple[str, ...]:
    """Return the keypoints that all skeletons give, in the order of the first one's.

    A keypoint counts that at least one of them has itself, and the others have or derive.
    """
    names = dict.fromkeys(k for skeleton in skeletons for k in skeleton.keypoints)
    return tuple(k for k in names if not any(conversion_matrix(s, (k,))[1] for s in skeletons))


@dataclass(frozen=True)
class _Tracks:
    """Tracks of the common keypoints; what is not trusted is NaN in ``gated``."""

    position: NDArray[np.float64]
    gated: NDArray[np.float64]
    confidence: NDArray[np.float64]
    time_s: NDArray[np.float64]
    fps: float


def _in_common(pose: Pose, keypoints: tuple[str, ...], gate: float) -> _Tracks:
    target = Skeleton("common", keypoints, ())
    weights, _ = conversion_matrix(pose.anatomy, keypoints)
    # A derived keypoint is as certain as its least certain part.
    certain = np.nan_to_num(np.asarray(pose.confidence, dtype=np.float64), nan=1.0)
    confidence = np.stack([certain[:, np.flatnonzero(r)].min(axis=1) for r in weights], axis=1)
    position = convert(pose.position[:, :2], pose.anatomy, target)
    # Imputed values have no confidence of their own: after cleaning, what is there counts.
    doubted = np.zeros(confidence.shape, bool) if pose.origin is not None else confidence < gate
    return _Tracks(
        position,
        blank(position, doubted),
        confidence,
        np.asarray(pose.time_s, dtype=np.float64),
        pose.fps,
    )


def _trunk(poses: Sequence[Pose], gate: float) -> float:
    """Return the median of the backends' trunk lengths in one recording; NaN if unknown."""
    lengths = []
    for pose in poses:
        position = blank(pose.position, np.nan_to_num(pose.confidence, nan=1.0) < gate)
        try:
            lengths.append(trunk_length(position, pose.anatomy))
        except NotAssessable:
            continue
    return float(np.median(lengths)) if lengths else float("nan")


def _expected(
    reference: Reference, keypoints: tuple[str, ...]
) -> tuple[NDArray[np.float64], list[int]]:
    """Return the truth in those common keypoints that it gives: array, and which they are."""
    _, missing = conversion_matrix(reference.keypoints, keypoints)
    kept = [i for i, k in enumerate(keypoints) if k not in missing]
    if not kept:
        return np.zeros((len(reference.frame), 2, 0)), []
    target = Skeleton("reference", tuple(keypoints[i] for i in kept), ())
    return convert(reference.position, reference.keypoints, target), kept


@dataclass
class _Against:
    """What a backend's tracks are off by, over recordings, for the pooled figures."""

    predicted: list[NDArray[np.float64]] = field(default_factory=list)
    true: list[NDArray[np.float64]] = field(default_factory=list)
    area: list[NDArray[np.float64]] = field(default_factory=list)
    score: list[NDArray[np.float64]] = field(default_factory=list)

    def precision(self, keypoints: tuple[str, ...]) -> dict[str, float]:
        """Return the average precision of all frames together."""
        if not self.true:
            return {}
        true = np.concatenate(self.true)
        return average_precision(
            np.concatenate(self.predicted).transpose(0, 2, 1),
            true.transpose(0, 2, 1),
            np.asarray(np.isfinite(true).all(axis=1), dtype=np.bool_),
            np.concatenate(self.area),
            np.concatenate(self.score),
            keypoints,
        )


def _against(
    tracks: _Tracks | None,
    reference: Reference,
    keypoints: tuple[str, ...],
    trunk: float,
    pooled: _Against,
) -> dict[str, tuple[float, int]]:
    """Compare one recording's tracks with its truth; what is missing counts as wrong."""
    true, kept = _expected(reference, keypoints)
    n = len(keypoints)
    if not kept or not np.isfinite(true).any() or not np.isfinite(trunk):
        return {}
    predicted = np.full((len(reference.frame), 2, n), np.nan)
    score = np.zeros(len(reference.frame))
    if tracks is not None:
        inside = reference.frame < len(tracks.position)
        predicted[inside] = tracks.position[reference.frame[inside]]
        score[inside] = tracks.confidence[reference.frame[inside]].mean(axis=1)
    whole = np.full((len(reference.frame), 2, n), np.nan)
    whole[:, :, kept] = true
    away = measures.distances(predicted, whole) / trunk
    marked = np.isfinite(whole).all(axis=1)
    error = np.where(marked, np.where(np.isfinite(away), away, np.inf), np.nan)
    found = away[marked & np.isfinite(away)]
    count = int(marked.sum())
    out = {
        "pck_0.1": (measures.pck(error, 0.1), count),
        "pck_0.2": (measures.pck(error, 0.2), count),
        "error": (float(found.mean()) if found.size else float("nan"), int(found.size)),
        "found": (found.size / max(count, 1), count),
    }
    judged = np.flatnonzero(np.isfinite(reference.area) & marked.any(axis=1))
    if judged.size:
        similar = oks(
            predicted[judged].transpose(0, 2, 1),
            np.nan_to_num(whole[judged]).transpose(0, 2, 1),
            marked[judged],
            reference.area[judged],
            sigmas_of(keypoints),
        )
        out["oks"] = (float(np.nanmean(similar)), int(judged.size))
        pooled.predicted.append(predicted[judged])
        pooled.true.append(whole[judged])
        pooled.area.append(reference.area[judged])
        pooled.score.append(score[judged])
    return out


def _alone(tracks: _Tracks | None, trunk: float) -> dict[str, tuple[float, int]]:
    """Measure what needs no truth."""
    if tracks is None:
        return {"missing": (1.0, 0)}
    there = np.asarray(np.isfinite(tracks.gated).all(axis=1), dtype=np.bool_)
    n = int(there.size)
    return {
        "missing": (1.0 - float(there.mean()) if n else 1.0, n),
        "longest_gap_s": (longest_gap_s(there, tracks.time_s, tracks.fps), len(there)),
        "jitter": (measures.jitter(tracks.gated) / trunk, len(there)),
        "fast": (measures.fast_movement(tracks.gated, tracks.fps) / trunk, len(there)),
    }


def _cleaned(job: Job, config: CleaningConfig) -> Job:
    if job.pose is None:
        return job
    try:
        return replace(job, pose=clean(job.pose, config).pose)
    except NotAssessable as error:
        return replace(job, pose=None, outcome=Outcome.of(error))


def compare(
    jobs: Sequence[Job],
    infants: Mapping[str, str],
    references: Mapping[str, Reference],
    cleaning: CleaningConfig,
    *,
    cleaned: bool = True,
    seed: int = 0,
) -> Comparison:
    """Compare several backends.

    Parameters
    ----------
    jobs
        Every backend's tracks of every recording, in pixels of the standard video.
    infants
        Infant of each recording: intervals are over infants.
    references
        By recording, where there is one.
    cleaning
        The ``cleaning`` section: confidence gate, and how tracks are cleaned.
    cleaned
        Compare the tracks after cleaning as well.
    seed
        Of the intervals' resampling.

    Raises
    ------
    FidgetyError
        If no backend has a result, or they share no keypoint.
    """
    with_pose = [job for job in jobs if job.pose is not None]
    if not with_pose:
        raise FidgetyError("compare_pose: no backend has a result of any recording.")
    keypoints = common_keypoints([job.pose.anatomy for job in with_pose if job.pose is not None])
    if not keypoints:
        names = sorted({job.pose.skeleton for job in with_pose if job.pose is not None})
        raise FidgetyError(f"compare_pose: {', '.join(names)} have no keypoint in common.")
    gate = cleaning.min_confidence
    trunks = {
        recording: _scale(recording, jobs, references.get(recording), gate)
        for recording in dict.fromkeys(job.recording for job in jobs)
    }
    figures: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for stage in STAGES if cleaned else STAGES[:1]:
        staged = [job if stage == "raw" else _cleaned(job, cleaning) for job in jobs]
        failures += [
            {
                "backend": job.backend,
                "stage": stage,
                "recording": job.recording,
                "reason": job.outcome.reason.value if job.outcome.reason else "",
                "detail": job.outcome.detail,
            }
            for job in staged
            if job.pose is None
        ]
        tracks = {
            (job.backend, job.recording): None
            if job.pose is None
            else _in_common(job.pose, keypoints, gate)
            for job in staged
        }
        figures += _figures(
            staged, tracks, infants, references, keypoints, trunks, stage=stage, seed=seed
        )
        agreement += _agreements(tracks, trunks, stage)
    return Comparison(
        keypoints,
        pd.DataFrame(figures, columns=list(FIGURE_COLUMNS)),
        pd.DataFrame(agreement, columns=list(AGREEMENT_COLUMNS)),
        failures,
        {recording: r.kind for recording, r in sorted(references.items())},
    )


def _scale(recording: str, jobs: Sequence[Job], reference: Reference | None, gate: float) -> float:
    """Return a recording's trunk length in pixels: the truth's, else the backends'."""
    if reference is not None and reference.trunk_px is not None:
        return reference.trunk_px
    return _trunk([j.pose for j in jobs if j.recording == recording and j.pose is not None], gate)


def _figures(
    jobs: Sequence[Job],
    tracks: Mapping[tuple[str, str], _Tracks | None],
    infants: Mapping[str, str],
    references: Mapping[str, Reference],
    keypoints: tuple[str, ...],
    trunks: Mapping[str, float],
    *,
    stage: str,
    seed: int,
) -> list[dict[str, Any]]:
    """Measure each recording, then all together: recordings within infants, then infants."""
    rows: list[dict[str, Any]] = []
    for backend in dict.fromkeys(job.backend for job in jobs):
        pooled = _Against()
        own: list[dict[str, Any]] = []
        for job in (j for j in jobs if j.backend == backend):
            trunk = trunks[job.recording]
            found = _alone(tracks[backend, job.recording], trunk)
            if stage == "raw" and job.pose is not None and np.isfinite(job.seconds):
                found["frames_per_s"] = (job.pose.n_frames / job.seconds, job.pose.n_frames)
                found["memory_mb"] = (job.memory_mb, 1)
            if job.recording in references:
                found |= _against(
                    tracks[backend, job.recording],
                    references[job.recording],
                    keypoints,
                    trunk,
                    pooled,
                )
            own += [
                _row(backend, stage, job.recording, infants[job.recording], name, value, n)
                for name, (value, n) in found.items()
            ]
        rows += own
        for name in MEASURES:
            by_infant: dict[str, list[float]] = {}
            for row in own:
                if row["measure"] == name and np.isfinite(row["value"]):
                    by_infant.setdefault(row["infant"], []).append(row["value"])
            if by_infant:
                means = [float(np.mean(values)) for values in by_infant.values()]
                low, high = interval(means, seed) or (np.nan, np.nan)
                overall = _row(backend, stage, "", "", name, float(np.mean(means)), len(means))
                rows.append(overall | {"low": low, "high": high})
        n_frames = sum(len(t) for t in pooled.true)
        rows += [
            _row(backend, stage, "", "", name, value, n_frames)
            for name, value in pooled.precision(keypoints).items()
        ]
    return rows


def _row(
    backend: str, stage: str, recording: str, infant: str, measure: str, value: float, n: int
) -> dict[str, Any]:
    return {
        "backend": backend,
        "stage": stage,
        "recording": recording,
        "infant": infant,
        "measure": measure,
        "value": value,
        "low": np.nan,
        "high": np.nan,
        "n": n,
        "unit": MEASURES[measure][1],
    }


def agreement(
    a: NDArray[np.floating], b: NDArray[np.floating], trunk: float
) -> tuple[NDArray[np.float64], float]:
    """Return the distances of two backends in trunk lengths, and how often both have a keypoint.

    Parameters
    ----------
    a, b : ndarray of shape (frame, 2, keypoint)
        NaN is missing.
    trunk
        Trunk length in their units.
    """
    n = min(len(a), len(b))
    away = measures.distances(a[:n], b[:n]) / trunk
    both = away[np.isfinite(away)]
    return both, both.size / max(away.size, 1)


def _agreements(
    tracks: Mapping[tuple[str, str], _Tracks | None], trunks: Mapping[str, float], stage: str
) -> list[dict[str, Any]]:
    backends = list(dict.fromkeys(backend for backend, _ in tracks))
    recordings = list(dict.fromkeys(recording for _, recording in tracks))
    rows: list[dict[str, Any]] = []
    for i, a in enumerate(backends):
        for b in backends[i + 1 :]:
            everything, shares = [], []
            for recording in recordings:
                one, other = tracks[a, recording], tracks[b, recording]
                if one is None or other is None:
                    continue
                away, both = agreement(one.gated, other.gated, trunks[recording])
                everything.append(away)
                shares.append(both)
                rows.append(_pair(a, b, stage, recording, away, both))
            if everything:
                pooled = np.concatenate(everything)
                rows.append(_pair(a, b, stage, "", pooled, float(np.mean(shares))))
    return rows


def _pair(
    a: str, b: str, stage: str, recording: str, away: NDArray[np.float64], both: float
) -> dict[str, Any]:
    median, p95 = np.quantile(away, [0.5, 0.95]) if away.size else (np.nan, np.nan)
    return {
        "a": a,
        "b": b,
        "stage": stage,
        "recording": recording,
        "median": float(median),
        "p95": float(p95),
        "n": int(away.size),
        "both": both,
    }
