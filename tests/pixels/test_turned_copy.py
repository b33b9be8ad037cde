"""A turned, shifted and smaller copy of a recording gives the same aligned crops.

From pictures to the transform, by the default mask and the default tracker.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.pixels_speed import make_masks, make_pose
from fidgety.config.cleaning import CleaningConfig
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import record_video
from fidgety.pixels.alignment import Alignment, fit_alignment
from fidgety.pose.cleaning import clean
from fidgety.pose.tracks import read_pose
from fidgety.storage import Provenance
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter

SIZE = 224
WIDTH, HEIGHT = 640, 480


def aligned(video: Path, folder: Path) -> Alignment:
    make_masks(video, folder / "masks.h5")
    make_pose(video, folder / "masks.h5", folder / "pose.h5")
    return fit_alignment(clean(read_pose(folder / "pose.h5"), CleaningConfig()).pose)


@pytest.mark.slow
def test_a_copy_is_aligned_within_two_pixels(tmp_path: Path) -> None:
    spec = PhantomSpec(
        "p", "p", "phantom-external", "external", "normal", "continuous",
        duration_s=5.0, size=(WIDTH, HEIGHT), seed=4, body_seed=4,
    )  # fmt: skip
    first, copy = tmp_path / "first.mp4", tmp_path / "copy.mp4"
    record_video(spec, first, tmp_path / "truth.h5", Provenance())
    change = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 125, 0.85)
    change[:, 2] += (-20, 12)
    info = video_info(first)
    with VideoWriter(copy, info.rate, WIDTH, HEIGHT, crf=12) as writer:
        for frame in iter_frames(first):
            moved = cv2.warpAffine(frame, change, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            writer.write(np.asarray(moved, dtype=np.uint8))
    own = aligned(first, tmp_path).matrix(SIZE)
    others = aligned(copy, tmp_path).matrix(SIZE)
    # Points all over the first crop, through both pictures, to where the copy's crop has them.
    grid = np.stack(np.meshgrid([30, 112, 194], [30, 112, 194]), axis=-1).reshape(-1, 2)
    back = cv2.invertAffineTransform(own)
    there = grid.astype(np.float64)
    for matrix in (back, change, others):
        there = there @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(there - grid, axis=1).max() < 2.0
