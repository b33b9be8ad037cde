"""Tracks in the dataset layout of the ``movement`` library, and of this workflow.

Read: ``position`` (time, space, keypoints, individuals) in any order of dimensions, names
singular (movement 0.17 and later) or plural; ``confidence`` without space, 1 where it is absent
and the position finite; ``time`` in seconds or in frames with the attribute ``fps``;
``position_3d`` as this workflow writes it. 2D or 3D. Attributes: ``fps``, ``time_unit``,
``units`` (of the dataset or of ``position``), ``source_software``.

Imputed values of a cleaned file of ours are not measurements and are taken as missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.errors import NotAssessable, Outcome, Reason, Status
from fidgety.pose.importers.base import TrackImporter
from fidgety.pose.importers.content import (
    HDF5_MAGIC,
    MAX_ARRAY_BYTES,
    open_hdf5,
    require_frames,
    require_size,
)
from fidgety.pose.importers.keypoints import Matched, match_keypoints
from fidgety.pose.importers.people import MIN_SHARED
from fidgety.pose.in_view import in_view_record
from fidgety.pose.tracks import UNITS, Origin, Pose
from fidgety.skeletons import Skeleton, own_or_none, plain_name

NETCDF3_MAGIC = b"CDF"
DIMENSIONS = {"keypoint": "keypoints", "individual": "individuals"}
UNIT_NAMES = {
    "px": "pixels",
    "pixel": "pixels",
    "m": "metres",
    "metre": "metres",
    "meter": "metres",
    "meters": "metres",
    "z-score": "zscore",
}
#: Largest relative difference between the attribute fps and the time stamps' own rate: a variable
#: rate lies well within it, time in frames or milliseconds far outside. The stamps are believed.
RATE_TOLERANCE = 0.25
REMEDY = "write the rate into the sheet's column fps"
VARIABLES = ("position", "confidence", "position_3d", "origin")


def _unreadable(detail: str) -> NoReturn:
    raise NotAssessable(Reason.POSE_UNREADABLE, detail)


class MovementImporter(TrackImporter):
    """netCDF files of ``movement`` (``ds.to_netcdf(...)``), and this workflow's pose files."""

    name: ClassVar[str] = "movement"
    description: ClassVar[str] = "netCDF in the layout of the movement library (.nc, .h5)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim netCDF of both kinds by its first bytes; the name does not matter."""
        return head.startswith((HDF5_MAGIC, NETCDF3_MAGIC))

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        dataset = _load(path)
        _raise_recorded_reason(dataset)
        return _pose(_with_plural_names(dataset), self.skeletons, self.keypoint_names, self.fps)


def _load(path: Path) -> xr.Dataset:
    """Load what is needed of a file.

    Times are left as the numbers that they are, and nothing is unpickled: netCDF holds numbers
    and text alone.
    """
    with open(path, "rb") as file:
        netcdf3 = file.read(3) == NETCDF3_MAGIC
    options: dict[str, Any] = (
        {"engine": "scipy"} if netcdf3 else {"engine": "h5netcdf", "phony_dims": "access"}
    )
    if not netcdf3:
        with open_hdf5(path) as file:
            # Reading begins with the coordinates, as soon as the file is opened.
            require_frames(len(file["time"]) if "time" in file else 0)
    with xr.open_dataset(path, decode_times=False, decode_timedelta=False, **options) as dataset:
        some = dataset[[name for name in VARIABLES if name in dataset.data_vars]]
        some.attrs = dict(dataset.attrs)
        require_frames(some.sizes.get("time", 0))
        require_size(sum(array.size * 8 for array in some.variables.values()), MAX_ARRAY_BYTES)
        found = ", ".join(sorted(map(str, dataset.data_vars))) or "none"
        if "position" not in some and "status" not in some.attrs:
            _unreadable(f"no variable 'position' (found: {found})")
        return some.load()


def _raise_recorded_reason(dataset: xr.Dataset) -> None:
    """Hand on the reason of a file of ours that has no result."""
    if dataset.attrs.get("status") == Status.NOT_ASSESSABLE.value:
        reason = str(dataset.attrs.get("reason", ""))
        known = reason in [r.value for r in Reason]
        Outcome(
            Status.NOT_ASSESSABLE,
            Reason(reason) if known else Reason.POSE_EMPTY,
            str(dataset.attrs.get("reason_detail", "")),
        ).raise_if_not_ok()


def _with_plural_names(dataset: xr.Dataset) -> xr.Dataset:
    """Give dimensions the names that this workflow uses."""
    names = {k: v for k, v in DIMENSIONS.items() if k in dataset.dims or k in dataset.coords}
    return dataset.rename(names)


@dataclass(frozen=True)
class _Clock:
    """Time stamps of a file."""

    time_s: NDArray[np.float64]
    fps: float


