"""What every rule asks of a machine or a cluster, and how it grows on a retry."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pose.lifting_models import SMALL_TCN, save_random
from tests.workflow.conftest import ROOT, Workflow, copy_project
from tests.workflow.every_rule import EVERY_RULE

#: Reads the real Snakefile and prints, for every rule with files, what three attempts ask for,
#: with what `--set-resources` says.
LIST_RULES = """\
import json
import sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.cli import parse_set_resources
from types import SimpleNamespace
from snakemake.iocontainers import InputFiles, OutputFiles
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    overwritten = parse_set_resources(sys.argv[1:])
    settings = ResourceSettings(cores=64, overwrite_resources=overwritten)
    workflow = api.workflow(resource_settings=settings, snakefile=Path("Snakefile"))._workflow
    for rule, chosen in every_rule(workflow):
        asked = [
            {
                name: value
                for name, value in rule.expand_resources(chosen, InputFiles(), attempt).items()
                if isinstance(value, (int, str))
            }
            for attempt in (1, 2, 3)
        ]
        stated = [name for name in ("mem_mb", "runtime", "_cores") if name in rule.resources]
        job = SimpleNamespace(resources=SimpleNamespace(_cores=1))
        params, compared = rule.expand_params(chosen, InputFiles(), OutputFiles(), job)
        print(json.dumps({
            "rule": rule.name, "stated": stated, "asked": asked, "retries": rule._restart_times,
            "compared": sorted(map(repr, compared)), "device": params.get("device"),
        }))
    limits = workflow.global_resources
    print(json.dumps({"rule": "", "gpu": limits["gpu"].value if "gpu" in limits else None}))
"""
#: Reads the real Snakefile and prints what it sets for the jobs below it.
TELL_GROUP = """\
import os
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    settings = ResourceSettings(cores=1)
    api.workflow(resource_settings=settings, snakefile=Path("Snakefile"))._workflow.rules
    print("set:" + os.environ.get("FIDGETY_POSES_TOGETHER", ":").partition(":")[2])
