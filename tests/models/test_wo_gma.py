"""WO-GMA: its size, its masks, its losses by hand, and that it finds when something happens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fidgety.datasets.instances import BagBatch
from fidgety.errors import ConfigError
from fidgety.models.base import (
    call_bags,
    count_parameters,
    judge_prefixes,
    parse_model_options,
)
from fidgety.models.wo_gma import WoGma, WoGmaNetwork, highest_mean, stretches
from fidgety.skeletons import BODY_21, OPENPOSE_18

SMALL = {
    "graph_width": 8,
    "clip_width": 16,
    "proposal_widths": (8,),
    "state_width": 8,
    "online_widths": (8,),
    "scales": 3,
    "window_s": 0.4,
}


def network_of(n_classes: int = 2, **options: object) -> WoGmaNetwork:
    torch.manual_seed(0)
    network = WoGma.build(parse_model_options(WoGma, SMALL | options), 42, n_classes)
    assert isinstance(network, WoGmaNetwork)
    return network.eval()


def batch_of(x: torch.Tensor, counts: list[int], target: list[int]) -> BagBatch:
    """Put infants (infant, frame, feature) side by side, with the clips that each has."""
    bag = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    start = torch.cat([10 * torch.arange(n) for n in counts])
    return BagBatch(x, bag, start, bag, torch.tensor(target))


def test_the_published_size_layer_by_layer() -> None:
    """With the paper's 18 joints and three channels it is 30.6 million: docs/comparators.md."""
    options = parse_model_options(WoGma, {"preset": "luo2022"})
    n, frames = 21, 20
    sizes = {
        "residual": 8 * (n * frames) ** 2,
        "norm": 2 * 2 * n,
        "mix": 2 * 8 * 256 + 256 + 2 * 256,
        "collapse": 256 * 256 * frames + 256 + 2 * 256,
        "fuse": 256 * n * 2048 + 2048,
        "proposals": 5 * (2048 * 512 + 512 * 128 + 128 * 64) + 512 + 128 + 64,
        "propose": 2 * 64 + 2,
        "memory": 4 * 1024 * (2048 + 1024 + 2),
        "decide": 1024 * 512 + 512 + 512 * 128 + 128 + 128 * 64 + 64 + 2 * 64 + 2,
    }
    network = WoGma.build(options, 42, 2)
    assert count_parameters(network) == sum(sizes.values())
    own = WoGmaNetwork(OPENPOSE_18, 3, 2, options)
    assert count_parameters(own) == 30_596_848


def test_an_infant_s_scores_do_not_depend_on_who_pads_it() -> None:
    network = network_of()
    x = torch.randn(3, 200, 42)
    together = network(*batch_of(x, [7, 20, 4], [0, 1, 0])[:4], n_bags=3)
    place = 0
    for k, n in enumerate((7, 20, 4)):
        alone = network(*batch_of(x[k : k + 1], [n], [0])[:4], n_bags=1)
        own = slice(place, place + n)
        torch.testing.assert_close(together.instance_logits[own], alone.instance_logits)
        torch.testing.assert_close(
            together.bag_log_probability[k : k + 1], alone.bag_log_probability
        )
        torch.testing.assert_close(together.attention[own], alone.attention)
        place += n


def test_online_scores_know_nothing_of_what_comes() -> None:
    network = network_of()
    x = torch.randn(1, 200, 42)
    other = x.clone()
    other[:, 100:] = torch.randn(1, 100, 42)
    a, b = (network(*batch_of(v, [20], [0])[:4], n_bags=1).instance_logits for v in (x, other))
    torch.testing.assert_close(a[:10], b[:10])
    assert not torch.allclose(a[10:], b[10:])


def test_a_missing_clip_and_another_recording_begin_anew() -> None:
    segment = torch.tensor([0, 0, 0, 1, 1, 2])
    start = torch.tensor([0, 10, 30, 0, 10, 20])
    bag = torch.tensor([0, 0, 0, 0, 0, 1])
    assert stretches(segment, start, bag, 10).tolist() == [0, 0, 1, 2, 2, 3]
    network = network_of()
    x = torch.randn(3, 40, 42)
    out = network(x, segment, start, bag, n_bags=2)
    # The clip behind the gap knows nothing of those before it, online or in the proposals.
    alone = network(x[:1], segment[2:3], start[2:3], bag[2:3], n_bags=1)
    torch.testing.assert_close(out.instance_logits[2:3], alone.instance_logits)
    other = x.clone()
    other[0, :20] = torch.randn(20, 42)
    changed = network(other, segment, start, bag, n_bags=2)
    torch.testing.assert_close(out.instance_logits[2:], changed.instance_logits[2:])
    # The infant's score is of all its stretches.
    assert not torch.equal(out.bag_log_probability[0], changed.bag_log_probability[0])
    torch.testing.assert_close(out.bag_log_probability[1], changed.bag_log_probability[1])


