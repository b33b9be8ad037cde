"""The base modules: storage, outcomes, registry, skeletons, fingerprints, checksums, scripts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fidgety import files, sources, storage
from fidgety.cohort_table import COLUMNS, FINDINGS, FITNESS, behind_the_end, format_cell
from fidgety.errors import (
    DETAIL_CHARACTERS,
    ConfigError,
    NotAssessable,
    Outcome,
    Reason,
    StorageError,
)
from fidgety.features.store import FEATURES_SCHEMA
from fidgety.fingerprint import (
    LEFT_OUT,
    CodeIndex,
    _digest_and_imports,
    code_fingerprint,
    library_version,
)
from fidgety.inclusion_flow import inclusion_flow
from fidgety.locks import LOCKS_VARIABLE
from fidgety.pose.tracks import (
    POSE_SCHEMA,
    Origin,
    Pose,
    from_dataset,
    read_pose,
    to_dataset,
    write_pose,
)
from fidgety.progress import track
from fidgety.registry import Registry, nearest
from fidgety.skeletons import (
    BLAZEPOSE_33,
    BODY_21,
    COCO_17,
    HUMAN36M_17,
    SKELETONS,
    conversion_matrix,
    convert,
    identify,
)
from fidgety.sources import (
    PLUGIN_CATALOGUE,
    SourceIndex,
    has_frame_files,
    plugin_hint,
    source_checksum,
    source_size,
)
from fidgety.storage import Provenance
from tests.evaluation.synthetic import Bag
from workflow_scripts import build_features, collect_cohort
from workflow_scripts.stage import Job, run

ROOT = Path(__file__).resolve().parents[1]
PROVENANCE = Provenance(recording="a", parameters={"x": 1.5}, seed=7)


def a_dataset(n: int = 5) -> xr.Dataset:
    return xr.Dataset(
        {
            "value": (("time", "k"), np.arange(2.0 * n).reshape(n, 2), {"units": "pixels"}),
            "name": ("k", ["eins", "zwéi"]),
        },
        coords={"time": np.arange(n) / 25},
        attrs={"fps": 25.0},
    )


# ---- storage ----


def test_a_dataset_comes_back_in_both_readers(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.h5"
    group = xr.Dataset({"x": ("i", np.arange(3, dtype=np.uint8))})
    storage.write_dataset(
        path, a_dataset(), schema="test/1", provenance=PROVENANCE, groups={"more": group}
    )
    back = storage.read_dataset(path, schema="test/1")
    xr.testing.assert_equal(back[["value", "name"]], a_dataset())
    assert back["value"].attrs["units"] == "pixels"
    xr.testing.assert_equal(storage.read_dataset(path, group="more"), group)
    assert storage.groups(path) == ["more"]
    assert storage.read_provenance(path)["seed"] == 7
    with h5py.File(path) as file:
        assert file.attrs["schema"] == "test/1"
        np.testing.assert_array_equal(file["value"][()], a_dataset()["value"].values)


def test_equal_content_is_equal_bytes(tmp_path: Path) -> None:
    sums = set()
    for name in ("a.h5", "b.h5"):
        path = tmp_path / name
        storage.write_dataset(path, a_dataset(), schema="test/1", provenance=PROVENANCE)
        sums.add(files.file_sha256(path))
        time.sleep(0.01)
    assert len(sums) == 1


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8]),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
    )
)
@settings(max_examples=25, deadline=None)
def test_any_array_comes_back(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    path = tmp_path_factory.mktemp("array") / "a.h5"
    dims = tuple("xyz"[: values.ndim])
    storage.write_dataset(
        path, xr.Dataset({"v": (dims, values)}), schema="t/1", provenance=PROVENANCE
    )
    back = storage.read_dataset(path)["v"]
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back.values, values)


def test_flags_must_be_numbers(tmp_path: Path) -> None:
    data = xr.Dataset({"flag": ("i", np.array([True]))})
    with pytest.raises(StorageError, match="uint8"):
        storage.write_dataset(tmp_path / "a.h5", data, schema="t/1", provenance=PROVENANCE)
    assert list(tmp_path.iterdir()) == []


def test_a_detail_without_end_is_cut_off() -> None:
    error = NotAssessable(Reason.NO_BODY, "x" * 10_000)
    assert error.detail == "x" * (DETAIL_CHARACTERS - 1) + "…"
    assert len(str(error)) < DETAIL_CHARACTERS + 20
    assert NotAssessable(Reason.NO_BODY, "x" * DETAIL_CHARACTERS).detail.endswith("x")


def test_a_detail_has_no_character_that_drives_a_terminal() -> None:
    error = NotAssessable(Reason.SKELETON_MISMATCH, "unknown: \x1b[2Jno\u202ese\tm²")
    assert error.detail == "unknown: \N{REPLACEMENT CHARACTER}[2Jno\N{REPLACEMENT CHARACTER}se\tm²"
    assert "\x1b" not in str(error)


def test_not_assessable_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    error = NotAssessable(Reason.NO_BODY, "a body in 3 of 100 frames")
    storage.write_not_assessable(path, error, schema="t/1", provenance=PROVENANCE)
    outcome = storage.read_outcome(path, "t/1")
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.NO_BODY, error.detail)
    with pytest.raises(NotAssessable, match="no_body: a body in 3") as caught:
        storage.read_dataset(path, schema="t/1")
    assert caught.value.reason is Reason.NO_BODY


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n broken"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=re.escape(str(path))):
        storage.read_dataset(path)


def test_foreign_files_and_other_schemas_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(StorageError, match="not a results file"):
        storage.read_outcome(path)
    storage.write_dataset(path, a_dataset(), schema="test/1", provenance=PROVENANCE)
    with pytest.raises(StorageError, match=r"has schema 'test/1', expected 'test/2'"):
        storage.read_dataset(path, schema="test/2")


@pytest.mark.parametrize("name", ["schema", "status", "reason", "reason_detail"])
@pytest.mark.parametrize("value", [["test/1", "test/1"], np.arange(3), 1])
def test_attributes_of_another_form_are_a_message(tmp_path: Path, name: str, value: Any) -> None:
    path = tmp_path / "a.h5"
    storage.write_dataset(path, a_dataset(), schema="test/1", provenance=PROVENANCE)
    with h5py.File(path, "a") as file:
        del file.attrs[name]
        file.attrs[name] = value
    # Text alone decides; a detail is shown as it is.
    with contextlib.suppress(StorageError):
        assert storage.read_outcome(path, "test/1").ok
        assert name in ("reason", "reason_detail")


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    files.require_file(tmp_path / "a")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "none")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, said in (
        ("pipe", "a pipe"), ("folder", "a folder"), ("zero", "a device"), ("link", "No such file")
    ):  # fmt: skip
        with pytest.raises(StorageError, match=rf"{name}: .*{said}"):
            files.require_file(tmp_path / name)


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(TypeError), files.atomic_path(path) as temporary:
        temporary.write_text("half") + "no number"  # type: ignore[operator]
    assert path.read_text() == "old"
    with pytest.raises(StorageError, match="nothing was written"), files.atomic_path(path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    final = tmp_path / "frames"
    for name in ("one", "two"):
        with files.atomic_directory(final) as folder:
            (folder / name).touch()
    assert [p.name for p in final.iterdir()] == ["two"]
    with pytest.raises(RuntimeError), files.atomic_directory(final):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["frames"]


def test_a_folder_is_on_the_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves the folder with files that are empty."""
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def noted_sync(handle: int) -> None:
        order.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        sync(handle)

    def noted_replace(a: Path, b: Path) -> None:
        order.append(f"to {b.name}")
        replace(a, b)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    with files.atomic_directory(tmp_path / "pages") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.mp4").write_text("x")
        (folder / "b.html").write_text("y")
    assert order[:2] == ["a.mp4", "inner"]
    assert order[2] == "b.html"
    assert order[-1] == "to pages"


