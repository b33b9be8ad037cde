"""Text from outside: characters that no text needs, and how it gets into tables and messages."""

from __future__ import annotations

import re

#: Characters that no text of a table needs: controls (but tabs and line ends, which may stand in
#: quotes), halves of pairs, and those that turn the direction of what stands around them, so that
#: it reads otherwise than it is.
CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
#: Those among them that turn the direction of text.
_DIRECTIONS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_NO_CELL = re.compile(rf"(?:{CONTROLS.pattern}|[\t\r\n])+")


def control_in(text: str) -> str | None:
    """Return the name of a text's first character that is none (:data:`CONTROLS`), if any is."""
    found = CONTROLS.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def with_marks(text: str) -> str:
    """Return a text with a mark in the place of each character that is none."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def in_message(text: str) -> str:
    """Return what a terminal may show of a text that quotes others: lines, and no controls."""
    # A carriage return alone writes over what stands before it.
    return with_marks(text.replace("\r\n", "\n")).replace("\r", "\N{REPLACEMENT CHARACTER}")


def in_line(text: str) -> str:
    """Return a text as one line of a message."""
    return " ".join(with_marks(text).split())


def safe_text(text: str) -> str:
    """Return free text as one cell that neither breaks a table nor is taken for a formula.

    What turns the direction of text is taken out: a cell that is turned reads otherwise than it is.
    """
    flat = _NO_CELL.sub(" ", _DIRECTIONS.sub("", text)).strip()
    return f"'{flat}" if flat[:1] in ("=", "+", "-", "@") else flat
