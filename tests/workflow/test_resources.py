"""What every rule asks of a machine or a cluster, and how it grows on a retry."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import Workflow, copy_project

#: Reads the real Snakefile and prints a line a rule; run where its folder is the current one.
LIST_RULES = """\
import json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    settings = ResourceSettings(cores=1)
    workflow = api.workflow(resource_settings=settings, snakefile=Path("Snakefile"))._workflow
    for rule in workflow.rules:
        if not rule.output:
            continue
        said = {name: value._value for name, value in rule.resources.items()}
        memory = said.get("mem_mb")
        print(json.dumps({
            "rule": rule.name,
            "asked": sorted(said),
            "threads": said["_cores"] if isinstance(said["_cores"], int) else None,
            "runtime": said.get("runtime") if isinstance(said.get("runtime"), int) else None,
            "gpu": said.get("gpu") if isinstance(said.get("gpu"), int) else None,
        }))
    print(json.dumps({"gpus": workflow.global_resources["gpu"].value}))
"""
