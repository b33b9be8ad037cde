"""The ``mmpose`` estimator gives what mmpose gives, many frames at once."""

from __future__ import annotations

import re
import socket
import textwrap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray

from fidgety.config.pose import PoseConfig
from fidgety.config.root import parse_config
from fidgety.errors import ConfigError
from fidgety.files import file_sha256
from fidgety.plan_check import check_backend_files, check_methods
from fidgety.pose import mmpose_zoo, torch_device
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.estimator_options import EstimatorOptions
from fidgety.pose.mmpose import MMPose, body_box, skeleton_of
from fidgety.pose.mmpose_options import MMPoseOptions
from fidgety.pose.mmpose_runtime import (
    build_model,
    find_config,
    import_mmpose,
    published_weights,
    read_checkpoint,
)
from fidgety.pose.tracks import read_pose, write_pose
from fidgety.skeletons import COCO_17, HALPE_26
from fidgety.storage import Provenance
from tests.pose.agreement import assert_same_places
from tests.pose.fitted import BOX_SHARE, CONFIG, fitted_checkpoint, random_checkpoint
from tests.pose.sight import load_phantom

HALPE = "rtmpose-t_8xb1024-700e_body8-halpe26-256x192"
#: One of each kind of head, codec and keypoints; heavy ones are not run every time.
OTHERS = [
    pytest.param(HALPE, marks=pytest.mark.slow),
    pytest.param("rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192", marks=pytest.mark.slow),
    pytest.param("td-hm_mobilenetv2_8xb64-210e_coco-256x192", marks=pytest.mark.slow),
    pytest.param(
        "td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192", marks=pytest.mark.slow
    ),
    pytest.param("simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192", marks=pytest.mark.slow),
    pytest.param("td-hm_hrnet-w32_8xb64-210e_coco-256x192", marks=pytest.mark.long),
    pytest.param("td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192", marks=pytest.mark.long),
    pytest.param("td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192", marks=pytest.mark.long),
    pytest.param("td-reg_res50_rle-8xb64-210e_coco-256x192", marks=pytest.mark.long),
    pytest.param("ipr_res50_8xb64-210e_coco-256x256", marks=pytest.mark.long),
    pytest.param("td-hm_res50_8xb64-210e_mpii-256x256", marks=pytest.mark.long),
    pytest.param("rtmpose-m_8xb512-700e_body8-halpe26-384x288", marks=pytest.mark.long),
    pytest.param("td-hm_2xmspn50_8xb32-210e_coco-256x192", marks=pytest.mark.long),
]


