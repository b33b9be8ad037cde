"""``--use-conda`` with a stand-in for the conda command: the wiring, not the solving."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_project

ROOT = Path(__file__).resolve().parents[2]
FAKE = Path(__file__).resolve().parent / "fake_conda" / "bin"

SNAKEFILE = """\
rule all:
    input:
        "results/second.txt"

rule first:
    output:
        "results/first.txt"
    conda:
        "{envs}/base.yaml"
    script:
        "scripts/where.py"

rule second:
    input:
        "results/first.txt"
    output:
        "results/second.txt"
    conda:
        "{envs}/learn.yaml"
    script:
        "scripts/where.py"
"""
SCRIPT = """\
import os
import fidgety
from pathlib import Path
Path(snakemake.output[0]).write_text(os.environ["CONDA_PREFIX"])
"""


def environment(folder: Path, home: Path = ROOT) -> dict[str, str]:
    """Return the variables that make Snakemake use the stand-in."""
    programs = f"{FAKE}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": programs,
        "PYTHONPATH": str(ROOT),
        "FAKE_CONDA_PYTHON": sys.executable,
        "FAKE_CONDA_LOG": str(folder / "conda-calls.txt"),
        "FIDGETY_HOME": str(home),
    }


def run(folder: Path, home: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--use-conda", "--cores", "1", "--nocolor"],
        cwd=folder,
        env=environment(folder, home),
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(envs=ROOT / "envs"))
    (tmp_path / "scripts" / "where.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.slow
def test_rules_run_in_the_environments_that_they_name(toy: Path) -> None:
    done = run(toy)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (
        Path((toy / "results" / f"{name}.txt").read_text()) for name in ("first", "second")
    )
    assert first != second
    assert first.parent == second.parent == toy / ".snakemake" / "conda"
    # The post-deploy scripts ran there, with the pins of their group, torch only where needed.
    pip = {path: (path / "pip-calls.txt").read_text().splitlines() for path in (first, second)}
    pins = f"-r {ROOT}/requirements"
    assert [call.split(" --no-input ")[1] for call in pip[first]] == [
        f"--no-deps --require-hashes {pins}/base.txt"
    ]
    assert [call.split(" --no-input ")[1] for call in pip[second]] == [
        f"--no-deps --require-hashes {pins}/learn.txt",
        f"{pins}/torch.txt",
    ]
    # Each script was run by its environment's own Python.
    for path in (first, second):
        assert (path / "python-calls.txt").read_text().count(".py") == 1
    calls = (toy / "conda-calls.txt").read_text()
    assert calls.count("env create") == 2
    # Nothing is made a second time.
    (toy / "results" / "second.txt").unlink()
    assert run(toy).returncode == 0
    assert (toy / "conda-calls.txt").read_text().count("env create") == 2


@pytest.mark.slow
def test_missing_pins_end_with_what_to_do(toy: Path) -> None:
    done = run(toy, home=toy)
    assert done.returncode != 0
    assert "set FIDGETY_HOME to the workflow's folder" in done.stdout + done.stderr
    assert not (toy / "results" / "first.txt").exists()


@pytest.mark.slow
def test_the_workflow_runs_in_its_environments(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "copy")
    target = "results/features/phantom-ref-01.h5"
    workflow.run("--use-conda", "--cores", "2", target, env=environment(tmp_path, workflow.folder))
    assert (workflow.folder / target).is_file()
    made = {path.name for path in (workflow.folder / ".snakemake" / "conda").glob("*.yaml")}
    assert len(made) == 3, "environments of the rules phantom, trackers and base"
