from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from fidgety.config.pose import PoseConfig
from fidgety.errors import FidgetyError, NotAssessable, Reason
from fidgety.pose.estimate import CHUNK_FRAMES, estimate_pose
from fidgety.pose.mediapipe import BlazePose
from fidgety.pose.mediapipe_options import BlazePoseOptions
from fidgety.pose.tracks import Pose, read_pose, write_pose
from fidgety.skeletons import COCO_17
from fidgety.storage import Provenance
from tests.pose.sight import UprightOnly, draw_doll, load_phantom

NOSE, HIP = COCO_17.index("nose"), COCO_17.index("left_hip")
Pictures = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]


def estimate(pictures: Pictures, config: PoseConfig | None = None, **options: object) -> Pose:
    frames, masks = zip(*pictures, strict=True)
    return estimate_pose(
        iter(frames),
        np.stack(masks),
        config or PoseConfig(),
        UprightOnly(),
        fps=25.0,
        **options,  # type: ignore[arg-type]
    )


def test_coordinates_are_in_the_frame_of_the_video() -> None:
    centres = [(150.0 + i, 150.0) for i in range(90)]
    pose = estimate([draw_doll(130, centre) for centre in centres])
    head = np.array(
        [
            c + np.array([40 * np.sin(np.deg2rad(130)), 40 * -np.cos(np.deg2rad(130))])
            for c in centres
        ]
    )
    np.testing.assert_allclose(pose.position[:, :, NOSE], head + 0.5, atol=1.5)
    np.testing.assert_allclose(pose.time_s, np.arange(90) / 25.0)
    assert pose.units == "pixels"
    assert pose.skeleton == "coco17"
    assert pose.world is None


def test_an_infant_that_is_turned_is_found_again() -> None:
    n = 2 * CHUNK_FRAMES
    pose = estimate([draw_doll(0)] * n + [draw_doll(180)] * n)
    assert pose.details["detected_share"] == 1.0
    views = pose.details["views"]
    assert [v["start_frame"] for v in views] == [0, n]
    assert abs(views[0]["angle_deg"] - 0) < 2 or abs(views[0]["angle_deg"] - 360) < 2
    assert abs(views[1]["angle_deg"] - 180) < 2
    assert pose.position[0, 1, NOSE] < pose.position[0, 1, HIP]
    assert pose.position[-1, 1, NOSE] > pose.position[-1, 1, HIP]


def test_the_crop_turns_with_an_infant_that_turns_slowly() -> None:
    n = 8 * CHUNK_FRAMES
    turn = np.linspace(0, 170, n)
    pose = estimate([draw_doll(angle) for angle in turn])
    assert pose.details["detected_share"] == 1.0
    used = np.array([v["angle_deg"] for v in pose.details["views"]])
    assert len(used) >= 4
    assert {v["source"] for v in pose.details["views"][1:]} == {"pose"}


def test_the_crop_rests_while_the_body_stays_in_it() -> None:
    pictures = [draw_doll(0, (200.0 + 4 * np.sin(i / 9), 150.0)) for i in range(4 * CHUNK_FRAMES)]
    assert len(estimate(pictures).details["views"]) == 1


@pytest.mark.parametrize(("turn", "angle"), [("0", 0), ("90", 270), ("180", 180), ("270", 90)])
def test_a_given_orientation_is_the_clockwise_turn(turn: str, angle: float) -> None:
    config = PoseConfig(orientation=turn)  # type: ignore[arg-type]
    pose = estimate([draw_doll(angle)] * 5, config)
    assert pose.details["views"][0]["angle_deg"] == float(turn)
    assert pose.details["views"][0]["source"] == "config"
    with pytest.raises(NotAssessable):
        estimate([draw_doll(angle + 180)] * 5, config)


def test_the_whole_picture_is_used_on_request() -> None:
    pose = estimate([draw_doll(90)] * 3, PoseConfig(crop_to_body=False))
    assert pose.details["views"][0]["crop_side_px"] == pytest.approx(400.0, abs=20)


def test_too_few_frames_with_a_body_are_a_reason_with_figures() -> None:
    blank = (np.full((300, 400, 3), 40, np.uint8), np.zeros((300, 400), np.uint8))
    pictures = [draw_doll(0)] * 30 + [blank] * 70
    with pytest.raises(NotAssessable) as caught:
        estimate(pictures)
    assert caught.value.reason is Reason.NO_BODY
    assert "30 of 100" in caught.value.detail
    pose = estimate(pictures, PoseConfig(min_detected=0.3))
    assert pose.details["detected_share"] == 0.3
    assert np.isnan(pose.position[30:]).all()
    assert (pose.confidence[30:] == 0).all()


