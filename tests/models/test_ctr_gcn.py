"""CTR-GCN: its graph, its convolution by hand, its size, its laws, and that it sees oscillation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.base import count_parameters, parse_model_options, set_weights, weights_of
from fidgety.models.ctr_gcn import (
    CtrGcn,
    CtrGcnNetwork,
    RefinedGraph,
    TemporalBranches,
    stream_channels,
)
from fidgety.models.ctr_gcn_options import CtrGcnOptions
from fidgety.models.skeleton_graph import carriers, partitions
from fidgety.skeletons import BODY_21, HUMAN36M_17, Skeleton
from fidgety.training.norms import plain_means

#: The Kinect's 25 joints: joint and the one nearer to the upper spine, which carries it (from 1).
NTU = (
    "1-2 2-21 3-21 4-3 5-21 6-5 7-6 8-7 9-21 10-9 11-10 12-11 13-1 14-13 15-14 16-15 17-1 18-17 "
    "19-18 20-19 22-23 23-8 24-25 25-12"
)
SMALL: dict[str, Any] = {"widths": [8, 16], "halve_at": [2], "window_s": 2.0, "rate_hz": 30.0}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small matrices: several threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def ntu_skeleton() -> Skeleton:
    bones = tuple((a, b) for a, b in (pair.split("-") for pair in NTU.split()))
    return Skeleton("ntu25", tuple(map(str, range(1, 26))), bones, parents=dict(bones))


def options_of(**options: object) -> CtrGcnOptions:
    checked = parse_model_options(CtrGcn, options)
    assert isinstance(checked, CtrGcnOptions)
    return checked


def network_of(skeleton: Skeleton = BODY_21, **options: object) -> CtrGcnNetwork:
    """Return a network whose graph convolutions count from the start, and refine."""
    torch.manual_seed(0)
    network = CtrGcnNetwork(skeleton, 2, 2, options_of(**options))
    for block in network.blocks:
        nn.init.ones_(block.graph_norm.weight)
        nn.init.constant_(block.graph.alpha, 0.7)
    return network.eval()


def logits(network: nn.Module, position: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found = network(position.flatten(2))
    assert isinstance(found, torch.Tensor)
    return found


def test_what_carries_a_joint_and_the_three_partitions() -> None:
    at = BODY_21.keypoints.index
    carried = carriers(BODY_21)
    assert carried[at("left_hand")] == at("left_wrist")
    assert carried[at("pelvis")] == at("pelvis")
    own, inward, outward = partitions(BODY_21)
    np.testing.assert_array_equal(own, np.eye(21))
    # The elbow sees the wrist inward, the shoulder outward.
    elbow = at("left_elbow")
    assert np.flatnonzero(inward[elbow]).tolist() == [at("left_wrist")]
    assert np.flatnonzero(outward[elbow]).tolist() == [at("left_shoulder")]
    # The pelvis gives a third of itself to both hips and the spine, and sees nothing outward.
    hip = at("left_hip")
    assert outward[hip, at("pelvis")] == pytest.approx(1 / 3)
    assert not outward[at("pelvis")].any()
    assert set(np.unique(np.abs(inward).sum(axis=0))) == {0.0, 1.0}
    np.testing.assert_allclose(outward.sum(axis=0)[[at("pelvis"), at("left_hand")]], [1, 0])
    # As many bones as joints, but for the root; and each of the skeleton's own.
    for skeleton in (BODY_21, HUMAN36M_17, ntu_skeleton()):
        joined = partitions(skeleton)[1]
        ends = {frozenset(map(int, pair)) for pair in np.argwhere(joined)}
        assert ends == {frozenset(map(int, pair)) for pair in skeleton.bone_indices}
    with pytest.raises(ValueError, match="single root"):
        carriers(Skeleton("loose", ("nose", "tail"), ()))


def test_streams_by_hand() -> None:
    position = torch.tensor([[[1.0, 2.0], [4.0, 6.0]], [[2.0, 2.0], [4.0, 9.0]]])[None]
    carrier = torch.tensor([0, 0])
    every = ("joint", "bone", "joint_motion", "bone_motion")
    found = stream_channels(position, carrier, every)
    assert found.shape == (1, 8, 2, 2)
    # (frame, channel) of the second joint, which the first one carries.
    wanted = torch.tensor(
        [[4.0, 6.0, 3.0, 4.0, 0.0, 3.0, -1.0, 3.0], [4.0, 9.0, 2.0, 7.0, 0.0, 0.0, 0.0, 0.0]]
    )
    torch.testing.assert_close(found[0, :, :, 1].T, wanted)
    assert (found[0, 2:4, :, 0] == 0).all()


def by_the_paper(
    graph: RefinedGraph, x: NDArray[np.float64], n_out: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transcribe section 3.2 joint by joint and channel by channel."""
    weights = {name: w.numpy().astype(np.float64) for name, w in weights_of(graph).items()}
    _, frames, n_joints = x.shape
    parts = len(weights["topology"])
    relation = len(weights["sender.weight"]) // parts
    mean = x.mean(axis=1)
    z = np.zeros((n_out, frames, n_joints))
    refined = np.zeros((parts, n_out, n_joints, n_joints))
    for p in range(parts):
        some, all_out = slice(p * relation, (p + 1) * relation), slice(p * n_out, (p + 1) * n_out)
        transform, constant = (
            weights["transform.weight"][all_out, :, 0, 0],
            weights["transform.bias"],
        )
        xi = weights["refine.weight"][all_out, :, 0, 0]
        for i in range(n_joints):
            psi = weights["receiver.weight"][some] @ mean[:, i] + weights["receiver.bias"][some]
            for j in range(n_joints):
                phi = weights["sender.weight"][some] @ mean[:, j] + weights["sender.bias"][some]
                q = xi @ np.tanh(psi - phi) + weights["refine.bias"][all_out]
                refined[p, :, i, j] = weights["topology"][p, i, j] + weights["alpha"] * q
                for t in range(frames):
                    value = transform @ x[:, t, j] + constant[all_out]
                    z[:, t, i] += refined[p, :, i, j] * value
    return z, refined


