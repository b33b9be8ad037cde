"""The plan of the study of Gao 2023: MAM, what is left out of it, and other inputs.

NumPy and PyTorch are not needed to plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.features import FeaturesConfig
from fidgety.config.gao import GaoConfig
from fidgety.config.learning import FoldsConfig, ModelConfig, choice_text
from fidgety.config.options import parse_options
from fidgety.errors import ConfigError
from fidgety.models.mam_full_options import MamOptions
from fidgety.tables import suggest

MODEL_NAME = re.compile(r"[A-Za-z0-9_-]+")
KIND = "mam"


def gao_models(config: GaoConfig) -> dict[str, ModelConfig]:
    """Return the models of the study by their names, in the order of the tables."""
    named = {**config.ablations, **config.inputs}
    return {
        name: ModelConfig(kind=KIND, options={**config.options, **own})
        for name, own in named.items()
    }


def gao_options(config: GaoConfig, name: str) -> MamOptions:
    """Return a model's options, checked."""
    return parse_options(MamOptions, gao_models(config)[name].options, f"gao: {name}")


def gao_features(config: GaoConfig, features: FeaturesConfig) -> FeaturesConfig:
    """Return how the study's features are built: all that its models read, as the main line's."""
    sets = dict.fromkeys(
        one for name in gao_models(config) for one in gao_options(config, name).feature_sets
    )
    return features.model_copy(update={"sets": tuple(sets)})


def gao_beside(config: GaoConfig, models: Iterable[str]) -> list[str]:
    """Return the models of the main line that stand in the tables, too."""
    return sorted(models) if config.beside is None else list(config.beside)


def beside_name(config: GaoConfig, name: str) -> str:
    """Return what a model of the main line is called in the tables."""
    return f"{name} (models)" if name in gao_models(config) else name


def check_gao(config: GaoConfig, models: Iterable[str]) -> list[str]:
    """Check names and options of the study; one line a finding.

    Parameters
    ----------
    config
        The section.
    models
        Names of the main line's models.
    """
    known = list(models)
    findings = [
        f"gao.beside: {name!r} is no model of `models`.{suggest(name, known)}"
        for name in gao_beside(config, known)
        if name not in known
    ]
    for name in gao_models(config):
        place = f"gao.{'ablations' if name in config.ablations else 'inputs'}.{name}"
        if not MODEL_NAME.fullmatch(name):
            findings.append(f"{place}: a model's name is of letters, digits, '-' and '_' only.")
        try:
            parse_options(MamOptions, gao_models(config)[name].options, place)
        except ConfigError as error:
            findings += str(error).splitlines()
    return findings


def gao_differences(
    config: GaoConfig, features: FeaturesConfig, folds: FoldsConfig, cleaning: CleaningConfig
) -> list[str]:
    """Say where a configuration of the study departs from the paper, a sentence each."""
    published = GaoConfig()
    notes = []
    smoothing = (cleaning.smoothing, cleaning.smoothing_window_frames)
    if smoothing != ("moving_average", 5):
        notes.append(
            f"Pose is smoothed by {cleaning.smoothing.replace('_', ' ')}; the paper takes a moving "
            "average over 5 frames."
        )
    if features.upright or features.scale != "none":
        notes.append(
            "Infants are "
            + " and ".join(
                ["turned upright"] * features.upright
                + ["measured in trunk lengths"] * (features.scale == "trunk")
            )
            + "; the paper does neither."
        )
    if config.options != published.options:
        notes.append(f"Options of all models: {choice_text(config.options) or 'none'}.")
    for part in ("ablations", "inputs"):
        own, theirs = getattr(config, part), getattr(published, part)
        absent = [name for name in theirs if name not in own]
        if absent:
            notes.append(f"Left out: {', '.join(absent)}.")
    if folds.n != 5:
        notes.append(f"{folds.n} folds, not 5.")
    if gao_options(config, config.model).fusion != "paper":
        notes.append(
            "Both branches are fused to the mean of their probabilities; the paper's softmax of "
            "the sum keeps the infant's probability between 0.12 and 0.88."
        )
    notes.append(
        "Thresholds are chosen on validation infants; the paper does not say how. Intervals are "
        "by infant; the paper gives the spread over folds, which stands beside them."
    )
    return notes
