"""Whether a file of nobody has an infant in it, asked by the file's own format."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fidgety.forget.whom import OWNERS, Whom

#: Bytes that are read at once; names are shorter.
BLOCK = 1 << 20
MODEL = "model.json"
#: Lists of models, whose numbers are no ids.
_NAMELESS = ("models.tsv",)
_HDF5 = (".h5", ".nc", ".nwb")
#: No names in them, and any short one by chance.
_PICTURES_AND_NUMBERS = (
    *(".mp4", ".png", ".jpg", ".zip", ".gz", ".npy", ".npz", ".safetensors", ".ckpt", ".pt"),
    *(".pth", ".woff2"),
)


def read_text(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def asked(path: Path, inner: str, whom: Whom) -> bool:
    """Tell whether a file of nobody has an infant in it.

    Parameters
    ----------
    path, inner
        File, and its path inside of the output that it is in, where that is a folder.
    whom
        Whom it is asked for.
    """
    if path.name in _NAMELESS:
        return False
    if path.name == MODEL:
        return _learned_from(path, whom)
    # Of a folder that is an output, files may be called like a recording.
    if any(whom.words.search(Path(part).stem.encode()) for part in Path(inner).parts):
        return True
    if path.suffix in (".tsv", ".csv"):
        return _in_table(path, whom)
    if path.suffix in _PICTURES_AND_NUMBERS:
        return False
    if path.suffix == ".json":
        with contextlib.suppress(OSError, ValueError, RecursionError):
            return any(_says(text, whom) for text in _strings(json.loads(read_text(path))))
    if path.suffix in _HDF5:
        return _in_hdf5(path, whom)
    return names_it(path, whom.words)


def _says(text: str, whom: Whom) -> bool:
    """Tell whether a text is an id, or a list, sentence or path with one: no version's number."""
    stem = Path(text).stem
    if text in whom.names or (stem in whom.names and not stem.isdigit()):
        return True
    return bool(set(" /,;") & set(text)) and whom.words.search(text.encode()) is not None


def _strings(value: Any) -> Iterator[str]:
    """Yield the keys and texts of what was read from JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _learned_from(path: Path, whom: Whom) -> bool:
    """Tell whether a model was trained on an infant, or chosen by it."""
    try:
        description = json.loads(read_text(path))
        infants = {*description.get("training_infants", ())}
        infants |= {*description.get("reference_infants", ()), *description.get("left_out", ())}
        infants |= {entry["infant"] for entry in description.get("validation", ())}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # What cannot be asked is searched.
        return names_it(path, whom.words)
    return bool(infants & whom.names)


def _in_table(path: Path, whom: Whom) -> bool:
    """Tell whether a table has an infant's row; where no column says whose rows are, its words."""
    try:
        rows = list(csv.reader(io.StringIO(read_text(path)), delimiter=_delimiter(path)))
    except (OSError, ValueError, csv.Error):
        return names_it(path, whom.words)
    if any(set(cells) & whom.names for cells in _column(rows, "id")):
        return True
    columns = {c: rows[0].index(c) for c in OWNERS if rows and c in rows[0]}
    if columns:
        return any(is_of(row, columns, whom) for row in rows[1:])
    # A number or a class there is what it looks like.
    meant = {name for name in whom.names - whom.common if not name.isdigit()}
    return any(
        cell in meant or (cell not in whom.names and _says(cell, whom))
        for row in rows[1:]
        for cell in row
    )


def _column(rows: Sequence[Sequence[str]], name: str) -> Iterator[Sequence[str]]:
    """Yield the cells of a column, a row at a time, where a table has it."""
    if rows and name in rows[0]:
        at = rows[0].index(name)
        yield from (row[at : at + 1] for row in rows[1:])


def _delimiter(path: Path) -> str:
    return "," if path.suffix == ".csv" else "\t"


def is_of(row: Sequence[str], columns: Mapping[str, int], whom: Whom) -> bool:
    """Tell whether a table's row is the infant's, by its columns of ids."""
    ids = {"infant": {whom.infant}, "recording": whom.recordings}
    return any(at < len(row) and row[at] in ids[column] for column, at in columns.items())


def _in_hdf5(path: Path, whom: Whom) -> bool:
    import h5py
    import numpy as np

    found = False

    def look(_: str, item: Any) -> None:
        nonlocal found
        values = list(item.attrs.values())
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None:
            values.append(item[()])
        for value in values:
            for one in np.ravel(np.asarray(value, dtype=object)).tolist():
                text = one.decode(errors="replace") if isinstance(one, bytes) else str(one)
                found = found or any(_says(part, whom) for part in _parts(text))

    try:
        with h5py.File(path, "r") as file:
            look("", file)
            file.visititems(look)
    except (OSError, ValueError, KeyError, RuntimeError):
        return names_it(path, whom.words)
    return found


def _parts(text: str) -> Iterator[str]:
    """Yield the texts in an attribute, which may be JSON."""
    if text[:1] in "{[":
        with contextlib.suppress(ValueError, RecursionError):
            yield from list(_strings(json.loads(text)))
            return
    yield text


def names_it(path: Path, pattern: re.Pattern[bytes], longest: int = 256) -> bool:
    """Tell whether a file has a name in it, whatever its format.

    Parameters
    ----------
    path
        File.
    pattern
        See :func:`word`.
    longest
        Bytes of the longest name with what stands around it.
    """
    before = b""
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            if pattern.search(before + block):
                return True
            before = (before + block)[-longest:]
    return False
