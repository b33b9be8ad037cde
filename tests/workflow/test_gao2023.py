"""The study of Gao 2023 on the real Snakefile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fidgety.evaluation.predictions import read_infant
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow

STUDY = {
    "options": {
        "window_s": 4.8,
        "step_s": 1.2,
        "predict_step_s": 1.2,
        "width": 8,
        "heads": 2,
        "feed_forward": 16,
        "encoder_layers": 1,
        "pool_widths": [8],
        "epochs": 2,
        "blind_epochs": 2,
        "pretrain_epochs": 1,
        "min_steps": 1,
    },
    "ablations": {"mam": {}, "plain": {"info": False, "closeness": False, "reference": False}},
    "inputs": {"speed": {"inputs": ["velocities"], "coordinates": "coordinates_2d"}},
}


@pytest.fixture(scope="module")
def studied(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a copy on which the study has run."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("gao") / "copy")
    workflow.configure(gao=STUDY)
    workflow.run("gao2023", "--cores", "2")
    return workflow


def folder(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "gao2023"


def test_the_study_leaves_the_main_line_alone(tiny_copy: Workflow) -> None:
    tiny_copy.configure(gao=STUDY)
    assert tiny_copy.planned() == {}, "the study's section changes nothing else"
    planned = tiny_copy.planned("gao2023")
    assert set(planned) == {
        "build_gao_features",
        "train_gao_model",
        "list_gao_models",
        "predict_gao_infant",
        "explain_gao_model",
        "report_gao2023",
        "gao2023",
    }
    assert planned["train_gao_model"] == {
        f"model={model}, fold={fold}" for model in ("mam", "plain", "speed") for fold in (1, 2)
    }


@pytest.mark.long
def test_one_command_gives_the_papers_tables_and_figures(studied: Workflow) -> None:
    results = folder(studied)
    metrics = pd.read_csv(results / "table-2.tsv", sep="\t")
    assert set(metrics["model"]) >= {"mam", "plain", "speed", "cnn1d", "mam_clip"}
    assert set(metrics["set"]) == {"development", "external"}
    kappa = pd.read_csv(results / "kappa.tsv", sep="\t")
    assert set(kappa["model"]) == {"mam", "plain", "speed", "cnn1d", "mam_clip"}
    assert (kappa["instances"] > 0).any(), "the phantoms' intervals are the experts'"
    frequency = pd.read_csv(results / "frequency.tsv", sep="\t")
    assert set(frequency["model"]) == {"mam", "plain", "speed", "mam_clip"}
    assert {"continuous", "absent"} & set(frequency["fm_type"])
    characteristics = pd.read_csv(results / "table-1.tsv", sep="\t")
    assert "birth_weight_g" in set(characteristics["characteristic"])
    for name in ("3a", "3b", "3c", "3d", "3e", "4a"):
        assert (results / f"figure-{name}.svg").read_text().lstrip().startswith("<?xml")
    page = (results / "index.html").read_text()
    assert "Content-Security-Policy" in page
    assert "digital phantoms" in page
    assert "speed" in page
    assert "kappa" in (results / "table.txt").read_text()


@pytest.mark.long
def test_contributions_add_up_to_what_was_predicted(studied: Workflow) -> None:
    table = pd.read_csv(folder(studied) / "contributions.tsv", sep="\t")
    assert len(table)
    for infant, own in table.groupby("infant"):
        said = read_infant(folder(studied) / "predictions" / f"{infant}.h5").models["mam"]
        whole = own["base"].iloc[0] + own["contribution"].sum()
        np.testing.assert_allclose(whole, said.risk_probability, atol=1e-4)


@pytest.mark.long
def test_a_second_run_does_nothing(studied: Workflow) -> None:
    assert studied.planned("gao2023") == {}


@pytest.mark.long
def test_another_way_of_reporting_trains_nothing(studied: Workflow) -> None:
    studied.configure(gao={**STUDY, "examples": 1})
    try:
        assert set(studied.planned("gao2023")) == {"report_gao2023", "gao2023"}
    finally:
        studied.configure(gao=STUDY)


def test_a_rater_without_intervals_is_refused_before_any_job(tiny_copy: Workflow) -> None:
    tiny_copy.configure(gao={**STUDY, "rater": "consensos"})
    assert tiny_copy.planned() == {}, "the main line does not ask for the rater"
    done = tiny_copy.run("gao2023", "--dry-run", "--cores", "2", ok=False)
    assert done.returncode
    said = done.stdout + done.stderr
    assert "gao.rater: 'consensos' has no interval" in said
    assert "Did you mean 'consensus'?" in said
    assert "Traceback" not in said
