"""The clip encoder of MAM (Gao et al. 2023) with multi-instance attention pooling: ``mam_clip``.

Gao Q, Yao S, Tian Y, et al. (2023). Automating General Movements Assessment with quantitative
deep learning to facilitate early screening of cerebral palsy. Nature Communications 14:8294;
Methods, "Overall architecture" to "Hyperparameters", Supplementary Figs. 1 and 2. Sizes that the
paper does not give follow the authors' public code and released weights.

What this is: the spatio-temporal Transformer over clips of 9.6 s, its clip classifier
(pre-trained on annotated reference clips where there are any), and the fusion of a bag's clip
probabilities into the infant's. What it is *not*: the whole MAM. The reference branch's triplet
loss, the closeness loss and the branch of the infant's characteristics are not part of it, which
is why it is called ``mam_clip``; :class:`~fidgety.models.base.BagOutput` hands out the embedding
that these losses need.

The clip classes are the study's classes. In the paper they are two: a clip with fidgety
movements votes for "normal", one without for "risk"; so a clip's probability of fidgety movements
is that of the classes that are not at risk.

Cost. For signed differences the first convolution is linear in the positions, so the 17 x 16
matrix of differences is never made (:meth:`DifferenceConvolution.forward`). All that comes before
the position code depends on 19 frames alone, so overlapping instances of a recording share it:
the frames of a bag's segment are embedded once, and instances are windows into that. (In training
they thereby also share the dropout masks of that part.) ``frame_stride`` embeds every k-th frame
only, with the very same weights; 1 is the published network. On a CPU
:mod:`fidgety.models.mam_encoder` computes what the modules here define.

Training as published: :data:`fidgety.models.mam_full_options.PUBLISHED`. The default differs (Adam,
few epochs, early stopping), so that it ends within minutes on a CPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from fidgety.datasets.instances import BagBatch
from fidgety.datasets.series import InputSpec
from fidgety.errors import ConfigError
from fidgety.models import mam_encoder
from fidgety.models.base import BagOutput, NetworkSystem, OptimiserPlan, TrainingPlan
from fidgety.models.mam_options import TEMPORAL_KERNEL, TEMPORAL_PASSES, MamClipOptions

DIMENSIONS = {"coordinates_3d": 3, "coordinates_2d": 2}


class DifferenceConvolution(nn.Module):
    """Conv2d over the differences of a joint to other joints, one output a joint.

    ``out[i] = sum_k W[:, :, k] . (p_i - p_o(i, k)) + b``, where o(i, k) are the other joints in
    ascending order (``released``) or all joints (``paper``).

    Parameters
    ----------
    joints, dimensions, width
        V, C and the number of filters.
    others
        Leave the joint itself out (V - 1 differences) or not (V, the joint's own being zero).
    absolute
        Distances instead of signed differences.
    """

    def __init__(
        self, joints: int, dimensions: int, width: int, *, others: bool, absolute: bool
    ) -> None:
        super().__init__()
        neighbours = joints - 1 if others else joints
        # Conv2d itself is never called: it holds the weights and draws them as the original.
        self.convolution = nn.Conv2d(dimensions, width, (1, neighbours))
        self.absolute = absolute
        other = [[j for j in range(joints) if j != i or not others] for i in range(joints)]
        self.register_buffer("other", torch.tensor(other), persistent=False)
        self.other: torch.Tensor

    def matrix(self) -> torch.Tensor:
        """Return the linear map from positions to outputs, of shape (V, C, V, width).

        ``sum_k W_k p_i - sum_k W_k p_o(i, k)``: entry [j, c, i, d] is what dimension c of joint j
        adds to filter d of joint i.
        """
        weight = self.convolution.weight[:, :, 0, :]  # (width, C, K)
        joints, neighbours = self.other.shape
        placed = weight.new_zeros(joints, joints, *weight.shape[:2])  # (i, j, width, C)
        rows = torch.arange(joints, device=weight.device)[:, None].expand(-1, neighbours)
        per_joint = weight.permute(2, 0, 1).expand(joints, -1, -1, -1)
        placed = placed.index_put((rows, self.other), -per_joint)
        own = torch.eye(joints, device=weight.device, dtype=weight.dtype)
        placed = placed + own[..., None, None] * weight.sum(dim=2)
        return placed.permute(1, 3, 0, 2)

    def rows(self, positions: torch.Tensor) -> torch.Tensor:
        """Return what the outputs are linear in.

        Parameters
        ----------
        positions : Tensor of shape (..., V, C)

        Returns
        -------
        Tensor of shape (..., V * C) or (..., V, K * C)
            The positions, or each joint's distances.
        """
        if not self.absolute:
            return positions.flatten(-2)
        distance = positions[..., :, None, :] - positions[..., self.other, :]
        return distance.abs().flatten(-2)

    def row_weight(self) -> torch.Tensor:
        """Return what :meth:`rows` are multiplied by: (V * C, V * width) or (K * C, width)."""
        if not self.absolute:
            return self.matrix().flatten(2).flatten(0, 1)
        return self.convolution.weight[:, :, 0, :].permute(2, 1, 0).flatten(0, 1)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Convolve.

        Parameters
        ----------
        positions : Tensor of shape (..., V, C)

        Returns
        -------
        Tensor of shape (..., V, width)
        """
        bias = self.convolution.bias
        assert bias is not None
        found = self.rows(positions) @ self.row_weight()
        return found.reshape(*positions.shape[:-1], len(bias)) + bias


class JointConvolution(nn.Module):
    """Conv2d over each joint by itself: what stands in place of the differences.

    Parameters
    ----------
    numbers, width
        Numbers a joint, and the number of filters.
    """

    def __init__(self, numbers: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(numbers, width, (1, 1))

    def rows(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return what the outputs are linear in: the joints' numbers, (..., V, number)."""
        return numbers

    def row_weight(self) -> torch.Tensor:
        """Return what :meth:`rows` are multiplied by: (number, width)."""
        return self.convolution.weight[:, :, 0, 0].t()

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Convolve: (..., V, number) to (..., V, width)."""
        bias = self.convolution.bias
        assert bias is not None
        return numbers @ self.row_weight() + bias


class AttentionPool(nn.Module):
    """Weighted mean over the second last axis (Supplementary Fig. 2).

    Parameters
    ----------
    width
        Of what is pooled.
    hidden
        Widths of the scoring network's hidden layers, each followed by tanh.
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.score = scoring_network(width, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the pooled vectors, of shape (..., width)."""
        return (self.score(x).softmax(dim=-2) * x).sum(dim=-2)


def log_of_pooled(pooled: torch.Tensor, bag_softmax: bool) -> torch.Tensor:
    """Return a bag's log-probabilities from its pooled ones, of shape (..., class)."""
    return pooled.log_softmax(dim=-1) if bag_softmax else pooled.clamp_min(1e-7).log()


def scoring_network(width: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Build a network that scores vectors: linear and tanh layers, then one number."""
    layers: list[nn.Module] = []
    for out in hidden:
        layers += [nn.Linear(width, out), nn.Tanh()]
        width = out
    return nn.Sequential(*layers, nn.Linear(width, 1))


def position_code(frames: torch.Tensor, width: int) -> torch.Tensor:
    """Sinusoidal position code (Vaswani 2017), of shape (frame, width)."""
    scale = torch.exp(
        torch.arange(0, width, 2, device=frames.device) * (-math.log(10000.0) / width)
    )
    angle = frames[:, None] * scale
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


class ClipEncoder(nn.Module):
    """Spatio-temporal Transformer (Supplementary Fig. 1).

    Parameters
    ----------
    joints
        V.
    options
        Sizes and variant.
    """

    def __init__(self, joints: int, options: MamClipOptions) -> None:
        super().__init__()
        width = options.width
        self.window = round(options.window_s * options.rate_hz)
        self.stride, self.lost = options.frame_stride, options.lost_frames
        self.dimensions = DIMENSIONS[options.coordinates]
        self.sets = len(options.inputs)
        self.width = width
        self.difference: DifferenceConvolution | JointConvolution
        if options.inputs == ("differences",):
            self.difference = DifferenceConvolution(
                joints,
                self.dimensions,
                width,
                others=options.variant == "released",
                absolute=options.differences == "absolute",
            )
        else:
            self.difference = JointConvolution(self.sets * self.dimensions, width)
        self.temporal = (
            nn.Conv2d(width, width, (TEMPORAL_KERNEL, 1)) if options.variant == "released" else None
        )
        self.spatial_encoder = self._transformer(options)
        self.spatial_pool = AttentionPool(width, options.pool_widths)
        if options.share_weights:
            self.temporal_encoder, self.temporal_pool = self.spatial_encoder, self.spatial_pool
        else:
            self.temporal_encoder = self._transformer(options)
            self.temporal_pool = AttentionPool(width, options.pool_widths)
        self.dropout = nn.Dropout(options.dropout)

    @staticmethod
    def _transformer(options: MamClipOptions) -> nn.TransformerEncoder:
        layer = nn.TransformerEncoderLayer(
            options.width, options.heads, options.feed_forward, batch_first=True
        )
        return nn.TransformerEncoder(layer, options.encoder_layers, enable_nested_tensor=False)

    def embed_frames(self, x: torch.Tensor) -> torch.Tensor:
        """Embed every k-th frame (k = ``frame_stride``) by its neighbourhood.

        Parameters
        ----------
        x : Tensor of shape (segment, frame, set * V * C)
            Positions or whatever is read of the joints, set by set, keypoint-major.

        Returns
        -------
        Tensor of shape (segment, embedded frame, width)
            Embedded frame f stands for the frames from f * k on.
        """
        x = x.unflatten(-1, (self.sets, -1, self.dimensions)).transpose(-3, -2).flatten(-2)
        if self.temporal is None:
            x = x[:, :: self.stride]
        if mam_encoder.suits(x) and not x.requires_grad:
            return self._embed_frames_fast(x)
        h = self.dropout(self.difference(x).relu())
        if self.temporal is not None:
            # (segment, width, frame, V), channels last in memory: no copy is made.
            h = h.permute(0, 3, 1, 2)
            for n in range(TEMPORAL_PASSES):
                stride = self.stride if n == TEMPORAL_PASSES - 1 else 1
                h = nn.functional.conv2d(
                    h, self.temporal.weight, self.temporal.bias, stride=(stride, 1)
                )
                h = self.dropout(h.relu())
            h = h.permute(0, 2, 3, 1)
        tokens = h.flatten(0, 1)
        return self.spatial_pool(self.spatial_encoder(tokens)).unflatten(0, h.shape[:2])

    def _embed_frames_fast(self, x: torch.Tensor) -> torch.Tensor:
        """Do the same on a CPU, x of shape (segment, frame, V, C)."""
        joints = x.shape[-2]
        bias = self.difference.convolution.bias
        assert bias is not None
        weight = self.difference.row_weight()
        stem = (weight, bias, self.temporal, self.stride, self.dropout.p, self.training)
        transformer = (self.spatial_encoder, self.spatial_pool.score)
        if torch.is_grad_enabled() or self.training:
            h = mam_encoder.embed_joints(self.difference.rows(x), joints, *stem)
            return mam_encoder.encode_sets(h.flatten(0, 1), *transformer, self.training).unflatten(
                0, h.shape[:2]
            )
        return mam_encoder.score_frames(x, self.difference.rows, stem, transformer, self.lost)

    def embed_windows(
        self, frames: torch.Tensor, segment: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        """Embed instances from their frames' embeddings.

        Parameters
        ----------
        frames : Tensor of shape (segment, embedded frame, width)
            From :meth:`embed_frames`.
        segment, start : Tensor of shape (instance,)
            Segment and first frame; a multiple of ``frame_stride``.

        Returns
        -------
        Tensor of shape (instance, width)
        """
        offset = torch.arange(0, self.window - self.lost, self.stride, device=frames.device)
        index = (start[:, None] + offset) // self.stride
        h = frames[segment[:, None], index]
        h = self.dropout(h + position_code(offset.to(h.dtype), self.width))
        if mam_encoder.suits(h):
            return mam_encoder.encode_sets(
                h, self.temporal_encoder, self.temporal_pool.score, self.training
            )
        return self.temporal_pool(self.temporal_encoder(h))


class MamClipNetwork(nn.Module):
    """Clip encoder, clip classifier, and attention pooling over a bag's clips.

    Parameters
    ----------
    joints, n_classes
        Number of joints and of classes.
    options
        Sizes and variant.
    """

    def __init__(self, joints: int, n_classes: int, options: MamClipOptions) -> None:
        super().__init__()
        self.encoder = ClipEncoder(joints, options)
        self.classifier = nn.Linear(options.width, n_classes)
        self.bag_score = scoring_network(n_classes, (32, 16))
        self.bag_softmax = options.bag_softmax

    def embed_clips(self, x: torch.Tensor) -> torch.Tensor:
        """Embed single clips, x of shape (clip, frame, V * C)."""
        segment = torch.arange(len(x), device=x.device)
        frames = self.encoder.embed_frames(x)
        return self.encoder.embed_windows(frames, segment, torch.zeros_like(segment))

    def clip_logits(self, x: torch.Tensor) -> torch.Tensor:
        """Classify single clips.

        Parameters
        ----------
        x : Tensor of shape (clip, frame, V * C)

        Returns
        -------
        Tensor of shape (clip, class)
        """
        return self.classifier(self.embed_clips(x))

    def forward(
        self,
        x: torch.Tensor,
        segment: torch.Tensor,
        start: torch.Tensor,
        bag: torch.Tensor,
        n_bags: int,
    ) -> BagOutput:
        """Classify instances and bags.

        Parameters
        ----------
        x : Tensor of shape (segment, frame, V * C)
        segment, start, bag : Tensor of shape (instance,)
            Segment, first frame in it and bag of every instance.
        n_bags
            Number of bags; each has at least one instance.
        """
        embedding = self.encoder.embed_windows(self.encoder.embed_frames(x), segment, start)
        logits = self.classifier(embedding)
        probability = logits.float().softmax(dim=1)
        score = self.bag_score(probability)[:, 0].float()
        member = bag == torch.arange(n_bags, device=bag.device)[:, None]  # (bag, instance)
        weight = score.masked_fill(~member, -math.inf).softmax(dim=1)
        pooled = weight @ probability
        log_probability = log_of_pooled(pooled, self.bag_softmax)
        return BagOutput(logits, embedding, weight.sum(dim=0), log_probability)

    def prefix_log_probability(self, batch: BagBatch, output: BagOutput) -> torch.Tensor:
        """Judge a bag that ends with each of its instances.

        An instance's score does not depend on the others, so that the attention over the first
        ones is the softmax of their scores alone. Sums are kept as logarithms: a later score that
        is much higher must not wipe out those before it.

        Parameters
        ----------
        batch
            One bag.
        output
            Of the whole of it.

        Returns
        -------
        Tensor of shape (instance, class)
        """
        own = output.instance_logits.float().log_softmax(dim=1)
        score = self.bag_score(own.exp()).float()  # (instance, 1)
        pooled = (score + own).logcumsumexp(dim=0) - score.logcumsumexp(dim=0)
        return log_of_pooled(pooled.exp(), self.bag_softmax)


def load_released(network: MamClipNetwork, weights: Mapping[str, torch.Tensor]) -> None:
    """Load the published clip weights into a network of their sizes.

    The published classifier's second output is fidgety. The fusion has no published weights and
    stays as it is.

    Parameters
    ----------
    network
        Of variant ``released`` with two classes: without and with fidgety movements, 1 encoder
        layer, feed-forward width 2048, pool widths (64,), shared weights.
    weights
        From ``torch.load(path, weights_only=True)``.

    Raises
    ------
    ConfigError
        If names or sizes do not fit.
    """
    shared = network.encoder.temporal_pool is network.encoder.spatial_pool
    places = {
        "cnn.": "encoder.difference.convolution.",
        "tcn.": "encoder.temporal.",
        "transformer_encoder.": "encoder.spatial_encoder.",
        "attention.attention.": "encoder.spatial_pool.score.",
        "linear.": "classifier.",
    }
    state = network.state_dict()
    unset = {name for name in state if not name.startswith("bag_score.")}
    remedy = (
        "They need variant: released, encoder_layers: 1, feed_forward: 2048, pool_widths: [64], "
        "share_weights: true."
    )
    for name, value in weights.items():
        prefix = next((p for p in places if name.startswith(p)), None)
        own = None if prefix is None else places[prefix] + name[len(prefix) :]
        if own is None or own not in state or state[own].shape != value.shape or not shared:
            raise ConfigError(
                f"published weights: {name} {tuple(value.shape)} has no place in this network. "
                + remedy
            )
        state[own] = value
        unset.discard(own)
        # With shared weights the state names the same tensors twice.
        for role in ("encoder", "pool"):
            twin = own.replace(f"encoder.spatial_{role}.", f"encoder.temporal_{role}.")
            if twin in state:
                state[twin] = value
                unset.discard(twin)
    if unset:
        raise ConfigError(
            f"published weights: nothing for {', '.join(sorted(unset))} of this network. " + remedy
        )
    network.load_state_dict(state)


class MamClip(NetworkSystem):
    """Gao 2023's clip encoder with multi-instance attention pooling."""

    name = "mam_clip"
    options = MamClipOptions
    objective = "bag"
    attention = True
    detects_fidgety = True
    network: ClassVar[type[MamClipNetwork]] = MamClipNetwork

    @classmethod
    def inputs(cls, options: Any) -> InputSpec:
        """Read 9.6 s of positions at 25 frames a second, each dimension a z-score."""
        return InputSpec(
            feature_sets=options.feature_sets,
            rate_hz=options.rate_hz,
            window_s=options.window_s,
            step_s=options.step_s,
            predict_step_s=options.predict_step_s,
            space_dimensions=DIMENSIONS[options.coordinates],
            centre=options.centre,
        )

    @classmethod
    def build(cls, options: Any, n_features: int, n_classes: int) -> nn.Module:
        """Build the network."""
        a_joint = DIMENSIONS[options.coordinates] * len(options.inputs)
        joints, rest = divmod(n_features, a_joint)
        if rest or joints < 2 or n_classes < 2:
            raise ConfigError(
                f"{cls.name} cannot tell {n_classes} classes from {n_features} numbers a frame of "
                f"{', '.join(options.feature_sets)}."
            )
        return cls.network(joints, n_classes, options)

    @classmethod
    def training(cls, options: Any) -> TrainingPlan:
        """Pre-training of the clip part, then bags."""
        cyclic = options.optimiser == "sgd_cyclic"
        pretraining = None
        if options.pretrain_epochs:
            pretraining = TrainingPlan(
                epochs=options.pretrain_epochs,
                patience=options.pretrain_epochs,
                blind_epochs=options.pretrain_epochs,
                batch_size=options.pretrain_batch_size,
                bag_instances=options.pretrain_run,
                min_steps=options.min_steps,
                stop_below=options.pretrain_stop_loss,
                optimiser=OptimiserPlan(
                    learning_rate=options.pretrain_learning_rate,
                    weight_decay=options.pretrain_weight_decay,
                    schedule=options.pretrain_schedule,
                ),
            )
        return TrainingPlan(
            epochs=options.epochs,
            patience=options.patience,
            blind_epochs=options.blind_epochs,
            batch_size=options.bags_per_class,
            optimiser=OptimiserPlan(
                kind="sgd" if cyclic else "adam",
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay,
                schedule="cyclic" if cyclic else "constant",
                step_epochs=20,
            ),
            min_delta=1e-3,
            min_steps=options.min_steps,
            bag_instances=options.bag_instances,
            pretraining=pretraining,
        )
