"""Real but tiny ViTPose models, random or fitted to the phantom, as folders of files.

The fitted one is random but for its last layer, which is found by least squares: heatmaps of
the phantom's true keypoints, and nothing in pictures of nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

from fidgety.pose.vitpose import MEAN, STD, cut, window
from fidgety.skeletons import BLAZEPOSE_33, COCO_17
from tests.pose.sight import Phantom

SIZE = (256, 192)
BOX_SHARE = 0.72
HEATMAP = (64, 48)
SIGMA = 2.0
RIDGE = 1e-6
NOBODY_WEIGHT = 3.0


def tiny_model(
    *,
    simple: bool = True,
    experts: int = 1,
    hidden: int = 32,
    layers: int = 2,
    keypoints: int = 17,
    spread: float = 0.02,
    seed: int = 0,
) -> Any:
    """Return a network with random weights."""
    torch.manual_seed(seed)
    backbone = VitPoseBackboneConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        mlp_ratio=2,
        num_experts=experts,
        part_features=hidden // 4,
        initializer_range=spread,
        out_indices=[layers],
    )
    config = VitPoseConfig(
        backbone_config=backbone,
        use_simple_decoder=simple,
        num_labels=keypoints,
        initializer_range=spread,
    )
    model = VitPoseForPoseEstimation(config).eval()
    # Heatmaps within 0 and 1, as of a trained network: confidences are then told apart.
    with torch.no_grad():
        index = torch.zeros(1, dtype=torch.long)
        heatmaps = model(torch.randn(1, 3, *SIZE), dataset_index=index).heatmaps
        model.head.conv.weight *= 0.5 / heatmaps.abs().max()
    return model


def save(model: Any, folder: Path) -> Path:
    """Write ``config.json`` and ``model.safetensors``."""
    model.save_pretrained(folder)
    return folder


def as_input(crops: NDArray[np.uint8]) -> torch.Tensor:
    """Cut and normalise crops as the estimator does."""
    place = window(crops.shape[1], BOX_SHARE, SIZE)
    pictures = torch.from_numpy(cut(crops, place, SIZE)).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
    return ((pictures - mean) / std).float()


def _seen_by_last_layer(model: Any, crops: NDArray[np.uint8]) -> torch.Tensor:
    """Return what the last convolution sees at each place, (frame, place, 9 * channel + 1)."""
    seen: list[torch.Tensor] = []
    hook = model.head.conv.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with torch.no_grad():
        model(as_input(crops))
    hook.remove()
    patches = torch.nn.functional.unfold(seen[0], 3, padding=1).transpose(1, 2)
    return torch.cat([patches, torch.ones_like(patches[..., :1])], dim=-1)


def nobody() -> NDArray[np.uint8]:
    """Return pictures without a body."""
    rng = np.random.default_rng(3)
    return np.stack(
        [
            np.zeros((256, 256, 3), np.uint8),
            np.full((256, 256, 3), 200, np.uint8),
            rng.integers(0, 255, (256, 256, 3), dtype=np.uint8),
        ]
    )


def fitted_model(phantom: Phantom) -> Any:
    """Return the network that finds the phantom in its own pictures."""
    model = tiny_model(hidden=64, layers=1, spread=0.15)
    order = [BLAZEPOSE_33.index(k) for k in COCO_17.keypoints]
    place = window(phantom.frames.shape[1], BOX_SHARE, SIZE)
    step = (place[1] - place[0]) / (HEATMAP[1] - 1, HEATMAP[0] - 1)
    truth = (phantom.keypoints[:, :, order].transpose(0, 2, 1) - place[0]) / step
    rows, columns = np.mgrid[: HEATMAP[0], : HEATMAP[1]]
    squared = (columns - truth[..., 0, None, None]) ** 2 + (rows - truth[..., 1, None, None]) ** 2
    target = torch.from_numpy(np.exp(-squared / (2 * SIGMA**2))).flatten(2).transpose(1, 2)
    features = _seen_by_last_layer(model, phantom.frames).flatten(0, 1)
    empty = _seen_by_last_layer(model, nobody()).flatten(0, 1)
    width = features.shape[1]
    gram = torch.zeros(width, width)
    gram += features.T @ features + NOBODY_WEIGHT**2 * (empty.T @ empty)
    gram += RIDGE * gram.diagonal().mean() * torch.eye(width)
    solution = torch.linalg.solve(
        gram.double(), (features.T @ target.flatten(0, 1).float()).double()
    )
    conv = model.head.conv
    conv.weight.data = solution[:-1].T.reshape(conv.weight.shape).float().contiguous()
    conv.bias.data = solution[-1].float()
    return model
