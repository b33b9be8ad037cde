"""What is submitted to Kubernetes; the cluster itself is made up, and runs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fidgety.phantom.plan import plan_cohort
from tests.workflow.conftest import Workflow, copy_project

pytestmark = pytest.mark.cluster

pytest.importorskip("snakemake_executor_plugin_kubernetes")

#: snakemake with an API that writes down what is submitted, and says that it has failed.
RUN = """\
import json, sys
from types import SimpleNamespace
from unittest.mock import MagicMock
import kubernetes

def submit(namespace, body):
    job = kubernetes.client.ApiClient().sanitize_for_serialization(body)
    print("SUBMITTED", json.dumps({"namespace": namespace, **job}), flush=True)

batch, core = MagicMock(), MagicMock()
batch.create_namespaced_job.side_effect = submit
batch.read_namespaced_job_status.return_value = SimpleNamespace(status=SimpleNamespace(failed=1))
core.list_namespaced_pod.return_value = SimpleNamespace(items=[])
kubernetes.config.load_kube_config = lambda: None
kubernetes.client.BatchV1Api = lambda: batch
kubernetes.client.CoreV1Api = lambda: core

from snakemake.cli import main
main(sys.argv[1:])
"""


#: The storage copies by rsync, which need not be here.
RSYNC = """\
#!/usr/bin/env bash
cp -r "${@: -2:1}" "${@: -1}"
"""


DEVELOPMENT = [
    spec.recording
    for spec in plan_cohort(seed=20230904, preset="tiny", videos=False)
    if spec.role == "development"
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = copy_project(tmp_path_factory.mktemp("kubernetes") / "project")
    workflow.configure(phantom={"preset": "tiny", "videos": False})
    return workflow


def submitted(project: Workflow, storage: Path, *args: str) -> list[dict[str, Any]]:
    """Return what is submitted until everything has failed."""
    command = storage / "bin" / "rsync"
    command.parent.mkdir()
    command.write_text(RSYNC)
    command.chmod(0o755)
    path = f"{command.parent}:{project.environment()['PATH']}"
    done = subprocess.run(
        [
            *(sys.executable, "-c", RUN, "--workflow-profile", "profiles/kubernetes"),
            *("--default-storage-prefix", str(storage), "--seconds-between-status-checks", "1"),
            *args,
        ],
        cwd=project.folder,
        env=project.environment() | {"HOME": str(storage), "PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("SUBMITTED ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return [json.loads(line.removeprefix("SUBMITTED ")) for line in lines]


def test_a_group_asks_for_image_cpus_memory_and_storage(project: Workflow, tmp_path: Path) -> None:
    jobs = submitted(project, tmp_path, "results/features/phantom-ext-01.h5")
    # Once, and twice again: the memory grows.
    assert len(jobs) == 3
    for attempt, job in enumerate(jobs, 1):
        assert job["namespace"] == "default"
        pod = job["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"] == "registry.example.org/fidgety:0.1"
        asked = container["resources"]
        assert asked["requests"]["memory"] == f"{2000 * attempt}M"
        assert asked["limits"]["memory"] == f"{2000 * attempt}M"
        assert asked["requests"]["cpu"] == "950m"
        # No GPU is no wish at all.
        assert not any("gpu" in name for name in asked["requests"])
        assert not pod.get("tolerations")
        assert {"name": "fidgety-storage", "mountPath": "/fidgety-storage"} in container[
            "volumeMounts"
        ]
        claims = [v.get("persistentVolumeClaim", {}).get("claimName") for v in pod["volumes"]]
        assert "fidgety-storage" in claims
        (command,) = container["args"][1:]
        for rule in ("simulate_track", "import_pose", "clean_pose"):
            assert f"{rule}:recording=phantom-ext-01" in command
        assert f"--attempt {attempt}" in command


def test_a_training_on_a_gpu_asks_for_one_on_its_machine_type(tmp_path: Path) -> None:
    """The profile's own lines: the one with a machine type instead of the one without."""
    project = copy_project(tmp_path / "project")
    project.configure(
        phantom={"preset": "tiny", "videos": False},
        models={"cnn1d": {"kind": "cnn1d"}},
        training={"device": "gpu"},
    )
    profile = project.folder / "profiles" / "kubernetes" / "config.yaml"
    text = profile.read_text()
    plain = "\n  train_model: {gpu_manufacturer: nvidia}\n"
    assert plain in text
    assert "\n#   train_model: {" in text
    profile.write_text(
        text.replace(plain, "\n").replace("\n#   train_model: {", "\n  train_model: {")
    )
    # What a training reads is there: it is the first job that is submitted.
    storage = tmp_path / "storage"
    names = [f"features/{name}.h5" for name in DEVELOPMENT]
    for name in (*names, "training/development.tsv", "folds.tsv"):
        path = storage / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (job,) = submitted(
        project, storage, "--retries", "0", "--", "results/models/cnn1d/fold-1/model.json"
    )
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "--target-jobs train_model:model=cnn1d,fold=1" in container["args"][1].replace("'", "")
    asked = container["resources"]
    assert asked["requests"]["nvidia.com/gpu"] == asked["limits"]["nvidia.com/gpu"] == "1"
    assert pod["nodeSelector"] == {"node.kubernetes.io/instance-type": "a2-highgpu-1g"}
    assert [t["key"] for t in pod["tolerations"]] == ["nvidia.com/gpu"]
