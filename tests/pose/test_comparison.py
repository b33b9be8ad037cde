"""Comparison of trackers: closed forms, and pycocotools by hand."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import FidgetyError, NotAssessable, Outcome, Reason
from fidgety.pose.comparison import measures
from fidgety.pose.comparison.compare import (
    AGREEMENT_COLUMNS,
    FIGURE_COLUMNS,
    Comparison,
    Job,
    agreement,
    common_keypoints,
    compare,
)
from fidgety.pose.comparison.reference import (
    Reference,
    from_corrections,
    from_labels,
    keypoint_box_area,
    known,
)
from fidgety.pose.corrections import Correction, Corrections
from fidgety.pose.finetune.labels import LabelledFrame, Labels
from fidgety.pose.finetune.scoring import average_precision, oks, sigmas_of
from fidgety.pose.tracks import Pose
from fidgety.report import compare_pose as pages
from fidgety.skeletons import (
    BLAZEPOSE_33,
    COCO_17,
    HUMAN36M_17,
    OPENPOSE_18,
    Skeleton,
    convert,
)
from tests.pose.infant import PIXELS_A_METRE, TRUNK_M, infant_pose

NAN = float("nan")
TRUNK = PIXELS_A_METRE * TRUNK_M

# ---- measures ----


@pytest.mark.parametrize("fps", [25.0, 30.0, 50.0])
def test_jitter_is_the_standard_deviation_of_white_noise(fps: float) -> None:
    rng = np.random.default_rng(1)
    time = np.arange(4000) / fps
    smooth = np.stack([100 * np.sin(2 * np.pi * 0.5 * time), 50 * time], axis=1)[:, :, None]
    noisy = smooth + rng.normal(scale=1.5, size=(4000, 2, 4))
    assert measures.jitter(noisy) == pytest.approx(1.5, rel=0.03)
    assert measures.jitter(np.repeat(smooth, 4, axis=2)) < 0.2
    # What is above 8 Hz of white noise: its share of the band.
    want = 1.5 * np.sqrt(1 - 16 / fps)
    assert measures.fast_movement(noisy, fps) == pytest.approx(want, rel=0.03)
    assert measures.fast_movement(smooth, fps) < 0.05


def test_a_fast_sine_has_its_own_power_and_a_slow_one_none() -> None:
    time = np.arange(1500) / 30.0
    for hertz, want in ((2.0, 0.0), (12.0, 3.0 / np.sqrt(2) / np.sqrt(2))):
        wave = np.zeros((1500, 2, 1))
        wave[:, 0, 0] = 3.0 * np.sin(2 * np.pi * hertz * time)
        # The other coordinate is still: the mean of both has half the power.
        assert measures.fast_movement(wave, 30.0) == pytest.approx(want, abs=0.02)


def test_gaps_are_no_jitter() -> None:
    rng = np.random.default_rng(2)
    noisy = rng.normal(size=(3000, 2, 3))
    gappy = noisy.copy()
    gappy[::50] = NAN
    gappy[500:700, :, 1] = NAN
    assert measures.jitter(gappy) == pytest.approx(1.0, rel=0.05)
    assert np.isnan(measures.fast_movement(gappy, 30.0))  # no stretch of two seconds
    gappy = noisy.copy()
    gappy[500:700, :, 1] = NAN
    assert measures.fast_movement(gappy, 30.0) == pytest.approx(np.sqrt(1 - 16 / 30), rel=0.05)
    assert np.isnan(measures.jitter(np.full((9, 2, 3), NAN)))
    assert np.isnan(measures.fast_movement(noisy, 16.0))


def test_pck_counts_what_is_missing_as_wrong() -> None:
    error = np.array([[0.05, 0.1, 0.15], [0.2, 0.25, np.inf], [NAN, NAN, NAN]])
    assert measures.pck(error, 0.1) == pytest.approx(2 / 6)
    assert measures.pck(error, 0.2) == pytest.approx(4 / 6)
    assert np.isnan(measures.pck(np.full((2, 2), NAN), 0.1))


@settings(max_examples=30)
@given(st.floats(0.0, 500.0), st.floats(0.1, 100.0))
def test_agreement_of_shifted_tracks_is_the_shift(shift: float, trunk: float) -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(20, 2, 3))
    b = a + np.array([0.6, 0.8])[:, None] * shift
    b[:5] = NAN
    away, both = agreement(a, b, trunk)
    np.testing.assert_allclose(away, shift / trunk, atol=1e-9)
    assert both == pytest.approx(0.75)


# ---- OKS and average precision ----

AREA = 2500.0


def shifted(similarities: list[list[float]], keypoints: tuple[str, ...]) -> tuple[Any, Any, Any]:
    """Make truth and predictions whose keypoints have given similarities, by OKS's formula."""
    wanted = np.array(similarities)
    rng = np.random.default_rng(4)
    true = rng.uniform(100, 400, size=(len(wanted), len(keypoints), 2))
    away = np.sqrt(-8.0 * sigmas_of(keypoints) ** 2 * AREA * np.log(wanted))
    predicted = true.copy()
    predicted[..., 0] += away
    return predicted, true, np.ones(wanted.shape, dtype=bool)


