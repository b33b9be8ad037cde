"""Whether a recording is fit to be assessed: what was measured, and the verdict with its reasons.

Everything here is cheap and is done when features are built, so that another threshold costs no
pose. What is written of it: :mod:`fidgety.pose.quality_record`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.background.camera_record import CameraMotion
from fidgety.config.quality import QualityConfig
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.pose.behaviour import by_second, facing, lasting, movement, seconds
from fidgety.pose.normalisation import trunk_length
from fidgety.pose.quality import core_keypoints, longest_gap_s
from fidgety.pose.tracks import Origin, Pose

#: Smallest share of the keypoints of trunk, head and limbs in a frame that is fit.
CORE_KNOWN = 0.8
#: Origins that are not made up.
REAL = (int(Origin.MEASURED), int(Origin.CORRECTED), int(Origin.MANUAL))


def _share(flags: NDArray[np.bool_], known: NDArray[np.bool_]) -> float | None:
    return float(flags[known].mean()) if known.any() else None


def _camera(
    camera: CameraMotion | None, length: float | None, n: int
) -> NDArray[np.float64] | None:
    """Return the camera's largest speed in every second, in trunk lengths; None if unknown."""
    if camera is None or length is None or not np.isfinite(camera.speed).any():
        return None
    out = np.full(n, np.nan)
    at = np.clip(np.floor(camera.time_s).astype(int), 0, n - 1)
    for second in np.unique(at):
        speed = camera.speed[at == second]
        if np.isfinite(speed).any():
            out[second] = np.nanmax(speed) / length
    return out


def _persons(details: Mapping[str, Any]) -> tuple[float | None, float | None]:
    found = details.get("persons")
    if not isinstance(found, Mapping) or not found.get("known", True):
        return None, None
    values = [found.get(k) for k in ("max_in_view", "share_with_others")]
    most, share = (float(v) if isinstance(v, int | float) else None for v in values)
    return most, share


def _others(details: Mapping[str, Any], n: int) -> NDArray[np.float64] | None:
    """Return the share of every second with somebody else in view; None if unknown."""
    found = details.get("persons")
    shares = found.get("others_by_second") if isinstance(found, Mapping) else None
    if not isinstance(shares, list):
        return None
    out = np.full(n, np.nan)
    out[: len(shares)] = shares[:n]
    return out


def _confidence(pose: Pose) -> float | None:
    """Return the median confidence of trunk, head and limbs; None where the source gives none."""
    core = np.asarray(pose.confidence, dtype=np.float64)[:, core_keypoints(pose.anatomy)]
    known = core[np.isfinite(core)]
    return float(np.median(known)) if known.size else None


def _face(pose: Pose, origin: NDArray[np.uint8]) -> float | None:
    if "nose" not in pose.keypoints:
        return None
    k = pose.keypoints.index("nose")
    return float(np.isin(origin[:, k], REAL).mean())


def _rounded(values: NDArray[np.float64] | None) -> list[float | None] | None:
    if values is None:
        return None
    return [round(float(v), 4) if math.isfinite(v) else None for v in values]


def measure(
    pose: Pose, config: QualityConfig, camera: CameraMotion | None = None
) -> tuple[dict[str, float | None], dict[str, Any]]:
    """Measure what a verdict needs.

    Parameters
    ----------
    pose
        Clean pose.
    config
        Speeds and widths from which something counts as moving, still, fussing, lying.
    camera
        Motion of the background, where there is a video.

    Returns
    -------
    measures : dict
        :data:`MEASURES`; None where it cannot be told.
    series : dict
        ``camera``, ``speed``, ``extent``, ``facing``, ``others``: one value a second, or None.
    """
    origin = pose.origin
    if origin is None:
        there = np.isfinite(pose.position).all(axis=1)
        origin = np.where(there, Origin.MEASURED, Origin.MISSING).astype(np.uint8)
    second = seconds(pose.time_s)
    n = int(second[-1]) + 1 if second.size else 0
    core = origin[:, core_keypoints(pose.anatomy)]
    there = core != int(Origin.MISSING)
    try:
        length: float | None = trunk_length(pose.position[:, :2], pose.anatomy)
    except NotAssessable:
        length = None
    moving = movement(pose)
    width = facing(pose)
    motion = _camera(camera, length if pose.units == "pixels" else None, n)
    side = None if width is None else by_second(width, second, n)

    fit = there.mean(axis=1) >= CORE_KNOWN
    supine = None
    if width is not None:
        known = np.isfinite(width)
        front = known & (np.nan_to_num(width) >= config.side_width)
        supine = _share(front, known)
        fit &= front | ~known
    shaking = None
    if motion is not None:
        shaking = np.nan_to_num(motion) > config.camera_speed
        fit &= ~shaking[second]
    still = fussing = pace = None
    if moving is not None:
        known = np.isfinite(moving.extent)
        still = _share(np.nan_to_num(moving.extent) < config.still_extent, known)
        fast = np.nan_to_num(moving.speed) > config.fussing_speed
        fast = lasting(fast, math.ceil(config.fussing_s))
        fussing = _share(fast, np.isfinite(moving.speed))
        fit &= ~fast[second]
        pace = float(np.nanmedian(moving.speed)) if np.isfinite(moving.speed).any() else None
    most, others = _persons(pose.details)
    measures = {
        "core_measured": float(np.isin(core, REAL).mean()) if core.size else 0.0,
        "confidence": _confidence(pose),
        "longest_gap_s": longest_gap_s(there, pose.time_s, pose.fps),
        "persons": most,
        "other_person": others,
        "camera_speed": None if motion is None else float(np.nanpercentile(motion, 95)),
        "camera_moving": None
        if motion is None or shaking is None
        else _share(shaking, np.isfinite(motion)),
        "supine": supine,
        "face_seen": _face(pose, origin),
        "movement": pace,
        "still": still,
        "fussing": fussing,
        "assessable_s": float(fit.sum() / pose.fps),
    }
    series = {
        "camera": _rounded(motion),
        "speed": _rounded(moving.speed if moving else None),
        "extent": _rounded(moving.extent if moving else None),
        "facing": _rounded(side),
        "others": _rounded(_others(pose.details, n)),
    }
    return measures, series


