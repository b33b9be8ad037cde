"""Track files that somebody made in order to do harm, or might as well have."""

from __future__ import annotations

from pathlib import Path

import h5netcdf
import h5py
import numpy as np

from fidgety.skeletons import COCO_17


def laughing_names(n: int) -> bytes:
    """Pickle a list of x = (x, x), n times, in four bytes each: 2 to the power of n values."""
    return b"\x80\x02]K\x01q\x01" + b"h\x01\x86q\x01" * n + b"\x85a."


def repeated_names(n: int) -> bytes:
    """Pickle a list of n times the same tuple of n names, in a few bytes each."""
    return b"\x80\x02]((" + b"K\x01" * n + b"tq\x01" + b"h\x01" * (n - 1) + b"e."


def declared_frames(path: Path, n: int, keypoints: int = 17) -> Path:
    """Write a movement file that stands for many frames in few bytes."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": n, "space": 2, "keypoints": keypoints}
        chunks = (min(n, 100_000), 2, keypoints)
        file.create_variable("position", tuple(file.dimensions), "i1", chunks=chunks)
        names = file.create_variable("keypoints", ("keypoints",), h5py.string_dtype())
        names[...] = np.array(COCO_17.keypoints[:keypoints], dtype=object)
        file.attrs["fps"] = 25.0
    return path


def declared_blocks(path: Path, blocks: int, rows: int, *, one: bool = False) -> Path:
    """Write a table of pandas that stands for many blocks of values in few bytes.

    Each is a dataset of its own, or all are names of one.
    """
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs.update(
            pandas_type="frame", axis0_variety="multi", axis1_variety="regular", nblocks=blocks
        )
        packed = {"chunks": (min(rows, 100_000),), "compression": "gzip"}
        group.create_dataset("axis1", (rows,), "i4", **packed)
        packed["chunks"] += (10,)
        for k in range(blocks):
            if k and one:
                group[f"block{k}_values"] = group["block0_values"]
            else:
                block = group.create_dataset(f"block{k}_values", (rows, 10), "i1", **packed)
                block.attrs["transposed"] = True
            group.attrs[f"block{k}_items_nlevels"] = 3
            for level in range(3):
                group[f"block{k}_items_level{level}"] = np.array([b"a", b"nose", b"x"])
                group[f"block{k}_items_label{level}"] = np.zeros(10, np.int8)
    return path
