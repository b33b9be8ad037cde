"""With results in a storage a job has the files alone that it names: weights as well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import copy_project
from tests.workflow.every_rule import EVERY_RULE

pytestmark = [pytest.mark.cluster, pytest.mark.long]

pytest.importorskip("snakemake_storage_plugin_fs")

#: Reads the real Snakefile with results in a storage and prints what every rule reads.
LIST_INPUTS = """\
import json
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings, StorageSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    stored = StorageSettings(
        default_storage_provider="fs", default_storage_prefix=sys.argv[1]
    )
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1), storage_settings=stored,
        snakefile=Path("Snakefile"),
    )._workflow
    for rule, chosen in every_rule(workflow):
        found, *_ = rule.expand_input(chosen)
        print(json.dumps({"rule": rule.name, "input": [str(path) for path in found]}))
"""
#: Rules that read what models are, and not their weights.
DESCRIPTIONS_ALONE = {"list_models", "list_gao_models", "compare_models", "write_paper"}


def test_who_loads_a_model_names_its_weights(tmp_path: Path) -> None:
    workflow = copy_project(tmp_path / "project")
    workflow.configure(
        phantom={"preset": "tiny", "videos": False},
        models={"cnn1d": {"kind": "cnn1d", "grid": {"dropout": [0.1, 0.2]}}},
    )
    done = subprocess.run(
        [sys.executable, "-c", EVERY_RULE + LIST_INPUTS, str(tmp_path / "storage")],
        cwd=workflow.folder,
        env=workflow.environment(),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    reading = {
        one["rule"]: set(one["input"])
        for one in lines
        if any(path.endswith("/model.json") for path in one["input"])
    }
    assert len(reading) > 9
    for rule in set(reading) - DESCRIPTIONS_ALONE:
        for path in reading[rule]:
            if path.endswith("/model.json"):
                weights = path.replace("model.json", "weights.safetensors")
                assert weights in reading[rule], f"{rule}: {weights}"
    # A chosen candidate is copied with its history.
    assert any(path.endswith("candidate-1/history.tsv") for path in reading["select_model"])
