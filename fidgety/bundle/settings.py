"""Which of the configuration a bundle brings, and how a user's own goes with it.

What decides a model's input and its judgement is the bundle's; the rest is the user's. Where files
of the user's machine are named (weights of a pose network), the bundle holds their checksum and
the user names the place. A key that says something else is a finding, never overruled in silence.

For the plan alone: no stage imports this, as it knows the whole configuration.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from fidgety import __version__
from fidgety.background.registry import BACKGROUNDS
from fidgety.bundle.manifest import Manifest, ModelEntry
from fidgety.bundle.strip import FILE_OPTIONS
from fidgety.config.base import Section
from fidgety.config.learning import ModelConfig
from fidgety.config.options import parse_options
from fidgety.config.phantom import PhantomConfig
from fidgety.config.root import Config
from fidgety.errors import ConfigError
from fidgety.models.registry import KEEP_INFANTS, MODEL_SYSTEMS, READ_PIXELS
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.registry import ESTIMATORS
from fidgety.registry import Registry
from fidgety.tables import suggest

Checksum = Callable[[Path], str]

#: Sections that a bundle decides, and their keys that stay the user's own.
DECIDING: dict[str, frozenset[str]] = {
    "inclusion": frozenset(),
    "video": frozenset({"export_frames"}),
    "background": frozenset(),
    "pose": frozenset({"skeletons", "keypoint_names"}),
    "cleaning": frozenset(),
    "lifting": frozenset(),
    "quality": frozenset(),
    "features": frozenset(),
    "pixels": frozenset({"raft_weights"}),
    "evaluation": frozenset(
        {
            "bootstrap",
            "confidence",
            "zone_sensitivity",
            "zone_specificity",
            "prevalence",
            "outcome_prevalence",
            "age_band_weeks",
        }
    ),
}
#: Sections about training: told for the methods, and not compared, as nothing is trained.
TOLD: dict[str, frozenset[str]] = {
    "folds": frozenset({"file"}),
    "training": frozenset({"device"}),
}
BACKENDS: Mapping[str, Registry[Any]] = {
    "background": BACKGROUNDS,
    "pose": ESTIMATORS,
    "lifting": LIFTERS,
}
#: Options about the machine, which decide no value.
MACHINE = frozenset({"device", "batch_size", "batch", "threads"})


def _files(section: Any) -> dict[str, Path]:
    return dict(getattr(section, "files", dict)())


def _file_options(options: Section) -> set[str]:
    """Return the options that name files of this machine."""
    fields = set(type(options).model_fields)
    return (set(_files(options)) | FILE_OPTIONS) & fields


def _options_of(section: str, config: Config) -> Section:
    chosen = getattr(config, section)
    registry = BACKENDS[section]
    options: Section = parse_options(
        registry.options(chosen.method), chosen.options, f"{section}.options"
    )
    return options


def _reads_pixels(models: Mapping[str, Any]) -> bool:
    return any(model.kind in READ_PIXELS for model in models.values())


def published_models(config: Config) -> list[str]:
    """Return the names of the models that a bundle is made of."""
    return sorted(config.publish.models or config.models)


def shared_sections(config: Config) -> dict[str, dict[str, Any]]:
    """Return the configuration that goes into a bundle: no path, no machine, no name of a file."""
    models = {name: config.models[name] for name in published_models(config)}
    found = {}
    for name, own in (DECIDING | TOLD).items():
        if name == "pixels" and not _reads_pixels(models):
            continue
        section = getattr(config, name)
        values = section.model_dump(mode="json", exclude=set(own))
        for key in _files(section):
            values.pop(key, None)
        if name in BACKENDS:
            options = _options_of(name, config)
            hidden = _file_options(options) | MACHINE
            values["options"] = options.model_dump(mode="json", exclude=hidden)
        found[name] = values
    return found


def needed_files(config: Config, checksum: Checksum) -> dict[str, str]:
    """Return the checksums of the files that pose and pictures are made with, by their key."""
    found = {
        f"{name}.options.{key}": checksum(path)
        for name in BACKENDS
        for key, path in _files(_options_of(name, config)).items()
    }
    if _reads_pixels({n: config.models[n] for n in published_models(config)}):
        found |= {f"pixels.{key}": checksum(path) for key, path in config.pixels.files().items()}
    return found


def _plain_options(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's options with the bare names of files in place of their paths."""
    named = _file_options(parse_options(MODEL_SYSTEMS.options(kind), options, "models"))
    return {
        key: Path(value).name if key in named and isinstance(value, str) else value
        for key, value in options.items()
    }


