"""What all stages share: the configuration, the study, and where files are."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# OpenMP threads that spin while they wait take the time of the job beside them.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Phantoms are drawn without a screen; VTK would look for an X server first.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

BASE = Path(workflow.basedir)
# Where the environments' post-deploy scripts find the lock.
os.environ.setdefault("FIDGETY_HOME", str(BASE))
if str(BASE) not in sys.path:
    sys.path.append(str(BASE))

from fidgety.background.registry import BACKGROUNDS
from fidgety.bundle.archive import open_bundle
from fidgety.bundle.settings import check_own_bundle, settle
from fidgety.checksums import CHECKSUMS_VARIABLE
from fidgety.checksums import FOLDER as CHECKSUMS_FOLDER
from fidgety.cohort import development_sites, read_study
from fidgety.config.options import parse_options
from fidgety.config.compare_pose import BackendConfig
from fidgety.config.learning import ModelConfig
from fidgety.config.root import parse_config
from fidgety.config.study import Role
from fidgety.features.registry import FEATURE_SETS
from fidgety.fingerprint import code_fingerprint, keep_index
from fidgety.forget import check_known, find_traces, recordings_in, told
from fidgety.hardware import visible_gpus
from fidgety.inclusion import BASICS, criteria
from fidgety.locks import LOCKS_VARIABLE
from fidgety.models.registry import (
    FIND_FIDGETY,
    MODEL_SYSTEMS,
    READ_INFO,
    READ_PIXELS,
    READ_REFERENCE,
)
from fidgety.phantom.plan import fm_intervals, plan_cohort
from fidgety.plan_check import check_plan
from fidgety.pose.corrections_files import find_corrections
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.finetune.inputs import label_files, named_recordings, network_inputs
from fidgety.pose.importers.registry import IMPORTER_MODULES
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.registry import ESTIMATORS
from fidgety.pose.together import TOGETHER_VARIABLE, asked_together
from fidgety.errors import FidgetyError, texts_version
from fidgety.reading.plan import choose_infants
from fidgety.results_folder import check_results_folder
from fidgety.skeleton_file import load_skeletons
from fidgety.skeletons import SKELETONS, as_dict
from fidgety.sources import SourceIndex, source_checksum
from fidgety.study_gao import (
    Surroundings,
    beside_name,
    check_rater,
    gao_beside,
    gao_differences,
    gao_features,
    gao_memory_mb,
    gao_models,
    gao_options,
    gao_runtime,
)
from fidgety.study_kaur import (
    StudyJob,
    closely,
    differences,
    n_snippets,
    similarity_of,
    study_features,
    study_jobs,
    study_model,
    study_options,
)

try:
    CONFIG = parse_config(config)
    keep_index(Path(CONFIG.results) / ".index" / "code.json")
    SOURCES = SourceIndex(Path(CONFIG.results) / ".index" / "sources.json")
    check_own_bundle(CONFIG, Path(workflow.overwrite_workdir or os.getcwd()))
    # Of models that were trained elsewhere: jobs check them again where they unpack them.
    BUNDLE = open_bundle(CONFIG.bundle, verify=workflow.is_main_process) if CONFIG.bundle else None
    AGAINST_BUNDLE = []
    if BUNDLE:
        CONFIG, AGAINST_BUNDLE = settle(
            CONFIG, BUNDLE.manifest, lambda path: source_checksum(path, SOURCES)
        )
    PHANTOMS = {
        spec.recording: spec for spec in plan_cohort(seed=CONFIG.seed, **dict(CONFIG.phantom))
    }
    STUDY = read_study(
        CONFIG,
        Path(workflow.overwrite_workdir or os.getcwd()),
        extra_rows=[spec.row() for spec in PHANTOMS.values()],
        extra_intervals=[
            {
                "recording": spec.recording,
                "start_s": start_s,
                "end_s": end_s,
                "movement": movement,
                "rater": "consensus",
            }
            for spec in PHANTOMS.values()
            for start_s, end_s, movement in fm_intervals(spec)
        ],
        extra_cohorts={spec.cohort: Role(spec.role) for spec in PHANTOMS.values()},
        bundled_classes=bool(BUNDLE) and CONFIG.classes == BUNDLE.manifest.classes,
    )
    OWN_SKELETONS = load_skeletons(
        CONFIG.pose.skeletons, Path(workflow.overwrite_workdir or os.getcwd())
    )
    check_plan(
        CONFIG,
        STUDY,
        lambda path: source_checksum(path, SOURCES),
        OWN_SKELETONS,
        AGAINST_BUNDLE,
    )
    CORRECTIONS = find_corrections(CONFIG.corrections.folder, STUDY.recordings)
    # With `folds.by: site` every site of the development cohorts is a fold.
    SITES = list(development_sites(STUDY)) if CONFIG.folds.by == "site" and not BUNDLE else []
    if SITES:
        CONFIG = CONFIG.with_folds(len(SITES))
except FidgetyError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    recording="[A-Za-z0-9_-]+",
    infant="[A-Za-z0-9_-]+",
    model="[A-Za-z0-9_-]+",
    backend="[A-Za-z0-9_-]+",
    fold="[0-9]+",
    candidate="[0-9]+",
    overlap="[0-9]+",
    split="infant|snippet",
    features="[A-Za-z0-9_-]+",
    role="[a-z]+",


# The body model keeps a cache: like everything else, below the results folder.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path.cwd() / CONFIG.results / ".cache" / "anny"))
# So do the locks between jobs: which GPU is taken, which training goes on.
os.environ.setdefault(LOCKS_VARIABLE, str(Path.cwd() / CONFIG.results / ".cache" / "locks"))
# And the checksums of what jobs have written, beside the results.
os.environ.setdefault(CHECKSUMS_VARIABLE, str(Path.cwd() / CONFIG.results / CHECKSUMS_FOLDER))
# Of a group of jobs on a cluster's machine, whoever comes first estimates the others' poses too.
if asked_together(sys.argv):
    os.environ.setdefault(TOGETHER_VARIABLE, asked_together(sys.argv))
# As many jobs use a GPU at once as there are, unless profile or command line say otherwise. A
# machine without any only submits such jobs.
GPUS = len(visible_gpus())
if GPUS and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = GPUS

SEED = CONFIG.seed
FOLDS = range(1, CONFIG.folds.n + 1)
MODELS = sorted(CONFIG.models)
# Of a model with a grid, every fold takes one of the candidates; the others it has no choice of.
WITH_GRID = [name for name in MODELS if CONFIG.models[name].grid]
WITHOUT_GRID = [name for name in MODELS if not CONFIG.models[name].grid]
# Clips are cut where there is a model that finds fidgety movements.
WITH_CLIPS = CONFIG.report.best_clips > 0 and any(
    model.kind in FIND_FIDGETY for model in CONFIG.models.values()
)
# Models of pictures read crops and flow, beside those that read features.
PICTURE_MODELS = [name for name in MODELS if CONFIG.models[name].kind in READ_PIXELS]
WITH_PIXELS = bool(PICTURE_MODELS)
WITH_PICTURES = WITH_PIXELS and CONFIG.report.pictures > 0
CLASSES = [c.model_dump() for c in CONFIG.classes]
# Sections of targets of their own: the report neither shows them nor changes with them.
BESIDE_THE_STUDY = {
    *("bundle", "compare_pose", "export", "gao", "kaur", "labelling", "pose_training", "publish"),
    *("infant", "reading"),
    *(() if WITH_PIXELS else ("pixels",)),
}
POSE_OPTIONS = parse_options(
    ESTIMATORS.options(CONFIG.pose.method), CONFIG.pose.options, "pose.options"
)
GPU = int(CONFIG.training.device == "gpu" or (CONFIG.training.device == "auto" and GPUS > 0))
# A GPU learns from pictures faster than one process unpacks them.
PIXEL_READERS = 8 if GPU else 1


def check_before_start():
    """Check what jobs write into, once it is known that there are any.

    Raises
    ------
    WorkflowError
        If they could not go on from it.
    """
    if workflow.storage_settings.default_storage_provider:
        return
    try:
        check_results_folder(Path(CONFIG.results))
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None


def results(path):
    """Return a path below the results folder."""
    return f"{CONFIG.results}/{path}"


def shown(name, category, what):
    """Return a file of the evaluation, marked for `snakemake --report` with its caption."""
    return report(
        results(f"evaluation/{name}"),
        caption=f"../report/{Path(name).stem}.rst",
        category=category,
        labels={"what": what, "kind": "figure" if name.endswith(".svg") else "table"},
    )


def with_phantoms():
    """Tell whether the study has digital phantoms, whatever sheet they are in."""
    # Imported here: planning needs no tables.
    from fidgety.evaluation.records import is_phantom

    return any(is_phantom(recording.cohort) for recording in STUDY.recordings.values())


def growing(mem_mb):
    """Return the memory of a job in MB, a number or a function: as much more on every retry.

    How often a job is retried is the profile's alone: `retries` of a rule would multiply with it.
    """

    def grown(wildcards, attempt):
        return attempt * (mem_mb(wildcards) if callable(mem_mb) else mem_mb)

    return grown


def one_gpu(wanted):
    """Return the GPUs of a job: one or none at all, as executors take 0 for a wish as well."""
    return 1 if wanted else None


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


def fetched_models(descriptions):
    """Return all files of the fold models, where storage brings to a job what it names alone.

    Elsewhere one list stands for them (`list_models`).
    """
    if not workflow.storage_settings.default_storage_provider:
        return []
    return [file for one in descriptions for file in (one, weights_beside(one))]


def weights_beside(description):
    """Return the weights that belong to a model's description."""
    return description.replace("model.json", "weights.safetensors")


