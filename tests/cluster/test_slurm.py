"""The phantom workflow through Slurm, with all that happens to jobs on a cluster.

One run tells the story, and every test below asks for a part of it: a job is cancelled from
outside; the main process is killed while its jobs run; the node is drained and resumed; a second
main process runs the same jobs while those of the first go on; a job of it fails once.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.conftest import CONFIG, TARGETS, asked_for, name_gpus, start_snakemake
from tests.cluster.one_machine_slurm import OneMachineSlurm, wait
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.cluster

PROFILE = ("--workflow-profile", "profiles/slurm")
#: Quicker than a real cluster needs, and two jobs of recordings to run side by side.
QUICK = (
    *("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"),
    *("--group-components", "recordings=2", "features=6", "infants=5", "cohorts=10", "report=2"),
)
#: Recordings that are new to the cluster: two jobs that last long enough to be seen.
NEW = ("phantom-dev-01-a", "phantom-dev-02", "phantom-ext-01", "phantom-ref-01")
#: What there is of the others already, as after a run that was broken off.
KEPT = ("phantom", "pose", "features", "quality", ".cache", ".checksums", ".index")
#: What a run leaves that tells of the run and not of the infants.
OF_THE_RUN = ("logs", "benchmarks", ".cache", ".index", "work")
#: Python runs it at its start: the script of one rule ends before it has begun, once.
FAIL_ONCE = """\
import os, pathlib, sys
if any(word.endswith(".evaluate.py") for word in sys.orig_argv):
    try:
        pathlib.Path(__file__).with_name("fail-once").unlink()
    except FileNotFoundError:
        pass
    else:
        os._exit(1)
