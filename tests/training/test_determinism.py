"""What docs/robustness.md promises of running again: equal bytes, or equal numbers."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fidgety.training.results import read_predictions

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
#: By gradients with and without attention, by kernels, and at once.
KINDS = ("cnn1d", "mam_clip", "multirocket_hydra", "svm")
#: What differs between two machines of one kind, and between two days.
HERE = {"TZ": "UTC", "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "HOSTNAME": "here"}
THERE = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2", "OMP_NUM_THREADS": "2", "HOSTNAME": "there"}
PROMISED = ("pose", "models", "new.h5", "folds.tsv")


def run_stages(folder: Path, threads: int, environment: dict[str, str]) -> Path:
    """Run the stages in a process of their own."""
    subprocess.run(
        [sys.executable, "-m", "tests.training.stages_again", str(folder), str(threads), *KINDS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_stages(tmp_path_factory.mktemp("first") / "run", 1, HERE)


def promised(folder: Path) -> dict[str, str]:
    """Return the checksums of files that are promised to be equal; logs are not."""
    files = [
        path
        for part in PROMISED
        for path in ([folder / part] if (folder / part).is_file() else (folder / part).rglob("*"))
        if path.is_file() and path.suffix != ".txt"
    ]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def test_another_day_place_and_environment_give_the_same_bytes(first: Path, tmp_path: Path) -> None:
    again = run_stages(tmp_path / "elsewhere" / "again", 1, THERE)
    expected = promised(first)
    assert len(expected) == 5 + 2 * 3 * len(KINDS) + 2
    assert promised(again) == expected


def test_no_promised_file_names_this_machine(first: Path) -> None:
    names = [os.uname().nodename.encode(), str(first).encode(), b"/tmp/"]
    for name in promised(first):
        content = (first / name).read_bytes()
        assert not [one for one in names if len(one) > 3 and one in content], name


def test_another_number_of_threads_gives_the_same_numbers(first: Path, tmp_path: Path) -> None:
    again = run_stages(tmp_path / "again", 2, HERE)
    assert promised(again).keys() == promised(first).keys()
    found, expected = read_predictions(again / "new.h5"), read_predictions(first / "new.h5")
    assert found.keys() == expected.keys() == set(KINDS)
    for kind, said in expected.items():
        np.testing.assert_allclose(
            found[kind].probability, said.probability, atol=1e-4, err_msg=kind
        )
