"""The page of where and how early: by its script, from prediction files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fidgety.errors import NotAssessable, Reason
from fidgety.report.compare_instances import (
    NO_INTERVALS,
    NONE_IN_COMMON,
    figure_text,
    shown_times,
    why_no_localisation,
)
from fidgety.training.results import ModelPrediction
from tests.evaluation.synthetic import Bag, cohort_row, model_group, write_cohort, write_infant
from workflow_scripts import compare_instances
from workflow_scripts.stage import Job

CLASSES = [{"name": "normal", "at_risk": False}, {"name": "risk", "at_risk": True}]
SHORT = NotAssessable(Reason.NO_COMPLETE_WINDOW, "short")
#: A name that would be markup if it were not escaped.
RATER = "<b>Dr & co</b>"


def said(risk: float, recording: str, movement: tuple[int, ...], **how) -> ModelPrediction:
    """Ten instances of 10 s: fidgety movements in some, and a course that ends at the risk."""
    one = model_group([[1 - risk, risk]], recordings=(recording,), n_instances=10, **how)
    fm = np.full(10, 0.1)
    fm[list(movement)] = 0.9
    start = 10.0 * np.arange(10)
    course = np.concatenate([np.full(5, 1 - risk), np.full(5, risk)])
    return replace(
        one,
        probability=np.stack([fm, 1 - fm], axis=-1)[None],
        start_s=start,
        stop_s=start + 10,
        early_probability=np.stack([1 - course, course], axis=-1)[None],
        seen_s=start + 10,
    )


def tell(folder: Path, intervals: list[dict], models=("steady", "turning")) -> tuple[Job, str]:
    """Run the script on four external infants, of whom two have fidgety movements."""
    rows, files = [], []
    for k in range(5):
        infant, recording = f"i{k}", f"r{k}"
        at_risk = bool(k % 2)
        rows.append(cohort_row(recording, infant, "external", "risk" if at_risk else "normal"))
        where = () if at_risk else (2, 3, 4)
        own = said(0.9 if at_risk else 0.2, recording, where, detects_fidgety=True)
        steady = replace(own, early_probability=own.infant_probability[:, None].repeat(10, axis=1))
        missing = model_group([], error=SHORT)
        write_infant(
            folder, infant, "external", {"steady": steady, "turning": own if k < 4 else missing}
        )
        files.append(folder / f"{infant}.h5")
    names = ("page", "localisation", "early", "where", "when")
    suffixes = (".html", ".tsv", ".tsv", ".svg", ".svg")
    terminal = io.StringIO()
    job = Job(
        Bag(predictions=files, cohort=write_cohort(folder / "cohort", rows)),
        Bag(**{n: folder / f"out-{n}{s}" for n, s in zip(names, suffixes, strict=True)}),
        Bag(
            config={"bootstrap": 200},
            classes=CLASSES,
            models=list(models),
            intervals=intervals,
            rater=RATER,
            seed=1,
        ),
        Bag(),
        terminal=terminal,
    )
    compare_instances.main(job)
    return job, terminal.getvalue()


def rows_of(rater: str) -> list[dict]:
    """A rater's intervals: where the models see movements, in the infants not at risk."""
    found = []
    for k in range(5):
        movement = "other" if k % 2 else "fidgety"
        found.append(
            {
                "recording": f"r{k}",
                "start_s": 20.0,
                "end_s": 50.0,
                "movement": movement,
                "rater": rater,
            }
        )
    return found


def test_the_page_says_where_and_when_with_intervals(tmp_path: Path) -> None:
    job, text = tell(tmp_path, rows_of(RATER))
    where = pd.read_csv(job.output.localisation, sep="\t", dtype={"iou": str})
    ap = where.set_index(["model", "method", "iou"])["ap"]
    assert ap["steady", "thresholds", "mean"] == 1
    assert ap["turning", "luo2022", "0.5"] == 1
    # i4, of whom one model has no result, counts for none; i1 and i3 have no interval.
    assert where[["n", "n_with", "intervals"]].drop_duplicates().to_numpy().tolist() == [[4, 2, 2]]
    early = pd.read_csv(job.output.early, sep="\t").set_index(["model", "measure"])
    final = early["time_s"].isna()
    assert early[final]["value"].to_dict() == {
        ("steady", "final_s"): 10,
        ("turning", "final_s"): 60,
    }
    html = job.output.page.read_text()
    assert RATER not in html
    assert "&lt;b&gt;Dr &amp; co&lt;/b&gt;" in html
    for words in (
        "4 rated infants, 2 with 2 annotated intervals and 2 with none",
        "probability of fidgety movements",
        "at least two instances (Luo 2022)",
        "60.0",
        "external: i4, of whom no result has turning",
        "These are digital phantoms",
    ):
        assert words in html, words
    assert html.count("<svg") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "thresholds, the best of overlapping intervals  1.00" in text
    assert "turning  60.0 (60.0 to 60.0)  4" in text
    for name in ("where", "when"):
        assert "<svg" in job.output[name].read_text()


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        ([], NO_INTERVALS),
        (rows_of("another"), "there are those of another"),
        ([row | {"movement": "other"} for row in rows_of(RATER)], NONE_IN_COMMON),
    ],
)
def test_without_intervals_the_page_says_so_and_the_curves_stand(
    tmp_path: Path, intervals: list[dict], words: str
) -> None:
    job, text = tell(tmp_path, intervals)
    assert pd.read_csv(job.output.localisation, sep="\t").empty
    html = job.output.page.read_text()
    assert words in html
    assert "Median time to the final decision" in html
    assert "No localisation" in text
    assert "<svg" in job.output.where.read_text()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    jobs = [tell(tmp_path / name, rows_of(RATER))[0] for name in ("a", "b")]
    for name in ("page", "localisation", "early", "where", "when"):
        first, second = (job.output[name].read_bytes() for job in jobs)
        assert first == second, name


def test_some_times_of_a_curve_are_shown_the_last_one_among_them() -> None:
    assert shown_times([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) == [2, 4, 6, 8]
    assert shown_times([5.0, 5.0]) == [5]
    assert shown_times([5.0, 10.0]) == [5, 10]


def test_figures_are_written_with_their_intervals() -> None:
    row = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert figure_text(row, "value") == "0.50 (0.25 to 0.75)"
    assert figure_text(row | {"low": np.nan}, "value") == "0.50"
    assert figure_text(row | {"value": np.nan, "low": np.nan}, "value") == "–"
    assert why_no_localisation(["a"], "a", pd.DataFrame({"ap": [1.0]})) == ""
