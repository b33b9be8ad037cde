"""WO-GMA: clips found online from infants' labels alone (Luo 2022).

Luo T, Xiao J, Zhang C, et al. (2022). Weakly supervised online action detection for infant general
movements. MICCAI 2022, 721-731.

Clips follow one another without a gap. A convolution over the space-time graph of a clip makes it
a vector. Over the vectors of an infant go two branches:

- **Proposals** (CPGB): convolutions over neighbouring clips score every clip; the mean of an
  infant's highest ones is its own score, which is learned from its label.
- **Online** (OAMB): a one-way LSTM scores every clip from what came before it. It learns from the
  clips that the proposals label, and its own highest ones learn from the infant's label.

The paper has one action, fidgety movements. Here every class has its scores, as in multi-class
weakly supervised localisation, so that any labelling can be learned; with two classes the first
one's are the paper's. Where the authors' code carries the LSTM's state from batch to batch and does
not mask what pads a video, here every infant starts anew and padding counts nowhere. Pose files'
confidence, the code's third channel, is no feature here.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from fidgety.datasets.instances import BagBatch
from fidgety.datasets.series import InputSpec
from fidgety.models.base import (
    SETTLE_BATCHES,
    BagOutput,
    NetworkSystem,
    OptimiserPlan,
    TrainingPlan,
)
from fidgety.models.skeleton_graph import exactly, skeleton_of
from fidgety.models.snippets import require_sizes
from fidgety.models.wo_gma_options import WoGmaOptions
from fidgety.skeletons import Skeleton

#: Clips that a convolution of the proposals sees.
KERNEL = 5
EPSILON = 1e-6


class ClipGraph(nn.Module):
    """A clip's vector: one G3D block over all its frames (MS-G3D; Liu 2020), joints fused.

    Parameters
    ----------
    skeleton
        Joints and bones.
    n_space
        Coordinates of a joint.
    options
        Sizes.
    """

    adjacency: torch.Tensor

    def __init__(self, skeleton: Skeleton, n_space: int, options: WoGmaOptions) -> None:
        super().__init__()
        frames, n_joints = options.clip_frames, len(skeleton.keypoints)
        whole = torch.from_numpy(exactly(skeleton, frames, options.scales)).float()
        self.register_buffer("adjacency", whole, persistent=False)
        self.residual = nn.Parameter(torch.empty_like(whole).uniform_(-1e-6, 1e-6))
        width = options.graph_width
        self.norm = nn.BatchNorm1d(n_space * n_joints)
        self.mix = nn.Sequential(
            nn.Conv2d(n_space * options.scales, width, 1), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.collapse = nn.Sequential(
            nn.Conv2d(width, width, (frames, 1)), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.fuse = nn.Sequential(nn.Linear(width * n_joints, options.clip_width), nn.ReLU())

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return vectors (clip, width) of clips (clip, frame, joint, space)."""
        n, frames, n_joints, n_space = clips.shape
        flat = self.norm(clips.flatten(2).transpose(1, 2)).view(n, n_joints, n_space, frames)
        nodes = flat.permute(0, 2, 3, 1).reshape(n, n_space, frames * n_joints)
        # (clip, space, node) by (scale, node, node)
        seen = torch.einsum("nci,sij->nscj", nodes, self.adjacency + self.residual)
        mixed = self.mix(seen.flatten(1, 2).view(n, -1, frames, n_joints))
        return self.fuse(self.collapse(mixed).flatten(1))


class Scored(NamedTuple):
    """What both branches say of padded infants.

    Parameters
    ----------
    proposal, online : Tensor of shape (bag, clip, class)
        Logits.
    there : Tensor of shape (bag, clip)
        False where padding.
    bag, place : Tensor of shape (instance,)
        Where each instance stands.
    vector : Tensor of shape (instance, width)
    """

    proposal: torch.Tensor
    online: torch.Tensor
    there: torch.Tensor
    bag: torch.Tensor
    place: torch.Tensor
    vector: torch.Tensor


def highest_mean(score: torch.Tensor, there: torch.Tensor, share: float) -> torch.Tensor:
    """Return the mean of every infant's highest clip scores, for each class.

    Parameters
    ----------
    score : Tensor of shape (bag, clip, class)
        Between 0 and 1.
    there : Tensor of shape (bag, clip)
        At least one a bag.
    share
        Of an infant's clips, rounded up.

    Returns
    -------
    Tensor of shape (bag, class)
    """
    ordered = score.masked_fill(~there[:, :, None], -1.0).sort(dim=1, descending=True).values
    wanted = torch.ceil(there.sum(dim=1) * share - 1e-6).clamp_min(1)[:, None]
    chosen = torch.arange(score.shape[1], device=score.device)[None] < wanted
    return (ordered * chosen[:, :, None]).sum(dim=1) / wanted


