"""The network that is fine-tuned: a shipped config brought to the labels, and its start.

Of mmpose's config the network, its codec and its optimiser are kept. What belongs to the
training on COCO is replaced: data sets, schedule, augmentations that need libraries which are not
here, moving averages that settle over hundreds of epochs.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidgety.config.pose_training import PoseTrainingConfig
from fidgety.errors import ConfigError, FidgetyError
from fidgety.pose.mmpose_runtime import (
    Checkpoint,
    build_model,
    find_config,
    read_checkpoint,
    read_config,
    stay_local,
)

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

TOP_DOWN = "TopdownPoseEstimator"
#: Where a head says how many keypoints it gives.
COUNTS = ("out_channels", "num_joints", "num_keypoints")
#: Steps of the shipped training pipeline that stay: they belong to network and codec.
KEPT = ("TopdownAffine", "GenerateTarget", "PackPoseInputs")
#: Part of the training during which the learning rate rises.
WARMUP = 0.05


def read_network(config: PoseTrainingConfig) -> Config:
    """Read the chosen config.

    Raises
    ------
    ConfigError
        If it is not there, or not of a top-down 2D model.
    """
    where = "pose_training.config"
    settings = read_config(find_config(config.config, where), where)
    kind = settings.model.get("type")
    if kind != TOP_DOWN or "head" not in settings.model:
        raise ConfigError(
            f"{where}: {config.config} is of a {kind}; only top-down 2D models ({TOP_DOWN}) can be "
            "fine-tuned here."
        )
    try:
        settings.model.head.decoder.input_size  # noqa: B018
        settings.val_dataloader.dataset.pipeline  # noqa: B018
        settings.train_dataloader.dataset.pipeline  # noqa: B018
    except (AttributeError, KeyError):
        raise ConfigError(
            f"{where}: {config.config} has no decoder in its head, or no pipelines in its "
            "train_dataloader and val_dataloader."
        ) from None
    return settings


def input_size(settings: Config) -> tuple[int, int]:
    """Return width and height of the network's input in pixels."""
    width, height = settings.model.head.decoder.input_size
    return int(width), int(height)


def n_keypoints(settings: Config) -> int:
    """Return how many keypoints the shipped head gives.

    Raises
    ------
    ConfigError
        If the head does not say so.
    """
    for key in COUNTS:
        if isinstance(settings.model.head.get(key), int):
            return int(settings.model.head[key])
    raise ConfigError(
        f"pose_training.config: the head {settings.model.head.get('type')} does not say its "
        f"number of keypoints ({', '.join(COUNTS)})."
    )


def _steps(pipeline: Any) -> list[dict[str, Any]]:
    return [dict(step) for step in pipeline]


def _kind(step: Mapping[str, Any]) -> str:
    kind = step["type"]
    name = kind if isinstance(kind, str) else kind.__name__
    return str(name.rpartition(".")[2])


def training_pipeline(settings: Config, config: PoseTrainingConfig) -> list[dict[str, Any]]:
    """Return the steps from a crop to the network's input and target."""
    shipped = {_kind(step): step for step in _steps(settings.train_dataloader.dataset.pipeline)}
    missing = [name for name in KEPT if name not in shipped]
    if missing:
        raise ConfigError(
            f"pose_training.config: the training pipeline of {config.config} has no "
            f"{', '.join(missing)}."
        )
    steps: list[dict[str, Any]] = [{"type": "LoadImage"}, {"type": "GetBBoxCenterScale"}]
    if config.flip:
        steps.append({"type": "RandomFlip", "direction": "horizontal"})
    steps.append(
        {
            "type": "RandomBBoxTransform",
            "shift_factor": 0.08,
            "shift_prob": 0.5,
            "scale_factor": [1.0 - config.scale, 1.0 + config.scale],
            "rotate_factor": config.rotate_deg,
            "rotate_prob": 0.7,
        }
    )
    steps.append(shipped["TopdownAffine"])
    if config.colour:
        steps.append({"type": "YOLOXHSVRandomAug"})
    return [*steps, shipped["GenerateTarget"], shipped["PackPoseInputs"]]


