"""What a pose estimator adds to a known skeleton: the errors of tracks without a video.

The model: for each keypoint, estimate = truth + bias + drift + wobble + jitter.

- **bias** is constant in a recording: what the estimator means by the keypoint, in body axes
  (to the infant's left, to the feet, away from the camera), with a spread between recordings;
- **drift** (below 0.7 Hz), **wobble** (0.7 to 3 Hz, the band of the fidgety movements) and
  **jitter** (above) are Gaussian noise of those bands.

Keypoints of the left and the right side share their figures, the bias mirrored. In 3D the depth
has its own. Lengths are in trunk lengths (middle of the shoulders to middle of the hips): the
recording's median in the picture for 2D, the skeleton's for 3D.

:data:`MEASURED` was measured on rendered phantoms with the workflow's own estimator (mediapipe
0.10.21, BlazePose, complexity 1, no smoothing, on an upright crop around the body) by::

    python -m fidgety.phantom.measure_noise

which renders the phantoms, runs the estimator, compares with truth and prints the table anew.
Errors of 2D and 3D are drawn independently, and do not grow with speed or occlusion: real errors
do. Losses (a keypoint without confidence for a moment) hardly occur on rendered phantoms;
:data:`LOSSES_PER_MINUTE` is an assumption, so that tracks have gaps as real ones do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from fidgety.phantom.plan import derive_seed
from fidgety.phantom.record import Simulation
from fidgety.pose.tracks import Pose
from fidgety.skeletons import BLAZEPOSE_33

Array = NDArray[np.float64]

#: Bands of the noise in hertz; the last one reaches to half the frame rate.
BANDS_HZ = ((0.0, 0.7), (0.7, 3.0), (3.0, np.inf))
LOSSES_PER_MINUTE = 0.5
LOSS_S = (0.1, 0.4)


@dataclass(frozen=True)
class Errors:
    """One coordinate's errors of a keypoint, in trunk lengths."""

    bias: float
    spread: float
    drift: float
    wobble: float
    jitter: float


@dataclass(frozen=True)
class KeypointErrors:
    """Errors of a keypoint (of the left side) and its confidence.

    Parameters
    ----------
    across, along
        In the picture: to the infant's left, to the feet.
    across_3d, along_3d, depth_3d
        In 3D, around the middle of the hips.
    confidence
        Mean and standard deviation.
    """

    across: Errors
    along: Errors
    across_3d: Errors
    along_3d: Errors
    depth_3d: Errors
    confidence: tuple[float, float]


def kind_of(keypoint: str) -> str:
    """Return what a keypoint is, whichever its side: ``left_eye_inner`` is an ``eye_inner``."""
    return (
        keypoint.replace("left_", "")
        .replace("right_", "")
        .replace("_left", "")
        .replace("_right", "")
    )


KINDS = tuple(dict.fromkeys(kind_of(name) for name in BLAZEPOSE_33.keypoints))

