"""The arithmetic of MAM's encoder on a CPU, several times faster than by PyTorch's layers.

The network is defined by the modules of :mod:`fidgety.models.mam`, which hold the weights. From
them this module computes the same outputs and gradients. Where the time went, and what is done:

- Most layers are narrow, so that memory, not arithmetic, set the speed, and fresh memory most of
  all (the system clears every page of it). Here a chunk of a thousand tokens goes through all
  layers before the next one does, in memory that is used again.
- In training nothing inside a chunk is kept. The backward pass computes the chunk again, with the
  same random numbers, which is cheaper than to store and read what a whole batch has in between.
  The convolutions' outputs are kept: they are small, and dear to compute.
- PyTorch's dropout draws one number after the other, which took more time than all products
  together. Here a draw is a byte of a fast generator, seeded by PyTorch's.
- Gradients are written by hand, so that those of all chunks add up inside matrix products.
- In evaluation, biases are moved to where they cost nothing.
- Threads take whole chunks. Where they shared every operation, they waited for each other.

Chunks, and what is dropped in them, do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from fidgety.models.mam_parts import (
    EncoderLayer,
    Pool,
    ScoringLayer,
    Stem,
    Tape,
    Workspace,
    generator,
    layer_parameters,
)

#: Tokens that go through a Transformer together: 64 frames of 17 joints.
CHUNK_TOKENS = 1088
#: Attention weights that are held together.
CHUNK_WEIGHTS = 400_000
#: Frames that go through the convolutions together.
CHUNK_FRAMES = 256

Item = TypeVar("Item")
Worker = TypeVar("Worker")
Found = TypeVar("Found")


def suits(x: torch.Tensor) -> bool:
    """Say whether this module computes for ``x``: on the CPU, with no precision but its own."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def spread(
    items: Sequence[Item], make: Callable[[], Worker], do: Callable[[Worker, Item], Found]
) -> tuple[list[Worker], list[Found]]:
    """Do some work on items, on as many threads as PyTorch has, each item on one thread.

    Parameters
    ----------
    items
        Of about the same size.
    make
        Makes what a thread works with.
    do
        Does the work, without autograd.

    Returns
    -------
    workers
        What the threads worked with.
    found
        One for each item.
    """
    threads = torch.get_num_threads()
    workers = [make() for _ in range(max(min(threads, len(items)), 1))]
    if len(workers) == 1:
        with torch.no_grad():
            return workers, [do(workers[0], item) for item in items]

    def some(first: int) -> list[Found]:
        torch.set_num_threads(1)  # of this thread
        with torch.no_grad():
            return [do(workers[first], item) for item in items[first :: len(workers)]]

    try:
        with ThreadPoolExecutor(len(workers)) as pool:
            shares = list(pool.map(some, range(len(workers))))
    finally:
        torch.set_num_threads(threads)  # of threads to come, which it also sets
    return workers, [shares[n % len(workers)][n // len(workers)] for n in range(len(items))]


def _total(workers: Sequence[Any]) -> list[torch.Tensor]:
    """Return the sum of what workers have learned."""
    both = zip(*(worker.gradients() for worker in workers), strict=True)
    return [torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0] for parts in both]


def _chunks(n: int, size: int) -> list[slice]:
    """Return which of n things go together."""
    size = max(size, 1)
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


def _set_chunks(x: torch.Tensor, encoder: nn.TransformerEncoder) -> list[slice]:
    """Return which sets, of shape (set, token, width), go together."""
    sets, length = x.shape[:2]
    heads = encoder_layers(encoder)[0].self_attn.num_heads
    return _chunks(sets, min(CHUNK_TOKENS // length, CHUNK_WEIGHTS // (heads * length**2)))


class SetEncoder:
    """Transformer encoder and pooling over sets of tokens, chunk by chunk, in training.

    Parameters
    ----------
    encoder, score
        Hold the weights.
    training
        Whether to drop.
    """

    def __init__(
        self, encoder: nn.TransformerEncoder, score: nn.Sequential, training: bool
    ) -> None:
        self.layers = [EncoderLayer(layer, training) for layer in encoder_layers(encoder)]
        self.pool = Pool(score)
        like = self.pool.layers[0].weight.value
        # One for each layer: what it has made must last until the way back.
        self.work = [Workspace(like) for _ in self.layers]

    def forward(
        self, x: torch.Tensor, chance: np.random.Generator, tape: Tape | None = None
    ) -> torch.Tensor:
        """Encode a chunk of sets, of shape (set, token, width), into (set, width)."""
        length = x.shape[1]
        x = x.flatten(0, 1)
        for layer, work in zip(self.layers, self.work, strict=True):
            x = layer.forward(x, length, chance, work, tape)
        return self.pool.forward(x, length, self.work[0], tape)

    def backward(self, gradient: torch.Tensor, tape: Tape) -> torch.Tensor:
        """Return the gradient of a chunk, of shape (set * token, width)."""
        gradient = self.pool.backward(gradient, tape)
        for layer, work in zip(reversed(self.layers), reversed(self.work), strict=True):
            gradient = layer.backward(gradient, work, tape)
        return gradient

    def gradients(self) -> list[torch.Tensor]:
        """Return the gradients in the order of :func:`set_parameters`."""
        own = [g for layer in self.layers for g in layer.gradients()]
        return own + self.pool.gradients()


class SetScorer:
    """The same in evaluation, without a way back.

    Parameters
    ----------
    encoder, score
        Hold the weights.
    """

    def __init__(self, encoder: nn.TransformerEncoder, score: nn.Sequential) -> None:
        self.layers: list[ScoringLayer] = []
        following = None
        for layer in reversed(encoder_layers(encoder)):
            self.layers.insert(0, ScoringLayer(layer, following))
            following = self.layers[0].first
        self.chunks = partial(_set_chunks, encoder=encoder)
        self.pool = Pool(score)
        self.work = Workspace(self.pool.layers[0].weight.value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode a chunk of sets, of shape (set, token, width), into (set, width)."""
        length, width = x.shape[1:]
        tokens = self.work("tokens", len(x) * length, width)
        x = torch.add(x.flatten(0, 1), self.layers[0].first, out=tokens)
        for layer in self.layers:
            x = layer.forward(x, length, self.work)
        return self.pool.forward(x, length, self.work)

    def run(self, x: torch.Tensor) -> torch.Tensor:
        """Encode any number of sets."""
        return torch.cat([self.forward(x[some]) for some in self.chunks(x)])


def encoder_layers(encoder: nn.TransformerEncoder) -> list[nn.TransformerEncoderLayer]:
    """Return the layers with their type."""
    layers = list(encoder.layers)
    assert all(isinstance(layer, nn.TransformerEncoderLayer) for layer in layers)
    return layers


def set_parameters(encoder: nn.TransformerEncoder, score: nn.Sequential) -> list[torch.Tensor]:
    """Return the parameters in the order of :meth:`SetEncoder.gradients`."""
    own = [p for layer in encoder_layers(encoder) for p in layer_parameters(layer)]
    return own + [p for m in score if isinstance(m, nn.Linear) for p in (m.weight, m.bias)]


class _EncodeSets(torch.autograd.Function):
    """Transformer encoder and pooling; the backward pass computes every chunk again."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        encoder: nn.TransformerEncoder,
        score: nn.Sequential,
        training: bool,
        *parameters: torch.Tensor,
    ) -> torch.Tensor:
        ctx.make = partial(SetEncoder, encoder, score, training)
        ctx.chunks, ctx.seed = _set_chunks(x, encoder), _seed(training)
        ctx.save_for_backward(x, *parameters)

        def forth(work: SetEncoder, some: slice) -> torch.Tensor:
            return work.forward(x[some], generator(ctx.seed, some.start))

        return torch.cat(spread(ctx.chunks, ctx.make, forth)[1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        x = ctx.saved_tensors[0]  # and the parameters, to have their versions checked
        to_x = torch.empty_like(x)

        def back(work: SetEncoder, some: slice) -> None:
            tape: Tape = []
            work.forward(x[some], generator(ctx.seed, some.start), tape)
            to_x[some] = work.backward(gradient[some], tape).view_as(x[some])

        workers, _ = spread(ctx.chunks, ctx.make, back)
        return to_x, None, None, None, *_total(workers)


def _seed(training: bool) -> int:
    """Draw a seed from PyTorch's generator, where one is needed."""
    return int(torch.randint(2**63 - 1, ())) if training else 0


def encode_sets(
    x: torch.Tensor, encoder: nn.TransformerEncoder, score: nn.Sequential, training: bool
) -> torch.Tensor:
    """Encode sets of tokens and pool each of them.

    Parameters
    ----------
    x : Tensor of shape (set, token, width)
    encoder, score
        Of post-norm layers with ReLU; the network that scores tokens for pooling.
    training
        Whether to drop.

    Returns
    -------
    Tensor of shape (set, width)
    """
    parameters = set_parameters(encoder, score)
    if not torch.is_grad_enabled() and not training:
        make, do = partial(SetScorer, encoder, score), SetScorer.forward
        return torch.cat(spread([x[some] for some in _set_chunks(x, encoder)], make, do)[1])
    found: torch.Tensor = _EncodeSets.apply(x.contiguous(), encoder, score, training, *parameters)
    return found


class _EmbedJoints(torch.autograd.Function):
    """The stem; the backward pass has every layer's outputs, which are what fills the memory."""

    @staticmethod
    def forward(
        ctx: Any,
        rows: torch.Tensor,
        joints: int,
        options: tuple[Any, ...],
        *parameters: torch.Tensor,
    ) -> torch.Tensor:
        weight, bias, *_ = parameters
        ctx.make = partial(Stem, weight.detach(), bias, *options)
        ctx.chunks = _chunks(len(rows), CHUNK_FRAMES // rows.shape[1])
        seed = _seed(options[-1])

        def forth(stem: Stem, some: slice) -> list[torch.Tensor]:
            return stem.forward(rows[some], joints, generator(seed, some.start))

        outputs = spread(ctx.chunks, ctx.make, forth)[1]
        found = torch.cat([chunk[-1] for chunk in outputs])
        # The last outputs stay in one piece, which what comes next keeps anyway.
        ctx.inner = [chunk[:-1] for chunk in outputs]
        ctx.save_for_backward(rows, found, *parameters)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        rows, found, *_ = ctx.saved_tensors

        def back(stem: Stem, item: tuple[slice, list[torch.Tensor]]) -> None:
            some, inner = item
            stem.backward(gradient[some].clone(), rows[some], [*inner, found[some]])

        items = list(zip(ctx.chunks, ctx.inner, strict=True))
        workers, _ = spread(items, ctx.make, back)
        return None, None, None, *_total(workers)


def embed_joints(
    rows: torch.Tensor,
    joints: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    temporal: nn.Conv2d | None,
    stride: int,
    probability: float,
    training: bool,
) -> torch.Tensor:
    """Embed every joint of frames by the joints around it and the frames behind it.

    Parameters
    ----------
    rows, joints
        As for :meth:`Stem.forward`.
    weight, bias, temporal, stride, probability, training
        As for :class:`Stem`.

    Returns
    -------
    Tensor of shape (series, frame, joint, width)
    """
    options = (temporal, stride, probability, training)
    parameters = [weight, bias]
    if temporal is not None:
        assert temporal.bias is not None
        parameters += [temporal.weight, temporal.bias]
    found: torch.Tensor = _EmbedJoints.apply(rows, joints, options, *parameters)
    return found


def score_frames(
    x: torch.Tensor,
    rows: Callable[[torch.Tensor], torch.Tensor],
    stem: tuple[Any, ...],
    transformer: tuple[nn.TransformerEncoder, nn.Sequential],
    lost: int,
) -> torch.Tensor:
    """Embed frames in evaluation, without a way back.

    Parameters
    ----------
    x : Tensor of shape (segment, frame, V, C)
    rows
        Makes of such positions what the stem takes.
    stem, transformer
        Of which :class:`Stem` and :class:`SetScorer` are made.
    lost
        Frames that the convolutions take off.

    Returns
    -------
    Tensor of shape (segment, embedded frame, width)
    """
    _, _, temporal, stride, *_ = stem
    step = stride if temporal is not None else 1
    size = max(CHUNK_FRAMES // step, 1) * step
    # Pieces that stay in the cache; each needs the frames behind it that convolutions take.
    pieces = [
        segment[None, first : first + size + lost]
        for segment in x
        for first in range(0, x.shape[1] - lost, size)
    ]

    def make() -> tuple[Stem, SetScorer]:
        return Stem(*stem), SetScorer(*transformer)

    def embed(worker: tuple[Stem, SetScorer], piece: torch.Tensor) -> torch.Tensor:
        first, second = worker
        h = first.forward(rows(piece), piece.shape[2], work=second.work)[-1]
        return second.run(h[0])

    return torch.cat(spread(pieces, make, embed)[1]).unflatten(0, (len(x), -1))