def _clock(dataset: xr.Dataset, n: int, given_fps: float | None) -> _Clock:
    """Read the time stamps: seconds, or frames and a rate, the file's own or else the given."""
    fps = _positive(dataset.attrs.get("fps"))
    if "time" not in dataset.coords:
        fps = fps or given_fps
        if fps is None:
            _unreadable(f"no time coordinate and no attribute fps; {REMEDY}")
        return _Clock(np.arange(n) / fps, fps)
    raw = dataset["time"].values
    if raw.shape != (n,) or raw.dtype.kind not in "iuf":
        _unreadable(f"the time coordinate has shape {raw.shape} and type {raw.dtype}")
    time = raw.astype(np.float64)
    if not np.isfinite(time).all():
        _unreadable(f"{int((~np.isfinite(time)).sum())} of {n} time stamps are missing")
    steps = np.diff(time)
    if (steps <= 0).any():
        at = int(np.argmax(steps <= 0))
        _unreadable(
            f"time does not increase: {time[at + 1]:g} follows {time[at]:g} at row {at + 1}"
        )
    unit = str(dataset.attrs.get("time_unit", "frames" if raw.dtype.kind in "iu" else "seconds"))
    if unit.startswith("frame"):
        return _frames_clock(time, steps, fps or given_fps)
    if not unit.startswith("s"):
        _unreadable(f"time_unit is {unit!r}, expected 'seconds' or 'frames'")
    own = 1.0 / float(np.median(steps)) if n > 1 else None
    if fps is None and own is None:
        _unreadable("one time stamp and no attribute fps")
    if fps is not None and own is not None and abs(own / fps - 1.0) > RATE_TOLERANCE:
        _unreadable(
            f"time stamps are {1 / own:g} s apart, but fps is {fps:g}; "
            "is the time in frames (time_unit)?"
        )
    return _Clock(time, fps or own or 1.0)


def _frames_clock(
    frame: NDArray[np.float64], steps: NDArray[np.float64], fps: float | None
) -> _Clock:
    if fps is None:
        _unreadable(f"time is in frames and there is no attribute fps; {REMEDY}")
    if len(steps) and not np.allclose(steps, steps[0]):
        at = int(np.argmax(~np.isclose(steps, np.median(steps))))
        _unreadable(
            f"frame numbers are irregular: {frame[at + 1]:g} follows {frame[at]:g} at row {at + 1}"
        )
    stride = float(steps[0]) if len(steps) else 1.0
    return _Clock(frame / fps, fps / stride)


def _positive(value: Any) -> float | None:
    """Return a positive number, None for what is none."""
    try:
        number = float(np.asarray(value).item())
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


def _array(dataset: xr.Dataset, variable: str, dims: tuple[str, ...]) -> NDArray[np.float64]:
    """Load a variable in the order of ``dims``, infinite values as missing."""
    found = dataset[variable]
    if set(found.dims) != set(dims):
        _unreadable(
            f"{variable} has dimensions ({', '.join(map(str, found.dims))}), "
            f"expected ({', '.join(dims)})"
        )
    if found.dtype.kind not in "iuf":
        _unreadable(f"{variable} holds {found.dtype}, expected numbers")
    values = found.transpose(*dims).values.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _labels(dataset: xr.Dataset, dimension: str) -> list[str] | None:
    if dimension not in dataset.coords:
        return None
    labels = [v.decode() if isinstance(v, bytes) else str(v) for v in dataset[dimension].values]
    return [label.strip() for label in labels]


def _space_order(dataset: xr.Dataset, dimension: str) -> list[int]:
    """Return the order that brings coordinates to x, y(, z)."""
    n = dataset.sizes[dimension]
    wanted = list("xyz")[:n]
    labels = _labels(dataset, dimension) or wanted
    if n not in (2, 3) or sorted(labels) != wanted:
        _unreadable(f"{dimension} is ({', '.join(labels)}), expected x, y or x, y, z")
    return [labels.index(axis) for axis in wanted]


def _skeleton(
    dataset: xr.Dataset, own: Sequence[Skeleton], names: Mapping[str, str]
) -> tuple[Matched, list[int]]:
    """Return the skeleton and the order that brings the keypoints to its own."""
    labels = _labels(dataset, "keypoints")
    if labels is None:
        _unreadable("the keypoints have no names")
    found = [plain_name(label) for label in labels]
    double = sorted({label for label in found if found.count(label) > 1})
    if double:
        raise NotAssessable(Reason.SKELETON_MISMATCH, f"keypoints named twice: {', '.join(double)}")
    matched = match_keypoints(labels, own, names)
    return matched, list(matched.order)


