"""STAM: its graph, its numbers a joint, its size, and that it sees oscillation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fidgety.errors import ConfigError
from fidgety.models.base import count_parameters, parse_model_options
from fidgety.models.skeleton_graph import exactly, hops, within
from fidgety.models.stam import Stam, StamNetwork, motion_channels
from fidgety.skeletons import BODY_21, HUMAN36M_17, OPENPOSE_18


def network_of(n_classes: int = 2, **options: object) -> StamNetwork:
    torch.manual_seed(0)
    network = Stam.build(parse_model_options(Stam, options), 42, n_classes)
    assert isinstance(network, StamNetwork)
    return network.eval()


def test_hops_along_the_arm() -> None:
    apart = hops(BODY_21)
    at = BODY_21.keypoints.index
    assert apart[at("left_wrist"), at("left_elbow")] == 1
    assert apart[at("left_wrist"), at("thorax")] == 3
    assert apart[at("left_hand"), at("right_hand")] == 8
    assert (apart == apart.T).all()
    assert np.isfinite(apart).all()


def test_adjacencies() -> None:
    near = within(BODY_21, 3)
    np.testing.assert_allclose(near.sum(axis=0), 1)
    at = BODY_21.keypoints.index
    assert near[at("left_wrist"), at("thorax")] > 0 == near[at("left_wrist"), at("neck")]
    scales = exactly(HUMAN36M_17, 1, 4)
    np.testing.assert_allclose(scales[0], np.eye(17))
    # Of scale 2, the left ankle sees itself and the left hip, which sees more.
    at = HUMAN36M_17.keypoints.index
    ankle = scales[2, at("left_ankle")]
    assert set(np.flatnonzero(ankle)) == {at("left_ankle"), at("left_hip")}
    degree = (scales[2, at("left_hip")] > 0).sum()
    assert ankle[at("left_hip")] == pytest.approx(1 / np.sqrt(2 * degree))


def test_a_joint_of_another_frame_is_one_step_away() -> None:
    scales = exactly(HUMAN36M_17, 3, 3)
    np.testing.assert_allclose(scales[0], np.eye(51))
    at = HUMAN36M_17.keypoints.index
    wrist, elbow, shoulder = (at(f"left_{j}") for j in ("wrist", "elbow", "shoulder"))
    # Scale 1 of the wrist in the second frame: itself in all three frames, its elbow in all three.
    one = set(np.flatnonzero(scales[1, 17 + wrist]))
    assert one == {wrist, 17 + wrist, 34 + wrist, elbow, 17 + elbow, 34 + elbow}
    two = set(np.flatnonzero(scales[2, 17 + wrist]))
    assert two == {17 + wrist, shoulder, 17 + shoulder, 34 + shoulder}
    assert (scales == scales.transpose(0, 2, 1)).all()


def test_seven_numbers_of_a_joint_by_hand() -> None:
    position = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0], [6.0, 8.0]]).view(1, 4, 1, 2)
    found = motion_channels(position)[0, :, :, 0].T
    wanted = torch.tensor(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [3.0, 4.0, 3.0, 4.0, 0.0, 0.0, 5.0],
            [3.0, 4.0, 0.0, 0.0, -3.0, -4.0, 0.0],
            [6.0, 8.0, 3.0, 4.0, 3.0, 4.0, 5.0],
        ]
    )
    torch.testing.assert_close(found, wanted)


def test_the_paper_s_clips_and_size() -> None:
    network = network_of(preset="nguyenthai2021")
    position = torch.randn(1, 1000, 42)
    clips = network.cut(motion_channels(position.unflatten(2, (-1, 2))))
    assert clips.shape == (1, 49, 7, 30, 21)
    torch.testing.assert_close(clips[0, 3, 0, 5], position.unflatten(2, (-1, 2))[0, 65, :, 0])
    # Layer by layer, with 18 joints as in the paper: about 0.44 million.
    own = StamNetwork(OPENPOSE_18, 2, 2, network.options)
    sizes = {
        "norm": 2 * 7 * 18,
        "block 1": 7 * 64 + 64 + 2 * 64 + 64 * 64 * 9 + 64 + 2 * 64,
        "block 2": (64 * 128 + 128) * 2 + 128 * 128 * 9 + 128 + 3 * 2 * 128,
        "block 3": (128 * 128 + 128) * 2 + 128 * 128 * 9 + 128 + 3 * 2 * 128,
        "joints, clips": 2 * (128 * 128 + 128 + 128 + 1),
        "mix": 128 * 128 + 128,
        "output": 2 * 128 + 2,
    }
    assert count_parameters(own) == sum(sizes.values()) == 434_368
    assert count_parameters(network) == 434_368 + 2 * 7 * 3


def test_shapes_of_the_blocks() -> None:
    network = network_of()
    shapes = []
    for block in network.blocks:
        block.register_forward_hook(lambda module, inputs, out: shapes.append(tuple(out.shape)))
    with torch.inference_mode():
        network(torch.randn(2, 300, 42))
    assert shapes == [(28, 64, 30, 21), (28, 128, 15, 21), (28, 128, 8, 21)]


def test_still_frames_add_nothing_but_position() -> None:
    """A still infant's clips are alike: each has the same weight."""
    network = network_of()
    still = torch.randn(1, 1, 42).expand(1, 300, 42)
    seen = []
    network.clips.register_forward_hook(lambda module, inputs, out: seen.append(out))
    with torch.inference_mode():
        network(still)
    torch.testing.assert_close(seen[0], torch.full_like(seen[0], 1 / 14))


def test_it_learns_to_tell_circling_from_still_hands() -> None:
    network = network_of(widths=(8, 8), attention_width=8, window_s=2.0)
    rng = np.random.default_rng(0)
    posture = rng.normal(size=(24, 1, 21, 2))
    phase = 2 * np.pi * 1.5 * np.arange(60) / 30 + rng.uniform(0, 6, (24, 1))
    path = 0.1 * np.stack([np.cos(phase), np.sin(phase)], axis=2)
    target = np.arange(24) % 2
    x = np.repeat(posture, 60, axis=1)
    x[:, :, BODY_21.keypoints.index("left_hand")] += path * target[:, None, None]
    x = torch.from_numpy(x.reshape(24, 60, 42)).float()
    y = torch.from_numpy(target)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    network.train()
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(x[:16]), y[:16])
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.inference_mode():
        assert (network(x[16:]).argmax(dim=1) == y[16:]).float().mean() >= 0.75


def test_other_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="stam needs the 42 values of coordinates_2d, found 54"):
        Stam.build(parse_model_options(Stam, {}), 54, 2)
    assert Stam.build(parse_model_options(Stam, {"coordinates": "coordinates_3d"}), 51, 3)
    with pytest.raises(ConfigError, match="at most the 20 frames"):
        parse_model_options(Stam, {"window_s": 20 / 30})
