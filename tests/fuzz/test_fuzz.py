"""Input changed at random: only messages and reasons come out, never a traceback or a hang."""

from __future__ import annotations

import contextlib
import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety.cohort import read_study
from fidgety.config.root import Config, parse_config
from fidgety.errors import ConfigError, FidgetyError, NotAssessable, Outcome, Reason, StorageError
from fidgety.features.store import (
    FEATURES_SCHEMA,
    Features,
    FeatureSet,
    read_feature_set,
    write_features,
)
from fidgety.plan_check import check_plan
from fidgety.pose.tracks import POSE_SCHEMA, read_pose, write_pose
from fidgety.sheet import SHEET_COLUMNS
from fidgety.sources import SourceIndex, source_checksum
from fidgety.storage import Provenance, groups, read_dataset, read_outcome, read_provenance
from tests.fuzz.mutate import examples, limited, mutate
from tests.fuzz.results_worker import CORRECTIONS, TRACKS
from tests.gallery.tables import BEYOND, GOOD, HEAD
from tests.pose.foreign import FORMATS, random_truth
from tests.pose.infant import infant_pose

ROOT = Path(__file__).resolve().parents[2]
BASE = {"sheet": "sheet.tsv", "cohorts": {"ward": "development"}}
VALID = parse_config(BASE).model_dump(mode="json")
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
#: Longest time that an example may take in this process.
EXAMPLE_S = 20
SEEDS = st.integers(0, 2**32 - 1)
LOOSE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


#: What no plan can do anything with, as a path, a number or a name.
HOSTILE = st.sampled_from(
    (
        "", "/", "..", "~", "~no-such-user/a", "/dev/zero", "pipe", "a\0b", "re{s}ults", "a\nb",
        "a" * 5000, "\ud800", "\x1b[31m", "\u202eb", "*", "a:b", 10**400, -1, 1e308, float("nan"),
        ["/dev/zero"], ["pipe"], ["a" * 5000], ["~no-such-user/a"], {"a": "pipe"},
        "sheet.tsv", "a.mp4",
    )
)  # fmt: skip


@settings(LOOSE, max_examples=examples(80))
@given(st.data())
def test_any_value_of_the_configuration(tmp_path: Path, data: Any) -> None:
    """A value or two somewhere in a whole configuration are replaced by anything, and planned."""
    write_tables(tmp_path)
    values = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 2))):
        place, key = values, data.draw(st.sampled_from(sorted(Config.model_fields)))
        while isinstance(place.get(key), dict) and place[key] and data.draw(st.booleans()):
            place = place[key]
            key = data.draw(st.sampled_from(sorted(place)))
        place[key] = data.draw(ANY | HOSTILE)
    with limited(EXAMPLE_S), contextlib.suppress(FidgetyError), contextlib.chdir(tmp_path):
        plan(parse_config(values), tmp_path)


def write_tables(folder: Path) -> None:
    """Write the tables that a whole configuration names, and a pipe that nobody writes into."""
    (folder / "a.mp4").write_bytes(b"a")
    (folder / "sheet.tsv").write_text(GOOD)
    (folder / "intervals.tsv").write_text(BEYOND + "a1\t0\t5\tfidgety\n")
    if not (folder / "pipe").exists():
        os.mkfifo(folder / "pipe")


def plan(config: Config, folder: Path) -> None:
    """Do what planning does before any job."""
    study = read_study(config, folder)
    index = SourceIndex(folder / "index.json")
    check_plan(config, study, lambda path: source_checksum(path, index))


#: What stands in a cell, wherever.
CELLS = st.sampled_from(
    (
        "", " ", "a1", "a.mp4", "ward", "normal", "pipe", "/dev/zero", "/dev/null", "~", "~nowho/a",
        "..", "/", "a\0b", "\x07", "\x1b[31m", "\u202e", "\ud800", "=1+1", '"', '""a', "9" * 5000,
        "1e400", "nan", "-1", "12,5", "38+5", f"{'9' * 400}+3", "٣٨+5", "²", "0,0,0,0",
        f"{'9' * 5000},1,1,1", "٣,1,1,1", "http://[::1", "s3://a/b", "file:///etc/passwd", "yes",
        "a" * 5000, "\u2028", "\N{BABY}", "I", "6",
    )
)  # fmt: skip


@settings(LOOSE, max_examples=examples(100))
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(SHEET_COLUMNS), CELLS, max_size=4), max_size=4),
    more=st.lists(st.sampled_from((*SHEET_COLUMNS, "x_own", "none", "", "\x07")), max_size=3),
    intervals=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=3),
)
def test_any_cells_of_the_tables(
    tmp_path: Path,
    rows: list[dict[str, str]],
    more: list[str],
    intervals: list[tuple[str, str, str, str]],
) -> None:
    write_tables(tmp_path)
    header = [*HEAD.split(), *more]
    lines = [GOOD.splitlines()[1].split("\t")]
    for k, row in enumerate(rows):
        known = {**dict(zip(HEAD.split(), lines[0], strict=True)), "recording": f"r{k}", **row}
        lines.append([known.get(column, "") for column in header])
    table = "\n".join("\t".join(line) for line in (header, *lines))
    beyond = BEYOND + "\n".join("\t".join(line) for line in intervals)
    for name, text in (("sheet.tsv", table), ("intervals.tsv", beyond)):
        (tmp_path / name).write_bytes(text.encode("utf-8", "replace"))
    config = parse_config(BASE | {"sheet": "sheet.tsv", "intervals": "intervals.tsv"})
    with limited(EXAMPLE_S), contextlib.suppress(FidgetyError), contextlib.chdir(tmp_path):
        plan(config, tmp_path)


