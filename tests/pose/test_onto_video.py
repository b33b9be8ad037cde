"""Tracks brought onto a standard video; who is the infant among persons without names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.importers.onto_video import onto_video
from fidgety.pose.importers.people import Sights, choose, link
from fidgety.pose.tracks import Pose
from fidgety.skeletons import COCO_17
from fidgety.video.record import VideoRecord

N = 40


def tracks(n: int = N, **changes: Any) -> Pose:
    """Make tracks whose first coordinate is 100 + the frame's number."""
    position = np.broadcast_to(100.0 + np.arange(n)[:, None, None], (n, 2, 17)).copy()
    values: dict[str, Any] = {
        "position": position,
        "confidence": np.ones((n, 17)),
        "time_s": np.arange(n) / 50.0,
        "keypoints": COCO_17.keypoints,
        "fps": 50.0,
        "skeleton": "coco17",
        "details": {"counted_in": "frames", "every_frame": True},
    }
    return Pose(**(values | changes))


def record(frames: list[int], **changes: Any) -> VideoRecord:
    """Make the record of a standard video that shows these frames of a source at 50 a second."""
    values: dict[str, Any] = {
        "source_width_px": 640,
        "source_height_px": 480,
        "width_px": 320,
        "height_px": 240,
        "crop_px": (0, 0, 640, 480),
        "scale": 0.5,
        "fps": 25.0,
        "n_frames": len(frames),
        "source_fps": 50.0,
        "source_frame": tuple(frames),
        "source_time_s": tuple(f / 50.0 for f in frames),
        "n_source_frames": N,
    }
    return VideoRecord(**(values | changes))


def mismatch(pose: Pose, video: VideoRecord) -> str:
    with pytest.raises(NotAssessable) as caught:
        onto_video(pose, video)
    assert caught.value.reason is Reason.POSE_VIDEO_MISMATCH
    return caught.value.detail


def test_each_standard_frame_gets_its_source_frames_place() -> None:
    frames = [0, 2, 4, 4, 7, 39]  # a frame is repeated, one comes late
    found = onto_video(tracks(), record(frames))
    np.testing.assert_allclose(found.position[:, 0, 0], (100 + np.array(frames)) / 2)
    np.testing.assert_allclose(found.time_s, np.arange(6) / 25.0)
    assert found.fps == 25.0
    assert found.details["video"]["frames_of_source"] == N
    assert found.details["video"]["frames_without_tracks"] == 0


def test_crop_and_scale_of_each_axis() -> None:
    video = record([0], crop_px=(20, 60, 200, 300), width_px=100, height_px=100)
    found = onto_video(tracks(), video)
    np.testing.assert_allclose(found.position[0, :, 3], [(100 - 20) / 2, (100 - 60) / 3])


@pytest.mark.parametrize(("n", "fits"), [(N, 1), (N + 2, 1), (N - 2, 1), (N + 3, 0), (N - 3, 0)])
def test_another_number_of_frames_is_another_video(n: int, fits: int) -> None:
    video = record(list(range(0, N, 2)))
    if fits:
        assert onto_video(tracks(n), video).n_frames == 20
    else:
        assert mismatch(tracks(n), video) == f"the tracks have {n} frames, the video {N}"


def test_numbers_from_1_are_told_by_the_last_one() -> None:
    later = tracks(N + 1)
    later.position[0] = np.nan
    frames = list(range(0, N, 3))
    found = onto_video(later, record(frames))
    np.testing.assert_allclose(found.position[:, 0, 0], (101 + np.array(frames)) / 2)
    assert found.details["video"]["first_frame_number"] == 1
    # One frame more, and one in the beginning that is not known: each by itself says nothing.
    blank = tracks()
    blank.position[0] = np.nan
    for other in (tracks(N + 1), blank):
        found = onto_video(other, record(frames))
        np.testing.assert_allclose(found.position[1:, 0, 0], (100 + np.array(frames[1:])) / 2)
        assert "first_frame_number" not in found.details["video"]


def test_files_that_list_persons_may_end_early() -> None:
    sparse = {"counted_in": "frames", "every_frame": False}
    found = onto_video(tracks(10, details=sparse), record(list(range(0, N, 2))))
    assert np.isfinite(found.position[:5]).all()
    assert np.isnan(found.position[5:]).all()
    assert (found.confidence[5:] == 0).all()
    assert found.details["video"]["frames_without_tracks"] == 15
    mismatch(tracks(N + 3, details=sparse), record([0]))


def test_tracks_with_times_are_matched_by_time() -> None:
    stamped = {"counted_in": "seconds"}
    video = record(list(range(0, N, 2)))
    # Every second frame only, as another program may have thinned them out.
    thin = tracks(20, time_s=np.arange(20) / 25.0, fps=25.0, details=stamped)
    found = onto_video(thin, video)
    np.testing.assert_allclose(found.position[:, 0, 0], (100 + np.arange(20)) / 2)
    late = tracks(20, time_s=0.2 + np.arange(20) / 25.0, fps=25.0, details=stamped)
    found = onto_video(late, video)
    assert np.isnan(found.position[:4]).all()
    np.testing.assert_allclose(found.position[5:, 0, 0], (100 + np.arange(15)) / 2)
    other = tracks(20, time_s=5 + np.arange(20) / 25.0, fps=25.0, details=stamped)
    assert "the tracks end at 5.76 s, the video at 0.76 s" in mismatch(other, video)


