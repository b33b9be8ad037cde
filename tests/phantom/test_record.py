"""Truth obeys the laws of bodies and cameras; tracks err as the estimator was measured to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import roc_auc_score

from fidgety.phantom.body import BodyPose, load_body, shape_of
from fidgety.phantom.camera import frame_times
from fidgety.phantom.movement import generate
from fidgety.phantom.noise import MEASURED, band_noise, kind_of, noisy_pose, trunk_length
from fidgety.phantom.plan import Nuisances, PhantomSpec, plan_cohort
from fidgety.phantom.record import Simulation, read_truth, record_track, simulate
from fidgety.pose.tracks import read_pose
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import Provenance

SPEC = PhantomSpec(
    "p",
    "p",
    "phantom-external",
    "external",
    "normal",
    "continuous",
    seed=3,
    duration_s=3.0,
    nuisances=Nuisances(camera_tilt_deg=6, camera_shake_mm=3, body_angle_deg=40),
)
RIGID = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
        ("hip", "knee"),
        ("knee", "ankle"),
        ("ankle", "heel"),
        ("ankle", "foot_index"),
        ("eye", "ear"),
    )
] + [("left_hip", "right_hip"), ("left_ear", "right_ear")]


def at(points: np.ndarray, keypoint: str) -> np.ndarray:
    return points[:, :, BLAZEPOSE_33.index(keypoint)]


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SPEC)


def test_bones_keep_their_lengths_and_move(simulation: Simulation) -> None:
    points = simulation.keypoints_m
    for a, b in RIGID:
        lengths = np.linalg.norm(at(points, a) - at(points, b), axis=1)
        assert np.ptp(lengths) < 1e-9, (a, b)
        assert 0.01 < lengths[0] < 0.25
    assert np.all(np.linalg.norm(np.ptp(points, axis=0), axis=0)[13:] > 0.005)


def test_bones_and_surface_are_annys(simulation: Simulation) -> None:
    """The short way (bones alone, rest pose computed once) equals anny's own whole forward."""
    body = simulation.pose.body
    time_s = simulation.time_s[:6]
    movement = generate(SPEC, time_s, body.arm_axis, body.elbow_axis)
    deltas = body._deltas(body._rotations_by_bone(movement), movement.root)
    whole = body._model(
        pose_parameters=deltas,
        phenotype_kwargs={
            "age": 0.0,
            "weight": body.shape.weight,
            "proportions": body.shape.proportions,
            "muscle": body.shape.muscle,
        },
    )
    np.testing.assert_allclose(simulation.pose.bones[:6], whole["bone_poses"], atol=1e-5)
    vertices = np.asarray(whole["vertices"]) * body.shape.scale + movement.shift_m[:, None]
    np.testing.assert_allclose(simulation.pose.vertices(slice(0, 6)), vertices, atol=1e-5)
    # Joints lie inside the limbs: the surface is near, all around.
    knee = body.bone_labels.index("lowerleg01.L")
    head = simulation.pose.bones[0, knee, :3, 3] * body.shape.scale + movement.shift_m[0]
    np.testing.assert_allclose(at(simulation.pose.keypoints(), "left_knee")[0], head, atol=1e-9)
    assert 0.01 < np.linalg.norm(vertices[0] - head, axis=1).min() < 0.05


def test_projection_is_that_of_opencv(simulation: Simulation) -> None:
    points, camera = simulation.pose.keypoints(), simulation.camera
    for frame in (0, 40, 74):
        rotation = camera.rotation[frame]
        translation = -rotation @ camera.position[frame]
        found, _ = cv2.projectPoints(
            np.ascontiguousarray(points[frame].T),
            cv2.Rodrigues(rotation)[0],
            translation,
            camera.matrix,
            None,
        )
        np.testing.assert_allclose(found[:, 0].T, simulation.keypoints_px[frame], atol=1e-6)
    assert np.all(simulation.in_picture)


