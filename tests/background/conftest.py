"""Scenes with a known body, for methods that look for people and for those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fidgety.background.base import BackgroundMethod
from fidgety.background.registry import BACKGROUNDS
from fidgety.files import file_sha256
from fidgety.storage import Provenance
from tests.onnx_file import write_saliency_network


@dataclass(frozen=True)
class Scene:
    """Frames (n, h, w, 3) with their true masks (n, h, w), and the same place without a body."""

    frames: np.ndarray
    truth: np.ndarray
    empty: np.ndarray


def make_disc_scene(n: int = 24, side: tuple[int, int] = (200, 320)) -> Scene:
    """Draw a bright disc that goes round on a dark, textured, noisy ground."""
    rng = np.random.default_rng(1)
    height, width = side
    ground = np.kron(rng.integers(20, 70, (height // 10, width // 10, 3)), np.ones((10, 10, 1)))
    # A corner in pure blue: rembg scales pictures by their brightest value, with it by 255.
    ground[:6, :6] = (0, 0, 255)
    y, x = np.mgrid[:height, :width]
    frames, truth = [], []
    for k in range(n):
        angle = 2 * np.pi * k / n
        cx, cy = width / 2 + 80 * np.cos(angle), height / 2 + 50 * np.sin(angle)
        body = (x - cx) ** 2 + (y - cy) ** 2 <= 32**2
        truth.append(body)
        frames.append(np.where(body[..., None], (230, 200, 190), ground))
    noise = rng.normal(0, 3, (n, height, width, 3))
    empty = np.clip(ground[None] + noise, 0, 255).astype(np.uint8)
    return Scene(np.clip(np.stack(frames) + noise, 0, 255).astype(np.uint8), np.stack(truth), empty)


def make_infant_scene(folder: Path) -> Scene:
    """Render a phantom that lies aslant on checks; the empty place is its blanket's corner."""
    pytest.importorskip("anny", reason="phantoms: the extra 'phantom' is not installed")
    pytest.importorskip("pyvista", reason="phantoms: the extra 'phantom' is not installed")
    from fidgety.phantom.plan import Nuisances, PhantomSpec
    from fidgety.phantom.record import read_truth, record_video
    from fidgety.video.read import iter_frames

    spec = PhantomSpec(
        recording="scene",
        infant="scene",
        cohort="test",
        role="development",
        label="normal",
        fm_type="continuous",
        duration_s=2.0,
        fps=10.0,
        size=(480, 360),
        nuisances=Nuisances(body_angle_deg=140.0, blanket="checks"),
    )
    record_video(spec, folder / "video.mp4", folder / "truth.h5", Provenance())
    _, truth = read_truth(folder / "truth.h5")
    frames = np.stack(list(iter_frames(folder / "video.mp4")))
    at = truth["mask_frame"].values
    frames, masks = frames[at], truth["mask"].values > 127
    seen = masks.any(axis=0)
    # The blanket alone: where the body ever is, what lies a checks' period beside is shown.
    empty = frames.copy()
    free = np.flatnonzero(~seen.any(axis=0))
    columns = np.resize(free, frames.shape[2])
    empty = frames[:, :, columns]
    return Scene(frames, masks, empty)


@pytest.fixture(scope="session")
def disc_scene() -> Scene:
    """A moving disc."""
    return make_disc_scene()


@pytest.fixture(scope="session")
def infant_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A phantom."""
    return make_infant_scene(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with U2-Net's signature."""
    return write_saliency_network(tmp_path_factory.mktemp("weights") / "u2net.onnx")


@pytest.fixture(params=BACKGROUNDS.names())
def method_and_scene(
    request: pytest.FixtureRequest, network: Path
) -> tuple[type[BackgroundMethod], dict[str, object], Scene]:
    """Return every registered method with its options and a scene that it is made for."""
    name = request.param
    options: dict[str, object] = {}
    if name == "u2net":
        options = {"weights": str(network), "sha256": file_sha256(network)}
    people = name == "mediapipe"
    scene = request.getfixturevalue("infant_scene" if people else "disc_scene")
    return BACKGROUNDS.get(name), options, scene