def test_coordinates_of_another_picture_are_noticed() -> None:
    assert "640 x 480" in mismatch(tracks(position=np.full((N, 2, 17), 900.0)), record([0]))
    some = tracks()
    some.position[:, 0, 0] = -5.0
    assert onto_video(some, record([0])).details["video"]["outside_picture_share"] == 0.0588


def test_3d_and_world_keep_their_units() -> None:
    world = np.random.default_rng(0).normal(size=(N, 3, 17))
    found = onto_video(tracks(world=world), record([3, 5]))
    assert found.world is not None
    np.testing.assert_array_equal(found.world, world[[3, 5]])
    metres = tracks(position=world, units="metres")
    np.testing.assert_array_equal(onto_video(metres, record([3])).position, world[[3]])


@given(
    st.integers(0, 2**31),
    st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(50, 500), st.integers(50, 300)),
)
@settings(max_examples=25)
def test_the_map_is_affine_and_takes_the_crop_to_the_picture(
    seed: int, crop: tuple[int, int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    x, y, w, h = crop
    corners = np.array([[x, y], [x + w, y + h]], dtype=float)
    position = np.full((N, 2, 17), np.nan)
    position[0, :, :2] = corners.T
    share = rng.uniform(size=2)
    position[0, :, 2] = corners[0] + share * (corners[1] - corners[0])
    video = record([0], crop_px=crop, width_px=64, height_px=48)
    found = onto_video(tracks(position=position), video).position[0]
    np.testing.assert_allclose(found[:, 0], [0, 0], atol=1e-9)
    np.testing.assert_allclose(found[:, 1], [64, 48], atol=1e-9)
    np.testing.assert_allclose(found[:, 2], share * [64, 48], atol=1e-9)


# ---------------------------------------------------------------------------------- people


def crowd(seed: int, n: int = 25, persons: int = 3) -> tuple[Sights, np.ndarray]:
    """Make persons far apart who come and go; return them and who each sight is."""
    rng = np.random.default_rng(seed)
    shape = rng.uniform(-40, 40, size=(persons, 2, 6))
    place = np.arange(persons)[:, None] * np.array([300.0, 100.0])
    frames, who, points = [], [], []
    for t in range(n):
        here = [p for p in range(persons) if p == 0 or rng.uniform() < 0.6]
        for p in rng.permutation(here):
            frames.append(t)
            who.append(p)
            points.append(shape[p] + place[p][:, None] + rng.normal(scale=2, size=(2, 6)))
    position = np.array(points)
    return Sights(np.array(frames), position, np.ones((len(frames), 6))), np.array(who)


@given(st.integers(0, 10_000), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_people_far_apart_are_told_apart(seed: int, persons: int) -> None:
    sights, who = crowd(seed, persons=persons)
    names = np.array(link(sights))
    for p in range(persons):
        assert len(set(names[who == p])) <= 1
    assert len(set(names)) == len(set(who))
    chosen = choose(sights, join=True)
    assert (who[chosen.rows] == 0).all()
    np.testing.assert_array_equal(sights.frame[chosen.rows], np.arange(25))


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_people_in_a_frame_does_not_matter(seed: int) -> None:
    sights, _ = crowd(seed)
    order = np.lexsort((np.random.default_rng(seed).uniform(size=len(sights.frame)), sights.frame))
    other = Sights(sights.frame[order], sights.position[order], sights.confidence[order])
    a, b = choose(sights, join=True), choose(other, join=True)
    np.testing.assert_array_equal(sights.position[a.rows], other.position[b.rows])


def test_an_infant_that_is_lost_for_long_is_found_again_at_its_place() -> None:
    sights, who = crowd(3, n=120, persons=2)
    kept = (who == 1) | (sights.frame < 40) | (sights.frame > 100)
    part = Sights(sights.frame[kept], sights.position[kept], sights.confidence[kept])
    # The other is longer in view: take her out of most frames.
    few = (who[kept] == 0) | (part.frame % 3 == 0)
    part = Sights(part.frame[few], part.position[few], part.confidence[few])
    assert len(set(link(part))) == 3
    chosen = choose(part, join=True)
    frames = part.frame[chosen.rows]
    assert set(range(40)) | set(range(101, 120)) == set(frames.tolist())
    assert chosen.details["persons"]["joined"] == 1
    alone = choose(part, join=False)
    assert set(part.frame[alone.rows].tolist()) == set(range(40))


def test_who_is_alone_is_the_infant_however_it_jumps() -> None:
    rng = np.random.default_rng(0)
    sights = Sights(np.arange(9), rng.uniform(0, 4000, (9, 2, 2)), np.ones((9, 2)))
    chosen = choose(sights, join=True)
    np.testing.assert_array_equal(chosen.rows, np.arange(9))
    assert chosen.details["persons"]["linked_by"] == "being alone"
