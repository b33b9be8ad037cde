from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidgety import errors
from fidgety.config.report import PAGES_OF_ALL, ReportConfig
from fidgety.config.root import Config, parse_config
from fidgety.config.study import Role
from fidgety.errors import NotAssessable, Outcome, Reason
from fidgety.evaluation.predictions import InfantPredictions
from fidgety.evaluation.records import Assessment
from fidgety.report import plots, timeline
from fidgety.report.flow import flow
from fidgety.report.index import cohort_download, parameters, shareable
from fidgety.report.infant import alone, characteristics, picture_note
from fidgety.report.methods import methods
from fidgety.report.parameters import flatten
from fidgety.report.wording import interval, number, percent, rule_words, verdict
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
    assert high.figures.endswith(
        "0.85 (2 fold models from 0.80 to 0.90, no confidence interval), threshold 0.50"
    )
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


def test_tables_for_sharing_show_no_free_text() -> None:
    row = {"recording": "r", "infant": "a", "role": "new", "site": "Anna's", "sex": "f"}
    table = pd.DataFrame([{**row, "corrected_age_weeks": "12", "measured": "0.9", "mother": "M"}])
    shown = shareable(table, ReportConfig(overlay="skeleton"))
    assert list(shown) == ["recording", "infant", "role", "corrected_age_weeks", "measured"]
    assert "mother" in shareable(table, ReportConfig())


def test_a_page_for_sharing_shows_no_free_text() -> None:
    row = {
        "recording": "r1",
        "infant": "a",
        "role": "new",
        "cohort": "clinic",
        "corrected_age_weeks": 12,
        "sex": "female",
        "notes": "Anna",
        "own": {"mother": "Maria"},
    }
    assert characteristics(row, shared=True) == {
        "cohort": "clinic",
        "corrected_age_weeks": "12",
    }
    assert characteristics(row)["mother"] == "Maria"


@pytest.mark.parametrize(
    ("weights", "looked"),
    [
        ([float("nan")] * 3, "unknown"),
        ([1 / 3] * 3, "alike"),
        ([0.33, 0.334, 0.336], "alike"),
        ([0.2, 0.2, 0.6], "apart"),
    ],
)
def test_what_a_model_looked_at_is_said_where_it_is_known(
    weights: list[float], looked: str
) -> None:
    cells = tuple(timeline.Cell(k, k + 1, k, k + 1, 0.5, w) for k, w in enumerate(weights))
    strip = timeline.Strip("m", cells)
    assert strip.looked == looked
    if looked == "apart":
        assert strip.attention_heights == pytest.approx((1 / 3, 1 / 3, 1))


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
    study["inclusion"] |= {"preset": "gao2023", "corrected_age_weeks": [10, 20]}
    study["background"]["method"] = "u2net"
    study["evaluation"]["threshold"] = 0.4
    changed = methods(study)
    text = dict(changed.paragraphs)
    assert "Butterworth filter (order 2, 4.5 Hz)" in text["Cleaning"]
    # The preset's own figures are told, and what is given beside it wins.
    assert text["Cohort"].startswith(
        "Inclusion criteria (preset gao2023): corrected age 10 to 20 weeks; at least 60 s of "
        "recording; sex, gestational age, birth weight, corrected age known (not asked of "
        "reference clips); no abnormal fidgety movements."
    )
    assert "The threshold of every fold model was fixed in advance at 0.4." in text["Training"]
    assert any("U2-Net" in r for r in changed.references)
    assert not any("Youden" in r for r in changed.references)


@pytest.mark.parametrize(
    ("background", "counted"),
    [
        ({"method": "mediapipe"}, False),
        ({"method": "mediapipe", "options": {"model": "selfie"}}, True),
        ({"method": "median"}, True),
    ],
)
def test_methods_say_whether_others_in_view_could_be_counted(
    background: dict[str, object], counted: bool
) -> None:
    study = parse_config({"background": background}).model_dump(mode="json")
    text = dict(methods(study).paragraphs)["Video"]
    assert ("others in view were not counted" in text) is not counted


def test_methods_say_that_models_came_from_elsewhere() -> None:
    study = Config().model_dump(mode="json")
    assert "Bundle" not in dict(methods(study).paragraphs)
    about = {"identity": "ab12", "version": "0.1.0", "infants": {"normal": 7, "risk": 1}}
    names = [name for name, _ in methods(study, bundle={**about, "phantoms": 0}).paragraphs]
    assert names.index("Bundle") == names.index("Training") - 1
    text = dict(methods(study, bundle={**about, "phantoms": 3}).paragraphs)["Bundle"]
    assert "identity ab12, made by fidgety 0.1.0" in text
    assert "trained on 8 infants (7 normal, 1 risk, of them 3 digital phantoms)" in text


