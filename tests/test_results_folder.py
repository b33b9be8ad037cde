"""The results folder before the first job: written into, and nothing in it is from the future."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from fidgety.errors import StorageError
from fidgety.results_folder import check_results_folder


def test_a_new_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_results_folder(tmp_path / "a" / "results")
    assert list((tmp_path / "a" / "results").iterdir()) == []


def test_a_folder_that_takes_no_file_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(StorageError, match="takes no file"):
        check_results_folder(tmp_path / "results")


def test_a_missing_right_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere, so it is refused by hand."""

    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied", f"{tmp_path}/x")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(StorageError, match="the right to read or write is missing"):
        check_results_folder(tmp_path)


def test_files_from_the_future_are_named_and_the_remedy_helps(tmp_path: Path) -> None:
    results = tmp_path / "results"
    late = time.time() + 86_400
    for name in ("pose/a.h5", "pose/b.h5", "logs/a.log", ".cache/x", "video/old.mp4"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("")
        if name != "video/old.mp4":
            os.utime(results / name, (late, late))
    with pytest.raises(StorageError) as caught:
        check_results_folder(results)
    said = str(caught.value)
    assert said.startswith(f"2 results have dates in the future ({results}/pose/a.h5, ")
    before = (results / "video/old.mp4").stat().st_mtime_ns
    subprocess.run(["bash", "-c", said[said.index("find ") :]], check=True)
    check_results_folder(results)
    # One date for all: none is newer than another, so nothing is made again because of it.
    dates = {(results / "pose" / name).stat().st_mtime_ns for name in ("a.h5", "b.h5")}
    assert len(dates) == 1
    assert (results / "video/old.mp4").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["my results", "a; touch PWNED #", "-r $(touch PWNED) '\""])
def test_the_remedy_is_one_of_this_folder_whatever_it_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    late = time.time() + 86_400
    (tmp_path / name / "pose").mkdir(parents=True)
    (tmp_path / name / "pose/a.h5").write_text("")
    os.utime(tmp_path / name / "pose/a.h5", (late, late))
    with pytest.raises(StorageError) as caught:
        check_results_folder(Path(name))
    said = str(caught.value)
    subprocess.run(["bash", "-c", said[said.index("find -H ") :]], check=True)
    check_results_folder(Path(name))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_links_to_another_disk_are_looked_into_and_dated(tmp_path: Path) -> None:
    """The folder itself may be a link, and stages in it; whatever else is one stays as it is."""
    results, late = tmp_path / "results", time.time() + 86_400
    for name in ("disk", "other", "mine", "logs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.h5").write_text("")
        os.utime(tmp_path / name / "a.h5", (late, late))
    results.symlink_to(tmp_path / "disk")
    (results / "pose").symlink_to(tmp_path / "other")
    (results / "mine").symlink_to(tmp_path / "mine")
    (results / "logs").symlink_to(tmp_path / "logs")
    (results / "features").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "pose").symlink_to(tmp_path / "disk")
    (tmp_path / "other" / "one.h5").symlink_to(tmp_path / "mine" / "a.h5")
    stages = {"pose", "features", "features/pose", "logs"}
    with pytest.raises(StorageError) as caught:
        check_results_folder(results, stages=stages)
    said = str(caught.value)
    assert said.startswith("2 results have dates in the future (")
    subprocess.run(["bash", "-c", said[said.index("find -H ") :]], check=True)
    check_results_folder(results, stages=stages)
    assert (tmp_path / "mine" / "a.h5").stat().st_mtime == pytest.approx(late)


def test_clocks_of_a_cluster_differ_a_little(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("")
    made = (tmp_path / "a.h5").stat().st_mtime
    check_results_folder(tmp_path, now_s=made - 30)
    with pytest.raises(StorageError, match="1 results"):
        check_results_folder(tmp_path, now_s=made - 90)
