"""Subgroups against closed forms, second implementations and planted effects; the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import brier_score_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.evaluation.differences import (
    Area,
    difference_of_areas,
    difference_of_means,
    difference_of_shares,
    difference_of_wald,
    holm,
    hybrid,
)
from fidgety.evaluation.intervals import Estimate, proportion
from fidgety.evaluation.subgroups import (
    EVERYBODY,
    GROUPINGS,
    NOT_RECORDED,
    PRETERM,
    SEVERAL,
    TERM,
    age_band,
    comparisons,
    groups_of,
    not_grouped,
    subgroup_table,
    too_few,
)
from fidgety.report.pages import to_tsv
from tests.evaluation.people import CLASSES, Person, Study, study
from tests.evaluation.synthetic import write_cohort, write_infant
from tests.report.conftest import ATTACK, job
from tests.report.test_pages import soup
from workflow_scripts import compare_subgroups


def table(of: Study, models: Sequence[str] = ("m",), **config: Any) -> pd.DataFrame:
    settings = EvaluationConfig(bootstrap=100, **config)
    return subgroup_table(of.records, list(models), of.cohort, of.predictions, CLASSES, settings, 1)


def figure(found: pd.DataFrame, group: str, measure: str, grouping: str = "") -> pd.Series:
    own = found[(found["group"] == group) & (found["measure"] == measure)]
    if grouping:
        own = own[own["grouping"] == grouping]
    assert len(own) == 1
    return own.iloc[0]


def crowd(
    n: int, seed: int, columns: Any = lambda k, rng: {}, sharp: Any = lambda sheet: 0.3
) -> Study:
    """Infants at risk by turns; ``sharp`` is how far a model moves them apart."""
    rng = np.random.default_rng(seed)
    people = []
    for k in range(n):
        sheet = columns(k, rng)
        side = 1 if k % 2 else -1
        risk = float(np.clip(0.5 + side * sharp(sheet) + rng.normal(0, 0.2), 0.01, 0.99))
        people.append(Person(f"i{k:03d}", "risk" if k % 2 else "normal", risk, sheet))
    return study(people)


# Differences


def test_shares_differ_as_newcombe_published() -> None:
    """Newcombe 1998, Table II, method 10, examples (a) and (c)."""
    found = difference_of_shares((56, 70), (48, 80))
    assert found.estimate.value == pytest.approx(0.2)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    found = difference_of_shares((6, 7), (2, 7))
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.0582, 0.8062), abs=1e-4)
    # The same interval from Wilson's two by the general hybrid.
    low, high = hybrid(proportion(6, 7), proportion(2, 7))
    assert (found.estimate.low, found.estimate.high) == pytest.approx((low, high))
    # Fisher's tea: eight cups, one exchange.
    assert difference_of_shares((3, 4), (1, 4)).p == pytest.approx(34 / 70)
    assert math.isnan(difference_of_shares((0, 0), (1, 4)).p)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Area(0.95, 40, 40), Area(0.60, 30, 50)),
        (Area(0.60, 30, 50), Area(0.95, 40, 40)),
        (Area(1.0, 10, 10), Area(0.55, 12, 9)),
        (Area(0.80, 20, 20), Area(0.75, 20, 20)),
    ],
)
def test_areas_p_is_where_their_interval_reaches_zero(first: Area, second: Area) -> None:
    found = difference_of_areas(first, second)
    assert found.estimate.low < first.value - second.value < found.estimate.high
    at_p = difference_of_areas(first, second, 1 - found.p).estimate
    nearer = at_p.low if found.estimate.value > 0 else at_p.high
    assert nearer == pytest.approx(0, abs=1e-6)
    turned = difference_of_areas(second, first)
    assert turned.p == pytest.approx(found.p)
    assert turned.estimate.low == pytest.approx(-found.estimate.high)
    excludes = found.estimate.low > 0 or found.estimate.high < 0
    assert excludes == (found.p < 0.05)


def test_areas_that_are_equal_or_undefined() -> None:
    assert difference_of_areas(Area(0.7, 9, 9), Area(0.7, 30, 30)).p == 1
    assert math.isnan(difference_of_areas(Area(math.nan, 0, 9), Area(0.7, 30, 30)).p)
    # So far apart that no coverage reaches 0: the smallest p that is told apart.
    assert difference_of_areas(Area(1.0, 4000, 4000), Area(0.1, 4000, 4000)).p < 1e-11


def test_areas_of_equal_models_rarely_differ() -> None:
    """Two groups of 12 and 12 with one true area: at most about one in twenty is below 0.05."""
    rng = np.random.default_rng(5)
    p = []
    for _ in range(200):
        areas = []
        for _ in range(2):
            score = np.concatenate([rng.normal(1.5, 1, 12), rng.normal(0, 1, 12)])
            areas.append(Area(float(roc_auc_score([1] * 12 + [0] * 12, score)), 12, 12))
        p.append(difference_of_areas(*areas).p)
    assert 0 < np.mean(np.array(p) < 0.05) < 0.07


def test_walds_and_welchs_differences() -> None:
    half = stats.norm.ppf(0.975)
    found = difference_of_wald(
        Estimate(1.0, 1 - 3 * half, 1 + 3 * half, 20), Estimate(-4.0, -4 - 4 * half, -4 + 4 * half)
    )
    # Standard errors of 3 and 4 are one of 5: a difference of 5 is one of them.
    assert found.p == pytest.approx(2 * stats.norm.sf(1))
    assert found.estimate.low == pytest.approx(5 - 5 * half)
    a, b = [1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 9.0]
    means = difference_of_means(a, b)
    assert means.p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert means.estimate.low < means.estimate.value < means.estimate.high
    assert math.isnan(difference_of_means([1.0], b).p)
    assert math.isnan(difference_of_means([1.0, 1.0], [1.0, 1.0]).p)


def test_holm_by_its_definition() -> None:
    p = [0.01, math.nan, 0.04, 0.03, 0.005]
    assert holm(p)[0::2] == pytest.approx([0.03, 0.06, 0.02])
    assert holm(p)[3] == pytest.approx(0.06)
    assert math.isnan(holm(p)[1])
    assert holm([]) == []


# Groups


@pytest.mark.parametrize(
    ("age", "width", "band"),
    [
        (9.0, 1, "9 weeks"),
        (12.99, 1, "12 weeks"),
        (12.99, 2, "11 to 12 weeks"),
        (13.0, 2, "13 to 14 weeks"),
        (8.9, 2, "7 to 8 weeks"),
        (-1.2, 1, "-2 weeks"),
        (math.nan, 2, NOT_RECORDED),
    ],
)
def test_ages_are_counted_in_completed_weeks(age: float, width: int, band: str) -> None:
    assert age_band(age, width) == band


def test_an_infant_belongs_where_its_recordings_are() -> None:
    of = study(
        [
            Person("a", "risk", 0.5, {"site": "x", "gestational_age_weeks": 36.9}),
            Person("b", "risk", 0.5, {"gestational_age_weeks": 37}, [{"site": "x"}, {"site": "y"}]),
            Person("c", "risk", 0.5, {}, [{"site": "y"}, {"site": ""}]),
            # The recording that is no good does not make it one of two sites.
            Person(
                "d", "risk", 0.5, {}, [{"site": "x"}, {"site": "y", "status": "not assessable"}]
            ),
            Person("e", "risk", 0.5),
        ]
    )
    assert groups_of(of.cohort, "site", 1) == {
        "a": "x",
        "b": SEVERAL,
        "c": "y",
        "d": "x",
        "e": NOT_RECORDED,
    }
    term = groups_of(of.cohort, "term", 1)
    assert (term["a"], term["b"], term["c"]) == (PRETERM, TERM, NOT_RECORDED)
    assert set(groups_of(of.cohort, "device", 1).values()) == {NOT_RECORDED}


def test_groups_come_in_the_order_of_weeks_and_letters() -> None:
    weeks = [10.0, 9.5, 19.0, ""]
    of = crowd(8, 0, lambda k, rng: {"corrected_age_weeks": weeks[k % 4], "site": "bA"[k % 2]})
    found = table(of)
    own = found[found["grouping"] == "corrected_age"]
    assert list(dict.fromkeys(own["group"])) == ["9 weeks", "10 weeks", "19 weeks", NOT_RECORDED]
    own = found[found["grouping"] == "site"]
    assert list(dict.fromkeys(own["group"])) == ["A", "b"]


# Figures


def test_figures_are_those_of_their_infants() -> None:
    of = crowd(60, 1, lambda k, rng: {"sex": "male" if k % 3 else "female"})
    found = table(of)
    sexes = dict(zip(of.cohort["infant"], of.cohort["sex"], strict=True))
    own = [r for r in of.records if sexes[r.infant] == "female"]
    truth = np.array([r.label == "risk" for r in own])
    score = np.array([r.probability for r in own])
    assert figure(found, "female", "auc")["value"] == pytest.approx(roc_auc_score(truth, score))
    assert figure(found, "female", "brier")["value"] == pytest.approx(
        brier_score_loss(truth, score)
    )
    right = int(((score >= 0.5) & truth).sum())
    sensitivity = figure(found, "female", "sensitivity")
    assert sensitivity["n"] == truth.sum() == sensitivity["n_at_risk"]
    limits = proportion_confint(right, truth.sum(), method="wilson")
    assert (sensitivity["low"], sensitivity["high"]) == pytest.approx(limits)
    everybody = figure(found, EVERYBODY, "accuracy")
    assert everybody["n"] == 60
    assert np.isfinite(found["low"]).all()


def test_calibration_in_the_large_of_equal_probabilities() -> None:
    """All have 0.5: the constant to add is the logit of the share at risk, 6 of 8."""
    labels = ["risk"] * 6 + ["normal"] * 2 + ["risk", "normal"] * 4
    of = study(
        [
            Person(f"i{k}", label, 0.5, {"device": "phone" if k < 8 else "camera"})
            for k, label in enumerate(labels)
        ]
    )
    found = table(of)
    phone = figure(found, "phone", "calibration_intercept")
    assert phone["value"] == pytest.approx(math.log(3))
    assert phone["high"] - phone["value"] == pytest.approx(1.959964 / math.sqrt(8 * 0.75 * 0.25))
    assert figure(found, "camera", "calibration_intercept")["value"] == pytest.approx(0, abs=1e-9)


def test_by_age_an_infant_counts_at_its_first_recording_with_that_ones_result() -> None:
    weeks = [{"corrected_age_weeks": 15}, {"corrected_age_weeks": 11}]
    people = [
        Person("a", "risk", 0.6, {}, weeks, alone=[0.9, 0.2]),
        Person("b", "normal", 0.1, {"corrected_age_weeks": 11}),
        # Its first age is not recorded: the other recording's counts.
        Person(
            "c", "normal", 0.3, {}, [{}, {"corrected_age_weeks": 15}], alone=[0.1, 0.7]
        ),
    ]  # fmt: skip
    found = table(study(people))
    early = figure(found, "11 weeks", "sensitivity")
    assert (early["value"], early["n"]) == (0.0, 1)
    assert figure(found, "11 weeks", "brier")["value"] == pytest.approx((0.8**2 + 0.1**2) / 2)
    assert figure(found, "15 weeks", "specificity")["value"] == 0.0
    assert figure(found, EVERYBODY, "sensitivity")["value"] == 1.0


def test_infants_without_a_result_are_counted() -> None:
    short = NotAssessable(Reason.NO_COMPLETE_WINDOW, "short")
    people = [
        Person(f"i{k}", "risk" if k % 2 else "normal", 0.5, {"setting": "home" if k < 8 else
               "hospital"}, error=short if k < 6 else None)
        for k in range(20)
    ]  # fmt: skip
    found = table(study(people))
    home = figure(found, "home", "with_result")
    assert (home["value"], home["n"]) == (0.25, 8)
    assert figure(found, "home", "accuracy")["n"] == 2
    # 2 of 8 against 12 of 12, told from both sides and counted once.
    assert home["p"] == pytest.approx(stats.fisher_exact([[2, 6], [12, 0]]).pvalue)
    other = figure(found, "hospital", "with_result")
    assert other["difference"] == -home["difference"] == 0.75
    assert (other["p"], other["p_holm"]) == (home["p"], home["p"])
    assert (other["difference_low"], other["n_rest"]) == (-home["difference_high"], 8)


def test_warnings_go_by_the_side_that_a_figure_rests_on() -> None:
    assert too_few([4, 300]) == "do not read: 4 of a side, fewer than 5"
    assert too_few([5, 300]) == "uncertain: 5 of a side, fewer than 100"
    assert too_few([100, 300]) == ""
    assert too_few([99]) == "uncertain: 99 infants, fewer than 100"
    labels = ["risk"] * 3 + ["normal"] * 40 + ["risk"] * 40
    of = study(
        [
            Person(f"i{k}", label, 0.4, {"site": "few" if k < 43 else "more"})
            for k, label in enumerate(labels)
        ]
    )
    found = table(of)
    assert figure(found, "few", "sensitivity")["warning"].startswith("do not read: 3")
    assert figure(found, "few", "specificity")["warning"].startswith("uncertain: 40")
    assert figure(found, "few", "auc")["warning"].startswith("do not read: 3")
    # All of 43 with a result is no matter of a hundred.
    assert figure(found, "few", "with_result")["warning"] == ""
    # Nothing is compared where one of the two has too few.
    assert math.isnan(figure(found, "few", "sensitivity")["n_rest"])
    assert math.isnan(figure(found, "few", "sensitivity")["p"])


def test_a_missing_column_is_left_out_and_named() -> None:
    of = crowd(12, 2, lambda k, rng: {"sex": "male"})
    assert set(table(of)["grouping"]) == {"all", "sex"}
    lines = not_grouped(of.cohort)
    assert "external: by site, as site is not recorded of any infant" in lines
    assert len(lines) == len(GROUPINGS) - 1
    assert not any("sex" in line for line in lines)


def test_infants_are_those_of_the_comparison() -> None:
    """One of whom the second model has no result is in neither model's groups."""
    people = [
        Person(f"i{k}", "risk" if k % 2 else "normal", {"m": 0.3, "o": 0.6}, {"site": "x"})
        for k in range(6)
    ]
    of = study(people, ("m", "o"))
    lost = NotAssessable(Reason.NO_COMPLETE_WINDOW, "short")
    predictions = [
        p if k else type(p)(p.infant, p.role, p.outcome, {
            **p.models, "o": Person("i0", "normal", 0.5, error=lost).prediction("o")})
        for k, p in enumerate(of.predictions)
    ]  # fmt: skip
    from fidgety.evaluation.records import collect

    records = collect(of.known, predictions, ["m", "o"], [False, True])
    found = table(Study(of.cohort, of.known, predictions, records), ("m", "o"))
    sums = found[(found["group"] == "x") & (found["measure"] == "accuracy")]
    assert sums["n"].tolist() == [5, 5]
    answered = found[(found["group"] == "x") & (found["measure"] == "with_result")]
    assert answered["value"].tolist() == pytest.approx([1.0, 5 / 6])


