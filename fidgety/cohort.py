"""The study: recordings, infants, cohorts with their roles, and annotated intervals.

:func:`read_study` reads the user's tables, checks everything before any job runs and reports all
findings at once. Rows of the workflow's own phantoms come in already made.

Roles: ``development`` cohorts are cross-validated, ``external`` ones tested, ``reference`` ones are
annotated clips that only ever train, ``new`` ones are assessed without a label. An infant has one
role, so that nobody is trained on and tested; the exception are reference recordings of a
development infant, which follow their infant's fold.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from fidgety.config.inclusion import InclusionConfig
from fidgety.config.study import ClassConfig, Role
from fidgety.errors import ConfigError
from fidgety.inclusion import CRITERION_TEXTS, Decision, inclusion_decision
from fidgety.inclusion import criteria as inclusion_criteria
from fidgety.sheet import (
    CHARACTERISTICS,
    CROP,
    OWN_PREFIX,
    SHEET_COLUMNS,
    Interval,
    Recording,
    Table,
    clean_cells,
    parse_row,
    read_table,
)
from fidgety.sources import has_frame_files, is_remote, url_hint, user_path
from fidgety.tables import LISTED_LINES, Findings, suggest

__all__ = [
    "CRITERION_TEXTS",
    "Interval",
    "Recording",
    "Study",
    "development_sites",
    "inclusion_decision",
    "read_study",
]

#: Endings of track files that hold no times.
TIMELESS = (".csv", ".slp", ".json", ".zip")
LABELLED = (Role.DEVELOPMENT, Role.EXTERNAL)
#: Where the classes stand, unless a bundle brings them.
OWN_CLASSES = "`classes` in config.yaml"
#: Roles that may meet in one infant.
TOGETHER = frozenset({Role.DEVELOPMENT, Role.REFERENCE})
#: Value of ``cp`` to the columns that it leaves nothing to say in.
CONTRADICTED = {
    "no": ("cp_type", "cp_side"),
    "lost": ("cp_type", "cp_side", "gmfcs", "follow_up_age_months"),
}
INTERVAL_COLUMNS = tuple(Interval.model_fields)


class StudyConfig(Protocol):
    """The part of the configuration that a study is read with."""

    @property
    def sheet(self) -> str | None:
        """Sample sheet."""
        ...

    @property
    def intervals(self) -> str | None:
        """Table of annotated intervals."""
        ...

    @property
    def classes(self) -> tuple[ClassConfig, ...]:
        """Classes of the outcome."""
        ...

    @property
    def cohorts(self) -> dict[str, Role]:
        """Role of each cohort."""
        ...

    @property
    def inclusion(self) -> InclusionConfig:
        """Inclusion criteria."""
        ...


@dataclass(frozen=True)
class Study:
    """Everything that the tables say.

    Parameters
    ----------
    recordings
        Recording by id: the sheet's in its order, then the phantoms'.
    intervals
        Annotated intervals, by recording, rater and start.
    decisions
        By recording: whether it is in the study, as far as the sheet tells.
    folder
        Folder of the sheet, relative to where the workflow runs if the sheet is.
    """

    recordings: Mapping[str, Recording]
    intervals: tuple[Interval, ...]
    decisions: Mapping[str, Decision]
    folder: Path = field(default_factory=Path)

    @cached_property
    def infants(self) -> dict[str, tuple[Recording, ...]]:
        """Recordings of each infant."""
        found: dict[str, list[Recording]] = defaultdict(list)
        for recording in self.recordings.values():
            found[recording.infant].append(recording)
        return {infant: tuple(own) for infant, own in found.items()}

    @cached_property
    def _roles(self) -> dict[Role, tuple[Recording, ...]]:
        found: dict[Role, list[Recording]] = {role: [] for role in Role}
        for recording in self.recordings.values():
            found[recording.role].append(recording)
        return {role: tuple(own) for role, own in found.items()}

    @cached_property
    def _intervals(self) -> dict[str, tuple[Interval, ...]]:
        found: dict[str, list[Interval]] = defaultdict(list)
        for interval in self.intervals:
            found[interval.recording].append(interval)
        return {recording: tuple(own) for recording, own in found.items()}

    def by_role(self, role: Role) -> tuple[Recording, ...]:
        """Return the recordings of a role's cohorts."""
        return self._roles[role]

    def role(self, recording: str) -> Role:
        """Return the role of a recording's cohort."""
        return self.recordings[recording].role

    def intervals_of(self, recording: str) -> tuple[Interval, ...]:
        """Return the annotated intervals of a recording, of all raters."""
        return self._intervals.get(recording, ())

    def decision(self, recording: str) -> Decision:
        """Return whether a recording is in the study, as far as the sheet tells."""
        return self.decisions[recording]

    def is_included(self, recording: str) -> bool:
        """Tell whether the sheet says nothing against a recording."""
        return self.decisions[recording].included

    def sites(self, role: Role) -> dict[str, tuple[str, ...]]:
        """Return the sites of every infant with an included recording of a role.

        Returns
        -------
        dict
            Infant to its sites, sorted; an empty one where the sheet names none.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for recording in self.by_role(role):
            if self.is_included(recording.recording):
                # Spaces as in the cohort tables, which folds are dealt from.
                found[recording.infant].add(" ".join((recording.site or "").split()))
        return {infant: tuple(sorted(own)) for infant, own in found.items()}

    def source(self, recording: str, column: str | None = None) -> Path:
        """Return the video or tracks of a recording of the sheet.

        Parameters
        ----------
        recording
            Its name.
        column
            ``video`` or ``pose``; None is the video if there is one, else the tracks.

        Raises
        ------
        KeyError
            If the recording has no such file: a phantom's is the workflow's own.
        """
        row = self.recordings[recording]
        name = row.source if column is None else row.sources.get(column)
        if name is None:
            raise KeyError(f"{recording} has no source file")
        return locate(self.folder, name)

    def url(self, recording: str, column: str) -> str | None:
        """Return where a recording's ``video`` or ``pose`` is, if that is a storage's URL."""
        name = self.recordings[recording].sources.get(column)
        return name if name is not None and is_remote(name) else None


def development_sites(study: Study) -> tuple[str, ...]:
    """Return the sites of the development cohorts, sorted: with ``folds.by: site``, the folds."""
    found = study.sites(Role.DEVELOPMENT).values()
    return tuple(sorted({site for own in found for site in own} - {""}))


def locate(folder: Path, name: str) -> Path:
    """Return a file of the sheet: relative to its folder, with ``~`` for the home folder."""
    return Path(os.path.normpath(folder / user_path(name)))


def read_study(
    config: StudyConfig,
    base: Path,
    extra_rows: Sequence[Mapping[str, Any]] = (),
    extra_intervals: Sequence[Mapping[str, Any]] = (),
    extra_cohorts: Mapping[str, Role] | None = None,
    bundled_classes: bool = False,
) -> Study:
    """Read and check the sample sheet and the annotated intervals.

    Parameters
    ----------
    config
        The configuration.
    base
        Folder that relative paths of the configuration start from.
    extra_rows, extra_intervals
        Rows of the workflow's own making (phantoms), without a file.
    extra_cohorts
        Roles of their cohorts.
    bundled_classes
        Whether the classes are those of a bundle, which the configuration does not say.

    Raises
    ------
    ConfigError
        With one line a finding, all of them at once: table, row, column, value and remedy.
    """
    cohorts = dict(extra_cohorts or {})
    findings = Findings()
    _check_config(config, cohorts, findings)
    own: dict[str, tuple[int, Recording]] = {}
    named: set[str] = set()
    folder = Path()
    if config.sheet is not None:
        where = user_path(config.sheet)
        folder = where.parent
        table = read_table(
            base / where, config.sheet, SHEET_COLUMNS, ("recording", "infant", "cohort"), findings
        )
        if table is not None:
            named = {cells.get("recording", "") for _, cells in table.rows}
            own = _read_rows(table, config, findings, bundled_classes)
            _check_files(table.name, own.values(), base / folder, findings)
            _check_infants(table.name, own.values(), findings)
    phantoms = _make_rows(extra_rows, cohorts)
    if config.sheet is not None:
        _check_phantom_names(config.sheet, own, phantoms, findings)
    recordings = {r.recording: r for r in (*[r for _, r in own.values()], *phantoms)}
    intervals = [Interval.model_validate(dict(row)) for row in extra_intervals]
    if config.intervals is not None:
        # What a wrong row of the sheet names counts as known: that row is a finding already.
        intervals += _read_intervals(config, base, named | set(recordings), findings)
    findings.raise_if_any()
    if not recordings:
        raise ConfigError(
            "config.yaml: there is no recording: name a sample sheet (`sheet: recordings.tsv`) or "
            "a phantom cohort (`phantom: {preset: small}`)."
        )
    return Study(
        recordings=recordings,
        intervals=tuple(sorted(intervals, key=lambda i: (i.recording, i.rater, i.start_s))),
        decisions={n: inclusion_decision(r, config.inclusion) for n, r in recordings.items()},
        folder=folder,
    )


def _check_config(
    config: StudyConfig, phantom_cohorts: Mapping[str, Role], findings: Findings
) -> None:
    """Check what the configuration says about the sheet."""
    where = "config.yaml"
    for name in sorted(set(config.cohorts) & set(phantom_cohorts)):
        findings.add(
            where, None, "", None, f"cohorts.{name}: is a phantom cohort's name; choose another."
        )
    for column in inclusion_criteria(config.inclusion).require or ():
        if column not in CHARACTERISTICS:
            findings.add(
                where, None, "", None,
                f"inclusion.require: {column!r} is no characteristic in the sample sheet."
                + suggest(column, CHARACTERISTICS),
            )  # fmt: skip


def _make_rows(rows: Sequence[Mapping[str, Any]], cohorts: Mapping[str, Role]) -> list[Recording]:
    try:
        return [Recording.model_validate({**row, "role": cohorts[row["cohort"]]}) for row in rows]
    except ValidationError as error:
        raise ValueError(f"a phantom's row is wrong: {error}") from error


def _read_rows(
    table: Table, config: StudyConfig, findings: Findings, bundled_classes: bool = False
) -> dict[str, tuple[int, Recording]]:
    """Check the rows one by one, and ids between them."""
    found: dict[str, tuple[int, Recording]] = {}
    seen: dict[str, tuple[str, int]] = {}
    infants: dict[str, tuple[str, int]] = {}
    classes = [c.name for c in config.classes]
    whose = f"the bundle's classes ({', '.join(classes)})" if bundled_classes else OWN_CLASSES
    for number, raw in table.rows:
        cells = clean_cells(Recording, raw)
        role = _check_row(table.name, number, cells, config.cohorts, classes, whose, findings)
        for column, known in (("recording", seen), ("infant", infants)):
            _check_case(table.name, number, column, cells.get(column, ""), known, findings)
        # Cells are checked even where the cohort is unknown; the row itself is then of no use.
        row = parse_row(
            Recording,
            table.name,
            number,
            {c: v for c, v in raw.items() if c in SHEET_COLUMNS},
            findings,
            role=role or Role.NEW,
            own={c: v for c, v in raw.items() if c.startswith(OWN_PREFIX) and v},
        )
        if row is not None and role is not None:
            found.setdefault(row.recording, (number, row))
    return found


def _check_case(
    table: str,
    number: int,
    column: str,
    value: str,
    known: dict[str, tuple[str, int]],
    findings: Findings,
) -> None:
    """Ids must be unique (recordings) and differ by more than case: they name files."""
    if not value:
        return
    other, row = known.setdefault(value.casefold(), (value, number))
    if row == number:
        return
    if other != value:
        findings.add(
            table, number, column, value,
            f"differs from {other!r} in row {row} by case alone; write both alike or rename one.",
        )  # fmt: skip
    elif column == "recording":
        findings.add(table, number, column, value, f"stands in row {row} already; ids are unique.")


def _check_row(
    table: str,
    number: int,
    cells: Mapping[str, str],
    cohorts: Mapping[str, Role],
    classes: Sequence[str],
    whose: str,
    findings: Findings,
) -> Role | None:
    """Check what takes two columns or the configuration; return the cohort's role."""
    cohort = cells.get("cohort", "")
    role = cohorts.get(cohort)
    if cohort and role is None:
        hint = suggest(cohort, list(cohorts)) if cohorts else ""
        findings.add(
            table, number, "cohort", cohort,
            f"has no role; name it under `cohorts` in config.yaml ({cohort}: development, "
            f"external, reference or new).{hint}",
        )  # fmt: skip
    label = cells.get("label", "")
    if label and label not in classes:
        findings.add(
            table, number, "label", label,
            f"is not among {whose}; leave it empty if it is unknown."
            + suggest(label, classes),
        )  # fmt: skip
    elif not label and role in LABELLED:
        findings.add(
            table, number, "label", None,
            f"is empty; recordings of {role} cohorts need one of {', '.join(classes)}.",
        )  # fmt: skip
    video, pose = cells.get("video", ""), cells.get("pose", "")
    if not video and not pose:
        findings.add(table, number, "video", None, "is empty; give a video or a pose file.")
    if cells.get("fps", "") and not pose:
        findings.add(table, number, "fps", cells["fps"], "is for a pose file; a video has its own.")
    if pose and not video and cells.get("crop", ""):
        findings.add(
            table, number, "crop", cells["crop"], "is for videos; leave it empty for a pose file."
        )
    crop = cells.get("crop", "")
    # Other forms are findings of their own.
    if re.match(CROP, crop) and 0 in map(int, crop.split(",")[2:]):
        findings.add(
            table, number, "crop", cells["crop"], "has no area; width and height come last."
        )
    palsy = cells.get("cp", "").casefold()
    for column in CONTRADICTED.get(palsy, ()):
        if cells.get(column, ""):
            findings.add(
                table, number, column, cells[column],
                f"contradicts cp {palsy!r}; empty one of the two.",
            )  # fmt: skip
    return role


