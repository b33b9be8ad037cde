"""ViTPose and ViTPose+ through ``transformers``, from a folder of weights that you bring.

Xu et al. 2022, "ViTPose: simple vision transformer baselines for human pose estimation"; Xu et
al. 2023, "ViTPose++: vision transformer for generic body pose estimation" (mixture of experts).
A plain vision transformer sees the body's box and gives one heatmap a keypoint (COCO's 17).

The picture is cut as the model was trained: the body's box, widened to the network's shape (256
high, 192 wide) and by a quarter, by the "unbiased" transform that takes the box's corners to the
centres of the corner pixels (Huang et al. 2020, "The devil is in the details: delving into
unbiased data processing for human pose estimation", section 3.1). Heatmaps are read by DARK
(Zhang et al. 2020, "Distribution-aware coordinate representation for human pose estimation",
section 3.2): a Gaussian's maximum from the logarithm's slope and curvature at the largest value.
Both are what ``transformers``' own processor does with the same box, only for many frames at
once; and a step of DARK beyond the neighbouring pixel, which a flat heatmap can give, is held
there.

The library counts from the centre of the first pixel, this project from its outer corner: half a
pixel between them is taken off the box and put onto the keypoints.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, ClassVar

# Before the import: nothing is fetched, whatever a file names.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from transformers import VitPoseConfig, VitPoseForPoseEstimation
from transformers.utils import logging as transformers_logging

from fidgety.config.base import Section
from fidgety.errors import ConfigError
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.torch_device import inference, mixed_precision, pick_device, use_threads
from fidgety.pose.vitpose_options import WEIGHTS_FILE, WHERE_TO_GET_IT, ViTPoseOptions
from fidgety.skeletons import COCO_17, Skeleton

#: The half pixel between the library's coordinates and ours.
HALF_PX = 0.5
#: Side of what the network sees, in sides of the body's box, where the box fills it.
PADDING = 1.25
#: Normalisation of the published networks (ImageNet).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: DARK's smoothing of heatmaps: standard deviation and radius in heatmap pixels, and the
#: smallest value whose logarithm is taken.
DARK_SIGMA, DARK_RADIUS, DARK_FLOOR = 0.8, 5, 1e-3
#: Whether there is a body is judged by these.
JUDGED = tuple(
    i
    for i, k in enumerate(COCO_17.keypoints)
    if k.partition("_")[2] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)


def window(side_px: int, box_share: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the part of a square crop that the network sees.

    Parameters
    ----------
    side_px
        Side of the crop.
    box_share
        Share of the crop's side that the body's box takes, in the middle.
    size
        Height and width of the network's input.

    Returns
    -------
    ndarray of shape (2, 2)
        Left, top; right, bottom: the places, in the crop, of the *centres* of the corner pixels
        of the input. (0, 0) is the outer corner of the crop's first pixel.
    """
    height, width = size
    box = box_share * side_px
    extent = PADDING * box * np.array([max(1.0, width / height), max(1.0, height / width)])
    return np.stack([(side_px - extent) / 2.0, (side_px + extent) / 2.0])


