"""Keeping a C++ library's own notes out of the log."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what a C++ library says meanwhile off the standard error stream.

    mediapipe writes the same few lines about delegates each time that a graph starts, straight
    to the stream and before its own log level counts. Its errors are exceptions, those come
    through.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
