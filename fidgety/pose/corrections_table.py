"""Reading and writing corrections by hand: ``corrections/{recording}.csv`` or ``.nc``.

The table has the columns of :data:`COLUMNS`, in any order. A row without an action says nothing:
the template that ``snakemake review_pose`` writes is full of them. Spreadsheets may save it with
commas, semicolons or tabs, with a byte order mark, and (unless commas part the columns) with
decimal commas.

A netCDF file is the review's ``pose.nc``, edited: what differs from its own variable ``reviewed``
is a correction. Such files have (0, 0) at the centre of the first pixel, as napari does, tables at
its outer corner, as everything else here.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import h5netcdf
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import FidgetyError, NotAssessable, Reason
from fidgety.files import write_text
from fidgety.pose.corrections import Correction, Corrections
from fidgety.pose.importers.content import MAX_FRAMES, open_hdf5, reasons_for, require_frames
from fidgety.tables import (
    DECIMAL_COMMA,
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

COLUMNS = ("frame", "time_s", "keypoint", "x", "y", "action", "rater", "note")
#: Written beside the coordinates into templates: tells an edited row from an untouched one.
PRESENT = ("present_x", "present_y")
ACTIONS = ("set", "missing")
#: Smallest difference that counts as an edit, in pixels: above the rounding of float32 and of a
#: table with three decimals.
EDITED_PX = 2e-3
#: Most differences that somebody can have made by hand, most rows of a table of them, and most of
#: its bytes.
MAX_CORRECTIONS = 500_000
MAX_BYTES = 100_000_000
#: Beyond this number of columns it is another table.
MAX_COLUMNS = 100
#: From the centre of the first pixel to its outer corner.
HALF_PIXEL = 0.5


def read_corrections(path: str | os.PathLike[str], findings: Findings) -> Corrections:
    """Read the corrections of one recording; what is wrong goes to ``findings``.

    Parameters
    ----------
    path
        A table, or an edited netCDF file.
    findings
        Receives every mistake that is seen without the pose.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".nc":
            return _from_netcdf(path)
        if (size := path.stat().st_size) > MAX_BYTES:
            raise FidgetyError(f"has {size} bytes, more than {MAX_BYTES}: is it the right file?")
        return parse_corrections(path.read_bytes(), str(path), findings)
    except OSError as error:
        findings.add(str(path), None, "", None, f"cannot be read: {error.strerror or error}.")
    except FidgetyError as error:
        findings.add(str(path), None, "", None, str(error))
    return Corrections()


def load_corrections(path: str | os.PathLike[str] | None) -> Corrections:
    """Read the corrections of one recording for a job; without a file there are none.

    Raises
    ------
    NotAssessable
        With ``corrections_invalid`` and every mistake. Planning finds them first; a file can
        change in between.
    """
    if not path:
        return Corrections()
    findings = Findings()
    corrections = read_corrections(path, findings)
    if findings:
        lines = [line.removeprefix(f"{path}: ") for line in findings.lines()]
        raise NotAssessable(Reason.CORRECTIONS_INVALID, "; ".join(lines))
    return corrections


def parse_corrections(data: bytes, name: str, findings: Findings) -> Corrections:
    """Read a table of corrections.

    Parameters
    ----------
    data
        Content of the file.
    name
        How to call it in messages.
    findings
        Receives every mistake with its row: unknown or missing columns, actions and numbers
        that are none, what an action needs and lacks, one value corrected twice.
    """
    rows = _rows(data, name, findings)
    entries: list[Correction] = []
    seen: dict[tuple[str, str], int] = {}
    untouched = 0
    for number, cells in rows:
        before = len(findings)
        entry = _entry(number, cells, name, findings)
        if entry is None:
            untouched += len(findings) == before
            continue
        moment = f"frame {entry.frame}" if entry.frame is not None else f"{entry.time_s:g} s"
        first = seen.setdefault((entry.keypoint, moment), number)
        if first != number:
            findings.add(
                name, number, "keypoint", entry.keypoint,
                f"is corrected at {moment} in row {first} already; keep one of the rows.",
            )  # fmt: skip
        entries.append(entry)
    return Corrections(tuple(entries), untouched)


