"""Pages that are made from code: ``python -m fidgety.config.docs`` writes them.

- ``docs/config.md`` and ``docs/config.schema.json`` from the models of the configuration;
- the marked parts of ``docs/data-formats.md``: columns of the user's tables and of the cohort
  tables, reason codes.

``--check`` writes nothing and ends with an error if a page is not what it would write.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from fidgety.cohort_table import FITNESS
from fidgety.config.root import Config
from fidgety.config.study import Role
from fidgety.errors import Reason
from fidgety.inclusion import PRESETS
from fidgety.pose.quality_record import CLEANING, MEASURES
from fidgety.sheet import SHEET_COLUMNS, Interval, Recording

ROOT = Path(__file__).resolve().parents[2]
Schema = Mapping[str, Any]

INTRODUCTION = """\
# The configuration

<!-- Written by `python -m fidgety.config.docs` from fidgety/config; do not edit. -->

`config.yaml` is the one file to edit. Every key may be left out: then its default counts. Unknown keys are refused, with the nearest right name, before any job runs. A second file given by `--configfile` comes on top of it, key by key. Editors that know JSON Schema complete and check the file with [config.schema.json](config.schema.json) (a first line `# yaml-language-server: $schema=docs/config.schema.json`).

A stage runs again when a key of its own section changes, and so does what follows it; nothing else does.
"""  # noqa: E501


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of ``config.yaml``."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "config.yaml"
    return schema


def _resolve(schema: Schema, definitions: Schema) -> Schema:
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def _number(schema: Schema) -> str:
    names = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{word} {schema[key]:g}" for key, word in names.items() if key in schema]
    kind = "whole number" if schema["type"] == "integer" else "number"
    return ", ".join([kind, *limits])


def type_text(schema: Schema, definitions: Schema) -> str:
    """Describe a type of the schema in words."""
    schema = _resolve(schema, definitions)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        parts = [type_text(part, definitions) for part in schema["anyOf"]]
        return " or ".join(part for part in parts if part != "nothing") + (
            " or nothing" if "nothing" in parts else ""
        )
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _number(schema)
    if kind == "array":
        if "prefixItems" in schema:
            parts = [type_text(item, definitions) for item in schema["prefixItems"]]
            return f"list of {len(parts)}: {parts[0]}" if len(set(parts)) == 1 else "list"
        return f"list of {type_text(schema.get('items', {}), definitions)}"
    if kind == "object" and "properties" not in schema:
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping):
            return f"name to {type_text(values, definitions)}"
        return "keys and values"
    if kind == "object":
        return ", ".join(f"`{name}`" for name in schema["properties"])
    return {"string": "text", "boolean": "`true` or `false`", "null": "nothing"}.get(
        str(kind), "anything"
    )


def default_text(value: Any) -> str:
    """Write a default as it would stand in the file."""
    if value is None:
        return "nothing"
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return f"`{text.strip().removesuffix('...').strip()}`"


def prose(text: str) -> str:
    """Turn a docstring into one line of Markdown."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).replace("|", "\\|").strip()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    return {
        name: json.loads(json.dumps(field.get_default(call_default_factory=True), default=_plain))
        for name, field in model.model_fields.items()
        if not field.is_required()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    raise TypeError(f"no default that can be written: {value!r}")


def _rows(model: type[BaseModel], definitions: Schema, names: Sequence[str]) -> list[list[str]]:
    properties = model.model_json_schema()["properties"]
    defaults = _defaults(model)
    return [
        [
            f"`{name}`",
            type_text(properties[name], definitions),
            default_text(defaults[name]) if name in defaults else "needed",
            prose(model.model_fields[name].description or ""),
        ]
        for name in names
    ]


def _section_of(name: str) -> type[BaseModel] | None:
    """Return the model of a key of the top level that is a section."""
    annotation = Config.model_fields[name].annotation
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _inside(name: str) -> list[type[BaseModel]]:
    """Return the models inside a key of the top level that is a list or a mapping."""
    from fidgety.config.root import _models_in

    return [] if _section_of(name) else _models_in(Config.model_fields[name].annotation)


HEAD = ("key", "value", "default", "meaning")


def config_page() -> str:
    """Return ``docs/config.md``."""
    definitions = json_schema()["$defs"]
    plain = [name for name in Config.model_fields if _section_of(name) is None]
    parts = [INTRODUCTION, "## Top level\n", table(HEAD, _rows(Config, definitions, plain))]
    for name in plain:
        for model in _inside(name):
            parts.append(f"### An entry of `{name}`\n")
            parts.append(prose(model.__doc__ or "") + "\n")
            parts.append(table(HEAD, _rows(model, definitions, list(model.model_fields))))
    for name in Config.model_fields:
        section = _section_of(name)
        if section is None:
            continue
        parts.append(f"## `{name}`\n")
        parts.append(prose(section.__doc__ or "") + "\n")
        parts.append(table(HEAD, _rows(section, definitions, list(section.model_fields))))
        if name == "inclusion":
            parts.append(_presets())
    return "\n".join([*parts, *_backends()])


#: Where backends have options of their own: key, registry, attribute with the options' model.
BACKENDS = (
    ("background", "fidgety.background.registry", "BACKGROUNDS"),
    ("pose", "fidgety.pose.registry", "ESTIMATORS"),
    ("models", "fidgety.models.registry", "MODEL_SYSTEMS"),
)


