"""3D poses in the Human3.6M-17 skeleton.

A lifter gives the third dimension (:mod:`fidgety.pose.lifters`): by default what the estimator or
the track gives itself. Then the pelvis goes to zero in every frame, and the body is turned upright
in the picture plane by one angle a recording. Units stay as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.pose.cleaning import LENGTH_UNITS, Cleaned
from fidgety.pose.lifters.base import Lifter
from fidgety.pose.normalisation import move_origin, turn, upright_angle
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import HUMAN36M_17, Names, conversion_matrix

#: Origins from the most to the least certain, as a derived value takes them over.
CERTAINTY = (Origin.MEASURED, Origin.MANUAL, Origin.CORRECTED, Origin.IMPUTED, Origin.MISSING)


def derived_origin(
    origin: NDArray[np.uint8], source: Names, target: tuple[str, ...]
) -> NDArray[np.uint8]:
    """Tell the origin of keypoints that are means of others: that of the least certain part.

    Missing comes before imputed, imputed before corrected, corrected before manual, manual
    before measured: what a hand had a part in stays marked.

    Parameters
    ----------
    origin : ndarray of uint8, shape (frame, keypoint)
    source, target
        Keypoint names, or the source's skeleton.

    Returns
    -------
    ndarray of uint8, shape (frame, target keypoint)
    """
    weights, _ = conversion_matrix(source, target)
    out = np.full((origin.shape[0], len(target)), int(Origin.MISSING), dtype=np.uint8)
    for k, row in enumerate(weights):
        parts = origin[:, np.flatnonzero(row)]
        if parts.shape[1] == 0:
            continue
        for value in CERTAINTY:
            out[(parts == int(value)).any(axis=1), k] = int(value)
    return out


def _derived_confidence(
    confidence: NDArray[np.floating], source: Names, target: tuple[str, ...]
) -> NDArray[np.float64]:
    """Give a derived keypoint the confidence of its least certain part."""
    weights, _ = conversion_matrix(source, target)
    return np.stack([confidence[:, np.flatnonzero(row)].min(axis=1) for row in weights], axis=1)


def turns_upright(units: str, config: CleaningConfig) -> bool:
    """Tell whether 3D poses in these units are turned.

    Turning mixes two axes, which needs one unit for both: z-scored tracks have one each.
    """
    return config.upright_3d == "always" or (config.upright_3d == "auto" and units in LENGTH_UNITS)


def lift(
    cleaned: Cleaned,
    config: CleaningConfig,
    lifter: Lifter,
    picture: tuple[int, int] | None = None,
) -> Pose:
    """Give the 3D pose in the Human3.6M-17 skeleton.

    Parameters
    ----------
    cleaned
        Clean pose.
    config
        The ``cleaning`` section (``upright_3d``).
    lifter
        What gives the third dimension.
    picture
        Width and height of the picture in pixels; None where there is no video.

    Returns
    -------
    Pose
        3D, the pelvis at zero; ``details["lifting"]`` says what was done.

    Raises
    ------
    NotAssessable
        ``no_3d`` if this pose cannot be lifted; ``skeleton_mismatch`` if the keypoints do not
        give the skeleton.
    """
    pose = cleaned.pose
    target = HUMAN36M_17.keypoints
    found = lifter.lift(cleaned, picture)
    lifted = move_origin(found.position, target, "pelvis")
    upright = turns_upright(found.units, config)
    angle = upright_angle(lifted, target) if upright else 0.0
    if upright:
        lifted = turn(lifted, angle)
    origin = np.array(found.origin, dtype=np.uint8)
    # Relative to the pelvis nothing is known while the pelvis is missing.
    origin[~np.isfinite(lifted).all(axis=1)] = int(Origin.MISSING)
    return Pose(
        position=lifted,
        confidence=_derived_confidence(pose.confidence, pose.anatomy, target),
        time_s=pose.time_s,
        keypoints=target,
        fps=pose.fps,
        units=found.units,
        origin=origin,
        source_software=pose.source_software,
        skeleton=HUMAN36M_17.name,
        details={"lifting": {**found.details, "upright": upright, "angle_rad": angle}},
    )