def test_a_recording_that_ends_early_is_judged_as_if_it_had_no_more() -> None:
    """Longer stretches than the proposals reach, and a gap: the ends alone are proposed anew."""
    network = network_of(3, proposal_widths=(8, 8))
    start = torch.cat([10 * torch.arange(14), 10 * torch.arange(15, 21)])
    x, zero = torch.randn(1, 220, 42), torch.zeros(20, dtype=torch.long)
    whole = BagBatch(x, zero, start, zero, torch.tensor([0]))
    with torch.inference_mode():
        found = judge_prefixes(network, whole, call_bags(network, whole, 1))
        for k in range(20):
            n = k + 1
            alone = network(x, zero[:n], start[:n], zero[:n], n_bags=1).bag_log_probability[0]
            torch.testing.assert_close(found[k], alone)
    assert found.std(dim=0).min() > 0


def test_highest_mean_by_hand() -> None:
    score = torch.tensor([[0.1, 0.9, 0.5, 0.7, 0.2], [0.4, 0.6, 1.0, 1.0, 1.0]])[:, :, None]
    there = torch.tensor([[True] * 5, [True, True, False, False, False]])
    # Two of five; one of two, and never what pads.
    found = highest_mean(score, there, 0.3)
    torch.testing.assert_close(found, torch.tensor([[0.8], [0.6]]))


@pytest.mark.parametrize("video_from", [0.0, 1.0])
def test_losses_by_hand(video_from: float) -> None:
    network = network_of(3, video_from=video_from, clip_from=0.0)
    batch = batch_of(torch.randn(2, 200, 42), [16, 5], [2, 0])
    found = network.score(*batch[:4])
    losses = network.bag_losses(batch)
    for b, (k, label) in enumerate(((2, 2), (1, 0))):
        wanted = np.eye(3)[label]
        own_clips = batch.bag == b
        proposal = found.proposal[own_clips].sigmoid().detach().numpy()
        online = found.online[own_clips].sigmoid().detach().numpy()

        def entropy(p: np.ndarray, y: np.ndarray) -> float:
            return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())

        top = [np.sort(v, axis=0)[-k:].mean(axis=0) for v in (proposal, online)]
        # Scores lie between 0 and 1: from 0 on every clip has its infant's label, from 1 on none.
        pseudo = wanted if video_from == 0 else np.zeros(3)
        own = entropy(top[0], wanted) + entropy(online, pseudo) + entropy(top[1], wanted)
        assert losses[b].item() == pytest.approx(own, rel=1e-4)


def test_it_finds_out_when_a_hand_is_raised_from_infants_labels_alone() -> None:
    """A hand is up for a third of the recordings of class 0, and never in class 1."""
    rng = np.random.default_rng(1)
    n, frames = 32, 200
    posture = rng.normal(size=(1, 1, 21, 2)) + 0.02 * rng.normal(size=(n, 1, 21, 2))
    x = posture + 0.2 * rng.normal(size=(n, frames, 21, 2))
    target = np.arange(n) % 2
    first = 10 * rng.integers(0, 13, n)[:, None]
    at = np.arange(frames)[None]
    active = (at >= first) & (at < first + 70) & (target == 0)[:, None]
    x[:, :, BODY_21.keypoints.index("left_hand")] += active[:, :, None]
    x = torch.from_numpy(x.reshape(n, frames, 42)).float()
    network = network_of(dropout=0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    network.train()
    learned = batch_of(x[:16], [20] * 16, target[:16].tolist())
    for _ in range(60):
        optimiser.zero_grad()
        network.bag_losses(learned).mean().backward()
        optimiser.step()
    network.eval()
    with torch.inference_mode():
        out = network(*batch_of(x[16:], [20] * 16, target[16:].tolist())[:4], n_bags=16)
    assert (out.bag_log_probability.argmax(dim=1).numpy() == target[16:]).mean() >= 0.8
    found = out.instance_logits.softmax(dim=1)[:, 0].view(16, 20)
    truth = torch.from_numpy(active[16:].reshape(16, 20, 10).mean(axis=2) > 0.5)
    normal = torch.from_numpy(target[16:] == 0)
    # Online scores rise once the hand is up; what came before cannot be unseen afterwards.
    before = truth.cumsum(dim=1) == 0
    assert found[normal][truth[normal]].mean() > found[normal][before[normal]].mean() + 0.2
    # The clips behind the infant's score are among those with the hand up.
    weight = out.attention.view(16, 20)[normal]
    assert (weight * truth[normal]).sum(dim=1).mean() > 0.8


def test_other_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="wo_gma needs the 42 values"):
        WoGma.build(parse_model_options(WoGma, {}), 12, 2)
    assert isinstance(WoGma.build(parse_model_options(WoGma, {}), 42, 2), nn.Module)
