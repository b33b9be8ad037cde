"""A machine that lacks something: told in words, nothing half-written, and it goes on after."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fidgety.faults import FAULTS, machine_fault

ROOT = Path(__file__).resolve().parents[1]
#: A job in a process whose limits are its own.
JOB = """\
import resource, sys
from types import SimpleNamespace
sys.path.insert(0, {root!r})
import numpy as np
from workflow_scripts.stage import run

def main(job):
{body}

run(main, SimpleNamespace(
    rule="some_rule", input={{}}, output={{"text": "out.txt"}}, params={{}}, wildcards={{}},
    threads=1, resources={{}}, log=["logs/x.log"],
))
"""
LACKING = {
    "disk": ("    open('/dev/full', 'w').write('x' * 100000)", "the disk is full"),
    "files": (
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))\n"
        "    kept = [open('/dev/null') for _ in range(100)]",
        "too many files are open at once",
    ),
    "memory": (
        "    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n    np.ones(1 << 33)",
        "the memory is used up",
    ),
    "rights": (
        "    raise PermissionError(13, 'Permission denied', 'results/x.h5')",
        "results/x.h5: the right to read or write is missing",
    ),
    "read only": ("    raise OSError(30, 'Read-only file system', 'r/x.h5')", "may only be read"),
}


@pytest.mark.parametrize("what", LACKING)
def test_a_job_says_what_the_machine_lacks(what: str, tmp_path: Path) -> None:
    body, expected = LACKING[what]
    (tmp_path / "job.py").write_text(JOB.format(root=str(ROOT), body=body))
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("some_rule: ")
    assert expected in done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of fidgety" not in done.stderr
    assert "Traceback" in (tmp_path / "logs" / "x.log").read_text()


def test_the_cause_behind_an_error_is_found() -> None:
    def chained() -> Exception:
        try:
            try:
                raise OSError(errno.ENOSPC, "No space left on device", "a.h5")
            except OSError as inner:
                raise RuntimeError("cannot close") from inner
        except RuntimeError as outer:
            return outer

    assert str(machine_fault(chained())).startswith("a.h5: the disk is full")
    words = OSError("Can't write data (file write failed: errno = 28, error message = 'No space')")
    assert "the disk is full" in str(machine_fault(words))
    assert "memory" in str(machine_fault(RuntimeError("CUDA out of memory. Tried to allocate")))
    for other in (ValueError("x"), OSError("x"), FileNotFoundError(2, "none", "y"), KeyError(28)):
        assert machine_fault(other) is None
    assert all(text[0].islower() and not text.endswith(".") for text in FAULTS.values())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk takes the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


WRITES = {
    "dataset": "write_dataset(path, xr.Dataset({'a': (('n',), noise)}), schema='pose/1', "
    "provenance=Provenance())",
    "text": "write_text(path, 'x' * 400_000)",
    "json": "write_json(path, {'a': noise.tolist()})",
}


@pytest.mark.parametrize("kind", WRITES)
def test_a_full_disk_leaves_nothing_half_written(
    kind: str, small_disk: Path, tmp_path: Path
) -> None:
    """In a process of its own, as jobs are: HDF5 keeps what it could not write to its end."""
    path = small_disk / f"x.{kind}"
    body = f"""\
    import xarray as xr
    from fidgety.files import write_json, write_text
    from fidgety.storage import Provenance, write_dataset
    noise, path = np.random.default_rng(0).random(100_000), {str(path)!r}
    {WRITES[kind]}"""
    (tmp_path / "job.py").write_text(JOB.format(root=str(ROOT), body=body))
    command = [sys.executable, "job.py"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "the disk is full" in done.stderr
    assert list(small_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    subprocess.run(command, cwd=tmp_path, check=True)
    assert [p.name for p in small_disk.iterdir()] == [path.name]
