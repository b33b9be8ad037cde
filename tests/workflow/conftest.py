"""Run the real Snakefile on a copy of the project in a scratch folder.

The copy is what makes tests of "a changed line of the library reruns its stage" possible
without touching the checkout. One wet run of the tiny phantom cohort serves all tests;
those that change files run on their own copy of its results.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Snakefile",
    "config.yaml",
    "rules",
    "workflow_scripts",
    "fidgety",
    "envs",
    "requirements",
    "profiles",
    "report",
    "config",
    "pyproject.toml",
)
#: The body model's cache, below the results folder: as large as all else, and never changed.
CACHE = ".cache"
TINY = {"phantom": {"preset": "tiny"}, "folds": {"n": 2}}


@dataclass
class Workflow:
    """A copy of the project with a configuration of its own."""

    folder: Path

    def configure(self, **values: object) -> None:
        """Write ``config.yaml`` anew: the tiny cohort and the given keys."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump({**TINY, **values}))

    def environment(self) -> dict[str, str]:
        """Return the environment of a run: this copy comes first, what the tests got after it."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                [str(self.folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
            ).rstrip(os.pathsep),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def run(
        self, *args: str, ok: bool = True, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run snakemake as a user would; ``ok`` says that it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", *args],
            cwd=self.folder,
            env={**self.environment(), **(env or {})},
            text=True,
            capture_output=True,
            check=False,
        )
        if ok and done.returncode:
            logs = "\n".join(re.findall(r"^\s*log: (\S+)", done.stderr, re.M))
            raise AssertionError(
                f"snakemake {' '.join(args)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
                f"\n{self.tails(logs.split())}"
            )
        return done

    def tails(self, logs: list[str]) -> str:
        """Return the ends of log files, for a failed test's message."""
        parts = []
        for name in dict.fromkeys(logs):
            path = self.folder / name
            if path.is_file():
                parts.append(f"--- {name}\n{path.read_text()[-3000:]}")
        return "\n".join(parts)

    def planned(self, *args: str) -> dict[str, set[str]]:
        """Return what would run: rule to the wildcard values of its jobs."""
        done = self.run("--dry-run", "--cores", "2", *args)
        text = done.stdout + done.stderr
        jobs: dict[str, set[str]] = {}
        stats = re.search(r"^job +count\n[- ]+\n(.*?)^total ", text, flags=re.M | re.S)
        for line in stats[1].splitlines() if stats else []:
            jobs[line.split()[0]] = set()
        templates = message_templates(self.folder / "rules")
        for message in re.findall(r"^Job \d+: (.*)$", text, flags=re.M):
            for rule, template in templates.items():
                if found := template.fullmatch(message):
                    values = ", ".join(f"{k}={v}" for k, v in found.groupdict().items())
                    jobs[rule] |= {values} - {""}
        return jobs

    def checksums(self, *parts: str) -> dict[str, str]:
        """Return the checksums of all files below parts of the results folder."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for part in parts
            for path in sorted((self.folder / "results" / part).rglob("*"))
            if path.is_file()
        }

    def copy(self, folder: Path) -> Workflow:
        """Return a second copy with the same results; dates are kept, caches are shared."""
        cache = self.folder / "results" / CACHE
        shutil.copytree(
            self.folder,
            folder,
            symlinks=True,
            ignore=lambda _, names: {CACHE, "__pycache__"} & set(names),
        )
        if cache.is_dir():
            (folder / "results" / CACHE).symlink_to(cache.resolve())
        return Workflow(folder)


def assert_unharmed(before: Workflow, after: Workflow) -> None:
    """Assert that everybody who was there before has equal bytes after, in every stage."""
    for part in (
        *("video", "background", "pose", "features", "quality"),
        *("models", "predictions"),
    ):
        expected = before.checksums(part)
        assert expected
        found = after.checksums(part)
        assert {name: found[name] for name in expected} == expected


def message_templates(rules: Path) -> dict[str, re.Pattern[str]]:
    """Return a pattern for each rule's message, from the rules themselves."""
    patterns = {}
    for path in rules.glob("*.smk"):
        for rule, message in re.findall(
            r'^(?:rule|use rule \w+ as) (\w+)(?: with)?:.*?^    message:\n        "(.*?)"$',
            path.read_text(),
            flags=re.M | re.S,
        ):
            pattern = re.sub(r"\\{wildcards\\.(\w+)\\}", r"(?P<\1>[\\w-]+)", re.escape(message))
            patterns[rule] = re.compile(re.sub(r"\\{params\\.\w+\\}", ".*", pattern))
    return patterns


def copy_project(folder: Path) -> Workflow:
    """Copy what the workflow consists of, without results."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(
                source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            shutil.copy2(source, folder / part)
    workflow = Workflow(folder)
    workflow.configure()
    return workflow


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Workflow:
    """Return the tiny cohort, run to its report. Tests do not change it.

    One run serves all workers of pytest-xdist: the first one makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "tiny"
    with FileLock(f"{folder}.lock"):
        workflow = Workflow(folder)
        if not folder.exists():
            copy_project(folder)
            workflow.run("--cores", "2")
    return workflow


@pytest.fixture
def tiny_copy(tiny_run: Workflow, tmp_path: Path) -> Workflow:
    """Return a copy of the run tiny cohort that a test may change."""
    return tiny_run.copy(tmp_path / "copy")
