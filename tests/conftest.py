"""What all tests share: real data where it is, seeds, and skips that are counted aloud."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# A busy machine is no failure, and a failure must come back.
hypothesis.settings.register_profile("fidgety", deadline=None, derandomize=True)
hypothesis.settings.load_profile("fidgety")

ROOT = Path(__file__).resolve().parents[1]
SHARED_VARIABLE = "FIDGETY_SHARED"


def shared_folder() -> Path | None:
    """Return the folder with real data: from the environment, or beside the checkout."""
    given = os.environ.get(SHARED_VARIABLE)
    candidates = [Path(given)] if given else [ROOT.parent / "shared"]
    return next((folder for folder in candidates if (folder / "data").is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of the real data (``mam/``, ``calibration/``), or skip."""
    folder = shared_folder()
    if folder is None:
        where = os.environ.get(SHARED_VARIABLE) or "../shared beside the checkout"
        pytest.skip(f"real data: no folder 'data' in {where}; {SHARED_VARIABLE} names another")
    return folder / "data"


@pytest.fixture(scope="session", autouse=True)
def _one_cache_of_the_body(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> None:
    """Let all tests fill the body model's cache once: a minute, and some hundred megabytes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "anny"
    os.environ.setdefault("ANNY_CACHE_DIR", str(folder))


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Start every test from the same random numbers, in whatever order they run."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - of libraries that use the global generator


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(20230904)


#: Files that take longest come first, so that no process waits for the last of them. While one
#: process makes the tiny run that most of them share, another has one that makes its own.
FIRST = ("tests/workflow/test_readme.py", "tests/workflow/test_kills.py", "tests/workflow/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by file, the longest first."""

    def place(item: pytest.Item) -> int:
        return next((k for k, name in enumerate(FIRST) if item.nodeid.startswith(name)), len(FIRST))

    items.sort(key=place)


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return re.sub(r"^Skipped: ", "", str(report.longrepr[2]))
    return str(report.longrepr)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count what was skipped and say why."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.section("what was not tested")
    if not skipped:
        terminalreporter.write_line("nothing was skipped")
    for reason, n in Counter(map(_reason, skipped)).most_common():
        terminalreporter.write_line(f"{n} skipped: {reason}")
    deselected = len(terminalreporter.stats.get("deselected", []))
    if deselected:
        terminalreporter.write_line(f"{deselected} left out by their marks (slow, long)")
