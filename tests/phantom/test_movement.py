"""The movement is what the intervals say, at any frame rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from scipy.spatial.transform import Rotation

from fidgety.phantom.movement import (
    CONTROL_HZ,
    PARTS,
    Movement,
    fine_movement,
    fm_envelope,
    generate,
)
from fidgety.phantom.plan import Nuisances, PhantomSpec, fm_intervals

ARM = np.array([0.64, 0.0, -0.77])
ELBOW = np.array([0.0, -1.0, 0.0])


def make(fm_type: str, **changes: object) -> PhantomSpec:
    label = "normal" if fm_type in ("continuous", "intermittent") else "risk"
    return PhantomSpec("p", "p", "phantom-external", "external", label, fm_type, seed=11, **changes)


def move(spec: PhantomSpec, fps: float) -> Movement:
    return generate(spec, np.arange(0, spec.duration_s, 1 / fps), ARM, ELBOW)


def angular_speed(movement: Movement) -> float:
    """Mean speed of the parts in degrees a second."""
    step = np.diff(movement.time_s).mean()
    speeds = []
    for matrices in movement.rotations.values():
        turn = np.swapaxes(matrices[:-1], 1, 2) @ matrices[1:]
        cosine = np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1)
        speeds.append(np.degrees(np.arccos(cosine)).mean() / step)
    return float(np.mean(speeds))


def test_the_frame_rate_reads_the_same_movement() -> None:
    spec = make("continuous", duration_s=6.0)
    slow, fast = move(spec, 12.5), move(spec, 50.0)
    for part in PARTS:
        np.testing.assert_allclose(slow.rotations[part], fast.rotations[part][::4], atol=1e-9)
    other = move(replace(spec, seed=12), 12.5)
    assert not np.allclose(other.rotations["left_hip"], slow.rotations["left_hip"], atol=0.01)


def test_rotations_are_rotations() -> None:
    movement = move(make("intermittent", duration_s=4.0), 25)
    for matrices in [*movement.rotations.values(), movement.root]:
        product = matrices @ np.swapaxes(matrices, 1, 2)
        np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-9)


@pytest.mark.parametrize("fm_type", ["intermittent", "sporadic"])
def test_fidgety_energy_lies_in_the_annotated_intervals(fm_type: str) -> None:
    spec = make(fm_type, duration_s=60.0)
    time_s = np.arange(0, 60, 1 / CONTROL_HZ)
    fine = fine_movement(spec, time_s)
    sos = butter(3, [0.8, 3.0], "bandpass", fs=CONTROL_HZ, output="sos")
    inside = np.zeros(len(time_s), dtype=bool)
    edge = np.zeros(len(time_s), dtype=bool)
    for start, end, movement in fm_intervals(spec):
        if movement == "fidgety":
            inside |= (time_s >= start) & (time_s < end)
        edge |= np.abs(time_s - start) < 0.8
    energy = np.mean(
        [(sosfiltfilt(sos, fine[part], axis=0) ** 2).sum(axis=1) for part in PARTS], axis=0
    )
    assert energy[inside & ~edge].mean() > 10 * energy[~inside & ~edge].mean()
    # Outside the intervals the fidgety part is off, not merely small.
    envelope = fm_envelope(spec, time_s)
    assert np.all(envelope[~inside] == 0)
    assert envelope[inside & ~edge].min() == 1


def test_fidgety_movements_circle_in_both_directions() -> None:
    """The signed area that a wrist sweeps changes sign; a back-and-forth one sweeps none."""
    time_s = np.arange(0, 30, 1 / CONTROL_HZ)

    def areas(spec: PhantomSpec) -> np.ndarray:
        track = fine_movement(spec, time_s)["left_wrist"]
        normal = np.cross(track[:-1], np.diff(track, axis=0))
        size = np.linalg.norm(track[:-1], axis=1) * np.linalg.norm(np.diff(track, axis=0), axis=1)
        main = np.linalg.svd(normal, full_matrices=False)[2][0]
        return (normal @ main) / np.maximum(size.mean(), 1e-12)

    circling, slow = areas(make("continuous")), areas(make("absent"))
    assert np.abs(circling).mean() > 0.4
    assert np.quantile(circling, 0.95) > 0.3
    assert np.quantile(circling, 0.05) < -0.3
    assert np.abs(slow).mean() < 1e-6


def repertoire(label: str, seed: int) -> tuple[np.ndarray, float]:
    """Return the angular velocities of every part (frame, part), and the range of its angles."""
    fm_type = "continuous" if label == "FMs" else "absent"
    spec = PhantomSpec("p", "p", "c", "external", label, fm_type, duration_s=40.0, seed=seed)
    moved = move(spec, 20.0)
    speeds, ranges = [], []
    for part in PARTS:
        turns = Rotation.from_matrix(moved.rotations[part])
        speeds.append((turns[:-1].inv() * turns[1:]).as_rotvec() * 20.0)
        ranges.append(np.linalg.norm((turns * turns.mean().inv()).as_rotvec(), axis=1).std())
    return np.concatenate(speeds, axis=1), float(np.mean(ranges))


def repeats(velocity: np.ndarray, rate: float = 20.0) -> float:
    """Return how alike movement is to itself some seconds before, at the best such distance."""
    lags = np.arange(int(4 * rate), int(7 * rate))
    flat = velocity - velocity.mean(axis=0)
    power = (flat**2).mean()
    return float(max((flat[k:] * flat[:-k]).mean() / power for k in lags))


def test_the_repertoires_differ_in_size_speed_and_monotony() -> None:
    found = {label: [repertoire(label, k) for k in range(4)] for label in ("WMs", "FMs", "PR")}
    size = {label: np.mean([r for _, r in one]) for label, one in found.items()}
    assert size["WMs"] > 1.3 * max(size["FMs"], size["PR"])
    again = {label: [repeats(v) for v, _ in one] for label, one in found.items()}
    assert min(again["PR"]) > 0.5 > max(again["FMs"] + again["WMs"])
    # Writhing is slow: most of its power lies below 1 Hz, of fidgety movements above.
    slow = {}
    for label, one in found.items():
        power = [np.abs(np.fft.rfft(v, axis=0)) ** 2 for v, _ in one]
        hertz = np.fft.rfftfreq(len(one[0][0]), 1 / 20.0)
        slow[label] = np.mean([p[hertz < 1].sum() / p.sum() for p in power])
    assert slow["WMs"] > 0.8 > slow["FMs"], slow


def test_still_and_crying_infants() -> None:
    calm = angular_speed(move(make("absent", duration_s=20.0), 25))
    still = angular_speed(
        move(make("absent", duration_s=20.0, nuisances=Nuisances(still=True)), 25)
    )
    crying = angular_speed(
        move(make("absent", duration_s=20.0, nuisances=Nuisances(crying=True)), 25)
    )
    assert still < 0.05 * calm
    assert crying > 1.3 * calm
