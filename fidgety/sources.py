"""Content checksums of the user's files, computed once.

Source videos are large, private and never written by the workflow. Jobs depend on their
*content*: its checksum is a parameter of the first stage, so that a copied or touched file reruns
nothing and another content does. An index in the results folder remembers each file's size,
times and inode beside its checksum, so that only changed files are read again.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import time
from pathlib import Path

from fidgety.errors import ConfigError, StorageError
from fidgety.storage import file_sha256, write_text

#: Wait between two writes of a growing index, so that many small files do not cost n squared.
SAVE_EVERY_S = 2.0
#: A file changed this shortly ago may change again within the resolution of its time stamp.
RACY_S = 2.0
VERSION = 1

Signature = tuple[int, int, int, int]


def _signature(found: os.stat_result) -> Signature:
    """Return what changes when a file's content does: size, times of content and inode, inode."""
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class SourceIndex:
    """Remembered checksums, kept in a JSON file.

    Parameters
    ----------
    path
        File of the index. A damaged or foreign one is as good as none: it is written anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
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
            write_text(
                self.path, json.dumps({"version": VERSION, "files": files}, sort_keys=True) + "\n"
            )
            self._new = {}
        self._saved_at = time.monotonic()


def source_checksum(path: str | os.PathLike[str], index: SourceIndex) -> str:
    """Return the SHA-256 of a source file's content, from the index where it is unchanged.

    Parameters
    ----------
    path
        File.
    index
        Remembers across runs.

    Raises
    ------
    ConfigError
        If the file cannot be read, or changes while it is read.
    """
    name = os.path.abspath(path)
    try:
        for _ in range(2):
            before = _signature(os.stat(name))
            if (known := index.lookup(name, before)) is not None:
                return known
            checksum = file_sha256(name)
            after = os.stat(name)
            if _signature(after) == before:
                if abs(time.time() - max(after.st_mtime, after.st_ctime)) > RACY_S:
                    index.remember(name, before, checksum)
                return checksum
    except OSError as error:
        raise ConfigError(
            f"{os.fspath(path)}: cannot be read ({error.strerror}). Check its path and rights."
        ) from None
    raise ConfigError(
        f"{os.fspath(path)}: changes while it is read. Wait until it is copied, then run again."
    )