class WoGmaNetwork(nn.Module):
    """Clip vectors, proposals over neighbours, online scores.

    Parameters
    ----------
    skeleton, n_space, options
        As in :class:`ClipGraph`.
    n_classes
        Number of classes.
    """

    def __init__(
        self, skeleton: Skeleton, n_space: int, n_classes: int, options: WoGmaOptions
    ) -> None:
        super().__init__()
        self.options, self.n_space = options, n_space
        self.clip = ClipGraph(skeleton, n_space, options)
        widths = (options.clip_width, *options.proposal_widths)
        self.proposals = nn.ModuleList(
            nn.Conv1d(a, b, KERNEL, padding=KERNEL // 2) for a, b in pairwise(widths)
        )
        self.propose = nn.Linear(widths[-1], n_classes)
        self.memory = nn.LSTM(options.clip_width, options.state_width, batch_first=True)
        layers: list[nn.Module] = []
        widths = (options.state_width, *options.online_widths)
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU(), nn.Dropout(options.dropout)]
        self.decide = nn.Sequential(*layers, nn.Linear(widths[-1], n_classes))

    def score(
        self,
        x: torch.Tensor,
        segment: torch.Tensor,
        start: torch.Tensor,
        bag: torch.Tensor,
        n_bags: int,
    ) -> Scored:
        """Score the clips of every infant, in the order in which they come."""
        frames = start[:, None] + torch.arange(self.options.clip_frames, device=x.device)
        clips = x[segment[:, None], frames].unflatten(2, (-1, self.n_space))
        vector = self.clip(clips)
        count = torch.bincount(bag, minlength=n_bags)
        place = torch.zeros_like(bag)
        for b in range(n_bags):
            place[bag == b] = torch.arange(int(count[b]), device=bag.device)
        longest = int(count.max())
        padded = vector.new_zeros(n_bags, longest, vector.shape[1])
        padded = padded.index_put((bag, place), vector)
        there = torch.arange(longest, device=x.device)[None] < count[:, None]
        seen = padded.transpose(1, 2)
        for layer in self.proposals:
            # What pads an infant must not come back from the bias of the layer before.
            seen = functional.relu(layer(seen)) * there[:, None]
        state, _ = self.memory(padded)  # one way: padding comes after everything
        return Scored(
            self.propose(seen.transpose(1, 2)), self.decide(state), there, bag, place, vector
        )

    def forward(
        self,
        x: torch.Tensor,
        segment: torch.Tensor,
        start: torch.Tensor,
        bag: torch.Tensor,
        n_bags: int,
    ) -> BagOutput:
        """Judge clips online, and infants by their highest proposals.

        See :class:`~fidgety.datasets.instances.BagBatch`.
        """
        found = self.score(x, segment, start, bag, n_bags)
        clip = found.proposal.sigmoid()
        video = highest_mean(clip, found.there, self.options.video_share).clamp_min(EPSILON)
        probability = video / video.sum(dim=1, keepdim=True)
        own = clip[found.bag, found.place, probability.argmax(dim=1)[found.bag]]
        return BagOutput(
            instance_logits=found.online[found.bag, found.place],
            embedding=found.vector,
            attention=_share_of_highest(own, found.bag, n_bags, self.options.video_share),
            bag_log_probability=probability.log(),
        )

    def bag_losses(self, batch: BagBatch) -> torch.Tensor:
        """Return every infant's loss, of shape (bag,): the paper's three, summed.

        Cross-entropy of the infant's score; of the online scores with the labels that the
        proposals give to clips; and of the online scores' highest mean.
        """
        n_bags = len(batch.target)
        found = self.score(batch.x, batch.segment, batch.start, batch.bag, n_bags)
        n_classes = found.proposal.shape[2]
        wanted = functional.one_hot(batch.target, n_classes).to(found.proposal.dtype)
        share, options = self.options.video_share, self.options
        proposal = found.proposal.sigmoid()
        video = highest_mean(proposal, found.there, share)
        online = highest_mean(found.online.sigmoid(), found.there, share)
        with torch.no_grad():
            sure = (video >= options.video_from)[:, None] & (proposal >= options.clip_from)
            pseudo = sure.to(wanted.dtype) * wanted[:, None]
        clips = functional.binary_cross_entropy_with_logits(
            found.online, pseudo, reduction="none"
        ).mean(dim=2)
        return (
            _cross_entropy(video, wanted)
            + (clips * found.there).sum(dim=1) / found.there.sum(dim=1)
            + _cross_entropy(online, wanted)
        )


def _cross_entropy(score: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    inside = score.clamp(EPSILON, 1 - EPSILON)
    return functional.binary_cross_entropy(inside, wanted, reduction="none").mean(dim=1)


def _share_of_highest(
    score: torch.Tensor, bag: torch.Tensor, n_bags: int, share: float
) -> torch.Tensor:
    """Return 1 / k for the k clips whose mean is their infant's score, 0 for others."""
    weight = torch.zeros_like(score)
    for b in range(n_bags):
        own = torch.nonzero(bag == b)[:, 0]
        k = max(math.ceil(len(own) * share - 1e-6), 1)
        weight[own[score[own].topk(k).indices]] = 1 / k
    return weight


class WoGma(NetworkSystem):
    """Luo 2022's weakly supervised online detection."""

    name = "wo_gma"
    options = WoGmaOptions
    objective = "bag"
    attention = True
    detects_fidgety = True
    own_loss = True

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read clips without gaps or overlap, positions as they are: the network norms them."""
        return InputSpec(
            feature_sets=(options.coordinates,),
            rate_hz=options.rate_hz,
            window_s=options.window_s,
            step_s=options.window_s,
            predict_step_s=options.window_s,
            standardise=False,
        )

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        require_sizes(cls.name, n_features, n_classes)
        skeleton, n_space = skeleton_of(cls.name, options.coordinates, n_features)
        return WoGmaNetwork(skeleton, n_space, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Adam on whole infants."""
        return TrainingPlan(
            epochs=options.epochs,
            patience=options.patience,
            blind_epochs=options.blind_epochs,
            batch_size=options.bags_per_class,
            optimiser=OptimiserPlan(
                learning_rate=options.learning_rate, weight_decay=options.weight_decay
            ),
            min_steps=options.min_steps,
            settle_batches=SETTLE_BATCHES,
            class_weights=False,
        )
