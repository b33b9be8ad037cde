"""The README's commands, in their order, in a fresh clone; ``make test`` itself is left out."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_commands_run_in_a_fresh_clone(tmp_path: Path) -> None:
    clone = tmp_path / "fidgety"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    env = {k: v for k, v in os.environ.items() if k in kept or k.startswith(("PIP_", "SSL_"))}
    for command in commands():
        if command == "make test":
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=clone, env=env, text=True, capture_output=True, check=False
        )
        tail = (done.stdout + done.stderr)[-5000:]
        assert done.returncode == 0, f"{command}\n{tail}"
    assert (clone / "results/report/index.html").is_file()
    assert (clone / "results/report/infants/baby01.html").is_file()
    changed = subprocess.run(
        ["git", "status", "--short"], cwd=clone, text=True, capture_output=True, check=True
    ).stdout.split()
    assert changed in ([], ["??", "my/"]), "the workflow writes below results/ alone"
