"""Lifting a 2D pose by the networks of mmpose that learned from Human3.6M.

- VideoPose3D (Pavllo 2019, CVPR): temporal convolutions over 27, 81 or 243 frames, or one.
- SimpleBaseline3D (Martinez 2017, ICCV): one frame.
- MotionBERT (Zhu 2023, ICCV): a transformer over 243 frames.

mmpose's own function, ``inference_pose_lifter_model``, takes one frame with its window at a time.
Here a whole stretch goes through at once: temporal convolutions without strides give every
frame's result in one pass, and share what its neighbours' windows have in common (weights are
the same, as VideoPose3D's authors do at inference); the transformer gives as many frames as it
takes, and overlapping sequences go through in batches. Frames beyond an end are that end's frame
again, as in mmpose.

Where the recording has no usable pose it falls into stretches, and no window reaches from one
into the next. A stretch may lack single keypoints: the network is given where they would be by
interpolation, what it says about *them* is not kept, and what it says about the others counts
as imputed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fidgety.errors import ConfigError, NotAssessable, Reason
from fidgety.pose.cleaning import Cleaned
from fidgety.pose.estimator_options import EstimatorOptions
from fidgety.pose.gaps import Mask, Positions, present
from fidgety.pose.lifters.base import Lifted, Lifter
from fidgety.pose.lifters.estimator import EstimatorLifter
from fidgety.pose.lifters.mmpose_options import Fit, MMPoseLifterOptions
from fidgety.pose.lifting import derived_origin
from fidgety.pose.mmpose_runtime import (
    build_model,
    find_config,
    import_mmpose,
    read_checkpoint,
    read_config,
)
from fidgety.pose.normalisation import trunk_length, turn, upright_angle
from fidgety.pose.torch_device import inference, pick_device, use_threads
from fidgety.pose.tracks import Origin
from fidgety.skeletons import HUMAN36M_17, convert

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

Floats = NDArray[np.floating]

#: Side of Human3.6M's pictures, in pixels: all poses are put into such a picture.
PICTURE_PX = 1000.0
#: Human3.6M in its pictures: where the pelvis is on average, and from there to the thorax
#: (``keypoints_mean`` of mmpose's config ``image-pose-lift_tcn_8xb64-200e_h36m``).
ADULT_PELVIS_PX = (532.1, 419.7)
ADULT_TRUNK_PX = 101.9
#: Middle and longer side of the box around the body (``stats_info`` of mmpose's ``h36m.py``).
ADULT_BOX_PX = (528.0, 427.0)
ADULT_BOX_SIDE_PX = 400.0
#: Most keypoints of a frame, of 17, that may be filled in for the network: as many as go with
#: one shoulder (itself, thorax, spine, neck) or with the ends of two limbs, and one.
MOST_FILLED = 5
#: A longer time between two frames ends a stretch.
LONGEST_PAUSE_S = 0.5
#: Sequences of a transformer overlap by half: every frame is taken where it is nearer the middle.
OVERLAP = 2

PELVIS = HUMAN36M_17.index("pelvis")


# ----------------------------------------------------------------------------------------------
# The pose as the network wants it
# ----------------------------------------------------------------------------------------------


def stretches(usable: NDArray[np.bool_], time_s: Floats) -> list[slice]:
    """Return the runs of usable frames that no pause interrupts.

    Parameters
    ----------
    usable : ndarray of bool, shape (frame,)
    time_s : ndarray of shape (frame,)
    """
    frames = np.flatnonzero(usable)
    if frames.size == 0:
        return []
    ends = (np.diff(frames) > 1) | (np.diff(time_s[frames]) > LONGEST_PAUSE_S)
    return [
        slice(int(run[0]), int(run[-1]) + 1) for run in np.split(frames, 1 + np.nonzero(ends)[0])
    ]


def usable_frames(there: Mask) -> NDArray[np.bool_]:
    """Tell which frames can be lifted: the pelvis is there, and enough of the rest.

    Parameters
    ----------
    there : ndarray of bool, shape (frame, 17)
    """
    return np.asarray(there[:, PELVIS] & ((~there).sum(axis=1) <= MOST_FILLED))


def fill_in(position: Floats, there: Mask, usable: NDArray[np.bool_]) -> Positions:
    """Say where missing keypoints would be, for the network's sake.

    Their place beside the pelvis is interpolated over the frames, and stays as it is at the
    ends. In frames that are not usable everything is.

    Parameters
    ----------
    position : ndarray of shape (frame, space, 17)
    there : ndarray of bool, shape (frame, 17)
    usable : ndarray of bool, shape (frame,)

    Raises
    ------
    NotAssessable
        ``no_3d`` if a keypoint is in no usable frame.
    """
    never = [
        HUMAN36M_17.keypoints[k] for k in np.flatnonzero(~(there & usable[:, None]).any(axis=0))
    ]
    if never:
        raise NotAssessable(
            Reason.NO_3D,
            f"{', '.join(never)} cannot be had in any frame with a pelvis; a network lifts all 17 "
            "keypoints or none",
        )
    out = np.array(position, dtype=np.float64)
    frame = np.arange(len(out))
    beside = out - out[:, :, [PELVIS]]
    for k in np.flatnonzero(~there.all(axis=0)):
        known = there[:, k] & there[:, PELVIS]
        wanted = ~there[:, k]
        for s in range(out.shape[1]):
            place = np.interp(frame[wanted], frame[known], beside[known, s, k])
            out[wanted, s, k] = place + out[wanted, s, PELVIS]
    return out


@dataclass(frozen=True)
class Placement:
    """How a pose is put into a picture like those that the network knows.

    Parameters
    ----------
    centre
        Point of the recording's picture that goes to ``target``, in pixels.
    target
        Point of Human3.6M's picture, in pixels.
    scale
        Pixels there for one pixel of the recording.
    angle
        Turn about ``centre`` in radians, for :func:`fidgety.pose.normalisation.turn`.
    """

    centre: tuple[float, float]
    target: tuple[float, float]
    scale: float
    angle: float

    def apply(self, position: Floats) -> Positions:
        """Put positions (frame, 2, keypoint) into that picture."""
        moved = turn(position - np.array(self.centre)[:, None], self.angle)
        return moved * self.scale + np.array(self.target)[:, None]


def place(position: Floats, fit: Fit, picture: tuple[int, int] | None = None) -> Placement:
    """Find the one placement of a recording: upright, and of the size that the network knows.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, 17)
        Human3.6M-17 in pixels.
    fit
        What decides the size: see :class:`~fidgety.pose.lifters.mmpose_options.Options`.
    picture
        Width and height in pixels, for ``fit="picture"``.

    Raises
    ------
    NotAssessable
        ``no_3d`` if the picture's size decides and there is no picture; ``pose_too_sparse`` if
        the trunk is never seen.
    """
    names = HUMAN36M_17.keypoints
    angle = upright_angle(position, names)
    if fit == "picture":
        if picture is None:
            raise NotAssessable(
                Reason.NO_3D,
                "a track has no picture whose size would tell how large the body is "
                "(lifting.options.fit: picture); with 'trunk' or 'box' it needs none",
            )
        width, height = picture
        target = (PICTURE_PX / 2, PICTURE_PX / 2)
        return Placement((width / 2, height / 2), target, PICTURE_PX / width, angle)
    # Medians go along the axes: they are taken as the body will lie.
    turned = turn(position[present(position).any(axis=1)], angle)
    if fit == "trunk":
        middle = np.nanmedian(turned[:, :, PELVIS], axis=0)
        target, scale = ADULT_PELVIS_PX, ADULT_TRUNK_PX / trunk_length(position, names)
    else:
        low, high = np.nanmin(turned, axis=2), np.nanmax(turned, axis=2)
        middle = np.median((low + high) / 2, axis=0)
        target = ADULT_BOX_PX
        scale = ADULT_BOX_SIDE_PX / float(np.median((high - low).max(axis=1)))
    x, y = turn(middle[None, :, None], -angle)[0, :, 0]
    return Placement((float(x), float(y)), target, scale, angle)


# ----------------------------------------------------------------------------------------------
# The network
# ----------------------------------------------------------------------------------------------


def _encoder(settings: Config, name: str) -> Any:
    """Make the codec with which the config's own test pipeline prepares a pose."""
    from mmpose.registry import KEYPOINT_CODECS

    steps = settings.test_dataloader.dataset.pipeline
    kinds = [step["type"] for step in steps]
    encoders = [step["encoder"] for step in steps if step["type"] == "GenerateTarget"]
    if len(encoders) != 1 or set(kinds) - {"GenerateTarget", "PackPoseInputs"}:
        raise ConfigError(
            f"lifting.options.config: {name} prepares its poses by {', '.join(kinds)}; a lifter's "
            "test pipeline has one GenerateTarget and PackPoseInputs."
        )
    return KEYPOINT_CODECS.build(encoders[0])