def code_of(name, *modules, libraries=(), data=()):
    """Return the fingerprint of a stage: its script, its library code, its libraries."""
    return code_fingerprint(
        BASE / "workflow_scripts" / f"{name}.py", tuple(modules), tuple(libraries), tuple(data)
    )


def section(name, *keys, without=()):
    """Return a section of the configuration, or some of its keys, as plain values."""
    return getattr(CONFIG, name).model_dump(
        mode="json", include=set(keys) or None, exclude=set(without) or None
    )


#: Keys of `evaluation` that `snakemake compare` alone reads.
ZONE_KEYS = ("zone_sensitivity", "zone_specificity")
SUBGROUP_KEYS = ("outcome_prevalence", "age_band_weeks")
COMPARE_KEYS = ("prevalence", *ZONE_KEYS, *SUBGROUP_KEYS)


def one_of(names):
    """Return a pattern of some names alone, which nothing matches where there are none."""
    return "|".join(names) or "(?!)"


def candidates_of(model):
    """Return the numbers of a model's combinations of options, from 1."""
    return range(1, len(model.candidates()) + 1)


def training_config(model, candidate=1, **options):
    """Return what decides a training: the model with one combination of its grid, and how."""
    chosen = {**model.candidates()[candidate - 1], **options}
    return {
        "model": ModelConfig(kind=model.kind, options=chosen).model_dump(
            mode="json", exclude={"grid"}
        ),
        "training": section("training"),
        # Which infants are in which fold is said by the folds themselves.
        "folds": section("folds", *(() if SITES else ("n",)), "validation_share"),
        "evaluation": section("evaluation", "threshold", "wanted_sensitivity", "pooling"),
    }