def options(checkpoint: Path, config: str = CONFIG, **values: Any) -> MMPoseOptions:
    return MMPoseOptions(config=config, checkpoint=str(checkpoint), **values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mmpose")


@pytest.fixture(scope="module")
def random(folder: Path) -> Path:
    return random_checkpoint(folder / "random.pth")


@pytest.fixture(scope="module")
def fitted(folder: Path) -> Path:
    return fitted_checkpoint(folder / "fitted.pth", load_phantom())


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def one_by_one(
    made: MMPose, config: str, checkpoint: Path, crops: NDArray[np.uint8], flip: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ask mmpose's own function for one crop after the other."""
    import_mmpose()
    from mmpose.apis import inference_topdown

    model = build_model(find_config(config), read_checkpoint(checkpoint))
    model.test_cfg["flip_test"] = flip
    found = [
        inference_topdown(
            model, cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), body_box(len(crop), BOX_SHARE)
        )[0].pred_instances
        for crop in crops
    ]
    position = np.concatenate([f.keypoints for f in found])[..., :2].transpose(0, 2, 1)
    score = np.concatenate([f.keypoint_scores for f in found])
    return position[:, :, made._order].astype(float), score[:, made._order].astype(float)


# --- it is mmpose ------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [False, True])
def test_a_batch_gives_what_mmpose_gives_one_by_one(fitted: Path, flip: bool) -> None:
    crops = load_phantom().frames[:7]
    made = MMPose(options(fitted, flip_test=flip, batch_size=4))
    found = made.estimate(crops)
    position, score = one_by_one(made, CONFIG, fitted, crops, flip)
    # Half a pixel: mmpose counts from the first pixel's centre. A processor without AVX-512 rounds
    # scores of other batch sizes up to 2e-4 apart.
    assert_same_places(found.position - 0.5, position)
    np.testing.assert_allclose(found.confidence, np.clip(score, 0, 1), atol=1e-3)
    assert score.max() > 0.5


@pytest.mark.parametrize("config", OTHERS)
def test_every_kind_of_model_gives_what_mmpose_gives(
    config: str, tmp_path: Path, no_network: None
) -> None:
    checkpoint = random_checkpoint(tmp_path / "random.pth", config)
    rng = np.random.default_rng(0)
    crops = np.stack(
        [cv2.resize(c, (240, 240)) for c in rng.integers(0, 255, (3, 9, 9, 3), np.uint8)]
    )
    for flip in (False, True):
        made = MMPose(options(checkpoint, config, flip_test=flip, min_score=0))
        found = made.estimate(crops)
        position, score = one_by_one(made, config, checkpoint, crops, flip)
        assert found.position.shape == (3, 2, len(made.skeleton.keypoints))
        # Random heat maps have several peaks of nearly one height, and fits to them are
        # ill-posed: a few keypoints may differ, the others may not.
        same = np.abs(found.position - 0.5 - position) < 0.1
        assert same.mean() > 0.98
        np.testing.assert_allclose(found.confidence, np.clip(score, 0, 1), atol=1e-4)
        single = np.concatenate([made.estimate(crop[None]).position for crop in crops])
        assert (np.abs(single - found.position) < 0.1).mean() > 0.98


def test_batches_and_runs_do_not_matter(fitted: Path) -> None:
    crops = load_phantom().frames[:8]
    whole = MMPose(options(fitted, batch_size=8)).estimate(crops)
    again = MMPose(options(fitted, batch_size=8)).estimate(crops)
    np.testing.assert_array_equal(whole.position, again.position)
    np.testing.assert_array_equal(whole.confidence, again.confidence)
    made = MMPose(options(fitted, batch_size=3))
    assert_same_places(made.estimate(crops).position, whole.position)
    single = np.concatenate([made.estimate(crop[None]).position for crop in crops])
    assert_same_places(single, whole.position)


def test_the_flip_test_looks_at_the_mirrored_picture(fitted: Path) -> None:
    crops = load_phantom().frames[:4]
    with_flip = MMPose(options(fitted, flip_test=True)).estimate(crops)
    without = MMPose(options(fitted)).estimate(crops)
    assert np.abs(with_flip.confidence - without.confidence).max() > 1e-3


def test_no_picture_is_no_frame(fitted: Path) -> None:
    found = MMPose(options(fitted)).estimate(np.empty((0, 200, 200, 3), np.uint8))
    assert found.position.shape == (0, 2, 17)
    assert found.confidence.shape == (0, 17)


def test_a_doubtful_body_is_none(fitted: Path) -> None:
    crops = load_phantom().frames[:3]
    assert MMPose(options(fitted)).estimate(crops).detected.all()
    found = MMPose(options(fitted, min_score=1.0)).estimate(crops)
    assert not found.detected.any()
    assert np.isnan(found.position).all()
    assert (found.confidence == 0).all()


# --- where things are --------------------------------------------------------------------------

#: A config of one's own: the backbone finds red, the head has no weights, the codec is real.
SPOTS = """
names = [f"{side}_{part}" for part in ("shoulder", "hip") for side in ("left", "right")]
meta = dict(
    dataset_name="Bright spots!",
    keypoint_info={
        i: dict(name=n, id=i, color=[0, 0, 0], type="upper", swap="") for i, n in enumerate(names)
    },
    skeleton_info={0: dict(link=("left_shoulder", "left_hip"), id=0, color=[0, 0, 0])},
    joint_weights=[1.0] * 4,
    sigmas=[0.1] * 4,
)
codec = dict(input_size=(192, 256), heatmap_size=(48, 64), sigma=2, **CODEC)
model = dict(
    type="TopdownPoseEstimator",
    data_preprocessor=dict(
        type="PoseDataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True
    ),
    backbone=dict(type="Redness", codec=codec["type"]),
    head=dict(
        type="HeatmapHead", in_channels=4, out_channels=4, deconv_out_channels=None,
        final_layer=None, loss=dict(type="KeypointMSELoss"), decoder=codec,
    ),
)
pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale"),
    dict(
        type="TopdownAffine",
        input_size=codec["input_size"],
        use_udp=codec["type"] == "UDPHeatmap",
    ),
    dict(type="PackPoseInputs"),
]
test_dataloader = dict(dataset=dict(type="CocoDataset", metainfo=meta, pipeline=pipeline))
train_dataloader = test_dataloader
"""
CODECS = {
    "UDPHeatmap": {"type": "UDPHeatmap"},
    "MSRAHeatmap": {"type": "MSRAHeatmap", "unbiased": True},
}


def register_redness() -> None:
    """Register a backbone whose four heat maps are the picture's red, as a codec samples it."""
    import_mmpose()
    from mmengine.model import BaseModule
    from mmpose.registry import MODELS

    class Redness(BaseModule):  # type: ignore[misc]
        def __init__(self, codec: str) -> None:
            super().__init__()
            self.codec = codec
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            # MSRA's cell i is the input's pixel 4 i; UDP's last cell is the input's last pixel.
            red = x[:, :1]
            if self.codec == "UDPHeatmap":
                red = torch.nn.functional.interpolate(
                    red, size=(64, 48), mode="bilinear", align_corners=True
                )
            else:
                red = red[:, :, ::4, ::4]
            return (red.expand(-1, 4, -1, -1),)

    MODELS.register_module(module=Redness, force=True)


def bright_spots(centres: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    """Draw pictures (frame, side, side, 3) with a red spot each, centred in pixels."""
    x, y = np.arange(side) + 0.5, np.arange(side) + 0.5
    spots = [
        np.exp(-0.5 * ((x - cx) ** 2 + (y[:, None] - cy) ** 2) / 12.0**2) for cx, cy in centres
    ]
    out = np.zeros((len(centres), side, side, 3), np.uint8)
    out[..., 0] = np.rint(255 * np.stack(spots))
    return out


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("share", [0.72, 0.5])
def test_a_point_is_found_where_it_is(codec: str, share: float, tmp_path: Path) -> None:
    """A network that finds red spots, through box, codec and half pixels, to a fifth of a pixel."""
    register_redness()
    own = tmp_path / "spots.py"
    own.write_text(SPOTS.replace("CODEC", repr(CODECS[codec]), 1))
    checkpoint = tmp_path / "spots.pth"
    torch.save({"state_dict": {"backbone.unused": torch.zeros(1)}}, checkpoint)
    made = MMPose(options(checkpoint, str(own), box_share=share, min_score=0.3))
    assert made.skeleton.name == "bright_spots"
    assert made.skeleton.bones == (("left_shoulder", "left_hip"),)
    side = made.crop_px
    middle = side / 2
    centres = middle + np.array([[0.0, 0.0], [-31.3, 20.6], [40.7, -52.2], [10.4, 61.9]]) * share
    found = made.estimate(bright_spots(centres, side))
    assert found.detected.all()
    error = found.position - centres[:, :, None]
    assert np.abs(error).max() < 0.2
    assert np.abs(error.mean()) < 0.1
    # Colours in the right order: a blue spot is none.
    blue = np.ascontiguousarray(bright_spots(centres, side)[..., ::-1])
    assert not made.estimate(blue).detected.any()


def test_a_flat_heat_map_costs_its_own_frame_alone(
    fitted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """UDP's decoder inverts a matrix that is singular on flat maps, for the whole batch."""
    crops = load_phantom().frames[:4].copy()
    crops[2] = 0
    made = MMPose(options(fitted))
    wanted = made.estimate(crops)
    predict = made._predict

    def fragile(some: NDArray[np.uint8]) -> Any:
        if any((crop == 0).all() for crop in some):
            raise np.linalg.LinAlgError("Singular matrix")
        return predict(some)

    monkeypatch.setattr(made, "_predict", fragile)
    found = made.estimate(crops)
    assert found.detected.tolist() == [True, True, False, True]
    assert_same_places(found.position, wanted.position)


# --- keypoints ---------------------------------------------------------------------------------


def meta(config: str) -> dict[str, Any]:
    import_mmpose()
    from mmengine.config import Config
    from mmpose.apis.inference import dataset_meta_from_config

    found: dict[str, Any] = dataset_meta_from_config(Config.fromfile(str(find_config(config))))
    return found


def test_known_keypoints_give_known_skeletons() -> None:
    assert skeleton_of(meta(CONFIG)) == (COCO_17, list(range(17)))
    skeleton, order = skeleton_of(meta(HALPE))
    assert skeleton is HALPE_26
    assert sorted(order) == list(range(26))


def test_other_keypoints_keep_their_names_and_links() -> None:
    skeleton, order = skeleton_of(meta("rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192"))
    assert len(skeleton.keypoints) == len(set(skeleton.keypoints)) == 133
    assert skeleton.keypoints[:17] == COCO_17.keypoints
    assert order == list(range(133))
    assert ("left_ankle", "left_knee") in skeleton.bones
    assert {k for bone in skeleton.bones for k in bone} <= set(skeleton.keypoints)


def test_a_network_may_give_a_part_of_the_keypoints() -> None:
    assert skeleton_of(meta(CONFIG), list(range(17)))[0] is COCO_17
    skeleton, _ = skeleton_of(meta(HALPE), [*range(17), 20])
    assert len(skeleton.keypoints) == 18
    assert skeleton.keypoints[:17] == COCO_17.keypoints


def test_hands_and_bottom_up_models_are_refused(random: Path) -> None:
    with pytest.raises(ConfigError, match="do not give hips and shoulders"):
        skeleton_of(meta("rtmpose-m_8xb256-210e_hand5-256x256"))
    with pytest.raises(ConfigError, match="BottomupPoseEstimator; only top-down"):
        MMPose(options(random, "dekr_hrnet-w32_8xb10-140e_coco-512x512"))


def test_names_must_be_as_many_as_keypoints(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        f"_base_ = 'mmpose::body_2d_keypoint/rtmpose/coco/{CONFIG}.py'\n"
        "model = dict(head=dict(out_channels=16))\n"
    )
    checkpoint = tmp_path / "own.pth"
    torch.save({"state_dict": build_model(own, None).state_dict()}, checkpoint)
    with pytest.raises(ConfigError, match="gives 16 keypoints, but 17 have a name"):
        MMPose(options(checkpoint, str(own)))


def test_tracks_carry_a_skeleton_that_is_not_known_here(tmp_path: Path) -> None:
    config = "rtmpose-t_8xb64-270e_coco-ubody-wholebody-256x192"
    checkpoint = random_checkpoint(tmp_path / "random.pth", config)
    frames = load_phantom().frames[:3]
    with MMPose(options(checkpoint, config, min_score=0)) as made:
        pose = estimate_pose(iter(frames), None, PoseConfig(orientation="0"), made, fps=25.0)
    write_pose(tmp_path / "pose.h5", pose, Provenance("r", {}))
    read = read_pose(tmp_path / "pose.h5")
    assert len(read.keypoints) == 133
    assert read.own_skeleton == made.skeleton
    assert read.anatomy.bones == made.skeleton.bones


# --- options -----------------------------------------------------------------------------------


def test_a_gpu_is_wanted_where_there_is_one() -> None:
    for device, on_none, on_two in (("auto", 0, 1), ("cpu", 0, 0), ("gpu", 1, 1)):
        chosen = MMPoseOptions(device=device)
        assert (chosen.wants_gpu(0), chosen.wants_gpu(2)) == (on_none, on_two)
    assert not EstimatorOptions().wants_gpu(1)


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device.pick_device("auto") == torch_device.pick_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"pose\.options\.device is 'gpu'"):
        torch_device.pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert torch_device.pick_device("auto") == torch_device.pick_device("gpu") == "cuda"
    assert torch_device.pick_device("cpu") == "cpu"


def test_threads_are_the_jobs(fitted: Path) -> None:
    before = torch.get_num_threads()
    try:
        MMPose(options(fitted)).use_threads(2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def findings(**values: Any) -> list[str]:
    config = parse_config({"pose": {"method": "mmpose", "options": values}})
    return check_backend_files(config, file_sha256)


def test_what_is_missing_is_found_before_any_job(random: Path, tmp_path: Path) -> None:
    assert findings(config=CONFIG, checkpoint=str(random)) == []
    assert findings(checkpoint=str(random), sha256=file_sha256(random).upper()) == []
    wrong, missing = findings(config="rtmpose-t", checkpoint=str(tmp_path / "no.pth"))
    assert "pose.options.config" in wrong
    assert "pose.options.checkpoint: there is no file" in missing
    (default,) = findings()
    assert "halpe26_700e-256x192-4d3e73dd_20230605.pth" in default
    (other,) = findings(checkpoint=str(random), sha256="0" * 64)
    assert f"has SHA-256 {file_sha256(random)}" in other
    assert check_backend_files(parse_config({}), file_sha256) == []


def test_files_that_decide_are_named(random: Path, tmp_path: Path) -> None:
    assert options(random).files() == {"checkpoint": random}
    own = tmp_path / "own.py"
    own.write_text("model = {}\n")
    assert options(random, str(own)).files() == {"checkpoint": random, "config": own}


# --- documentation -----------------------------------------------------------------------------

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pose-backends.md"
#: What other packages' pages are for: snippets of this one's estimator.
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", flags=re.M | re.S)


def snippets(language: str) -> list[str]:
    """Return the page's snippets in a language, without their indentation."""
    found = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for name, text in found if name == language]


def test_the_pages_configurations_are_right() -> None:
    """Each one parses, and names a config that exists; weights are the reader's."""
    chosen = [s for s in snippets("yaml") if "method: mmpose" in s]
    assert len(chosen) >= 2
    for text in chosen:
        config = parse_config(yaml.safe_load(text))
        assert check_methods(config) == []
        given = MMPoseOptions.model_validate(config.pose.options)
        weights = published_weights(find_config(given.config))
        assert weights
        if given.config == MMPoseOptions().config:
            assert given.checkpoint == MMPoseOptions().checkpoint
            assert Path(given.checkpoint).name in {url.rpartition("/")[2] for url in weights}


def test_the_pages_own_config_can_be_built(tmp_path: Path) -> None:
    (text,) = [s for s in snippets("python") if "_base_" in s]
    own = tmp_path / "mine.py"
    own.write_text(text)
    assert build_model(find_config(str(own)), None).dataset_meta["num_keypoints"] == 17


def test_the_pages_list_of_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert any("fidgety.pose.mmpose_zoo rtmpose" in s for s in snippets(""))
    mmpose_zoo.main(["halpe26"])
    printed = capsys.readouterr().out
    assert f"{MMPoseOptions().config}\n    https://" in printed
    assert Path(MMPoseOptions().checkpoint).name in printed
    assert not [name for name, _ in mmpose_zoo.body_models() if "hand" in name or "rtmo" in name]
