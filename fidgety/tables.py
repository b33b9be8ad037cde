"""What all tables of the user share: how text is read, and how mistakes are told.

Everything that is wrong with a table is collected, so that one message names every finding with
its row (as a spreadsheet counts: the header is row 1), its column, its value and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fidgety.errors import ConfigError
from fidgety.registry import nearest

#: What counts as an empty cell in optional columns.
MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "."})
#: Findings of one kind beyond this number are counted, not listed.
LISTED_ROWS = 20
#: Lines of a message beyond this number are counted, and longer ones are cut off.
LISTED_LINES = 40
LINE_CHARACTERS = 1000
#: Most of a value that a message repeats.
SHOWN_CHARACTERS = 100
#: A number as many countries write it.
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+$")


@dataclass(frozen=True)
class Finding:
    """Something wrong with a table.

    Parameters
    ----------
    table
        File, as the user wrote it.
    row
        Row as a spreadsheet counts; None for the table as a whole.
    column
        Column, or nothing for the row as a whole.
    value
        What stands there.
    problem
        What is wrong and what to do.
    """

    table: str
    row: int | None
    column: str
    value: str | None
    problem: str

    @property
    def place(self) -> str:
        """Column and value."""
        shown = "" if self.value is None else f": {_start(self.value, SHOWN_CHARACTERS)!r}"
        return f"column {self.column}{shown}" if self.column else shown.removeprefix(": ")


@dataclass
class Findings:
    """Everything wrong with the user's tables."""

    found: list[Finding] = field(default_factory=list)

    def add(
        self, table: str, row: int | None, column: str, value: str | None, problem: str
    ) -> None:
        """Note a finding."""
        self.found.append(Finding(table, row, column, value, problem))

    def __bool__(self) -> bool:
        return bool(self.found)

    def lines(self) -> list[str]:
        """Return one line a finding, in the order of tables and rows.

        Long runs of the same finding become one line; behind :data:`LISTED_LINES` there is one
        that counts the rest.
        """
        same: dict[tuple[str, str, str], list[Finding]] = {}
        for finding in self.found:
            key = (finding.table, finding.place, finding.problem)
            same.setdefault(key, []).append(finding)
        lines: list[tuple[str, int, str, int]] = []
        for (table, place, problem), group in same.items():
            rows = [finding.row for finding in group if finding.row is not None]
            text = f": {place}: {problem}" if place else f": {problem}"
            if len(rows) > LISTED_ROWS:
                listed = ", ".join(map(str, rows[:LISTED_ROWS]))
                more = len(rows) - LISTED_ROWS
                line = f"{table}: rows {listed} and {more} more{text}"
                lines.append((table, rows[0], line, len(rows)))
            elif rows:
                lines += [(table, row, f"{table}: row {row}{text}", 1) for row in rows]
            else:
                lines.append((table, 0, f"{table}{text}", len(group)))
        order = {name: k for k, name in enumerate(dict.fromkeys(f.table for f in self.found))}
        lines.sort(key=lambda x: (order[x[0]], x[1]))
        told = [_start(line, LINE_CHARACTERS) for _, _, line, _ in lines[:LISTED_LINES]]
        if rest := sum(n for *_, n in lines[LISTED_LINES:]):
            told.append(f"and {rest} more finding{'s' if rest > 1 else ''}; correct these first.")
        return told

    def raise_if_any(self) -> None:
        """Raise everything at once.

        Raises
        ------
        ConfigError
            With one line a finding, in the order of tables and rows.
        """
        if self.found:
            n = len(self.found)
            head = f"{n} finding{'s' if n > 1 else ''} in the tables:\n"
            raise ConfigError(head + "\n".join(self.lines()))


def _start(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def decode(data: bytes) -> str:
    """Decode a table as spreadsheets write them.

    UTF-8 with or without a byte order mark, UTF-16 (a spreadsheet's "Unicode text"), else
    Windows' Western European letters, of which Latin-1 is the printable part.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def suggest(value: str, known: Sequence[str]) -> str:
    """Say which known value was probably meant, or list them."""
    folded = {name.casefold(): name for name in known}
    if value.casefold() in folded:
        return f" Did you mean {folded[value.casefold()]!r}?"
    return nearest(value, list(known)) or f" Known are: {', '.join(known)}."
