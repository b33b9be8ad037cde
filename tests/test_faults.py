"""A machine that lacks something: told in words, nothing half-written, and it goes on after."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fidgety.errors import StorageError
from fidgety.faults import FAULTS, machine_fault
from fidgety.storage import read_outcome, reading
from tests import disks

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


def run_job(folder: Path, body: str, log: str = "logs/x.log") -> subprocess.CompletedProcess[str]:
    """Run a job in a process of its own, with its files and its log in a folder."""
    code = JOB.format(root=str(ROOT), body=body).replace("logs/x.log", log)
    script = folder.with_name("job.py")
    script.write_text(code)
    # What is printed waits in the process, as it does in a job, whatever these tests run under.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, script], cwd=folder, env=env, text=True, capture_output=True, check=False
    )


FULL = {
    "by its result": "    open('big', 'wb').write(bytes(10_000_000))",
    "by its log": "    [print('x' * 1000, flush=True) for _ in range(1000)]",
    "by a message": "    from fidgety.errors import StorageError\n"
    "    print('x' * 100)\n    raise StorageError('the disk is full, says the job')",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("how", FULL)
def test_a_full_disk_under_the_log_too_is_told(how: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with disks.small_disk(disk, 256):
        if how == "by a message":
            disks.fill(disk)
        done = run_job(disk, FULL[how])
    assert done.returncode == 1
    # The message, and no line beside it.
    assert done.stderr.startswith("some_rule: ")
    assert "the disk is full" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_log_that_takes_nothing_fails_no_job(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    done = run_job(folder, "    print('x')\n    open('out.txt', 'w').write('y')", "/dev/full")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "out.txt").read_text() == "y"
    for error, said in (("OSError(28, 'No space')", "the disk is full"), ("KeyError(1)", "fault")):
        done = run_job(folder, f"    print('x')\n    raise {error}", "/dev/full")
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_log_that_cannot_be_begun_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    (folder / "taken" / "x.log").mkdir(parents=True)
    done = run_job(folder, "    pass", "taken/x.log")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "the log cannot be begun: taken/x.log: cannot be written (Is a directory)."
    ]


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


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, "the disk or the network behind it fails"),
        (errno.EACCES, "the right to read or write is missing"),
        (errno.EMFILE, "too many files are open at once"),
        (errno.ESTALE, "the network's disk went away"),
    ],
)
def test_a_file_out_of_reach_is_not_called_damaged(number: int, expected: str) -> None:
    """Whoever follows the advice to delete it would lose a good file."""
    in_numbers = OSError(number, os.strerror(number), "a.h5")
    in_words = OSError(f"Unable to open file (errno = {number}, error message = 'x')")
    for error in (in_numbers, in_words):
        with pytest.raises(StorageError) as caught, reading("a.h5"):
            raise error
        assert str(caught.value).startswith(f"a.h5: {expected}")
        assert "run the same command again" in str(caught.value)
        assert "elete" not in str(caught.value)


def test_damage_and_absence_are_told_apart(tmp_path: Path) -> None:
    damaged = [
        OSError("Unable to open file (truncated file: eof = 10224, stored_eof = 20448)"),
        # Damaged bytes ask for any amount of memory.
        OSError("Can't read data (can't allocate memory, errno = 12)"),
        ValueError("unable to allocate 8 EiB"),
        KeyError("position"),
    ]
    for error in damaged:
        with pytest.raises(StorageError, match="Delete it and run the workflow"), reading("a.h5"):
            raise error
    with pytest.raises(StorageError, match=r"gone\.h5: is missing\. Run the workflow again\."):
        read_outcome(tmp_path / "gone.h5")


def test_no_handle_left_is_not_called_damage(tmp_path: Path) -> None:
    """With the real readers: HDF5's and JSON's."""
    for name in ("a.h5", "a.json"):
        (tmp_path / name).write_text("{}")
    body = """\
    from fidgety.files import read_json
    from fidgety.storage import read_outcome
    resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
    kept = []
    try:
        while True:
            kept.append(open('/dev/null'))
    except OSError:
        pass
    for read, path in ((read_outcome, 'a.h5'), (read_json, 'a.json')):
        try:
            read(path)
        except Exception as error:
            print(error)"""
    (tmp_path / "job.py").write_text(JOB.format(root=str(ROOT), body=body))
    command = [sys.executable, "job.py"]
    subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    said = (tmp_path / "logs" / "x.log").read_text().splitlines()
    assert [line.partition(": ")[0] for line in said] == ["a.h5", "a.json"]
    assert all("too many files are open at once" in line for line in said)


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
