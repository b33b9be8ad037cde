"""Spontaneous movement of a phantom, as joint rotations on a fine grid of control times.

Three layers move every part of the body (neck, trunk, shoulders, elbows, wrists, hips, knees,
ankles):

- **posture**: supine, arms and legs half flexed, drifting slowly;
- **gross movement**: kicks, arm swipes, head turns, wriggling of the trunk, as events whose
  rate has the same distribution in every infant;
- **fidgety movement** (FM) inside the intervals of :func:`fidgety.phantom.plan.fm_intervals`:
  "small movements of moderate speed and variable acceleration of neck, trunk and limbs in all
  directions" (Einspieler & Prechtl 2005). Each part circles on an ellipse whose plane, size,
  rate (about 0.8 to 2.2 turns a second) and direction wander; parts come and go.

Where FMs are not, a **balancing** movement takes their place: slow (0.1 to 0.6 Hz) and back and
forth on one axis, scaled part by part to the mean angular speed of the FMs which it replaces.
So the amount of movement does not separate the classes; its character does. Being slower, it
reaches further, though. Where reach is to be balanced as well, FMs lie on a **wandering** in all
directions, as slow, which makes up for that.

Phantoms of the classes of Hashimoto et al. 2022 move otherwise altogether: *writhing* ones with
the whole body at once, larger and at half the speed; those of a *poor repertoire* repeat one
sequence of movements, with less of the balancing movement.

Axes are those of :mod:`fidgety.phantom.body`: x to the infant's left, y from front to back,
z to the head. A vector of the left side is mirrored for the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from fidgety.phantom.plan import PhantomSpec, derive_seed, fm_intervals

Array = NDArray[np.float64]

CONTROL_HZ = 100.0
"""Rate of the control grid; frames of any rate are read off it."""

BALL_JOINTS = ("neck", "trunk", "shoulder", "wrist", "hip", "ankle")
SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
PARTS = ("neck", "trunk", *(f"{side}_{part}" for part in SIDED for side in ("left", "right")))

#: Radius of the circling in degrees: some millimetres to 2 cm at the ends of the limbs.
FM_RADIUS_DEG = {
    "neck": 2.2,
    "trunk": 1.3,
    "shoulder": 3.6,
    "elbow": 4.0,
    "wrist": 7.0,
    "hip": 3.0,
    "knee": 3.6,
    "ankle": 7.0,
}
FM_RATE_HZ = 1.35
FM_RATE_SPREAD = 0.25
#: Mean angular speed of the balancing movement over that of the FMs that it replaces. Over 1
#: because it fades in and out slowly, and for the speed of the wandering. Found by experiment:
#: so the mean speed of the keypoints does not separate the classes (tests/phantom checks it).
BALANCE = {"speed": 1.06, "speed_and_reach": 1.2}
#: Memory in seconds of the wandering on which FMs lie, and its reach over what the balancing
#: movement reaches further than FMs do. Found likewise: so reach does not separate them either.
WANDER_S = 1.7
WANDER = {"speed": 0.0, "speed_and_reach": 1.05}
#: Share of the balancing movement that is left of a poor repertoire.
POOR_BALANCE = 0.3

#: Posture: mean over infants, standard deviation between infants, and drift within one, in
#: degrees. Names are anatomical; see :func:`_rotations` for the axes.
_POSTURE: dict[str, tuple[float, float, float]] = {
    "shoulder_abduction": (35.0, 10.0, 6.0),
    "shoulder_flexion": (22.0, 6.0, 5.0),
    "shoulder_external": (25.0, 14.0, 7.0),
    "elbow_flexion": (35.0, 10.0, 7.0),
    "wrist_flexion": (5.0, 6.0, 4.0),
    "hip_flexion": (52.0, 6.0, 5.0),
    "hip_abduction": (26.0, 6.0, 4.0),
    "hip_external": (24.0, 6.0, 4.0),
    "knee_flexion": (78.0, 8.0, 6.0),
    "ankle_flexion": (8.0, 5.0, 4.0),
}
_LIMITS: dict[str, tuple[float, float]] = {
    "shoulder_abduction": (0.0, 80.0),
    "shoulder_flexion": (0.0, 75.0),
    "shoulder_external": (-25.0, 60.0),
    "elbow_flexion": (-15.0, 85.0),
    "wrist_flexion": (-35.0, 35.0),
    "hip_flexion": (12.0, 95.0),
    "hip_abduction": (0.0, 48.0),
    "hip_external": (0.0, 45.0),
    "knee_flexion": (8.0, 120.0),
    "ankle_flexion": (-25.0, 30.0),
}


@dataclass(frozen=True)
class Movement:
    """Rotations of the parts at given times.

    Parameters
    ----------
    time_s : ndarray of shape (frame,)
    rotations
        Part to rotation matrices of shape (frame, 3, 3), relative to the reference pose of the
        body, in axes of the parent part.
    root : ndarray of shape (frame, 3, 3)
        Rotation of the pelvis.
    shift_m : ndarray of shape (frame, 3)
        Translation of the pelvis.
    """

    time_s: Array
    rotations: Mapping[str, Array]
    root: Array
    shift_m: Array


def _generator(spec: PhantomSpec, *names: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(spec.seed, *names))


def _smooth_noise(rng: np.random.Generator, n: int, slowest_s: float) -> Array:
    """Return a smooth Gaussian process of unit variance whose memory is about ``slowest_s``."""
    sigma = slowest_s * CONTROL_HZ / 2
    # Slow processes are drawn on a coarser grid and read off a spline: it costs less.
    step = max(1, int(sigma / 6))
    coarse = sigma / step
    pad = int(4 * coarse) + 2
    white = rng.standard_normal(n // step + 2 + 2 * pad)
    # The factor undoes the loss of variance of white noise in a Gaussian filter.
    smooth = gaussian_filter1d(white, coarse) * np.sqrt(2 * np.sqrt(np.pi) * coarse)
    if step == 1:
        return np.asarray(smooth[pad : pad + n])
    return np.asarray(CubicSpline(np.arange(len(smooth)), smooth)(pad + np.arange(n) / step))


def _unit(rng: np.random.Generator) -> Array:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))


def _fidgety(rng: np.random.Generator, n: int, radius: float) -> Array:
    """Return a circling rotation vector in radians, of shape (n, 3).

    Rate, direction, plane, shape and size wander independently.
    """
    rate = FM_RATE_HZ * np.exp(FM_RATE_SPREAD * _smooth_noise(rng, n, 0.8))
    direction = np.tanh(6.0 * _smooth_noise(rng, n, 2.2))
    phase = 2 * np.pi * np.cumsum(rate * direction) / CONTROL_HZ + rng.uniform(0, 2 * np.pi)
    # Present for about three quarters of the time, each part in its own time.
    present = 1 / (1 + np.exp(-5.0 * (_smooth_noise(rng, n, 1.6) + 0.6)))
    size = radius * present * np.exp(0.25 * _smooth_noise(rng, n, 1.0))
    narrow = 0.8 + 0.2 * np.tanh(_smooth_noise(rng, n, 2.0))
    normal = Rotation.from_rotvec(
        0.6 * np.stack([_smooth_noise(rng, n, 3.0) for _ in range(3)], axis=1)
    )
    first = _unit(rng)
    second = np.cross(first, _unit(rng))
    second /= np.linalg.norm(second)
    circle = (np.cos(phase)[:, None] * first + (narrow * np.sin(phase))[:, None] * second) * size[
        :, None
    ]
    return np.asarray(normal.apply(circle))


def _slow(rng: np.random.Generator, n: int) -> Array:
    """Return a slow movement to and fro on one axis, of shape (n, 3) and any scale."""
    along = _smooth_noise(rng, n, 0.9) + 0.8 * _smooth_noise(rng, n, 2.0)
    return np.asarray(along[:, None] * _unit(rng))


def _mean_speed(vectors: Array) -> float:
    return float(np.linalg.norm(np.diff(vectors, axis=0), axis=1).mean() * CONTROL_HZ)


def _reach(vectors: Array) -> float:
    """Return the standard deviation over all directions."""
    return float(np.sqrt(vectors.var(axis=0).sum()))


def _wandering(rng: np.random.Generator, n: int, reach: float) -> Array:
    """Return a slow wandering in all directions, of shape (n, 3) and a reach in radians."""
    path = np.stack([_smooth_noise(rng, n, WANDER_S) for _ in range(3)], axis=1)
    return np.asarray(path * reach / np.sqrt(3))


def _restricted(vectors: Array, part: str) -> Array:
    """Keep what the joint can do: elbows and knees bend on one axis and turn a little."""
    kind = part.rpartition("_")[2]
    if kind in ("elbow", "knee"):
        out = vectors.copy()
        out[:, 1:] *= 0.25
        return out
    return vectors


def fm_envelope(spec: PhantomSpec, time_s: Array, ramp_s: float = 0.3) -> Array:
    """Return how far the fidgety movements are switched on, from 0 to 1.

    It rises and falls inside the annotated intervals: outside them it is exactly 0.
    """
    envelope = np.zeros_like(time_s)
    for start, end, movement in fm_intervals(spec):
        if movement != "fidgety":
            continue
        # No ramp where the recording begins or ends.
        rise = np.clip((time_s - start) / ramp_s, 0, 1) if start > 0 else np.ones_like(time_s)
        fall = (
            np.clip((end - time_s) / ramp_s, 0, 1)
            if end < spec.duration_s
            else np.ones_like(time_s)
        )
        inside = (time_s >= start) & (time_s <= end)
        envelope = np.where(inside, np.minimum(rise, fall), envelope)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * envelope))


def _balance_envelope(spec: PhantomSpec, time_s: Array, ramp_s: float = 1.2) -> Array:
    """Return how far the balancing movement is switched on: slowly, where FMs are not."""
    absent = np.where(fm_envelope(spec, time_s, 0.01) > 0.5, 0.0, 1.0)
    return np.asarray(gaussian_filter1d(absent, ramp_s * CONTROL_HZ / 2, mode="nearest"))


class _Event(NamedTuple):
    """A movement there and back: when, how long in seconds, how far in radians, how skewed."""

    start_s: float
    length_s: float
    size: float
    skew: float


def _draw_event(
    rng: np.random.Generator,
    start_s: float,
    length_s: tuple[float, float],
    size_deg: tuple[float, float],
    sign: bool,
) -> _Event:
    length = float(rng.uniform(*length_s))
    size = np.deg2rad(float(rng.uniform(*size_deg)))
    if sign and rng.random() < 0.5:
        size = -size
    # A quick start and a slower return: the peak lies before the middle.
    return _Event(start_s, length, size, float(rng.uniform(0.7, 1.0)))


def _bumps(events: Iterable[_Event], n: int) -> Array:
    """Return a train of smooth bumps (there and back), in radians."""
    out = np.zeros(n)
    for start_s, length, size, skew in events:
        first = max(int(start_s * CONTROL_HZ), 0)
        last = min(int((start_s + length) * CONTROL_HZ), n)
        if last > first:
            share = (np.arange(first, last) / CONTROL_HZ - start_s) / length
            out[first:last] += size * np.sin(np.pi * np.clip(share, 0, 1) ** skew) ** 2
    return out


def _events(
    rng: np.random.Generator,
    n: int,
    rate_per_s: float,
    length_s: tuple[float, float],
    size_deg: tuple[float, float],
    sign: bool = False,
) -> Array:
    """Return movements at random times."""
    events = []
    clock = float(rng.exponential(1 / rate_per_s)) - 1.0
    while clock < n / CONTROL_HZ:
        event = _draw_event(rng, clock, length_s, size_deg, sign)
        events.append(event)
        clock += event.length_s + float(rng.exponential(1 / rate_per_s))
    return _bumps(events, n)


def _writhing_events(
    spec: PhantomSpec,
    name: str,
    n: int,
    length_s: tuple[float, float],
    size_deg: tuple[float, float],
    sign: bool,
) -> Array:
    """Return movements of the whole body: every part takes part, a little later or earlier."""
    shared, own = _generator(spec, "writhing"), _generator(spec, "events", name)
    events = []
    clock = float(shared.uniform(-2.0, 1.0))
    while clock < n / CONTROL_HZ:
        start = clock + float(own.uniform(0.0, 1.2))
        events.append(_draw_event(own, start, length_s, size_deg, sign))
        clock += float(shared.uniform(2.5, 5.0))
    return _bumps(events, n)


def _monotonous_events(
    spec: PhantomSpec,
    name: str,
    n: int,
    rate_per_s: float,
    length_s: tuple[float, float],
    size_deg: tuple[float, float],
    sign: bool,
) -> Array:
    """Return the same few movements over and over, in one order."""
    period = float(_generator(spec, "period").uniform(4.5, 6.0))
    rng = _generator(spec, "events", name)
    number = max(1, round(rate_per_s * period))
    theme = [
        _draw_event(rng, float(rng.uniform(0, period)), length_s, size_deg, sign)
        for _ in range(number)
    ]
    events = []
    for turn in range(-1, int(n / CONTROL_HZ / period) + 1):
        for event in theme:
            start = turn * period + event.start_s + float(rng.normal(0, 0.08))
            size = event.size * float(np.exp(rng.normal(0, 0.06)))
            events.append(event._replace(start_s=start, size=size))
    return _bumps(events, n)


def _soft_limit(values: Array, low: float, high: float) -> Array:
    """Bend a series smoothly into its range."""
    middle, half = (low + high) / 2, (high - low) / 2
    return np.asarray(middle + half * np.tanh((values - middle) / half))


def _anatomical(spec: PhantomSpec, n: int) -> dict[str, Array]:
    """Return posture and gross movement as anatomical angles in radians, by name."""
    person = np.random.default_rng(derive_seed(spec.body_seed, "posture"))
    activity = float(np.exp(0.3 * _generator(spec, "activity").standard_normal()))
    vigour, quick = (12.0, 0.45) if spec.nuisances.crying else (1.0, 1.0)
    angles: dict[str, Array] = {}
    for name, (mean, between, within) in _POSTURE.items():
        for side in ("left", "right"):
            rng = _generator(spec, "posture", side, name)
            own = mean + between * float(person.standard_normal()) * 0.8
            drift = within * _smooth_noise(rng, n, 6.0)
            if spec.nuisances.still:
                drift = np.zeros(n)
            angles[f"{side}_{name}"] = np.deg2rad(own + drift)
    if spec.nuisances.still:
        return (
            angles
            | {"head_turn": np.zeros(n), "trunk_side": np.zeros(n)}
            | {
                "trunk_turn": np.zeros(n),
                "roll": np.zeros(n),
            }
        )

    def train(
        name: str, rate: float, length: tuple[float, float], size: tuple[float, float], sign: bool
    ) -> Array:
        length = (length[0] * quick, length[1] * quick)
        if spec.repertoire == "writhing":
            larger = (1.2 * size[0], 1.2 * size[1])
            return _writhing_events(spec, name, n, (2 * length[0], 2 * length[1]), larger, sign)
        if spec.repertoire == "poor":
            return _monotonous_events(spec, name, n, rate, length, size, sign)
        rng = _generator(spec, "events", name)
        return _events(rng, n, rate * activity * vigour, length, size, sign)

    for side in ("left", "right"):
        kick = train(f"{side}_kick", 0.16, (0.6, 1.5), (20, 55), sign=False)
        bend = train(f"{side}_bend", 0.08, (1.0, 2.2), (10, 30), sign=False)
        angles[f"{side}_hip_flexion"] += -0.6 * kick + bend
        angles[f"{side}_knee_flexion"] += -1.0 * kick + 0.8 * bend
        swipe = train(f"{side}_swipe", 0.14, (0.6, 1.6), (15, 40), sign=True)
        reach = train(f"{side}_reach", 0.09, (0.8, 2.0), (15, 40), sign=False)
        angles[f"{side}_shoulder_abduction"] += swipe
        angles[f"{side}_shoulder_flexion"] += reach
        angles[f"{side}_elbow_flexion"] += 0.5 * swipe - 0.7 * reach
        angles[f"{side}_shoulder_external"] += train(
            f"{side}_turn", 0.08, (0.8, 1.8), (10, 30), sign=True
        )
        angles[f"{side}_wrist_flexion"] += train(
            f"{side}_wrist", 0.12, (0.5, 1.2), (10, 30), sign=True
        )
        angles[f"{side}_ankle_flexion"] += train(
            f"{side}_ankle", 0.12, (0.5, 1.2), (10, 30), sign=True
        )
    angles["head_turn"] = np.deg2rad(14 * _smooth_noise(_generator(spec, "head"), n, 5.0)) + train(
        "head", 0.08, (1.2, 3.0), (15, 35), sign=True
    )
    angles["trunk_side"] = train("wriggle", 0.08, (0.9, 2.0), (4, 10), sign=True)
    angles["trunk_turn"] = train("twist", 0.08, (0.9, 2.0), (4, 10), sign=True)
    angles["roll"] = np.deg2rad(2.0 * _smooth_noise(_generator(spec, "roll"), n, 6.0))
    for name in list(angles):
        limits = _LIMITS.get(name.partition("_")[2])
        if limits is not None:
            low, high = np.deg2rad(limits)
            angles[name] = _soft_limit(angles[name], low, high)
    return angles


def fine_movement(spec: PhantomSpec, time_s: Array) -> dict[str, Array]:
    """Return fidgety and balancing movement of each part as rotation vectors in radians.

    Parameters
    ----------
    spec
        The phantom.
    time_s : ndarray of shape (n,)
        The control grid: regular, at :data:`CONTROL_HZ`, from 0.

    Returns
    -------
    dict of part to ndarray of shape (n, 3)
    """
    n = len(time_s)
    if spec.nuisances.still:
        return {part: np.zeros((n, 3)) for part in PARTS}
    fidgety = fm_envelope(spec, time_s)[:, None]
    balance = _balance_envelope(spec, time_s)[:, None]
    wandering = 1 - balance
    if spec.nuisances.crying:
        balance, wandering = np.zeros_like(balance), np.zeros_like(balance)
    if spec.repertoire == "poor":
        balance *= POOR_BALANCE
    person = float(np.exp(0.1 * _generator(spec, "size").standard_normal()))
    out: dict[str, Array] = {}
    for part in PARTS:
        radius = np.deg2rad(FM_RADIUS_DEG[part.rpartition("_")[2]]) * person
        circling = _restricted(_fidgety(_generator(spec, "fidgety", part), n, radius), part)
        slow = _restricted(_slow(_generator(spec, "slow", part), n), part)
        slow *= BALANCE[spec.balance] * _mean_speed(circling) / max(_mean_speed(slow), 1e-9)
        missing = np.sqrt(max(_reach(slow) ** 2 - _reach(circling) ** 2, 0.0))
        wander = _wandering(_generator(spec, "wander", part), n, WANDER[spec.balance] * missing)
        out[part] = fidgety * circling + wandering * _restricted(wander, part) + balance * slow
    return out


_AXES = dict(zip("xyz", np.eye(3), strict=True))


def _about(axis: Array | str, angle: Array) -> Rotation:
    vector = _AXES[axis] if isinstance(axis, str) else axis
    return Rotation.from_rotvec(angle[:, None] * vector)


def _limb_rotations(
    angles: Mapping[str, Array], side: str, arm_axis: Array, elbow_axis: Array
) -> dict[str, Rotation]:
    """Turn one side's anatomical angles into rotations, in axes of the left side."""

    def get(name: str) -> Array:
        return angles[f"{side}_{name}"]

    return {
        # Abduction lifts the arm sideways to the head, flexion to the front; the forearm
        # turns to the head with external rotation about the upper arm.
        f"{side}_shoulder": _about("z", -get("shoulder_flexion"))
        * _about("y", -get("shoulder_abduction"))
        * _about(arm_axis, -get("shoulder_external")),
        f"{side}_elbow": _about(elbow_axis, get("elbow_flexion")),
        f"{side}_wrist": _about(elbow_axis, get("wrist_flexion")),
        f"{side}_hip": _about("y", -get("hip_abduction"))
        * _about("x", -get("hip_flexion"))
        * _about("z", get("hip_external")),
        f"{side}_knee": _about("x", get("knee_flexion")),
        f"{side}_ankle": _about("x", get("ankle_flexion")),
    }


