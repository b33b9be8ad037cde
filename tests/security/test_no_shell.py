"""Ids, paths and free text reach no shell: nothing in the workflow starts one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted([ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
MODULES = sorted(
    path for folder in ("fidgety", "workflow_scripts") for path in (ROOT / folder).rglob("*.py")
)
#: A rule's directive, and the function that Snakemake offers in Python code.
SHELL_IN_RULES = re.compile(r"^\s*shell:|\bshell\(|\bshell\s*=\s*True|\bos\.(?:system|popen)\b")
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}


def shells_started(source: str) -> list[int]:
    """Return the lines of Python code that start a shell."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno
        for call in calls
        if (isinstance(call.func, ast.Attribute) and call.func.attr in SHELLS)
        or any(
            word.arg == "shell"
            and not (isinstance(word.value, ast.Constant) and word.value.value is False)
            for word in call.keywords
        )
    ]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_no_rule_starts_a_shell(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if SHELL_IN_RULES.search(line)] == []


def test_no_module_starts_a_shell() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in MODULES
        if (lines := shells_started(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source", ["os.system(x)", "subprocess.run(x, shell=True)", "subprocess.getoutput(x)"]
)
def test_a_shell_would_be_found(source: str) -> None:
    assert shells_started(source) == [1]