def _most_complete(dataset: xr.Dataset, fps: float) -> tuple[xr.Dataset, dict[str, Any]]:
    """Take the individual with the largest share of finite positions, and say so.

    Names are taken at their word: whoever else has keypoints in a frame is in view.
    """
    if "individuals" not in dataset.dims:
        return dataset, {}
    n = dataset.sizes["individuals"]
    if n == 0:
        raise NotAssessable(Reason.POSE_EMPTY, "no individual")
    labels = _labels(dataset, "individuals") or [str(i) for i in range(n)]
    if n == 1:
        return dataset.isel(individuals=0, drop=True), {"individual": labels[0]}
    dims = ("individuals", "time", "space", "keypoints")
    position = _array(dataset, "position", dims)
    complete = np.isfinite(position.reshape(n, -1)).mean(axis=1)
    chosen = int(np.argmax(complete))
    known = np.isfinite(position).all(axis=2).sum(axis=2) >= MIN_SHARED
    others = np.delete(known, chosen, axis=0).sum(axis=0)
    return dataset.isel(individuals=chosen, drop=True), {
        "individual": labels[chosen],
        "persons": in_view_record(others, int((others + known[chosen]).max()), fps),
        "individuals_complete": {
            label: round(float(share), 4) for label, share in zip(labels, complete, strict=True)
        },
    }


def _units(dataset: xr.Dataset, n_space: int) -> str:
    """Return the units that the file states; 2D without a statement is in pixels."""
    stated = dataset.attrs.get("units", dataset["position"].attrs.get("units"))
    if stated is None:
        return "pixels" if n_space == 2 else "unknown"
    unit = str(stated).strip().lower()
    unit = UNIT_NAMES.get(unit, unit)
    return unit if unit in UNITS else "unknown"


def _pose(
    dataset: xr.Dataset,
    own: Sequence[Skeleton],
    names: Mapping[str, str],
    fps: float | None,
) -> Pose:
    if "position" not in dataset:
        _unreadable("no variable 'position'")
    for dimension in ("time", "space", "keypoints"):
        if dimension not in dataset["position"].dims:
            _unreadable(f"position has no dimension {dimension!r}")
    n = dataset.sizes["time"]
    if n == 0:
        raise NotAssessable(Reason.POSE_EMPTY, "no frame")
    if dataset["position"].dtype.kind not in "iuf":
        _unreadable(f"position holds {dataset['position'].dtype}, expected numbers")
    clock = _clock(dataset, n, fps)
    matched, order = _skeleton(dataset, own, names)
    skeleton = matched.skeleton
    axes = _space_order(dataset, "space")
    one, details = _most_complete(dataset, clock.fps)
    if matched.dropped:
        details["keypoints_left_out"] = list(matched.dropped)

    position = _array(one, "position", ("time", "space", "keypoints"))[:, axes][:, :, order]
    known: NDArray[np.bool_] = np.asarray(np.isfinite(position).all(axis=1))
    if "origin" in one:
        origin = _array(one, "origin", ("time", "keypoints"))[:, order]
        imputed = known & (origin == Origin.IMPUTED)
        details["imputed_left_out"] = int(imputed.sum())
        known = known & ~imputed
    if not known.any():
        raise NotAssessable(Reason.POSE_EMPTY, f"none of {known.size} positions is known")
    position = np.where(known[:, None, :], position, np.nan)

    confidence: NDArray[np.float64] = known.astype(np.float64)
    if "confidence" in one:
        stated = _array(one, "confidence", ("time", "keypoints"))[:, order]
        # All of it missing is how movement writes that there is none.
        if np.isfinite(stated).any():
            outside = int(((stated < 0) | (stated > 1)).sum())
            if outside:
                details["confidence_out_of_range"] = outside
            confidence = np.nan_to_num(np.clip(stated, 0.0, 1.0)) * known
    world = None
    if "position_3d" in one and position.shape[1] == 2:
        depth_axes = _space_order(one, "space_3d")
        world = _array(one, "position_3d", ("time", "space_3d", "keypoints"))
        world = world[:, depth_axes][:, :, order]
        world = np.where(known[:, None, :], world, np.nan)
        if world.shape[1] != 3:
            _unreadable(f"position_3d has {world.shape[1]} coordinates")
    return Pose(
        position=position,
        confidence=confidence,
        time_s=clock.time_s,
        keypoints=skeleton.keypoints,
        fps=clock.fps,
        units=_units(dataset, position.shape[1]),
        world=world,
        source_software=str(dataset.attrs.get("source_software", "unknown")),
        skeleton=skeleton.name,
        own_skeleton=own_or_none(skeleton),
        details={
            "format": MovementImporter.name,
            "known_share": round(float(known.mean()), 4),
            "counted_in": "seconds",
            **details,
        },
    )