def shared_model(model: ModelConfig) -> dict[str, Any]:
    """Return a model's configuration as it goes into a bundle."""
    plain = json.loads(model.model_dump_json())
    return {
        "kind": model.kind,
        "options": _plain_options(model.kind, plain["options"]),
        "grid": [
            {
                key: [
                    Path(one).name if key in FILE_OPTIONS and isinstance(one, str) else one
                    for one in values
                ]
                for key, values in grid.items()
            }
            for grid in plain["grid"]
        ],
    }


def keeps_infants(model: ModelConfig) -> bool:
    """Tell whether a model's weights hold movement of single training infants."""
    if model.kind not in KEEP_INFANTS:
        return False
    which = KEEP_INFANTS[model.kind]
    if which is None:
        return True
    option, values = which
    parsed = [
        parse_options(MODEL_SYSTEMS.options(model.kind), one, "models")
        for one in model.candidates()
    ]
    return any(getattr(options, option) in values for options in parsed)


def check_publish(config: Config) -> list[str]:
    """Check that the models that are to be given exist."""
    known = list(config.models)
    return [
        f"publish.models: {name!r} is no model of `models`.{suggest(name, known)}"
        for name in config.publish.models
        if name not in known
    ]


def check_privacy(config: Config) -> list[str]:
    """Refuse to give models whose weights hold movement of single infants, unless asked for."""
    if config.publish.infants_in_weights == "include":
        return []
    return [
        f"models.{name}: the weights of {config.models[name].kind} hold movement of single "
        "training infants. Name the other models in publish.models or, where you may share it, set "
        "publish.infants_in_weights to include."
        for name in published_models(config)
        if name in config.models and keeps_infants(config.models[name])
    ]


def check_own_bundle(config: Config, folder: Path) -> None:
    """Refuse a bundle that is the one of this very results folder.

    Parameters
    ----------
    config
        What the user wrote.
    folder
        From which paths start.

    Raises
    ------
    ConfigError
        If ``snakemake bundle`` writes there: what is read would be what is made.
    """
    if not config.bundle:
        return
    named = (folder / Path(config.bundle).expanduser()).resolve()
    made = (folder / config.results).resolve()
    if {made / "bundle.zip", made / "bundle"}.intersection((named, *named.parents)):
        raise ConfigError(
            f"bundle: {config.bundle} is where `snakemake bundle` writes the models of this "
            "results folder, and it would be written over. Copy it elsewhere and name the copy, or "
            "name another folder in `results` for what you assess with it."
        )


class Settled(NamedTuple):
    """A configuration with what a bundle brings, and what stood against it."""

    config: Config
    findings: Sequence[str]


