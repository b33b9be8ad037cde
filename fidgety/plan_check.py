"""Mistakes that can be found before any job runs, all of them at once.

What :mod:`fidgety.config.root` cannot see: whether the chosen methods and models exist and
take the options that they are given, whether the features that the models read are built,
and whether there are infants enough for the folds.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fidgety.background.registry import BACKGROUNDS
from fidgety.bundle.settings import check_publish
from fidgety.cohort import Study, development_sites
from fidgety.config.learning import MODEL_NAME
from fidgety.config.options import parse_options
from fidgety.config.root import Config
from fidgety.config.study import Role
from fidgety.errors import ConfigError
from fidgety.features.registry import FEATURE_SETS
from fidgety.models.registry import FIND_FIDGETY, MODEL_SYSTEMS, READ_PIXELS
from fidgety.pose.corrections_files import find_corrections
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.finetune.inputs import check_labelling, check_pose_training
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.registry import ESTIMATORS
from fidgety.registry import Registry, nearest
from fidgety.skeletons import SKELETONS, Skeleton
from fidgety.sources import source_size
from fidgety.study_gao import check_gao
from fidgety.study_kaur import check_kaur
from fidgety.tables import Findings, suggest

#: Files in the results folder that are named one by one.
MOST_PLACES = 10


def _check_member(
    registry: Registry[Any], name: str, options: Mapping[str, Any], place: str, key: str
) -> tuple[list[str], Any]:
    """Return the findings on a chosen member and its options, and the options if they are right."""
    try:
        model = registry.options(name)
    except ConfigError as error:
        return [f"{place}.{key}: {error}"], None
    try:
        return [], parse_options(model, options, f"{place}.options")
    except ConfigError as error:
        return str(error).splitlines(), None


def _estimation(config: Config) -> list[tuple[Registry[Any], Any, str]]:
    """Return what gives a pose, with the section that chooses it, and where that stands."""
    return [
        (ESTIMATORS, config.pose, "pose"),
        (LIFTERS, config.lifting, "lifting"),
        *(
            (ESTIMATORS, backend, f"compare_pose.backends.{name}")
            for name, backend in config.compare_pose.backends.items()
        ),
    ]


def check_methods(config: Config) -> list[str]:
    """Check the chosen methods, feature sets and models, and the options that they are given."""
    findings: list[str] = []
    for registry, section, place in (
        (BACKGROUNDS, config.background, "background"),
        *_estimation(config),
    ):
        findings += _check_member(registry, section.method, section.options, place, "method")[0]
    for members, names, place in (
        (FEATURE_SETS, config.features.sets, "features.sets"),
        (EXPORTERS, config.export.formats, "export.formats"),
    ):
        for name in names:
            try:
                members.module(name)
            except ConfigError as error:
                findings.append(f"{place}: {error}")
    for name, model in config.models.items():
        place = f"models.{name}"
        if not MODEL_NAME.fullmatch(name):
            findings.append(f"{place}: a model's name is of letters, digits, '-' and '_' only.")
        found: list[str] = []
        missing: set[str] = set()
        for candidate in model.candidates():
            wrong, options = _check_member(MODEL_SYSTEMS, model.kind, candidate, place, "kind")
            found += wrong
            missing |= set(options.feature_sets) - set(config.features.sets) if options else set()
        findings += dict.fromkeys(found)
        if len(model.candidates()) > 1 and not config.folds.validation_share:
            findings.append(
                f"{place}: a grid is chosen from by validation infants, and folds.validation_share "
                "is 0: set it above 0, or give the options themselves."
            )
        if missing:
            findings.append(
                f"{place}: reads the feature sets {', '.join(sorted(missing))}, which are not "
                f"built. Add them to features.sets: [{', '.join(config.features.sets)}]."
            )
    return findings


def check_backend_files(config: Config, checksum: Callable[[Path], str]) -> list[str]:
    """Check the files that the chosen estimator needs: weights, a config of one's own.

    Parameters
    ----------
    config
        Options that are wrong in themselves are :func:`check_methods`' business.
    checksum
        SHA-256 of a file's content.
    """
    findings = []
    for registry, section, place in _estimation(config):
        try:
            options = parse_options(registry.options(section.method), section.options, place)
        except ConfigError:
            continue
        # Options speak of the section that they usually stand in.
        findings += [line.replace("pose.options", f"{place}.options") for line in options.check()]
        for key, expected in options.expected_sha256().items():
            path = options.files()[key]
            if path.is_file() and checksum(path) != expected:
                findings.append(
                    f"{place}.options.{key}: {path} has SHA-256 {checksum(path)}, expected "
                    f"{expected}. Either the file is damaged, or it is another one: then give "
                    "its checksum."
                )
    return findings


def check_compare_pose(config: Config, study: Study) -> list[str]:
    """Check names, recordings and annotations of the comparison of trackers."""
    section = config.compare_pose
    findings = [
        f"compare_pose.backends.{name}: a backend's name is of letters, digits, '-' and '_' only."
        for name in section.backends
        if not MODEL_NAME.fullmatch(name)
    ]
    findings += [
        f"compare_pose.recordings: {name!r} is no recording.{nearest(name, list(study.recordings))}"
        for name in section.recordings
        if name not in study.recordings
    ]
    path = section.annotations
    if path is not None and not Path(path).expanduser().exists():
        findings.append(f"compare_pose.annotations: there is no {path}.")
    return findings


def check_bundled_infants(config: Config, study: Study) -> list[str]:
    """Check that there is nobody to train on where the models come from a bundle.

    An infant of a development cohort must be judged by the one model that never saw it, and which
    infants a bundle's models saw is not in it: to take it for an external one is for the user to
    say.
    """
    findings = []
    for role, why in (
        (Role.DEVELOPMENT, "To test the models on these infants, make the cohort external"),
        (Role.REFERENCE, "Annotated clips are for training"),
    ):
        cohorts = sorted({r.cohort for r in study.by_role(role)})
        own = [name for name in cohorts if name in config.cohorts]
        if own:
            findings.append(
                f"cohorts: {_named(own)} {'is' if len(own) == 1 else 'are'} {role.value}, but with "
                f"`bundle` nothing is trained. {why}; or take the rows out of the sheet, or leave "
                "`bundle` out to train models of your own."
            )
        elif cohorts and not findings:
            findings.append(
                f"phantom.preset: {config.phantom.preset!r} has {role.value} phantoms, but with "
                "`bundle` nothing is trained. Set phantom.preset to none."
            )
    return findings


def check_infants(config: Config, study: Study) -> list[str]:
    """Check labels against the classes, and infants a class against the folds."""
    classes = [c.name for c in config.classes]
    findings: list[str] = []
    strange: dict[str, list[str]] = defaultdict(list)
    for recording in study.recordings.values():
        if recording.label is not None and recording.label not in classes:
            strange[recording.label].append(recording.recording)
    for label, recordings in sorted(strange.items()):
        findings.append(
            f"classes: {', '.join(recordings[:3])}{' ...' if len(recordings) > 3 else ''} "
            f"have the label {label!r}, which is none of {', '.join(classes)}. Phantoms are "
            "'normal' or 'risk' (of the preset repertoire WMs, FMs or PR): with other classes set "
            "phantom.preset to none."
        )
    if config.bundle:
        return findings + check_bundled_infants(config, study)
    if not config.models or strange:
        return findings
    labels = {
        r.infant: r.label for r in study.by_role(Role.DEVELOPMENT) if study.is_included(r.recording)
    }
    counts = Counter(label for label in labels.values() if label is not None)
    fewest = min((counts[name] for name in classes), default=0)
    if fewest < 2:
        findings.append(
            "cohorts: training needs at least two infants of every class in development cohorts; "
            f"there are {_counted(counts, classes)}. Add infants, or keep the phantoms."
        )
    elif config.folds.by == "site":
        findings += check_sites(config, study)
    elif fewest < config.folds.n:
        findings.append(
            f"folds.n: {config.folds.n} folds need as many infants of every class; there are "
            f"{_counted(counts, classes)}. Set folds.n to at most {fewest}."
        )
    return findings


def check_sites(config: Config, study: Study) -> list[str]:
    """Check that the development infants' sites can be the folds (``folds.by: site``).

    An infant with recordings at two sites is refused: it would stand on both sides of a split, and
    which site it belongs to is for whoever knows it to say.
    """
    findings = []
    for role in (Role.DEVELOPMENT, Role.REFERENCE):
        of_infants = study.sites(role)
        without = sorted(infant for infant, sites in of_infants.items() if "" in sites)
        if without:
            findings.append(
                f"folds.by: leaving sites out needs the site of every {role.value} infant; "
                f"{_named(without)} have none. Fill in the column 'site' of the sheet."
            )
        findings += [
            f"folds.by: {role.value} infant {infant} has recordings at the sites "
            f"{', '.join(sites)}: it cannot be left out with each of them. Give it one site, or "
            "take recordings out of the sheet."
            for infant, sites in sorted(of_infants.items())
            if len(set(sites) - {""}) > 1
        ]
    sites = development_sites(study)
    infants = study.sites(Role.DEVELOPMENT)
    if findings:
        return findings
    if len(sites) < 2:
        return [
            "folds.by: leaving sites out needs development infants of at least 2 sites; "
            f"{_named(sorted(infants))} are all of {sites[0]!r}. Add a site, or set folds.by to "
            "infant."
        ]
    if "n" in config.folds.model_fields_set and config.folds.n != len(sites):
        findings.append(
            f"folds.n: {config.folds.n}, but with folds.by: site there is a fold for each of the "
            f"{len(sites)} sites ({', '.join(sites)}). Leave folds.n out, or set it to "
            f"{len(sites)}."
        )
    labels = {r.infant: r.label for r in study.by_role(Role.DEVELOPMENT) if r.infant in infants}
    for site in sites:
        rest = {label for infant, label in labels.items() if infants[infant] != (site,)}
        findings += [
            f"folds.by: without the site {site!r} no development infant of class {c.name!r} is "
            "left to learn from. Add infants of another site, or set folds.by to infant."
            for c in config.classes
            if c.name not in rest
        ]
    return findings


def _named(names: Sequence[str], most: int = 10) -> str:
    """Name some; of many the first and how many more."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _counted(counts: Mapping[str, int], classes: Iterable[str]) -> str:
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in classes)