"""


PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
GROUPS = PROFILE["groups"]
#: What docs/clusters.md says takes longer.
NAMED_BY_THE_DOCS = ("poses",)
OF_PICTURES = ("explain_pictures", "draw_pictures")
#: How often rules run that are not of a recording or an infant: once a role, or once.
ONCE = {
    "collect_cohort": 4,
    "collect_training": 2,
    **dict.fromkeys(("assign_folds", "evaluate", "write_report"), 1),
}


def rules_of(
    workflow: Workflow, *set_resources: str, **environment: str
) -> dict[str, dict[str, Any]]:
    """Return what the rules ask for, by name; under no name what the machine has."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_RULE + LIST_RULES, *set_resources],
        cwd=workflow.folder,
        env={**os.environ, "PYTHONPATH": str(workflow.folder), **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {one["rule"]: one for one in found}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return copy_project(tmp_path_factory.mktemp("resources") / "project")


def test_every_rule_states_threads_memory_and_runtime(project: Workflow) -> None:
    project.configure()
    rules = rules_of(project)
    del rules[""]
    assert len(rules) > 35
    for name, rule in rules.items():
        assert sorted(rule["stated"]) == ["_cores", "mem_mb", "runtime"], name
        first, second, third = rule["asked"]
        assert first["_cores"] >= 1, name
        # Minutes of a group are shared: those of its quick members may be few.
        assert first["runtime"] >= (2 if name in GROUPS else 5), name
        assert first["runtime"] <= second["runtime"] <= third["runtime"], name
        assert 500 <= first["mem_mb"] < second["mem_mb"] < third["mem_mb"], name
        # A rule's own would multiply with those of the executor.
        assert not rule["retries"], name
        # No GPU is no wish at all: executors read 0 as one too.
        assert first.get("gpu", 1) == 1, name


def test_a_full_group_asks_for_less_than_two_hours_and_more_on_a_retry(
    project: Workflow, tmp_path: Path
) -> None:
    """Its members take turns, so their minutes add up: as many of each rule as it may have."""
    (tmp_path / "small.py").write_text(SMALL_TCN)
    save_random(tmp_path / "small.py", tmp_path / "weights.pth")
    options = {"config": f"{tmp_path}/small.py", "checkpoint": f"{tmp_path}/weights.pth"}
    project.configure(lifting={"method": "mmpose", "options": {**options, "device": "cpu"}})
    rules = rules_of(project)
    most = PROFILE["group-components"]
    minutes = {
        group: [
            sum(
                ONCE.get(rule, most[group]) * rules[rule]["asked"][attempt]["runtime"]
                for rule in set(GROUPS) - set(OF_PICTURES)
                if GROUPS[rule] == group
            )
            for attempt in range(3)
        ]
        for group in set(GROUPS.values()) - set(NAMED_BY_THE_DOCS)
    }
    alone = {"recordings", "lifting", "features", "videos", "exports", "reviews", "readings"}
    assert minutes.keys() == alone | {"cohorts", "infants", "studied", "report"}
    for group, (first, second, third) in minutes.items():
        assert 0 < first <= 120, group
        assert (second, third) == (2 * first, 3 * first), group


#: Few, or long.
BY_THEMSELVES = {
    "render_phantom": "of the phantoms there are few, and a minute's video takes minutes",
    "build_pixels": "takes as long as poses do",
    "estimate_compared_pose": "as estimate_pose, of the few recordings that are compared",
}


def test_what_is_of_one_recording_or_infant_is_grouped_or_said_to_be_alone() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    blocks = re.split(r"^(?=(?:use )?rule )", text, flags=re.M)[1:]
    of_one = set()
    for block in blocks:
        first, made = re.findall(r"rule (\w+)(?: as (\w+))?", block)[0]
        output = re.search(r"^    output:\n((?:        .*\n)+)", block, flags=re.M)
        if output and re.search(r"\{(recording|infant)\}", output[1]):
            of_one.add(made or first)
    assert len(of_one) >= 15
    assert of_one - set(GROUPS) == set(BY_THEMSELVES)


def test_rules_say_their_threads_themselves(project: Workflow) -> None:
    """Snakemake gives one thread to a rule that is silent; here nobody is."""
    for path in (project.folder / "rules").glob("*.smk"):
        for block in path.read_text().split("\nrule ")[1:]:
            body = block.split("\nrule ")[0]
            if "\n    output:" in body:
                for key in ("threads:", "resources:", "log:", "conda:"):
                    assert f"\n    {key}" in body, f"{path.name}: {block.splitlines()[0]} {key}"


def test_rules_on_a_gpu_ask_for_one(project: Workflow) -> None:
    project.configure(
        training={"device": "gpu"},
        pose_training={"device": "gpu"},
        models={"a": {"kind": "cnn1d", "grid": {"dropout": [0.1, 0.2]}}, "b": {"kind": "cnn1d"}},
    )
    asking = {
        name for name, rule in rules_of(project).items() if name and "gpu" in rule["asked"][0]
    }
    assert asking == {
        "train_model",
        "train_candidate",
        "train_study_model",
        "train_gao_model",
        "train_pose_model",
    }
    project.configure(training={"device": "cpu"}, pose_training={"device": "cpu"})
    rules = rules_of(project)
    assert not {name for name, rule in rules.items() if name and "gpu" in rule["asked"][0]}


def test_another_device_makes_nothing_run_again(project: Workflow, tmp_path: Path) -> None:
    """Jobs are told it, and Snakemake compares it with nothing; the report shows it."""
    (tmp_path / "small.py").write_text(SMALL_TCN)
    save_random(tmp_path / "small.py", tmp_path / "weights.pth")
    options = {"config": f"{tmp_path}/small.py", "checkpoint": f"{tmp_path}/weights.pth"}
    found = []
    for device in ("cpu", "gpu"):
        project.configure(
            training={"device": device},
            pose_training={"device": device},
            lifting={"method": "mmpose", "options": {**options, "device": device}},
            models={"a": {"kind": "cnn1d", "grid": {"dropout": [0.1]}}, "b": {"kind": "cnn1d"}},
        )
        rules = rules_of(project)
        assert {name for name, rule in rules.items() if name and rule["device"] == device} == {
            "lift_pose",
            "train_model",
            "train_candidate",
            "train_study_model",
            "train_gao_model",
            "train_pose_model",
        }
        found.append({name: rule["compared"] for name, rule in rules.items() if name})
    changed = {name for name in found[0] if found[0][name] != found[1][name]}
    assert changed <= {"write_report", "write_paper", "report_gao2023", "report_kaur2025"}


@pytest.mark.parametrize("name", ["slurm", "generic"])
def test_a_line_for_a_gpu_is_for_a_rule_that_uses_one(project: Workflow, name: str) -> None:
    """A line asks for its GPU always, as the profiles say: none counts until it is chosen."""
    text = (project.folder / "profiles" / name / "config.yaml").read_text()
    assert "set-resources" not in yaml.safe_load(text)
    lines = yaml.safe_load(re.sub(r"^# (set-resources:|  \w+: \{)", r"\1", text, flags=re.M))
    wishes = {
        rule: [f"{rule}:{key}={value}" for key, value in line.items()]
        for rule, line in lines["set-resources"].items()
    }
    project.configure(training={"device": "gpu"})
    rules = rules_of(project, *wishes["train_model"], *wishes["estimate_pose"])
    wished = set(lines["set-resources"]["train_model"])
    assert wished | {"gpu"} <= set(rules["train_model"]["asked"][0])
    # BlazePose computes on the processor, and its line asks for the GPU's partition all the same.
    assert "gpu" not in rules["estimate_pose"]["asked"][0]
    assert wished <= set(rules["estimate_pose"]["asked"][0])
    rules = rules_of(project, *wishes["train_model"])
    assert not wished & set(rules["estimate_pose"]["asked"][0])


def test_a_machine_gives_the_gpus_that_it_has(project: Workflow) -> None:
    project.configure()
    assert rules_of(project, CUDA_VISIBLE_DEVICES="0,2,3")[""]["gpu"] == 3
    # A head node submits to machines that have some: it sets no limit.
    assert rules_of(project, CUDA_VISIBLE_DEVICES="")[""]["gpu"] is None


def test_a_group_of_poses_is_told_to_its_jobs(project: Workflow) -> None:
    """Snakemake's own command line on a cluster's machine, as the Snakefile reads it."""
    project.configure()
    words = ["estimate_pose:recording=phantom-dev-04", "estimate_pose:recording=phantom-ext-01"]
    for argv, expected in ((words, "phantom-dev-04,phantom-ext-01"), (words[:1], "")):
        done = subprocess.run(
            [sys.executable, "-c", TELL_GROUP, "--target-jobs", *argv, "--cores", "1"],
            cwd=project.folder,
            env={**os.environ, "PYTHONPATH": str(project.folder)},
            text=True,
            capture_output=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1].partition(":")[2] == expected
