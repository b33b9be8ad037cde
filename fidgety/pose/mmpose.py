"""Top-down 2D models of mmpose: RTMPose, HRNet and every other config of its kind.

Sengupta et al. (OpenMMLab) 2020, "OpenMMLab pose estimation toolbox and benchmark"; Jiang et al.
2023, "RTMPose: real-time multi-person pose estimation based on MMPose". The config says which
network, which codec (heatmap, SimCC, regression; plain or unbiased) and which keypoints; the
weights are a file that the user brings (:mod:`fidgety.pose.mmpose_runtime`).

A crop is given to mmpose's own test pipeline with the body's box, which the body mask has found:
no detector is needed. What comes out is what ``mmpose.apis.inference_topdown`` gives for the same
box, only that many frames go through the network at once, with channels last in memory.

mmpose counts from the centre of the first pixel (its crops are cut with OpenCV), this project
from its outer corner: half a pixel between them is taken off the box and put onto the keypoints.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fidgety.config.base import Section
from fidgety.errors import ConfigError, FidgetyError, NotAssessable
from fidgety.pose.base import Estimate, PoseEstimator
from fidgety.pose.mmpose_options import MMPoseOptions
from fidgety.pose.mmpose_runtime import (
    build_model,
    find_config,
    import_mmpose,
    read_checkpoint,
    read_config,
)
from fidgety.pose.torch_device import inference, mixed_precision, pick_device, use_threads
from fidgety.skeletons import COCO_17, Skeleton, conversion_matrix, match, plain_name

#: The half pixel between mmpose's coordinates and ours.
HALF_PX = 0.5
#: The one kind of model whose input is a picture of one person.
TOP_DOWN = "TopdownPoseEstimator"
#: Whether there is a body is judged by these; faces and hands have too many keypoints.
TRUNK_AND_LIMBS = frozenset(
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)


def skeleton_of(meta: dict[str, Any], kept: list[int] | None = None) -> tuple[Skeleton, list[int]]:
    """Turn a dataset's description in mmpose into a skeleton.

    Parameters
    ----------
    meta
        Description as mmpose parses it (``parse_pose_metainfo``).
    kept
        Keypoints that the network gives, where it was trained on more.

    Returns
    -------
    skeleton
        One of this project's where it has the same keypoints, else one made from the names and
        links of the description.
    order
        For each of its keypoints the place in the network's output.

    Raises
    ------
    ConfigError
        If hips and shoulders are not among the keypoints: a hand, a face.
    """
    labels = [str(meta["keypoint_id2name"][i]) for i in range(int(meta["num_keypoints"]))]
    indices = list(range(len(labels))) if kept is None else [int(i) for i in kept]
    labels = [labels[i] for i in indices]
    dataset = str(meta["dataset_name"])
    try:
        skeleton, order = match(labels)
        return skeleton, list(order)
    except NotAssessable:
        pass
    # Names of the same places are the same: COCO's are this project's own.
    names = [COCO_17.canonical(label) for label in labels]
    if len(set(names)) != len(names):
        names = [plain_name(label) for label in labels]
    if len(set(names)) != len(names):
        names = labels
    place = {index: i for i, index in enumerate(indices)}
    links = [(int(a), int(b)) for a, b in meta.get("skeleton_links", ())]
    skeleton = Skeleton(
        name=re.sub(r"[^a-z0-9]+", "_", dataset.lower()).strip("_"),
        keypoints=tuple(names),
        bones=tuple(
            (names[place[a]], names[place[b]]) for a, b in links if a in place and b in place
        ),
        title=f"{dataset} (mmpose)",
    )
    missing = conversion_matrix(skeleton, ("pelvis", "thorax"))[1]
    if missing:
        raise ConfigError(
            f"pose.options.config: the keypoints of {dataset} ({', '.join(names[:4])}, ...) do not "
            "give hips and shoulders, without which nobody can tell how an infant lies: choose a "
            "config for whole bodies."
        )
    return skeleton, list(range(len(names)))


def body_box(side_px: int, share: float) -> NDArray[np.float32]:
    """Return the body's box in a square crop as mmpose wants it.

    Parameters
    ----------
    side_px
        Side of the crop.
    share
        Share of it that the box takes, in the middle.

    Returns
    -------
    ndarray of shape (1, 4)
        Left, top, right, bottom, counted from the centre of the first pixel.
    """
    low, high = side_px * (1 - share) / 2 - HALF_PX, side_px * (1 + share) / 2 - HALF_PX
    return np.array([[low, low, high, high]], dtype=np.float32)


class MMPose(PoseEstimator):
    """A top-down 2D model of mmpose.

    Parameters
    ----------
    options
        The config, the weights, and how to run them.

    Raises
    ------
    ConfigError
        If the config or the weights are missing or wrong, do not fit each other, or are not of a
        top-down 2D model of a body.
    """

    name: ClassVar[str] = "mmpose"
    Options: ClassVar[type[Section]] = MMPoseOptions
    libraries: ClassVar[tuple[str, ...]] = (
        "mmpose",
        "mmengine",
        "mmcv-lite",
        "torch",
        "opencv-contrib-python-headless",
    )
    has_world: ClassVar[bool] = False
    again: ClassVar[bool] = True

    def __init__(self, options: MMPoseOptions) -> None:
        super().__init__(options)
        self._options = options
        self._device = pick_device(options.device)
        config = find_config(options.config, "pose.options.config")
        settings = read_config(config, "pose.options.config")
        if settings.model.get("type") != TOP_DOWN:
            raise ConfigError(
                f"pose.options.config: {config.name} is of a {settings.model.get('type')}; only "
                f"top-down 2D models ({TOP_DOWN}) see one infant in one picture."
            )
        checkpoint = read_checkpoint(
            Path(options.checkpoint),
            options.sha256,
            config=config,
            where="pose.options.checkpoint",
        )
        self._model = build_model(settings, checkpoint, where="pose.options.checkpoint")
        self._prepare(settings)
        meta = self._model.dataset_meta
        if not meta:
            raise ConfigError(
                f"pose.options.config: neither {config.name} nor the checkpoint names the "
                "keypoints (metainfo of train_dataloader.dataset)."
            )
        self.skeleton, self._order = skeleton_of(
            meta, self._model.test_cfg.get("output_keypoint_indices")
        )
        judged = [i for i, k in enumerate(self.skeleton.keypoints) if k in TRUNK_AND_LIMBS]
        self._judged = judged or list(range(len(self.skeleton.keypoints)))
        self._try()

    def _prepare(self, settings: Any) -> None:
        """Make the pipeline, and lay the network out for the device."""
        import torch
        from mmengine.dataset import Compose

        import_mmpose()
        try:
            self._pipeline = Compose(settings.test_dataloader.dataset.pipeline)
            (width,) = {
                step.input_size[0]
                for step in self._pipeline.transforms
                if hasattr(step, "input_size")
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"pose.options.config: {settings.filename} has no test_dataloader with a pipeline "
                f"that cuts the picture to the network's input ({error})."
            ) from None
        # The network's input has about the crop's own resolution: nothing is resampled twice.
        self.crop_px = int(np.clip(round(width / self._options.box_share), 192, 768))
        self._model.test_cfg["flip_test"] = self._options.flip_test
        self._model.to(self._device, memory_format=torch.channels_last)

    def _try(self) -> None:
        """Run one picture: what does not work is found before the video."""
        # Noise: the finest decoders fit a peak, which a flat heat map has none of.
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (1, self.crop_px, self.crop_px, 3), dtype=np.uint8)
        try:
            found, _ = self._decode(noise)
        except FidgetyError:
            raise
        except Exception as error:
            raise ConfigError(
                f"pose.options.config: {self._options.config} does not run on a picture "
                f"({type(error).__name__}: {error})."
            ) from error
        if found.shape[1] != len(self._order):
            raise ConfigError(
                f"pose.options.config: the network gives {found.shape[1]} keypoints, but "
                f"{len(self._order)} have a name."
            )

    def use_threads(self, threads: int) -> None:
        """Use this many processor threads."""
        use_threads(threads)

    def estimate(self, crops: NDArray[np.uint8], *, consecutive: bool = True) -> Estimate:
        """Find the keypoints in a batch of crops; see :meth:`PoseEstimator.estimate`."""
        size = self._options.batch_size
        parts = [self._decode(crops[start : start + size]) for start in range(0, len(crops), size)]
        if not parts:
            k = len(self._order)
            return Estimate(np.empty((0, 2, k)), np.empty((0, k)))
        position = np.concatenate([p for p, _ in parts])[:, self._order] + HALF_PX
        scores = np.concatenate([s for _, s in parts])[:, self._order]
        confidence = np.clip(np.nan_to_num(scores), 0.0, 1.0)
        found = confidence[:, self._judged].mean(axis=1) >= self._options.min_score
        found &= np.isfinite(position).all(axis=(1, 2))
        position[~found] = np.nan
        confidence[~found] = 0.0
        return Estimate(position.transpose(0, 2, 1), confidence)

    def _decode(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run one batch; a frame to whose heat maps no peak can be fitted shows nobody.

        Decoders that fit a parabola (UDP, DARK) invert its curvature, and stop the whole batch
        where a heat map is flat. See :meth:`_predict`.
        """
        try:
            return self._predict(crops)
        except np.linalg.LinAlgError:
            if len(crops) > 1:
                parts = [self._decode(crop[None]) for crop in crops]
                return np.concatenate([p for p, _ in parts]), np.concatenate([s for _, s in parts])
            k = len(self._order)
            return np.full((1, k, 2), np.nan), np.zeros((1, k))

    def _predict(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run one batch.

        Returns
        -------
        position : ndarray of shape (frame, keypoint, 2)
            Pixels of the crop, counted from the centre of the first pixel.
        score : ndarray of shape (frame, keypoint)
        """
        import torch
        from mmengine.dataset import pseudo_collate

        box = body_box(crops.shape[1], self._options.box_share)
        meta = self._model.dataset_meta
        batch = pseudo_collate(
            [
                self._pipeline(
                    {
                        # mmpose's pictures are OpenCV's: blue comes first.
                        "img": np.ascontiguousarray(crop[..., ::-1]),
                        "bbox": box,
                        "bbox_score": np.ones(1, np.float32),
                        **meta,
                    }
                )
                for crop in crops
            ]
        )
        with inference():
            data = self._model.data_preprocessor(batch, False)
            inputs = data["inputs"].contiguous(memory_format=torch.channels_last)
            samples = self._forward(inputs, data["data_samples"])
        position = np.concatenate([np.asarray(s.pred_instances.keypoints) for s in samples])
        score = np.concatenate([np.asarray(s.pred_instances.keypoint_scores) for s in samples])
        return position[..., :2].astype(np.float64), score.astype(np.float64)

    def _forward(self, inputs: Any, samples: list[Any]) -> list[Any]:
        """Run network and decoder, as ``TopdownPoseEstimator.predict`` does, by 16 bits or 32."""
        model = self._model
        with mixed_precision(self._options, self._device):
            features = [model.extract_feat(inputs)]
            if self._options.flip_test:
                features.append(model.extract_feat(inputs.flip(-1)))
        features = [_to_32_bits(f) for f in features]
        found = model.head.predict(
            features if self._options.flip_test else features[0], samples, test_cfg=model.test_cfg
        )
        instances, fields = found if isinstance(found, tuple) else (found, None)
        return list(model.add_pred_to_datasample(instances, fields, samples))


def _to_32_bits(features: Any) -> Any:
    """Return features as 32-bit numbers, in the same tuples."""
    if isinstance(features, list | tuple):
        return type(features)(_to_32_bits(f) for f in features)
    return features.float()
