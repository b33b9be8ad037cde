"""A smooth synthetic infant with rigid bones, for tests: truth without a body model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from fidgety.pose.tracks import Pose
from fidgety.skeletons import BLAZEPOSE_33

TRUNK_M = 0.16
PIXELS_A_METRE = 900.0


def _smooth_noise(
    rng: np.random.Generator, n: int, fps: float, period_s: float, size: float
) -> NDArray[np.float64]:
    """Return a random smooth signal with a standard deviation of ``size``."""
    noise = gaussian_filter1d(rng.standard_normal(n), period_s * fps / 4, mode="wrap")
    return size * noise / noise.std()


def _direction(azimuth: NDArray[np.float64], elevation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors: azimuth in the picture from down (y) towards x, elevation to the camera."""
    return np.stack(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.cos(azimuth) * np.cos(elevation),
            -np.sin(elevation),
        ],
        axis=1,
    )


def infant_world(
    duration_s: float = 30.0, fps: float = 25.0, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Make keypoints in metres (x right, y down, z away), pelvis near zero, by name."""
    rng = np.random.default_rng(seed)
    n = round(duration_s * fps)

    def wave(period_s: float, size: float) -> NDArray[np.float64]:
        return _smooth_noise(rng, n, fps, period_s, size)

    def limb_wave() -> NDArray[np.float64]:
        # Slow drift of posture, fidgety movement, and a few faster kicks or swipes.
        kick = np.maximum(wave(6.0, 1.0) - 1.0, 0.0) * wave(0.6, 0.8)
        return wave(4.0, 0.3) + wave(0.7, 0.06) + kick

    points: dict[str, NDArray[np.float64]] = {}
    pelvis = np.stack([wave(8.0, 0.004), wave(8.0, 0.004), wave(8.0, 0.002)], axis=1)
    lean = wave(6.0, 0.08)
    up = _direction(np.pi + lean, np.zeros(n))
    across = np.stack([np.cos(lean), -np.sin(lean), np.zeros(n)], axis=1)
    thorax = pelvis + TRUNK_M * up
    head = thorax + 0.08 * _direction(np.pi + lean + wave(3.0, 0.2), wave(5.0, 0.1))
    toward = np.array([0.0, 0.0, -1.0])
    points["nose"] = head + 0.045 * toward
    for side, sign in (("left", 1.0), ("right", -1.0)):  # the camera sees left at larger x
        for part, offset in (("eye_inner", 0.008), ("eye", 0.015), ("eye_outer", 0.022)):
            points[f"{side}_{part}"] = head + sign * offset * across + 0.02 * up + 0.035 * toward
        points[f"{side}_ear"] = head + sign * 0.045 * across
        points[f"mouth_{side}"] = head + sign * 0.012 * across - 0.02 * up + 0.04 * toward
        for a, b, c, root, half, lengths, angles in (
            ("shoulder", "elbow", "wrist", thorax, 0.06, (0.09, 0.075), (0.9, 1.2)),
            ("hip", "knee", "ankle", pelvis, 0.04, (0.10, 0.10), (0.5, -1.0)),
        ):
            points[f"{side}_{a}"] = root + sign * half * across
            azimuth, elevation = angles[0] + limb_wave(), 0.4 + limb_wave() * 0.7
            upper = _direction(sign * azimuth, elevation)
            # A bend around 90 degrees that stays within anatomy.
            bend = 1.4 + 0.6 * np.tanh(limb_wave())
            lower = _direction(sign * (azimuth + np.sign(angles[1]) * bend), elevation)
            points[f"{side}_{b}"] = points[f"{side}_{a}"] + lengths[0] * upper
            points[f"{side}_{c}"] = points[f"{side}_{b}"] + lengths[1] * lower
            end = points[f"{side}_{c}"]
            tip = _direction(
                sign * (azimuth + np.sign(angles[1]) * bend + wave(2.0, 0.3)), elevation
            )
            if a == "shoulder":
                for part, far, off in (
                    ("index", 0.04, 0.0),
                    ("pinky", 0.035, 0.01),
                    ("thumb", 0.02, -0.012),
                ):
                    points[f"{side}_{part}"] = end + far * tip + off * across
            else:
                points[f"{side}_foot_index"] = end + 0.05 * tip
                points[f"{side}_heel"] = end - 0.015 * tip
    return points


def infant_pose(duration_s: float = 30.0, fps: float = 25.0, seed: int = 0) -> Pose:
    """Make a complete BlazePose-33 pose: pixels from above, and 3D in metres."""
    points = infant_world(duration_s, fps, seed)
    world = np.stack([points[k] for k in BLAZEPOSE_33.keypoints], axis=2)
    n = world.shape[0]
    position = 360.0 + PIXELS_A_METRE * world[:, :2]
    return Pose(
        position=position,
        confidence=np.ones((n, world.shape[2])),
        time_s=np.arange(n) / fps,
        keypoints=BLAZEPOSE_33.keypoints,
        fps=fps,
        units="pixels",
        world=world,
        source_software="synthetic",
        skeleton=BLAZEPOSE_33.name,
    )
