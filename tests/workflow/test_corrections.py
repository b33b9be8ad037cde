"""Corrections by hand and quality, on the real Snakefile: only what they are about runs again."""

from __future__ import annotations

import csv
import os
import time

import h5py
import numpy as np
import pytest

from fidgety.pose.corrections_table import COLUMNS
from fidgety.pose.quality_record import read_quality_record
from fidgety.pose.tracks import Origin, read_pose
from fidgety.storage import read_outcome
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import RECORDING_RULES

pytestmark = pytest.mark.slow

RECORDING, INFANT = "phantom-ext-01", "phantom-ext-01"


def correct(workflow: Workflow, *rows: str, name: str = RECORDING) -> None:
    """Write a table of corrections."""
    folder = workflow.folder / "corrections"
    folder.mkdir(exist_ok=True)
    lines = [",".join(COLUMNS), *rows]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def test_a_correction_reruns_what_follows_of_its_recording_alone(tiny_copy: Workflow) -> None:
    correct(
        tiny_copy, "30,,left_wrist,101.5,202.25,set,AB,seen in the video", "31,,nose,,,missing,,"
    )
    planned = tiny_copy.planned()
    assert {"clean_pose", "build_features", "draw_overlay", "predict_infant"} <= set(planned)
    for rule in RECORDING_RULES & set(planned):
        assert planned[rule] == {f"recording={RECORDING}"}, rule
    assert planned["write_infant_page"] == planned["predict_infant"] == {f"infant={INFANT}"}
    assert not {"estimate_pose", "extract_background", "standardise_video", "train_model"} & set(
        planned
    )

    clean = f"results/pose/clean/{RECORDING}.h5"
    before = read_pose(tiny_copy.folder / clean)
    tiny_copy.run("--cores", "1", clean)
    assert tiny_copy.planned(clean) == {}
    pose = read_pose(tiny_copy.folder / clean)
    wrist = pose.keypoints.index("left_wrist")
    assert pose.position[30, :, wrist].tolist() == [101.5, 202.25]
    assert pose.origin is not None
    assert pose.origin[30, wrist] == Origin.MANUAL
    assert pose.details["cleaning"]["corrections"]["raters"] == ["AB"]
    # Far away in time nothing changed.
    np.testing.assert_array_equal(pose.position[100:], before.position[100:])

    # A touched table is the same table; other words in it are not.
    later = time.time() + 60
    os.utime(tiny_copy.folder / "corrections" / f"{RECORDING}.csv", (later, later))
    assert tiny_copy.planned(clean) == {}
    correct(tiny_copy, "30,,left_wrist,90,200,set,AB,")
    assert tiny_copy.planned(clean)["clean_pose"] == {f"recording={RECORDING}"}
    (tiny_copy.folder / "corrections" / f"{RECORDING}.csv").unlink()
    assert tiny_copy.planned(clean)["clean_pose"] == {f"recording={RECORDING}"}


def test_what_is_outside_the_recording_is_recorded(tiny_copy: Workflow) -> None:
    correct(tiny_copy, "99999,,left_wrist,1,2,set,,")
    tiny_copy.run("--cores", "1", f"results/features/{RECORDING}.h5")
    for kind in ("pose/clean", "features"):
        outcome = read_outcome(tiny_copy.folder / f"results/{kind}/{RECORDING}.h5")
        assert outcome.reason == "corrections_invalid"
        assert "row 2: frame 99999 is outside the recording" in outcome.detail
    record = read_quality_record(tiny_copy.folder / f"results/quality/{RECORDING}.json")
    assert record["reason"] == "corrections_invalid"


def test_mistakes_in_tables_are_found_before_any_job(tiny_copy: Workflow) -> None:
    correct(tiny_copy, "3,,left_wrst,1,2,set,,", "4,,nose,x,2,set,,", "4.5,,nose,1,2,put,,")
    correct(tiny_copy, "3,,nose,1,2,set,,", name="phantom-ext-1")
    done = tiny_copy.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    for words in (
        "row 2: column keypoint: 'left_wrst': is no keypoint",
        "'left_wrist'",
        "row 3: column x: 'x'",
        "row 4: column frame: '4.5'",
        "row 4: column action: 'put'",
        "no recording 'phantom-ext-1'. Did you mean 'phantom-ext-01'?",
    ):
        assert words in text, words