def _options(registry_module: str, registry_name: str) -> list[tuple[str, type[BaseModel]]]:
    """Return the options' model of every member of a registry that has one."""
    registry = getattr(importlib.import_module(registry_module), registry_name)
    found = []
    for name in registry.names():
        member = registry.get(name)
        model = getattr(member, "Options", None) or getattr(member, "options", None)
        if inspect.isclass(model) and issubclass(model, BaseModel):
            found.append((name, model))
    return found


def _backends() -> list[str]:
    parts = []
    for key, module, registry in BACKENDS:
        for name, model in _options(module, registry):
            definitions = model.model_json_schema().get("$defs", {})
            which = "kind" if key == "models" else "method"
            parts.append(f"## `options` of `{key}` with `{which}: {name}`\n")
            parts.append(prose(inspect.cleandoc(model.__doc__ or "")) + "\n")
            if model.model_fields:
                parts.append(table(HEAD, _rows(model, definitions, list(model.model_fields))))
    return parts


def _presets() -> str:
    rows = [
        [f"`{name}`"]
        + [
            default_text(json.loads(json.dumps(getattr(preset, key))))
            for key in ("corrected_age_weeks", "min_duration_s", "require", "exclude_fm_types")
        ]
        for name, preset in PRESETS.items()
    ]
    keys = ("corrected_age_weeks", "min_duration_s", "require", "exclude_fm_types")
    return "What the presets are:\n\n" + table(("preset", *(f"`{k}`" for k in keys)), rows)


def _columns(model: type[BaseModel], names: Sequence[str]) -> str:
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    rows = []
    for name in names:
        field = model.model_fields[name]
        kind = type_text(schema["properties"][name], definitions).removesuffix(" or nothing")
        needed = "yes" if field.is_required() else ""
        rows.append([f"`{name}`", needed, kind, prose(field.description or "")])
    return table(("column", "needed", "value", "meaning"), rows)


def sheet_part() -> str:
    """Return the columns of the sample sheet."""
    return _columns(Recording, SHEET_COLUMNS)


def intervals_part() -> str:
    """Return the columns of the table of annotated intervals."""
    return _columns(Interval, list(Interval.model_fields))


def roles_part() -> str:
    """Return the roles of cohorts."""
    # Members of an enumeration keep no docstrings: they stand in its source.
    source = inspect.getsource(Role)
    texts = dict(re.findall(r'= "(\w+)"\n\s+"""(.*?)"""', source, flags=re.S))
    return table(("role", "what it is for"), [[f"`{r}`", prose(texts[r])] for r in Role])


def reasons_part() -> str:
    """Return the list of reason codes."""
    return table(("code", "meaning"), [[f"`{r.value}`", r.text] for r in Reason])


def quality_part() -> str:
    """Return the names of the quality columns of the cohort tables."""
    names = ", ".join(f"`{name}`" for name in CLEANING)
    return f"{names}; then\n\n" + table(
        ("column", "meaning"), [[f"`{name}`", MEASURES[name]] for name in FITNESS]
    )


def video_part() -> str:
    """Return the fields of a video's record."""
    from fidgety.video.record import VideoRecord

    schema = VideoRecord.model_json_schema()
    definitions = schema.get("$defs", {})
    rows = [
        [
            f"`{name}`",
            type_text(schema["properties"][name], definitions),
            prose(field.description or ""),
        ]
        for name, field in VideoRecord.model_fields.items()
    ]
    return table(("field", "value", "meaning"), rows)


PARTS: dict[str, Callable[[], str]] = {
    "video": video_part,
    "sheet": sheet_part,
    "intervals": intervals_part,
    "roles": roles_part,
    "reasons": reasons_part,
    "quality": quality_part,
}


def fill_parts(text: str) -> str:
    """Fill the marked parts of a page.

    Raises
    ------
    ValueError
        If a part is not marked exactly once.
    """
    for name, make in PARTS.items():
        pattern = re.compile(rf"(<!-- begin {name}[^>]*-->\n).*?(<!-- end {name} -->)", flags=re.S)
        content = make()
        text, n = pattern.subn(lambda m, c=content: f"{m[1]}\n{c}\n{m[2]}", text)  # type: ignore[misc]
        if n != 1:
            raise ValueError(f"the part {name!r} is marked {n} times, expected once")
    return text


def pages(root: Path = ROOT) -> dict[Path, str]:
    """Return every generated page by its path."""
    formats = root / "docs" / "data-formats.md"
    return {
        root / "docs" / "config.md": config_page(),
        root / "docs" / "config.schema.json": json.dumps(json_schema(), indent=1) + "\n",
        formats: fill_parts(formats.read_text(encoding="utf-8")),
    }


def stale(root: Path = ROOT) -> list[Path]:
    """Return the pages that are not what the code says."""
    return [
        path
        for path, text in pages(root).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Write the pages that are made from code.")
    parser.add_argument("--check", action="store_true", help="only compare")
    found = stale()
    if parser.parse_args().check:
        for path in found:
            print(
                f"{path.relative_to(ROOT)} is out of step; run python -m fidgety.config.docs",
                file=sys.stderr,
            )
        return 1 if found else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