def recordings_of(*roles):
    """Return the included recordings of some roles."""
    return [
        r for role in roles for r in STUDY.by_role(Role(role)) if STUDY.is_included(r.recording)
    ]


def infants_of(*roles):
    """Return the infants with an included recording of some roles."""
    return sorted({r.infant for r in recordings_of(*roles)})


def infants_with_roles():
    """Return role and recordings of every infant with an included recording."""
    found = {}
    for one in recordings_of(*EVALUATED_ROLES):
        role = STUDY.role(one.recording).value
        found.setdefault(one.infant, {"role": role, "recordings": []})
        found[one.infant]["recordings"].append(one.recording)
    return found


def asking_options():
    """Return what another call of snakemake needs to see the files as this one does."""
    deployment = workflow.deployment_settings.deployment_method
    stored = workflow.storage_settings
    options = {
        "--rerun-triggers": [trigger.item_to_choice() for trigger in workflow.rerun_triggers],
        "--software-deployment-method": [method.item_to_choice() for method in deployment],
        "--default-storage-provider": [stored.default_storage_provider or ""],
        "--default-storage-prefix": [stored.default_storage_prefix or ""],
    }
    # The configuration that is handed on is the whole of it.
    asked = ["--replace-workflow-config"]
    for name, values in options.items():
        given = sorted(filter(None, values))
        asked += [name, *given] if given else []
    return asked


