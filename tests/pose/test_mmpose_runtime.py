"""mmpose is imported, configured and loaded without surprises."""

from __future__ import annotations

import importlib.util
import os
import pickle
import socket
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fidgety.errors import ConfigError, FidgetyError
from fidgety.files import file_sha256
from fidgety.pose import mmpose_runtime
from fidgety.pose.mmpose_runtime import (
    Checkpoint,
    build_model,
    configs_folder,
    find_config,
    import_mmpose,
    published_weights,
    read_checkpoint,
    read_config,
    shipped_configs,
)
from fidgety.pose.mmpose_zoo import body_models
from tests.pose.fitted import CONFIG, random_checkpoint

HALPE = "rtmpose-t_8xb1024-700e_body8-halpe26-256x192"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("random") / "random.pth")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- import ------------------------------------------------------------------------------------


def test_stand_ins_are_gone_after_the_import() -> None:
    import_mmpose()
    for name in ("mmdet", "torchvision", "xtcocotools"):
        if importlib.util.find_spec(name) is None:
            assert name not in sys.modules
    assert "mmpose.visualization" in sys.modules
    assert "mmpose.datasets" in sys.modules


def test_stand_ins_give_back_what_was_there() -> None:
    real = sys.modules["json"]
    with mmpose_runtime._stand_ins({"json": None, "no_such_module": mmpose_runtime._module("x")}):
        assert sys.modules["json"] is None
        assert "no_such_module" in sys.modules
    assert sys.modules["json"] is real
    assert "no_such_module" not in sys.modules


def test_what_is_installed_needs_no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmpose_runtime, "_is_installed", lambda name: True)
    assert mmpose_runtime._mmdet() == {}
    assert mmpose_runtime._torchvision() == {}
    assert mmpose_runtime._xtcocotools() == {}


def test_a_stand_in_says_what_is_missing_when_it_is_used() -> None:
    with pytest.raises(FidgetyError, match="compiled operators"):
        mmpose_runtime._MultiScaleDeformableAttention(embed_dims=1)


# --- configs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        CONFIG,
        f"{CONFIG}.py",
        f"body_2d_keypoint/rtmpose/coco/{CONFIG}",
        f"configs/body_2d_keypoint/rtmpose/coco/{CONFIG}.py",
    ],
)
def test_a_config_is_found_by_its_name(name: str) -> None:
    found = find_config(name)
    assert found == configs_folder() / "body_2d_keypoint" / "rtmpose" / "coco" / f"{CONFIG}.py"


def test_a_config_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    own = tmp_path / f"{CONFIG}.py"
    own.write_text("model = {}\n")
    assert find_config(str(own)) == own
    assert published_weights(own) == ()


def test_an_unknown_config_comes_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=f"pose.config: .*Did you mean '{CONFIG}'"):
        find_config(CONFIG.replace("256x192", "256x193"), "pose.config")
    with pytest.raises(ConfigError, match="These contain it: td-hm_"):
        find_config("td-hm_hrnet-w32")
    with pytest.raises(ConfigError, match="no such file"):
        find_config("nowhere/here.py")
    with pytest.raises(ConfigError, match="no config"):
        find_config(f"hand_2d_keypoint/{CONFIG}")


def test_a_config_that_cannot_run_is_refused_before_any_download() -> None:
    with pytest.raises(ConfigError, match=r"pose\.config: .* needs mmpretrain.*method: vitpose"):
        find_config("td-hm_ViTPose-base_8xb64-210e_coco-256x192", "pose.config")
    assert not [name for name, _ in body_models("ViTPose")]
    # Only where a backbone's first weights are from does not matter.
    assert find_config("td-hm_seresnet101_8xb64-210e_coco-256x192")


def test_an_ambiguous_name_is_no_config(monkeypatch: pytest.MonkeyPatch) -> None:
    two = tuple(configs_folder() / folder / "same.py" for folder in ("a", "b"))
    monkeypatch.setattr(mmpose_runtime, "shipped_configs", lambda: {"same": two})
    monkeypatch.setattr(mmpose_runtime, "needs_mmpretrain", lambda config: False)
    with pytest.raises(ConfigError, match=r"several configs: a/same\.py, b/same\.py"):
        find_config("same")
    assert find_config("b/same") == two[1]