def test_names_of_temporaries_say_whose_they_are(tmp_path: Path) -> None:
    seen: list[str] = []
    with files.atomic_path(tmp_path / "a.b.h5") as one, files.atomic_directory(tmp_path / "c") as d:
        seen += [one.name, d.name, f"{d.name}.old"]
        one.touch()
    assert [files.finals_of(name) for name in seen] == [["a.b.h5"], ["c"], ["c.old", "c"]]
    for name in ("a.h5", ".a", ".a.h5", ".a.b.h5", ".snakemake_timestamp", ".a.ABCDEFGH.h5"):
        assert files.finals_of(name) == []


def test_of_two_jobs_that_write_one_folder_at_once_one_is_left_whole(tmp_path: Path) -> None:
    final = tmp_path / "clips"
    faults: list[BaseException] = []

    def job(name: str) -> None:
        try:
            for _ in range(60):
                with files.atomic_directory(final) as folder:
                    for k in range(3):
                        (folder / f"{name}-{k}").touch()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=job, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    names = sorted(p.name for p in final.iterdir())
    assert names == [f"{names[0][0]}-{k}" for k in range(3)]
    assert [p.name for p in tmp_path.iterdir()] == ["clips"]


def test_files_have_the_rights_of_ordinary_ones(tmp_path: Path) -> None:
    ordinary = tmp_path / "o"
    ordinary.touch()
    files.write_text(tmp_path / "a", "x")
    with files.atomic_directory(tmp_path / "d"):
        pass
    (tmp_path / "e").mkdir()
    assert (tmp_path / "a").stat().st_mode == ordinary.stat().st_mode
    assert (tmp_path / "d").stat().st_mode == (tmp_path / "e").stat().st_mode


