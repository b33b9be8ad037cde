"""Killed at any moment, in any of three ways, a run goes on to the very result of a whole one.

``FIDGETY_KILLS`` says how often the long test kills at least.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fidgety.checksums import FOLDER as CHECKSUMS
from tests.cluster.conftest import CONFIG, TARGETS
from tests.workflow.conftest import CACHE, Workflow, copy_project

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FIDGETY_KILLS", "50"))
SEED = 20230904
WAYS = ("main", "job", "group")
#: What a run writes beside its results: dates and times are in it.
NOT_PROMISED = ("logs", "benchmarks", ".index", CACHE)
#: What every run starts from, as it takes longest: it is not killed.
KEPT = ("phantom",)
#: Those of the phantoms who are drawn: recordings and infants are called alike.
VIDEOS = ("phantom-ext-01", "phantom-ext-02")
#: The whole line: a video from its picture on, models, an infant's page, and what is published.
WHOLE_LINE = {**CONFIG, "phantom": {"preset": "tiny"}}
WHOLE_TARGETS = (
    "results/evaluation/summary.json",
    *(f"results/report/infants/{name}.html" for name in VIDEOS),
    f"results/export/{VIDEOS[0]}",
    "results/bundle.zip",
)


def promised(workflow: Workflow) -> dict[str, str]:
    """Return the checksums of all results; a killed job may leave a hidden file beside them."""
    found = workflow.checksums("")
    return {
        name: checksum
        for name, checksum in found.items()
        if Path(name).parts[1] not in NOT_PROMISED and not Path(name).name.startswith(".")
    }


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbed, what it was asked for, and how long it took."""

    workflow: Workflow
    targets: tuple[str, ...]
    duration_s: float


def undisturbed(
    folder: Path, config: Mapping[str, object], targets: tuple[str, ...]
) -> Undisturbed:
    """Run the workflow; videos are drawn before the time is taken, as they are kept."""
    workflow = copy_project(folder / "whole")
    workflow.configure(**config)
    if config is WHOLE_LINE:
        workflow.run("--cores", "2", *(f"results/phantom/{name}/video.mp4" for name in VIDEOS))
    started = time.monotonic()
    workflow.run("--cores", "2", *targets)
    return Undisturbed(workflow, targets, time.monotonic() - started)


def clear(workflow: Workflow) -> None:
    """Remove all results but the phantoms, and the records of all but theirs."""
    results = workflow.folder / "results"
    for folder, kept in (
        (results, (*KEPT, CACHE, ".index", CHECKSUMS)),
        (results / CHECKSUMS, KEPT),
    ):
        for path in folder.iterdir():
            if path.name not in kept:
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


def start(workflow: Workflow, targets: tuple[str, ...], temporary: Path) -> subprocess.Popen[bytes]:
    """Start the documented command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *targets],
        cwd=workflow.folder,
        env={**workflow.environment(), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_a_job(process: subprocess.Popen[bytes], folder: Path, chance: random.Random) -> bool:
    """Kill one of the jobs of a run, which goes on; tell whether there was one."""
    while process.poll() is None:
        jobs = [n for n, command in processes_of(folder) if ".snakemake/scripts" in command]
        if jobs:
            os.kill(chance.choice(jobs), signal.SIGKILL)
            return True
        time.sleep(0.05)
    return False


def kill_the_run(process: subprocess.Popen[bytes], way: str, workflow: Workflow) -> None:
    """Kill the main process, alone or with all its jobs, and do what the documents say."""
    if way == "main":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=600)
    wait_for_jobs(workflow.folder)
    # docs/robustness.md
    workflow.run("--unlock")


def wait_for_jobs(folder: Path) -> None:
    """Wait until no job of a killed main process is left: nobody else may write meanwhile."""
    deadline = time.monotonic() + 300
    while any(True for _ in processes_of(folder)):
        assert time.monotonic() < deadline, "a job goes on without its main process"
        time.sleep(0.1)


def kill_along_the_way(whole: Undisturbed, workflow: Workflow, seed: int) -> int:
    """Kill a run time and again until it comes to its end; return how often."""
    chance = random.Random(seed)
    clear(workflow)
    temporary = workflow.folder.with_name(f"{workflow.folder.name}-tmp")
    temporary.mkdir()
    kills = 0
    process = start(workflow, whole.targets, temporary)
    while True:
        way = WAYS[(seed + kills) % len(WAYS)]
        try:
            # Later moments get likelier, so that the longest job is done some time.
            process.wait(chance.uniform(0.02, 0.1 + 0.04 * kills) * whole.duration_s)
        except subprocess.TimeoutExpired:
            if way == "job":
                kills += kill_a_job(process, workflow.folder, chance)
                continue
            kill_the_run(process, way, workflow)
            kills += 1
        else:
            if process.returncode == 0:
                break
        process = start(workflow, whole.targets, temporary)
    where = f"seed {seed}, {kills} kills"
    assert promised(workflow) == promised(whole.workflow), where
    names = {p.name for p in workflow.folder.iterdir()}
    assert names == {p.name for p in whole.workflow.folder.iterdir()}
    # Snakemake's own folders are what it leaves where it is killed.
    left = {p.name for p in temporary.iterdir() if not p.name.startswith("snakemake")}
    assert not left, f"{where}: {left}"
    assert workflow.planned(*whole.targets) == {}
    return kills


def test_a_run_that_is_killed_along_its_way_comes_to_the_same_result(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path, CONFIG, TARGETS)
    assert kill_along_the_way(whole, whole.workflow.copy(tmp_path / "copy"), SEED) >= 2


@pytest.mark.long
def test_runs_are_killed_at_fifty_moments_and_come_to_the_same_result(tmp_path: Path) -> None:
    whole = undisturbed(tmp_path, WHOLE_LINE, WHOLE_TARGETS)
    kills = 0
    for seed in range(SEED + 1, SEED + 1 + KILLS):
        workflow = whole.workflow.copy(tmp_path / f"copy{seed}")
        kills += kill_along_the_way(whole, workflow, seed)
        shutil.rmtree(workflow.folder)
        print(f"{kills} kills")
        if kills >= KILLS:
            return
    raise AssertionError(f"only {kills} kills in {KILLS} runs")
