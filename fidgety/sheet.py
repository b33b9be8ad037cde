"""The user's tables: the sample sheet (one row a recording) and the annotated intervals.

A table is read cell by cell and everything that is wrong with it is collected, so that one
message names every finding with its row (as a spreadsheet counts: the header is row 1), its
column, its value and the remedy. What spreadsheets do to a table is either undone (byte order
marks, UTF-16, Windows line ends and letters, spaces around values, ``38+5`` for weeks and days)
or named (decimal commas, dates, commas or semicolons for tabs, a workbook in place of text).
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as PydanticError

from fidgety.config.study import Role
from fidgety.tables import (
    DECIMAL_COMMA,
    LISTED_LINES,
    MISSING,
    Findings,
    RowError,
    decode,
    first_line,
    suggest,
    table_rows,
    without_controls,
)
from fidgety.text import CONTROLS, control_in

#: Columns of the user's own start like this; they are kept and not looked at.
OWN_PREFIX = "x_"
#: Largest table.
MAX_ROWS = 1_000_000
MAX_BYTES = 200_000_000
#: Four numbers; none is larger than the sides of any picture.
CROP = r"^[0-9]{1,5}(,[0-9]{1,5}){3}$"
_WEEKS_AND_DAYS = re.compile(r"([0-9]{1,3})\s*\+\s*([0-6])$")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[-. ][A-Za-z]{3}",
)
_CLOCK = re.compile(r"\d+:\d{1,2}(:\d{1,2})?([.,]\d+)?$")


class Yes(StrEnum):
    """An answer that may be open."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Palsy(StrEnum):
    """Whether cerebral palsy was found at follow-up."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    LOST = "lost"


class FmType(StrEnum):
    """Type of the fidgety movements (Einspieler & Prechtl 2005)."""

    CONTINUOUS = "continuous"
    INTERMITTENT = "intermittent"
    SPORADIC = "sporadic"
    ABSENT = "absent"
    ABNORMAL = "abnormal"


class Movement(StrEnum):
    """What an annotated interval shows."""

    FIDGETY = "fidgety"
    WRITHING = "writhing"
    OTHER = "other"
    NOT_ASSESSABLE = "not_assessable"


def _weeks(value: Any) -> Any:
    """Read ``38+5`` (weeks and days), as neonatal units write ages."""
    if isinstance(value, str) and (found := _WEEKS_AND_DAYS.match(value)):
        return round(int(found[1]) + int(found[2]) / 7, 3)
    return value


def _roman(value: Any) -> Any:
    """Read GMFCS levels, which are written I to V."""
    if isinstance(value, str) and value.upper() in ("I", "II", "III", "IV", "V"):
        return {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}[value.upper()]
    return value


Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Weeks = Annotated[float, BeforeValidator(_weeks)]


class _Row(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


R = TypeVar("R", bound=_Row)


class Recording(_Row):
    """One row of the sample sheet. Columns that are not required may be left out."""

    recording: Id
    """Name of the recording, unique in the sheet."""
    infant: Id
    """Name of the infant; all its recordings stay together in every split."""
    cohort: Text
    """Name of the cohort; its role is in ``cohorts`` of the configuration."""
    video: Text | None = None
    """Video file, relative to the sheet's folder; or the URL of a storage (docs/clusters.md)."""
    pose: Text | None = None
    """File or folder of another tracker's tracks, relative to the sheet's folder; with a video
    the tracks count and the video is drawn on (docs/track-files.md)."""
    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    """Frame rate of the tracks in ``pose``, frames a second: for formats that hold no times, where
    no video stands beside them."""
    label: Text | None = None
    """Class of the infant, one of ``classes``; needed in development and external cohorts."""
    fm_type: FmType | None = None
    """Type of the fidgety movements."""
    sex: Literal["female", "male"] | None = None
    """Sex."""
    gestational_age_weeks: Annotated[Weeks, Field(ge=20, le=46)] | None = None
    """Gestational age at birth, in weeks; ``38+5`` is weeks and days."""
    birth_weight_g: Annotated[float, Field(ge=200, le=7000)] | None = None
    """Weight at birth, in grams."""
    corrected_age_weeks: Annotated[Weeks, Field(ge=-20, le=130)] | None = None
    """Age at the recording from the expected date of birth, in weeks; negative before it."""
    site: Text | None = None
    """Where it was recorded."""
    device: Text | None = None
    """What it was recorded with."""
    setting: Literal["hospital", "home"] | None = None
    """Recorded in a hospital or at home."""
    crop: Annotated[str, StringConstraints(pattern=CROP)] | None = None
    """Part of the upright picture to use: ``x,y,w,h`` in pixels, x to the right, y down. Tracks
    are those of the whole picture."""
    cp: Palsy | None = None
    """Outcome: cerebral palsy; ``unknown`` is seen but undecided, ``lost`` is lost to follow-up,
    empty is not known yet (docs/subgroups.md)."""
    cp_type: Literal["spastic", "dyskinetic", "ataxic", "mixed", "unclassified"] | None = None
    """Outcome: type of the cerebral palsy."""
    cp_side: Literal["left", "right", "bilateral"] | None = None
    """Outcome: side of the cerebral palsy."""
    gmfcs: Annotated[int, BeforeValidator(_roman), Field(ge=1, le=5)] | None = None
    """Outcome: Gross Motor Function Classification System, level 1 to 5 (or I to V)."""
    hine: Annotated[float, Field(ge=0, le=78)] | None = None
    """Outcome: Hammersmith Infant Neurological Examination, global score 0 to 78."""
    early_intervention: Yes | None = None
    """Whether the infant had early intervention."""
    follow_up_age_months: Annotated[float, Field(ge=0, le=300)] | None = None
    """Age at which the outcome was seen, in months; ``cp`` counts from 24 months on."""
    notes: Text | None = None
    """Free text; not looked at."""
    role: Role
    """Role of the cohort; from the configuration, not a column."""
    own: dict[str, str] = Field(default_factory=dict)
    """Columns of the user's own, which start with ``x_``."""

    @property
    def crop_px(self) -> tuple[int, int, int, int] | None:
        """Crop as (x, y, width, height) in pixels, None for the whole picture."""
        if self.crop is None:
            return None
        x, y, w, h = (int(part) for part in self.crop.split(","))
        return x, y, w, h

    @property
    def source(self) -> str | None:
        """Path of the video or track file as the sheet has it; None for phantoms."""
        return self.video or self.pose

    @property
    def sources(self) -> dict[str, str]:
        """Paths by their columns: ``video``, ``pose``, or both."""
        return {c: name for c, name in (("video", self.video), ("pose", self.pose)) if name}


