"""EML's histograms against closed forms, and the whole against what it was fitted on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.datasets.instances import Draw, InstanceData
from fidgety.datasets.series import Series
from fidgety.datasets.windows import cut_windows
from fidgety.errors import ConfigError, RefusedError
from fidgety.features.store import mirror_features
from fidgety.models.base import parse_model_options
from fidgety.models.eml import Eml, columns_of, infant_rows, row_of
from fidgety.models.eml_histograms import (
    CORE,
    GIVEN,
    JOINTS,
    N_NUMBERS,
    feature_names,
    feature_vector,
    halving_histogram,
    hard_orientation,
    histograms,
    in_body_axes,
    soft_orientation,
    spectrum_histogram,
    turns,
    way_histogram,
    ways,
)

#: An infant that lies still, head up: x to the right, y down, as in pictures.
POSTURE = {
    "head": (0.0, -1.6),
    "left_shoulder": (0.4, -1.0),
    "right_shoulder": (-0.4, -1.0),
    "left_hip": (0.2, 0.0),
    "right_hip": (-0.2, 0.0),
    "left_elbow": (0.8, -1.0),
    "right_elbow": (-0.8, -1.0),
    "left_wrist": (0.8, -1.4),
    "right_wrist": (-0.8, -1.4),
    "left_knee": (0.5, 0.1),
    "right_knee": (-0.5, 0.1),
    "left_ankle": (0.5, 0.6),
    "right_ankle": (-0.5, 0.6),
}
RATE = 25


def body(frames: int = 250, **paths: np.ndarray) -> np.ndarray:
    """Return positions (frame, 2, keypoint) of a still body, but for the paths (frame, 2) given."""
    still = np.array([POSTURE[name] for name in GIVEN]).T
    position = np.tile(still, (frames, 1, 1))
    for name, path in paths.items():
        position[:, :, GIVEN.index(name)] += path
    return position


def found_in(position: np.ndarray, width: float = 0.02) -> dict[str, np.ndarray]:
    return histograms(in_body_axes(position), width)


def test_there_are_608_numbers_with_names() -> None:
    found = found_in(body())
    assert [one.shape for one in found.values()] == [
        (8, 16),
        (8, 16),
        (8, 16),
        (4, 8),
        (4, 8),
        (8, 16),
        (4, 8),
    ]
    assert N_NUMBERS == 608 == len(feature_vector(found)) == len(feature_names())
    place = feature_names().index("orientation/left_leg/3")
    assert feature_vector(found)[place] == found["orientation"][1, 3]


def test_a_still_body_has_no_way_no_turn_and_no_spectrum() -> None:
    found = found_in(body())
    for name in ("angular_displacement", "displacement", "relative_angular_displacement"):
        n, bins = found[name].shape
        np.testing.assert_allclose(found[name], np.eye(bins)[[0] * n])
    # No way at all: its spectrum has no amplitude to be shared out.
    assert (found["displacement_spectrum"] == 0).all()
    # A direction that stays has its mean alone, which is in the first bin; and 0 has none.
    means = np.eye(16)[[0] * 8]
    means[JOINTS.index("left_elbow")] = 0
    np.testing.assert_allclose(found["orientation_spectrum"], means, atol=1e-12)
    # The left upper arm points right (angle 0), the forearm up (-90 degrees): bins 0 and 6 of 8
    # and, next to each, the direction that 45 degrees lie from it.
    votes = np.zeros(8)
    votes[[0, 6]] = 1
    votes[[1, 7]] = np.cos(np.pi / 4)
    np.testing.assert_allclose(found["orientation"][0], votes / votes.sum(), atol=1e-12)


def test_a_straight_line_has_one_way_and_no_turn_of_what_it_leads_to() -> None:
    """The wrist leaves the elbow along the forearm at 1.5 trunk lengths a second."""
    line = np.stack([np.zeros(250), -1.5 * np.arange(250) / RATE], axis=1)
    found = found_in(body(left_wrist=line), width=0.1)
    wrist = JOINTS.index("left_wrist")
    # 0.3 in five frames: on the edge of the third and the fourth bin of 0.1.
    assert found["displacement"][wrist, 2:4].sum() == 1
    np.testing.assert_allclose(found["angular_displacement"][wrist], np.eye(16)[0], atol=1e-12)
    # A constant way is all mean: the first bin.
    np.testing.assert_allclose(found["displacement_spectrum"][wrist], np.eye(16)[0], atol=1e-9)


def test_a_circling_joint_turns_steadily_and_looks_everywhere() -> None:
    """The wrist circles round the elbow once in 2 s, 0.4 trunk lengths away."""
    phase = np.pi * np.arange(250) / RATE
    circle = 0.4 * np.stack([np.cos(phase), np.sin(phase)], axis=1) - [0.0, -0.4]
    found = found_in(body(left_wrist=circle), width=0.1)
    wrist = JOINTS.index("left_wrist")
    # 72 degrees in 10 frames: between 45 and 90, the last bin but one.
    np.testing.assert_allclose(found["angular_displacement"][wrist], np.eye(16)[14], atol=1e-12)
    # A chord of 36 degrees: 2 x 0.4 x sin 18 = 0.247.
    np.testing.assert_allclose(found["displacement"][wrist], np.eye(16)[2], atol=1e-12)
    # The forearm looks everywhere alike, five whole turns long; the upper arm to the right.
    soft = soft_orientation(phase[:, None])[0]
    np.testing.assert_allclose(soft, soft.mean(), rtol=0.05)
    own = soft_orientation(phase[:, None])[0] + soft_orientation(np.zeros((250, 1)))[0]
    np.testing.assert_allclose(found["orientation"][0], own / own.sum(), atol=3e-3)


def test_votes_turns_ways_and_spectra_by_hand() -> None:
    votes = soft_orientation(np.deg2rad([[30.0]]))[0]
    np.testing.assert_allclose(votes[:2], np.cos(np.deg2rad([30, 15])))
    assert (votes[2:] == 0).all()
    hard = hard_orientation(np.deg2rad([[-1.0], [1.0], [44.0], [46.0], [359.9]]))[0]
    assert hard.tolist() == [2, 1, 0, 0, 0, 0, 0, 2]
    assert turns(np.deg2rad([[170.0], [0.0], [-170.0]]), 2) == pytest.approx(np.deg2rad(20))
    halves = halving_histogram(np.deg2rad([[0.1], [50.0], [91.0], [180.0]]), 4)[0]
    assert halves.tolist() == [1, 0, 1, 2]  # edges 22.5, 45, 90
    assert way_histogram(np.array([[0.01], [0.03], [9.0]]), 0.02, 4)[0].tolist() == [1, 1, 0, 1]
    steps = np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]])[:, :, None]
    assert ways(steps, 1).ravel().tolist() == [5, 5]
    # A cosine at a quarter of fmax has all its amplitude in (k / 4)^2: the bin from 1/16 to 1/4
    # ends where that of 1/4 to 9/16 begins.
    wave = np.cos(2 * np.pi * np.arange(64) / 8)[:, None]
    np.testing.assert_allclose(spectrum_histogram(wave, 2, 4)[0], [0, 0, 32, 0], atol=1e-9)


@given(st.floats(-np.pi, np.pi), st.floats(0.2, 5), st.floats(-9, 9), st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_the_corrected_mode_does_not_see_where_how_large_and_how_turned(
    angle: float, size: float, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    position = body(60) + np.cumsum(rng.normal(0, 0.01, (60, 2, len(GIVEN))), axis=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    options = parse_model_options(Eml, {})

    def row(positions: np.ndarray) -> np.ndarray:
        flat = positions.transpose(0, 2, 1).reshape(len(positions), -1)
        return row_of(flat, columns_of(NAMES), options)

    there = row(size * (turn @ position) + shift)
    # What lies on an edge may fall to either side.
    assert np.abs(there - row(position)).sum() < 0.1


def test_body_axes() -> None:
    axes = in_body_axes(body(1))
    np.testing.assert_allclose(axes[0, :, CORE.index("mid_hip")], 0, atol=1e-12)
    np.testing.assert_allclose(axes[0, :, CORE.index("neck")], [0, -1], atol=1e-12)
    upside_down = in_body_axes(-body(1))
    np.testing.assert_allclose(upside_down, axes, atol=1e-12)


NAMES = tuple(f"coordinates_2d/{joint}_{axis}" for joint in GIVEN for axis in "xy")


def cohort(n: int = 12, units: str = "trunk") -> InstanceData:
    """Infants whose wrists circle (class 0) or stay (class 1)."""
    rng = np.random.default_rng(5)
    series = []
    for k in range(n):
        phase = 2 * np.pi * 1.3 * np.arange(600) / RATE
        circle = 0.1 * np.stack([np.cos(phase), np.sin(phase)], axis=1) * (1 - k % 2)
        position = body(600, left_wrist=circle, right_wrist=circle)
        position = position + np.cumsum(rng.normal(0, 0.003, position.shape), axis=0)
        flat = position.transpose(0, 2, 1).reshape(600, -1).astype(np.float32)
        series.append(Series(str(k), str(k), "", flat, NAMES, 0.0, RATE, flat, units=(units,)))
    windows = cut_windows(series, 250, 250)
    return InstanceData(series, windows, (windows.series % 2).astype(np.int64))


@pytest.mark.parametrize("classifier", ["ensemble", "svm", "tree", "nn1", "nn3", "lda", "logistic"])
def test_every_classifier_tells_circling_from_still_wrists(classifier: str) -> None:
    data = cohort()
    options = parse_model_options(Eml, {"classifier": classifier})
    learned = [Draw(k) for k in range(len(data)) if data.windows.series[k] < 8]
    network = Eml.fit(options, data, learned, 2, 0).eval()
    for k in range(8, 12):
        x = torch.stack([data[Draw(int(i))][0] for i in np.flatnonzero(data.windows.series == k)])
        index = torch.arange(len(x))
        zero = torch.zeros_like(index)
        with torch.inference_mode():
            out = network(x, index, zero, zero, 1)
        assert out.bag_log_probability.argmax() == k % 2
        assert out.embedding.shape == (2, 608)


def test_a_mirror_image_changes_sides() -> None:
    """A circling left wrist is a circling right one in the mirror, in the other side's numbers."""
    phase = 2 * np.pi * 1.3 * np.arange(250) / RATE
    circle = 0.1 * np.stack([np.cos(phase), np.sin(phase)], axis=1)
    flat = body(250, left_wrist=circle).transpose(0, 2, 1).reshape(250, -1).astype(np.float32)
    names = tuple(name.rpartition("/")[2] for name in NAMES)
    flipped = mirror_features(flat, names)
    windows = cut_windows([Series("a", "a", "", flat, NAMES, 0.0, RATE, flipped)], 250, 250)
    data = InstanceData(
        [Series("a", "a", "", flat, NAMES, 0.0, RATE, flipped)], windows, np.zeros(1, dtype=int)
    )
    options = parse_model_options(Eml, {})
    x, y = infant_rows(data, [Draw(0), Draw(0, True)], columns_of(NAMES), options)
    assert len(x) == 2 == len(y)
    place = {name: k for k, name in enumerate(feature_names())}
    for part in ("displacement", "displacement_spectrum", "angular_displacement"):
        for bin_ in range(16):
            left, right = (place[f"{part}/{s}_wrist/{bin_}"] for s in ("left", "right"))
            np.testing.assert_allclose(x[0, left], x[1, right], atol=1e-5)
            np.testing.assert_allclose(x[0, right], x[1, left], atol=1e-5)
    assert (
        x[0, place["displacement/left_wrist/0"]] < 0.5 < x[0, place["displacement/right_wrist/0"]]
    )


def test_pixels_are_asked_for_and_missing_joints_are_named() -> None:
    options = parse_model_options(Eml, {"mode": "published"})
    draws = [Draw(k) for k in range(4)]
    with pytest.raises(ConfigError, match=r"features\.scale to none"):
        Eml.fit(options, cohort(4), draws, 2, 0)
    Eml.fit(options, cohort(4, "pixels"), draws, 2, 0)
    with pytest.raises(RefusedError, match="lack head_x, head_y"):
        columns_of([name for name in NAMES if "head" not in name])
    with pytest.raises(ConfigError, match="11 frames"):
        parse_model_options(Eml, {"window_s": 0.4})
