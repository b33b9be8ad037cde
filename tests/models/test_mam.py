"""The clip encoder against plain transcriptions and against the released weights."""

import numpy as np
import pytest
import torch
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models import mam_encoder, mam_parts
from fidgety.models.base import parse_model_options
from fidgety.models.mam import (
    DifferenceConvolution,
    MamClip,
    MamClipNetwork,
    MamClipOptions,
    load_released,
)
from fidgety.models.mam_full_options import PUBLISHED

RELEASED = {"encoder_layers": 1, "feed_forward": 2048, "pool_widths": (64,), "frame_stride": 1}


@pytest.fixture(scope="session")
def released(shared_data):
    folder = shared_data / "mam"
    weights = torch.load(folder / "clip_only.pth", weights_only=True, map_location="cpu")
    with np.load(folder / "segments.npz") as file:
        positions, offsets = file["positions"], file["offsets"]
    with np.load(folder / "released_clip_outputs.npz") as file:
        outputs = {k: file[k] for k in file.files}
    return weights, positions, offsets, outputs


def network_of(n_classes=2, **options):
    torch.manual_seed(1)
    return MamClip.build(MamClipOptions(**options), 51, n_classes).eval()


def test_released_weights_give_the_released_outputs(released):
    weights, positions, offsets, outputs = released
    network = network_of(**RELEASED)
    load_released(network, weights)
    # Some of the clips, and a stretch of neighbours as one segment with shared frames.
    some = np.arange(0, 278, 24)
    starts = offsets[outputs["segment"]] + outputs["start"]
    clips = np.stack([positions[s : s + 240].reshape(240, 51) for s in starts[some]])
    with torch.inference_mode():
        embedding = network.embed_clips(torch.from_numpy(clips))
        logits = network.classifier(embedding)
    np.testing.assert_allclose(embedding, outputs["embedding"][some], atol=1e-4)
    np.testing.assert_allclose(logits, outputs["logits"][some], atol=1e-4)
    segment = np.bincount(outputs["segment"]).argmax()
    own = np.flatnonzero(outputs["segment"] == segment)[:8]
    first, last = outputs["start"][own].min(), outputs["start"][own].max() + 240
    x = positions[offsets[segment] + first : offsets[segment] + last].reshape(1, -1, 51)
    local = torch.from_numpy(outputs["start"][own] - first)
    zeros = torch.zeros(len(own), dtype=torch.int64)
    with torch.inference_mode():
        out = network(torch.from_numpy(x), zeros, local, zeros, n_bags=1)
    np.testing.assert_allclose(out.instance_logits, outputs["logits"][own], atol=1e-4)


def test_weights_of_other_sizes_are_refused(released):
    weights = released[0]
    for wrong in ({"encoder_layers": 2}, {"feed_forward": 256}, {"share_weights": False}):
        with pytest.raises(ConfigError, match="feed_forward: 2048"):
            load_released(network_of(**{**RELEASED, **wrong}), weights)


