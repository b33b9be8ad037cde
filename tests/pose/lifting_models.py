"""Small lifting networks of mmpose, and random weights saved as checkpoints."""

from __future__ import annotations

import textwrap
from pathlib import Path

from fidgety.pose.mmpose_runtime import Checkpoint, build_model, read_checkpoint

#: VideoPose3D with 27 frames and few channels: mmpose's own classes and codec.
SMALL_TCN = textwrap.dedent(
    """
    default_scope = 'mmpose'
    codec = dict(type='VideoPoseLifting', num_keypoints=17, zero_center=True, root_index=0,
                 remove_root=False)
    model = dict(
        type='PoseLifter',
        backbone=dict(type='TCN', in_channels=34, stem_channels=64, num_blocks=2,
                      kernel_sizes=(3, 3, 3), dropout=0.1, causal=False, use_stride_conv=True),
        head=dict(type='TemporalRegressionHead', in_channels=64, num_joints=17,
                  loss=dict(type='MPJPELoss'), decoder=codec))
    test_dataloader = dict(dataset=dict(
        type='Human36mDataset', seq_len=27, causal=False,
        pipeline=[dict(type='GenerateTarget', encoder=codec),
                  dict(type='PackPoseInputs', meta_keys=('id', 'target_root'))]))
    """
)


def save_random(config: Path, path: Path, seed: int = 0) -> Checkpoint:
    """Save random weights, with statistics that are not those of a new layer, and read them."""
    import torch

    torch.manual_seed(seed)
    model = build_model(config, None)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2.0)
    torch.save({"state_dict": model.state_dict(), "meta": {}}, path)
    return read_checkpoint(path)
