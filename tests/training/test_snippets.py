"""The split by snippet in training, and what fold models say of single snippets."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fidgety.config.learning import ModelConfig, choice_text
from fidgety.datasets.series import Standardisation
from fidgety.datasets.snippet_split import LEAKS, SnippetSplit
from fidgety.errors import ConfigError, StorageError
from fidgety.models.base import weights_of
from fidgety.storage import Provenance
from fidgety.training import score_snippets as scoring
from fidgety.training.description import read_description, refusal
from fidgety.training.fold import one_loss, train_fold
from fidgety.training.fold_model import load_fold_model, write_fold_model, write_refused
from fidgety.training.gather import covered, gather
from fidgety.training.hidden_layer import look_at, read_hidden_layers, write_hidden_layers
from fidgety.training.predict import predict_model
from fidgety.training.score import Scores
from fidgety.training.select import copy_selected, select
from fidgety.training.snippet_scores import (
    SnippetScores,
    SnippetSet,
    read_snippet_scores,
    write_snippet_scores,
)
from tests.training.conftest import SMALL, make_job
from tests.training.synthetic import write_recording

SPLIT = SnippetSplit(2)


def snippet_job(kind="cnn1d", fold=1, **options):
    return replace(make_job(kind, fold=fold, **options), snippets=SPLIT)


def data_of(job, own):
    return gather(job, own.entries, own.development, own.features, own.reference)


def train(job, own, folder):
    """Train and write a fold model; return the path of its description."""
    trained = train_fold(job, data_of(job, own), [], folder / "work")
    path = folder / "model.json"
    write_fold_model(folder / "weights.safetensors", path, trained.network, trained.description)
    trained.history.to_csv(folder / "history.tsv", sep="\t", index=False)
    return path


@pytest.fixture(scope="module")
def models(larger, tmp_path_factory):
    """Both folds' models of both splits."""
    found = {}
    for name, make in (("infant", make_job), ("snippet", snippet_job)):
        rows = []
        for fold in (1, 2):
            job = make("cnn1d", fold=fold)
            path = train(job, larger, tmp_path_factory.mktemp(f"{name}-{fold}"))
            rows.append(scoring.FoldCandidates(job, (load_fold_model(path),)))
        found[name] = rows
    return found


def test_infants_stand_on_both_sides_and_that_is_said(larger):
    job = snippet_job()
    data = data_of(job, larger)
    everybody = {e.infant for e in larger.entries}
    assert set(data.labels) == everybody
    train, validation = data.train_windows, data.validation_windows
    pairs = [set(zip(w.series, w.start, strict=True)) for w in (train, validation)]
    assert pairs[0]
    assert pairs[1]
    assert not pairs[0] & pairs[1]
    held = scoring.held_out(
        scoring.FoldCandidates(job, (fold_model_like(data, job),)),
        larger.entries, larger.development, larger.features, {},
    )  # fmt: skip
    tested = set(zip(held.windows.series, held.windows.start, strict=True))
    assert tested
    assert not tested & (pairs[0] | pairs[1])
    # Whoever is tested has taught as well: that is the leak.
    taught = {data.train[k].infant for k in train.series}
    assert {held.series[k].infant for k in held.windows.series} & taught
    trained = train_fold(job, data, [], larger.folder / "snippet-work")
    assert trained.description["split"] == "snippet"
    assert trained.description["leaks"] == LEAKS
    assert set(trained.description["training_infants"]) == everybody
    own = train_fold(make_job("cnn1d"), data_of(make_job("cnn1d"), larger), [], larger.folder / "i")
    assert (own.description["split"], own.description["leaks"]) == ("infant", "")


def fold_model_like(data, job):
    """Return what `held_out` needs to know of a fold model, without training one."""

    class Known:
        spec, feature_names, units, fold = job.spec, data.feature_names, data.units, job.fold

    return Known()


def test_scaling_is_that_of_the_training_snippets_alone(larger):
    job = snippet_job()
    data = data_of(job, larger)
    values = np.concatenate(covered(data.train, data.train_windows))
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(axis=0), 1, atol=1e-3)


def test_covered_frames_by_hand(larger):
    data = data_of(make_job("cnn1d"), larger)
    one = data.train[0]
    windows = data.train_windows
    length = windows.length
    few = replace(windows, series=np.array([0, 0, 2]), start=np.array([3, 10, 0]))
    found = covered(data.train[:3], few)
    assert len(found[0]) == (length if length >= 7 else 0) + 7
    assert len(found[1]) == 0
    np.testing.assert_array_equal(found[0][:5], one.values[3:8])
    assert Standardisation.fit(found).mean.shape == (one.values.shape[1],)


