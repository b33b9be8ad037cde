"""What all stages share: the configuration, the study, and where files are."""

import gc
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# A plan is objects by the million that all stay: looking for garbage among them as often as Python
# does on its own takes a tenth of the time, and finds none.
gc.set_threshold(20_000, 50, 50)

# OpenMP threads that spin while they wait take the time of the job beside them.
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Phantoms are drawn without a screen; VTK would look for an X server first.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

BASE = Path(workflow.basedir)
# Where the environments' post-deploy scripts find the lock.
os.environ.setdefault("FIDGETY_HOME", str(BASE))

from fidgety.background.registry import BACKGROUNDS
from fidgety.bundle.archive import open_bundle
from fidgety.bundle.settings import check_own_bundle, settle
from fidgety.checksums import CHECKSUMS_VARIABLE
from fidgety.checksums import FOLDER as CHECKSUMS_FOLDER
from fidgety.cohort import development_sites, read_study
from fidgety.config.options import parse_options
from fidgety.config.root import parse_config
from fidgety.config.study import Role
from fidgety.errors import FidgetyError, texts_version
from fidgety.features.registry import FEATURE_SETS
from fidgety.fingerprint import code_fingerprint, keep_index
from fidgety.forget.layout import stage_folders
from fidgety.forget.removal import told
from fidgety.forget.search import find_traces
from fidgety.hardware import visible_gpus
from fidgety.inclusion import criteria
from fidgety.locks import LOCKS_VARIABLE
from fidgety.models.registry import FIND_FIDGETY, MODEL_SYSTEMS, READ_PIXELS, READ_REFERENCE
from fidgety.phantom.names import is_phantom
from fidgety.phantom.plan import fm_intervals, plan_cohort
from fidgety.plan_check import check_plan
from fidgety.pose.corrections_files import find_corrections
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.importers.registry import IMPORTER_MODULES
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.registry import ESTIMATORS
from fidgety.pose.together import TOGETHER_VARIABLE, asked_together
from fidgety.results_folder import check_results_folder
from fidgety.skeleton_file import load_skeletons
from fidgety.skeletons import as_dict
from fidgety.sources import SourceIndex, plugin_hint, source_checksum
from fidgety.study_gao import beside_name, gao_differences
from fidgety.study_kaur import differences, similarity_of, study_model

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
        BASE,
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


# The body model and PyTorch keep caches: like everything else, below the results folder.
os.environ.setdefault("ANNY_CACHE_DIR", str(Path.cwd() / CONFIG.results / ".cache" / "anny"))
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path.cwd() / CONFIG.results / ".cache/torch"))
# So do the locks between jobs: which training goes on. Which GPU is taken is the machine's.
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
        check_results_folder(Path(CONFIG.results), stages=stage_folders(patterns_below_results()))
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


def phantom_note():
    """Return what stands below figures where the study has digital phantoms, else nothing."""
    infants = {r.infant: is_phantom(r.cohort) for r in STUDY.recordings.values()}
    phantoms = sum(infants.values())
    if not phantoms:
        return ""
    whom = "All" if phantoms == len(infants) else f"{phantoms} of"
    return f"{whom} {len(infants)} infants are digital phantoms, which say nothing about infants."


PHANTOM_NOTE = phantom_note()


def growing(amount):
    """Return what a job asks for (MB, minutes), a number or a function: as much more every retry.

    How often a job is retried is the profile's alone: `retries` of a rule would multiply with it.
    A group asks for the minutes of all its members, so those of grouped rules are scant and grow.
    """

    def grown(wildcards, attempt):
        return attempt * (amount(wildcards) if callable(amount) else amount)

    return grown


def one_gpu(wanted):
    """Return the GPUs of a job: one or none at all, as executors take 0 for a wish as well."""
    return 1 if wanted else None


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


def without_device(values):
    """Return a section or options without the device: a job is told it by a parameter of its own."""
    return {name: value for name, value in values.items() if name != "device"}


def apart(value):
    """Return a parameter, a value or a function, that reruns nothing when it changes.

    Snakemake compares none that is made from the threads. It is for what decides where something
    is computed, and not what.
    """

    def given(wildcards, threads):
        return value(wildcards) if callable(value) else value

    return given


def device_of(options):
    """Return the device that options name, none where a method has no choice."""
    return getattr(options, "device", None)


def pose_section(method=CONFIG.pose.method, options=CONFIG.pose.options):
    """Return what an estimator makes a pose by: files and names of other trackers are the import's."""
    own = section("pose", without=("skeletons", "keypoint_names"))
    return {**own, "method": method, "options": without_device(options)}


#: Keys of `evaluation` that `snakemake compare` alone reads.
ZONE_KEYS = ("zone_sensitivity", "zone_specificity")
SUBGROUP_KEYS = ("outcome_prevalence", "age_band_weeks")
COMPARE_KEYS = ("prevalence", *ZONE_KEYS, *SUBGROUP_KEYS)


def one_of(names):
    """Return a pattern of some names alone, which nothing matches where there are none."""
    return "|".join(names) or "(?!)"


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
    return ["--replace-workflow-config", *options_given(options)]


def forcing_options():
    """Return what another call of snakemake needs to run again, and to leave out, what this would."""
    asked = workflow.dag_settings
    options = {
        "--forcerun": asked.forcerun,
        "--until": asked.until,
        "--omit-from": asked.omit_from,
    }
    return [*options_given(options), *(["--forceall"] if asked.forceall else [])]


def options_given(options):
    """Return the words of options that have values."""
    words = []
    for name, values in options.items():
        given = sorted(str(value) for value in values if value)
        words += [name, *given] if given else []
    return words


ASSESSED_ROLES = ("development", "external", "new")
EVALUATED_ROLES = (*ASSESSED_ROLES, "reference")
ASSESSED = {}
for _recording in recordings_of(*ASSESSED_ROLES):
    ASSESSED.setdefault(_recording.infant, []).append(_recording)
# Any other page is made when it is asked for by its name, and kept up to date from then on.
WITH_PAGE = [
    infant
    for infant, own in sorted(ASSESSED.items())
    if CONFIG.report.has_page(STUDY.role(own[0].recording), len(ASSESSED))
    or Path(results(f"report/infants/{infant}.html")).exists()
]


def paths(pattern, recordings):
    """Return one path a recording."""
    return [results(pattern.format(recording=r.recording)) for r in recordings]


def rows_of(recordings, *columns):
    """Return sheet rows, or some of their columns, as plain values; never the file's path."""
    kept = {
        "exclude_none": True,
        "exclude": {"video", "pose", "fps"},
        "include": set(columns) or None,
    }
    return [r.model_dump(mode="json", **kept) for r in recordings]


def intervals_of(recordings):
    """Return the annotated intervals of some recordings."""
    return [i.model_dump(mode="json") for r in recordings for i in STUDY.intervals_of(r.recording)]


def places_of_intervals(recordings):
    """Return where the annotated intervals of some recordings lie, by recording."""
    found = {r.recording: STUDY.intervals_of(r.recording) for r in recordings}
    return {name: [[i.start_s, i.end_s] for i in own] for name, own in found.items() if own}
