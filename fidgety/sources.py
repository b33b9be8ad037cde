"""Content checksums of the user's files, computed once.

Source videos are large, private and never written by the workflow. Jobs depend on their
*content*: its checksum is a parameter of the first stage, so that a copied or touched file reruns
nothing and another content does. An index in the results folder remembers each file's size,
times and inode beside its checksum, so that only changed files are read again.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fidgety.errors import ConfigError, StorageError
from fidgety.files import file_sha256, write_text

#: Wait between two writes of a growing index, so that many small files do not cost n squared.
SAVE_EVERY_S = 2.0
#: A file changed this shortly ago may change again within the resolution of its time stamp.
RACY_S = 2.0
VERSION = 1

#: Snakemake's storage plugin of a kind of URL: many bear another name than the URL.
STORAGE_PLUGINS = {
    "s3": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "http": "http",
    "https": "http",
    "sftp": "sftp",
    "ftp": "ftp",
    "az": "azure",
    "azure": "azure",
}
PLUGIN_CATALOGUE = "https://snakemake.github.io/snakemake-plugin-catalog/"

Signature = tuple[int, int, int, int]


def is_remote(name: str) -> bool:
    """Tell whether a source is a URL of a storage (``s3://bucket/key``), not a path."""
    return re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", name, flags=re.IGNORECASE) is not None


def url_hint(name: str) -> str:
    """Say what somebody meant who wrote no path and no URL of a storage, or nothing."""
    if re.match(r"file:", name, flags=re.IGNORECASE):
        return " Write the path, without 'file:'."
    # One letter is a drive.
    if re.match(r"[a-z][a-z0-9+.-]+:/(?!/)", name, flags=re.IGNORECASE):
        return " A URL has '://'."
    return ""


def plugin_hint(url: str) -> str:
    """Say where the storage plugin of a URL is to be had."""
    plugin = STORAGE_PLUGINS.get(url.split("://")[0].lower())
    if plugin is None:
        return f"Find one in {PLUGIN_CATALOGUE} and install it beside snakemake"
    install = f"python -m pip install snakemake-storage-plugin-{plugin}"
    return f"Install it beside snakemake ({install})"


def user_path(name: str) -> Path:
    """Return a path that a user wrote, with ``~`` for the home folder.

    One that names the home of nobody (``~nobody/a.mp4``) stays as it is: there is no such file.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def folder_files(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return the files of a folder that is one source, by name; hidden ones do not count."""
    with os.scandir(folder) as entries:
        found = [e for e in entries if not e.name.startswith(".") and e.is_file()]
    return sorted(found, key=lambda entry: entry.name)


def has_frame_files(folder: str | os.PathLike[str]) -> bool:
    """Tell whether a folder has a JSON file: tracks with a file a frame."""
    return any(entry.name.lower().endswith(".json") for entry in folder_files(folder))


def _signature(path: str) -> Signature:
    """Return what changes when a source's content does.

    Of a file: size, times of content and inode, inode. Of a folder: the size of its files, the
    last of their times, and a checksum of the whole listing.
    """
    if not os.path.isdir(path):
        found = os.stat(path)
        # A device or a pipe may have no end, or make who reads it wait for ever.
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{path}: is neither a file nor a folder.")
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    listing = []
    for entry in folder_files(path):
        one = entry.stat()
        listing.append((entry.name, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino))
    digest = hashlib.sha256(repr(listing).encode()).digest()
    return (
        sum(size for _, size, *_ in listing),
        max((mtime for _, _, mtime, *_ in listing), default=0),
        max((ctime for _, _, _, ctime, _ in listing), default=0),
        int.from_bytes(digest[:6], "big"),
    )


def source_size(path: str | os.PathLike[str]) -> int:
    """Return the bytes of a source: a file, or all files of a folder."""
    return _signature(os.fspath(path))[0]


def _content_sha256(path: str) -> str:
    """Return the checksum of a file, or of a folder: of its files' names and contents."""
    if not os.path.isdir(path):
        return file_sha256(path)
    digest = hashlib.sha256()
    for entry in folder_files(path):
        digest.update(f"{entry.name}\0{file_sha256(entry.path)}\n".encode())
    return digest.hexdigest()


class SourceIndex:
    """Remembered checksums, kept in a JSON file.

    Parameters
    ----------
    path
        File of the index. A damaged or foreign one is as good as none: it is written anew.
    """

    def __init__(self, path: Path) -> None:
        # Snakemake leaves the working folder before Python ends.
        self.path = Path(path).absolute()
        self._known: dict[str, tuple[Signature, str]] | None = None
        self._new: dict[str, tuple[Signature, str]] = {}
        self._saved_at = time.monotonic()
        self._registered = False

    def _read(self) -> dict[str, tuple[Signature, str]]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["version"] != VERSION:
                return {}
            found = {}
            for name, (size, mtime, ctime, inode, checksum) in content["files"].items():
                if not (isinstance(checksum, str) and len(checksum) == 64):
                    continue
                found[name] = ((int(size), int(mtime), int(ctime), int(inode)), checksum)
            return found
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def lookup(self, name: str, signature: Signature) -> str | None:
        """Return the remembered checksum if the file looks as it did."""
        if self._known is None:
            self._known = self._read()
        known = self._known.get(name)
        return known[1] if known is not None and known[0] == signature else None

    def remember(self, name: str, signature: Signature, checksum: str) -> None:
        """Keep a checksum; the index is written now and then, and when Python ends."""
        if self._known is None:
            self._known = self._read()
        self._known[name] = self._new[name] = (signature, checksum)
        if not self._registered:
            atexit.register(self.save)
            self._registered = True
        if time.monotonic() - self._saved_at >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write what is new, merged with what another process has written meanwhile.

        An index that cannot be written (a read-only folder) costs time, not the run.
        """
        if not self._new:
            return
        merged = self._read() | self._new
        files = {name: [*signature, checksum] for name, (signature, checksum) in merged.items()}
        with contextlib.suppress(OSError, StorageError):
            write_text(self.path, _index_text({"version": VERSION, "files": files}))
            self._new = {}
        self._saved_at = time.monotonic()


def _index_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True) + "\n"


def index_without(text: str, gone: Callable[[str], bool]) -> str:
    """Return the text of an index without some sources, by their paths; of a damaged one, nothing.

    It only saves time: what is not in it is read anew.
    """
    try:
        content = json.loads(text)
        files = {name: known for name, known in content["files"].items() if not gone(name)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _index_text({"version": VERSION, "files": {}})
    return _index_text({**content, "files": files})


def source_checksum(path: str | os.PathLike[str], index: SourceIndex) -> str:
    """Return the SHA-256 of a source's content, from the index where it is unchanged.

    Parameters
    ----------
    path
        A file; or a folder, whose checksum is that of its files' names and contents.
    index
        Remembers across runs.

    Raises
    ------
    ConfigError
        If the file cannot be read, is a device or a pipe, or changes while it is read.
    """
    try:
        name = os.path.abspath(path)
        for _ in range(2):
            before = _signature(name)
            if (known := index.lookup(name, before)) is not None:
                return known
            checksum = _content_sha256(name)
            after = _signature(name)
            if after == before:
                if abs(time.time() - max(after[1:3]) / 1e9) > RACY_S:
                    index.remember(name, before, checksum)
                return checksum
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"{os.fspath(path)}: cannot be read ({why}). Check its path and rights."
        ) from None
    raise ConfigError(
        f"{os.fspath(path)}: changes while it is read. Wait until it is copied, then run again."
    )
