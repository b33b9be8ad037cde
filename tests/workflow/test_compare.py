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
    assert pairs[["first", "second"]].to_numpy().tolist() == [
        ["eml", "stam"],
        ["eml", "wo_gma"],
        ["eml", "ctr_gcn"],
        ["stam", "wo_gma"],
        ["stam", "ctr_gcn"],
        ["wo_gma", "ctr_gcn"],
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
