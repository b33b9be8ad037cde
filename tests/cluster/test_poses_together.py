"""Poses of several recordings in one job of the queue: one network for all of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from fidgety.pose.tracks import read_pose
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from tests.cluster.conftest import asked_for, name_gpus
from tests.cluster.one_machine_slurm import OneMachineSlurm
from tests.pose.sight import DATA
from tests.pose.tiny_vitpose import save, tiny_model
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import own_rows

pytestmark = [pytest.mark.cluster, pytest.mark.long]

NAMES = ("baby1", "baby2", "baby3")
POSES = tuple(f"results/pose/raw/{name}.h5" for name in NAMES)
#: The sums of a network depend on the number of threads in their last digits.
THREADS = ("--set-threads", "estimate_pose=1")
QUEUE = (
    *("--workflow-profile", "profiles/slurm", "--latency-wait", "10"),
    *("--slurm-init-seconds-before-status-checks", "3"),
    *("--group-components", "poses=3"),
)
#: Both copies of the estimator write down every time that a network is loaded.
COUNTED = """

def _counted(options, load=_load):
    with open("loads", "a") as file:
        file.write("once\\n")
    return load(options)


_load = _counted
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return three short recordings with poses that were estimated one by one, without a queue."""
    workflow = copy_project(tmp_path_factory.mktemp("poses") / "alone")
    save(tiny_model(spread=0.2), workflow.folder / "weights")
    estimator = workflow.folder / "fidgety" / "pose" / "vitpose.py"
    estimator.write_text(estimator.read_text() + COUNTED)
    info = video_info(DATA / "phantom.mp4")
    for brightness, name in zip((1.0, 0.8, 0.6), NAMES, strict=True):
        # No two recordings have one pose.
        with VideoWriter(workflow.folder / f"{name}.mp4", info.rate, 320, 320) as writer:
            for frame in iter_frames(DATA / "phantom.mp4"):
                writer.write((frame * brightness).astype(np.uint8))
    own_rows(
        workflow,
        [
            {"recording": name, "infant": name, "cohort": "clinic", "video": f"{name}.mp4"}
            for name in NAMES
        ],
    )
    configure(workflow, "cpu")
    workflow.run("--cores", "2", *THREADS, "--", *POSES)
    return workflow


def configure(workflow: Workflow, device: str) -> None:
    workflow.configure(
        sheet="recordings.tsv",
        cohorts={"clinic": "new"},
        video={"min_duration_s": 0.5},
        background={"method": "median"},
        pose={
            "method": "vitpose",
            "options": {"folder": "weights", "device": device, "min_score": 0.0},
        },
    )


def loads(workflow: Workflow) -> int:
    """Return how often a network was loaded."""
    return len((workflow.folder / "loads").read_text().split())


def log(workflow: Workflow, name: str) -> str:
    """Return what the estimation of a recording said."""
    return (workflow.folder / f"results/logs/estimate_pose/{name}.log").read_text()


def test_a_job_of_the_queue_loads_the_network_once(
    slurm: OneMachineSlurm, alone: Workflow, tmp_path: Path
) -> None:
    expected = alone.checksums("pose")
    assert set(expected) == set(POSES)
    positions = [read_pose(alone.folder / path).position for path in POSES]
    assert not any(np.array_equal(positions[0], other) for other in positions[1:])
    assert loads(alone) == 3

    workflow = alone.copy(tmp_path / "queue")
    for part in ("pose", "logs"):
        shutil.rmtree(workflow.folder / "results" / part)
    (workflow.folder / "loads").unlink()
    before = slurm.jobs("all")
    told = workflow.run(*QUEUE, *THREADS, "--", *POSES).stderr
    (job,) = slurm.jobs("all") - before
    assert re.findall(r"SLURM jobid (\d+)", told) == [job]
    assert slurm.describe(job)["JobState"] == "COMPLETED"
    assert "poses" in slurm.describe(job)["Comment"]

    assert loads(workflow) == 1
    said = [log(workflow, name) for name in NAMES]
    assert sum("estimated together" in text for text in said) == 2
    assert max(text.count("20 frames: ") for text in said) == 3
    # Equal bytes, and nothing else: no pose that lies ready is left, hidden or not.
    assert workflow.checksums("pose") == expected


def test_on_a_gpu_they_ask_for_one_and_for_the_time_of_all(
    slurm: OneMachineSlurm, alone: Workflow, tmp_path: Path
) -> None:
    workflow = alone.copy(tmp_path / "gpu")
    # Another device alone makes nothing run again.
    shutil.rmtree(workflow.folder / "results" / "pose")
    configure(workflow, "gpu")
    name_gpus(workflow, estimate_pose=15)
    asked = asked_for(slurm, workflow, tmp_path / "log", *QUEUE, "--", *POSES, of="poses")
    assert asked["Partition"] == "gpu"
    assert asked["TresPerJob"] == "gres:gpu:a100:1"
    assert asked["TimeLimit"] == "00:45:00"
    assert asked["MinMemoryNode"] == "8000M"
    assert asked["NumCPUs"] == "4"
