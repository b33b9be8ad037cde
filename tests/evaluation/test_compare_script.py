"""The script of `snakemake compare` from files as the stages before write them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fidgety.evaluation.cost import SPEED_COLUMNS
from fidgety.files import write_json
from tests.evaluation.synthetic import (
    cohort_row,
    model_group,
    snakemake,
    write_cohort,
    write_infant,
)
from workflow_scripts import compare_models as script
from workflow_scripts.stage import Job

MODELS = {"dull": 0.1, "keen": 0.35, "other": 0.2}
FOLDS = (1, 2)
TABLES = (*script.TABLES, "ranks")
PLOTS = ("plot", "reliability_plot", "ranks_plot")


def probability(rng: np.random.Generator, at_risk: bool, gain: float) -> list[float]:
    p = float(np.clip(0.5 + gain * (1 if at_risk else -1) + rng.normal(0, 0.15), 0.02, 0.98))
    return [1 - p, p]


def study(folder: Path) -> Job:
    """Twelve development and ten external infants, two folds, ten validation infants a fold."""
    rng = np.random.default_rng(0)
    rows, predictions = [], []
    for role, n in (("development", 12), ("external", 10)):
        for k in range(n):
            at_risk, name = bool(k % 2), f"{role}-{k}"
            rows.append(cohort_row(f"r-{name}", name, role, "risk" if at_risk else "normal"))
            folds = FOLDS if role == "external" else (1 + k // 2 % 2,)
            said = {
                m: model_group([probability(rng, at_risk, g) for _ in folds], folds=folds)
                for m, g in MODELS.items()
            }
            predictions.append(write_infant(folder, name, role, said))
    model_of = [(m, k) for m in MODELS for k in FOLDS]
    for model, k in model_of:
        aside = [
            {
                "infant": f"v{k}-{i}",
                "label": "risk" if i % 2 else "normal",
                "score": probability(rng, bool(i % 2), MODELS[model])[1],
            }
            for i in range(10)
        ]
        told = {"schema": "model/1", "model": model, "fold": k, "parameters": 100 * k}
        told["validation"] = aside
        write_json(folder / f"{model}-{k}.json", told)
    speed = [(m, "r1", 1.5, k, 0.3 * k, "") for m in MODELS for k in (1, 2, 3)]
    table = pd.DataFrame(speed, columns=list(SPEED_COLUMNS))
    table.to_csv(folder / "speed.tsv", sep="\t", index=False)
    benchmark = folder / "b.tsv"
    benchmark.write_text("s\th:m:s\n12.50\t0:00:12\n")
    paths = {n: str(folder / "out" / f"{n}.tsv") for n in TABLES}
    paths |= {n: str(folder / "out" / f"{n}.svg") for n in PLOTS}
    paths |= {"page": str(folder / "out" / "index.html"), "text": str(folder / "out" / "t.txt")}
    parts = snakemake(
        input={
            "cohort": [str(p) for p in write_cohort(folder / "cohort", rows)],
            "predictions": [str(p) for p in predictions],
            "described": [str(folder / f"{m}-{k}.json") for m, k in model_of],
            "speed": str(folder / "speed.tsv"),
        },
        output=paths,
        params={
            "config": {"bootstrap": 100, "prevalence": 0.2},
            "classes": [{"name": "normal", "at_risk": False}, {"name": "risk", "at_risk": True}],
            "models": list(MODELS),
            "model_of": model_of,
            "settings": dict.fromkeys(MODELS, 1),
            "benchmarks": {
                m: {k: [str(benchmark if m != "dull" else folder / "gone.tsv")] for k in FOLDS}
                for m in MODELS
            },
            "phantoms": True,
            "seed": 1,
        },
    )
    return Job(parts.input, parts.output, parts.params, parts.wildcards, terminal=io.StringIO())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Job:
    job = study(tmp_path_factory.mktemp("compared"))
    script.main(job)
    return job


def test_every_table_has_its_rows(done: Job) -> None:
    tables = {name: pd.read_csv(done.output[name], sep="\t") for name in TABLES}
    assert not [name for name, table in tables.items() if table.empty]
    areas = tables["figures"].query("metric == 'auc'").set_index(["set", "model"])["value"]
    named = [*MODELS, "(mean)", "(stacked)"]
    assert set(areas["development"].index) == set(areas["external"].index) == set(named)
    assert areas["external", "(stacked)"] >= areas["external", "dull"]
    assert set(tables["calibration"]["method"]) == {"raw", "platt", "isotonic"}
    folds = tables["weights"].groupby("set")["fold"].unique()
    assert (list(folds["development"]), list(folds["external"])) == ([1, 2], [0])
    cost = tables["cost"].set_index(["model", "measure"])
    assert cost.loc[("keen", "training_s"), "value"] == 12.5
    assert cost.loc[("dull", "training_s"), "n"] == 0
    assert cost.loc[("dull", "predicting_s_per_minute"), "value"] == pytest.approx(0.4)
    assert tables["ranks"]["mean_rank"].between(1, 3).all()
    for name in PLOTS:
        assert "<svg" in Path(done.output[name]).read_text()


def test_the_terminal_is_told_what_the_text_says(done: Job) -> None:
    told = done.terminal.getvalue()
    assert Path(done.output.text).read_text() in told
    assert "Same tuning budget" in told
    assert done.output.page in told


def test_the_same_files_give_the_same_bytes(done: Job, tmp_path: Path) -> None:
    again = study(tmp_path)
    script.main(again)
    for name in done.output:
        assert Path(done.output[name]).read_bytes() == Path(again.output[name]).read_bytes(), name
