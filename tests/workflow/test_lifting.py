"""Lifting by a network, on the real Snakefile."""

from __future__ import annotations

from pathlib import Path

import pytest

from fidgety.pose.tracks import read_pose
from fidgety.storage import read_provenance
from tests.pose.lifting_models import SMALL_TCN, save_random
from tests.workflow.conftest import copy_project

RECORDING = "phantom-dev-02"  # known skeleton, no video
LIFTED = f"results/pose/lifted/{RECORDING}.h5"


@pytest.mark.long
def test_a_network_lifts_by_a_job_of_its_own_that_follows_its_weights(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "project")
    config, weights = workflow.folder / "small.py", workflow.folder / "weights.pth"
    config.write_text(SMALL_TCN)
    options = {"config": "small.py", "checkpoint": "weights.pth", "device": "cpu"}
    workflow.configure(lifting={"method": "mmpose", "options": options})
    done = workflow.run("--dry-run", "--cores", "1", LIFTED, ok=False)
    assert done.returncode
    said = done.stdout + done.stderr
    assert "lifting.options.checkpoint: there is no file weights.pth" in said
    assert "Traceback" not in said

    first = save_random(config, weights)
    workflow.run("--cores", "1", LIFTED)
    pose = read_pose(workflow.folder / LIFTED)
    assert pose.skeleton == "human36m17"
    assert pose.details["lifting"]["method"] == "mmpose"
    assert pose.details["lifting"]["checkpoint_sha256"] == first.sha256
    assert read_provenance(workflow.folder / LIFTED)["libraries"]["mmpose"]
    assert workflow.planned(LIFTED) == {}

    # Other weights under the same name lift anew, and clean nothing.
    save_random(config, weights, seed=1)
    assert workflow.planned(LIFTED) == {"lift_pose": {f"recording={RECORDING}"}}
