"""The manifest of a bundle: what is in it, what made it, and what it needs (``bundle/1``).

A bundle is a folder, or a ZIP archive of the same files, stored and not compressed::

    manifest.json                             this
    model_card.md                             for people
    models/{model}/fold-{k}/model.json        as in the results folder, without its infants
    models/{model}/fold-{k}/weights.safetensors

The manifest holds the checksum of every other file, so that its own checksum names the content
of the whole bundle, whichever way it is packed: :func:`identity`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from fidgety.config.base import Section
from fidgety.config.study import ClassConfig
from fidgety.errors import ConfigError
from fidgety.files import dumps
from fidgety.text import control_in

BUNDLE_SCHEMA = "bundle/1"
MANIFEST, CARD = "manifest.json", "model_card.md"
MODEL_FILES = ("model.json", "weights.safetensors")
#: Every name that a bundle may hold.
MEMBER = re.compile(
    r"manifest\.json|model_card\.md|models/[A-Za-z0-9_-]+/fold-[1-9][0-9]?/"
    r"(model\.json|weights\.safetensors)"
)

Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$", max_length=100)]
Word = Annotated[str, Field(pattern="^[A-Za-z0-9._+-]+$", max_length=100)]
Line = Annotated[str, Field(max_length=500)]
Count = Annotated[int, Field(ge=0)]


class FileEntry(Section):
    """One file of a bundle."""

    sha256: Checksum
    bytes: Count


class ModelEntry(Section):
    """One model: as it was configured, and how many fold models it has."""

    kind: Name
    options: dict[str, Any] = Field(default_factory=dict)
    grid: list[dict[str, Annotated[list[Any], Field(min_length=1)]]] = Field(default_factory=list)


class TrainingEntry(Section):
    """Whom the models learned from, in numbers.

    ``phantoms`` are the digital phantoms among ``infants``.
    """

    infants: dict[str, Count]
    recordings: Count
    phantoms: Count
    reference_infants: Count = 0

    @property
    def n(self) -> int:
        """Number of infants."""
        return sum(self.infants.values())


class Manifest(Section):
    """``manifest.json``; see the module."""

    schema_: Annotated[str, Field(alias="schema")]
    fidgety_version: Word
    classes: Annotated[tuple[ClassConfig, ...], Field(min_length=2)]
    folds: Annotated[int, Field(ge=1, le=99)]
    models: Annotated[dict[Name, ModelEntry], Field(min_length=1)]
    configuration: dict[str, dict[str, Any]]
    needs: dict[str, Checksum] = Field(default_factory=dict)
    training: TrainingEntry
    stages: dict[Name, Word]
    libraries: dict[Word, Word]
    licence: Line = ""
    contact: Line = ""
    files: dict[str, FileEntry]

    @model_validator(mode="after")
    def _check_files(self) -> Manifest:
        wanted = {CARD, *self.model_paths()}
        if set(self.files) != wanted:
            odd = sorted(set(self.files) ^ wanted)
            raise ValueError(f"its list of files does not fit its models: {', '.join(odd[:5])}")
        return self

    def model_paths(self) -> list[str]:
        """Return the files of the models, fold by fold."""
        return [
            f"models/{name}/fold-{fold}/{file}"
            for name in sorted(self.models)
            for fold in range(1, self.folds + 1)
            for file in MODEL_FILES
        ]


def identity(content: bytes) -> str:
    """Return the checksum that names a bundle's whole content: that of its manifest."""
    return hashlib.sha256(content).hexdigest()


def manifest_bytes(values: Mapping[str, Any]) -> bytes:
    """Serialise a manifest: equal values are equal bytes."""
    Manifest.model_validate(dict(values))
    text = json.dumps(json.loads(dumps(values)), sort_keys=True, indent=1, ensure_ascii=False)
    return (text + "\n").encode("utf-8")


def _texts(value: Any) -> Iterator[str]:
    """Yield the keys and texts of what was read from JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ConfigError
        If it is none, of another format number, or contradicts itself.
    """
    remedy = "Ask for the bundle anew."
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ConfigError(f"{where}: its {MANIFEST} is no JSON. {remedy}") from None
    found = values.get("schema") if isinstance(values, dict) else None
    if not isinstance(found, str) or not found.startswith("bundle/"):
        raise ConfigError(
            f"{where}: its {MANIFEST} is not that of a bundle of fidgety (schema {found!r}, "
            f"expected {BUNDLE_SCHEMA!r}). Name what `snakemake bundle` wrote."
        )
    if found != BUNDLE_SCHEMA:
        raise ConfigError(
            f"{where}: is a bundle of the format {found[:20]!r}, written by fidgety "
            f"{str(values.get('fidgety_version'))[:50]!r}; this fidgety reads {BUNDLE_SCHEMA!r}. "
            "Use the fidgety that wrote it, or ask for a bundle of this one."
        )
    try:
        for text in _texts(values):
            if control := control_in(text):
                raise ConfigError(
                    f"{where}: its {MANIFEST} holds {control}, which is no text. {remedy}"
                )
        return Manifest.model_validate(values)
    except (ValidationError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        place = ".".join(str(part) for part in first["loc"]) if first else ""
        what = f"{place}: {first['msg']}" if first and place else first["msg"] if first else "depth"
        raise ConfigError(f"{where}: its {MANIFEST} is wrong ({what}). {remedy}") from None
