"""Recordings that come with other programs' tracks, beside a video or alone; exports."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from fidgety.errors import Reason
from fidgety.phantom.check import keypoint_errors
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import read_truth, record_video
from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import read_pose
from fidgety.skeletons import BLAZEPOSE_33, COCO_17, OPENPOSE_25, conversion_matrix
from fidgety.storage import Provenance, read_outcome
from fidgety.video.read import video_info
from fidgety.video.record import read_video_record
from tests.pose.foreign import Truth, write_dlc_csv, write_openpose
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.slow

NAMES = ("both", "alone", "other", "letter")
TARGETS = ("features", "export_pose", *(f"results/report/media/{n}.mp4" for n in NAMES))


def truth_as(path: Path, keypoints: tuple[str, ...], fps: float) -> Truth:
    """Express a phantom's truth file in other keypoints."""
    position = read_truth(path)[1]["position"].values
    skeleton = {s.keypoints: s for s in (COCO_17, OPENPOSE_25)}[keypoints]
    weights, missing = conversion_matrix(BLAZEPOSE_33, skeleton)
    found = np.einsum("tsk,jk->tsj", position, weights)
    absent = np.isin(skeleton.keypoints, missing)
    found[:, :, absent] = np.nan
    confidence = np.broadcast_to(np.where(absent, 0.0, 0.9), found[:, 0].shape)
    return Truth(found, confidence, skeleton, fps)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a project with four recordings of one phantom's video and truth, run."""
    workflow = copy_project(tmp_path_factory.mktemp("tracks") / "copy")
    own = workflow.folder / "own"
    own.mkdir()
    spec = PhantomSpec(
        recording="p", infant="p", cohort="c", role="new", label="normal", fm_type="continuous",
        duration_s=2.0, fps=50.0, size=(320, 240),
    )  # fmt: skip
    record_video(spec, own / "both.mp4", own / "truth.h5", Provenance())
    write_openpose(truth_as(own / "truth.h5", OPENPOSE_25.keypoints, 50.0), own)
    coco = truth_as(own / "truth.h5", COCO_17.keypoints, 50.0)
    write_dlc_csv(coco, own).rename(own / "alone.csv")
    (own / "other.mp4").write_bytes((own / "both.mp4").read_bytes() + b"\0")
    lines = (own / "alone.csv").read_text().splitlines()
    (own / "other.csv").write_text("\n".join(lines[:-20]) + "\n")
    (own / "letter.mp4").write_text("a letter, not a video\n")
    (own / "letter.csv").write_text("\n".join(lines[:-1]) + "\n")
    rows = [
        {"recording": "both", "video": "own/both.mp4", "pose": "own/openpose"},
        {"recording": "alone", "pose": "own/alone.csv", "fps": "50"},
        {"recording": "other", "video": "own/other.mp4", "pose": "own/other.csv"},
        {"recording": "letter", "video": "own/letter.mp4", "pose": "own/letter.csv", "fps": "50"},
    ]
    own_rows(workflow, [row | {"infant": row["recording"], "cohort": "clinic"} for row in rows])
    configure(workflow)
    workflow.run("--cores", "2", *TARGETS)
    return workflow


def configure(workflow: Workflow, **values: object) -> None:
    workflow.configure(
        phantom={"preset": "none"},
        sheet="recordings.tsv",
        cohorts={"clinic": "new"},
        models={},
        video={"min_duration_s": 1.0, "max_side_px": 160},
        background={"method": "median"},
        **values,
    )


def test_tracks_count_and_are_brought_onto_the_video(desk: Workflow) -> None:
    results = desk.folder / "results"
    assert not (results / "pose" / "raw").exists(), "nothing is estimated beside tracks"
    record = read_video_record(results / "video" / "both.json")
    assert (record.fps, record.width_px) == (25.0, 160)
    pose = read_pose(results / "pose" / "imported" / "both.h5")
    assert pose.skeleton == "openpose25"
    assert pose.n_frames == record.n_frames
    truth = read_truth(desk.folder / "own" / "truth.h5")[1]
    shared = [k for k in pose.keypoints if k in BLAZEPOSE_33.keypoints]
    assert len(shared) > 12
    # keypoint_errors reads BLAZEPOSE_33 from the truth and what the pose has of it.
    place = [pose.keypoints.index(k) for k in shared]
    whole = np.full((pose.n_frames, 2, 33), np.nan)
    index = [BLAZEPOSE_33.index(k) for k in shared]
    whole[:, :, index] = pose.position[:, :, place]
    as_blaze = replace(
        pose, position=whole, confidence=np.ones(whole[:, 0].shape),
        keypoints=BLAZEPOSE_33.keypoints, skeleton="blazepose33",
    )  # fmt: skip
    errors = keypoint_errors(as_blaze, truth, record)[:, index]
    assert np.isfinite(errors).mean() > 0.5
    # In trunk lengths: four digits of OpenPose's pixels.
    assert np.nanmax(errors) < 1e-5
    info = video_info(str(results / "report" / "media" / "both.mp4"))
    assert info.n_frames == record.n_frames
    assert info.width_px == record.width_px, "drawn on the video, not on black"


