"""The two scripts in a row, as their rules call them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fidgety.background.extract import SCHEMA
from fidgety.background.read import BodyMasks
from fidgety.config.background import BackgroundConfig
from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.files import file_sha256
from fidgety.storage import read_outcome, read_provenance
from fidgety.video.read import video_info
from fidgety.video.record import read_video_record
from tests.background.conftest import Scene
from tests.video.clips import write_clip
from workflow_scripts import extract_background, standardise_video
from workflow_scripts.stage import run


def rule(folder: Path, main, name: str, inputs: dict, outputs: dict, params: dict, **options):
    """Run a script as Snakemake does."""
    job = SimpleNamespace(
        rule=name,
        input=inputs,
        output=outputs,
        params=params,
        wildcards={"recording": "baby-01"},
        threads=1,
        resources={},
        log=[str(folder / f"{name}.log")],
    )
    run(main, job, **options)


def both(folder: Path, source: Path, export: str = "none") -> Path:
    """Run both rules."""
    outputs = {"video": folder / "baby-01.mp4", "record": folder / "baby-01.json"}
    video = VideoConfig(min_duration_s=0.5, export_frames=export).model_dump(mode="json")
    params = {"config": video, "crop": None, "source_sha256": "", "frames": str(folder / "frames")}
    rule(folder, standardise_video.main, "standardise_video", {"video": source}, outputs, params)
    masks = folder / "baby-01.h5"
    params = {"config": BackgroundConfig(method="median").model_dump(mode="json"), "code": "c0de"}
    rule(
        folder,
        extract_background.main,
        "extract_background",
        outputs,
        {"background": masks},
        params,
        not_assessable={"background": SCHEMA},
    )
    return masks


def test_a_video_becomes_masks(tmp_path: Path, disc_scene: Scene) -> None:
    source = write_clip(tmp_path / "source.mp4", list(disc_scene.frames))
    masks = both(tmp_path, source, export="jpeg")
    record = read_video_record(tmp_path / "baby-01.json")
    assert record.source_sha256 == file_sha256(source)
    assert video_info(tmp_path / "baby-01.mp4").n_frames == record.n_frames == 24
    with BodyMasks(masks) as body:
        assert len(body) == 24
        assert body.coverage() == pytest.approx(disc_scene.truth.mean((1, 2)), rel=0.25)
    made = read_provenance(masks)
    assert (made["recording"], made["code"]) == ("baby-01", "c0de")
    assert set(made["libraries"]) >= {"av", "scipy"}
    assert len(list((tmp_path / "frames" / "baby-01").iterdir())) == 24


def test_a_videos_reason_is_handed_on(tmp_path: Path) -> None:
    (tmp_path / "source.mp4").write_bytes(b"no video" * 100)
    masks = both(tmp_path, tmp_path / "source.mp4")
    assert (tmp_path / "baby-01.mp4").stat().st_size == 0
    reason = read_video_record(tmp_path / "baby-01.json").outcome
    assert read_outcome(masks, SCHEMA) == reason
    assert reason.reason is Reason.VIDEO_UNREADABLE


def test_nobody_in_view_is_recorded(tmp_path: Path, disc_scene: Scene) -> None:
    source = write_clip(tmp_path / "source.mp4", list(disc_scene.empty))
    masks = both(tmp_path, source)
    assert read_outcome(masks).reason is Reason.NO_BODY
    with pytest.raises(NotAssessable):
        BodyMasks(masks)
    assert np.isfinite(read_video_record(tmp_path / "baby-01.json").fps)
