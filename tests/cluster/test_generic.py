"""A scheduler that is known by its submit command alone: here a made-up one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.cluster

pytest.importorskip("snakemake_executor_plugin_cluster_generic")

#: Refuses its first job, kills the second, runs every other at once, and writes down what it was
#: asked for.
QSUB = """\
#!/usr/bin/env bash
here=$(dirname "$0")
echo "$@" >> "$here/asked"
number=$(wc -l < "$here/asked")
job=$number.made-up
if [ "$number" -eq 1 ]; then exit 1; fi
if [ "$number" -eq 2 ]; then echo 271 > "$here/$job"; echo "$job"; exit; fi
setsid bash -c 'bash "$0" > "$1.log" 2>&1; echo $? > "$1"' "${@: -1}" "$here/$job" < /dev/null &
echo "$job"
"""
#: What PBS says of a job: it runs, or has ended in some way.
QSTAT = """\
#!/usr/bin/env bash
ended=$(dirname "$0")/$2
echo "Job Id: $2"
if [ -s "$ended" ]; then
    printf '    job_state = F\\n    Exit_status = %s\\n' "$(cat "$ended")"
else
    echo '    job_state = R'
fi
"""
NAME = "phantom-ext-02"
FEATURES = f"results/features/{NAME}.h5"
OTHER = "results/pose/clean/phantom-ext-01.h5"
ON_A_GPU = "import_pose:more=':ngpus=1:gpu_model=a100 -q gpu'"


@pytest.fixture
def project(local_run: Workflow, tmp_path: Path) -> Workflow:
    workflow = local_run.copy(tmp_path / "project")
    for part in ("pose", "features", "quality"):
        shutil.rmtree(workflow.folder / "results" / part)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("qsub", QSUB), ("qstat", QSTAT)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return workflow


def test_jobs_go_through_the_submit_command(
    project: Workflow, local_run: Workflow, tmp_path: Path
) -> None:
    command = tmp_path / "bin"
    path = {"PATH": f"{command}:{project.environment()['PATH']}"}
    profile = (
        *("--workflow-profile", "profiles/generic", "--latency-wait", "5"),
        *("--seconds-between-status-checks", "1"),
    )
    imported = f"results/pose/imported/{NAME}.h5"
    project.run(*profile, "--set-resources", ON_A_GPU, "--", imported, env=path)
    project.run(*profile, "--", OTHER, env=path)
    project.run(*profile, "--", FEATURES, env=path)
    asked = (command / "asked").read_text().splitlines()
    refused, killed, again, group, cleaned, built = asked
    # Queue and model come from the profile; memory and time grow; minutes become seconds.
    assert "-l select=1:ncpus=1:mem=2000mb:ngpus=1:gpu_model=a100 -q gpu" in refused
    assert "-l select=1:ncpus=1:mem=4000mb:ngpus=1:gpu_model=a100 -q gpu" in killed
    assert "-l select=1:ncpus=1:mem=6000mb:ngpus=1:gpu_model=a100 -q gpu" in again
    assert "-l walltime=180 " in refused
    assert "-l walltime=540 " in again
    # Two rules, one job: the largest memory, the time of both.
    assert "-l select=1:ncpus=1:mem=2000mb -l walltime=300 " in group
    # What a network lifts comes in between, so features are a job of their own.
    assert "-l select=1:ncpus=1:mem=1000mb -l walltime=120 " in cleaned
    assert "-l select=1:ncpus=1:mem=1000mb -l walltime=120 " in built
    names = ("features", "pose/imported", "pose/clean", "quality")
    found = project.checksums(*names)
    assert len(found) == 6
    assert found.items() <= local_run.checksums(*names).items()
    assert project.planned(FEATURES) == {}
