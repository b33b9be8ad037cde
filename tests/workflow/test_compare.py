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
