"""The plan of the study of Gao 2023: MAM, what is left out of it, and other inputs.

PyTorch is not needed to plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.features import FeaturesConfig
from fidgety.config.gao import GaoConfig
from fidgety.config.inclusion import InclusionConfig
from fidgety.config.learning import (
    MODEL_NAME,
    SERIES_IN_MEMORY_MB,
    FoldsConfig,
    ModelConfig,
    TrainingConfig,
    choice_text,
)
from fidgety.config.lifting import LiftingConfig
from fidgety.config.options import parse_options
from fidgety.errors import ConfigError
from fidgety.models.mam_full_options import MamOptions
from fidgety.tables import suggest

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


def check_rater(config: GaoConfig, raters: Iterable[str]) -> None:
    """Refuse a study whose rater has marked nothing, before anything is trained for it.

    Parameters
    ----------
    config
        The section.
    raters
        Of the intervals of the infants that are assessed; none is no mistake.

    Raises
    ------
    ConfigError
        If there are intervals, and none of the rater's.
    """
    known = sorted(set(raters))
    if known and config.rater not in known:
        raise ConfigError(
            f"gao.rater: {config.rater!r} has no interval of an assessed infant; there are those "
            f"of {', '.join(known)}.{suggest(config.rater, known)}"
        )


def gao_memory_mb(recordings: int, numbers: int) -> int:
    """Estimate a training's memory: its recordings, mirrored as well, as far as these stay there.

    Parameters
    ----------
    recordings
        Of five minutes, development and reference.
    numbers
        That are read of a frame.
    """
    values = 2 * 4 * recordings * 7500 * numbers
    return 3000 + round(min(values / 1e6, SERIES_IN_MEMORY_MB))


def gao_runtime(config: GaoConfig, name: str, recordings: int, gpu: bool) -> int:
    """Estimate a training's minutes: a step of 64 clips takes 6 s on a core, and a second on a GPU.

    Embedding every k-th frame takes a k-th of it.
    """
    options = gao_options(config, name)
    steps = max(recordings, options.min_steps) * (options.epochs + options.pretrain_epochs)
    seconds = steps * (1.0 if gpu else 6.0 / options.frame_stride)
    return int(min(60 + seconds / 60, 14 * 24 * 60))


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


@dataclass(frozen=True)
class Surroundings:
    """Sections of the configuration that a study shares with the main line."""

    cleaning: CleaningConfig
    lifting: LiftingConfig
    features: FeaturesConfig
    inclusion: InclusionConfig
    folds: FoldsConfig
    training: TrainingConfig


def gao_differences(config: GaoConfig, around: Surroundings) -> list[str]:
    """Say where a configuration of the study departs from the paper, a sentence each."""
    closely = gao_options(config, config.model)
    notes = [*_different_data(around), *_different_options(config)]
    for part in ("ablations", "inputs"):
        own, theirs = getattr(config, part), getattr(GaoConfig(), part)
        absent = [name for name in theirs if name not in own]
        if absent:
            notes.append(f"Left out: {', '.join(absent)}.")
    if closely.variant == "released":
        notes.append(
            "The encoder is that of the authors' code: two convolutions in time, and no distance "
            "of a joint to itself. The paper's text has neither (variant: paper)."
        )
    if closely.differences == "signed":
        notes.append(
            "Differences between joints keep their sign, as in the authors' code; the paper has "
            "distances."
        )
    if closely.fusion != "paper":
        notes.append(
            "An infant's probability is the mean of both branches'; the paper takes the softmax of "
            "their sum, which leaves less room between certain and uncertain."
        )
    notes.append(
        "Thresholds are chosen on validation infants; the paper does not say how. Intervals are "
        "by infant; the paper gives the spread over folds, which stands beside them."
    )
    return notes


def _different_data(around: Surroundings) -> list[str]:
    notes = []
    cleaning, features = around.cleaning, around.features
    if (cleaning.smoothing, cleaning.smoothing_window_frames) != ("moving_average", 5):
        notes.append(
            f"Pose is smoothed by {cleaning.smoothing.replace('_', ' ')}; the paper takes a moving "
            "average over 5 frames."
        )
    notes.append(
        f"The third dimension is by {around.lifting.method}; the paper's by VideoPose3D, its 2D "
        "part fine-tuned on infants."
    )
    frame = ["turned upright"] * features.upright
    frame += ["measured in trunk lengths"] * (features.scale == "trunk")
    if frame:
        notes.append(f"Infants are {' and '.join(frame)}; the paper does neither.")
    if around.inclusion.preset != "gao2023":
        notes.append("The paper's criteria of inclusion are not asked for (inclusion: gao2023).")
    if around.folds.by == "site":
        notes.append(f"Folds are the {around.folds.n} sites; the paper's are 5, by infant.")
    elif around.folds.n != 5:
        notes.append(f"{around.folds.n} folds, not 5.")
    if around.training.augment_flip:
        notes.append("In training, every other clip and bag has left and right exchanged.")
    return notes


def _different_options(config: GaoConfig) -> list[str]:
    """Name the options of models that are not those of the paper's models of the same name."""
    published = GaoConfig()
    changed = {}
    for name in gao_models(config):
        like = name if name in gao_models(published) else published.model
        theirs = gao_options(published, like).model_dump(mode="json")
        own = gao_options(config, name).model_dump(mode="json")
        changed[name] = {k: v for k, v in own.items() if v != theirs[k]}
    first = next(iter(changed.values()))
    shared = {k: v for k, v in first.items() if all(c.get(k, c) == v for c in changed.values())}
    notes = []
    if shared:
        notes.append(f"Options of all models: {choice_text(shared)}.")
    for name, options in changed.items():
        alone = {k: v for k, v in options.items() if k not in shared}
        if alone:
            notes.append(f"{name}: {choice_text(alone)}.")
    return notes