"""


@dataclass
class Story:
    """What was seen while the workflow ran."""

    workflow: Workflow
    memory_mb: list[int] = field(default_factory=list)
    went_on: set[str] = field(default_factory=set)
    while_drained: dict[str, str] = field(default_factory=dict)
    at_once: set[str] = field(default_factory=set)
    codes: list[int | None] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def begun(local: Workflow, folder: Path) -> Workflow:
    """Return a copy of a project with the steps of some recordings alone, one phantom missing."""
    workflow = local.copy(folder)
    results = workflow.folder / "results"
    for part in results.iterdir():
        if part.name not in KEPT:
            shutil.rmtree(part) if part.is_dir() else part.unlink()
    for name in NEW:
        for path in (*results.glob(f"pose/*/{name}.h5"), *results.glob(f"[fq]*/{name}.*")):
            path.unlink()
    shutil.rmtree(results / "phantom" / "phantom-ext-01")
    return workflow


@pytest.fixture(scope="module")
def story(
    slurm: OneMachineSlurm, local_run: Workflow, tmp_path_factory: pytest.TempPathFactory
) -> Story:
    base = tmp_path_factory.mktemp("slurm")
    told = Story(begun(local_run, base / "project"))
    results = told.workflow.folder / "results"
    logs = [base / "first.log", base / "second.log"]
    first = start_snakemake(told.workflow, logs[0], *PROFILE, *QUICK, "--", *TARGETS)
    try:
        # A job is cancelled by somebody, and comes again.
        wait(lambda: slurm.jobs("RUNNING", of="recordings"), "a job of recordings", process=first)
        cancelled = min(slurm.jobs("RUNNING", of="recordings"))
        told.memory_mb.append(memory_mb(slurm, cancelled))
        known = slurm.jobs(of="recordings")
        slurm.ask("scancel", cancelled)
        wait(
            lambda: slurm.jobs("RUNNING", of="recordings") - known,
            "the cancelled job again",
            process=first,
        )
        again = min(slurm.jobs("RUNNING", of="recordings") - known)
        told.memory_mb.append(memory_mb(slurm, again))

        # The main process dies, and nobody tells its jobs.
        poses = set(results.glob("pose/imported/*.h5"))
        wait(lambda: set(results.glob("pose/imported/*.h5")) - poses, "a pose", process=first)
        os.kill(first.pid, signal.SIGKILL)
        told.codes.append(first.wait())
        orphans = slurm.jobs("RUNNING", of="recordings")
        told.went_on = orphans

        # A drained node starts nothing; what it runs goes on.
        slurm.set_node("DRAIN")
        told.workflow.run("--unlock")
        # One job is going to fail, once.
        (base / "sitecustomize.py").write_text(FAIL_ONCE)
        (base / "fail-once").touch()
        arguments = (*PROFILE, *QUICK, "--", *TARGETS)
        second = start_snakemake(told.workflow, logs[1], *arguments, before=base)
    finally:
        print(logs[0].read_text()[-3000:])
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
    try:
        wait(
            lambda: slurm.jobs("PENDING", of="recordings"),
            "jobs of the second main process",
            process=second,
        )
        pending = min(slurm.jobs("PENDING", of="recordings"))
        wait(lambda: slurm.describe(pending)["Reason"] != "None", "a reason to wait")
        told.while_drained = slurm.describe(pending)
        slurm.set_node("RESUME")
        wait(
            lambda: slurm.jobs("RUNNING", of="recordings") - orphans,
            "the jobs after the drain",
            process=second,
        )
        told.at_once = slurm.jobs("RUNNING", of="recordings")

        told.codes.append(second.wait(timeout=1200))
        wait(lambda: not slurm.jobs(), "the end of the first one's jobs")
    finally:
        if second.poll() is None:
            os.killpg(second.pid, signal.SIGKILL)
            second.wait()
        slurm.ask("scancel", "--user=root", ok=False)
        told.texts = [log.read_text() for log in logs]
        print(told.texts[1][-6000:])
    assert told.codes[1] == 0
    return told


def memory_mb(slurm: OneMachineSlurm, job: str) -> int:
    """Return what a job asks for."""
    text = slurm.describe(job)["MinMemoryNode"]
    number, unit = re.fullmatch(r"([\d.]+)([MG])", text).groups()  # type: ignore[union-attr]
    return round(float(number) * (1024 if unit == "G" else 1))


def test_the_result_is_that_of_a_local_run(story: Story, local_run: Workflow) -> None:
    def whole(workflow: Workflow) -> dict[str, str]:
        return {
            name: checksum
            for name, checksum in workflow.checksums("").items()
            if Path(name).parts[1] not in OF_THE_RUN
        }

    expected, found = whole(local_run), whole(story.workflow)
    assert len(expected) > 80
    assert found == expected
    assert story.workflow.planned(*TARGETS) == {}


def test_a_cancelled_job_comes_again_with_more_memory(story: Story) -> None:
    first, second = story.memory_mb
    assert second == 2 * first


def test_jobs_outlive_their_main_process_and_run_twice_at_once(story: Story) -> None:
    assert story.codes[0] == -signal.SIGKILL
    assert story.went_on
    assert story.at_once & story.went_on
    assert story.at_once - story.went_on


def test_a_drained_node_starts_nothing_and_is_used_again(story: Story) -> None:
    assert story.while_drained["JobState"] == "PENDING"
    assert "ReqNodeNotAvail" in story.while_drained["Reason"] or (
        story.while_drained["Reason"] in ("Resources", "Nodes_required_for_job_are_DOWN")
        or "DRAINED" in story.while_drained["Reason"]
    ), story.while_drained


def test_a_failed_job_is_retried(story: Story) -> None:
    assert "Error in group report" in story.texts[1]
    assert "Trying to restart" in story.texts[1]
    assert (story.workflow.folder / "results" / "evaluation" / "summary.json").is_file()


def test_small_jobs_share_a_job_of_the_queue(story: Story) -> None:
    jobs = len(re.findall(r"has been submitted with SLURM jobid", story.texts[1]))
    steps = int(re.findall(r"of (\d+) steps", story.texts[1])[-1])
    again = story.texts[1].count("Trying to restart")
    # How many steps are left for the second main process depends on when the first was killed.
    assert steps > 25
    assert jobs - again < steps / 2


def test_a_job_on_a_gpu_asks_for_model_and_partition_of_the_profile(
    slurm: OneMachineSlurm, story: Story, tmp_path: Path
) -> None:
    workflow = story.workflow.copy(tmp_path / "project")
    workflow.configure(**CONFIG, training={"device": "gpu"})
    name_gpus(workflow)
    # Another device alone makes nothing run again.
    arguments = (*PROFILE, *QUICK, "--forcerun", "train_model", "--", *TARGETS)
    asked = asked_for(slurm, workflow, tmp_path / "log", *arguments, of="train_model")
    assert asked["Partition"] == "gpu"
    assert asked["TresPerJob"] == "gres:gpu:a100:1"
    assert asked["NumCPUs"] == "1"
