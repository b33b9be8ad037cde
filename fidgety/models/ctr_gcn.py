"""CTR-GCN: graph convolutions whose topology is refined for every channel (Chen 2021).

Chen Y, Zhang Z, Yuan C, Li B, Deng Y, Hu W. (2021). Channel-wise topology refinement graph
convolution for skeleton-based action recognition. ICCV, 13359-13368.

A block lets joints see each other, then frames. Which joints see each other is learned: a topology
that all channels share, starting at the skeleton, to which every channel adds what it finds by
comparing the joints of the window at hand. Windows carry their infant's label.

What is read of a joint, and how windows become an infant's score, may be as in Groos D, Adde L,
Aubert S, et al. (2022). Development and validation of a deep learning method to predict cerebral
palsy from spontaneous movements in infants at high risk. JAMA Netw Open 5(7), e2221325. (Its own
networks were found by a search and are not published.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from fidgety.datasets.series import InputSpec
from fidgety.models.base import (
    SETTLE_BATCHES,
    NetworkSystem,
    OptimiserPlan,
    Pool,
    TrainingPlan,
)
from fidgety.models.ctr_gcn_options import PLAIN_BRANCHES, CtrGcnOptions
from fidgety.models.skeleton_graph import carriers, partitions, skeleton_of
from fidgety.skeletons import Skeleton

#: Channels in which joints are compared, at least: those of the published first block.
LEAST_RELATION = 8
#: Weight of the graph convolution's batch norm at the start: a block begins as its shortcut.
FIRST_WEIGHT = 1e-6


def stream_channels(
    position: torch.Tensor, carrier: torch.Tensor, streams: tuple[str, ...]
) -> torch.Tensor:
    """Return what is read of joints.

    Parameters
    ----------
    position : Tensor of shape (instance, frame, joint, space)
    carrier : Tensor of shape (joint,)
        Index of the joint that carries each one; the root carries itself.
    streams
        In the order of the channels.

    Returns
    -------
    Tensor of shape (instance, stream * space, frame, joint)
        A frame; motion is the change to the next frame, 0 in the last one. The root's bone is 0.
    """
    found = []
    for stream in streams:
        values = position
        if stream.startswith("bone"):
            values = position - position[:, :, carrier]
        if stream.endswith("_motion"):
            values = torch.cat([values.diff(dim=1), torch.zeros_like(values[:, :1])], dim=1)
        found.append(values)
    return torch.cat(found, dim=3).permute(0, 3, 1, 2)


class RefinedGraph(nn.Module):
    """Channel-wise topology refinement graph convolution, over all partitions (section 3.2).

    For every partition, with A its shared topology: features are transformed (T), joints i and j
    are compared by tanh(psi(x_i) - phi(x_j)) on their means over the frames, a linear map takes
    these relations to a topology Q for every channel, and channel c of joint i becomes the sum
    over j of (A + alpha Q_c)_ij T(x)_cj. Partitions are summed.

    Parameters
    ----------
    n_in, n_out
        Channels.
    topology : Tensor of shape (partition, joint, joint)
        Where the shared topologies start.
    reduction
        Channels over those of the relations.
    """

    def __init__(self, n_in: int, n_out: int, topology: torch.Tensor, reduction: int) -> None:
        super().__init__()
        parts = len(topology)
        relation = max(n_in // reduction, LEAST_RELATION)
        self.topology = nn.Parameter(topology.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.transform = nn.Conv2d(n_in, parts * n_out, 1)
        # Both see a joint's mean over the frames: being linear, they may come behind it.
        self.sender = nn.Linear(n_in, parts * relation)
        self.receiver = nn.Linear(n_in, parts * relation)
        self.refine = nn.Conv2d(parts * relation, parts * n_out, 1, groups=parts)

    def refinement(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the window adds to the topology.

        Parameters
        ----------
        x : Tensor of shape (instance, channel, frame, joint)

        Returns
        -------
        Tensor of shape (instance, partition, channel, joint, joint)
            From the last joint to the last but one.
        """
        mean = x.mean(dim=2).transpose(1, 2)
        receiver = self.receiver(mean).transpose(1, 2)  # (instance, partition * relation, joint)
        sender = self.sender(mean).transpose(1, 2)
        relation = torch.tanh(receiver[:, :, :, None] - sender[:, :, None])
        return self.refine(relation).unflatten(1, (len(self.topology), -1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (instance, channel, frame, joint)."""
        topology = self.topology[:, None] + self.alpha * self.refinement(x)
        # The sum over partitions and joints is one product of matrices for every channel.
        among = topology.permute(0, 2, 1, 4, 3).flatten(2, 3)  # (.., partition * from, to)
        values = self.transform(x).unflatten(1, (len(self.topology), -1))
        values = values.permute(0, 2, 3, 1, 4).flatten(3, 4)  # (.., frame, partition * from)
        return values @ among


class TemporalBranches(nn.Module):
    """Convolutions along time at several scales, side by side (section 3.3).

    Each branch has its share of the channels: one for each dilation, one that takes the largest of
    three frames, one that takes the frame itself.

    Parameters
    ----------
    width
        Channels, a multiple of the number of branches.
    kernel, dilations
        Of the dilated branches.
    stride
        Of the frames.
    """

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...], stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.n_branches = len(dilations) + PLAIN_BRANCHES
        share = width // self.n_branches
        # Every branch begins with a 1 x 1 convolution and batch norm: done at once.
        self.share = nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width))
        self.dilated = nn.ModuleList(
            nn.Conv2d(
                share,
                share,
                (kernel, 1),
                (stride, 1),
                padding=(dilation * (kernel // 2), 0),
                dilation=(dilation, 1),
            )
            for dilation in dilations
        )
        # Behind the dilated branches and the largest values; the last branch has its norm above.
        self.norm = nn.BatchNorm2d(width - share)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (instance, channel, frame, joint)."""
        *active, plain = self.share(x).chunk(self.n_branches, dim=1)
        found = [layer(torch.relu(part)) for layer, part in zip(self.dilated, active, strict=False)]
        largest = functional.max_pool2d(torch.relu(active[-1]), (3, 1), (self.stride, 1), (1, 0))
        normed = self.norm(torch.cat([*found, largest], dim=1))
        return torch.cat([normed, plain[:, :, :: self.stride]], dim=1)


class CtrBlock(nn.Module):
    """Joints, then frames, each with a shortcut.

    Parameters
    ----------
    n_in, n_out
        Channels.
    topology : Tensor of shape (partition, joint, joint)
        Where the shared topologies start.
    stride
        Of the frames.
    shortcut
        Add the block's input, brought to shape.
    options
        Sizes.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        topology: torch.Tensor,
        stride: int,
        shortcut: bool,
        options: CtrGcnOptions,
    ) -> None:
        super().__init__()
        self.graph = RefinedGraph(n_in, n_out, topology, options.reduction)
        self.graph_norm = nn.BatchNorm2d(n_out)
        self.graph_shortcut = _shape(n_in, n_out, 1)
        self.temporal = TemporalBranches(n_out, options.temporal_kernel, options.dilations, stride)
        self.shortcut = _shape(n_in, n_out, stride) if shortcut else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve (instance, channel, frame, joint)."""
        seen = torch.relu(self.graph_norm(self.graph(x)) + self.graph_shortcut(x))
        out = self.temporal(seen)
        return torch.relu(out if self.shortcut is None else out + self.shortcut(x))


def _shape(n_in: int, n_out: int, stride: int) -> nn.Module:
    """Bring channels and frames to a block's shape: nothing, or a convolution and its norm."""
    if n_in == n_out and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(n_in, n_out, 1, (stride, 1)), nn.BatchNorm2d(n_out))


def _draw(layer: nn.Conv2d | nn.Linear, parts: int) -> None:
    """Draw the weights of a layer that stands for several ones side by side."""
    outputs = layer.weight.shape[0] * layer.weight[0, 0].numel() / parts
    nn.init.normal_(layer.weight, std=(2 / outputs) ** 0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


class CtrGcnNetwork(nn.Module):
    """Streams of a skeleton through blocks; mean over frames and joints; classes.

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

    carrier: torch.Tensor

    def __init__(
        self, skeleton: Skeleton, n_space: int, n_classes: int, options: CtrGcnOptions
    ) -> None:
        super().__init__()
        self.streams, self.n_space = options.streams, n_space
        self.register_buffer("carrier", torch.from_numpy(carriers(skeleton)), persistent=False)
        topology = torch.from_numpy(partitions(skeleton)).float()
        before = len(options.streams) * n_space
        self.norm = nn.BatchNorm1d(before * len(skeleton.keypoints))
        blocks = []
        for k, (width, stride) in enumerate(zip(options.widths, options.strides(), strict=True)):
            blocks.append(CtrBlock(before, width, topology, stride, k > 0, options))
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(options.dropout)
        self.output = nn.Linear(before, n_classes)
        self._start()

    def _start(self) -> None:
        """Draw weights by the layers' outputs (He 2015), as the published code does."""
        for module in self.blocks.modules():
            if isinstance(module, nn.Conv2d):
                _draw(module, 1)
        for block in self.blocks:
            assert isinstance(block, CtrBlock)
            graph = block.graph
            for layer in (graph.transform, graph.sender, graph.receiver, graph.refine):
                _draw(layer, len(graph.topology))
            nn.init.constant_(block.graph_norm.weight, FIRST_WEIGHT)

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
        seen = stream_channels(x.unflatten(2, (-1, self.n_space)), self.carrier, self.streams)
        flat = seen.permute(0, 1, 3, 2).flatten(1, 2)  # (instance, channel * joint, frame)
        normed = self.norm(flat).unflatten(1, (seen.shape[1], -1)).transpose(2, 3)
        return self.output(self.dropout(self.blocks(normed).mean(dim=(2, 3))))


class CtrGcn(NetworkSystem):
    """Chen 2021's network on windows of an infant's movements."""

    name = "ctr_gcn"
    options = CtrGcnOptions
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
        """Take the mean of the windows, or their median as Groos 2022."""
        pool: Pool = options.pool
        return pool

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        skeleton, n_space = skeleton_of(cls.name, options.coordinates, n_features, n_classes)
        return CtrGcnNetwork(skeleton, n_space, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Early stopping, batch norm settled after every epoch."""
        return TrainingPlan(
            epochs=options.epochs,
            patience=options.patience,
            blind_epochs=options.blind_epochs,
            batch_size=options.batch_size,
            optimiser=OptimiserPlan(
                kind=options.optimiser,
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
            ),
            settle_batches=SETTLE_BATCHES,
            class_weights=options.class_weights,
        )
