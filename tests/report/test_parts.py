from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety.config.root import Config
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import Assessment
from fidgety.report import plots, timeline
from fidgety.report.flow import flow
from fidgety.report.infant import alone
from fidgety.report.methods import flatten, methods
from fidgety.report.wording import interval, number, percent, verdict
from tests.evaluation.synthetic import cohort_row, model_group, not_assessable
from tests.report.conftest import body_pose

windows = st.lists(
    st.tuples(st.floats(0, 60), st.floats(0.5, 12)), min_size=1, max_size=15, unique_by=lambda w: w
)


@given(windows)
def test_cells_never_overlap_and_stay_in_their_instance(found: list[tuple[float, float]]) -> None:
    found = sorted(found, key=lambda w: 2 * w[0] + w[1])
    start = np.array([s for s, _ in found])
    stop = np.array([s + d for s, d in found])
    edges = timeline.cell_edges(start, stop)
    assert (edges[:, 0] >= start).all()
    assert (edges[:, 1] <= stop).all()
    assert (edges[1:, 0] >= edges[:-1, 1] - 1e-9).all()
    middle = (start + stop) / 2
    assert (edges[:, 0] <= middle + 1e-9).all()
    assert (edges[:, 1] >= middle - 1e-9).all()


def test_regular_windows_cover_the_time_once() -> None:
    start = np.arange(5) * 5.0
    edges = timeline.cell_edges(start, start + 10)
    np.testing.assert_allclose(edges[:, 0], [0, 7.5, 12.5, 17.5, 22.5])
    np.testing.assert_allclose(edges[:, 1], [7.5, 12.5, 17.5, 22.5, 30])


def test_gaps_between_instances_stay_gaps() -> None:
    edges = timeline.cell_edges([0, 20], [10, 30])
    np.testing.assert_allclose(edges, [[0, 10], [20, 30]])