def _differs(key: str, own: Any, bundled: Any) -> str:
    return (
        f"{key}: is {_shown(own)} in your configuration and {_shown(bundled)} in the bundle, whose "
        "models learned that way. Take the key out of your configuration, or set it to the "
        "bundle's."
    )


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _without_files(
    registry: Registry[Any], method: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a bundle's options without any that names a file: which one is read is the user's."""
    try:
        named = _file_options(parse_options(registry.options(method), options, "bundle"))
    except ConfigError:
        return dict(options)  # a finding of the plan, which reads no file then
    return {key: value for key, value in options.items() if key not in named}


def _settle_options(
    place: str, own: Any, bundled: Mapping[str, Any], needs: Mapping[str, str]
) -> tuple[Any, list[str]]:
    """Join a backend's options: files and machine from the user, all else from the bundle."""
    registry = BACKENDS[place]
    method, options = str(bundled.get("method")), bundled.get("options") or {}
    if not isinstance(options, Mapping):
        return options, []  # a finding when the section is read
    values = _without_files(registry, method, options)
    if "method" in own.model_fields_set and own.method != method:
        return values, []  # a finding of its own
    try:
        model = registry.options(method)
        given = parse_options(model, own.options, f"{place}.options")
    except ConfigError as error:
        return values, str(error).splitlines()
    dump = given.model_dump(mode="json")
    asked = {key.removeprefix(f"{place}.options.") for key in needs if key.startswith(f"{place}.")}
    mine = _file_options(given) | MACHINE | (asked & set(model.model_fields))
    if place != "background":
        mine.add("sha256")  # what a user expects of a file; the bundle's own checksum counts
    findings = []
    for key in given.model_fields_set:
        if key in mine:
            values[key] = dump[key]
        elif dump[key] != values.get(key):
            findings.append(_differs(f"{place}.options.{key}", dump[key], values.get(key)))
    return values, sorted(findings)


def _settle_section(
    name: str, config: Config, bundled: Mapping[str, Any], needs: Mapping[str, str]
) -> tuple[Any, list[str]]:
    """Join a section: keys that the bundle leaves open from the user, all else from the bundle."""
    own, findings = getattr(config, name), []
    dump = own.model_dump(mode="json")
    values = dict(bundled)
    mine = (DECIDING | TOLD)[name] | set(_files(own))
    for key in type(own).model_fields:
        if key in mine:
            values[key] = dump[key]
        elif key == "options" and name in BACKENDS:
            values[key], found = _settle_options(name, own, bundled, needs)
            findings += found
        elif name in DECIDING and key in own.model_fields_set and dump[key] != bundled.get(key):
            findings.append(_differs(f"{name}.{key}", dump[key], bundled.get(key)))
    try:
        return type(own).model_validate(values), findings
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([name, *map(str, first["loc"])])
        return own, [*findings, f"{place}: {first['msg']} (the bundle's section)."]


def _complete(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = parse_options(
        MODEL_SYSTEMS.options(kind), _plain_options(kind, options), "models"
    ).model_dump(mode="json")
    return found


def _settle_models(
    config: Config, entries: Mapping[str, ModelEntry]
) -> tuple[dict[str, ModelConfig], list[str]]:
    """Return the bundle's models, and what the user's say otherwise."""
    findings = [
        f"models.{name}: the bundle's model is of the kind {entry.kind!r}, which this fidgety does "
        f"not know (it knows {', '.join(MODEL_SYSTEMS.names())}). Use the fidgety that wrote the "
        "bundle."
        for name, entry in entries.items()
        if entry.kind not in MODEL_SYSTEMS
    ]
    if findings:
        return {}, findings
    found = {
        name: ModelConfig.model_validate(entry.model_dump(mode="json"))
        for name, entry in entries.items()
    }
    for name, own in config.models.items() if "models" in config.model_fields_set else ():
        out = f"Nothing is trained: leave `models` out, or write `{name}: null`."
        if name not in entries:
            findings.append(
                f"models.{name}: is no model of the bundle, which has {', '.join(entries)}. {out}"
            )
            continue
        try:
            same = own.kind == found[name].kind and [
                _complete(own.kind, one) for one in own.candidates()
            ] == [_complete(own.kind, one) for one in found[name].candidates()]
        except ConfigError as error:
            findings += str(error).splitlines()
            continue
        if not same:
            bundled = entries[name].model_dump(mode="json")
            given = own.model_dump(mode="json")
            findings.append(
                f"models.{name}: is {_shown(given)} in your configuration and {_shown(bundled)} in "
                f"the bundle. {out}"
            )
    return found, findings


def _check_needs(config: Config, manifest: Manifest, checksum: Checksum) -> list[str]:
    """Check that the user's files are those that the bundle's models were trained with."""
    files: dict[str, Path] = {}
    for name in BACKENDS:
        try:
            options = _options_of(name, config)
        except ConfigError:
            continue  # a finding of the plan
        files |= {f"{name}.options.{key}": path for key, path in _files(options).items()}
    if "pixels" in manifest.configuration:
        files |= {f"pixels.{key}": path for key, path in config.pixels.files().items()}
    findings = [
        f"{key}: the bundle's models were trained with a file of your own here, of SHA-256 "
        f"{wanted}. Name it."
        for key, wanted in sorted(manifest.needs.items())
        if key not in files
    ]
    for key, path in files.items():
        wanted = manifest.needs.get(key, "")
        if path.is_file() and (found := checksum(path)) != wanted:
            findings.append(
                f"{key}: {path} has SHA-256 {found}, and the bundle's models were trained with "
                f"{wanted or 'none of your own'}. Name that file."
            )
    return findings


def settle(config: Config, manifest: Manifest, checksum: Checksum) -> Settled:
    """Join a user's configuration with a bundle's.

    Parameters
    ----------
    config
        What the user wrote.
    manifest
        Of the bundle.
    checksum
        Checksum of a file's content.

    Returns
    -------
    Settled
        The configuration to run with, and one line a contradiction: key, both values, and what to
        do.
    """
    findings: list[str] = []
    update: dict[str, Any] = {}
    own = [c.model_dump() for c in config.classes]
    bundled = [c.model_dump() for c in manifest.classes]
    if "classes" in config.model_fields_set and own != bundled:
        # The user's labels are checked against the user's classes: this is the one mistake.
        findings.append(_differs("classes", own, bundled))
    else:
        update["classes"] = manifest.classes
    for name in DECIDING | TOLD:
        values = manifest.configuration.get(name)
        if values is None and name != "pixels":
            findings.append(f"bundle: lacks the section {name!r}. Ask for the bundle anew.")
        if values is not None:
            update[name], found = _settle_section(name, config, values, manifest.needs)
            findings += found
    update["models"], found = _settle_models(config, manifest.models)
    findings += found
    if "preset" not in config.phantom.model_fields_set:
        update["phantom"] = PhantomConfig(preset="none")
    settled = config.model_copy(update=update)
    if settled.folds.n != manifest.folds:
        findings.append("bundle: contradicts itself in its folds. Ask for the bundle anew.")
    return Settled(settled, [*findings, *_check_needs(settled, manifest, checksum)])


def check_stages(
    manifest: Manifest, stages: Mapping[str, str], libraries: Mapping[str, str]
) -> None:
    """Check that the code here makes the same features and predictions as where it was trained.

    Parameters
    ----------
    manifest
        Of the bundle.
    stages
        Code fingerprint of every stage here.
    libraries
        Versions of the libraries here, to name those that differ.

    Raises
    ------
    ConfigError
        If any stage differs; the message names them all.
    """
    differ = [
        name
        for name in {**stages, **manifest.stages}
        if stages.get(name) != manifest.stages.get(name)
    ]
    if not differ:
        return
    versions = [
        f"{name} {there} there, {libraries[name]} here"
        for name, there in sorted(manifest.libraries.items())
        if name in libraries and libraries[name] != there
    ]
    why = f" Libraries differ: {'; '.join(versions)}." if versions else ""
    raise ConfigError(
        f"bundle: was made by fidgety {manifest.fidgety_version}, this is {__version__}, and they "
        f"differ in the stages {', '.join(sorted(differ))}: the models would read something else "
        f"than they learned from.{why} Run the fidgety that made the bundle, with its lock, or ask "
        "for a bundle of this one."
    )
