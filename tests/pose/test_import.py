from __future__ import annotations

import dataclasses
import os
import pickle
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety.errors import NotAssessable, Reason
from fidgety.pose.importers.movement import HDF5_MAGIC, NETCDF3_MAGIC
from fidgety.pose.importers.reader import read_track
from fidgety.pose.importers.registry import IMPORTER_MODULES, IMPORTERS
from fidgety.pose.tracks import Origin, Pose, write_pose
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17, SKELETONS, Skeleton
from fidgety.storage import Provenance, write_not_assessable

N = 40


def movement_dataset(
    skeleton: Skeleton = BLAZEPOSE_33,
    space: int = 2,
    individuals: int = 1,
    plural: bool = True,
    **attrs: Any,
) -> xr.Dataset:
    """Make a dataset as the movement library writes it."""
    rng = np.random.default_rng(5)
    k = len(skeleton.keypoints)
    keypoint, individual = ("keypoints", "individuals") if plural else ("keypoint", "individual")
    return xr.Dataset(
        {
            "position": (
                ("time", "space", keypoint, individual),
                rng.normal(size=(N, space, k, individuals)),
            ),
            "confidence": (
                ("time", keypoint, individual),
                rng.uniform(size=(N, k, individuals)),
            ),
        },
        coords={
            "time": np.arange(N) / 25.0,
            "space": list("xyz")[:space],
            keypoint: list(skeleton.keypoints),
            individual: [f"id_{i}" for i in range(individuals)],
        },
        attrs={
            "fps": 25.0,
            "time_unit": "seconds",
            "source_software": "DeepLabCut",
            "ds_type": "poses",
            **attrs,
        },
    )


def save(dataset: xr.Dataset, folder: Path, engine: str = "h5netcdf") -> Path:
    path = folder / "track.nc"
    dataset.to_netcdf(path, engine=engine)
    return path


def reason_of(path: Path) -> tuple[Reason, str]:
    with pytest.raises(NotAssessable) as caught:
        read_track(path)
    return caught.value.reason, caught.value.detail


def test_the_registry_names_its_modules() -> None:
    assert "movement" in IMPORTERS
    assert "fidgety.pose.importers.movement" in IMPORTER_MODULES


@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize("space", [2, 3])
@pytest.mark.parametrize("name", list(SKELETONS))
def test_every_skeleton_comes_in_whole(tmp_path: Path, name: str, space: int, plural: bool) -> None:
    dataset = movement_dataset(SKELETONS[name], space, plural=plural)
    pose = read_track(save(dataset, tmp_path))
    np.testing.assert_allclose(pose.position, dataset["position"].values[..., 0])
    np.testing.assert_allclose(pose.confidence, dataset["confidence"].values[..., 0])
    np.testing.assert_allclose(pose.time_s, np.arange(N) / 25.0)
    assert pose.keypoints == SKELETONS[name].keypoints
    assert pose.skeleton == name
    assert pose.fps == 25.0
    assert pose.source_software == "DeepLabCut"
    assert pose.units == ("pixels" if space == 2 else "unknown")


