"""Changing the bytes of valid files, how often it is tried, for how long, with what memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def examples(n: int) -> int:
    """Return how many examples to try: ``FIDGETY_FUZZ`` is a factor."""
    return n * int(os.environ.get("FIDGETY_FUZZ", "1"))


class TooLong(BaseException):
    """Something hangs. Not an Exception, which what is tried may catch and tell as a message."""


#: What an example may ask of the system beside what the process has.
EXAMPLE_BYTES = 2 << 30


@contextlib.contextmanager
def limited(seconds: int, memory: int = EXAMPLE_BYTES) -> Iterator[None]:
    """Raise TooLong where the body takes longer, and give it no more memory than so much.

    Of a hang or an allocation that is refused comes an error that is no message: a finding.
    """

    def stop(*_: object) -> None:
        raise TooLong(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + memory, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite, take out, put in or repeat some bytes, or cut the end off."""
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(data) + 1))
        length = int(rng.integers(1, 9))
        noise = rng.bytes(length)
        data = (
            data[:at] + noise + data[at + length :],
            data[:at] + data[at + length :],
            data[:at] + noise + data[at:],
            data[:at] + data[at : at + length] * 2 + data[at + length :],
            data[: max(at, len(data) // 2)],
        )[int(rng.choice(5, p=(0.5, 0.15, 0.15, 0.15, 0.05)))]
    return data
