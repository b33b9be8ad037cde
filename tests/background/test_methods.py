"""Every registered background method through the same checks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fidgety.background.base import BackgroundMethod
from fidgety.background.median import TemporalMedian
from fidgety.background.median_options import TemporalMedianOptions
from fidgety.background.registry import BACKGROUNDS
from fidgety.background.u2net import U2Net
from fidgety.background.u2net_options import U2NetOptions
from fidgety.config.base import Section
from fidgety.config.options import parse_options
from fidgety.errors import ConfigError
from fidgety.files import file_sha256
from fidgety.fingerprint import library_version
from tests.background.conftest import Scene
from tests.onnx_file import write_saliency_network

Case = tuple[type[BackgroundMethod], dict[str, object], Scene]


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Return the intersection over the union."""
    body = mask >= 128
    return float((body & truth).sum() / (body | truth).sum())


def run(kind: type[BackgroundMethod], options: dict, frames: np.ndarray) -> np.ndarray:
    """Make the masks of some frames."""
    with kind(parse_options(kind.Options, options, "background.options")) as method:
        if method.n_samples:
            step = max(1, len(frames) // method.n_samples)
            method.prepare(frames[::step][: method.n_samples])
        return np.stack(list(method.masks(iter(frames))))


def test_masks_fit_the_truth(method_and_scene: Case) -> None:
    kind, options, scene = method_and_scene
    masks = run(kind, options, scene.frames)
    assert masks.dtype == np.uint8
    assert masks.shape == scene.truth.shape
    assert min(masks.min(), 0) == 0
    assert masks.max() > 200
    scores = [iou(m, t) for m, t in zip(masks, scene.truth, strict=True)]
    assert np.mean(scores) >= 0.9
    assert min(scores) >= 0.8


def test_nobody_gives_next_to_no_body(method_and_scene: Case) -> None:
    kind, options, scene = method_and_scene
    masks = run(kind, options, scene.empty)
    assert masks.mean() / 255 < 0.002


def test_equal_frames_give_equal_masks(method_and_scene: Case) -> None:
    kind, options, scene = method_and_scene
    some = scene.frames[:6]
    assert np.array_equal(run(kind, options, some), run(kind, options, some))


def test_frames_come_in_one_by_one(method_and_scene: Case) -> None:
    """A method may look a few frames ahead, not take in the recording."""
    kind, options, scene = method_and_scene
    taken = 0

    def frames():
        nonlocal taken
        for frame in np.concatenate([scene.frames] * 3):
            taken += 1
            yield frame

    with kind(parse_options(kind.Options, options, "background.options")) as method:
        if method.n_samples:
            method.prepare(scene.frames)
        next(method.masks(frames()))
    assert taken <= 8


@pytest.mark.parametrize("name", BACKGROUNDS.names())
def test_methods_declare_themselves(name: str) -> None:
    kind = BACKGROUNDS.get(name)
    assert kind.name == name
    assert issubclass(kind.Options, Section)
    assert all(library_version(library) != "absent" for library in kind.libraries)
    with pytest.raises(ConfigError, match="no such key"):
        parse_options(kind.Options, {"no_such_option": 1}, "background.options")


def test_unknown_methods_are_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'median'"):
        BACKGROUNDS.get("medain")


# mediapipe


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_mediapipe_finds_infants_any_way_up(infant_scene: Scene, turns: int) -> None:
    kind = BACKGROUNDS.get("mediapipe")
    frames = np.ascontiguousarray(np.rot90(infant_scene.frames, turns, (1, 2)))
    truth = np.rot90(infant_scene.truth, turns, (1, 2))
    masks = run(kind, {}, frames)
    assert np.mean([iou(m, t) for m, t in zip(masks, truth, strict=True)]) >= 0.9


def test_mediapipe_turns_masks_back(infant_scene: Scene) -> None:
    kind = BACKGROUNDS.get("mediapipe")
    masks = run(kind, {"quarter_turns": 1}, infant_scene.frames[:4])
    assert masks.shape == infant_scene.truth[:4].shape
    assert np.mean([iou(m, t) for m, t in zip(masks, infant_scene.truth, strict=False)]) >= 0.9


# median


@pytest.mark.parametrize(("model", "follows_one"), [("pose", True), ("selfie", False)])
def test_only_blazepose_follows_one_person(model: str, follows_one: bool) -> None:
    kind = BACKGROUNDS.get("mediapipe")
    with kind(parse_options(kind.Options, {"model": model}, "background.options")) as method:
        assert method.follows_one is follows_one


def test_median_follows_drifting_light(disc_scene: Scene) -> None:
    drift = np.linspace(-15, 15, len(disc_scene.frames))[:, None, None, None]
    frames = np.clip(disc_scene.frames + drift, 0, 255).astype(np.uint8)
    masks = run(TemporalMedian, {}, frames)
    assert np.mean([iou(m, t) for m, t in zip(masks, disc_scene.truth, strict=True)]) >= 0.9


def test_median_drops_specks(disc_scene: Scene) -> None:
    frames = disc_scene.frames.copy()
    frames[:, 5:9, 5:9] = np.arange(len(frames))[:, None, None, None] % 2 * 200
    masks = run(TemporalMedian, {}, frames)
    assert masks[:, :12, :12].max() == 0
    assert np.mean([iou(m, t) for m, t in zip(masks, disc_scene.truth, strict=True)]) >= 0.9


def test_median_wants_its_samples_first(disc_scene: Scene) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        next(TemporalMedian(TemporalMedianOptions()).masks(iter(disc_scene.frames)))


# u2net


@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_u2net_takes_fixed_and_free_batches(
    tmp_path: Path, disc_scene: Scene, batch: int | str
) -> None:
    weights = write_saliency_network(tmp_path / "net.onnx", batch)
    options = {"weights": str(weights), "sha256": file_sha256(weights)}
    masks = run(U2Net, options, disc_scene.frames[:7])
    assert len(masks) == 7
    assert min(iou(m, t) for m, t in zip(masks, disc_scene.truth, strict=False)) >= 0.9


def test_u2net_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file .*u2net\.onnx.*rembg project"):
        U2Net(U2NetOptions(weights=str(tmp_path / "u2net.onnx")))
    assert list(tmp_path.iterdir()) == []


def test_u2net_refuses_another_file(network: Path) -> None:
    with pytest.raises(ConfigError, match="SHA-256"):
        U2Net(U2NetOptions(weights=str(network)))


@pytest.mark.parametrize("content", ["no network", "wrong size"])
def test_u2net_refuses_what_is_no_such_network(tmp_path: Path, content: str) -> None:
    path = tmp_path / "net.onnx"
    if content == "wrong size":
        write_saliency_network(path, side=64)
    else:
        path.write_text(content)
    with pytest.raises(ConfigError, match="network"):
        U2Net(U2NetOptions(weights=str(path), sha256=file_sha256(path)))
