"""Bundles changed at random: only messages come out, and nothing is written outside."""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fidgety.bundle.archive import open_bundle, unpack_models
from fidgety.bundle.manifest import MANIFEST, identity
from fidgety.errors import FidgetyError
from tests.fuzz.mutate import examples, limited, mutate
from tests.test_bundle import make

EXAMPLE_S = 20
NAMES = (
    "../out.txt", "{folder}/out.txt", "models/../../../out.txt", "a\\..\\out.txt",
    "models/cnn/fold-1/../../../../out.txt", "C:out.txt", "~/out.txt", "", ".", "models/",
    "models/cnn/fold-1/model.json", MANIFEST, "models//cnn/fold-1/model.json", "a\nb", "\N{BABY}",
)  # fmt: skip


def repacked(content: dict[str, bytes], target: Path, rng: np.random.Generator) -> None:
    """Write an archive in which one file has another name, in its manifest or not."""
    old = str(rng.choice(sorted(content)))
    new = NAMES[rng.integers(len(NAMES))].format(folder=target.parent)
    files = dict(content)
    manifest = json.loads(files[MANIFEST])
    if old in manifest["files"] and rng.random() < 0.7:
        manifest["files"][new] = manifest["files"].pop(old)
        files[MANIFEST] = json.dumps(manifest).encode()
    with zipfile.ZipFile(target, "w") as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(new if name == old else name), data)


def rewritten(content: dict[str, bytes], target: Path, rng: np.random.Generator) -> None:
    """Write an archive, whole as such, in which the bytes of one file are others."""
    changed = str(rng.choice(sorted(content)))
    with zipfile.ZipFile(target, "w") as packed:
        for name, data in content.items():
            data = mutate(data, rng) if name == changed else data
            packed.writestr(zipfile.ZipInfo(name), data)


def told_identity(archive: Path) -> str:
    """Return the identity that a plan would have read, if there is any."""
    with contextlib.suppress(Exception), zipfile.ZipFile(archive) as packed:
        return identity(packed.read(MANIFEST))
    return ""


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_change_of_a_bundle(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole")
    data = whole.read_bytes()
    with zipfile.ZipFile(whole) as packed:
        content = {name: packed.read(name) for name in packed.namelist()}
    archive, out = tmp_path / "given" / "bundle.zip", tmp_path / "deep" / "er" / "models"
    archive.parent.mkdir()
    out.parent.mkdir(parents=True)
    before = set(tmp_path.rglob("*")) | {archive}
    for seed in range(examples(150)):
        rng = np.random.default_rng(seed)
        match seed % 3:
            case 0:
                archive.write_bytes(mutate(data, rng))
            case 1:
                repacked(content, archive, rng)
            case _:
                rewritten(content, archive, rng)
        with limited(EXAMPLE_S):
            for verify in (False, True):
                with contextlib.suppress(FidgetyError):
                    open_bundle(archive, verify=verify)
            with contextlib.suppress(FidgetyError):
                unpack_models(archive, out, told_identity(archive))
        found = set(tmp_path.rglob("*"))
        assert {p for p in found - before if p != out and out not in p.parents} == set(), seed
        assert not [p for p in found if p.name == "out.txt" or p.name.startswith(".")], seed
        shutil.rmtree(out, ignore_errors=True)