def test_oks_of_coco_is_the_formula_and_pycocotools_agrees() -> None:
    k = COCO_17.keypoints
    # By hand: OKS is the mean over the keypoints of exp(-d^2 / (2 s^2 (2 sigma)^2)).
    levels = [[1.0] * 17, [0.9] * 17, [0.8] * 8 + [0.6] * 9, [0.3] * 17]
    predicted, true, marked = shifted(levels, k)
    got = oks(predicted, true, marked, np.full(4, AREA), sigmas_of(k))
    want = [1.0, 0.9, (8 * 0.8 + 9 * 0.6) / 17, 0.3]
    np.testing.assert_allclose(got, want)

    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    own, found = COCO(), COCO()
    rows = [
        {
            "id": i + 1, "image_id": i + 1, "category_id": 1, "iscrowd": 0, "area": AREA,
            "bbox": [0, 0, 50, 50], "num_keypoints": 17,
            "keypoints": np.column_stack([true[i], np.full(17, 2)]).ravel().tolist(),
        }
        for i in range(4)
    ]  # fmt: skip
    own.dataset = {"images": [{"id": i + 1} for i in range(4)], "annotations": rows,
                   "categories": [{"id": 1, "name": "infant"}]}  # fmt: skip
    guesses = [
        row
        | {"score": 0.5, "keypoints": np.column_stack([predicted[i], np.ones(17)]).ravel().tolist()}
        for i, row in enumerate(rows)
    ]
    found.dataset = own.dataset | {"annotations": guesses}
    own.createIndex()
    found.createIndex()
    # With COCO's own sigmas, which the judge has built in.
    judge = COCOeval(own, found, "keypoints")
    with contextlib.redirect_stdout(io.StringIO()):
        judge.evaluate()
    got = [float(judge.ious[i + 1, 1][0, 0]) for i in range(4)]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_average_precision_by_hand() -> None:
    k = COCO_17.keypoints
    # Scores fall with quality, so precision is 1 until the first miss. OKS 1, 0.925, 0.775, 0.425.
    predicted, true, marked = shifted([[v] * 17 for v in (1.0, 0.925, 0.775, 0.425)], k)
    got = average_precision(
        predicted, true, marked, np.full(4, AREA), np.array([0.9, 0.8, 0.7, 0.6]), k
    )
    # Thresholds 0.50, 0.55 ... 0.95: three pictures reach 0.50 to 0.75, two 0.80 to 0.90, one 0.95.
    recalls = [3 / 4] * 6 + [2 / 4] * 3 + [1 / 4]
    assert got["ar"] == pytest.approx(np.mean(recalls))
    # Interpolated at 101 recalls: 0, 0.01 ... the recall that is reached.
    points = [np.mean(np.arange(101) / 100 <= r + 1e-9) for r in recalls]
    assert got["ap"] == pytest.approx(np.mean(points))
    assert got["ap50"] == pytest.approx(points[0])
    assert got["ap75"] == pytest.approx(points[5])


def test_a_confident_miss_costs_precision() -> None:
    k = COCO_17.keypoints
    predicted, true, marked = shifted([[0.01] * 17, [1.0] * 17], k)
    first = average_precision(predicted, true, marked, np.full(2, AREA), np.array([0.9, 0.1]), k)
    last = average_precision(predicted, true, marked, np.full(2, AREA), np.array([0.1, 0.9]), k)
    assert first["ap"] == pytest.approx(51 / 101 * 0.5)
    assert last["ap"] == pytest.approx(51 / 101)
    assert first["ar"] == last["ar"] == pytest.approx(0.5)