class Interval(_Row):
    """One row of the table of annotated intervals."""

    recording: Id
    """Recording in the sample sheet."""
    start_s: Annotated[float, Field(ge=0)]
    """Start, in seconds from the first frame."""
    end_s: Annotated[float, Field(gt=0)]
    """End, in seconds from the first frame."""
    movement: Movement
    """What is seen: ``fidgety``, ``writhing``, ``other`` or ``not_assessable``."""
    rater: Text = "consensus"
    """Who says so; ``consensus`` is what all raters agreed on."""


#: Columns of the sample sheet, in the order of the documentation.
SHEET_COLUMNS = tuple(name for name in Recording.model_fields if name not in ("role", "own"))
#: Columns that describe the infant and its outcome: handed on to the cohort tables.
CHARACTERISTICS = tuple(
    name
    for name in SHEET_COLUMNS
    if name
    not in ("recording", "infant", "cohort", "video", "pose", "fps", "label", "crop", "notes")
)


@dataclass(frozen=True)
class Table:
    """A table's cells as text.

    Parameters
    ----------
    name
        File, as the user wrote it.
    rows
        Row number, as a spreadsheet counts, and cells by column.
    """

    name: str
    rows: list[tuple[int, dict[str, str]]]


def read_table(
    path: Path, name: str, columns: Sequence[str], needed: Sequence[str], findings: Findings
) -> Table | None:
    """Read a tab-separated table; None if it cannot be read as one.

    Parameters
    ----------
    path
        File.
    name
        How to call it in messages.
    columns
        Known columns; others are findings unless they start with ``x_``.
    needed
        Columns that must be there.
    findings
        Receives what is wrong.
    """
    try:
        found = path.stat()
        # A device or a pipe may have no end, or make who reads it wait for ever.
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            findings.add(name, None, "", None, "is a device or a pipe, not a file.")
            return None
        if found.st_size > MAX_BYTES:
            findings.add(
                name, None, "", None, f"has {found.st_size} bytes, more than {MAX_BYTES}: is it "
                "the right file?",
            )  # fmt: skip
            return None
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        findings.add(name, None, "", None, f"cannot be read: {why}.")
        return None
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        findings.add(
            name, None, "", None, "is a spreadsheet's workbook; save it as tab-separated text."
        )
        return None
    text = decode(data)
    controls = CONTROLS.search(text) is not None
    first = first_line(text)
    if "\t" not in first:
        for separator, word in ((",", "commas"), (";", "semicolons")):
            if separator in first:
                findings.add(
                    name, 1, "", None, f"is separated by {word}; save it as tab-separated text."
                )
                return None
    records = _records(text, name, findings)
    head = next(records, None)
    if head is None:
        findings.add(name, None, "", None, f"is empty; its first row names {', '.join(needed)}.")
        return None
    header = head[1]
    while not header[-1]:
        header.pop()
    good = _check_header(header, head[0], name, columns, needed, findings)
    rows: list[tuple[int, dict[str, str]]] = []
    for number, cells in records:
        if len(rows) == MAX_ROWS:
            findings.add(
                name, None, "", None, f"has more than {MAX_ROWS} rows: is it the right file?"
            )
            return None
        if any(cells[len(header) :]):
            findings.add(
                name, number, "", None, f"has {len(cells)} cells for {len(header)} columns; "
                "is there a tab inside a value?",
            )  # fmt: skip
        row = dict(zip(header, cells, strict=False))
        rows.append((number, without_controls(row, number, name, findings) if controls else row))
    if not rows:
        findings.add(name, None, "", None, "has no row below its header.")
    return Table(name, rows) if good else None