def test_the_review_holds_what_a_person_needs(tiny_copy: Workflow) -> None:
    raw = tiny_copy.folder / f"results/pose/raw/{RECORDING}.h5"
    # Something that needs eyes: a knee is lost for two seconds, a wrist leaps away.
    with h5py.File(raw, "r+") as file:
        names = [n.decode() for n in file["keypoints"][:]]
        file["position"][50:100, :, names.index("left_knee")] = np.nan
        file["position"][150, :, names.index("left_wrist")] += 80.0
    correct(tiny_copy, "30,,left_wrist,101.5,202.25,set,AB,seen")
    review = f"results/pose/review/{RECORDING}"
    tiny_copy.run("--cores", "1", f"{review}/corrections.csv")
    folder = tiny_copy.folder / review
    assert (folder / "overlay.mp4").stat().st_size > 10_000
    frames = list(csv.DictReader((folder / "frames.tsv").open(), delimiter="\t"))
    assert len(frames) <= 30
    assert all((folder / row["picture"]).stat().st_size > 1000 for row in frames)
    assert any("missing: left_knee" in row["reason"] for row in frames)
    assert any(row["frame"] == "150" and "left_wrist" in row["reason"] for row in frames)
    rows = list(csv.DictReader((folder / "corrections.csv").open()))
    assert rows[0]["action"] == "set"
    assert rows[0]["x"] == "101.500"
    assert {row["action"] for row in rows[1:]} == {""}
    # The table, taken over as it is, says what was said before and no more.
    clean = f"results/pose/clean/{RECORDING}.h5"
    tiny_copy.run("--cores", "1", clean)
    before = read_pose(tiny_copy.folder / clean)
    (tiny_copy.folder / "corrections" / f"{RECORDING}.csv").write_bytes(
        (folder / "corrections.csv").read_bytes()
    )
    tiny_copy.run("--cores", "1", clean)
    after = read_pose(tiny_copy.folder / clean)
    np.testing.assert_array_equal(after.position, before.position)
    # So does the pose for napari, as it is.
    (tiny_copy.folder / "corrections" / f"{RECORDING}.csv").unlink()
    (tiny_copy.folder / "corrections" / f"{RECORDING}.nc").write_bytes(
        (folder / "pose.nc").read_bytes()
    )
    tiny_copy.run("--cores", "1", clean)
    again = read_pose(tiny_copy.folder / clean)
    np.testing.assert_allclose(again.position, before.position, atol=1e-3)
    np.testing.assert_array_equal(again.origin, before.origin)


def test_another_threshold_costs_no_pose(tiny_copy: Workflow) -> None:
    tiny_copy.configure(quality={"min_assessable_s": 1000})
    planned = tiny_copy.planned()
    assert {"build_features", "predict_infant", "write_report"} <= set(planned)
    before = {"estimate_pose", "import_pose", "clean_pose", "extract_background", "draw_overlay"}
    assert not before & set(planned)
    tiny_copy.run("--cores", "1", f"results/features/{RECORDING}.h5")
    outcome = read_outcome(tiny_copy.folder / f"results/features/{RECORDING}.h5")
    assert outcome.reason == "assessable_too_short"
    assert read_outcome(tiny_copy.folder / f"results/pose/clean/{RECORDING}.h5").ok


def test_the_default_judges_all_phantoms_fit(tiny_run: Workflow) -> None:
    records = sorted((tiny_run.folder / "results" / "quality").glob("*.json"))
    assert len(records) > 5
    for path in records:
        record = read_quality_record(path)
        assert record["status"] == "ok", path.name
        assert record["measures"]["supine"] == 1.0
    rendered = read_quality_record(tiny_run.folder / f"results/quality/{RECORDING}.json")
    assert rendered["measures"]["camera_speed"] < 0.05
    page = (tiny_run.folder / f"results/report/infants/{INFANT}.html").read_text()
    assert "fussing or crying suspected" in page


def test_review_is_a_target(tmp_path_factory: pytest.TempPathFactory) -> None:
    fresh = copy_project(tmp_path_factory.mktemp("review") / "fresh")
    planned = fresh.planned("review_pose")
    assert len(planned["review_recording"]) > 5
    assert "train_model" not in planned