def test_methods_say_whether_infants_or_sites_were_left_out() -> None:
    def told(**folds: object) -> str:
        study = parse_config({"folds": folds}).with_folds(4).model_dump(mode="json")
        return dict(methods(study).paragraphs)["Training"]

    assert "4 folds over the development infants, stratified by class; no infant" in told()
    text = told(by="site")
    assert "4 folds over the development infants, each of them those of one site (leave" in text
    assert "stratified" not in text


def test_methods_say_what_was_chosen_from() -> None:
    study = parse_config({}).model_dump(mode="json")
    assert "chosen within every fold" not in dict(methods(study).paragraphs)["Training"]
    grid = {"filters": [[32, 64], [8]], "dense": [4, 8]}
    study = parse_config({"models": {"net": {"kind": "cnn1d", "grid": grid}}}).model_dump()
    text = dict(methods(study).paragraphs)["Training"]
    assert "(net: filters in {(32, 64), (8)} x dense in {4, 8})" in text


def test_methods_tell_what_models_of_pictures_read_and_start_from() -> None:
    assert "Pictures" not in dict(methods(parse_config({}).model_dump()).paragraphs)
    study = parse_config(
        {
            "models": {
                "a": {"kind": "two_stream"},
                "b": {
                    "kind": "two_stream",
                    "options": {"backbone": "resnet18", "weights": "/home/mueller/imagenet.pth"},
                },
            },
            "pixels": {"flow": "dis", "size_px": 128},
        }
    ).model_dump(mode="json")
    told = methods(study)
    text = dict(told.paragraphs)
    assert "crops of 128 pixels" in text["Pictures"]
    assert "dense inverse search at 6 fields a second" in text["Pictures"]
    assert "(resnet50, trained from random weights)" in text["Training"]
    assert "(resnet18, trained from weights of the file imagenet.pth)" in text["Training"]
    assert "mueller" not in str(told.paragraphs)
    assert sum("two-stream" in r for r in told.references) == 1


def test_methods_name_the_model_of_mmpose() -> None:
    study = Config().model_dump(mode="json")
    study["pose"] |= {
        "method": "mmpose",
        "options": {"config": "/home/mueller/models/own_hrnet.py", "flip_test": True},
    }
    text = methods(study)
    pose = dict(text.paragraphs)["Pose"]
    assert "with the model own_hrnet of MMPose [" in pose
    assert "averaged with the mirrored picture's" in pose
    assert "mueller" not in pose
    assert any("MMPose" in r for r in text.references)
    study["pose"]["options"] = {}
    assert "rtmpose-m" in dict(methods(study).paragraphs)["Pose"]


def test_methods_name_the_network_that_lifted() -> None:
    study = Config().model_dump(mode="json")
    assert "lifted" not in dict(methods(study).paragraphs)["Cleaning"]
    study["lifting"] = {"method": "mmpose", "options": {"config": "/home/mueller/own_tcn.py"}}
    text = methods(study)
    cleaning = dict(text.paragraphs)["Cleaning"]
    assert "lifted to 3D by the network own_tcn of MMPose [" in cleaning
    assert "mueller" not in cleaning
    assert any("MMPose" in r for r in text.references)


def test_methods_say_whose_tracks_they_are_and_what_hands_did() -> None:
    study = Config().model_dump(mode="json")
    plain = dict(methods(study).paragraphs)
    assert "other programs" not in plain["Pose"]
    assert "by hand" not in plain["Cleaning"]
    some = dict(methods(study, imported=3, estimated=9, corrected=1).paragraphs)
    assert "BlazePose" in some["Pose"]
    assert "Keypoints of 3 recordings came from tracks of other programs." in some["Pose"]
    assert "Keypoints of 1 recording were put right by hand" in some["Cleaning"]
    every = methods(study, imported=3, estimated=0)
    assert dict(every.paragraphs)["Pose"] == (
        "Keypoints of all recordings came from tracks of other programs."
    )
    assert not any("BlazePose" in r for r in every.references)


def test_methods_name_the_limits_of_quality_that_are_set() -> None:
    study = Config().model_dump(mode="json")
    text = dict(methods(study).paragraphs)["Quality"]
    for part in (
        "less than 30 % of trunk, head, limbs measured",
        "for less than 50 % of the time",
        "somebody else in view for more than 50 % of the time",
        "the camera faster than 0.15 a second",
        "faster than 2 a second for at least 5 s) for more than 50 %",
        "than 0.025 within a second, root mean square) for more than 95 %",
    ):
        assert part in text, part
    assert "fit in all" not in text
    study["quality"] |= {"max_gap_s": 4.0, "min_assessable_s": 60, "max_other_person": 1.0}
    text = dict(methods(study).paragraphs)["Quality"]
    assert "missing for more than 4 s" in text
    assert "less than 60 s fit in all" in text
    assert "somebody else" not in text
    off = {"max_other_person", "max_camera_moving", "max_fussing", "max_still"}
    study["quality"] |= dict.fromkeys(off, 1.0) | {"min_measured": 0, "min_supine": 0}
    study["quality"] |= {"max_gap_s": None, "min_assessable_s": 0}
    assert dict(methods(study).paragraphs)["Quality"] == "No limits of quality were set."


