"""What is written below every figure of a job: of whom it is, where that is no infant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TEXT: ContextVar[str] = ContextVar("footnote", default="")


@contextmanager
def footnote(text: str) -> Iterator[None]:
    """Have a text written below every figure that is drawn meanwhile; empty: none."""
    token = _TEXT.set(text)
    try:
        yield
    finally:
        _TEXT.reset(token)


def footnote_text() -> str:
    """Return the text that is to stand below a figure, or nothing."""
    return _TEXT.get()
