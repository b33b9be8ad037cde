"""What models are: their options, what they read, what decides a training and what it takes."""

from fidgety.config.learning import ModelConfig
from fidgety.inclusion import BASICS
from fidgety.models.registry import READ_INFO

# Models from a bundle lie beside those that were trained here, and leave them as they are.
MODELS_FOLDER = results("bundled" if BUNDLE else "models")
# Infants of a bundle's folds are not known here, and none of the study's own is in one.
FOLDS_TABLE = [] if BUNDLE else results("folds.tsv")
ABOUT_BUNDLE = BUNDLE.about() if BUNDLE else {}


def fold_models(models):
    """Return the descriptions of all fold models of some models."""
    return expand(
        "{folder}/{model}/fold-{fold}/model.json", folder=MODELS_FOLDER, model=models, fold=FOLDS
    )


def fetched_models(descriptions, *more):
    """Return all files of fold models, where storage brings to a job what it names alone.

    Elsewhere their descriptions, or one list (`list_models`), stand for them.
    """
    if not workflow.storage_settings.default_storage_provider:
        return []
    beside = [one.replace("model.json", name) for one in descriptions for name in more]
    return [file for one in descriptions for file in (one, weights_beside(one))] + beside


def weights_beside(description):
    """Return the weights that belong to a model's description."""
    return description.replace("model.json", "weights.safetensors")


def candidates_of(model):
    """Return the numbers of a model's combinations of options, from 1."""
    return range(1, len(model.candidates()) + 1)


def candidate_models(wildcards):
    """Return the descriptions of a model's candidates in one fold."""
    folder = f"models/{wildcards.model}/fold-{wildcards.fold}"
    return [
        results(f"{folder}/candidate-{k}/model.json")
        for k in candidates_of(CONFIG.models[wildcards.model])
    ]


def training_config(model, candidate=1, **options):
    """Return what decides a training: the model with one combination of its grid, and how."""
    chosen = {**model.candidates()[candidate - 1], **options}
    return {
        "model": ModelConfig(kind=model.kind, options=chosen).model_dump(
            mode="json", exclude={"grid"}
        ),
        # Where it is computed reruns nothing.
        "training": section("training", without=("device",)),
        # Which infants are in which fold is said by the folds themselves.
        "folds": section("folds", *(() if SITES else ("n",)), "validation_share"),
        "evaluation": section("evaluation", "threshold", "wanted_sensitivity", "pooling"),
    }


def has(model, kinds, option):
    """Tell whether a model is of some kinds and does not have an option switched off."""
    if model.kind not in kinds:
        return False
    return any(getattr(one, option, True) for one in model_choices(model))


def characteristics_of(recordings, models):
    """Return recordings' characteristics, if any of some models reads them."""
    if not any(has(model, READ_INFO, "info") for model in models):
        return {}
    rows = rows_of(recordings, "recording", *BASICS)
    return {row.pop("recording"): row for row in rows}


def reference_of(wildcards):
    """Return the reference recordings, for a model that learns from annotated clips."""
    reads = has(CONFIG.models[wildcards.model], READ_REFERENCE, "reference")
    return recordings_of("reference") if reads else []


def learned_from():
    """Return how many infants the models learn from, and how many of them are phantoms."""
    if BUNDLE:
        infants = sum(ABOUT_BUNDLE["infants"].values())
        return {"infants": infants, "phantoms": ABOUT_BUNDLE["phantoms"]}
    with_clips = any(has(m, READ_REFERENCE, "reference") for m in CONFIG.models.values())
    read = recordings_of("development", *(["reference"] if with_clips else []))
    infants = {r.infant: is_phantom(r.cohort) for r in read}
    return {"infants": len(infants), "phantoms": sum(infants.values())}


def reads_pixels(wildcards):
    """Tell whether a model looks at pictures."""
    return CONFIG.models[wildcards.model].kind in READ_PIXELS


def read_by(model, recordings):
    """Return what a model reads of some recordings."""
    if model.kind in READ_PIXELS:
        return pixels_of(recordings)
    return paths("features/{recording}.h5", recordings)


def model_choices(model):
    """Return the options of a model, checked, one a combination of its grid."""
    options = MODEL_SYSTEMS.options(model.kind)
    return [parse_options(options, one, "models") for one in model.candidates()]


def checksums_of_model_files(model):
    """Return the content checksums of the files that a model starts from, by path."""
    files = {
        path
        for chosen in model_choices(model)
        for path in getattr(chosen, "files", dict)().values()
    }
    return {str(path): source_checksum(path, SOURCES) for path in sorted(files)}


def training_memory(model):
    """Estimate the memory of a training in MB: on a processor, pictures and large networks fill it."""
    sized = [chosen for chosen in model_choices(model) if hasattr(chosen, "memory_mb")]
    if not sized:
        return 4000
    if GPU:
        return 8000
    size = (CONFIG.pixels.size_px,) if model.kind in READ_PIXELS else ()
    return max(chosen.memory_mb(*size) for chosen in sized)


def timed_recordings():
    """Return recordings to time models on, one an infant, the most suitable first.

    Those of other cohorts come before development infants, and those with a video, which every
    model can read, before tracks. Some may have no result, so there are three.
    """
    for role in ("external", "new", "development"):
        own = [ASSESSED[infant][0] for infant in infants_of(role) if infant in ASSESSED]
        if own:
            return sorted(own, key=lambda r: not has_video(r.recording))[:3]
    return []


def training_benchmarks(model):
    """Return the benchmark files of a model's trainings, fold by fold."""
    if model in WITHOUT_GRID:
        return {k: [results(f"benchmarks/train_model/{model}-fold-{k}.tsv")] for k in FOLDS}
    return {
        k: [
            results(f"benchmarks/train_candidate/{model}-fold-{k}-candidate-{c}.tsv")
            for c in candidates_of(CONFIG.models[model])
        ]
        for k in FOLDS
    }


LEARNED_FROM = learned_from()