def test_a_picture_without_a_pose_is_missed() -> None:
    k = COCO_17.keypoints
    predicted, true, marked = shifted([[1.0] * 17] * 4, k)
    predicted[:2] = NAN
    got = average_precision(predicted, true, marked, np.full(4, AREA), np.ones(4), k)
    assert got["ar"] == pytest.approx(0.5)
    marked[:] = False
    nothing = average_precision(predicted, true, marked, np.full(4, AREA), np.ones(4), k)
    assert all(np.isnan(v) for v in nothing.values())


# ---- comparison ----


@functools.cache
def infant() -> Pose:
    return infant_pose(8.0, 30.0, 1)


def a_pose(skeleton: Skeleton = BLAZEPOSE_33, noise: float = 0.0, seed: int = 0) -> Pose:
    pose = infant()
    position = convert(pose.position, pose.anatomy, skeleton)
    position += np.random.default_rng(seed).normal(scale=max(noise, 1e-9), size=position.shape)
    return replace(
        pose,
        position=position,
        world=None,
        confidence=np.ones((len(position), len(skeleton.keypoints))),
        keypoints=skeleton.keypoints,
        skeleton=skeleton.name,
    )


def a_reference(pose: Pose | None = None) -> Reference:
    pose = pose or a_pose()
    n = pose.n_frames
    area = np.full(n, NAN)
    area[::10] = keypoint_box_area(pose.position)[::10]
    return Reference(np.arange(n), pose.position, pose.keypoints, area, "phantom", TRUNK)


def value(found: Comparison, backend: str, measure: str, **where: str) -> float:
    rows = found.figures
    keys = {"recording": "", "stage": "raw", "backend": backend, "measure": measure} | where
    for key, wanted in keys.items():
        rows = rows[rows[key] == wanted]
    assert len(rows) == 1, (backend, measure, where)
    return float(rows["value"].iloc[0])


INFANTS = {"r1": "a", "r2": "b"}


def test_common_keypoints_are_had_by_all() -> None:
    common = common_keypoints([COCO_17, OPENPOSE_18])
    assert set(common) == set(OPENPOSE_18.keypoints)
    assert "pelvis" in common_keypoints([COCO_17, HUMAN36M_17])
    assert "nose" not in common_keypoints([COCO_17, HUMAN36M_17])
    assert common_keypoints([COCO_17]) == COCO_17.keypoints
    assert common_keypoints([Skeleton("x", ("tail",), ()), COCO_17]) == ()


def test_noise_is_found_as_error_jitter_and_disagreement() -> None:
    sigma = 0.02 * TRUNK
    jobs = [
        Job("quiet", "r1", a_pose(), seconds=4.0, memory_mb=100.0),
        Job("noisy", "r1", a_pose(COCO_17, sigma)),
        Job("quiet", "r2", a_pose(), seconds=8.0, memory_mb=300.0),
        Job("noisy", "r2", a_pose(COCO_17, sigma, seed=1)),
    ]
    truth = a_reference()
    cleaning = CleaningConfig(smoothing_min_jitter=0.0)
    found = compare(jobs, INFANTS, {"r1": truth, "r2": truth}, cleaning, seed=1)
    assert found.keypoints == COCO_17.keypoints
    # The mean length of 2D noise of standard deviation s is s sqrt(pi / 2).
    want = 0.02 * np.sqrt(np.pi / 2)
    assert value(found, "noisy", "error") == pytest.approx(want, rel=0.03)
    assert value(found, "quiet", "error") == pytest.approx(0.0, abs=1e-6)
    assert value(found, "noisy", "jitter") == pytest.approx(0.02, rel=0.1)
    assert value(found, "noisy", "fast") == pytest.approx(0.02 * np.sqrt(1 - 16 / 30), rel=0.1)
    pck = 1 - np.exp(-(0.1**2) / (2 * 0.02**2))  # Rayleigh
    assert value(found, "noisy", "pck_0.1") == pytest.approx(pck, abs=0.002)
    assert value(found, "quiet", "frames_per_s") == pytest.approx((240 / 4 + 240 / 8) / 2)
    assert value(found, "quiet", "memory_mb") == pytest.approx(200)
    assert value(found, "quiet", "ap") == pytest.approx(1.0)
    assert value(found, "quiet", "oks") == pytest.approx(1.0)
    assert value(found, "noisy", "oks") < 0.99
    assert value(found, "noisy", "found") == 1.0
    # Cleaning smooths.
    assert value(found, "noisy", "jitter", stage="clean") < 0.5 * value(found, "noisy", "jitter")
    pair = found.agreement[(found.agreement["recording"] == "") & (found.agreement.stage == "raw")]
    assert float(pair["median"].iloc[0]) == pytest.approx(0.02 * np.sqrt(2 * np.log(2)), rel=0.03)
    assert float(pair["p95"].iloc[0]) == pytest.approx(0.02 * np.sqrt(2 * np.log(20)), rel=0.03)
    assert tuple(found.figures.columns) == FIGURE_COLUMNS
    assert tuple(found.agreement.columns) == AGREEMENT_COLUMNS
    assert found.figures["low"].isna().all()  # two infants have no interval