def judge(measures: Mapping[str, float | None], config: QualityConfig) -> list[NotAssessable]:
    """Say why a recording is not fit: every reason, the weightiest first; none if it is.

    What could not be measured is no reason.
    """

    def above(name: str, limit: float | None) -> bool:
        value = measures.get(name)
        return value is not None and limit is not None and value > limit

    def below(name: str, limit: float) -> bool:
        value = measures.get(name)
        return value is not None and value < limit

    found: list[NotAssessable] = []

    def add(reason: Reason, text: str, key: str) -> None:
        found.append(NotAssessable(reason, f"{text} (quality.{key})"))

    if below("core_measured", config.min_measured):
        add(
            Reason.POSE_TOO_SPARSE,
            f"{measures['core_measured']:.0%} of trunk, head and limbs are measured, at least "
            f"{config.min_measured:.0%} are needed",
            "min_measured",
        )
    if above("longest_gap_s", config.max_gap_s):
        add(
            Reason.POSE_TOO_SPARSE,
            f"a keypoint is missing for {measures['longest_gap_s']:.1f} s, at most "
            f"{config.max_gap_s:g} s may be",
            "max_gap_s",
        )
    if below("supine", config.min_supine):
        add(
            Reason.NOT_SUPINE,
            f"seen from the front {measures['supine']:.0%} of the time, at least "
            f"{config.min_supine:.0%} are needed",
            "min_supine",
        )
    shares = (
        (Reason.OTHER_PERSON, "other_person", "max_other_person", "somebody else is in view"),
        (Reason.CAMERA_MOVES, "camera_moving", "max_camera_moving", "the camera moves"),
        (Reason.INFANT_FUSSING, "fussing", "max_fussing", "fast movement of all limbs lasts"),
        (Reason.INFANT_STILL, "still", "max_still", "hands and feet are still"),
    )
    for reason, name, key, text in shares:
        limit = float(getattr(config, key))
        if above(name, limit):
            add(reason, f"{text} {measures[name]:.0%} of the time, at most {limit:.0%} may be", key)
    if below("assessable_s", config.min_assessable_s):
        add(
            Reason.ASSESSABLE_TOO_SHORT,
            f"{measures['assessable_s']:.1f} s are fit, at least "
            f"{config.min_assessable_s:g} s are needed",
            "min_assessable_s",
        )
    return found


def combine(reasons: list[NotAssessable]) -> Outcome:
    """Make one outcome of all reasons: the first one's code, and what was found of each."""
    if not reasons:
        return Outcome()
    return Outcome.of(NotAssessable(reasons[0].reason, "; ".join(r.detail for r in reasons)))


def quality_record(
    pose: Pose, config: QualityConfig, camera: CameraMotion | None = None
) -> tuple[Outcome, dict[str, Any]]:
    """Measure and judge a recording.

    Returns
    -------
    outcome
        Fit, or the first reason.
    record : dict
        Everything but the common fields.
    """
    measures, series = measure(pose, config, camera)
    reasons = judge(measures, config)
    return combine(reasons), {
        "reasons": [{"reason": r.reason.value, "detail": r.detail} for r in reasons],
        "measures": measures,
        "series": series,
        "limits": config.model_dump(mode="json"),
    }