def _mirror(rotation: Rotation) -> Rotation:
    """Mirror rotations at the body's middle plane (x = 0)."""
    return Rotation.from_rotvec(rotation.as_rotvec() * np.array([1.0, -1.0, -1.0]))


def generate(spec: PhantomSpec, time_s: Array, arm_axis: Array, elbow_axis: Array) -> Movement:
    """Generate the movement of a phantom at given times.

    Parameters
    ----------
    spec
        The phantom; equal specifications give equal movement at any frame rate.
    time_s : ndarray of shape (frame,)
        Frame times between 0 and the duration.
    arm_axis, elbow_axis : ndarray of shape (3,)
        Unit vectors along the left upper arm and of the left elbow's bending, in the
        reference pose of the body.
    """
    n = int(np.ceil(spec.duration_s * CONTROL_HZ)) + 2
    control = np.arange(n) / CONTROL_HZ
    angles = _anatomical(spec, n)
    fine = fine_movement(spec, control)
    breath = np.deg2rad(0.5) * np.sin(2 * np.pi * 0.7 * control)

    def at(values: Array) -> Array:
        if values.ndim == 1:
            return np.interp(time_s, control, values)
        return np.stack([np.interp(time_s, control, column) for column in values.T], axis=1)

    coarse: dict[str, Rotation] = {
        "neck": _about("z", at(angles["head_turn"])),
        "trunk": _about("z", at(angles["trunk_turn"]))
        * _about("y", at(angles["trunk_side"]))
        * _about("x", at(breath)),
    }
    read = {name: at(values) for name, values in angles.items()}
    for side in ("left", "right"):
        limbs = _limb_rotations(read, side, arm_axis, elbow_axis)
        coarse.update(limbs if side == "left" else {k: _mirror(r) for k, r in limbs.items()})
    rotations: dict[str, Array] = {}
    for part in PARTS:
        vectors = at(fine[part])
        kind = part.rpartition("_")[2]
        if kind == "elbow":
            # The first coordinate bends the joint; the mirror image bends likewise.
            axis = elbow_axis if part.startswith("left") else elbow_axis * [1, -1, -1]
            vectors = vectors[:, :1] * axis + vectors[:, 1:2] * np.array([0.0, 0.0, 1.0])
        rotations[part] = (Rotation.from_rotvec(vectors) * coarse[part]).as_matrix()
    roll = at(angles["roll"])
    trunk = at(fine["trunk"])
    return Movement(
        time_s=np.asarray(time_s, dtype=np.float64),
        rotations=rotations,
        root=(_about("z", roll) * Rotation.from_rotvec(0.4 * trunk)).as_matrix(),
        shift_m=0.06 * trunk,
    )
