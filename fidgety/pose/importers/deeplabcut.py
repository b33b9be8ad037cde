"""Tables of DeepLabCut and Lightning Pose: CSV and HDF5, one animal or several.

The header has three rows (scorer, bodyparts, coords), or four with ``individuals`` behind the
scorer; the first column counts frames. Columns are taken by their names: an individual may lack
some bodyparts, and coordinates beyond ``x``, ``y``, ``z`` and ``likelihood`` (Lightning Pose's
ensembles write such) are left out.

HDF5 is what pandas writes through PyTables. Both keep Python objects as pickles, which their
readers execute; so the file is read by h5py alone, column names in pickles by
:mod:`fidgety.pose.importers.pickled`.

Labels are clicked, and predictions made, with 0 at the centre of the first pixel (matplotlib's
and napari's convention).
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.pose.importers.assemble import Listing, assemble, individuals_listing, whole_numbers
from fidgety.pose.importers.base import TrackImporter
from fidgety.pose.importers.content import (
    HDF5_MAGIC,
    MAX_TABLE_BYTES,
    decode_text,
    empty,
    open_hdf5,
    require_frames,
    require_size,
    text_of,
    unreadable,
)
from fidgety.pose.importers.pickled import column_names
from fidgety.pose.tracks import Pose

LEVELS = {3: ("scorer", "bodyparts", "coords"), 4: ("scorer", "individuals", "bodyparts", "coords")}
#: Scorers of Lightning Pose are called like this.
LIGHTNING = ("heatmap", "regression")
AXES = ("x", "y", "z")
#: Most blocks of a table of pandas, which makes one a type of numbers.
MAX_BLOCKS = 64

Column = tuple[str, ...]


class DeepLabCutTable(TrackImporter):
    """CSV of DeepLabCut and Lightning Pose."""

    name: ClassVar[str] = "deeplabcut_csv"
    description: ClassVar[str] = "CSV of DeepLabCut or Lightning Pose (.csv)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim text whose first cell is ``scorer``, or any that is called a table."""
        if path.is_dir() or b"\x00" in head.replace(b"\xff\xfe", b"")[:1]:
            return False
        first = decode_text(head).lstrip().lower()
        return first.startswith("scorer") or path.suffix.lower() == ".csv"

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        require_size(path.stat().st_size, MAX_TABLE_BYTES)
        columns, index, values = read_csv(decode_text(path.read_bytes()))
        return self._assemble(table_listing(columns, index, values), self.name)

    def _assemble(self, listing: Listing, form: str) -> Pose:
        return assemble(
            listing,
            form,
            fps=self.fps,
            skeletons=self.skeletons,
            names=self.keypoint_names,
        )


class DeepLabCutStore(DeepLabCutTable):
    """HDF5 of DeepLabCut (pandas' tables, fixed or appendable)."""

    name: ClassVar[str] = "deeplabcut_h5"
    description: ClassVar[str] = "HDF5 of DeepLabCut (.h5)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim HDF5 files that hold a table of pandas."""
        if not head.startswith(HDF5_MAGIC):
            return False
        try:
            with h5py.File(path, "r") as file:
                return bool(_stores(file))
        except Exception:
            return False

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        with open_hdf5(path) as file:
            columns, index, values = read_store(file)
        return self._assemble(table_listing(columns, index, values), self.name)


def read_csv(text: str) -> tuple[list[Column], list[Any], NDArray[np.float64]]:
    """Read a table of text.

    Returns
    -------
    columns
        Names of each column, one a header row.
    index
        First cell of each row.
    values : ndarray of shape (row, column)
        Empty cells are NaN.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``, naming row and column, or ``pose_empty``.
    """
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    rows = list(csv.reader(lines[:5]))
    if rows and len(rows[0]) == 1 and rows[0][0].lower().startswith(("scorer;", "scorer\t")):
        unreadable("columns are separated by semicolons or tabs; save the table with commas")
    names = [row[0].strip().lower() if row else "" for row in rows]
    n = next((k for k, levels in LEVELS.items() if tuple(names[:k]) == levels), 0)
    if n == 0:
        unreadable(
            "the header is not scorer, (individuals,) bodyparts, coords; its first cells are "
            + (", ".join(repr(name[:30]) for name in names[:4]) or "nothing")
        )
    header = rows[:n]
    if len({len(row) for row in header}) != 1 or len(header[0]) < 3:
        unreadable(f"the header's rows have {', '.join(str(len(r)) for r in header)} cells")
    body = lines[n:]
    if not body:
        empty("no row below the header")
    width = len(header[0])
    for i, line in enumerate(body):
        if line.count(",") != width - 1:
            unreadable(
                f"row {n + i + 1} has {line.count(',') + 1} of {width} cells; is the file cut off?"
            )
    try:
        table = pd.read_csv(io.StringIO("\n".join(body)), header=None, low_memory=False)
    except (pd.errors.ParserError, OverflowError) as error:
        unreadable(
            f"the table cannot be read ({error}); is a quotation mark left open, or a number too "
            "long?"
        )
    if table.shape != (len(body), width):
        unreadable(
            f"{len(body)} rows of {width} cells read as {table.shape[0]} of {table.shape[1]}; are "
            "there quotation marks or empty rows in it?"
        )
    cells = table.iloc[:, 1:]
    for k in range(cells.shape[1]):
        if cells.dtypes.iloc[k].kind not in "iuf":
            numbers = pd.to_numeric(cells.iloc[:, k], errors="coerce")
            wrong = numbers.isna() & cells.iloc[:, k].notna()
            at = int(np.argmax(wrong.to_numpy()))
            where = "/".join(row[k + 1] for row in header)
            unreadable(
                f"row {n + at + 1}, column {where}: {str(cells.iloc[at, k])[:30]!r} is not a number"
            )
    columns = [tuple(row[k + 1].strip() for row in header) for k in range(width - 1)]
    return columns, table.iloc[:, 0].tolist(), cells.to_numpy(dtype=np.float64)


