"""How the camera moves: followed against known shifts, the infant and others left out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fidgety.background.camera import STEP_S, CameraWatch, picture_motion
from fidgety.background.camera_record import read_camera_motion
from fidgety.background.extract import extract_background
from fidgety.background.registry import BACKGROUNDS
from fidgety.config.background import BackgroundConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.storage import Provenance, write_not_assessable
from fidgety.video.write import VideoWriter

FPS = 25.0
SIZE = (320, 240)


def blanket(rng: np.random.Generator, blur: float = 3.0) -> NDArray[np.uint8]:
    """Return a texture larger than the picture, (height, width, 3)."""
    noise = rng.uniform(0, 255, (400, 500, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), blur)
    return np.asarray(np.clip((soft - soft.mean()) * 6 + 128, 0, 255), dtype=np.uint8)


def view(
    texture: NDArray[np.uint8], x: float, y: float, turn_deg: float = 0.0
) -> NDArray[np.uint8]:
    """Look at the texture through a camera that has moved."""
    centre = (60 + SIZE[0] / 2, 60 + SIZE[1] / 2)
    matrix = cv2.getRotationMatrix2D(centre, turn_deg, 1.0)
    matrix[:, 2] -= (60 + x, 60 + y)
    return np.asarray(cv2.warpAffine(texture, matrix, SIZE, flags=cv2.INTER_CUBIC), dtype=np.uint8)


def watched(
    frames: list[NDArray[np.uint8]], masks: list[NDArray[np.uint8]] | None = None
) -> NDArray[np.float64]:
    """Return the speeds of a video."""
    camera = CameraWatch(FPS, SIZE[0])
    empty = np.zeros((60, 80), np.uint8)
    for k, _ in enumerate(camera.frames(frames)):
        camera.look(k, masks[k] if masks else empty)
    return camera.motion().speed


@pytest.mark.parametrize("speed", [0.0, 10.0, 40.0, 120.0])
def test_a_pan_is_measured_in_pixels_of_the_video(rng: np.random.Generator, speed: float) -> None:
    texture = blanket(rng)
    path = [(0.6 * speed * t / FPS, 0.8 * speed * t / FPS) for t in range(25)]
    found = watched([view(texture, x % 90, y % 90) for x, y in path if max(x, y) < 90])
    assert np.median(found) == pytest.approx(speed, abs=1.0, rel=0.05)


def test_a_turn_moves_the_corners(rng: np.random.Generator) -> None:
    texture = blanket(rng)
    rate = 10.0  # degrees a second
    found = watched([view(texture, 0, 0, rate * t / FPS) for t in range(25)])
    corner = np.hypot(SIZE[0] / 2, SIZE[1] / 2)
    # Four corners turn around the centre, which stays.
    expected = np.radians(rate) * corner * np.sqrt(4 / 5)
    assert np.median(found) == pytest.approx(expected, rel=0.05)


def test_the_infant_and_others_that_move_are_not_the_camera(rng: np.random.Generator) -> None:
    texture, body = blanket(rng), blanket(rng, 2.0)
    frames, masks = [], []
    for t in range(25):
        frame, mask = view(texture, 0, 0), np.zeros((SIZE[1], SIZE[0]), np.uint8)
        x = 60 + 4 * t
        frame[60:180, x : x + 90] = body[:120, :90]
        mask[60:180, x : x + 90] = 255
        # A hand at the edge, in no mask.
        frame[:40, 8 * (t % 9) : 8 * (t % 9) + 40] = body[200:240, :40]
        frames.append(frame)
        masks.append(mask)
    assert np.nanmax(watched(frames, masks)) < 2.0
    # What the infant covers is known by its mask alone: without it, more may go wrong, not less.
    assert np.isfinite(watched(frames, masks)).all()


def test_shaking_shows_though_it_goes_nowhere(rng: np.random.Generator) -> None:
    texture = blanket(rng)
    shake = 6 * np.sin(2 * np.pi * 1.5 * np.arange(50) / FPS)
    found = watched([view(texture, x, 0) for x in shake])
    assert np.median(found) > 20.0


def test_without_texture_nothing_is_known(rng: np.random.Generator) -> None:
    plain = np.full((240, 320, 3), 128, np.uint8)
    assert np.isnan(watched([plain] * 12)).all()
    grey = rng.integers(0, 255, (60, 80), dtype=np.uint8)
    assert np.isnan(picture_motion(grey, grey, np.zeros_like(grey)))


def test_it_stands_in_the_background_file(rng: np.random.Generator, tmp_path: Path) -> None:
    texture = blanket(rng)
    video, path = tmp_path / "v.mp4", tmp_path / "b.h5"
    with VideoWriter(video, FPS, *SIZE, crf=18) as writer:
        for t in range(40):
            frame = view(texture, 1.5 * t if t >= 20 else 30, 0)
            frame[80:160, 40 + 4 * t : 80 + 4 * t] = (220, 180, 160)
            writer.write(frame)
    kind = BACKGROUNDS.get("median")
    config = BackgroundConfig(method="median", min_body_frames=0.0)
    with kind(kind.Options()) as method:
        extract_background(video, path, method, config, Provenance())
    motion = read_camera_motion(path)
    assert motion is not None
    still = motion.time_s < 20 / FPS - STEP_S
    moving = motion.time_s > 20 / FPS + STEP_S
    assert np.nanmax(motion.speed[still]) < 5.0
    assert np.nanmedian(motion.speed[moving]) == pytest.approx(1.5 * FPS, rel=0.15)
    write_not_assessable(
        path, NotAssessable(Reason.NO_BODY), schema="background/1", provenance=Provenance()
    )
    assert read_camera_motion(path) is None
