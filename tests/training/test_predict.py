"""Scripts, fold models, predictions: from features files to an infant's file."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from fidgety.config.evaluation import EvaluationConfig
from fidgety.datasets.folds import write_folds
from fidgety.datasets.series import Standardisation, load_series
from fidgety.errors import ConfigError, NotAssessable, Outcome, Reason, StorageError
from fidgety.files import read_json, write_json
from fidgety.models.base import set_weights
from fidgety.pose.tracks import Pose, write_pose
from fidgety.storage import Provenance, read_outcome, write_not_assessable
from fidgety.training.fold_model import load_fold_model
from fidgety.training.model_list import read_model_list, write_model_list
from fidgety.training.predict import choose_models, informed, predict_infant
from fidgety.training.results import (
    ModelPrediction,
    read_predictions,
    read_whom,
    write_predictions,
)
from fidgety.training.score import InstancePool, score_infant
from fidgety.training.thresholds import choose_threshold
from tests.training.conftest import KINDS, SMALL
from tests.training.synthetic import write_recording
from workflow_scripts import predict_infant as predict_script
from workflow_scripts import train_model as train_script
from workflow_scripts.stage import Job

CLASSES = [{"name": "normal", "at_risk": False}, {"name": "risk", "at_risk": True}]


def write_clean(path, duration_s):
    """Write a clean pose of some length, whose positions nobody reads; return its path."""
    n = round(duration_s * 25)
    pose = Pose(np.zeros((n, 2, 1)), np.ones((n, 1)), np.arange(n) / 25, ("nose",), 25.0)
    write_pose(path, pose, Provenance())
    return str(path)


class Names(SimpleNamespace):
    """Snakemake's named lists: by attribute, and ``get``."""

    def get(self, name, default=None):
        return getattr(self, name, default)


def train_job(cohort, folder, kind, fold):
    out = folder / "models" / kind / f"fold-{fold}"
    for name in ("development", "reference"):
        getattr(cohort, name).to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    write_folds(folder / "folds.tsv", cohort.entries)
    return Job(
        Names(
            folds=str(folder / "folds.tsv"),
            cohort=str(folder / "development.tsv"),
            reference=str(folder / "reference.tsv"),
            features=[str(p) for p in cohort.features.values()],
        ),
        Names(
            weights=str(out / "weights.safetensors"),
            model=str(out / "model.json"),
            history=str(out / "history.tsv"),
        ),
        Names(
            config={
                "model": {"kind": kind, "options": SMALL[kind]},
                "training": {"device": "cpu"},
                "folds": {"n": 2},
                "evaluation": {},
            },
            classes=CLASSES,
            intervals=cohort.intervals,
            seed=5,
            work=str(folder / "work" / kind / str(fold)),
            code="c0de",
        ),
        Names(model=kind, fold=str(fold)),
    )