def test_json_is_canonical_and_has_no_nan(tmp_path: Path) -> None:
    value = {"b": np.float64("nan"), "a": np.arange(2), "c": (Path("x"), np.bool_(True))}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == {"a": [0, 1], "b": None, "c": ["x", True]}
    assert files.dumps(value) == '{"a": [0, 1], "b": null, "c": ["x", true]}'
    (tmp_path / "b.json").write_text("{")
    for name in ("b.json", "missing.json"):
        with pytest.raises(StorageError, match="cannot be read as JSON"):
            files.read_json(tmp_path / name)


@given(st.integers(), st.text(max_size=5), st.text(max_size=5))
def test_job_seeds_are_in_range_and_repeat(seed: int, a: str, b: str) -> None:
    got = files.job_seed(seed, a, b)
    assert 0 <= got < 2**31
    assert got == files.job_seed(seed, a, b)


def test_job_seeds_differ_by_name() -> None:
    seeds = {files.job_seed(1, "model", str(k)) for k in range(1000)}
    assert len(seeds) == 1000


# ---- outcomes ----


def test_outcome_round_trip() -> None:
    error = NotAssessable(Reason.VIDEO_EMPTY)
    assert str(error) == f"video_empty: {Reason.VIDEO_EMPTY.text}"
    with pytest.raises(NotAssessable) as caught:
        Outcome.of(error).raise_if_not_ok()
    assert caught.value.reason is error.reason
    Outcome().raise_if_not_ok()


# ---- registry ----


def test_registry_imports_only_what_is_asked_for(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "lazy_member.py").write_text("VALUE = 42\n")
    (tmp_path / "broken_member.py").write_text("raise ImportError('too heavy')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[int] = Registry(
        "thing", {"lazy": "lazy_member:VALUE", "broken": "broken_member:VALUE"}
    )
    assert registry.names() == list(registry) == ["lazy", "broken"]
    assert registry.module("broken") == "broken_member"
    assert "lazy_member" not in sys.modules
    assert registry.get("lazy") == 42
    assert "lazy" in registry
    with pytest.raises(ConfigError, match=r"unknown thing 'lasy'; .* Did you mean 'lazy'\?"):
        registry.get("lasy")


def test_nearest_is_silent_about_strangers() -> None:
    assert nearest("zzz", ["a", "b"]) == ""


# ---- skeletons ----


@pytest.mark.parametrize("skeleton", list(SKELETONS.values()), ids=lambda s: s.name)
def test_skeletons_are_sound(skeleton: Any) -> None:
    k = len(skeleton.keypoints)
    assert len(set(skeleton.keypoints)) == k
    mirror = np.array(skeleton.mirror)
    np.testing.assert_array_equal(mirror[mirror], np.arange(k))
    bones = skeleton.bone_indices
    assert bones.min() >= 0
    assert bones.max() < k
    assert len({frozenset(b) for b in skeleton.bones}) == len(skeleton.bones)
    assert {frozenset(mirror[list(b)]) for b in bones} == {frozenset(b) for b in bones.tolist()}
    assert identify(tuple(reversed(skeleton.keypoints))) is skeleton


def test_conversion_is_a_mean_of_known_points(rng: np.random.Generator) -> None:
    position = rng.normal(size=(4, 3, 33))
    got = convert(position, BLAZEPOSE_33.keypoints, HUMAN36M_17)
    i = BLAZEPOSE_33.index
    pelvis = (position[:, :, i("left_hip")] + position[:, :, i("right_hip")]) / 2
    thorax = (position[:, :, i("left_shoulder")] + position[:, :, i("right_shoulder")]) / 2
    j = HUMAN36M_17.index
    np.testing.assert_allclose(got[:, :, j("pelvis")], pelvis)
    np.testing.assert_allclose(got[:, :, j("spine")], (pelvis + thorax) / 2)
    np.testing.assert_allclose(got[:, :, j("left_knee")], position[:, :, i("left_knee")])
    weights, missing = conversion_matrix(BLAZEPOSE_33.keypoints, BODY_21.keypoints)
    assert missing == ()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_conversion_keeps_missing_local(rng: np.random.Generator) -> None:
    position = rng.normal(size=(2, 2, 33))
    position[0, :, BLAZEPOSE_33.index("left_hip")] = np.nan
    got = np.isnan(convert(position, BLAZEPOSE_33.keypoints, HUMAN36M_17)).any(axis=1)
    lost = {HUMAN36M_17.keypoints[k] for k in np.flatnonzero(got[0])}
    assert lost == {"left_hip", "pelvis", "spine"}
    assert not got[1].any()


def test_what_cannot_be_derived_is_named() -> None:
    with pytest.raises(NotAssessable, match="left_hand, right_hand, left_foot, right_foot"):
        convert(np.zeros((1, 2, 17)), COCO_17.keypoints, BODY_21)
    with pytest.raises(NotAssessable, match=r"closest is coco17; missing: nose; unknown: snout"):
        identify(("snout", *COCO_17.keypoints[1:]))


# ---- pose ----


