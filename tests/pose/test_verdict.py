"""How the infant lies and moves, and whether a recording is fit: closed forms and laws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.background.camera_record import CameraMotion
from fidgety.config.quality import QualityConfig
from fidgety.errors import NotAssessable, Outcome, Reason, StorageError
from fidgety.features.speed import SPEEDS
from fidgety.pose.behaviour import facing, lasting, movement, seconds
from fidgety.pose.importers.reader import read_track
from fidgety.pose.quality_record import MEASURES, read_quality_record, write_quality
from fidgety.pose.tracks import Origin, Pose
from fidgety.pose.verdict import combine, judge, measure, quality_record
from fidgety.skeletons import COCO_17
from fidgety.storage import Provenance
from tests.pose.foreign import Truth, random_truth, write_dlc_csv

CONFIG = QualityConfig()
TRUNK_PX = 100.0
PLACES = {
    "nose": (0, -160), "left_eye": (8, -165), "right_eye": (-8, -165), "left_ear": (20, -160),
    "right_ear": (-20, -160), "left_shoulder": (35, -100), "right_shoulder": (-35, -100),
    "left_elbow": (60, -60), "right_elbow": (-60, -60), "left_wrist": (80, -100),
    "right_wrist": (-80, -100), "left_hip": (25, 0), "right_hip": (-25, 0), "left_knee": (50, 40),
    "right_knee": (-50, 40), "left_ankle": (30, 80), "right_ankle": (-30, 80),
}  # fmt: skip


def lying(n: int = 250, fps: float = 25.0) -> Pose:
    """Return an infant on its back that does nothing, seen from above, head up."""
    still = np.array([PLACES[k] for k in COCO_17.keypoints], dtype=float).T + 300
    return Pose(
        np.repeat(still[None], n, axis=0),
        np.ones((n, 17)),
        np.arange(n) / fps,
        COCO_17.keypoints,
        fps,
        origin=np.full((n, 17), Origin.MEASURED, dtype=np.uint8),
        skeleton="coco17",
    )


def moved(pose: Pose, amplitude: float, hz: float, names: tuple[str, ...]) -> Pose:
    """Let keypoints swing along x, in trunk lengths."""
    position = pose.position.copy()
    wave = amplitude * TRUNK_PX * np.sin(2 * np.pi * hz * pose.time_s)
    for name in names:
        position[:, 0, COCO_17.index(name)] += wave
    return replace(pose, position=position)


ENDS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")


def test_front_back_and_side() -> None:
    pose = lying()
    front = facing(pose)
    assert front is not None
    # Shoulders are 0.7 trunk lengths wide and hips 0.5.
    np.testing.assert_allclose(front, 0.6)
    mirrored = pose.position.copy()
    mirrored[:, 0] = 600 - mirrored[:, 0]
    np.testing.assert_allclose(facing(replace(pose, position=mirrored)), -0.6)
    side = pose.position.copy()
    side[:, 0] = 300 + 0.1 * (side[:, 0] - 300)
    np.testing.assert_allclose(facing(replace(pose, position=side)), 0.06)


@settings(max_examples=25)
@given(
    angle=st.floats(0, 2 * np.pi), scale=st.floats(0.05, 20), x=st.floats(-1e3, 1e3),
    mirror=st.booleans(), seed=st.integers(0, 3),
)  # fmt: skip
def test_facing_knows_no_angle_size_or_place(
    angle: float, scale: float, x: float, mirror: bool, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, 5.0, (5, 2, 17))
    pose = replace(lying(5), position=lying(5).position + noise)
    before = facing(pose)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirror:
        turn = turn @ np.diag([-1.0, 1.0])
    other = replace(pose, position=np.einsum("ij,tjk->tik", turn, pose.position) + x)
    after = facing(other)
    assert before is not None
    np.testing.assert_allclose(after, -before if mirror else before, atol=1e-6)
    assert (before > CONFIG.side_width).all()


def test_units_without_length_tell_nothing() -> None:
    pose = replace(lying(), units="zscore")
    assert facing(pose) is None
    assert movement(pose) is None
    measures, _ = measure(pose, CONFIG)
    assert measures["supine"] is measures["still"] is measures["fussing"] is None
    assert judge(measures, CONFIG) == []


def test_spread_and_speed_of_a_swing() -> None:
    pose = moved(lying(), 0.2, 2.0, ENDS)
    found = movement(pose)
    assert found is not None
    # Root mean square of a sine, and its mean speed by moves of a fifth of a second.
    np.testing.assert_allclose(found.extent, 0.2 / np.sqrt(2), rtol=1e-6)
    steps = 2 * 0.2 * np.sin(np.pi * 2.0 * 0.2) * 2 / np.pi / 0.2
    np.testing.assert_allclose(found.speed[1:-1], steps, rtol=0.03)
    # At the edges of the recording a few moves are unknown.
    np.testing.assert_allclose(found.speed, steps, rtol=0.1)
    # One limb alone: the spread is the largest, the speed is the median.
    alone = movement(moved(lying(), 0.2, 2.0, ENDS[:1]))
    assert alone is not None
    np.testing.assert_allclose(alone.extent, 0.2 / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(alone.speed, 0.0, atol=1e-9)


def test_a_shift_of_the_whole_infant_is_no_movement_of_its_limbs() -> None:
    pose = moved(lying(), 0.2, 1.0, ENDS)
    shifted = replace(pose, position=pose.position + 3 * np.arange(250)[:, None, None])
    a, b = movement(pose), movement(shifted)
    assert a is not None
    assert b is not None
    np.testing.assert_allclose(a.speed, b.speed, atol=1e-9)
    np.testing.assert_allclose(a.extent, b.extent, atol=1e-9)


def test_missing_limbs_are_unknown_and_not_still() -> None:
    position = lying().position.copy()
    position[100:, :, [COCO_17.index(k) for k in ENDS[:3]]] = np.nan
    found = movement(replace(lying(), position=position))
    assert found is not None
    assert np.isfinite(found.extent[:4]).all()
    assert np.isnan(found.extent[4:]).all()
    assert np.isnan(found.speed[4:]).all()


def test_seconds_survive_rounded_time_stamps() -> None:
    time = np.cumsum(np.full(100, 0.04)) + 7.3
    assert np.bincount(seconds(time)).tolist() == [25] * 4


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 6))
def test_what_lasts(flags: list[bool], at_least: int) -> None:
    high = np.array(flags, dtype=bool)
    kept = lasting(high, at_least)
    assert not (kept & ~high).any()
    text = "".join("x" if f else "." for f in flags)
    expected = [run for run in text.split(".") if len(run) >= at_least]
    assert kept.sum() == sum(map(len, expected))


def test_a_calm_infant_is_fit() -> None:
    pose = moved(lying(), 0.1, 1.0, ENDS)
    steps = np.arange(0.1, 10, 0.2)
    outcome, record = quality_record(pose, CONFIG, CameraMotion(steps, np.full(50, 2.0)))
    assert outcome.ok
    measures = record["measures"]
    # Speeds are those of the features, which are built afterwards.
    assert set(measures) | set(SPEEDS) == set(MEASURES)
    assert measures["supine"] == measures["core_measured"] == measures["face_seen"] == 1.0
    assert measures["camera_speed"] == pytest.approx(2.0 / TRUNK_PX)
    assert measures["still"] == measures["fussing"] == measures["camera_moving"] == 0.0
    assert measures["assessable_s"] == pytest.approx(10.0)
    assert measures["persons"] is None


def test_each_unfitness_has_its_reason() -> None:
    calm = moved(lying(), 0.1, 1.0, ENDS)
    flipped = calm.position.copy()
    flipped[:, 0] = 600 - flipped[:, 0]
    origin = np.full((250, 17), Origin.IMPUTED, dtype=np.uint8)
    shaky = CameraMotion(np.arange(0.1, 10, 0.2), np.full(50, 0.2 * TRUNK_PX))
    company = {"persons": {"known": True, "max_in_view": 2, "share_with_others": 0.8}}
    cases = {
        Reason.POSE_TOO_SPARSE: (replace(calm, origin=origin), None),
        Reason.NOT_SUPINE: (replace(calm, position=flipped), None),
        Reason.OTHER_PERSON: (replace(calm, details=company), None),
        Reason.CAMERA_MOVES: (calm, shaky),
        Reason.INFANT_STILL: (moved(lying(), 0.01, 1.0, ENDS), None),
        Reason.INFANT_FUSSING: (moved(lying(), 0.6, 2.0, ENDS), None),
    }
    for reason, (pose, camera) in cases.items():
        outcome, record = quality_record(pose, CONFIG, camera)
        assert outcome.reason is reason, (reason, outcome)
        assert [r["reason"] for r in record["reasons"]] == [reason.value]
        assert "quality." in outcome.detail


def test_a_kick_now_and_then_is_no_fussing() -> None:
    pose = moved(lying(), 0.6, 2.0, ENDS)
    calm = moved(lying(), 0.1, 1.0, ENDS)
    fast = np.isin(np.floor(pose.time_s), [1, 2, 4, 5, 8])
    mixed = np.where(fast[:, None, None], pose.position, calm.position)
    measures, _ = measure(replace(pose, position=mixed), CONFIG)
    assert measures["fussing"] == 0.0


def test_all_reasons_are_recorded_and_the_first_counts() -> None:
    measures: dict[str, float | None] = dict.fromkeys(MEASURES)
    measures |= {"supine": 0.1, "camera_moving": 0.9, "assessable_s": 2.0, "longest_gap_s": 9.0}
    config = CONFIG.model_copy(update={"min_assessable_s": 30.0, "max_gap_s": 5.0})
    reasons = judge(measures, config)
    assert [r.reason for r in reasons] == [
        Reason.POSE_TOO_SPARSE,
        Reason.NOT_SUPINE,
        Reason.CAMERA_MOVES,
        Reason.ASSESSABLE_TOO_SHORT,
    ]
    outcome = combine(reasons)
    assert outcome.reason is Reason.POSE_TOO_SPARSE
    assert all(r.detail in outcome.detail for r in reasons)
    assert combine([]) == Outcome()


def test_limits_are_within() -> None:
    for name, key in (
        ("camera_moving", "max_camera_moving"),
        ("still", "max_still"),
        ("fussing", "max_fussing"),
        ("other_person", "max_other_person"),
        ("supine", "min_supine"),
        ("core_measured", "min_measured"),
    ):
        limit = getattr(CONFIG, key)
        assert judge({name: limit}, CONFIG) == []
        beyond = limit + (0.01 if key.startswith("max") else -0.01)
        assert len(judge({name: beyond}, CONFIG)) == 1
        off = CONFIG.model_copy(update={key: 1.0 if key.startswith("max") else 0.0})
        assert judge({name: float(key.startswith("max"))}, off) == []


def test_unknown_persons_are_no_reason() -> None:
    for details in ({}, {"persons": {"known": False}}, {"persons": None}):
        measures, series = measure(replace(lying(), details=details), CONFIG)
        assert measures["persons"] is measures["other_person"] is series["others"] is None


def test_persons_in_another_programs_tracks_count(tmp_path: Path) -> None:
    infant = random_truth(n=100, gaps=0)
    away = random_truth(n=100, seed=1, gaps=0)
    nurse = Truth(away.position + 600.0, away.confidence, away.skeleton)
    nurse.position[:25] = np.nan
    path = write_dlc_csv(infant, tmp_path, individuals={"baby": infant, "nurse": nurse})
    pose = read_track(path, fps=25.0)
    measures, series = measure(pose, CONFIG)
    assert measures["persons"] == 2
    assert measures["other_person"] == 0.75
    assert series["others"] == [0.0, 1.0, 1.0, 1.0]
    assert Reason.OTHER_PERSON in [r.reason for r in judge(measures, CONFIG)]
    # Times that end before the persons do, and after them.
    for stretch, expected in ((0.5, [0.0, 1.0]), (1.25, [0.0, 1.0, 1.0, 1.0, None])):
        _, series = measure(replace(pose, time_s=stretch * pose.time_s), CONFIG)
        assert series["others"] == expected


def test_empty_poses_do_not_break() -> None:
    pose = replace(lying(), position=np.full((250, 2, 17), np.nan), origin=None)
    outcome, record = quality_record(pose, CONFIG)
    assert outcome.reason is Reason.POSE_TOO_SPARSE
    assert record["measures"]["assessable_s"] == 0.0
    one = replace(
        lying(), position=lying().position[:1], confidence=np.ones((1, 17)),
        time_s=np.zeros(1), origin=None,
    )  # fmt: skip
    assert quality_record(one, CONFIG)[0].ok


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    outcome, record = quality_record(moved(lying(), 0.01, 1.0, ENDS), CONFIG)
    write_quality(path, outcome, record, Provenance(recording="baby"))
    read = read_quality_record(path)
    assert read["reason"] == "infant_still"
    assert read["measures"] == record["measures"] | dict.fromkeys(SPEEDS)
    assert read["limits"]["max_still"] == CONFIG.max_still
    write_quality(path, Outcome.of(NotAssessable(Reason.NO_BODY, "x")), {}, Provenance())
    assert read_quality_record(path)["measures"] == dict.fromkeys(MEASURES)
    path.write_text(json.dumps({"schema": "video/1"}))
    with pytest.raises(StorageError, match="quality/2"):
        read_quality_record(path)


def test_the_confidence_is_that_of_trunk_head_and_limbs() -> None:
    pose = moved(lying(), 0.1, 1.0, ENDS)
    given = np.full(pose.confidence.shape, 0.75)
    measures, _ = measure(replace(pose, confidence=given), CONFIG)
    assert measures["confidence"] == pytest.approx(0.75)
    measures, _ = measure(replace(pose, confidence=given * np.nan), CONFIG)
    assert measures["confidence"] is None, "of tracks without one nothing is said"
