"""Choosing frames for a person to look at, and taking their edits back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from fidgety.config.cleaning import CleaningConfig
from fidgety.pose.cleaning import Cleaned, clean
from fidgety.pose.corrections import Correction, Corrections, place_corrections
from fidgety.pose.corrections_table import load_corrections, parse_corrections, table_text
from fidgety.pose.edited import edits, main
from fidgety.pose.review import doubtful_frames, doubts, editable, frames_table, template_rows
from fidgety.pose.swaps import partners
from fidgety.pose.tracks import Pose
from fidgety.report.review import YELLOW, mark
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.tables import Findings
from tests.pose.infant import infant_pose

CONFIG = CleaningConfig()
WRIST, KNEE = BLAZEPOSE_33.index("left_wrist"), BLAZEPOSE_33.index("right_knee")
MARKED = Corrections(
    (
        Correction(2, "left_wrist", "set", frame=20, x=301.25, y=302.5, rater="AB"),
        Correction(3, "right_knee", "missing", frame=21),
    )
)


@pytest.fixture(scope="module")
def raw() -> Pose:
    """Return a pose with a long gap, a leap, an exchange of sides and doubted fingers."""
    pose = infant_pose(20.0)
    position, confidence = pose.position.copy(), pose.confidence.copy()
    position[100:160, :, KNEE] = np.nan
    position[250, :, WRIST] += 150.0
    position[300:350] = position[300:350][:, :, partners(pose.keypoints)]
    confidence[400:410, BLAZEPOSE_33.index("left_thumb")] = 0.1
    return replace(pose, position=position, confidence=confidence)


@pytest.fixture(scope="module")
def cleaned(raw: Pose) -> Cleaned:
    return clean(raw, CONFIG, however_sparse=True)


def test_everything_wrong_is_seen(cleaned: Cleaned) -> None:
    wrong = doubts(cleaned)
    assert wrong["gap"][100:160, KNEE].all()
    assert wrong["gap"].sum() == 60
    assert (wrong["bone"] | wrong["jump"])[250, WRIST]
    assert np.flatnonzero(wrong["swap"][:, WRIST]).tolist() == [300, 349]
    assert wrong["confidence"].sum() == 10


def test_the_worst_comes_first_and_all_is_covered(cleaned: Cleaned) -> None:
    frames = doubtful_frames(cleaned, at_most=50, every_s=0.5)
    chosen = {f.frame for f in frames}
    assert {250, 300, 349} <= chosen
    assert any(400 <= t < 410 for t in chosen)
    # The gap lasts 2.4 s: a frame every half a second or so.
    assert 4 <= sum(100 <= t < 160 for t in chosen) <= 6
    assert [f.score for f in frames] == sorted((f.score for f in frames), reverse=True)
    assert frames == doubtful_frames(cleaned, at_most=50, every_s=0.5)
    gap = next(f for f in frames if 100 <= f.frame < 160)
    assert gap.reason(cleaned.pose.keypoints) == "missing: right_knee"
    table = frames_table(frames, cleaned.pose).splitlines()
    assert len(table) == len(frames) + 1
    assert {line.count("\t") for line in table} == {6}


@pytest.mark.parametrize("at_most", [1, 3, 7])
def test_few_frames_are_spread(cleaned: Cleaned, at_most: int) -> None:
    frames = doubtful_frames(cleaned, at_most=at_most, every_s=0.0)
    assert 1 <= len(frames) <= at_most
    times = np.sort([cleaned.pose.time_s[f.frame] for f in frames])
    assert (np.diff(times) > 0.3).all()


def test_nothing_wrong_needs_no_eyes() -> None:
    fine = clean(infant_pose(10.0), CONFIG)
    assert doubtful_frames(fine, at_most=5, every_s=0.5) == []


def test_what_a_person_settled_is_not_asked_again(raw: Pose, cleaned: Cleaned) -> None:
    said = Corrections(
        (
            *(Correction(None, "right_knee", "missing", frame=t) for t in range(100, 160)),
            Correction(None, "left_wrist", "set", frame=250, x=1.0, y=2.0),
        )
    )
    placement = place_corrections(said, raw)
    again = clean(raw, CONFIG, said, however_sparse=True)
    frames = doubtful_frames(again, at_most=50, every_s=0.5, settled=placement.touched)
    assert not any(100 <= f.frame < 160 for f in frames)
    assert not any(WRIST in f.keypoints for f in frames if f.frame == 250)


def test_the_template_says_nothing_until_it_is_filled_in(cleaned: Cleaned) -> None:
    frames = doubtful_frames(cleaned, at_most=20, every_s=0.5)
    rows = template_rows(frames, cleaned.pose, MARKED)
    findings = Findings()
    read = parse_corrections(table_text(rows).encode(), "t.csv", findings)
    assert findings.lines() == []
    assert [(e.frame, e.keypoint, e.action, e.x, e.rater) for e in read.entries] == [
        (20, "left_wrist", "set", 301.25, "AB"),
        (21, "right_knee", "missing", None, ""),
    ]
    assert read.untouched == sum(len(f.keypoints) for f in frames)
    edited = [dict(row) for row in rows]
    at = next(k for k, row in enumerate(edited) if row["frame"] == "349")
    edited[at]["x"] = "3.0"
    parse_corrections(table_text(edited).encode(), "t.csv", findings)
    assert f"row {at + 2}: column action: is empty" in findings.lines()[0]
    edited[at]["action"] = "set"
    assert len(parse_corrections(table_text(edited).encode(), "t.csv", Findings()).entries) == 3


@pytest.fixture
def review(raw: Pose, cleaned: Cleaned, tmp_path: Path) -> Path:
    """Return the pose to edit of a recording with corrections."""
    again = clean(raw, CONFIG, MARKED, however_sparse=True).pose
    data = editable(again, cleaned.pose, place_corrections(MARKED, raw))
    data.to_netcdf(tmp_path / "pose.nc", engine="h5netcdf")
    return tmp_path / "pose.nc"


def test_an_unedited_pose_repeats_what_was_said(review: Path) -> None:
    found = load_corrections(review).entries
    assert [(e.frame, e.keypoint, e.action) for e in found] == [
        (20, "left_wrist", "set"),
        (21, "right_knee", "missing"),
    ]
    assert (found[0].x, found[0].y) == (301.25, 302.5)


def test_edits_come_back_by_every_way(review: Path, tmp_path: Path) -> None:
    with xr.open_dataset(review, engine="h5netcdf") as file:
        data = file.load()
    names = [str(k) for k in data["keypoints"].values]
    position = data["position"].values[..., 0].astype(float)
    position[40, :, WRIST] = 11.0, 12.0
    position[41, :, KNEE] = np.nan
    n = len(position)
    edited = data.drop_vars("reviewed").copy()
    edited["position"] = data["position"].dims, position[..., None]
    edited.to_netcdf(tmp_path / "edited.nc", engine="h5netcdf")
    # As DeepLabCut's own tables are: three rows of header.
    columns = pd.MultiIndex.from_tuples(
        [("me", k, c) for k in names for c in ("x", "y", "likelihood")],
        names=["scorer", "bodyparts", "coords"],
    )
    values = np.concatenate([position, np.ones((n, 1, 33))], axis=1).transpose(0, 2, 1)
    pd.DataFrame(values.reshape(n, -1), columns=columns).to_csv(tmp_path / "dlc.csv")
    # As napari's points layer of movement: one row a point that is there.
    frame, k = np.nonzero(np.isfinite(position[:, 0]))
    pd.DataFrame(
        {
            "keypoint": np.array(names)[k],
            "axis-0": frame.astype(float),
            "axis-1": position[frame, 1, k],
            "axis-2": position[frame, 0, k],
        }
    ).to_csv(tmp_path / "points.csv")
    for name in ("edited.nc", "dlc.csv", "points.csv"):
        found, time_s = edits(review, tmp_path / name, "CD")
        said = {(e.frame, e.keypoint): (e.action, e.x, e.y, e.rater) for e in found}
        assert said[40, "left_wrist"] == ("set", 11.5, 12.5, "CD"), name
        assert said[41, "right_knee"] == ("missing", None, None, "CD"), name
        assert set(said) - {(40, "left_wrist"), (41, "right_knee")} == {
            (20, "left_wrist"),
            (21, "right_knee"),
        }
        table = tmp_path / f"{name}.table.csv"
        assert main([str(review), str(tmp_path / name), str(table)]) == 0
        assert len(load_corrections(table).entries) == 4
        assert len(time_s) == n


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "neither a DeepLabCut table"),
        ("keypoint,frame,x,y\nnoes,0,1,2\n", "'noes'"),
        ("keypoint,frame,x,y\nnose,9999,1,2\n", "the review's"),
        ("keypoint,frame,x,y\nnose,1,1,2\nnose,1,3,4\n", "twice"),
        ("scorer,a,a\nbodyparts,noes,noes\ncoords,x,y\n0,1,2\n", "'noes'"),
        ("scorer,a,a\nbodyparts,nose,nose\ncoords,x,y\nimg0.png,1,2\n", "not frames"),
        ("", "cannot be read"),
    ],
)
def test_other_files_are_named(
    review: Path, tmp_path: Path, text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e.csv").write_text(text)
    assert main([str(review), str(tmp_path / "e.csv"), str(tmp_path / "t.csv")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "t.csv").exists()


def test_a_picture_rings_what_is_doubtful(cleaned: Cleaned) -> None:
    frames = doubtful_frames(cleaned, at_most=50, every_s=0.5)
    one = next(f for f in frames if f.frame == 349)
    black = np.zeros((720, 720, 3), dtype=np.uint8)
    picture = mark(black, cleaned.pose, one)
    assert not black.any()
    k = one.keypoints[0]
    x, y = cleaned.pose.position[one.frame, :, k].round().astype(int)
    near = picture[max(y - 10, 0) : y + 11, max(x - 10, 0) : x + 11].reshape(-1, 3)
    assert (np.abs(near.astype(int) - YELLOW).max(axis=1) < 60).any()
