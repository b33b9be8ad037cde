"""The cohort tables: one row a recording, with its status, quality and characteristics.

``results/cohort/{role}.tsv`` is what later stages know of the sample sheet. Nobody is left out: a
recording that was excluded or could not be assessed stands there with its reason.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fidgety.config.inclusion import InclusionConfig
from fidgety.errors import Outcome, Status, StorageError
from fidgety.files import write_text
from fidgety.inclusion import Decision, inclusion_decision
from fidgety.pose.quality_record import CLEANING, MEASURES, read_quality_record
from fidgety.sheet import CHARACTERISTICS, Recording

#: What is known of the recording beside its tracks (`fidgety.pose.verdict`).
FITNESS = tuple(name for name in MEASURES if name not in CLEANING)
COLUMNS = (
    "recording",
    "infant",
    "cohort",
    "role",
    "label",
    "status",
    "reason",
    "reason_detail",
    "criterion",
    "duration_s",
    *CLEANING,
    *FITNESS,
    "fps",
    *CHARACTERISTICS,
)
#: What is odd about a recording and keeps it from nothing; last, as not every table has it.
FINDINGS = "findings"
#: Intervals that are named in a finding.
LISTED_INTERVALS = 3


@dataclass(frozen=True)
class Quality:
    """What a record of quality says of a recording, as far as it stands in the table.

    Parameters
    ----------
    outcome
        Fit, or why not.
    duration_s, fps
        Length and nominal frame rate; None where unknown.
    measures
        Values of :data:`CLEANING` and :data:`FITNESS`; what is not known is absent.
    """

    outcome: Outcome = field(default_factory=Outcome)
    duration_s: float | None = None
    fps: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


def read_quality(path: str | os.PathLike[str]) -> Quality:
    """Read a record of quality.

    Raises
    ------
    StorageError
        If it is no such record.
    """
    record = read_quality_record(path)
    tracks, fitness = record["tracks"], record["measures"]
    known = {name: tracks.get(name) for name in CLEANING}
    known |= {name: fitness.get(name) for name in FITNESS}
    return Quality(
        Outcome.recorded(record),
        tracks.get("duration_s"),
        tracks.get("fps"),
        {name: float(value) for name, value in known.items() if value is not None},
    )


@dataclass(frozen=True)
class Entry:
    """One row of a cohort table."""

    recording: Recording
    outcome: Outcome
    decision: Decision
    quality: Quality
    findings: str = ""

    def cells(self) -> dict[str, str]:
        """Return the row as text; what is unknown is empty."""
        plain = self.recording.model_dump(mode="json")
        values: dict[str, Any] = {
            **{c: plain[c] for c in ("recording", "infant", "cohort", "role", "label")},
            "status": self.outcome.status.value,
            "reason": self.outcome.reason.value if self.outcome.reason else None,
            "reason_detail": self.outcome.detail,
            "criterion": self.decision.criterion,
            "duration_s": self.quality.duration_s,
            "fps": self.quality.fps,
            **{name: self.quality.measures.get(name) for name in (*CLEANING, *FITNESS)},
            **{name: plain[name] for name in CHARACTERISTICS},
            FINDINGS: self.findings,
            **self.recording.own,
        }
        return {name: format_cell(value) for name, value in values.items()}


def format_cell(value: Any) -> str:
    """Write a value as text: six digits, empty for nothing, no tab or line end."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())


def collect_entry(
    recording: Recording,
    inclusion: InclusionConfig,
    quality: str | os.PathLike[str] | None,
    measures: Sequence[str] = (*CLEANING, *FITNESS),
    intervals: Sequence[Sequence[float]] = (),
) -> Entry:
    """Decide on a recording and read how good it is.

    Parameters
    ----------
    recording
        Row of the sheet.
    inclusion
        Section of the configuration.
    quality
        The recording's record of quality; None for one that the sheet excludes.
    measures
        What of it stands in the table.
    intervals
        Start and end of what was annotated in it.

    Raises
    ------
    StorageError
        If the sheet does not exclude the recording and there is no record.
    """
    decision = inclusion_decision(recording, inclusion)
    if not decision.included:
        return Entry(recording, decision.outcome, decision, Quality())
    if quality is None:
        raise StorageError(
            f"{recording.recording}: is included but was given no record of quality."
        )
    found = read_quality(quality)
    kept = {name: value for name, value in found.measures.items() if name in measures}
    found = replace(found, measures=kept)
    outcome = found.outcome
    if outcome.ok:
        decision = inclusion_decision(recording, inclusion, found.duration_s)
        outcome = decision.outcome
    return Entry(recording, outcome, decision, found, behind_the_end(intervals, found.duration_s))


def behind_the_end(intervals: Sequence[Sequence[float]], duration_s: float | None) -> str:
    """Say which annotated intervals lie wholly behind a recording's end: nobody can have seen them.

    Parameters
    ----------
    intervals
        Start and end in seconds.
    duration_s
        Length of the recording; None where it is unknown.

    Returns
    -------
    str
        Nothing if there are none.
    """
    if duration_s is None:
        return ""
    behind = sorted({(start, end) for start, end, *_ in intervals if start >= duration_s})
    if not behind:
        return ""
    shown = ", ".join(f"{start:g} to {end:g} s" for start, end in behind[:LISTED_INTERVALS])
    more = f" and {len(behind) - LISTED_INTERVALS} more" if len(behind) > LISTED_INTERVALS else ""
    return (
        f"annotated intervals lie behind its end ({duration_s:.6g} s) and count for nothing: "
        f"{shown}{more}. Correct them in the table of intervals, or the recording that they name."
    )


def by_recording(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Path]:
    """Index files by the recording in their name."""
    return {Path(path).stem: Path(path) for path in paths}


def write_cohort_table(
    path: str | os.PathLike[str], entries: Sequence[Entry], *, findings: bool = True
) -> None:
    """Write a cohort table (TSV), whole or not at all; the user's own columns come last.

    Parameters
    ----------
    path
        File.
    entries
        Its rows.
    findings
        Whether they stand in it: what training reads has no use for them.
    """
    own = sorted({name for entry in entries for name in entry.recording.own})
    columns = [*COLUMNS, *([FINDINGS] if findings else []), *own]
    text = io.StringIO()
    writer = csv.DictWriter(
        text, columns, delimiter="\t", lineterminator="\n", restval="", extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(entry.cells() for entry in entries)
    write_text(path, text.getvalue())


def summarise(entries: Sequence[Entry]) -> str:
    """Say in a line how many recordings are assessed, excluded and not assessable."""
    n = len(entries)
    excluded = sum(not entry.decision.included for entry in entries)
    ok = sum(entry.outcome.status is Status.OK for entry in entries)
    return f"{n} recordings: {ok} ok, {excluded} excluded, {n - ok - excluded} not assessable"