ASSESSED_ROLES = ("development", "external", "new")
EVALUATED_ROLES = (*ASSESSED_ROLES, "reference")
ASSESSED = {}
for _recording in recordings_of(*ASSESSED_ROLES):
    ASSESSED.setdefault(_recording.infant, []).append(_recording)
# Any other page is made when it is asked for by its name.
WITH_PAGE = [
    infant
    for infant, own in sorted(ASSESSED.items())
    if CONFIG.report.pages == "all"
    or (CONFIG.report.pages == "new" and STUDY.role(own[0].recording) is Role.NEW)
]


LIFTING = parse_options(
    LIFTERS.options(CONFIG.lifting.method), CONFIG.lifting.options, "lifting.options"
)
# Conversion costs less than a job: only a network's lifting is one of its own.
LIFTED_BY_CLEANING = CONFIG.lifting.method == "estimator"
LIFTED_WITH_CLEANING = (
    {"lifted": results("pose/lifted/{recording}.h5")} if LIFTED_BY_CLEANING else {}
)


def has_video(recording):
    """Tell whether a recording has a video."""
    phantom = PHANTOMS.get(recording)
    return phantom.kind == "video" if phantom else STUDY.recordings[recording].video is not None


def has_tracks(recording):
    """Tell whether a recording comes with tracks, which then count, video or not."""
    phantom = PHANTOMS.get(recording)
    return phantom.kind != "video" if phantom else STUDY.recordings[recording].pose is not None


IMPORTED = [
    r.recording
    for r in recordings_of(*EVALUATED_ROLES)
    if has_tracks(r.recording) and r.recording not in PHANTOMS
]
ESTIMATED = [r.recording for r in recordings_of(*EVALUATED_ROLES) if not has_tracks(r.recording)]


def check_storages():
    """Ask for the plugins of the sheet's URLs before any job.

    Raises
    ------
    WorkflowError
        If one is missing: which one, and how to get it.
    """
    urls = [url for r in STUDY.recordings for c in ("video", "pose") if (url := STUDY.url(r, c))]
    for scheme, url in {url.split("://")[0].lower(): url for url in urls}.items():
        try:
            _ = storage(url)
        except WorkflowError as error:
            raise WorkflowError(
                f"sheet: {url}: no storage plugin takes this URL. Install it beside snakemake "
                f"(python -m pip install snakemake-storage-plugin-{scheme}), or correct the URL: "
                f"docs/clusters.md.\n{error}"
            ) from None


if workflow.is_main_process:
    check_storages()


def source_file(recording, column):
    """Return the user's file: of this machine by content alone, of a storage by its date."""
    if url := STUDY.url(recording, column):
        return storage(url)
    # With results in a storage, a path of the sheet is still one of this machine.
    return ancient(local(str(STUDY.source(recording, column))))


def source_content(recording, column):
    """Return the content checksum of the user's file, or the URL of what a storage has."""
    if url := STUDY.url(recording, column):
        return url
    return source_checksum(STUDY.source(recording, column), SOURCES)


def source_video(wildcards):
    """Return a recording's source: the user's by content alone, a phantom's by its rule."""
    if wildcards.recording in PHANTOMS:
        return results(f"phantom/{wildcards.recording}/video.mp4")
    return source_file(wildcards.recording, "video")


def track_inputs(wildcards):
    """Return a recording's tracks (a file or a folder), and the record of a video beside them."""
    if wildcards.recording in PHANTOMS:
        return {"track": results(f"phantom/{wildcards.recording}/track.nc")}
    tracks = {"track": source_file(wildcards.recording, "pose")}
    if not has_video(wildcards.recording):
        return tracks
    return tracks | {"record": results("video/{recording}.json").format(**wildcards)}


