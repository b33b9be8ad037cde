"""Corrections by hand: what a person says wins, and mistakes are told with their rows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.config.cleaning import CleaningConfig
from fidgety.errors import FidgetyError, NotAssessable, Reason
from fidgety.pose import corrections_table
from fidgety.pose.cleaning import clean
from fidgety.pose.corrections import Correction, Corrections, place_corrections, require_inside
from fidgety.pose.corrections_files import find_corrections
from fidgety.pose.corrections_table import (
    MAX_BYTES,
    MAX_CORRECTIONS,
    differences,
    load_corrections,
    parse_corrections,
    pose_keypoints,
    read_corrections,
    row_of,
    table_text,
    write_corrections,
)
from fidgety.pose.lifting import derived_origin
from fidgety.pose.swaps import partners
from fidgety.pose.tracks import Origin, Pose
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17
from fidgety.storage import Provenance
from fidgety.tables import Findings
from fidgety.text import control_in
from fidgety.video.record import VideoRecord, write_video_record
from tests.pose.infant import infant_pose
from workflow_scripts.clean_pose import checked_corrections
from workflow_scripts.stage import Job

CONFIG = CleaningConfig()
WRIST = BLAZEPOSE_33.index("left_wrist")


@pytest.fixture(scope="module")
def pose() -> Pose:
    made = infant_pose(12.0)
    rng = np.random.default_rng(3)
    # Jitter above the threshold of smoothing, so that every filter is at work.
    return replace(made, position=made.position + rng.normal(0, 5.0, made.position.shape))


def put(*places: tuple[int, str, float, float]) -> Corrections:
    """Return corrections that set positions."""
    return Corrections(
        tuple(Correction(None, k, "set", frame=t, x=x, y=y) for t, k, x, y in places)
    )


def gone(keypoint: str, start: int, stop: int) -> Corrections:
    """Return corrections that take a stretch of a keypoint out."""
    return Corrections(
        tuple(Correction(None, keypoint, "missing", frame=t) for t in range(start, stop))
    )


def test_a_value_placed_by_hand_is_kept_to_the_bit_however_wild(pose: Pose) -> None:
    raw = replace(pose, confidence=np.where(np.arange(33) == WRIST, 0.0, pose.confidence))
    assert clean(raw, CONFIG, however_sparse=True).pose.origin[100, WRIST] == Origin.MISSING
    for base in (pose, raw):
        out = clean(base, CONFIG, put((100, "left_wrist", 5.25, 7.75), (101, "left_wrist", 6, 8)))
        assert out.pose.position[100, :, WRIST].tolist() == [5.25, 7.75]
        assert out.pose.position[101, :, WRIST].tolist() == [6.0, 8.0]
        assert (out.pose.origin[100:102, WRIST] == Origin.MANUAL).all()
        assert (out.pose.confidence[100:102, WRIST] == 1.0).all()
        shares = out.pose.details["cleaning"]["shares"]
        assert shares["manual"] == pytest.approx(2 / out.pose.origin.size)
        assert out.pose.details["cleaning"]["corrections"]["set"] == 2
    # What is smoothed beside it proves that the filter was on.
    assert "left_elbow" in out.pose.details["cleaning"]["smoothed"]


def test_without_corrections_nothing_changes(pose: Pose) -> None:
    a, b = clean(pose, CONFIG), clean(pose, CONFIG, Corrections())
    np.testing.assert_array_equal(a.pose.position, b.pose.position)
    np.testing.assert_array_equal(a.pose.origin, b.pose.origin)
    assert a.pose.details == b.pose.details


def test_a_value_taken_out_is_a_gap_like_any_other(pose: Pose) -> None:
    short = clean(pose, CONFIG, gone("left_wrist", 100, 103)).pose
    assert (short.origin[100:103, WRIST] == Origin.IMPUTED).all()
    assert (short.confidence[100:103, WRIST] == 0).all()
    long = clean(pose, CONFIG, gone("left_wrist", 100, 150)).pose
    assert (long.origin[100:150, WRIST] == Origin.MISSING).all()
    assert np.isnan(long.position[100:150, :, WRIST]).all()


def test_hand_placed_values_bound_gaps(pose: Pose) -> None:
    truth = infant_pose(12.0).position[:, :, WRIST]
    holed = pose.position.copy()
    holed[100:130, :, WRIST] = np.nan
    raw = replace(pose, position=holed)
    assert (clean(raw, CONFIG).pose.origin[100:130, WRIST] == Origin.MISSING).all()
    marks = [(t, "left_wrist", *truth[t]) for t in (108, 115, 122)]
    out = clean(raw, CONFIG, put(*marks)).pose
    imputed = [t for t in range(100, 130) if t not in (108, 115, 122)]
    assert (out.origin[imputed, WRIST] == Origin.IMPUTED).all()
    error = np.linalg.norm(out.position[100:130, :, WRIST] - truth[100:130], axis=1)
    assert np.median(error) < 10.0


def test_the_other_end_of_an_impossible_bone_takes_the_blame(pose: Pose) -> None:
    # A person points at the wrist far away; the tracker's hand beside the old place must go.
    x, y = pose.position[100, :, WRIST] + (400.0, 0.0)
    out = clean(pose, CONFIG, put((100, "left_wrist", x, y)))
    assert out.pose.origin[100, WRIST] == Origin.MANUAL
    assert not out.findings["bone"][:, WRIST][100]
    assert out.findings["bone"][100].any()


def test_sides_are_those_that_a_person_saw(pose: Pose) -> None:
    swapped = pose.position.copy()
    swapped[100:150] = swapped[100:150][:, :, partners(pose.keypoints)]
    raw = replace(pose, position=swapped)
    plain = clean(raw, CONFIG)
    assert plain.findings["swap"][120, WRIST]
    out = clean(raw, CONFIG, put((120, "left_wrist", 11.0, 12.0)))
    right = BLAZEPOSE_33.index("right_wrist")
    assert out.pose.position[120, :, WRIST].tolist() == [11.0, 12.0]
    assert out.pose.origin[120, WRIST] == Origin.MANUAL
    assert out.pose.origin[120, right] == Origin.CORRECTED
    np.testing.assert_array_equal(out.findings["swap"], plain.findings["swap"])


def test_nobody_pointed_in_3d(pose: Pose) -> None:
    few = clean(pose, CONFIG, put((100, "left_wrist", 11.0, 12.0)))
    assert few.world_origin is not None
    assert few.world_origin[100, WRIST] == Origin.IMPUTED
    assert np.isfinite(few.pose.world[100, :, WRIST]).all()
    many = clean(pose, CONFIG, put(*((t, "left_wrist", 11.0, 12.0) for t in range(100, 140))))
    assert (many.world_origin[100:140, WRIST] == Origin.MISSING).all()


def test_a_derived_keypoint_keeps_the_mark_of_a_hand() -> None:
    origin = np.full((3, 33), Origin.MEASURED, dtype=np.uint8)
    hip = BLAZEPOSE_33.index("left_hip")
    origin[1, hip], origin[2, hip] = Origin.MANUAL, Origin.MISSING
    out = derived_origin(origin, BLAZEPOSE_33.keypoints, HUMAN36M_17.keypoints)
    pelvis = HUMAN36M_17.index("pelvis")
    assert out[:, pelvis].tolist() == [Origin.MEASURED, Origin.MANUAL, Origin.MISSING]


def test_corrections_rescue_a_pose_that_is_too_sparse(pose: Pose) -> None:
    config = CONFIG.model_copy(update={"max_missing": 0.0})
    holed = pose.position.copy()
    holed[100:130, :, WRIST] = np.nan
    raw = replace(pose, position=holed)
    with pytest.raises(NotAssessable, match="pose_too_sparse"):
        clean(raw, config)
    assert clean(raw, config, however_sparse=True).pose.n_frames == raw.n_frames
    clean(raw, config, put(*((t, "left_wrist", 300.0 + t, 300.0) for t in range(100, 130))))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Correction(5, "left_wrst", "missing", frame=3), "row 5: no keypoint 'left_wrst'"),
        (Correction(5, "nose", "missing", frame=300), "frame 300 is outside .* 0 to 299"),
        (Correction(5, "nose", "missing", frame=3, time_s=9.0), "is at 0.12 s, not at 9 s"),
        (Correction(5, "nose", "missing", time_s=90.0), "no frame at 90 s"),
    ],
)
def test_what_does_not_fit_the_pose_is_recorded(pose: Pose, entry: Correction, words: str) -> None:
    with pytest.raises(NotAssessable, match=words) as caught:
        place_corrections(Corrections((entry,)), pose)
    assert caught.value.reason is Reason.CORRECTIONS_INVALID


def test_all_that_does_not_fit_is_told_at_once(pose: Pose) -> None:
    wrong = Correction(2, "left_wrst", "missing", frame=3)
    twice = [Correction(k, "nose", "missing", time_s=0.2) for k in (3, 4)]
    with pytest.raises(NotAssessable) as caught:
        place_corrections(Corrections((wrong, *twice)), pose)
    assert "'left_wrist'" in caught.value.detail
    assert "row 4: nose in frame 5 is corrected in row 3 already" in caught.value.detail
    flat = replace(pose, position=np.zeros((300, 3, 33)), world=None)
    with pytest.raises(NotAssessable, match="2D positions"):
        place_corrections(Corrections((wrong,)), flat)


def test_places_outside_the_picture_are_slips() -> None:
    require_inside(put((1, "nose", 0.0, 0.0), (2, "nose", 320.0, 240.0)), 320, 240)
    require_inside(gone("nose", 3, 5), 320, 240)
    slips = put((1, "nose", 5.0, 6.0), (2, "nose", 4305.0, 6.0), (3, "nose", 5.0, -1.0))
    with pytest.raises(NotAssessable, match=r"x 4305, y 6 is outside .* 320 x 240") as caught:
        require_inside(slips, 320, 240)
    assert caught.value.reason is Reason.CORRECTIONS_INVALID
    assert "y -1" in caught.value.detail
    assert "x 5, y 6" not in caught.value.detail


TABLE = """frame,time_s,keypoint,x,y,action,rater,note,present_x,present_y
3,0.12,nose,10.5,20.25,set,AB,"hidden, then seen",11,20.25
4,,left_wrist,,,missing,,,,
5,0.2,left_wrist,7.000,8.000,,,low confidence,7.000,8.000
,0.28,nose,1e1,2,SET,,,,
"""


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_write_them(separator: str, mark: str) -> None:
    text = TABLE
    if separator != ",":
        text = text.replace('"hidden, then seen"', "hidden").replace(",", separator)
        text = text.replace("20.25", "20,25").replace("0.12", "0,12")
    findings = Findings()
    read = parse_corrections(text.replace("\n", "\r\n").encode(mark), "t.csv", findings)
    assert findings.lines() == []
    assert read.untouched == 1
    first, second, third = read.entries
    assert (first.frame, first.time_s, first.x, first.y) == (3, 0.12, 10.5, 20.25)
    assert (first.row, first.rater, first.action) == (2, "AB", "set")
    assert (second.action, second.x, second.frame) == ("missing", None, 4)
    assert (third.frame, third.time_s, third.x) == (None, 0.28, 10.0)


def test_every_mistake_is_told_with_its_row() -> None:
    rows = {
        "frame,keypoint,x,y,action,present_x,present_y": "",
        "3,nose,1,2,st,,": "row 2: column action: 'st': is not 'set' or 'missing'",
        "4,nose,a,2,set,,": "row 3: column x: 'a': is not a number",
        '5,nose,"1,5",2,set,,': "row 4: column x: '1,5': has a decimal comma; write 1.5",
        "6,nose,,2,set,,": "row 5: column x: is empty; 'set' needs both",
        "7,nose,1,2,missing,,": "row 6: column action: 'missing': stands beside a new position",
        "8.5,nose,1,2,set,,": "row 7: column frame: '8.5': is not a whole number",
        "-1,nose,1,2,set,,": "row 8: column frame: '-1': is not a whole number",
        ",nose,1,2,set,,": "row 9: column frame: is empty, and so is time_s",
        "9,,1,2,set,,": "row 10: column keypoint: is empty",
        "10,nose,1,2,set,,": "",
        "10,nose,3,4,set,,": "row 12: column keypoint: 'nose': is corrected at frame 10 in row 11",
        "11,nose,5,6,,1,2": "row 13: column action: is empty, but x and y are not the present",
        "12,nose,inf,6,set,,": "row 14: column x: 'inf': is not a finite number",
        "13,nose,1,2,set,,,,,9": "row 15: has 10 cells for 7 columns",
        "14,nose,1,2,missing,1,2": "",
    }
    findings = Findings()
    parse_corrections("\n".join(rows).encode(), "t.csv", findings)
    lines = findings.lines()
    wanted = [w for w in rows.values() if w]
    assert len(lines) == len(wanted), lines
    for line, words in zip(lines, wanted, strict=True):
        assert line.startswith("t.csv: " + words), line


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "workbook"),
        (b"frame,keypont,x,y,action\n", "'keypoint'"),
        (b"keypoint,x,y,action\n", "so is time_s"),
        (b"frame,frame,keypoint,x,y,action\n", "twice"),
    ],
)
def test_files_that_are_no_table_of_corrections(data: bytes, words: str) -> None:
    findings = Findings()
    parse_corrections(data, "t.csv", findings)
    assert any(words in line for line in findings.lines()), findings.lines()


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 9999),
            st.sampled_from(BLAZEPOSE_33.keypoints),
            st.none() | st.tuples(*[st.integers(-(10**6), 10**6)] * 2),
            st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
        ),
        max_size=8,
        unique_by=lambda e: e[:2],
    )
)
def test_what_is_written_is_read(given: list[tuple[int, str, tuple[int, int] | None, str]]) -> None:
    entries = tuple(
        Correction(
            k,
            name,
            "missing" if at is None else "set",
            frame=frame,
            x=None if at is None else at[0] / 1000,
            y=None if at is None else at[1] / 1000,
            note=note.strip(),
        )
        for k, (frame, name, at, note) in enumerate(given, 2)
    )
    findings = Findings()
    text = table_text(row_of(e) for e in entries)
    read = parse_corrections(text.encode(), "t.csv", findings)
    assert findings.lines() == []
    assert read.entries == entries


def test_an_edited_file_is_read_by_its_differences(pose: Pose, tmp_path: Path) -> None:
    reviewed = pose.position.copy()
    reviewed[7, :, 0] = np.nan
    edited = reviewed.astype(np.float32).astype(float)
    edited[3, :, WRIST] += (4.0, -1.0)
    edited[7, :, 0] = (10.0, 20.0)
    edited[9, :, 2] = np.nan
    found = differences(edited, reviewed, pose.keypoints)
    assert [(e.frame, e.keypoint, e.action) for e in found] == [
        (3, "left_wrist", "set"),
        (7, "nose", "set"),
        (9, pose.keypoints[2], "missing"),
    ]
    # From the centre of the first pixel to its corner.
    assert (found[1].x, found[1].y) == (10.5, 20.5)
    dims = ("time", "space", "keypoints", "individuals")
    data = xr.Dataset(
        {"position": (dims, edited[..., None]), "reviewed": (dims, reviewed[..., None])},
        coords={"keypoints": list(pose.keypoints), "space": ["x", "y"]},
    )
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert list(load_corrections(tmp_path / "a.nc").entries) == found
    data.drop_vars("reviewed").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    (tmp_path / "c.nc").write_text("no netCDF")
    for name, words in (("b", "no variable reviewed"), ("c", "cannot be read")):
        findings = Findings()
        assert read_corrections(tmp_path / f"{name}.nc", findings).entries == ()
        assert words in findings.lines()[0]
    with pytest.raises(NotAssessable, match="corrections_invalid"):
        load_corrections(tmp_path / "b.nc")
    assert load_corrections(None) == Corrections()


def told(path: Path) -> str:
    findings = Findings()
    assert read_corrections(path, findings) == Corrections()
    lines = findings.lines()
    assert lines
    assert all(line.startswith(f"{path}: ") for line in lines)
    return " ".join(lines)


def test_an_edited_file_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros((2, 2, 1))
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["position"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
        file["reviewed"] = np.zeros((2, 2, 1))
    assert "points to another file at 'position'" in told(tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("frames", "keypoints", "said"), [(10**8, 5, "bytes, more than"), (5_000_000, 1, "frames")]
)
def test_an_edited_file_of_many_frames_is_refused_unread(
    frames: int, keypoints: int, said: str, tmp_path: Path
) -> None:
    with h5netcdf.File(tmp_path / "a.nc", "w") as file:
        file.dimensions = {"time": frames, "space": 2, "keypoint": keypoints}
        for name in ("position", "reviewed"):
            chunks = (100_000, 2, keypoints)
            file.create_variable(name, ("time", "space", "keypoint"), "i1", chunks=chunks)
    assert (tmp_path / "a.nc").stat().st_size < 20_000
    assert said in told(tmp_path / "a.nc")


def test_an_edited_file_of_other_things_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    dims = ("time", "space", "keypoints")
    values = {name: (dims, np.zeros((3, 2, 1))) for name in ("position", "reviewed")}
    named = {"keypoints": ["nose"]}
    for data, said in (
        (xr.Dataset(values), "does not name its keypoints"),
        (
            xr.Dataset(values | {"position": (dims, np.full((3, 2, 1), "a"))}, named),
            "cannot be read",
        ),
        (xr.Dataset(values | {"position": ((), 1.0)}, named), "dimensions"),
    ):
        data.to_netcdf(path, engine="h5netcdf")
        assert said in told(path)
    with h5py.File(path, "w") as file:
        file.create_group("position")
        file["reviewed"] = 1
    assert "cannot be read" in told(path)


def test_more_differences_than_hands_make_are_refused() -> None:
    there = np.zeros((MAX_CORRECTIONS + 1, 2, 1))
    with pytest.raises(FidgetyError, match="is it the right file"):
        differences(there + 1, there, ("nose",))


def test_a_table_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("frame,keypoint,x,y,action\n99999999999999999999,nose,,,missing\n")
    assert "row 2: column frame: '99999999999999999999': is larger than" in told(path)
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "is it the right file?" in told(path)
    path.write_text(",".join(f"x{k}" for k in range(100_000)) + "\n")
    assert "has 100000 columns" in told(path)


def test_controls_in_a_table_are_refused_and_not_shown() -> None:
    header = "frame,keypoint,x,y,action,rater,note\n"
    good = "1,nose,2,3,set,Anna,fine\n"
    for bad, said in (
        ("2,nose,2,3,set,\x1b[2J\u202eAnna,\n", "row 3: column rater: "),
        ("2,nose,2,3,set,Anna,\x07\n", "row 3: column note: "),
        ("2,no\x1bse,2,3,set,Anna,\n", "row 3: column keypoint: "),
    ):
        findings = Findings()
        parse_corrections((header + good + bad).encode(), "a.csv", findings)
        assert len(findings) == 1
        assert findings.lines()[0].startswith(f"a.csv: {said}")
        assert "which is no text; type it anew." in findings.lines()[0]
    findings = Findings()
    parse_corrections(('\x1b]0owned\x07,"a\n\rb",' + header + good).encode(), "a.csv", findings)
    told = "\n".join(findings.lines())
    assert "holds U+001B, which is no text; type the name anew." in told
    assert control_in(told) is None
    assert "\r" not in told
    assert "column a b: no such column." in told


def test_rows_of_a_table_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections_table, "MAX_CORRECTIONS", 3)
    header, row = "frame,keypoint,x,y,action\n", "1,nose,,,\n"
    findings = Findings()
    parse_corrections((header + "\n\n" + row * 3).encode(), "a.csv", findings)
    assert not findings
    parse_corrections((header + row * 4).encode(), "a.csv", findings)
    assert findings.lines() == ["a.csv: has more than 3 rows: is it the right file?"]


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.nc").symlink_to("/dev/zero")
    (tmp_path / "c.tsv").mkdir()
    findings = Findings()
    assert find_corrections(tmp_path, "abc", findings) == {}
    assert [line.endswith("is no file that could be read.") for line in findings.lines()] == [
        True
    ] * 3


def test_a_damaged_pose_has_no_names(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"no HDF5")
    assert pose_keypoints(path) is None
    with h5py.File(path, "w") as file:
        file.create_group("keypoints/x")
        file["keypoints/y"] = h5py.ExternalLink("none", "none")
    assert pose_keypoints(path) is None


def test_files_are_found_by_recording(tmp_path: Path) -> None:
    for name in ("baby-01.csv", "baby-02.NC", "notes.txt", ".~lock.baby-01.csv"):
        (tmp_path / name).touch()
    findings = Findings()
    found = find_corrections(tmp_path, ["baby-01", "baby-02"], findings)
    assert {k: v.name for k, v in found.items()} == {
        "baby-01": "baby-01.csv",
        "baby-02": "baby-02.NC",
    }
    assert findings.lines() == []
    assert find_corrections(tmp_path / "none", ["a"], findings) == {}
    for name in ("baby-01.tsv", "baby-1.csv", "baby-02.xlsx"):
        (tmp_path / name).touch()
    find_corrections(tmp_path, ["baby-01", "baby-02"], findings)
    text = "\n".join(findings.lines())
    assert "stands beside baby-01.csv" in text
    assert "no recording 'baby-1'. Did you mean 'baby-01'?" in text
    assert "baby-02.xlsx: is a workbook" in text


def test_cleaning_asks_the_video_for_its_picture(tmp_path: Path) -> None:
    write_corrections(tmp_path / "r.csv", put((1, "nose", 400.0, 6.0)).entries)
    given = {"corrections": str(tmp_path / "r.csv")}
    assert len(checked_corrections(Job(given, {}, {}, {})).entries) == 1
    for width, fits in ((640, True), (320, False)):
        record = tmp_path / f"{width}.json"
        write_video_record(record, VideoRecord(width_px=width, height_px=240), Provenance())
        job = Job({**given, "record": str(record)}, {}, {}, {})
        if fits:
            assert len(checked_corrections(job).entries) == 1
        else:
            with pytest.raises(NotAssessable, match="outside the picture"):
                checked_corrections(job)
    nothing = tmp_path / "none.json"
    reason = NotAssessable(Reason.VIDEO_UNREADABLE, "x")
    write_video_record(nothing, VideoRecord.of(reason), Provenance())
    assert len(checked_corrections(Job({**given, "record": str(nothing)}, {}, {}, {})).entries) == 1