def test_low_confidence_is_missing_and_no_result_is_all_missing() -> None:
    doubted = a_pose()
    confidence = np.ones_like(doubted.confidence)
    confidence[60:120] = 0.1
    jobs = [
        Job("gappy", "r1", replace(doubted, confidence=confidence)),
        Job("none", "r1", None, Outcome.of(NotAssessable(Reason.NO_BODY, "in 3 of 240 frames"))),
    ]
    found = compare(jobs, INFANTS, {"r1": a_reference()}, CleaningConfig(), cleaned=False)
    assert value(found, "gappy", "missing") == pytest.approx(0.25)
    assert value(found, "gappy", "longest_gap_s") == pytest.approx(2.0, abs=0.05)
    assert value(found, "gappy", "pck_0.1") == 1.0  # where it is, it is right
    assert value(found, "none", "missing") == 1.0
    assert value(found, "none", "pck_0.2") == 0.0
    assert value(found, "none", "ap") == 0.0
    assert value(found, "none", "found") == 0.0
    assert found.failures == [
        {
            "backend": "none", "stage": "raw", "recording": "r1", "reason": "no_body",
            "detail": "in 3 of 240 frames",
        }
    ]  # fmt: skip
    assert len(found.agreement) == 0


def test_infants_weigh_alike_and_three_have_an_interval() -> None:
    infants = {"r1": "a", "r2": "a", "r3": "b", "r4": "c"}
    noise = {"r1": 0.0, "r2": 0.04, "r3": 0.04, "r4": 0.06}
    jobs = [
        Job("one", r, a_pose(COCO_17, s * TRUNK, seed=i)) for i, (r, s) in enumerate(noise.items())
    ]
    truth = a_reference()
    found = compare(
        jobs, infants, dict.fromkeys(infants, truth), CleaningConfig(), cleaned=False, seed=5
    )
    want = np.sqrt(np.pi / 2) * np.mean([0.02, 0.04, 0.06])
    assert value(found, "one", "error") == pytest.approx(want, rel=0.03)
    row = found.figures[(found.figures.measure == "error") & (found.figures.recording == "")]
    assert 0.02 < float(row["low"].iloc[0]) < want < float(row["high"].iloc[0]) < 0.08
    assert int(row["n"].iloc[0]) == 3
    again = compare(
        jobs, infants, dict.fromkeys(infants, truth), CleaningConfig(), cleaned=False, seed=5
    )
    pd.testing.assert_frame_equal(found.figures, again.figures)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(FidgetyError, match="no backend has a result"):
        compare([Job("a", "r1", None)], INFANTS, {}, CleaningConfig())
    other = replace(
        a_pose(COCO_17),
        keypoints=tuple(f"k{i}" for i in range(17)),
        skeleton="mine",
        own_skeleton=Skeleton("mine", tuple(f"k{i}" for i in range(17)), ()),
    )
    with pytest.raises(FidgetyError, match="no keypoint in common"):
        compare([Job("a", "r1", a_pose()), Job("b", "r1", other)], INFANTS, {}, CleaningConfig())


def test_without_a_truth_lengths_are_in_the_backends_own_trunks() -> None:
    found = compare(
        [Job("a", "r1", a_pose()), Job("b", "r1", a_pose(COCO_17))],
        INFANTS,
        {},
        CleaningConfig(),
        cleaned=False,
    )
    assert "error" not in set(found.figures["measure"])
    shifted_pose = replace(
        a_pose(), position=a_pose().position + np.array([0.1 * TRUNK, 0])[:, None]
    )
    found = compare(
        [Job("a", "r1", a_pose()), Job("b", "r1", shifted_pose)],
        INFANTS,
        {},
        CleaningConfig(),
        cleaned=False,
    )
    assert float(found.agreement["median"].iloc[0]) == pytest.approx(0.1, rel=0.05)


# ---- references ----


