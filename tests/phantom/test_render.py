"""Rendered phantoms: picture, masks, clock and flags agree with their truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fidgety.phantom.plan import Nuisances, PhantomSpec
from fidgety.phantom.record import read_truth, record_video
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import Provenance

pytestmark = pytest.mark.slow

SPEC = PhantomSpec(
    "p",
    "p",
    "phantom-external",
    "external",
    "normal",
    "continuous",
    seed=3,
    duration_s=1.2,
    size=(320, 240),
    nuisances=Nuisances(body_angle_deg=30),
)
LIMBS = [
    BLAZEPOSE_33.index(f"{side}_{name}")
    for side in ("left", "right")
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


def render(spec: PhantomSpec, folder: Path, name: str = "v") -> tuple[Path, Path]:
    video, truth = folder / f"{name}.mp4", folder / f"{name}.h5"
    record_video(spec, video, truth, Provenance())
    return video, truth


def decode(video: Path) -> tuple[list[np.ndarray], list[float], int]:
    """Displayed pictures, their times, and the rotation flag."""
    pictures, times, rotation = [], [], 0
    with av.open(str(video)) as container:
        for frame in container.decode(video=0):
            rotation = frame.rotation % 360
            pictures.append(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90))
            times.append(frame.time)
    return pictures, times, rotation


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return render(SPEC, tmp_path_factory.mktemp("plain"))


def test_masks_hold_the_keypoints_and_the_body_is_in_the_picture(
    plain: tuple[Path, Path],
) -> None:
    _, truth = read_truth(plain[1])
    pictures, times, _ = decode(plain[0])
    assert len(pictures) == truth.sizes["time"] == 30
    np.testing.assert_allclose(times, truth["time"].values, atol=1e-6)
    masks, frames = truth["mask"].values, truth["mask_frame"].values
    assert masks.shape == (6, 240, 320)
    assert 0.05 < (masks > 0).mean() < 0.35
    inside = []
    for mask, frame in zip(masks, frames, strict=True):
        visible = truth["visible"].values[frame] > 0
        for k in np.flatnonzero(visible):
            x, y = truth["position"].values[frame, :, k]
            # Points on the outline may fall half a pixel outside.
            inside.append(mask[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].any())
        # Joints lie inside the limbs, whether something is before them or not.
        x, y = truth["position"].values[frame][:, LIMBS].astype(int)
        assert (mask[y, x] > 0).all()
    assert np.mean(inside) > 0.98
    # The silhouette is seen in the picture: strong edges lie along it.
    grey = cv2.cvtColor(pictures[0].copy(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    kernel = np.ones((3, 3), np.uint8)
    edge = cv2.morphologyEx(masks[0], cv2.MORPH_GRADIENT, kernel) > 0
    within = cv2.erode(masks[0], np.ones((9, 9), np.uint8)) > 0
    assert slope[edge].mean() > 1.5 * slope[within].mean()


def test_same_specification_same_truth_and_pictures(
    plain: tuple[Path, Path], tmp_path: Path
) -> None:
    video, truth = render(SPEC, tmp_path)
    assert truth.read_bytes() == plain[1].read_bytes()
    assert video.read_bytes() == plain[0].read_bytes()


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_flag_and_variable_rate(
    rotation: int, plain: tuple[Path, Path], tmp_path: Path
) -> None:
    nuisances = replace(
        SPEC.nuisances, rotation_flag_deg=rotation, variable_rate=True, dropped_share=0.1
    )
    video, truth_file = render(replace(SPEC, nuisances=nuisances, duration_s=0.6), tmp_path)
    _, truth = read_truth(truth_file)
    pictures, times, found = decode(video)
    assert found == rotation
    assert pictures[0].shape == (240, 320, 3)
    np.testing.assert_allclose(times, truth["time"].values, atol=1e-4)
    assert np.diff(times).std() > 1e-3
    # The first picture is that of the plain video: what is displayed does not depend on how
    # it is stored; OpenCV's player turns it the same way. Compared without the grain, which
    # each encoding keeps in its own way.
    ok, opencv = cv2.VideoCapture(str(video)).read()
    assert ok
    upright = smooth(decode(plain[0])[0][0])
    for shown in (smooth(pictures[0]), smooth(opencv[..., ::-1])):
        right = np.abs(shown - upright).mean()
        assert right < 3
        assert right < 0.3 * np.abs(shown[::-1, ::-1] - upright).mean()


def smooth(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(np.ascontiguousarray(picture).astype(np.float32), (0, 0), 2.5)


def test_nuisances_show(plain: tuple[Path, Path], tmp_path: Path) -> None:
    short = replace(SPEC, duration_s=0.2)
    before = decode(plain[0])[0][0].astype(np.float32)

    def first(name: str, **changes: object) -> tuple[np.ndarray, np.ndarray]:
        nuisances = replace(SPEC.nuisances, **changes)
        video, truth = render(replace(short, nuisances=nuisances), tmp_path, name)
        return decode(video)[0][0].astype(np.float32), read_truth(truth)[1]["visible"].values[0]

    dark, _ = first("dark", low_light=True)
    assert dark.mean() < 0.6 * before.mean()
    soft, _ = first("soft", blur_px=2.0)
    assert cv2.Laplacian(soft, cv2.CV_32F).std() < 0.7 * cv2.Laplacian(before, cv2.CV_32F).std()
    skin, _ = first("skin", skin="dark")
    assert np.abs(skin - before).max() > 60
    # Poses depend on the length: the same short phantom without the cloth.
    _, visible = first("open")
    _, hidden = first("cloth", occlusion=True)
    assert hidden.sum() < visible.sum()
    ankle = BLAZEPOSE_33.index("left_ankle")
    knee = BLAZEPOSE_33.index("left_knee")
    assert hidden[ankle] + hidden[knee] < visible[ankle] + visible[knee]


def test_a_hand_comes_into_the_picture(tmp_path: Path) -> None:
    spec = replace(SPEC, duration_s=5.2, fps=5.0)
    without, _ = render(spec, tmp_path, "without")
    nuisances = replace(SPEC.nuisances, hand_in_view=True)
    with_hand, _ = render(replace(spec, nuisances=nuisances), tmp_path, "with")
    pairs = zip(decode(without)[0], decode(with_hand)[0], strict=True)
    changed = [np.mean(np.abs(a.astype(int) - b).max(axis=2) > 40) for a, b in pairs]
    assert changed[0] < 0.002
    assert max(changed) > 0.01
