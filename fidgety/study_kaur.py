"""The plan of the study of Kaur 2025: which models are trained on which snippets.

The sweep over overlaps is made with one input; every input is tried at the overlap that is looked
at closely. NumPy and PyTorch are not needed to plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fidgety.config.features import FeaturesConfig
from fidgety.config.kaur import KaurConfig
from fidgety.config.learning import choice_text
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


def closely(config: KaurConfig, split: str) -> StudyJob:
    """Return the job whose last hidden layer is looked at."""
    return StudyJob(split, config.features, config.overlap, config.similarity_model)


def study_options(config: KaurConfig, job: StudyJob) -> dict[str, Any]:
    """Return the options that the study sets for a job, whatever the candidate."""
    return {
        "feature_sets": list(config.feature_sets[job.features]),
        "overlap_frames": job.overlap,
    }


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
        findings += [
            f"kaur.feature_sets.{name}: {one!r} is no feature set."
            f"{suggest(one, FEATURE_SETS.names())}"
            for one in sets
            if one not in FEATURE_SETS.names()
        ]
    for name, model in config.models.items():
        place = f"kaur.models.{name}"
        for key in {*model.options, *(key for grid in model.grid for key in grid)}:
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
                for candidate in model.candidates():
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


def differences(config: KaurConfig) -> list[str]:
    """Say where a configuration of the study departs from the paper, a sentence each."""
    published = KaurConfig()
    notes = []
    frame = (config.origin, config.scale, config.upright)
    if frame != (published.origin, published.scale, published.upright):
        notes.append(
            f"Frame of reference: origin {config.origin}, lengths "
            f"{'in trunk lengths' if config.scale == 'trunk' else 'as they are'}, "
            f"{'turned upright' if config.upright else 'not turned'}; the paper moves the sternum "
            "to the origin and neither scales nor turns."
        )
    missing = [str(o) for o in published.overlaps if o not in config.overlaps]
    if missing:
        notes.append(f"Overlaps of the paper that were left out: {', '.join(missing)}.")
    if config.random_state != published.random_state:
        notes.append(f"random_state of the split by snippet: {config.random_state}, not 42.")
    for name, model in config.models.items():
        if published.models.get(name) != model:
            options = choice_text(model.options) or "none"
            notes.append(f"{name}: {model.kind} with options of your own ({options}).")
    notes.append(
        "Sizes of a model are chosen within every fold by the loss on its validation data; the "
        "paper does not say how."
    )
    notes.append("MultiRocket-Hydra, the intervals and the baselines are not in the paper.")
    return notes