# BEGIN MEASURED
#: Length of the estimator's 3D over the true one: BlazePose gives an adult's lengths.
WORLD_SCALE = 2.633
MEASURED: dict[str, KeypointErrors] = {
    "nose": KeypointErrors(
        Errors(0.0000, 0.0098, 0.0166, 0.0057, 0.0026),
        Errors(0.0538, 0.0164, 0.0119, 0.0049, 0.0023),
        Errors(0.0000, 0.0317, 0.0353, 0.0098, 0.0042),
        Errors(0.0304, 0.0204, 0.0432, 0.0115, 0.0048),
        Errors(-0.0867, 0.0660, 0.0683, 0.0257, 0.0114),
        (1.000, 0.000),
    ),
    "eye_inner": KeypointErrors(
        Errors(-0.0112, 0.0098, 0.0118, 0.0050, 0.0024),
        Errors(0.0324, 0.0118, 0.0091, 0.0039, 0.0018),
        Errors(-0.0280, 0.0365, 0.0282, 0.0090, 0.0040),
        Errors(0.0302, 0.0171, 0.0400, 0.0107, 0.0046),
        Errors(-0.1052, 0.0678, 0.0720, 0.0265, 0.0116),
        (1.000, 0.000),
    ),
    "eye": KeypointErrors(
        Errors(-0.0130, 0.0098, 0.0125, 0.0052, 0.0025),
        Errors(0.0306, 0.0114, 0.0097, 0.0039, 0.0018),
        Errors(-0.0685, 0.0342, 0.0264, 0.0089, 0.0040),
        Errors(0.0288, 0.0169, 0.0403, 0.0106, 0.0046),
        Errors(-0.1192, 0.0672, 0.0732, 0.0265, 0.0116),
        (1.000, 0.000),
    ),
    "eye_outer": KeypointErrors(
        Errors(-0.0178, 0.0111, 0.0131, 0.0051, 0.0025),
        Errors(0.0320, 0.0118, 0.0113, 0.0040, 0.0019),
        Errors(-0.1093, 0.0338, 0.0263, 0.0089, 0.0040),
        Errors(0.0272, 0.0170, 0.0413, 0.0107, 0.0046),
        Errors(-0.1264, 0.0691, 0.0754, 0.0265, 0.0116),
        (1.000, 0.000),
    ),
    "ear": KeypointErrors(
        Errors(-0.0940, 0.0311, 0.0288, 0.0053, 0.0023),
        Errors(-0.0065, 0.0128, 0.0219, 0.0056, 0.0022),
        Errors(-0.1180, 0.0389, 0.0339, 0.0087, 0.0038),
        Errors(0.0537, 0.0195, 0.0327, 0.0099, 0.0042),
        Errors(-0.1955, 0.0708, 0.0782, 0.0263, 0.0115),
        (1.000, 0.000),
    ),
    "mouth": KeypointErrors(
        Errors(-0.0198, 0.0101, 0.0153, 0.0060, 0.0027),
        Errors(0.0014, 0.0148, 0.0119, 0.0045, 0.0022),
        Errors(-0.0300, 0.0283, 0.0335, 0.0094, 0.0039),
        Errors(-0.0456, 0.0192, 0.0398, 0.0109, 0.0045),
        Errors(-0.0774, 0.0590, 0.0648, 0.0248, 0.0113),
        (1.000, 0.000),
    ),
    "shoulder": KeypointErrors(
        Errors(-0.0100, 0.0152, 0.0101, 0.0045, 0.0020),
        Errors(-0.0398, 0.0106, 0.0103, 0.0044, 0.0022),
        Errors(0.0035, 0.0162, 0.0204, 0.0077, 0.0036),
        Errors(-0.0337, 0.0194, 0.0270, 0.0098, 0.0040),
        Errors(-0.2216, 0.0569, 0.0691, 0.0247, 0.0110),
        (1.000, 0.000),
    ),
    "elbow": KeypointErrors(
        Errors(-0.0892, 0.0441, 0.0397, 0.0145, 0.0058),
        Errors(-0.0026, 0.0180, 0.0295, 0.0103, 0.0048),
        Errors(-0.1277, 0.0420, 0.0525, 0.0179, 0.0076),
        Errors(0.0096, 0.0346, 0.0556, 0.0166, 0.0057),
        Errors(-0.3186, 0.1016, 0.1284, 0.0389, 0.0152),
        (0.991, 0.013),
    ),
    "wrist": KeypointErrors(
        Errors(-0.0419, 0.0157, 0.0311, 0.0105, 0.0048),
        Errors(0.0244, 0.0239, 0.0367, 0.0160, 0.0060),
        Errors(-0.0053, 0.0287, 0.0393, 0.0162, 0.0065),
        Errors(0.0177, 0.0258, 0.0427, 0.0169, 0.0064),
        Errors(-0.2677, 0.1198, 0.1604, 0.0543, 0.0226),
        (0.990, 0.010),
    ),
    "pinky": KeypointErrors(
        Errors(-0.0684, 0.0154, 0.0410, 0.0110, 0.0050),
        Errors(0.0465, 0.0248, 0.0282, 0.0120, 0.0050),
        Errors(-0.0265, 0.0329, 0.0467, 0.0188, 0.0074),
        Errors(0.0399, 0.0189, 0.0426, 0.0185, 0.0072),
        Errors(-0.1550, 0.1246, 0.1638, 0.0577, 0.0243),
        (0.971, 0.021),
    ),
    "index": KeypointErrors(
        Errors(0.0249, 0.0179, 0.0375, 0.0109, 0.0050),
        Errors(0.0619, 0.0203, 0.0261, 0.0099, 0.0048),
        Errors(0.0654, 0.0369, 0.0440, 0.0204, 0.0082),
        Errors(0.0298, 0.0187, 0.0410, 0.0175, 0.0075),
        Errors(-0.1558, 0.1252, 0.1701, 0.0576, 0.0243),
        (0.968, 0.022),
    ),
    "thumb": KeypointErrors(
        Errors(0.0336, 0.0118, 0.0263, 0.0100, 0.0049),
        Errors(-0.0172, 0.0177, 0.0317, 0.0120, 0.0054),
        Errors(0.1004, 0.0306, 0.0354, 0.0166, 0.0069),
        Errors(0.0093, 0.0303, 0.0423, 0.0164, 0.0066),
        Errors(-0.1998, 0.1196, 0.1674, 0.0551, 0.0229),
        (0.958, 0.027),
    ),
    "hip": KeypointErrors(
        Errors(0.0155, 0.0251, 0.0157, 0.0046, 0.0023),
        Errors(0.0065, 0.0254, 0.0286, 0.0076, 0.0022),
        Errors(0.0628, 0.0039, 0.0075, 0.0024, 0.0008),
        Errors(-0.0000, 0.0079, 0.0126, 0.0030, 0.0009),
        Errors(0.0000, 0.0225, 0.0267, 0.0066, 0.0023),
        (1.000, 0.000),
    ),
    "knee": KeypointErrors(
        Errors(0.0195, 0.0075, 0.0136, 0.0058, 0.0033),
        Errors(-0.0173, 0.0221, 0.0324, 0.0120, 0.0068),
        Errors(0.0441, 0.0536, 0.0365, 0.0150, 0.0059),
        Errors(0.0697, 0.0445, 0.0469, 0.0212, 0.0096),
        Errors(0.2117, 0.0540, 0.0839, 0.0360, 0.0141),
        (0.994, 0.009),
    ),
    "ankle": KeypointErrors(
        Errors(0.0092, 0.0140, 0.0141, 0.0050, 0.0027),
        Errors(-0.0039, 0.0279, 0.0265, 0.0104, 0.0055),
        Errors(0.0373, 0.0269, 0.0366, 0.0136, 0.0052),
        Errors(0.1060, 0.0319, 0.0464, 0.0200, 0.0083),
        Errors(0.3519, 0.0697, 0.1273, 0.0544, 0.0256),
        (0.992, 0.015),
    ),
    "heel": KeypointErrors(
        Errors(-0.0207, 0.0234, 0.0242, 0.0085, 0.0037),
        Errors(0.0526, 0.0367, 0.0439, 0.0149, 0.0070),
        Errors(0.0543, 0.0477, 0.0494, 0.0157, 0.0056),
        Errors(0.1724, 0.0351, 0.0605, 0.0225, 0.0084),
        Errors(0.2718, 0.0729, 0.1381, 0.0569, 0.0269),
        (0.942, 0.036),
    ),
    "foot_index": KeypointErrors(
        Errors(0.0202, 0.0169, 0.0258, 0.0125, 0.0052),
        Errors(-0.0512, 0.0115, 0.0260, 0.0114, 0.0041),
        Errors(0.0994, 0.0445, 0.0691, 0.0212, 0.0078),
        Errors(0.1127, 0.0736, 0.0803, 0.0271, 0.0084),
        Errors(0.4045, 0.1107, 0.1662, 0.0656, 0.0288),
        (0.987, 0.014),
    ),
}
# END MEASURED


