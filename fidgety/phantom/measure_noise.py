"""Measure what the pose estimator adds to rendered phantoms; prints the table of ``noise.py``.

Usage: ``python -m fidgety.phantom.measure_noise [--recordings 8] [--duration 20] [--write]``.
With ``--write`` the table in ``fidgety/phantom/noise.py`` is replaced.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfiltfilt

from fidgety.config.pose import PoseConfig
from fidgety.phantom.noise import (
    KINDS,
    around_hips,
    band_filter,
    kind_of,
    picture_axes,
    side_sign,
    trunk_length,
)
from fidgety.phantom.plan import PhantomSpec, plan_cohort
from fidgety.phantom.record import read_truth, record_video
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.mediapipe import BlazePose
from fidgety.pose.mediapipe_options import BlazePoseOptions
from fidgety.pose.tracks import Pose
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.storage import Provenance

Array = NDArray[np.float64]

COORDINATES = ("across", "along", "across_3d", "along_3d", "depth_3d")


class RepeatedMasks:
    """The truth's masks for every frame: the last one that was rendered."""

    def __init__(self, masks: NDArray[np.uint8], mask_frames: Array, n_frames: int) -> None:
        self._masks = masks
        self._which = np.searchsorted(mask_frames, np.arange(n_frames), side="right") - 1

    def __len__(self) -> int:
        return len(self._which)

    def __getitem__(self, frames: slice, /) -> Any:
        return self._masks[self._which[frames]]


def displayed_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield a video's pictures as a player shows them, red, green, blue."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)


def estimate(video: Path, truth: Path) -> tuple[PhantomSpec, Any, Pose]:
    """Run the workflow's default estimator over a rendered phantom."""
    spec, dataset = read_truth(truth)
    masks = RepeatedMasks(
        dataset["mask"].values, dataset["mask_frame"].values, dataset.sizes["time"]
    )
    with BlazePose(BlazePoseOptions()) as estimator:
        pose = estimate_pose(displayed_frames(video), masks, PoseConfig(), estimator, fps=spec.fps)
    return spec, dataset, pose


def band(values: Array, fps: float, which: int) -> Array:
    """Return the part of a series (axis 0) that lies in one of the noise's bands."""
    return np.asarray(sosfiltfilt(band_filter(fps, which), values, axis=0))


def errors_of(spec: PhantomSpec, dataset: Any, pose: Pose) -> tuple[dict[str, Array], float]:
    """Return errors in body axes and trunk lengths, each (frame, keypoint), and 3D's scale."""
    axes = picture_axes(spec.nuisances.body_angle_deg)
    truth = dataset["position"].values
    flat = np.einsum("ij,fjk->fik", axes, pose.position - truth) / trunk_length(truth)
    deep = around_hips(dataset["position_3d"].values)
    assert pose.world is not None
    world = around_hips(np.asarray(pose.world, dtype=np.float64))
    found = np.isfinite(world)
    scale = float((world[found] * deep[found]).sum() / (deep[found] ** 2).sum())
    error = (world / scale - deep) / trunk_length(deep)
    error[:, :2] = np.einsum("ij,fjk->fik", axes, error[:, :2])
    return {
        "across": flat[:, 0],
        "along": flat[:, 1],
        "across_3d": error[:, 0],
        "along_3d": error[:, 1],
        "depth_3d": error[:, 2],
    }, scale


def summarise(
    errors: Sequence[tuple[float, dict[str, Array]]],
) -> dict[str, dict[str, list[float]]]:
    """Return bias, spread, drift, wobble and jitter by kind of keypoint and coordinate.

    Parameters
    ----------
    errors
        Frame rate and errors of each recording.
    """
    names = BLAZEPOSE_33.keypoints
    out: dict[str, dict[str, list[float]]] = {}
    for kind in KINDS:
        members = [k for k, name in enumerate(names) if kind_of(name) == kind]
        out[kind] = {}
        for coordinate in COORDINATES:
            biases, bands = [], []
            for fps, found in errors:
                values = found[coordinate][:, members]
                bias = np.nanmedian(values, axis=0)
                signs = np.array([side_sign(names[k]) for k in members])
                mirrored = coordinate.startswith("across") and kind != "nose"
                biases += list(bias * signs if mirrored else bias)
                rest = np.nan_to_num(values - bias)
                bands.append([np.sqrt((band(rest, fps, b) ** 2).mean()) for b in range(3)])
            # The nose has no side, so no bias to one.
            centre = 0.0 if kind == "nose" and coordinate.startswith("across") else np.mean(biases)
            spread = np.sqrt(np.mean((np.array(biases) - centre) ** 2))
            # The median over recordings: a single exchange of the feet is no noise.
            out[kind][coordinate] = [float(centre), float(spread), *np.median(bands, axis=0)]
    return out


def as_source(
    table: dict[str, dict[str, list[float]]],
    confidence: dict[str, tuple[float, float]],
    scale: float,
) -> str:
    """Return the table as the source text of ``noise.py``."""
    lines = [
        "#: Length of the estimator's 3D over the true one: BlazePose gives an adult's lengths.",
        f"WORLD_SCALE = {scale:.3f}",
        "MEASURED: dict[str, KeypointErrors] = {",
    ]
    for kind in KINDS:
        lines.append(f'    "{kind}": KeypointErrors(')
        for coordinate in COORDINATES:
            numbers = ", ".join(f"{v:.4f}" for v in table[kind][coordinate])
            lines.append(f"        Errors({numbers}),")
        mean, spread = confidence[kind]
        lines += [f"        ({mean:.3f}, {spread:.3f}),", "    ),"]
    return "\n".join([*lines, "}"])


def chosen_specs(recordings: int, duration_s: float, seed: int) -> list[PhantomSpec]:
    """Return phantoms of both classes and many nuisances, all rendered."""
    cohort = [s for s in plan_cohort("validation", seed) if s.role == "external"]
    return [
        replace(s, kind="video", duration_s=duration_s, recording=f"{s.recording}-noise")
        for s in cohort[:recordings]
    ]


def main() -> None:
    """Render, estimate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=8)
    parser.add_argument("--duration", type=float, default=20.0, help="seconds")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="replace the table in noise.py")
    options = parser.parse_args()
    errors: list[tuple[float, dict[str, Array]]] = []
    scales: list[float] = []
    confidences: list[Array] = []
    for spec in chosen_specs(options.recordings, options.duration, options.seed):
        with tempfile.TemporaryDirectory() as folder:
            video, truth = Path(folder) / "video.mp4", Path(folder) / "truth.h5"
            record_video(spec, video, truth, Provenance(recording=spec.recording))
            _, dataset, pose = estimate(video, truth)
        found, scale = errors_of(spec, dataset, pose)
        errors.append((spec.fps, found))
        scales.append(scale)
        confidences.append(np.asarray(pose.confidence))
    names = BLAZEPOSE_33.keypoints
    confidence = {
        kind: (
            float(np.mean([c[:, [kind_of(n) == kind for n in names]].mean() for c in confidences])),
            float(np.mean([c[:, [kind_of(n) == kind for n in names]].std() for c in confidences])),
        )
        for kind in KINDS
    }
    text = as_source(summarise(errors), confidence, float(np.median(scales)))
    print(text)
    if options.write:
        path = Path(__file__).with_name("noise.py")
        before, _, rest = path.read_text(encoding="utf-8").partition("# BEGIN MEASURED\n")
        after = rest.partition("# END MEASURED")[2]
        path.write_text(
            f"{before}# BEGIN MEASURED\n{text}\n# END MEASURED{after}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