@given(st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_the_order_of_keypoints_dimensions_and_axes_does_not_matter(
    tmp_path: Path, random: Any
) -> None:
    dataset = movement_dataset(HUMAN36M_17, 3)
    expected = read_track(save(dataset, tmp_path))
    keypoints = list(dataset["keypoints"].values)
    axes, dims = list("xyz"), list(dataset["position"].dims)
    for items in (keypoints, axes, dims):
        random.shuffle(items)
    shuffled = dataset.sel(keypoints=keypoints, space=axes).transpose(*dims)
    found = read_track(save(shuffled, tmp_path))
    np.testing.assert_array_equal(found.position, expected.position)
    np.testing.assert_array_equal(found.confidence, expected.confidence)
    assert found.keypoints == HUMAN36M_17.keypoints


def test_netcdf3_is_read_as_well(tmp_path: Path) -> None:
    dataset = movement_dataset()
    pose = read_track(save(dataset, tmp_path, engine="scipy"))
    np.testing.assert_allclose(pose.position, dataset["position"].values[..., 0])


def test_names_may_be_written_for_people(tmp_path: Path) -> None:
    dataset = movement_dataset()
    names = [str(k).replace("_", " ").title() for k in dataset["keypoints"].values]
    assert read_track(save(dataset.assign_coords(keypoints=names), tmp_path)).keypoints == (
        BLAZEPOSE_33.keypoints
    )


def test_without_confidence_a_known_position_is_certain(tmp_path: Path) -> None:
    dataset = movement_dataset()
    dataset["position"][3, :, 2] = np.nan
    dataset["position"][4, 0, 5] = np.inf
    nothing = xr.full_like(dataset["confidence"], np.nan)
    for without in (dataset.drop_vars("confidence"), dataset.assign(confidence=nothing)):
        pose = read_track(save(without, tmp_path))
        assert pose.confidence[3, 2] == 0
        assert pose.confidence[4, 5] == 0
        assert np.isnan(pose.position[4, :, 5]).all()
        assert pose.confidence.sum() == N * 33 - 2


def test_confidence_stays_between_0_and_1(tmp_path: Path) -> None:
    dataset = movement_dataset()
    dataset["confidence"][0, 0] = 1.7
    dataset["confidence"][0, 1] = -0.1
    dataset["confidence"][0, 2] = np.nan
    pose = read_track(save(dataset, tmp_path))
    assert pose.confidence[0, :3].tolist() == [1.0, 0.0, 0.0]
    assert pose.details["confidence_out_of_range"] == 2


def test_the_most_complete_individual_is_taken_and_named(tmp_path: Path) -> None:
    dataset = movement_dataset(individuals=3)
    dataset["position"][:30, :, :, 0] = np.nan
    dataset["position"][:10, :, :, 1] = np.nan
    dataset["position"][:20, :, :, 2] = np.nan
    pose = read_track(save(dataset, tmp_path))
    np.testing.assert_array_equal(pose.position, dataset["position"].values[..., 1])
    assert pose.details["individual"] == "id_1"
    assert pose.details["individuals_complete"] == {"id_0": 0.25, "id_1": 0.75, "id_2": 0.5}
    # id_1 comes in frame 10, id_2 in frame 20, id_0 in frame 30.
    persons = pose.details["persons"]
    assert persons["max_in_view"] == 3
    assert persons["frames_with_others"] == 20
    assert persons["others_by_second"] == [0.2, 1.0]


def test_no_dimension_for_individuals_is_one_individual(tmp_path: Path) -> None:
    dataset = movement_dataset()
    pose = read_track(save(dataset.isel(individuals=0, drop=True), tmp_path))
    np.testing.assert_allclose(pose.position, dataset["position"].values[..., 0])


@pytest.mark.parametrize("unit", ["frames", None])
def test_time_in_frames_needs_the_rate(tmp_path: Path, unit: str | None) -> None:
    dataset = movement_dataset(fps=50.0).assign_coords(time=np.arange(100, 100 + N))
    del dataset.attrs["time_unit"]
    if unit:
        dataset.attrs["time_unit"] = unit
    pose = read_track(save(dataset, tmp_path))
    np.testing.assert_allclose(pose.time_s, np.arange(100, 100 + N) / 50.0)
    del dataset.attrs["fps"]
    reason, detail = reason_of(save(dataset, tmp_path))
    assert reason is Reason.POSE_UNREADABLE
    assert "fps" in detail


def test_every_second_frame_is_half_the_rate(tmp_path: Path) -> None:
    dataset = movement_dataset(fps=50.0, time_unit="frames")
    pose = read_track(save(dataset.assign_coords(time=2 * np.arange(N)), tmp_path))
    assert pose.fps == 25.0
    np.testing.assert_allclose(np.diff(pose.time_s), 1 / 25)


def test_the_rate_is_had_from_time_stamps(tmp_path: Path) -> None:
    dataset = movement_dataset()
    del dataset.attrs["fps"]
    assert read_track(save(dataset, tmp_path)).fps == pytest.approx(25.0)


def test_stamps_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    stamps = np.cumsum(np.random.default_rng(0).uniform(0.035, 0.045, N))
    pose = read_track(save(movement_dataset().assign_coords(time=stamps), tmp_path))
    np.testing.assert_allclose(pose.time_s, stamps)
    assert pose.fps == 25.0


@pytest.mark.parametrize(
    ("time", "unit", "what"),
    [
        (np.arange(N)[::-1] / 25.0, "seconds", "does not increase"),
        (np.r_[np.arange(N - 1), N - 2] / 25.0, "seconds", "does not increase"),
        (np.r_[np.arange(N - 1), np.nan] / 25.0, "seconds", "missing"),
        (np.r_[np.arange(N - 1), N + 7], "frames", "irregular"),
        (np.arange(N)[::-1], "frames", "does not increase"),
        (np.arange(N) * 1.0, "seconds", "apart"),
        (np.arange(N) / 25.0, "fortnights", "fortnights"),
        (np.array([f"t{i}" for i in range(N)]), "seconds", "time coordinate"),
    ],
)
def test_a_clock_that_is_none_is_a_reason(tmp_path: Path, time: Any, unit: str, what: str) -> None:
    dataset = movement_dataset(time_unit=unit).assign_coords(time=time)
    reason, detail = reason_of(save(dataset, tmp_path))
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


@pytest.mark.parametrize(
    ("stated", "unit"),
    [
        ("metres", "metres"),
        ("m", "metres"),
        ("px", "pixels"),
        ("zscore", "zscore"),
        ("ell", "unknown"),
    ],
)
def test_units_are_those_that_the_file_states(tmp_path: Path, stated: str, unit: str) -> None:
    assert read_track(save(movement_dataset(space=3, units=stated), tmp_path)).units == unit
    dataset = movement_dataset(space=3)
    dataset["position"].attrs["units"] = stated
    assert read_track(save(dataset, tmp_path)).units == unit


def own_pose(**changes: Any) -> Pose:
    rng = np.random.default_rng(1)
    pose = Pose(
        position=rng.normal(size=(N, 2, 33)),
        confidence=rng.uniform(size=(N, 33)),
        time_s=0.5 + np.arange(N) / 30.0,
        keypoints=BLAZEPOSE_33.keypoints,
        fps=30.0,
        world=rng.normal(size=(N, 3, 33)),
        source_software="fidgety mediapipe",
        skeleton="blazepose33",
    )
    return dataclasses.replace(pose, **changes)


def test_our_own_files_come_back_with_their_3d(tmp_path: Path) -> None:
    pose = own_pose()
    write_pose(tmp_path / "own.h5", pose, Provenance())
    found = read_track(tmp_path / "own.h5")
    for name in ("position", "confidence", "time_s", "world"):
        np.testing.assert_allclose(getattr(found, name), getattr(pose, name), rtol=1e-6)
    assert (found.units, found.skeleton, found.fps) == ("pixels", "blazepose33", 30.0)
    assert found.source_software == "fidgety mediapipe"


def test_what_was_imputed_is_no_measurement(tmp_path: Path) -> None:
    origin = np.full((N, 33), Origin.MEASURED, np.uint8)
    origin[5:9, 4] = Origin.IMPUTED
    origin[5:9, 6] = Origin.CORRECTED
    write_pose(tmp_path / "own.h5", own_pose(origin=origin), Provenance())
    found = read_track(tmp_path / "own.h5")
    assert np.isnan(found.position[5:9, :, 4]).all()
    assert (found.confidence[5:9, 4] == 0).all()
    assert found.world is not None
    assert np.isnan(found.world[5:9, :, 4]).all()
    assert np.isfinite(found.position[5:9, :, 6]).all()
    assert found.details["imputed_left_out"] == 4
    assert found.origin is None


def test_a_recorded_reason_is_handed_on(tmp_path: Path) -> None:
    error = NotAssessable(Reason.NO_BODY, "a body in 3 of 100 frames")
    write_not_assessable(tmp_path / "own.h5", error, schema="pose/1", provenance=Provenance())
    assert reason_of(tmp_path / "own.h5") == (Reason.NO_BODY, "a body in 3 of 100 frames")


def test_no_known_position_is_empty(tmp_path: Path) -> None:
    dataset = movement_dataset()
    dataset["position"][:] = np.nan
    assert reason_of(save(dataset, tmp_path))[0] is Reason.POSE_EMPTY
    assert reason_of(save(movement_dataset().isel(time=slice(0)), tmp_path))[0] is Reason.POSE_EMPTY
    nobody = movement_dataset().isel(individuals=slice(0))
    assert reason_of(save(nobody, tmp_path))[0] is Reason.POSE_EMPTY


def test_unknown_keypoints_are_named(tmp_path: Path) -> None:
    dataset = movement_dataset().isel(keypoints=slice(1, None))
    reason, detail = reason_of(save(dataset, tmp_path))
    assert reason is Reason.SKELETON_MISMATCH
    assert "missing: nose" in detail
    names = ["nose", *map(str, dataset["keypoints"].values[:-1]), "nose"]
    twice = (
        movement_dataset()
        .isel(keypoints=slice(0, 33))
        .assign_coords(keypoints=[*names[:32], "nose"])
    )
    reason, detail = reason_of(save(twice, tmp_path))
    assert reason is Reason.SKELETON_MISMATCH
    assert "nose" in detail


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d.drop_vars("position"), "position"),
        (lambda d: d.drop_vars("keypoints"), "no names"),
        (lambda d: d.isel(space=0), "space"),
        (lambda d: d.assign_coords(space=["x", "q"]), "x, q"),
        (lambda d: d.isel(space=[0]), "expected x, y"),
        (lambda d: d.assign(position=d["position"].astype(str)), "numbers"),
        (lambda d: d.assign(position=d["position"].expand_dims(extra=2)), "extra"),
        (lambda d: d.isel(individuals=[0, 0]).assign(position=d["position"][..., 0]), "position"),
    ],
)
def test_another_layout_is_a_reason_that_says_what(tmp_path: Path, change: Any, what: str) -> None:
    reason, detail = reason_of(save(change(movement_dataset()), tmp_path))
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_what_is_no_netcdf_is_unreadable_and_not_executed(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    good = save(movement_dataset(), tmp_path).read_bytes()
    contents = {
        "empty.nc": b"",
        "text.nc": b"time,x,y\n0,1,2\n",
        "pickle.nc": pickle.dumps(Evil(mark)),
        "cut.nc": good[: len(good) // 2],
        "head.nc": good[:64],
        "cdf.nc": b"CDF\x01" + bytes(60),
        "noise.nc": good[:8] + np.random.default_rng(0).bytes(4000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        reason, detail = reason_of(tmp_path / name)
        assert reason is Reason.POSE_UNREADABLE, name
        assert name not in detail
    assert not mark.exists()
    assert reason_of(tmp_path / "absent.nc")[0] is Reason.POSE_UNREADABLE


@pytest.mark.parametrize("content", [b"", b"x", HDF5_MAGIC, HDF5_MAGIC + bytes(999), NETCDF3_MAGIC])
def test_the_files_name_stays_out_of_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mueller-anna.nc"
    path.write_bytes(content)
    assert not re.search("mueller|anna", reason_of(path)[1])
    path.unlink()
    assert not re.search("mueller|anna", reason_of(path)[1])


def test_plain_hdf5_is_no_track(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["weights"] = np.zeros(4)
    assert reason_of(tmp_path / "plain.h5")[0] is Reason.POSE_UNREADABLE


# h5netcdf complains, while it is collected, of a file that it could not open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(st.data())
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
def test_a_damaged_file_is_a_reason_or_a_pose_and_never_a_crash(tmp_path: Path, data: Any) -> None:
    content = bytearray(save(movement_dataset(), tmp_path).read_bytes())
    for _ in range(20):
        at = data.draw(st.integers(8, min(len(content), 6000) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.nc"
    path.write_bytes(content)
    assert outcome(path) in (
        "a pose",
        Reason.POSE_UNREADABLE,
        Reason.POSE_EMPTY,
        Reason.SKELETON_MISMATCH,
    )


def outcome(path: Path) -> Reason | str:
    try:
        read_track(path)
    except NotAssessable as error:
        return error.reason
    return "a pose"
