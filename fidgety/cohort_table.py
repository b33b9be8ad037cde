"""The cohort tables: one row a recording, with its status, quality and characteristics.

``results/cohort/{role}.tsv`` is what later stages know of the sample sheet. Nobody is left out: a
recording that was excluded or could not be assessed stands there with its reason.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py

from fidgety.config.inclusion import InclusionConfig
from fidgety.errors import Outcome, Status, StorageError
from fidgety.inclusion import Decision, inclusion_decision
from fidgety.pose.quality_record import MEASURES, read_quality_record
from fidgety.pose.tracks import POSE_SCHEMA
from fidgety.sheet import CHARACTERISTICS, Recording
from fidgety.storage import number_of, read_json, read_outcome, write_text

#: What cleaning measured: shares of all values by origin, the longest gap, swaps put right.
QUALITY = (
    "measured",
    "imputed",
    "corrected",
    "manual",
    "missing",
    "longest_gap_s",
    "swaps_undone",
)
#: What is known of the recording beside its tracks (`fidgety.pose.verdict`).
FITNESS = tuple(name for name in MEASURES if name not in QUALITY)
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
    *QUALITY,
    *FITNESS,
    "fps",
    *CHARACTERISTICS,
)


@dataclass(frozen=True)
class Quality:
    """What is known of a recording's tracks.

    Parameters
    ----------
    duration_s, fps
        Length and nominal frame rate; None where unknown.
    measures
        Values of :data:`QUALITY` and :data:`FITNESS`; what is not known is absent.
    """

    duration_s: float | None = None
    fps: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


def quality_measures(details: Mapping[str, Any]) -> dict[str, float]:
    """Take the measures of :data:`QUALITY` out of a clean pose's ``details``."""
    cleaning = details.get("cleaning", {})
    flat = {**cleaning, **cleaning.get("shares", {})}
    if "swaps_undone" not in flat and "swaps" in flat:
        flat["swaps_undone"] = len(flat["swaps"])
    return {name: float(flat[name]) for name in QUALITY if flat.get(name) is not None}


def read_quality(path: str | os.PathLike[str]) -> Quality:
    """Read duration, rate and quality of a clean pose file, without its positions.

    Raises
    ------
    StorageError
        If it is no pose file.
    """
    if not read_outcome(path, POSE_SCHEMA).ok:
        return Quality()
    with h5py.File(path, "r") as file:
        fps = number_of(file, "fps")
        time = file["time"]
        duration = float(time[-1] - time[0]) + 1.0 / fps if time.shape[0] else 0.0
        details = json.loads(str(file.attrs.get("details", "{}")))
    return Quality(duration, fps, quality_measures(details))


def read_record(path: str | os.PathLike[str]) -> Quality:
    """Read duration and rate from a video's record; unknown where there is no video."""
    record = read_json(path)
    duration, fps = record.get("duration_s"), record.get("fps")
    return Quality(float(duration) if duration else None, float(fps) if fps else None)


def read_fitness(path: str | os.PathLike[str]) -> dict[str, float]:
    """Read what is known of :data:`FITNESS` from a record of quality."""
    measures = read_quality_record(path)["measures"]
    return {name: float(measures[name]) for name in FITNESS if measures.get(name) is not None}


@dataclass(frozen=True)
class Entry:
    """One row of a cohort table."""

    recording: Recording
    outcome: Outcome
    decision: Decision
    quality: Quality

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
            **{name: self.quality.measures.get(name) for name in (*QUALITY, *FITNESS)},
            **{name: plain[name] for name in CHARACTERISTICS},
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
    features: str | os.PathLike[str] | None,
    clean: str | os.PathLike[str] | None,
    record: str | os.PathLike[str] | None = None,
    fitness: str | os.PathLike[str] | None = None,
) -> Entry:
    """Decide on a recording and read how good it is.

    Parameters
    ----------
    recording
        Row of the sheet.
    inclusion
        Section of the configuration.
    features, clean, record
        The recording's files; None for one that the sheet excludes.
    fitness
        Its record of quality, where that is to stand in the table.

    Raises
    ------
    StorageError
        If the sheet does not exclude the recording and a file is not given.
    """
    decision = inclusion_decision(recording, inclusion)
    if not decision.included:
        return Entry(recording, decision.outcome, decision, Quality())
    if features is None or clean is None:
        raise StorageError(
            f"{recording.recording}: is included but was given no features or pose file."
        )
    outcome = read_outcome(features)
    quality = read_quality(clean)
    if quality.duration_s is None and record is not None:
        quality = read_record(record)
    if fitness is not None:
        quality = replace(quality, measures={**quality.measures, **read_fitness(fitness)})
    if outcome.ok:
        decision = inclusion_decision(recording, inclusion, quality.duration_s)
        outcome = decision.outcome
    return Entry(recording, outcome, decision, quality)


def by_recording(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Path]:
    """Index files by the recording in their name."""
    return {Path(path).stem: Path(path) for path in paths}


def write_cohort_table(path: str | os.PathLike[str], entries: Sequence[Entry]) -> None:
    """Write a cohort table (TSV), whole or not at all; the user's own columns come last."""
    own = sorted({name for entry in entries for name in entry.recording.own})
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *own], delimiter="\t", lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(entry.cells() for entry in entries)
    write_text(path, text.getvalue())


def summarise(entries: Sequence[Entry]) -> str:
    """Say in a line how many recordings are assessed, excluded and not assessable."""
    n = len(entries)
    excluded = sum(not entry.decision.included for entry in entries)
    ok = sum(entry.outcome.status is Status.OK for entry in entries)
    return f"{n} recordings: {ok} ok, {excluded} excluded, {n - ok - excluded} not assessable"
