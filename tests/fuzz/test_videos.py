"""Videos changed at random: a standard video or a reason comes out, and nothing else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable
from fidgety.video.read import iter_frames
from fidgety.video.standardise import standardise_video
from tests.fuzz.mutate import examples, limited
from tests.video.clips import numbered_clip

EXAMPLE_S = 20
#: Streams come and go in some, have no index or no unit of time in others.
ENDINGS = ("mp4", "mkv", "ts", "avi", "flv", "nut", "asf", "mxf")


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, or stretches of them; more often than not behind the header."""
    changed = bytearray(data)
    first = len(changed) // 3 if rng.random() < 0.6 else 0
    for _ in range(rng.integers(1, 60)):
        at = int(rng.integers(first, len(changed)))
        length = int(rng.integers(1, 200)) if rng.random() < 0.3 else 1
        changed[at : at + length] = rng.bytes(len(changed[at : at + length]))
    return bytes(changed)


@pytest.mark.parametrize("ending", ENDINGS)
def test_any_change_of_a_video(tmp_path: Path, ending: str) -> None:
    whole = numbered_clip(tmp_path / f"whole.{ending}", 60).read_bytes()
    given, standard = tmp_path / f"given.{ending}", tmp_path / "standard.mp4"
    config = VideoConfig(min_duration_s=0.5)
    for seed in range(examples(12)):
        given.write_bytes(damaged(whole, np.random.default_rng(seed)))
        standard.unlink(missing_ok=True)
        with limited(EXAMPLE_S), contextlib.suppress(NotAssessable):
            record = standardise_video(given, standard, config)
            assert sum(1 for _ in iter_frames(standard)) == record.n_frames
    assert not list(tmp_path.glob(".*"))