def test_tracks_alone_take_the_sheets_rate(desk: Workflow) -> None:
    pose = read_pose(desk.folder / "results" / "pose" / "imported" / "alone.h5")
    truth = truth_as(desk.folder / "own" / "truth.h5", COCO_17.keypoints, 50.0)
    np.testing.assert_allclose(pose.position, truth.position, atol=1e-4)
    assert pose.fps == 50.0


def test_another_number_of_frames_is_a_recorded_reason(desk: Workflow) -> None:
    for part in ("pose/imported", "pose/clean"):
        outcome = read_outcome(desk.folder / "results" / part / "other.h5")
        assert outcome.reason is Reason.POSE_VIDEO_MISMATCH
        assert outcome.detail == "the tracks have 80 frames, the video 100"
    assert (desk.folder / "results" / "report" / "media" / "other.mp4").stat().st_size == 0


def test_tracks_beside_a_video_that_is_none_are_used_alone(desk: Workflow) -> None:
    results = desk.folder / "results"
    pose = read_pose(results / "pose" / "imported" / "letter.h5")
    assert pose.n_frames == 99
    assert "video" not in pose.details
    assert video_info(str(results / "report" / "media" / "letter.mp4")).n_frames == 99


def test_exports_hold_the_clean_tracks(desk: Workflow) -> None:
    folder = desk.folder / "results" / "export"
    clean = read_pose(desk.folder / "results" / "pose" / "clean" / "both.h5")
    assert {p.name for p in folder.iterdir()} == set(NAMES)
    for name in NAMES:
        about = json.loads((folder / name / "export.json").read_text())
        assert about["recording"] == name
        there = {p.name for p in (folder / name).iterdir() if not p.name.startswith(".")}
        assert set(about["files"]) == there - {"export.json"}
        refused = about["reason"] == "pose_video_mismatch"
        assert refused == (name == "other") == (not about["files"])
    found = read_track(folder / "both" / "pose.csv", fps=clean.fps)
    np.testing.assert_allclose(found.position, clean.position, rtol=1e-6)
    with xr.open_dataset(folder / "both" / "pose.nc", engine="h5netcdf") as dataset:
        np.testing.assert_allclose(dataset.position.values[..., 0], clean.position, rtol=1e-6)


def test_only_what_a_change_touches_runs_again(desk: Workflow, tmp_path: Path) -> None:
    copy = desk.copy(tmp_path / "copy")
    assert copy.planned(*TARGETS) == {}
    one = copy.folder / "own" / "openpose" / f"clip7_{7:012d}_keypoints.json"
    one.write_text(json.dumps({"people": []}))
    planned = copy.planned(*TARGETS)
    assert planned.pop("import_pose") == {"recording=both"}
    assert "standardise_video" not in planned
    assert all(jobs <= {"recording=both"} for jobs in planned.values())
    one.write_bytes((desk.folder / "own" / "openpose" / one.name).read_bytes())
    assert copy.planned(*TARGETS) == {}, "the content counts, not the date"
    configure(copy, export={"formats": ["deeplabcut"]})
    assert set(copy.planned(*TARGETS)) - {"features", "export_pose"} == {"export_track"}


def test_mistakes_are_found_before_any_job(desk: Workflow, tmp_path: Path) -> None:
    copy = desk.copy(tmp_path / "copy")
    configure(copy, export={"formats": ["nbw"]}, pose={"keypoint_names": {"schnauze": "nsoe"}})
    done = copy.run("--dry-run", "--cores", "1", ok=False)
    text = done.stdout + done.stderr
    assert "export.formats: unknown export format 'nbw'" in text
    assert "Did you mean 'nwb'?" in text
    assert "pose.keypoint_names.schnauze: 'nsoe' is no keypoint" in text
    sheet = copy.folder / "recordings.tsv"
    sheet.write_text(sheet.read_text().replace("\t50\n", "\t\n").replace("own/letter.mp4", ""))
    configure(copy)
    done = copy.run("--dry-run", "--cores", "1", ok=False)
    assert (done.stdout + done.stderr).count("column fps: is empty") == 2
