from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from fidgety.background.extract import SCHEMA as BACKGROUND_SCHEMA
from fidgety.config.report import ReportConfig
from fidgety.pose.tracks import Pose, write_pose
from fidgety.report import overlay
from fidgety.storage import Provenance, write_dataset
from fidgety.video.read import iter_frames, video_info
from tests.report.conftest import SIDE, TRUNK, Site, body_pose, job, write_video
from workflow_scripts import draw_overlay

WHITE = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
SIZE = (SIDE, SIDE)


def head_of(pose: Pose) -> list[int]:
    return [k for k, n in enumerate(pose.keypoints) if n in overlay.HEAD_KEYPOINTS]


def without_head(pose: Pose, frames: slice) -> Pose:
    position = pose.position.copy()
    position[frames, :, head_of(pose)] = np.nan
    return replace(pose, position=position)


def draw(pose: Pose, config: ReportConfig | None = None) -> list[np.ndarray]:
    frames = [WHITE.copy() for _ in range(pose.n_frames)]
    return list(overlay.overlay_frames(frames, pose, SIZE, config or ReportConfig()))


def white_near(image: np.ndarray, x: float, y: float, radius: float) -> int:
    """Count pixels of the infant's picture (white, far from the skeleton's colours)."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    near = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return int((image[near] > 250).all(axis=1).sum())


def face(pose: Pose, t: int) -> tuple[float, float]:
    xy = pose.position[t][:, head_of(pose)].mean(axis=1)
    return float(xy[0]), float(xy[1])


def skinless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no skeleton, so that only the picture is white."""
    monkeypatch.setattr(overlay, "draw_skeleton", lambda image, *rest: image)


def test_trunk_is_found() -> None:
    assert overlay.trunk_length(body_pose()) == pytest.approx(TRUNK)


def test_the_whole_head_is_hidden_and_the_rest_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose()
    for t, image in enumerate(draw(pose)):
        x, y = face(pose, t)
        # The head is about 0.85 trunk lengths high.
        assert white_near(image, x, y, 0.45 * TRUNK) == 0
        assert (image[int(0.75 * SIDE) :] > 250).all()


def test_faces_show_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose()
    shown = draw(pose, ReportConfig(faces="visible"))
    assert white_near(shown[0], *face(pose, 0), 10) > 300


def test_a_head_lost_for_a_moment_is_covered_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    whole = body_pose()
    position = whole.position.copy()
    position[:, 0, head_of(whole)] += np.linspace(-30, 30, whole.n_frames)[:, None]  # it moves
    whole = replace(whole, position=position)
    pose = without_head(whole, slice(50, 65))
    images = draw(pose)
    for t in range(50, 65):
        assert white_near(images[t], *face(whole, t), 0.45 * TRUNK) == 0
        assert images[t].max() == 255  # the rest of the picture stays


def test_a_head_lost_for_long_blanks_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    images = draw(without_head(body_pose(), slice(40, 120)))
    assert all(images[t].max() == 0 for t in range(40, 120))
    assert images[39].max() == images[120].max() == 255


@pytest.mark.parametrize("frames", [slice(0, 40), slice(110, 150)])
def test_edges_are_blanked_where_only_one_side_is_known(
    monkeypatch: pytest.MonkeyPatch, frames: slice
) -> None:
    skinless(monkeypatch)
    whole = body_pose()
    images = draw(without_head(whole, frames))
    far = frames.start if frames.start == 0 else frames.stop - 1
    near = frames.stop - 1 if frames.start == 0 else frames.start
    assert images[far].max() == 0
    assert images[near].max() == 255
    assert white_near(images[near], *face(whole, near), 0.45 * TRUNK) == 0


def test_a_head_never_seen_blanks_everything_but_the_skeleton() -> None:
    pose = without_head(body_pose(), slice(None))
    images = draw(pose)
    assert all(not (image > 250).all(axis=2).mean() > 0.02 for image in images)
    assert all(image.max() > 0 for image in images)


def test_an_unknown_trunk_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose()
    position = pose.position.copy()
    position[:, :, [pose.keypoints.index("left_hip")]] = np.nan
    assert draw(replace(pose, position=position))[0].max() == 0
    assert draw(replace(pose, units="metres"))[0].max() == 0