def test_no_frame_is_a_reason() -> None:
    with pytest.raises(NotAssessable) as caught:
        estimate_pose(iter([]), None, PoseConfig(), UprightOnly(), fps=25.0)
    assert caught.value.reason is Reason.NO_BODY


def test_searches_in_vain_become_rare() -> None:
    blank = np.full((300, 400, 3), 40, np.uint8)
    estimator = UprightOnly()
    with pytest.raises(NotAssessable):
        estimate_pose(iter([blank] * (40 * CHUNK_FRAMES)), None, PoseConfig(), estimator, fps=25.0)
    assert estimator.seen < 1.15 * 40 * CHUNK_FRAMES


def test_an_infant_that_comes_late_is_found() -> None:
    blank = (np.full((300, 400, 3), 40, np.uint8), np.zeros((300, 400), np.uint8))
    pictures = [blank] * (4 * CHUNK_FRAMES) + [draw_doll(180)] * (16 * CHUNK_FRAMES)
    pose = estimate(pictures)
    assert pose.details["detected_share"] > 0.55


def test_memory_does_not_grow_with_length() -> None:
    picture, mask = draw_doll(45)
    alive = {"frames": 0, "most": 0}

    class Counted(np.ndarray):
        def __del__(self) -> None:
            alive["frames"] -= 1

    def frames() -> Iterator[NDArray[np.uint8]]:
        for _ in range(6 * CHUNK_FRAMES):
            alive["frames"] += 1
            alive["most"] = max(alive["most"], alive["frames"])
            frame = np.ndarray.__new__(Counted, picture.shape, np.uint8)
            frame[:] = picture
            yield frame

    class Masks:
        largest = 0

        def __len__(self) -> int:
            return 6 * CHUNK_FRAMES

        def __getitem__(self, part: slice) -> NDArray[np.uint8]:
            n = len(range(*part.indices(len(self))))
            self.largest = max(self.largest, n)
            return np.repeat(mask[None], n, axis=0)

    masks, estimator = Masks(), UprightOnly()
    estimate_pose(frames(), masks, PoseConfig(), estimator, fps=25.0)
    assert alive["most"] <= 2 * CHUNK_FRAMES
    assert masks.largest <= CHUNK_FRAMES
    assert estimator.largest_batch <= CHUNK_FRAMES


@pytest.mark.parametrize("n_masks", [CHUNK_FRAMES - 5, CHUNK_FRAMES + 70])
def test_another_number_of_masks_than_frames_is_an_error(n_masks: int) -> None:
    picture, mask = draw_doll(0)
    with pytest.raises(FidgetyError, match="body masks"):
        estimate_pose(
            iter([picture] * (CHUNK_FRAMES + 5)),
            np.repeat(mask[None], n_masks, axis=0),
            PoseConfig(),
            UprightOnly(),
            fps=25.0,
        )


def test_the_estimator_sees_what_the_background_option_leaves() -> None:
    picture, mask = draw_doll(0)

    def hide(frame: NDArray[np.uint8], body: NDArray[np.uint8]) -> NDArray[np.uint8]:
        assert frame.shape[:2] == body.shape
        return np.zeros_like(frame)

    with pytest.raises(NotAssessable):
        estimate([(picture, mask)] * 3, alter=hide)
    assert estimate([(picture, mask)] * 3).details["detected_share"] == 1.0


def test_masks_may_be_smaller_than_the_video() -> None:
    phantom = load_phantom().turned(100)
    with BlazePose(BlazePoseOptions()) as estimator:
        pose = estimate_pose(
            iter(phantom.frames),
            phantom.masks[:, ::4, ::4],
            PoseConfig(),
            estimator,
            fps=25.0,
            mask_scale=0.25,
        )
    assert np.mean(phantom.errors(pose.position) < 0.2) >= 0.95
    assert pose.details["views"][0]["source"] == "mask axis"


def test_the_pose_survives_its_file(tmp_path: object) -> None:
    path = f"{tmp_path}/pose.h5"
    pose = estimate([draw_doll(10)] * 5)
    write_pose(path, pose, Provenance())
    again = read_pose(path)
    np.testing.assert_allclose(again.position, pose.position, rtol=1e-6)
    assert again.details == pose.details