def a_pose(n: int = 50, fps: float = 25.0, **more: Any) -> Pose:
    rng = np.random.default_rng(3)
    return Pose(
        position=rng.normal(size=(n, 2, 17)).astype(np.float32),
        confidence=rng.uniform(size=(n, 17)).astype(np.float32),
        time_s=np.arange(n) / fps,
        keypoints=HUMAN36M_17.keypoints,
        fps=fps,
        **more,
    )


def test_pose_round_trip(tmp_path: Path) -> None:
    pose = a_pose(
        world=np.zeros((50, 3, 17), dtype=np.float32),
        origin=np.full((50, 17), Origin.MEASURED, dtype=np.uint8),
        details={"cleaning": {"shares": {"measured": 1.0}}},
        skeleton="human36m17",
    )
    write_pose(tmp_path / "p.h5", pose, PROVENANCE)
    for back in (read_pose(tmp_path / "p.h5"), from_dataset(to_dataset(pose))):
        for name in ("position", "confidence", "time_s", "world", "origin"):
            np.testing.assert_array_equal(getattr(back, name), getattr(pose, name))
        assert (back.keypoints, back.fps, back.details) == (pose.keypoints, 25.0, pose.details)
    assert pose.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    "change",
    [
        {"position": np.zeros((50, 4, 17))},
        {"confidence": np.zeros((50, 16))},
        {"time_s": np.zeros(49)},
        {"keypoints": ("a",)},
        {"world": np.zeros((50, 2, 17))},
        {"units": "inches"},
    ],
)
def test_a_pose_that_disagrees_with_itself_is_refused(change: dict[str, Any]) -> None:
    values = {f: getattr(a_pose(), f) for f in ("position", "confidence", "time_s", "keypoints")}
    with pytest.raises(ValueError):
        Pose(**{**values, "fps": 25.0, **change})


# ---- fingerprints ----


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "fidgety/__init__.py": '"""Package."""\n',
        "fidgety/errors.py": "TEXT = 1\n",
        "fidgety/one.py": "from fidgety import two\nfrom fidgety.errors import TEXT\n",
        "fidgety/two.py": "def f(x):\n    '''Doc.'''\n    return x + 1  # why\n",
        "fidgety/other.py": "X = 1\n",
        "fidgety/models/__init__.py": "",
        "fidgety/models/registry.py": "NAMES = {}\n",
        "fidgety/models/a.py": "from . import b\n",
        "fidgety/models/b.py": "B = 1\n",
        "workflow_scripts/__init__.py": "",
        "workflow_scripts/stage.py": "def run(): ...\n",
        "workflow_scripts/go.py": "from fidgety.one import TEXT\n"
        "from fidgety.models.registry import NAMES\nfrom workflow_scripts.stage import run\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def fingerprint(project: Path, *extra: str) -> str:
    code_fingerprint.cache_clear()
    return code_fingerprint(project / "workflow_scripts/go.py", extra, root=project)


def change(project: Path, name: str, text: str) -> None:
    path = project / name
    path.write_text(text)
    later = time.time() + 10 + len(text)
    os.utime(path, (later, later))


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("fidgety/two.py", "def f(x):\n    return x + 2\n", True),
        ("fidgety/two.py", "def f(x):\n    '''Other.'''\n\n    return x + 1\n", False),
        (
            "fidgety/one.py",
            "from fidgety import two  # hm\nfrom fidgety.errors import TEXT\n",
            False,
        ),
        ("fidgety/other.py", "X = 2\n", False),
        ("fidgety/errors.py", "TEXT = 2\n", False),
        ("fidgety/models/registry.py", "NAMES = {'new': 1}\n", False),
        ("fidgety/models/b.py", "B = 2\n", False),
        ("workflow_scripts/stage.py", "def run(): return 1\n", False),
        ("workflow_scripts/go.py", "from fidgety.one import TEXT\nx = 1\n", True),
    ],
)
def test_only_code_that_makes_the_result_counts(
    project: Path, name: str, text: str, counts: bool
) -> None:
    before = fingerprint(project)
    change(project, name, text)
    assert (fingerprint(project) != before) == counts


def test_the_chosen_backend_counts_with_what_it_imports(project: Path) -> None:
    before = fingerprint(project, "fidgety.models.a")
    assert before != fingerprint(project)
    change(project, "fidgety/models/b.py", "B = 2\n")
    assert fingerprint(project, "fidgety.models.a") != before
    with pytest.raises(ValueError, match="no module"):
        fingerprint(project, "fidgety.models.c")


def test_libraries_count_by_version() -> None:
    script = ROOT / "workflow_scripts" / "collect_cohort.py"
    assert code_fingerprint(script) != code_fingerprint(script, libraries=("numpy",))
    assert library_version("numpy") == np.__version__
    assert library_version("no-such-thing") == "absent"
    assert "fidgety.errors" in LEFT_OUT


