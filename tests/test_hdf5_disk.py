"""HDF5 on a full disk: told, whatever fits, and without a crash; equal files on any other."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety.faults import machine_fault
from fidgety.hdf5_disk import remembering


def fill(file: h5netcdf.File) -> None:
    """Write groups, packed arrays, text and attributes."""
    noise = np.random.default_rng(3).normal(size=(400, 20))
    for name in ("a", "b", "c"):
        group = file.create_group(name)
        group.dimensions["row"], group.dimensions["column"] = noise.shape
        made = group.create_variable(
            "x", ("row", "column"), noise.dtype, chunks=(50, 20), compression="gzip"
        )
        for start in range(0, len(noise), 50):
            made[start : start + 50] = noise[start : start + 50]
        group.attrs["about"] = name * 500


class SmallDisk:
    """A file of the system's that takes so many bytes."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self._room = file, room

    def write(self, data: memoryview) -> int:
        if self._room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), self._room)
        self._room -= taken
        return self._file.write(data[:taken])  # type: ignore[attr-defined,no-any-return]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


def whole_size(folder: Path) -> int:
    with remembering(folder / "whole.h5") as disk, h5netcdf.File(disk, "w") as file:
        fill(file)
    return (folder / "whole.h5").stat().st_size


def write_to_small_disk(path: Path, room: int) -> None:
    with remembering(path) as disk:
        disk._file = SmallDisk(disk._file, room)  # type: ignore[assignment]
        with h5netcdf.File(disk, "w") as file:
            fill(file)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0, 0.99))
def test_a_disk_of_any_size_that_is_too_small_is_told(tmp_path: Path, share: float) -> None:
    room = int(share * whole_size(tmp_path))
    with pytest.raises(OSError, match="No space left") as told:
        write_to_small_disk(tmp_path / "part.h5", room)
    assert told.value.errno == errno.ENOSPC
    said = machine_fault(told.value)
    assert said is not None
    assert "part.h5" in said
    assert "the disk is full" in said


def test_what_is_written_is_what_hdf5_itself_would_write(tmp_path: Path) -> None:
    whole_size(tmp_path)
    with h5netcdf.File(tmp_path / "own.h5", "w") as file:
        fill(file)
    with h5py.File(tmp_path / "own.h5") as own, h5py.File(tmp_path / "whole.h5") as ours:
        for name in ("a", "b", "c"):
            assert np.array_equal(own[name]["x"][:], ours[name]["x"][:])
            assert own[name].attrs["about"] == ours[name].attrs["about"]
            assert own[name]["x"].dims[0].keys() == ours[name]["x"].dims[0].keys()


def test_an_error_of_the_body_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), remembering(tmp_path / "a.h5"):
        raise ValueError("mine")


def write_and_be_confused(path: Path) -> None:
    with remembering(path) as disk:
        disk.failure = OSError(errno.ENOSPC, "No space left")
        raise RuntimeError("HDF5 read what was never written")


def test_a_failure_is_told_even_if_it_ends_in_another(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_and_be_confused(tmp_path / "a.h5")
