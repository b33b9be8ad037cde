"""A real network of mmpose that finds the phantom, without training it.

Every weight of an RTMPose-t is random but those of the last layer, which are fitted by least
squares to the phantom's true keypoints, and to nothing in pictures of nobody. So tests of the
contract see a network that is right on these pictures, in seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fidgety.pose.mmpose import body_box
from fidgety.pose.mmpose_runtime import build_model, find_config, import_mmpose
from fidgety.skeletons import BLAZEPOSE_33, COCO_17
from tests.pose.sight import Phantom

CONFIG = "rtmpose-t_8xb256-420e_coco-256x192"
BOX_SHARE = 0.72
RIDGE = 1e-6
#: The few pictures of nobody count as much as the many keypoints of the phantom.
NOBODY_WEIGHT = 10.0


def nobody() -> NDArray[np.uint8]:
    """Return pictures (frame, 256, 256, 3) without a body."""
    rng = np.random.default_rng(3)
    return np.stack(
        [
            np.zeros((256, 256, 3), np.uint8),
            np.full((256, 256, 3), 200, np.uint8),
            rng.integers(0, 255, (256, 256, 3), dtype=np.uint8),
        ]
    )


def random_checkpoint(path: Path, config: str = CONFIG, seed: int = 0) -> Path:
    """Write a config's network with random weights."""
    torch.manual_seed(seed)
    model = build_model(find_config(config), None)
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    return path


def _batch(model: Any, crops: NDArray[np.uint8]) -> tuple[torch.Tensor, list[Any]]:
    from mmengine.dataset import Compose, pseudo_collate

    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    box = body_box(crops.shape[1], BOX_SHARE)
    items = [
        {"img": np.ascontiguousarray(c[..., ::-1]), "bbox": box, "bbox_score": np.ones(1)}
        for c in crops
    ]
    batch = pseudo_collate([pipeline(item | dict(model.dataset_meta)) for item in items])
    data = model.data_preprocessor(batch, False)
    return data["inputs"], data["data_samples"]


def _last_features(model: Any, crops: NDArray[np.uint8]) -> tuple[torch.Tensor, list[Any]]:
    """Return what the last layer sees, of shape (frame, keypoint, channel)."""
    seen: list[torch.Tensor] = []
    hook = model.head.cls_x.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    inputs, samples = _batch(model, crops)
    with torch.no_grad():
        model.head.forward(model.extract_feat(inputs))
    hook.remove()
    return seen[0].double(), samples


def fitted_checkpoint(path: Path, phantom: Phantom) -> Path:
    """Write the network that finds the phantom in its own pictures."""
    import_mmpose()
    torch.manual_seed(0)
    model = build_model(find_config(CONFIG), None)
    order = [BLAZEPOSE_33.index(k) for k in COCO_17.keypoints]
    features, samples = _last_features(model, phantom.frames)
    empty, _ = _last_features(model, nobody())
    meta = samples[0].metainfo
    centre, scale, size = (np.asarray(meta[f"input_{k}"]) for k in ("center", "scale", "size"))
    truth = phantom.keypoints[:, :, order].transpose(0, 2, 1) - 0.5
    inside = (truth - centre + 0.5 * scale) / scale * size
    decoder = model.head.decoder
    seen = torch.cat([features.flatten(0, 1), NOBODY_WEIGHT * empty.flatten(0, 1)])
    gram = seen.T @ seen
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    for axis, layer in enumerate((model.head.cls_x, model.head.cls_y)):
        bins = np.arange(layer.out_features) / decoder.simcc_split_ratio
        sigma = decoder.sigma[axis] / decoder.simcc_split_ratio
        target = np.exp(-0.5 * ((bins - inside[..., axis, None]) / sigma) ** 2)
        wanted = torch.zeros(len(seen), layer.out_features, dtype=torch.float64)
        wanted[: target.shape[0] * target.shape[1]] = torch.from_numpy(target).flatten(0, 1)
        layer.weight.data = torch.linalg.solve(gram, seen.T @ wanted).T.float().contiguous()
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    return path
