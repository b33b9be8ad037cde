"""The whole MAM: branches, their fusion, the sum of the losses, what a batch is made of."""

import numpy as np
import pytest
import torch

from fidgety.datasets.instances import (
    BagData,
    JointBatches,
    JointData,
    JointDraw,
    collate_bags,
    only_item,
)
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError
from fidgety.models.base import JointPlan, OptimiserPlan, call_bags, parse_model_options
from fidgety.models.mam_full import Mam
from fidgety.models.mam_losses import closeness, triplet
from fidgety.training.lit import JointClassification

SMALL = {
    "window_s": 2.4,
    "step_s": 0.6,
    "predict_step_s": 1.2,
    "frame_stride": 3,
    "width": 8,
    "heads": 2,
    "feed_forward": 16,
    "encoder_layers": 1,
    "pool_widths": [8],
    "dropout": 0.0,
    "info_dropout": 0.0,
    "bag_instances": 4,
    "clips_per_kind": 3,
}
FEATURES = 51


def options(**changes):
    return parse_model_options(Mam, SMALL | changes)


def recordings(n, info=True, frames=250):
    rng = np.random.default_rng(n)
    names = tuple(f"f{k}" for k in range(FEATURES))
    return [
        Series(
            f"r{k}", f"i{k}", "", rng.normal(size=(frames, FEATURES)).astype("f4"), names, 0.0,
            25.0,
            rng.normal(size=(frames, FEATURES)).astype("f4"),
            info=rng.normal(size=4) if info else None,
        )
        for k in range(n)
    ]  # fmt: skip


def joint_data(chosen, **how):
    """Return three bags (normal, risk, normal) beside the clips of two further recordings."""
    series, reference = recordings(3), recordings(2, info=False)
    windows = cut_windows(series, 60, 15)
    groups = [np.flatnonzero(windows.series == k) for k in range(3)]
    bags = BagData(series, windows, groups, np.array([0, 1, 0]))
    clips = cut_windows(reference, 60, 15)
    labels = (np.arange(len(clips)) % 2).astype(np.int64)
    clip_data = BagData(reference, clips, [np.arange(len(clips))], labels, by_instance=True)
    sampler = JointBatches(
        labels, bags.targets, np.array([len(g) for g in groups]), seed=1, mirror=True,
        **({"per_kind": chosen.clips_per_kind, "per_class": 1, "per_bag": 4} | how),
    )  # fmt: skip
    return JointData(clip_data, bags), sampler


def test_a_batch_is_half_clips_half_instances_over_the_whole_bag():
    data, sampler = joint_data(options())
    seen: set[tuple[int, int]] = set()
    for epoch in range(40):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 2  # the two normal bags, each once
        assert {b[0].bags[0].item for b in batches} == {0, 2}
        for (draw,) in batches:
            assert isinstance(draw, JointDraw)
            assert [data.bags.targets[d.item] for d in draw.bags] == [0, 1]
            assert all(len(d.chosen) == len(set(d.chosen)) == 4 for d in draw.bags)
            kinds = [data.clips.targets[d.chosen[0]] for d in draw.clips]
            assert kinds == [0] * 3 + [1] * 3
            seen |= {(d.item, k) for d in draw.bags for k in d.chosen}
    assert seen == {(bag, k) for bag in range(3) for k in range(len(data.bags.bags[bag]))}
    sampler.set_epoch(3)
    first = list(sampler)
    sampler.set_epoch(3)
    assert list(sampler) == first


def test_a_batch_holds_the_very_frames():
    data, sampler = joint_data(options())
    (draw,) = next(iter(sampler))
    batch = only_item([data[draw]])
    assert batch.n_bags == 2
    assert batch.bags.x.shape == (2 * 4 + 6, 60, FEATURES)
    assert batch.bags.bag.tolist() == [0] * 4 + [1] * 4 + [2] * 6
    assert batch.clip_target.tolist() == [0] * 3 + [1] * 3
    assert batch.bags.target.tolist() == [0, 1]
    one = draw.bags[1]
    window = data.bags.bags[one.item][one.chosen[2]]
    series = data.bags.series[int(data.bags.windows.series[window])]
    start = int(data.bags.windows.start[window])
    values = series.mirrored if one.mirrored else series.values
    np.testing.assert_array_equal(batch.bags.x[4 + 2].numpy(), values[start : start + 60])
    np.testing.assert_allclose(batch.bags.info[1].numpy(), series.info, rtol=1e-6)


