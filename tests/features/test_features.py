"""Feature sets: the contract over the whole registry, closed forms, laws, files."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.features import FeaturesConfig
from fidgety.errors import ConfigError, NotAssessable, Outcome, Reason, StorageError
from fidgety.features.angles import Angles2D, inner_angle
from fidgety.features.build import build_features
from fidgety.features.contract import Tracks
from fidgety.features.coordinates import Coordinates2D, Coordinates3D
from fidgety.features.derivatives import acceleration, velocity
from fidgety.features.landmarks import Landmarks2D
from fidgety.features.pairwise import (
    others,
    pair_names,
    pairwise_differences,
    pairwise_distances,
)
from fidgety.features.registry import FEATURE_SETS
from fidgety.features.store import (
    FEATURES_SCHEMA,
    as_coordinates,
    coordinate_names,
    flatten,
    mirror_features,
    read_feature_set,
    write_features,
)
from fidgety.pose.cleaning import clean
from fidgety.pose.lifters.estimator import EstimatorLifter
from fidgety.pose.lifting import lift
from fidgety.pose.normalisation import turn
from fidgety.pose.tracks import Pose
from fidgety.skeletons import (
    BODY_21,
    COCO_17,
    HUMAN36M_17,
    KAUR_24,
    Skeleton,
    convert,
)
from fidgety.storage import Provenance, write_not_assessable
from tests.pose.infant import infant_pose

CONFIG = FeaturesConfig()
EVERYTHING = FeaturesConfig(sets=tuple(FEATURE_SETS.names()))


@cache
def _tracks() -> Tracks:
    cleaned = clean(infant_pose(6.0, seed=1), CleaningConfig())
    return Tracks(cleaned.pose, lift(cleaned, CleaningConfig(), EstimatorLifter()))


def _track_3d(tracks: Tracks) -> Tracks:
    assert tracks.lifted is not None
    return Tracks(tracks.lifted, tracks.lifted)


# ---- the contract ----


@pytest.mark.parametrize("name", FEATURE_SETS.names())
def test_every_set_keeps_the_contract(name: str) -> None:
    tracks = _tracks()
    builder = FEATURE_SETS.get(name)()
    assert builder.name == name
    out = builder.build(tracks, CONFIG)
    assert out.values.dtype == np.float32
    assert out.values.shape == (tracks.clean.n_frames, len(out.names))
    assert len(set(out.names)) == len(out.names)
    assert np.isfinite(out.values).mean() > 0.9
    assert out.units
    np.testing.assert_array_equal(out.time_s, tracks.clean.time_s)
    again = builder.build(tracks, CONFIG)
    np.testing.assert_array_equal(out.values, again.values)
    twice = mirror_features(mirror_features(out.values, out.names), out.names)
    np.testing.assert_array_equal(twice, out.values)
    assert not np.array_equal(mirror_features(out.values, out.names), out.values, equal_nan=True)


@pytest.mark.parametrize("name", FEATURE_SETS.names())
def test_every_set_gives_a_reason_for_what_it_cannot_build(name: str) -> None:
    tracks = _tracks()
    if name.endswith("_2d"):
        poor = _track_3d(tracks)
        reason = Reason.FEATURE_UNAVAILABLE
    else:
        poor = Tracks(tracks.clean, None, Outcome.of(NotAssessable(Reason.NO_3D, "2D alone")))
        reason = Reason.NO_3D
    with pytest.raises(NotAssessable) as error:
        FEATURE_SETS.get(name)().build(poor, CONFIG)
    assert error.value.reason is reason


def test_missing_keypoints_are_named() -> None:
    pose = _tracks().clean
    coco = replace(
        pose,
        position=convert(pose.position, pose.keypoints, COCO_17),
        confidence=pose.confidence[:, :17],
        keypoints=COCO_17.keypoints,
        world=None,
        origin=None,
        skeleton="coco17",
    )
    with pytest.raises(NotAssessable, match="coco17 does not give left_hand, right_hand") as error:
        Coordinates2D().build(Tracks(coco), CONFIG)
    assert error.value.reason is Reason.FEATURE_UNAVAILABLE


def in_skeleton(skeleton: Skeleton) -> Tracks:
    """Return the infant as a tracker of another skeleton sees it."""
    pose = _tracks().clean
    converted = replace(
        pose,
        position=convert(pose.position, pose.keypoints, skeleton),
        confidence=np.ones((pose.n_frames, len(skeleton.keypoints))),
        keypoints=skeleton.keypoints,
        world=None,
        origin=None,
        skeleton=skeleton.name,
    )
    return Tracks(converted)


NO_HANDS = Skeleton("handless", tuple(k for k in KAUR_24.keypoints if "hand" not in k), ())


@pytest.mark.parametrize(
    ("skeleton", "landmarks", "angles"), [(COCO_17, 18, 8), (NO_HANDS, 22, 10), (KAUR_24, 24, 12)]
)
def test_landmarks_and_angles_are_left_out_only_where_the_config_says_so(
    skeleton: Skeleton, landmarks: int, angles: int
) -> None:
    tracks, permissive = in_skeleton(skeleton), FeaturesConfig(missing_landmarks="leave_out")
    whole = Tracks(_tracks().clean)
    for builder, n in ((Landmarks2D(), 2 * landmarks), (Angles2D(), angles)):
        if skeleton is KAUR_24:
            assert len(builder.build(tracks, CONFIG).names) == n
        else:
            with pytest.raises(NotAssessable, match="does not give left_hand, right_hand") as why:
                builder.build(tracks, CONFIG)
            assert why.value.reason is Reason.FEATURE_UNAVAILABLE
        out, full = builder.build(tracks, permissive), builder.build(whole, CONFIG)
        assert len(out.names) == n
        mirror_features(out.values, out.names)  # both sides are there
        # What is kept is what the whole body gives.
        columns = [full.names.index(name) for name in out.names]
        np.testing.assert_allclose(out.values, full.values[:, columns], atol=2e-5)
        lost = set(full.names) - set(out.names)
        left_out = out.parameters["left_out"]
        assert lost == {x for x in lost if any(x.startswith(f"{k}_") for k in left_out)}
        assert bool(lost) == bool(left_out)


def test_landmarks_of_one_side_alone_are_left_out_on_both() -> None:
    keypoints = tuple(k for k in KAUR_24.keypoints if k != "left_heel")
    tracks = in_skeleton(Skeleton("mine", keypoints, ()))
    out = Landmarks2D().build(tracks, FeaturesConfig(missing_landmarks="leave_out"))
    assert out.parameters["left_out"] == ["left_heel", "right_heel"]
    with pytest.raises(NotAssessable, match=r"mine does not give left_heel$"):
        Landmarks2D().build(tracks, CONFIG)


def test_what_has_no_joint_angle_says_so() -> None:
    keypoints = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
    tracks = in_skeleton(Skeleton("trunk", keypoints, ()))
    permissive = FeaturesConfig(missing_landmarks="leave_out")
    with pytest.raises(NotAssessable, match="trunk gives the keypoints of no joint angle"):
        Angles2D().build(tracks, permissive)
    assert len(Landmarks2D().build(tracks, permissive).names) == 2 * 6  # and the sternum


def test_landmarks_as_published_are_pixels_about_the_sternum() -> None:
    published = FeaturesConfig(scale="none", upright=False)
    pose = _tracks().clean
    out = Landmarks2D().build(_tracks(), published)
    assert out.units == pose.units
    assert len(out.names) == 48
    wanted = convert(pose.position, pose.keypoints, KAUR_24)
    sternum = KAUR_24.index("sternum")
    wanted = wanted - wanted[:, :, sternum : sternum + 1]
    np.testing.assert_allclose(out.values, flatten(wanted), rtol=1e-5, atol=1e-3)


# ---- coordinates ----


@settings(max_examples=15, deadline=None)
@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(-1000, 1000))
def test_features_forget_place_turn_and_size(angle: float, scale: float, shift: float) -> None:
    tracks = _tracks()
    pose = replace(tracks.clean, position=scale * turn(tracks.clean.position, angle) + shift)
    for name in ("coordinates_2d", "angles_2d", "velocities_2d"):
        builder = FEATURE_SETS.get(name)()
        expected = builder.build(tracks, CONFIG).values
        out = builder.build(Tracks(pose), CONFIG).values
        np.testing.assert_allclose(out, expected, atol=1e-3)


def test_coordinates_are_in_keypoint_order_about_the_sternum() -> None:
    out = Coordinates2D().build(_tracks(), CONFIG)
    assert out.names[:4] == ("pelvis_x", "pelvis_y", "right_hip_x", "right_hip_y")
    assert (out.units, len(out.names)) == ("trunk", 42)
    coordinates, keypoints = as_coordinates(out.values, out.names)
    assert keypoints == BODY_21.keypoints
    shoulders = [BODY_21.index(f"{side}_shoulder") for side in ("left", "right")]
    np.testing.assert_allclose(coordinates[:, shoulders].mean(axis=1), 0, atol=1e-6)
    pelvis = coordinates[:, BODY_21.index("pelvis")]
    assert np.median(np.linalg.norm(pelvis, axis=1)) == pytest.approx(1.0, rel=1e-5)
    assert (pelvis[:, 1] > 0).all()
    assert set(out.parameters) >= {"origin", "trunk_length", "angle_rad"}


def test_3d_coordinates_are_about_the_pelvis_and_zscores_stay() -> None:
    tracks = _tracks()
    assert tracks.lifted is not None
    out = Coordinates3D().build(tracks, CONFIG)
    assert (out.units, len(out.names)) == ("trunk", 51)
    assert (out.values[:, :3] == 0).all()
    scored = replace(tracks.lifted, units="zscore")
    kept = Coordinates3D().build(Tracks(scored, scored), CONFIG)
    assert kept.units == "zscore"
    coordinates, keypoints = as_coordinates(kept.values, kept.names)
    assert keypoints == HUMAN36M_17.keypoints
    np.testing.assert_allclose(coordinates, scored.position.transpose(0, 2, 1), rtol=1e-6)


def test_no_scale_and_no_turn_on_request() -> None:
    tracks = _tracks()
    config = FeaturesConfig(origin="none", scale="none", upright=False)
    out = Coordinates2D().build(tracks, config)
    coordinates, _ = as_coordinates(out.values, out.names)
    expected = convert(tracks.clean.position, tracks.clean.keypoints, BODY_21)
    np.testing.assert_allclose(coordinates, expected.transpose(0, 2, 1), rtol=1e-6)
    assert out.units == "pixels"


# ---- angles ----


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 135.0, 180.0])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_angle_between_two_directions(degrees: float, sign: int) -> None:
    angle = np.deg2rad(degrees)
    joint = np.array([[3.0, -2.0]])
    a = joint + 2.0 * np.array([[1.0, 0.0]])
    b = joint + 0.5 * np.array([[np.cos(angle), sign * np.sin(angle)]])
    assert inner_angle(a, joint, b)[0] == pytest.approx(angle, abs=1e-12)
    assert inner_angle(b, joint, a)[0] == pytest.approx(angle, abs=1e-12)


def test_an_angle_without_a_direction_is_missing() -> None:
    joint = np.zeros((2, 2))
    a = np.array([[0.0, 0.0], [np.nan, 1.0]])
    assert np.isnan(inner_angle(a, joint, np.ones((2, 2)))).all()


def test_twelve_angles_of_a_body_stretched_out() -> None:
    points = {
        "pelvis": (0, 1), "thorax": (0, 0), "spine": (0, 0.5), "neck": (0, -0.2), "head": (0, -0.4),
    }  # fmt: skip
    for side, s in (("left", 1.0), ("right", -1.0)):
        # Arms straight out, hands and feet at right angles, legs straight down.
        points |= {
            f"{side}_shoulder": (0.3 * s, 0), f"{side}_elbow": (0.6 * s, 0),
            f"{side}_wrist": (0.9 * s, 0), f"{side}_hand": (0.9 * s, 0.2),
            f"{side}_hip": (0.3 * s, 1), f"{side}_knee": (0.3 * s, 1.5),
            f"{side}_ankle": (0.3 * s, 2), f"{side}_foot": (0.5 * s, 2),
        }  # fmt: skip
    position = np.array([points[k] for k in BODY_21.keypoints]).T[None].repeat(4, axis=0)
    pose = Pose(
        position, np.ones((4, 21)), np.arange(4) / 25, BODY_21.keypoints, 25.0, skeleton="body21"
    )
    out = Angles2D().build(Tracks(pose), CONFIG)
    assert len(out.names) == 12 == len(BODY_21.angles)
    assert out.units == "rad"
    found = dict(zip(out.names, out.values[0] / np.pi, strict=True))
    expected = {"shoulder": 0.5, "elbow": 1, "wrist": 0.5, "hip": 1, "knee": 1, "ankle": 0.5}
    for joint, share in expected.items():
        for side in ("left", "right"):
            assert found[f"{side}_{joint}_angle"] == pytest.approx(share, abs=1e-6)


# ---- derivatives ----


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_derivatives_of_a_parabola_with_gaps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.02, 0.06, 60))
    a, b, c = rng.normal(size=3)
    x = (a * t**2 + b * t + c)[:, None]
    there = rng.random(60) > 0.15
    x[~there] = np.nan
    v, w = velocity(x, t)[:, 0], acceleration(x, t)[:, 0]
    before = np.concatenate([[False], there[:-1]])
    after = np.concatenate([there[1:], [False]])
    inside = there & before & after
    np.testing.assert_allclose(v[inside], (2 * a * t + b)[inside], atol=1e-6)
    np.testing.assert_array_equal(np.isfinite(v), there & (before | after))
    np.testing.assert_allclose(w[np.isfinite(w)], 2 * a, atol=1e-4)
    near = np.concatenate([[False], inside[:-1]]) | np.concatenate([inside[1:], [False]])
    np.testing.assert_array_equal(np.isfinite(w), there & (inside | near))


def test_without_gaps_velocity_is_numpys_gradient(rng: np.random.Generator) -> None:
    t = np.cumsum(rng.uniform(0.02, 0.06, 50))
    x = rng.standard_normal((50, 2, 3))
    np.testing.assert_allclose(velocity(x, t), np.gradient(x, t, axis=0), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_frames_have_no_derivative(n: int) -> None:
    x, t = np.ones((n, 2)), np.arange(n) / 25
    assert acceleration(x, t).shape == velocity(x, t).shape == (n, 2)
    assert np.isnan(acceleration(x, t)).all()


# ---- pairwise ----


def test_pairwise_differences_and_distances_by_hand(rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 5, 2))
    difference, distance = pairwise_differences(x), pairwise_distances(x)
    assert difference.shape == (3, 5, 4, 2)
    names = pair_names(tuple("abcde"))
    assert len(names) == 10 == distance.shape[-1]
    for i in range(5):
        rest = [j for j in range(5) if j != i]
        assert others(5)[i].tolist() == rest
        for column, j in enumerate(rest):
            np.testing.assert_array_equal(difference[:, i, column], x[:, i] - x[:, j])
            if i < j:
                pair = names.index(f"{'abcde'[i]}-{'abcde'[j]}")
                expected = np.linalg.norm(x[:, i] - x[:, j], axis=1)
                np.testing.assert_allclose(distance[:, pair], expected)
    np.testing.assert_array_equal(pairwise_differences(x, absolute=True), np.abs(difference))


# ---- mirror ----


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2, 3]))
def test_mirroring_features_is_mirroring_the_infant(seed: int, space: int) -> None:
    skeleton = BODY_21 if space == 2 else HUMAN36M_17
    names = coordinate_names(skeleton.keypoints, space)
    x = np.random.default_rng(seed).standard_normal((4, len(names)))
    points, _ = as_coordinates(x, names)
    expected = points[:, list(skeleton.mirror)].copy()
    expected[..., 0] *= -1
    out = mirror_features(x, names)
    np.testing.assert_array_equal(as_coordinates(out, names)[0], expected)
    np.testing.assert_array_equal(mirror_features(out, names), x)


def test_angles_of_the_mirrored_infant_are_the_mirrored_angles() -> None:
    tracks = _tracks()
    body = convert(tracks.clean.position, tracks.clean.keypoints, BODY_21)
    mirrored = body[:, :, list(BODY_21.mirror)].copy()
    mirrored[:, 0] *= -1
    base = Pose(body, np.ones((len(body), 21)), tracks.clean.time_s, BODY_21.keypoints, 25.0)
    a = Angles2D().build(Tracks(base), CONFIG)
    b = Angles2D().build(Tracks(replace(base, position=mirrored)), CONFIG)
    np.testing.assert_allclose(mirror_features(a.values, a.names), b.values, atol=1e-6)


def test_a_side_without_its_partner_is_refused() -> None:
    with pytest.raises(ValueError, match="left_wrist_x"):
        mirror_features(np.zeros((1, 1)), ("left_wrist_x",))
    with pytest.raises(ValueError, match="no coordinates"):
        as_coordinates(np.zeros((1, 2)), ("left_elbow_angle", "right_elbow_angle"))


# ---- files ----


@pytest.fixture
def written(tmp_path: Path) -> Path:
    features = build_features(_track_3d(_tracks()), EVERYTHING)
    path = tmp_path / "features.h5"
    write_features(path, features, Provenance(recording="a"))
    return path


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    features = build_features(_tracks(), EVERYTHING)
    assert not features.unavailable
    paths = [tmp_path / name for name in ("a.h5", "b.h5")]
    for path in paths:
        write_features(path, features, Provenance(recording="a"))
    assert paths[0].read_bytes() == paths[1].read_bytes()
    for name, expected in features.sets.items():
        out = read_feature_set(paths[0], name)
        np.testing.assert_array_equal(out.values, expected.values)
        np.testing.assert_array_equal(out.time_s, expected.time_s)
        assert (out.names, out.units, out.fps) == (expected.names, expected.units, 25.0)
        assert dict(out.parameters) == dict(expected.parameters)
    with xr.open_dataset(paths[0], group="angles_2d") as dataset:
        assert dataset["values"].dims == ("time", "feature")
        assert dataset.attrs["units"] == "rad"
    with h5py.File(paths[0]) as file:
        assert json.loads(file.attrs["units"])["velocities_2d"] == "trunk/s"
        assert file.attrs["fps"] == 25.0


def test_what_could_not_be_built_is_a_reason(written: Path) -> None:
    assert read_feature_set(written, "coordinates_3d").values.shape[1] == 51
    with pytest.raises(NotAssessable, match="3D and has no positions") as error:
        read_feature_set(written, "coordinates_2d")
    assert error.value.reason is Reason.FEATURE_UNAVAILABLE
    with pytest.raises(StorageError, match="only accelerations_2d"):
        read_feature_set(written, "spectra")


def test_a_recorded_reason_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "features.h5"
    error = NotAssessable(Reason.VIDEO_EMPTY, "0 bytes")
    write_not_assessable(path, error, schema=FEATURES_SCHEMA, provenance=Provenance())
    with pytest.raises(NotAssessable, match="0 bytes") as found:
        read_feature_set(path, "coordinates_2d")
    assert found.value.reason is Reason.VIDEO_EMPTY


def test_an_unknown_set_is_a_mistake_of_the_config() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'angles_2d'"):
        build_features(_tracks(), FeaturesConfig(sets=("angle_2d",)))