def test_most_configs_have_published_weights() -> None:
    body = [c for paths in shipped_configs().values() for c in paths if "rtmpose" in c.parts]
    offered = [published_weights(c) for c in body if "body8" in c.parts]
    assert len(offered) > 10
    assert all(url.startswith("https://") and url.endswith(".pth") for u in offered for url in u)
    assert sum(bool(u) for u in offered) >= len(offered) - 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("model = {", "cannot be read as a config"), ("x = 1", "has no 'model'")],
)
def test_a_file_that_is_no_config(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "own.py"
    own.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(own)


# --- checkpoints -------------------------------------------------------------------------------


def test_a_missing_checkpoint_names_the_file_to_get(tmp_path: Path) -> None:
    config = find_config(HALPE)
    with pytest.raises(ConfigError) as caught:
        read_checkpoint(tmp_path / "gone.pth", config=config, where="pose.options.checkpoint")
    message = str(caught.value)
    assert "pose.options.checkpoint: there is no file" in message
    assert "rtmpose-t_simcc-body7_pt-body7-halpe26_700e-256x192-6020f8a6_20230605.pth" in message
    assert str(tmp_path / "gone.pth") in message
    with pytest.raises(ConfigError, match="is a folder"):
        read_checkpoint(tmp_path)


def test_the_checksum_is_compared(checkpoint: Path) -> None:
    right = file_sha256(checkpoint)
    assert read_checkpoint(checkpoint, right.upper()).sha256 == right
    with pytest.raises(ConfigError, match=f"has SHA-256 {right}, expected {'0' * 64}"):
        read_checkpoint(checkpoint, "0" * 64)


def test_a_truncated_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    content = checkpoint.read_bytes()
    for share in (0.0, 0.3, 0.99):
        broken = tmp_path / "broken.pth"
        broken.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ConfigError, match="cannot be read as a checkpoint of torch"):
            read_checkpoint(broken)


class _Touch:
    """Unpickled, it would make a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("old_format", [False, True])
def test_a_checkpoint_that_would_execute_code_is_refused(tmp_path: Path, old_format: bool) -> None:
    made = tmp_path / "made"
    evil = tmp_path / "evil.pth"
    torch.save(
        {"state_dict": {"a": torch.zeros(1)}, "meta": _Touch(str(made))},
        evil,
        _use_new_zipfile_serialization=not old_format,
    )
    with pytest.raises(ConfigError, match="more than weights"):
        read_checkpoint(evil)
    assert not made.exists()
    # It is a real trap: a loader that is not safe steps into it.
    torch.load(evil, weights_only=False)
    assert made.exists()


def test_functions_that_reach_further_are_refused(tmp_path: Path) -> None:
    """``getattr`` is in a Runner's log; it must not hand out what can be called."""

    class Reach:
        def __reduce__(self) -> tuple[Any, ...]:
            return getattr, (np.ndarray, "tofile")

    path = tmp_path / "reach.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "meta": {"x": Reach()}}, path)
    assert read_checkpoint(path).meta == {"x": None}


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"state_dict": {}}, {"state_dict": {"a": 1}}, {"meta": {"a": "b"}}]
)
def test_a_checkpoint_without_weights(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(ConfigError, match="holds no weights"):
        read_checkpoint(path)


def test_a_plain_pickle_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "plain.pth"
    path.write_bytes(pickle.dumps({"state_dict": {"a": 1}}))
    with pytest.raises(ConfigError, match=r"plain\.pth"):
        read_checkpoint(path)


def _runner_checkpoint(folder: Path) -> Path:
    """Let mmengine's Runner train a toy for two steps and save it, as training does."""
    import_mmpose()
    from mmengine.model import BaseModel
    from mmengine.runner import Runner
    from mmpose.datasets.datasets.utils import parse_pose_metainfo

    class Toy(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
            return {"loss": self.layer(torch.stack(inputs)).sum()}

    meta_file = configs_folder() / "_base_" / "datasets" / "coco.py"

    class Data(torch.utils.data.Dataset[Any]):
        metainfo = parse_pose_metainfo({"from_file": str(meta_file)})

        def __len__(self) -> int:
            return 4

        def __getitem__(self, i: int) -> Any:
            return {"inputs": torch.full((2,), float(i)), "data_samples": i}

    Runner(
        model=Toy(),
        work_dir=str(folder),
        train_dataloader={
            "dataset": Data(),
            "batch_size": 2,
            "num_workers": 0,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": {"type": "pseudo_collate"},
        },
        train_cfg={"by_epoch": True, "max_epochs": 1},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.1}},
        param_scheduler=[{"type": "CosineAnnealingLR", "T_max": 1}],
        experiment_name="toy",
        log_level="ERROR",
    ).train()
    return folder / "epoch_1.pth"


