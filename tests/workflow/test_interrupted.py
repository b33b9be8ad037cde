"""A job that is killed leaves nothing that looks finished, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow


def test_killed_group_goes_on_with_the_same_result(tiny_copy: Workflow) -> None:
    results = tiny_copy.folder / "results"
    target = min((results / "background").glob("*.h5"))
    expected = tiny_copy.checksums("features")
    before = tiny_copy.checksums("background")
    for part in ("background", "pose/raw", "features"):
        (results / part / target.name).unlink()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", f"results/features/{target.name}"]
    process = subprocess.Popen(
        command,
        cwd=tiny_copy.folder,
        env={**os.environ, "PYTHONPATH": str(tiny_copy.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    log = results / "logs" / "extract_background" / f"{target.stem}.log"
    log.unlink(missing_ok=True)
    deadline = time.monotonic() + 120
    while not log.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not target.exists() or tiny_copy.checksums("background") == before
    tiny_copy.run("--unlock")
    tiny_copy.run("--cores", "2")
    assert tiny_copy.checksums("features") == expected
    assert tiny_copy.checksums("background") == before
    assert tiny_copy.planned() == {}
    assert [p for p in Path(results).rglob(f".{target.stem}*") if p.is_file()] == []