def side_sign(keypoint: str) -> float:
    """Return 1 for the infant's left, -1 for its right, 0 for the middle."""
    return 1.0 * ("left" in keypoint) - 1.0 * ("right" in keypoint)


def band_filter(fps: float, band: int) -> Array:
    """Return the filter (second-order sections) of one of :data:`BANDS_HZ`."""
    low, high = BANDS_HZ[band]
    if low == 0:
        return np.asarray(butter(2, high, "lowpass", fs=fps, output="sos"))
    if high >= fps / 2:
        return np.asarray(butter(2, low, "highpass", fs=fps, output="sos"))
    return np.asarray(butter(2, [low, high], "bandpass", fs=fps, output="sos"))


def band_noise(rng: np.random.Generator, shape: tuple[int, ...], fps: float, band: int) -> Array:
    """Return Gaussian noise of unit variance of one of :data:`BANDS_HZ`, along axis 0."""
    sos = band_filter(fps, band)
    settle = int(4 * fps)
    white = rng.standard_normal((shape[0] + settle, *shape[1:]))
    # The filter's gain for white noise is the norm of its impulse response.
    impulse = np.zeros(int(30 * fps))
    impulse[0] = 1.0
    gain = np.linalg.norm(sosfilt(sos, impulse))
    return np.asarray(sosfilt(sos, white, axis=0)[settle:] / gain)