@pytest.fixture(scope="module")
def models(larger, tmp_path_factory):
    """Every model, both folds, by the script."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    for kind in KINDS:
        for fold in (1, 2):
            train_script.main(train_job(larger, folder, kind, fold))
    return folder


def paths(models):
    return sorted(models.glob("models/*/fold-*/model.json"))


def test_the_script_writes_a_fold_model_and_leaves_no_work(models, larger):
    assert len(paths(models)) == 2 * len(KINDS)
    assert not list(models.glob("work/*/*"))
    for path in paths(models):
        assert sorted(p.name for p in path.parent.iterdir()) == [
            "history.tsv",
            "model.json",
            "weights.safetensors",
        ]
        said = read_json(path)
        assert said["schema"] == "model/1"
        assert said["provenance"]["code"] == "c0de"
        assert not set(said["training_infants"]) & set(larger.tested(said["fold"]))
        fold_model = load_fold_model(path)
        assert fold_model.threshold == said["threshold"]["value"]
        # The validation scores are those of the weights as they were written.
        for entry in said["validation"]:
            recording = entry["infant"].removeprefix("i-")
            series = load_series(
                larger.features[recording], fold_model.spec, recording=recording, infant="x"
            )
            (told,) = informed(fold_model, [series], {})
            scores = score_infant(
                fold_model.network,
                fold_model.system,
                fold_model.spec,
                [fold_model.standardisation.apply_to(told)],
                "infant",
            )
            assert scores.infant_probability[1] == pytest.approx(entry["score"], abs=1e-6)


def test_the_same_job_gives_the_same_bytes(models, larger, tmp_path):
    job = train_job(larger, tmp_path, "cnn1d", 1)
    train_script.main(job)
    for name in ("weights.safetensors", "model.json", "history.tsv"):
        again = tmp_path / "models/cnn1d/fold-1" / name
        assert again.read_bytes() == (models / "models/cnn1d/fold-1" / name).read_bytes()


def test_work_of_other_inputs_is_thrown_away(larger, tmp_path):
    job = train_job(larger, tmp_path, "cnn1d", 1)
    first = job.work_folder(train_script.decisive_parts(job))
    assert job.work_folder(train_script.decisive_parts(job)) == first
    (first / "train").mkdir(parents=True)
    job.params.seed = 6
    assert job.work_folder(train_script.decisive_parts(job)) != first
    assert not first.exists()


def test_the_script_computes_where_its_rule_says(larger, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    job = train_job(larger, tmp_path, "cnn1d", 1)
    before = train_script.decisive_parts(job)
    job.params.device = "gpu"
    # What was begun elsewhere goes on: the device decides no result.
    assert train_script.decisive_parts(job) == before
    with pytest.raises(ConfigError, match="torch finds none"):
        train_script.main(job)


def test_damaged_weights_are_refused(models, tmp_path):
    source = paths(models)[0].parent
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = bytearray((tmp_path / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "weights.safetensors").write_bytes(weights)
    with pytest.raises(StorageError, match="checksum"):
        load_fold_model(tmp_path / "model.json")
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        load_fold_model(tmp_path / "model.json")
    write_json(tmp_path / "model.json", {"schema": "model/0"})
    with pytest.raises(StorageError, match="model/1"):
        load_fold_model(tmp_path / "model.json")
    with pytest.raises(ValueError, match="another network"):
        set_weights(torch.nn.Linear(2, 2), {"weight": torch.zeros(2, 2)})


def listed(models, folder: Path) -> str:
    """Return the list of all fold models."""
    path = folder / "models.tsv"
    write_model_list(path, paths(models))
    return str(path)


def test_infants_are_assessed_with_the_models_that_are_listed(models, tmp_path):
    path = Path(listed(models, tmp_path))
    assert read_model_list(path) == sorted(paths(models))
    described = pd.read_csv(path, sep="\t")
    assert list(zip(described["model"], described["fold"], strict=True)) == sorted(
        (kind, fold) for kind in KINDS for fold in (1, 2)
    )
    path.write_text(path.read_text().replace(described["sha256"][1], "0" * 64))
    with pytest.raises(StorageError, match=r"is not the model .* run the workflow again"):
        read_model_list(path)
    path.write_text("model\tfold\n")
    with pytest.raises(StorageError, match="no list of models"):
        read_model_list(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_model_list(tmp_path / "absent.tsv")


def test_a_development_infant_meets_only_the_model_that_never_saw_it(models, larger):
    infant = larger.tested(2)[0]
    chosen = choose_models(infant, larger.entries, paths(models))
    assert {m: [p.parent.name for p in ps] for m, ps in chosen.items()} == {
        k: ["fold-2"] for k in KINDS
    }
    recordings = {infant[2:]: larger.features[infant[2:]]}
    said = predict_infant(infant, recordings, larger.entries, paths(models))
    assert {m: p.folds for m, p in said.items()} == dict.fromkeys(KINDS, (2,))
    only = [p for p in paths(models) if p.parent.name == "fold-1"]
    with pytest.raises(StorageError, match="no fold 2"):
        choose_models(infant, larger.entries, only)
    # An infant that had a part in training and is not in the folds is not assessed by stealth.
    with pytest.raises(ConfigError, match="had a part in training"):
        predict_infant(infant, recordings, [], paths(models))


def test_a_new_infant_meets_all_and_comes_back_from_its_file(models, larger, tmp_path):
    for k, fps in ((0, 25.0), (1, 30.0)):
        write_recording(tmp_path / f"new-{k}.h5", True, 8.0, fps, seed=500 + k)
    job = Job(
        Names(
            features=[str(tmp_path / f"new-{k}.h5") for k in (0, 1)],
            models=listed(models, tmp_path),
            clean=[write_clean(tmp_path / f"clean-{k}.h5", 8.0) for k in (0, 1)],
            folds=str(models / "folds.tsv"),
        ),
        Names(predictions=str(tmp_path / "new.h5")),
        Names(infant="new", recordings=["new-0", "new-1"], role="new", config={}, inclusion={}),
        Names(infant="new"),
    )
    predict_script.main(job)
    assert read_whom(job.output.predictions) == ("new", "new")
    assert read_outcome(job.output.predictions).ok
    found = read_predictions(job.output.predictions)
    assert set(found) == set(KINDS)
    for kind, said in found.items():
        assert said.folds == (1, 2)
        n = len(said.start_s)
        assert said.probability.shape == (2, n, 2)
        np.testing.assert_allclose(said.probability.sum(axis=2), 1, atol=1e-6)
        np.testing.assert_allclose(said.infant_probability.sum(axis=1), 1, atol=1e-6)
        assert said.sources == ("new-0", "new-1")
        assert set(said.recording) == {"new-0", "new-1"}
        length = SMALL[kind]["window_s"]
        np.testing.assert_allclose(said.stop_s - said.start_s, length)
        first = said.start_s[np.array(said.recording) == "new-0"]
        np.testing.assert_allclose(first, np.arange(len(first)) * SMALL[kind]["predict_step_s"])
        assert said.risk_probability == pytest.approx(said.infant_probability[:, 1].mean())
        assert said.positive == (said.risk_probability >= said.threshold.mean())
    cnn, mam = found["cnn1d"], found["mam_clip"]
    np.testing.assert_allclose(cnn.infant_probability, cnn.probability.mean(axis=1))
    assert cnn.attention is None
    assert np.isnan(cnn.fms_frequency)
    np.testing.assert_allclose(mam.attention.sum(axis=1), 1, atol=1e-6)
    pooled = (mam.attention[..., None] * mam.probability).sum(axis=1)
    np.testing.assert_allclose(mam.infant_probability, pooled, atol=1e-5)
    assert mam.fms_frequency == (mam.probability[:, :, 0].mean(axis=0) > 0.5).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_early_is_what_a_shorter_recording_gives(models, tmp_path, kind):
    """The infant's probability at an instance's end: that of a series which ends there."""
    fold_model = load_fold_model(models / f"models/{kind}/fold-1/model.json")
    series = []
    for k, duration in ((0, 8.0), (1, 5.0)):
        write_recording(tmp_path / f"{k}.h5", k == 0, duration, seed=700 + k)
        loaded = load_series(tmp_path / f"{k}.h5", fold_model.spec, recording=str(k), infant="x")
        (told,) = informed(fold_model, [loaded], {})
        series.append(fold_model.standardisation.apply_to(told))
    pool = InstancePool(fold_model.system.pool(fold_model.options), fold_model.at_risk)
    arguments = (fold_model.network, fold_model.system, fold_model.spec)
    whole = score_infant(*arguments, series, "infant", pool, early=True)
    n = len(whole.start_s)
    assert whole.early.shape == (n, 2)
    np.testing.assert_allclose(whole.early[-1], whole.infant_probability, atol=1e-6)
    first = [k for k in range(n) if whole.recording[k] == "0"]
    np.testing.assert_allclose(whole.seen_s[first], whole.stop_s[first])
    length = series[0].second(len(series[0].values))
    assert length == pytest.approx(8.0, abs=0.1)
    np.testing.assert_allclose(whole.seen_s[len(first) :], length + whole.stop_s[len(first) :])
    assert (np.diff(whole.seen_s) > 0).all()
    for k in (0, len(first) - 1, len(first), n - 1):
        which = int(whole.recording[k])
        frames = round((whole.stop_s[k] - series[which].start_s) * fold_model.spec.rate_hz)
        last = series[which]
        cut = replace(last, values=last.values[:frames])
        alone = score_infant(*arguments, [*series[:which], cut], "infant", pool)
        np.testing.assert_allclose(alone.infant_probability, whole.early[k], atol=1e-5)


def test_what_is_said_early_comes_back_from_the_file(models, tmp_path):
    write_recording(tmp_path / "a.h5", True, 8.0, seed=800)
    said = predict_infant("new", {"a": tmp_path / "a.h5"}, [], paths(models))
    out = tmp_path / "p.h5"
    write_predictions(out, said, infant="new", role="new", provenance=Provenance("new"))
    back = read_predictions(out)
    for name, one in said.items():
        assert one.early_probability.shape == one.probability.shape
        np.testing.assert_allclose(one.early_probability[:, -1], one.infant_probability, atol=1e-6)
        np.testing.assert_array_equal(back[name].early_probability, one.early_probability)
        np.testing.assert_array_equal(back[name].seen_s, one.seen_s)
        assert back[name].class_score is None


def test_the_criterion_of_duration_leaves_recordings_out(models, tmp_path):
    for k in (0, 1):
        write_recording(tmp_path / f"new-{k}.h5", True, 8.0, seed=500 + k)
    job = Job(
        Names(
            features=[str(tmp_path / f"new-{k}.h5") for k in (0, 1)],
            models=listed(models, tmp_path),
            clean=[write_clean(tmp_path / f"clean-{k}.h5", s) for k, s in ((0, 8.0), (1, 20.0))],
            folds=str(models / "folds.tsv"),
        ),
        Names(predictions=str(tmp_path / "new.h5")),
        Names(
            infant="new",
            recordings=["new-0", "new-1"],
            role="new",
            config={},
            inclusion={"min_duration_s": 10.0},
        ),
        Names(infant="new"),
    )
    predict_script.main(job)
    for said in read_predictions(job.output.predictions).values():
        assert said.sources == ("new-1",)
    job.params.inclusion["min_duration_s"] = 60.0
    predict_script.main(job)
    assert read_outcome(job.output.predictions).reason is Reason.EXCLUDED


def test_recordings_at_different_ages_can_be_kept_apart(models, tmp_path):
    series = []
    fold_model = load_fold_model(models / "models/mam_clip/fold-1/model.json")
    for k, duration in ((0, 8.0), (1, 5.0)):
        write_recording(tmp_path / f"{k}.h5", k == 0, duration, seed=600 + k)
        loaded = load_series(tmp_path / f"{k}.h5", fold_model.spec, recording=str(k), infant="x")
        series.append(fold_model.standardisation.apply_to(loaded))
    arguments = (fold_model.network, fold_model.system, fold_model.spec)
    alone = [score_infant(*arguments, [s], "infant") for s in series]
    apart = score_infant(*arguments, series, "recording")
    wanted = np.mean([s.infant_probability for s in alone], axis=0)
    np.testing.assert_allclose(apart.infant_probability, wanted, atol=1e-6)
    np.testing.assert_allclose(
        apart.attention, np.concatenate([s.attention for s in alone]), atol=1e-6
    )
    early = score_infant(*arguments, series, "recording", early=True)
    first = score_infant(*arguments, series[:1], "recording", early=True)
    n = len(first.start_s)
    # The second recording's share of the mean grows with its first instance, not before.
    np.testing.assert_allclose(early.early[:n], first.early, atol=1e-6)
    np.testing.assert_allclose(early.early[n - 1], alone[0].infant_probability, atol=1e-6)
    np.testing.assert_allclose(early.early[-1], wanted, atol=1e-6)
    together = score_infant(*arguments, series, "infant")
    np.testing.assert_allclose(together.probability, apart.probability)
    assert together.attention.sum() == pytest.approx(1)


def test_reasons_stand_by_model_and_for_the_whole(models, larger, tmp_path):
    """Too short for both models' windows; then no 3D, which only one model needs."""
    write_recording(tmp_path / "short.h5", duration_s=1.0)
    said = predict_infant("new", {"short": tmp_path / "short.h5"}, [], paths(models))
    assert {p.outcome.reason for p in said.values()} == {Reason.NO_COMPLETE_WINDOW}
    assert "1.0 s" in said["cnn1d"].outcome.detail
    out = tmp_path / "p.h5"
    write_predictions(out, said, infant="new", role="new", provenance=Provenance("new"))
    assert read_outcome(out).reason is Reason.NO_COMPLETE_WINDOW
    assert {m: p.outcome for m, p in read_predictions(out).items()} == {
        m: p.outcome for m, p in said.items()
    }

    def no_3d(values):
        values["coordinates_3d"][:] = np.nan

    write_recording(tmp_path / "flat.h5", duration_s=8.0, change=no_3d)
    said = predict_infant("new", {"flat": tmp_path / "flat.h5"}, [], paths(models))
    assert said["cnn1d"].outcome.ok
    assert not said["mam_clip"].outcome.ok
    write_predictions(out, said, infant="new", role="new", provenance=Provenance("new"))
    assert read_outcome(out).ok

    error = NotAssessable(Reason.NO_BODY, "nobody")
    write_not_assessable(
        tmp_path / "none.h5", error, schema="features/1", provenance=Provenance("none")
    )
    both = {"none": tmp_path / "none.h5", "flat": tmp_path / "flat.h5"}
    assert predict_infant("new", both, [], paths(models))["cnn1d"].sources == ("flat",)
    said = predict_infant("new", {"none": tmp_path / "none.h5"}, [], paths(models))
    assert {p.outcome for p in said.values()} == {Outcome.of(error)}