def test_a_checkpoint_of_the_runner_is_read_safely(tmp_path: Path) -> None:
    path = _runner_checkpoint(tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    found = read_checkpoint(path)
    assert set(found.state) == {"layer.weight", "layer.bias"}
    assert found.meta["dataset_meta"]["keypoint_id2name"][0] == "nose"
    assert found.meta["dataset_meta"]["sigmas"].shape == (17,)


def test_arrays_of_numpy_1_are_read(tmp_path: Path) -> None:
    path, old = tmp_path / "new.pth", tmp_path / "old.pth"
    sigmas = np.linspace(0, 1, 5, dtype=np.float32)
    torch.save({"state_dict": {"a": torch.ones(2)}, "meta": {"sigmas": sigmas}}, path)
    replaced = 0
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(old, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename.endswith("data.pkl"):
                replaced = content.count(b"numpy._core.multiarray")
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            target.writestr(item.filename, content)
    assert replaced
    np.testing.assert_array_equal(read_checkpoint(old).meta["sigmas"], sigmas)


# --- models ------------------------------------------------------------------------------------


def _state(path: Path) -> dict[str, torch.Tensor]:
    return dict(read_checkpoint(path).state)


def test_a_model_is_built_without_a_network(checkpoint: Path, no_network: None) -> None:
    config = read_config(find_config(CONFIG))
    assert config.model.backbone.init_cfg.checkpoint.startswith("https://")
    model = build_model(config, read_checkpoint(checkpoint))
    assert config.model.backbone.init_cfg is not None, "the caller's config was changed"
    assert not model.training
    assert model.dataset_meta["num_keypoints"] == 17
    for name, tensor in _state(checkpoint).items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_weights_of_another_network_are_refused(checkpoint: Path) -> None:
    other = find_config("rtmpose-s_8xb256-420e_coco-256x192")
    with pytest.raises(ConfigError, match=r"does not fit the network: .*backbone\.stem.*shape"):
        build_model(other, read_checkpoint(checkpoint))


def test_missing_and_left_over_weights_are_named(checkpoint: Path) -> None:
    state = _state(checkpoint)
    gone = [name for name in state if name.startswith("head.")][:2]
    rest = {k: v for k, v in state.items() if k not in gone}
    with pytest.raises(ConfigError, match=rf"it lacks {gone[0]}, {gone[1]}\."):
        build_model(find_config(CONFIG), Checkpoint(rest, {}, "0"))
    more = state | {f"backbone.stage9.{i}": torch.ones(1) for i in range(7)}
    with pytest.raises(ConfigError, match=r"has no backbone\.stage9\.0, .* and 2 more"):
        build_model(find_config(CONFIG), Checkpoint(more, {}, "0"))
    # A loss decides no prediction; a training on several GPUs puts "module." in front.
    loss = {f"module.{k}": v for k, v in (state | {"head.loss_module.x": torch.ones(1)}).items()}
    build_model(find_config(CONFIG), Checkpoint(loss, {}, "0"))


def test_names_of_mmpose_0_are_translated(checkpoint: Path) -> None:
    state = _state(checkpoint)
    old = {k.replace("head.", "keypoint_head.", 1): v for k, v in state.items()}
    assert old.keys() != state.keys()
    model = build_model(find_config(CONFIG), Checkpoint(old, {}, "0"))
    assert torch.equal(model.state_dict()["head.cls_x.weight"], state["head.cls_x.weight"])


def test_a_part_that_is_not_installed(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "model = dict(type='TopdownPoseEstimator', backbone=dict(type='mmpretrain.Nothing'))\n"
    )
    with pytest.raises(ConfigError, match=r"the network of .*own\.py cannot be made"):
        build_model(own, None)


def test_a_config_may_build_upon_one_that_mmpose_ships(tmp_path: Path, checkpoint: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text(
        f"_base_ = 'mmpose::body_2d_keypoint/rtmpose/coco/{CONFIG}.py'\n"
        "model = dict(test_cfg=dict(flip_test=False))\n"
    )
    model = build_model(find_config(str(own)), read_checkpoint(checkpoint))
    assert model.cfg.model.test_cfg.flip_test is False


def test_the_configs_folder_is_found_without_importing() -> None:
    assert (configs_folder() / "_base_" / "datasets" / "coco.py").is_file()
