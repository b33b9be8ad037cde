"""What all tables of the user share: how text is read, and how mistakes are told.

Everything that is wrong with a table is collected, so that one message names every finding with
its row (as a spreadsheet counts: the header is row 1), its column, its value and the remedy.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fidgety.errors import ConfigError
from fidgety.registry import nearest
from fidgety.text import CONTROLS, control_in, in_line

#: What counts as an empty cell in optional columns.
MISSING = frozenset({"", "na", "n/a", "nan", "none", "null", "-", "."})
#: Findings of one kind beyond this number are counted, not listed.
LISTED_ROWS = 20
#: Lines of a message beyond this number are counted, and longer ones are cut off.
LISTED_LINES = 40
LINE_CHARACTERS = 1000
#: Kinds of findings that are kept; what is beyond is counted.
KEPT_KINDS = 500
#: Most of a row, whatever is quoted in it.
ROW_CHARACTERS = 1_000_000
#: Most of a value that a message repeats.
SHOWN_CHARACTERS = 100
#: A number as many countries write it.
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+$")


@dataclass
class _Kind:
    """One finding, and the rows that it is of."""

    table: str
    text: str
    rows: list[int] = field(default_factory=list)
    n: int = 0

    def lines(self) -> list[tuple[str, int, str, int]]:
        """Return table, first row, text, and how many findings it stands for."""
        if self.n > LISTED_ROWS and self.rows:
            listed = ", ".join(map(str, self.rows))
            text = f"{self.table}: rows {listed} and {self.n - LISTED_ROWS} more{self.text}"
            return [(self.table, self.rows[0], text, self.n)]
        if self.rows:
            text = self.text
            return [(self.table, row, f"{self.table}: row {row}{text}", 1) for row in self.rows]
        return [(self.table, 0, f"{self.table}{self.text}", self.n)]


class Findings:
    """Everything wrong with the user's tables.

    Of each kind the first :data:`LISTED_ROWS` rows are kept, and :data:`KEPT_KINDS` kinds; the rest
    is counted, so that a table of nothing but mistakes fits into the memory.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, bool, str], _Kind] = {}
        self._tables: dict[str, None] = {}
        self._n = 0

    def add(
        self, table: str, row: int | None, column: str, value: str | None, problem: str
    ) -> None:
        """Note a finding.

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
        self._n += 1
        if len(self._tables) < KEPT_KINDS:
            self._tables.setdefault(table)
        place = _place(column, value)
        text = _start(f": {place}: {problem}" if place else f": {problem}", LINE_CHARACTERS)
        key = (table, row is None, text)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= KEPT_KINDS:
                return
            kind = self._kinds[key] = _Kind(table, text)
        kind.n += 1
        if row is not None and len(kind.rows) < LISTED_ROWS:
            kind.rows.append(row)

    def __len__(self) -> int:
        return self._n

    def __bool__(self) -> bool:
        return self._n > 0

    def lines(self) -> list[str]:
        """Return one line a finding, in the order of tables and rows.

        Long runs of the same finding become one line; behind :data:`LISTED_LINES` there is one
        that counts the rest.
        """
        lines = [line for kind in self._kinds.values() for line in kind.lines()]
        order = {name: k for k, name in enumerate(self._tables)}
        lines.sort(key=lambda x: (order.get(x[0], KEPT_KINDS), x[1]))
        shown = lines[:LISTED_LINES]
        told = [_start(in_line(line), LINE_CHARACTERS) for _, _, line, _ in shown]
        if rest := self._n - sum(n for *_, n in shown):
            told.append(f"and {rest} more finding{'s' if rest > 1 else ''}; correct these first.")
        return told

    def raise_if_any(self) -> None:
        """Raise everything at once.

        Raises
        ------
        ConfigError
            With one line a finding, in the order of tables and rows.
        """
        if self:
            head = f"{self._n} finding{'s' if self._n > 1 else ''} in the tables:\n"
            raise ConfigError(head + "\n".join(self.lines()))


def _place(column: str, value: str | None) -> str:
    """Return a column and its value as they are shown."""
    shown = "" if value is None else f": {_start(value, SHOWN_CHARACTERS)!r}"
    return f"column {column}{shown}" if column else shown.removeprefix(": ")


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


class RowError(Exception):
    """A row that cannot be read, or has no end."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")


def lines_of(text: str) -> Iterator[str]:
    """Yield a text's lines with their ends, as the reader of tables wants them, one at a time."""
    return (found[0] for found in _LINE.finditer(text))


def first_line(text: str) -> str:
    """Return the first line with anything in it."""
    return next((line for line in lines_of(text) if line.strip()), "")


def table_rows(text: str, separator: str, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield a table's rows with their numbers; empty ones are counted and left out.

    Parameters
    ----------
    text
        Of the table.
    separator
        What parts its columns.
    strict
        Whether quotation marks must be in order.

    Raises
    ------
    RowError
        If a row cannot be read, or has no end.
    """
    taken, number = 0, 0

    def measured() -> Iterator[str]:
        nonlocal taken
        for line in lines_of(text):
            taken += len(line)
            if taken > ROW_CHARACTERS:
                raise csv.Error(f"a row of more than {ROW_CHARACTERS} characters")
            yield line

    reader = csv.reader(measured(), delimiter=separator, strict=strict)
    while True:
        number, taken = number + 1, 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RowError(number, str(error)) from None
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield number, stripped


def without_controls(
    row: Mapping[str, str], number: int, name: str, findings: Findings
) -> dict[str, str]:
    """Take out what is no text, which is a finding; the rest is checked as if it were not there."""
    for column, cell in row.items():
        if control := control_in(cell):
            findings.add(
                name, number, column, cell, f"holds {control}, which is no text; type it anew."
            )
    return {column: CONTROLS.sub("", cell) for column, cell in row.items()}


def suggest(value: str, known: Sequence[str]) -> str:
    """Say which known value was probably meant, or list them."""
    folded = {name.casefold(): name for name in known}
    if value.casefold() in folded:
        return f" Did you mean {folded[value.casefold()]!r}?"
    return nearest(value, list(known)) or f" Known are: {', '.join(known)}."
