"""Ids, paths and free text reach no shell: nothing in the workflow starts one."""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = sorted([ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])
MODULES = sorted(
    path for folder in ("fidgety", "workflow_scripts") for path in (ROOT / folder).rglob("*.py")
)
#: A rule's directive, and the function that Snakemake offers in Python code.
SHELL_IN_RULES = re.compile(
    r"^\s*shell:|\bshell\(|\bshell\s*=\s*(?!False)|\bos\.(?:system|popen)\b"
    r"|\bfrom (?:os|subprocess|snakemake\.shell) import"
    r"|[\[(]\s*[\"'](?:/\S*/)?(?:ba|da|z|k)?sh[\"']"
)
#: Functions that start a shell, whatever they are called here.
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell", "shell"}
#: Where they come from; other modules have a `system` that is none.
HOMES = {"os", "subprocess", "asyncio", "asyncio.subprocess", "pty", "commands", "snakemake.shell"}
#: Programs that take a command as text.
PROGRAMS = re.compile(
    r"(?:.*/)?(?:sh|bash|dash|ash|zsh|ksh|mksh|csh|tcsh|fish|busybox|cmd|cmd\.exe|powershell|pwsh)"
)

#: What starts programs.
STARTS = re.compile(
    r"(?:exec[lv]|spawn[lv])p?e?|posix_spawnp?|create_subprocess_exec"
    r"|run|call|check_call|check_output|Popen"
)


def shells_started(source: str) -> list[int]:
    """Return the lines of Python code that start a shell, or take hold of what starts one."""
    nodes = list(ast.walk(ast.parse(source)))
    modules = {"os", "subprocess", "asyncio", "pty"} | {
        name.asname
        for node in nodes
        if isinstance(node, ast.Import)
        for name in node.names
        if name.asname and name.name in HOMES
    }
    return sorted({node.lineno for node in nodes if _is_shell(node, modules)})  # type: ignore[attr-defined]


def _is_shell(node: ast.AST, modules: Container[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module in HOMES and not SHELLS.isdisjoint(name.name for name in node.names)
    if isinstance(node, ast.Attribute):
        # Also where it is not called: `run = os.system`.
        held = isinstance(node.value, ast.Name) and node.value.id in modules
        return held and node.attr in SHELLS
    if isinstance(node, ast.List | ast.Tuple):
        return _is_command(node.elts)
    return isinstance(node, ast.Call) and _is_call(node)


def _is_call(call: ast.Call) -> bool:
    """Tell whether a call is one of a function that starts a shell, or is told to start one."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    name = call.func.id if isinstance(call.func, ast.Name) else name
    texts = [_text(one) for one in call.args[:2]]
    words = {word.arg: word.value for word in call.keywords}
    switch = words.get("shell", ast.Constant(False))
    return (
        name in SHELLS
        or (name == "getattr" and not SHELLS.isdisjoint(texts))
        or not (isinstance(switch, ast.Constant) and switch.value is False)
        or ("executable" in words and PROGRAMS.fullmatch(_text(words["executable"])) is not None)
        # os.execlp("sh", "sh", "-c", x), subprocess.run("sh -c x")
        or (
            STARTS.fullmatch(name) is not None
            and any(PROGRAMS.fullmatch(text.split(" ")[0]) for text in texts)
        )
    )


def _is_command(words: Sequence[ast.expr]) -> bool:
    """Tell whether words are a command line that begins with a shell, or runs one by another."""
    texts = [_text(word) for word in words] or [""]
    through = re.fullmatch(r"(?:.*/)?(?:env|nice|nohup|setsid|timeout|xargs|sudo)", texts[0])
    return any(PROGRAMS.fullmatch(text) for text in (texts if through else texts[:1]))


def _text(value: ast.expr) -> str:
    """Return a constant text, or nothing."""
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return str(value.value) if is_text else ""  # type: ignore[attr-defined]


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
    "source",
    [
        "os.system(x)",
        "subprocess.run(x, shell=True)",
        "subprocess.run(x, shell=flag)",
        "subprocess.getoutput(x)",
        "from os import system",
        "from os import popen as p",
        "from snakemake.shell import shell",
        "system(x)",
        "run = os.system",
        "import os as o; run = o.system",
        "getattr(os, 'system')(x)",
        "subprocess.run(['sh', '-c', x])",
        "subprocess.run(('/bin/bash', x))",
        "command = ['/usr/bin/env', 'bash', '-c', x]",
        "command = ['sh', *more]",
        "subprocess.Popen(x, executable='/bin/sh')",
        "subprocess.run('sh -c x')",
        "os.execlp('sh', 'sh', '-c', x)",
        "asyncio.create_subprocess_exec('bash', '-c', x)",
    ],
)
def test_a_shell_would_be_found(source: str) -> None:
    assert shells_started(source) == [1]


@pytest.mark.parametrize(
    "source",
    ["platform.system_alias", "subprocess.run(['ffmpeg', x], shell=False)", "['she', 'bashful']"],
)
def test_what_is_no_shell_is_not_taken_for_one(source: str) -> None:
    assert shells_started(source) == []