def adapt(settings: Config, meta: Mapping[str, Any], config: PoseTrainingConfig) -> Config:
    """Bring a shipped config to the labels' keypoints: the resolved config that is written.

    Parameters
    ----------
    settings
        As shipped; not changed.
    meta
        Description of the keypoints (:func:`fidgety.pose.finetune.dataset.metainfo`).
    config
        The ``pose_training`` section.

    Returns
    -------
    Config
        Network, codec, pipelines, optimiser and schedule; no path, no address.
    """
    from mmengine.config import Config

    model = copy.deepcopy(settings.model.to_dict())
    stay_local(model)
    count = len(meta["keypoint_info"])
    old = n_keypoints(settings)
    for key in COUNTS:
        if model["head"].get(key) == old:
            model["head"][key] = count
    test_cfg = {
        k: v
        for k, v in (model.get("test_cfg") or {}).items()
        if k not in ("output_keypoint_indices",)
    }
    model["test_cfg"] = {**test_cfg, "flip_test": False}
    model["train_cfg"] = None
    seen = [s for s in _steps(settings.val_dataloader.dataset.pipeline) if _kind(s) != "LoadImage"]
    common = {"type": "CocoDataset", "data_mode": "topdown", "metainfo": dict(meta)}
    seeing = {
        "batch_size": config.batch_size,
        "num_workers": 0,
        "sampler": {"type": "DefaultSampler", "shuffle": False, "round_up": False},
        "dataset": {**common, "test_mode": True, "pipeline": [{"type": "LoadImage"}, *seen]},
    }
    workers = loading_workers(config)
    return Config(
        {
            "default_scope": "mmpose",
            "model": model,
            "train_dataloader": {
                "batch_size": config.batch_size,
                "num_workers": workers,
                "sampler": {"type": "DefaultSampler", "shuffle": True},
                "dataset": {**common, "pipeline": training_pipeline(settings, config)},
            },
            "val_dataloader": seeing,
            "test_dataloader": copy.deepcopy(seeing),
            "optim_wrapper": optimiser(settings, config.learning_rate),
            "train_cfg": {
                "by_epoch": True,
                "max_epochs": config.epochs,
                "val_interval": config.validate_every,
            },
        }
    )


def loading_workers(config: PoseTrainingConfig) -> int:
    """Return the processes that load frames: none on a CPU, which is busy with the network."""
    from fidgety.pose.torch_device import pick_device

    on_gpu = pick_device(config.device, "pose_training.device") == "cuda"
    return config.threads - 1 if on_gpu else 0


def optimiser(settings: Config, learning_rate: float) -> dict[str, Any]:
    """Return the shipped optimiser with another rate, by 32 bits."""
    shipped = settings.get("optim_wrapper")
    wrapper = copy.deepcopy(shipped.to_dict()) if shipped else {}
    wrapper["type"] = "OptimWrapper"
    for key in ("loss_scale", "dtype"):
        wrapper.pop(key, None)
    wrapper.setdefault("optimizer", {"type": "AdamW", "weight_decay": 0.01})
    wrapper["optimizer"]["lr"] = learning_rate
    return wrapper


def schedule(n_steps: int, epochs: int) -> list[dict[str, Any]]:
    """Return the learning rate's course: up in a line, down along a cosine, step by step.

    Parameters
    ----------
    n_steps
        Steps an epoch.
    epochs
        Of the training.
    """
    total = max(n_steps * epochs, 2)
    rise = max(round(WARMUP * total), 1)
    return [
        {"type": "LinearLR", "start_factor": 0.01, "by_epoch": False, "begin": 0, "end": rise},
        {
            "type": "CosineAnnealingLR",
            "eta_min_ratio": 0.02,
            "by_epoch": False,
            "begin": rise,
            "end": total,
            "T_max": total - rise,
        },
    ]


@dataclass(frozen=True)
class Start:
    """The network before training.

    Parameters
    ----------
    model
        On the CPU.
    sha256
        Checksum of the file that its weights are from; empty for random ones.
    random
        Names of the weights that are random.
    """

    model: torch.nn.Module
    sha256: str
    random: tuple[str, ...]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep mmengine from listing every layer that it initialises."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)