@pytest.mark.parametrize("angle", [0.0, 90.0, 215.0])
def test_the_head_points_where_it_is_asked_to(angle: float) -> None:
    seen = simulate(replace(SPEC, duration_s=0.5, nuisances=Nuisances(body_angle_deg=angle)))
    hips = (at(seen.keypoints_px, "left_hip") + at(seen.keypoints_px, "right_hip")) / 2
    shoulders = (
        at(seen.keypoints_px, "left_shoulder") + at(seen.keypoints_px, "right_shoulder")
    ) / 2
    up = (shoulders - hips)[0]
    found = np.degrees(np.arctan2(up[0], -up[1])) % 360
    assert abs((found - angle + 180) % 360 - 180) < 8
    # Seen from the front, the infant's left is clockwise of its head.
    left = (at(seen.keypoints_px, "left_hip") - at(seen.keypoints_px, "right_hip"))[0]
    assert up[0] * left[1] - up[1] * left[0] > 0


def test_the_body_grows_and_is_the_infants_own() -> None:
    young, old = (
        np.mean(
            [
                shape_of(replace(SPEC, body_seed=i, corrected_age_weeks=weeks)).scale
                for i in range(30)
            ]
        )
        for weeks in (10.0, 18.0)
    )
    assert old > young
    first = next(s for s in plan_cohort("tiny", 1) if s.recording.endswith("-a"))
    again = replace(first, seed=first.seed + 1)
    assert shape_of(first) == shape_of(again)
    assert load_body(shape_of(first)) is load_body(shape_of(again))


def test_clocks() -> None:
    regular = frame_times(SPEC)
    np.testing.assert_allclose(regular, np.arange(75) / 25, atol=1e-9)
    phone = replace(
        SPEC, duration_s=30.0, nuisances=Nuisances(variable_rate=True, dropped_share=0.05)
    )
    times = frame_times(phone)
    steps = np.diff(times)
    assert times[0] == 0
    assert times[-1] < 30
    assert steps.min() > 0.8 / 25
    assert steps.std() > 0.05 / 25
    whole = frame_times(replace(phone, nuisances=Nuisances(variable_rate=True)))
    assert 0.90 < len(times) / len(whole) < 0.99
    assert set(times) < set(whole)


def test_noise_has_its_band_and_size() -> None:
    rng = np.random.default_rng(0)
    for band, (low, high) in enumerate(((0.0, 0.7), (0.7, 3.0), (3.0, 12.5))):
        noise = band_noise(rng, (4000, 20), 25.0, band)
        assert noise.std() == pytest.approx(1.0, abs=0.06)
        power = (np.abs(np.fft.rfft(noise, axis=0)) ** 2).sum(axis=1)
        frequency = np.fft.rfftfreq(4000, 1 / 25)
        inside = (frequency >= 0.8 * low) & (frequency <= 1.25 * high)
        assert power[inside].sum() > 0.8 * power.sum()


def test_a_track_errs_as_measured_and_reads_everywhere(
    simulation: Simulation, tmp_path: Path
) -> None:
    spec = replace(SPEC, duration_s=20.0, kind="track")
    record_track(spec, tmp_path / "track.nc", tmp_path / "truth.h5", Provenance())
    pose = read_pose(tmp_path / "track.nc")
    read, truth = read_truth(tmp_path / "truth.h5")
    assert read == spec
    assert pose.keypoints == BLAZEPOSE_33.keypoints
    with xr.open_dataset(tmp_path / "track.nc", engine="h5netcdf") as dataset:
        assert dataset["position"].dims == ("time", "space", "keypoints", "individuals")
        assert dataset["position_3d"].sizes["space_3d"] == 3
        assert dataset.attrs["units"] == "pixels"
    np.testing.assert_allclose(pose.time_s, truth["time"].values, atol=1e-9)
    error = (pose.position - truth["position"].values) / trunk_length(truth["position"].values)
    for k, name in enumerate(BLAZEPOSE_33.keypoints):
        expected = MEASURED[kind_of(name)].across
        wobble = np.hypot(np.hypot(expected.drift, expected.wobble), expected.jitter)
        spread = MEASURED[kind_of(name)].along
        wobble = np.hypot(wobble, np.hypot(np.hypot(spread.drift, spread.wobble), spread.jitter))
        found = np.sqrt((np.nanstd(error[:, :, k], axis=0) ** 2).sum())
        assert 0.5 * wobble < found < 1.7 * wobble, name
    lost = ~np.isfinite(pose.position[:, 0])
    assert np.all(pose.confidence[lost] == 0)
    assert np.all(pose.confidence[~lost] >= 0.05)
    assert lost.mean() < 0.02
    # 3D is around the middle of the hips, in the picture's axes.
    middle = (at(pose.world, "left_hip") + at(pose.world, "right_hip")) / 2
    np.testing.assert_allclose(middle[np.isfinite(middle)], 0, atol=1e-6)
    shoulder = np.nanmedian(at(pose.world, "left_shoulder"), axis=0)
    seen = (
        at(truth["position_3d"].values, "left_shoulder")
        - (
            at(truth["position_3d"].values, "left_hip")
            + at(truth["position_3d"].values, "right_hip")
        )
        / 2
    )
    seen = np.median(seen, axis=0)
    cosine = shoulder @ seen / np.linalg.norm(shoulder) / np.linalg.norm(seen)
    assert cosine > 0.9


