"""Locks between jobs, which a process holds, and loses however it ends: files, or names."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
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
    with _hold_first([partial(_lock_file, path) for path in paths], waiting, poll_s) as index:
        yield index


@contextlib.contextmanager
def hold_one_of_machine(
    names: Sequence[str], waiting: str = "", poll_s: float = 0.2
) -> Iterator[int]:
    """Hold the first free one of some names of this machine; wait while all of them are held.

    A name counts for all processes of the machine, whoever runs them, and is nowhere on a disk:
    it is that of a socket which Linux keeps for as long as a process has it open. Containers with
    a network of their own have names of their own.

    Parameters
    ----------
    names
        At most 100 bytes each.
    waiting
        What to print if there is something to wait for.
    poll_s
        Seconds between two looks.

    Yields
    ------
    int
        Which of the names is held.
    """
    with _hold_first([partial(_lock_name, name) for name in names], waiting, poll_s) as index:
        yield index


@contextlib.contextmanager
def _hold_first(
    locks: Sequence[Callable[[], ExitStack | None]], waiting: str, poll_s: float
) -> Iterator[int]:
    """Hold the first lock that can be had; a lock is asked for, and is given with its end."""
    said = False
    while True:
        for index, lock in enumerate(locks):
            held = lock()
            if held is not None:
                # Closed, it is free; a process that is killed closes it as well.
                with held:
                    yield index
                return
        if waiting and not said:
            print(waiting, flush=True)
            said = True
        time.sleep(poll_s)


def _lock_file(path: Path) -> ExitStack | None:
    """Lock a file, or return None if another process has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        held.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print(
                f"{path.parent}: this file system knows no locks. Jobs that run at once may train "
                "the same model twice.",
                flush=True,
            )
        return held.pop_all()


def _lock_name(name: str) -> ExitStack | None:
    """Take a name of the machine, or return None if another process has."""
    with ExitStack() as held:
        one = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            one.bind(f"\0{name}")
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return None
            print(
                f"this machine gives no names to hold ({error}). Jobs that run at once may take "
                "the same GPU.",
                flush=True,
            )
        return held.pop_all()
