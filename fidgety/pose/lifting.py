"""3D poses in the Human3.6M-17 skeleton.

From the 3D positions that an estimator gives beside its 2D ones, or from a track that is 3D
already: converted, the pelvis at zero in every frame, turned upright in the picture plane by
one angle a recording. Units stay as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.cleaning import LENGTH_UNITS, Cleaned
from fidgety.pose.normalisation import move_origin, turn, upright_angle
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import HUMAN36M_17, conversion_matrix, convert


def derived_origin(
    origin: NDArray[np.uint8], source: tuple[str, ...], target: tuple[str, ...]
) -> NDArray[np.uint8]:
    """Tell the origin of keypoints that are means of others: that of the least certain part.

    Missing comes before imputed, imputed before corrected, corrected before measured.

    Parameters
    ----------
    origin : ndarray of uint8, shape (frame, keypoint)
    source, target
        Keypoint names.

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
        for value in (Origin.MEASURED, Origin.CORRECTED, Origin.IMPUTED, Origin.MISSING):
            out[(parts == int(value)).any(axis=1), k] = int(value)
    return out


def _derived_confidence(
    confidence: NDArray[np.floating], source: tuple[str, ...], target: tuple[str, ...]
) -> NDArray[np.float64]:
    """Give a derived keypoint the confidence of its least certain part."""
    weights, _ = conversion_matrix(source, target)
    return np.stack([confidence[:, np.flatnonzero(row)].min(axis=1) for row in weights], axis=1)


def turns_upright(units: str, config: CleaningConfig) -> bool:
    """Tell whether 3D poses in these units are turned.

    Turning mixes two axes, which needs one unit for both: z-scored tracks have one each.
    """
    return config.upright_3d == "always" or (config.upright_3d == "auto" and units in LENGTH_UNITS)


def lift(cleaned: Cleaned, config: CleaningConfig) -> Pose:
    """Give the 3D pose in the Human3.6M-17 skeleton.

    Parameters
    ----------
    cleaned
        Clean pose, with 3D positions or as a 3D track.
    config
        The ``cleaning`` section (``upright_3d``).

    Returns
    -------
    Pose
        3D, the pelvis at zero; ``details["lifting"]`` says what was done.

    Raises
    ------
    NotAssessable
        ``no_3d`` if there are no 3D positions; ``skeleton_mismatch`` if the keypoints do not
        give the skeleton.
    """
    pose = cleaned.pose
    assert pose.origin is not None
    if pose.n_space == 3:
        position, origin, units, method = pose.position, pose.origin, pose.units, "track"
    elif pose.world is not None and np.isfinite(pose.world).any():
        assert cleaned.world_origin is not None
        position, origin, units = pose.world, cleaned.world_origin, "metres"
        method = "estimator"
    else:
        raise NotAssessable(
            Reason.NO_3D, f"{pose.source_software or 'the source'} gives 2D positions alone"
        )
    target = HUMAN36M_17.keypoints
    lifted = move_origin(convert(position, pose.keypoints, HUMAN36M_17), target, "pelvis")
    upright = turns_upright(units, config)
    angle = upright_angle(lifted, target) if upright else 0.0
    if upright:
        lifted = turn(lifted, angle)
    lifted_origin = derived_origin(origin, pose.keypoints, target)
    # Relative to the pelvis nothing is known while the pelvis is missing.
    lifted_origin[~np.isfinite(lifted).all(axis=1)] = int(Origin.MISSING)
    return Pose(
        position=lifted,
        confidence=_derived_confidence(pose.confidence, pose.keypoints, target),
        time_s=pose.time_s,
        keypoints=target,
        fps=pose.fps,
        units=units,
        origin=lifted_origin,
        source_software=pose.source_software,
        skeleton=HUMAN36M_17.name,
        details={"lifting": {"method": method, "upright": upright, "angle_rad": angle}},
    )
