"""STAM: attention over joints and over clips (Nguyen-Thai 2021).

Nguyen-Thai B, Le V, Morgan C, Badawi N, Tran T, Venkatesh S. (2021). A spatio-temporal attention-
based model for infant movement assessment from videos. IEEE J Biomed Health Inform 25, 3911-3920.

A sub-sequence is cut into clips that overlap. Of every joint seven numbers a frame are read:
position, velocity, acceleration (two each, in 2D) and the length of the last step. Graph
convolutions over joints and frames make a clip a value for each joint; attention weighs joints,
then clips. Sub-sequences carry their infant's label; an infant is as much at risk as the
sub-sequence with the highest risk.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fidgety.datasets.series import InputSpec
from fidgety.models.base import (
    SETTLE_BATCHES,
    NetworkSystem,
    OptimiserPlan,
    Pool,
    TrainingPlan,
)
from fidgety.models.skeleton_graph import skeleton_of, within
from fidgety.models.stam_options import StamOptions
from fidgety.skeletons import Skeleton

#: Frames that a temporal convolution sees.
TEMPORAL_KERNEL = 9


def motion_channels(position: torch.Tensor) -> torch.Tensor:
    """Return position, velocity, acceleration and step length of joints.

    Parameters
    ----------
    position : Tensor of shape (sequence, frame, joint, space)

    Returns
    -------
    Tensor of shape (sequence, 3 * space + 1, frame, joint)
        A frame; the first ones, which have no frame before them, have 0.
    """

    def change(values: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(values[:, :1]), values.diff(dim=1)], dim=1)

    velocity = change(position)
    # The first frame has no velocity, so the second has no acceleration either.
    acceleration = change(velocity) * _from(2, position)
    step = velocity.norm(dim=3, keepdim=True)
    return torch.cat([position, velocity, acceleration, step], dim=3).permute(0, 3, 1, 2)


def _from(frame: int, like: torch.Tensor) -> torch.Tensor:
    """Return 1 from a frame on, 0 before, to be multiplied with (sequence, frame, ...)."""
    return (torch.arange(like.shape[1], device=like.device) >= frame).to(like.dtype)[:, None, None]


class GraphBlock(nn.Module):
    """A spatial graph convolution and a temporal one (ST-GCN; Yan 2018).

    Parameters
    ----------
    n_in, n_out
        Channels.
    adjacency : Tensor of shape (joint, joint)
        Columns sum to 1.
    stride
        Of the frames.
    residual
        Add the input, brought to shape.
    dropout
        Behind the temporal convolution.
    """

    adjacency: torch.Tensor

    def __init__(
        self,
        n_in: int,
        n_out: int,
        adjacency: torch.Tensor,
        stride: int,
        residual: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.spatial = nn.Conv2d(n_in, n_out, 1)
        pad = (TEMPORAL_KERNEL // 2, 0)
        self.temporal = nn.Sequential(
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, (TEMPORAL_KERNEL, 1), (stride, 1), pad),
            nn.BatchNorm2d(n_out),
            nn.Dropout(dropout),
        )
        self.shortcut: nn.Module | None = None
        if residual:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, (stride, 1)), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (clip, channel, frame, joint)."""
        seen = torch.einsum("ncfj,jk->ncfk", self.spatial(x), self.adjacency)
        out = self.temporal(seen)
        return torch.relu(out if self.shortcut is None else out + self.shortcut(x))


class Attention(nn.Module):
    """Weights that sum to 1 over the last axis but one, by one hidden layer."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the weights (..., item, 1) of (..., item, width)."""
        return self.score(x).softmax(dim=-2)


class StamNetwork(nn.Module):
    """Clips by graph convolutions, attention over joints, attention over clips.

    Parameters
    ----------
    skeleton
        Joints and bones.
    n_space
        Coordinates of a joint.
    n_classes
        Number of classes.
    options
        Sizes.
    """

    def __init__(
        self, skeleton: Skeleton, n_space: int, n_classes: int, options: StamOptions
    ) -> None:
        super().__init__()
        self.options, self.n_space = options, n_space
        n_joints, n_in = len(skeleton.keypoints), 3 * n_space + 1
        adjacency = torch.from_numpy(within(skeleton, options.most_bones)).float()
        self.norm = nn.BatchNorm1d(n_in * n_joints)
        blocks = []
        for k, (before, after) in enumerate(pairwise((n_in, *options.widths))):
            later = k > 0
            blocks.append(
                GraphBlock(
                    before,
                    after,
                    adjacency,
                    stride=2 if later else 1,
                    residual=later,
                    dropout=options.dropout if later else 0.0,
                )
            )
        self.blocks = nn.Sequential(*blocks)
        width = options.widths[-1]
        self.joints = Attention(width, options.attention_width)
        self.mix = nn.Linear(width, width)  # a 1 x 1 convolution over clips
        self.clips = Attention(width, options.attention_width)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(width, n_classes)

    def cut(self, x: torch.Tensor) -> torch.Tensor:
        """Cut sub-sequences (sequence, channel, frame, joint) into (sequence, clip, ...) ones."""
        clips = x.unfold(2, self.options.clip_frames, self.options.clip_step_frames)
        return clips.permute(0, 2, 1, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits.

        Parameters
        ----------
        x : Tensor of shape (instance, frame, feature)
            Joint after joint, each with its coordinates.

        Returns
        -------
        Tensor of shape (instance, class)
        """
        position = x.unflatten(2, (-1, self.n_space))
        clips = self.cut(motion_channels(position))
        n, n_clips, n_channels, frames, n_joints = clips.shape
        flat = clips.flatten(0, 1).permute(0, 1, 3, 2).reshape(n * n_clips, -1, frames)
        normed = self.norm(flat).view(n * n_clips, n_channels, n_joints, frames)
        seen = self.blocks(normed.transpose(2, 3)).mean(dim=2)  # (clip, channel, joint)
        by_joint = seen.transpose(1, 2)
        clip = self.mix((self.joints(by_joint) * by_joint).sum(dim=1)).view(n, n_clips, -1)
        whole = (self.clips(clip) * clip).sum(dim=1)
        return self.output(self.dropout(whole))


class Stam(NetworkSystem):
    """Nguyen-Thai 2021's attention network."""

    name = "stam"
    options = StamOptions
    objective = "instance"

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read positions as they are, turned and scaled by the trunk; the network norms them."""
        return InputSpec(
            feature_sets=(options.coordinates,),
            rate_hz=options.rate_hz,
            window_s=options.window_s,
            step_s=options.step_s,
            predict_step_s=options.predict_step_s,
            standardise=False,
        )

    @classmethod
    def pool(cls, options: Any) -> Pool:
        """Take the sub-sequence with the highest risk, as published, or the mean of all."""
        pool: Pool = options.pool
        return pool

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        skeleton, n_space = skeleton_of(cls.name, options.coordinates, n_features, n_classes)
        return StamNetwork(skeleton, n_space, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Adam with early stopping."""
        return TrainingPlan(
            epochs=options.epochs,
            patience=options.patience,
            blind_epochs=options.blind_epochs,
            batch_size=options.batch_size,
            optimiser=OptimiserPlan(
                learning_rate=options.learning_rate, weight_decay=options.weight_decay
            ),
            settle_batches=SETTLE_BATCHES,
            class_weights=False,
        )
