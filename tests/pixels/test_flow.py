"""Optical flow at the true rate, and how it is stored."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.pixels.flow import field_times, flow_method
from fidgety.pixels.packing import LIMIT_PX, pack_flow, unpack_flow


def texture(shift: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(2)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (128, 128)).astype(np.float32), (0, 0), 3)
    noise = (noise - noise.min()) / (noise.max() - noise.min()) * 255
    matrix = np.array([[1, 0, shift], [0, 1, 0.5 * shift]])
    return cv2.warpAffine(noise, matrix, (128, 128), borderMode=cv2.BORDER_REFLECT).astype("u1")


@pytest.mark.parametrize("name", ["farneback", "dis"])
def test_a_shift_is_found(name) -> None:
    field = flow_method(name).between(texture(), texture(3.0))
    inner = field[24:-24, 24:-24]
    np.testing.assert_allclose(np.median(inner, axis=(0, 1)), [3.0, 1.5], atol=0.25)
    still = flow_method(name).between(texture(), texture())
    assert np.abs(still[24:-24, 24:-24]).max() < 0.1


def test_farneback_is_that_of_the_publication() -> None:
    """Second implementation: OpenCV's call as the authors' code has it."""
    a, b = texture(), texture(2.0)
    expected = cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 5, 3, 7, 1.5, 0)
    np.testing.assert_array_equal(flow_method("farneback").between(a, b), expected)


def test_at_thirty_frames_a_second_fields_are_five_frames_apart() -> None:
    times = field_times(151, 30.0, 6.0)
    np.testing.assert_array_equal(times.first, 5 * np.arange(30))
    np.testing.assert_array_equal(times.second - times.first, 5)
    np.testing.assert_allclose(times.scale, 1.0)


@given(st.integers(2, 900), st.floats(6.0, 120.0))
def test_fields_follow_each_other_at_any_rate(n_frames, fps) -> None:
    times = field_times(n_frames, fps, 6.0)
    assert (times.second[:-1] == times.first[1:]).all()
    assert (times.second > times.first).all()
    nominal = np.arange(len(times.first)) / 6
    assert np.abs(times.first / fps - nominal).max(initial=0) <= 0.5 / fps + 1e-6
    # What moves evenly has the same flow in every field.
    np.testing.assert_allclose((times.second - times.first) / fps * times.scale, 1 / 6)
    assert len(times.first) == int(np.floor((n_frames - 1) / fps * 6 + 1e-6))


def test_more_fields_than_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="6 fields a second of 5"):
        field_times(100, 5.0, 6.0)


@given(st.lists(st.floats(-60, 60, width=32), min_size=2, max_size=2))
def test_storing_costs_little_and_clips(vector) -> None:
    field = np.array(vector, dtype=np.float32)
    clipped = np.clip(field, -LIMIT_PX, LIMIT_PX)
    eight = unpack_flow(pack_flow(field, "uint8"))
    np.testing.assert_allclose(eight, clipped, atol=LIMIT_PX / 255 + 1e-5)
    half = unpack_flow(pack_flow(field, "float16"))
    np.testing.assert_allclose(half, clipped, rtol=1e-3, atol=1e-6)
