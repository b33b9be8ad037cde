"""Which profile wins, and what all of them say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pose.lifting_models import SMALL_TCN, save_random
from tests.workflow.conftest import ROOT, copy_project

CLUSTERS = ("slurm", "generic", "kubernetes")


def profile(name: str) -> dict[str, Any]:
    text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return read


@pytest.mark.parametrize(("option", "cores"), [("--profile", 1), ("--workflow-profile", 2)])
def test_a_profile_replaces_the_default_one_only_as_workflow_profile(
    option: str, cores: int, tmp_path: Path
) -> None:
    """What docs/clusters.md says of Snakemake: another version may do otherwise."""
    for name, value in (("default", 1), ("other", 2)):
        folder = tmp_path / "profiles" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"cores: {value}\n")
    (tmp_path / "Snakefile").write_text('rule a:\n    output: "x"\n    shell: "touch {output}"\n')
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", option, "profiles/other"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
    )
    assert re.findall(r"Provided cores: (\d+)", done.stdout + done.stderr) == [str(cores)]


def test_profiles_of_clusters_say_what_the_default_one_says() -> None:
    default = profile("default")
    for name in CLUSTERS:
        found = profile(name)
        for key in set(default) - {"cores"}:
            assert found[key] == default[key], f"{name}: {key}"
        assert found["retries"] == 2
        assert found["resources"]
        assert {"gpu=local"} <= set(found["set-resource-scopes"])


@pytest.mark.parametrize(
    ("said", "code", "state"),
    [
        ("    job_state = Q", 0, "running"),
        ("    job_state = R\n    Exit_status = 0", 0, "running"),
        ("    job_state = E\n    Exit_status = 1", 0, "running"),
        ("    job_state = F\n    Exit_status = 0", 0, "success"),
        ("    job_state = F\n    Exit_status = 1", 0, "failed"),
        # Killed for its time; deleted while it waited.
        ("    job_state = F\n    Exit_status = -29", 0, "failed"),
        ("    job_state = F\n    Exit_status = 271", 0, "failed"),
        ("    job_state = F", 0, "failed"),
        ("qstat: Unknown Job Id 7.server", 153, "failed"),
        ("qstat: cannot connect to server pbs (errno=15010)", 255, "running"),
        ("qstat: PBS is not configured to maintain job history", 1, ""),
    ],
)
def test_the_state_of_a_job_of_pbs_is_one_word(
    said: str, code: int, state: str, tmp_path: Path
) -> None:
    qstat = tmp_path / "qstat"
    text = f"Job Id: 7.server\n    Job_Name = job_state = R\n{said}" if code == 0 else said
    qstat.write_text(
        f"#!/bin/sh\n[ \"$*\" = '-xf 7.server' ] || exit 9\ncat <<'E'\n{text}\nE\nexit {code}\n"
    )
    qstat.chmod(0o755)
    command = ROOT / "profiles" / "generic" / str(profile("generic")["cluster-generic-status-cmd"])
    done = subprocess.run(
        [command, "7.server"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.stdout.strip() == state
    assert bool(done.returncode) == (not state)


@pytest.mark.parametrize("name", CLUSTERS)
def test_who_lacks_the_executors_reads_how_to_get_them(name: str) -> None:
    text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    assert "`make cluster`" in "".join(text.splitlines()[:2])
    page = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")
    assert "invalid choice" in page
    assert f"`{profile(name)['executor']}`" in page or f"'{profile(name)['executor']}'" in page


def test_groups_are_of_rules_that_there_are() -> None:
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", text, flags=re.M))
    for name in CLUSTERS:
        found = profile(name)
        assert set(found["groups"]) <= rules
        assert set(found["groups"].values()) == set(found["group-components"])


@pytest.mark.parametrize("name", CLUSTERS)
def test_profiles_name_every_rule_that_may_use_a_gpu(name: str) -> None:
    using = set()
    for path in (ROOT / "rules").glob("*.smk"):
        blocks = re.split(r"^(?=(?:use )?rule )", path.read_text(), flags=re.M)
        found = {re.findall(r"rule (\w+)(?: as (\w+))?", block)[0]: block for block in blocks[1:]}
        using |= {made or first for (first, made), block in found.items() if "one_gpu(" in block}
        # A rule made from another asks for the same unless it says otherwise.
        using |= {
            made
            for (first, made), block in found.items()
            if made and first in using and "resources:" not in block
        }
    text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?   ?(\w+): \{", text, flags=re.M))
    assert len(using) == 8
    assert named == using


def test_groups_are_planned_with_jobs_in_between(tmp_path: Path) -> None:
    """A network that lifts runs between cleaning and features, pictures before the page."""
    groups = [profile(name)["groups"] for name in CLUSTERS]
    assert all(found == groups[0] for found in groups[1:])
    workflow = copy_project(tmp_path / "project")
    (workflow.folder / "small.py").write_text(SMALL_TCN)
    save_random(workflow.folder / "small.py", workflow.folder / "weights.pth")
    options = {"config": "small.py", "checkpoint": "weights.pth", "device": "cpu"}
    small = {"kind": "two_stream", "options": {"backbone": "resnet18"}}
    workflow.configure(lifting={"method": "mmpose", "options": options}, models={"pictures": small})
    grouped = [f"{rule}={group}" for rule, group in groups[0].items()]
    planned = workflow.planned("--groups", *grouped)
    between = {"lift_pose", "explain_pictures", "draw_pictures"}
    assert between | {"clean_pose", "build_features", "write_infant_page"} <= set(planned)
    assert between <= set(groups[0])


def test_what_may_ask_for_a_gpu_shares_no_group_with_what_may_not() -> None:
    """Text among a group's resources must be equal: a GPU's model, its maker, a partition."""
    for name in CLUSTERS:
        text = (ROOT / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
        named = set(re.findall(r"^#?   ?(\w+): \{", text, flags=re.M))
        groups = profile(name)["groups"]
        for rule in named & set(groups):
            assert [r for r, group in groups.items() if group == groups[rule]] == [rule]
