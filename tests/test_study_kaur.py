"""The plan of the study of Kaur 2025, and options to choose from."""

import json

import pytest

from fidgety.config.features import FeaturesConfig
from fidgety.config.kaur import KaurConfig
from fidgety.config.learning import ModelConfig, choice_text
from fidgety.config.root import Config, parse_config
from fidgety.errors import ConfigError
from fidgety.study_kaur import (
    StudyJob,
    check_kaur,
    closely,
    differences,
    similarity_of,
    study_features,
    study_jobs,
    study_model,
)

PUBLISHED = KaurConfig()


def test_a_grid_is_all_combinations_in_order():
    model = ModelConfig(kind="svm", options={"penalty": 2}, grid={"gamma": [1, 2], "coef0": [0, 3]})
    assert model.choices() == [
        {"gamma": 1, "coef0": 0},
        {"gamma": 1, "coef0": 3},
        {"gamma": 2, "coef0": 0},
        {"gamma": 2, "coef0": 3},
    ]
    assert model.candidates()[0] == {"penalty": 2, "gamma": 1, "coef0": 0}
    several = ModelConfig(kind="svm", grid=[{"gamma": [1]}, {"kernel": ["rbf", "cubic"]}])
    assert several.choices() == [{"gamma": 1}, {"kernel": "rbf"}, {"kernel": "cubic"}]
    assert ModelConfig(kind="svm", options={"penalty": 2}).candidates() == [{"penalty": 2}]
    assert choice_text({"units": [64, 32], "dropout": 0.3}) == "dropout 0.3; units 64, 32"


@pytest.mark.parametrize("grid", [{"gamma": []}, {"gamma": 1}, [1]])
def test_a_grid_that_is_none(grid):
    with pytest.raises(ConfigError, match=r"models\.a\.grid"):
        parse_config({"models": {"a": {"kind": "svm", "grid": grid}}})


def test_the_study_is_the_papers():
    assert check_kaur(PUBLISHED) == []
    jobs = study_jobs(PUBLISHED)
    assert len(jobs) == len(set(jobs))
    # Seven overlaps with both inputs side by side, the other two inputs at an overlap of 150.
    assert len(jobs) == 2 * len(PUBLISHED.models) * (7 + 2)
    sizes = {name: len(model.candidates()) for name, model in PUBLISHED.models.items()}
    assert sizes == {"svm": 2, "lstm": 2, "cnn1d": 2, "vit": 2, "multirocket_hydra": 1}
    assert {j.overlap for j in jobs if j.features != "both"} == {150}
    assert closely(PUBLISHED, "infant") == StudyJob("infant", "both", 150, "cnn1d")


def test_the_overlap_looked_at_need_not_be_in_the_sweep():
    jobs = study_jobs(KaurConfig(overlaps=(100,), overlap=150, splits=("infant",)))
    assert {j.overlap for j in jobs} == {100, 150}


def test_the_features_are_in_the_papers_frame_and_leave_the_main_line_alone():
    own = FeaturesConfig(missing_landmarks="leave_out")
    features = study_features(PUBLISHED, own)
    assert features.sets == ("landmarks_2d", "angles_2d")
    assert (features.origin, features.scale, features.upright) == ("sternum", "none", False)
    assert features.missing_landmarks == "leave_out"
    assert own.scale == "trunk"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"feature_sets": {"both": ["landmark_2d"]}}, "Did you mean 'landmarks_2d'"),
        ({"models": {"cnn1d": {"kind": "mam_clip"}}}, "no model on single snippets"),
        ({"models": {"cnn1d": {"kind": "cnn1"}}}, "Did you mean 'cnn1d'"),
        ({"models": {"cnn1d": {"kind": "cnn1d", "options": {"dens": 3}}}}, "options.dens"),
        (
            {"models": {"cnn1d": {"kind": "cnn1d", "options": {"overlap_frames": 3}}}},
            "overlap_frames is set by kaur.overlaps",
        ),
        (
            {"models": {"cnn1d": {"kind": "cnn1d", "grid": {"feature_sets": [["angles_2d"]]}}}},
            "feature_sets is set by kaur.feature_sets",
        ),
        (
            {"models": {"cnn1d": {"kind": "cnn1d", "grid": {"window_s": [5, 10]}}}},
            "window_s decides which snippets there are",
        ),
        (
            {"models": {"a": {"kind": "svm"}}, "similarity_model": "a"},
            "has no hidden layer",
        ),
        (
            {"models": {"cnn1d": {"kind": "cnn1d", "options": {"window_s": 3}}}},
            "overlap_frames must be less than the 90 frames",
        ),
    ],
)
def test_mistakes_are_named(values, message):
    values = {"models": {"cnn1d": {"kind": "cnn1d"}}, **values}
    findings = check_kaur(KaurConfig.model_validate({"features": "both", **values}))
    assert any(message in finding for finding in findings), findings


