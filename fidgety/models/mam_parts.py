"""Parts of MAM's encoder as :mod:`fidgety.models.mam_encoder` computes them: both ways, by hand.

Every part takes its weights from a module and keeps nothing but them and their gradients. What the
way back needs of the way forth goes onto a tape and is taken off it in reverse order. A dropout's
mask is of ones and zeros; its scale is moved into the weights behind it or before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

aten = torch.ops.aten

#: Shorter sets have their attention weights' softmax taken along the first axis, which is faster.
SHORT_SET = 64
#: Sums of thousands of exponentials of up to this are good numbers.
MODERATE = 60.0

Tape = list[Any]


class Workspace:
    """Memory by name, used again for every chunk.

    Fresh memory for every intermediate costs a third of the time: it is not in the cache.

    Parameters
    ----------
    like
        Has the type of number.
    """

    def __init__(self, like: torch.Tensor) -> None:
        self._like = like.detach()
        self._memory: dict[str, torch.Tensor] = {}
        self._views: dict[tuple[object, ...], Any] = {}

    def __call__(self, name: str, *shape: int) -> torch.Tensor:
        """Return a tensor of a shape; it shares its memory with all of that name."""
        key = (name, *shape)
        view: torch.Tensor | None = self._views.get(key)
        if view is None:
            size = math.prod(shape)
            memory = self._memory.get(name)
            if memory is None or len(memory) < size:
                memory = self._memory[name] = self._like.new_empty(size)
            view = self._views[key] = memory[:size].view(shape)
        return view

    def attention(self, heads: int, tokens: int, length: int, depth: int) -> AttentionMemory:
        """Return an attention's intermediates."""
        key = ("attention", heads, tokens, length, depth)
        found: AttentionMemory | None = self._views.get(key)
        if found is None:
            found = self._views[key] = AttentionMemory(self, heads, tokens, length, depth)
        return found