def test_no_stage_depends_on_the_whole_configuration() -> None:
    """A change of one section must not rerun the stages of the others."""
    import ast

    planning = {ROOT / "fidgety" / name for name in ("plan_check.py", "bundle/settings.py")}
    for path in [*(ROOT / "fidgety").rglob("*.py"), *(ROOT / "workflow_scripts").glob("*.py")]:
        if path.parent.name == "config" or path in planning:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        }  # fmt: skip
        assert "fidgety.config.root" not in names, path
        assert "fidgety.bundle.settings" not in names, path


def test_packages_hold_a_docstring_alone() -> None:
    import ast

    for path in (ROOT / "fidgety").rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        if path.parent.name != "fidgety":
            assert len(body) <= 1, path


# ---- sources in a storage ----


@pytest.mark.parametrize(
    ("scheme", "plugin"),
    [
        *(("s3", "s3"), ("S3", "s3"), ("gs", "gcs"), ("gcs", "gcs"), ("http", "http")),
        *(("https", "http"), ("sftp", "sftp"), ("ftp", "ftp"), ("az", "azure")),
    ],
)
def test_a_url_s_plugin_is_one_that_there_is(scheme: str, plugin: str) -> None:
    assert f"snakemake-storage-plugin-{plugin})" in plugin_hint(f"{scheme}://ward/a.mp4")


def test_of_an_unknown_url_the_catalogue_is_named() -> None:
    assert PLUGIN_CATALOGUE in plugin_hint("webdavs://ward/a.mp4")
    assert "snakemake-storage-plugin-" not in plugin_hint("webdavs://ward/a.mp4")


# ---- checksums of sources ----


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the files that are read for their checksum."""
    read: list[str] = []

    def sha256(path: str) -> str:
        read.append(Path(path).name)
        return files.file_sha256(path)

    monkeypatch.setattr(sources, "file_sha256", sha256)
    return read


def settle(path: Path, age_s: float = 60.0) -> Path:
    """Make a file look as if it had been there for a while."""
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust files that were written a moment ago: tests cannot wait for their change time."""
    monkeypatch.setattr(sources, "RACY_S", -1.0)


@pytest.mark.usefixtures("patient")
def test_only_changed_files_are_read_again(tmp_path: Path, counted: list[str]) -> None:
    files = [tmp_path / f"{k}.mp4" for k in range(3)]
    for path in files:
        path.write_bytes(path.name.encode())
    where = tmp_path / "results" / "sources.json"
    index = SourceIndex(where)
    first = [source_checksum(p, index) for p in files]
    assert first == [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]
    assert [source_checksum(p, index) for p in files] == first
    assert len(counted) == 3
    index.save()
    later = SourceIndex(where)
    assert [source_checksum(p, later) for p in files] == first
    assert len(counted) == 3, "another run remembers"
    files[1].write_bytes(b"1.mp5")
    settle(files[2], 5)
    again = [source_checksum(p, SourceIndex(where)) for p in files]
    assert counted[3:] == ["1.mp4", "2.mp4"]
    assert again[1] != first[1]
    assert again[2] == first[2], "a touched file has the same content"


def test_a_file_that_was_just_written_is_not_trusted(tmp_path: Path, counted: list[str]) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"1")
    index = SourceIndex(tmp_path / "i.json")
    source_checksum(path, index)
    source_checksum(path, index)
    assert len(counted) == 2


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 99, "files": {}}', b'{"version": 1}',
                b'{"version": 1, "files": {"a": [1]}}', b"\xff\xfe\x00"]
)  # fmt: skip
def test_a_damaged_index_is_written_anew(
    tmp_path: Path, counted: list[str], content: bytes
) -> None:
    where = tmp_path / "sources.json"
    where.write_bytes(content)
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    index = SourceIndex(where)
    expected = hashlib.sha256(b"x").hexdigest()
    assert source_checksum(path, index) == expected
    index.save()
    assert source_checksum(path, SourceIndex(where)) == expected
    assert counted == ["a.mp4"]


@pytest.mark.parametrize("name", ["pipe", "zero", "a\0b"])
def test_a_source_without_an_end_is_not_read(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match=r"neither a file nor a folder|cannot be read"):
        source_checksum(tmp_path / name, SourceIndex(tmp_path / "sources.json"))


@pytest.mark.usefixtures("patient")
def test_two_processes_do_not_forget_each_others_files(tmp_path: Path, counted: list[str]) -> None:
    where = tmp_path / "sources.json"
    one, two = SourceIndex(where), SourceIndex(where)
    for name, index in (("a", one), ("b", two)):
        (tmp_path / name).write_bytes(name.encode())
        source_checksum(tmp_path / name, index)
    one.save()
    two.save()
    third = SourceIndex(where)
    for name in "ab":
        source_checksum(tmp_path / name, third)
    assert counted == ["a", "b"]
    assert set(json.loads(where.read_text())["files"]) == {str(tmp_path / n) for n in "ab"}