def test_the_convolution_is_the_paper_s() -> None:
    torch.manual_seed(1)
    graph = RefinedGraph(12, 8, torch.randn(3, 5, 5), reduction=4)
    for parameter in graph.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(2, 12, 4, 5)
    with torch.inference_mode():
        found = graph(x)
        added = graph.refinement(x)
    for k in range(2):
        wanted, refined = by_the_paper(graph, x[k].double().numpy(), 8)
        np.testing.assert_allclose(found[k], wanted, rtol=1e-5, atol=1e-5)
        topology = graph.topology.detach()[:, None] + graph.alpha.detach() * added[k]
        np.testing.assert_allclose(topology, refined, rtol=1e-5, atol=1e-5)


def test_without_refinement_channels_share_a_topology() -> None:
    """As it starts: alpha is 0, and joints see each other along the bones alone."""
    torch.manual_seed(2)
    graph = RefinedGraph(4, 6, torch.from_numpy(partitions(BODY_21)).float(), reduction=8)
    x = torch.zeros(1, 4, 3, 21)
    x[..., BODY_21.keypoints.index("left_wrist")] = 1.0
    with torch.inference_mode():
        moved = (graph(x) - graph(torch.zeros_like(x))).abs().sum(dim=(0, 1, 2))
    seen = {BODY_21.keypoints[int(k)] for k in torch.nonzero(moved > 1e-5)}
    assert seen == {"left_elbow", "left_wrist", "left_hand"}


def test_branches_see_what_they_should() -> None:
    """Of one frame: the kernel's frames, these with gaps, its neighbours, itself."""
    torch.manual_seed(3)
    branches = TemporalBranches(16, 5, (1, 2), 1).eval()
    nn.init.zeros_(branches.share[0].weight)
    with torch.no_grad():
        branches.share[0].weight[:, 0] = 1.0
        for layer in branches.dilated:
            layer.weight.abs_()
    x = torch.zeros(1, 16, 21, 1)
    x[0, 0, 10] = 1.0
    with torch.inference_mode():
        moved = (branches(x) - branches(torch.zeros_like(x)))[0, :, :, 0].abs() > 1e-6
    reached = [torch.nonzero(part.any(dim=0))[:, 0].tolist() for part in moved.chunk(4)]
    assert reached == [[8, 9, 10, 11, 12], [6, 8, 10, 12, 14], [9, 10, 11], [10]]
    halved = TemporalBranches(16, 5, (1, 2), 2)
    assert halved(torch.randn(2, 16, 21, 3)).shape == (2, 16, 11, 3)


