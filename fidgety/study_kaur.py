"""The plan of the study of Kaur 2025: which models are trained on which snippets.

The sweep over overlaps is made with one input; every input is tried at the overlap that is looked
at closely. NumPy and PyTorch are not needed to plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fidgety.config.features import FeaturesConfig
from fidgety.config.kaur import KaurConfig
from fidgety.config.learning import (
    MODEL_NAME,
    FoldsConfig,
    ModelConfig,
    TrainingConfig,
    choice_text,
)
from fidgety.config.options import parse_options
from fidgety.errors import ConfigError
from fidgety.features.registry import FEATURE_SETS
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.models.snippet_options import SnippetNetworkOptions, SnippetOptions
from fidgety.tables import suggest

#: Options that the study sets itself, by what sets them.
SET_BY_THE_STUDY = {
    "feature_sets": "kaur.feature_sets",
    "overlap_frames": "kaur.overlaps",
    "step_s": "kaur.overlaps",
}
#: Options that decide which snippets there are: the combinations of a grid must share them.
SNIPPETS = ("rate_hz", "window_s", "predict_step_s", "centre")


@dataclass(frozen=True)
class StudyJob:
    """One model on one kind of snippets.

    Parameters
    ----------
    split
        ``infant`` or ``snippet``.
    features
        Name in ``kaur.feature_sets``.
    overlap
        Frames that neighbouring training snippets share.
    model
        Name in ``kaur.models``.
    """

    split: str
    features: str
    overlap: int
    model: str


def study_jobs(config: KaurConfig) -> list[StudyJob]:
    """Plan the sweep: what is trained, in the order of the tables, nothing twice."""
    jobs = [
        StudyJob(split, features, overlap, model)
        for split in config.splits
        for features in config.feature_sets
        for overlap in dict.fromkeys((*config.overlaps, config.overlap))
        for model in config.models
        if features == config.features or overlap == config.overlap
    ]
    return list(dict.fromkeys(jobs))


def similarity_of(config: KaurConfig) -> str | None:
    """Return the model whose last hidden layer is looked at; None if no model is a network."""
    if config.similarity_model is not None:
        return config.similarity_model
    networks = [name for name, model in config.models.items() if _is_network(model.kind)]
    return "cnn1d" if "cnn1d" in networks else next(iter(networks), None)


def _is_network(kind: str) -> bool:
    try:
        return issubclass(MODEL_SYSTEMS.options(kind), SnippetNetworkOptions)
    except ConfigError:  # an unknown kind is told of by itself
        return False


def closely(config: KaurConfig, split: str) -> StudyJob | None:
    """Return the job whose last hidden layer is looked at, if there is one."""
    model = similarity_of(config)
    return None if model is None else StudyJob(split, config.features, config.overlap, model)


def study_options(config: KaurConfig, job: StudyJob) -> dict[str, Any]:
    """Return the options that the study sets for a job, whatever the candidate."""
    return {
        "feature_sets": list(config.feature_sets[job.features]),
        "overlap_frames": job.overlap,
    }


def study_model(config: KaurConfig, name: str) -> ModelConfig:
    """Return a model with the options that all share."""
    model = config.models[name]
    return model.model_copy(update={"options": {**config.options, **model.options}})


def n_snippets(config: KaurConfig, overlap: int, recordings: int, minutes: float = 3.0) -> int:
    """Estimate how many training snippets recordings of some length give, for planning alone."""
    return int(recordings * minutes * 60 * 30 / (300 - overlap))


def study_features(config: KaurConfig, features: FeaturesConfig) -> FeaturesConfig:
    """Return how the study's features are built: its sets, in its frame of reference."""
    sets = dict.fromkeys(name for sets in config.feature_sets.values() for name in sets)
    return features.model_copy(
        update={
            "sets": tuple(sets),
            "origin": config.origin,
            "scale": config.scale,
            "upright": config.upright,
        }
    )


