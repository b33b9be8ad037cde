"""From a standard video, its body masks and its pose to aligned crops and their flow.

Hashimoto 2022: the background is multiplied out by the soft mask, the infant is turned upright and
brought to one size, and the flow is that of the crops. Frame by frame, so that memory does not
grow with the video; only the frames between which a field lies are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.background.apply import hide_background
from fidgety.background.read import BodyMasks
from fidgety.config.pixels import PixelsConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.pixels.alignment import Alignment, fit_alignment
from fidgety.pixels.crop import crop
from fidgety.pixels.flow import FieldTimes, field_times, flow_method
from fidgety.pixels.packing import pack_flow
from fidgety.pixels.store import PIXELS_SCHEMA
from fidgety.pose.tracks import read_pose
from fidgety.progress import track
from fidgety.storage import DatasetWriter, Provenance
from fidgety.video.read import iter_frames, video_info

Picture = NDArray[np.uint8]


def aligned_pictures(
    video: Path, background: Path, alignment: Alignment, frames: NDArray[np.int64], size_px: int
) -> Iterator[Picture]:
    """Yield the crops of some frames, what is not body multiplied out.

    Parameters
    ----------
    video, background
        A standard video and its body masks.
    alignment
        Of the recording.
    frames
        Numbers, increasing.
    size_px
        Side of the crops.

    Yields
    ------
    ndarray of uint8 of shape (size, size, 3)
        RGB.
    """
    wanted = set(frames.tolist())
    with BodyMasks(background) as masks:
        for k, frame in enumerate(iter_frames(video, stop=int(frames[-1]) + 1)):
            if k in wanted:
                body = hide_background(frame, masks[k], "black")
                yield crop(body, alignment, size_px)


def build_pixels(
    video: Path,
    background: Path,
    pose: Path,
    path: Path,
    config: PixelsConfig,
    provenance: Provenance,
    *,
    name: str = "",
    threads: int = 1,
) -> None:
    """Write the crops and the flow of a recording.

    Parameters
    ----------
    video, background, pose
        Standard video, body masks, clean pose.
    path
        File to write: whole or not at all.
    config
        Size, rate, method.
    provenance
        What makes the file.
    name
        What the progress is called.
    threads
        Of the processor, for a network's flow.

    Raises
    ------
    NotAssessable
        If the infant cannot be aligned, or the recording is too short or too slow.
    """
    info = video_info(video)
    try:
        times = field_times(info.n_frames, info.fps, config.rate_hz)
    except ValueError as error:
        raise NotAssessable(Reason.FEATURE_UNAVAILABLE, f"optical flow: {error}") from None
    if not len(times.first):
        raise NotAssessable(
            Reason.VIDEO_TOO_SHORT, f"{info.n_frames} frames are no {1 / config.rate_hz:.2g} s"
        )
    alignment = fit_alignment(read_pose(pose))
    frames = np.concatenate([times.first, times.second[-1:]])
    pictures = aligned_pictures(video, background, alignment, frames, config.size_px)
    shown = track(pictures, f"crop {name}".strip(), len(frames))
    with DatasetWriter(path, schema=PIXELS_SCHEMA, provenance=provenance) as writer:
        _write(writer, shown, times, config, threads)
        writer.add(
            xr.Dataset(
                {
                    "frame": (("moment",), frames),
                    "time_s": (("moment",), frames / info.fps, {"units": "seconds"}),
                },
                attrs={
                    **alignment.to_dict(),
                    "fps": info.fps,
                    "rate_hz": config.rate_hz,
                    "flow_method": config.flow,
                    "size_px": config.size_px,
                },
            )
        )


def _write(
    writer: DatasetWriter,
    pictures: Iterator[Picture],
    times: FieldTimes,
    config: PixelsConfig,
    threads: int,
) -> None:
    """Write picture by picture: one is compressed by itself, so that any clip is read quickly."""
    n, size = len(times.first), config.size_px
    square = {"row": size, "column": size}
    crops = writer.create(
        "crop", {"moment": n + 1, **square, "channel": 3}, np.uint8, chunks=(1, size, size, 3)
    )
    dtype: Any = np.uint8 if config.bits == "uint8" else np.float16
    flows = writer.create(
        "flow", {"field": n, **square, "direction": 2}, dtype, chunks=(1, size, size, 2)
    )
    method = flow_method(config.flow, config.raft_weights, threads)
    before: Picture | None = None
    for k, picture in enumerate(pictures):
        crops[k : k + 1] = picture[None]
        after = method.prepare(picture)
        if before is not None:
            field = method.between(before, after) * np.float32(times.scale[k - 1])
            flows[k - 1 : k] = pack_flow(field, config.bits)[None]
        before = after
