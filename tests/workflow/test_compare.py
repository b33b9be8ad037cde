"""The comparators of Gao 2023 and `snakemake compare` on the real Snakefile."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow

MODELS = {
    "cnn1d": None,
    "mam_clip": None,
    "eml": {"kind": "eml", "options": {"window_s": 4.0}},
    "stam": {
        "kind": "stam",
        "options": {
            "window_s": 4.0,
            "step_s": 2.0,
            "predict_step_s": 2.0,
            "widths": [8, 8],
            "epochs": 2,
            "blind_epochs": 2,
        },
    },
    "wo_gma": {
        "kind": "wo_gma",
        "options": {
            "graph_width": 8,
            "clip_width": 16,
            "proposal_widths": [8],
            "state_width": 8,
            "online_widths": [8],
            "scales": 3,
            "epochs": 2,
            "blind_epochs": 2,
            "min_steps": 1,
        },
    },
}


@pytest.fixture(scope="module")
def compared(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a copy on which three more models were trained and compared."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("compare") / "copy")
    workflow.configure(models=MODELS, evaluation={"prevalence": 0.23, "bootstrap": 200})
    workflow.run("compare", "--cores", "2")
    return workflow


def test_every_model_stands_beside_every_other(compared: Workflow) -> None:
    folder = compared.folder / "results" / "comparison"
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert {"eml", "stam", "wo_gma"} <= set(metrics["model"])
    of_areas = metrics[(metrics["metric"] == "auc") & (metrics["set"] == "external")]
    assert of_areas["n"].nunique() == 1, "all of them on the same infants"
    pairs = pd.read_csv(folder / "pairs.tsv", sep="\t")
    pairs = pairs[(pairs["set"] == "external") & (pairs["measure"] == "auc")]
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["eml", "stam"],
        ["eml", "wo_gma"],
        ["stam", "wo_gma"],
    ]
    screening = pd.read_csv(folder / "screening.tsv", sep="\t")
    assert set(screening["prevalence"]) == {0.23}
    page = (folder / "index.html").read_text()
    assert "At a prevalence of 23 %" in page
    assert "wo_gma" in page
    assert "<svg" in (folder / "net_benefit.svg").read_text()
    assert "eml - stam" in (folder / "table.txt").read_text()


def test_it_is_made_once(compared: Workflow) -> None:
    assert compared.planned("compare") == {}


def test_instances_are_compared_in_place_and_in_time(compared: Workflow) -> None:
    folder = compared.folder / "results" / "comparison"
    where = pd.read_csv(folder / "localisation.tsv", sep="\t", dtype={"iou": str})
    assert {"eml", "stam", "wo_gma", "(whole recording)"} <= set(where["model"])
    assert where["ap"].between(0, 1).all()
    assert (where["n"] >= where["n_with"]).all()
    assert (where["intervals"] > 0).all()
    # One interval a recording is as many as there are recordings, and no model's score is a label.
    whole = where[where["model"] == "(whole recording)"]
    assert (whole["detections"] >= whole["n"]).all()
    apart = where[where["model"] == "wo_gma"]["scores"].unique().tolist()
    assert apart == ["score of the classes not at risk, each by itself"]
    early = pd.read_csv(folder / "early.tsv", sep="\t")
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t").set_index(["set", "model", "metric"])
    # When all has been seen, a model says what it says of whole recordings.
    for (role, model), own in early.groupby(["set", "model"]):
        end = own[own["time_s"] == own["time_s"].max()].set_index("measure")
        for measure in ("auc", "sensitivity", "specificity"):
            told = metrics.loc[(role, model, measure)]
            assert end.loc[measure, "value"] == pytest.approx(told["value"], nan_ok=True)
            assert end.loc[measure, "n"] == told["n"]
        assert end.loc["final", "value"] == 1
    assert set(early["model"]) >= {"eml", "stam", "wo_gma"}
    page = (folder / "instances.html").read_text()
    assert "wo_gma" in page
    assert "the rater consensus" in page
    assert "<svg" in (folder / "localisation.svg").read_text()
    assert "<svg" in (folder / "early.svg").read_text()
