"""A scheduler that is known by its submit command alone: here a made-up one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow, copy_project

pytestmark = pytest.mark.cluster

pytest.importorskip("snakemake_executor_plugin_cluster_generic")

#: Refuses its first job, runs every other at once, and writes down what it was asked for.
QSUB = """\
#!/usr/bin/env bash
here=$(dirname "$0")
echo "$@" >> "$here/asked"
if [ "$(wc -l < "$here/asked")" -eq 1 ]; then exit 1; fi
setsid bash "${@: -1}" > "$here/job.log" 2>&1 < /dev/null &
echo "$!.made-up"
"""
FEATURES = "results/features/phantom-ext-01.h5"
ON_A_GPU = "simulate_track:more=':ngpus=1:gpu_model=a100 -q gpu'"


@pytest.fixture
def project(tmp_path: Path) -> Workflow:
    workflow = copy_project(tmp_path / "project")
    workflow.configure(phantom={"preset": "tiny", "videos": False})
    command = tmp_path / "bin" / "qsub"
    command.parent.mkdir()
    command.write_text(QSUB)
    command.chmod(0o755)
    return workflow


def test_jobs_go_through_the_submit_command(project: Workflow, tmp_path: Path) -> None:
    command = tmp_path / "bin"
    path = {"PATH": f"{command}:{project.environment()['PATH']}"}
    profile = ("--workflow-profile", "profiles/generic", "--latency-wait", "5")
    track = "results/phantom/phantom-ext-01/track.nc"
    project.run(*profile, "--set-resources", ON_A_GPU, "--", track, env=path)
    project.run(*profile, "--", FEATURES, env=path)
    refused, again, group = (command / "asked").read_text().splitlines()
    # Queue and model come from the profile; the memory grows; minutes become seconds.
    assert "-l select=1:ncpus=1:mem=2000mb:ngpus=1:gpu_model=a100 -q gpu" in refused
    assert "-l select=1:ncpus=1:mem=4000mb:ngpus=1:gpu_model=a100 -q gpu" in again
    assert "-l walltime=900 " in again
    # Three rules, one job: the largest memory, the time of all.
    assert "-l select=1:ncpus=1:mem=2000mb -l walltime=1800 " in group
    assert (project.folder / FEATURES).is_file()
    assert project.planned(FEATURES) == {}