def test_bags_cannot_be_split_by_snippet(cohort):
    with pytest.raises(ConfigError, match="only models of single snippets"):
        data_of(snippet_job("mam_clip"), cohort)


def test_a_leaking_model_never_judges_those_it_knows(models, larger):
    infant = larger.entries[0].infant
    recording = infant.removeprefix("i-")
    paths = {recording: larger.features[recording]}
    with pytest.raises(ConfigError, match="had a part in training"):
        predict_model(list(models["snippet"][0].fold_models), infant, paths)


@pytest.mark.parametrize("split", ["infant", "snippet"])
def test_every_development_snippet_is_judged_once_by_who_did_not_learn_from_it(
    split, models, larger
):
    sets = []
    for own in models[split]:
        asked = scoring.held_out(own, larger.entries, larger.development, larger.features, {})
        answers = scoring.ask(own, asked)
        assert answers.shape == (1, len(asked.windows), 2)
        np.testing.assert_allclose(answers.sum(axis=2), 1, atol=1e-6)
        sets.append(scoring.one_set(own.job, asked, answers[:, None], own.job.fold))
    whole = scoring.join_folds(sets)
    places = list(zip(whole.recording, whole.start_s, strict=True))
    assert len(places) == len(set(places)) == 12 * 6
    assert places == sorted(places)
    label = {e.infant: e.label for e in larger.entries}
    assert [("normal", "risk")[k] for k in whole.label] == [label[i] for i in whole.infant]
    if split == "infant":
        fold = {e.infant: e.fold for e in larger.entries}
        assert [fold[i] for i in whole.infant] == list(whole.fold)
    # By hand: one snippet through its fold's network.
    k = len(places) // 2
    own = models[split][whole.fold[k] - 1]
    asked = scoring.held_out(own, larger.entries, larger.development, larger.features, {})
    table = asked.described()
    row = table.index[
        (table["recording"] == whole.recording[k]) & (table["start_s"] == whole.start_s[k])
    ][0]
    fold_model = own.fold_models[0]
    series = fold_model.standardisation.apply_to(asked.series[int(asked.windows.series[row])])
    start = int(asked.windows.start[row])
    x = torch.from_numpy(series.values[None, start : start + asked.windows.length])
    with torch.inference_mode():
        expected = fold_model.network(x).softmax(dim=1)[0].numpy()
    np.testing.assert_allclose(whole.probability[0, 0, k], expected, atol=1e-6)


def test_external_infants_meet_every_fold_and_those_without_label_are_named(models, larger):
    table = larger.development.assign(label="risk", role="external")
    table.loc[table["infant"] == table["infant"].iloc[0], "label"] = ""
    left_out: dict[str, str] = {}
    asked = scoring.external(models["infant"][0], table, larger.features, left_out)
    assert {s.infant for s in asked.series} == set(table["infant"]) - {table["infant"].iloc[0]}
    assert left_out[table["infant"].iloc[0]] == "has no label to compare with"
    nobody = scoring.external(models["infant"][0], table.iloc[:0], larger.features, {})
    assert scoring.ask(models["infant"][0], nobody).shape == (1, 0, 2)
    assert len(scoring.one_set(models["infant"][0].job, nobody, np.empty((1, 2, 0, 2)), 0)) == 0


def test_a_refused_model_leaves_the_others_alone(models, larger, tmp_path):
    own = models["infant"][0]
    path = tmp_path / "model.json"
    write_refused(tmp_path / "weights.safetensors", path, "too much", {"fold": 1, "model": "m"})
    assert refusal(path) == "too much"
    half = scoring.FoldCandidates(own.job, (None, own.fold_models[0]), ("too much", ""))
    asked = scoring.held_out(half, larger.entries, larger.development, larger.features, {})
    answers = scoring.ask(half, asked)
    assert np.isnan(answers[0]).all()
    np.testing.assert_array_equal(answers[1], scoring.ask(own, asked)[0])
    none = scoring.FoldCandidates(own.job, (None,), ("too much",))
    nothing = scoring.held_out(none, larger.entries, larger.development, larger.features, {})
    assert scoring.ask(none, nothing).shape == (1, 0, 2)
    assert scoring.majority([none, half]) is half
    assert scoring.majority([none]) is None


def test_external_infants_meet_the_models_of_most_folds(models, larger):
    a, b = models["infant"]
    strange = replace(b.fold_models[0], units=("inch", "degrees"))
    other = scoring.FoldCandidates(b.job, (strange,))
    assert scoring.majority([other, a, b]) is a
    table = larger.development.assign(label="risk", role="external")
    asked = scoring.external(a, table, larger.features, {})
    assert np.isnan(scoring.ask(other, asked)).all(), "it learned other units and is not asked"
    assert np.isfinite(scoring.ask(b, asked)).all()


