"""Every pose estimator of the registry keeps the contract."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.config.base import Section
from fidgety.config.pose import PoseConfig
from fidgety.config.root import parse_options
from fidgety.errors import ConfigError
from fidgety.pose.base import PoseEstimator
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.estimator_options import EstimatorOptions
from fidgety.pose.registry import ESTIMATORS
from fidgety.skeletons import SKELETONS, conversion_matrix
from tests.pose.sight import Phantom, load_phantom


def _fitted_mmpose(folder: Path) -> dict[str, Any]:
    from tests.pose.fitted import CONFIG, fitted_checkpoint

    path = fitted_checkpoint(folder / "fitted.pth", load_phantom())
    return {"config": CONFIG, "checkpoint": str(path)}


def _task_file(folder: Path) -> dict[str, Any]:
    from tests.pose.task_file import write_task_file

    return {"model": str(write_task_file(folder / "pose_landmarker.task"))}


def _fitted_vitpose(folder: Path) -> dict[str, Any]:
    from tests.pose.tiny_vitpose import fitted_model, save

    return {"folder": str(save(fitted_model(load_phantom()), folder / "vitpose"))}


#: Options of the estimators that need files: weights that find the phantom.
PREPARED: dict[str, Callable[[Path], dict[str, Any]]] = {
    "mediapipe_tasks": _task_file,
    "mmpose": _fitted_mmpose,
    "vitpose": _fitted_vitpose,
}


@pytest.fixture(params=list(ESTIMATORS), scope="module")
def kind(request: pytest.FixtureRequest) -> type[PoseEstimator]:
    return ESTIMATORS.get(request.param)


@pytest.fixture(scope="module")
def options(kind: type[PoseEstimator], tmp_path_factory: pytest.TempPathFactory) -> Section:
    prepare = PREPARED.get(kind.name)
    if prepare is None:
        return kind.Options()
    return kind.Options(**prepare(tmp_path_factory.mktemp(kind.name)))


@pytest.fixture
def estimator(kind: type[PoseEstimator], options: Section) -> Iterator[PoseEstimator]:
    with kind(options) as made:
        yield made


@pytest.fixture
def phantom() -> Phantom:
    return load_phantom()


def test_declares_what_it_is(kind: type[PoseEstimator], estimator: PoseEstimator) -> None:
    assert ESTIMATORS.get(kind.name) is kind
    assert SKELETONS[estimator.skeleton.name] is estimator.skeleton
    assert issubclass(kind.Options, EstimatorOptions)
    assert ESTIMATORS.options(kind.name) is kind.Options
    assert estimator.crop_px > 0
    for library in kind.libraries:
        importlib.metadata.version(library)
    # Orientation is judged by the trunk.
    assert conversion_matrix(estimator.skeleton.keypoints, ("pelvis", "thorax"))[1] == ()


def test_unknown_options_are_refused(kind: type[PoseEstimator]) -> None:
    with pytest.raises(ConfigError, match="no such key"):
        parse_options(kind.Options, {"no_such_option": 1}, "pose.options")


def test_an_unknown_estimator_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="mediapipe"):
        ESTIMATORS.get("mediapip")


def test_shapes_and_ranges(estimator: PoseEstimator, phantom: Phantom) -> None:
    found = estimator.estimate(phantom.frames[:4])
    k = len(estimator.skeleton.keypoints)
    assert found.position.shape == (4, 2, k)
    assert found.confidence.shape == (4, k)
    assert found.detected.all()
    assert np.isfinite(found.position).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert found.confidence.mean() > 0.5
    assert (found.world is not None) == estimator.has_world
    if found.world is not None:
        assert found.world.shape == (4, 3, k)
        assert np.isfinite(found.world).all()


def test_the_same_pictures_give_the_same_pose(
    kind: type[PoseEstimator], options: Section, phantom: Phantom
) -> None:
    runs = []
    for _ in range(2):
        with kind(options) as made:
            runs.append(made.estimate(phantom.frames[:6]))
    np.testing.assert_array_equal(runs[0].position, runs[1].position)
    np.testing.assert_array_equal(runs[0].confidence, runs[1].confidence)


def test_batches_do_not_matter_and_a_reset_forgets(
    estimator: PoseEstimator, phantom: Phantom
) -> None:
    whole = estimator.estimate(phantom.frames[:6]).position
    estimator.reset()
    parts = [estimator.estimate(phantom.frames[a:b]).position for a, b in ((0, 1), (1, 4), (4, 6))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_independent_pictures_leave_tracking_alone(
    estimator: PoseEstimator, phantom: Phantom
) -> None:
    whole = estimator.estimate(phantom.frames[:6]).position
    estimator.reset()
    first = estimator.estimate(phantom.frames[:3]).position
    aside = estimator.estimate(phantom.frames[::-6].copy(), consecutive=False)
    assert aside.detected.all()
    second = estimator.estimate(phantom.frames[3:6]).position
    np.testing.assert_array_equal(whole, np.concatenate([first, second]))


def test_nobody_is_nobody(estimator: PoseEstimator) -> None:
    rng = np.random.default_rng(3)
    pictures = np.stack(
        [
            np.zeros((256, 256, 3), np.uint8),
            np.full((256, 256, 3), 200, np.uint8),
            rng.integers(0, 255, (256, 256, 3), dtype=np.uint8),
        ]
    )
    found = estimator.estimate(pictures, consecutive=False)
    assert not found.detected.any()
    assert np.isnan(found.position).all()
    assert (found.confidence == 0).all()
    assert found.world is None or np.isnan(found.world).all()


@pytest.mark.parametrize("angle", [0, 37, 90, 180, 250])
def test_a_phantom_is_found_at_any_angle_as_well_as_upright(
    estimator: PoseEstimator, phantom: Phantom, angle: int
) -> None:
    if estimator.skeleton.name != "blazepose33":
        pytest.skip("the truth is in BlazePose's keypoints")
    turned = phantom.turned(angle)
    with estimator as made:
        pose = estimate_pose(iter(turned.frames), turned.masks, PoseConfig(), made, fps=25.0)
    errors = turned.errors(pose.position)
    assert pose.details["detected_share"] == 1.0
    assert np.mean(errors < 0.1) >= 0.8
    assert np.mean(errors < 0.2) >= 0.95
    assert abs((pose.details["views"][0]["angle_deg"] + angle + 180) % 360 - 180) < 20
    if pose.world is not None:
        # 3D is in the video's frame: x right, y down, z away, as the camera sees the truth.
        truth = np.array(turned.camera)
        turn = np.deg2rad(angle)
        x, y = truth[:, 0].copy(), truth[:, 1].copy()
        truth[:, 0] = np.cos(turn) * x - np.sin(turn) * y
        truth[:, 1] = np.sin(turn) * x + np.cos(turn) * y
        hips = truth[:, :, 23:25].mean(axis=2, keepdims=True)
        for axis, least in ((0, 0.95), (1, 0.95), (2, 0.5)):
            known, found = (truth - hips)[:, axis].ravel(), pose.world[:, axis].ravel()
            assert np.corrcoef(known, found)[0, 1] > least