def _check_files(
    table: str, rows: Iterable[tuple[int, Recording]], folder: Path, findings: Findings
) -> None:
    """Every file is there, can be read, and stands in one row alone.

    Whether a storage has what a URL names is asked by Snakemake, before any job.
    """
    seen: dict[object, int] = {}
    files = ((number, row, *item) for number, row in rows for item in row.sources.items())
    for number, row, column, name in files:
        if is_remote(name):
            _check_tracks_have_times(table, number, row, column, Path(name).suffix, findings)
            _check_once(table, number, column, name, seen.setdefault(name, number), findings)
            continue
        path = locate(folder, name)
        try:
            found = path.stat()
        except (OSError, ValueError):
            hint = " Write '/' between folders." if "\\" in name else url_hint(name)
            findings.add(
                table, number, column, name,
                f"no such file; paths start from the sheet's folder ({folder}).{hint}",
            )  # fmt: skip
            continue
        folder_like = stat.S_ISDIR(found.st_mode)
        if folder_like and column == "video":
            findings.add(table, number, column, name, "is a folder, not a file.")
            continue
        # Reading a device or a pipe may have no end.
        if not folder_like and not stat.S_ISREG(found.st_mode):
            findings.add(table, number, column, name, "is a device or a pipe, not a file.")
            continue
        if not os.access(path, os.R_OK):
            findings.add(table, number, column, name, "may not be read; check its rights.")
            continue
        if folder_like and not has_frame_files(path):
            findings.add(
                table, number, column, name,
                "is a folder without OpenPose's files (..._000000000012_keypoints.json).",
            )  # fmt: skip
            continue
        suffix = None if folder_like else path.suffix
        _check_tracks_have_times(table, number, row, column, suffix, findings)
        first = seen.setdefault((found.st_dev, found.st_ino), number)
        _check_once(table, number, column, name, first, findings)


