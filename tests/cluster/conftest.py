"""A cluster for the tests, and the phantom workflow run without one to compare with."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import one_machine_slurm
from tests.cluster.one_machine_slurm import OneMachineSlurm, wait
from tests.workflow.conftest import Workflow, copy_project

#: As little as goes through every group of the profile: tracks, one quick model, one page.
CONFIG = {
    "phantom": {"preset": "tiny", "videos": False},
    "models": {"cnn1d": {"kind": "cnn1d", "options": {"epochs": 2}}},
    "evaluation": {"bootstrap": 100},
    "report": {"best_clips": 1},
}
TARGETS = ("results/evaluation/summary.json", "results/report/infants/phantom-ext-01.html")


@pytest.fixture(scope="session")
def slurm() -> Iterator[OneMachineSlurm]:
    """Return a cluster of this one machine, or skip where none can be."""
    one_machine_slurm.install()
    if reason := one_machine_slurm.missing():
        pytest.skip(reason)
    # A socket's path must be short, and munge's user must get there.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = OneMachineSlurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return the phantom workflow as run without a cluster. Tests do not change it."""
    workflow = copy_project(tmp_path_factory.mktemp("local") / "project")
    workflow.configure(**CONFIG)
    workflow.run("--cores", "2", *TARGETS)
    return workflow


def start_snakemake(
    workflow: Workflow, log: Path, *args: str, before: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a main process and go on; what it prints is in a file.

    ``before`` is a folder with modules that it and its jobs find before all others.
    """
    environment = workflow.environment()
    if before is not None:
        environment["PYTHONPATH"] = f"{before}{os.pathsep}{environment['PYTHONPATH']}"
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *args],
            cwd=workflow.folder,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def name_gpus(workflow: Workflow, **minutes: int) -> None:
    """Take the lines of Slurm's profile that are commented out, as they stand.

    ``minutes`` are added to the line of a rule, as docs/clusters.md tells.
    """
    profile = workflow.folder / "profiles" / "slurm" / "config.yaml"
    text = re.sub(r"^# (set-resources:|  \w+: \{)", r"\1", profile.read_text(), flags=re.M)
    for rule, value in minutes.items():
        text = re.sub(rf"^(  {rule}: \{{.*)\}}$", rf"\1, runtime: {value}}}", text, flags=re.M)
    profile.write_text(text)
    found = yaml.safe_load(text)["set-resources"]
    assert {rule: found[rule]["runtime"] for rule in minutes} == minutes


def asked_for(
    slurm: OneMachineSlurm, workflow: Workflow, log: Path, *args: str, of: str
) -> dict[str, str]:
    """Return what a job of a rule or group asks for, which nobody runs."""
    slurm.set_node("DRAIN")
    main = start_snakemake(workflow, log, *args)
    try:
        wait(lambda: slurm.jobs("PENDING", of=of), f"{of} in the queue", process=main)
        return slurm.describe(min(slurm.jobs("PENDING", of=of)))
    finally:
        # The other tests need the node, even where this process has ended by itself.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(main.pid, signal.SIGKILL)
        main.wait()
        slurm.ask("scancel", "--user=root", ok=False)
        slurm.set_node("RESUME")
