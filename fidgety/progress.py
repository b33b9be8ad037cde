"""Progress of long work: a bar on a terminal, lines in a log.

In the workflow every job's streams go to its log (:mod:`workflow_scripts.stage`), so a job shows
a line every few seconds there and a last one; the bar is for work started by hand.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")
LOG_EVERY_S = 10.0


def track(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` and show how far the work is, on the standard error stream.

    Parameters
    ----------
    items
        What is worked on, one at a time.
    what
        Name of the work: ``"decode baby-03"``.
    total
        Number of items, if known.
    """
    if sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as bar:
            yield from bar.track(items, total=total, description=what)
        return
    started = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= LOG_EVERY_S:
            last = now
            _log(what, done, total, now - started)
    _log(what, done, total, time.monotonic() - started)


def _log(what: str, done: int, total: int | None, elapsed_s: float) -> None:
    rate = done / max(elapsed_s, 1e-9)
    share = f" of {total} ({100 * done // max(total, 1)} %)" if total else ""
    left = f", {max(total - done, 0) / max(rate, 1e-9):.0f} s left" if total else ""
    print(f"{what}: {done}{share}, {rate:.1f} a second{left}", file=sys.stderr, flush=True)
