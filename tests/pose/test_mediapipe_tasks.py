"""mediapipe's Tasks interface, with a model file made of what the wheel carries."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.errors import ConfigError, FidgetyError
from fidgety.files import file_sha256
from fidgety.pose.mediapipe import BlazePose
from fidgety.pose.mediapipe_options import BlazePoseOptions
from fidgety.pose.mediapipe_tasks import PoseLandmarker, unfiltered
from fidgety.pose.mediapipe_tasks_options import PoseLandmarkerOptions
from tests.pose.sight import load_phantom
from tests.pose.task_file import write_task_file


@pytest.fixture(scope="module")
def task_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_task_file(tmp_path_factory.mktemp("task") / "pose_landmarker.task")


def test_independent_pictures_are_as_with_the_solutions_interface(task_file: Path) -> None:
    phantom = load_phantom()
    with PoseLandmarker(PoseLandmarkerOptions(model=str(task_file), mode="static")) as tasks:
        new = tasks.estimate(phantom.frames)
    with BlazePose(BlazePoseOptions(mode="static")) as solutions:
        old = solutions.estimate(phantom.frames)
    distance = np.linalg.norm(new.position - old.position, axis=1) / phantom.trunk_px
    assert np.median(distance) < 0.001
    assert np.quantile(distance, 0.95) < 0.02
    np.testing.assert_allclose(new.confidence, old.confidence, atol=0.05)
    assert new.world is not None
    assert old.world is not None
    assert np.median(np.abs(new.world - old.world)) < 0.002


def test_tracking_is_as_good_as_with_the_solutions_interface(task_file: Path) -> None:
    phantom = load_phantom()
    with PoseLandmarker(PoseLandmarkerOptions(model=str(task_file))) as tasks:
        new = tasks.estimate(phantom.frames)
    with BlazePose(BlazePoseOptions()) as solutions:
        old = solutions.estimate(phantom.frames)
    distance = np.linalg.norm(new.position - old.position, axis=1) / phantom.trunk_px
    assert np.median(distance) < 0.02
    assert np.median(phantom.errors(new.position)) < 1.1 * np.median(phantom.errors(old.position))


def test_tracking_does_not_smooth(task_file: Path) -> None:
    """A limb that goes out of view, and a body that jumps, are told in the very frame."""
    phantom = load_phantom()
    frames = phantom.frames[:12].copy()
    knee = phantom.keypoints[0, 1, 25]
    frames[6:, int(knee) - 25 :] = frames[0, 0, 0]
    with PoseLandmarker(PoseLandmarkerOptions(model=str(task_file))) as tasks:
        found = tasks.estimate(frames)
        tasks.reset()
        jumped = tasks.estimate(np.stack([phantom.frames[0]] * 3 + [phantom.frames[-1]] * 3))
    with BlazePose(BlazePoseOptions()) as solutions:
        old = solutions.estimate(frames)
    ankles = [27, 28]
    assert (found.confidence[5, ankles] > 0.9).all()
    # Filtered, 90 % of it would still be there.
    assert (found.confidence[6, ankles] < 0.5).all()
    np.testing.assert_allclose(found.confidence[:, ankles], old.confidence[:, ankles], atol=0.2)
    truth = phantom.keypoints[-1] - phantom.keypoints[0]
    step = jumped.position[3] - jumped.position[2]
    moved = np.linalg.norm(truth, axis=0) > 0.1 * phantom.trunk_px
    assert moved.any()
    assert np.median(np.linalg.norm((step - truth)[:, moved], axis=0)) < 0.1 * phantom.trunk_px


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30))
def test_the_filter_is_undone(values: list[float]) -> None:
    state: np.ndarray | None = None
    for value in values:
        new = np.array([value]) if state is None else 0.1 * np.array([value]) + 0.9 * state
        new = new.astype(np.float32).astype(float)  # as the library hands it out
        assert unfiltered(new, state)[0] == pytest.approx(value, abs=2e-6)
        state = new


def test_another_filter_is_not_undone_in_silence() -> None:
    with pytest.raises(FidgetyError, match="static"):
        unfiltered(np.array([0.2]), np.array([0.9]))


def test_its_checksum_is_compared(task_file: Path) -> None:
    right = file_sha256(task_file)
    options = PoseLandmarkerOptions(model=str(task_file), sha256=right.upper())
    assert options.check() == []
    assert options.expected_sha256() == {"model": right}
    assert options.files() == {"model": task_file}
    wrong = PoseLandmarkerOptions(model=str(task_file), sha256="0" * 64)
    PoseLandmarker(options).close()
    with pytest.raises(ConfigError, match=right):
        PoseLandmarker(wrong)


def _missing(path: Path, good: Path) -> None:
    del path, good


def _no_archive(path: Path, good: Path) -> None:
    path.write_bytes(hashlib.sha256(good.read_bytes()).digest() * 100)


def _cut(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:5000])


def _folder(path: Path, good: Path) -> None:
    path.mkdir()


def _other_archive(path: Path, good: Path) -> None:
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"")


def _no_models(path: Path, good: Path) -> None:
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("pose_detector.tflite", b"nothing")
        bundle.writestr("pose_landmarks_detector.tflite", b"nothing")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing, "there is no file"),
        (_folder, "there is no file"),
        (_no_archive, "is no .task file"),
        (_cut, "is no .task file"),
        (_other_archive, "lacks pose_detector.tflite"),
        (_no_models, "cannot be opened"),
    ],
)
def test_files_that_are_none_are_told_with_the_remedy(
    tmp_path: Path, task_file: Path, spoil: object, said: str
) -> None:
    path = tmp_path / "other.task"
    spoil(path, task_file)  # type: ignore[operator]
    with pytest.raises(ConfigError) as caught:
        PoseLandmarker(PoseLandmarkerOptions(model=str(path)))
    assert said in str(caught.value)
    assert "pose.options.model" in str(caught.value)
    assert "pose_landmarker_full.task" in str(caught.value)
