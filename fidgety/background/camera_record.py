"""How the camera moved, as it stands in ``results/background/{recording}.h5``."""

from __future__ import annotations

import os
from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from fidgety.storage import read_outcome

#: Schema of the file that it stands in.
SCHEMA = "background/1"


@dataclass(frozen=True)
class CameraMotion:
    """How fast the picture behind the infant moves.

    Parameters
    ----------
    time_s : ndarray of shape (step,)
        Middle of each step.
    speed : ndarray of shape (step,)
        Root mean square over the picture, in pixels of the standard video a second; NaN where
        the background has too little texture to tell.
    """

    time_s: NDArray[np.float64]
    speed: NDArray[np.float64]


def read_camera_motion(path: str | os.PathLike[str]) -> CameraMotion | None:
    """Read the camera's motion; None where there is no result, or it was not measured."""
    if not read_outcome(path, SCHEMA).ok:
        return None
    with h5py.File(path, "r") as file:
        if "camera_speed" not in file:
            return None
        return CameraMotion(
            np.asarray(file["camera_time"][:], dtype=np.float64),
            np.asarray(file["camera_speed"][:], dtype=np.float64),
        )