def sequences(n: int, length: int) -> list[tuple[slice, slice]]:
    """Cut a stretch into overlapping sequences, of which the middles cover it.

    Parameters
    ----------
    n
        Frames of the stretch.
    length
        Frames of a sequence; a shorter stretch is one sequence.

    Returns
    -------
    list of (slice, slice)
        Frames that go through the network, and those of them that are kept.
    """
    if n <= length:
        return [(slice(0, n), slice(0, n))]
    starts = [*range(0, n - length, max(1, length // OVERLAP)), n - length]
    borders = [0, *[(b + a + length) // 2 for a, b in pairwise(starts)], n]
    return [
        (slice(start, start + length), slice(first, last))
        for start, (first, last) in zip(starts, pairwise(borders), strict=True)
    ]


class Network:
    """A lifting network of mmpose with the codec that goes with it.

    Parameters
    ----------
    config
        Config file.
    checkpoint
        Weights; None leaves random ones.
    device
        As torch names it.
    batch_size
        Frames a pass.

    Raises
    ------
    ConfigError
        If it is not a lifter from 17 to 17 keypoints that runs here.
    """

    def __init__(
        self, config: Path, checkpoint: Any = None, device: str = "cpu", batch_size: int = 1024
    ) -> None:
        import_mmpose()
        settings = read_config(config, "lifting.options.config")
        self.name = config.stem
        self.device = device
        self.batch_size = batch_size
        kind = (settings.model.get("backbone") or {}).get("type")
        if settings.model.get("type") != "PoseLifter" or kind not in ("TCN", "DSTFormer"):
            raise ConfigError(
                f"lifting.options.config: {self.name} is no lifter that runs here: those of mmpose "
                "below body_3d_keypoint are, video_pose_lift, image_pose_lift and motionbert."
            )
        dataset = settings.test_dataloader.dataset
        if kind == "TCN":
            # Without strides the same weights give every frame of a stretch in one pass.
            settings.model.backbone.use_stride_conv = False
            self.window = math.prod(settings.model.backbone.kernel_sizes)
        else:
            self.window = int(settings.model.backbone.seq_len)
        self.causal = kind == "TCN" and bool(dataset.get("causal", False))
        if dataset.get("seq_step", 1) != 1:
            raise ConfigError(
                f"lifting.options.config: {self.name} leaves frames out (seq_step), which is not "
                "known here."
            )
        self.encoder = _encoder(settings, self.name)
        if self.encoder.num_keypoints != len(HUMAN36M_17.keypoints):
            raise ConfigError(
                f"lifting.options.config: {self.name} lifts {self.encoder.num_keypoints} "
                "keypoints; the 17 of Human3.6M are needed."
            )
        self.model: Any = build_model(settings, checkpoint, device, where="lifting.options")
        self.is_convolution = kind == "TCN"

    def lift(self, position: Floats) -> Positions:
        """Lift one stretch.

        Parameters
        ----------
        position : ndarray of shape (frame, 2, 17)
            Complete, in pixels of a picture of Human3.6M's size.

        Returns
        -------
        ndarray of shape (frame, 3, 17)
            Metres of an adult, camera axes, the pelvis near zero.
        """
        encoded = self._encode(position)
        if self.is_convolution:
            raw = self._convolve(encoded["keypoint_labels"])
            decoded = np.concatenate([self._decode(one[None], encoded) for one in raw])
        else:
            decoded = self._decode(self._transform(encoded["keypoint_labels"]), encoded)
        return np.asarray(decoded.transpose(0, 2, 1), dtype=np.float64)

    def _encode(self, position: Floats) -> dict[str, Any]:
        """Prepare a pose as the config does, with a target that is not known."""
        n, _, k = position.shape
        wanted = {
            "keypoints": np.ascontiguousarray(position.transpose(0, 2, 1), dtype=np.float32),
            "keypoints_visible": np.ones((n, k), dtype=np.float32),
            # mmpose's function gives one frame's target, at which MotionBERT's codec fails.
            "lifting_target": np.zeros((1 if self.is_convolution else n, k, 3), dtype=np.float32),
            "lifting_target_visible": np.ones(
                (1 if self.is_convolution else n, k, 1), dtype=np.float32
            ),
        }
        if "camera_param" in self.encoder.auxiliary_encode_keys:
            wanted["camera_param"] = {"w": PICTURE_PX, "h": PICTURE_PX}  # type: ignore[assignment]
        return dict(self.encoder.encode(**wanted))

    def _decode(self, raw: Floats, encoded: dict[str, Any]) -> Floats:
        """Turn the network's output (frame, 17, 3) into metres, as the config does."""
        decoder = self.model.head.decoder
        if self.is_convolution:
            root = encoded.get("target_root")
            return np.asarray(decoder.decode(raw, target_root=None if root is None else root[0])[0])
        size = np.full(len(raw), PICTURE_PX)
        return np.asarray(decoder.decode(raw, w=size, h=size, factor=encoded["factor"])[0])

    def _convolve(self, columns: Floats) -> Floats:
        """Give every frame's output (frame, joint, 3) of a temporal convolution.

        Parameters
        ----------
        columns : ndarray of shape (feature, frame)
        """
        import torch

        model = self.model
        before = self.window - 1 if self.causal else (self.window - 1) // 2
        after = self.window - 1 - before
        padded = torch.from_numpy(np.pad(columns, ((0, 0), (before, after)), mode="edge"))
        outputs = []
        with inference():
            for start in range(0, columns.shape[1], self.batch_size):
                stop = min(start + self.batch_size, columns.shape[1])
                inputs = padded[None, :, start : stop + self.window - 1].float().to(self.device)
                features = model.backbone(inputs)
                if model.with_neck:
                    features = model.neck(features)
                out = model.head.conv(features[-1])[0]  # (joint * 3, frame)
                outputs.append(out.T.reshape(stop - start, -1, 3).cpu().numpy())
        return np.concatenate(outputs)

    def _transform(self, frames: Floats) -> Floats:
        """Give every frame's output (frame, joint, 3) of a transformer over sequences.

        Parameters
        ----------
        frames : ndarray of shape (frame, joint, feature)
        """
        import torch

        parts = sequences(len(frames), self.window)
        out = np.empty((*frames.shape[:2], 3), dtype=np.float32)
        source = torch.from_numpy(np.ascontiguousarray(frames)).float()
        at_once = max(1, self.batch_size // self.window)
        with inference():
            for first in range(0, len(parts), at_once):
                some = parts[first : first + at_once]
                inputs = torch.stack([source[whole] for whole, _ in some]).to(self.device)
                outputs = self._both_ways(inputs).cpu().numpy()
                for (whole, kept), result in zip(some, outputs, strict=True):
                    out[kept] = result[kept.start - whole.start : kept.stop - whole.start]
        return out

    def _both_ways(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the transformer, on the mirrored pose as well where the config says so."""
        model = self.model
        out = model.head(model.backbone(inputs))
        if not model.test_cfg.get("flip_test", False):
            return out
        back = model.head(model.backbone(_mirrored(inputs)))
        return (out + _mirrored(back)) / 2


def _mirrored(values: torch.Tensor) -> torch.Tensor:
    """Exchange left and right of poses (..., joint, coordinate) whose x is centred."""
    out = values[..., list(HUMAN36M_17.mirror), :].clone()
    out[..., 0] *= -1
    return out


class MMPoseLifter(Lifter):
    """Lifts a clean 2D pose by a network of mmpose; 3D tracks stay what they are."""

    name = "mmpose"
    Options = MMPoseLifterOptions
    libraries = ("mmpose", "torch", "numpy")

    def __init__(self, options: EstimatorOptions) -> None:
        super().__init__(options)
        assert isinstance(options, MMPoseLifterOptions)
        self.settings = options
        self._network: Network | None = None
        self._sha256 = ""

    def use_threads(self, threads: int) -> None:
        """Use this many processor threads."""
        use_threads(threads)

    @property
    def network(self) -> Network:
        """The network, loaded when first needed."""
        if self._network is None:
            settings = self.settings
            config = find_config(settings.config, "lifting.options.config")
            checkpoint = read_checkpoint(
                settings.checkpoint,
                settings.sha256,
                config=config,
                where="lifting.options.checkpoint",
            )
            self._sha256 = checkpoint.sha256
            self._network = Network(
                config,
                checkpoint,
                pick_device(settings.device, "lifting.options.device"),
                settings.batch_size,
            )
        return self._network

    def lift(self, cleaned: Cleaned, picture: tuple[int, int] | None = None) -> Lifted:
        """Give the 3D positions; see :class:`~fidgety.pose.lifters.base.Lifter`."""
        pose = cleaned.pose
        if pose.n_space == 3:
            return EstimatorLifter().lift(cleaned, picture)
        assert pose.origin is not None
        flat = convert(pose.position, pose.anatomy, HUMAN36M_17)
        origin = derived_origin(pose.origin, pose.anatomy, HUMAN36M_17.keypoints)
        there = present(flat)
        usable = usable_frames(there)
        complete = fill_in(flat, there, usable)
        placement = place(flat, self.settings.fit, picture)
        runs = stretches(usable, np.asarray(pose.time_s, dtype=np.float64))
        network = self.network
        lifted = lift_stretches(network, placement.apply(complete), runs)
        kept = there & usable[:, None]
        lifted[np.broadcast_to(~kept[:, None], lifted.shape)] = np.nan
        return Lifted(
            # The body as it lies in the picture: turned back.
            turn(lifted, -placement.angle),
            lifted_origin(origin, kept, usable),
            "metres",
            {
                "method": self.name,
                "config": network.name,
                "checkpoint_sha256": self._sha256,
                "window_frames": network.window,
                "fit": self.settings.fit,
                "scale": "metres of an adult: the network learned from adults",
                "stretches": len(runs),
            },
        )


def lift_stretches(network: Network, position: Positions, runs: Sequence[slice]) -> Positions:
    """Lift every stretch by itself; what is in none is NaN.

    Parameters
    ----------
    network
        The network.
    position : ndarray of shape (frame, 2, 17)
        In a picture of Human3.6M's size; complete in the stretches.
    runs
        Stretches, in frames.
    """
    out = np.full((len(position), 3, position.shape[2]), np.nan)
    for run in runs:
        out[run] = network.lift(position[run])
    return out


def lifted_origin(
    origin: NDArray[np.uint8], kept: Mask, usable: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Tell the origin of lifted values.

    That of the 2D value; but where the network was given an interpolated place for another
    keypoint of the frame, imputed.

    Parameters
    ----------
    origin : ndarray of uint8, shape (frame, 17)
        Of the 2D values.
    kept : ndarray of bool, shape (frame, 17)
        Where there is a lifted value.
    usable : ndarray of bool, shape (frame,)
        Frames that were lifted.
    """
    out = np.array(origin, dtype=np.uint8)
    out[usable & ~kept.all(axis=1)] = int(Origin.IMPUTED)
    out[~kept] = int(Origin.MISSING)
    return out
