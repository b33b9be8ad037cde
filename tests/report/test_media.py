"""A page with its videos stays small, however restless the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fidgety.config.root import Config
from fidgety.pose.quality_record import write_quality
from fidgety.pose.tracks import Origin, Pose, write_pose
from fidgety.pose.verdict import quality_record
from fidgety.report.media import MOST_KBPS
from fidgety.report.plots import known_origin
from fidgety.storage import Provenance
from fidgety.video.read import iter_frames, video_info
from fidgety.video.write import VideoWriter
from tests.evaluation.synthetic import cohort_row, model_group, write_infant
from tests.report.conftest import ANYTHING_IS_FIT, CLASSES, MODELS, SIDE, body_pose, job
from workflow_scripts import draw_overlay, write_infant_page

WIDTH, HEIGHT, FPS, SECONDS = 640, 480, 25, 300
#: What an infant's page may take with all that belongs to it.
MOST_BYTES = 10_000_000

Picture = NDArray[np.uint8]


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


def moving(n: int) -> Iterator[Picture]:
    """A textured picture that sways as if the camera were held by hand, with a sensor's noise."""
    rng = np.random.default_rng(1)
    room = 64
    grain = rng.normal(0, 1, (HEIGHT + 2 * room, WIDTH + 2 * room, 3)).astype(np.float32)
    texture = 128 + 400 * cv2.GaussianBlur(grain, (0, 0), 3.0)
    noise = rng.normal(0, 4, (32, HEIGHT, WIDTH, 3)).astype(np.float32)
    for t in range(n):
        angle = 2 * np.pi * t / FPS
        x, y = (room * (1 + 0.8 * np.sin(angle * turns)) for turns in (0.31, 0.23))
        shift = np.array([[1, 0, -x], [0, 1, -y]])
        view = cv2.warpAffine(texture, shift, (WIDTH, HEIGHT)) + noise[rng.integers(32)]
        yield view.clip(0, 255).astype(np.uint8)


def restless(n: int) -> Iterator[Picture]:
    """No two frames have anything in common: noise, as coarse as it survives being made smaller."""
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 256, (64, HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    for _ in range(n):
        yield cv2.resize(coarse[rng.integers(64)], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


def gaps(pose: Pose, rng: np.random.Generator, a_second: float, length_s: float) -> Any:
    """Tell of every value of a pose whether a gap is there, each of them as long."""
    begin = rng.random((pose.n_frames, len(pose.keypoints))) < a_second / FPS
    return cv2.dilate(begin.astype(np.uint8), np.ones((round(length_s * FPS), 1))).astype(bool)


def infant_pose(seconds: float) -> Pose:
    """The pose of the other tests on a picture of this size, jittering and with many gaps."""
    pose = body_pose(seconds, FPS)
    rng = np.random.default_rng(3)
    position = pose.position * (HEIGHT / SIDE) + rng.normal(0, 1, pose.position.shape)
    position[:, 0] += (WIDTH - HEIGHT) / 2
    origin = known_origin(pose).copy()
    origin[gaps(pose, rng, 0.1, 0.5)] = Origin.IMPUTED
    missing = gaps(pose, rng, 0.015, 1.0)
    origin[missing] = Origin.MISSING
    position[np.repeat(missing[:, None], 2, axis=1)] = np.nan
    return replace(pose, position=position, origin=origin)


def whole_page(folder: Path, frames: Iterator[Picture]) -> dict[str, Path]:
    """Draw the overlay of a video of :data:`SECONDS`, cut the clips, write the page of an infant.

    Returns
    -------
    dict
        The page and all that belongs to it: video, folders of clips and of figures.
    """
    recording = "i1-r"
    video = folder / "video.mp4"
    with VideoWriter(video, FPS, WIDTH, HEIGHT, preset="ultrafast") as writer:
        for frame in frames:
            writer.write(frame)
    pose = infant_pose(SECONDS)
    clean, quality = folder / "clean.h5", folder / "quality.json"
    write_pose(clean, pose, Provenance())
    write_quality(quality, *quality_record(pose, ANYTHING_IS_FIT), Provenance())
    config = Config(seed=1).report.model_dump(mode="json")
    report = folder / "report"
    made = {
        "video": report / "media" / f"{recording}.mp4",
        "page": report / "infants" / "i1.html",
        "clips": report / "clips" / "i1",
        "figures": report / "figures" / "i1",
    }
    draw_overlay.main(
        job(
            input={"clean": clean, "video": video},
            output={"video": made["video"]},
            params={"config": config},
        )
    )
    groups = {
        name: model_group(
            [[0.4, 0.6]],
            recordings=[recording],
            n_instances=SECONDS // 5 - 1,  # of ten seconds, every five
            kind=name,
            detects_fidgety=name == MODELS[-1],
            attention=True,
        )
        for name in MODELS
    }
    marked = {"recording": recording, "movement": "fidgety", "rater": "consensus"}
    params: dict[str, Any] = {
        "infant": "i1",
        "rows": [cohort_row(recording, "i1", "new", "")],
        "intervals": [{**marked, "start_s": 10.0 * k, "end_s": 10.0 * k + 4} for k in range(30)],
        "classes": CLASSES,
        "config": config,
    }
    write_infant_page.main(
        job(
            input={
                "predictions": write_infant(folder / "predictions", "i1", "new", groups),
                "clean": [clean],
                "quality": [quality],
                "media": [made["video"]],
            },
            output={name: made[name] for name in ("page", "clips", "figures")},
            params=params,
        )
    )
    return made


@pytest.mark.long
@pytest.mark.parametrize("picture", [moving, restless])
def test_five_minutes_with_all_that_belongs_to_them_are_below_ten_megabytes(
    picture: Callable[[int], Iterator[Picture]], tmp_path: Path
) -> None:
    made = whole_page(tmp_path, picture(SECONDS * FPS))
    assert sum(1 for _ in iter_frames(made["video"])) == SECONDS * FPS
    clips = sorted(made["clips"].glob("*.mp4"))
    config = Config(seed=1).report
    assert len(clips) == config.best_clips + config.least_clips
    assert [video_info(clip).n_frames for clip in clips] == [10 * FPS] * len(clips)
    sizes = {
        name: sum(p.stat().st_size for p in [path, *path.rglob("*")] if p.is_file())
        for name, path in made.items()
    }
    print({name: f"{size / 1e6:.2f} MB" for name, size in sizes.items()})
    assert sum(sizes.values()) < MOST_BYTES, sizes
    # The picture is there: black ones, or a still, would take less.
    assert sizes["video"] > 0.5 * SECONDS * MOST_KBPS * 1000 / 8
    assert all(size > 0 for size in sizes.values())
