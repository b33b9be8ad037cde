"""Frames are picked and a pose model trained by the real rules: the circle closes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.pose_finetune.phantoms import small_config
from tests.workflow.conftest import Workflow, copy_project

pytestmark = pytest.mark.slow


def configure(workflow: Workflow, **sections: object) -> None:
    path = workflow.folder / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}))


@pytest.mark.long
def test_from_picked_frames_to_a_model_that_the_workflow_uses(tiny_copy: Workflow) -> None:
    labelling = {"roles": ["external"], "frames_per_video": 3, "formats": ["cvat", "labelme"]}
    configure(tiny_copy, labelling=labelling)
    assert set(tiny_copy.planned("pick_frames")) <= {"choose_frames", "pick_frames", "total"}
    tiny_copy.run("--cores", "1", "pick_frames")
    folder = tiny_copy.folder / "results" / "labelling"
    content = json.loads((folder / "cvat" / "annotations.json").read_text())
    assert len(content["images"]) == 6
    assert all((folder / "images" / i["file_name"]).is_file() for i in content["images"])
    assert all(a["num_keypoints"] >= 12 for a in content["annotations"])
    again = tiny_copy.checksums("labelling/images", "labelling/labelme", "labelling/cvat")
    tiny_copy.run("--cores", "1", "pick_frames", "--forcerun", "choose_frames")
    same = tiny_copy.checksums("labelling/images", "labelling/labelme", "labelling/cvat")
    assert again == same

    # A label is corrected in place: picking anew leaves it alone and says what to do.
    mine = next(iter(sorted((folder / "labelme").glob("*.json"))))
    mine.write_text(mine.read_text().replace('"version"', '"version" '))
    stopped = tiny_copy.run("--cores", "1", "pick_frames", "--forcerun", "pick_frames", ok=False)
    assert stopped.returncode
    assert "move this folder" in stopped.stderr
    assert "Traceback" not in stopped.stderr

    folder.rename(tiny_copy.folder / "labels")
    small_config(tiny_copy.folder / "small.py", 64)
    training = {
        "labels": ["labels/labelme"],
        "config": "small.py",
        "epochs": 2,
        "batch_size": 4,
        "validation_share": 0.5,
        "threads": 1,
    }
    configure(tiny_copy, pose_training=training)
    assert "train_pose_model" not in tiny_copy.planned()
    tiny_copy.run("--cores", "1", "train_pose_model")
    made = tiny_copy.folder / "results" / "pose_training"
    weights = torch.load(made / "model.pth", weights_only=True)
    assert set(weights) == {"state_dict", "meta"}
    report = json.loads((made / "report.json").read_text())
    assert np.isfinite(report["trained"]["error"])
    assert report["training"]["n_frames"] == report["validation"]["n_frames"] == 3
    assert report["tested_recordings"] == ["phantom-ext-01", "phantom-ext-02"]
    assert not (tiny_copy.folder / "results" / "work" / "pose_training").exists()

    # A config of one's own counts by its content, like labels and weights.
    assert "train_pose_model" not in tiny_copy.planned("train_pose_model")
    own = tiny_copy.folder / "small.py"
    own.write_text(own.read_text() + "\nnothing = 1\n")
    assert "train_pose_model" in tiny_copy.planned("train_pose_model")

    options = {"config": "results/pose_training/config.py", "checkpoint": str(made / "model.pth")}
    configure(tiny_copy, pose={"method": "mmpose", "options": options})
    assert tiny_copy.planned()["estimate_pose"]


def test_missing_labels_are_found_before_any_job(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "project")
    configure(workflow, pose_training={"labels": ["none.json"]}, labelling={"skeleton": "coco71"})
    found = workflow.run("--dry-run", "train_pose_model", ok=False)
    assert found.returncode
    told = found.stdout + found.stderr
    assert "pose_training.labels: none.json: there is no such file" in told
    assert "Did you mean 'coco17'?" in told
    workflow.configure()
    empty = workflow.run("--cores", "1", "train_pose_model", ok=False)
    assert "pose_training.labels is empty" in empty.stderr
    assert "Traceback" not in empty.stderr
