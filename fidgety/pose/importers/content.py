"""What importers share: limits, reasons, and a look at a file before anything reads it."""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from fidgety.errors import FidgetyError, NotAssessable, Reason, without_path
from fidgety.faults import reading_fault

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
#: Largest JSON file: four hours of one person at 25 frames a second. Parsed, text of this size
#: takes some ten times as much memory.
MAX_JSON_BYTES = 200_000_000
#: Largest table, as text or unpacked: five hours of 33 keypoints at 25 frames a second, as text.
MAX_TABLE_BYTES = 1_000_000_000
#: Most that the arrays of an HDF5 file may take as numbers of eight bytes, which they become:
#: seven hours of 33 keypoints at 25 frames a second. While it is read, several times as much is
#: needed.
MAX_ARRAY_BYTES = 500_000_000
#: Most frames: a day at 50 frames a second.
MAX_FRAMES = 4_400_000


def unreadable(detail: str) -> NoReturn:
    """Raise the reason for a file that cannot be read as tracks."""
    raise NotAssessable(Reason.POSE_UNREADABLE, detail)


def empty(detail: str) -> NoReturn:
    """Raise the reason for a file that holds no position."""
    raise NotAssessable(Reason.POSE_EMPTY, detail)


@contextlib.contextmanager
def reasons_for(path: Path, called: str = "the track file") -> Iterator[None]:
    """Turn whatever a reader trips over in a damaged file into a reason without its name.

    Parameters
    ----------
    path
        The file that is read in the body.
    called
        What to call it.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``, unless the body raises a reason or a message of its own.
    """
    try:
        yield
    except (FidgetyError, NotAssessable, MemoryError):
        raise
    # A damaged file makes HDF5, JSON and the libraries above them raise nearly anything.
    except Exception as error:
        # What the machine lacks says nothing about the file.
        if reading_fault(error):
            raise
        lines = str(error).splitlines()
        text = without_path(lines[0], path, called) if lines else ""
        unreadable(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def require_size(n_bytes: int, limit: int) -> None:
    """Refuse what is too large to be one recording's tracks."""
    if n_bytes > limit:
        unreadable(f"{n_bytes} bytes, more than {limit}: is this one recording?")


def decode_text(data: bytes) -> str:
    """Decode text as programs write it: UTF-8 with or without a mark, or UTF-16 with one."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def looks_like_json(head: bytes) -> bool:
    """Tell whether a file starts as JSON objects and lists do."""
    return decode_text(head).lstrip()[:1] in ("{", "[")


def parse_json(data: bytes, limit: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON; numbers that are none (NaN, Infinity) come as such.

    Raises
    ------
    NotAssessable
        With ``pose_unreadable``: not JSON, cut off, nested without end, or too large.
    """
    require_size(len(data), limit)
    try:
        return json.loads(decode_text(data))
    except (ValueError, RecursionError) as error:
        unreadable(f"not whole JSON ({str(error).splitlines()[0]}); is the file cut off?")


def read_json_file(path: Path) -> Any:
    """Read a JSON file; see :func:`parse_json`."""
    require_size(os.path.getsize(path), MAX_JSON_BYTES)
    return parse_json(path.read_bytes())


def require_frames(n: int) -> None:
    """Refuse more frames than a recording has, before anything is read of them."""
    if n > MAX_FRAMES:
        unreadable(f"{n} frames, more than {MAX_FRAMES}: is this one recording?")


@contextlib.contextmanager
def open_hdf5(
    path: Path, *, unread: str | None = None, called: str = "the track file"
) -> Iterator[h5py.File]:
    """Open an HDF5 file by h5py, which unpickles nothing.

    A file that takes values from other files of the machine is refused, and one whose arrays
    together are larger than :data:`MAX_ARRAY_BYTES` as numbers of eight bytes: few bytes can stand
    for any number of zeros.

    Parameters
    ----------
    path
        File.
    unread
        Names of the datasets that nobody will read begin like this, and do not count.
    called
        What to call the file in messages.
    """
    with reasons_for(path, called), h5py.File(path, "r") as file:
        # Nothing is looked up, and nothing raised, inside HDF5's own walk. It comes by every link:
        # many names may stand for one dataset, which would be read as often.
        links: dict[str, object] = {}
        file.visititems_links(lambda name, link: links.__setitem__(name, link))
        found = {
            name: None if isinstance(link, h5py.ExternalLink) else file.get(name)
            for name, link in links.items()
        }
        for name, link in links.items():
            if isinstance(link, h5py.ExternalLink) or _is_outside(found[name]):
                unreadable(f"it points to another file at {name[:100]!r}; store its content in it")
        counted = (n for n in found if unread is None or not n.startswith(unread))
        require_size(sum(array_bytes(found[name]) for name in counted), MAX_ARRAY_BYTES)
        yield file


def _is_outside(item: object) -> bool:
    """Tell whether a dataset's values lie in another file."""
    return isinstance(item, h5py.Dataset) and (item.is_virtual or bool(item.external))


def array_bytes(item: object) -> int:
    """Return the bytes of a dataset's values as they are, or as numbers of eight bytes if more."""
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        return 0
    each = max(8 * _n_numbers(item.dtype), int(item.id.get_type().get_size()))
    return math.prod(item.shape) * each


def _n_numbers(dtype: np.dtype) -> int:
    """Return how many values an entry has: fields, and arrays within them, each count."""
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return math.prod(shape) * _n_numbers(inner)
    if dtype.fields is not None:
        return sum(_n_numbers(entry[0]) for entry in dtype.fields.values())
    return 1


def text_of(value: Any) -> str:
    """Return an HDF5 string, of bytes or text, without the padding."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return str(value).strip().rstrip("\x00")