def check_duplicates(study: Study, checksum: Callable[[Path], str]) -> list[str]:
    """Find recordings of the same content: one video under two names can cross a split.

    Parameters
    ----------
    study
        Its recordings' files exist; phantoms have none, and those of a storage do not count.
    checksum
        Checksum of a file's content. It is asked only of files that share their size.
    """
    by_size: dict[int, list[tuple[str, Path]]] = defaultdict(list)
    for name, recording in study.recordings.items():
        for column in recording.sources:
            if study.url(name, column):
                continue  # a storage's files are not fetched to plan
            path = study.source(name, column)
            by_size[source_size(path)].append((name, path))
    findings = []
    for size, files in sorted(by_size.items()):
        if len(files) < 2 or size == 0:
            continue  # empty files are told apart by their own reason
        by_content: dict[str, list[str]] = defaultdict(list)
        for name, path in files:
            by_content[checksum(path)].append(name)
        findings += [
            f"sheet: recordings {', '.join(names)} have the same content. Keep one of them: the "
            "same video on both sides of a split makes every figure wrong."
            for names in by_content.values()
            if len(names) > 1
        ]
    return findings


def check_keypoint_names(config: Config, skeletons: Sequence[Skeleton]) -> list[str]:
    """Check that translated keypoints are ones of a skeleton."""
    known = sorted({k for s in (*skeletons, *SKELETONS.values()) for k in s.keypoints})
    return [
        f"pose.keypoint_names.{label}: {name!r} is no keypoint of any skeleton."
        + suggest(name, known)
        for label, name in config.pose.keypoint_names.items()
        if name not in known
    ]


