"""What models of pictures look at, on the aligned crop: strips for the infant's page.

A strip is a clip: its crop, its flow, and where on the crop each stream of the network looks. What
the overlay video hides is hidden here: the head is covered, and what the mask does not take for
body is black, where the network sees a faint rest of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.background.read import BodyMasks
from fidgety.config.report import ReportConfig
from fidgety.files import atomic_path
from fidgety.pixels.alignment import Alignment
from fidgety.pixels.clips import middle_of
from fidgety.pixels.crop import crop
from fidgety.pixels.packing import LIMIT_PX
from fidgety.pixels.store import Pixels
from fidgety.pose.tracks import Pose
from fidgety.report.overlay import BODY, Cover, bones_of, draw_skeleton, head_covers, hide
from fidgety.training.looks import Look

Image = NDArray[np.uint8]
#: Smallest side of a panel; smaller crops are enlarged by a whole number.
SHOWN_PX = 160
GAP_PX = 4
#: Flow is as bright as can be from this speed on, in pixels a field.
BRIGHT_PX = LIMIT_PX / 4


def moved(covers: Sequence[Cover] | None, matrix: NDArray[np.float64]) -> list[Cover] | None:
    """Return covers where a similarity transform takes them."""
    if covers is None:
        return None
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x, y = matrix[:, :2] @ np.array(point) + matrix[:, 2]
        return float(x), float(y)

    return [replace(c, start=at(c.start), end=at(c.end), radius=c.radius * scale) for c in covers]


def flow_picture(field: NDArray[np.float32]) -> Image:
    """Colour a field of flow: the hue is the direction, brightness the speed.

    Parameters
    ----------
    field : ndarray of shape (row, column, 2)
        Pixels, x right and y down.
    """
    speed = np.linalg.norm(field, axis=2)
    direction = np.mod(np.arctan2(field[..., 1], field[..., 0]), 2 * np.pi)
    hsv = np.stack(
        [
            direction * (180 / (2 * np.pi)) % 180,
            np.full(speed.shape, 255.0),
            255 * np.minimum(speed / BRIGHT_PX, 1),
        ],
        axis=2,
    )
    return np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), dtype=np.uint8)


def heat(picture: Image, values: NDArray[np.float32]) -> Image:
    """Lay a map between 0 and 1 over a picture, which stays as it is where the map is 0."""
    colours = cv2.applyColorMap((255 * values).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    share = 0.75 * values[..., None]
    mixed = picture * (1 - share) + colours[..., ::-1] * share
    return np.asarray(mixed, dtype=np.uint8)


def _hidden(
    picture: Image,
    body: Image,
    pose: Pose,
    frame: int,
    alignment: Alignment,
    config: ReportConfig,
) -> tuple[Image, bool]:
    """Return the crop as it may be shown, and whether the picture is in it."""
    size = picture.shape[0]
    matrix = alignment.matrix(size)
    if config.overlay == "skeleton":
        black: Image = np.zeros_like(picture)
        if frame >= pose.n_frames:
            return black, False
        flat = pose.position[frame, :2].astype(np.float64)
        points = matrix[:, :2] @ flat + matrix[:, 2:]
        return draw_skeleton(black, points, pose.keypoints, bones_of(pose)), False
    if config.faces == "visible":
        return picture, True
    covers = head_covers(pose)
    own = moved(covers[frame] if frame < len(covers) else None, matrix)
    shown = np.where(body[..., None] >= BODY, picture, np.uint8(0)).astype(np.uint8)
    return hide(shown, own), True


def strip(
    look: Look, pixels: Pixels, masks: BodyMasks, pose: Pose, config: ReportConfig
) -> dict[str, Image]:
    """Draw the panels of a clip.

    Parameters
    ----------
    look
        The clip, and where in it the network looks.
    pixels
        Crops and flow of its recording.
    masks
        Body masks of its recording.
    pose
        Clean pose of the recording, in pixels of the standard video.
    config
        What may be shown.

    Returns
    -------
    dict
        Name in :data:`~fidgety.report.picture_list.PANELS` to picture. Without the infant's picture
        there is no flow either: it shows the body's outline.
    """
    first = round((look.start_s - float(pixels.time_s[0])) * pixels.rate_hz)
    stop = first + round((look.stop_s - look.start_s) * pixels.rate_hz)
    middle = middle_of(first, stop)
    frame = int(pixels.frame[middle])
    nobody = np.zeros(masks.size[::-1], dtype=np.uint8)
    mask = masks.at(frame) if frame < len(masks) else nobody
    body = crop(mask, pixels.alignment, pixels.size_px)
    shown, with_picture = _hidden(
        pixels.crops(middle, middle + 1)[0], body, pose, frame, pixels.alignment, config
    )
    panels = {"crop": shown}
    if with_picture:
        field = min(middle, stop - 1)
        coloured = flow_picture(pixels.flow(field, field + 1)[0])
        panels["flow"], _ = _hidden(coloured, body, pose, frame, pixels.alignment, config)
    return panels | {name: heat(shown, values) for name, values in look.maps.items()}


def save_strip(panels: Sequence[Image], path: Path) -> None:
    """Write panels side by side as PNG, whole or not at all."""
    times = max(1, -(-SHOWN_PX // panels[0].shape[0]))
    large = [p.repeat(times, axis=0).repeat(times, axis=1) for p in panels]
    gap = np.full((large[0].shape[0], GAP_PX, 3), 255, dtype=np.uint8)
    row = np.concatenate([part for panel in large for part in (panel, gap)][:-1], axis=1)
    done, encoded = cv2.imencode(".png", row[..., ::-1])
    assert done
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())
