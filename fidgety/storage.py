"""Results files: whole or absent, checked, with provenance.

Every ``.h5`` file is a netCDF-4 file that :func:`xarray.open_dataset` and :mod:`h5py` both
read. It carries, as attributes: ``schema`` (``"pose/1"``), ``status``, ``reason``,
``reason_detail``, ``fidgety_version`` and ``provenance`` (JSON: parameters, checksum of the
input, code fingerprint, seed, library versions). No dates are written: equal content is
equal bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr

from fidgety import __version__
from fidgety.errors import NotAssessable, Outcome, StorageError
from fidgety.faults import reading_fault
from fidgety.files import atomic_path, dumps
from fidgety.hdf5_disk import remembering

_STRING = h5py.string_dtype("utf-8")


@dataclass(frozen=True)
class Provenance:
    """What made a file.

    Parameters
    ----------
    recording
        Recording (or other key) that the file is about.
    parameters
        The part of the configuration that was used.
    input_sha256
        Checksum of the input file.
    code
        Fingerprint of the stage's code.
    seed
        Seed of the job, if it uses one.
    libraries
        Versions of the libraries that decide the result.
    """

    recording: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    input_sha256: str = ""
    code: str = ""
    seed: int | None = None
    libraries: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Serialise with sorted keys."""
        return dumps(asdict(self))


def _attributes(schema: str, outcome: Outcome, provenance: Provenance) -> dict[str, str]:
    return {
        "schema": schema,
        "status": outcome.status.value,
        "reason": outcome.reason.value if outcome.reason else "",
        "reason_detail": outcome.detail,
        "fidgety_version": __version__,
        "provenance": provenance.to_json(),
    }


def _write_group(group: Any, dataset: xr.Dataset, compression: int) -> None:
    group.dimensions.update(
        {str(k): int(v) for k, v in dataset.sizes.items() if str(k) not in group.dimensions}
    )
    for name in sorted([str(n) for n in dataset.variables]):
        variable = dataset[name]
        values = np.asarray(variable.values)
        options: dict[str, Any] = {}
        if values.ndim and values.size and values.dtype.kind not in "OUS":
            options = {"compression": "gzip", "compression_opts": compression, "shuffle": True}
        if values.dtype.kind in "OUS":
            created = group.create_variable(name, tuple(map(str, variable.dims)), _STRING)
            values = values.astype(object)
        elif values.dtype.kind == "b":
            raise StorageError(f"{name}: store flags as uint8, netCDF has no booleans.")
        else:
            created = group.create_variable(
                name, tuple(map(str, variable.dims)), values.dtype, **options
            )
        if values.size:
            created[...] = values
        for key in sorted(variable.attrs):
            created.attrs[key] = variable.attrs[key]
    for key in sorted(dataset.attrs):
        group.attrs[key] = dataset.attrs[key]


def write_dataset(
    path: str | os.PathLike[str],
    dataset: xr.Dataset,
    *,
    schema: str,
    provenance: Provenance,
    outcome: Outcome | None = None,
    groups: Mapping[str, xr.Dataset] | None = None,
    compression: int = 4,
) -> None:
    """Write a dataset, and further ones as groups, into one netCDF-4 file.

    Parameters
    ----------
    path
        File to write: whole or not at all.
    dataset
        Content of the root group.
    schema
        Name and version of the layout: ``"pose/1"``.
    provenance
        What made it.
    outcome
        Status; ``ok`` by default.
    groups
        Further datasets by group name.
    compression
        gzip level, 1 to 9.
    """
    with (
        atomic_path(path) as temporary,
        remembering(temporary) as disk,
        h5netcdf.File(disk, "w") as file,
    ):
        _write_group(file, dataset, compression)
        for name in sorted(groups or {}):
            _write_group(file.create_group(name), (groups or {})[name], compression)
        for key, value in _attributes(schema, outcome or Outcome(), provenance).items():
            file.attrs[key] = value


