"""What targets beside the report work on: studies, comparisons, labelling, readings, forgetting."""

from fidgety.config.compare_pose import BackendConfig
from fidgety.files import require_file
from fidgety.forget.whom import Whom, known_of, typed_infant
from fidgety.infants_index import INFANTS, Owned, absolute, add_infants, what_to_do
from fidgety.pose.finetune.inputs import label_files, named_recordings, network_inputs
from fidgety.reading.plan import choose_infants
from fidgety.skeletons import SKELETONS
from fidgety.study_gao import (
    Surroundings,
    check_rater,
    gao_beside,
    gao_features,
    gao_memory_mb,
    gao_models,
    gao_options,
    gao_runtime,
)
from fidgety.study_kaur import (
    StudyJob,
    closely,
    n_snippets,
    study_features,
    study_jobs,
    study_options,
)

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
    return [ancient(local(str(path))) for path in files]


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


def gao_fold_models(models):
    """Return the descriptions of all fold models of some models of the study of Gao 2023."""
    return expand(
        results("gao2023/models/{model}/fold-{fold}/model.json"), model=models, fold=FOLDS
    )


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
    """Return the files that raters sent back.

    Raises
    ------
    WorkflowError
        If one of them is no file.
    """
    found = sorted(Path(CONFIG.reading.returned).expanduser().glob("*.json"))
    try:
        for path in found:
            require_file(path)
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None
    return [local(str(path)) for path in found]


def owned_by_infants():
    """Return what everybody has by the sheet: recordings, their sources and corrections."""
    found = {}
    for infant, own in STUDY.infants.items():
        given = [(r.recording, column) for r in own for column in r.sources]
        urls = [url for one in given if (url := STUDY.url(*one))]
        # What a storage has lies nowhere here.
        sources = [STUDY.source(*one) for one in given if not STUDY.url(*one)]
        sources += [CORRECTIONS[r.recording] for r in own if r.recording in CORRECTIONS]
        names = frozenset(r.recording for r in own)
        found[infant] = Owned(names, absolute(sources, urls))
    return found


def remember_infants():
    """Keep what the sheet says of everybody: to be found when it does not any more."""
    if workflow.storage_settings.default_storage_provider:
        return
    try:
        aside = add_infants(Path(CONFIG.results) / INFANTS, owned_by_infants())
    except (FidgetyError, OSError) as error:
        raise WorkflowError(f"{CONFIG.results}: takes no index of infants: {error}") from None
    if aside is not None:
        print(
            f"{aside}: the index of infants was damaged and is begun anew; this one is kept aside. "
            f"{what_to_do(aside)}",
            file=sys.stderr,
        )


def forgotten():
    """Return whom to forget: infant, recordings, sources, and what stays as the user's own.

    Raises
    ------
    WorkflowError
        If no infant is named, or nobody knows it.
    """
    infant = typed_infant(sys.argv) or CONFIG.infant
    if infant is None:
        raise WorkflowError("forget: whom? Name the infant: --config infant=ID")
    in_sheet = owned_by_infants()
    tables = [path for role in Role for path in Path(CONFIG.results).glob(f"*/{role.value}.tsv")]
    try:
        own = known_of(Path(CONFIG.results), infant, in_sheet, tables)
    except FidgetyError as error:
        raise WorkflowError(str(error)) from None
    yours = []
    if infant in in_sheet:
        yours = [f"{CONFIG.sheet or 'the phantoms of the configuration'}: its rows"]
    for row in STUDY.infants.get(infant, ()):
        yours += [f"{path}: the {column}" for column, path in sorted(row.sources.items())]
        if row.recording in CORRECTIONS:
            yours.append(f"{CORRECTIONS[row.recording]}: corrections")
    if infant not in in_sheet:
        yours += [f"{source}: of an earlier sheet" for source in sorted(own.sources)]
    tables = [one for one in (CONFIG.sheet, CONFIG.intervals, CONFIG.folds.file) if one]
    folders = [CONFIG.corrections.folder, CONFIG.reading.returned]
    kept = absolute(os.path.expanduser(one) for one in (*tables, *folders))
    return {
        "infant": infant,
        "recordings": sorted(own.recordings),
        "sources": sorted(own.sources),
        "protected": sorted(kept.union(own.sources, *(one.sources for one in in_sheet.values()))),
        "common": [c.name for c in CONFIG.classes],
        "yours": yours,
    }


def all_patterns():
    """Return outputs, logs and benchmarks of every rule, with their wildcards."""
    return [
        [str(path) for path in (*r.output, *r.log, *([r.benchmark] if r.benchmark else []))]
        for r in workflow.rules
    ]


def patterns_below_results():
    """Return what rules write, as it lies inside the results folder."""
    written = [path for paths in all_patterns() for path in paths]
    return [os.path.relpath(path, CONFIG.results) for path in written]


def this_command(without):
    """Return the words of this call of snakemake, without its target."""
    # As it was typed, but for `python -m snakemake`.
    program = sys.argv[0] if Path(sys.argv[0]).name == "snakemake" else "snakemake"
    return [program, *[word for word in sys.argv[1:] if word != without]]
