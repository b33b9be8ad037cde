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
    before = tiny_copy.checksums("background", "pose", "features")
    target.unlink()
    log = results / "logs" / "extract_background" / f"{target.stem}.log"
    log.unlink()
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "1",
        f"results/background/{target.name}",
    ]
    process = subprocess.Popen(
        command,
        cwd=tiny_copy.folder,
        env={**os.environ, "PYTHONPATH": str(tiny_copy.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not log.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is None, "the run was over before it could be killed"
    assert not target.exists()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not target.exists()
    tiny_copy.run("--unlock")
    tiny_copy.run("--cores", "2", f"results/background/{target.name}")
    tiny_copy.run("--cores", "2")
    assert tiny_copy.checksums("background", "pose", "features") == before
    assert tiny_copy.planned() == {}
    assert [p for p in Path(results).rglob(f".{target.stem}*") if p.is_file()] == []


def test_killed_training_goes_on_with_the_same_weights(tiny_copy: Workflow) -> None:
    results = tiny_copy.folder / "results"
    folder = results / "models" / "mam_clip" / "fold-1"
    expected = tiny_copy.checksums("models/mam_clip/fold-1")
    for path in folder.iterdir():
        path.unlink()
    work = results / "work" / "mam_clip" / "fold-1"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "snakemake",
            "--cores",
            "1",
            "results/models/mam_clip/fold-1/model.json",
        ],
        cwd=tiny_copy.folder,
        env={**os.environ, "PYTHONPATH": str(tiny_copy.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not list(work.rglob("*.ckpt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, "the training was over before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "weights.safetensors").exists()
    tiny_copy.run("--unlock")
    tiny_copy.run("--cores", "2", "results/models/mam_clip/fold-1/model.json")
    assert tiny_copy.checksums("models/mam_clip/fold-1") == expected
    assert not list(work.rglob("*.ckpt"))