def ctr_sizes(n_in: int, n_out: int, joints: int, relation: int, stride: int) -> dict[str, int]:
    """Return the numbers of a block by hand, from the paper's layers."""
    branch = n_out // 4
    changed = n_in != n_out
    return {
        "topologies and alpha": 3 * joints**2 + 1,
        "psi, phi": 3 * 2 * (n_in * relation + relation),
        "xi": 3 * (relation * n_out + n_out),
        "transform": 3 * (n_in * n_out + n_out),
        "norm": 2 * n_out,
        "inner shortcut": changed * (n_in * n_out + n_out + 2 * n_out),
        "1 x 1 of four branches": 4 * (n_out * branch + branch + 2 * branch),
        "two dilated": 2 * (5 * branch * branch + branch + 2 * branch),
        "norm of the largest": 2 * branch,
        "outer shortcut": (changed or stride > 1) * (n_in * n_out + n_out + 2 * n_out),
    }


def test_the_paper_s_size() -> None:
    """1.46 million with 120 classes of NTU, where two bodies share all but the first norm."""
    options = options_of(preset="chen2021")
    # Channels in, out, and of the relations: an eighth of what comes in, 8 in the first block.
    blocks = [(3, 64, 8), *[(64, 64, 8)] * 3, (64, 128, 8), *[(128, 128, 16)] * 2]
    blocks += [(128, 256, 16), *[(256, 256, 32)] * 2]
    sizes = []
    for k, (n_in, n_out, relation) in enumerate(blocks):
        by_hand = ctr_sizes(n_in, n_out, 25, relation, 2 if k in (4, 7) else 1)
        if k == 0:
            by_hand["outer shortcut"] = 0  # the first block has none
        sizes.append(sum(by_hand.values()))
    network = CtrGcnNetwork(ntu_skeleton(), 3, 120, options)
    assert [count_parameters(block) for block in network.blocks] == sizes
    one_body = 2 * 3 * 25 + sum(sizes) + 257 * 120
    assert count_parameters(network) == one_body
    assert one_body + 2 * 3 * 25 == pytest.approx(1.46e6, rel=0.005)


def test_shapes_of_the_blocks() -> None:
    network = network_of(preset="chen2021")
    shapes = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, out: shapes.append(tuple(out.shape)))
    with torch.inference_mode():
        assert network(torch.randn(2, 24, 42)).shape == (2, 2)
    frames = [24] * 4 + [12] * 3 + [6] * 3
    widths = [64] * 4 + [128] * 3 + [256] * 3
    assert shapes == [(2, w, f, 21) for w, f in zip(widths, frames, strict=True)]