def cut(
    crops: NDArray[np.uint8], place: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut the network's input out of crops; black where they have nothing.

    Parameters
    ----------
    crops : ndarray of shape (frame, side, side, 3)
    place : ndarray of shape (2, 2)
        As :func:`window` returns it.
    size
        Height and width of the input.

    Returns
    -------
    ndarray of shape (frame, height, width, 3)
    """
    height, width = size
    step = (place[1] - place[0]) / (width - 1, height - 1)
    if step.max() > 2.0:
        # warpAffine samples points: halve the pictures first, or it aliases.
        half = np.stack(
            [cv2.resize(c, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for c in crops]
        )
        ratio = half.shape[2] / crops.shape[2], half.shape[1] / crops.shape[1]
        return cut(np.asarray(half, dtype=np.uint8), place * ratio, size)
    # From the input's pixels to the crop's, both counted from the centre of the first one.
    matrix = np.array(
        [[step[0], 0.0, place[0, 0] - HALF_PX], [0.0, step[1], place[0, 1] - HALF_PX]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack([cv2.warpAffine(c, matrix, (width, height), flags=flags) for c in crops])


def decode(heatmaps: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the maximum of each heatmap to a fraction of a pixel (DARK).

    Parameters
    ----------
    heatmaps : ndarray of shape (frame, keypoint, height, width)

    Returns
    -------
    position : ndarray of shape (frame, keypoint, 2)
        x and y in heatmap pixels, counted from the centre of the first one; at most one pixel
        from the largest value.
    score : ndarray of shape (frame, keypoint)
        The largest value.
    """
    n, k, _, width = heatmaps.shape
    flat = heatmaps.reshape(n, k, -1)
    peak = flat.argmax(axis=2)
    score = np.take_along_axis(flat, peak[..., None], axis=2)[..., 0].astype(np.float64)
    y, x = np.divmod(peak, width)
    smooth = gaussian_filter(
        heatmaps, sigma=DARK_SIGMA, radius=DARK_RADIUS, axes=(2, 3), output=np.float64
    )
    log = np.log(np.clip(smooth, DARK_FLOOR, None))
    log = np.pad(log, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    frame, keypoint = np.ogrid[:n, :k]

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return np.asarray(log[frame, keypoint, y + 1 + dy, x + 1 + dx])

    centre = at(0, 0)
    slope_x, slope_y = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    xx, yy = at(1, 0) - 2 * centre + at(-1, 0), at(0, 1) - 2 * centre + at(0, -1)
    xy = (at(1, 1) - at(1, 0) - at(0, 1) + 2 * centre - at(-1, 0) - at(0, -1) + at(-1, -1)) / 2
    determinant = xx * yy - xy**2
    # A step to the maximum needs a peak: curvature downwards along every direction.
    is_peak = (determinant > np.finfo(np.float32).eps) & (xx < 0)
    safe = np.where(is_peak, determinant, 1.0)
    step_x = np.where(is_peak, (xy * slope_y - yy * slope_x) / safe, 0.0)
    step_y = np.where(is_peak, (xy * slope_x - xx * slope_y) / safe, 0.0)
    position = np.stack([x + np.clip(step_x, -1.0, 1.0), y + np.clip(step_y, -1.0, 1.0)], axis=-1)
    return position.astype(np.float64), score


def to_crop(
    position: NDArray[np.floating], place: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Take heatmap pixels to crop pixels.

    Parameters
    ----------
    position : ndarray of shape (..., 2)
        x and y, counted from the centre of the first heatmap pixel.
    place : ndarray of shape (2, 2)
        As :func:`window` returns it: heatmap and input share the centres of their corner pixels.
    shape
        Height and width of the heatmaps.

    Returns
    -------
    ndarray of shape (..., 2)
        Counted from the outer corner of the crop's first pixel.
    """
    step = (place[1] - place[0]) / (shape[1] - 1, shape[0] - 1)
    return np.asarray(position * step + place[0], dtype=np.float64)


class ViTPose(PoseEstimator):
    """ViTPose or ViTPose+ with COCO's 17 keypoints.

    Parameters
    ----------
    options
        The folder of the model, and how to run it.

    Raises
    ------
    ConfigError
        If a file is missing, is another one, or is no such model.
    """

    name: ClassVar[str] = "vitpose"
    skeleton: Skeleton = COCO_17
    Options: ClassVar[type[Section]] = ViTPoseOptions
    libraries: ClassVar[tuple[str, ...]] = (
        "transformers",
        "torch",
        "safetensors",
        "scipy",
        "opencv-contrib-python-headless",
    )
    has_world: ClassVar[bool] = False
    again: ClassVar[bool] = True

    def __init__(self, options: ViTPoseOptions) -> None:
        super().__init__(options)
        self._options = options
        findings = options.check()
        if findings:
            raise ConfigError("\n".join(findings))
        self._check_checksum()
        self._device = pick_device(options.device)
        self._model = _load(options)
        backbone = self._model.config.backbone_config
        height, width = backbone.image_size
        self._size = (int(height), int(width))
        self._experts = int(backbone.num_experts)
        if options.dataset_index >= max(self._experts, 1) > 1:
            raise ConfigError(
                f"pose.options.dataset_index: {options.dataset_index}, but the model in "
                f"{options.path} has {self._experts} experts: 0 to {self._experts - 1}."
            )
        self._model.to(self._device)
        self._mean = torch.tensor(MEAN, device=self._device)[:, None, None]
        self._std = torch.tensor(STD, device=self._device)[:, None, None]
        self._flip_pairs = torch.tensor(COCO_17.pairs, device=self._device)
        # The network's input has about the crop's own resolution: nothing is resampled twice.
        self.crop_px = int(np.clip(round(self._size[1] / (PADDING * options.box_share)), 192, 768))

    def _check_checksum(self) -> None:
        path = self._options.path / WEIGHTS_FILE
        if self._options.sha256 is None:
            return
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self._options.sha256.lower():
            raise ConfigError(
                f"pose.options.folder: {path} has SHA-256 {found}, expected "
                f"{self._options.sha256}. Either the file is damaged, or it is another one: then "
                f"give its checksum in pose.options.sha256. {WHERE_TO_GET_IT}"
            )

    def use_threads(self, threads: int) -> None:
        """Use this many processor threads."""
        use_threads(threads)

    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        """Find the keypoints in a batch of crops; see :meth:`PoseEstimator.estimate`."""
        n, k = len(crops), len(self.skeleton.keypoints)
        position = np.full((n, k, 2), np.nan)
        confidence = np.zeros((n, k))
        place = window(crops.shape[1], self._options.box_share, self._size)
        size = self._options.batch_size
        for start in range(0, n, size):
            part = slice(start, start + size)
            heatmaps = self._heatmaps(cut(crops[part], place, self._size))
            found, score = decode(heatmaps)
            position[part] = to_crop(found, place, (heatmaps.shape[2], heatmaps.shape[3]))
            confidence[part] = np.clip(np.nan_to_num(score), 0.0, 1.0)
        nobody = confidence[:, JUDGED].mean(axis=1) < self._options.min_score
        nobody |= ~np.isfinite(position).all(axis=(1, 2))
        position[nobody] = np.nan
        confidence[nobody] = 0.0
        return Estimate(position.transpose(0, 2, 1), confidence)

    def _heatmaps(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on pictures (frame, height, width, 3); return its heatmaps."""
        with inference():
            values = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
            values = values.permute(0, 3, 1, 2).float() / 255.0
            values = ((values - self._mean) / self._std).contiguous()
            index = torch.full((len(values),), self._options.dataset_index, device=self._device)
            experts = {"dataset_index": index} if self._experts > 1 else {}
            with mixed_precision(self._options, self._device):
                heatmaps = self._model(values, **experts).heatmaps.float()
                if self._options.flip_test:
                    mirrored = self._model(
                        values.flip(-1), flip_pairs=self._flip_pairs, **experts
                    ).heatmaps.float()
                    heatmaps = (heatmaps + mirrored) / 2.0
        return np.asarray(heatmaps.cpu().numpy(), dtype=np.float32)


def _load(options: ViTPoseOptions) -> Any:
    """Return the network with its weights, from files alone and without a pickle."""
    where, path = "pose.options.folder", options.path
    # What it reports on standard error (missing weights) is an error here.
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    bar = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        loaded: Any = VitPoseForPoseEstimation.from_pretrained(
            str(path.resolve()),
            config=VitPoseConfig.from_pretrained(str(path.resolve()), local_files_only=True),
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:
        # What transformers raises depends on which part of config.json is odd.
        raise ConfigError(
            f"{where}: {path / WEIGHTS_FILE} cannot be read as the model that config.json beside "
            f"it describes ({type(error).__name__}: {error}). {WHERE_TO_GET_IT}"
        ) from None
    finally:
        transformers_logging.set_verbosity(before)
        if bar:
            transformers_logging.enable_progress_bar()
    model, report = loaded
    wrong = sorted(report["missing_keys"]) + sorted(str(k) for k in report["mismatched_keys"])
    if wrong:
        raise ConfigError(
            f"{where}: {path / WEIGHTS_FILE} lacks weights that config.json beside it describes "
            f"({', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''}): the two are not of the "
            f"same model. {WHERE_TO_GET_IT}"
        )
    keypoints = int(model.config.num_labels)
    if keypoints != len(COCO_17.keypoints):
        raise ConfigError(
            f"{where}: the model in {path} has {keypoints} keypoints, expected COCO's "
            f"{len(COCO_17.keypoints)}. {WHERE_TO_GET_IT}"
        )
    return model.eval()
