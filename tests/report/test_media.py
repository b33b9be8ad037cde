"""A page with its videos stays small, however restless the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fidgety.config.report import ReportConfig
from fidgety.report.media import MOST_KBPS
from fidgety.video.read import video_info
from fidgety.video.write import VideoWriter


@pytest.mark.parametrize("fps", [25, 60])
def test_noise_takes_no_more_than_the_limit(fps: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = {}
    for name, limit in (("limited", MOST_KBPS), ("free", None)):
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(path, fps, 160, 96, crf=26, most_kbps=limit) as writer:
            for _ in range(6 * fps):
                writer.write(rng.integers(0, 256, (96, 160, 3), dtype=np.uint8))
        assert video_info(path).n_frames == 6 * fps
        sizes[name] = path.stat().st_size
    # What two seconds may hold beforehand comes on top.
    assert sizes["limited"] <= (6 + 2) * MOST_KBPS * 1000 / 8
    assert sizes["free"] > 3 * sizes["limited"]


def test_five_minutes_and_their_clips_are_below_ten_megabytes() -> None:
    config = ReportConfig()
    clip_s = 15.0
    seconds = 300 + 2 + (config.best_clips + config.least_clips) * (clip_s + 2)
    page = 0.5e6
    assert seconds * MOST_KBPS * 1000 / 8 + page < 10e6
