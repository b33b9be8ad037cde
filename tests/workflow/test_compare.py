"""The comparators of Gao 2023 and `snakemake compare` on the real Snakefile."""

from __future__ import annotations

import pathlib
from itertools import combinations

import pandas as pd
import pytest

from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.long

MODELS = {
    "cnn1d": None,
    "mam_clip": None,
    "eml": {"kind": "eml", "options": {"window_s": 4.0}, "grid": {"trees": [3, 11]}},
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
    "ctr_gcn": {
        "kind": "ctr_gcn",
        "options": {
            "window_s": 4.0,
            "step_s": 2.0,
            "predict_step_s": 2.0,
            "widths": [8, 8],
            "halve_at": [1],
            "pool": "median",
            "epochs": 2,
            "blind_epochs": 2,
        },
    },
}

COMPARED = sorted(name for name, model in MODELS.items() if model)
PAIRS = [list(pair) for pair in combinations(COMPARED, 2)]


@pytest.fixture(scope="module")
def compared(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a copy on which four more models were trained and compared."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("compare") / "copy")
    workflow.configure(models=MODELS, evaluation={"prevalence": 0.23, "bootstrap": 200})
    workflow.run("compare", "--cores", "2")
    return workflow


def test_every_model_stands_beside_every_other(compared: Workflow) -> None:
    folder = compared.folder / "results" / "comparison"
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    assert {"eml", "stam", "wo_gma", "ctr_gcn"} <= set(metrics["model"])
    of_areas = metrics[(metrics["metric"] == "auc") & (metrics["set"] == "external")]
    assert of_areas["n"].nunique() == 1, "all of them on the same infants"
    pairs = pd.read_csv(folder / "pairs.tsv", sep="\t")
    pairs = pairs[(pairs["set"] == "external") & (pairs["measure"] == "auc")]
    assert pairs[["first", "second"]].to_numpy().tolist()[: len(PAIRS)] == PAIRS
    screening = pd.read_csv(folder / "screening.tsv", sep="\t")
    assert set(screening["prevalence"]) == {0.23}
    page = (folder / "index.html").read_text()
    assert "At a prevalence of 23 %" in page
    assert "wo_gma" in page
    assert "<svg" in (folder / "net_benefit.svg").read_text()
    assert "eml - stam" in (folder / "table.txt").read_text()


def test_ensembles_ranks_calibration_and_cost_come_with_it(compared: Workflow) -> None:
    folder = compared.folder / "results" / "comparison"
    tables = {
        name: pd.read_csv(folder / f"{name}.tsv", sep="\t")
        for name in ("metrics", "pairs", "ranks", "calibration", "reliability", "weights", "cost")
    }
    page = (folder / "index.html").read_text()
    external = tables["metrics"][tables["metrics"]["set"] == "external"]
    assert {"(mean)", "(stacked)"} <= set(external["model"])
    assert external.loc[external["metric"] == "auc", "n"].nunique() == 1
    pairs = tables["pairs"]
    beside = pairs[(pairs["set"] == "external") & (pairs["measure"] == "auc")].iloc[len(PAIRS) :]
    assert (beside["first"].str.startswith("(") | beside["second"].str.startswith("(")).all()
    learned = tables["weights"][tables["weights"]["set"] == "external"]
    assert learned["term"].tolist() == [*COMPARED, "intercept"]
    assert (learned.loc[learned["term"] != "intercept", "weight"] >= 0).all()
    ranks = tables["ranks"].groupby("set")["mean_rank"].sum()
    assert ranks["external"] == pytest.approx(1 + 2 + 3 + 4, abs=1e-4)
    # The tiny cohort keeps too few infants aside, which is said and not glossed over.
    assert set(tables["calibration"]["method"]) == {"raw"}
    assert "eml is not recalibrated: every fold model needs 5 validation infants" in page
    cost = tables["cost"].set_index(["model", "measure"])
    assert cost.loc[("eml", "settings"), "value"] == 2
    assert "Not the same tuning budget" in page
    assert "2 in eml; 1 in ctr_gcn, stam, wo_gma" in (folder / "table.txt").read_text()
    assert (cost.xs("training_s", level="measure")["n"] == 2).all()
    assert (cost.xs("parameters", level="measure")["value"] > 0).all()
    speed = cost.xs("predicting_s_per_minute", level="measure")
    assert (speed.loc[COMPARED, "n"] == 5).all()
    candidates = [
        float(path.read_text().splitlines()[-1].split("\t")[0])
        for path in compared.folder.glob("results/benchmarks/train_candidate/eml-fold-1-*.tsv")
    ]
    of_folds = cost.loc[("eml", "training_s")]
    assert of_folds["low"] - 0.01 <= sum(candidates) <= of_folds["high"] + 0.01
    for name in ("ranks", "reliability"):
        assert "<svg" in (folder / f"{name}.svg").read_text()


def test_a_benchmark_that_is_gone_fails_nothing(compared: Workflow, tmp_path: pathlib.Path) -> None:
    workflow = compared.copy(tmp_path / "copy")
    (workflow.folder / "results/benchmarks/train_model/stam-fold-1.tsv").unlink()
    assert workflow.planned("compare") == {}
    workflow.run("compare", "--cores", "1", "--forcerun", "compare_models")
    cost = pd.read_csv(workflow.folder / "results/comparison/cost.tsv", sep="\t")
    times = cost[cost["measure"] == "training_s"].set_index("model")["n"]
    assert times["stam"] == 1
    assert times["wo_gma"] == 2


def test_subgroups_serial_recordings_and_outcome_are_told(compared: Workflow) -> None:
    folder = compared.folder / "results" / "comparison"
    subgroups = pd.read_csv(folder / "subgroups.tsv", sep="\t")
    assert set(subgroups["set"]) == {"development", "external"}
    assert set(subgroups["grouping"]) == {
        "all",
        "corrected_age",
        "term",
        "sex",
        "site",
        "device",
        "setting",
    }
    # Every grouping parts the same infants.
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    n = metrics[(metrics["model"] == "eml") & (metrics["metric"] == "accuracy")]
    own = subgroups[(subgroups["model"] == "eml") & (subgroups["measure"] == "accuracy")]
    for role in ("development", "external"):
        sums = own[own["set"] == role].groupby("grouping")["n"].sum()
        assert set(sums) == {n.loc[n["set"] == role, "n"].item()}
    judged = subgroups[subgroups["measure"] != "with_result"]
    assert judged["warning"].str.startswith("do not read").all(), "six infants are too few"
    # The first development infant has two recordings, a week apart.
    serial = pd.read_csv(folder / "serial.tsv", sep="\t")
    assert serial["infant"].nunique() == 1
    weeks = serial[serial["model"] == "eml"]["corrected_age_weeks"].to_numpy()
    assert weeks[1] - weeks[0] == pytest.approx(1.0)
    eml = serial[serial["model"] == "eml"]
    assert eml["probability"].between(0, 1).all()
    assert eml["recording"].str.endswith(("-a", "-b")).all()
    outcome = pd.read_csv(folder / "outcome.tsv", sep="\t")
    assert set(outcome["target"]) == {"label"}, "phantoms have no outcome"
    follow_up = pd.read_csv(folder / "follow_up.tsv", sep="\t")
    assert set(follow_up["state"]) == {"not recorded"}
    assert pd.read_csv(folder / "lost.tsv", sep="\t").empty
    page = (folder / "subgroups.html").read_text()
    assert "No outcome is recorded" in page
    assert serial["recording"].iloc[0] in page
    for name in ("subgroups.svg", "serial.svg"):
        assert "<svg" in (folder / name).read_text()


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
