"""DeepLabCut's files of labelled frames: ``labeled-data/<video>/CollectedData_<scorer>.csv``.

The table has one row a picture and the columns scorer, body part and x or y. DeepLabCut counts
pixels from the centre of the first one (it draws pictures by matplotlib and napari), so half a
pixel is taken off on writing and added on reading. It has no flag for hidden keypoints and no
box: what is marked counts as visible.

The format is that of DeepLabCut 2.3 and 3 (github.com/DeepLabCut/DeepLabCut); 2.2's single index
column ``labeled-data/video/image`` is read as well.
"""

from __future__ import annotations

import csv
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from fidgety.pose.finetune.labels import (
    LabelError,
    LabelledFrame,
    Labels,
    bones_of,
    flags_of,
    source_of,
)

#: From DeepLabCut's pixels to ours.
HALF = 0.5
FOLDER = "labeled-data"
#: Key of the table in DeepLabCut's h5 files.
KEY = "df_with_missing"


def to_table(
    frames: Sequence[LabelledFrame], keypoints: Sequence[str], scorer: str
) -> pd.DataFrame:
    """Lay the frames of one video out as DeepLabCut's table.

    Parameters
    ----------
    frames
        Of one recording, at least one.
    keypoints
        Names of the body parts.
    scorer
        Name of the labeller.
    """
    columns = pd.MultiIndex.from_product(
        [[scorer], list(keypoints), ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    index = pd.MultiIndex.from_tuples([(FOLDER, f.recording, Path(f.file).name) for f in frames])
    values = np.stack([(f.position - HALF).round(3).ravel() for f in frames])
    return pd.DataFrame(values, index=index, columns=columns)


def project_snippet(keypoints: Sequence[str], bones: Sequence[tuple[str, str]], scorer: str) -> str:
    """Return the lines that DeepLabCut's ``config.yaml`` needs for these files."""
    values = {
        "scorer": scorer,
        "multianimalproject": False,
        "bodyparts": list(keypoints),
        "skeleton": [list(b) for b in bones],
    }
    return (
        "# Put these keys into the config.yaml of your DeepLabCut project in place of its own.\n"
        + yaml.safe_dump(values, sort_keys=False)
    )


def read_deeplabcut(
    path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None
) -> Labels:
    """Read a CSV file of labelled frames.

    Parameters
    ----------
    path
        ``CollectedData_<scorer>.csv``.
    images
        Folder of the pictures; None: that of the file, as DeepLabCut has it. Sizes are read from
        the pictures, of which the table says nothing.

    Raises
    ------
    LabelError
        If it is not such a file, is of several animals, or a picture is missing.
    """
    path = Path(path)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            head = [row for row, _ in zip(csv.reader(file), range(5), strict=False)]
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: cannot be read ({error}).") from None
    first = [row[0] if row else "" for row in head]
    if first[:1] == ["scorer"] and first[1:2] == ["individuals"]:
        raise LabelError(
            f"{path}: is of a project with several animals; label one infant a picture."
        )
    if first[:3] != ["scorer", "bodyparts", "coords"]:
        raise LabelError(
            f"{path}: is no CollectedData file of DeepLabCut: its first rows must begin with "
            "scorer, bodyparts and coords."
        )
    n_index = next((i for i, name in enumerate(head[0]) if i and name), 1)
    try:
        table = pd.read_csv(path, header=[0, 1, 2], index_col=list(range(n_index)))
        table = table.astype(np.float64)
    except (ValueError, IndexError) as error:
        raise LabelError(f"{path}: cannot be read as a table of numbers ({error}).") from None
    parts = list(dict.fromkeys(str(c[1]) for c in table.columns))
    wanted = [(p, c) for p in parts for c in ("x", "y")]
    if [(str(c[1]), str(c[2])) for c in table.columns] != wanted:
        raise LabelError(f"{path}: every body part needs the columns x and y, in this order.")
    folder = Path(images) if images is not None else path.parent
    names = ["/".join(k) if isinstance(k, tuple) else str(k) for k in table.index]
    frames = tuple(
        _frame(folder, name.replace("\\", "/"), row.reshape(-1, 2) + HALF, path)
        for name, row in zip(names, table.to_numpy(), strict=True)
    )
    return Labels(tuple(parts), frames, bones_of(parts))


def _frame(folder: Path, name: str, position: np.ndarray, where: Path) -> LabelledFrame:
    file = Path(name).name
    width, height = picture_size(folder / file, where)
    recording, number = source_of(name)
    return LabelledFrame(
        file,
        width,
        height,
        position,
        flags_of(position, np.zeros(len(position), dtype=bool)),
        recording=recording,
        frame=number,
    )


def picture_size(path: Path, where: Path) -> tuple[int, int]:
    """Return width and height of a picture without decoding it where that is a PNG file.

    Raises
    ------
    LabelError
        If it is missing or is no picture.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(24)
    except OSError:
        raise LabelError(
            f"{where}: the picture {path} is missing. Keep the pictures beside the table, or "
            "name their folder."
        ) from None
    if start[:8] == b"\x89PNG\r\n\x1a\n" and len(start) == 24:
        width, height = struct.unpack(">II", start[16:24])
        return int(width), int(height)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return int(image.width), int(image.height)
    except (OSError, UnidentifiedImageError):
        raise LabelError(f"{where}: {path} cannot be read as a picture.") from None


def write_h5(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a table as DeepLabCut's h5 file, without the times that HDF5 would note.

    Parameters
    ----------
    path
        File to write; an earlier one is replaced.
    table
        Of :func:`to_table`.
    """
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "table.h5"
        table.to_hdf(plain, key=KEY, mode="w")
        with h5py.File(plain, "r") as source, h5py.File(path, "w") as target:
            _copy_group(source, target)


def _copy_group(source: Any, target: Any) -> None:
    """Copy an HDF5 group that holds groups and plain arrays, attributes bit by bit."""
    import h5py

    _copy_attributes(source, target)
    for name in sorted(source):
        item = source[name]
        if isinstance(item, h5py.Group):
            _copy_group(item, target.create_group(name))
        else:
            copied = target.create_dataset(name, data=item[()], dtype=item.dtype, track_times=False)
            _copy_attributes(item, copied)


def _copy_attributes(source: Any, target: Any) -> None:
    import h5py

    for name in sorted(source.attrs):
        old = h5py.h5a.open(source.id, name.encode())
        new = h5py.h5a.create(target.id, name.encode(), old.get_type(), old.get_space())
        if old.get_space().get_simple_extent_type() != h5py.h5s.NULL:
            value = np.empty(old.shape, dtype=old.dtype)
            old.read(value, mtype=old.get_type())
            new.write(value, mtype=old.get_type())