def check_corrections(config: Config, study: Study) -> list[str]:
    """Check the corrections by hand: their files, and what is in them.

    Whether frames lie in the recording is known to its job alone. A keypoint is unknown here if
    the recording's pose, where there is one already, and every skeleton lack it: with a changed
    method, the pose that is there may not be the one that is to come.
    """
    findings = Findings()
    files = find_corrections(config.corrections.folder, study.recordings, findings)
    if not files:
        return findings.lines()
    # Reading them takes libraries that planning does without.
    from fidgety.pose.corrections_table import pose_keypoints, read_corrections

    skeletons = {name for skeleton in SKELETONS.values() for name in skeleton.keypoints}
    for recording, path in files.items():
        folder = Path(config.results) / "pose"
        keypoints = pose_keypoints(folder / "raw" / f"{recording}.h5") or pose_keypoints(
            folder / "imported" / f"{recording}.h5"
        )
        for entry in read_corrections(path, findings).entries:
            if keypoints and entry.keypoint not in skeletons.union(keypoints):
                findings.add(
                    str(path), entry.row, "keypoint", entry.keypoint,
                    "is no keypoint of this recording." + suggest(entry.keypoint, keypoints),
                )  # fmt: skip
    return findings.lines()


def check_pixels(config: Config) -> list[str]:
    """Check that models of pictures find the flow that they read, and every file that is named."""
    findings: dict[str, None] = {
        f"pixels.{key}: there is no file {path}.": None
        for key, path in config.pixels.files().items()
        if not path.is_file()
    }
    for name, model in config.models.items():
        if model.kind not in READ_PIXELS:
            continue
        for candidate in model.candidates():
            place = f"models.{name}.options"
            try:
                options = parse_options(MODEL_SYSTEMS.options(model.kind), candidate, place)
            except ConfigError:
                continue  # check_methods' business
            if options.rate_hz != config.pixels.rate_hz:
                findings[
                    f"{place}.rate_hz: {options.rate_hz:g} fields of flow a second, but "
                    f"pixels.rate_hz is {config.pixels.rate_hz:g}: they must be the same."
                ] = None
            # What a bundle's models started from is not needed to use them.
            for key, path in ({} if config.bundle else options.files()).items():
                if not path.is_file():
                    findings[f"{place}.{key}: there is no file {path}."] = None
    return list(findings)