def cleaning_text(**changes: object) -> str:
    study = Config().model_dump(mode="json")
    study["cleaning"] |= changes
    return dict(methods(study).paragraphs)["Cleaning"]


def test_methods_say_which_gaps_were_filled_and_how() -> None:
    text = cleaning_text(makima_gap_s=0.16, max_gap_s=0.6)
    assert re.search(
        r"Gaps up to 0\.16 s were filled by modified Akima interpolation \[\d+\], longer ones up "
        r"to 0\.6 s by that curve drawn towards the straight line between the gap's ends \(its "
        r"distance from the line times 0\.16 s over the gap's length\); still longer gaps and "
        r"those at the ends of a recording stayed missing\.",
        text,
    )
    short = cleaning_text(makima_gap_s=0.16, max_gap_s=0.1)
    assert "Gaps up to 0.1 s were filled by modified Akima" in short
    assert "straight line" not in short
    assert "Gaps were not filled." in cleaning_text(max_gap_s=0)


def test_methods_say_which_keypoints_were_smoothed() -> None:
    text = cleaning_text(smoothing="savitzky_golay", smoothing_min_jitter=0.025)
    assert "was at least 0.025 trunk lengths were smoothed by a Savitzky-Golay filter" in text
    assert "all others were left as they were" in text
    every = cleaning_text(smoothing="moving_average", smoothing_min_jitter=0)
    assert "All keypoints' tracks were smoothed by a moving average over 5 frames." in every
    assert "Tracks were not smoothed." in cleaning_text(smoothing="none")


def test_methods_say_which_outliers_were_looked_for() -> None:
    limits = "In 3D positions, knees and elbows bent beyond anatomical limits were outliers too."
    assert limits in cleaning_text(joint_limits=True)
    assert "anatomical limits" not in cleaning_text(joint_limits=False)
    plain = cleaning_text(bone_check="never")
    assert "bone" not in plain
    assert "anatomical limits" not in plain  # joints are checked where bones are


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            "youden",
            r"threshold was chosen by Youden's index \[\d+\] on the fold's validation infants, or "
            r"was 0\.5 where these were not of both groups or their scores did not tell the groups "
            r"apart\.",
        ),
        (
            "sensitivity",
            r"the highest with a sensitivity of at least 0\.9 on the fold's validation infants, or "
            r"0\.5 where these were not of both groups\.",
        ),
        (0.4, r"The threshold of every fold model was fixed in advance at 0\.4\."),
    ],
)
def test_methods_say_how_thresholds_were_set(rule: str | float, sentence: str) -> None:
    study = Config().model_dump(mode="json")
    study["evaluation"] |= {"threshold": rule, "wanted_sensitivity": 0.9}
    assert re.search(sentence, dict(methods(study).paragraphs)["Training"])


def test_methods_say_that_nobody_was_kept_for_validation() -> None:
    study = Config().model_dump(mode="json")
    study["folds"]["validation_share"] = 0
    text = dict(methods(study).paragraphs)["Training"]
    assert "No training infant was kept for validation; networks trained for a fixed" in text
    assert "The threshold of every fold model was 0.5." in text
    assert "Youden" not in text


def test_methods_tell_of_pooled_areas_and_of_the_rule_where_it_is_used() -> None:
    study = Config().model_dump(mode="json")
    text = dict(methods(study).paragraphs)["Evaluation"]
    assert "pools scores of different fold models" in text
    assert "not at risk if more than 60 % of the infant's snippets" in text
    study["models"] = {"m": study["models"]["mam_clip"]}
    assert "60 %" not in dict(methods(study).paragraphs)["Evaluation"]


def test_verdicts_name_the_threshold_by_its_rule() -> None:
    several, one = record([0.8, 0.9]), record([0.8], "development")
    assert "At or above the threshold, fixed in advance at 0.4." in (
        verdict(several, ["risk"], 0.4).explanation
    )
    said = verdict(several, ["risk"], "youden").explanation
    assert (
        "At or above the mean of the fold models' thresholds (chosen on validation infants where "
        "a fold had any of both groups, else 0.5)." in said
    )
    assert "the fold model's threshold (chosen" in verdict(one, ["risk"], "youden").explanation
    assert "chosen on validation" not in verdict(several, ["risk"]).explanation


def test_the_60_percent_rule_in_words() -> None:
    normal = rule_words(0.7, positive=False, risk_classes=["risk"])
    assert "70 % of the snippets are classed as not “risk”; more than 60 %" in normal
    assert normal.endswith("the movements are less like that group.")
    assert "; not more than 60 %" in rule_words(0.6, positive=True, risk_classes=["risk"])