def _records(text: str, name: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    """Yield rows with their number; empty ones count, as in a spreadsheet."""
    try:
        yield from table_rows(text, "\t", strict=True)
    except RowError as error:
        findings.add(
            name, error.row, "", None, f"cannot be read ({error}); is a quotation mark left open?"
        )


def _check_header(
    header: Sequence[str],
    row: int,
    name: str,
    columns: Sequence[str],
    needed: Sequence[str],
    findings: Findings,
) -> bool:
    before = len(findings)
    seen: set[str] = set()
    for k, column in enumerate(header):
        if not column:
            findings.add(name, row, "", None, f"column {k + 1} has no name.")
        elif column in seen:
            findings.add(name, row, column, None, "stands twice in the header.")
        elif control := control_in(column):
            findings.add(
                name, row, "", column, f"holds {control}, which is no text; type the name anew."
            )
        elif column not in columns and not column.startswith(OWN_PREFIX):
            # What may have been meant takes time to find; nobody reads it beyond what is listed.
            meant = suggest(column, columns) if len(findings) < LISTED_LINES else ""
            findings.add(
                name, row, column, None,
                f"no such column.{meant} A column of your own starts with {OWN_PREFIX!r}.",
            )  # fmt: skip
        seen.add(column)
    missing = [column for column in needed if column not in seen]
    for column in missing:
        findings.add(name, row, column, None, "is missing from the header.")
    # An unknown column hides what it was meant to be; rows can still be checked without it.
    return not missing and len(findings) - before < max(len(header), 1)


def _literals(annotation: Any) -> tuple[str, ...]:
    """Return the values that a column knows, if they are few words."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(member.value for member in annotation)
    if get_origin(annotation) is Literal:
        return tuple(str(a) for a in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return next((v for v in map(_literals, get_args(annotation)) if v), ())
    return ()


_WORDS: dict[type[BaseModel], dict[str, tuple[str, ...]]] = {
    model: {
        name: words
        for name, info in model.model_fields.items()
        if (words := _literals(info.annotation))
    }
    for model in (Recording, Interval)
}
_ALIASES = {"sex": {"f": "female", "m": "male"}}
#: Columns in which a word for "missing" may be a value.
_TEXT = frozenset({"recording", "infant", "cohort", "label", "notes", "rater"})
_PLAIN = _TEXT | {"video", "pose", "site", "device"}


def clean_cells(model: type[BaseModel], cells: Mapping[str, str]) -> dict[str, str]:
    """Leave out empty cells and bring known words into their spelling."""
    out: dict[str, str] = {}
    for column, text in cells.items():
        value = text.strip()
        if not value or (column not in _TEXT and value.casefold() in MISSING):
            continue
        words = _WORDS[model].get(column)
        if words:
            folded = value.casefold().replace(" ", "_")
            folded = _ALIASES.get(column, {}).get(folded, folded)
            value = folded if folded in words else value
        elif column not in _PLAIN:
            value = value.replace("\N{MINUS SIGN}", "-")
        if column == "crop":
            value = re.sub(r"\s+", "", value)
        out[column] = value
    return out


def _limits(model: type[BaseModel], column: str) -> str:
    """Return the units or the form of a column, from its documentation."""
    return (model.model_fields[column].description or "").rstrip(".").replace("``", "'")


def describe(model: type[BaseModel], column: str, value: str | None, error: Any) -> str:
    """Say what is wrong with a cell and what to do."""
    kind = error["type"]
    if kind == "missing":
        return "is empty; every row needs it."
    text = value or ""
    if column in _WORDS[model]:
        return "is not known." + suggest(text, _WORDS[model][column])
    if column in ("recording", "infant"):
        return "may hold letters, digits, '-' and '_' only (at most 100)."
    if column == "crop":
        return "must be four whole numbers: x,y,w,h in pixels."
    if kind in ("float_parsing", "int_parsing", "int_from_float", "finite_number"):
        if DECIMAL_COMMA.match(text):
            return f"has a decimal comma; write {text.replace(',', '.')}."
        if _DATE.match(text):
            return f"is a date; a number is needed: {_limits(model, column)}."
        if _CLOCK.match(text):
            return "is a clock time; write seconds."
        whole = "whole number" if kind.startswith("int") else "number"
        return f"is not a {whole}: {_limits(model, column)}."
    if kind in ("greater_than_equal", "less_than_equal", "greater_than"):
        bound = next(iter(error.get("ctx", {}).values()), "")
        side = "above" if kind == "greater_than" else "at least"
        side = "at most" if kind == "less_than_equal" else side
        return f"must be {side} {bound}: {_limits(model, column)}."
    return f"{error['msg']}."


def parse_row(
    model: type[R],
    table: str,
    number: int,
    cells: Mapping[str, str],
    findings: Findings,
    **more: Any,
) -> R | None:
    """Turn a row's cells into a model; None, and findings, if a cell is wrong.

    Parameters
    ----------
    model
        :class:`Recording` or :class:`Interval`.
    table, number
        For messages: the table's name and the row's number.
    cells
        Text by column.
    findings
        Receives what is wrong.
    **more
        Fields that are no column.
    """
    values = clean_cells(model, {c: v for c, v in cells.items() if c in model.model_fields})
    try:
        row = model.model_validate({**values, **more})
    except PydanticError as error:
        for problem in error.errors(include_url=False):
            column = str(problem["loc"][0])
            value = cells.get(column) or None
            findings.add(table, number, column, value, describe(model, column, value, problem))
        return None
    return row
