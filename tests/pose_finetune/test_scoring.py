"""Errors, PCK, OKS and AP against closed forms and pycocotools; intervals over infants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.pose.finetune.labels import LabelledFrame, Labels
from fidgety.pose.finetune.scoring import (
    COCO_SIGMAS,
    Scores,
    body_area,
    compare,
    interval,
    oks,
    score,
    sigmas_of,
    trunk_lengths,
)
from fidgety.skeletons import BLAZEPOSE_33, COCO_17

K = len(COCO_17.keypoints)


def make(n: int = 4, infants: int = 2, scale: float = 40.0) -> Labels:
    """Label infants whose trunk is ``scale`` pixels long."""
    rng = np.random.default_rng(4)
    frames = []
    for k in range(n):
        position = rng.uniform(60, 140, (K, 2))
        for side, x in (("left", 110.0), ("right", 90.0)):
            position[COCO_17.index(f"{side}_shoulder")] = (x, 60.0)
            position[COCO_17.index(f"{side}_hip")] = (x, 60.0 + scale)
        infant = f"inf-{k % infants}"
        frames.append(
            LabelledFrame(
                f"{k}.png", 200, 200, position, np.full(K, 2), None, f"rec-{infant}", infant, k
            )
        )
    return Labels(COCO_17.keypoints, tuple(frames), COCO_17.bones)


def truth(labels: Labels) -> np.ndarray:
    return np.stack([f.position for f in labels.frames])


def test_a_known_shift_gives_a_known_error_and_pck() -> None:
    labels = make()
    guess = truth(labels)
    guess[:, :, 0] += 6.0  # 0.15 of a trunk of 40 pixels
    found = score(labels, guess, np.ones((4, K)))
    assert trunk_lengths(labels) == pytest.approx(40.0)
    summary = found.summary(seed=0)
    assert summary["error"] == pytest.approx(0.15)
    assert summary["pck_0.1"] == 0.0
    assert summary["pck_0.2"] == 1.0
    assert summary["n_infants"] == 2
    assert summary["n_frames"] == 4
    assert set(summary["by_infant"]) == {"inf-0", "inf-1"}
    assert summary["by_keypoint"]["nose"]["error"] == pytest.approx(0.15)


def test_oks_is_the_formula_of_coco() -> None:
    labels = make(1, 1)
    guess = truth(labels).copy()
    guess[0, 0] += (3.0, 4.0)
    area = body_area(labels.frames[0])
    nose = COCO_SIGMAS["nose"]
    wanted = (K - 1 + np.exp(-25.0 / (2 * area * (2 * nose) ** 2))) / K
    found = oks(
        guess, truth(labels), np.ones((1, K), bool), np.array([area]), sigmas_of(COCO_17.keypoints)
    )
    assert found[0] == pytest.approx(wanted)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 12), min_size=6, max_size=6))
def test_recall_and_precision_are_shares_of_frames_above_each_threshold(shift: list[float]) -> None:
    labels = make(6, 3)
    guess = truth(labels) + np.array(shift)[:, None, None]
    plain = score(labels, guess, np.ones((6, K)))
    # The better guess is the more confident one: precision then stays one until it ends.
    ordered = score(labels, guess, np.tile(plain.oks[:, None], (1, K)))
    shares = [np.mean(plain.oks >= t) for t in np.linspace(0.5, 0.95, 10)]
    for found in (plain, ordered):
        assert found.precision["ar"] == pytest.approx(np.mean(shares), abs=1e-6)
    # pycocotools keeps recall on a grid of 101 points, so shares of six are rounded.
    assert ordered.precision["ap"] == pytest.approx(np.mean(shares), abs=0.02)
    assert ordered.precision["ap50"] == pytest.approx(shares[0], abs=0.02)
    assert plain.precision["ap"] <= ordered.precision["ap"] + 1e-9


def test_perfect_guesses_score_one_and_missing_ones_do_not_help() -> None:
    labels = make()
    perfect = score(labels, truth(labels), np.ones((4, K)))
    assert perfect.precision == {"ap": 1.0, "ap50": 1.0, "ap75": 1.0, "ar": 1.0}
    gone = truth(labels)
    gone[:, :5] = np.nan
    found = score(labels, gone, np.ones((4, K)))
    assert found.summary(0)["pck_0.2"] == pytest.approx(1 - 5 / K)
    assert found.summary(0)["error"] == np.inf
    np.testing.assert_allclose(found.oks, 1 - 5 / K)


def test_what_is_not_marked_does_not_count() -> None:
    labels = make()
    frames = []
    for frame in labels.frames:
        position, flag = frame.position.copy(), frame.flag.copy()
        position[0:3], flag[0:3] = np.nan, 0
        frames.append(replace(frame, position=position, flag=flag))
    guess = truth(labels)
    guess[:, 0:3] += 500.0
    hidden = score(replace(labels, frames=tuple(frames)), guess, np.ones((4, K)))
    assert hidden.summary(0)["error"] == pytest.approx(0.0)
    assert hidden.summary(0)["n_keypoints"] == 4 * (K - 3)
    np.testing.assert_allclose(hidden.oks, 1.0)


def test_a_foreshortened_trunk_does_not_make_errors_large() -> None:
    labels = make(5, 1)
    frames = list(labels.frames)
    position = frames[0].position.copy()
    for side in ("left", "right"):
        position[COCO_17.index(f"{side}_hip"), 1] = 62.0
    frames[0] = replace(frames[0], position=position)
    assert trunk_lengths(replace(labels, frames=tuple(frames))) == pytest.approx(40.0)


def test_every_keypoint_has_a_spread_of_its_kind() -> None:
    found = dict(zip(BLAZEPOSE_33.keypoints, sigmas_of(BLAZEPOSE_33.keypoints), strict=True))
    assert found["left_wrist"] == 0.062
    assert found["left_heel"] == found["right_foot_index"] == 0.089
    assert found["left_index"] == 0.062
    assert found["left_eye_inner"] == 0.03
    assert sigmas_of(["pelvis", "tail", "spine"]).tolist() == [0.107, 0.079, 0.079]


def test_intervals_hold_the_mean_and_need_infants() -> None:
    assert interval([0.1, 0.2], 0) is None
    assert interval([0.1, 0.2, float("nan")], 0) is None
    assert interval([0.3, 0.3, 0.3], 0) == [0.3, 0.3]
    rng = np.random.default_rng(0)
    wide, narrow = rng.normal(0, 1, 5), rng.normal(0, 1, 80)
    low, high = interval(list(wide), 0) or [0, 0]
    assert low < wide.mean() < high
    other = interval(list(narrow), 0) or [0, 0]
    assert other[1] - other[0] < high - low
    assert interval(list(wide), 0) == interval(list(wide), 0)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(60):
        low, high = interval(list(rng.normal(2.0, 1.0, 20)), trial) or [0, 0]
        hits += low <= 2.0 <= high
    assert hits >= 50


def test_the_comparison_is_by_infant() -> None:
    labels = make(8, 4)

    def shifted(by: float) -> Scores:
        return score(labels, truth(labels) + np.array([by, 0.0]), np.ones((8, K)))

    found = compare(shifted(10.0), shifted(2.0), seed=0)
    assert found["change"]["error"]["mean"] == pytest.approx(-0.2)
    assert found["change"]["error"]["infants_better"] == 4
    assert found["change"]["pck_0.2"]["infants_better"] == 4
    assert found["start"]["error"] > found["trained"]["error"]
