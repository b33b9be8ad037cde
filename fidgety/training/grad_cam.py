"""What networks of pictures look at: Grad-CAM on both streams, for some clips of an infant.

Selvaraju RR, Cogswell M, Das A, et al. (2017). Grad-CAM: visual explanations from deep networks via
gradient-based localization. ICCV 2017, 618-626; by the library captum. A map is that of the last
feature map of a ResNet, between 0 and 1 of its highest value, mean over the fold models that judge
the infant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import nn

from fidgety.models.two_stream_network import TwoStream
from fidgety.pixels.clips import PixelClips
from fidgety.training.fold_model import FoldModel
from fidgety.training.looks import STREAMS, Look
from fidgety.training.results import ModelPrediction, best_apart


def grad_cam(network: TwoStream, clip: torch.Tensor, target: int) -> dict[str, NDArray[np.float32]]:
    """Return where in a clip a network looks for a class.

    Parameters
    ----------
    network
        In evaluation mode; takes clips of crop and flow in one tensor.
    clip : Tensor of shape (channel, row, column)
    target
        Index of the class.

    Returns
    -------
    dict
        Stream to a map of the clip's rows and columns, between 0 and 1 of its highest value; all 0
        where nothing speaks for the class.
    """
    found = {}
    for name in STREAMS:
        stream = getattr(network, name)
        if stream is None:
            continue
        layer: nn.Module = stream.encoder.stages[-1]
        raw = LayerGradCam(network, layer).attribute(
            clip[None], target=target, relu_attributions=True
        )
        whole = nn.functional.interpolate(
            raw.detach(), size=clip.shape[1:], mode="bilinear", align_corners=False
        )[0, 0]
        highest = float(whole.max())
        scaled = whole / highest if highest > 0 else torch.zeros_like(whole)
        found[name] = scaled.numpy().astype(np.float32)
    return found


def look_at(
    name: str,
    fold_models: Sequence[FoldModel],
    prediction: ModelPrediction,
    pixels: Mapping[str, Path],
    n: int,
) -> list[Look]:
    """Explain what a model calls an infant, in the clips in which it is likeliest.

    Parameters
    ----------
    name
        Of the model.
    fold_models
        The fold models that gave the prediction.
    prediction
        Of the infant; it has a result.
    pixels
        Recording to its crops and flow.
    n
        Clips at most.
    """
    target = int(prediction.infant_probability.mean(axis=0).argmax())
    likely = prediction.probability[:, :, target].mean(axis=0)
    spec = fold_models[0].spec
    shown = []
    for k in best_apart(prediction, likely, n):
        recording = prediction.recording[k]
        clips = PixelClips(pixels[recording], spec.rate_hz)
        first = round((prediction.start_s[k] - clips.start_s) * spec.rate_hz)
        clip = torch.from_numpy(clips.read(first, first + spec.window_frames))
        by_fold = [grad_cam(fold_model.network, clip, target) for fold_model in fold_models]  # type: ignore[arg-type]
        shown.append(
            Look(
                name,
                recording,
                float(prediction.start_s[k]),
                float(prediction.stop_s[k]),
                prediction.classes[target],
                float(likely[k]),
                {s: np.mean([one[s] for one in by_fold], axis=0) for s in by_fold[0]},
            )
        )
    return shown