def test_strips_average_folds_and_keep_recordings_apart() -> None:
    at_risk = [False, True, True]
    model = replace(
        model_group([[0.5, 0.2, 0.3], [0.1, 0.4, 0.5]], classes="abc", at_risk=at_risk),
        probability=np.array([[[0.5, 0.2, 0.3]] * 3, [[0.1, 0.4, 0.5]] * 3]),
        start_s=np.array([5.0, 0.0, 0.0]),
        stop_s=np.array([10.0, 5.0, 5.0]),
        recording=("x", "x", "y"),
        attention=np.array([[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]),
    )
    strips = timeline.strips({"m": model}, "x", at_risk)
    assert [c.start_s for c in strips[0].cells] == [0.0, 5.0]
    assert [c.probability for c in strips[0].cells] == pytest.approx([0.7, 0.7])
    assert [c.attention for c in strips[0].cells] == pytest.approx([0.3, 0.3])
    assert not strips[0].fidgety
    movements = replace(model, detects_fidgety=True)
    flipped = timeline.strips({"m": movements}, "x", at_risk)
    assert flipped[0].fidgety
    assert [c.probability for c in flipped[0].cells] == pytest.approx([0.3, 0.3])
    assert timeline.strips({"m": model}, "z", at_risk) == []
    failed = model_group([], error=NotAssessable(Reason.NO_COMPLETE_WINDOW))
    assert timeline.strips({"m": failed}, "x", at_risk) == []


def test_a_recording_by_itself_is_told_where_there_are_several() -> None:
    two = model_group([[0.8, 0.2], [0.4, 0.6]], recordings=("r1", "r2"))
    apart = np.array([[[0.9, 0.1], [0.7, 0.3]], [[0.5, 0.5], [0.3, 0.7]]])
    two = replace(two, recording_probability=apart)
    one = model_group([[0.8, 0.2]], recordings=("r2",))
    said = InfantPredictions("x", "new", Outcome(), {"m": two, "k": one})
    assert alone(said, "r1", [False, True]) == pytest.approx({"m": 0.3})
    assert alone(said, "r2", [False, True]) == pytest.approx({"m": 0.5})


def test_marks_put_the_consensus_first() -> None:
    rows = [
        {"recording": "x", "start_s": 5, "end_s": 6, "movement": "FM", "rater": "anna"},
        {"recording": "x", "start_s": 4, "end_s": 6, "movement": "FM", "rater": "consensus"},
        {"recording": "x", "start_s": 1, "end_s": 2, "movement": "FM", "rater": "consensus"},
        {"recording": "y", "start_s": 0, "end_s": 1, "movement": "FM", "rater": "anna"},
    ]
    found = timeline.marks(rows, "x")
    assert list(found) == ["consensus", "anna"]
    assert [m.start_s for m in found["consensus"]] == [1.0, 4.0]


def record(
    probabilities: list[float], role: str = "external", threshold: float = 0.5
) -> Assessment:
    n = len(probabilities)
    return Assessment(
        "x",
        role,
        "",
        "m",
        fold_probability=np.array(probabilities),
        fold_threshold=np.full(n, threshold),
        folds=tuple(range(1, n + 1)),
    )


def test_verdicts_are_never_bare() -> None:
    high = verdict(record([0.8, 0.9]), ["risk"])
    assert high.tone == "risk"
    assert high.headline == "Movements more like the group “risk”"
    assert high.figures.endswith("0.85 (fold models 0.80 to 0.90), threshold 0.50")
    low = verdict(record([0.2], "development"), ["wm", "pr"])
    assert low.tone == "no-risk"
    assert "does not rule out" in low.explanation
    assert "wm or pr" in low.headline
    assert "never saw this infant" in low.explanation
    split = verdict(record([0.2, 0.9]), ["risk"])
    assert split.tone == "undecided"
    assert "1 of 2" in split.headline
    assert verdict(record([0.5]), ["risk"]).tone == "risk"  # at the threshold counts
    unknown = verdict(record([0.5], threshold=float("nan")), ["risk"])
    assert unknown.tone == "undecided"
    none = Assessment("x", "new", "", "m", outcome=Outcome.of(NotAssessable(Reason.NO_BODY, "3 %")))
    failed = verdict(none, ["risk"])
    assert failed.tone == "none"
    assert failed.explanation == "No body was found in enough of the frames. (3 %)"


def test_undefined_figures_are_a_dash() -> None:
    assert number(float("nan")) == number("") == number(None) == "–"
    assert interval(0.1, float("nan")) == "–"
    assert percent("0.456") == "46 %"
    assert percent("") == "–"


def test_flow_follows_every_role() -> None:
    late = not_assessable(Reason.EXCLUDED, "21 weeks") | {"criterion": "corrected_age_weeks"}
    rows = [
        cohort_row("a1", "a", "development", "normal"),
        cohort_row("a2", "a", "development", "normal", **not_assessable(Reason.NO_BODY)),
        cohort_row("b1", "b", "development", "risk", **late),
        cohort_row("c1", "c", "development", "risk", **late),
        cohort_row("d1", "d", "development", "risk"),
        cohort_row("e1", "e", "new", "risk"),
    ]
    columns = flow(pd.DataFrame(rows).fillna("").astype(str))
    assert [c.role for c in columns] == ["development", "new"]
    first = {box.text: box for box in columns[0].boxes}
    assert (first["In the sheet"].recordings, first["In the sheet"].infants) == (5, 4)
    assert first["Excluded"].reasons == {"corrected age outside the window": 2}
    assert first["Not assessable"].reasons == {Reason.NO_BODY.text: 1}
    assert first["Not assessable"].infants == 0  # infant a has another recording
    assert (first["Ready for the models"].recordings, first["Ready for the models"].infants) == (
        2,
        2,
    )
    assert first["Ready for the models"].labels == {"normal": 1, "risk": 1}
    assert all(not box.labels for box in columns[1].boxes)
    for column in columns:
        sheet, *rest = column.boxes
        left = rest[-1].recordings
        assert sheet.recordings == left + sum(box.recordings for box in rest if box.out)


def test_methods_follow_the_configuration() -> None:
    study = Config().model_dump(mode="json")
    study["cleaning"] |= {"smoothing": "moving_average", "smoothing_window_frames": 5}
    text = dict(methods(study).paragraphs)
    assert "moving average over 5 frames" in text["Cleaning"]
    assert "BlazePose" in text["Pose"]
    assert text["Cohort"] == "No inclusion criteria were set."
    study["cleaning"] |= {"smoothing": "butterworth", "smoothing_order": 2, "cutoff_hz": 4.5}
    study["cleaning"]["max_gap_s"] = 0.25
    study["inclusion"] |= {"preset": "gao2023", "corrected_age_weeks": [9, 20]}
    study["background"]["method"] = "u2net"
    study["evaluation"]["threshold"] = 0.4
    changed = methods(study)
    text = dict(changed.paragraphs)
    assert "Butterworth filter (order 2, 4.5 Hz)" in text["Cleaning"]
    assert "Gaps up to 0.25 s" in text["Cleaning"]
    assert "preset gao2023; corrected age 9 to 20 weeks" in text["Cohort"]
    assert "in advance at 0.4" in text["Training"]
    assert any("U2-Net" in r for r in changed.references)
    assert not any("Youden" in r for r in changed.references)


def test_citations_are_numbered_in_order_and_complete() -> None:
    made = methods(Config().model_dump(mode="json"))
    body = " ".join(text for _, text in made.paragraphs)
    used = [int(n) for group in re.findall(r"\[([\d, ]+)\]", body) for n in group.split(", ")]
    assert list(dict.fromkeys(used)) == list(range(1, len(made.references) + 1))


def test_flatten_lists_every_leaf() -> None:
    values = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": "x"}, {"e": "y"}], "f": None, "g": {}}
    assert flatten(values) == [
        ("a.b", "1"),
        ("a.c", "1, 2"),
        ("d.0.e", "x"),
        ("d.1.e", "y"),
        ("f", "(none)"),
        ("g", "(none)"),
    ]


def test_origin_shares_a_second() -> None:
    time_s, shares = plots.origin_shares(body_pose(6.0))
    np.testing.assert_array_equal(time_s, np.arange(6))
    np.testing.assert_allclose(sum(shares.values()), 1)
    k = 33
    np.testing.assert_allclose(shares["imputed"], [5 / 25 / k, 5 / 25 / k, 0, 0, 0, 0])
    missing = [0, 0, 15 / 25 / k, 15 / 25 / k, 0, 0]
    np.testing.assert_allclose(shares["missing"], missing)


def test_body_coordinates_are_trunk_lengths_from_the_pelvis() -> None:
    pose = body_pose()
    position, unit = plots.body_coordinates(pose)
    assert unit == "trunk lengths"
    hips = [pose.keypoints.index(f"{s}_hip") for s in ("left", "right")]
    shoulders = [pose.keypoints.index(f"{s}_shoulder") for s in ("left", "right")]
    np.testing.assert_allclose(position[:, :, hips].mean(axis=2), 0, atol=1e-9)
    np.testing.assert_allclose(
        position[:, :, shoulders].mean(axis=2), [[0, -1]] * pose.n_frames, atol=1e-9
    )


def test_figures_are_deterministic_and_inline_safely() -> None:
    pose = body_pose()
    svg = plots.draw_trajectories(pose)
    assert svg == plots.draw_trajectories(pose)
    one = str(plots.inline(svg, "a", 'left "wrist" <b>'))
    two = str(plots.inline(svg, "b", "x"))
    assert one.startswith("<svg role")
    assert 'aria-label="left &#34;wrist&#34; &lt;b&gt;"' in one
    assert "<metadata>" not in one
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, two)]
    assert not ids[0] & ids[1]
    for text, own in zip((one, two), ids, strict=True):
        used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)', text))
        assert used
        assert used <= own
