"""The workflow needs no network and asks for none: in a namespace without one, and watched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import CACHE, Workflow, copy_project

ROOT = Path(__file__).resolve().parents[2]
#: A namespace of its own has no interface but a loopback that is down.
WITHOUT_NETWORK = ("unshare", "--map-root-user", "--net")
#: Every Python process, whoever starts it, writes down what it asks a network for.
WATCH = """\
import os, sys

def _watch(event, args):
    if event == "socket.getaddrinfo" or (
        event == "socket.connect" and not isinstance(args[1], (str, bytes))
    ):
        with open(os.environ["FIDGETY_WATCHED"], "a") as file:
            file.write(f"{event} {args[1:] if event == 'socket.connect' else args} {sys.argv}\\n")

sys.addaudithook(_watch)
"""
ASK = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)"


@pytest.fixture(scope="module")
def without_network() -> tuple[str, ...]:
    """Return the words that start a program without a network, or skip where it may not be."""
    try:
        done = subprocess.run(
            [*WITHOUT_NETWORK, "true"], text=True, capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("no network: there is no `unshare` (util-linux) here")
    if done.returncode:
        pytest.skip(f"no network: `unshare` may not be used here ({done.stderr.strip()})")
    return WITHOUT_NETWORK


def run_without_network(
    workflow: Workflow, folder: Path, words: tuple[str, ...], *args: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run snakemake without a network; return also what was asked of one."""
    (folder / "sitecustomize.py").write_text(WATCH)
    watched = folder / "watched.txt"
    environment = workflow.environment()
    environment["PYTHONPATH"] = f"{folder}:{environment['PYTHONPATH']}"
    environment["FIDGETY_WATCHED"] = str(watched)
    done = subprocess.run(
        [*words, sys.executable, "-m", "snakemake", *args],
        cwd=workflow.folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    return done, watched.read_text() if watched.exists() else ""


def test_there_is_none_and_asking_is_seen(without_network: tuple[str, ...], tmp_path: Path) -> None:
    """What the tests below stand on."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    done = subprocess.run(
        [*without_network, sys.executable, "-c", ASK],
        env={"PYTHONPATH": str(tmp_path), "FIDGETY_WATCHED": str(tmp_path / "watched.txt")},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode
    assert "unreachable" in done.stderr
    assert "socket.connect (('192.0.2.1', 80),)" in (tmp_path / "watched.txt").read_text()


@pytest.mark.long
def test_an_infant_is_assessed_anew_without_a_network(
    tiny_copy: Workflow, without_network: tuple[str, ...], tmp_path: Path
) -> None:
    """From the video to the page, with a model trained anew."""
    infant = "phantom-ext-01"
    page = f"results/report/infants/{infant}.html"
    before = tiny_copy.checksums("predictions", "pose")
    for part in ("video", "background", "pose", "features", "predictions", "report", "models"):
        for path in (tiny_copy.folder / "results" / part).rglob("*"):
            named = infant in path.name or path.name == "models.tsv" or "fold-1" in path.parts
            if path.is_file() and named:
                path.unlink()
    done, watched = run_without_network(tiny_copy, tmp_path, without_network, "--cores", "2", page)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "rule train_model" in done.stderr or "Train " in done.stdout + done.stderr
    assert watched == ""
    assert tiny_copy.checksums("predictions", "pose") == before


@pytest.mark.long
def test_a_whole_run_needs_no_network(without_network: tuple[str, ...], tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "project")
    done, watched = run_without_network(workflow, tmp_path, without_network, "--cores", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    assert watched == ""
    assert (workflow.folder / "results" / "report" / "index.html").is_file()
    assert (workflow.folder / "results" / CACHE).is_dir()
