"""Contributions to a MAM's probability, and the weights of its pooling."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fidgety.datasets.characteristics import InfoScaling
from fidgety.errors import ConfigError, Outcome
from fidgety.models.base import parse_model_options
from fidgety.models.mam_full import Mam
from fidgety.training.explain import (
    PLAYERS,
    FusedRisk,
    contributions,
    main_branch,
    pooling_weights,
)
from fidgety.training.results import ModelPrediction
from tests.models.test_mam_full import SMALL

INFANTS = [f"i{k}" for k in range(6)]


def fold_model(fold: int, **options):
    """Stand in for a fold model: a network, its scaling, what the classes mean."""
    torch.manual_seed(fold)
    network = Mam.build(parse_model_options(Mam, SMALL | options), 51, 2).eval()
    scaling = InfoScaling(np.array([0.5, 39, 3000, 12.0]), np.array([0.5, 2, 500, 2.0]), False)
    return SimpleNamespace(
        network=network, info_scaling=scaling, at_risk=(False, True), fold=fold, model="mam"
    )


def said(fold: int, seed: int, folds: tuple[int, ...] | None = None) -> ModelPrediction:
    rng = np.random.default_rng(seed)
    own = folds or (fold,)
    probability = rng.dirichlet([1, 1], size=(len(own), 5))
    attention = rng.dirichlet([1] * 5, size=len(own))
    return ModelPrediction(
        Outcome(), "mam", ("normal", "risk"), (False, True),
        folds=own, probability=probability, attention=attention,
        recording=("r", "r", "r", "s", "s"), sources=("r", "s"),
    )  # fmt: skip


@pytest.fixture
def study():
    fold_models = {1: fold_model(1), 2: fold_model(2)}
    predictions = {name: said(1 + k % 2, k) for k, name in enumerate(INFANTS[:4])}
    predictions["i4"], predictions["i5"] = said(0, 4, (1, 2)), said(0, 5, (1, 2))
    roles = {name: "development" if k < 4 else "external" for k, name in enumerate(INFANTS)}
    rng = np.random.default_rng(0)
    info = {n: rng.normal([0.5, 39, 3000, 12], [0.5, 2, 500, 2], size=(2, 4)) for n in INFANTS}
    return fold_models, predictions, roles, info


def test_the_main_branch_is_what_the_network_pools(study) -> None:
    """The network's own output, fusion left out, from the instances that it reports."""
    network = study[0][1].network
    x = torch.randn(1, 120, 51)
    start = torch.tensor([0, 15, 30, 45])
    zeros = torch.zeros(4, dtype=torch.int64)
    with torch.inference_mode():
        out = network(x, zeros, start, zeros, 1)
    prediction = replace(
        said(1, 0),
        probability=out.instance_logits.softmax(1).double().numpy()[None],
        attention=out.attention.double().numpy()[None],
        recording=("r",) * 4,
    )
    (own,) = main_branch(prediction, 0, network.bag_softmax)
    np.testing.assert_allclose(own, out.bag_log_probability[0], atol=1e-5)
    by_recording = replace(said(1, 0), pooling="recording")
    assert len(main_branch(by_recording, 0, True)) == 2


def test_contributions_sum_to_the_probability(study) -> None:
    fold_models, predictions, roles, info = study
    table = contributions(fold_models, predictions, roles, info, seed=1)
    assert list(table["player"]) == list(PLAYERS) * 6
    for name, own in table.groupby("infant"):
        asked = [b for k, b in fold_models.items() if k in predictions[name].folds]
        risk = [
            FusedRisk(b, [main_branch(predictions[name], place, True)], [info[name]])(
                np.zeros((1, 5))
            )[0]
            for place, b in enumerate(asked)
        ]
        whole = own["contribution"].sum() + own["base"].iloc[0]
        assert whole == pytest.approx(np.mean(risk), abs=1e-5)
        assert own["folds"].iloc[0] == len(asked)
        assert (own["base"] == own["base"].iloc[0]).all()


