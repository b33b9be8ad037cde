"""Resolve the lock anew, or check that everything derived from it is in step.

``make lock`` runs it. It writes

- ``lock.txt``: every package of every extra, pinned with hashes;
- ``{group}.txt``: the part of the lock that one group of rules needs;
- ``cluster.txt``: what the executors of clusters need on top of the lock (`make cluster`);
- ``envs/{group}.yaml`` and ``envs/{group}.post-deploy.sh``: the conda environment that installs
  that part. The script carries the part's checksum, so that Snakemake makes the environment anew
  when a pin changes.

``--check`` resolves nothing and needs no network: it says what is out of step.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: Groups of rules, each with its extras of pyproject.toml; the base dependencies are in all.
GROUPS: dict[str, tuple[str, ...]] = {
    "base": (),
    "workflow": ("workflow",),
    "vision": ("vision",),
    "trackers": ("trackers",),
    "learn": ("learn",),
    "report": ("report",),
    "phantom": ("phantom",),
}
#: Groups that run in a conda environment of their own; Snakemake itself runs outside of them.
ENVIRONMENTS = tuple(group for group in GROUPS if group != "workflow")
PYTHON = "3.11"

ENVIRONMENT = """\
# Python and pip alone: {group}.post-deploy.sh installs the pins of requirements/{group}.txt.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
"""

POST_DEPLOY = """\
#!/usr/bin/env bash
# Written by `make lock`. Snakemake runs it in the new environment, from the working folder.
# requirements/{group}.txt {digest}
set -euo pipefail
# The workflow's folder: Snakemake copies this script away from it.
home="${{FIDGETY_HOME:-$PWD}}"
if [ ! -f "$home/requirements/{group}.txt" ]; then
    echo "$home/requirements/{group}.txt is missing: set FIDGETY_HOME to the workflow's folder" >&2
    exit 1
fi
python -m pip install --no-input --no-deps --require-hashes -r "$home/requirements/{group}.txt"
"""
TORCH = 'python -m pip install --no-input -r "$home/requirements/torch.txt"\n'


def normalise(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def parse(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and hashes of every package of a lock."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        lines = [line.strip().rstrip("\\").strip() for line in entry.splitlines()]
        match = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", lines[0])
        if match is None:
            raise ValueError(f"not a pin: {lines[0]!r}")
        hashes = frozenset(line.removeprefix("--hash=") for line in lines[1:])
        found[normalise(match[1])] = (match[2], hashes)
    return found


def requirements(*extras: str) -> set[str]:
    """Return the names that pyproject.toml asks for: the base and some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(r for extra in extras for r in project["optional-dependencies"][extra]),
    ]
    return names(wanted)


def names(wanted: list[str]) -> set[str]:
    """Return the names of distributions that requirements ask for."""
    return {normalise(re.split(r"[\s<>=!~;\[]", one, maxsplit=1)[0]) for one in wanted}


def environment_files(group: str) -> dict[str, str]:
    """Return the files of a group's conda environment, by path."""
    digest = hashlib.sha256((ROOT / f"requirements/{group}.txt").read_bytes()).hexdigest()
    script = POST_DEPLOY.format(group=group, digest=digest)
    if "torch" in requirements(*GROUPS[group]):
        script += TORCH
    return {
        f"envs/{group}.yaml": ENVIRONMENT.format(group=group, python=PYTHON),
        f"envs/{group}.post-deploy.sh": script,
    }


