"""What a machine can do to a run of the real Snakefile: told, and it goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import fill, small_disk
from tests.workflow.conftest import Workflow, copy_project

pytestmark = pytest.mark.slow

#: Somebody without any right of root's.
NOBODY = 65534
TRACK = "phantom-dev-03"
FILMED = "phantom-ext-01"
INFANT = "phantom-ext-01"
PREDICTIONS = f"predictions/{INFANT}.h5"
#: In the process of a job, once it has begun: it gets no more memory than it has.
NO_MORE_MEMORY = """\
import os, resource, sys

def _watch(event, args, seen=[]):
    if event == "open" and "logs/clean_pose/" in str(args[0]) and not seen:
        seen.append(True)
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
        # What it has taken from the system and not used yet is used up, but for small pieces.
        for block in (1 << 24, 1 << 20, 1 << 17):
            try:
                while True:
                    seen.append(bytearray(block))
            except MemoryError:
                pass

sys.addaudithook(_watch)
"""


def half_written(workflow: Workflow) -> list[Path]:
    """Return temporary files that a job has left behind."""
    return [
        path
        for part in ("pose", "features", "quality", "predictions", "models", ".checksums")
        for path in (workflow.folder / "results" / part).rglob(".*")
        if path.is_file() and not path.name.startswith(".snakemake")
    ]


@pytest.mark.long
def test_a_second_snakemake_stops_and_the_first_goes_on(tiny_copy: Workflow) -> None:
    target = f"results/features/{TRACK}.h5"
    before = tiny_copy.checksums("features")
    for part in ("pose", "features", "logs"):
        for path in (tiny_copy.folder / "results" / part).rglob(f"{TRACK}*"):
            path.unlink()
    first = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", target],
        cwd=tiny_copy.folder,
        env=tiny_copy.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    begun = tiny_copy.folder / "results" / "logs" / "import_pose" / f"{TRACK}.log"
    deadline = time.monotonic() + 300
    while not begun.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert first.poll() is None, "the run was over before there was a second one"
    second = tiny_copy.run("--cores", "1", target, ok=False)
    said = second.stdout + second.stderr
    assert second.returncode
    assert "Directory cannot be locked" in said
    assert "--unlock" in said
    assert "Traceback" not in said
    shown, _ = first.communicate(timeout=600)
    assert first.returncode == 0, shown[-3000:]
    assert tiny_copy.checksums("features") == before


@pytest.fixture
def of_nobody() -> Iterator[Workflow]:
    """Return a project that belongs to an ordinary user; pytest's own folders are root's alone."""
    if os.geteuid():
        pytest.skip("only root can run the workflow as another user")
    if not shutil.which("setpriv"):
        pytest.skip("there is no `setpriv` (util-linux) here")
    folder = Path(tempfile.mkdtemp(prefix="fidgety-"))
    try:
        folder.chmod(0o755)
        workflow = copy_project(folder / "project")
        (workflow.folder / "results").mkdir()
        for path in [workflow.folder, *workflow.folder.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        yield workflow
    finally:
        shutil.rmtree(folder)


def as_nobody(workflow: Workflow, *args: str) -> subprocess.CompletedProcess[str]:
    """Run snakemake without root's rights."""
    words = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    return subprocess.run(
        ["setpriv", *words, sys.executable, "-m", "snakemake", *args],
        cwd=workflow.folder,
        env={**workflow.environment(), "HOME": str(workflow.folder)},
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_results_folder_that_may_only_be_read_stops_the_run(of_nobody: Workflow) -> None:
    results = of_nobody.folder / "results"
    os.chown(results, 0, 0)
    results.chmod(0o555)
    planned = as_nobody(of_nobody, "--dry-run", "--cores", "1")
    if planned.returncode and "Permission denied" in planned.stderr:
        pytest.skip(f"another user cannot run this Python: {sys.executable}")
    assert planned.returncode == 0, planned.stderr[-2000:]
    done = as_nobody(of_nobody, "--cores", "1")
    said = done.stdout + done.stderr
    assert done.returncode
    assert "the results folder results takes no file" in said
    assert "the right to read or write is missing. Correct the rights" in said
    assert "Traceback" not in said
    assert list(results.iterdir()) == []
    # No job has begun, and no lock is left.
    assert "Execute 1 jobs" not in said
    assert not list((of_nobody.folder / ".snakemake" / "locks").glob("*"))


def test_a_job_without_memory_says_so_and_the_next_run_goes_on(
    tiny_copy: Workflow, tmp_path: Path
) -> None:
    before = tiny_copy.checksums("pose/clean", "features")
    target = tiny_copy.folder / "results" / "pose" / "clean" / f"{TRACK}.h5"
    target.unlink()
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(NO_MORE_MEMORY)
    path = os.pathsep.join([str(hooks), tiny_copy.environment()["PYTHONPATH"]])
    wanted = f"results/pose/clean/{TRACK}.h5"
    done = tiny_copy.run("--cores", "1", wanted, ok=False, env={"PYTHONPATH": path})
    said = done.stdout + done.stderr
    assert done.returncode
    assert "clean_pose: the memory is used up. Use fewer cores, or a machine with more" in said
    assert "this is a fault of fidgety" not in said
    assert not target.exists()
    assert half_written(tiny_copy) == []
    tiny_copy.run("--cores", "1", wanted)
    assert tiny_copy.checksums("pose/clean", "features") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize(
    ("part", "file", "rule"),
    [
        ("video", f"{FILMED}.mp4", "standardise_video"),
        ("background", f"{FILMED}.h5", "extract_background"),
        ("features", f"{TRACK}.h5", "build_features"),
        ("predictions", f"{INFANT}.h5", "predict_infant"),
    ],
)
def test_a_full_disk_is_told_by_every_stage_and_the_next_run_goes_on(
    tiny_copy: Workflow, part: str, file: str, rule: str
) -> None:
    folder, wanted = tiny_copy.folder / "results" / part, f"results/{part}/{file}"
    before = tiny_copy.checksums(part)
    with small_disk(folder, 16):
        done = tiny_copy.run("--cores", "1", wanted, ok=False)
        said = done.stdout + done.stderr
        assert done.returncode
        assert f"{rule}: " in said
        assert "the disk is full. Free some space" in said
        assert "this is a fault of fidgety" not in said
        assert "Traceback" not in said
        assert [p.name for p in folder.iterdir()] == [".disk"]
    (tiny_copy.folder / wanted).unlink()
    tiny_copy.run("--cores", "1", wanted)
    assert tiny_copy.checksums(part) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_told_where_the_log_lies_on_it_too(tiny_copy: Workflow) -> None:
    """One disk for results and logs, as everybody has it."""
    results, disk = tiny_copy.folder / "results", tiny_copy.folder / "disk"
    before = tiny_copy.checksums("features")
    wanted = f"results/features/{TRACK}.h5"
    disk.mkdir()
    shutil.move(results / "features", results / "features-before")
    shutil.move(results / "logs", results / "logs-before")
    with small_disk(disk, 64):
        for part in ("features", "logs/build_features"):
            (disk / part).mkdir(parents=True)
            # Snakemake removes empty folders, which a link cannot be.
            (disk / part / ".kept").touch()
        for part in ("features", "logs"):
            (results / part).symlink_to(disk / part)
        fill(disk)
        done = tiny_copy.run("--cores", "1", wanted, ok=False)
        said = done.stdout + done.stderr
        assert done.returncode
        assert "build_features: " in said
        assert "the disk is full. Free some space" in said
        assert "this is a fault of fidgety" not in said
        assert "Traceback" not in said
        assert [p.name for p in (disk / "features").iterdir()] == [".kept"]
    for part in ("features", "logs"):
        (results / part).unlink()
        shutil.move(results / f"{part}-before", results / part)
    (tiny_copy.folder / wanted).unlink()
    tiny_copy.run("--cores", "1", wanted)
    assert tiny_copy.checksums("features") == before


@pytest.mark.long
def test_a_clock_that_was_set_back_is_told_and_ends(tiny_copy: Workflow) -> None:
    """Snakemake alone would fail every job behind such a file, in each run anew."""
    page, said_of = (f"results/{n}" for n in (f"report/infants/{INFANT}.html", PREDICTIONS))
    before = tiny_copy.checksums("predictions", "report/infants")
    late = time.time() + 30 * 86_400
    os.utime(tiny_copy.folder / said_of, (late, late))
    # Small files are compared by content: there is nothing to do, and nobody is kept from it.
    assert tiny_copy.planned() == {}
    tiny_copy.run("--cores", "2")
    (tiny_copy.folder / page).unlink()
    done = tiny_copy.run("--cores", "2", page, ok=False)
    said = done.stdout + done.stderr
    assert done.returncode
    assert f"1 results have dates in the future ({said_of})" in said
    assert "Traceback" not in said
    assert not (tiny_copy.folder / page).exists()
    remedy = said[said.index("find -H results") :].splitlines()[0]
    subprocess.run(["bash", "-c", remedy], cwd=tiny_copy.folder, check=True)
    tiny_copy.run("--cores", "2", page)
    tiny_copy.run("--cores", "2")
    assert tiny_copy.checksums("predictions", "report/infants") == before
    assert tiny_copy.planned() == {}
