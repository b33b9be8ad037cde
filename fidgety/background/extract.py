"""From a standard video to ``results/background/{recording}.h5``, schema ``background/1``.

==========  ======================  ===========================================================
variable    dimensions              content
==========  ======================  ===========================================================
mask        frame, height, width    soft body mask, 0 background to 255 body, at reduced size
time        frame                   seconds, ``frame / fps``
coverage    frame                   share of the picture that is body, from 0 to 1
background  height, width, channel  RGB: the median over frames, the body left out where it
                                    moved away
camera_*    camera_step             ``time`` (seconds) and ``speed`` (pixels of the video a second):
                                    how fast the picture behind the body moves
==========  ======================  ===========================================================

Attributes: ``method``, ``follows_one`` (1 if its masks are of one person, whoever else is in
view), ``fps``, ``scale`` (mask pixels a video pixel; the sides are rounded), ``video_width_px``,
``video_height_px``. Frames stream through, masks go to the file in stretches: memory does not
grow with the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.background.apply import resize_mask
from fidgety.background.base import BackgroundMethod, Mask
from fidgety.background.camera import CameraWatch
from fidgety.background.camera_record import SCHEMA as SCHEMA
from fidgety.background.camera_record import CameraMotion
from fidgety.config.background import BackgroundConfig
from fidgety.errors import NotAssessable, Reason
from fidgety.progress import track
from fidgety.storage import DatasetWriter, Provenance
from fidgety.video.read import (
    VideoInfo,
    iter_frames,
    read_frames,
    reduced_size,
    sample_indices,
    video_info,
)

CHUNK_FRAMES = 16
"""Frames that are compressed together."""
IMAGE_SAMPLES = 31
"""Frames that the background image is the median of."""
BODY_SEEN = 32
"""Mask value from which a pixel is left out of the background image."""


def extract_background(
    video: Path | str,
    path: Path | str,
    method: BackgroundMethod,
    config: BackgroundConfig,
    provenance: Provenance,
    *,
    name: str = "",
) -> None:
    """Write the body masks of a standard video.

    Parameters
    ----------
    video
        A standard video.
    path
        File to write: whole or not at all.
    method
        From the registry, made with the configuration's options.
    config
        Size of the masks, and what counts as a body.
    provenance
        What makes the file.
    name
        What the progress is called.

    Raises
    ------
    NotAssessable
        If there is a body in too few frames; nothing is written.
    """
    info = video_info(video)
    width, height = reduced_size(info.width_px, info.height_px, config.mask_side_px)
    work = reduced_size(info.width_px, info.height_px, method.work_side_px)
    if method.n_samples:
        method.prepare(read_frames(video, sample_indices(info.n_frames, method.n_samples), work))
    image_frames = sample_indices(info.n_frames, IMAGE_SAMPLES)
    image_masks: list[Mask] = []
    coverage = np.zeros(info.n_frames, np.float32)
    camera = CameraWatch(info.fps, info.width_px)
    with DatasetWriter(path, schema=SCHEMA, provenance=provenance) as writer:
        stored = writer.create(
            "mask",
            {"frame": info.n_frames, "height": height, "width": width},
            np.uint8,
            chunks=(min(CHUNK_FRAMES, info.n_frames), height, width),
        )
        masks = track(
            method.masks(camera.frames(iter_frames(video, size=work))),
            f"mask {name}".strip(),
            info.n_frames,
        )
        wanted = set(image_frames)
        for start, chunk in _chunks(masks, width, height):
            stored[start : start + len(chunk)] = chunk
            coverage[start : start + len(chunk)] = chunk.mean(axis=(1, 2)) / 255
            for k, mask in enumerate(chunk, start):
                camera.look(k, mask)
            # Copies: a view would keep its whole stretch.
            image_masks += [m.copy() for k, m in enumerate(chunk, start) if k in wanted]
        require_body(coverage, config)
        samples = read_frames(video, image_frames, (width, height))
        image = background_image(samples, np.stack(image_masks))
        writer.add(_rest(info, method, coverage, image, width, camera.motion()))


def _chunks(
    masks: Iterator[Mask], width: int, height: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (first frame, masks) in stretches that fill a chunk of the file."""
    start, chunk = 0, []
    for mask in masks:
        chunk.append(resize_mask(mask, width, height))
        if len(chunk) == CHUNK_FRAMES:
            yield start, np.stack(chunk)
            start, chunk = start + len(chunk), []
    if chunk:
        yield start, np.stack(chunk)


def require_body(coverage: NDArray[np.floating], config: BackgroundConfig) -> None:
    """Check that a body is seen often enough.

    Parameters
    ----------
    coverage : ndarray of shape (frame,)
        Share of the picture that is body.
    config
        With the least coverage and the least share of frames.

    Raises
    ------
    NotAssessable
        If it is not.
    """
    seen = coverage >= config.min_coverage
    if seen.mean() < config.min_body_frames:
        raise NotAssessable(
            Reason.NO_BODY,
            f"a body covers at least {config.min_coverage:.1%} of the picture in {seen.sum()} of "
            f"{len(seen)} frames, {config.min_body_frames:.0%} are needed",
        )


def background_image(frames: NDArray[np.uint8], masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the median over frames with the body left out.

    Where the body never moved away, the median over all frames is what is known.

    Parameters
    ----------
    frames : ndarray of shape (frame, height, width, 3)
        RGB.
    masks : ndarray of shape (frame, height, width)
        Body masks.

    Returns
    -------
    ndarray of shape (height, width, 3)
        RGB.
    """
    kernel = np.ones((5, 5), np.uint8)
    body = np.stack([cv2.dilate(mask, kernel) for mask in masks]) >= BODY_SEEN
    covered = body.all(axis=0)
    body[:, covered] = False
    values = np.ma.masked_array(frames, np.broadcast_to(body[..., None], frames.shape))
    return np.rint(np.ma.median(values, axis=0).filled(0)).astype(np.uint8)


def _rest(
    info: VideoInfo,
    method: BackgroundMethod,
    coverage: NDArray[np.float32],
    image: NDArray[np.uint8],
    width: int,
    camera: CameraMotion,
) -> xr.Dataset:
    dataset = xr.Dataset(
        {
            "coverage": ("frame", coverage, {"long_name": "share of the picture that is body"}),
            "background": (("height", "width", "channel"), image, {"long_name": "RGB"}),
            "time": ("frame", np.arange(info.n_frames) / info.fps, {"units": "s"}),
        },
        attrs={
            "method": method.name,
            "follows_one": int(method.follows_one),
            "fps": info.fps,
            "scale": width / info.width_px,
            "video_width_px": info.width_px,
            "video_height_px": info.height_px,
        },
    )
    if camera.time_s.size:
        dataset["camera_time"] = "camera_step", camera.time_s, {"units": "s"}
        dataset["camera_speed"] = "camera_step", camera.speed.astype(np.float32), {"units": "px/s"}
    return dataset