def labelled(recording: str, frame: int | None, **more: Any) -> LabelledFrame:
    pose = a_pose(COCO_17)
    values: dict[str, Any] = {
        "file": f"{recording}__f{frame or 0:06d}.png",
        "width_px": 720,
        "height_px": 720,
        "position": pose.position[frame or 0].T,
        "flag": np.full(17, 2),
        "recording": recording,
        "frame": frame,
    }
    return LabelledFrame(**(values | more))


def test_labelled_frames_are_a_reference() -> None:
    flag = np.full(17, 2)
    flag[3] = 0
    labels = Labels(
        COCO_17.keypoints,
        (
            labelled("r1", 50, box=(10.0, 20.0, 100.0, 200.0)),
            labelled("r1", 7, flag=flag),
            labelled("elsewhere", 1),
            labelled("r1", 9, flag=np.zeros(17, dtype=int)),
        ),
    )
    found = from_labels(labels, {"r1": (720, 720), "r2": (720, 720)})
    assert set(found) == {"r1"}
    np.testing.assert_array_equal(found["r1"].frame, [7, 50])
    assert np.isnan(found["r1"].position[0, :, 3]).all()
    assert found["r1"].area[1] == pytest.approx(0.53 * 100 * 200)
    result = compare([Job("a", "r1", a_pose())], INFANTS, found, CleaningConfig(), cleaned=False)
    assert value(result, "a", "error") == pytest.approx(0.0, abs=1e-6)
    assert value(result, "a", "ap") == pytest.approx(1.0)
    with pytest.raises(FidgetyError, match="which frame it is"):
        from_labels(Labels(COCO_17.keypoints, (labelled("r1", None),)), {"r1": (720, 720)})
    with pytest.raises(FidgetyError, match="720 x 720 pixels, the standard video 640 x 480"):
        from_labels(labels, {"r1": (640, 480)})
    with pytest.raises(FidgetyError, match="no marked picture is of r9"):
        from_labels(labels, {"r9": (720, 720)})


def test_corrections_are_a_reference_of_what_was_set() -> None:
    pose = a_pose(COCO_17)
    x, y = pose.position[30, :, COCO_17.index("left_wrist")]
    entries = (
        Correction(2, "left_wrist", "set", frame=30, x=float(x), y=float(y)),
        Correction(3, "Left Wrist", "set", time_s=1.001, x=float(x), y=float(y)),
        Correction(4, "nose", "missing", frame=31),
        Correction(5, "nose", "set", frame=10_000, x=1.0, y=1.0),
    )
    found = from_corrections(Corrections(entries), pose.time_s)
    assert found is not None
    assert (found.keypoints, found.frame.tolist(), found.kind) == (
        ("left_wrist",),
        [30],
        "corrections",
    )
    result = compare([Job("a", "r1", pose)], INFANTS, {"r1": found}, CleaningConfig())
    assert value(result, "a", "error") == pytest.approx(0.0, abs=1e-6)
    assert "where people saw mistakes" in known([found])
    assert from_corrections(Corrections(entries[2:]), pose.time_s) is None


# ---- pages ----


def test_the_page_escapes_and_text_lines_up(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    jobs = [Job(name, "r1", a_pose(noise=2.0)), Job("plain", "r1", a_pose(COCO_17))]
    found = compare(jobs, {"r1": "<b>"}, {"r1": a_reference()}, CleaningConfig(), seed=1)
    words = known([a_reference()])
    html = pages.page(found, words, ["<i>note</i>"], phantoms=True)
    assert name not in html
    assert "<i>note</i>" not in html
    assert "&lt;script&gt;" in html
    assert "Content-Security-Policy" in html
    assert not re.findall(r'(?:src|href)="(?!#|data:)', html)
    assert html == pages.page(found, words, ["<i>note</i>"], phantoms=True)
    text = pages.text_table(found, words, ["A note."])
    assert "As estimated" in text
    assert "After cleaning" in text
    assert "digital phantoms" in text
    assert text.endswith("A note.\n")
    head = next(line for line in text.splitlines() if line.startswith("backend"))
    for heading in ("PCK@0.1", "AP", "Jitter", "Missing"):
        assert heading in head
    plain = pages.to_json(found, {})
    assert {row["backend"] for row in plain["figures"]} == {name, "plain"}
    assert all(v is None or v == v for row in plain["figures"] for v in row.values())
    back = pd.read_csv(io.StringIO(pages.to_tsv(found.figures)), sep="\t")
    assert len(back) == len(found.figures)