def test_contributions_are_shapley_values(study) -> None:
    """Second implementation: Shapley's formula over all coalitions."""
    fold_models, predictions, roles, info = study
    table = contributions(fold_models, predictions, roles, info, seed=1)
    background = INFANTS[:4]
    name, fold = "i4", 1
    videos = [main_branch(predictions[k], 0, True) for k in (*background, name)]
    risk = FusedRisk(fold_models[fold], videos, [info[k] for k in (*background, name)])
    players = np.repeat(np.arange(5)[:, None], 5, axis=1)

    def value(coalition: tuple[int, ...]) -> float:
        cases = players[:4].copy()
        cases[:, list(coalition)] = players[4, list(coalition)]
        return float(risk(cases).mean())

    expected = np.zeros(5)
    for i in range(5):
        others = [j for j in range(5) if j != i]
        for size in range(5):
            weight = math.factorial(size) * math.factorial(4 - size) / math.factorial(5)
            for some in itertools.combinations(others, size):
                expected[i] += weight * (value((*some, i)) - value(some))
    # The other fold model's share is taken off: contributions are the mean over both.
    both = table[table["infant"] == name]["contribution"].to_numpy()
    second = contributions({2: fold_models[2]}, predictions, roles, info, seed=1)
    other = second[second["infant"] == name]["contribution"].to_numpy()
    np.testing.assert_allclose(2 * both - other, expected, atol=1e-5)


def test_recordings_that_are_pooled_by_themselves_keep_their_characteristics(study) -> None:
    fold_models, predictions, roles, info = study
    by_recording = {k: replace(p, pooling="recording") for k, p in predictions.items()}
    table = contributions(fold_models, by_recording, roles, info, seed=1)
    name = "i4"
    expected = []
    for place, own in enumerate(fold_models.values()):
        scaled = torch.from_numpy(own.info_scaling.values(info[name])).float()
        videos = np.stack(main_branch(by_recording[name], place, True))
        with torch.inference_mode():
            fused = own.network.fuse(torch.from_numpy(videos).float(), scaled).exp()[:, 1]
        expected.append(float(fused.mean()))
    mine = table[table["infant"] == name]
    whole = mine["base"].iloc[0] + mine["contribution"].sum()
    assert whole == pytest.approx(np.mean(expected), abs=1e-5)


def test_flags_of_missing_values_go_with_their_characteristic() -> None:
    own = fold_model(1, info_missing="impute")
    own.info_scaling = replace(own.info_scaling, flags=True)
    info = np.array([[1.0, np.nan, 3000.0, 12.0]])
    other = np.array([[0.0, 40.0, np.nan, 10.0]])
    video = np.log([0.4, 0.6])
    risk = FusedRisk(own, [[video], [video]], [info, other])
    mixed = np.array([[1.0, np.nan, np.nan, 12.0]])
    with torch.inference_mode():
        expected = own.network.fuse(
            torch.from_numpy(video)[None].float(),
            torch.from_numpy(own.info_scaling.values(mixed)).float(),
        )
    found = risk(np.array([[0.0, 0.0, 0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(found, expected.exp()[:, 1], atol=1e-6)


def test_an_infant_is_compared_with_a_missing_characteristic(study) -> None:
    fold_models, predictions, roles, info = study
    info["i4"][:, 2] = np.nan
    info["i5"][0, 1] = np.nan
    table = contributions(fold_models, predictions, roles, info, seed=1)
    own = table[table["infant"] == "i4"]
    assert np.isfinite(own["contribution"]).all()
    assert own["value"].isna().sum() == 1
    partly = table[(table["infant"] == "i5") & (table["player"] == "gestational_age_weeks")]
    assert partly["value"].iloc[0] == info["i5"][1, 1]


def test_the_fused_probability_is_the_networks(study) -> None:
    """The network's own fusion, with the mean of the standardised characteristics."""
    own = study[0][1]
    info = study[3]["i0"]
    (video,) = main_branch(study[1]["i0"], 0, True)
    mean = own.info_scaling.values(info).mean(axis=0)
    with torch.inference_mode():
        expected = own.network.fuse(
            torch.from_numpy(video)[None].float(), torch.from_numpy(mean)[None].float()
        )
    risk = FusedRisk(own, [[video]], [info])(np.zeros((1, 5)))
    np.testing.assert_allclose(risk[0], expected.exp()[0, 1], atol=1e-6)


def test_a_model_without_characteristics_is_named() -> None:
    without = fold_model(1)
    without.info_scaling = None
    with pytest.raises(ConfigError, match="set info: true"):
        FusedRisk(without, [], [])


def test_weights_are_the_exponential_of_the_score(study) -> None:
    fold_models = study[0]
    table = pooling_weights(fold_models, points=3)
    assert list(table["probability"]) == [0, 0.5, 1] * 2
    network = fold_models[2].network
    with torch.inference_mode():
        expected = network.bag_score(torch.tensor([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])).exp()[:, 0]
    np.testing.assert_allclose(table[table["fold"] == 2]["weight"], expected, rtol=1e-5)
