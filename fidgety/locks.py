"""Locks between jobs: files that a process holds, and loses however it ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Where the workflow's jobs have their locks; the workflow sets it for them.
LOCKS_VARIABLE = "FIDGETY_LOCKS"
#: What a file system says that knows no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def hold_one(paths: Sequence[Path], waiting: str = "", poll_s: float = 0.2) -> Iterator[int]:
    """Hold the first free one of some lock files; wait while all of them are held.

    The files stay: a lock on a removed file would be no lock for who comes next. Where the file
    system knows no locks, the first one is given to all.

    Parameters
    ----------
    paths
        The lock files; they are made where they are missing.
    waiting
        What to print if there is something to wait for.
    poll_s
        Seconds between two looks.

    Yields
    ------
    int
        Which of the files is held.
    """
    said = False
    while True:
        for index, path in enumerate(paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                held = _lock(handle, path)
                if held:
                    yield index
                    return
            finally:
                # Closed, it is free; a process that is killed closes it as well.
                os.close(handle)
        if waiting and not said:
            print(waiting, flush=True)
            said = True
        time.sleep(poll_s)


def _lock(handle: int, path: Path) -> bool:
    """Lock an open file, or tell that another process has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        print(
            f"{path.parent}: this file system knows no locks. Jobs that run at once may take the "
            "same GPU, or train the same model twice.",
            flush=True,
        )
    return True
