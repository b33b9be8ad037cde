"""Orientation, crop and size against arrays that are turned and cut by NumPy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.errors import ConfigError
from fidgety.video.geometry import Orientation, plan_geometry

orientations = st.sampled_from(
    [Orientation(t, h, v) for t in (False, True) for h in (False, True) for v in (False, True)]
)


def shown_by_matrix(picture: np.ndarray, matrix: list[int]) -> np.ndarray:
    """Move every pixel by the matrix's own formula, then shift into view."""
    a, b, _, c, d = matrix[:5]
    height, width = picture.shape
    points = {
        (a * x + c * y, b * x + d * y): picture[y, x] for y in range(height) for x in range(width)
    }
    xs, ys = sorted({p[0] for p in points}), sorted({p[1] for p in points})
    return np.array([[points[x, y] for x in xs] for y in ys])


@pytest.mark.parametrize("a", [1, -1])
@pytest.mark.parametrize("d", [1, -1])
@pytest.mark.parametrize("transpose", [False, True])
def test_display_matrices(a: int, d: int, transpose: bool) -> None:
    matrix = [0, a, 0, d, 0, 0, 0, 0, 1] if transpose else [a, 0, 0, 0, d, 0, 0, 0, 1]
    picture = np.arange(6).reshape(2, 3)
    upright = Orientation.from_matrix([65536 * v for v in matrix]).apply(picture)
    assert np.array_equal(upright, shown_by_matrix(picture, matrix))


@given(orientations)
def test_rotation_and_mirror_describe_the_orientation(orientation: Orientation) -> None:
    picture = np.arange(6).reshape(2, 3)
    described = picture[:, ::-1] if orientation.mirrored else picture
    described = np.rot90(described, -orientation.rotation_deg // 90)
    assert np.array_equal(orientation.apply(picture), described)


def test_an_empty_matrix_changes_nothing() -> None:
    assert Orientation.from_matrix([0] * 9) == Orientation()


@given(orientations, st.data())
def test_a_crop_is_found_in_the_coded_picture(
    orientation: Orientation, data: st.DataObject
) -> None:
    width, height = data.draw(st.integers(4, 40)), data.draw(st.integers(4, 40))
    shown_width, shown_height = orientation.size(width, height)
    x = data.draw(st.integers(0, shown_width - 2))
    y = data.draw(st.integers(0, shown_height - 2))
    w = data.draw(st.integers(2, shown_width - x))
    h = data.draw(st.integers(2, shown_height - y))
    plan = plan_geometry(width, height, orientation=orientation, crop=(x, y, w, h))
    picture = np.arange(width * height).reshape(height, width)
    left, top, cw, ch = plan.coded_crop
    cut = orientation.apply(picture[top : top + ch, left : left + cw])
    px, py, pw, ph = plan.crop_px
    assert np.array_equal(cut, orientation.apply(picture)[py : py + ph, px : px + pw])
    assert plan.size == (w - w % 2, h - h % 2)


@given(
    st.integers(2, 5000), st.integers(2, 5000), st.integers(64, 1000),
    st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(64, 45)]),
)  # fmt: skip
def test_sizes_are_even_bounded_and_in_proportion(
    width: int, height: int, bound: int, aspect: Fraction
) -> None:
    plan = plan_geometry(width, height, aspect=aspect, max_side_px=bound)
    assert all(side % 2 == 0 and side >= 2 for side in plan.size)
    assert max(plan.size) <= max(bound, 2)
    assert plan.scale <= 1
    for side, kept in zip(plan.size, plan.crop_px[2:], strict=True):
        assert abs(side - plan.scale * kept) <= 2


@pytest.mark.parametrize("crop", [(-1, 0, 10, 10), (0, 0, 101, 10), (95, 0, 10, 10), (0, 0, 0, 4)])
def test_a_crop_outside_the_picture_is_the_users_mistake(crop: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="100 x 60"):
        plan_geometry(100, 60, crop=crop)