def test_the_presets() -> None:
    groos = options_of(preset="groos2022")
    spec = CtrGcn.inputs(groos)
    assert (spec.window_frames, spec.step_frames(True), spec.step_frames(False)) == (150, 75, 75)
    assert groos.streams == ("joint", "joint_motion", "bone")
    assert CtrGcn.pool(groos) == "median"
    assert CtrGcn.training(groos).optimiser.kind == "sgd"
    assert options_of(preset="groos2022", pool="mean", rate_hz=15).pool == "mean"
    chen = options_of(preset="chen2021")
    assert chen.strides() == (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


def test_memory_is_that_of_what_the_gradients_need() -> None:
    """Counted on the way: all that is kept of a window more, in the published network."""
    options = options_of(preset="chen2021", window_s=1.0)
    network = CtrGcnNetwork(BODY_21, 2, 2, options).train()

    def kept(windows: int) -> int:
        """Return the bytes that a batch leaves behind for its gradients."""
        sizes: dict[int, int] = {}
        tensors = []

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            tensors.append(tensor)  # or its memory would be used again
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(torch.randn(windows, 30, 42))
        return sum(sizes.values())

    a_window = (kept(4) - kept(2)) / 2e6
    assert a_window < (options.memory_mb() - 4000) / 64 < 2 * a_window
    # Default sizes need no more than other small networks.
    assert options_of().memory_mb() < 6000


def renumbered(skeleton: Skeleton, order: NDArray[np.intp]) -> Skeleton:
    return replace(skeleton, keypoints=tuple(skeleton.keypoints[k] for k in order))


@pytest.mark.parametrize("streams", [["joint", "bone"], ["joint_motion", "bone_motion"]])
def test_numbers_of_joints_mean_nothing(streams: list[str]) -> None:
    """Joints in another order, with their graph: the same answer."""
    network = network_of(**SMALL, streams=streams)
    order = np.random.default_rng(4).permutation(21)
    other = network_of(renumbered(BODY_21, order), **SMALL, streams=streams)
    own = weights_of(network)
    set_weights(other, own | {n: w for n, w in weights_of(other).items() if "topology" in n})
    position = torch.randn(3, 60, 21, 2)
    torch.testing.assert_close(
        logits(other, position[:, :, order]), logits(network, position), rtol=1e-4, atol=1e-5
    )
    # Joints alone, not the graph: another answer.
    apart = logits(network, position[:, :, order]) - logits(network, position)
    assert apart.abs().min() > 1e-3


def test_sides_are_alike_before_anything_is_learned() -> None:
    """The skeleton is its own mirror image: left joints may change places with right ones."""
    network = network_of(**SMALL, streams=["joint", "bone", "joint_motion"])
    position = torch.randn(3, 60, 21, 2)
    found, wanted = logits(network, position[:, :, list(BODY_21.mirror)]), logits(network, position)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        side = BODY_21.keypoints.index("left_hand")
        network.blocks[0].graph.topology[0, side, side] = 3.0
    assert (logits(network, position[:, :, list(BODY_21.mirror)]) - wanted).abs().max() > 1e-3


def test_where_the_infant_lies_matters_to_positions_alone() -> None:
    position = torch.randn(3, 60, 21, 2)
    elsewhere = position + torch.randn(3, 1, 1, 2)
    drifting = position + torch.randn(3, 60, 1, 2)
    moved = {}
    for stream in ("joint", "joint_motion", "bone", "bone_motion"):
        network = network_of(**SMALL, streams=[stream])
        still = logits(network, position)
        moved[stream] = [
            float((logits(network, other) - still).abs().max()) > 1e-3
            for other in (elsewhere, drifting)
        ]
    assert moved == {
        "joint": [True, True],
        "joint_motion": [False, True],
        "bone": [False, False],
        "bone_motion": [False, False],
    }


def hands(rng: np.random.Generator, circling: NDArray[np.bool_], frames: int) -> torch.Tensor:
    """Return infants whose left hand circles, or goes to and fro at the same mean speed.

    Both at 1.5 Hz, in a posture and on axes of their own: neither place nor speed nor rate tells
    them apart. A circle of radius r has the speed w r at all times; to and fro by a, the mean
    speed is 2 w a / pi.
    """
    n = len(circling)
    posture = rng.normal(size=(n, 1, 21, 2))
    phase = 2 * np.pi * 1.5 * np.arange(frames) / 30 + rng.uniform(0, 2 * np.pi, (n, 1))
    circle = 0.1 * np.stack([np.cos(phase), np.sin(phase)], axis=2)
    angle = rng.uniform(0, np.pi, (n, 1))
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=2)
    to_and_fro = 0.1 * np.pi / 2 * np.cos(phase)[:, :, None] * axis
    position = np.repeat(posture, frames, axis=1)
    path = np.where(circling[:, None, None], circle, to_and_fro)
    position[:, :, BODY_21.keypoints.index("left_hand")] += path
    return torch.from_numpy(position).float()


def test_it_learns_to_tell_circling_from_to_and_fro() -> None:
    rng = np.random.default_rng(0)
    circling = np.arange(160) % 2 == 1
    x, y = hands(rng, circling, 60), torch.from_numpy(circling.astype(np.int64))
    torch.manual_seed(0)
    network = CtrGcn.build(options_of(**SMALL, streams=["joint_motion"], dropout=0.0), 42, 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    network.train()
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x[:96].flatten(2)), y[:96]).backward()
        optimiser.step()
    with plain_means(network):
        network(x[:96].flatten(2))
    right = logits(network.eval(), x[96:]).argmax(dim=1) == y[96:]
    assert right.float().mean() >= 0.85  # 55 of 64; by chance in one of 500 million


def test_options_that_do_not_fit_are_refused() -> None:
    for wrong, message in (
        ({"widths": [8, 10]}, "multiples of the 4 temporal branches, not 10"),
        ({"halve_at": [5]}, "the 3 blocks"),
        ({"temporal_kernel": 4}, "odd"),
        ({"streams": ["joint", "joint"]}, "once each"),
        ({"streams": []}, "streams"),
        ({"window_s": 0.03}, "two frames"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_model_options(CtrGcn, wrong)
    assert options_of(widths=[6], dilations=[1], halve_at=[]).strides() == (1,)


def test_other_features_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="ctr_gcn needs the 42 values of coordinates_2d, found 54"
    ):
        CtrGcn.build(options_of(), 54, 2)
    assert CtrGcn.build(options_of(coordinates="coordinates_3d"), 51, 3)
