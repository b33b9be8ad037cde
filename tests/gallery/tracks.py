"""Track files of every importer, cut in half, emptied and with their middle overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.gallery.kinds import Kind
from tests.pose.foreign import FORMATS, Form, random_truth


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


KINDS = [
    Kind("tracks", f"{name}, {what}", made(form, change), "pose_unreadable")
    for name, form in FORMATS.items()
    for what, change in (("cut in half", cut), ("empty", emptied))
]