def prediction(risk, threshold=0.5, **more):
    risk = np.asarray(risk, dtype=float)[None]
    return ModelPrediction(
        outcome=Outcome(),
        kind="cnn1d",
        classes=("normal", "risk"),
        at_risk=(False, True),
        folds=(1,),
        probability=np.stack([1 - risk, risk], axis=-1),
        infant_probability=np.array([[1 - risk.mean(), risk.mean()]]),
        threshold=np.array([threshold]),
        **more,
    )


def test_kaurs_rule_needs_more_than_sixty_per_cent_normal():
    assert prediction([0.1] * 6 + [0.9] * 4).kaur_positive  # 60 % are not more than 60 %
    assert not prediction([0.1] * 7 + [0.9] * 4).kaur_positive
    np.testing.assert_allclose(prediction([0.1, 0.9, 0.8, 0.5]).share_at_risk, [0.5])


def test_frequency_of_fidgety_movements():
    assert prediction([0.1, 0.2, 0.9, 0.5], detects_fidgety=True).fms_frequency == 0.5
    assert np.isnan(prediction([0.1]).fms_frequency)


def test_thresholds_on_validation_infants():
    youden, aim = EvaluationConfig(), EvaluationConfig(threshold="sensitivity")
    separated = choose_threshold([0.1, 0.2, 0.7, 0.9], [False, False, True, True], youden)
    assert separated.value == pytest.approx(0.45)
    # 0.4 is a false alarm that the best threshold accepts, 0.3 (risk) is missed by none.
    mixed = choose_threshold([0.1, 0.2, 0.3, 0.4, 0.5], [False, False, True, False, True], youden)
    assert mixed.value == pytest.approx(0.25)
    scores, labels = [0.1, 0.3, 0.35, 0.6, 0.8], [False, True, False, True, True]
    assert choose_threshold(scores, labels, aim).value == pytest.approx(0.2)
    assert choose_threshold(scores, labels, EvaluationConfig(threshold=0.3)).rule == "fixed"
    wrong = choose_threshold([0.9, 0.1], [False, True], youden)
    assert (wrong.value, wrong.rule) == (0.5, "default")
    assert choose_threshold([], [], youden).rule == "default"
    assert choose_threshold([0.3], [True], aim).value == 0.5


