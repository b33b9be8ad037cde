"""Videos for raters: as large and as good as the standard video, unless bounded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fidgety.config.reading import ReadingConfig
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from workflow_scripts.draw_overlay import write
from workflow_scripts.stage import Job


def noise() -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(20)]


def written(folder: Path, **params: Any) -> Path:
    """Write some noise as a job with these params does."""
    path = folder / "drawn.mp4"
    job = Job(input={}, output=SimpleNamespace(video=path), params=params, wildcards={})
    write(job, noise(), 10, (128, 96), 20)
    return path


def test_raters_see_more_than_the_report_shows(tmp_path: Path) -> None:
    standard = tmp_path / "standard.mp4"
    with VideoWriter(standard, 10, 128, 96, crf=18) as writer:
        for frame in noise():
            writer.write(frame)
    report = written(tmp_path).stat().st_size
    drawing = {"crf": 18, "kbps": None, "max_side_px": None}
    reading = written(tmp_path, drawing=drawing)
    assert reading.stat().st_size > 2 * report
    assert reading.read_bytes() == standard.read_bytes(), "no worse than the standard video"
    bounded = written(tmp_path, drawing={**drawing, "kbps": 200})
    assert bounded.stat().st_size < 2 * report
    assert video_info(bounded).n_frames == len(list(iter_frames(bounded))) == 20


def test_by_default_nothing_is_reduced_and_faces_follow_the_report() -> None:
    config = ReadingConfig()
    assert (config.max_side_px, config.kbps, config.faces) == (None, None, None)
    with pytest.raises(ValueError, match="kbps"):
        ReadingConfig(kbps=10)