def cluster_requirements() -> set[str]:
    """Return the names of the executors that clusters need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return names(project["dependency-groups"]["cluster"])


def beside_lock(text: str) -> str:
    """Return a resolved file without the packages that the lock has."""
    lock = parse((ROOT / "requirements/lock.txt").read_text(encoding="utf-8"))
    entries = re.split(r"\n(?=\S)", text.strip())
    return "\n".join(e for e in entries if next(iter(parse(e))) not in lock) + "\n"


def cluster_problems() -> list[str]:
    """Say what is out of step between the executors that clusters need and their pins."""
    where = "requirements/cluster.txt"
    if not (ROOT / where).is_file():
        return [f"{where}: is missing"]
    lock = parse((ROOT / "requirements/lock.txt").read_text(encoding="utf-8"))
    pins = parse((ROOT / where).read_text(encoding="utf-8"))
    found = [
        f"{where}: lacks {name}, which pyproject.toml asks for"
        for name in sorted(cluster_requirements() - set(pins))
    ]
    found += [f"{where}: {name} is in requirements/lock.txt too" for name in set(pins) & set(lock)]
    found += [f"{where}: {name} has no hash" for name, (_, hashes) in pins.items() if not hashes]
    return found


def problems() -> list[str]:
    """Say what is out of step between pyproject.toml, the lock, its parts and the environments."""
    found = []
    lock = parse((ROOT / "requirements/lock.txt").read_text(encoding="utf-8"))
    torch = parse((ROOT / "requirements/torch.txt").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everything = requirements(*project["optional-dependencies"])
    for name in sorted(everything - set(lock) - set(torch)):
        found.append(f"requirements/lock.txt: lacks {name}, which pyproject.toml asks for")
    for name, (_, hashes) in lock.items():
        if not hashes:
            found.append(f"requirements/lock.txt: {name} has no hash")
    for group, extras in GROUPS.items():
        where = f"requirements/{group}.txt"
        if not (ROOT / where).is_file():
            found.append(f"{where}: is missing")
            continue
        part = parse((ROOT / where).read_text(encoding="utf-8"))
        for name in sorted(requirements(*extras) - set(part) - set(torch)):
            found.append(f"{where}: lacks {name}, which pyproject.toml asks for")
        for name, pin in part.items():
            if lock.get(name) != pin:
                found.append(f"{where}: {name} is not as in requirements/lock.txt")
    for group in ENVIRONMENTS:
        if not (ROOT / f"requirements/{group}.txt").is_file():
            continue
        for path, text in environment_files(group).items():
            file = ROOT / path
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                found.append(f"{path}: is not what requirements/update.py writes")
    return found + cluster_problems()


def compile_part(uv: str, output: str, *options: str, source: str = "pyproject.toml") -> None:
    """Resolve with uv into a file below requirements/; existing pins are preferred."""
    command = [
        uv, "pip", "compile", *([source] if source else []), *options,
        "--override", "requirements/overrides.txt",
        "--python-version", PYTHON, "--python-platform", "linux",
        "--generate-hashes", "--no-annotate", "--no-header",
        "--no-emit-package", "torch",
        "--no-emit-index-url", "--no-emit-find-links",
        "--quiet", "-o", f"requirements/{output}",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)


def update(uv: str, upgrade: bool, parts_only: bool) -> None:
    """Resolve lock and parts, write the environments."""
    if not parts_only:
        compile_part(uv, "lock.txt", "--all-extras", *(["--upgrade"] if upgrade else []))
    for group, extras in GROUPS.items():
        chosen = [option for extra in extras for option in ("--extra", extra)]
        (ROOT / f"requirements/{group}.txt").unlink(missing_ok=True)
        compile_part(uv, f"{group}.txt", *chosen, "-c", "requirements/lock.txt")
    compile_part(uv, "cluster.txt", "--group", "cluster", "-c", "requirements/lock.txt", source="")
    resolved = ROOT / "requirements/cluster.txt"
    resolved.write_text(beside_lock(resolved.read_text(encoding="utf-8")), encoding="utf-8")
    for group in ENVIRONMENTS:
        for path, text in environment_files(group).items():
            (ROOT / path).parent.mkdir(exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Resolve the lock and what is derived from it.")
    parser.add_argument("--uv", default=os.environ.get("UV", "uv"), help="the uv command")
    parser.add_argument("--upgrade", action="store_true", help="take newer versions")
    parser.add_argument("--parts-only", action="store_true", help="leave lock.txt as it is")
    parser.add_argument("--check", action="store_true", help="resolve nothing, only compare")
    arguments = parser.parse_args()
    if not arguments.check:
        update(arguments.uv, arguments.upgrade, arguments.parts_only)
    found = problems()
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