def test_the_page_tells_what_of_the_picture_is_hidden() -> None:
    assert "outside the infant's outline is blurred" in picture_note(ReportConfig())
    assert picture_note(ReportConfig(faces="visible")) == ""
    assert picture_note(ReportConfig(overlay="skeleton")) == "Nothing of the picture is shown."


def test_texts_have_a_version_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    first = errors.texts_version()
    assert first == errors.texts_version()
    monkeypatch.setitem(errors.REASON_TEXTS, Reason.NO_BODY, "Nobody there.")
    second = errors.texts_version()
    monkeypatch.setattr(errors, "__version__", "99.9")
    assert len({first, second, errors.texts_version()}) == 3


def test_parameters_tell_no_path() -> None:
    study = {
        "sheet": "clinic/mueller.csv",
        "intervals": None,
        "folds": {"file": "clinic/folds.tsv", "n": 5},
        "models": {"m": {"options": {"weights": "/home/mueller/w.pt"}}},
    }
    shown = dict(parameters(study))
    assert shown["folds.n"] == "5"
    assert shown["intervals"] == "(none)"
    assert not re.search("mueller|clinic", " ".join(shown.values()))
    assert "sheet" in shown


def test_new_infants_have_no_label_in_what_is_shared() -> None:
    rows = [
        cohort_row("a1", "a", "new", "risk", fm_type="absent", video="/x/mueller.mp4"),
        cohort_row("b1", "b", "external", "risk", fm_type="absent", video="/x/maier.mp4"),
    ]
    shown = shareable(pd.DataFrame(rows).fillna("").astype(str))
    assert "video" not in shown.columns
    assert shown["label"].tolist() == ["", "risk"]
    assert shown["fm_type"].tolist() == ["", "absent"]
    values = {"label": "risk", "fm_type": "absent", "sex": "female"}
    assert characteristics({"role": "new", **values}) == {"role": "new", "sex": "female"}
    assert characteristics({"role": "external", **values})["label"] == "risk"


def test_no_cell_of_a_download_is_taken_for_a_formula(tmp_path: Path) -> None:
    own = {"site": "=HYPERLINK(1)", "device": "-cam", "corrected_age_weeks": "-3.5", "x_a": "@b"}
    rows = [cohort_row("a1", "a", "external", "risk", **own)]
    path = tmp_path / "external.tsv"
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    content = base64.b64decode(cohort_download(path).href.partition(",")[2]).decode()
    packed = dict(zip(*(line.split("\t") for line in content.splitlines()), strict=True))
    assert {name: packed[name] for name in own} == {
        "site": "'=HYPERLINK(1)", "device": "'-cam", "corrected_age_weeks": "-3.5", "x_a": "'@b"
    }  # fmt: skip
    assert packed["recording"] == "a1"


def test_flow_ends_with_every_models_results() -> None:
    rows = [
        cohort_row("a1", "a", "development", "normal"),
        cohort_row("b1", "b", "development", "risk"),
        cohort_row("c1", "c", "development", "risk", **not_assessable(Reason.NO_BODY)),
    ]
    gap = not_assessable(Reason.NO_COMPLETE_WINDOW)
    fine = {"status": "ok", "reason": ""}
    results = pd.DataFrame(
        [
            {"infant": i, "role": "development", "label": label, "model": m, **outcome}
            for m, second in (("m", fine), ("k", gap))
            for i, label, outcome in (
                ("a", "normal", fine),
                ("b", "risk", second),
                ("c", "risk", not_assessable(Reason.NO_BODY)),
            )
        ]
    )
    (column,) = flow(pd.DataFrame(rows).fillna("").astype(str), results)
    first, second = column.boxes[-2:]
    assert (first.text, first.infants, first.recordings) == ("With a result of m", 2, None)
    assert first.reasons == {}
    assert second.infants == 1
    assert second.reasons == {Reason.NO_COMPLETE_WINDOW.text: 1}
    assert second.labels == {"normal": 1}


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


@pytest.mark.parametrize(
    ("pages", "few", "many"),
    [
        ("auto", {"development", "external", "new"}, {"new"}),
        ("all", {"development", "external", "new"}, {"development", "external", "new"}),
        ("new", {"new"}, {"new"}),
        ("none", set(), set()),
    ],
)
def test_whose_pages_are_made_unasked(pages: str, few: set[str], many: set[str]) -> None:
    config = ReportConfig.model_validate({"pages": pages})
    for infants, expected in ((PAGES_OF_ALL, few), (PAGES_OF_ALL + 1, many)):
        made = {
            role
            for role in ("development", "external", "new")
            if config.has_page(Role(role), infants)
        }
        assert made == expected