def test_a_missing_source_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.mp4: cannot be read \(No such file"):
        source_checksum(tmp_path / "gone.mp4", SourceIndex(tmp_path / "i.json"))


# ---- scripts ----


def fake_snakemake(tmp_path: Path, **more: Any) -> SimpleNamespace:
    values = {
        "rule": "some_rule",
        "input": {},
        "output": {"pose": str(tmp_path / "out.h5")},
        "params": {"config": {"k": 1}, "code": "abc", "source_sha256": "ff"},
        "wildcards": {"recording": "baby"},
        "threads": 2,
        "resources": {},
        "log": [str(tmp_path / "logs" / "x.log")],
    }
    return SimpleNamespace(**(values | more))


SCRIPT = """\
import os, sys
from types import SimpleNamespace
sys.path.insert(0, {root!r})
from fidgety.errors import FidgetyError, NotAssessable, Reason
from workflow_scripts.stage import run

def main(job):
    print("working")
    os.write(1, b"from C\\n")
    raise {error}

run(main, SimpleNamespace(
    rule="some_rule", input={{}}, output={{"pose": "out.h5"}},
    params={{"config": {{"k": 1}}, "code": "abc", "source_sha256": "ff"}},
    wildcards={{"recording": "baby"}}, threads=2, resources={{}}, log=["logs/x.log"],
), not_assessable={kept})
"""


def run_script(
    folder: Path, error: str, kept: str = '{"pose": "pose/1"}'
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a script that ends with an error; return what it showed, and its log."""
    script = folder / "script.py"
    script.write_text(SCRIPT.format(root=str(ROOT), error=error, kept=kept))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, text=True, capture_output=True, check=False
    )
    return done, (folder / "logs" / "x.log").read_text()


def test_a_second_copy_of_a_job_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(name: str) -> Job:
        return Job({}, {}, SimpleNamespace(work=str(tmp_path / name)), {})

    def second(name: str) -> None:
        with copy(name).alone():
            order.append(name)

    for locks, expected in ((str(tmp_path / "locks"), ["other", "first", "same"]), ("", None)):
        monkeypatch.setenv(LOCKS_VARIABLE, locks)
        order: list[str] = []
        threads = {
            name: threading.Thread(target=second, args=(name,)) for name in ("same", "other")
        }
        with copy("same").alone():
            threads["same"].start()
            threads["other"].start()
            threads["other"].join()
            threads["same"].join(timeout=0.5)
            order.append("first")
        threads["same"].join()
        assert order == expected if expected else order[-1] == "first"


def test_a_reason_becomes_the_output(tmp_path: Path) -> None:
    done, log = run_script(tmp_path, "NotAssessable(Reason.NO_BODY, 'none seen')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert storage.read_outcome(tmp_path / "out.h5", "pose/1").reason is Reason.NO_BODY
    made = storage.read_provenance(tmp_path / "out.h5")
    assert (made["recording"], made["code"], made["input_sha256"]) == ("baby", "abc", "ff")
    assert {"working", "from C", "not assessable: no_body: none seen"} <= set(log.splitlines())


def test_a_users_mistake_ends_with_its_message(tmp_path: Path) -> None:
    done, log = run_script(tmp_path, "FidgetyError('do this instead')")
    assert (done.returncode, done.stderr) == (1, "some_rule: do this instead\n")
    assert "error: do this instead" in log
    assert "Traceback" not in log
    assert not (tmp_path / "out.h5").exists()


def test_our_own_mistake_has_its_traceback_in_the_log_alone(tmp_path: Path) -> None:
    done, log = run_script(tmp_path, "ZeroDivisionError('oops')")
    assert done.returncode == 1
    assert "unexpected error" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError: oops" in log


def test_a_reason_without_a_file_for_it_is_our_own_mistake(tmp_path: Path) -> None:
    done, log = run_script(tmp_path, "NotAssessable(Reason.NO_BODY, 'none seen')", kept="None")
    assert done.returncode == 1
    assert "some_rule: an unexpected error" in done.stderr
    assert "Traceback" not in done.stderr
    assert "NotAssessable: no_body: none seen" in log


def test_progress_of_a_job_is_in_its_log(tmp_path: Path) -> None:
    work = "__import__('fidgety.progress').progress.track([1, 2], 'add', 2)"
    done, log = run_script(tmp_path, f"FidgetyError(str(sum({work})))")
    assert done.stderr == "some_rule: 3\n"
    assert "add: 2 of 2 (100 %)" in log


def test_progress_yields_everything_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "count", 3)) == [0, 1, 2]
    assert "count: 3 of 3 (100 %)" in capsys.readouterr().err


# ---- cohort tables ----


#: Noise is no infant: whatever it looks like is fit.
LENIENT = {"min_supine": 0.0, "max_fussing": 1.0, "max_still": 1.0, "min_assessable_s": 0.0}


def write_stage(folder: Path, name: str, pose: Pose | NotAssessable, record: str) -> str:
    """Write a clean pose and judge it; return its record of quality."""
    clean, quality = folder / "clean" / f"{name}.h5", folder / "quality" / f"{name}.json"
    features = folder / "features" / f"{name}.h5"
    if isinstance(pose, NotAssessable):
        storage.write_not_assessable(clean, pose, schema=POSE_SCHEMA, provenance=PROVENANCE)
    else:
        write_pose(clean, pose, PROVENANCE)
    snakemake = fake_snakemake(
        folder,
        input=Bag(clean=str(clean), lifted=str(clean), record=record),
        output=Bag(features=str(features), quality=str(quality)),
        params=Bag(config={"sets": ["coordinates_2d"]}, quality=LENIENT, code="abc"),
        wildcards={"recording": name},
    )
    run(build_features.main, snakemake, not_assessable={"features": FEATURES_SCHEMA})
    return str(quality)


def collect(tmp_path: Path, rows: list[dict[str, Any]], **values: Any) -> pd.DataFrame:
    records = {Path(path).stem: path for path in values.get("records", [])}
    made = [
        write_stage(tmp_path, name, pose, records.get(name, ""))
        for name, pose in values["poses"].items()
    ]
    out = tmp_path / "cohort" / "new.tsv"
    snakemake = fake_snakemake(
        tmp_path,
        input={"quality": made},
        output=SimpleNamespace(table=str(out)),
        params=SimpleNamespace(
            rows=rows,
            inclusion=values.get("inclusion", {}),
            fitness=values.get("fitness", True),
            get={"intervals": values.get("intervals", {})}.get,
        ),
        wildcards={"role": "new"},
    )
    run(collect_cohort.main, snakemake)
    return pd.read_csv(out, sep="\t", dtype=str, keep_default_na=False).set_index("recording")


def test_intervals_behind_the_end_are_told_and_change_nothing(tmp_path: Path) -> None:
    rows = [
        {"recording": n, "infant": n, "cohort": "c", "role": "new", "video": f"{n}.mp4"}
        for n in ("wrong", "right")
    ]
    intervals = {"wrong": [[1, 3], [20, 21], [30.5, 40]], "right": [[0, 19], [19.9, 25]]}
    poses = {"wrong": a_pose(500), "right": a_pose(500)}
    table = collect(tmp_path, rows, poses=poses, intervals=intervals)
    assert list(table["status"]) == ["ok", "ok"]
    assert table.loc["right", FINDINGS] == ""
    said = table.loc["wrong", FINDINGS]
    assert said.startswith("annotated intervals lie behind its end (20 s) and count for nothing: ")
    assert "20 to 21 s, 30.5 to 40 s. Correct them" in said
    plain = collect(tmp_path, rows, poses=poses, intervals=intervals, fitness=False)
    assert list(plain.reset_index().columns) == list(COLUMNS)


def test_many_intervals_behind_the_end_are_counted() -> None:
    many = [(100.0 + k, 100.5 + k) for k in range(9)]
    assert "102 to 102.5 s and 6 more." in behind_the_end(many, 60.0)
    assert behind_the_end(many, None) == behind_the_end([], 60.0) == ""
    # Two raters saw the same.
    assert "61 to 62 s. " in behind_the_end([(61, 62), (61, 62)], 60.0)


def test_a_cohort_table_has_everybody(tmp_path: Path) -> None:
    cleaning = {
        "shares": {"measured": 0.9, "imputed": 0.06, "corrected": 0.01, "missing": 0.03},
        "longest_gap_s": 0.48,
        "swaps": [{"start_s": 1}, {"start_s": 4}],
    }
    rows = [
        {"recording": n, "infant": n, "cohort": "c", "role": "new", "video": f"{n}.mp4"}
        for n in ("good", "brief", "young", "blank")
    ]
    rows[0] |= {"corrected_age_weeks": 12.5, "own": {"x_bed": "7"}, "fm_type": "absent"}
    rows[2] |= {"corrected_age_weeks": 2}
    (tmp_path / "blank.json").write_text('{"duration_s": 31.0, "fps": 30.0}')
    table = collect(
        tmp_path,
        rows,
        poses={
            "good": a_pose(500, details={"cleaning": cleaning}),
            "brief": a_pose(100),
            "blank": NotAssessable(Reason.NO_BODY, "a body in\t3 of 9 frames"),
        },
        records=[str(tmp_path / "blank.json")],
        inclusion={"preset": "kaur2025", "min_duration_s": 10.0},
    )
    assert list(table.reset_index().columns) == [*COLUMNS, FINDINGS, "x_bed"]
    good = table.loc["good"]
    assert (good["status"], good["reason"], good["duration_s"], good["fps"]) == (
        "ok",
        "",
        "20",
        "25",
    )
    assert (good["measured"], good["missing"], good["longest_gap_s"]) == ("0.9", "0.03", "0.48")
    assert (good["swaps_undone"], good["fm_type"], good["x_bed"]) == ("2", "absent", "7")
    brief = table.loc["brief"]
    assert (brief["reason"], brief["criterion"]) == ("excluded", "min_duration_s")
    assert brief["duration_s"] == "4"
    assert table.loc["young", "criterion"] == "corrected_age_weeks"
    blank = table.loc["blank"]
    assert (blank["reason"], blank["reason_detail"]) == ("no_body", "a body in 3 of 9 frames")
    assert (blank["duration_s"], blank["criterion"]) == ("31", "")
    assert good["core_measured"] == "1"
    counts = {step.name: step.recordings for step in inclusion_flow(table.reset_index())}
    assert counts == {
        "registered": 4, "excluded": 2, "included": 2, "not assessable": 1, "assessed": 1
    }  # fmt: skip


def test_an_included_recording_without_files_is_our_mistake(tmp_path: Path) -> None:
    row = {"recording": "a", "infant": "a", "cohort": "c", "role": "new", "video": "a.mp4"}
    with pytest.raises(SystemExit):
        collect(tmp_path, [row], poses={})
    assert not (tmp_path / "cohort" / "new.tsv").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (float("nan"), ""), (0.1234567, "0.123457"), (3200.0, "3200"),
     ("a\tb\nc", "a b c"), (5, "5"), (float("inf"), "")],
)  # fmt: skip
def test_cells(value: Any, text: str) -> None:
    assert format_cell(value) == text


def test_the_table_that_training_reads_has_no_measures_of_fitness(tmp_path: Path) -> None:
    rows = [{"recording": "good", "infant": "good", "cohort": "c", "role": "new", "video": "a.mp4"}]
    table = collect(tmp_path, rows, poses={"good": a_pose(500)}, fitness=False).loc["good"]
    assert (table["status"], table["duration_s"]) == ("ok", "20")
    assert set(table[list(FITNESS)]) == {""}


def test_a_remembered_fingerprint_is_the_one_that_is_computed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another content is another key; a damaged index is as good as none."""
    script, index = project / "workflow_scripts/go.py", tmp_path / "code.json"

    def again() -> str:
        code_fingerprint.cache_clear()
        _digest_and_imports.cache_clear()
        monkeypatch.setattr("fidgety.fingerprint._index", CodeIndex(index))
        return code_fingerprint(script, root=project)

    plain = fingerprint(project)
    index.write_text("[1, 2")
    assert again() == plain
    sys.modules["fidgety.fingerprint"]._index.save()
    assert json.loads(index.read_text())["modules"]
    with monkeypatch.context() as nothing_is_parsed:
        nothing_is_parsed.setattr("fidgety.fingerprint._strip_docstrings", None)
        assert again() == plain
    script.write_text(script.read_text() + "\nMORE = 1\n")
    assert again() == fingerprint(project) != plain


def test_fingerprint_holds_the_libraries_that_a_backend_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "fidgety"
    package.mkdir()
    script = tmp_path / "script.py"
    script.write_text("import numpy\n")
    (package / "backend.py").write_text(
        "import absent_library\nclass Backend:\n    libraries: tuple = ('numpy',)\n"
    )
    before = code_fingerprint(script, ("fidgety.backend",), root=tmp_path)
    code_fingerprint.cache_clear()
    monkeypatch.setattr("fidgety.fingerprint.library_version", lambda name: f"{name} 99")
    assert code_fingerprint(script, ("fidgety.backend",), root=tmp_path) != before


def test_a_folder_is_a_source_by_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "openpose"
    folder.mkdir()
    for k in range(3):
        (folder / f"{k:012d}_keypoints.json").write_text(f'{{"people": [], "n": {k}}}')
    index = SourceIndex(tmp_path / "index.json")
    old = 1_600_000_000
    for path in folder.iterdir():
        os.utime(path, (old, old))
    first = source_checksum(folder, index)
    assert source_size(folder) == sum(p.stat().st_size for p in folder.iterdir())
    assert has_frame_files(folder)

    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / ".DS_Store").write_bytes(b"x")
    assert source_checksum(copy, index) == first, "hidden files and dates do not count"

    (copy / "000000000001_keypoints.json").write_text('{"people": [], "n": 7}')
    changed = source_checksum(copy, index)
    assert changed != first, "same names and sizes, another content"
    (copy / "000000000001_keypoints.json").rename(copy / "000000000005_keypoints.json")
    assert source_checksum(copy, index) not in (first, changed), "names count"
    (copy / "000000000005_keypoints.json").unlink()
    assert source_checksum(copy, index) not in (first, changed)
    assert not has_frame_files(tmp_path)


def test_numbers_among_attributes_are_read_alone_and_as_arrays_of_one(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.attrs["alone"], file.attrs["array"] = 12.5, np.array([12.5])
        assert storage.number_of(file, "alone") == storage.number_of(file, "array") == 12.5
        file.attrs["two"] = np.array([1.0, 2.0])
        with pytest.raises(ValueError, match="size 1"):
            storage.number_of(file, "two")
