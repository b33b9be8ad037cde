"""A pose backend with weights of its own, in the real workflow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fidgety.pose.tracks import read_pose
from tests.pose.fitted import CONFIG, random_checkpoint
from tests.workflow.conftest import Workflow, copy_project

WEIGHTS = "weights/random.pth"


def configure(workflow: Workflow, **options: object) -> None:
    workflow.configure(
        pose={
            "method": "mmpose",
            "options": {"config": CONFIG, "checkpoint": WEIGHTS, "min_score": 0} | options,
        }
    )


@pytest.mark.slow
def test_missing_weights_are_told_before_any_job(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "copy")
    configure(workflow)
    done = workflow.run("--dry-run", "--cores", "1", ok=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"pose.options.checkpoint: there is no file {WEIGHTS}" in said
    assert "https://download.openmmlab.com/" in said
    assert "estimate_pose" not in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_other_weights_estimate_the_pose_anew(tiny_copy: Workflow) -> None:
    workflow = tiny_copy
    weights = workflow.folder / WEIGHTS
    weights.parent.mkdir()
    random_checkpoint(weights, seed=0)
    configure(workflow)
    recording = sorted(path.stem for path in (workflow.folder / "results/video").glob("*.mp4"))[0]
    target = f"results/pose/raw/{recording}.h5"
    assert workflow.planned(target) == {"estimate_pose": {f"recording={recording}"}}
    workflow.run("--cores", "2", target)
    pose = read_pose(workflow.folder / target)
    assert pose.skeleton == "coco17"
    assert pose.details["estimator"] == "mmpose"
    assert workflow.planned(target) == {}
    # The same content with another date is the same file.
    os.utime(weights)
    assert workflow.planned(target) == {}
    random_checkpoint(weights, seed=1)
    assert workflow.planned(target) == {"estimate_pose": {f"recording={recording}"}}