def checksum_of_video(wildcards):
    """Return the content checksum of the user's video; a phantom's is its specification."""
    if wildcards.recording in PHANTOMS:
        return ""
    return source_content(wildcards.recording, "video")


def checksum_of_track(wildcards):
    """Return the content checksum of the user's tracks; a phantom's is its specification."""
    if wildcards.recording in PHANTOMS:
        return ""
    return source_content(wildcards.recording, "pose")


def corrections_of(wildcards):
    """Return a recording's corrections by hand, if there are any: by content alone."""
    path = CORRECTIONS.get(wildcards.recording)
    return ancient(str(path)) if path else []


def checksum_of_corrections(wildcards):
    """Return the content checksum of a recording's corrections, nothing if there are none."""
    path = CORRECTIONS.get(wildcards.recording)
    return source_checksum(path, SOURCES) if path else ""


def checksums_of_pose_files(wildcards):
    """Return the content checksums of the estimator's own files, by the option that names them."""
    return {key: source_checksum(path, SOURCES) for key, path in POSE_OPTIONS.files().items()}


COMPARED = CONFIG.compare_pose.backends or {
    CONFIG.pose.method: BackendConfig(method=CONFIG.pose.method, options=CONFIG.pose.options)
}


def compared_options(wildcards):
    """Return the options of a backend that is compared."""
    backend = COMPARED[wildcards.backend]
    return parse_options(ESTIMATORS.options(backend.method), backend.options, wildcards.backend)


def compared_recordings():
    """Return the recordings that backends are compared on: named, or one of each first infant."""
    named = CONFIG.compare_pose.recordings
    without = [name for name in named if not has_video(name)]
    if without:
        raise WorkflowError(f"compare_pose.recordings: {', '.join(without)} have no video.")
    by_infant = {}
    for recording in recordings_of(*EVALUATED_ROLES):
        if has_video(recording.recording):
            by_infant.setdefault(recording.infant, recording.recording)
    return list(named) or list(by_infant.values())[: CONFIG.compare_pose.n_recordings]


def compared_annotations(recordings):
    """Return what was marked by hand: one file of all, or a recording's own."""
    if CONFIG.compare_pose.annotations is None:
        return {}
    path = Path(CONFIG.compare_pose.annotations).expanduser()
    if not path.is_dir():
        return {"*": path}
    found = find_corrections(path, STUDY.recordings)
    return {name: found[name] for name in recordings if name in found}


COMPARED_RECORDINGS = compared_recordings()
COMPARED_JOBS = [(backend, name) for backend in COMPARED for name in COMPARED_RECORDINGS]
COMPARED_ANNOTATIONS = compared_annotations(COMPARED_RECORDINGS)


def raw_pose(wildcards):
    """Return the pose that cleaning starts from: estimated or imported."""
    kind = "imported" if has_tracks(wildcards.recording) else "raw"
    return results(f"pose/{kind}/{wildcards.recording}.h5")


def cleaning_inputs(wildcards):
    """Return what is cleaned, a recording's corrections, and the size of the picture they are in.

    Corrections count by content alone, like a source: their checksum is a parameter.
    """
    given = {"pose": raw_pose(wildcards)}
    corrections = corrections_of(wildcards)
    if corrections:
        given["corrections"] = corrections
        if has_video(wildcards.recording):
            given["record"] = results(f"video/{wildcards.recording}.json")
    return given


def paths(pattern, recordings):
    """Return one path a recording."""
    return [results(pattern.format(recording=r.recording)) for r in recordings]


def feature_inputs(wildcards):
    """Return what features are built from; of a video, how the camera moved and its length."""
    given = {
        "clean": results(f"pose/clean/{wildcards.recording}.h5"),
        "lifted": results(f"pose/lifted/{wildcards.recording}.h5"),
    }
    if has_video(wildcards.recording):
        given["background"] = results(f"background/{wildcards.recording}.h5")
        given["record"] = results(f"video/{wildcards.recording}.json")
    return given


def exported_pose(wildcards):
    """Return the pose that is exported: cleaned, or as it came."""
    if CONFIG.export.tracks == "raw":
        return raw_pose(wildcards)
    return results("pose/clean/{recording}.h5").format(**wildcards)


