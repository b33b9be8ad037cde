"""pyproject.toml, the lock, its parts, the environments and the Makefile say the same."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def load_update() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update", ROOT / "requirements" / "update.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


update = load_update()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

ASKED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
]


def read_lock(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    return update.parse((ROOT / "requirements" / name).read_text(encoding="utf-8"))


def test_nothing_is_out_of_step() -> None:
    assert update.problems() == []


def test_pins_meet_what_pyproject_asks_for() -> None:
    pins = {name: pin[0] for name, pin in (read_lock("lock.txt") | read_lock("torch.txt")).items()}
    for requirement in ASKED:
        text = str(requirement)
        version = pins[update.normalise(requirement.name)]
        assert requirement.specifier.contains(version), f"{text}: {version} is pinned"


def test_pins_carry_hashes_but_torch() -> None:
    assert all(hashes for _, hashes in read_lock("lock.txt").values())
    assert "torch" not in read_lock("lock.txt")
    assert {name: hashes for name, (_, hashes) in read_lock("torch.txt").items()} == {
        "torch": frozenset()
    }


def test_what_must_stay_out_is_out() -> None:
    lock = read_lock("lock.txt")
    cv2 = [name for name in lock if name.startswith("opencv")]
    assert cv2 == ["opencv-contrib-python-headless"]
    assert not {"torchvision", "torchaudio", "jax", "chumpy", "triton"} & set(lock)
    assert not [name for name in lock if name.startswith("nvidia-")]


def test_no_file_names_an_index() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path.name
        assert not re.search(r"^(--index-url|--extra-index-url|--find-links|-i |-f )", text, re.M)


def test_overrides_are_what_is_pinned() -> None:
    lock = read_lock("lock.txt") | read_lock("torch.txt")
    for line in (ROOT / "requirements" / "overrides.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        requirement = Requirement(line)
        name = update.normalise(requirement.name)
        if requirement.marker is not None:
            assert name not in lock, f"{name} is overruled away and yet pinned"
        elif name in lock:
            assert requirement.specifier.contains(lock[name][0])


@pytest.mark.parametrize("group", list(update.GROUPS))
def test_a_part_is_smaller_than_the_lock_and_closed(group: str) -> None:
    """What a part's packages ask for is in the part, unless it was overruled away."""
    from importlib.metadata import PackageNotFoundError, requires

    part = set(read_lock(f"{group}.txt")) | {"torch"}
    assert part - {"torch"} < set(read_lock("lock.txt"))
    lock = set(read_lock("lock.txt"))
    for name in part - {"torch"}:
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:
            continue  # for another platform
        for text in wanted:
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            needed = update.normalise(requirement.name)
            assert needed in part or needed not in lock, f"{group}: {name} needs {needed}"


@pytest.mark.parametrize("group", list(update.ENVIRONMENTS))
def test_environments_hold_python_and_pip_and_install_their_part(group: str) -> None:
    environment = yaml.safe_load((ROOT / "envs" / f"{group}.yaml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert environment["dependencies"] == ["python=3.11", "pip"]
    script = (ROOT / "envs" / f"{group}.post-deploy.sh").read_text(encoding="utf-8")
    assert f'--no-deps --require-hashes -r "$home/requirements/{group}.txt"' in script
    asks_for_torch = "torch" in update.requirements(*update.GROUPS[group])
    assert ("requirements/torch.txt" in script) == asks_for_torch


def test_every_rule_has_an_environment_that_exists() -> None:
    used = set()
    for path in (ROOT / "rules").glob("*.smk"):
        used |= set(re.findall(r'"\.\./envs/(\w+)\.yaml"', path.read_text(encoding="utf-8")))
    assert used
    assert used <= set(update.ENVIRONMENTS)


def test_checking_finds_a_changed_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("requirements", "envs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.setattr(update, "ROOT", tmp_path)
    assert update.problems() == []
    path = tmp_path / "requirements" / "base.txt"
    text = path.read_text()
    path.write_text(re.sub(r"^numpy==\S+", "numpy==9.9.9", text, flags=re.M))
    found = "\n".join(update.problems())
    assert "base.txt: numpy is not as in requirements/lock.txt" in found
    assert "envs/base.post-deploy.sh: is not what requirements/update.py writes" in found
    project = tmp_path / "pyproject.toml"
    project.write_text(
        project.read_text().replace('"pydantic>=2.10"', '"pydantic>=2.10", "nonesuch"')
    )
    assert any("lacks nonesuch" in line for line in update.problems())


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_what_the_code_imports_is_asked_for() -> None:
    own = {"fidgety", "workflow_scripts", "tests"}
    owners = packages_distributions()
    asked = {update.normalise(requirement.name) for requirement in ASKED}
    missing = []
    for folder in ("fidgety", "workflow_scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in imported(path) - own - set(sys.stdlib_module_names):
                distributions = {update.normalise(d) for d in owners.get(name, [name])}
                if not distributions & asked:
                    missing.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not missing, "\n".join(missing)


def test_scripts_can_be_run() -> None:
    for path in (ROOT / ".ci" / "run", *(ROOT / "envs").glob("*.sh")):
        assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0, path
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


def make(*arguments: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env={**os.environ, **env}, text=True, capture_output=True,
        check=False,
    )  # fmt: skip


def test_make_has_its_targets_and_says_so() -> None:
    text = make("help").stdout
    for target in ("run", "validate", "test", "test-fast", "test-long", "lint", "bench", "clean",
                   "lock", "help"):  # fmt: skip
        assert re.search(rf"^  make {target} ", text, re.M), target
        assert make("-n", target).returncode == 0, target


def test_make_needs_the_right_python(tmp_path: Path) -> None:
    """Without one, the message says what is needed; nothing is left behind."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements").mkdir()
    for name in ("lock.txt", "torch.txt"):
        (tmp_path / "requirements" / name).touch()
    (tmp_path / "pyproject.toml").touch()
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "sh", "make", "rm", "touch", "echo"):
        found = shutil.which(tool)
        if found:
            (tools / tool).symlink_to(found)
    old = tools / "python3"
    old.write_text('#!/bin/bash\n[ "$1" = --version ] && { echo Python 3.9.2; exit 0; }\nexit 1\n')
    old.chmod(0o755)
    done = make("install", cwd=tmp_path, PATH=str(tools))
    assert done.returncode != 0
    assert "Python 3.11 is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (tmp_path / ".venv").exists()
