"""Serial recordings: every recording by itself, by corrected age."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from fidgety.errors import NotAssessable, Reason
from fidgety.evaluation.serial import (
    NO_INSTANCE,
    ages,
    alone,
    at_first_age,
    change_table,
    not_serial,
    serial_table,
    window,
)
from fidgety.report.subgroups import MOST_PANELS, draw_serial
from tests.evaluation.people import Person, Study, study
from tests.evaluation.synthetic import not_assessable
from tests.report.conftest import ATTACK


def at(weeks: float | str, **more: object) -> dict[str, object]:
    return {"corrected_age_weeks": weeks, **more}


def table(of: Study, models: tuple[str, ...] = ("m",)):  # type: ignore[no-untyped-def]
    return serial_table(of.known, of.cohort, of.predictions, models, [False, True])


def test_every_recording_stands_by_itself_in_the_order_of_ages() -> None:
    of = study(
        [
            Person("a", "risk", 0.55, {}, [at(21, measured=0.5), at(8), at(12)], [0.9, 0.2, 0.5]),
            Person("once", "risk", 0.9, at(12)),
        ]
    )
    found = table(of)
    assert found["recording"].tolist() == ["a-1", "a-2", "a-0"]
    assert found["corrected_age_weeks"].tolist() == [8, 12, 21]
    assert found["probability"].tolist() == [0.2, 0.5, 0.9]
    assert found["call"].tolist() == ["not at risk", "at risk", "at risk"]
    assert found["in_window"].tolist() == ["no", "yes", "no"]
    assert found["measured"].tolist() == [0.93, 0.93, 0.5]
    assert set(found["infant_probability"]) == {0.55}
    assert set(found["threshold"]) == {0.5}
    assert set(found["set"]) == {"external"}


def test_what_has_no_result_stands_there_with_its_reason() -> None:
    out = at(30, **not_assessable(Reason.EXCLUDED, "corrected age 30 weeks"))
    short = NotAssessable(Reason.NO_COMPLETE_WINDOW, "longest run 3.0 s")
    of = study(
        [
            Person("a", "risk", 0.6, {}, [at(12), at(14), out], [0.6, 0.7]),
            Person("b", "normal", 0.6, {}, [at(12), at(14)], error=short),
        ]
    )
    found = table(of).set_index("recording")
    assert found.loc["a-2", ["status", "reason", "reason_detail"]].tolist() == [
        "not assessable",
        "excluded",
        "corrected age 30 weeks",
    ]
    assert np.isnan(found.loc["a-2", "probability"])
    assert found.loc["a-2", "call"] == ""
    assert found.loc["b-0", "reason"] == "no_complete_window"
    assert found.loc["b-0", "reason_detail"] == "longest run 3.0 s"
    # A recording that is fit, in which the model found nothing to look at.
    of.predictions[0] = type(of.predictions[0])(
        "a", "external", of.predictions[0].outcome, {"m": Person(
            "a", "risk", 0.6, {}, [at(12), at(14, status="x")]).prediction("m")}
    )  # fmt: skip
    found = table(of).set_index("recording")
    assert found.loc["a-1", ["status", "reason", "reason_detail"]].tolist() == [
        "not assessable",
        "",
        NO_INSTANCE,
    ]


def test_new_infants_are_told_without_their_label() -> None:
    of = study([Person("n", "secret", 0.6, {}, [at(11), at(13)], [0.4, 0.8], role="new")])
    found = table(of)
    assert found["set"].tolist() == ["new", "new"]
    assert set(found["label"]) == {""}


def test_recordings_of_one_age_or_of_none_are_named() -> None:
    people = [
        Person("one", "risk", 0.6, {}, [at(12), at(12)]),
        Person("none", "risk", 0.6, {}, [at(12), at("")]),
        Person("two", "risk", 0.6, {}, [at(12), at(13), at("")]),
    ]
    of = study(people)
    assert set(table(of)["infant"]) == {"two"}
    assert len(table(of)) == 3
    assert not_serial(of.known, of.cohort) == [
        "external: none, 2 recordings, 1 with a corrected age",
        "external: one, 2 recordings, all at one corrected age",
    ]


def test_how_often_calls_differ() -> None:
    two = [at(11), at(13)]
    people = [
        Person("a", "risk", 0.6, {}, two, [0.4, 0.8]),
        Person("b", "risk", 0.6, {}, two, [0.6, 0.8]),
        Person("c", "risk", 0.2, {}, two, [0.1, 0.2]),
        Person("d", "risk", 0.2, {}, [at(11), at(13, status="not assessable")], [0.2]),
    ]
    found = change_table(table(study(people)), 0.95).iloc[0]
    assert (found["value"], found["n"]) == (pytest.approx(1 / 3), 3)
    assert (found["low"], found["high"]) == pytest.approx(proportion_confint(1, 3, method="wilson"))


@pytest.mark.parametrize(
    ("age", "said"), [(8.99, "no"), (9, "yes"), (20, "yes"), (20.1, "no"), (np.nan, "")]
)
def test_the_fidgety_age(age: float, said: str) -> None:
    assert window(age) == said


def test_the_first_recording_of_known_age() -> None:
    of = study([Person("a", "risk", 0.6, {}, [at(""), at(15), at(11)], [0.1, 0.2, 0.3])])
    prediction = of.predictions[0].models["m"]
    age, p = at_first_age(prediction, ages(of.cohort), [False, True])
    assert age == 11
    assert p is not None
    assert p.tolist() == pytest.approx([0.3])
    assert at_first_age(prediction, {}, [False, True])[1] is None
    said = alone(prediction, [True, False])
    assert said["a-0"].tolist() == pytest.approx([0.9])
    (single,) = study([Person("b", "risk", 0.6, at(11))]).predictions
    assert at_first_age(single.models["m"], {"b-0": 11.0}, [False, True]) == (11.0, None)


def test_the_picture_has_an_infant_a_panel_and_escapes_names() -> None:
    people = [
        Person(f"p{k:02d}", ATTACK, 0.6, {}, [at(5), at(13)], [0.4, 0.8])
        for k in range(MOST_PANELS + 2)
    ]
    of = study([*people, Person("n", "", 0.5, {}, [at(3), at(4)], [0.2, 0.3], role="new")])
    svg = draw_serial(table(of))
    assert svg.count("p00") == 1
    assert f"p{MOST_PANELS - 2}" in svg
    assert f"p{MOST_PANELS - 1}" not in svg
    assert "<img" not in svg
    assert draw_serial(table(of)) == svg
    assert "No infant was recorded" in draw_serial(table(of).iloc[:0])
