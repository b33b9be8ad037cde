"""Files and folders, whole or absent; JSON in one way; checksums.

A file is written beside its place and renamed, so a killed job leaves nothing that looks finished.
What is here is needed to plan as well, so no large library is loaded.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fidgety.errors import DamagedError, StorageError
from fidgety.faults import reading_fault

#: Names of :func:`atomic_path` and :func:`atomic_directory`, and of a pose that another recording's
#: job has made ready.
_TEMPORARY = re.compile(
    r"\.(?P<stem>.+)\.(?:[a-z0-9_]{8}|ready-[0-9a-f]+)(?P<suffix>\.[^.]+)?", re.DOTALL
)


def dumps(value: Any) -> str:
    """Serialise to JSON in one canonical way; NaN becomes null."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    # Arrays and numbers of NumPy, which is not loaded for them.
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file name beside ``path``; on success it takes its place.

    The name keeps the suffix, so that writers that look at it work. On an error, or when
    the body wrote nothing, nothing is left behind.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{final.stem}.", suffix=final.suffix, dir=final.parent)
    os.close(handle)
    temporary = Path(name)
    temporary.unlink()
    try:
        yield temporary
        if not temporary.exists():
            raise StorageError(f"{final}: nothing was written.")
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; on success it takes its place.

    Two jobs that write the same folder at once leave that of one of them, whole.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    old = temporary.with_name(f"{temporary.name}.old")
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o777 & ~umask)
    try:
        yield temporary
        _sync_folder(temporary)
        while True:
            with contextlib.suppress(FileNotFoundError):
                # A folder with files in it cannot be replaced: it is moved away first.
                os.replace(final, old)
            try:
                os.replace(temporary, final)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    with contextlib.suppress(OSError):
                        os.replace(old, final)
                    raise
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def finals_of(name: str) -> list[str]:
    """Return which files or folders a hidden temporary may have been for; none if it is none.

    Parameters
    ----------
    name
        Of the file or folder, without its place.
    """
    found = _TEMPORARY.fullmatch(name)
    if found is None:
        return []
    stem, suffix = found["stem"], found["suffix"] or ""
    # An old folder is moved away under its temporary's name and `.old`.
    finals = [f"{stem}{suffix}", *([stem] if suffix == ".old" else [])]
    return [inner for final in finals for inner in (finals_of(final) or [final])]


def _sync_folder(folder: Path) -> None:
    """Have the disk take all files below a folder, and their names."""
    for here, _, names in os.walk(folder, topdown=False):
        for path in [*(Path(here, name) for name in names), Path(here)]:
            if path.is_symlink():
                continue
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            except OSError as error:
                # Some disks of networks sync no folder.
                if not (path == Path(here) and error.errno in (errno.EINVAL, errno.EBADF)):
                    raise
            finally:
                os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON with sorted keys, whole or not at all; NaN becomes null."""
    text = json.dumps(_plain(value), sort_keys=True, indent=1, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON.

    Raises
    ------
    StorageError
        If the file is missing or is no JSON; as :class:`DamagedError` if it is there and no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if lacking := reading_fault(error):
            raise StorageError(f"{path}: {lacking}") from None
        kind = StorageError if isinstance(error, OSError) else DamagedError
        raise kind(f"{path}: cannot be read as JSON: {error}") from None


def read_json_record(path: str | os.PathLike[str], schema: str) -> dict[str, Any]:
    """Read JSON that says which schema it keeps to.

    Raises
    ------
    StorageError
        If it cannot be read, or is no record of this schema.
    """
    values = read_json(path)
    found = values.get("schema") if isinstance(values, dict) else None
    if found != schema:
        raise StorageError(
            f"{path}: has schema {found!r}, expected {schema!r}. "
            "Delete it and run the workflow again."
        )
    return dict(values)


def write_sealed(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write JSON with a checksum of its own, whole or not at all.

    Parameters
    ----------
    path
        File.
    values
        What to write; ``sha256`` is added.
    """
    write_json(path, {**values, "sha256": _seal(values)})


def read_sealed(
    path: str | os.PathLike[str], schema: str, earlier: str
) -> tuple[dict[str, Any], bool]:
    """Read JSON that says which schema it keeps to, and check its own checksum.

    Parameters
    ----------
    path
        File.
    schema
        That of files with a checksum.
    earlier
        That of files from before there was one.

    Returns
    -------
    tuple
        The values without the checksum, and whether there was one.

    Raises
    ------
    StorageError
        If it cannot be read; as :class:`DamagedError` if it is not what was written.
    """
    values = read_json(path)
    found = values.get("schema") if isinstance(values, dict) else None
    if found == earlier and "sha256" not in values:
        return values, False
    if found not in (schema, earlier):
        raise DamagedError(f"{path}: has schema {found!r}, expected {schema!r}.")
    seal = values.pop("sha256", None)
    if found == earlier or seal != _seal(values):
        raise DamagedError(f"{path}: is not what was written: its own checksum differs.")
    return values, True


def _seal(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(dumps(values).encode()).hexdigest()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the checksum of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_file(path: str | os.PathLike[str]) -> None:
    """Check that something is a file: a pipe makes who reads it wait for ever.

    Raises
    ------
    StorageError
        If it is anything else, or out of reach.
    """
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}.") from None
    if not regular:
        raise StorageError(f"{path}: is a folder, a pipe or a device, no file. Move it away.")


def job_seed(seed: int, *names: str) -> int:
    """Derive a job's seed from the configuration's seed and the job's name.

    Returns
    -------
    int
        Between 0 and 2**31 - 1: what every library takes.
    """
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
