from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fidgety.errors import NotAssessable, Outcome, Reason, StorageError
from fidgety.evaluation.baseline import direction, infant_speeds
from fidgety.evaluation.predictions import read_infant
from fidgety.evaluation.records import Infant, infants, read_cohorts
from fidgety.evaluation.tables import majority_table
from fidgety.features.speed import mean_speed, mean_speeds
from fidgety.features.store import Features, FeatureSet, coordinate_names, flatten
from fidgety.report.index import metric_sets
from tests.evaluation.synthetic import (
    EVALUATION_FILES,
    Bag,
    cohort_row,
    model_group,
    not_assessable,
    snakemake,
    write_cohort,
    write_infant,
)
from workflow_scripts.evaluate import main
from workflow_scripts.stage import Job

SHORT = NotAssessable(Reason.VIDEO_TOO_SHORT, "2.0 s, at least 5 s are needed")


def p(risk: float) -> list[float]:
    return [1 - risk, risk]


def evaluate(
    folder: Path,
    predictions: list[Path],
    cohort: list[Path],
    *,
    classes: tuple[tuple[str, bool], ...] = (("normal", False), ("risk", True)),
    models: tuple[str, ...] = ("a",),
    speeds: dict[str, float] | None = None,
) -> dict[str, pd.DataFrame]:
    """Run the script; return its tables."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    for path in cohort if speeds else []:
        table = pd.read_csv(path, sep="\t")
        table.assign(speed_2d=table["recording"].map(speeds)).to_csv(path, sep="\t", index=False)
    stand_in = snakemake(
        input={"predictions": predictions, "cohort": cohort},
        output={k: str(out / v) for k, v in EVALUATION_FILES.items()},
        params={
            "config": {"bootstrap": 200},
            "classes": [{"name": n, "at_risk": r} for n, r in classes],
            "models": models,
        },
    )
    main(Job(stand_in.input, stand_in.output, stand_in.params, Bag()))
    return {
        name: pd.read_csv(out / EVALUATION_FILES[name], sep="\t", keep_default_na=False)
        for name in ("metrics", "infants", "roc", "calibration")
    }


def study(folder: Path, risks: dict[str, dict[str, list[float]]]) -> tuple[list[Path], list[Path]]:
    """Write infants: role -> label -> risks. Development infants have one fold model."""
    files, rows = [], []
    for role, by_label in risks.items():
        for label, values in by_label.items():
            for k, risk in enumerate(values):
                infant = f"{role}-{label}-{k}"
                fold = [k % 3 + 1] if role == "development" else [1, 2, 3]
                group = model_group([p(risk)] * len(fold), folds=fold)
                files.append(write_infant(folder, infant, role, {"a": group}))
                rows.append(cohort_row(f"{infant}-r", infant, role, label))
    return files, write_cohort(folder / "cohort", rows)


def figure(table: pd.DataFrame, role: str, metric: str, model: str = "a") -> pd.Series:
    """One row of the metrics table."""
    rows = table[(table["set"] == role) & (table["metric"] == metric) & (table["model"] == model)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_figures_by_hand(tmp_path: Path) -> None:
    risks = {
        "development": {"normal": [0.1, 0.2, 0.6], "risk": [0.4, 0.7, 0.9]},
        "external": {"normal": [0.3, 0.55], "risk": [0.8, 0.9, 0.2, 0.6]},
    }
    tables = evaluate(tmp_path, *study(tmp_path, risks))
    metrics = tables["metrics"]
    for role, groups in risks.items():
        u = stats.mannwhitneyu(groups["risk"], groups["normal"]).statistic
        area = u / (len(groups["risk"]) * len(groups["normal"]))
        row = figure(metrics, role, "auc")
        assert float(row["value"]) == pytest.approx(area, abs=1e-5)
        assert float(row["low"]) < area <= float(row["high"])
        assert int(row["n"]) == sum(map(len, groups.values()))
    external = {
        "sensitivity": (3 / 4, 4),
        "specificity": (1 / 2, 2),
        "ppv": (3 / 4, 4),
        "npv": (1 / 2, 2),
        "accuracy": (4 / 6, 6),
    }
    for metric, (value, n) in external.items():
        row = figure(metrics, "external", metric)
        assert float(row["value"]) == pytest.approx(value, abs=1e-5)
        assert int(row["n"]) == n
        assert int(row["folds"]) == 3
        assert float(row["fold_mean"]) == pytest.approx(value, abs=1e-5)
        assert float(row["fold_sd"]) == 0
    bins = tables["calibration"]
    assert bins[bins["set"] == "external"]["n"].sum() == 6


def test_fold_models_are_pooled_by_their_mean(tmp_path: Path) -> None:
    groups = {"a": model_group([p(0.2), p(0.8), p(0.8)], [0.5, 0.9, 0.3], folds=[1, 2, 3])}
    files = [write_infant(tmp_path, "x", "external", groups)]
    cohort = write_cohort(tmp_path / "cohort", [cohort_row("x-r", "x", "external", "risk")])
    row = evaluate(tmp_path, files, cohort)["infants"].iloc[0]
    assert float(row["probability"]) == pytest.approx(0.6)
    assert (float(row["low"]), float(row["high"])) == (0.2, 0.8)
    assert float(row["threshold"]) == pytest.approx(1.7 / 3, abs=1e-5)
    assert row["decision"] == "at risk"
    assert (int(row["votes"]), int(row["folds"])) == (1, 3)


def test_nobody_is_dropped_and_new_labels_are_not_read(tmp_path: Path) -> None:
    ok = {"a": model_group([p(0.7)], folds=[1])}
    gap = NotAssessable(Reason.NO_COMPLETE_WINDOW, "longest run 3.0 s")
    part = {"a": model_group([], error=gap)}
    files = [
        write_infant(tmp_path, "d1", "development", ok),
        write_infant(tmp_path, "d2", "development", error=SHORT),
        write_infant(tmp_path, "d3", "development", part),
        write_infant(tmp_path, "n1", "new", ok),
    ]
    rows = [
        cohort_row("d1-r", "d1", "development", "risk"),
        cohort_row("d2-r", "d2", "development", "risk", **not_assessable(SHORT.reason)),
        cohort_row("d3-r", "d3", "development", "normal"),
        cohort_row("d4-r", "d4", "development", "normal", **not_assessable(Reason.EXCLUDED, "9 w")),
        cohort_row("n1-r", "n1", "new", "risk"),
        cohort_row("f1-r", "f1", "reference", "normal"),
    ]
    tables = evaluate(tmp_path, files, write_cohort(tmp_path / "cohort", rows))
    found = tables["infants"].set_index("infant")
    assert list(found.index) == ["d1", "d2", "d3", "d4", "n1"]
    assert found.loc["d2", "reason"] == "video_too_short"
    assert found.loc["d3", "reason"] == "no_complete_window"
    assert found.loc["d4", "reason_detail"] == "9 w"
    assert found.loc["n1", "label"] == ""
    assert found.loc["n1", "decision"] == "at risk"
    assert set(tables["metrics"]["set"]) == {"development"}
    assert figure(tables["metrics"], "development", "auc")["value"] == ""
    assert int(figure(tables["metrics"], "development", "sensitivity")["n"]) == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["schema"] == "evaluation/1"
    assert summary["phantoms"] is True
    development = next(r for r in summary["infants"] if r["role"] == "development")
    assert development["infants"] == 4
    assert development["with_result"] == 1
    assert development["not_assessable"] == ["d2", "d3", "d4"]
    reasons = {"video_too_short": 1, "no_complete_window": 1, "excluded": 1}
    assert development["without_result"] == reasons


@pytest.mark.parametrize("per_class", [0, 1, 2])
def test_tiny_groups_do_not_crash(tmp_path: Path, per_class: int) -> None:
    risks = {"development": {"normal": [0.2, 0.3][:per_class], "risk": [0.6, 0.9]}}
    metrics = evaluate(tmp_path, *study(tmp_path, risks))["metrics"]
    row = figure(metrics, "development", "auc")
    if per_class == 0:
        assert row["value"] == row["low"] == ""
    else:
        assert float(row["value"]) == 1
        assert float(row["low"]) < 0.6
    assert figure(metrics, "development", "calibration_slope")["value"] == ""


def test_no_infant_at_all(tmp_path: Path) -> None:
    (tmp_path / "development.tsv").write_text("")
    tables = evaluate(tmp_path, [], [tmp_path / "development.tsv"])
    assert all(table.empty for table in tables.values())
    assert "No set has" in (tmp_path / "out" / "roc.svg").read_text()


def test_three_classes(tmp_path: Path) -> None:
    classes = (("fm", False), ("wm", True), ("pr", True))
    names = [c for c, _ in classes]
    truth = {"i0": "fm", "i1": "wm", "i2": "pr", "i3": "fm"}
    given = {
        "i0": [0.6, 0.2, 0.2],
        "i1": [0.4, 0.3, 0.3],  # called fm among classes, yet at risk: 0.6 >= 0.5
        "i2": [0.1, 0.1, 0.8],
        "i3": [0.7, 0.2, 0.1],
    }
    files = [
        write_infant(
            tmp_path,
            i,
            "external",
            {"a": model_group([v], classes=names, at_risk=[r for _, r in classes])},
        )
        for i, v in given.items()
    ]
    rows = [cohort_row(f"{i}-r", i, "external", label) for i, label in truth.items()]
    metrics = evaluate(tmp_path, files, write_cohort(tmp_path / "cohort", rows), classes=classes)[
        "metrics"
    ]
    assert float(figure(metrics, "external", "sensitivity")["value"]) == 1
    assert float(figure(metrics, "external", "auc")["value"]) == 1
    assert float(figure(metrics, "external", "class_accuracy")["value"]) == 0.75
    assert float(figure(metrics, "external", "recall_fm")["value"]) == 1
    assert float(figure(metrics, "external", "precision_fm")["value"]) == pytest.approx(2 / 3)
    assert float(figure(metrics, "external", "macro_recall")["value"]) == pytest.approx(2 / 3)
    (shown,) = [s for s in metric_sets(metrics.to_dict("records")) if s["by_class"]]
    assert [(r["model"], r["name"]) for r in shown["by_class"]] == [("a", n) for n in names]
    assert {m["text"] for m in shown["metrics"]} >= {"Macro F1", "Matthews' correlation"}


def test_same_in_same_out(tmp_path: Path) -> None:
    risks = {
        "development": {"normal": [0.1, 0.2, 0.6], "risk": [0.4, 0.7, 0.9]},
        "external": {"normal": [0.3, 0.55], "risk": [0.8, 0.9, 0.2]},
    }
    files, cohort = study(tmp_path, risks)
    evaluate(tmp_path, files, cohort)
    first = {n: (tmp_path / "out" / n).read_bytes() for n in EVALUATION_FILES.values()}
    evaluate(tmp_path, files[::-1], cohort[::-1])
    assert first == {n: (tmp_path / "out" / n).read_bytes() for n in EVALUATION_FILES.values()}
    assert b"<dc:date>" not in first["roc.svg"]


def test_missing_and_surplus_predictions_are_told(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "cohort", [cohort_row("x-r", "x", "external", "risk")])
    with pytest.raises(StorageError, match="has no prediction of a"):
        evaluate(tmp_path, [], cohort)
    files = [write_infant(tmp_path, "y", "external", {"a": model_group([p(0.1)], folds=[1])})]
    with pytest.raises(StorageError, match="no cohort has: y"):
        evaluate(tmp_path, files, cohort)


def test_an_infants_role_and_outcome(tmp_path: Path) -> None:
    rows = [
        cohort_row("r1", "x", "reference", "normal"),
        cohort_row("r2", "x", "development", "risk", **not_assessable(Reason.NO_BODY)),
        cohort_row("r3", "x", "development", "risk", cohort="hospital"),
    ]
    found = infants(read_cohorts(write_cohort(tmp_path, rows)))
    assert len(found) == 1
    assert (found[0].role, found[0].recordings) == ("development", ("r2", "r3"))
    assert found[0].outcome.ok


def test_read_infant_gives_back_what_was_written(tmp_path: Path) -> None:
    group = model_group([p(0.25), p(0.5)], [0.4, 0.6], folds=[2, 5], n_instances=3, attention=True)
    found = read_infant(write_infant(tmp_path, "x", "new", {"m": group}))
    assert (found.infant, found.role) == ("x", "new")
    model = found.models["m"]
    assert model.folds == (2, 5)
    assert model.probability.shape == (2, 3, 2)
    assert model.attention is not None
    np.testing.assert_allclose(model.threshold, [0.4, 0.6])
    assert model.recording == ("r1",) * 3
    failed = read_infant(write_infant(tmp_path, "y", "new", error=SHORT))
    assert failed.outcome.reason is Reason.VIDEO_TOO_SHORT
    assert failed.models["a"].outcome == failed.outcome


def test_mean_speed_of_a_known_motion() -> None:
    time_s = np.arange(50) / 25
    wrist = np.stack([3 * time_s, 4 * time_s], axis=1)  # 5 a second
    ankle = np.ones((50, 2))  # 0 a second
    values = np.stack([wrist, ankle], axis=1)
    assert mean_speed(values, time_s) == pytest.approx(2.5)
    values[10:20] = np.nan
    assert mean_speed(values, time_s) == pytest.approx(2.5)
    assert np.isnan(mean_speed(np.full((50, 2, 2), np.nan), time_s))
    assert np.isnan(mean_speed(values[:1], time_s[:1]))


def test_speeds_of_a_recording_are_those_of_its_coordinates() -> None:
    """A wrist that moves at one speed; without coordinates, or with none that lasts, no speed."""
    time_s = np.arange(20) / 10

    def moving(space: int, speed: float) -> FeatureSet:
        position = np.zeros((20, space, 1))
        position[:, 0, 0] = speed * time_s
        names = coordinate_names(("left_wrist",), space)
        return FeatureSet(flatten(position), names, time_s, 10.0, "trunk")

    absent = {"coordinates_2d": Outcome.of(NotAssessable(Reason.FEATURE_UNAVAILABLE, "a 3D track"))}
    both = {"coordinates_2d": moving(2, 1.0), "coordinates_3d": moving(3, 2.0)}
    expected = {"speed_2d": pytest.approx(1.0), "speed_3d": pytest.approx(2.0)}
    assert mean_speeds(Features(10.0, both, {})) == expected
    assert mean_speeds(Features(10.0, {"coordinates_3d": moving(3, 4.0)}, absent)) == {
        "speed_3d": pytest.approx(4.0)
    }
    assert mean_speeds(Features(10.0, {"coordinates_2d": moving(2, np.nan)}, {})) == {}


def test_baseline_direction_comes_from_development(tmp_path: Path) -> None:
    risks = {
        "development": {"normal": [0.1, 0.2], "risk": [0.7, 0.9]},
        "external": {"normal": [0.1, 0.2], "risk": [0.7, 0.9]},
    }
    files, cohort = study(tmp_path, risks)
    # In development the ones at risk are slower, in the external set they are faster.
    speeds = {"development": {"normal": 2.0, "risk": 1.0}, "external": {"normal": 1.0, "risk": 3.0}}
    named = {
        f"{role}-{label}-{k}-r": speed + 0.1 * k
        for role, by_label in speeds.items()
        for label, speed in by_label.items()
        for k in range(2)
    }
    metrics = evaluate(tmp_path, files, cohort, speeds=named)["metrics"]
    assert float(figure(metrics, "development", "auc", "mean speed")["value"]) == 1
    assert float(figure(metrics, "external", "auc", "mean speed")["value"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["baseline"]["faster_means_risk"] is False
    assert summary["baseline"]["speed"]["external-risk-1"] == pytest.approx(3.1)


def test_the_majority_class_is_that_of_development(tmp_path: Path) -> None:
    """Three of five are normal in development, one of three outside: always "not at risk"."""
    risks = {
        "development": {"normal": [0.1, 0.2, 0.3], "risk": [0.7, 0.9]},
        "external": {"normal": [0.1], "risk": [0.7, 0.9]},
    }
    files, cohort = study(tmp_path, risks)
    metrics = evaluate(tmp_path, files, cohort)["metrics"]
    wanted = {
        ("development", "accuracy"): 3 / 5,
        ("development", "sensitivity"): 0.0,
        ("development", "specificity"): 1.0,
        ("external", "accuracy"): 1 / 3,
        ("external", "sensitivity"): 0.0,
        ("external", "specificity"): 1.0,
    }
    for (role, metric), value in wanted.items():
        found = figure(metrics, role, metric, "majority class")
        assert float(found["value"]) == pytest.approx(value)
        assert float(found["low"]) <= value <= float(found["high"])
    assert int(figure(metrics, "external", "accuracy", "majority class")["n"]) == 3


def test_the_majority_class_of_equal_sides_is_at_risk() -> None:
    def infant(name: str, label: str, role: str = "development") -> Infant:
        return Infant(name, role, label, (name,), False, Outcome())

    both = [infant("a", "normal"), infant("b", "risk"), infant("c", "risk", "new")]
    table = majority_table(both, {"normal": False, "risk": True}, 0.95)
    assert dict(zip(table["metric"], table["value"], strict=True)) == {
        "accuracy": 0.5,
        "sensitivity": 1.0,
        "specificity": 0.0,
    }
    assert majority_table([both[2]], {"normal": False, "risk": True}, 0.95).empty


def test_baseline_and_models_have_the_same_infants(tmp_path: Path) -> None:
    risks = {"development": {"normal": [0.1, 0.2, 0.3], "risk": [0.7, 0.9]}}
    files, _ = study(tmp_path, risks)
    gap = NotAssessable(Reason.NO_COMPLETE_WINDOW, "longest run 3.0 s")
    files.append(write_infant(tmp_path, "lost", "development", {"a": model_group([], error=gap)}))
    infant = "development-normal-0"
    labels = {"normal": 3, "risk": 2}
    rows = [
        cohort_row(f"development-{label}-{k}-r", f"development-{label}-{k}", "development", label)
        for label, n in labels.items()
        for k in range(n)
    ]
    rows.append(cohort_row("lost-r", "lost", "development", "risk"))
    out = not_assessable(Reason.EXCLUDED, "31 weeks")
    rows.append(cohort_row("late-r", infant, "development", "normal", **out))
    cohort = write_cohort(tmp_path / "cohort2", rows)
    speeds = {str(row["recording"]): 1.0 + 0.1 * k for k, row in enumerate(rows)}
    metrics = evaluate(tmp_path, files, cohort, speeds=speeds)["metrics"]
    assert int(figure(metrics, "development", "auc", "mean speed")["n"]) == 5
    assert int(figure(metrics, "development", "auc")["n"]) == 5
    baseline = json.loads((tmp_path / "out" / "summary.json").read_text())["baseline"]
    assert baseline["n"] == {"development": 5}
    assert "lost" not in baseline["speed"]
    # Its excluded recording, the fastest of all, has no part in it.
    assert baseline["speed"][infant] == pytest.approx(1.0)


def test_the_60_percent_rule_is_judged_for_instance_models_alone(tmp_path: Path) -> None:
    # Share of normal instances: 60 % is not more than 60 %, so that infant is at risk.
    shares = {"a": ("normal", 7), "b": ("normal", 6), "c": ("risk", 2), "d": ("risk", 8)}
    files, rows = [], []
    for infant, (label, normal) in shares.items():
        risk = np.array([0.2] * normal + [0.9] * (10 - normal))
        snippets = replace(
            model_group([p(0.5)], n_instances=10),
            probability=np.stack([1 - risk, risk], axis=1)[None],
        )
        bags = model_group([p(0.5)], n_instances=10, attention=True, kind="mam_clip")
        files.append(write_infant(tmp_path, infant, "external", {"a": snippets, "bag": bags}))
        rows.append(cohort_row(f"{infant}-r", infant, "external", label))
    cohort = write_cohort(tmp_path / "cohort", rows)
    metrics = evaluate(tmp_path, files, cohort, models=("a", "bag"))["metrics"]
    expected = {"accuracy": (2 / 4, 4), "sensitivity": (1 / 2, 2), "specificity": (1 / 2, 2)}
    for metric, (value, n) in expected.items():
        row = figure(metrics, "external", metric, "a, 60 % rule")
        assert float(row["value"]) == pytest.approx(value)
        assert int(row["n"]) == n
    assert set(metrics["model"]) == {"a", "a, 60 % rule", "bag"}


def test_direction_without_a_class_is_slower() -> None:
    assert direction([1, 1], [0.1, 0.2]) == -1
    assert direction([0, 1], [0.1, 0.2]) == 1


def test_baseline_uses_one_feature_set_for_all() -> None:
    nan = float("nan")
    rows = {
        "a1": (1.0, 2.0),
        "a2": (nan, 4.0),
        "b1": (nan, 6.0),
        "c1": (1.0, nan),
        "stranger": (9.0, nan),
    }
    cohort = pd.DataFrame(
        [(name, *speeds) for name, speeds in rows.items()],
        columns=["recording", "speed_2d", "speed_3d"],
    )
    owner = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}
    name, speed = infant_speeds(cohort[:3], owner)
    assert name == "coordinates_3d"
    assert speed == pytest.approx({"a": 3.0, "b": 6.0})
    name, speed = infant_speeds(cohort.iloc[[0, 3, 4]], owner)
    assert name == "coordinates_2d"
    assert speed == pytest.approx({"a": 1.0, "c": 1.0})
    assert infant_speeds(cohort, {}) == ("coordinates_2d", {})