@settings(LOOSE, max_examples=examples(80))
@given(seed=SEEDS, which=st.sampled_from(["sheet", "intervals"]))
def test_any_bytes_of_the_tables(tmp_path: Path, seed: int, which: str) -> None:
    tables = {"sheet": GOOD, "intervals": BEYOND + "a1\t0\t5\tfidgety\n"}
    (tmp_path / "a.mp4").write_bytes(b"a")
    for name, text in tables.items():
        content = text.encode()
        if name == which:
            content = mutate(content, np.random.default_rng(seed))
        (tmp_path / f"{name}.tsv").write_bytes(content)
    with limited(EXAMPLE_S), contextlib.suppress(ConfigError):
        read_study(
            parse_config(BASE | {"sheet": "sheet.tsv", "intervals": "intervals.tsv"}), tmp_path
        )


def write_a_pose(path: Path) -> None:
    write_pose(path, infant_pose(2.0), Provenance(recording="a"))


def write_some_features(path: Path) -> None:
    """Write a feature set, and that there is no other one."""
    values = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    names = ("nose_x", "nose_y", "left_wrist_x", "left_wrist_y")
    one = FeatureSet(values, names, np.arange(50) / 25, 25.0, "trunk", {"origin": "pelvis"})
    why = Outcome.of(NotAssessable(Reason.NO_3D))
    write_features(
        path, Features(25.0, {"coords2d": one}, {"angles": why}), Provenance(recording="a")
    )


def write_an_edited_pose(path: Path) -> None:
    """Write what somebody made of the review's pose, in which everything was moved."""
    there = np.zeros((20, 2, 5))
    dims = ("time", "space", "keypoints")
    data = xr.Dataset(
        {"position": (dims, there + 1), "reviewed": (dims, there)},
        coords={"keypoints": list("abcde"), "space": ["x", "y"]},
    )
    data.to_netcdf(path, engine="h5netcdf")


HDF5_TRACKS = ("movement netCDF", "DeepLabCut h5 (table)", "SLEAP .slp", "SLEAP analysis h5")


def foreign(name: str) -> Callable[[Path], None]:
    """Return what writes tracks as another program does."""

    def write(path: Path) -> None:
        FORMATS[name].write(random_truth(n=12), path.parent).rename(path)

    return write


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "write"),
    [
        (POSE_SCHEMA, write_a_pose),
        (FEATURES_SCHEMA, write_some_features),
        (CORRECTIONS, write_an_edited_pose),
        *((TRACKS, foreign(name)) for name in HDF5_TRACKS),
    ],
    ids=["pose", "features", "corrections", *HDF5_TRACKS],
)
def test_any_damage_of_a_file_of_numbers(
    tmp_path: Path, schema: str, write: Callable[[Path], None]
) -> None:
    source = tmp_path / "whole.nc"
    write(source)
    last = str(examples(60))
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.results_worker", source, schema, "0", last],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 * examples(1),
    )
    seed = (done.stdout.split() or ["none"])[-1]
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"


@pytest.mark.parametrize("read", [read_outcome, read_dataset, groups, read_provenance])
def test_a_false_checksum_is_a_damaged_file(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """What h5py tells as a KeyError."""
    source = tmp_path / "pose.nc"
    write_pose(source, infant_pose(2.0), Provenance(recording="a"))
    content = bytearray(source.read_bytes())
    content[content.index(b"OHDR") + 8] ^= 0xFF
    source.write_bytes(content)
    with pytest.raises(KeyError, match="checksum"), h5py.File(source) as file:
        file.attrs.get("status")
    with pytest.raises(StorageError, match="Delete it and run the workflow again"):
        read(source)


def test_a_status_that_is_none_of_ours_is_a_damaged_file(tmp_path: Path) -> None:
    source = tmp_path / "pose.nc"
    write_pose(source, infant_pose(2.0), Provenance(recording="a"))
    with h5py.File(source, "a") as file:
        file.attrs["status"] = "oj"
    with pytest.raises(StorageError, match="status cannot be read"):
        read_outcome(source)


@pytest.mark.parametrize(
    ("reason", "said"), [("", "has no reason"), ("of_tomorrow", "of_tomorrow")]
)
def test_no_result_without_a_known_reason_is_a_damaged_file(
    tmp_path: Path, reason: str, said: str
) -> None:
    source = tmp_path / "pose.nc"
    write_a_pose(source)
    with h5py.File(source, "a") as file:
        file.attrs["status"], file.attrs["reason"] = "not assessable", reason
    with pytest.raises(StorageError, match=said):
        read_dataset(source)


def test_missing_variables_and_attributes_are_a_damaged_file(tmp_path: Path) -> None:
    pose, features = tmp_path / "pose.nc", tmp_path / "features.nc"
    write_a_pose(pose)
    with h5py.File(pose, "a") as file:
        del file["position"]
    with pytest.raises(StorageError, match="position"):
        read_pose(pose)
    for name in ("values", "time", "status"):
        write_some_features(features)
        with h5py.File(features, "a") as file:
            group = file["coords2d"]
            del (group.attrs if name == "status" else group)[name]
        with pytest.raises(StorageError, match="Delete it and run the workflow again"):
            read_feature_set(features, "coords2d")