def test_names_that_do_not_fit_are_told_by_the_configuration():
    with pytest.raises(ConfigError, match="none of feature_sets"):
        parse_config({"kaur": {"features": "bot"}})
    with pytest.raises(ConfigError, match="none of models"):
        parse_config({"kaur": {"similarity_model": "cnn"}})
    with pytest.raises(ConfigError, match="named twice"):
        parse_config({"kaur": {"splits": ["infant", "infant"]}})
    with pytest.raises(ConfigError, match=r"kaur\.overlaps"):
        parse_config({"kaur": {"overlaps": [300]}})


def told(config: Config) -> list[str]:
    return differences(config.kaur, config.features, config.folds, config.training)


def test_departures_from_the_paper_are_told():
    text = " ".join(told(parse_config({})))
    assert "of 3 folds" not in text
    assert "of 5 folds, is not in the paper" in text
    assert "left out" not in text
    assert "options:" not in text
    own = parse_config(
        {
            "folds": {"n": 3},
            "training": {"augment_flip": False},
            "features": {"missing_landmarks": "leave_out"},
            "kaur": {
                "upright": True,
                "overlaps": [150, 100],
                "random_state": 1,
                "folds": 4,
                "feature_sets": {"both": ["angles_2d"]},
                "models": {"cnn1d": {"kind": "cnn1d", "options": {"epochs": 3}}},
            },
        }
    )
    text = " ".join(told(own))
    for part in (
        "turned upright",
        "left out: 299, 290, 270, 250, 200.",
        "random_state of the split by snippet: 1, not 42.",
        "folds of the split by snippet: 4, not 5.",
        "of 3 folds, is not in the paper",
        "Nothing was flipped.",
        "Landmarks and angles that a tracker lacks are left out.",
        "Inputs: both: angles_2d.",
        "Models that were left out: svm, lstm, vit, multirocket_hydra.",
        "cnn1d: cnn1d, options: epochs 3; to choose from: none.",
    ):
        assert part in text, part


def test_a_configuration_as_read_from_a_file_is_the_papers():
    study = parse_config(json.loads(parse_config({}).model_dump_json()))
    assert not any("options:" in note for note in told(study))


def test_options_for_all_models_and_a_study_without_a_network():
    config = KaurConfig.model_validate({"options": {"centre": True, "epochs": 9}})
    assert study_model(config, "cnn1d").options["centre"] is True
    assert study_model(config, "cnn1d").options["preset"] == "kaur2025"
    assert similarity_of(config) == "cnn1d"
    plain = KaurConfig.model_validate({"models": {"svm": {"kind": "svm"}}})
    assert similarity_of(plain) is None
    assert closely(plain, "infant") is None
    other = KaurConfig.model_validate({"models": {"a": {"kind": "svm"}, "b": {"kind": "lstm"}}})
    assert similarity_of(other) == "b"


@pytest.mark.parametrize(
    "values",
    [
        {"models": {"my model": {"kind": "svm"}}},
        {"models": {"a/b": {"kind": "svm"}}},
        {"feature_sets": {"both": ["angles_2d"], "both sets": ["angles_2d"]}},
    ],
)
def test_names_become_folders(values):
    findings = check_kaur(KaurConfig.model_validate(values))
    assert any("letters, digits" in finding for finding in findings), findings
