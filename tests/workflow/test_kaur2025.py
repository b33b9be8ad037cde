"""The study of Kaur 2025, and models with a grid, on the real Snakefile."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from fidgety.datasets.snippet_split import LEAKS
from fidgety.evaluation.predictions import read_infant
from fidgety.training.snippet_scores import read_snippet_scores
from tests.workflow.conftest import Workflow

SHORT = {"preset": "kaur2025", "window_s": 4.0, "predict_step_s": 2.0, "centre": True}
NETWORK = {**SHORT, "epochs": 3, "blind_epochs": 3}
STUDY = {
    "overlaps": [60],
    "overlap": 60,
    "folds": 2,
    "upright": True,
    "scale": "trunk",
    "feature_sets": {"coordinates": ["landmarks_2d"], "both": ["landmarks_2d", "angles_2d"]},
    "models": {
        "cnn1d": {
            "kind": "cnn1d",
            "options": NETWORK,
            "grid": [{"filters": [[8]], "dense": [8]}, {"filters": [[8, 8]], "dense": [16]}],
        },
        # Refused: it would need more memory than it may have.
        "svm": {"kind": "svm", "options": {**SHORT, "max_gb": 1e-6}},
    },
}
#: What is run: one of the inputs, as every training is a job.
RUN = {**STUDY, "feature_sets": {"both": STUDY["feature_sets"]["both"]}}


@pytest.fixture(scope="module")
def studied(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a copy on which the study has run."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("kaur") / "copy")
    workflow.configure(kaur=RUN)
    workflow.run("kaur2025", "--cores", "2")
    return workflow


def folder(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "kaur2025"


@pytest.mark.slow
def test_the_sweep_is_planned_and_the_main_line_is_left_alone(tiny_copy: Workflow) -> None:
    tiny_copy.configure(kaur={**STUDY, "overlaps": [100, 60]})
    assert tiny_copy.planned() == {}, "the study's section changes nothing else"
    planned = tiny_copy.planned("kaur2025")
    # Two splits; both overlaps with both inputs together, the other input at one overlap.
    settings = 2 * (2 + 1)
    assert len(planned["train_study_model"]) == settings * (2 + 1) * 2
    assert len(planned["score_snippets"]) == settings * 2
    assert set(planned) == {
        "build_study_features",
        "train_study_model",
        "score_snippets",
        "embed_snippets",
        "decompose_snippets",
        "report_kaur2025",
        "kaur2025",
    }


@pytest.mark.long
def test_one_command_gives_tables_figures_and_a_page(studied: Workflow) -> None:
    results = folder(studied)
    table = pd.read_csv(results / "table.tsv", sep="\t", keep_default_na=False)
    assert set(table["split"]) >= {"infant", "snippet"}
    assert set(table["features"]) == {"both"}
    assert {"svm", "cnn1d", "majority class", "mean speed"} <= set(table["model"])
    leaking = table[table["split"] == "snippet"]
    assert set(leaking["leaks"]) == {LEAKS}
    assert set(table[table["split"] == "infant"]["leaks"]) == {""}
    assert {"development", "external"} <= set(table["set"])
    network = table[(table["model"] == "cnn1d") & (table["metric"] == "accuracy")]
    assert (network["value"] != "").all()
    optimism = pd.read_csv(results / "optimism.tsv", sep="\t")
    assert "cnn1d" in set(optimism["model"])
    refused = table[table["model"] == "svm"]
    assert len(refused)
    assert (refused["value"] == "").all()
    left_out = (results / "left-out.tsv").read_text()
    assert "svm, fold 1" in left_out
    assert "max_gb" in left_out
    assert "max_gb" in (results / "index.html").read_text()
    # Both splits, both models, and the majority class.
    assert len(pd.read_csv(results / "figure-2.tsv", sep="\t")) == 2 * 2 + 1
    for name in ("figure-2.svg", "figure-3a.svg", "figure-3b-infant.svg", "figure-3b-snippet.svg"):
        assert (results / name).read_text().lstrip().startswith("<?xml")
    for name in ("figure-2.svg", "figure-3b-snippet.svg"):
        assert LEAKS in (results / name).read_text()
    page = (results / "index.html").read_text()
    assert LEAKS in page
    assert "Content-Security-Policy" in page
    assert LEAKS in (results / "table.txt").read_text()
    choices = pd.read_csv(results / "choices.tsv", sep="\t", keep_default_na=False)
    assert set(choices["fold"]) == {1, 2}
    components = pd.read_csv(results / "figure-3a.tsv", sep="\t")
    assert set(components["part"]) == {"train", "test"}
    assert components[["component_1", "component_2"]].notna().all().all()


@pytest.mark.long
def test_scores_are_of_everybody_and_say_how(studied: Workflow) -> None:
    results = folder(studied)
    for split, leaks in (("infant", ""), ("snippet", LEAKS)):
        scores = read_snippet_scores(
            results / split / "both" / "overlap-60" / "cnn1d" / "scores.h5"
        )
        assert scores.leaks == leaks
        assert scores.candidates == ("dense 8; filters 8", "dense 16; filters 8, 8")
        assert set(scores.internal.infant) == set(
            pd.read_csv(studied.folder / "results" / "folds.tsv", sep="\t")["infant"]
        )
        assert len(scores.external) > 0
        model = results / split / "both" / "overlap-60" / "cnn1d" / "fold-1" / "candidate-1"
        description = json.loads((model / "model.json").read_text())
        assert description["split"] == split
        assert description["leaks"] == leaks


@pytest.mark.long
def test_a_second_run_does_nothing(studied: Workflow) -> None:
    assert studied.planned("kaur2025") == {}


@pytest.mark.long
def test_another_model_trains_itself_alone(studied: Workflow) -> None:
    try:
        studied.configure(
            kaur={
                **RUN,
                "models": {**STUDY["models"], "lstm": {"kind": "lstm", "options": NETWORK}},
            }
        )
        planned = studied.planned("kaur2025")
        assert all("model=lstm" in job for job in planned["train_study_model"])
        assert set(planned) == {
            "train_study_model",
            "score_snippets",
            "report_kaur2025",
            "kaur2025",
        }
    finally:
        studied.configure(kaur=RUN)


@pytest.mark.long
def test_another_number_of_resamples_writes_the_report_alone(studied: Workflow) -> None:
    studied.configure(kaur=RUN, evaluation={"bootstrap": 200})
    try:
        assert set(studied.planned("kaur2025")) == {"report_kaur2025", "kaur2025"}
    finally:
        studied.configure(kaur=RUN)


@pytest.mark.long
def test_a_grid_is_trained_and_chosen_from(tiny_copy: Workflow) -> None:
    options = {"feature_sets": ["coordinates_2d"], **NETWORK, "preset": "none"}
    models = {
        "net": {"kind": "cnn1d", "options": options, "grid": {"dense": [4, 8]}},
        "cnn1d": {"kind": "cnn1d"},
        "mam_clip": {"kind": "mam_clip"},
    }
    tiny_copy.configure(models=models)
    planned = tiny_copy.planned()
    assert len(planned["train_candidate"]) == 4
    assert planned["select_model"] == {"model=net, fold=1", "model=net, fold=2"}
    assert "train_model" not in planned, "models without a grid are trained already"
    # One infant is enough: the others' jobs are the same.
    infant = min((tiny_copy.folder / "results" / "predictions").glob("*.h5"))
    target = str(infant.relative_to(tiny_copy.folder))
    tiny_copy.run("--cores", "2", target)
    for fold in (1, 2):
        path = tiny_copy.folder / f"results/models/net/fold-{fold}/model.json"
        selection = json.loads(path.read_text())["selection"]
        assert selection["choices"] == ["dense 4", "dense 8"]
        assert selection["chosen"] in selection["choices"]
    said = read_infant(infant)
    assert said.models["net"].outcome.ok
    assert tiny_copy.planned(target) == {}
