"""Recordings of one group of jobs: one network for all, and the same files as one by one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from fidgety.config.background import BackgroundConfig
from fidgety.config.pose import PoseConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.locks import LOCKS_VARIABLE
from fidgety.pose.together import TOGETHER_VARIABLE, Group, asked_together
from fidgety.pose.tracks import read_pose
from fidgety.pose.vitpose import ViTPose
from fidgety.storage import Provenance, write_dataset, write_not_assessable
from fidgety.video.record import VideoRecord, write_video_record
from tests.pose.sight import DATA, load_phantom
from tests.pose.test_estimation_scripts import Files
from tests.pose.tiny_vitpose import save, tiny_model
from workflow_scripts.estimate_pose import main
from workflow_scripts.stage import Job

NAMES = ("a", "b", "c")


@pytest.fixture
def jobs(tmp_path: Path) -> dict[str, Job]:
    """Make jobs of three recordings, their upstream files in place."""
    folder = save(tiny_model(spread=0.2), tmp_path / "vitpose")
    options = {"folder": str(folder), "device": "cpu", "min_score": 0.0}
    params = {
        "config": PoseConfig(method="vitpose", options=options).model_dump(mode="json"),
        "background": BackgroundConfig().model_dump(mode="json"),
        "code": "abc",
    }
    masks = load_phantom().masks
    for part in ("video", "background", "pose"):
        (tmp_path / part).mkdir()
    n, height, width = masks.shape
    for shift, name in enumerate(NAMES):
        shutil.copy(DATA / "phantom.mp4", tmp_path / "video" / f"{name}.mp4")
        write_video_record(
            tmp_path / "video" / f"{name}.json",
            VideoRecord(width_px=width, height_px=height, fps=25.0, n_frames=n, duration_s=n / 25),
            Provenance(),
        )
        # The body lies elsewhere, so that no two recordings have one pose.
        write_masks(tmp_path / "background" / f"{name}.h5", np.roll(masks, 8 * shift, axis=2))
    return {
        name: Job(
            input=Files(
                video=str(tmp_path / "video" / f"{name}.mp4"),
                record=str(tmp_path / "video" / f"{name}.json"),
                background=str(tmp_path / "background" / f"{name}.h5"),
            ),
            output=Files(pose=str(tmp_path / "pose" / f"{name}.h5")),
            params=params,
            wildcards={"recording": name},
        )
        for name in NAMES
    }


def write_masks(path: Path, masks: Any) -> None:
    facts = {
        "scale": 0.5,
        "fps": 25.0,
        "method": "test",
        "video_width_px": masks.shape[2],
        "video_height_px": masks.shape[1],
    }
    data = xr.Dataset({"mask": (("frame", "height", "width"), masks[:, ::2, ::2])}, attrs=facts)
    write_dataset(path, data, schema="background/1", provenance=Provenance())


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Count how often the network is loaded."""
    loads: list[str] = []
    load = ViTPose.__init__

    def counted(self: ViTPose, *args: Any) -> None:
        loads.append("once")
        load(self, *args)

    monkeypatch.setattr(ViTPose, "__init__", counted)
    return loads


def together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *names: str) -> None:
    words = [f"estimate_pose:recording={name}" for name in names]
    monkeypatch.setenv(TOGETHER_VARIABLE, asked_together(["--target-jobs", *words, "--cores", "1"]))
    monkeypatch.setenv(LOCKS_VARIABLE, str(tmp_path / "locks"))


def poses(jobs: dict[str, Job]) -> dict[str, bytes]:
    return {name: Path(job.output["pose"]).read_bytes() for name, job in jobs.items()}


def test_a_group_loads_the_network_once_and_writes_the_same_files(
    jobs: dict[str, Job], loaded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for job in jobs.values():
        main(job)
    assert len(loaded) == 3
    alone = poses(jobs)
    positions = [read_pose(job.output["pose"]).position for job in jobs.values()]
    assert not np.array_equal(positions[0], positions[1])
    assert not np.array_equal(positions[1], positions[2])
    for job in jobs.values():
        os.unlink(job.output["pose"])
    together(monkeypatch, tmp_path, *NAMES)
    for name in ("b", "c", "a"):
        main(jobs[name])
    assert len(loaded) == 4
    assert poses(jobs) == alone
    assert sorted(os.listdir(tmp_path / "pose")) == ["a.h5", "b.h5", "c.h5"]


def test_what_lies_ready_is_taken_only_if_it_is_of_the_same_things(
    jobs: dict[str, Job], loaded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    together(monkeypatch, tmp_path, "a", "b")
    main(jobs["a"])
    write_masks(Path(jobs["b"].input["background"]), load_phantom().masks[:, ::-1])
    main(jobs["b"])
    assert len(loaded) == 2
    changed = {**jobs["b"].params, "code": "other"}
    main(replace(jobs["a"], params=changed))
    main(replace(jobs["b"], params=changed))
    # Both poses were made since the group started, so neither is made ahead.
    assert len(loaded) == 4
    assert [p for p in os.listdir(tmp_path / "pose") if "ready" in p] == []


def test_what_a_cancelled_group_has_left_ready_is_taken_by_jobs_alone(
    jobs: dict[str, Job], loaded: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    together(monkeypatch, tmp_path, *NAMES)
    main(jobs["a"])
    monkeypatch.delenv(TOGETHER_VARIABLE)
    main(jobs["b"])
    assert len(loaded) == 1
    main(replace(jobs["c"], params={**jobs["c"].params, "code": "other"}))
    assert len(loaded) == 2
    assert sorted(os.listdir(tmp_path / "pose")) == ["a.h5", "b.h5", "c.h5"]


def test_a_recording_that_cannot_be_assessed_tells_so_itself(
    jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = NotAssessable(Reason.NO_BODY, "3 of 100 frames")
    background = jobs["b"].input["background"]
    write_not_assessable(background, error, schema="background/1", provenance=Provenance())
    os.unlink(jobs["c"].input["record"])
    together(monkeypatch, tmp_path, *NAMES)
    main(jobs["a"])
    assert os.listdir(tmp_path / "pose") == ["a.h5"]
    with pytest.raises(NotAssessable):
        main(jobs["b"])


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["snakemake", "--cores", "2"], ()),
        (["--target-jobs", "estimate_pose:recording=a"], ()),
        (
            ["estimate_pose:recording=b", "clean_pose:recording=b", "estimate_pose:recording=a"],
            "ab",
        ),
    ],
)
def test_a_group_is_known_by_its_command_line(words: list[str], names: str) -> None:
    value = asked_together(words, now_s=5.0)
    group = Group.of("a", {TOGETHER_VARIABLE: value})
    assert group == (Group(tuple(names), 5.0) if names else Group())
    assert Group.of("z", {TOGETHER_VARIABLE: value}) == Group()
