"""Comparison of trackers, and a user's own skeleton, on the real Snakefile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fidgety.pose.tracks import read_pose, to_dataset
from fidgety.skeleton_file import load_skeleton
from tests.test_skeletons import EXAMPLES, pose_in
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow

RECORDING = "phantom-ext-01"
BACKENDS = {
    "tracking": {"method": "mediapipe"},
    "static": {"method": "mediapipe", "options": {"mode": "static"}, "note": "Each frame anew."},
}


@pytest.mark.long
def test_two_backends_are_compared_with_a_phantoms_truth(tiny_copy: Workflow) -> None:
    tiny_copy.configure(compare_pose={"backends": BACKENDS, "recordings": [RECORDING]})
    planned = tiny_copy.planned("compare_pose")
    assert set(planned) == {"estimate_compared_pose", "compare_pose"}
    assert len(planned["estimate_compared_pose"]) == 2
    done = tiny_copy.run("compare_pose", "--cores", "1")
    folder = tiny_copy.folder / "results" / "compare"
    text = (folder / "pose.txt").read_text()
    assert text in done.stderr + done.stdout, "the table is printed"
    assert "digital phantoms" in text
    assert "static: Each frame anew." in text

    figures = pd.read_csv(folder / "pose.tsv", sep="\t", keep_default_na=False)
    figures["value"] = figures["value"].astype(float)
    raw = figures[(figures.stage == "raw") & (figures.recording == "")]
    table = raw.pivot(index="backend", columns="measure", values="value")
    assert set(table.index) == {"tracking", "static"}
    assert (table["pck_0.2"] > 0.9).all()
    assert (table["error"] < 0.15).all()
    assert (table["ap50"] > 0.9).all()
    assert (table["frames_per_s"] > 0).all()
    assert (table["jitter"] < 0.05).all()
    agreement = pd.read_csv(folder / "pose-agreement.tsv", sep="\t", keep_default_na=False)
    assert (agreement["median"].astype(float) < 0.1).all()
    values = json.loads((folder / "pose.json").read_text())
    assert values["compared_with"] == {RECORDING: "phantom"}
    assert values["backends"]["static"]["options"] == {"mode": "static"}
    page = (folder / "pose.html").read_text()
    assert "Content-Security-Policy" in page
    assert "phantom" in page

    # Tracks are those of the same options in the study itself.
    own = read_pose(tiny_copy.folder / "results" / "pose" / "raw" / f"{RECORDING}.h5")
    compared = read_pose(folder / "pose" / "tracking" / f"{RECORDING}.h5")
    assert (own.position == compared.position)[own.confidence[:, None].repeat(2, 1) > 0].all()

    assert tiny_copy.planned("compare_pose") == {}
    assert tiny_copy.planned() == {}
    changed = BACKENDS | {"static": BACKENDS["static"] | {"note": "Other words."}}
    tiny_copy.configure(compare_pose={"backends": changed, "recordings": [RECORDING]})
    assert set(tiny_copy.planned("compare_pose")) == {"compare_pose"}


def test_mistakes_are_found_before_any_job(tiny_copy: Workflow) -> None:
    tiny_copy.configure(
        compare_pose={
            "backends": {"a b": {"method": "mediapip"}, "c": {"options": {"mod": "static"}}},
            "recordings": ["phantom-ext-99"],
            "annotations": "labels/none.json",
        },
        pose={"skeletons": ["none.yaml"]},
    )
    done = tiny_copy.run("--dry-run", ok=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    assert "pose.skeletons: none.yaml: cannot be read" in text
    tiny_copy.configure(
        compare_pose={
            "backends": {"a b": {"method": "mediapip"}, "c": {"options": {"mod": "static"}}},
            "recordings": ["phantom-ext-99"],
            "annotations": "labels/none.json",
        }
    )
    text = (done := tiny_copy.run("--dry-run", ok=False)).stdout + done.stderr
    for part in (
        "compare_pose.backends.a b: a backend's name",
        "'mediapipe'",
        "compare_pose.backends.c.options.mod",
        "'phantom-ext-99' is no recording",
        "compare_pose.annotations: there is no labels/none.json",
    ):
        assert part in text, part
    assert "Traceback" not in text


def test_an_own_skeletons_file_counts_by_its_content(tiny_copy: Workflow) -> None:
    file = tiny_copy.folder / "marks.yaml"
    file.write_text(EXAMPLES[0])
    skeleton = load_skeleton(file)
    track = to_dataset(replace(pose_in(skeleton), own_skeleton=None, skeleton=""))
    track.to_netcdf(tiny_copy.folder / "own.nc", engine="h5netcdf")
    (tiny_copy.folder / "recordings.tsv").write_text(
        "recording\tinfant\tcohort\tpose\nown-01\town\tmine\town.nc\n"
    )
    tiny_copy.configure(
        sheet="recordings.tsv", cohorts={"mine": "new"}, pose={"skeletons": ["marks.yaml"]}
    )
    target = "results/pose/clean/own-01.h5"
    tiny_copy.run(target, "--cores", "1")
    clean = read_pose(Path(tiny_copy.folder / target))
    assert clean.own_skeleton == skeleton
    assert set(clean.details["cleaning"]["keypoints"]) == set(skeleton.keypoints)
    assert tiny_copy.planned(target) == {}

    file.write_text(EXAMPLES[0].replace("  - [left_hip, left_knee]\n", ""))
    planned = tiny_copy.planned(target)
    assert planned["import_pose"] == {"recording=own-01"}
    assert planned["clean_pose"] == {"recording=own-01"}
    assert "estimate_pose" not in tiny_copy.planned()
    # What only people read of a file changes nothing.
    file.write_text("# A comment.\n" + EXAMPLES[0])
    assert tiny_copy.planned(target) == {}