def check_best_clips(config: Config) -> list[str]:
    """Check that the model that clips are chosen by exists and finds fidgety movements."""
    wanted = config.report.best_clips_model
    if wanted is None:
        return []
    if wanted not in config.models:
        hint = suggest(wanted, list(config.models))
        return [f"report.best_clips_model: {wanted!r} is no model of `models`.{hint}"]
    if config.models[wanted].kind not in FIND_FIDGETY:
        return [
            f"report.best_clips_model: {wanted} ({config.models[wanted].kind}) finds no fidgety "
            f"movements; these kinds do: {', '.join(sorted(FIND_FIDGETY))}."
        ]
    return []


def check_reading(config: Config, study: Study) -> list[str]:
    """Check that the infants that raters are to read are in the study."""
    known = sorted({recording.infant for recording in study.recordings.values()})
    return [
        f"reading.infants: {infant!r} is no infant of the study.{suggest(infant, known)}"
        for infant in config.reading.infants or ()
        if infant not in known
    ]


def check_places(config: Config, study: Study, checkout: Path | None = None) -> list[str]:
    """Check that nobody's own files lie where the workflow writes, and removes.

    Parameters
    ----------
    config, study
        What the user wrote; paths of the configuration start from the working folder.
    checkout
        Folder of the workflow itself.
    """
    results = config.results
    findings = [
        f"results: {results} is, or has in it, the {what} ({place}). Name a folder of its own: "
        "whatever is below it belongs to the workflow."
        for what, place in (("working folder", Path.cwd()), ("workflow", checkout))
        if place is not None and _lies_in(place, results)
    ]
    if findings:
        # Whatever else lies below would be told as well.
        return findings
    own: list[tuple[str, str | Path | None]] = [
        ("sheet", config.sheet),
        ("intervals", config.intervals),
        ("corrections.folder", config.corrections.folder),
        ("reading.returned", config.reading.returned),
    ]
    own += [
        (f"sheet: recording {name}: {column}", study.source(name, column))
        for name, recording in study.recordings.items()
        for column in recording.sources
        if not study.url(name, column)
    ]
    inside = [(what, path) for what, path in own if path is not None and _lies_in(path, results)]
    findings = [
        f"{what}: {path} lies in the results folder {results}, whose files the workflow replaces "
        "and `snakemake forget` removes. Keep it elsewhere, or name another folder for `results`."
        for what, path in inside[:MOST_PLACES]
    ]
    if len(inside) > MOST_PLACES:
        findings.append(f"sheet: and {len(inside) - MOST_PLACES} files more lie in {results}.")
    return findings


def _lies_in(path: str | Path, folder: str | Path) -> bool:
    """Tell whether a file or folder is below another, by its name or by where links lead."""
    name, top = (os.path.abspath(os.path.expanduser(p)) for p in (path, folder))
    # Of thousands of files in a few folders, each folder is followed once.
    real = os.path.realpath(name) if os.path.islink(name) else _real_name(name)
    places = ((name, top), (real, _followed(top)))
    return any(f"{one}/".startswith(f"{whole.rstrip('/')}/") for one, whole in places)


def _real_name(name: str) -> str:
    folder, last = os.path.split(name)
    return os.path.join(_followed(folder), last)


@cache
def _followed(folder: str) -> str:
    return os.path.realpath(folder)


def check_plan(
    config: Config,
    study: Study,
    checksum: Callable[[Path], str],
    skeletons: Sequence[Skeleton] = (),
    found: Sequence[str] = (),
    checkout: Path | None = None,
) -> None:
    """Check everything that is known before the first job.

    Parameters
    ----------
    config, study
        What the user wrote.
    checksum
        Checksum of a source file's content.
    skeletons
        The user's own.
    found
        What is known to be wrong already, to be told with the rest.
    checkout
        Folder of the workflow itself.

    Raises
    ------
    ConfigError
        With one line a finding.
    """
    findings = [
        *found,
        *check_places(config, study, checkout),
        *check_methods(config),
        *check_publish(config),
        *check_kaur(config.kaur),
        *check_gao(config.gao, config.models),
        *check_pixels(config),
        *check_best_clips(config),
        *check_reading(config, study),
        *check_compare_pose(config, study),
        *check_backend_files(config, checksum),
        *check_infants(config, study),
        *check_keypoint_names(config, skeletons),
        *check_duplicates(study, checksum),
        *check_corrections(config, study),
        *check_pose_training(config.pose_training, checksum),
        *check_labelling(
            config.labelling, study.recordings, [*SKELETONS, *(s.name for s in skeletons)]
        ),
    ]
    if findings:
        # A model that a bundle has and that is unknown here is found twice.
        raise ConfigError("\n".join(dict.fromkeys(findings)))