def test_half_a_recording_is_scaled_as_the_whole():
    """Prediction uses the fold model's numbers: nothing is fitted on who is assessed."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 4)).astype(np.float32)
    scaling = Standardisation(np.arange(4.0), np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(scaling.apply(values)[:50], scaling.apply(values[:50]))


def test_model_json_has_no_nan(models):
    for path in paths(models):
        json.loads(path.read_text(), parse_constant=lambda c: pytest.fail(c))


def test_features_that_a_model_misses_are_named(models, tmp_path):
    """A recording without wrists is left out; the infant's other one is assessed."""
    write_recording(tmp_path / "poor.h5", duration_s=8.0, left_out=("wrist",))
    write_recording(tmp_path / "whole.h5", duration_s=8.0)
    poor = predict_infant("new", {"poor": tmp_path / "poor.h5"}, [], paths(models))
    assert poor["svm"].outcome.reason is Reason.FEATURE_UNAVAILABLE
    assert "angles_2d/left_wrist, angles_2d/right_wrist" in poor["svm"].outcome.detail
    assert poor["mam_clip"].outcome.ok  # it reads no angles
    both = {name: tmp_path / f"{name}.h5" for name in ("poor", "whole")}
    assert predict_infant("new", both, [], paths(models))["svm"].sources == ("whole",)


def test_other_units_are_refused_unless_accepted(models, tmp_path):
    path = tmp_path / "new.h5"
    write_recording(path, True, 8.0, seed=700)
    with h5py.File(path, "a") as file:
        for name in file:
            if "units" in file[name].attrs:
                file[name].attrs["units"] = "zscore"
    refused = predict_infant("new", {"new": path}, [], paths(models))
    for said in refused.values():
        assert said.outcome.reason is Reason.UNITS_MISMATCH
        assert "zscore" in said.outcome.detail
    accepted = predict_infant("new", {"new": path}, [], paths(models), other_units="accept")
    assert all(said.outcome.ok for said in accepted.values())
