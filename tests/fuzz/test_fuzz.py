"""Input changed at random: only messages and reasons come out, never a traceback or a hang."""

from __future__ import annotations

import contextlib
import copy
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
from fidgety.errors import ConfigError, NotAssessable, Outcome, Reason, StorageError
from fidgety.features.store import (
    FEATURES_SCHEMA,
    Features,
    FeatureSet,
    read_feature_set,
    write_features,
)
from fidgety.pose.tracks import POSE_SCHEMA, read_pose, write_pose
from fidgety.storage import Provenance, groups, read_dataset, read_outcome, read_provenance
from tests.fuzz.mutate import examples, limited, mutate
from tests.fuzz.results_worker import CORRECTIONS
from tests.gallery.tables import BEYOND, GOOD
from tests.pose.infant import infant_pose

ROOT = Path(__file__).resolve().parents[2]
BASE = {"sheet": "recordings.tsv", "cohorts": {"ward": "development"}}
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


@settings(LOOSE, max_examples=examples(60))
@given(st.data())
def test_any_value_of_the_configuration(data: Any) -> None:
    """A value somewhere in a whole configuration is replaced by anything."""
    values = copy.deepcopy(VALID)
    place, key = values, data.draw(st.sampled_from(sorted(Config.model_fields)))
    while isinstance(place.get(key), dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    place[key] = data.draw(ANY)
    with limited(EXAMPLE_S), contextlib.suppress(ConfigError):
        parse_config(values)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "write"),
    [
        (POSE_SCHEMA, write_a_pose),
        (FEATURES_SCHEMA, write_some_features),
        (CORRECTIONS, write_an_edited_pose),
    ],
    ids=["pose", "features", "corrections"],
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
