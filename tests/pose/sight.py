"""A small rendered phantom with its truth, and an estimator that demands upright people."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.config.base import Section
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.crop import rotation
from fidgety.skeletons import BLAZEPOSE_33, COCO_17

DATA = Path(__file__).parent / "data"
#: Joints of trunk and limbs: what the project's figures are about.
JOINTS = [
    BLAZEPOSE_33.index(f"{side}_{joint}")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
]


@dataclass(frozen=True)
class Phantom:
    """Frames (frame, height, width, 3), masks of the same size, and truth in pixels."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    keypoints: NDArray[np.float64]
    visible: NDArray[np.bool_]
    camera: NDArray[np.float64]

    @property
    def trunk_px(self) -> float:
        shoulders, hips = self.keypoints[:, :, 11:13], self.keypoints[:, :, 23:25]
        return float(np.median(np.linalg.norm(shoulders.mean(axis=2) - hips.mean(axis=2), axis=1)))

    def turned(self, angle_deg: float, size: tuple[int, int] = (400, 360)) -> Phantom:
        """Turn the pictures clockwise in a canvas of (width, height)."""
        turn = rotation(angle_deg)
        shift = np.array(size) / 2 - turn @ np.array([160.0, 160.0])
        matrix = np.column_stack([turn, shift])
        centres = matrix.copy()
        centres[:, 2] += turn.sum(axis=1) / 2 - 0.5
        border = {"borderMode": cv2.BORDER_REPLICATE}
        return replace(
            self,
            frames=np.stack([cv2.warpAffine(f, centres, size, **border) for f in self.frames]),
            masks=np.stack([cv2.warpAffine(m, centres, size) for m in self.masks]),
            keypoints=np.einsum("ij,tjk->tik", turn, self.keypoints) + shift[:, None],
        )

    def errors(self, position: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return errors of the visible joints in trunk lengths, one-dimensional."""
        distance = np.linalg.norm(position - self.keypoints, axis=1)[:, JOINTS]
        return distance[self.visible[:, JOINTS]] / self.trunk_px


@functools.cache
def load_phantom() -> Phantom:
    with av.open(str(DATA / "phantom.mp4")) as container:
        frames = np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
    with np.load(DATA / "phantom.npz") as truth:
        shape = tuple(truth["shape"])
        bits = np.unpackbits(truth["mask_bits"], count=int(np.prod(shape)))
        return Phantom(
            frames,
            bits.reshape(shape) * np.uint8(255),
            truth["keypoints_px"].astype(np.float64),
            truth["visible"],
            truth["camera_m"].astype(np.float64),
        )


HEAD, PELVIS = (255, 0, 0), (0, 0, 255)


def draw_doll(
    angle_deg: float,
    centre: tuple[float, float] = (200.0, 150.0),
    size: tuple[int, int] = (400, 300),
    arms: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw a doll whose head points ``angle_deg`` clockwise of up; return picture and mask.

    With ``arms`` it is wider than long, so that its mask's long axis is that of the arms.
    """
    picture = np.full((size[1], size[0], 3), 40, np.uint8)
    mask = np.zeros((size[1], size[0]), np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        px, py = rotation(angle_deg) @ np.array([x, y]) + centre
        return round(float(px)), round(float(py))

    for canvas, colour in ((picture, (200, 180, 160)), (mask, 255)):
        cv2.line(canvas, at(0, -50), at(0, 50), colour, 30)
        if arms:
            cv2.line(canvas, at(-95, 0), at(95, 0), colour, 30)
    cv2.circle(picture, at(0, -40), 9, HEAD, -1)
    cv2.circle(picture, at(0, 40), 9, PELVIS, -1)
    return picture, mask


class DollOptions(Section):
    """No options."""


class UprightOnly(PoseEstimator):
    """Finds dolls, but only those whose head is up within 60 degrees, as a strict model would.

    Keypoints above the hips are at the head's mark, the others at the pelvis'.
    """

    name: ClassVar[str] = "doll"
    skeleton = COCO_17
    Options: ClassVar[type[Section]] = DollOptions
    libraries: ClassVar[tuple[str, ...]] = ()
    crop_px: ClassVar[int] = 128
    has_world: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(DollOptions())
        self.seen = 0
        self.largest_batch = 0
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        self.seen += len(crops)
        self.largest_batch = max(self.largest_batch, len(crops))
        position = np.full((len(crops), 2, 17), np.nan)
        for i, crop in enumerate(crops.astype(int)):
            red, green, blue = np.moveaxis(crop, -1, 0)
            head = np.argwhere((red > 150) & (green < 90) & (blue < 90))
            pelvis = np.argwhere((blue > 150) & (green < 90) & (red < 90))
            if len(head) == 0 or len(pelvis) == 0:
                continue
            up, down = head.mean(axis=0)[::-1] + 0.5, pelvis.mean(axis=0)[::-1] + 0.5
            trunk = up - down
            if -trunk[1] < 0.5 * np.linalg.norm(trunk):
                continue
            position[i] = down[:, None]
            position[i, :, :11] = up[:, None]
        found = np.isfinite(position).all(axis=1)
        return Estimate(position, found.astype(float))
