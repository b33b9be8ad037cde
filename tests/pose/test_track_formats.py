"""Every importer against truth, and against everything that can be wrong with a file."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidgety.errors import ConfigError, NotAssessable, Reason
from fidgety.pose.importers.content import MAX_JSON_BYTES
from fidgety.pose.importers.keypoints import MAX_KEYPOINTS
from fidgety.pose.importers.people import MAX_PERSONS
from fidgety.pose.importers.pickled import MAX_NAMES, column_names
from fidgety.pose.importers.reader import read_track
from fidgety.pose.importers.registry import IMPORTERS
from fidgety.pose.tracks import Pose, read_pose, write_pose
from fidgety.skeletons import BODY_21, COCO_17, HALPE_26, OPENPOSE_25, Skeleton, conversion_matrix
from fidgety.storage import Provenance
from tests.pose.foreign import (
    FORMATS,
    Truth,
    alphapose_people,
    coco_annotations,
    dlc_frame,
    openpose_files,
    random_truth,
    sleap_labels,
    write_alphapose,
    write_coco_annotations,
    write_coco_results,
    write_dlc_csv,
    write_dlc_h5,
    write_movement,
    write_openpose,
    write_openpose_zip,
    write_slp,
)
from tests.pose.hostile import declared_blocks, declared_frames, laughing_names, repeated_names

FPS = 25.0
FILES = {name: form for name, form in FORMATS.items() if "folder" not in name}
#: What a reader may make of a damaged file.
OUTCOMES = {None, Reason.POSE_UNREADABLE, Reason.POSE_EMPTY, Reason.SKELETON_MISMATCH}


def read(path: Path, **more: Any) -> Pose:
    return read_track(path, fps=FPS, **more)


def reason_of(path: Path, **more: Any) -> tuple[Reason, str]:
    with pytest.raises(NotAssessable) as caught:
        read(path, **more)
    return caught.value.reason, caught.value.detail


def outcome(path: Path) -> Reason | None:
    """Read a file; return why not, None for tracks."""
    try:
        read(path)
    except NotAssessable as error:
        return error.reason
    return None


def elsewhere(truth: Truth, x: float, y: float, share: float, seed: int = 1) -> Truth:
    """Make another person at another place, in view for a share of the time at the end."""
    other = random_truth(truth.skeleton, truth.n, seed, gaps=0.0)
    position = other.position + np.array([x, y])[:, None]
    position[: round((1 - share) * truth.n)] = np.nan
    return Truth(position, np.where(np.isnan(position[:, 0]), 0, 0.8), truth.skeleton)


def assert_is(pose: Pose, truth: Truth, tolerance: float = 1e-9, confidence: bool = True) -> None:
    assert pose.keypoints == truth.skeleton.keypoints
    assert pose.skeleton == truth.skeleton.name
    assert pose.n_frames == truth.n
    np.testing.assert_allclose(pose.position, truth.position, atol=tolerance, rtol=0)
    expected = truth.confidence if confidence else (truth.confidence > 0).astype(float)
    np.testing.assert_allclose(pose.confidence, expected, atol=max(1e-9, tolerance))
    np.testing.assert_allclose(pose.time_s, np.arange(truth.n) / pose.fps)


# ---------------------------------------------------------------------------------- every format


@pytest.mark.parametrize("name", list(FORMATS))
def test_the_truth_comes_back_in_the_files_precision(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    truth = random_truth(form.skeletons[0])
    pose = read(form.write(truth, tmp_path))
    assert pose.details["format"] == form.importer
    assert_is(pose, truth, form.tolerance_px, form.confidence)
    assert pose.units == "pixels"
    assert pose.details["known_share"] == pytest.approx((truth.confidence > 0).mean(), abs=1e-3)


def test_every_importer_is_tried() -> None:
    assert {form.importer for form in FORMATS.values()} == set(IMPORTERS)


@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 0.6))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_tracks_come_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, gaps: float
) -> None:
    truth = random_truth(COCO_17, n, seed, gaps)
    for write in (write_dlc_csv, write_dlc_h5, write_coco_results, write_alphapose):
        path = write(truth, tmp_path_factory.mktemp("tracks"))
        if not np.isfinite(truth.position).any():
            assert reason_of(path)[0] is Reason.POSE_EMPTY
            continue
        pose = read(path)
        # Files that list persons end with the last of them.
        np.testing.assert_allclose(pose.position, truth.position[: pose.n_frames], atol=1e-9)
        assert np.isnan(truth.position[pose.n_frames :]).all()


@pytest.mark.parametrize("name", [n for n in FORMATS if "movement" not in n])
def test_a_format_without_times_asks_for_the_rate(name: str, tmp_path: Path) -> None:
    path = FORMATS[name].write(random_truth(FORMATS[name].skeletons[0], 5), tmp_path)
    with pytest.raises(ConfigError, match="column fps"):
        read_track(path)


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_position_is_a_reason(name: str, tmp_path: Path) -> None:
    truth = random_truth(FORMATS[name].skeletons[0], 6)
    if name == "SLEAP analysis h5":  # its own writer refuses
        path = FORMATS[name].write(truth, tmp_path)
        with h5py.File(path, "a") as file:
            file["tracks"][...] = np.nan
        assert reason_of(path)[0] is Reason.POSE_EMPTY
        return
    nothing = Truth(np.full_like(truth.position, np.nan), truth.confidence * 0, truth.skeleton)
    assert reason_of(FORMATS[name].write(nothing, tmp_path))[0] is Reason.POSE_EMPTY


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("what", ["empty", "cut", "head", "noise", "text"])
def test_what_is_no_such_file_is_unreadable(name: str, what: str, tmp_path: Path) -> None:
    path = FILES[name].write(random_truth(FILES[name].skeletons[0]), tmp_path)
    good = path.read_bytes()
    content = {
        "empty": b"",
        "cut": good[: len(good) // 2],
        "head": good[:40],
        "noise": np.random.default_rng(0).bytes(3000),
        "text": "Größe, Länge\n1,5;2\n".encode(),
    }[what]
    broken = path.with_name(f"müller-anna{path.suffix}")
    broken.write_bytes(content)
    reason, detail = reason_of(broken)
    assert reason is Reason.POSE_UNREADABLE
    assert "anna" not in detail
    assert detail


@pytest.mark.parametrize("name", ["DeepLabCut CSV", "COCO results", "AlphaPose", "OpenPose-18 zip"])
@given(st.data())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_damaged_text_never_crashes(name: str, tmp_path: Path, data: Any) -> None:
    path = tmp_path / "one"
    path.mkdir(exist_ok=True)
    path = FILES[name].write(random_truth(FILES[name].skeletons[0], 4), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert outcome(path) in OUTCOMES


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["DeepLabCut h5 (table)", "DeepLabCut h5 (fixed)", "SLEAP .slp"])
@given(st.data())
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_damaged_hdf5_never_crashes(name: str, tmp_path: Path, data: Any) -> None:
    folder = tmp_path / "one"
    folder.mkdir(exist_ok=True)
    path = FILES[name].write(random_truth(FILES[name].skeletons[0], 4), folder)
    content = bytearray(path.read_bytes())
    for _ in range(10):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert outcome(path) in OUTCOMES


def test_files_of_no_format_name_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("hello")
    reason, detail = reason_of(tmp_path / "a.xyz")
    assert reason is Reason.POSE_UNREADABLE
    for name in IMPORTERS:
        assert IMPORTERS.get(name).description in detail
    (tmp_path / "folder").mkdir()
    assert "000000000012_keypoints.json" in reason_of(tmp_path / "folder")[1]


def test_too_large_a_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.write(b"[")
        file.truncate(MAX_JSON_BYTES + 1)
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert str(MAX_JSON_BYTES) in detail


# ---------------------------------------------------------------------------------- keypoints


LAB_NAMES = {
    "camel": lambda k: (
        "".join(p.title() for p in k.split("_"))[:1].lower()
        + "".join(p.title() for p in k.split("_"))[1:]
    ),
    "letter first": lambda k: k.replace("left_", "L_").replace("right_", "R_"),
    "letter joined": lambda k: "".join(
        {"left": "L", "right": "R"}.get(p, p.title()) for p in k.split("_")
    ),
    "side behind": lambda k: "_".join(k.split("_")[1:] + k.split("_")[:1]),
    "for people": lambda k: k.replace("_", " ").upper(),
}


@pytest.mark.parametrize("spelling", list(LAB_NAMES))
def test_a_labs_spelling_is_understood(spelling: str, tmp_path: Path) -> None:
    truth = random_truth()
    labels = tuple(LAB_NAMES[spelling](k) for k in truth.skeleton.keypoints)
    assert_is(read(write_dlc_csv(truth, tmp_path, labels=labels)), truth)


def test_other_names_are_translated(tmp_path: Path) -> None:
    truth = random_truth()
    labels = tuple("Schnäuzchen" if k == "nose" else k for k in truth.skeleton.keypoints)
    path = write_dlc_csv(truth, tmp_path, labels=labels)
    reason, detail = reason_of(path)
    assert reason is Reason.SKELETON_MISMATCH
    assert "missing: nose" in detail
    assert "pose.keypoint_names" in detail
    assert_is(read(path, keypoint_names={"Schnäuzchen": "nose", "tail": "pelvis"}), truth)
    reason, detail = reason_of(path, keypoint_names={"Schnäuzchen": "left_eye"})
    assert reason is Reason.SKELETON_MISMATCH
    assert "named twice: left_eye" in detail


def test_more_keypoints_than_a_skeleton_are_left_out_and_named(tmp_path: Path) -> None:
    wide = Skeleton("wide", (*COCO_17.keypoints, "toy", "navel"), ())
    truth = random_truth(wide)
    pose = read(write_dlc_csv(truth, tmp_path))
    assert pose.skeleton == "coco17"
    assert pose.details["keypoints_left_out"] == ["toy", "navel"]
    np.testing.assert_allclose(pose.position, truth.position[:, :, :17], atol=1e-9)


def test_the_largest_skeleton_in_a_file_is_taken(tmp_path: Path) -> None:
    truth = random_truth(HALPE_26)
    labels = (*HALPE_26.keypoints[:25], "toy")  # one heel is missing: COCO-17 is left
    pose = read(write_dlc_csv(truth, tmp_path, labels=labels))
    assert pose.skeleton == "coco17"
    assert "left_heel" in pose.details["keypoints_left_out"]


def test_fewer_keypoints_say_what_is_missing_and_what_is_left(tmp_path: Path) -> None:
    truth = random_truth()
    few = [k for k in COCO_17.keypoints if "ear" not in k]
    keep = [COCO_17.index(k) for k in few]
    part = Truth(
        truth.position[:, :, keep], truth.confidence[:, keep], Skeleton("p", tuple(few), ())
    )
    reason, detail = reason_of(write_dlc_csv(part, tmp_path))
    assert reason is Reason.SKELETON_MISMATCH
    assert "missing: left_ear, right_ear" in detail
    assert "human36m17 (the features' skeleton) can be derived" in detail
    assert "pose.skeletons" in detail


def test_a_users_own_skeleton_is_taken_with_its_names(tmp_path: Path) -> None:
    own = Skeleton("marks3", ("forehead", "left_knuckle", "right_knuckle"), ())
    truth = random_truth(own)
    pose = read(write_dlc_csv(truth, tmp_path), skeletons=[own])
    assert_is(pose, truth)
    assert pose.own_skeleton == own


# ---------------------------------------------------------------------------------- DeepLabCut


def test_deeplabcut_as_movement_reads_it(tmp_path: Path) -> None:
    from movement.io import load_dataset

    truth = random_truth()
    for path in (write_dlc_csv(truth, tmp_path), write_dlc_h5(truth, tmp_path)):
        other = load_dataset(path, source_software="DeepLabCut", fps=FPS)
        pose = read(path)
        np.testing.assert_allclose(pose.position - 0.5, other.position.values[..., 0], atol=1e-9)
        np.testing.assert_allclose(pose.confidence, other.confidence.values[..., 0], atol=1e-9)
        np.testing.assert_allclose(pose.time_s, other.time.values)


@pytest.mark.parametrize("write", [write_dlc_csv, write_dlc_h5])
def test_the_most_complete_of_several_animals(write: Any, tmp_path: Path) -> None:
    truth = random_truth(gaps=0.05)
    mother = elsewhere(truth, 300, 0, 0.4)
    path = write(truth, tmp_path, individuals={"mother": mother, "infant": truth})
    pose = read(path)
    assert_is(pose, truth)
    assert pose.details["individual"] == "infant"
    persons = pose.details["persons"]
    assert persons["max_in_view"] == 2
    assert persons["frames_with_others"] == 12
    assert list(persons["known_keypoints"]) == ["infant", "mother"]
    # Somebody else's track does not fill the gaps of the infant's.
    assert "joined" not in persons


def csv_rows(truth: Truth, **more: Any) -> list[str]:
    return dlc_frame(truth, **more).to_csv().splitlines()


def spoil(rows: list[str], row: int, cell: int, value: str) -> list[str]:
    cells = rows[row].split(",")
    cells[cell] = value
    return [*rows[:row], ",".join(cells), *rows[row + 1 :]]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: r[1:], "the header is not scorer"),
        (lambda r: [r[0], r[2], r[1], *r[3:]], "the header is not scorer"),
        (lambda r: [line.replace(",", ";") for line in r], "save the table with commas"),
        (lambda r: spoil(r, 5, 4, "half"), "row 6, column DLC_resnet50/left_eye/x: 'half'"),
        (lambda r: [*r[:6], r[6][:40]], "row 7 has"),
        (lambda r: [*r[:6], r[6] + ",1"], "row 7 has"),
        (lambda r: spoil(r, 4, 0, "0"), "stands twice"),
        (lambda r: spoil(r, 5, 0, "0"), "follows 1"),
        (lambda r: spoil(r, 5, 0, "2.5"), "2.5 is not a whole number"),
        (lambda r: spoil(r, 5, 0, "labeled-data/clip/img003.png"), "labelled images"),
        (lambda r: spoil(r, 0, 4, "another"), "several scorers: DLC_resnet50, another"),
        (lambda r: spoil(spoil(r, 1, 4, "nose"), 2, 4, "x"), "nose/x stands twice"),
        (lambda r: [r[0], r[1], r[2].replace("x", "u"), *r[3:]], "no coordinates x and y"),
        (lambda r: spoil(r, 8, 0, "99999999"), "frame"),
    ],
)
def test_a_wrong_table_says_where(
    change: Callable[[list[str]], list[str]], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(change(csv_rows(random_truth(n=6)))))
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


def test_a_header_alone_is_empty(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n".join(csv_rows(random_truth(n=6))[:3]))
    assert reason_of(tmp_path / "t.csv")[0] is Reason.POSE_EMPTY


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_text_as_spreadsheets_save_it(encoding: str, tmp_path: Path) -> None:
    truth = random_truth(n=6)
    (tmp_path / "t.csv").write_text("\r\n".join(csv_rows(truth)) + "\r\n", encoding=encoding)
    assert_is(read(tmp_path / "t.csv"), truth)


def test_frames_that_are_left_out_are_missing(tmp_path: Path) -> None:
    truth = random_truth(n=10, gaps=0)
    rows = csv_rows(truth)
    (tmp_path / "t.csv").write_text("\n".join([*rows[:3], *rows[5:8], *rows[9:]]))
    pose = read(tmp_path / "t.csv")
    missing = np.zeros(10, bool)
    missing[[0, 1, 5]] = True
    np.testing.assert_array_equal(np.isnan(pose.position).all(axis=(1, 2)), missing)
    np.testing.assert_allclose(pose.position[~missing], truth.position[~missing])
    assert pose.details["frames_not_listed"] == 3


def test_without_likelihood_what_is_known_is_certain(tmp_path: Path) -> None:
    truth = random_truth()
    for write in (write_dlc_csv, write_dlc_h5):
        pose = read(write(truth, tmp_path, likelihood=False))
        assert_is(pose, truth, confidence=False)
        assert "none in the file" in pose.details["confidence"]


def test_infinite_values_are_missing_and_shares_are_bounded(tmp_path: Path) -> None:
    truth = random_truth(gaps=0)
    table = dlc_frame(truth)
    table.iloc[3, 0] = np.inf
    table.iloc[4, 2] = 1.4
    table.iloc[5, 2] = np.nan
    table.to_csv(tmp_path / "t.csv")
    pose = read(tmp_path / "t.csv")
    assert np.isnan(pose.position[3, :, 0]).all()
    assert pose.confidence[3:6, 0].tolist() == [0, 1, 0]
    assert pose.details["confidence_out_of_range"] == 1


def test_3d_tables_and_further_coordinates(tmp_path: Path) -> None:
    truth = random_truth(gaps=0)
    table = dlc_frame(truth)
    wide = table.rename(columns={"likelihood": "z"}, level="coords")
    wide.to_csv(tmp_path / "t.csv")
    pose = read(tmp_path / "t.csv")
    assert (pose.n_space, pose.units) == (3, "unknown")
    np.testing.assert_allclose(pose.position[:, :2], truth.centred())
    np.testing.assert_allclose(pose.position[:, 2], truth.confidence)
    more = table.copy()
    for name in COCO_17.keypoints:
        more[("DLC_resnet50", name, "x_ens_var")] = 7.0
    more.to_csv(tmp_path / "t.csv")
    assert_is(read(tmp_path / "t.csv"), truth)


class Evil:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["table", "fixed", "root"])
def test_a_malicious_pickle_in_hdf5_is_not_run(place: str, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    path = write_dlc_h5(random_truth(n=4), tmp_path, "fixed" if place == "fixed" else "table")
    bomb = np.bytes_(pickle.dumps(Evil(mark), protocol=0))
    with h5py.File(path, "a") as file:
        group = file["df_with_missing"]
        if place == "table":
            group["table"].attrs["values_block_0_kind"] = bomb
            group.attrs["non_index_axes"] = bomb
        elif place == "fixed":
            group["axis0_level1"].attrs["name"] = bomb
            del group["block0_items_level1"]
        else:
            group.attrs["info"] = bomb
            group.attrs["encoding"] = bomb
    if place == "fixed":
        with tables.open_file(str(path), "a") as store:
            names = store.create_vlarray(
                "/df_with_missing", "block0_items_level1", tables.ObjectAtom()
            )
            names.append(Evil(mark))
    if place == "root":  # nothing that is needed is a pickle: the tracks are read
        read(path)
    else:
        reason, detail = reason_of(path)
        assert reason is Reason.POSE_UNREADABLE
        assert "pickle" in detail or "Python objects" in detail
    assert not mark.exists()
    # The usual reader would have run it: the file is what it seems.
    with contextlib.suppress(Exception):
        pd.read_hdf(path, key="df_with_missing")
    assert mark.exists()


NAMES = st.text(max_size=9) | st.integers(-(2**63), 2**63)


@given(
    st.lists(NAMES | st.lists(NAMES, max_size=4).map(tuple), max_size=9),
    st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_names_in_pickles_are_taken_apart_as_unpickled(value: Any, protocol: int) -> None:
    assert column_names(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("bomb", [laughing_names(60), laughing_names(8000), repeated_names(5000)])
def test_few_bytes_that_stand_for_many_names_are_refused(bomb: bytes, tmp_path: Path) -> None:
    path = write_dlc_h5(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.void(bomb)
    began = time.process_time()
    reason, detail = reason_of(path)
    assert time.process_time() - began < 5
    assert reason is Reason.POSE_UNREADABLE
    assert "pickle" in detail


def test_names_that_are_repeated_are_names() -> None:
    assert column_names(repeated_names(3)) == [(1, 1, 1)] * 3


def test_names_may_be_many_and_long_but_not_without_end() -> None:
    column = ("scorer", "animal", "bodypart", "x")
    most = [column] * (MAX_NAMES // 4)
    assert column_names(pickle.dumps(most)) == most
    for value in (most * 8, ["a" * 2000], [10**100], [(("a",),)], [["a"]], ["a", None], ("a",)):
        with pytest.raises(ValueError, match="pickle"):
            column_names(pickle.dumps(value))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"(lp0\n",
        b"a.",
        b"g7\n.",
        b"t.",
        pickle.dumps(print),
        pickle.dumps({"a": 1}),
        pickle.dumps([1.5]),
        pickle.dumps(np.zeros(2)),
    ],
)
def test_other_pickles_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="pickle"):
        column_names(data)


def link_elsewhere(file: h5py.File, other: Path) -> None:
    file["more"] = h5py.ExternalLink(str(other), "x")


def view_elsewhere(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(other), "x", shape=(4,))
    file.create_virtual_dataset("more", layout)


def store_elsewhere(file: h5py.File, other: Path) -> None:
    file.create_dataset("more", shape=(4,), dtype="f8", external=[(str(other), 0, 32)])


@pytest.mark.parametrize("write", [write_dlc_h5, write_movement])
@pytest.mark.parametrize("point", [link_elsewhere, view_elsewhere, store_elsewhere])
def test_values_in_other_files_are_refused(write: Any, point: Any, tmp_path: Path) -> None:
    path = write(random_truth(n=4), tmp_path)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = np.arange(4.0)
    read(path)
    with h5py.File(path, "a") as file:
        point(file, tmp_path / "other.h5")
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert "points to another file at 'more'" in detail


@pytest.mark.parametrize("write", [write_dlc_h5, write_movement])
def test_few_bytes_that_unpack_to_many_are_refused_unread(write: Any, tmp_path: Path) -> None:
    path = write(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        file.create_dataset("zeros", shape=(10**12,), chunks=(1000,), dtype="f8")
    assert path.stat().st_size < 1_000_000
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert "is this one recording?" in detail


@pytest.mark.parametrize(
    ("n", "keypoints", "said"),
    [
        (28_000_000, 17, "bytes, more than"),
        (2_000_000, 17, "bytes, more than"),
        (5_000_000, 1, "5000000 frames"),
    ],
)
def test_many_frames_in_few_bytes_are_refused_unread(
    n: int, keypoints: int, said: str, tmp_path: Path
) -> None:
    path = declared_frames(tmp_path / "a.nc", n, keypoints)
    assert path.stat().st_size < 20_000
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert said in detail
    assert read(declared_frames(tmp_path / "b.nc", 1000)).n_frames == 1000


@pytest.mark.parametrize(
    ("blocks", "rows", "one", "said"),
    [
        (40, 1_000_000, False, "bytes, more than"),
        (40, 1_000_000, True, "bytes, more than"),
        (200, 10, False, "200 blocks"),
        (1, 5_000_000, False, "5000000 frames"),
    ],
)
def test_many_blocks_in_few_bytes_are_refused_unread(
    blocks: int, rows: int, one: bool, said: str, tmp_path: Path
) -> None:
    path = declared_blocks(tmp_path / "a.h5", blocks, rows, one=one)
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert said in detail


@pytest.mark.parametrize("shape", [(1, 2, 1, 5_000_000), (1, 2, 17, 4_000_000)])
def test_many_frames_of_sleap_are_refused_unread(shape: tuple[int, ...], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        chunks = (*shape[:3], 100_000)
        file.create_dataset("tracks", shape, "f4", chunks=chunks, compression="gzip")
        file["node_names"] = np.array([b"nose"] * shape[2])
    reason, detail = reason_of(tmp_path / "a.h5")
    assert reason is Reason.POSE_UNREADABLE
    assert "is this one recording?" in detail


def test_pictures_in_a_package_of_labels_do_not_count(tmp_path: Path) -> None:
    path = write_slp(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        file.create_dataset("video0/video", (10**9,), "i1", chunks=(10**6,), compression="gzip")
    assert read(path).n_frames == 4
    with h5py.File(path, "a") as file:
        del file["frames"]
        file.create_dataset("frames", (10**7,), "i1", chunks=(10**6,), compression="gzip")
    assert "10000000 frames" in reason_of(path)[1]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda g: g.attrs.__setitem__("pandas_type", "series"), "no variable"),
        (lambda g: g.__delitem__("table"), "table"),
        (lambda g: g["table"].attrs.__delitem__("values_block_0_kind"), "values_block_0_kind"),
        (
            lambda g: g["table"].attrs.__setitem__(
                "values_block_0_kind", np.bytes_(pickle.dumps([("a", "b", "x")], 0))
            ),
            "1 names for",
        ),
        (
            lambda g: g["table"].attrs.__setitem__(
                "values_block_0_kind", np.bytes_(pickle.dumps(["a"], 0))
            ),
            "one name each",
        ),
    ],
)
def test_another_store_is_a_reason(change: Any, what: str, tmp_path: Path) -> None:
    path = write_dlc_h5(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        change(file["df_with_missing"])
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


# ---------------------------------------------------------------------------------- SLEAP


def test_sleap_tracks_that_continue_each_other_are_joined(tmp_path: Path) -> None:
    truth = random_truth(n=40, gaps=0.05)
    parts = {}
    for name, frames in {
        "track_0": slice(0, 12),
        "track_3": slice(14, 25),
        "t9": slice(26, 40),
    }.items():
        position = np.full_like(truth.position, np.nan)
        position[frames] = truth.position[frames]
        parts[name] = replace(truth, position=position)
    parts["mother"] = elsewhere(truth, 900, 0, 0.3)
    pose = read(write_slp(truth, tmp_path, parts))
    expected = truth.position.copy()
    expected[[12, 13, 25]] = np.nan
    np.testing.assert_allclose(pose.position, expected, atol=1e-9)
    assert pose.details["persons"]["joined"] == 2
    assert pose.details["persons"]["frames_joined"] == 12 + 11


def test_what_a_person_placed_wins_over_a_prediction(tmp_path: Path) -> None:
    import sleap_io as sio

    truth = random_truth(n=6, gaps=0)
    labels = sleap_labels(truth)
    moved = truth.centred()[2].T + 9
    labels.labeled_frames[2].instances.append(
        sio.Instance.from_numpy(moved, skeleton=labels.skeletons[0])
    )
    sio.save_slp(labels, str(tmp_path / "t.slp"), embed=False, verbose=False)
    pose = read(tmp_path / "t.slp")
    np.testing.assert_allclose(pose.position[2], truth.position[2] + 9)
    assert (pose.confidence[2] == 1).all()
    assert pose.details["placed_by_hand"] == 1
    np.testing.assert_allclose(pose.position[3], truth.position[3])


@pytest.mark.parametrize("missing", ["frames", "instances", "pred_points", "metadata"])
def test_sleap_files_without_a_table(missing: str, tmp_path: Path) -> None:
    path = write_slp(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        del file[missing]
    assert reason_of(path)[0] is Reason.POSE_UNREADABLE


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: f["tracks"].attrs.__setitem__("dims", '["a", "b"]'), "axes (a, b)"),
        (lambda f: f.__delitem__("node_names"), "position"),
        (
            lambda f: f.move("point_scores", "x") or f.create_dataset("point_scores", data=[[1.0]]),
            "shape",
        ),
    ],
)
def test_another_analysis_file_is_a_reason(change: Any, what: str, tmp_path: Path) -> None:
    path = FORMATS["SLEAP analysis h5"].write(random_truth(n=4), tmp_path)
    with h5py.File(path, "a") as file:
        change(file)
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


# ---------------------------------------------------------------------------------- OpenPose


def test_persons_without_names_are_linked_by_distance(tmp_path: Path) -> None:
    truth = random_truth(OPENPOSE_25, n=40)
    nurse = elsewhere(truth, 500, 100, 0.5)
    hand = Truth(
        np.where(np.arange(25)[None, None] < 6, elsewhere(truth, 0, 0, 1.0, 5).position, np.nan),
        np.where(np.arange(25)[None] < 6, 0.9, 0.0) * np.ones((40, 1)),
        OPENPOSE_25,
    )
    # The others stand in front of the infant in the list, though not always.
    pose = read(write_openpose(truth, tmp_path, [nurse, hand]))
    np.testing.assert_allclose(pose.position, truth.position, atol=1e-4)
    persons = pose.details["persons"]
    assert persons["linked_by"] == "distance"
    assert persons["max_in_view"] == 3
    assert persons["share_with_others"] == 1.0
    assert persons["others_by_second"] == [1.0, 1.0]


def test_who_else_is_in_view_is_told_by_the_second(tmp_path: Path) -> None:
    truth = random_truth(OPENPOSE_25, n=100, gaps=0)
    away = elsewhere(truth, 500, 100, 1.0)
    nurse = Truth(away.position.copy(), away.confidence, OPENPOSE_25)
    nurse.position[30:] = np.nan
    # The infant found twice, and two keypoints by themselves, are nobody else.
    twice = Truth(truth.position + 3.0, 0.5 * truth.confidence, OPENPOSE_25)
    twice.position[:60] = np.nan
    specks = Truth(away.position.copy(), away.confidence, OPENPOSE_25)
    specks.position[:60], specks.position[..., 2:] = np.nan, np.nan
    pose = read(write_openpose(truth, tmp_path, [nurse, twice, specks]))
    np.testing.assert_allclose(pose.position, truth.position, atol=1e-4)
    persons = pose.details["persons"]
    assert persons["known"]
    assert persons["max_in_view"] == 2
    assert persons["frames_with_others"] == 30
    assert persons["others_by_second"] == [1.0, 0.2, 0.0, 0.0]
    alone = read(write_openpose_zip(truth, tmp_path))
    assert alone.details["persons"]["known"] is False


def openpose(tmp_path: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> Path:
    folder = tmp_path / "op"
    folder.mkdir()
    for name, text in change(openpose_files(random_truth(OPENPOSE_25, 8, gaps=0))).items():
        (folder / name).write_text(text)
    return folder


def person(values: Any) -> str:
    return json.dumps({"people": [{"pose_keypoints_2d": values}]})


NAME = "clip7_{:012d}_keypoints.json"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: f | {NAME.format(3): "{"}, "not whole JSON"),
        (lambda f: f | {NAME.format(3): "[]"}, "frame 3 has no list 'people'"),
        (lambda f: f | {NAME.format(3): '{"people": {}}'}, "frame 3 has no list 'people'"),
        (lambda f: f | {NAME.format(3): '{"people": [{}]}'}, "no 'pose_keypoints_2d'"),
        (lambda f: f | {NAME.format(3): person([1, 2, 0.5] * 18)}, "18 keypoints, others have 25"),
        (lambda f: f | {NAME.format(3): person([1, 2])}, "has 2 values"),
        (lambda f: f | {NAME.format(3): person(["a", "b", "c"])}, "no list of numbers"),
        (lambda f: f | {"other_" + NAME.format(3): person([])}, "two files for frame 3"),
        (lambda f: {k: person([0.2, 0.3, 0.5] * 25) for k in f}, "--keypoint_scale 0"),
        (lambda f: {k: person([9, 3, 0.5] * 15) for k in f}, "15 keypoints a person"),
    ],
)
def test_a_wrong_folder_says_where(change: Any, what: str, tmp_path: Path) -> None:
    reason, detail = reason_of(openpose(tmp_path, change))
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


def test_frames_without_people_and_without_files_are_missing(tmp_path: Path) -> None:
    def change(files: dict[str, str]) -> dict[str, str]:
        files[NAME.format(2)] = '{"people": []}'
        files[NAME.format(4)] = person([])  # a face alone
        del files[NAME.format(6)]
        return files | {"notes.json": "x", ".hidden": "y"}

    pose = read(openpose(tmp_path, change))
    missing = np.isnan(pose.position).all(axis=(1, 2))
    assert np.flatnonzero(missing).tolist() == [2, 4, 6]
    assert pose.n_frames == 8
    assert pose.details["frames_not_listed"] == 1


def test_archives(tmp_path: Path) -> None:
    truth = random_truth(OPENPOSE_25, 5)
    path = write_openpose_zip(truth, tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/json/._" + NAME.format(0), "x")
    np.testing.assert_allclose(read(path).position, truth.position, atol=1e-4)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("second/" + NAME.format(99), "{}")
    assert "2 folders" in reason_of(path)[1]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME.format(0), b" " * 6_000_000)
    assert "more than" in reason_of(path)[1]


# ---------------------------------------------------------------------------------- COCO


def test_annotated_frames_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    truth = random_truth(n=12)
    content = coco_annotations(truth)
    order = np.random.default_rng(0).permutation(12)
    content["images"] = [
        {**content["images"][i], "id": int(7000 + 13 * order[i])} for i in range(12)
    ]
    for a in content["annotations"]:
        a["image_id"] = int(7000 + 13 * order[a["image_id"] - 100])
    np.random.default_rng(1).shuffle(content["annotations"])
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert_is(read(tmp_path / "a.json"), truth, confidence=False)


def annotations(change: Callable[[dict[str, Any]], Any]) -> Any:
    content = coco_annotations(random_truth(n=6, gaps=0))
    return change(content) or content


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: {"a": 1}, "neither a list of persons nor"),
        (lambda c: c.__delitem__("images"), "neither a list of persons nor"),
        (lambda c: c["annotations"][1].__delitem__("keypoints"), "person 2 of the list has no"),
        (lambda c: c["annotations"][1].__setitem__("image_id", 5), "image 5, which is not among"),
        (lambda c: c["annotations"][2].__setitem__("keypoints", [1, 2, 2]), "1 keypoints, others"),
        (lambda c: c["annotations"][2].__setitem__("keypoints", None), "values, not three"),
        (lambda c: c["annotations"][2].__setitem__("keypoints", {"a": 1}), "no list of numbers"),
        (lambda c: c["categories"].append({"keypoints": ["a"]}), "2 categories"),
        (lambda c: [i.update(id="x", file_name="y") for i in c["images"]] and None, "put in order"),
        (lambda c: c["images"].append({}), "no 'id'"),
        (lambda c: [{"image_id": "nobody", "keypoints": [1.0] * 51}], "no frame number"),
        (lambda c: [{"image_id": 1, "keypoints": [1.0] * 27}], "9 keypoints without names"),
        (lambda c: [{"image_id": i, "keypoints": [9.0] * 51} for i in (0, 10**12)], "numbered"),
        (lambda c: [3, 4], "person 1 of the list"),
        (lambda c: 7, "neither a list"),
    ],
)
def test_wrong_annotations_say_where(change: Any, what: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(annotations(change)))
    reason, detail = reason_of(path)
    assert reason is Reason.POSE_UNREADABLE
    assert what in detail


def test_an_empty_list_of_persons(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    assert reason_of(tmp_path / "a.json")[0] is Reason.POSE_EMPTY


def test_frames_without_a_person_are_missing_in_results(tmp_path: Path) -> None:
    truth = random_truth(n=10, gaps=0)
    people = json.loads(write_coco_results(truth, tmp_path).read_text())
    del people[3:5]
    (tmp_path / "results.json").write_text(json.dumps(people))
    pose = read(tmp_path / "results.json")
    assert np.flatnonzero(np.isnan(pose.position).all(axis=(1, 2))).tolist() == [3, 4]
    # Identifiers far from zero do not count from the first frame.
    for p in people:
        p["image_id"] += 397_000
    (tmp_path / "results.json").write_text(json.dumps(people))
    other = read(tmp_path / "results.json")
    np.testing.assert_array_equal(other.position, pose.position)
    assert other.details["first_frame_number"] == 397_000


def test_alphapose_numbers_that_change_and_its_larger_scores(tmp_path: Path) -> None:
    truth = random_truth(HALPE_26, n=30, gaps=0.05)
    people = alphapose_people(truth)
    for p in people[17:]:
        p["idx"] = 4
    people[5]["keypoints"][2] = 3.5
    other = alphapose_people(elsewhere(truth, 700, 0, 0.4))
    for p in other:
        p["idx"] = 2
    (tmp_path / "a.json").write_text(json.dumps(other + people))
    pose = read(tmp_path / "a.json")
    assert pose.details["format"] == "alphapose"
    assert pose.skeleton == "halpe26"
    np.testing.assert_allclose(pose.position, truth.position, atol=1e-9)
    assert pose.confidence[5, 0] == 1
    assert pose.details["confidence_out_of_range"] == 1
    assert pose.details["persons"]["joined"] == 1


def test_a_person_twice_in_a_frame_is_counted(tmp_path: Path) -> None:
    truth = random_truth(n=8, gaps=0)
    people = alphapose_people(truth)
    weak = json.loads(json.dumps(people[3]))
    weak["keypoints"] = [v + 2 if i % 3 < 2 else 0.01 for i, v in enumerate(weak["keypoints"])]
    (tmp_path / "a.json").write_text(json.dumps([weak, *people]))
    pose = read(tmp_path / "a.json")
    np.testing.assert_allclose(pose.position, truth.position)
    assert pose.details["persons"]["named_twice_in_a_frame"] == 1


def test_annotations_that_share_a_layout_with_results(tmp_path: Path) -> None:
    # Without names of keypoints their number tells.
    truth = random_truth(n=5)
    content = coco_annotations(truth)
    del content["categories"]
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert_is(read(tmp_path / "a.json"), truth, confidence=False)
    assert read(write_coco_annotations(truth, tmp_path)).details["every_frame"] is True


def crowd(n: int, folder: Path) -> Path:
    person = alphapose_people(random_truth(n=1))[0]
    people = [{**person, "image_id": f"{t}.jpg"} for t in range(2) for _ in range(n)]
    for one in people:
        del one["idx"]
    (folder / "crowd.json").write_text(json.dumps(people))
    return folder / "crowd.json"


def test_a_crowd_is_no_recording(tmp_path: Path) -> None:
    """Everybody in a frame is compared with everybody in the one before."""
    assert read(crowd(MAX_PERSONS, tmp_path)).n_frames == 2
    with pytest.raises(NotAssessable, match=f"{MAX_PERSONS + 1} persons") as caught:
        read(crowd(MAX_PERSONS + 1, tmp_path))
    assert caught.value.reason is Reason.POSE_UNREADABLE


def wide(n: int, folder: Path) -> Path:
    parts = [f"p{k}" for k in range(n) for _ in range(3)]
    rows = (
        ["scorer", *["s"] * len(parts)],
        ["bodyparts", *parts],
        ["coords", *["x", "y", "likelihood"] * n],
        ["0", *["1"] * len(parts)],
    )
    (folder / "wide.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    return folder / "wide.csv"


def test_keypoints_without_end_take_little_memory(tmp_path: Path) -> None:
    """What could be derived of n of them is asked with n numbers for each, and not n times n."""
    n = 500
    tracemalloc.start()
    try:
        weights, missing = conversion_matrix([f"p{k}" for k in range(n)], BODY_21)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (weights.shape, len(missing)) == ((len(BODY_21.keypoints), n), len(BODY_21.keypoints))
    assert most < 5 * 8 * n**2
    with pytest.raises(NotAssessable, match=f"{MAX_KEYPOINTS + 1} keypoints, more than") as caught:
        read(wide(MAX_KEYPOINTS + 1, tmp_path))
    assert caught.value.reason is Reason.SKELETON_MISMATCH


def test_names_in_a_file_come_as_text_that_can_be_written(tmp_path: Path) -> None:
    """Half a pair cannot, a name may drive a terminal, and be longer than any name."""
    people = alphapose_people(random_truth(n=20))
    for name, told in (
        ("\ud800", "\ufffd"),
        ("\x1b[2J\u202e", "\ufffd[2J\ufffd"),
        ("A" * 10**6, None),
    ):
        path = tmp_path / "people.json"
        path.write_text(json.dumps([{**one, "idx": name} for one in people]))
        pose = read(path)
        assert pose.details["individual"] == told or len(pose.details["individual"]) == 100
        write_pose(tmp_path / "pose.h5", pose, Provenance(recording="a"))
        assert read_pose(tmp_path / "pose.h5").details == pose.details


def test_a_tracker_that_gives_a_new_name_in_every_frame(tmp_path: Path) -> None:
    truth = random_truth(n=3000)
    people = alphapose_people(truth)
    for k, one in enumerate(people):
        one["idx"] = k
    path = tmp_path / "people.json"
    path.write_text(json.dumps(people))
    began = time.process_time()
    pose = read(path)
    assert time.process_time() - began < 20
    assert pose.n_frames == 3000