def _check_once(
    table: str, number: int, column: str, name: str, first: int, findings: Findings
) -> None:
    if first != number:
        findings.add(
            table, number, column, name,
            f"is the file of row {first}, too; one file is one recording.",
        )  # fmt: skip


def _check_tracks_have_times(
    table: str, number: int, row: Recording, column: str, suffix: str | None, findings: Findings
) -> None:
    """Tracks that hold no times need a frame rate or a video; a folder has no suffix at all."""
    timeless = suffix is None or suffix.lower() in TIMELESS
    if column == "pose" and timeless and row.video is None and row.fps is None:
        findings.add(
            table, number, "fps", None,
            f"is empty; tracks of this form ({'a folder' if suffix is None else suffix}) hold no "
            "times: write their frame rate here, or name the video beside them.",
        )  # fmt: skip


def _check_phantom_names(
    table: str,
    own: Mapping[str, tuple[int, Recording]],
    phantoms: Sequence[Recording],
    findings: Findings,
) -> None:
    names = {
        "recording": {r.recording.casefold() for r in phantoms},
        "infant": {r.infant.casefold() for r in phantoms},
    }
    for number, row in own.values():
        for column, taken in names.items():
            value = getattr(row, column)
            if value.casefold() in taken:
                findings.add(
                    table, number, column, value, "is the name of a phantom; choose another."
                )