def _separator(text: str) -> str:
    """Tell what parts the columns: what the header has most of."""
    return max("\t;,", key=first_line(text).count)


def _rows(data: bytes, name: str, findings: Findings) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows below the header; what cannot be read is a finding."""
    if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0":
        findings.add(name, None, "", None, "is a spreadsheet's workbook; save it as CSV.")
        return
    text = decode(data)
    separator = _separator(text)
    controls = CONTROLS.search(text) is not None
    header: list[str] = []
    n = 0
    try:
        for number, cells in table_rows(text, separator, strict=False):
            if not header:
                header = [cell.casefold() for cell in cells]
                while not header[-1]:
                    header.pop()
                if not _check_header(header, number, name, findings):
                    return
                continue
            n += 1
            if n > MAX_CORRECTIONS:
                findings.add(
                    name, None, "", None,
                    f"has more than {MAX_CORRECTIONS} rows: is it the right file?",
                )  # fmt: skip
                return
            if any(cells[len(header) :]):
                findings.add(
                    name, number, "", None,
                    f"has {len(cells)} cells for {len(header)} columns; put quotes around a value "
                    f"with {separator!r} in it.",
                )  # fmt: skip
                continue
            row = dict(zip(header, cells, strict=False))
            if controls:
                row = without_controls(row, number, name, findings)
            yield number, _with_points(row) if separator != "," else row
    except RowError as error:
        findings.add(name, error.row, "", None, f"cannot be read ({error}).")
        return
    if not header:
        findings.add(name, None, "", None, f"is empty; its first row names {', '.join(COLUMNS)}.")


def _with_points(row: Mapping[str, str]) -> dict[str, str]:
    """Turn decimal commas into points, where commas do not part the columns."""
    numbers = {"frame", "time_s", "x", "y", *PRESENT}
    return {
        name: cell.replace(",", ".") if name in numbers and DECIMAL_COMMA.match(cell) else cell
        for name, cell in row.items()
    }


def _check_header(header: list[str], row: int, name: str, findings: Findings) -> bool:
    before = len(findings)
    known = (*COLUMNS, *PRESENT)
    if len(header) > MAX_COLUMNS:
        findings.add(name, row, "", None, f"has {len(header)} columns; is it the right file?")
        return False
    seen: set[str] = set()
    for column in header:
        if control := control_in(column):
            findings.add(
                name, row, "", column, f"holds {control}, which is no text; type the name anew."
            )
        elif column in seen:
            findings.add(name, row, column, None, "stands twice in the header.")
        elif column not in known:
            findings.add(name, row, column, None, "no such column." + suggest(column, known))
        seen.add(column)
    for column in ("keypoint", "x", "y", "action"):
        if column not in header:
            findings.add(name, row, column, None, "is missing from the header.")
    if "frame" not in header and "time_s" not in header:
        findings.add(name, row, "frame", None, "is missing from the header, and so is time_s.")
    return len(findings) == before


def _number(
    cells: Mapping[str, str], column: str, name: str, row: int, findings: Findings
) -> float | None:
    text = cells.get(column, "")
    if text.casefold() in MISSING:
        return None
    try:
        value = float(text)
    except ValueError:
        problem = "is not a number."
        if DECIMAL_COMMA.match(text):
            problem = f"has a decimal comma; write {text.replace(',', '.')}."
        findings.add(name, row, column, text, problem)
        return None
    if not np.isfinite(value):
        findings.add(name, row, column, text, "is not a finite number.")
        return None
    return value


def _entry(row: int, cells: Mapping[str, str], name: str, findings: Findings) -> Correction | None:
    """Check a row; None for one without an action, and for one that is wrong."""
    before = len(findings)
    numbers = {c: _number(cells, c, name, row, findings) for c in ("frame", "time_s", "x", "y")}
    broken = len(findings) > before
    action = cells.get("action", "").casefold()
    if not action:
        _check_untouched(row, cells, numbers, name, findings)
        return None
    keypoint = cells.get("keypoint", "")
    if not keypoint:
        findings.add(name, row, "keypoint", None, "is empty.")
    frame, time_s, x, y = (numbers[c] for c in ("frame", "time_s", "x", "y"))
    if frame is None and time_s is None and not broken:
        findings.add(name, row, "frame", None, "is empty, and so is time_s.")
    if frame is not None and (frame < 0 or frame != int(frame)):
        findings.add(name, row, "frame", cells["frame"], "is not a whole number from 0 on.")
    elif frame is not None and frame > MAX_FRAMES:
        findings.add(
            name, row, "frame", cells["frame"], f"is larger than in any recording ({MAX_FRAMES})."
        )
    if action not in ACTIONS:
        findings.add(name, row, "action", cells["action"], "is not 'set' or 'missing'.")
    elif action == "set" and (x is None or y is None) and not broken:
        findings.add(name, row, "x" if x is None else "y", None, "is empty; 'set' needs both.")
    elif action == "missing" and _moved(cells, numbers):
        findings.add(
            name, row, "action", "missing",
            "stands beside a new position; empty x and y, or write 'set'.",
        )  # fmt: skip
    if len(findings) > before:
        return None
    return Correction(
        row=row,
        keypoint=keypoint,
        action="set" if action == "set" else "missing",
        frame=None if frame is None else int(frame),
        time_s=time_s,
        x=x if action == "set" else None,
        y=y if action == "set" else None,
        rater=cells.get("rater", ""),
        note=cells.get("note", ""),
    )


def _moved(cells: Mapping[str, str], numbers: Mapping[str, float | None]) -> bool:
    """Tell whether a row gives another position than the present one, which it repeats."""
    for axis in ("x", "y"):
        value = numbers[axis]
        if value is None:
            continue
        try:
            present = float(cells.get(f"present_{axis}", ""))
        except ValueError:
            return True
        if abs(value - present) > EDITED_PX:
            return True
    return False


def _check_untouched(
    row: int,
    cells: Mapping[str, str],
    numbers: Mapping[str, float | None],
    name: str,
    findings: Findings,
) -> None:
    """Tell a row without an action, which says nothing, from one that was edited."""
    if set(PRESENT) <= set(cells) and _moved(cells, numbers):
        findings.add(
            name, row, "action", None,
            "is empty, but x and y are not the present ones; write 'set', or put them back.",
        )  # fmt: skip


def _array(dataset: xr.Dataset, name: str) -> NDArray[np.float64]:
    values = dataset[name]
    for dimension in ("individuals", "individual"):
        if dimension in values.dims:
            if values.sizes[dimension] != 1:
                raise FidgetyError(
                    f"{name} has {values.sizes[dimension]} individuals; one is needed"
                )
            values = values.isel({dimension: 0}, drop=True)
    keypoints = "keypoints" if "keypoints" in values.dims else "keypoint"
    if set(values.dims) != {"time", "space", keypoints}:
        raise FidgetyError(f"{name} has dimensions {', '.join(map(str, values.dims))}")
    return np.asarray(values.transpose("time", "space", keypoints).values, dtype=np.float64)


def _from_netcdf(path: Path) -> Corrections:
    """Read an edited ``pose.nc``: what differs from its ``reviewed`` is a correction.

    Raises
    ------
    FidgetyError
        If it is no such file.
    """
    try:
        with open_hdf5(path, called="the file") as file:
            for name in ("position", "reviewed"):
                require_frames(max(file[name].shape, default=0) if name in file else 0)
        with (
            reasons_for(path, "the file"),
            xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset,
        ):
            missing = {"position", "reviewed"} - {str(v) for v in dataset.data_vars}
            if missing:
                raise FidgetyError(
                    f"has no variable {', '.join(sorted(missing))}. Edit the review's pose.nc "
                    "itself, or turn other files into a table by "
                    "`python -m fidgety.pose.edited` (docs/corrections.md)."
                )
            edited, reviewed = (_array(dataset, v) for v in ("position", "reviewed"))
            axis = "keypoints" if "keypoints" in dataset.coords else "keypoint"
            if axis not in dataset.coords or dataset[axis].shape != edited.shape[2:]:
                raise FidgetyError("does not name its keypoints (coordinate keypoints).")
            names = tuple(str(k) for k in dataset[axis].values)
    except NotAssessable as error:
        raise FidgetyError(f"cannot be read as netCDF: {error.detail}.") from None
    return Corrections(tuple(differences(edited, reviewed, names)))


def differences(
    edited: NDArray[np.floating],
    reviewed: NDArray[np.floating],
    keypoints: tuple[str, ...],
    *,
    rater: str = "",
    note: str = "",
) -> list[Correction]:
    """Turn the differences between two sets of positions into corrections.

    Parameters
    ----------
    edited, reviewed : ndarray of shape (frame, 2, keypoint)
        (0, 0) is the *centre* of the first pixel; NaN is missing.
    keypoints
        Names.
    rater, note
        For every correction.

    Raises
    ------
    FidgetyError
        If they differ in shape.
    """
    if edited.shape != reviewed.shape or edited.shape[1] != 2:
        raise FidgetyError(
            f"position has shape {edited.shape}, the reviewed one {reviewed.shape}: frames, "
            "coordinates or keypoints were added or taken away."
        )
    there, was = (np.isfinite(p).all(axis=1) for p in (edited, reviewed))
    with np.errstate(invalid="ignore"):
        moved = (np.abs(edited - reviewed) > EDITED_PX).any(axis=1)
    differ = np.argwhere((there != was) | (there & was & moved))
    if len(differ) > MAX_CORRECTIONS:
        raise FidgetyError(
            f"{len(differ)} positions differ from the reviewed ones, more than {MAX_CORRECTIONS}: "
            "is it the right file?"
        )
    out = []
    for frame, k in differ:
        x, y = (float(v) + HALF_PIXEL for v in edited[frame, :, k])
        seen = bool(there[frame, k])
        out.append(
            Correction(
                row=None,
                keypoint=keypoints[k],
                action="set" if seen else "missing",
                frame=int(frame),
                x=x if seen else None,
                y=y if seen else None,
                rater=rater,
                note=note,
            )
        )
    return out


def format_number(value: float | None, digits: int = 3) -> str:
    """Write a number as a cell; nothing for a missing one."""
    return "" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def table_text(rows: Iterable[Mapping[str, str]]) -> str:
    """Write rows as a table of corrections."""
    text = io.StringIO()
    columns = (*COLUMNS, *PRESENT)
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def row_of(entry: Correction, time_s: NDArray[np.floating] | None = None) -> dict[str, str]:
    """Write a correction as a row.

    Parameters
    ----------
    entry
        The correction.
    time_s : ndarray of shape (frame,), optional
        Time stamps, where the correction has none.
    """
    moment = entry.time_s
    if moment is None and time_s is not None and entry.frame is not None:
        moment = float(time_s[entry.frame])
    return {
        "frame": "" if entry.frame is None else str(entry.frame),
        "time_s": format_number(moment),
        "keypoint": entry.keypoint,
        "x": format_number(entry.x),
        "y": format_number(entry.y),
        "action": entry.action,
        "rater": entry.rater,
        "note": entry.note,
    }


def write_corrections(
    path: str | os.PathLike[str],
    entries: Iterable[Correction],
    time_s: NDArray[np.floating] | None = None,
) -> None:
    """Write a table of corrections, whole or not at all."""
    write_text(path, table_text(row_of(entry, time_s) for entry in entries))


def pose_keypoints(path: str | os.PathLike[str]) -> tuple[str, ...] | None:
    """Return the keypoint names of a pose file without reading it; None where there is none."""
    try:
        with h5netcdf.File(path, "r", decode_vlen_strings=True) as file:
            if "keypoints" not in file.variables:
                return None
            return tuple(str(k) for k in file.variables["keypoints"][...])
    # A damaged file makes HDF5 raise nearly anything, and is told by the job that reads it.
    except Exception:
        return None
