"""HDF5 on a disk that may be full.

Where a write fails, HDF5 cannot close its file: it crashes the process (a segmentation fault), and
nobody is told why. So it writes through a file of Python's, which remembers the first failure,
takes no more, and lets HDF5 come to its end; the failure is raised behind it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Pieces of the file's description are read again while it is written; data are larger.
_SMALL = 1 << 20


class RememberingFile(io.RawIOBase):
    """A new file for HDF5 that never fails at writing: the first failure is remembered.

    Parameters
    ----------
    path
        File to make; an earlier one is replaced.

    Attributes
    ----------
    failure : OSError or None
        Why the file is not whole.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._path = Path(path)
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115
        self._lost: dict[int, bytes] = {}
        self.failure: OSError | None = None

    def _remember(self, error: OSError) -> None:
        error.filename = str(self._path)
        self.failure = error

    def readable(self) -> bool:
        """Yes: HDF5 reads its own description again."""
        return True

    def writable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def readinto(self, buffer: object) -> int:
        """Read what was written, or would have been."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        lost = self._lost.get(self._file.tell())
        if lost is not None and len(lost) >= len(view):
            view[:] = lost[: len(view)]
            return len(view)
        return self._file.readinto(view) or 0

    def write(self, data: object) -> int:
        """Write all of it, or remember why not; never fail."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        start, done = self._file.tell(), 0
        while self.failure is None and done < len(view):
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self._remember(error)
        if self.failure is not None and len(view) <= _SMALL:
            self._lost[start] = bytes(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, or remember why not; never fail."""
        if self.failure is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self._remember(error)
        return size or 0

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def remembering(path: str | os.PathLike[str]) -> Iterator[RememberingFile]:
    """Give a file for HDF5 to write into; behind it, raise what kept it from being whole.

    Raises
    ------
    OSError
        Of the first write that failed, whatever HDF5 made of it.
    """
    file = RememberingFile(path)
    try:
        yield file
    except Exception as error:
        if file.failure is not None:
            raise file.failure from error
        raise
    finally:
        file.close()
    if file.failure is not None:
        raise file.failure