def _check_infants(table: str, rows: Iterable[tuple[int, Recording]], findings: Findings) -> None:
    """One label and one role an infant, whose id is no recording of another's."""
    by_infant: dict[str, list[tuple[int, Recording]]] = defaultdict(list)
    by_recording: dict[str, tuple[int, Recording]] = {}
    for number, row in rows:
        by_infant[row.infant].append((number, row))
        by_recording[row.recording.casefold()] = (number, row)
    for infant, own in by_infant.items():
        first_labelled = next(((n, r) for n, r in own if r.label is not None), None)
        number, first = own[0]
        named = by_recording.get(infant.casefold())
        if named is not None and named[1].infant != infant:
            findings.add(
                table, number, "infant", infant,
                f"is the recording of infant {named[1].infant!r} in row {named[0]}, too; one id "
                "cannot stand for two infants. Rename one of them.",
            )  # fmt: skip
        for other_number, other in own[1:]:
            roles = {first.role, other.role}
            if len(roles) > 1 and not roles <= TOGETHER:
                findings.add(
                    table, other_number, "cohort", other.cohort,
                    f"is {other.role}, but infant {infant!r} is {first.role} in row {number}; an "
                    "infant has one role (reference recordings may go with development).",
                )  # fmt: skip
            elif (
                first_labelled is not None
                and other.label is not None
                and other.label != first_labelled[1].label
            ):
                findings.add(
                    table, other_number, "label", other.label,
                    f"but infant {infant!r} is {first_labelled[1].label!r} in row "
                    f"{first_labelled[0]}; all recordings of an infant have one label.",
                )  # fmt: skip
        for column in ("cp", "follow_up_age_months"):
            _check_one_outcome(table, infant, own, column, findings)