def test_equal_seeds_give_equal_tables() -> None:
    of = crowd(30, 3, lambda k, rng: {"site": "xy"[k // 2 % 2]})
    assert to_tsv(table(of)) == to_tsv(table(of))


# Planted effects


def sites(k: int, rng: np.random.Generator) -> dict[str, Any]:
    return {"site": f"s{rng.integers(12):02d}", "sex": ("male", "female")[int(rng.integers(2))]}


def test_a_site_in_which_the_model_fails_is_found() -> None:
    of = crowd(360, 4, sites, lambda sheet: 0.0 if sheet["site"] == "s07" else 0.3)
    found = table(of)
    significant = found[found["p_holm"] < 0.05]
    assert set(significant["group"]) == {"s07"}
    area = figure(found, "s07", "auc")
    assert area["p_holm"] < 0.01
    assert area["difference_high"] < 0
    assert area["n_rest"] == 360 - area["n"]


def test_a_camera_whose_probabilities_are_too_low_is_found_by_calibration_alone() -> None:
    """All ranks are kept, and calls at 0.5 too: only the probabilities are off."""
    rng = np.random.default_rng(8)
    people = []
    for k in range(400):
        camera = k % 4 == 0
        p = float(rng.uniform(0.05, 0.45))
        at_risk = rng.random() < (2 * p if camera else p)
        people.append(
            Person(
                f"i{k:03d}",
                "risk" if at_risk else "normal",
                p,
                {"device": "camera" if camera else "phone"},
            )
        )
    found = table(study(people))
    off = found[found["p_holm"] < 0.05]
    assert set(off["measure"]) == {"calibration_intercept"}
    assert figure(found, "camera", "calibration_intercept")["difference"] > 0.5


def test_among_many_subgroups_of_chance_holm_finds_none() -> None:
    """Twelve sites, sexes and ages that mean nothing: raw p values would find some in each."""

    def columns(k: int, rng: np.random.Generator) -> dict[str, Any]:
        return sites(k, rng) | {"corrected_age_weeks": int(rng.integers(9, 20))}

    raw, corrected = [], []
    for seed in range(8):
        found = table(crowd(240, 100 + seed, columns))
        raw.append((found["p"] < 0.05).any())
        corrected.append((found["p_holm"] < 0.05).any())
    assert sum(raw) >= 5
    assert sum(corrected) <= 1


def test_the_correction_counts_every_comparison_of_a_model_once() -> None:
    found = table(crowd(240, 9, sites))
    tested = found[found["p"].notna()]
    sex = tested["grouping"] == "sex"
    once = tested[~(sex & (tested["group"] == "male"))]
    assert len(once) < len(tested)
    pd.testing.assert_frame_equal(comparisons(found), once)
    assert once["p_holm"].tolist() == pytest.approx(holm(list(once["p"])))
    assert set(tested["measure"]) <= {
        "with_result",
        "auc",
        "sensitivity",
        "specificity",
        "calibration_intercept",
    }


def test_equal_differences_of_different_groups_are_not_one_comparison() -> None:
    """Four sites in which all is right: differences of 0 with p 1, and still four of a kind."""
    people = [
        Person(
            f"i{k:03d}", "risk" if k % 2 else "normal", 0.1 + 0.8 * (k % 2), {"site": f"s{k // 20}"}
        )
        for k in range(80)
    ]
    once = comparisons(table(study(people)))
    assert once.groupby("measure")["group"].nunique()["sensitivity"] == 4


# The page

OUTPUTS = {
    "page": "subgroups.html",
    "subgroups": "subgroups.tsv",
    "serial": "serial.tsv",
    "outcome": "outcome.tsv",
    "follow_up": "follow_up.tsv",
    "lost": "lost.tsv",
    "subgroup_plot": "subgroups.svg",
    "serial_plot": "serial.svg",
}


def write(folder: Path, people: Sequence[Person]) -> Path:
    """Run the script on people's files."""
    models = ("m",)
    rows = [row for p in people for row in p.rows()]
    predictions = [
        write_infant(folder, p.infant, p.role, {m: p.prediction(m) for m in models}) for p in people
    ]
    compare_subgroups.main(
        job(
            input={"predictions": predictions, "cohort": write_cohort(folder / "cohort", rows)},
            output={name: folder / "out" / file for name, file in OUTPUTS.items()},
            params={
                "config": {"bootstrap": 100},
                "classes": [{"name": n, "at_risk": r} for n, r in CLASSES.items()],
                "models": list(models),
                "phantoms": False,
                "seed": 3,
            },
        )
    )
    return folder / "out"


def test_the_page_escapes_what_the_sheet_says(tmp_path: Path) -> None:
    hostile = {"site": ATTACK, "device": "</svg><script>alert(1)</script>"}
    people = [
        Person(
            f"i{k}",
            "risk" if k % 2 else "normal",
            0.2 + 0.6 * (k % 2),
            hostile | ({"cp": "lost"} if k == 3 else {"cp": "no", "follow_up_age_months": 30}),
            [{"corrected_age_weeks": 11}, {"corrected_age_weeks": 22, "reason_detail": ATTACK}]
            if k == 0
            else [{"corrected_age_weeks": 12}],
        )
        for k in range(12)
    ]
    out = write(tmp_path, people)
    text = (out / "subgroups.html").read_text()
    html = soup(text)
    assert not html.select("img, iframe, object")
    assert len(html.find_all("script")) == 1
    assert "<script>alert" not in text
    cells = {c.get_text() for c in html.find_all("th", attrs={"scope": "row"})}
    assert {ATTACK, hostile["device"]} <= cells
    assert not any(a.startswith("on") for tag in html.find_all(True) for a in tag.attrs)
    svg = (out / "subgroups.svg").read_text()
    assert "&lt;img" in svg
    assert "<img" not in svg
    # Eleven were followed, one was lost, and five of each side are not enough to be sure.
    assert "lost to follow-up: 1" in html.get_text(" ")
    assert "uncertain: 6 of a side" in html.get_text(" ")
    assert {p.name for p in out.iterdir()} == set(OUTPUTS.values())


def test_the_page_shows_no_figure_of_too_few(tmp_path: Path) -> None:
    people = [
        Person(f"i{k}", "risk" if k % 2 else "normal", 0.5, {"sex": "male" if k else "female"})
        for k in range(20)
    ]
    out = write(tmp_path, people)
    html = soup((out / "subgroups.html").read_text())
    row = next(r for r in html.find_all("tr") if r.find("th", string="female"))
    cells = [c.get_text() for c in row.find_all("td")]
    assert cells == ["m", "0", "1", *["–"] * 7, "do not read: 0 of a side, fewer than 5"]
    row = next(r for r in html.find_all("tr") if r.find("th", string="male"))
    assert "0.50 (" in row.get_text()
    assert "1.00 (0.83 to 1.00), n = 19" in row.get_text()
    text = html.get_text(" ")
    assert "No outcome is recorded" in text
    assert "No infant was recorded at two corrected ages or more." in text
    assert "by site, as site is not recorded of any infant" in text


def test_nobody_to_judge_is_a_page_too(tmp_path: Path) -> None:
    out = write(tmp_path, [Person("n", "", 0.5, {"sex": "male"}, role="new")])
    text = soup((out / "subgroups.html").read_text()).get_text(" ")
    assert text.count("No set has infants with a label and a result.") == 3
    assert pd.read_csv(out / "subgroups.tsv", sep="\t").empty
