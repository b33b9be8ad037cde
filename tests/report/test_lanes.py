"""Lanes on the timeline's axis: where they are drawn, and what they say."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from fidgety.pose.tracks import Origin, Pose
from fidgety.report import lanes
from fidgety.report.infant_files import quality_table, timeline_table, trajectory_table
from fidgety.report.lanes import area_path, line_path, runs, step_path
from fidgety.report.timeline import Cell, Mark, Strip
from fidgety.skeletons import BLAZEPOSE_33
from tests.report.conftest import body_pose

NAN = float("nan")


def numbers(path: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?[\d.]+", path)]


def test_a_line_stops_where_a_value_is_missing() -> None:
    path = line_path(np.array([0.0, 1, 2, 3]), np.array([0.5, NAN, 0.25, 1]))
    assert path == "M0 0.5M2 0.25L3 1"
    assert line_path(np.array([0.0]), np.array([NAN])) == ""


def test_steps_are_a_second_wide() -> None:
    assert step_path(2.0, np.array([0.5, NAN, 1.0])) == "M2 0.5H3M4 1H5"


def test_equal_seconds_are_one_bar_and_empty_ones_none() -> None:
    top = np.array([0.2, 0.2, 1.0, 0.5])
    assert area_path(1.0, top, np.ones(4)) == "M1 0.2H3V1H1ZM4 0.5H5V1H4Z"


def test_runs_of_frames_reach_to_the_next_frame() -> None:
    time_s = np.arange(5) / 2 + 10
    assert runs(np.array([1, 0, 0, 1, 1], dtype=bool), time_s) == [(10, 10.5), (11.5, 12.5)]
    assert runs(np.zeros(5, dtype=bool), time_s) == []


@pytest.fixture(scope="module")
def pose() -> Pose:
    made = body_pose(6.0)
    swap = {"keypoints": ["wrist"], "start_s": 2.0, "end_s": 3.0}
    # A recording whose clock does not begin at 0: the video's does not either.
    return replace(made, time_s=made.time_s + 1.0, details={"cleaning": {"swaps": [swap]}})


def test_lanes_are_in_the_recordings_own_time(pose: Pose) -> None:
    quality, trajectories = lanes.groups("r", pose, None)
    assert [lane.name for lane in quality.lanes][:2] == ["head", "trunk"]
    assert quality.lanes[-1].name == lanes.TEXTS["swaps"]
    assert numbers(quality.lanes[-1].shapes[0].path)[0] == 2.0
    assert (quality.slots[0][0], quality.slots[-1][1]) == (1.0, 7.0)
    assert len(trajectories.lanes) == 8
    for lane in trajectories.lanes:
        for shape in lane.shapes:
            if shape.kind in ("left", "right"):
                points = np.array(numbers(shape.path)).reshape(-1, 2)
                assert points[0, 0] == 1.0
                assert (points[:, 1] >= lanes.RIBBON).all(), "no line under a ribbon"
                assert (points[:, 1] <= 1 - lanes.RIBBON).all()


def test_shares_fill_a_lane_from_edge_to_edge(pose: Pose) -> None:
    arm = next(one for one in lanes.groups("r", pose, None)[0].lanes if one.name == "left arm")
    area = 0.0
    for shape in arm.shapes:
        for bar in shape.path.split("Z"):
            if bar:
                left, top, right, bottom, _ = numbers(bar)
                area += (right - left) * (bottom - top)
    assert area == pytest.approx(6.0, abs=0.01)
    assert {shape.kind for shape in arm.shapes} == {"measured", "imputed", "missing"}


def test_down_in_the_picture_is_down_in_the_lane() -> None:
    made = body_pose(2.0)
    position = made.position.copy()
    wrist = BLAZEPOSE_33.index("left_wrist")
    position[25:, 1, wrist] += 80.0
    position[25:, 0, wrist] += 80.0
    _, trajectories = lanes.groups("r", replace(made, position=position), None)
    across, down = trajectories.lanes[:2]
    for lane, sign in ((across, -1), (down, 1)):
        path = next(shape.path for shape in lane.shapes if shape.kind == "left")
        points = np.array(numbers(path)).reshape(-1, 2)
        late = points[points[:, 0] >= 1, 1].mean()
        early = points[points[:, 0] < 0.8, 1].mean()
        assert sign * (late - early) > 0


def test_ribbons_mark_what_was_not_measured(pose: Pose) -> None:
    wrist = lanes.groups("r", pose, None)[1].lanes[0]
    ribbons = {shape.kind: numbers(shape.path) for shape in wrist.shapes if shape.filled}
    assert set(ribbons) == {"imputed", "missing"}
    assert ribbons["imputed"][:3] == pytest.approx([1 + 20 / 25, 0.0, 1 + 30 / 25])


def test_series_have_their_limit_and_range(pose: Pose) -> None:
    record = {"series": {"speed": [0.5, None, 1.0]}, "limits": {"fussing_speed": 2.0}}
    lane = lanes.groups("r", pose, record)[0].lanes[-1]
    assert lane.note == "0.00 to 2.20 trunk/s; fussing suspected above 2"
    series, limit = lane.shapes
    assert (series.kind, limit.kind) == ("series", "limit")
    assert numbers(limit.path)[1] == pytest.approx(1 - 2 / 2.2, abs=1e-3)


def test_a_skeleton_without_limbs_has_no_trajectories(pose: Pose) -> None:
    kept = [BLAZEPOSE_33.index(name) for name in ("nose", "left_eye")]
    assert pose.origin is not None
    face = replace(
        pose,
        position=pose.position[:, :, kept],
        confidence=pose.confidence[:, kept],
        origin=pose.origin[:, kept],
        keypoints=("nose", "left_eye"),
        skeleton="",
    )
    assert [group.heading for group in lanes.groups("r", face, None)] == [lanes.TEXTS["quality"]]


def test_tables_hold_what_is_drawn(pose: Pose) -> None:
    quality = quality_table(pose, {"series": {"speed": [0.5, None]}})
    assert quality["start_s"].tolist() == [1, 2, 3, 4, 5, 6]
    parts = quality[[c for c in quality if str(c).startswith("left_arm_")]]
    np.testing.assert_allclose(parts.sum(axis=1), 1)
    assert quality["sides_exchanged"].tolist() == [0, 1, 1, 0, 0, 0]
    assert quality["speed"].isna().sum() == 5

    tracks = trajectory_table(pose)
    assert len(tracks) == pose.n_frames
    assert tracks["left_wrist_origin"][25] == Origin.IMPUTED.name.lower()
    assert tracks["left_wrist_x"][60:90].isna().all()
    assert set(tracks["unit"]) == {"trunk lengths"}

    strip = Strip("mam", (Cell(0, 5, 0, 6, 0.7),), fidgety=True)
    table = timeline_table([strip], {"anna": [Mark(1, 2, "other", "anna")]})
    assert table["what"].tolist() == ["fidgety movements", "annotated"]
    assert table["movement"].tolist()[1] == "other"
