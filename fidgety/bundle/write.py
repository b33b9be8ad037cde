"""Writing a bundle: a folder, and the archive of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fidgety import __version__
from fidgety.bundle.archive import pack
from fidgety.bundle.manifest import (
    BUNDLE_SCHEMA,
    CARD,
    MANIFEST,
    MODEL_FILES,
    Manifest,
    identity,
    manifest_bytes,
)
from fidgety.bundle.strip import shared_description
from fidgety.config.learning import ModelConfig, choice_text
from fidgety.errors import StorageError
from fidgety.files import atomic_directory, file_sha256, write_json, write_text
from fidgety.training.description import read_description

#: Stands in the manifest that the card is made from, before the card has a checksum.
_NO_CARD = {"sha256": "0" * 64, "bytes": 0}


def _entry(path: Path) -> dict[str, Any]:
    return {"sha256": file_sha256(path), "bytes": path.stat().st_size}


def copy_models(
    models: Mapping[str, Mapping[int, str | os.PathLike[str]]],
    folder: Path,
    entries: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, dict[str, Any]], dict[str, list[float]]]:
    """Copy fold models into a bundle's folder, their descriptions without infants.

    Parameters
    ----------
    models
        Model to fold to ``model.json``; the weights lie beside.
    folder
        The bundle's.
    entries
        Model to its configuration as it is shared.

    Returns
    -------
    files : dict
        Name to checksum and size.
    thresholds : dict
        Model to the thresholds of its fold models.

    Raises
    ------
    StorageError
        If weights do not belong to their description, or this not to the model's grid.
    """
    files: dict[str, dict[str, Any]] = {}
    thresholds: dict[str, list[float]] = {}
    for model, paths in sorted(models.items()):
        choices = [choice_text(c) for c in ModelConfig.model_validate(entries[model]).choices()]
        for fold, path in sorted(paths.items()):
            description = read_description(path)
            place = folder / "models" / model / f"fold-{fold}"
            place.mkdir(parents=True)
            described, weights = (place / name for name in MODEL_FILES)
            shutil.copyfile(Path(path).with_name(MODEL_FILES[1]), weights)
            if file_sha256(weights) != description["weights_sha256"]:
                raise StorageError(
                    f"{path}: the weights beside it are damaged or of another model. Delete both "
                    "and run the workflow again."
                )
            try:
                shared = shared_description(description, choices)
            except StorageError as error:
                raise StorageError(f"{path}: {error}") from None
            write_json(described, shared)
            thresholds.setdefault(model, []).append(float(description["threshold"]["value"]))
            for own in (described, weights):
                files[own.relative_to(folder).as_posix()] = _entry(own)
    return files, thresholds


def write_bundle(
    folder: str | os.PathLike[str],
    archive: str | os.PathLike[str],
    *,
    models: Mapping[str, Mapping[int, str | os.PathLike[str]]],
    described: Mapping[str, Any],
    card: Callable[[Manifest, Mapping[str, Sequence[float]]], str],
) -> str:
    """Write a bundle as a folder and as an archive, each whole or not at all.

    Parameters
    ----------
    folder, archive
        Where to.
    models
        Model to fold to ``model.json``.
    described
        The manifest's fields, but those that tell of files and formats.
    card
        Makes the model card of the manifest and the models' thresholds.

    Returns
    -------
    str
        The bundle's identity.
    """
    with atomic_directory(folder) as place:
        files, thresholds = copy_models(models, place, described["models"])
        values = {
            **described,
            "schema": BUNDLE_SCHEMA,
            "fidgety_version": __version__,
            "files": {**files, CARD: _NO_CARD},
        }
        write_text(place / CARD, card(Manifest.model_validate(values), thresholds))
        values["files"] = {**files, CARD: _entry(place / CARD)}
        content = manifest_bytes(values)
        (place / MANIFEST).write_bytes(content)
        pack(place, archive)
    return identity(content)
