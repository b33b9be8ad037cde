"""What figures show is said in numbers: those of their own tables."""

from __future__ import annotations

import pandas as pd

from fidgety.config.evaluation import EvaluationConfig
from fidgety.errors import Reason
from fidgety.evaluation import description
from fidgety.evaluation.model_comparison import EVERYBODY
from fidgety.report.alternatives import (
    FIGURES,
    alternatives,
    benefit,
    calibration,
    frequency,
    quality,
    roc,
)
from fidgety.report.wording import interval
from tests.evaluation.synthetic import cohort_row, not_assessable
from tests.report.conftest import Site
from tests.report.test_pages import soup

NAN = float("nan")


def test_roc_tells_areas_alone() -> None:
    row = {"model": "a", "set": "external", "value": 0.875, "low": 0.6, "high": 0.97, "n": 12}
    assert roc([{**row, "metric": "auc"}, {**row, "metric": "accuracy"}]) == [
        "a, external: AUC 0.88 [0.60 to 0.97], n = 12"
    ]


def test_calibration_tells_every_group_of_infants() -> None:
    columns = ["model", "set", "predicted", "observed", "low", "high", "n"]
    rows = [
        ("a", "development", 0.21, 0.25, 0.05, 0.70, 4),
        ("a", "development", 0.74, 1.0, 0.51, 1.0, 3),
        ("b", "development", 0.5, 0.5, NAN, NAN, 2),
        ("a", "external", 0.4, 0.0, 0.0, 0.49, 5),
    ]
    assert calibration(pd.DataFrame(rows, columns=columns)) == [
        "a, development, n = 7: predicted 0.21, observed 0.25 [0.05 to 0.70], n = 4; "
        "predicted 0.74, observed 1.00 [0.51 to 1.00], n = 3",
        "b, development, n = 2: predicted 0.50, observed 0.50, n = 2",
        "a, external, n = 5: predicted 0.40, observed 0.00 [0.00 to 0.49], n = 5",
    ]


def test_decision_curves_tell_three_points_and_where_a_model_is_of_use() -> None:
    columns = ["set", "model", "threshold", "net_benefit", "low", "high", "n"]
    points = (0.1, 0.2, 0.3, 0.4)
    rows = [
        ("external", "a", t, worth, worth - 0.1, worth + 0.1, 9)
        for t, worth in zip(points, (0.40, 0.35, 0.2, -0.01), strict=True)
    ] + [
        ("external", EVERYBODY, t, worth, NAN, NAN, 9)
        for t, worth in zip(points, (0.45, 0.30, 0.1, -0.2), strict=True)
    ]
    assert benefit(pd.DataFrame(rows, columns=columns)) == [
        # More than everybody and nobody at 0.2 and 0.3: at 0.4 acting on nobody is worth more.
        "a, external, n = 9: net benefit 0.40 [0.30 to 0.50] from 0.1 on; "
        "0.35 [0.25 to 0.45] from 0.2 on; -0.01 [-0.11 to 0.09] from 0.4 on; "
        "more than acting on everybody and on nobody at 2 of 4 points",
        f"{EVERYBODY}, external, n = 9: net benefit 0.45 from 0.1 on; 0.30 from 0.2 on; "
        "-0.20 from 0.4 on",
    ]


def test_frequencies_are_the_medians_of_what_is_drawn() -> None:
    shares = {"normal": [0.2, 0.4, 0.9], "risk": [0.0, 0.1]}
    rows = [
        (f"{label}-{k}", "development", label, "mam", share)
        for label, own in shares.items()
        for k, share in enumerate(own)
    ]
    columns = ["infant", "set", "label", "model", "frequency"]
    made = description.frequency_table(
        pd.DataFrame(rows, columns=columns),
        {"normal": False, "risk": True},
        EvaluationConfig(bootstrap=100),
        seed=1,
    )
    normal, risk, area = frequency(made)
    assert normal.startswith("mam, development, normal: median share 0.40 [")
    assert normal.endswith(", quartiles 0.30 to 0.65, n = 3")
    assert risk.startswith("mam, development, risk: median share 0.05")
    assert risk.endswith(", quartiles 0.03 to 0.08, n = 2")
    # All infants at risk have fewer than any other.
    assert area.startswith("mam, development: AUC of the share 1.00")
    assert area.endswith(", n = 5")


def test_quality_tells_reasons_and_what_is_drawn_of_the_others() -> None:
    rows = [
        cohort_row(f"r{k}", f"i{k}", "development", "normal", imputed=imputed, duration_s=60)
        for k, imputed in enumerate((0.02, 0.04, 0.12))
    ]
    bad = cohort_row("r3", "i3", "development", "normal", measured="", imputed="", missing="")
    rows.append(bad | not_assessable(Reason.VIDEO_TOO_SHORT))
    cohort = pd.DataFrame(rows).astype(str)
    reasons = description.reason_table(cohort, 0.95)
    lost, *measures = quality(description.quality_table(cohort), reasons)
    sentence = Reason.VIDEO_TOO_SHORT.text.rstrip(".")
    assert lost == f"development: 1 of 4 recordings not assessable (1: {sentence})"
    assert "Imputed values, development: median 4 %, quartiles 3 % to 8 %, n = 3" in measures
    assert not any("Duration" in text for text in measures), "it is not in the figure"
    good = cohort[cohort["status"] == "ok"]
    whole = quality(description.quality_table(good), description.reason_table(good, 0.95))
    assert whole[0] == "development: 0 of 3 recordings not assessable"


def test_without_data_every_figure_says_so() -> None:
    empty = {
        "calibration": pd.DataFrame(columns=["set", "model"]),
        "benefit": pd.DataFrame(columns=["set", "model"]),
        "frequency": pd.DataFrame(columns=["set", "model"]),
        "quality": pd.DataFrame(columns=["set", "measure"]),
        "reasons": pd.DataFrame(columns=["set", "reason"]),
    }
    found = alternatives([], empty)
    assert list(found) == list(FIGURES)
    assert all(text == f"{FIGURES[name]}. There is nothing to show" for name, text in found.items())


def test_the_page_tells_the_figures_of_its_own_evaluation(site: Site) -> None:
    page = soup(site.text())
    told = {
        str(figure["aria-label"]).split(". ")[0]: str(figure["aria-label"])
        for figure in page.select("figure svg")
    }
    assert set(told) == set(FIGURES.values())
    folder = site.folder / "evaluation"
    bins = pd.read_csv(folder / "calibration.tsv", sep="\t")
    assert told[FIGURES["calibration"]].count("predicted") == len(bins) > 4
    own = bins[(bins["model"] == "cnn1d") & (bins["set"] == "external")]
    assert f"cnn1d, external, n = {own['n'].sum()}: predicted" in told[FIGURES["calibration"]]
    curves = pd.read_csv(folder / "net_benefit.tsv", sep="\t")
    row = curves[(curves["set"] == "external") & (curves["model"] == "mam_clip")].iloc[4]
    assert f"{row['threshold']:g}" == "0.1"
    expected = f"mam_clip, external, n = {row['n']}: net benefit {row['net_benefit']:.2f} "
    expected += f"[{interval(row['low'], row['high'])}] from 0.1 on"
    assert expected in told[FIGURES["benefit"]]
    assert "mam_clip, external, risk: median share " in told[FIGURES["frequency"]]
    # One of the six development infants whose recording was let in has one that is too short.
    assert (
        "development: 1 of 6 recordings not assessable (1: The recording is shorter"
        in (told[FIGURES["quality"]])
    )
