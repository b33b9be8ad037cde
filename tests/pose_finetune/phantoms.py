"""Rendered infants with true labels: what a lab's labelled frames are, without a labeller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fidgety.phantom.plan import BLANKETS, CLOTHES, LIGHTS, SKINS, Nuisances, PhantomSpec
from fidgety.phantom.record import simulate
from fidgety.phantom.render import Scene, depth_tolerance
from fidgety.pose.finetune.labels import HIDDEN, UNLABELLED, VISIBLE, LabelledFrame, Labels
from fidgety.skeletons import BLAZEPOSE_33, COCO_17

SIZE = 256


def phantom(number: int, n_frames: int, **nuisances: Any) -> PhantomSpec:
    """Return an infant of its own body, movement, picture and direction."""
    rng = np.random.default_rng((77, number))

    def one(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    return PhantomSpec(
        f"baby-{number:03d}",
        f"baby-{number:03d}",
        "phantom-development",
        "development",
        "normal",
        "continuous",
        seed=1000 + number,
        body_seed=2000 + number,
        # One frame in two seconds: each shows another posture.
        fps=0.5,
        duration_s=2.0 * n_frames,
        size=(SIZE, SIZE),
        nuisances=Nuisances(
            lighting=one(LIGHTS),
            camera_tilt_deg=float(rng.uniform(0, 10)),
            body_angle_deg=float(rng.uniform(0, 360)),
            blanket=one(BLANKETS),
            skin=one(SKINS),
            clothing=one(CLOTHES),
            **nuisances,
        ),
    )


def render(
    folder: Path, numbers: range, n_frames: int, **nuisances: Any
) -> tuple[Labels, dict[str, Path]]:
    """Render infants, and label them by their truth in COCO-17."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [BLAZEPOSE_33.index(k) for k in COCO_17.keypoints]
    tolerance = depth_tolerance()[columns]
    frames, pictures = [], {}
    for number in numbers:
        spec = phantom(number, n_frames, **nuisances)
        simulation = simulate(spec)
        scene = Scene(spec, simulation.pose, simulation.camera)
        try:
            for k, shot in enumerate(scene.frames(1)):
                file = f"{spec.recording}__f{k:06d}.png"
                cv2.imwrite(str(folder / file), cv2.cvtColor(shot.picture, cv2.COLOR_RGB2BGR))
                pictures[file] = folder / file
                position = simulation.keypoints_px[k][:, columns]
                inside = ((position >= 0) & (position < SIZE)).all(axis=0)
                flag = np.full(len(columns), UNLABELLED)
                pixels = position[:, inside].astype(np.intp)
                depth = simulation.keypoints_m[k, 2, columns][inside]
                seen = shot.depth_at(pixels) >= depth - tolerance[inside]
                flag[inside] = np.where(seen, VISIBLE, HIDDEN)
                frames.append(
                    LabelledFrame(
                        file,
                        SIZE,
                        SIZE,
                        np.where(inside, position, np.nan).T,
                        flag,
                        None,
                        spec.recording,
                        spec.infant,
                        k,
                    )
                )
        finally:
            scene.close()
    return Labels(COCO_17.keypoints, tuple(frames), COCO_17.bones), pictures


def small_config(path: Path, side: int = 128) -> Path:
    """Write an HRNet of few channels for a small input: what a CPU trains in a minute.

    With heatmaps, hundreds of frames teach where keypoints are; RTMPose's classification of
    coordinates learns little more than the mean posture from as many.
    """
    from fidgety.pose.mmpose_runtime import find_config, read_config

    config = read_config(find_config("td-hm_hrnet-w32_8xb64-210e_coco-256x192"))

    def stage(*channels: int) -> dict[str, object]:
        n = len(channels)
        return {
            "num_modules": 1,
            "num_branches": n,
            "block": "BASIC",
            "num_blocks": (2,) * n,
            "num_channels": channels,
        }

    first = {**stage(16), "block": "BOTTLENECK", "num_blocks": (1,)}
    stages = (first, stage(16, 32), stage(16, 32, 64), stage(16, 32, 64, 128))
    config.model.backbone.extra = {f"stage{k}": s for k, s in enumerate(stages, start=1)}
    config.model.head.in_channels = 16
    codec = {
        "type": "MSRAHeatmap",
        "input_size": (side, side),
        "heatmap_size": (side // 4, side // 4),
        "sigma": 1.5,
    }
    config.model.head.decoder = codec
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        for step in config[loader].dataset.pipeline:
            if step["type"] == "TopdownAffine":
                step["input_size"] = (side, side)
            if step["type"] == "GenerateTarget":
                step["encoder"] = codec
    config.dump(str(path))
    return path