@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize("absolute", [False, True])
def test_the_shortcut_is_the_convolution_over_differences(others, absolute):
    """Second implementation: the whole matrix and torch's own Conv2d."""
    torch.manual_seed(0)
    layer = DifferenceConvolution(17, 3, 8, others=others, absolute=absolute).double()
    positions = torch.randn(2, 5, 17, 3, dtype=torch.float64, requires_grad=True)
    rows = []
    for i in range(17):
        wanted = [j for j in range(17) if j != i or not others]
        rows.append(positions[:, :, i, None] - positions[:, :, wanted])
    matrix = torch.stack(rows, dim=2)  # (N, T, 17, K, 3)
    matrix = (matrix.abs() if absolute else matrix).permute(0, 1, 4, 2, 3)
    plain = layer.convolution(matrix.flatten(0, 1)).squeeze(-1).unflatten(0, (2, 5))
    plain = plain.transpose(2, 3)
    torch.testing.assert_close(layer(positions), plain)
    weights = torch.randn_like(plain)
    parameters = [positions, layer.convolution.weight, layer.convolution.bias]
    for a, b in zip(
        torch.autograd.grad((layer(positions) * weights).sum(), parameters),
        torch.autograd.grad((plain * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("variant", ["released", "paper"])
@pytest.mark.parametrize("stride", [1, 3])
def test_overlapping_instances_share_frames_without_a_difference(variant, stride):
    network = network_of(variant=variant, frame_stride=stride)
    x = torch.randn(2, 420, 51)
    starts = torch.tensor([0, 60, 180, 120])
    segment = torch.tensor([0, 0, 0, 1])
    clips = torch.stack([x[s, t : t + 240] for s, t in zip(segment, starts, strict=True)])
    with torch.inference_mode():
        alone = network.embed_clips(clips)
        shared = network(x, segment, starts, torch.tensor([0, 0, 0, 1]), n_bags=2)
    torch.testing.assert_close(shared.embedding, alone, rtol=1e-4, atol=1e-5)


def test_a_stride_embeds_the_same_frames_but_fewer():
    every, third = network_of(frame_stride=1), network_of(frame_stride=3)
    third.load_state_dict(every.state_dict())
    x = torch.randn(1, 240, 51)
    with torch.inference_mode():
        torch.testing.assert_close(
            third.encoder.embed_frames(x), every.encoder.embed_frames(x)[:, ::3]
        )
        assert every.encoder.embed_frames(x).shape == (1, 222, 64)


def test_sizes():
    """About 151 thousand parameters (the published code's sizes), and the fusion's 641."""

    def count(module: nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    network = network_of()
    assert count(network) - count(network.bag_score) == 150_531
    assert count(network.bag_score) == (2 * 32 + 32) + (32 * 16 + 16) + 17
    own = network_of(share_weights=False)
    assert count(own) > count(network) + 99_000
    paper = network_of(variant="paper")
    assert count(paper) == count(network) - (64 * 64 * 10 + 64) + 64 * 3


def bag_of(network: MamClipNetwork, n=5, bags=2):
    torch.manual_seed(2)
    x = torch.randn(n, 240, 51)
    index = torch.arange(n)
    return network(x, index, torch.zeros_like(index), index % bags, n_bags=bags)


def test_a_bag_is_the_weighted_mean_of_its_instances():
    for softmax in (False, True):
        with torch.inference_mode():
            out = bag_of(network_of(bag_softmax=softmax))
        p = out.instance_logits.softmax(dim=1)
        for bag in range(2):
            own = torch.arange(5) % 2 == bag
            torch.testing.assert_close(out.attention[own].sum(), torch.tensor(1.0))
            pooled = (out.attention[own, None] * p[own]).sum(dim=0)
            wanted = pooled.softmax(dim=0) if softmax else pooled
            torch.testing.assert_close(out.bag_log_probability[bag].exp(), wanted)


def test_paper_softmax_caps_the_probability():
    network = network_of(bag_softmax=True)
    with torch.inference_mode():
        network.classifier.weight.mul_(1000)
        out = bag_of(network)
    cap = torch.tensor([1.0, 0.0]).softmax(dim=0)[0]
    assert out.bag_log_probability.exp().max() <= cap + 1e-6


def test_published_training_and_bad_steps():
    own = {k: v for k, v in PUBLISHED.items() if k in MamClipOptions.model_fields}
    plan = MamClip.training(MamClipOptions(**own))
    assert (plan.epochs, plan.optimiser.kind, plan.optimiser.schedule) == (300, "sgd", "cyclic")
    assert plan.pretraining is not None
    assert plan.pretraining.epochs == 150
    assert MamClip.training(MamClipOptions(pretrain_epochs=0)).pretraining is None
    with pytest.raises(ValueError, match="does not divide"):
        MamClipOptions(frame_stride=4)
    with pytest.raises(ValueError, match="more than 18 frames"):
        MamClipOptions(window_s=0.7)


SMALL = {"width": 16, "heads": 2, "feed_forward": 24, "pool_widths": (12, 6), "window_s": 1.6}


def small_network(monkeypatch, dropout=0.0, **options):
    """Make a small network in double precision whose work is cut into many chunks."""
    monkeypatch.setattr(mam_encoder, "CHUNK_TOKENS", 100)
    monkeypatch.setattr(mam_encoder, "CHUNK_FRAMES", 17)
    checked = MamClipOptions(**{**SMALL, "dropout": dropout, **options})
    dimensions = 2 if checked.coordinates == "coordinates_2d" else 3
    torch.manual_seed(3)
    network = MamClip.build(checked, 7 * dimensions, 3).double()
    for module in network.modules():
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = dropout / 2
        elif isinstance(module, nn.Dropout) and module is not network.encoder.dropout:
            module.p = dropout / 2
    with torch.no_grad():  # biases and norms are drawn as zeros and ones
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def embed(network, x, start):
    """Embed instances of two segments."""
    frames = network.encoder.embed_frames(x)
    return network.encoder.embed_windows(frames, torch.tensor([0, 0, 1, 1]), start)


def embed_and_learn(network, x, start):
    """Return the embedding, and the gradients of a mixture of it."""
    found = embed(network, x, start)
    network.zero_grad()
    (found.sin() * torch.arange(1, 17)).sum().backward()
    gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    return found.detach(), gradients


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "released", "frame_stride": 1},
        {"variant": "released", "frame_stride": 3, "share_weights": False},
        {"variant": "released", "frame_stride": 5, "differences": "absolute"},
        {"variant": "released", "coordinates": "coordinates_2d", "encoder_layers": 1},
        {"variant": "paper", "frame_stride": 1, "differences": "absolute"},
        {"variant": "paper", "frame_stride": 3, "coordinates": "coordinates_2d"},
        {"variant": "released", "frame_stride": 1, "window_s": 4.0, "pool_widths": (5,)},
    ],
)
def test_the_fast_way_is_pytorchs_layers(options, monkeypatch):
    """Second implementation: nn.TransformerEncoder, F.conv2d and autograd."""
    network = small_network(monkeypatch, **options)
    features = 7 * network.encoder.dimensions
    x = torch.randn(2, 160, features, dtype=torch.float64)
    start = torch.tensor([0, 60, 15, 45])
    fast = embed_and_learn(network, x, start)
    with torch.inference_mode():
        scored = embed(network.eval(), x, start)
    monkeypatch.setattr(mam_encoder, "suits", lambda x: False)
    plain = embed_and_learn(network.train(), x, start)
    torch.testing.assert_close(fast[0], plain[0])
    torch.testing.assert_close(scored, plain[0])
    assert fast[1].keys() == plain[1].keys()
    for name, gradient in plain[1].items():
        torch.testing.assert_close(fast[1][name], gradient, msg=lambda m, n=name: f"{n}: {m}")


def test_wild_scores_have_a_softmax(monkeypatch):
    """Exponentials of them overflow; both orders of the attention weights."""
    network = small_network(monkeypatch, window_s=4.0, frame_stride=1).eval()
    with torch.no_grad():
        for layer in network.encoder.spatial_encoder.layers:
            layer.self_attn.in_proj_weight.mul_(40)
    x = torch.randn(3, 100, 21, dtype=torch.float64)
    with torch.inference_mode():
        fast = network.embed_clips(x)
        monkeypatch.setattr(mam_encoder, "suits", lambda x: False)
        torch.testing.assert_close(fast, network.embed_clips(x))


def test_gradients_belong_to_what_was_dropped(monkeypatch):
    """The backward pass draws the same masks again: differences of the loss say so."""
    network = small_network(monkeypatch, dropout=0.4, frame_stride=1)
    x = torch.randn(2, 60, 21, dtype=torch.float64)

    def loss():
        torch.manual_seed(11)
        return network.embed_clips(x).sin().sum()

    loss().backward()
    torch.manual_seed(0)
    for name, parameter in network.encoder.named_parameters():
        way = torch.randn_like(parameter)
        with torch.no_grad():
            parameter += 1e-6 * way
            above = loss()
            parameter -= 2e-6 * way
            slope = (above - loss()) / 2e-6
            parameter += 1e-6 * way
        wanted = (parameter.grad * way).sum()
        torch.testing.assert_close(slope, wanted, rtol=1e-3, atol=1e-4, msg=name)


def test_threads_change_neither_results_nor_chance(monkeypatch):
    network = small_network(monkeypatch, dropout=0.4, frame_stride=1)
    x = torch.randn(2, 160, 21, dtype=torch.float64)
    found, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            torch.manual_seed(5)
            learned = embed_and_learn(network.train(), x, torch.tensor([0, 9, 0, 9]))
            with torch.inference_mode():
                found.append((*learned, network.eval().embed_clips(x[:, :40])))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_dropout_has_its_probability_and_keeps_the_mean(monkeypatch):
    torch.manual_seed(0)
    for probability in (0.1, 0.6):
        dropout = mam_parts.Dropout(probability, training=True)
        x = torch.ones(1000, 999)
        dropout.drop_(x, mam_parts.generator(1))
        assert set(x.unique().tolist()) == {0.0, 1.0}
        assert abs(float((x == 0).double().mean()) - probability) < 0.003
        assert abs(float(x.mean()) * dropout.scale - 1) < 0.005
        # Neighbours are dropped independently, along both axes.
        for axis in (0, 1):
            both = (x.narrow(axis, 0, 900) == 0) & (x.narrow(axis, 1, 900) == 0)
            assert abs(float(both.double().mean()) - probability**2) < 0.003
    assert not mam_parts.Dropout(0.6, training=False).on
    # The network draws anew every time, and the same with the same seed.
    network = small_network(monkeypatch, dropout=0.4)
    x = torch.randn(2, 60, 21, dtype=torch.float64)
    first, second = network.embed_clips(x), network.embed_clips(x)
    torch.manual_seed(0)
    third = network.embed_clips(x)
    torch.manual_seed(0)
    assert torch.equal(third, network.embed_clips(x))
    assert not torch.allclose(first, second)


def test_other_precisions_and_gradients_of_positions_are_pytorchs(monkeypatch):
    network = small_network(monkeypatch, frame_stride=1).eval()
    x = torch.randn(2, 40, 21, dtype=torch.float64)
    wanted = network.clip_logits(x)
    wished = x.clone().requires_grad_()
    found = network.clip_logits(wished)
    torch.testing.assert_close(found, wanted)
    assert torch.autograd.grad(found.sum(), wished)[0].abs().min() > 0
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        rough = network.float().clip_logits(x.float())
    torch.testing.assert_close(rough.double(), wanted, rtol=0.1, atol=0.1)


def test_inputs_of_single_joints_are_read_set_by_set():
    """Second implementation: torch's own convolution over stacked coordinates and velocities."""
    chosen = MamClipOptions(inputs=("coordinates", "velocities"), frame_stride=1)
    assert chosen.feature_sets == ("coordinates_3d", "velocities_3d")
    torch.manual_seed(1)
    network = MamClip.build(chosen, 102, 2).eval()
    x = torch.randn(2, 240, 102)
    with torch.inference_mode():
        fast = network.encoder.embed_frames(x)
        both = torch.cat(
            [x[..., :51].unflatten(-1, (17, 3)), x[..., 51:].unflatten(-1, (17, 3))], -1
        )
        h = network.encoder.difference.convolution(both.permute(0, 3, 1, 2)).relu()
        for _ in range(2):
            h = nn.functional.conv2d(
                h,
                network.encoder.temporal.weight,
                network.encoder.temporal.bias,
            ).relu()
        tokens = h.permute(0, 2, 3, 1).flatten(0, 1)
        slow = network.encoder.spatial_pool(network.encoder.spatial_encoder(tokens))
    torch.testing.assert_close(fast, slow.unflatten(0, (2, 222)), rtol=1e-4, atol=1e-5)


def test_inputs_that_exclude_each_other_are_named():
    with pytest.raises(ConfigError, match="differences stand alone"):
        parse_model_options(MamClip, {"inputs": ["differences", "velocities"]})
    with pytest.raises(ConfigError, match="named twice"):
        parse_model_options(MamClip, {"inputs": ["velocities", "velocities"]})
    flat = parse_model_options(
        MamClip, {"inputs": ["accelerations"], "coordinates": "coordinates_2d"}
    )
    assert flat.feature_sets == ("accelerations_2d",)
