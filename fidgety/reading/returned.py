"""Files that raters send back: checked line by line, as if written by an enemy, and tabulated.

A file is JSON of the schema ``fidgety-reading/1``: who read when, and a reading a recording, under
its code. What does not fit the key is a :class:`~fidgety.errors.FidgetyError` that names the file
and the reading (from 1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from fidgety.errors import FidgetyError
from fidgety.files import require_file
from fidgety.reading.plan import Key, Sitting
from fidgety.reading.texts import MOS_R, NOT_JUDGED, TYPES, VERDICT
from fidgety.text import safe_text

FORMAT = "fidgety-reading/1"
#: A file of a thousand readings is far smaller.
MOST_BYTES = 20_000_000
#: Players stop a little behind a video's last frame.
SLACK_S = 0.5
INTERVAL_COLUMNS = ("recording", "start_s", "end_s", "movement", "rater")
READING_COLUMNS = (
    "rater",
    "period",
    "help",
    "position",
    "recording",
    "infant",
    "verdict",
    "confidence",
    "type",
    *(item.name for item in MOS_R),
    "mos_total",
    "fm_s",
    "duration_s",
    "spent_s",
    "washout_days",
    "early",
    "note",
)
_TYPES = tuple(dict.fromkeys(answer for item in TYPES.values() for answer in item.answers))
_DAY_S = 86400.0


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Reading(_Strict):
    """One recording's reading; what is not answered is None."""

    code: Annotated[str, Field(max_length=12)]
    intervals: Annotated[
        tuple[tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]], ...],
        Field(max_length=5000),
    ] = ()
    answers: dict[str, Annotated[str, Field(max_length=40)]] = Field(default_factory=dict)
    spent_s: Annotated[float, Field(ge=0)] = 0.0
    note: Annotated[str, Field(max_length=2000)] = ""


class _Head(_Strict):
    format: Literal["fidgety-reading/1"]
    study: Annotated[str, Field(max_length=64)]
    rater: Annotated[str, Field(max_length=40)]
    period: Literal[1, 2]
    help: bool
    started: AwareDatetime
    saved: AwareDatetime


class Returned(_Head):
    """A rater's file of one period."""

    readings: tuple[Reading, ...]


def _answer_fault(name: str, value: str) -> str | None:
    known = {item.name: tuple(item.answers) for item in (VERDICT, *MOS_R)}
    known |= {"type": _TYPES, "confidence": tuple("12345")}
    if name not in known:
        return f"{name[:40]!r} is no question"
    if value not in known[name]:
        return f"{name}: {value!r} is none of {', '.join(known[name])}"
    return None


def _reading_faults(reading: Reading, sitting: Sitting, key: Key, seen: set[str]) -> list[str]:
    """Return what is wrong with one reading."""
    if reading.code not in sitting.codes:
        return [f"code {reading.code!r} is none of this study"]
    faults = [f"code {reading.code} stands there twice"] if reading.code in seen else []
    if reading.intervals and not key.marks:
        faults.append("it has intervals, which are not asked for at the age of writhing movements")
    length = key.codes[reading.code].duration_s
    end = 0.0
    for start, stop in sorted(reading.intervals):
        if stop <= start:
            faults.append(f"interval {start:g} to {stop:g} s ends before it starts")
        elif start < end:
            faults.append(f"interval {start:g} to {stop:g} s overlaps another")
        elif stop > length + SLACK_S:
            faults.append(
                f"interval {start:g} to {stop:g} s is longer than the video ({length:g} s)"
            )
        end = max(end, stop)
    faults += [f for name, value in reading.answers.items() if (f := _answer_fault(name, value))]
    return faults


def _place(location: Sequence[int | str]) -> str:
    if len(location) > 1 and location[0] == "readings":
        rest = ".".join(map(str, location[2:]))
        return f"reading {int(location[1]) + 1}{f', {rest}' if rest else ''}"
    return ".".join(map(str, location)) or "the file"


def parse_returned(text: str, name: str, key: Key) -> Returned:
    """Read and check a returned file.

    Parameters
    ----------
    text
        Its content.
    name
        How messages call it.
    key
        Of the study.

    Raises
    ------
    FidgetyError
        With all findings, a line each.
    """
    try:
        found = Returned.model_validate_json(text)
    except ValidationError as error:
        lines = [f"{name}: {_place(e['loc'])}: {e['msg']}" for e in error.errors()[:20]]
        raise FidgetyError("\n".join(lines)) from None
    if found.study != key.study:
        raise FidgetyError(f"{name}: it is of another study, or of an older plan of this one")
    sitting = key.sitting(found.rater, found.period)
    if sitting is None or sitting.help != found.help:
        raise FidgetyError(f"{name}: rater {found.rater!r} has no such period {found.period}")
    lines = [] if found.saved >= found.started else [f"{name}: saved before it was started"]
    seen: set[str] = set()
    for n, reading in enumerate(found.readings, 1):
        faults = _reading_faults(reading, sitting, key, seen)
        lines += [f"{name}: reading {n}: {fault}" for fault in faults]
        seen.add(reading.code)
    if lines:
        raise FidgetyError("\n".join(lines[:50]))
    return found