def _check_one_outcome(
    table: str,
    infant: str,
    own: Sequence[tuple[int, Recording]],
    column: str,
    findings: Findings,
) -> None:
    """Check that an infant has one outcome: it may stand in one of its rows or in all."""
    given = [(number, value) for number, r in own if (value := getattr(r, column)) is not None]
    for number, value in given[1:]:
        row, first = given[0]
        if value != first:
            findings.add(
                table, number, column, f"{value}",
                f"but infant {infant!r} has '{first}' in row {row}; an infant has one outcome, "
                "the last that was seen.",
            )  # fmt: skip


def _read_intervals(
    config: StudyConfig, base: Path, recordings: set[str], findings: Findings
) -> list[Interval]:
    """Check the table of annotated intervals."""
    assert config.intervals is not None
    table = read_table(
        base / user_path(config.intervals),
        config.intervals,
        INTERVAL_COLUMNS,
        ("recording", "start_s", "end_s", "movement"),
        findings,
    )
    if table is None:
        return []
    rows: list[tuple[int, Interval]] = []
    for number, cells in table.rows:
        known = {c: v for c, v in cells.items() if not c.startswith(OWN_PREFIX)}
        row = parse_row(Interval, table.name, number, known, findings)
        if row is None:
            continue
        if row.recording not in recordings:
            # What may have been meant takes time to find; nobody reads it beyond what is listed.
            few = len(findings) < LISTED_LINES
            findings.add(
                table.name, number, "recording", row.recording,
                "is not in the sample sheet." + (_close(row.recording, recordings) if few else ""),
            )  # fmt: skip
            continue
        if row.end_s <= row.start_s:
            findings.add(
                table.name, number, "end_s", cells.get("end_s"),
                f"is not after start_s ({row.start_s:g}).",
            )  # fmt: skip
            continue
        rows.append((number, row))
    _check_overlaps(table.name, rows, findings)
    return [row for _, row in rows]


def _close(name: str, known: set[str]) -> str:
    text = suggest(name, sorted(known))
    return text if text.startswith(" Did") else ""


def _check_overlaps(table: str, rows: Sequence[tuple[int, Interval]], findings: Findings) -> None:
    """Intervals of one rater and movement do not overlap; they may touch."""
    groups: dict[tuple[str, str, str], list[tuple[int, Interval]]] = defaultdict(list)
    for number, row in rows:
        groups[row.recording, row.rater, row.movement.value].append((number, row))
    for own in groups.values():
        own.sort(key=lambda item: (item[1].start_s, item[1].end_s))
        last_number, last = own[0]
        for number, row in own[1:]:
            if row.start_s < last.end_s:
                findings.add(
                    table, number, "start_s", f"{row.start_s:g}",
                    f"lies in the {row.movement} interval of {row.rater} in row {last_number} "
                    f"({last.start_s:g} to {last.end_s:g} s); join or shorten them.",
                )  # fmt: skip
            if row.end_s > last.end_s:
                last_number, last = number, row
