"""The figure of how fit a recording is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fidgety.background.camera_record import CameraMotion
from fidgety.config.quality import QualityConfig
from fidgety.errors import Outcome, Reason
from fidgety.pose.tracks import Origin, Pose
from fidgety.pose.verdict import quality_record
from fidgety.report.infant import fitness
from fidgety.report.overlay import draw_skeleton
from fidgety.report.quality_plot import KINDS, body_part, draw_fitness, part_shares
from fidgety.skeletons import BLAZEPOSE_33, BODY_21
from tests.pose.infant import infant_pose


@pytest.fixture(scope="module")
def pose() -> Pose:
    made = infant_pose(8.0)
    origin = np.full((made.n_frames, 33), Origin.MEASURED, dtype=np.uint8)
    wrist = BLAZEPOSE_33.index("left_wrist")
    origin[25:50, wrist] = Origin.MANUAL
    origin[50:75, BLAZEPOSE_33.index("right_knee")] = Origin.MISSING
    swap = {"keypoints": ["wrist"], "start_s": 2.0, "end_s": 3.0}
    return replace(made, origin=origin, details={"cleaning": {"swaps": [swap]}})


def test_every_keypoint_has_its_part() -> None:
    parts = {name: body_part(name) for name in (*BLAZEPOSE_33.keypoints, *BODY_21.keypoints)}
    assert set(parts.values()) == {
        "head", "trunk", "left arm", "right arm", "left leg", "right leg",
    }  # fmt: skip
    assert parts["left_foot_index"] == "left leg"
    assert parts["right_index"] == "right arm"
    assert parts["mouth_left"] == "head"
    assert parts["thorax"] == parts["left_hip"] == "trunk"


def test_shares_of_a_part_are_those_of_its_keypoints(pose: Pose) -> None:
    shares = part_shares(pose)
    assert next(iter(shares)) == "head"
    assert len(shares) == 6
    for values in shares.values():
        assert values.shape == (len(KINDS), 8)
        np.testing.assert_allclose(values.sum(axis=0), 1.0)
    kinds = [kind for kind, _ in KINDS]
    n_arm = sum(body_part(k) == "left arm" for k in pose.keypoints)
    np.testing.assert_allclose(shares["left arm"][kinds.index(Origin.MANUAL)], np.eye(8)[1] / n_arm)
    assert shares["right leg"][kinds.index(Origin.MISSING)].argmax() == 2


def test_it_shows_what_is_known_and_no_more(pose: Pose) -> None:
    config = QualityConfig()
    camera = CameraMotion(np.arange(0.1, 8, 0.2), np.full(40, 3.0))
    _, record = quality_record(pose, config, camera)
    svg = draw_fitness(pose, record)
    assert svg == draw_fitness(pose, record)
    for text in (
        "left arm",
        "placed by hand",
        "put right",
        "camera (trunk/s)",
        "moving above 0.15",
    ):
        assert text in svg, text
    assert "somebody else" not in svg
    persons = {"known": True, "others_by_second": [0.0, 0.5, 1.0, *[0.0] * 5]}
    accompanied = replace(pose, details={**pose.details, "persons": persons})
    _, record = quality_record(accompanied, config, camera)
    assert "somebody else in view" in draw_fitness(accompanied, record)
    _, blind = quality_record(replace(pose, units="zscore", details={}), config)
    without = draw_fitness(replace(pose, details={}), blind)
    assert "right leg" in without
    assert "camera" not in without
    assert "left and right exchanged" not in without


def test_words_say_what_is_not_known(pose: Pose) -> None:
    outcome, record = quality_record(pose, QualityConfig(still_extent=9.0))
    words = fitness(record)
    assert words["still (asleep, as a suspicion)"] == "100 % of the time"
    assert words["camera moves"] == "not known"
    written = {**record, "status": outcome.status.value, "reason": outcome.reason}
    assert Outcome.recorded(written).reason is Reason.INFANT_STILL
    assert Outcome.recorded({"status": "ok"}) == Outcome()


def test_a_square_marks_what_a_hand_placed() -> None:
    def drawn(origin: Origin) -> np.ndarray:
        image = np.zeros((60, 60, 3), dtype=np.uint8)
        return draw_skeleton(
            image, np.array([[30.0], [30.0]]), ("nose",), [], np.array([origin], dtype=np.uint8)
        )

    plain, marked = drawn(Origin.MEASURED), drawn(Origin.MANUAL)
    np.testing.assert_array_equal(plain[28:33, 28:33], marked[28:33, 28:33])
    assert marked.any(axis=2).sum() > plain.any(axis=2).sum()