def test_one_wrong_frame_shows_no_face(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    whole = body_pose()
    position = whole.position.copy()
    ankle = position[70, :, whole.keypoints.index("left_ankle")]
    position[70][:, head_of(whole)] = ankle[:, None]  # the head is taken for a foot
    image = draw(replace(whole, position=position))[70]
    assert white_near(image, *face(whole, 70), 0.45 * TRUNK) == 0


def test_frames_beyond_the_pose_are_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose(1.0)
    frames = [WHITE.copy() for _ in range(pose.n_frames + 3)]
    images = list(overlay.overlay_frames(frames, pose, SIZE, ReportConfig()))
    assert len(images) == len(frames)
    assert all(image.max() == 0 for image in images[-3:])


def test_few_keypoints_widen_the_cover() -> None:
    whole = body_pose()
    keep = whole.keypoints.index("left_ear")
    position = whole.position.copy()
    others = [k for k in head_of(whole) if k != keep]
    position[:, :, others] = np.nan
    covers = overlay.head_covers(replace(whole, position=position))[0]
    usual = overlay.head_covers(whole)[0]
    assert covers is not None
    assert usual is not None
    assert covers[0].radius == pytest.approx(overlay.RADIUS_FEW * TRUNK)
    assert usual[0].radius < covers[0].radius


def test_skeleton_only_shows_nothing_of_the_picture() -> None:
    pose = body_pose()
    images = draw(pose, ReportConfig(overlay="skeleton", faces="visible"))
    assert (images[0] == 0).mean() > 0.8
    x, y = pose.position[0][:, pose.keypoints.index("left_ankle")]
    assert images[0][round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].max() > 150


def test_left_and_right_have_their_colours_and_missing_is_not_drawn() -> None:
    pose = body_pose()
    left, right = (pose.keypoints.index(f"{s}_wrist") for s in ("left", "right"))
    points = np.full((2, len(pose.keypoints)), np.nan)
    points[:, left], points[:, right] = (40, 40), (120, 40)
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    overlay.draw_skeleton(image, points, pose.keypoints, overlay.bones_of(pose))
    assert tuple(image[40, 40]) == overlay.LEFT
    assert tuple(image[40, 120]) == overlay.RIGHT
    assert image[60:].max() == 0


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [((640, 360), 360, (360, 202)), ((100, 60), 360, (100, 60)), ((101, 333), 360, (100, 332))],
)
def test_size_is_even_bounded_and_never_enlarged(
    size: tuple[int, int], longest: int, expected: tuple[int, int]
) -> None:
    assert overlay.overlay_size(*size, longest) == expected


def test_tracks_without_video_are_drawn_whole() -> None:
    pose = body_pose()
    scaled = replace(pose, position=pose.position * 0.01 - 3, units="zscore")
    images = list(overlay.track_frames(scaled, 121))
    assert len(images) == pose.n_frames
    assert images[0].shape == (120, 120, 3)
    lit = np.argwhere(images[0].max(axis=2) > 100)
    assert np.ptp(lit, axis=0).max() > 80
    assert lit.min() > 2
    assert lit.max() < 118
    empty = replace(pose, position=np.full_like(pose.position, np.nan))
    assert next(overlay.track_frames(empty, 64)).max() == 0


def test_files_of_the_script(site: Site) -> None:
    media = site.folder / "report" / "media"
    info = video_info(media / "d1-r.mp4")
    assert (info.n_frames, info.width_px, info.height_px, info.fps) == (75, 128, 128, 25.0)
    frame = next(iter_frames(media / "d1-r.mp4"))
    pose = body_pose()
    x, y = (v * 128 / SIDE for v in face(pose, 0))
    ring = 0.5 * TRUNK * 128 / SIDE
    assert white_near(frame, x, y, ring) < 15  # the nose's own dot is white
    assert (frame[110:, :40] > 240).all()
    assert Path(media / "d5-r.mp4").stat().st_size == 0
    track = next(iter_frames(media / "d2-r.mp4"))
    assert np.median(track) < 20


def patterned_face(x: int, y: int, size: int = 40) -> np.ndarray:
    """A white picture with a second face in it: eyes, nose and mouth as black on white."""
    image = WHITE.copy()
    patch = image[y : y + size, x : x + size]
    patch[::4] = 0
    patch[:, ::5] = 0
    return image