def make_start(resolved: Config, config: PoseTrainingConfig, settings: Config, seed: int) -> Start:
    """Make the network and give it its first weights.

    Parameters
    ----------
    resolved
        Of :func:`adapt`.
    config
        The ``pose_training`` section: it names the checkpoint.
    settings
        As shipped: its keypoints are those of the checkpoint, where that does not say.
    seed
        Of random weights.

    Raises
    ------
    ConfigError
        If the checkpoint is missing or wrong, or is of another network.
    """
    import torch

    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        model = build_model(resolved, None, where="pose_training.checkpoint")
        model.init_weights()
    if config.checkpoint is None:
        return Start(model, "", tuple(sorted(model.state_dict())))
    checkpoint = read_checkpoint(
        config.checkpoint,
        config.checkpoint_sha256,
        config=find_config(config.config, "pose_training.config"),
        where="pose_training.checkpoint",
    )
    names = tuple(model.dataset_meta["keypoint_id2name"].values())
    random = _fill(model, checkpoint, _names_of(checkpoint, settings), names, config.checkpoint)
    return Start(model, checkpoint.sha256, random)


def _names_of(checkpoint: Checkpoint, settings: Config) -> tuple[str, ...]:
    """Return the keypoints that a checkpoint was trained on; nothing where nobody says."""
    from mmpose.apis.inference import dataset_meta_from_config

    meta = checkpoint.meta.get("dataset_meta")
    if not isinstance(meta, Mapping) or "keypoint_id2name" not in meta:
        try:
            meta = dataset_meta_from_config(settings, dataset_mode="train")
        except Exception:
            # What mmpose raises depends on which part of a config is odd.
            meta = None
    return tuple(meta["keypoint_id2name"].values()) if meta else ()


def _fill(
    model: torch.nn.Module,
    checkpoint: Checkpoint,
    old: tuple[str, ...],
    new: tuple[str, ...],
    file: str,
) -> tuple[str, ...]:
    """Put a checkpoint's weights into a network whose head may have other keypoints.

    A layer with one row a keypoint takes the rows of keypoints of the same name; others of the
    head stay random.

    Returns
    -------
    tuple of str
        Weights that are random, or partly so.
    """
    state = model.state_dict()
    given = {k.removeprefix("module."): v for k, v in checkpoint.state.items()}
    rows = [(new.index(name), old.index(name)) for name in new if name in old]
    random: list[str] = []
    for key, tensor in state.items():
        source = given.get(key)
        if source is not None and _is_by_keypoint(key, source, tensor, old, new):
            state[key] = tensor.clone()
            for row, from_row in rows:
                state[key][row] = source[from_row]
            if len(rows) < len(new):
                random.append(key)
        elif source is not None and source.shape == tensor.shape:
            state[key] = source
        else:
            random.append(key)
    strange = [k for k in random if not k.startswith("head.")]
    if strange:
        raise ConfigError(
            f"pose_training.checkpoint: {file} is of another network than the config: it has no "
            f"fitting {', '.join(strange[:3])}. Give the checkpoint that was trained with this "
            "config."
        )
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise FidgetyError(f"pose_training.checkpoint: {file} cannot be loaded: {error}") from None
    return tuple(random)


def _is_by_keypoint(
    key: str,
    source: torch.Tensor,
    target: torch.Tensor,
    old: tuple[str, ...],
    new: tuple[str, ...],
) -> bool:
    """Tell whether a layer has one row a keypoint, and the keypoints are others or elsewhere."""
    return (
        old not in ((), new)
        and key.startswith("head.")
        and source.ndim > 0
        and source.shape[0] == len(old)
        and target.ndim > 0
        and target.shape[0] == len(new)
        and source.shape[1:] == target.shape[1:]
    )


def export(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write weights as a file that torch's safe loader reads: nothing but tensors.

    Equal weights are equal bytes.
    """
    import torch

    from fidgety.files import atomic_path

    buffer = io.BytesIO()
    plain = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
    torch.save({"state_dict": plain, "meta": {}}, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
