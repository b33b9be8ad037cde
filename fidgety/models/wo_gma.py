"""WO-GMA: clips found online from infants' labels alone (Luo 2022).

Luo T, Xiao J, Zhang C, et al. (2022). Weakly supervised online action detection for infant general
movements. MICCAI 2022, 721-731.

Clips follow one another; where one is missing, a new stretch begins. A convolution over the
space-time graph of a clip makes it a vector. Over the vectors go two branches:

- **Proposals** (CPGB): convolutions over neighbouring clips score every clip; the mean of an
  infant's highest ones is its own score, which is learned from its label.
- **Online** (OAMB): a one-way LSTM scores every clip from what came before it. It learns from the
  clips that the proposals label, and its own highest ones learn from the infant's label.

The paper has one action, fidgety movements, and an infant's score is that action's. Here every
class has scores of its own, as in multi-class weakly supervised localisation, so that any labelling
can be learned: an infant's probabilities are its scores, brought to a sum of 1. What a clip's
scores say is relative, therefore, and no frequency of fidgety movements is told from them. Where
the authors' code carries the LSTM's state from batch to batch and does not mask what pads a video,
here every unbroken stretch of a recording starts anew and padding counts nowhere. Pose files'
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
    """What both branches say of clips.

    Parameters
    ----------
    proposal, online : Tensor of shape (instance, class)
        Logits.
    vector : Tensor of shape (instance, width)
    """

    proposal: torch.Tensor
    online: torch.Tensor
    vector: torch.Tensor


class Places(NamedTuple):
    """Where items stand when groups of them are laid side by side.

    Parameters
    ----------
    group, place : Tensor of shape (item,)
        Row and column of every item.
    there : Tensor of shape (group, place)
        False where a shorter group is padded.
    """

    group: torch.Tensor
    place: torch.Tensor
    there: torch.Tensor

    @classmethod
    def of(cls, group: torch.Tensor, n_groups: int) -> Places:
        """Lay out items by their groups, in the order in which they come."""
        count = torch.bincount(group, minlength=n_groups)
        order = torch.argsort(group, stable=True)
        place = torch.empty_like(group)
        first = torch.cumsum(count, 0) - count
        place[order] = torch.arange(len(group), device=group.device) - first[group[order]]
        longest = torch.arange(int(count.max()), device=group.device)
        return cls(group, place, longest[None] < count[:, None])

    def pad(self, values: torch.Tensor) -> torch.Tensor:
        """Return (group, place, ...) of (item, ...), zeros where padded."""
        rows = values.new_zeros(*self.there.shape, *values.shape[1:])
        return rows.index_put((self.group, self.place), values)


def stretches(
    segment: torch.Tensor, start: torch.Tensor, bag: torch.Tensor, frames: int
) -> torch.Tensor:
    """Give every unbroken stretch a number: clips of one recording that follow one another.

    Parameters
    ----------
    segment, start, bag : Tensor of shape (instance,)
        Of a :class:`~fidgety.datasets.instances.BagBatch`.
    frames
        Of a clip.

    Returns
    -------
    Tensor of shape (instance,)
        From 0 on.
    """
    follows = (
        (bag[1:] == bag[:-1]) & (segment[1:] == segment[:-1]) & (start[1:] == start[:-1] + frames)
    )
    return torch.cat([torch.zeros_like(bag[:1]), torch.cumsum((~follows).to(bag.dtype), 0)])


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
        self, x: torch.Tensor, segment: torch.Tensor, start: torch.Tensor, bag: torch.Tensor
    ) -> Scored:
        """Score the clips of every unbroken stretch, in the order in which they come."""
        length = self.options.clip_frames
        frames = start[:, None] + torch.arange(length, device=x.device)
        clips = x[segment[:, None], frames].unflatten(2, (-1, self.n_space))
        vector = self.clip(clips)
        stretch = stretches(segment, start, bag, length)
        places = Places.of(stretch, int(stretch[-1]) + 1)
        padded = places.pad(vector)
        state, _ = self.memory(padded)  # one way: padding comes after everything
        at = (places.group, places.place)
        seen = self.look_around(padded, places.there)
        return Scored(self.propose(seen[at]), self.decide(state[at]), vector)

    def look_around(self, padded: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Convolve clip vectors over their neighbours: the proposals before their scores.

        Parameters
        ----------
        padded : Tensor of shape (stretch, clip, width)
            Zeros where there is no clip.
        there : Tensor of shape (stretch, clip)

        Returns
        -------
        Tensor of shape (stretch, clip, narrower width)
        """
        seen = padded.transpose(1, 2)
        for layer in self.proposals:
            # What pads a stretch must not come back from the bias of the layer before.
            seen = functional.relu(layer(seen)) * there[:, None]
        return seen.transpose(1, 2)

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
        found = self.score(x, segment, start, bag)
        clip, infants = found.proposal.sigmoid(), Places.of(bag, n_bags)
        share = self.options.video_share
        probability = _shares(highest_mean(infants.pad(clip), infants.there, share))
        own = clip.gather(1, probability.argmax(dim=1)[bag][:, None])[:, 0]
        return BagOutput(
            instance_logits=found.online,
            embedding=found.vector,
            attention=_share_of_highest(own, bag, n_bags, share),
            bag_log_probability=probability.log(),
        )

    def prefix_log_probability(self, batch: BagBatch, output: BagOutput) -> torch.Tensor:
        """Judge a bag that ends with each of its clips.

        A clip's proposal looks some clips ahead, so that the last ones are proposed anew where the
        recording ends; those before are what they are in the whole.

        Parameters
        ----------
        batch
            One bag.
        output
            Of the whole of it.

        Returns
        -------
        Tensor of shape (clip, class)
        """
        vector = output.embedding
        n, reach = len(vector), len(self.proposals) * (KERNEL // 2)
        stretch = stretches(batch.segment, batch.start, batch.bag, self.options.clip_frames)
        places = Places.of(stretch, int(stretch[-1]) + 1)
        seen = self.look_around(places.pad(vector), places.there)
        whole = self.propose(seen[places.group, places.place]).sigmoid()
        # Of every prefix the last clips, and before them what these look back at.
        last = torch.arange(n)[:, None] + torch.arange(1 - 2 * reach, 1)
        there = (last >= 0) & (stretch[last.clamp_min(0)] == stretch[:, None])
        ends = self.look_around(vector[last.clamp_min(0)] * there[:, :, None], there)
        anew = self.propose(ends[:, -reach:]).sigmoid()
        video = []
        for k in range(n):
            known = whole[: k + 1].clone()
            changed = there[k, -reach:]
            known[last[k, -reach:][changed]] = anew[k, changed]
            all_there = torch.ones(1, k + 1, dtype=torch.bool)
            video.append(highest_mean(known[None], all_there, self.options.video_share)[0])
        return _shares(torch.stack(video)).log()

    def bag_losses(self, batch: BagBatch) -> torch.Tensor:
        """Return every infant's loss, of shape (bag,): the paper's three, summed.

        Cross-entropy of the infant's score; of the online scores with the labels that the
        proposals give to clips; and of the online scores' highest mean.
        """
        found = self.score(batch.x, batch.segment, batch.start, batch.bag)
        infants = Places.of(batch.bag, len(batch.target))
        n_classes = found.proposal.shape[1]
        wanted = functional.one_hot(batch.target, n_classes).to(found.proposal.dtype)
        share, options = self.options.video_share, self.options
        proposal = found.proposal.sigmoid()
        video = highest_mean(infants.pad(proposal), infants.there, share)
        online = highest_mean(infants.pad(found.online.sigmoid()), infants.there, share)
        with torch.no_grad():
            sure = (video >= options.video_from)[batch.bag] & (proposal >= options.clip_from)
            pseudo = sure.to(wanted.dtype) * wanted[batch.bag]
        clips = functional.binary_cross_entropy_with_logits(
            found.online, pseudo, reduction="none"
        ).mean(dim=1)
        return (
            _cross_entropy(video, wanted)
            + infants.pad(clips).sum(dim=1) / infants.there.sum(dim=1)
            + _cross_entropy(online, wanted)
        )


def _shares(video: torch.Tensor) -> torch.Tensor:
    """Bring the scores of classes, each by itself, to a sum of 1: (bag, class)."""
    inside = video.clamp_min(EPSILON)
    return inside / inside.sum(dim=1, keepdim=True)


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
    classes_apart = True
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
        skeleton, n_space = skeleton_of(cls.name, options.coordinates, n_features, n_classes)
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