def table_listing(columns: list[Column], index: list[Any], values: NDArray[np.float64]) -> Listing:
    """Make a listing of a table's columns.

    Parameters
    ----------
    columns
        Names of each column: scorer, individual if there are four, bodypart, coordinate.
    index
        What stands at the head of each row.
    values : ndarray of shape (row, column)
    """
    if any(isinstance(entry, str) and not entry.strip().isdigit() for entry in index):
        unreadable(
            "rows are not numbered by frames but called otherwise: labelled images rather than a "
            "video's tracks?"
        )
    numbers = whole_numbers(index, "row")
    scorers = sorted({column[0] for column in columns})
    if len(scorers) > 1:
        unreadable(f"several scorers: {', '.join(scorers[:3])}; export the tracks of one")
    several = len(columns[0]) == 4
    place: dict[tuple[str, str, str], int] = {}
    for k, column in enumerate(columns):
        key = (column[1] if several else "individual", column[-2], column[-1].lower())
        if key in place:
            unreadable(f"the column {'/'.join(column)} stands twice")
        place[key] = k
    individuals = list(dict.fromkeys(key[0] for key in place))
    labels = list(dict.fromkeys(key[1] for key in place))
    axes = [axis for axis in AXES if any(key[2] == axis for key in place)]
    if axes[:2] != ["x", "y"]:
        found = sorted({key[2] for key in place})
        unreadable(f"no coordinates x and y (found: {', '.join(found[:6]) or 'none'})")
    shape = (len(numbers), len(individuals), len(axes), len(labels))
    position = np.full(shape, np.nan)
    confidence = np.full((shape[0], shape[1], shape[3]), np.nan)
    for (who, label, coordinate), k in place.items():
        i, j = individuals.index(who), labels.index(label)
        if coordinate in axes:
            position[:, i, axes.index(coordinate), j] = values[:, k]
        elif coordinate == "likelihood":
            confidence[:, i, j] = values[:, k]
    lightning = scorers[0].lower().startswith(LIGHTNING)
    return individuals_listing(
        position,
        confidence if np.isfinite(confidence).any() else None,
        numbers,
        labels,
        individuals,
        software="Lightning Pose" if lightning else "DeepLabCut",
        units="pixels" if len(axes) == 2 else "unknown",
        details={"scorer": scorers[0]},
    )


def _stores(file: h5py.File) -> list[str]:
    """Return the names of the groups that hold a table of pandas, the usual ones first."""
    found = [
        name
        for name, item in file.items()
        if isinstance(item, h5py.Group)
        and text_of(item.attrs.get("pandas_type", "")) in ("frame", "frame_table")
    ]
    usual = ("df_with_missing", "keypoints", "tracks")
    return sorted(found, key=lambda name: usual.index(name) if name in usual else len(usual))


def read_store(file: h5py.File) -> tuple[list[Column], list[Any], NDArray[np.float64]]:
    """Read a table of pandas by h5py; see :func:`read_csv` for what is returned."""
    stores = _stores(file)
    if not stores:
        unreadable("the HDF5 file holds no table of pandas")
    group = file[stores[0]]
    kind = text_of(group.attrs["pandas_type"])
    columns, index, values = _read_fixed(group) if kind == "frame" else _read_table(group)
    if {len(column) for column in columns} not in ({3}, {4}):
        unreadable(
            "columns are not named by scorer, (individual,) bodypart and coordinate; "
            f"the first is {'/'.join(columns[0])[:100]!r}"
            if columns
            else "the table has no columns"
        )
    if not index:
        empty("the table has no row")
    return columns, index, values