def _draw(
    rng: np.random.Generator, errors: list[Errors], signs: Array, n: int, fps: float
) -> Array:
    """Return one coordinate's errors of all keypoints, of shape (frame, keypoint)."""
    k = len(errors)
    out = np.array([e.bias for e in errors]) * signs
    out = out + np.array([e.spread for e in errors]) * rng.standard_normal(k)
    total = np.tile(out, (n, 1))
    for band, name in enumerate(("drift", "wobble", "jitter")):
        sizes = np.array([getattr(e, name) for e in errors])
        total += sizes * band_noise(rng, (n, k), fps, band)
    return np.asarray(total)


def trunk_vector(points: Array) -> Array:
    """Return from the middle of the hips to that of the shoulders, (frame, space)."""
    index = BLAZEPOSE_33.index
    shoulders = points[:, :, index("left_shoulder")] + points[:, :, index("right_shoulder")]
    hips = points[:, :, index("left_hip")] + points[:, :, index("right_hip")]
    return np.asarray((shoulders - hips) / 2)


def trunk_length(points: Array) -> float:
    """Return the median length of the trunk of BlazePose-33 (frame, space, keypoint)."""
    return float(np.median(np.linalg.norm(trunk_vector(points), axis=1)))


def picture_axes(body_angle_deg: float) -> Array:
    """Return the body's axes in the picture: rows are to the infant's left, and to the feet."""
    angle = np.deg2rad(body_angle_deg)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def around_hips(points: Array) -> Array:
    """Move the middle of the hips to the origin, in every frame."""
    index = BLAZEPOSE_33.index
    middle = (points[:, :, index("left_hip")] + points[:, :, index("right_hip")]) / 2
    return np.asarray(points - middle[:, :, None])


def noisy_pose(simulation: Simulation) -> Pose:
    """Return what an estimator might have measured of a simulated phantom.

    Returns
    -------
    Pose
        Pixels of the displayed picture, confidence, and metres around the middle of the hips
        (x right, y down, z away), as BlazePose gives them. Keypoints that are out of the
        picture keep their position; lost ones are NaN with confidence 0.
    """
    spec, n = simulation.spec, len(simulation.time_s)
    names = BLAZEPOSE_33.keypoints
    rng = np.random.default_rng(derive_seed(spec.seed, "noise"))
    errors = [MEASURED[kind_of(name)] for name in names]
    sides = np.array([side_sign(name) for name in names])
    ones = np.ones(len(names))
    axes = picture_axes(spec.nuisances.body_angle_deg)

    def draw(coordinate: str, signs: Array) -> Array:
        return _draw(rng, [getattr(e, coordinate) for e in errors], signs, n, spec.fps)

    flat = np.stack([draw("across", sides), draw("along", ones)], axis=1)
    flat *= trunk_length(simulation.keypoints_px)
    position = simulation.keypoints_px + np.einsum("ji,fjk->fik", axes, flat)

    deep = np.stack(
        [draw("across_3d", sides), draw("along_3d", ones), draw("depth_3d", ones)], axis=1
    )
    deep *= trunk_length(simulation.keypoints_m)
    deep[:, :2] = np.einsum("ji,fjk->fik", axes, deep[:, :2])
    world = WORLD_SCALE * around_hips(around_hips(simulation.keypoints_m) + deep)

    mean, spread = np.array([e.confidence for e in errors]).T
    confidence = np.clip(mean + spread * band_noise(rng, (n, len(names)), spec.fps, 0), 0.05, 1.0)
    lost = _losses(rng, n, len(names), spec.fps)
    position[np.repeat(lost[:, None], 2, axis=1)] = np.nan
    world[np.repeat(lost[:, None], 3, axis=1)] = np.nan
    confidence[lost] = 0.0
    return Pose(
        position=position,
        confidence=confidence,
        time_s=simulation.time_s,
        keypoints=names,
        fps=spec.fps,
        units="pixels",
        world=world,
        source_software="fidgety phantom",
        skeleton=BLAZEPOSE_33.name,
        details={"noise": "mediapipe 0.10.21 on rendered phantoms", "size_px": spec.size},
    )


def _losses(rng: np.random.Generator, n: int, k: int, fps: float) -> NDArray[np.bool_]:
    lost = np.zeros((n, k), dtype=bool)
    for keypoint in range(k):
        for _ in range(int(rng.poisson(LOSSES_PER_MINUTE * n / fps / 60))):
            start = int(rng.integers(n))
            lost[start : start + max(1, round(float(rng.uniform(*LOSS_S)) * fps)), keypoint] = True
    return lost
