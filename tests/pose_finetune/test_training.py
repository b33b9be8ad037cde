"""Fine-tuning beats its start on infants it never saw, goes on after a stop, and repeats itself."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import ConfigError
from fidgety.pose.finetune.dataset import (
    metainfo,
)
from fidgety.pose.finetune.labels import Labels, reorder
from fidgety.skeletons import COCO_17
from tests.pose_finetune.drawings import draw
from tests.pose_finetune.phantoms import render, small_config

pytestmark = pytest.mark.slow
SEED = 3


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Labels, dict[str, Path]]:
    return draw(tmp_path_factory.mktemp("drawn"), infants=4, frames=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(small_config(tmp_path_factory.mktemp("config") / "tiny.py", 64))


def settings(config: str, **values: Any) -> PoseTrainingConfig:
    given = {"epochs": 4, "batch_size": 4, "validation_share": 0.25, "threads": 1, "device": "cpu"}
    return PoseTrainingConfig(config=config, **{**given, **values})


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_stopped_training_goes_on_to_the_same_weights(
    drawn: tuple[Labels, dict[str, Path]],
    tiny: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from fidgety.pose.finetune import runner
    from fidgety.pose.finetune.training import train

    labels, pictures = drawn
    config = settings(tiny)
    whole = train(labels, pictures, config, tmp_path / "whole", SEED)
    seeds = runner.Keeper.before_train_epoch

    class Killed(Exception):
        pass

    def kill(self: Any, run: Any) -> None:
        if run.epoch == 2:
            raise Killed
        seeds(self, run)

    monkeypatch.setattr(runner.Keeper, "before_train_epoch", kill)
    with pytest.raises(Killed):
        train(labels, pictures, config, tmp_path / "stopped", SEED)
    monkeypatch.setattr(runner.Keeper, "before_train_epoch", seeds)
    capfd.readouterr()
    on = train(labels, pictures, config, tmp_path / "stopped", SEED)
    told = capfd.readouterr().out
    assert "going on" in told
    assert "epoch 3 of 4" in told
    assert "epoch 2 of 4" not in told
    assert sha(whole.checkpoint) == sha(on.checkpoint)
    assert sha(whole.config) == sha(on.config)
    assert whole.history.equals(on.history)
    assert whole.report == on.report


def test_what_is_written_is_whole_safe_and_below_its_folder(
    drawn: tuple[Labels, dict[str, Path]],
    tiny: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from fidgety.pose.finetune.training import train

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    labels, pictures = drawn
    trained = train(labels, pictures, settings(tiny, epochs=3, patience=1), tmp_path / "w", SEED)
    assert not os.listdir(tmp_path / "elsewhere")
    content = torch.load(trained.checkpoint, weights_only=True)
    assert set(content) == {"state_dict", "meta"}
    assert content["meta"] == {}
    text = trained.config.read_text()
    assert str(tmp_path) not in text
    assert "http" not in text
    assert list(trained.history.columns) == ["epoch", "learning_rate", "loss", "oks", "error"]
    assert np.isfinite(trained.history.to_numpy(dtype=float)).all()
    report = trained.report
    assert not set(report["training"]["infants"]) & set(report["validation"]["infants"])
    assert report["best_epoch"] == trained.history["epoch"][trained.history["oks"].argmax()]


def test_a_start_with_other_keypoints_gives_the_rows_of_the_same_names(
    drawn: tuple[Labels, dict[str, Path]], tiny: str, tmp_path: Path
) -> None:
    import torch

    from fidgety.pose.finetune.network import adapt, export, make_start, read_network

    labels, _ = drawn
    config = settings(tiny)
    shipped = read_network(config)
    whole = make_start(adapt(shipped, metainfo(labels), config), config, shipped, 1)
    export(tmp_path / "start.pth", whole.model.state_dict())
    fewer = reorder(labels, COCO_17.keypoints[:4:-1])
    other = settings(tiny, checkpoint=str(tmp_path / "start.pth"))
    found = make_start(adapt(shipped, metainfo(fewer), other), other, shipped, 2)
    assert found.sha256 == sha(tmp_path / "start.pth")
    assert found.random == ()
    old, new = whole.model.state_dict(), found.model.state_dict()
    order = [COCO_17.index(k) for k in fewer.keypoints]
    for key, value in new.items():
        by_row = key.startswith("head.final_layer")
        assert torch.equal(value, old[key][order] if by_row else old[key]), key
    strange = settings(
        "td-hm_res50_8xb64-210e_coco-256x192", checkpoint=str(tmp_path / "start.pth")
    )
    resnet = read_network(strange)
    with pytest.raises(ConfigError, match="of another network"):
        make_start(adapt(resnet, metainfo(labels), strange), strange, resnet, 2)


@pytest.mark.parametrize(
    "name",
    [
        "td-hm_hrnet-w32_8xb64-210e_coco-256x192",
        "td-hm_res50_8xb64-210e_coco-256x192",
        "rtmpose-m_8xb512-700e_body8-halpe26-256x192",
        "td-reg_res50_8xb64-210e_coco-256x192",
    ],
)
def test_other_kinds_of_heads_take_the_labels(
    drawn: tuple[Labels, dict[str, Path]], name: str
) -> None:
    import torch

    from fidgety.pose.finetune.network import adapt, input_size, make_start, read_network
    from fidgety.pose.mmpose_runtime import import_mmpose

    labels = reorder(drawn[0], COCO_17.keypoints[5:])
    config = settings(name)
    shipped = read_network(config)
    resolved = adapt(shipped, metainfo(labels), config)
    start = make_start(resolved, config, shipped, 0)
    import_mmpose()
    from mmengine.dataset import Compose, pseudo_collate

    steps = Compose(resolved.train_dataloader.dataset.pipeline[1:])
    picture = np.zeros((200, 200, 3), np.uint8)
    frame = labels.frames[0]
    sample = {
        "img": picture,
        "img_shape": picture.shape[:2],
        "bbox": np.array([[40.0, 40, 150, 150]], np.float32),
        "bbox_score": np.ones(1, np.float32),
        "keypoints": frame.position[None].astype(np.float32),
        "keypoints_visible": np.ones((1, len(labels.keypoints)), np.float32),
        **start.model.dataset_meta,
    }
    batch = pseudo_collate([steps(dict(sample)), steps(dict(sample))])
    start.model.train()
    data = start.model.data_preprocessor(batch, True)
    assert data["inputs"].shape[-2:] == input_size(shipped)[::-1]
    losses = start.model.loss(data["inputs"], data["data_samples"])
    total = sum(v for k, v in losses.items() if "loss" in k)
    assert isinstance(total, torch.Tensor)
    assert torch.isfinite(total)


@pytest.mark.long
def test_fine_tuning_beats_its_start_and_the_mean_posture_on_phantoms_never_seen(
    tmp_path: Path,
) -> None:
    from fidgety.pose.finetune.training import train

    labels, pictures = render(tmp_path / "pictures", range(30), 5)
    config = settings(
        str(small_config(tmp_path / "small.py", 96)),
        epochs=12,
        batch_size=8,
        learning_rate=2e-3,
        validate_every=4,
        rotate_deg=30.0,
    )
    report = train(labels, pictures, config, tmp_path / "work", SEED).report
    start, blind, trained = report["start"], report["mean_posture"], report["trained"]
    assert trained["n_infants"] >= 6
    assert not set(report["training"]["infants"]) & set(trained["by_infant"])
    assert trained["error"] < 0.25 * start["error"]
    assert trained["pck_0.2"] > start["pck_0.2"] + 0.4
    assert report["change"]["error"]["infants_better"] == trained["n_infants"]
    assert report["change"]["error"]["interval"][1] < 0
    # A guess that never looks beats a random start, too: it must be looked at the picture.
    assert trained["error"] < 0.75 * blind["error"]
    assert trained["pck_0.2"] > blind["pck_0.2"] + 0.15


@pytest.mark.long
def test_fine_tuning_goes_on_from_weights_that_are_good_already(tmp_path: Path) -> None:
    from fidgety.pose.finetune.training import train

    labels, pictures = render(tmp_path / "pictures", range(60), 6)
    config = settings(
        str(small_config(tmp_path / "small.py", 128)),
        epochs=16,
        batch_size=16,
        learning_rate=2e-3,
        validate_every=2,
        rotate_deg=30.0,
    )
    first = train(labels, pictures, config, tmp_path / "first", SEED)
    assert first.report["trained"]["error"] < 0.1
    assert first.report["trained"]["pck_0.2"] > 0.9
    # Once more from those weights, in the dark and out of focus, on infants new to both.
    more, others = render(tmp_path / "more", range(100, 130), 6, low_light=True, blur_px=2.0)
    again = config.model_copy(
        update={
            "checkpoint": str(first.checkpoint),
            "learning_rate": 1e-3,
            "epochs": 12,
            "validation_share": 0.4,
        }
    )
    second = train(more, others, again, tmp_path / "second", SEED).report
    print({k: second[k]["error"] for k in ("start", "trained")}, second["change"])
    assert second["start_from"]["random"] == []
    # The start knows infants, but not such pictures.
    assert second["start"]["error"] < 0.5 * first.report["start"]["error"]
    assert second["trained"]["error"] < 0.5 * second["start"]["error"]
    assert second["trained"]["error"] < 0.5 * second["mean_posture"]["error"]
    assert second["change"]["error"]["interval"][1] < 0
    assert second["change"]["pck_0.2"]["interval"][0] > 0.1
