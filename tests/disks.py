"""Small disks that can be full; only root can mount one."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Put a disk of a few kilobytes in a folder's place."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        # Snakemake removes empty folders, which a disk's own cannot be.
        (folder / ".disk").touch()
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Write until a disk takes not a byte more."""
    with contextlib.suppress(OSError), open(disk / ".filling", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
