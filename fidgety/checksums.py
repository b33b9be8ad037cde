"""Checksums of results: recorded by the job that wrote a file, compared by ``snakemake verify``.

Every output has a record of its own below ``results/.checksums/``, at the output's own place, so
that jobs which run at once, on one machine or many, never write the same file. A record is JSON::

    {"files": {"": [bytes, sha256]}, "made_by": {"code": ..., "rule": ..., "version": ...},
     "schema": "checksum/2", "sha256": ...}

The name is empty for an output that is a file; an output that is a folder has one entry a file.
The record's own checksum tells a damaged record from a damaged output; those of an earlier version
(``checksum/1``) have none.
Snakemake knows nothing of the records: they are no outputs, and nothing reruns because of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fidgety.errors import DamagedError
from fidgety.files import file_sha256, read_sealed, write_sealed

#: Where the workflow's jobs record their checksums; the workflow sets it for them.
CHECKSUMS_VARIABLE = "FIDGETY_CHECKSUMS"
FOLDER = ".checksums"
SCHEMA = "checksum/2"
EARLIER = "checksum/1"
SUFFIX = ".json"


@dataclass(frozen=True)
class Stamp:
    """What a file was when it was written: its size and the checksum of its content."""

    n_bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Take it of a file."""
        return cls(path.stat().st_size, file_sha256(path))


@dataclass(frozen=True)
class Record:
    """What is known of an output.

    Parameters
    ----------
    files
        By path inside the output; an output that is a file has the empty one.
    made_by
        Rule, version of fidgety, fingerprint of the code.
    sealed
        It has a checksum of its own, which is right.
    """

    files: Mapping[str, Stamp]
    made_by: Mapping[str, str]
    sealed: bool = True


def record_of(output: str | os.PathLike[str], folder: Path) -> Path | None:
    """Return where an output's record is, None for what is not below the results folder.

    Parameters
    ----------
    output
        File or folder.
    folder
        Of the records: ``results/.checksums``.
    """
    inside = os.path.relpath(os.path.abspath(output), os.path.abspath(folder.parent))
    # Not with_suffix: `bundle` and `bundle.zip` are two outputs.
    return None if inside.split(os.sep)[0] in ("..", ".") else folder / f"{inside}{SUFFIX}"


def files_in(output: Path) -> Iterator[tuple[str, Path]]:
    """Yield an output's files, with their names inside it; hidden ones are not ours."""
    if not output.is_dir():
        yield "", output
        return
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield name.as_posix(), path


def record(
    outputs: Iterable[str | os.PathLike[str]], folder: Path, made_by: Mapping[str, str]
) -> None:
    """Record the checksums of what a job has written.

    Parameters
    ----------
    outputs
        Files and folders. What is elsewhere than the results (a cluster's storage brings files
        from afar) has no record.
    folder
        Of the records.
    made_by
        See :class:`Record`.
    """
    for output in outputs:
        target = record_of(output, folder)
        if target is None or not os.path.lexists(output):
            continue
        stamps = {name: Stamp.of(path) for name, path in files_in(Path(output))}
        files = {name: [stamp.n_bytes, stamp.sha256] for name, stamp in stamps.items()}
        write_sealed(target, {"schema": SCHEMA, "files": files, "made_by": dict(made_by)})


def read_record(path: Path) -> Record:
    """Read a record.

    Raises
    ------
    StorageError
        If it cannot be read; as :class:`DamagedError` if it is damaged.
    """
    content, sealed = read_sealed(path, SCHEMA, EARLIER)
    try:
        files = {_inside(str(name)): _stamp(value) for name, value in content["files"].items()}
        made_by = {str(key): str(value) for key, value in content["made_by"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"{path}: is no record of checksums ({error})") from None
    return Record(files, made_by, sealed)


def _inside(name: str) -> str:
    """Return a file's name inside its output, if it is one."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(f"{name!r} leads out of the output")
    return name


def _stamp(value: Any) -> Stamp:
    n_bytes, checksum = value
    if not (isinstance(n_bytes, int) and isinstance(checksum, str) and len(checksum) == 64):
        raise ValueError("a size and a checksum are expected")
    return Stamp(n_bytes, checksum)


def renew(path: Path, folder: Path) -> None:
    """Record a file anew that was changed on purpose, if it had a record."""
    target = record_of(path, folder)
    if target is not None and target.is_file():
        record([path], folder, read_record(target).made_by)


def records_below(output: Path, folder: Path) -> list[Path]:
    """Return the records of an output, and of outputs inside it if it is a folder."""
    target = record_of(output, folder)
    if target is None:
        return []
    inside = target.with_name(target.name.removesuffix(SUFFIX))
    return [path for path in (target, inside) if os.path.lexists(path)]


def drop(paths: Iterable[Path]) -> None:
    """Remove records, and folders that hold none any more."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent.name == FOLDER or not _removed(parent):
                break


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True