def read_returned(paths: Sequence[str | os.PathLike[str]], key: Key) -> list[Returned]:
    """Read all returned files; two of one rater and period are refused.

    Raises
    ------
    FidgetyError
        With what is wrong in any of them.
    """
    found: dict[tuple[str, int], tuple[str, Returned]] = {}
    faults = []
    for path in map(Path, paths):
        try:
            require_file(path)
            if path.stat().st_size > MOST_BYTES:
                raise FidgetyError(f"{path.name}: too large for a file of readings")
            one = parse_returned(path.read_text(encoding="utf-8", errors="replace"), path.name, key)
            other = found.setdefault((one.rater, one.period), (path.name, one))
            if other[1] is not one:
                raise FidgetyError(f"{path.name}: the same rater and period as {other[0]}")
        except FidgetyError as error:
            faults.append(str(error))
    if faults:
        raise FidgetyError("\n".join(faults))
    return [one for _, (_, one) in sorted(found.items())]


def rater_name(rater: str, with_help: bool) -> str:
    """Return how the annotations table calls a rater: with help is another rater."""
    return f"{rater}+model" if with_help else rater


def interval_rows(one: Returned, key: Key) -> list[dict[str, Any]]:
    """Return the rows of the annotations table.

    A judged recording without fidgety movements has one row of other movements: a recording
    without any row would count as not rated. One that could not be judged says so as a whole.
    """
    rows = []
    for reading in one.readings:
        coded = key.codes[reading.code]
        verdict = reading.answers.get("verdict")
        spans = [(s, min(e, coded.duration_s), "fidgety") for s, e in sorted(reading.intervals)]
        if verdict == NOT_JUDGED:
            spans = [(0.0, coded.duration_s, "not_assessable")]
        elif not spans and verdict is not None:
            spans = [(0.0, coded.duration_s, "other")]
        if not key.marks:  # nobody looked for fidgety movements, so nobody saw that there are none
            spans = [span for span in spans if span[2] == "not_assessable"]
        rater = rater_name(one.rater, one.help)
        rows += [
            dict(zip(INTERVAL_COLUMNS, (coded.recording, *span, rater), strict=True))
            for span in spans
            if span[1] > span[0]
        ]
    return rows


def washout(first_saved: datetime | None, one: Returned) -> float | None:
    """Return the days between the first period's file and the second's start."""
    if one.period == 1 or first_saved is None:
        return None
    return round((one.started - first_saved).total_seconds() / _DAY_S, 2)


def reading_rows(
    one: Returned, key: Key, first_saved: datetime | None = None
) -> list[dict[str, Any]]:
    """Return a row a reading, of :data:`READING_COLUMNS`."""
    sitting = key.sitting(one.rater, one.period)
    assert sitting is not None
    days = washout(first_saved, one)
    rows = []
    for reading in one.readings:
        coded = key.codes[reading.code]
        points = [reading.answers.get(item.name) for item in MOS_R]
        total = sum(int(p) for p in points if p) if all(points) else None
        rows.append(
            {
                **dict.fromkeys(READING_COLUMNS),
                **reading.answers,
                "rater": one.rater,
                "period": one.period,
                "help": one.help,
                "position": sitting.codes.index(reading.code) + 1,
                "recording": coded.recording,
                "infant": coded.infant,
                "mos_total": total,
                "fm_s": round(sum(stop - start for start, stop in reading.intervals), 3),
                "duration_s": coded.duration_s,
                "spent_s": reading.spent_s,
                "washout_days": days,
                "early": None if days is None else days < key.washout_days,
                "note": safe_text(reading.note),
            }
        )
    return rows


def tabulate(returned: Sequence[Returned], key: Key) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the annotations table and the table of readings."""
    first: Mapping[str, datetime] = {r.rater: r.saved for r in returned if r.period == 1}
    intervals = [row for one in returned for row in interval_rows(one, key)]
    readings = [row for one in returned for row in reading_rows(one, key, first.get(one.rater))]
    return (
        pd.DataFrame(intervals, columns=list(INTERVAL_COLUMNS)),
        pd.DataFrame(readings, columns=list(READING_COLUMNS)),
    )
