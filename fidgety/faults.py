"""What the machine lacks: a full disk, no memory, no right to write. Told, not traced back.

Such an error is neither a fault of the program nor a result. Files are written beside their place
and renamed, so what was begun is absent; once the cause is gone, the same command goes on.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

#: Error numbers that have a cause outside the program, what they say and what to do.
FAULTS = {
    errno.ENOSPC: "the disk is full. Free some space",
    errno.EDQUOT: "your quota of disk space is used up. Free some space",
    errno.EROFS: "the disk may only be read. Make it writable",
    errno.EACCES: "the right to read or write is missing. Correct the rights",
    errno.EPERM: "the right to read or write is missing. Correct the rights",
    errno.EIO: "the disk or the network behind it fails. See to it",
    errno.ESTALE: "the network's disk went away. See to it",
    errno.EMFILE: "too many files are open at once. Raise ulimit -n, or use fewer cores",
    errno.ENFILE: "the machine has too many files open. Use fewer cores",
    errno.ENOMEM: "the memory is used up. Use fewer cores, or a machine with more",
}
#: Libraries tell in words what the system said in numbers.
_IN_WORDS = re.compile(r"\berrno\s*=\s*(\d+)", re.IGNORECASE)
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|bad_alloc|unable to allocate", re.I)


def machine_fault(error: BaseException) -> str | None:
    """Say what the machine lacks, if that is what an error, or one behind it, is about.

    Parameters
    ----------
    error
        As it was caught.

    Returns
    -------
    str or None
        What happened, to which file, and what to do; None for every other error.
    """
    for one, number in _faults(error):
        name = getattr(one, "filename", None)
        return f"{f'{name}: ' if name else ''}{_told(number)}"
    return None


def reading_fault(error: BaseException) -> str | None:
    """Say what the machine lacks, of an error at reading a file that might as well be damaged.

    Memory does not count: damaged bytes ask for any amount of it.

    Parameters
    ----------
    error
        As it was caught.

    Returns
    -------
    str or None
        What happened and what to do, without the file; None if the file is to blame.
    """
    for one, number in _faults(error):
        if isinstance(one, OSError) and number != errno.ENOMEM:
            return _told(number)
    return None


def _told(number: int) -> str:
    return f"{FAULTS[number]}, and run the same command again."


def _faults(error: BaseException) -> Iterator[tuple[BaseException, int]]:
    """Yield what the machine lacks, of an error and of those that it came from."""
    for one in _chain(error):
        number = _number(one)
        if number in FAULTS:
            yield one, number


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _number(error: BaseException) -> int:
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return errno.ENOMEM
    if isinstance(error, OSError):
        # HDF5 has errors without a number, and names it in the text.
        words = _IN_WORDS.search(str(error))
        return error.errno or (int(words[1]) if words else 0)
    return 0