class DatasetWriter:
    """Writes a netCDF-4 file piece by piece: for arrays that must not be in memory at once.

    Use it as a context manager; the file is in its place when the block ends without an
    error, and absent otherwise::

        with DatasetWriter(path, schema="background/1", provenance=provenance) as writer:
            masks = writer.create("mask", {"frame": 750, "height": 144, "width": 256}, np.uint8)
            for start, chunk in chunks:
                masks[start : start + len(chunk)] = chunk
            writer.add(xr.Dataset(...))

    Parameters
    ----------
    path
        File to write: whole or not at all.
    schema
        Name and version of the layout.
    provenance
        What made it.
    compression
        gzip level, 1 to 9.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        schema: str,
        provenance: Provenance,
        compression: int = 4,
    ) -> None:
        self._path = path
        self._attributes = _attributes(schema, Outcome(), provenance)
        self._compression = compression
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> DatasetWriter:
        with contextlib.ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            disk = stack.enter_context(remembering(temporary))
            self._file = stack.enter_context(h5netcdf.File(disk, "w"))
            self._stack = stack.pop_all()
        return self

    def create(
        self,
        name: str,
        sizes: Mapping[str, int],
        dtype: Any,
        chunks: tuple[int, ...] | None = None,
    ) -> Any:
        """Make a variable to write slices into.

        Parameters
        ----------
        name
            Of the variable.
        sizes
            Dimensions and their lengths, in order.
        dtype
            A number type.
        chunks
            Shape of what is compressed together; write in multiples of it.

        Returns
        -------
        h5netcdf.Variable
            Takes ``variable[start:stop] = values``.
        """
        for dimension, size in sizes.items():
            if dimension not in self._file.dimensions:
                self._file.dimensions[dimension] = size
        return self._file.create_variable(
            name,
            tuple(sizes),
            np.dtype(dtype),
            compression="gzip",
            compression_opts=self._compression,
            shuffle=True,
            chunks=chunks,
        )

    def add(self, dataset: xr.Dataset) -> None:
        """Write whole variables, and attributes of the file."""
        _write_group(self._file, dataset, self._compression)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            for key, value in self._attributes.items():
                self._file.attrs[key] = value
        self._stack.__exit__(kind, error, trace)


def write_not_assessable(
    path: str | os.PathLike[str], error: NotAssessable, *, schema: str, provenance: Provenance
) -> None:
    """Write the file of a stage that could not give a result: status and reason alone."""
    write_dataset(
        path, xr.Dataset(), schema=schema, provenance=provenance, outcome=Outcome.of(error)
    )


def number_of(file: h5py.Group, name: str) -> float:
    """Return a number among the attributes of an HDF5 file, which holds it as an array of one."""
    return float(np.asarray(file.attrs[name]).item())


#: What HDF5 and its readers raise at damaged bytes, by where in the file they are.
_DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,  # h5netcdf's own, where a dimension is gone
)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Tell in one way that a results file is damaged, missing, or out of the machine's reach.

    Raises
    ------
    StorageError
        For whatever damaged bytes, or content that is not of its schema, make readers raise; with
        the advice to delete the file only where the file is to blame.
    """
    try:
        yield
    except FileNotFoundError:
        raise StorageError(f"{path}: is missing. Run the workflow again.") from None
    except _DAMAGE as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str | os.PathLike[str], error: Exception) -> StorageError:
    if lacking := reading_fault(error):
        return StorageError(f"{path}: {lacking}")
    return StorageError(f"{path}: cannot be read ({error}). Delete it and run the workflow again.")


def read_outcome(path: str | os.PathLike[str], schema: str | None = None) -> Outcome:
    """Read status and reason of a results file.

    Raises
    ------
    StorageError
        If it is not one of our files, or has another schema.
    """
    with reading(path), h5py.File(path, "r") as file:
        wanted = ("schema", "status", "reason", "reason_detail")
        attributes = {k: file.attrs.get(k) for k in wanted}
    if attributes["status"] is None:
        raise StorageError(f"{path}: not a results file of fidgety (no status attribute).")
    found = attributes["schema"]
    # An array of texts is compared text by text.
    if schema is not None and not (isinstance(found, str) and found == schema):
        raise StorageError(
            f"{path}: has schema {found!r}, expected {schema!r}. "
            "Delete it and run the workflow again."
        )
    try:
        outcome = Outcome.recorded(attributes)
        if not outcome.ok and outcome.reason is None:
            raise ValueError("it has no reason")
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{path}: its status cannot be read ({error}). Delete it and run the workflow again."
        ) from None
    return outcome


def read_dataset(
    path: str | os.PathLike[str], *, schema: str | None = None, group: str | None = None
) -> xr.Dataset:
    """Load a dataset (or one of its groups) into memory.

    Raises
    ------
    NotAssessable
        If the file records a reason instead of a result.
    StorageError
        If it is not one of our files, or has another schema or no such group.
    """
    read_outcome(path, schema).raise_if_not_ok()
    with reading(path), xr.open_dataset(path, engine="h5netcdf", group=group) as dataset:
        return dataset.load()


def groups(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the groups of a results file.

    Raises
    ------
    StorageError
        If it is damaged.
    """
    with reading(path), h5py.File(path, "r") as file:
        return sorted(name for name, item in file.items() if isinstance(item, h5py.Group))


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what made a file.

    Raises
    ------
    StorageError
        If it is damaged.
    """
    with reading(path), h5py.File(path, "r") as file:
        return dict(json.loads(str(file.attrs["provenance"])))
