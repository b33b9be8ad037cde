"""Varied training clips: what is seen moves as the flow says, and nothing is varied by zero."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.models.two_stream_jitter import draw_places, jitter, jitter_colours, move_clips
from fidgety.pixels.clips import CROP_CHANNELS

SIZE = 96
CPU = torch.device("cpu")


def blob(x: float, y: float) -> torch.Tensor:
    """Return a picture of a spot at a place, of shape (3, row, column)."""
    axis = torch.arange(SIZE, dtype=torch.float32)
    spot = torch.exp(-((axis[None] - x) ** 2 + (axis[:, None] - y) ** 2) / 18)
    return spot.expand(3, -1, -1)


def centre(picture: torch.Tensor) -> torch.Tensor:
    """Return where the spot is: x and y."""
    axis = torch.arange(SIZE, dtype=torch.float32)
    mass = picture[0] / picture[0].sum()
    return torch.stack([(mass.sum(0) * axis).sum(), (mass.sum(1) * axis).sum()])


@given(st.integers(0, 2**31), st.floats(-6, 6), st.floats(-6, 6))
@settings(max_examples=25, deadline=None)
def test_the_flow_turns_with_the_picture(seed: int, dx: float, dy: float) -> None:
    """A spot moves from one picture to the next as the flow of the first says, varied or not."""
    torch.manual_seed(seed)
    places = draw_places(1, 0.2, CPU)
    flow = torch.tensor([dx, dy])[:, None, None].expand(2, SIZE, SIZE)
    clips = [
        torch.cat([blob(45 + k * dx, 50 + k * dy), flow, torch.zeros(2, SIZE, SIZE)])[None]
        for k in range(2)
    ]
    first, second = (move_clips(clip, places)[0] for clip in clips)
    x, y = (int(v) for v in centre(first).round())
    told = first[CROP_CHANNELS : CROP_CHANNELS + 2, y, x]
    seen = centre(second) - centre(first)
    torch.testing.assert_close(told, seen, atol=0.05, rtol=0.02)
    assert not first[CROP_CHANNELS + 2 :].any(), "the second field has no movement"


def test_a_transform_that_does_nothing_does_nothing() -> None:
    clip = torch.rand(2, 7, SIZE, SIZE)
    same = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(2, 2, 3)
    torch.testing.assert_close(move_clips(clip, same), clip, atol=1e-5, rtol=0)
    assert torch.equal(jitter(clip, 0.0, 0.0), clip)


@pytest.mark.parametrize("most", [0.1, 0.4])
def test_colours_vary_within_bounds_and_black_stays_black(most: float) -> None:
    torch.manual_seed(0)
    grey = torch.full((400, 3, 2, 2), 0.5)
    grey[:, :, 0, 0] = 0
    varied = jitter_colours(grey, most)
    assert not varied[:, :, 0, 0].any()
    assert varied.min() >= 0
    assert varied.max() <= 1
    inside = varied[:, :, 1, 1]
    # Every clip has a light of its own, every colour of it as well.
    assert inside.std(0).min() > 0.05 * most
    assert (inside[:, 0] - inside[:, 1]).abs().mean() > 0.05 * most
    brightest = 0.5 ** torch.exp(torch.tensor(-most)) * (1 + most) ** 2
    assert inside.max() <= brightest


def test_places_vary_within_bounds() -> None:
    torch.manual_seed(0)
    places = draw_places(2000, 0.15, CPU)
    scale = torch.linalg.det(places[:, :, :2]).sqrt()
    angle = torch.atan2(places[:, 1, 0], places[:, 0, 0])
    for values, centre_of in ((scale, 1.0), (angle, 0.0), (places[:, :, 2], 0.0)):
        away = (values - centre_of).abs()
        assert 0.14 < away.max() <= 0.15 + 1e-6


def test_chance_is_seeded() -> None:
    clip = torch.rand(3, 5, SIZE, SIZE)
    torch.manual_seed(7)
    one = jitter(clip, 0.4, 0.2)
    torch.manual_seed(7)
    assert torch.equal(one, jitter(clip, 0.4, 0.2))
    assert not torch.equal(one, jitter(clip, 0.4, 0.2))