def test_a_fold_that_nobody_can_be_tested_in(models, larger, tmp_path):
    own = models["infant"][0]
    short = dict(larger.features)
    for infant in larger.tested(1):
        name = infant.removeprefix("i-")
        write_recording(tmp_path / f"{name}.h5", duration_s=1.0)
        short[name] = tmp_path / f"{name}.h5"
    left_out: dict[str, str] = {}
    asked = scoring.held_out(own, larger.entries, larger.development, short, left_out)
    assert len(asked.windows) == 0
    assert "no complete window" in left_out[larger.tested(1)[0].removeprefix("i-")]
    layer = look_at(own, 0, asked, 9)
    assert len(layer.infant) == len(layer.embedding) == 0
    train_part, test_part = scoring.fold_snippets(
        own.job, larger.entries, larger.development, short
    )
    assert test_part.flattened().shape == (0, train_part.flattened().shape[1])


def test_recordings_without_a_result_are_named(larger):
    table = larger.development.copy()
    table.loc[0, ["status", "reason", "reason_detail"]] = ["not assessable", "no_body", "of 3 %"]
    assert scoring.unusable(table) == {table.loc[0, "recording"]: "no_body: of 3 %"}


def test_the_reason_of_a_recording_that_is_called_like_its_infant_stays(larger, tmp_path):
    table = larger.development.assign(infant=larger.development["recording"])
    entries = [replace(e, infant=e.infant.removeprefix("i-")) for e in larger.entries]
    name = next(e.infant for e in entries if e.fold == 2)
    write_recording(tmp_path / f"{name}.h5", duration_s=1.0)
    features = larger.features | {name: tmp_path / f"{name}.h5"}
    data = gather(make_job("cnn1d"), entries, table, features)
    assert "no complete window" in data.left_out[name]


def test_estimators_are_chosen_between_by_their_errors(larger):
    """Decision values are no probabilities: their scale must not decide."""
    job = make_job("svm")
    probability = np.array([[0.51, 0.49], [0.49, 0.51], [0.01, 0.99]])
    scores = Scores((), np.empty(0), np.empty(0), probability, np.empty(2), {})
    assert one_loss(scores, job, "risk") == pytest.approx(1 / 3)
    assert one_loss(scores, make_job("cnn1d"), "risk") == pytest.approx(
        -np.log([0.49, 0.51, 0.99]).mean()
    )


def test_candidates_that_read_other_snippets_are_refused(models):
    a, b = (m.fold_models[0] for m in models["infant"])
    with pytest.raises(StorageError, match="do not read the same snippets"):
        scoring.FoldCandidates(models["infant"][0].job, (a, b))


def scores_by_hand():
    """Two candidates, two folds, four development and one external snippet."""
    internal = SnippetSet(
        ("a", "a", "b", "b"), ("ra", "ra", "rb", "rb"), np.arange(4.0), np.array([0, 0, 1, 1]),
        np.array([1, 1, 2, 2]),
        np.array([[[[0.9, 0.1]] * 4], [[[0.2, 0.8]] * 4]], dtype=np.float32),
    )  # fmt: skip
    external = SnippetSet(
        ("c",), ("rc",), np.zeros(1), np.array([1]), np.zeros(1, dtype=np.int64),
        np.array([[[[0.7, 0.3]], [[0.6, 0.4]]], [[[0.5, 0.5]], [[0.1, 0.9]]]], dtype=np.float32),
    )  # fmt: skip
    return SnippetScores(
        "m", "cnn1d", "both", "snippet", 150, ("normal", "risk"), (False, True), ("x", "y"),
        (1, 2), np.array([[0.3, 0.5], [0.4, 0.2]]), np.array([[0.5, 0.6], [0.7, 0.8]]),
        internal, external, {"d": "why"},
    )  # fmt: skip


def test_every_fold_chooses_by_itself(tmp_path):
    scores = scores_by_hand()
    assert list(scores.chosen) == [0, 1]
    np.testing.assert_allclose(scores.internal_risk(), [0.1, 0.1, 0.8, 0.8], atol=1e-7)
    np.testing.assert_allclose(scores.internal_risk(1), [0.8] * 4, atol=1e-7)
    np.testing.assert_allclose(scores.internal_threshold(), [0.5, 0.5, 0.8, 0.8])
    np.testing.assert_allclose(scores.external_risk(), [[0.3], [0.9]], atol=1e-7)
    np.testing.assert_allclose(scores.external_threshold(), [0.5, 0.8])
    blind = replace(scores, validation_loss=np.full((2, 2), np.nan))
    assert list(blind.chosen) == [0, 0]
    refused = np.array([[np.nan, 0.6], [0.7, 0.8]])
    assert list(replace(blind, threshold=refused).chosen) == [1, 0]
    path = tmp_path / "scores.h5"
    write_snippet_scores(path, scores, Provenance("m"))
    back = read_snippet_scores(path)
    assert back.leaks == LEAKS
    assert back.internal.infant == scores.internal.infant
    assert back.left_out == {"d": "why"}
    np.testing.assert_array_equal(back.internal_risk(), scores.internal_risk())
    np.testing.assert_array_equal(back.external_risk(1), scores.external_risk(1))


