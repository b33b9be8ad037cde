"""The phantoms' camera: above the infant, tilted and shaken as asked, and its clock.

Camera coordinates are x right, y down, z away from the camera, in metres; picture coordinates
are pixels of the displayed picture, x right, y down, (0, 0) at the outer corner of the first
pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from fidgety.phantom.plan import PhantomSpec, derive_seed

Array = NDArray[np.float64]

#: Height above the infant in metres, and what fits into the shorter side of the picture in
#: units of the body's length.
DISTANCE_M = 1.2
FIELD_LENGTHS = 1.42
BODY_LENGTH_M = 0.62
#: Ticks a second of the files' clock; 25 and 30 frames a second are whole numbers of ticks.
CLOCK_HZ = 90_000


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, its place given for every frame.

    Parameters
    ----------
    size
        Width and height of the displayed picture in pixels.
    focal_px
        Focal length in pixels; the principal point is the middle of the picture.
    rotation : ndarray of shape (frame, 3, 3)
        Rows are the camera's axes (right, down, away) in body axes.
    position : ndarray of shape (frame, 3)
        Place in body axes, metres.
    """

    size: tuple[int, int]
    focal_px: float
    rotation: Array
    position: Array

    @property
    def matrix(self) -> Array:
        """Intrinsic matrix of shape (3, 3)."""
        width, height = self.size
        return np.array(
            [
                [self.focal_px, 0.0, width / 2],
                [0.0, self.focal_px, height / 2],
                [0.0, 0.0, 1.0],
            ]
        )

    def to_camera(self, points: Array) -> Array:
        """Turn points of shape (frame, 3, point) from body into camera coordinates."""
        return np.asarray(self.rotation @ (points - self.position[:, :, None]))


def project(points: Array, matrix: Array) -> Array:
    """Project camera coordinates (frame, 3, point) to pixels (frame, 2, point)."""
    picture = np.einsum("ij,fjk->fik", matrix, points)
    return np.asarray(picture[:, :2] / picture[:, 2:])


def _sway(rng: np.random.Generator, time_s: Array) -> Array:
    """Return a hand's sway of unit variance at the frame times, of shape (frame, 3)."""
    rate = 100.0
    n = int(np.ceil((time_s[-1] if len(time_s) else 0.0) * rate)) + 2
    grid = np.arange(n) / rate
    # Slow sway, and a little tremor at a few hertz.
    white = rng.standard_normal((n + 400, 3))
    slow = gaussian_filter1d(white, 50, axis=0)[200 : 200 + n]
    fast = gaussian_filter1d(white[::-1], 6, axis=0)[200 : 200 + n]
    slow *= np.sqrt(2 * np.sqrt(np.pi) * 50)
    fast *= np.sqrt(2 * np.sqrt(np.pi) * 6)
    both = np.sqrt(0.97) * slow + np.sqrt(0.03) * fast
    return np.stack([np.interp(time_s, grid, column) for column in both.T], axis=1)


def place_camera(spec: PhantomSpec, time_s: Array, target: Array) -> Camera:
    """Place the camera above a point of the body.

    Parameters
    ----------
    spec
        The phantom: picture size, angle of the body in the picture, tilt and shake.
    time_s : ndarray of shape (frame,)
    target : ndarray of shape (3,)
        What the camera looks at, in body axes.
    """
    nuisances = spec.nuisances
    rng = np.random.default_rng(derive_seed(spec.seed, "camera"))
    # Upright, the picture's right is x, its down is -z, and the camera looks along y.
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    turned = Rotation.from_euler("z", nuisances.body_angle_deg, degrees=True).as_matrix() @ upright
    heading = float(rng.uniform(0, 2 * np.pi))
    tilt = np.deg2rad(nuisances.camera_tilt_deg)
    tilted = Rotation.from_rotvec(tilt * np.array([np.cos(heading), np.sin(heading), 0.0]))
    base = tilted.as_matrix() @ turned
    shake = nuisances.camera_shake_mm / 1000 * _sway(rng, time_s)
    wobble = nuisances.camera_shake_mm * np.deg2rad(0.05) * _sway(rng, time_s)
    rotation = Rotation.from_rotvec(wobble).as_matrix() @ base
    # Looking from where the undisturbed axis meets the target, plus the hand's sway.
    position = target - DISTANCE_M * base[2] + shake @ base
    focal = min(spec.size) * DISTANCE_M / (FIELD_LENGTHS * BODY_LENGTH_M)
    return Camera(spec.size, float(focal), rotation, position)


def frame_times(spec: PhantomSpec) -> Array:
    """Return the frames' time stamps in seconds, on the file's clock, the first at 0.

    Parameters
    ----------
    spec
        The phantom. Its ``variable_rate`` makes intervals irregular by up to 15 % with slow
        stretches of 24 frames a second or less, as phones do in poor light; its
        ``dropped_share`` leaves frames out (never the first one).
    """
    rng = np.random.default_rng(derive_seed(spec.seed, "clock"))
    n = spec.n_frames
    steps = np.full(n, 1.0 / spec.fps)
    if spec.nuisances.variable_rate:
        slow = gaussian_filter1d(rng.standard_normal(n), 2 * spec.fps, mode="wrap")
        steps *= np.where(slow > np.quantile(slow, 0.75), 1.25, 1.0)
        steps *= 1 + rng.uniform(-0.15, 0.15, n)
    times = np.concatenate([[0.0], np.cumsum(steps)[:-1]])
    times = times[times < spec.duration_s - 0.25 / spec.fps]
    if spec.nuisances.dropped_share > 0:
        kept = rng.random(len(times)) >= spec.nuisances.dropped_share
        kept[0] = True
        times = times[kept]
    return np.asarray(np.round(times * CLOCK_HZ) / CLOCK_HZ)