def collect_exports(wildcards):
    """Return the exports of all included recordings."""
    return paths("export/{recording}", recordings_of(*[role.value for role in Role]))


def review_inputs(wildcards):
    """Return what a review is made from: the pose before cleaning, and the pictures."""
    given = {"pose": raw_pose(wildcards), "corrections": corrections_of(wildcards)}
    given |= {k: v for k, v in overlay_inputs(wildcards).items() if k != "clean"}
    return {name: path for name, path in given.items() if path}


def collect_features(wildcards):
    """Return the features of all included recordings."""
    return paths("features/{recording}.h5", recordings_of(*[role.value for role in Role]))


def collect_pixels(wildcards):
    """Return the crops and flow of all included recordings that have a video."""
    recordings = recordings_of(*[role.value for role in Role])
    return paths("pixels/{recording}.h5", [r for r in recordings if has_video(r.recording)])


def collect_predictions(wildcards):
    """Return the predictions of all infants that are assessed."""
    return [results(f"predictions/{infant}.h5") for infant in sorted(ASSESSED)]


def rows_of(recordings, *columns):
    """Return sheet rows, or some of their columns, as plain values; never the file's path."""
    kept = {
        "exclude_none": True,
        "exclude": {"video", "pose", "fps"},
        "include": set(columns) or None,
    }
    return [r.model_dump(mode="json", **kept) for r in recordings]


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


def intervals_of(recordings):
    """Return the annotated intervals of some recordings."""
    return [i.model_dump(mode="json") for r in recordings for i in STUDY.intervals_of(r.recording)]


def places_of_intervals(recordings):
    """Return where the annotated intervals of some recordings lie, by recording."""
    found = {r.recording: STUDY.intervals_of(r.recording) for r in recordings}
    return {name: [[i.start_s, i.end_s] for i in own] for name, own in found.items() if own}


def reference_of(wildcards):
    """Return the reference recordings, for a model that learns from annotated clips."""
    reads = has(CONFIG.models[wildcards.model], READ_REFERENCE, "reference")
    return recordings_of("reference") if reads else []


def reads_pixels(wildcards):
    """Tell whether a model looks at pictures."""
    return CONFIG.models[wildcards.model].kind in READ_PIXELS


def pixels_of(recordings):
    """Return crops and flow of those recordings that have a video, if a model looks at them."""
    shown = [r for r in recordings if has_video(r.recording)]
    return paths("pixels/{recording}.h5", shown if WITH_PIXELS else [])


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


def cohort_tables(wildcards):
    """Return the cohort tables of all roles that have a recording in the sheet."""
    return [results(f"cohort/{role}.tsv") for role in EVALUATED_ROLES if STUDY.by_role(Role(role))]


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


def lifting_inputs(wildcards):
    """Return what a network lifts: the clean pose, and where there is a video its size."""
    inputs = {"clean": results(f"pose/clean/{wildcards.recording}.h5")}
    if has_video(wildcards.recording):
        inputs["record"] = results(f"video/{wildcards.recording}.json")
    return inputs


def overlay_inputs(wildcards):
    """Return what an overlay is drawn from: tracks have no video."""
    clean = {"clean": results(f"pose/clean/{wildcards.recording}.h5")}
    if not has_video(wildcards.recording):
        return clean
    return clean | {
        "video": results(f"video/{wildcards.recording}.mp4"),
        "record": results(f"video/{wildcards.recording}.json"),
        "background": results(f"background/{wildcards.recording}.h5"),
    }


LABELLED_SKELETON = as_dict(
    {**SKELETONS, **{s.name: s for s in OWN_SKELETONS}}[CONFIG.labelling.skeleton]
)


def labelled_recordings():
    """Return the recordings with a video that frames are picked from."""
    chosen = CONFIG.labelling.recordings
    named = [STUDY.recordings[name] for name in chosen]
    return [
        r.recording
        for r in (named or recordings_of(*CONFIG.labelling.roles))
        if has_video(r.recording)
    ]


