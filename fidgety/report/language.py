"""The report's language: one translation of templates and of texts that Python puts together.

English by default. ``with spoken(texts):`` gives another; :mod:`fidgety.report.catalogue` gathers
what is to be translated.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_SPOKEN: ContextVar[gettext.NullTranslations | None] = ContextVar("spoken", default=None)


@contextmanager
def spoken(texts: gettext.NullTranslations) -> Iterator[None]:
    """Write what is written inside of the block in another language.

    Parameters
    ----------
    texts
        Translation.
    """
    token = _SPOKEN.set(texts)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def current() -> gettext.NullTranslations | None:
    """Return the translation in use; None is English."""
    return _SPOKEN.get()


def mark(text: str) -> str:
    """Return a text as it is: it is translated where it is shown, and the catalogue has it."""
    return text


def translate(text: str, **values: Any) -> str:
    """Return a text in the report's language, its values (``%(n)s``) filled in.

    As in the templates a per cent sign is written twice.
    """
    texts = _SPOKEN.get()
    return (text if texts is None else texts.gettext(text)) % values
