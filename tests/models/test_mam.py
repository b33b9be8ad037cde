"""The clip encoder against plain transcriptions and against the released weights."""

import numpy as np
import pytest
import torch
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.mam import (
    PUBLISHED_TRAINING,
    DifferenceConvolution,
    MamClip,
    MamClipNetwork,
    MamClipOptions,
    load_released,
)

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
    plan = MamClip.training(MamClipOptions(**PUBLISHED_TRAINING))
    assert (plan.epochs, plan.optimiser.kind, plan.optimiser.schedule) == (300, "sgd", "cyclic")
    assert plan.pretraining is not None
    assert plan.pretraining.epochs == 150
    assert MamClip.training(MamClipOptions(pretrain_epochs=0)).pretraining is None
    with pytest.raises(ValueError, match="does not divide"):
        MamClipOptions(frame_stride=4)
    with pytest.raises(ValueError, match="more than 18 frames"):
        MamClipOptions(window_s=0.7)
