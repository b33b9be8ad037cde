"""The plan of the study of Gao 2023."""

from __future__ import annotations

import json

import pytest

from fidgety.config.features import FeaturesConfig
from fidgety.config.gao import GaoConfig
from fidgety.config.root import Config, parse_config
from fidgety.errors import ConfigError
from fidgety.study_gao import (
    Surroundings,
    beside_name,
    check_gao,
    check_rater,
    gao_beside,
    gao_differences,
    gao_features,
    gao_memory_mb,
    gao_models,
    gao_options,
    gao_runtime,
)

PUBLISHED = GaoConfig()


def told(config: Config) -> str:
    around = Surroundings(
        config.cleaning,
        config.lifting,
        config.features,
        config.inclusion,
        config.folds,
        config.training,
    )
    return " ".join(gao_differences(config.gao, around))


def test_the_papers_models_by_their_options() -> None:
    models = gao_models(PUBLISHED)
    assert list(models)[:4] == [
        "mam", "without-info", "without-closeness", "without-closeness-and-reference",
    ]  # fmt: skip
    assert {m.kind for m in models.values()} == {"mam"}
    whole = gao_options(PUBLISHED, "mam")
    assert (whole.epochs, whole.frame_stride, whole.optimiser) == (300, 1, "sgd_cyclic")
    assert (whole.info, whole.closeness, whole.reference) == (True, True, True)
    least = gao_options(PUBLISHED, "without-closeness-and-reference")
    assert (least.info, least.closeness, least.reference) == (True, False, False)
    assert gao_options(PUBLISHED, "all-2d").feature_sets == (
        "coordinates_2d", "velocities_2d", "accelerations_2d",
    )  # fmt: skip
    assert check_gao(PUBLISHED, ["cnn1d"]) == []


def test_a_models_own_options_win() -> None:
    config = GaoConfig.model_validate(
        {"options": {"epochs": 3, "width": 8}, "ablations": {"mam": {"epochs": 5}}, "inputs": {}}
    )
    assert (gao_options(config, "mam").epochs, gao_options(config, "mam").width) == (5, 8)
    assert list(gao_models(config)) == ["mam"]


def test_features_are_those_that_the_models_read() -> None:
    features = FeaturesConfig(upright=False)
    own = gao_features(PUBLISHED, features)
    assert set(own.sets) == {
        f"{name}_{d}d" for name in ("coordinates", "velocities", "accelerations") for d in (2, 3)
    }
    assert own.upright is False
    alone = GaoConfig.model_validate({"inputs": {}})
    assert gao_features(alone, features).sets == ("coordinates_3d",), "coordinates alone on disk"


def test_the_main_lines_models_stand_beside() -> None:
    assert gao_beside(PUBLISHED, ["b", "a"]) == ["a", "b"]
    assert gao_beside(PUBLISHED.model_copy(update={"beside": ("b",)}), ["b", "a"]) == ["b"]
    assert beside_name(PUBLISHED, "cnn1d") == "cnn1d"
    assert beside_name(PUBLISHED, "mam") == "mam (models)", "two of one name are told apart"


def test_mistakes_are_found_together() -> None:
    config = GaoConfig.model_validate(
        {
            "ablations": {"mam": {}, "no closeness!": {"closenes": False}},
            "inputs": {"speed": {"inputs": ["speed"]}, "half": {"reference": False}},
            "beside": ["cnn1"],
        }
    )
    findings = " ".join(check_gao(config, ["cnn1d"]))
    for part in (
        "'cnn1' is no model of `models`",
        "cnn1d",
        "gao.ablations.no closeness!: a model's name",
        "closenes",
        "gao.inputs.speed",
        "closeness needs the reference branch",
    ):
        assert part in findings, part
    with pytest.raises(ConfigError, match="none of ablations"):
        parse_config({"gao": {"model": "nam"}})
    with pytest.raises(ConfigError, match="stands in ablations, too"):
        parse_config({"gao": {"inputs": {"mam": {}}}})


def test_departures_from_the_paper_are_told() -> None:
    text = told(parse_config({}))
    for part in (
        "savitzky golay; the paper takes a moving average over 5",
        "criteria of inclusion are not asked for",
        "that of the authors' code",
        "keep their sign",
        "left and right exchanged",
    ):
        assert part in text, part
    assert "Left out" not in text
    assert "Options of all models" not in text
    as_read = parse_config(json.loads(parse_config({}).model_dump_json()))
    assert told(as_read) == text
    published = {
        "cleaning": {"smoothing": "moving_average"},
        "features": {"upright": False, "scale": "none"},
        "folds": {"n": 5},
        "inclusion": {"preset": "gao2023"},
        "training": {"augment_flip": False},
        "gao": {
            "options": {
                "preset": "gao2023",
                "fusion": "paper",
                "variant": "paper",
                "differences": "absolute",
            }
        },
    }
    text = told(parse_config(published))
    for absent in ("moving", "folds, not 5", "neither", "exchanged", "sign", "the mean of both"):
        assert absent not in text, absent
    by_site = told(parse_config({**published, "folds": {"by": "site"}}))
    assert "Folds are the 5 sites; the paper's are 5, by infant." in by_site
    own = {
        "folds": {"n": 3},
        "gao": {
            "options": {"preset": "gao2023", "epochs": 2},
            "ablations": {"mam": {"info_missing": "impute"}, "without-closeness": {}},
            "inputs": {},
        },
    }
    text = told(parse_config(own))
    for part in (
        "3 folds, not 5",
        "Options of all models: epochs 2.",
        "mam: info_missing impute.",
        "without-closeness: closeness True.",
        "Left out: distances-2d",
        "Left out: without-info",
    ):
        assert part in text, part


def test_a_rater_without_intervals_is_named_before_anything_is_trained() -> None:
    check_rater(PUBLISHED, [])
    check_rater(PUBLISHED, ["a", "consensus"])
    with pytest.raises(ConfigError, match=r"those of b, consensos\. Did you mean .consensos"):
        check_rater(PUBLISHED, ["consensos", "b", "b"])


def test_a_training_asks_for_what_it_needs() -> None:
    """725 and 243 recordings of five minutes, as in the paper."""
    assert 3_000 < gao_memory_mb(20, 51) < 3_100
    # What does not fit lies on disk.
    assert gao_memory_mb(968, 51) == gao_memory_mb(9680, 153) < 4_000
    small = GaoConfig.model_validate({"options": {}})
    assert gao_runtime(small, "mam", 52, gpu=False) < 24 * 60
    days = gao_runtime(PUBLISHED, "mam", 968, gpu=False) / 24 / 60
    assert days > 5
    assert gao_runtime(PUBLISHED, "mam", 968, gpu=True) < days * 24 * 60