def labelling_inputs(wildcards):
    """Return what a recording's frames are chosen by: its video; body and pose as configured."""
    given = {
        "video": results("video/{recording}.mp4"),
        "record": results("video/{recording}.json"),
    }
    if CONFIG.labelling.prelabel:
        given["background"] = results("background/{recording}.h5")
        given["clean"] = results("pose/clean/{recording}.h5")
    return {name: path.format(**wildcards) for name, path in given.items()}


def picked_frames(wildcards):
    """Return the picked frames of all recordings that are to be labelled."""
    return [results(f"labelling/frames/{name}.h5") for name in labelled_recordings()]


def pose_labels(wildcards):
    """Return the files that a pose model is fine-tuned on and from: by content alone."""
    files = label_files(CONFIG.pose_training) + network_inputs(CONFIG.pose_training)
    return [ancient(str(path)) for path in files]


def checksums_of_labels(wildcards):
    """Return the content checksums of what a pose model is fine-tuned on and from."""
    return [source_checksum(Path(str(path)), SOURCES) for path in pose_labels(wildcards)]


def labelled_infants(wildcards):
    """Return who is in the recordings that files of labels name."""
    named = named_recordings(label_files(CONFIG.pose_training), STUDY.recordings)
    return {name: STUDY.recordings[name].infant for name in named}


STUDY_JOBS = [vars(job) for job in study_jobs(CONFIG.kaur)]
STUDY_FEATURES = study_features(CONFIG.kaur, CONFIG.features)


def closely_looked_at(split):
    """Return the wildcards of the study's model whose last hidden layer is looked at."""
    return vars(closely(CONFIG.kaur, split))


# Splits whose networks' last hidden layer is looked at: all, or none without a network.
LOOKED_AT = list(CONFIG.kaur.splits) if similarity_of(CONFIG.kaur) else []


def study_config(wildcards, candidate=1):
    """Return what decides a training of the study of Kaur 2025."""
    kaur = CONFIG.kaur
    named = dict(wildcards)
    job = StudyJob(named["split"], named["features"], int(named["overlap"]), named["model"])
    model = study_model(kaur, job.model)
    config = training_config(model, candidate, **study_options(kaur, job))
    # An infant's score in the study is the mean over its snippets: so are thresholds chosen.
    config["evaluation"]["pooling"] = "infant"
    if job.split == "infant":
        return config
    split = {
        "n": kaur.folds,
        "random_state": kaur.random_state,
        "validation_share": kaur.validation_share,
    }
    return config | {"snippets": split}


def study_models(wildcards):
    """Return the models of a job of the study: candidate by candidate, each in all folds."""
    named = dict(wildcards)
    folder = "kaur2025/{split}/{features}/overlap-{overlap}/{model}".format(**named)
    folds = FOLDS if named["split"] == "infant" else range(1, CONFIG.kaur.folds + 1)
    return [
        results(f"{folder}/fold-{fold}/candidate-{k}/model.json")
        for k in candidates_of(study_model(CONFIG.kaur, named["model"]))
        for fold in folds
    ]


def study_snippets(wildcards):
    """Estimate how many development snippets a job of the study reads."""
    return n_snippets(CONFIG.kaur, int(wildcards.overlap), len(recordings_of("development")))


def study_memory_mb(wildcards):
    """Estimate the memory of a training: series, and snippets where a model lays them out."""
    series = 10 * len(recordings_of("development"))
    options = study_model(CONFIG.kaur, wildcards.model).options
    laid_out = min(1500 * options.get("max_gb", 0), 0.3 * study_snippets(wildcards))
    return int(3000 + series + laid_out)