def test_a_second_face_outside_the_mask_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose(0.4)
    picture = patterned_face(0, 0)
    mask = np.zeros((SIDE // 2, SIDE // 2), dtype=np.uint8)  # coarser than the picture
    mask[:, 40:] = 255
    frames, masks = [picture] * pose.n_frames, [mask] * pose.n_frames

    def shown(config: ReportConfig, masks: list[np.ndarray] | None) -> np.ndarray:
        made = list(overlay.overlay_frames(frames, pose, SIZE, config, masks))
        assert len(made) == pose.n_frames
        return made[0].astype(float)

    face = np.s_[4:36, 4:36]
    contrast = picture[face].astype(float).std()
    hidden = shown(ReportConfig(), masks)
    assert contrast > 100
    assert hidden[face].std() < 0.1 * contrast
    assert hidden[face].max() <= 255 * overlay.DIM
    # No neighbouring pixels differ as they do in the face: only slow changes are left.
    assert abs(np.diff(hidden[face], axis=0)).max() < 8
    # The infant itself stays sharp, margin included.
    assert (hidden[-20:, 80:] == 255).all()
    assert (hidden[-20:, 78] == 255).all()
    # Without a mask, and where faces may be seen, the rest of the picture is as it was.
    for other in (
        shown(ReportConfig(), None),
        shown(ReportConfig(faces="visible"), masks),
    ):
        np.testing.assert_array_equal(other[face], picture[face])


def test_a_frame_beyond_the_masks_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    skinless(monkeypatch)
    pose = body_pose(0.4)
    frames = [WHITE.copy() for _ in range(pose.n_frames)]
    body = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    images = list(overlay.overlay_frames(frames, pose, SIZE, ReportConfig(), [body] * 3))
    assert images[2].max() == 255
    assert images[3].max() <= 255 * overlay.DIM
    assert overlay.hide_outside(WHITE.copy(), np.zeros_like(body)).max() <= 255 * overlay.DIM


def test_the_outside_has_no_ghost_of_the_body() -> None:
    image = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    image[:, SIDE // 2 :] = 255
    mask = np.where(np.arange(SIDE) >= SIDE // 2, 255, 0).astype(np.uint8)[None].repeat(SIDE, 0)
    assert overlay.hide_outside(image, mask)[:, : SIDE // 2].max() == 0


@pytest.mark.parametrize(("how", "behind"), [("black", 0), ("none", 255)])
def test_background_is_hidden_as_configured(tmp_path: Path, how: str, behind: int) -> None:
    pose = body_pose(0.4)
    write_video(tmp_path / "video.mp4", pose.n_frames)
    write_pose(tmp_path / "clean.h5", pose, Provenance())
    mask = np.zeros((pose.n_frames, SIDE, SIDE), dtype=np.uint8)
    mask[:, :, : SIDE // 2] = 255
    write_dataset(
        tmp_path / "background.h5",
        xr.Dataset(
            {"mask": (("time", "y", "x"), mask)},
            attrs={
                "scale": 1.0,
                "video_width_px": SIDE,
                "video_height_px": SIDE,
                "fps": 25.0,
                "method": "test",
            },
        ),
        schema=BACKGROUND_SCHEMA,
        provenance=Provenance(),
    )
    draw_overlay.main(
        job(
            input={
                "video": tmp_path / "video.mp4",
                "clean": tmp_path / "clean.h5",
                "background": tmp_path / "background.h5",
            },
            output={"video": tmp_path / "out.mp4"},
            params={"config": {}, "background": {"apply": how}},
        )
    )
    frames = list(iter_frames(tmp_path / "out.mp4"))
    assert len(frames) == pose.n_frames
    corner = frames[0][-20:, -20:].astype(int)
    assert abs(corner - behind * overlay.DIM).max() < 12
    assert abs(frames[0][-20:, :20].astype(int) - 255).max() < 12


def test_without_the_skeleton_there_is_the_picture_alone() -> None:
    pose = body_pose(0.2)
    white = [np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)] * pose.n_frames
    config = ReportConfig()
    (first, *_) = overlay.overlay_frames(white, pose, (SIDE, SIDE), config, skeleton=False)
    assert set(np.unique(first)) == {0, 255}, "white, and the cover over the head"
    assert first[0].max() == 255
    (drawn, *_) = overlay.overlay_frames(white, pose, (SIDE, SIDE), config)
    assert len(np.unique(drawn)) > 2
