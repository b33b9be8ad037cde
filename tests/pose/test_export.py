"""Exports, read back by the libraries that own the formats and by the importers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pynwb
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety.config.export import ExportConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pose.exporters.folder import describe, export_folder
from fidgety.pose.exporters.registry import EXPORTERS
from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import BLAZEPOSE_33, COCO_17, SKELETONS
from fidgety.storage import Provenance
from tests.pose.foreign import random_truth

PROVENANCE = Provenance(recording="baby-03", parameters={"tracks": "clean"}, code="abc")


def some_pose(n: int = 20, seed: int = 0, gaps: float = 0.1, **changes: Any) -> Pose:
    truth = random_truth(COCO_17, n, seed, gaps)
    pose = Pose(
        position=truth.position,
        confidence=truth.confidence,
        time_s=np.arange(n) / 30.0,
        keypoints=COCO_17.keypoints,
        fps=30.0,
        source_software="fidgety mediapipe",
        skeleton="coco17",
    )
    return dataclasses.replace(pose, **changes)


def write(pose: Pose, form: str, folder: Path) -> Path:
    exporter = EXPORTERS.get(form)()
    path = folder / exporter.file_name
    exporter.write(pose, path, PROVENANCE)
    return path


def test_the_default_is_every_format() -> None:
    assert set(ExportConfig().formats) == set(EXPORTERS)


@given(st.integers(2, 12), st.integers(0, 1000), st.floats(0, 0.7))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_exported_comes_back(
    tmp_path_factory: pytest.TempPathFactory, n: int, seed: int, gaps: float
) -> None:
    pose = some_pose(n, seed, gaps)
    if not np.isfinite(pose.position).any():
        return
    folder = tmp_path_factory.mktemp("export")
    for form, relative in (("movement", 1e-6), ("deeplabcut", 1e-12)):
        found = read_track(write(pose, form, folder), fps=30.0)
        assert found.keypoints == pose.keypoints
        np.testing.assert_allclose(found.position, pose.position, rtol=relative)
        np.testing.assert_allclose(found.confidence, pose.confidence, rtol=1e-6)
        np.testing.assert_allclose(found.time_s, pose.time_s, atol=1e-12)
        assert found.fps == 30.0


def test_movement_takes_its_file_as_its_own(tmp_path: Path) -> None:
    from movement.filtering import filter_by_confidence
    from movement.validators.datasets import ValidPosesInputs

    pose = some_pose(gaps=0.0)
    with xr.open_dataset(write(pose, "movement", tmp_path), engine="h5netcdf") as dataset:
        ValidPosesInputs.validate(dataset)
        kept = filter_by_confidence(dataset.position, dataset.confidence, threshold=0.6)
        low = pose.confidence < 0.6
        np.testing.assert_array_equal(np.isnan(kept.values[:, 0, :, 0]), low)
        assert json.loads(dataset.attrs["provenance"])["recording"] == "baby-03"


def test_deeplabcuts_table_by_movement_and_sleap_io(tmp_path: Path) -> None:
    from movement.io import load_dataset
    from sleap_io.io.dlc import is_dlc_file

    pose = some_pose()
    path = write(pose, "deeplabcut", tmp_path)
    dataset = load_dataset(path, source_software="DeepLabCut", fps=30.0)
    # 0 is the centre of the first pixel there.
    np.testing.assert_allclose(dataset.position.values[..., 0], pose.position - 0.5, rtol=1e-12)
    np.testing.assert_allclose(dataset.confidence.values[..., 0], pose.confidence, rtol=1e-12)
    assert tuple(dataset.keypoints.values) == COCO_17.keypoints
    assert path.read_text().startswith("scorer,fidgety,")
    assert is_dlc_file(path)


def test_nwb_by_pynwb_and_movement(tmp_path: Path) -> None:
    from movement.io import load_dataset

    pose = some_pose(time_s=0.4 + np.arange(20) / 30.0)
    path = write(pose, "nwb", tmp_path)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        estimation = file.processing["behavior"]["PoseEstimation"]
        assert estimation.source_software == "fidgety mediapipe"
        series = estimation.pose_estimation_series["left_wrist"]
        k = COCO_17.index("left_wrist")
        np.testing.assert_array_equal(series.data[:], pose.position[:, :, k])
        np.testing.assert_array_equal(series.confidence[:], pose.confidence[:, k])
        np.testing.assert_array_equal(series.timestamps[:], pose.time_s)
        assert series.unit == "pixels"
        assert "outer corner of the first pixel" in series.reference_frame
        assert list(estimation.skeleton.nodes[:]) == list(COCO_17.keypoints)
        np.testing.assert_array_equal(estimation.skeleton.edges[:], COCO_17.bone_indices)
        assert json.loads(file.notes)["recording"] == "baby-03"
        assert file.subject.subject_id == "baby-03"
        assert "not known" in file.session_description
    dataset = load_dataset(path, source_software="NWB")
    names = list(dataset.keypoints.values)
    order = [names.index(k) for k in COCO_17.keypoints]
    np.testing.assert_allclose(
        dataset.position.values[..., 0][:, :, order], pose.position, rtol=1e-12
    )
    # movement counts from zero at the mean rate, whatever the stamps say.
    np.testing.assert_allclose(dataset.time.values, pose.time_s - 0.4, atol=1e-6)


def test_nwb_is_valid_by_its_own_schema(tmp_path: Path) -> None:
    path = write(some_pose(), "nwb", tmp_path)
    assert pynwb.validate(path=str(path)) == []


@pytest.mark.parametrize("form", list(EXPORTERS))
def test_equal_tracks_give_equal_bytes(form: str, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files.append(write(some_pose(), form, tmp_path / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("form", list(EXPORTERS))
def test_3d_tracks_go_out_unshifted(form: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pose = some_pose(position=rng.normal(size=(20, 3, 17)), units="metres")
    path = write(pose, form, tmp_path)
    if form == "nwb":
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            series = io.read().processing["behavior"]["PoseEstimation"]["nose"]
            np.testing.assert_array_equal(series.data[:], pose.position[:, :, 0])
            assert series.unit == "metres"
        return
    found = read_track(path, fps=30.0)
    np.testing.assert_allclose(found.position, pose.position, rtol=1e-6)


@pytest.mark.parametrize("name", list(SKELETONS))
def test_every_skeleton_goes_out(name: str, tmp_path: Path) -> None:
    truth = random_truth(SKELETONS[name], 3, gaps=0)
    pose = some_pose(
        3,
        position=truth.position,
        confidence=truth.confidence,
        keypoints=SKELETONS[name].keypoints,
        skeleton=name,
    )
    for form in EXPORTERS:
        assert write(pose, form, tmp_path).stat().st_size > 0


def test_a_folder_describes_itself(tmp_path: Path) -> None:
    origin = np.full((20, 17), Origin.MEASURED, np.uint8)
    origin[3, 4] = Origin.IMPUTED
    pose = some_pose(origin=origin, gaps=0.0)
    export_folder(pose, tmp_path, tuple(EXPORTERS), PROVENANCE, {"code": "of the tracks"})
    about = json.loads((tmp_path / "export.json").read_text())
    assert about["files"] == {
        "pose.nc": "movement",
        "pose.csv": "deeplabcut",
        "pose.nwb": "nwb",
    }
    assert {p.name for p in tmp_path.iterdir()} == {*about["files"], "export.json"}
    assert (about["status"], about["fps"], about["start_s"]) == ("ok", 30.0, 0.0)
    assert about["tracks_made_by"] == {"code": "of the tracks"}
    with xr.open_dataset(tmp_path / "pose.nc", engine="h5netcdf") as dataset:
        assert dataset.origin.values[3, 4, 0] == Origin.IMPUTED


def test_without_tracks_the_reason_is_exported(tmp_path: Path) -> None:
    error = NotAssessable(Reason.NO_BODY, "a body in 3 of 100 frames")
    export_folder(error, tmp_path, tuple(EXPORTERS), PROVENANCE, {})
    assert [p.name for p in tmp_path.iterdir()] == ["export.json"]
    about = json.loads((tmp_path / "export.json").read_text())
    assert about["status"] == "not assessable"
    assert (about["reason"], about["reason_detail"]) == ("no_body", "a body in 3 of 100 frames")


def test_uneven_times_are_listed() -> None:
    assert "time_s" not in describe(some_pose())
    stamps = np.cumsum(np.random.default_rng(0).uniform(0.03, 0.04, 20))
    np.testing.assert_array_equal(describe(some_pose(time_s=stamps))["time_s"], stamps)


def test_blazepose_with_its_world_stays_whole(tmp_path: Path) -> None:
    truth = random_truth(BLAZEPOSE_33, 5, gaps=0)
    world = np.random.default_rng(1).normal(size=(5, 3, 33))
    pose = some_pose(
        5,
        position=truth.position,
        confidence=truth.confidence,
        keypoints=BLAZEPOSE_33.keypoints,
        skeleton="blazepose33",
        world=world,
    )
    found = read_track(write(pose, "movement", tmp_path))
    assert found.world is not None
    np.testing.assert_allclose(found.world, world, rtol=1e-6)


def test_what_persons_were_called_stays_at_home(tmp_path: Path) -> None:
    name = "Anna Mueller"
    details = {
        "individual": name,
        "scorer": name,
        "persons": {"tracks": 1, "known_keypoints": {name: 340}},
        "format": "alphapose",
    }
    export_folder(some_pose(details=details), tmp_path, tuple(EXPORTERS), PROVENANCE, {})
    for path in tmp_path.iterdir():
        assert name.encode() not in path.read_bytes(), path.name
    with xr.open_dataset(tmp_path / "pose.nc", engine="h5netcdf") as dataset:
        kept = json.loads(dataset.attrs["details"])
    assert kept == {"persons": {"tracks": 1}, "format": "alphapose"}