def test_small_bags_and_rare_clips_give_what_they_have():
    data, sampler = joint_data(options(), per_kind=99, per_bag=99)
    (draw,) = next(iter(sampler))
    assert len(draw.bags[0].chosen) == len(data.bags.bags[draw.bags[0].item])
    assert len(draw.clips) == len(data.clips.windows)


@pytest.mark.parametrize("fusion", ["paper", "mean"])
@pytest.mark.parametrize("bag_softmax", [True, False])
def test_the_branches_are_fused_as_written(fusion, bag_softmax):
    torch.manual_seed(0)
    network = Mam.build(options(fusion=fusion, bag_softmax=bag_softmax), FEATURES, 2).eval()
    data, _ = joint_data(options())
    batch = collate_bags([data.bags[d] for d in _all(3)])
    with torch.inference_mode():
        fused = call_bags(network, batch, 3).bag_log_probability.exp()
        video = call_bags(network, batch._replace(info=None), 3).bag_log_probability.exp()
        info = network.info_branch(batch.info).softmax(dim=1)
    expected = (video + info) / 2 if fusion == "mean" else (video + info).softmax(dim=1)
    torch.testing.assert_close(fused, expected)
    torch.testing.assert_close(fused.sum(dim=1), torch.ones(3))
    if fusion == "paper":
        assert fused.max() <= 0.881


def _all(n):
    from fidgety.datasets.instances import Draw

    return [Draw(k) for k in range(n)]


@pytest.mark.parametrize("with_closeness", [True, False])
@pytest.mark.parametrize("with_triplet", [True, False])
def test_the_loss_is_the_sum_of_the_papers(with_triplet, with_closeness):
    torch.manual_seed(0)
    network = Mam.build(options(), FEATURES, 2).eval()
    plan = JointPlan(3, triplet=with_triplet, closeness=with_closeness)
    module = JointClassification(network, torch.ones(2), [False, True], OptimiserPlan(), plan)
    data, sampler = joint_data(options())
    (draw,) = next(iter(sampler))
    batch = data[draw]
    found = module.joint_loss(batch)

    # By hand: each clip and each bag through the network alone.
    x, info = batch.bags.x, batch.bags.info
    embedding = network.embed_clips(x)
    fm = network.classifier(embedding).softmax(dim=1)[:, 0]  # not at risk: fidgety
    g = batch.clip_target.float()
    clips = -(g * fm[8:].log() + (1 - g) * (1 - fm[8:]).log()).mean()
    losses = []
    for k, target in enumerate([0, 1]):
        own = torch.arange(4)
        output = network(
            x[4 * k : 4 * k + 4], own, torch.zeros_like(own), torch.zeros_like(own), 1,
            info=info[k : k + 1],
        )  # fmt: skip
        losses.append(-output.bag_log_probability[0, target])
    expected = clips + torch.stack(losses).mean()
    if with_triplet:
        expected = expected + triplet(embedding[8:], g == 1)
    if with_closeness:
        expected = expected + closeness(embedding[:8], fm[:8], embedding[8:], g == 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.backward()
    assert all(p.grad is not None for p in network.parameters() if p.requires_grad)


def test_branches_can_be_left_out():
    whole = options()
    assert Mam.training(whole).joint.closeness
    assert Mam.training(whole).pretraining is not None
    alone = options(reference=False, closeness=False)
    assert Mam.training(alone).joint is None
    assert Mam.training(alone).pretraining is None
    assert not Mam.training(options(closeness=False)).joint.closeness
    assert not Mam.reads_info(options(info=False))
    assert Mam.build(options(info=False), FEATURES, 2).info_branch is None
    wider = Mam.build(options(info_missing="impute"), FEATURES, 2).info_branch[0]
    assert wider.in_features == 8
    with pytest.raises(ConfigError, match="closeness needs the reference branch"):
        options(reference=False)


def test_the_preset_is_the_papers():
    published = parse_model_options(Mam, {"preset": "gao2023"})
    plan = Mam.training(published)
    assert (plan.epochs, plan.optimiser.kind, plan.optimiser.schedule) == (300, "sgd", "cyclic")
    assert (plan.bag_instances, plan.batch_size, plan.joint.clips_per_kind) == (16, 1, 16)
    assert plan.joint.margin == 0.4
    assert (plan.pretraining.epochs, plan.pretraining.optimiser.schedule) == (150, "step")
    spec = Mam.inputs(published)
    assert (spec.window_frames, spec.step_frames(True), spec.step_frames(False)) == (240, 150, 150)
    own = parse_model_options(Mam, {"preset": "gao2023", "epochs": 3})
    assert Mam.training(own).epochs == 3