def test_a_grid_takes_what_validation_likes_best(larger, tmp_path):
    model = ModelConfig(kind="cnn1d", options=SMALL["cnn1d"], grid={"learning_rate": [1e-2, 1e-6]})
    paths = []
    for k, options in enumerate(model.candidates()):
        (tmp_path / str(k)).mkdir()
        paths.append(train(make_job("cnn1d", **options), larger, tmp_path / str(k)))
    choices = [choice_text(choice) for choice in model.choices()]
    assert choices == ["learning_rate 0.01", "learning_rate 1e-06"]
    selection = select(paths, choices)
    losses = [load_fold_model(p).validation_loss for p in paths]
    assert selection.loss == tuple(losses)
    assert selection.chosen == int(np.argmin(losses)) == 1
    (tmp_path / "kept").mkdir()
    kept = tmp_path / "kept" / "model.json"
    copy_selected(
        paths[1], selection, weights=kept.with_name("weights.safetensors"), model=kept,
        history=kept.with_name("history.tsv"),
    )  # fmt: skip
    first, second = load_fold_model(kept), load_fold_model(paths[1])
    a, b = weights_of(first.network), weights_of(second.network)
    assert all(torch.equal(a[k], b[k]) for k in a.keys() | b.keys())
    told = read_description(kept)["selection"]
    assert told["chosen"] == "learning_rate 1e-06"
    assert told["validation_loss"] == pytest.approx(losses)
    assert pd.read_csv(kept.with_name("history.tsv"), sep="\t").equals(
        pd.read_csv(paths[1].with_name("history.tsv"), sep="\t")
    )


def test_without_validation_the_first_of_the_grid_stands(cohort, tmp_path):
    paths = []
    for k in (0, 1):
        (tmp_path / str(k)).mkdir()
        paths.append(train(make_job("cnn1d", dense=8 + k), cohort, tmp_path / str(k)))
    selection = select(paths, ["a", "b"])
    assert selection.chosen == 0
    assert "no validation infants" in selection.reason


def test_the_hidden_layer_is_the_networks(models, larger, tmp_path):
    own = models["infant"][0]
    asked = scoring.held_out(own, larger.entries, larger.development, larger.features, {})
    layer = look_at(own, 0, asked, 12)
    assert len(layer.infant) == 12
    assert set(layer.infant) == set(larger.tested(1))
    keys = list(zip(layer.label, layer.infant, layer.recording, layer.start_s, strict=True))
    assert keys == sorted(keys)
    # The output layer on top of it gives the network's own answer.
    network = own.fold_models[0].network
    with torch.inference_mode():
        z = network.output(torch.from_numpy(layer.embedding))[:, 0]
    np.testing.assert_allclose(torch.sigmoid(z).numpy(), layer.risk, atol=1e-5)
    truth = np.array(layer.at_risk)[layer.label]
    np.testing.assert_array_equal(layer.wrong, (layer.risk > 0.5) != truth)
    write_hidden_layers(tmp_path / "h.h5", [layer], Provenance("x"), split="snippet")
    split, (back,) = read_hidden_layers(tmp_path / "h.h5")
    assert split == "snippet"
    assert back.infant == layer.infant
    np.testing.assert_array_equal(back.embedding, layer.embedding)


def test_parts_without_a_model(larger):
    job = make_job("cnn1d")
    train_part, test_part = scoring.fold_snippets(
        job, larger.entries, larger.development, larger.features
    )
    tested = set(larger.tested(1))
    assert {s.infant for s in test_part.series} == tested
    assert not {s.infant for s in train_part.series} & tested
    values = np.concatenate([s.values for s in train_part.series])
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-4)
    flat = test_part.flattened()
    k = len(flat) - 1
    series = test_part.series[int(test_part.windows.series[k])].values
    start = int(test_part.windows.start[k])
    np.testing.assert_array_equal(
        flat[k].reshape(test_part.windows.length, -1),
        series[start : start + test_part.windows.length],
    )
