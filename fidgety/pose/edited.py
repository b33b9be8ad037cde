"""Turn a pose that was edited elsewhere into a table of corrections.

``python -m fidgety.pose.edited REVIEWED EDITED TABLE [--rater NAME]``, with REVIEWED the review's
``pose.nc``, and EDITED one of

- a DeepLabCut table (CSV, one animal): ``scorer``, ``bodyparts`` and ``coords`` on top;
- a table of napari's points: columns ``keypoint``, ``frame`` (or ``axis-0``), ``x`` (``axis-2``)
  and ``y`` (``axis-1``); a keypoint without a row in a frame is missing there;
- a netCDF file with ``position``, such as ``movement`` writes.

In all of them (0, 0) is the centre of the first pixel, as in REVIEWED.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import FidgetyError
from fidgety.pose.corrections import Correction
from fidgety.pose.corrections_table import differences, write_corrections

#: Names that napari gives to the axes of its points.
AXES = {"axis-0": "frame", "axis-1": "y", "axis-2": "x"}


def _open(path: Path) -> xr.Dataset:
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
            data = dataset.load()
    except (OSError, ValueError) as error:
        raise FidgetyError(f"{path}: cannot be read as netCDF: {error}.") from None
    return data.rename(
        {k: f"{k}s" for k in ("keypoint", "individual") if k in data.dims or k in data.coords}
    )


def _positions(data: xr.Dataset, name: str, path: Path) -> NDArray[np.float64]:
    if name not in data or data.sizes.get("individuals", 1) != 1:
        raise FidgetyError(f"{path}: needs a variable {name!r} of one individual.")
    values = data[name].isel(individuals=0) if "individuals" in data[name].dims else data[name]
    return np.asarray(values.transpose("time", "space", "keypoints").values, dtype=np.float64)


def _deeplabcut(path: Path, n: int, keypoints: tuple[str, ...]) -> NDArray[np.float64]:
    table = pd.read_csv(path, header=[0, 1, 2], index_col=0)
    out = np.full((n, 2, len(keypoints)), np.nan)
    frames = table.index.to_numpy()
    if not np.issubdtype(frames.dtype, np.integer) or (frames < 0).any() or (frames >= n).any():
        raise FidgetyError(f"{path}: its rows are not frames 0 to {n - 1} of the review.")
    for column in table.columns:
        name, axis = str(column[1]), str(column[2])
        if axis not in ("x", "y"):
            continue
        if name not in keypoints:
            raise FidgetyError(f"{path}: {name!r} is no keypoint of the review.")
        out[frames, "xy".index(axis), keypoints.index(name)] = table[column].to_numpy(dtype=float)
    return out


def _points(path: Path, n: int, keypoints: tuple[str, ...]) -> NDArray[np.float64]:
    table = pd.read_csv(path).rename(columns=AXES)
    missing = {"keypoint", "frame", "x", "y"} - set(table.columns)
    if missing:
        raise FidgetyError(
            f"{path}: neither a DeepLabCut table nor a table of points with the columns keypoint, "
            f"frame, x and y ({', '.join(sorted(missing))} missing)."
        )
    strange = sorted(set(table["keypoint"]) - set(keypoints))
    if strange:
        raise FidgetyError(f"{path}: {', '.join(map(repr, strange))}: no keypoint of the review.")
    frame = table["frame"].to_numpy(dtype=float)
    if not ((frame >= 0) & (frame < n) & (frame == np.round(frame))).all():
        raise FidgetyError(f"{path}: has frames that are not 0 to {n - 1}, the review's.")
    if table.duplicated(["keypoint", "frame"]).any():
        raise FidgetyError(f"{path}: has a keypoint twice in one frame.")
    out = np.full((n, 2, len(keypoints)), np.nan)
    index = table["keypoint"].map(keypoints.index).to_numpy()
    out[frame.astype(int), :, index] = table[["x", "y"]].to_numpy(dtype=float)
    return out


def edits(
    reviewed: str | os.PathLike[str], edited: str | os.PathLike[str], rater: str = ""
) -> tuple[list[Correction], NDArray[np.float64]]:
    """Find what was edited.

    Parameters
    ----------
    reviewed
        The review's ``pose.nc``.
    edited
        The same pose, edited.
    rater
        Who edited it.

    Returns
    -------
    corrections
        One a value that differs.
    time_s : ndarray of shape (frame,)
        Time stamps of the review.

    Raises
    ------
    FidgetyError
        If a file is not what it should be, or has other frames or keypoints.
    """
    reviewed, edited = Path(reviewed), Path(edited)
    data = _open(reviewed)
    was = _positions(data, "reviewed", reviewed)
    keypoints = tuple(str(k) for k in data["keypoints"].values)
    if edited.suffix.lower() == ".csv":
        try:
            with open(edited, encoding="utf-8-sig") as file:
                deeplabcut = file.readline().startswith("scorer")
            read = _deeplabcut if deeplabcut else _points
            now = read(edited, len(was), keypoints)
        except (OSError, ValueError) as error:
            raise FidgetyError(f"{edited}: cannot be read as a table: {error}.") from None
    else:
        other = _open(edited)
        now = _positions(other, "position", edited)
        names = [str(k) for k in other["keypoints"].values]
        if sorted(names) != sorted(keypoints):
            raise FidgetyError(f"{edited}: has other keypoints than the review.")
        now = now[:, :, [names.index(k) for k in keypoints]]
    return differences(now, was, keypoints, rater=rater), data["time"].values


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fidgety.pose.edited",
        description="Turn a pose that was edited elsewhere into a table of corrections.",
    )
    parser.add_argument("reviewed", help="the review's pose.nc")
    parser.add_argument("edited", help="DeepLabCut table, table of points, or netCDF file")
    parser.add_argument("table", help="table to write: corrections/{recording}.csv")
    parser.add_argument("--rater", default="", help="who edited it")
    given = parser.parse_args(arguments)
    try:
        found, time_s = edits(given.reviewed, given.edited, given.rater)
        write_corrections(given.table, found, time_s)
    except FidgetyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(found)} corrections in {given.table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
