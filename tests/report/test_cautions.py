"""What stands above a result: of whom the models know, of which age, where they disagree."""

from __future__ import annotations

from pathlib import Path

import pytest

from fidgety.report import cautions
from fidgety.report.wording import Verdict
from tests.report.conftest import build_site
from tests.report.test_pages import one, soup, table_after

RISK = Verdict("Movements more like the group", "0.9", "", "risk")
CALM = Verdict("Movements less like the group", "0.1", "", "no-risk")
NONE = Verdict("Not assessable", "no figure", "", "none")


def rows(*weeks: object) -> list[dict[str, object]]:
    return [{"recording": f"r{k}", "corrected_age_weeks": w} for k, w in enumerate(weeks)]


def test_models_of_phantoms_say_nothing_of_an_infant_but_something_of_a_phantom() -> None:
    learned = {"infants": 12, "phantoms": 3}
    found = cautions.learned_from_phantoms(learned, phantom=False)
    assert found is not None
    assert "12 infants, 3 of them digital phantoms" in found.text
    assert cautions.learned_from_phantoms(learned, phantom=True) is None
    assert cautions.learned_from_phantoms({"infants": 12, "phantoms": 0}, phantom=False) is None
    assert cautions.learned_from_phantoms({}, phantom=False) is None
    verdicts = [("a", RISK), ("b", NONE)]
    void = cautions.voided(verdicts, [found])
    assert [one.headline for _, one in void] == [cautions.NO_STATEMENT, "Not assessable"]
    assert [one.figures for _, one in void] == ["0.9", "no figure"]
    assert cautions.voided(verdicts, []) == verdicts


@pytest.mark.parametrize("weeks", [9, 12.5, "20"])
def test_the_age_of_fidgety_movements_needs_no_caution(weeks: object) -> None:
    assert cautions.age(rows(weeks)) is None


@pytest.mark.parametrize("weeks", [2, 8.9, "20.1", 40])
def test_at_any_other_age_there_is_no_statement(weeks: object) -> None:
    found = cautions.age(rows(12, weeks))
    assert found is not None
    assert found.void == cautions.OUTSIDE_AGE
    assert f"a recording is of {weeks} weeks" in found.text


def test_classes_of_the_writhing_age_may_be_younger_and_not_older() -> None:
    for classes in (["WMs", "FMs", "PR"], ["normal", "poor_repertoire"], ["cramped-synchronised"]):
        assert cautions.age(rows(2, 12), classes) is None
        assert cautions.age(rows(2, 21), classes) is not None
    assert cautions.age(rows(2, 12), ["normal", "risk"]) is not None


@pytest.mark.parametrize("weeks", [None, ""])
def test_an_unknown_age_is_told(weeks: object) -> None:
    found = cautions.age(rows(12, weeks))
    assert found is not None
    assert found.heading == "Age unknown."
    assert not found.void
    assert cautions.age_text(rows(weeks)) == "corrected age unknown"


def test_the_age_stands_in_the_head() -> None:
    assert cautions.age_text(rows(12.2, None)) == "corrected age 12 weeks"
    assert cautions.age_text(rows(10, 16)) == "corrected age 10 to 16 weeks"


def test_models_that_contradict_each_other_are_told_to() -> None:
    assert cautions.contradiction([RISK, NONE, CALM]) is not None
    assert cautions.contradiction([RISK, RISK, NONE]) is None


def test_a_page_of_an_infant_judged_by_models_of_phantoms_warns_above_the_result(
    tmp_path: Path,
) -> None:
    site = build_site(
        tmp_path,
        cohort_name="hospital",
        external=False,
        only="d1",
        learned={"infants": 4, "phantoms": 4},
    )
    page = soup(site.text("d1"))
    assert "all of them digital phantoms" in one(page, ".caution").get_text()
    headlines = [h.get_text() for h in page.select(".verdict .headline")]
    assert headlines == [cautions.NO_STATEMENT] * 2
    assert "60 % rule" not in page.get_text()
    assert "would be called" not in page.get_text()
    assert "corrected age 12 weeks" in one(page, "header").get_text()
    assert page.select(".caution")[0].sourceline < page.select(".verdict")[0].sourceline
    index = soup(site.text())
    assert "4 of them digital phantoms" in one(index, ".banner").get_text()
    said = {row[8] for row in table_after(index, "Infants")[1:] if row[4] == "ok"}
    assert said == {cautions.NO_STATEMENT}
    # The same models, of phantoms: their results stand.
    assert {row[10] for row in table_after(index, "Infants")[1:]} == {"no"}
