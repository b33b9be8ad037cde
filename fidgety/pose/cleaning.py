"""From a raw pose to a clean one, with the origin of every value.

In this order, on the positions and, where there are 3D ones beside 2D ones, on those too:

1. values of low confidence are taken out;
2. stretches with left and right exchanged are exchanged back (:mod:`fidgety.pose.swaps`);
3. impossible bones, impossible joints and jumps are taken out (:mod:`fidgety.pose.outliers`);
4. short gaps are filled by modified Akima interpolation (:mod:`fidgety.pose.imputation`);
5. jitter is smoothed, where there is any (:mod:`fidgety.pose.smoothing`).

What was found in 2D holds for 3D: the same keypoint of the same frame came from the same
look at the picture. What is wrong in 3D alone (depth) is taken out there alone.

Corrections by hand (:mod:`fidgety.pose.corrections`) come between 2 and 3: they are about what
a person saw, where sides are right. A value that a hand placed has confidence 1, is never taken
out and is the very same after smoothing; it does bound the gaps beside it, and the other end of
a bone that it makes impossible takes the blame. A value that a hand took out is a gap like any
other. In 3D, where nobody pointed, both are gaps: imputed if short, missing if not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.corrections import (
    Corrections,
    Placement,
    describe_corrections,
    place_corrections,
)
from fidgety.pose.gaps import Mask, Positions, blank, present
from fidgety.pose.imputation import impute
from fidgety.pose.normalisation import trunk_length
from fidgety.pose.outliers import bone_outliers, joint_outliers, jump_outliers
from fidgety.pose.quality import describe
from fidgety.pose.smoothing import jitter, smooth
from fidgety.pose.swaps import Swap, find_swaps, undo_swaps
from fidgety.pose.tracks import Origin, Pose
from fidgety.pose.trajectory import Trajectory, robust_trajectory
from fidgety.skeletons import Skeleton, identify

#: Units in which bones have a length. A z-scored track has another unit along each axis, and
#: of unknown units nothing can be said.
LENGTH_UNITS = frozenset({"pixels", "metres", "trunk"})
#: Outliers that stand beside each other hide each other: they are looked for again once the
#: first ones are gone.
JUMP_ROUNDS = 2


@dataclass(frozen=True)
class Cleaned:
    """A clean pose, and what only the 3D positions beside it know.

    Parameters
    ----------
    pose
        Clean pose; ``details["cleaning"]`` has the quality measures.
    world_origin : ndarray of uint8, shape (frame, keypoint), optional
        Origin of the values of ``pose.world``.
    findings : dict
        What was found wrong, by kind: ``confidence``, ``swap``, ``bone``, ``joint``, ``jump``;
        masks of shape (frame, keypoint).
    """

    pose: Pose
    world_origin: NDArray[np.uint8] | None = None
    findings: Mapping[str, Mask] = field(default_factory=dict)


@dataclass(frozen=True)
class _Outliers:
    """Values to take out, by kind."""

    bone: Mask
    joint: Mask
    jump: Mask

    @property
    def any(self) -> Mask:
        return self.bone | self.joint | self.jump

    def by_kind(self) -> dict[str, Mask]:
        return {kind: getattr(self, kind) for kind in ("bone", "joint", "jump")}

    def counts(self) -> dict[str, int]:
        return {kind: int(mask.sum()) for kind, mask in self.by_kind().items()}


def low_confidence(confidence: NDArray[np.floating], smallest: float) -> Mask:
    """Tell which values an estimator itself does not trust.

    A missing confidence (tracks marked by hand carry none) is no reason against a value.
    """
    return np.nan_to_num(confidence, nan=1.0) < smallest


def window_frames(seconds: float, fps: float) -> int:
    """Return the odd number of frames, 3 or more, that comes closest to a time."""
    return max(2 * round((seconds * fps - 1) / 2) + 1, 3)


def checks_bones(units: str, config: CleaningConfig) -> bool:
    """Tell whether bones are to be judged in these units."""
    return config.bone_check == "always" or (config.bone_check == "auto" and units in LENGTH_UNITS)


def _trajectory(
    position: Positions, pose: Pose, config: CleaningConfig, body_length: float
) -> Trajectory:
    return robust_trajectory(
        position,
        pose.time_s,
        window_frames=window_frames(config.jump_window_s, pose.fps),
        longest_gap_s=config.max_gap_s + 1.5 / pose.fps,
        body_length=body_length,
    )


def _outliers(
    position: Positions,
    pose: Pose,
    skeleton: Skeleton,
    config: CleaningConfig,
    body_length: float,
    *,
    lengths: bool,
    trajectory: Trajectory | None = None,
    trusted: Mask | None = None,
) -> _Outliers:
    """Look for what cannot be in one set of positions; what is trusted is never it."""
    known = trajectory or _trajectory(position, pose, config, body_length)
    open_ = np.ones(known.deviation.shape, dtype=bool) if trusted is None else ~trusted
    bone = joint = np.zeros(known.deviation.shape, dtype=bool)
    if lengths:
        bones = np.array(
            [[pose.keypoints.index(a), pose.keypoints.index(b)] for a, b in skeleton.bones],
            dtype=np.intp,
        )
        bone = bone_outliers(
            position, bones, known.deviation, config.bone_length_tolerance, body_length, trusted
        )
        if config.joint_limits:
            joint = joint_outliers(blank(position, bone), pose.keypoints, known.deviation) & ~bone
            joint &= open_
    jump = jump_outliers(known.deviation, config.jump_threshold) & ~bone & ~joint & open_
    for _ in range(JUMP_ROUNDS - 1):
        rest = _trajectory(blank(position, bone | joint | jump), pose, config, body_length)
        more = jump_outliers(rest.deviation, config.jump_threshold) & open_
        if not more.any():
            break
        jump |= more
    return _Outliers(bone, joint, jump)


def _impute(position: Positions, pose: Pose, config: CleaningConfig) -> tuple[Positions, Mask]:
    return impute(position, pose.time_s, pose.fps, config.max_gap_s, pure_gap_s=config.makima_gap_s)


def _smooth(
    position: Positions, pose: Pose, config: CleaningConfig, body_length: float
) -> tuple[Positions, NDArray[np.bool_]]:
    """Smooth the keypoints that jitter; tell which ones those were."""
    noisy = jitter(position) >= config.smoothing_min_jitter * body_length
    if config.smoothing == "none":
        noisy[:] = False
    out = position.copy()
    if noisy.any():
        out[:, :, noisy] = smooth(
            position[:, :, noisy],
            config.smoothing,
            fps=pose.fps,
            window_frames=config.smoothing_window_frames,
            order=config.smoothing_order,
            cutoff_hz=config.cutoff_hz,
        )
    return out, noisy


def _origin(
    measured: Mask, filled: Mask, exchanged: Mask, placed: Mask | None = None
) -> NDArray[np.uint8]:
    out = np.full(measured.shape, int(Origin.MISSING), dtype=np.uint8)
    out[measured] = int(Origin.MEASURED)
    out[measured & exchanged] = int(Origin.CORRECTED)
    out[filled] = int(Origin.IMPUTED)
    if placed is not None:
        out[placed] = int(Origin.MANUAL)
    return out


def _put(values: Positions, placement: Placement) -> Positions:
    """Put hand-placed positions in, and take out what a hand said is missing."""
    return np.where(
        placement.placed[:, None, :], placement.position, blank(values, placement.removed)
    )


def _describe_swaps(swaps: list[Swap], time_s: NDArray[np.floating]) -> list[dict[str, Any]]:
    return [
        {
            "keypoints": list(swap.keypoints),
            "start_s": float(time_s[swap.start_frame]),
            "end_s": float(time_s[swap.end_frame - 1]),
        }
        for swap in swaps
    ]


def require_enough(quality: Mapping[str, Any], config: CleaningConfig) -> None:
    """Check that enough is left of a pose.

    Raises
    ------
    NotAssessable
        With ``pose_too_sparse`` if more is missing than the configuration allows.
    """
    if quality["core_missing"] > config.max_missing:
        raise NotAssessable(
            Reason.POSE_TOO_SPARSE,
            f"{quality['core_missing']:.0%} of trunk, head and limbs are missing after cleaning; "
            f"at most {config.max_missing:.0%} may be (cleaning.max_missing). Longest gap "
            f"{quality['longest_gap_s']:.1f} s.",
        )


def clean(
    pose: Pose,
    config: CleaningConfig,
    corrections: Corrections | None = None,
    *,
    however_sparse: bool = False,
) -> Cleaned:
    """Clean a pose.

    Parameters
    ----------
    pose
        Raw pose, 2D (with 3D positions beside it or not) or 3D, in any known skeleton.
    config
        The ``cleaning`` section.
    corrections
        What a person's hand put right; it wins.
    however_sparse
        Give also a pose that too much is missing of: to look at, and to correct.

    Returns
    -------
    Cleaned
        Same skeleton, units and time stamps. ``pose.origin`` says of every value whether it is
        missing, measured, imputed, corrected (measured, with its side put right) or manual
        (placed by hand).

    Raises
    ------
    NotAssessable
        ``pose_empty`` if there is no position at all; ``skeleton_mismatch`` for unknown
        keypoints; ``corrections_invalid`` for corrections that do not fit the pose;
        ``pose_too_sparse`` if more is missing after cleaning than the configuration allows.
    """
    by_hand = corrections or Corrections()
    placement = place_corrections(by_hand, pose)
    raw = present(pose.position)
    if not raw.any():
        raise NotAssessable(Reason.POSE_EMPTY, f"{pose.n_frames} frames without a keypoint")
    skeleton = pose.own_skeleton or identify(pose.keypoints)
    anatomy = pose.anatomy
    doubted = raw & low_confidence(pose.confidence, config.min_confidence)
    position = blank(pose.position, ~raw | doubted)
    body = trunk_length(position, anatomy)

    exchanged = np.zeros(raw.shape, dtype=bool)
    swaps: list[Swap] = []
    confidence = np.asarray(pose.confidence, dtype=np.float64)
    trajectory = _trajectory(position, pose, config, body)
    if config.fix_swaps:
        exchanged, swaps = find_swaps(
            position,
            pose.keypoints,
            pose.time_s,
            trajectory,
            threshold=config.jump_threshold,
            longest_gap_s=config.max_gap_s + 1.5 / pose.fps,
            body_length=body,
        )
        if swaps:
            position = undo_swaps(position, exchanged, pose.keypoints)
            confidence = undo_swaps(confidence, exchanged, pose.keypoints)
            trajectory = _trajectory(position, pose, config, body)

    if by_hand.entries:
        position = _put(position, placement)
        confidence = np.where(placement.removed, 0.0, np.where(placement.placed, 1.0, confidence))
        trajectory = _trajectory(position, pose, config, body)

    outliers = _outliers(
        position,
        pose,
        skeleton,
        config,
        body,
        lengths=checks_bones(pose.units, config),
        trajectory=trajectory,
        trusted=placement.placed,
    )
    measured = present(position) & ~outliers.any
    filled_position, filled = _impute(blank(position, ~measured), pose, config)
    origin = _origin(measured, filled, exchanged, placement.placed)
    smoothed, noisy = _smooth(filled_position, pose, config, body)
    if by_hand.entries:
        smoothed = np.where(placement.placed[:, None, :], placement.position, smoothed)

    quality = describe(origin, anatomy, pose.time_s, pose.fps) | {
        "outliers": {"confidence": int(doubted.sum())} | outliers.counts(),
        "swaps": _describe_swaps(swaps, pose.time_s),
        "trunk_length": body,
        "smoothed": [k for k, is_noisy in zip(pose.keypoints, noisy, strict=True) if is_noisy],
    }
    if by_hand.entries or by_hand.untouched:
        quality["corrections"] = describe_corrections(by_hand, placement)
    if not however_sparse:
        require_enough(quality, config)

    world, world_origin = None, None
    if pose.world is not None:
        world, world_origin, world_quality = _clean_world(
            pose, exchanged, measured & ~placement.placed, skeleton, config
        )
        quality["world"] = world_quality
    return Cleaned(
        replace(
            pose,
            position=smoothed,
            confidence=confidence,
            world=world,
            origin=origin,
            skeleton=pose.skeleton or skeleton.name,
            details=dict(pose.details) | {"cleaning": quality},
        ),
        world_origin,
        {"confidence": doubted, "swap": exchanged} | outliers.by_kind(),
    )


def _clean_world(
    pose: Pose, exchanged: Mask, measured: Mask, skeleton: Skeleton, config: CleaningConfig
) -> tuple[Positions, NDArray[np.uint8], dict[str, Any]]:
    """Clean the 3D positions that stand beside 2D ones.

    Parameters
    ----------
    pose
        Raw pose with 3D positions, in metres.
    exchanged, measured : ndarray of bool, shape (frame, keypoint)
        From 2D: where sides are exchanged, and which values can be trusted.
    skeleton, config
        As for :func:`clean`.

    Returns
    -------
    world : ndarray of shape (frame, 3, keypoint)
    origin : ndarray of uint8, shape (frame, keypoint)
    quality
    """
    assert pose.world is not None
    world = undo_swaps(pose.world, exchanged, pose.keypoints)
    world = blank(world, ~(present(world) & measured))
    try:
        body = trunk_length(world, pose.anatomy)
    except NotAssessable:
        # 2D alone can still be used; lifting gives the reason.
        nothing = np.zeros(measured.shape, dtype=bool)
        empty = _origin(nothing, nothing, nothing)
        return np.full(world.shape, np.nan), empty, {"shares": {"missing": 1.0}}
    outliers = _outliers(world, pose, skeleton, config, body, lengths=config.bone_check != "never")
    there = present(world) & ~outliers.any
    filled_world, filled = _impute(blank(world, ~there), pose, config)
    origin = _origin(there, filled, exchanged)
    smoothed, _ = _smooth(filled_world, pose, config, body)
    quality = {
        "shares": describe(origin, pose.anatomy, pose.time_s, pose.fps)["shares"],
        "outliers": outliers.counts(),
        "trunk_length": body,
    }
    return smoothed, origin, quality