def study_runtime(wildcards):
    """Estimate the minutes of a training: some seconds a snippet for the slowest network."""
    return min(60 + study_snippets(wildcards) // 25, 7 * 24 * 60)


GAO_MODELS = gao_models(CONFIG.gao)
GAO_FEATURES = gao_features(CONFIG.gao, CONFIG.features)
GAO_BESIDE = gao_beside(CONFIG.gao, CONFIG.models)


def gao_predictions(wildcards):
    """Return what the models of the study of Gao 2023 say of all infants that are assessed."""
    return [results(f"gao2023/predictions/{infant}.h5") for infant in sorted(ASSESSED)]


AROUND_THE_STUDY = Surroundings(
    CONFIG.cleaning,
    CONFIG.lifting,
    CONFIG.features,
    CONFIG.inclusion,
    CONFIG.folds,
    CONFIG.training,
)


def gao_reference(wildcards):
    """Return the reference recordings, for a model of the study that learns from their clips."""
    reads = has(GAO_MODELS[wildcards.model], READ_REFERENCE, "reference")
    return recordings_of("reference") if reads else []


def gao_recordings(wildcards):
    """Return how many recordings a training of the study reads."""
    return len(recordings_of("development")) + len(gao_reference(wildcards))


def gao_memory(wildcards):
    """Estimate the memory of a training of the study."""
    sets = gao_options(CONFIG.gao, wildcards.model).feature_sets
    return gao_memory_mb(gao_recordings(wildcards), 51 * len(sets))


def gao_minutes(wildcards):
    """Estimate the minutes of a training of the study."""
    return gao_runtime(CONFIG.gao, wildcards.model, gao_recordings(wildcards), bool(GPU))


def is_asked_for(target):
    """Tell whether a target, its folder or archive, or a file in it, was named to Snakemake."""
    # Snakemake knows its targets only when all rules are read.
    folder = os.path.abspath(results(target))
    named = [os.path.abspath(word) for word in sys.argv[1:]]
    return target in sys.argv[1:] or any(
        word in (folder, f"{folder}.zip") or word.startswith(f"{folder}/") for word in named
    )


def assessed_intervals():
    """Return the annotated intervals of the infants that are assessed."""
    return intervals_of(recordings_of(*ASSESSED_ROLES))


if is_asked_for("gao2023"):
    try:
        check_rater(CONFIG.gao, [i["rater"] for i in assessed_intervals()])
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None


def read_recordings():
    """Return the recordings that raters read: of each chosen infant the first with a video."""
    videos = {i: [r for r in own if has_video(r.recording)] for i, own in ASSESSED.items()}
    known = [infant for infant, own in videos.items() if own]
    return [videos[infant][0] for infant in choose_infants(known, CONFIG.reading, SEED)]


def returned_files(wildcards):
    """Return the files that raters sent back."""
    return sorted(map(str, Path(CONFIG.reading.returned).expanduser().glob("*.json")))


def forgotten():
    """Return whom to forget: infant, recordings, its sources, and what stays as the user's own.

    Raises
    ------
    WorkflowError
        If no infant is named, or nobody knows it.
    """
    if CONFIG.infant is None:
        raise WorkflowError("forget: whom? Name the infant: --config infant=ID")
    own = {name: row for name, row in STUDY.recordings.items() if row.infant == CONFIG.infant}
    tables = [path for role in Role for path in Path(CONFIG.results).glob(f"*/{role.value}.tsv")]
    try:
        recordings = set(own) | recordings_in(tables, CONFIG.infant)
        check_known(CONFIG.infant, recordings, {r.infant for r in STUDY.recordings.values()})
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None
    yours = [f"{CONFIG.sheet or 'the phantoms of the configuration'}: its rows"] if own else []
    sources = []
    for name, row in own.items():
        yours += [f"{path}: the {column}" for column, path in sorted(row.sources.items())]
        # As the index of checksums has them: what a storage has is in none.
        local_ones = [column for column in row.sources if not STUDY.url(name, column)]
        sources += [str(STUDY.source(name, column)) for column in local_ones]
        if name in CORRECTIONS:
            yours.append(f"{CORRECTIONS[name]}: corrections")
            sources.append(str(CORRECTIONS[name]))
    return {
        "infant": CONFIG.infant,
        "recordings": sorted(recordings),
        "sources": sources,
        "yours": yours,
    }


def all_patterns():
    """Return outputs, logs and benchmarks of every rule, with their wildcards."""
    return [
        [str(path) for path in (*r.output, *r.log, *([r.benchmark] if r.benchmark else []))]
        for r in workflow.rules
    ]


def this_command(without):
    """Return the words of this call of snakemake, without its target."""
    # As it was typed, but for `python -m snakemake`.
    program = sys.argv[0] if Path(sys.argv[0]).name == "snakemake" else "snakemake"
    return [program, *[word for word in sys.argv[1:] if word != without]]
