"""Track files of every importer, cut in half and emptied, and some that mean harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.gallery.kinds import Kind
from tests.pose.foreign import FORMATS, Form, random_truth, write_dlc_h5
from tests.pose.hostile import declared_blocks, declared_frames, laughing_names


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(data: bytes) -> bytes:
    return b""


def made(form: Form, change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = form.write(random_truth(form.skeletons[0], n=20), folder)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            file.write_bytes(change(file.read_bytes()))
        return path

    return make


def laughing(folder: Path) -> Path:
    path = write_dlc_h5(random_truth(n=4), folder)
    with h5py.File(path, "a") as file:
        names = np.void(laughing_names(8000))
        file["df_with_missing/table"].attrs["values_block_0_kind"] = names
    return path


def table(row: str, part: str = "nose") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        head = f"scorer,s,s,s\nbodyparts,{part},{part},{part}\ncoords,x,y,likelihood\n"
        (folder / "a.csv").write_text(f"{head}0,1,1,1\n{row}\n")
        return folder / "a.csv"

    return make


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "a.csv")
    return folder / "a.csv"


def refused(name: str, make: Callable[[Path], Path], says: str) -> Kind:
    return Kind("tracks", name, make, "pose_unreadable", says)


HOSTILE = [
    refused("names that stand for 2 to the 8,000 names", laughing, "pickle"),
    refused(
        "8 kB for 28 million frames",
        lambda folder: declared_frames(folder / "a.nc", 28_000_000),
        "is this one recording?",
    ),
    refused(
        "40 blocks of 80 MB each in few bytes",
        lambda folder: declared_blocks(folder / "a.h5", 40, 1_000_000),
        "is this one recording?",
    ),
    refused(
        "200 blocks",
        lambda folder: declared_blocks(folder / "a.h5", 200, 10),
        "200 blocks",
    ),
    refused("stray quotation mark", table('1,"1,1,1'), "quotation mark"),
    refused("frame number of 400 digits", table(f"{'9' * 400},1,1,1"), "not a whole number"),
    refused("a pipe", pipe, "pipe"),
    Kind(
        "tracks",
        "keypoint's name that drives a terminal",
        table("1,1,1,1", part="\x1b[31mno\u202ese\x07"),
        "skeleton_mismatch",
        "unknown: 31mno_se",
    ),
]

KINDS = [
    *(
        Kind("tracks", f"{name}, {what}", made(form, change), "pose_unreadable")
        for name, form in FORMATS.items()
        for what, change in (("cut in half", cut), ("empty", emptied))
    ),
    *HOSTILE,
]