def test_the_same_specification_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        record_track(SPEC, tmp_path / f"{name}.nc", tmp_path / f"{name}.h5", Provenance())
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def _features(spec: PhantomSpec) -> tuple[float, float, float]:
    """Mean speed, reach, and how much circling at 0.8 to 2.5 Hz there is for most of the time."""
    from scipy.signal import butter, sosfiltfilt

    quiet = replace(spec.nuisances, camera_shake_mm=0.0, variable_rate=False, dropped_share=0.0)
    spec = replace(spec, duration_s=40.0, fps=12.5, nuisances=quiet)
    pose = noisy_pose(simulate(spec))
    limbs = [BLAZEPOSE_33.index(f"{s}_{j}") for s in ("left", "right") for j in ("wrist", "ankle")]
    limbs += [BLAZEPOSE_33.index("nose")]
    track = pose.position[:, :, limbs] / trunk_length(np.nan_to_num(pose.position))
    track = np.apply_along_axis(
        lambda x: np.interp(np.arange(len(x)), np.flatnonzero(~np.isnan(x)), x[~np.isnan(x)]),
        0,
        track,
    )
    smooth = sosfiltfilt(butter(2, 4.0, fs=12.5, output="sos"), track, axis=0)
    speed = np.linalg.norm(np.diff(smooth, axis=0), axis=1).mean() * 12.5
    band = sosfiltfilt(butter(3, [0.8, 2.5], "bandpass", fs=12.5, output="sos"), track, axis=0)
    reach = np.linalg.norm(smooth.std(axis=0), axis=0).mean()
    return float(speed), float(reach), float(np.median(np.linalg.norm(band, axis=1), axis=0).mean())


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["speed", "speed_and_reach"])
def test_amount_of_movement_does_not_tell_the_class_but_its_character_does(balance: str) -> None:
    specs = [s for s in plan_cohort("validation", 77) if s.role == "external"]
    specs = [replace(s, balance=balance) for s in specs]
    speed, reach, circling = np.array([_features(s) for s in specs]).T
    risk = np.array([s.label == "risk" for s in specs])
    assert (roc_auc_score(risk, reach) > 0.9) == (balance == "speed")
    for amount in (speed,) if balance == "speed" else (speed, reach):
        assert 0.3 < roc_auc_score(risk, amount) < 0.7
        assert 0.85 < amount[risk].mean() / amount[~risk].mean() < 1.15
    assert roc_auc_score(~risk, circling) > 0.95


def test_poses_are_values(simulation: Simulation) -> None:
    assert isinstance(simulation.pose, BodyPose)
    assert noisy_pose(simulation).position.shape == (75, 2, 33)


def test_loading_a_body_leaves_torch_as_it_was() -> None:
    import torch

    from fidgety.phantom.body import Shape, load_body

    load_body(Shape())
    assert torch.is_grad_enabled()
    weight = torch.ones(1, requires_grad=True)
    assert (2 * weight).requires_grad