def _require_few_blocks(n: int) -> None:
    if n > MAX_BLOCKS:
        unreadable(f"the table has {n} blocks of values, more than {MAX_BLOCKS}")


def _codes(group: h5py.Group, axis: str) -> list[Column]:
    """Return the entries of an axis that has several levels."""
    levels = int(group.attrs[f"{axis}_nlevels"])
    names = [_strings(group[f"{axis}_level{i}"]) for i in range(levels)]
    codes = [np.asarray(group[f"{axis}_label{i}"][...], dtype=np.int64) for i in range(levels)]
    if any((c < 0).any() or (c >= len(n)).any() for c, n in zip(codes, names, strict=True)):
        unreadable(f"{axis} points to names that are not there")
    return [
        tuple(name[i] for name, i in zip(names, entry, strict=True))
        for entry in zip(*(c.tolist() for c in codes), strict=True)
    ]


def _strings(dataset: h5py.Dataset) -> list[str]:
    if dataset.dtype.kind != "S":
        unreadable("names are stored as Python objects, which are not read; export as CSV")
    return [text_of(value) for value in dataset[...].tolist()]


def _row_index(dataset: h5py.Dataset) -> list[Any]:
    if dataset.dtype.kind not in "iufS":
        unreadable("rows are named by Python objects, which are not read; export as CSV")
    return [text_of(v) if isinstance(v, bytes) else v for v in dataset[...].tolist()]


def _read_fixed(group: h5py.Group) -> tuple[list[Column], list[Any], NDArray[np.float64]]:
    """Read what ``DataFrame.to_hdf(..., format="fixed")`` wrote."""
    if text_of(group.attrs.get("axis0_variety", "")) != "multi":
        unreadable("columns have one name each, not scorer, bodypart and coordinate")
    if text_of(group.attrs.get("axis1_variety", "")) != "regular":
        unreadable("rows are not numbered by frames: labelled images rather than tracks?")
    require_frames(len(group["axis1"]))
    n_blocks = int(group.attrs["nblocks"])
    _require_few_blocks(n_blocks)
    index = _row_index(group["axis1"])
    columns: list[Column] = []
    parts = []
    for k in range(n_blocks):
        items = _codes(group, f"block{k}_items")
        block = group[f"block{k}_values"]
        if block.dtype.kind not in "iuf":
            unreadable("positions are stored as Python objects, which are not read; export as CSV")
        values = np.asarray(block[...], dtype=np.float64)
        if not block.attrs.get("transposed", False):
            values = values.T
        if values.shape != (len(index), len(items)):
            unreadable(f"a block has shape {values.shape}, expected {(len(index), len(items))}")
        columns += items
        parts.append(values)
    # Blocks are in the order of types; the axis has the columns' own.
    wanted = _codes(group, "axis0")
    if sorted(wanted) != sorted(columns):
        unreadable("the columns of the table and of its blocks differ")
    values = np.concatenate(parts, axis=1) if parts else np.empty((len(index), 0))
    place = {column: k for k, column in enumerate(columns)}
    return wanted, index, values[:, [place[column] for column in wanted]]


def _read_table(group: h5py.Group) -> tuple[list[Column], list[Any], NDArray[np.float64]]:
    """Read what ``DataFrame.to_hdf(..., format="table")`` wrote, as DeepLabCut does."""
    table = group["table"]
    names = table.dtype.names or ()
    if "index" not in names:
        unreadable("the table's rows are not numbered")
    require_frames(len(table))
    blocks = [name for name in names if name.startswith("values_block_")]
    _require_few_blocks(len(blocks))
    columns: list[Column] = []
    parts = []
    for name in sorted(blocks, key=lambda n: int(n.rpartition("_")[2])):
        try:
            found = column_names(bytes(table.attrs[f"{name}_kind"]))
        except ValueError as error:
            unreadable(f"the names of the columns cannot be read: {error}")
        tuples = [column for column in found if isinstance(column, tuple)]
        if len(tuples) < len(found):
            unreadable("columns have one name each, not scorer, bodypart and coordinate")
        part = np.asarray(table[name], dtype=np.float64).reshape(len(table), -1)
        if part.shape[1] != len(found):
            unreadable(f"{len(found)} names for {part.shape[1]} columns")
        columns += [tuple(map(str, column)) for column in tuples]
        parts.append(part)
    if not parts:
        unreadable("the table has no block of values")
    return columns, np.asarray(table["index"]).tolist(), np.concatenate(parts, axis=1)