def check_kaur(config: KaurConfig) -> list[str]:
    """Check names, models, options and inputs of the study; one line a finding."""
    findings = []
    for name, sets in config.feature_sets.items():
        if not MODEL_NAME.fullmatch(name):
            findings.append(
                f"kaur.feature_sets.{name}: a name is of letters, digits, '-' and '_' only."
            )
        findings += [
            f"kaur.feature_sets.{name}: {one!r} is no feature set."
            f"{suggest(one, FEATURE_SETS.names())}"
            for one in sets
            if one not in FEATURE_SETS.names()
        ]
    for name, model in config.models.items():
        place = f"kaur.models.{name}"
        if not MODEL_NAME.fullmatch(name):
            findings.append(f"{place}: a model's name is of letters, digits, '-' and '_' only.")
        for key in {*config.options, *model.options, *(key for grid in model.grid for key in grid)}:
            if key in SET_BY_THE_STUDY:
                findings.append(f"{place}: {key} is set by {SET_BY_THE_STUDY[key]}; leave it out.")
        findings += [
            f"{place}.grid: {key} decides which snippets there are: give it in `options`."
            for key in SNIPPETS
            if any(key in grid for grid in model.grid)
        ]
        try:
            options = MODEL_SYSTEMS.options(model.kind)
            if not issubclass(options, SnippetOptions):
                findings.append(f"{place}: {model.kind} is no model on single snippets.")
                continue
            for job in study_jobs(config):
                if job.model != name:
                    continue
                for candidate in study_model(config, name).candidates():
                    whole = {**candidate, **study_options(config, job)}
                    parse_options(options, whole, f"{place}.options")
        except ConfigError as error:
            findings += str(error).splitlines()
            continue
        if name == config.similarity_model and not issubclass(options, SnippetNetworkOptions):
            findings.append(
                f"kaur.similarity_model: {name} ({model.kind}) has no hidden layer: name a network."
            )
    return findings


def differences(
    config: KaurConfig, features: FeaturesConfig, folds: FoldsConfig, training: TrainingConfig
) -> list[str]:
    """Say where a configuration of the study departs from the paper, a sentence each."""
    published = KaurConfig()
    return [
        *_different_data(config, published),
        *_different_rest(config, features, folds, training),
        *_different_models(config, published),
        "Sizes of a model are chosen within every fold on its validation data; the paper does not "
        "say how. The intervals and the baselines are not in the paper.",
    ]


def _different_data(config: KaurConfig, published: KaurConfig) -> list[str]:
    notes = []
    frame = (config.origin, config.scale, config.upright)
    if frame != (published.origin, published.scale, published.upright):
        notes.append(
            f"Frame of reference: origin {config.origin}, lengths "
            f"{'in trunk lengths' if config.scale == 'trunk' else 'as they are'}, "
            f"{'turned upright' if config.upright else 'not turned'}; the paper moves the sternum "
            "to the origin and neither scales nor turns."
        )
    if config.feature_sets != published.feature_sets:
        sets = "; ".join(f"{name}: {', '.join(s)}" for name, s in config.feature_sets.items())
        notes.append(f"Inputs: {sets}.")
    missing = [str(o) for o in published.overlaps if o not in config.overlaps]
    if missing:
        notes.append(f"Overlaps of the paper that were left out: {', '.join(missing)}.")
    for key in ("folds", "random_state", "validation_share"):
        own, theirs = getattr(config, key), getattr(published, key)
        if own != theirs and "snippet" in config.splits:
            notes.append(f"{key} of the split by snippet: {own}, not {theirs}.")
    return notes


def _different_rest(
    config: KaurConfig, features: FeaturesConfig, folds: FoldsConfig, training: TrainingConfig
) -> list[str]:
    notes = []
    if features.missing_landmarks == "leave_out":
        notes.append("Landmarks and angles that a tracker lacks are left out.")
    if "infant" in config.splits:
        by_site = ", one a site" if folds.by == "site" else ""
        notes.append(f"The split by infant, of {folds.n} folds{by_site}, is not in the paper.")
    if not training.augment_flip:
        notes.append("Nothing was flipped.")
    return notes


def _plain(model: ModelConfig) -> dict[str, Any]:
    """Return plain values: lists and tuples are the same."""
    return model.model_dump(mode="json")


def _different_models(config: KaurConfig, published: KaurConfig) -> list[str]:
    notes = []
    absent = [name for name in published.models if name not in config.models]
    if absent:
        notes.append(f"Models that were left out: {', '.join(absent)}.")
    for name in config.models:
        model = study_model(config, name)
        if model.kind == "multirocket_hydra":
            notes.append(f"{name}: MultiRocket-Hydra is not in the paper.")
        elif name not in published.models or _plain(published.models[name]) != _plain(model):
            options = choice_text(model.options) or "none"
            grid = " or ".join(choice_text(grid) for grid in model.grid) or "none"
            notes.append(f"{name}: {model.kind}, options: {options}; to choose from: {grid}.")
    return notes
