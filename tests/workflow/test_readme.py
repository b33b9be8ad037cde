"""The README's commands, in their order; ``make test`` itself is left out.

In a fresh clone with an environment of its own (long), and, with what ``make test`` has anyway,
after the tiny cohort: an environment that is installed, phantoms that are run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[str]:
    """Return the lines of the README's command blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_readme_has_two_commands_to_begin_with() -> None:
    assert commands()[:2] == ["make run", "make test"]


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target


def run_all(folder: Path, env: dict[str, str]) -> None:
    """Run all commands but ``make test`` in a folder, and look for what they promise."""
    for command in commands():
        if command == "make test":
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=env,
            text=True,
            capture_output=True,
            check=False,
        )
        tail = (done.stdout + done.stderr)[-5000:]
        assert done.returncode == 0, f"{command}\n{tail}"
    assert (folder / "results/report/index.html").is_file()
    assert (folder / "results/report/infants/baby01.html").is_file()


def plain_environment() -> dict[str, str]:
    """Return the environment without what the tests' own run put there."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {k: v for k, v in os.environ.items() if k in kept or k.startswith(("PIP_", "SSL_"))}


@pytest.mark.slow
def test_commands_run_after_the_tiny_cohort(tiny_copy: Workflow) -> None:
    folder = tiny_copy.folder
    shutil.copy2(ROOT / "Makefile", folder)
    # What the tests run in is the installed environment, and newer than what it was made of.
    (folder / ".venv").mkdir()
    for part in ("bin", "lib", "pyvenv.cfg"):
        (folder / ".venv" / part).symlink_to(Path(sys.prefix, part))
    (folder / ".venv" / ".installed").touch()
    run_all(folder, plain_environment() | {"PYTHONPATH": str(folder)})
    page = (folder / "results/report/index.html").read_text()
    assert "infants/baby01.html" in page


@pytest.mark.long
def test_commands_run_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "fidgety"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    run_all(clone, plain_environment())
    changed = subprocess.run(
        ["git", "status", "--short"], cwd=clone, text=True, capture_output=True, check=True
    ).stdout.split()
    assert changed in ([], ["??", "my/"]), "the workflow writes below results/ alone"
