"""ViTPose from files: against ``transformers``' own processor, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fidgety.errors import ConfigError
from fidgety.files import file_sha256
from fidgety.pose.vitpose import ViTPose, cut, decode, to_crop, window
from fidgety.pose.vitpose_options import ViTPoseOptions
from fidgety.skeletons import COCO_17
from tests.pose.agreement import assert_same_places
from tests.pose.sight import load_phantom
from tests.pose.tiny_vitpose import BOX_SHARE, HEATMAP, SIZE, save, tiny_model

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tiny_model(spread=0.2), tmp_path_factory.mktemp("vitpose") / "plain")


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return load_phantom().frames[:5]


def estimate(folder: Path, pictures: NDArray[np.uint8], **options: Any) -> Any:
    chosen = ViTPoseOptions(folder=str(folder), device="cpu", min_score=0.0, **options)
    with ViTPose(chosen) as estimator:
        return estimator.estimate(pictures)


def blobs(centres: NDArray[np.floating], sigma: float = 2.0) -> NDArray[np.float32]:
    """Return heatmaps of Gaussians at (frame, keypoint, 2)."""
    rows, columns = np.mgrid[: HEATMAP[0], : HEATMAP[1]]
    x, y = centres[..., 0, None, None], centres[..., 1, None, None]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


# Geometry ---------------------------------------------------------------------------------


@given(side=st.integers(40, 800), share=st.floats(0.2, 1.0))
def test_the_window_has_the_networks_shape_and_the_box_fills_its_width(
    side: int, share: float
) -> None:
    low, high = window(side, share, SIZE)
    extent = high - low
    assert extent[0] / extent[1] == pytest.approx(192 / 256)
    assert extent[0] == pytest.approx(1.25 * share * side)
    np.testing.assert_allclose((low + high) / 2, side / 2)


@settings(max_examples=25)
@given(
    side=st.integers(150, 500),
    share=st.floats(0.4, 0.8),
    at=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
)
def test_a_point_of_the_crop_comes_back_from_the_cut(
    side: int, share: float, at: tuple[float, float]
) -> None:
    """Cutting and reading back are inverse: a blob is found where it was drawn."""
    x, y = at[0] * side, at[1] * side
    rows, columns = np.mgrid[:side, :side] + 0.5
    sigma = 0.02 * side
    picture = 250 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    crop = np.repeat(picture[..., None], 3, axis=-1).astype(np.uint8)[None]
    place = window(side, share, SIZE)
    seen = cut(crop, place, SIZE)[0, ..., 0].astype(float)
    assert seen.shape == SIZE
    r, c = np.mgrid[: SIZE[0], : SIZE[1]]
    centre = np.array([(seen * c).sum(), (seen * r).sum()]) / seen.sum()
    np.testing.assert_allclose(to_crop(centre, place, SIZE), (x, y), atol=0.004 * side)


def test_where_the_crop_has_nothing_it_is_black() -> None:
    white = np.full((1, 100, 100, 3), 255, np.uint8)
    seen = cut(white, window(100, 1.0, SIZE), SIZE)[0]
    assert (seen[128, 30:-30] == 255).all()
    assert (seen[:10] == 0).all()


# Heatmaps ---------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.floats(4, HEATMAP[1] - 5), st.floats(4, HEATMAP[0] - 5)),
        min_size=1,
        max_size=4,
    )
)
def test_a_gaussians_centre_is_found_to_a_fraction_of_a_pixel(
    centres: list[tuple[float, float]],
) -> None:
    truth = np.array(centres)[None]
    position, score = decode(blobs(truth))
    np.testing.assert_allclose(position, truth, atol=0.02)
    assert (score > 0.85).all()


def _processor() -> Any:
    from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

    return VitPoseImageProcessorPil()


def test_decoding_is_the_processors_own(rng: np.random.Generator) -> None:
    truth = rng.uniform((3, 3), (HEATMAP[1] - 4, HEATMAP[0] - 4), (4, 17, 2))
    heatmaps = blobs(truth) * rng.uniform(0.3, 1, (4, 17, 1, 1)).astype(np.float32)
    heatmaps += 0.5 * blobs(truth + rng.normal(0, 3, truth.shape))
    position, score = decode(heatmaps)
    from transformers.models.vitpose import image_processing_pil_vitpose as theirs

    coords, scores = theirs.get_keypoint_predictions(heatmaps)
    coords = theirs.post_dark_unbiased_data_processing(coords, heatmaps, kernel=11)
    held = np.abs(coords - position).max(axis=-1) > 1e-3
    # The only difference is a step of more than a pixel, which is held.
    assert held.mean() < 0.05
    np.testing.assert_allclose(position[~held], coords[~held], atol=1e-3)
    np.testing.assert_allclose(score, scores[..., 0], rtol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_noise_moves_no_keypoint_beyond_the_next_pixel(seed: int) -> None:
    heatmaps = np.random.default_rng(seed).normal(0, 1, (1, 3, 12, 9)).astype(np.float32)
    position, score = decode(heatmaps)
    peak = heatmaps.reshape(1, 3, -1).argmax(axis=2)
    assert np.isfinite(position).all()
    assert (np.abs(position[..., 0] - peak % 9) <= 1).all()
    assert (np.abs(position[..., 1] - peak // 9) <= 1).all()
    np.testing.assert_array_equal(score, heatmaps.max(axis=(2, 3)))


def test_flat_heatmaps_are_decoded() -> None:
    position, score = decode(np.zeros((1, 2, 64, 48), np.float32))
    np.testing.assert_array_equal(position, 0)
    np.testing.assert_array_equal(score, 0)


# The estimator ----------------------------------------------------------------------------


def test_it_is_what_the_library_gives_with_its_own_processor(
    folder: Path, pictures: NDArray[np.uint8]
) -> None:
    from transformers import VitPoseForPoseEstimation

    side = pictures.shape[1]
    processor = _processor()
    # Their pictures begin in the centre of the first pixel.
    low, width = side * (1 - BOX_SHARE) / 2 - 0.5, side * BOX_SHARE
    boxes = [[[low, low, width, width]]]
    model = VitPoseForPoseEstimation.from_pretrained(str(folder)).eval()
    found = estimate(folder, pictures)
    for i, picture in enumerate(pictures):
        inputs = processor([picture], boxes=boxes, return_tensors="pt")
        with torch.no_grad():
            output = model(**inputs)
        # Random weights: only places of which the network is sure are comparable.
        theirs = processor.post_process_pose_estimation(output, boxes)[0][0]
        distance = np.linalg.norm(found.position[i].T - (theirs["keypoints"].numpy() + 0.5), axis=1)
        step = 1.25 * width / (HEATMAP[1] - 1)
        assert np.median(distance) < 0.1 * step
        assert np.mean(distance < 1.5 * step) > 0.8
        np.testing.assert_allclose(
            found.confidence[i], np.clip(theirs["scores"].numpy(), 0, 1), atol=0.03
        )


def test_the_input_is_what_the_processor_cuts(pictures: NDArray[np.uint8]) -> None:
    side = pictures.shape[1]
    low, width = side * (1 - BOX_SHARE) / 2 - 0.5, side * BOX_SHARE
    processor = _processor()
    inputs = processor([pictures[0]], boxes=[[[low, low, width, width]]], do_normalize=False)
    theirs = np.asarray(inputs["pixel_values"][0]).transpose(1, 2, 0) * 255
    ours = cut(pictures[:1], window(side, BOX_SHARE, SIZE), SIZE)[0].astype(float)
    # OpenCV places points to 1/32 of a pixel.
    assert np.abs(ours - theirs).mean() < 0.7
    assert np.quantile(np.abs(ours - theirs), 0.99) < 6


@pytest.mark.parametrize("simple", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_batches_equal_single_frames(
    tmp_path: Path, pictures: NDArray[np.uint8], simple: bool, flip: bool
) -> None:
    place = save(tiny_model(simple=simple, spread=0.2), tmp_path)
    whole = estimate(place, pictures, flip_test=flip, batch_size=5)
    again = estimate(place, pictures, flip_test=flip, batch_size=5)
    single = estimate(place, pictures, flip_test=flip, batch_size=1)
    assert whole.position.shape == (5, 2, 17)
    np.testing.assert_array_equal(whole.position, again.position)
    np.testing.assert_array_equal(whole.confidence, again.confidence)
    assert_same_places(whole.position, single.position, atol=1e-2)
    np.testing.assert_allclose(whole.confidence, single.confidence, atol=1e-5)


def test_the_flip_test_takes_both_sides_alike(folder: Path, pictures: NDArray[np.uint8]) -> None:
    here = estimate(folder, pictures, flip_test=True)
    mirrored = np.ascontiguousarray(pictures[:, :, ::-1])
    there = estimate(folder, mirrored, flip_test=True)
    back = there.position[:, :, list(COCO_17.mirror)]
    back[:, 0] = pictures.shape[2] - back[:, 0]
    np.testing.assert_allclose(
        there.confidence[:, list(COCO_17.mirror)], here.confidence, atol=0.01
    )
    assert np.median(np.linalg.norm(back - here.position, axis=1)) < 0.5
    plain = estimate(folder, pictures)
    assert not np.array_equal(plain.position, here.position)


def test_the_expert_is_the_users_choice(tmp_path: Path, pictures: NDArray[np.uint8]) -> None:
    place = save(tiny_model(experts=3, spread=0.2), tmp_path)
    first, second = (estimate(place, pictures[:1], dataset_index=i) for i in (0, 1))
    assert not np.array_equal(first.confidence, second.confidence)
    with pytest.raises(ConfigError, match="3 experts: 0 to 2"):
        estimate(place, pictures[:1], dataset_index=3)


def test_a_model_without_experts_ignores_the_choice(
    folder: Path, pictures: NDArray[np.uint8]
) -> None:
    first, second = (estimate(folder, pictures[:1], dataset_index=i) for i in (0, 4))
    np.testing.assert_array_equal(first.position, second.position)


def test_a_frame_below_the_smallest_score_has_nobody(
    folder: Path, pictures: NDArray[np.uint8]
) -> None:
    with ViTPose(ViTPoseOptions(folder=str(folder), device="cpu", min_score=1.0)) as estimator:
        found = estimator.estimate(pictures)
        nothing = estimator.estimate(pictures[:0])
    assert not found.detected.any()
    assert (found.confidence == 0).all()
    assert nothing.position.shape == (0, 2, 17)


def test_no_network_is_asked(
    folder: Path, pictures: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    estimate(folder, pictures[:1])
    assert os.environ["HF_HUB_OFFLINE"] == "1"


# Files ------------------------------------------------------------------------------------


def test_the_checksum_of_the_weights_is_compared(folder: Path) -> None:
    right = file_sha256(folder / "model.safetensors")
    options = ViTPoseOptions(folder=str(folder), sha256=right.upper(), device="cpu")
    assert options.check() == []
    assert options.expected_sha256() == {"folder": right}
    assert options.files()["folder"] == folder / "model.safetensors"
    ViTPose(options).close()
    with pytest.raises(ConfigError, match=right):
        ViTPose(ViTPoseOptions(folder=str(folder), sha256="0" * 64))


def _no_folder(place: Path) -> None:
    shutil.rmtree(place)


def _no_weights(place: Path) -> None:
    (place / "model.safetensors").unlink()


def _pickle_alone(place: Path) -> None:
    _no_weights(place)
    torch.save(tiny_model().state_dict(), place / "pytorch_model.bin")


def _no_config(place: Path) -> None:
    (place / "config.json").unlink()


def _broken_config(place: Path) -> None:
    (place / "config.json").write_text("{")


def _list_for_config(place: Path) -> None:
    (place / "config.json").write_text("[]")


def _other_kind(place: Path) -> None:
    (place / "config.json").write_text(json.dumps({"model_type": "vit"}))


def _cut_weights(place: Path) -> None:
    path = place / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def _no_safetensors(place: Path) -> None:
    (place / "model.safetensors").write_bytes(b"not at all" * 100)


def _pickle_by_another_name(place: Path) -> None:
    torch.save(tiny_model().state_dict(), place / "model.safetensors")


def _other_size(place: Path) -> None:
    _change_config(place, lambda c: c["backbone_config"].update(hidden_size=48))


def _more_layers(place: Path) -> None:
    _change_config(
        place, lambda c: c["backbone_config"].update(num_hidden_layers=3, out_indices=[3])
    )


def _other_keypoints(place: Path) -> None:
    shutil.rmtree(place)
    save(tiny_model(keypoints=14), place)


def _change_config(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = place / "config.json"
    config = json.loads(path.read_text())
    change(config)
    for key in ("stage_names", "out_features", "_out_features", "_out_indices"):
        config["backbone_config"].pop(key, None)
    path.write_text(json.dumps(config))


def _odd_backbone(folder: Path) -> None:
    _describe(folder, backbone_config={"model_type": "no_such_backbone"})


def _odd_type(folder: Path) -> None:
    _describe(folder, backbone_config=3)


def _backbone_of_the_hub(folder: Path) -> None:
    _describe(folder, backbone="facebook/dinov2-base", use_pretrained_backbone=True)


def _describe(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    known = json.loads(path.read_text())
    if "backbone" in changes:
        del known["backbone_config"]
    path.write_text(json.dumps(known | changes))


BEFORE_ANY_JOB: dict[Spoil, str] = {
    _no_folder: "there is no folder",
    _no_weights: "lacks model.safetensors",
    _pickle_alone: "pytorch_model.bin is a pickle",
    _no_config: "lacks config.json",
    _broken_config: "cannot be read",
    _list_for_config: "cannot be read",
    _other_kind: "'vit'",
}
WHEN_LOADED: dict[Spoil, str] = {
    _cut_weights: "cannot be read",
    _no_safetensors: "cannot be read",
    _pickle_by_another_name: "cannot be read",
    _odd_backbone: "cannot be read",
    _odd_type: "cannot be read",
    _backbone_of_the_hub: "cannot be read",
    _other_size: "",
    _more_layers: "lacks weights",
    _other_keypoints: "14 keypoints",
}


@pytest.mark.parametrize("spoil", [*BEFORE_ANY_JOB, *WHEN_LOADED], ids=lambda s: s.__name__)
def test_files_that_are_none_are_told_with_the_remedy(
    tmp_path: Path, folder: Path, spoil: Spoil
) -> None:
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    spoil(place)
    options = ViTPoseOptions(folder=str(place), device="cpu")
    assert bool(options.check()) == (spoil in BEFORE_ANY_JOB)
    with pytest.raises(ConfigError) as caught:
        ViTPose(options)
    message = str(caught.value)
    assert {**BEFORE_ANY_JOB, **WHEN_LOADED}[spoil] in message
    assert "pose.options.folder" in message
    assert "usyd-community" in message
    assert "model.safetensors" in message


def test_a_gpu_that_is_not_there_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cuda", SimpleNamespace(is_available=lambda: False))
    with pytest.raises(ConfigError, match="gpu"):
        ViTPose(ViTPoseOptions(folder=str(folder), device="gpu"))
