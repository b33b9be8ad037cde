"""Speed and memory of crops and flow: ``python -m benchmarks.pixels_speed``.

A recording of 1280 x 720 pixels (a rendered phantom of 5 s, again and again until it is as long as
asked for) goes through the stages that a model of pictures needs: the standard video, masks of the
body by the default method, aligned crops and their flow. Each stage runs in a process of its own,
so that its peak memory is its own.

Beside them the plain way, as the authors' code goes about it but with the same masks: all frames of
the recording in memory, every one masked and aligned, flow between all frames five apart, crops and
flow as PNG files. Both do without the network that finds the pose, which is estimated once before.

Wanted are 25 frames a second for masks, crops and flow together on two cores, and memory that does
not grow. A recording uses one core; the workflow takes two recordings at a time, and so does the
last measurement.

With ``--u2net u2net.onnx``, masks by U2-Net in batches are compared with one frame a call.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing as mp
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fidgety.background.apply import hide_background
from fidgety.background.extract import extract_background
from fidgety.background.read import BodyMasks
from fidgety.background.registry import BACKGROUNDS
from fidgety.config.background import BackgroundConfig
from fidgety.config.pixels import PixelsConfig
from fidgety.config.pose import PoseConfig
from fidgety.config.video import VideoConfig
from fidgety.files import file_sha256
from fidgety.phantom.plan import PhantomSpec
from fidgety.phantom.record import record_video
from fidgety.pixels.alignment import fit_alignment
from fidgety.pixels.build import build_pixels
from fidgety.pixels.crop import crop
from fidgety.pixels.flow import flow_method
from fidgety.pixels.packing import pack_flow
from fidgety.pose.estimate import estimate_pose
from fidgety.pose.registry import ESTIMATORS
from fidgety.pose.tracks import read_pose, write_pose
from fidgety.storage import Provenance
from fidgety.video.read import iter_frames, video_info
from fidgety.video.standardise import standardise_video
from fidgety.video.write import VideoWriter

LOOP_S = 5.0
FPS = 30.0
MB = 1e6


def render(path: Path) -> None:
    """Render the phantom that is filmed."""
    spec = PhantomSpec(
        "p", "p", "phantom-external", "external", "normal", "continuous",
        duration_s=LOOP_S, fps=FPS, size=(1280, 720), seed=5,
    )  # fmt: skip
    record_video(spec, path, path.with_suffix(".h5"), Provenance())


def repeat(loop: Path, path: Path, duration_s: float) -> None:
    """Write a recording of some length: the loop again and again."""
    info = video_info(loop)
    with VideoWriter(path, info.rate, info.width_px, info.height_px, crf=23) as writer:
        for _ in range(round(duration_s / LOOP_S)):
            for frame in iter_frames(loop):
                writer.write(frame)


def make_masks(video: Path, path: Path) -> None:
    """Extract the body by the default method."""
    config = BackgroundConfig()
    kind = BACKGROUNDS.get(config.method)
    with kind(kind.Options()) as method:
        extract_background(video, path, method, config, Provenance())


def masks_and_pixels(video: Path, pose: Path, folder: Path) -> None:
    """Extract the body, cut crops and compute flow."""
    folder.mkdir()
    make_masks(video, folder / "background.h5")
    build_pixels(
        video, folder / "background.h5", pose, folder / "pixels.h5", PixelsConfig(), Provenance()
    )


def u2net_masks(video: Path, weights: Path, batch: int, frames: int) -> None:
    """Compute some masks by U2-Net."""
    from fidgety.background.u2net import U2Net
    from fidgety.background.u2net_options import U2NetOptions

    options = U2NetOptions(weights=str(weights), sha256=file_sha256(weights), batch=batch)
    with U2Net(options) as method:
        for _ in method.masks(itertools.islice(iter_frames(video), frames)):
            pass


def make_pose(video: Path, background: Path, path: Path) -> None:
    """Estimate the pose by the default estimator."""
    config = PoseConfig()
    kind = ESTIMATORS.get(config.method)
    with BodyMasks(background) as masks, kind(kind.Options()) as estimator:
        pose = estimate_pose(
            iter_frames(video), masks, config, estimator,
            fps=video_info(video).fps, mask_scale=masks.scale,
        )  # fmt: skip
    write_pose(path, pose, Provenance())


def plain(video: Path, background: Path, pose: Path, folder: Path, config: PixelsConfig) -> None:
    """Crop and compute flow the plain way."""
    folder.mkdir()
    alignment = fit_alignment(read_pose(pose))
    frames = list(iter_frames(video))
    with BodyMasks(background) as masks:
        bodies = [hide_background(f, masks[k], "black") for k, f in enumerate(frames)]
    crops = [crop(body, alignment, config.size_px) for body in bodies]
    method = flow_method(config.flow)
    grey = [method.prepare(one) for one in crops]
    for k, one in enumerate(crops):
        cv2.imwrite(str(folder / f"crop-{k:05d}.png"), one[..., ::-1])
    for k in range(len(grey) - 5):
        packed = pack_flow(method.between(grey[k], grey[k + 5]), "uint8")
        for axis in range(2):
            cv2.imwrite(str(folder / f"flow-{'xy'[axis]}-{k:05d}.png"), packed[..., axis])


def _measured(work: Callable[..., object], arguments: tuple[Any, ...], queue: Any) -> None:
    cv2.setNumThreads(1)
    wall, start = time.monotonic(), time.process_time()
    work(*arguments)
    used = resource.getrusage(resource.RUSAGE_SELF)
    queue.put((time.monotonic() - wall, time.process_time() - start, used.ru_maxrss * 1024))


def measure(work: Callable[..., object], *arguments: Any) -> tuple[float, float, float]:
    """Run a stage in a process of its own; return its wall time, processor time and peak memory.

    A process starts with its parent's peak, so everything large is done in one.
    """
    context = mp.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_measured, args=(work, arguments, queue))
    process.start()
    found: tuple[float, float, float] = queue.get()
    process.join()
    return found


def stages(loop: Path, folder: Path, duration_s: float, way: str) -> dict[str, tuple[float, ...]]:
    """Measure the stages on a recording of some length, and print a line each."""
    folder.mkdir()
    source = folder / "source.mp4"
    measure(repeat, loop, source, duration_s)
    video, background = folder / "video.mp4", folder / "background.h5"
    found = {
        "standard video": measure(standardise_video, source, video, VideoConfig()),
        "masks": measure(make_masks, video, background),
    }
    pose, config = folder / "pose.h5", PixelsConfig()
    measure(make_pose, video, background, pose)
    if way != "plain":
        found["crops and flow"] = measure(
            build_pixels, video, background, pose, folder / "pixels.h5", config, Provenance()
        )
    if way != "ours":
        found["crops and flow, plain"] = measure(
            plain, video, background, pose, folder / "png", config
        )
    n = video_info(video).n_frames
    for name, (wall, used, memory) in found.items():
        print(
            f"{duration_s:4.0f} s  {name:<24}{n / wall:8.1f} frames/s  "
            f"{1000 * used / n:7.1f} ms of processor a frame  {memory / MB:7.0f} MB"
        )
    if "crops and flow" in found:
        wall = found["masks"][0] + found["crops and flow"][0]
        size = (folder / "pixels.h5").stat().st_size / MB
        print(
            f"{duration_s:4.0f} s  masks, crops and flow   {n / wall:8.1f} frames/s, {size:.0f} MB"
        )
    return found


def two_at_once(folder: Path) -> None:
    """Measure masks, crops and flow of two recordings at the same time, as two jobs."""
    given = [(folder / "video.mp4", folder / "pose.h5", folder / str(k)) for k in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: measure(masks_and_pixels, *one), given))
    n = 2 * video_info(folder / "video.mp4").n_frames
    print(f"two at once, masks, crops and flow: {n / max(f[0] for f in found):.1f} frames/s")


def compare_u2net(video: Path, weights: Path, frames: int = 48) -> None:
    """Measure U2-Net in batches and frame by frame, in turns."""
    taken = np.array(
        [
            [measure(u2net_masks, video, weights, batch, frames)[0] for batch in (1, 8)]
            for _ in range(3)
        ]
    )
    one, batch = np.median(taken, axis=0)
    print(f"U2-Net: {frames / one:.2f} frames/s one a call, {frames / batch:.2f} in batches of 8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--long", type=float, default=180.0, help="seconds of the longer recording")
    parser.add_argument("--u2net", type=Path, help="file of U2-Net's weights")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loop = folder / "loop.mp4"
        measure(render, loop)
        short = stages(loop, folder / "short", 60.0, "both")
        both = [np.array(short[name]) for name in ("crops and flow, plain", "crops and flow")]
        times = both[0] / both[1]
        print(f"plain over ours: processor {times[1]:.1f}, memory {times[2]:.1f}")
        two_at_once(folder / "short")
        if args.u2net is not None:
            compare_u2net(folder / "short" / "video.mp4", args.u2net)
        long = stages(loop, folder / "long", args.long, "ours")
        for stage in long:
            print(f"memory, long over short, {stage}: {long[stage][2] / short[stage][2]:.2f}")


if __name__ == "__main__":
    main()
