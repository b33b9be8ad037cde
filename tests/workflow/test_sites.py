"""Leaving one site out, on the real Snakefile: the tiny phantoms are of two sites."""

from __future__ import annotations

import pandas as pd
import pytest

from fidgety.evaluation.predictions import read_infant
from fidgety.phantom.plan import plan_cohort
from fidgety.training.description import read_description
from tests.workflow.conftest import Workflow

MODELS = {
    "cnn1d": {"kind": "cnn1d", "options": {"window_s": 4.0, "blind_epochs": 2}},
    "mam_clip": {
        "kind": "mam_clip",
        "options": {
            "window_s": 2.4,
            "step_s": 1.2,
            "predict_step_s": 1.2,
            "width": 8,
            "heads": 2,
            "feed_forward": 16,
            "encoder_layers": 1,
            "pool_widths": [8],
            "blind_epochs": 2,
            "pretrain_epochs": 1,
            "min_steps": 1,
        },
    },
}
METRICS = "results/evaluation/metrics.tsv"


@pytest.fixture(scope="module")
def by_site(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a copy whose folds were by infant before, evaluated with folds by site."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("sites") / "copy")
    workflow.configure(folds={"by": "site"}, models=MODELS)
    workflow.run("--cores", "2", METRICS)
    return workflow


@pytest.mark.long
def test_an_infant_is_tested_by_the_model_that_never_saw_its_site(by_site: Workflow) -> None:
    results = by_site.folder / "results"
    folds = pd.read_csv(results / "folds.tsv", sep="\t")
    assert folds.columns.tolist() == ["infant", "label", "fold", "site"]
    assert set(zip(folds["fold"], folds["site"], strict=True)) == {
        (1, "phantom-a"),
        (2, "phantom-b"),
    }
    site = folds.set_index("infant")["site"]
    clips = {s.infant: s.site for s in plan_cohort("tiny", seed=20230904) if s.role == "reference"}
    assert "phantom-a" in clips.values()
    for name in MODELS:
        for fold, place in ((1, "phantom-a"), (2, "phantom-b")):
            said = read_description(results / f"models/{name}/fold-{fold}/model.json")
            assert said["training_infants"]
            assert place not in {site[i] for i in said["training_infants"]}
            assert place not in {clips[i] for i in said["reference_infants"]}
    answers = dict.fromkeys(MODELS, 0)
    for row in folds.itertuples():
        for name, said in read_infant(results / f"predictions/{row.infant}.h5").models.items():
            if said.outcome.ok:
                assert said.folds == (row.fold,)
                answers[name] += 1
    assert min(answers.values()) >= 5
    table = pd.read_csv(by_site.folder / METRICS, sep="\t")
    area = table[(table["metric"] == "auc") & (table["set"] == "development")]
    pooled = area.set_index("model")["n"]
    assert {name: pooled[name] for name in MODELS} == answers, "scores of all sites are pooled"


@pytest.mark.long
def test_it_is_made_once(by_site: Workflow) -> None:
    assert by_site.planned(METRICS) == {}


@pytest.mark.slow
def test_the_number_of_folds_is_known_before_any_job(tiny_copy: Workflow) -> None:
    tiny_copy.configure(folds={"by": "site"}, models=MODELS)
    planned = tiny_copy.planned(METRICS)
    assert len(planned["train_model"]) == 2 * len(MODELS)
    assert {"collect_training", "assign_folds"} <= set(planned)
    assert not {"clean_pose", "build_features"} & set(planned)
    tiny_copy.configure(folds={"by": "site", "n": 3}, models=MODELS)
    refused = tiny_copy.run("--dry-run", "--cores", "2", ok=False)
    assert refused.returncode
    said = refused.stdout + refused.stderr
    assert "folds.n: 3, but with folds.by: site there is a fold for each of the 2 sites" in said
    assert "Traceback" not in said
