"""Killed at any moment, in any of three ways, a run goes on to the very result of a whole one.

``FIDGETY_KILLS=50`` kills fifty times; three times without it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import CONFIG, TARGETS
from tests.workflow.conftest import CACHE, Workflow, copy_project

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("FIDGETY_KILLS", "3"))
SEED = 20230904
WAYS = ("main", "job", "group")
#: What a run writes beside its results: dates and times are in it.
NOT_PROMISED = ("logs", "benchmarks", ".index", CACHE)
#: What every run starts from, as it takes longest and is killed as well as any other job.
KEPT = ("phantom",)


def promised(workflow: Workflow) -> dict[str, str]:
    """Return the checksums of all results; a killed job may leave a hidden file beside them."""
    found = workflow.checksums("")
    return {
        name: checksum
        for name, checksum in found.items()
        if Path(name).parts[1] not in NOT_PROMISED and not Path(name).name.startswith(".")
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workflow, float]:
    """Return a run that nobody disturbs, behind its phantoms, and how long it takes."""
    workflow = copy_project(tmp_path_factory.mktemp("kills") / "whole")
    workflow.configure(**CONFIG)
    workflow.run("--cores", "2", *TARGETS)
    clear(workflow)
    started = time.monotonic()
    workflow.run("--cores", "2", *TARGETS)
    return workflow, time.monotonic() - started


def clear(workflow: Workflow) -> None:
    """Remove all results but the phantoms."""
    for path in (workflow.folder / "results").iterdir():
        if path.name not in (*KEPT, CACHE, ".index"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def processes_of(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the processes that work in a folder: their number and command line."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if Path(os.readlink(entry / "cwd")) == folder:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                yield int(entry.name), b" ".join(words).decode(errors="replace")
        except OSError:
            continue


def kill(process: subprocess.Popen[bytes], way: str, folder: Path, chance: random.Random) -> None:
    """Kill the main process, one of its jobs, or all of them at once."""
    if way == "main":
        process.kill()
    elif way == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        jobs = [pid for pid, command in processes_of(folder) if ".snakemake/scripts" in command]
        for pid in chance.sample(jobs, min(1, len(jobs))):
            os.kill(pid, signal.SIGKILL)


def wait_for_jobs(folder: Path) -> None:
    """Wait until no job of a killed main process is left: nobody else may write meanwhile."""
    deadline = time.monotonic() + 300
    while any(True for _ in processes_of(folder)):
        assert time.monotonic() < deadline, "a job goes on without its main process"
        time.sleep(0.1)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_goes_on_to_the_same_result(
    number: int, undisturbed: tuple[Workflow, float], tmp_path: Path
) -> None:
    whole, duration_s = undisturbed
    chance = random.Random(SEED + number)
    workflow = whole.copy(tmp_path / "copy")
    clear(workflow)
    way, moment_s = WAYS[number % len(WAYS)], chance.uniform(0.05, 0.95) * duration_s
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *TARGETS],
        cwd=workflow.folder,
        env=workflow.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=moment_s)
    except subprocess.TimeoutExpired:
        kill(process, way, workflow.folder, chance)
    process.wait(timeout=600)
    wait_for_jobs(workflow.folder)
    # As docs/robustness.md says.
    workflow.run("--unlock")
    workflow.run("--cores", "2", *TARGETS)
    assert promised(workflow) == promised(whole), f"{way} after {moment_s:.1f} s, seed {number}"
    assert {p.name for p in workflow.folder.iterdir()} == {p.name for p in whole.folder.iterdir()}
    assert workflow.planned(*TARGETS) == {}