class AttentionMemory:
    """Intermediates of an attention, and all the ways in which they are looked at.

    Queries, keys and values lie head by head, so that products over (head * set) need no copies.

    Parameters
    ----------
    work
        Memory.
    heads, tokens, length, depth
        Tokens are those of all sets, ``length`` those of one; depth is a head's width.
    """

    def __init__(self, work: Workspace, heads: int, tokens: int, length: int, depth: int) -> None:
        sets = heads * tokens // length
        self.length = length

        def by_set(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            """Return what is computed set by set, and how it is seen token by token."""
            x = work(name, sets, length, depth)
            return x, x.view(heads, tokens, depth).transpose(0, 1)

        self.projected = work("projected", heads, tokens, 3 * depth)
        self.q, self.k, self.v = self.projected.view(sets, length, 3, depth).unbind(dim=2)
        # Of few tokens the keys come first: a softmax along few neighbouring numbers is slow.
        self.keys_first = length < SHORT_SET
        #: Axis of the keys.
        self.axis = 1 if self.keys_first else 2
        self.scores, self.weights, self.to_weights, self.to_scores = (
            work(name, sets, length, length)
            for name in ("scores", "weights", "to_weights", "to_scores")
        )
        self.sums = work("sums", heads, tokens)
        self.sums_by_set = self.sums.view(sets, length).unsqueeze(self.axis)
        self.sums_by_token = self.sums.t()[..., None]
        self.found, self.found_by_token = by_set("found")
        self.joined = work("joined", tokens, heads * depth)
        self.joined_by_head = self.joined.view(tokens, heads, depth)
        self.to_joined = work("to_joined", tokens, heads * depth)
        self.to_found, self.to_found_by_token = by_set("to_found")
        (self.to_q, q), (self.to_k, k), (self.to_v, v) = (by_set(f"to {name}") for name in "qkv")
        self.to_projected = work("to_projected", tokens, 3 * heads * depth)
        parts = self.to_projected.view(tokens, 3, heads, depth).unbind(dim=1)
        self.to_parts = tuple(zip(parts, (q, k, v), strict=True))

    def by_query(self, weights: torch.Tensor) -> torch.Tensor:
        """See (set, query, key) in weights."""
        return weights.mT if self.keys_first else weights

    def by_key(self, weights: torch.Tensor) -> torch.Tensor:
        """See (set, key, query) in weights."""
        return weights if self.keys_first else weights.mT

    def product(self, queries: torch.Tensor, keys: torch.Tensor, out: torch.Tensor) -> None:
        """Write the products of all queries and keys as weights lie in memory."""
        first, second = (keys, queries) if self.keys_first else (queries, keys)
        torch.bmm(first, second.mT, out=out)

    def moderate(self) -> bool:
        """Say whether exponentials of the scores, and their sums, are good numbers."""
        if self.keys_first:
            least, most = self.scores.aminmax()
            return bool(least > -MODERATE) and bool(most < MODERATE)
        return bool(self.q.norm(dim=2).amax() * self.k.norm(dim=2).amax() < MODERATE)


class Dropout:
    """A layer's dropout, whose scale is left to whoever uses the result.

    Parameters
    ----------
    probability
        Of a value to be dropped.
    training
        Whether anything is dropped at all.
    """

    def __init__(self, probability: float, training: bool) -> None:
        self.on = training and probability > 0
        self.scale = 1 / (1 - probability) if self.on else 1.0
        # What a byte cannot say exactly, hits at random say (:meth:`thin`).
        drop = int(probability * 256)
        self.least = drop - 128
        self.hits = math.log((1 - drop / 256) / (1 - probability)) if self.on else 0.0

    def thin(self, draws: torch.Tensor, chance: np.random.Generator) -> torch.Tensor:
        """Turn bytes, from -128 to 127 alike, into ones and, where something is dropped, zeros.

        Bytes drop with a probability of n / 256. Of a Poisson number of hits on random values,
        every value gets none with probability exp(-hits), whatever the others get: so values are
        dropped with exactly the wanted probability, independently.
        """
        draws.ge_(self.least)
        places = chance.integers(0, len(draws), chance.poisson(self.hits * len(draws)))
        draws.numpy()[places] = 0
        return draws

    def drop_(self, x: torch.Tensor, chance: np.random.Generator | None) -> torch.Tensor:
        """Drop in place, without scale."""
        if self.on:
            assert chance is not None
            mask = torch.empty_like(x)
            draw_masks([mask.view(-1)], [self], chance)
            x.mul_(mask)
        return x


def generator(*seed: int) -> np.random.Generator:
    """Return a generator that is twice as fast as PyTorch's."""
    return np.random.Generator(np.random.SFC64(seed))


def draw_masks(
    masks: Sequence[torch.Tensor], dropouts: Sequence[Dropout], chance: np.random.Generator
) -> None:
    """Fill vectors with ones and, where something is dropped, zeros: of a random byte each."""
    sizes = [len(mask) for mask in masks]
    bits = chance.integers(-(2**63), 2**63 - 1, sum(sizes) // 8 + 1, np.int64, endpoint=True)
    draws = torch.from_numpy(bits).view(torch.int8)[: sum(sizes)].split(sizes)
    for mask, some, dropout in zip(masks, draws, dropouts, strict=True):
        mask.copy_(dropout.thin(some, chance))


def relu_backward_(gradient: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Set the gradient to zero where a ReLU's output (dropped or not) is zero, in place."""
    found: torch.Tensor = aten.threshold_backward.grad_input(
        gradient, output, 0, grad_input=gradient
    )
    return found


class Weight:
    """A parameter as it is used: times a factor, and its gradient as it grows.

    Parameters
    ----------
    parameter
        Of a module.
    factor
        A number, or a tensor that broadcasts.
    """

    def __init__(self, parameter: torch.Tensor, factor: float | torch.Tensor = 1.0) -> None:
        value = parameter.detach()
        plain = isinstance(factor, float) and factor == 1.0
        self.value = value if plain else value * factor
        self.factor = factor
        self.gradient = torch.zeros_like(self.value, memory_format=torch.contiguous_format)

    def total(self) -> torch.Tensor:
        """Return the parameter's gradient."""
        return self.gradient.mul_(self.factor)


class Linear:
    """``x W' + b`` over rows, times a factor.

    Parameters
    ----------
    weight, bias
        Parameters.
    weight_factor, bias_factor
        What they are multiplied by.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        weight_factor: float = 1.0,
        bias_factor: float = 1.0,
    ) -> None:
        self.weight, self.bias = Weight(weight, weight_factor), Weight(bias, bias_factor)
        self.width = len(weight)
        self.transposed = self.weight.value.t().contiguous()

    def forward(self, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Write the outputs into ``out``."""
        return torch.addmm(self.bias.value, x, self.transposed, out=out)

    def learn(self, gradient: torch.Tensor, x: torch.Tensor) -> None:
        """Add to the parameters' gradients."""
        self.bias.gradient += gradient.sum(dim=0)
        self.weight.gradient.addmm_(gradient.t(), x)

    def gradients(self) -> list[torch.Tensor]:
        """Return the parameters' gradients."""
        return [self.weight.total(), self.bias.total()]


class Norm:
    """Layer normalisation of rows."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        self.weight, self.bias = Weight(norm.weight), Weight(norm.bias)
        self.shape, self.eps = list(norm.normalized_shape), norm.eps

    def forward(self, x: torch.Tensor, tape: Tape | None = None) -> torch.Tensor:
        """Normalise."""
        y, mean, rstd = torch.native_layer_norm(
            x, self.shape, self.weight.value, self.bias.value, self.eps
        )
        if tape is not None:
            tape.append((x, mean, rstd))
        return y

    def backward(self, gradient: torch.Tensor, tape: Tape) -> torch.Tensor:
        """Return the input's gradient; learn."""
        x, mean, rstd = tape.pop()
        to_x, to_weight, to_bias = aten.native_layer_norm_backward(
            gradient,
            x,
            self.shape,
            mean,
            rstd,
            self.weight.value,
            self.bias.value,
            [True, True, True],
        )
        self.weight.gradient += to_weight
        self.bias.gradient += to_bias
        return to_x

    def gradients(self) -> list[torch.Tensor]:
        """Return the parameters' gradients."""
        return [self.weight.total(), self.bias.total()]


class Attention:
    """Self-attention of sets with several heads, without the dropout of its output.

    Parameters
    ----------
    module
        Holds the weights.
    weight_factor, bias_factor
        What the last layer's weight and bias are multiplied by.
    """

    def __init__(
        self, module: nn.MultiheadAttention, weight_factor: float, bias_factor: float
    ) -> None:
        self.heads = module.num_heads
        self.width = module.embed_dim
        self.depth = self.width // self.heads
        weight, bias = module.in_proj_weight, module.in_proj_bias
        assert weight is not None
        assert bias is not None
        scale = weight.new_ones(3 * self.width)
        scale[: self.width] = self.depth**-0.5  # of the queries, so that their products have it
        self.weight, self.bias = Weight(weight, scale[:, None]), Weight(bias, scale)
        self.weight_by_head = self._by_head(self.weight.value)
        self.bias_by_head = self._by_head(self.bias.value[:, None])
        out = module.out_proj
        self.out = Linear(out.weight, out.bias, weight_factor, bias_factor)

    def _by_head(self, weight: torch.Tensor) -> torch.Tensor:
        """Turn (3 * head * depth, n) into (head, n, 3 * depth)."""
        parts = weight.view(3, self.heads, self.depth, -1).permute(1, 3, 0, 2)
        return parts.reshape(self.heads, -1, 3 * self.depth)

    def attend(
        self,
        x: torch.Tensor,
        length: int,
        mask: torch.Tensor | None,
        work: Workspace,
        tape: Tape | None = None,
    ) -> torch.Tensor:
        """Attend, up to the last linear layer.

        Parameters
        ----------
        x : Tensor of shape (set * token, width)
        length
            Tokens of a set.
        mask : Tensor of shape (head * set, token, token), optional
            Ones, and zeros for attention weights that are dropped.
        work
            Memory.
        tape
            Takes what the backward pass needs.
        """
        m = work.attention(self.heads, len(x), length, self.depth)
        torch.bmm(x.expand(self.heads, -1, -1), self.weight_by_head, out=m.projected)
        m.projected += self.bias_by_head
        m.product(m.q, m.k, m.scores)
        # PyTorch's softmax takes twice as long as bare exponentials, divided by their sum at last.
        bare = tape is None and m.moderate()
        if bare:
            torch.exp(m.scores, out=m.weights)
            torch.sum(m.weights, m.axis, keepdim=True, out=m.sums_by_set)
        else:
            torch.softmax(m.scores, m.axis, out=m.weights)
        kept = m.weights if mask is None else torch.mul(m.weights, mask, out=m.scores)
        torch.bmm(m.by_query(kept), m.v, out=m.found)
        if bare:
            torch.div(m.found_by_token, m.sums_by_token, out=m.joined_by_head)
        else:
            m.joined_by_head.copy_(m.found_by_token)
        if tape is not None:
            tape.append((x, m, mask, kept))
        return m.joined

    def forward(
        self,
        x: torch.Tensor,
        length: int,
        mask: torch.Tensor | None,
        work: Workspace,
        tape: Tape | None = None,
    ) -> torch.Tensor:
        """Attend; arguments as of :meth:`attend`."""
        joined = self.attend(x, length, mask, work, tape)
        return self.out.forward(joined, work("attended", *x.shape))

    def backward(self, gradient: torch.Tensor, to_x: torch.Tensor, tape: Tape) -> None:
        """Go back, adding to the gradient ``to_x``."""
        x, m, mask, kept = tape.pop()
        self.out.learn(gradient, m.joined)
        torch.mm(gradient, self.out.weight.value, out=m.to_joined)
        m.to_found_by_token.copy_(m.to_joined.view_as(m.joined_by_head))
        m.product(m.to_found, m.v, m.to_weights)
        if mask is not None:
            m.to_weights *= mask
        aten._softmax_backward_data.out(
            m.to_weights, m.weights, m.axis, m.weights.dtype, grad_input=m.to_scores
        )
        torch.bmm(m.by_query(m.to_scores), m.k, out=m.to_q)
        torch.bmm(m.by_key(m.to_scores), m.q, out=m.to_k)
        torch.bmm(m.by_key(kept), m.to_found, out=m.to_v)
        for part, by_token in m.to_parts:
            part.copy_(by_token)
        self.bias.gradient += m.to_projected.sum(dim=0)
        self.weight.gradient.addmm_(m.to_projected.t(), x)
        to_x.addmm_(m.to_projected, self.weight.value)

    def gradients(self) -> list[torch.Tensor]:
        """Return the parameters' gradients."""
        return [self.weight.total(), self.bias.total(), *self.out.gradients()]


def add_dropped(x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Add ``x`` to what a mask keeps of ``y``, in the memory of ``y``."""
    return y.add_(x) if mask is None else torch.addcmul(x, y, mask, out=y)


def dropped(x: torch.Tensor, mask: torch.Tensor | None, work: Workspace) -> torch.Tensor:
    """Return what a mask keeps of ``x``, which stays as it is."""
    return x if mask is None else torch.mul(x, mask, out=work("dropped", *x.shape))


class EncoderLayer:
    """A layer of a Transformer encoder, normalised after each residual sum.

    Parameters
    ----------
    layer
        Holds the weights.
    training
        Whether to drop.
    """

    def __init__(self, layer: nn.TransformerEncoderLayer, training: bool) -> None:
        probabilities = (
            layer.self_attn.dropout,
            layer.dropout1.p,
            layer.dropout.p,
            layer.dropout2.p,
        )
        self.drops = [Dropout(p, training) for p in probabilities]
        weights, attended, hidden, fed = (dropout.scale for dropout in self.drops)
        # Dropout's scales are moved into the weights behind it or before it.
        self.attention = Attention(layer.self_attn, weights * attended, attended)
        self.norm1, self.norm2 = Norm(layer.norm1), Norm(layer.norm2)
        self.linear1 = Linear(layer.linear1.weight, layer.linear1.bias)
        self.linear2 = Linear(layer.linear2.weight, layer.linear2.bias, hidden * fed, fed)

    def masks(
        self, x: torch.Tensor, length: int, work: Workspace, chance: np.random.Generator
    ) -> list[torch.Tensor | None]:
        """Draw what is dropped of attention weights, their output, hidden and output values."""
        tokens, width = x.shape
        heads = self.attention.heads
        shapes = {
            "weights mask": (heads * tokens // length, length, length),
            "attended mask": (tokens, width),
            "hidden mask": (tokens, self.linear1.width),
            "fed mask": (tokens, width),
        }
        found = [
            work(name, *shape) if dropout.on else None
            for (name, shape), dropout in zip(shapes.items(), self.drops, strict=True)
        ]
        if any(dropout.on for dropout in self.drops):
            draw_masks(
                [mask.view(-1) for mask in found if mask is not None],
                [dropout for dropout in self.drops if dropout.on],
                chance,
            )
        return found

    def forward(
        self,
        x: torch.Tensor,
        length: int,
        chance: np.random.Generator,
        work: Workspace,
        tape: Tape | None = None,
    ) -> torch.Tensor:
        """Encode tokens of shape (set * token, width)."""
        masks = self.masks(x, length, work, chance)
        attended = self.attention.forward(x, length, masks[0], work, tape)
        x = self.norm1.forward(add_dropped(x, attended, masks[1]), tape)
        hidden = self.linear1.forward(x, work("hidden", len(x), self.linear1.width))
        hidden.relu_()
        if masks[2] is not None:
            hidden *= masks[2]
        fed = self.linear2.forward(hidden, work("fed", *x.shape))
        if tape is not None:
            tape.append((x, hidden, masks))
        return self.norm2.forward(add_dropped(x, fed, masks[3]), tape)

    def backward(self, gradient: torch.Tensor, work: Workspace, tape: Tape) -> torch.Tensor:
        """Return the input's gradient; learn."""
        to_x = self.norm2.backward(gradient, tape)
        x, hidden, masks = tape.pop()
        to_fed = dropped(to_x, masks[3], work)
        self.linear2.learn(to_fed, hidden)
        to_hidden = work("to_hidden", *hidden.shape)
        torch.mm(to_fed, self.linear2.weight.value, out=to_hidden)
        relu_backward_(to_hidden, hidden)
        self.linear1.learn(to_hidden, x)
        to_x = self.norm1.backward(to_x.addmm_(to_hidden, self.linear1.weight.value), tape)
        self.attention.backward(dropped(to_x, masks[1], work), to_x, tape)
        return to_x

    def gradients(self) -> list[torch.Tensor]:
        """Return the gradients in the order of :func:`layer_parameters`."""
        parts = (self.attention, self.linear1, self.linear2, self.norm1, self.norm2)
        return [g for part in parts for g in part.gradients()]


class ScoringLayer:
    """An encoder layer in evaluation: biases of residual sums are in the norm before them.

    Parameters
    ----------
    layer
        Holds the weights.
    following
        What the output is to have more: the bias of the next layer's first residual sum.
    """

    def __init__(self, layer: nn.TransformerEncoderLayer, following: torch.Tensor | None) -> None:
        self.attention = Attention(layer.self_attn, 1.0, 1.0)
        self.norm1, self.norm2 = Norm(layer.norm1), Norm(layer.norm2)
        #: To be added to the input.
        self.first = self.attention.out.bias.value
        attention = self.attention
        shift = torch.matmul(self.first, attention.weight_by_head)[:, None]
        attention.bias_by_head = attention.bias_by_head - shift
        second = layer.linear2.bias.detach()
        self.norm1.bias.value = self.norm1.bias.value + second
        weight = layer.linear1.weight.detach()
        self.linear1 = Linear(weight, layer.linear1.bias.detach() - weight @ second)
        self.linear2 = layer.linear2.weight.detach().t().contiguous()
        if following is not None:
            self.norm2.bias.value = self.norm2.bias.value + following

    def forward(self, x: torch.Tensor, length: int, work: Workspace) -> torch.Tensor:
        """Encode tokens of shape (set * token, width), which have ``first`` added; overwrites."""
        joined = self.attention.attend(x, length, None, work)
        x = self.norm1.forward(x.addmm_(joined, self.attention.out.transposed))
        hidden = self.linear1.forward(x, work("hidden", len(x), self.linear1.width)).relu_()
        return self.norm2.forward(x.addmm_(hidden, self.linear2))


def layer_parameters(layer: nn.TransformerEncoderLayer) -> list[torch.Tensor]:
    """Return a layer's parameters in the order of :meth:`EncoderLayer.gradients`."""
    attention = layer.self_attn
    assert attention.in_proj_weight is not None
    return [
        attention.in_proj_weight,
        attention.in_proj_bias,
        *(
            p
            for m in (attention.out_proj, layer.linear1, layer.linear2)
            for p in (m.weight, m.bias)
        ),
        *(p for m in (layer.norm1, layer.norm2) for p in (m.weight, m.bias)),
    ]


class Pool:
    """Weighted mean of the tokens of each set.

    Parameters
    ----------
    score
        Linear and tanh layers that give a token's score.
    """

    def __init__(self, score: nn.Sequential) -> None:
        self.layers = [Linear(m.weight, m.bias) for m in score if isinstance(m, nn.Linear)]

    def forward(
        self, x: torch.Tensor, length: int, work: Workspace, tape: Tape | None = None
    ) -> torch.Tensor:
        """Pool tokens of shape (set * token, width) into (set, width)."""
        inputs = [x]
        for n, layer in enumerate(self.layers):
            inputs.append(layer.forward(inputs[n], work(f"scored {n}", len(x), layer.width)))
            if n < len(self.layers) - 1:
                inputs[-1].tanh_()
        weights = inputs.pop().view(-1, length).softmax(dim=1)
        if tape is not None:
            tape.append((inputs, weights))
        return torch.bmm(weights[:, None], x.view(-1, length, x.shape[1]))[:, 0]

    def backward(self, gradient: torch.Tensor, tape: Tape) -> torch.Tensor:
        """Return the input's gradient; learn."""
        inputs, weights = tape.pop()
        sets, length = weights.shape
        to_x = (weights[..., None] * gradient[:, None]).flatten(0, 1)
        to_weights = torch.bmm(inputs[0].view(sets, length, -1), gradient[..., None])[..., 0]
        to = aten._softmax_backward_data(to_weights, weights, 1, weights.dtype).view(-1, 1)
        for layer, x in zip(self.layers[:0:-1], inputs[:0:-1], strict=True):
            layer.learn(to, x)
            to = aten.tanh_backward(to @ layer.weight.value, x)
        self.layers[0].learn(to, inputs[0])
        return to_x.addmm_(to, self.layers[0].weight.value)

    def gradients(self) -> list[torch.Tensor]:
        """Return the parameters' gradients."""
        return [g for layer in self.layers for g in layer.gradients()]


class Stem:
    """What comes before the Transformers: differences, and the temporal convolution twice.

    Parameters
    ----------
    weight : Tensor of shape (number, joint * width) or (number, width)
        Of the differences, see ``DifferenceConvolution``.
    bias : Tensor of shape (width,)
    temporal
        The convolution, or None.
    stride
        Every how many frames the second convolution goes on.
    probability, training
        Of dropout behind every layer.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        temporal: nn.Conv2d | None,
        stride: int,
        probability: float,
        training: bool,
    ) -> None:
        self.dropout = Dropout(probability, training)
        # The scale of dropout is moved into the weights before it, which ReLU lets through.
        scale = self.dropout.scale
        self.weight, self.bias = Weight(weight, scale), Weight(bias, scale)
        self.repeated = self.bias.value.repeat(weight.shape[1] // len(bias))
        self.parts = [self.weight, self.bias]
        self.strides: tuple[int, ...] = ()
        if temporal is not None:
            assert temporal.bias is not None
            self.kernel, self.kernel_bias = (
                Weight(temporal.weight, scale),
                Weight(temporal.bias, scale),
            )
            self.parts += [self.kernel, self.kernel_bias]
            self.strides = (1, stride)

    def forward(
        self,
        rows: torch.Tensor,
        joints: int,
        chance: np.random.Generator | None = None,
        work: Workspace | None = None,
    ) -> list[torch.Tensor]:
        """Embed every joint of every frame.

        Parameters
        ----------
        rows : Tensor of shape (series, frame, number) or (series, frame, joint, number)
            What the differences are linear in.
        joints
            V.
        chance
            Where anything is to be dropped.
        work
            Memory for the first layer's output, where it need not last.

        Returns
        -------
        list of Tensor
            Every layer's output, (series, frame, joint, width).
        """
        flat = rows.reshape(-1, rows.shape[-1])
        shape = (len(flat), len(self.repeated))
        h = flat.new_empty(shape) if work is None else work("first", *shape)
        h = torch.mm(flat, self.weight.value, out=h).add_(self.repeated).relu_()
        outputs = [self.dropout.drop_(h.view(*rows.shape[:2], joints, -1), chance)]
        for stride in self.strides:
            # (series, width, frame, joint), channels last in memory: no copy is made.
            h = nn.functional.conv2d(
                outputs[-1].permute(0, 3, 1, 2),
                self.kernel.value,
                self.kernel_bias.value,
                (stride, 1),
            )
            h = h.permute(0, 2, 3, 1).contiguous()
            outputs.append(self.dropout.drop_(h.relu_(), chance))
        return outputs

    def backward(
        self, gradient: torch.Tensor, rows: torch.Tensor, outputs: list[torch.Tensor]
    ) -> None:
        """Learn from the gradient of the last output, which is overwritten."""
        for n in reversed(range(len(self.strides))):
            relu_backward_(gradient, outputs[n + 1])
            gradient, to_kernel, to_bias = aten.convolution_backward(
                gradient.permute(0, 3, 1, 2),
                outputs[n].permute(0, 3, 1, 2),
                self.kernel.value,
                [len(self.kernel_bias.value)],
                [self.strides[n], 1],
                [0, 0],
                [1, 1],
                False,
                [0, 0],
                1,
                [True, True, True],
            )
            gradient = gradient.permute(0, 2, 3, 1).contiguous()
            self.kernel.gradient += to_kernel
            self.kernel_bias.gradient += to_bias
        relu_backward_(gradient, outputs[0])
        rows = rows.reshape(-1, rows.shape[-1])
        gradient = gradient.view(len(rows), -1)
        self.weight.gradient.addmm_(rows.t(), gradient)
        self.bias.gradient += gradient.view(-1, len(self.bias.value)).sum(dim=0)

    def gradients(self) -> list[torch.Tensor]:
        """Return the gradients of weight and bias, and of the convolution's."""
        return [part.total() for part in self.parts]
