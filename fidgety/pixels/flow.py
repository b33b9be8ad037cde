"""Optical flow between aligned crops, at a fixed number of fields a second.

Hashimoto 2022: Farneback's method on grey crops of 224 x 224 pixels, five frames of 30 a second
apart, clipped to 20 pixels on either side and stored in 8 bits. A recording of another rate has its
fields between the frames that are nearest in time, and what moved is scaled to the time between two
fields; so equal movement gives equal flow whatever the camera's rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.pixels.packing import Field

Picture = NDArray[np.uint8]
Name = Literal["farneback", "dis", "raft"]

FARNEBACK = {
    "pyr_scale": 0.5,
    "levels": 3,
    "winsize": 5,
    "iterations": 3,
    "poly_n": 7,
    "poly_sigma": 1.5,
    "flags": 0,
}


@dataclass(frozen=True)
class FlowMethod:
    """A method of optical flow.

    Parameters
    ----------
    prepare
        Turns a picture of shape (height, width, 3), RGB, into what is compared.
    between
        Takes two such and returns where each pixel of the first went to, of shape (height, width,
        2), x right and y down.
    """

    prepare: Callable[[Picture], Picture]
    between: Callable[[Picture, Picture], Field]


def grey(picture: Picture) -> Picture:
    """Return a picture without its colours, of shape (height, width)."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def flow_method(name: Name, weights: str | None = None, threads: int = 1) -> FlowMethod:
    """Return a method.

    Parameters
    ----------
    name
        ``farneback`` with the published parameters; the faster ``dis``; ``raft``, a network.
    weights
        Of ``raft``.
    threads
        Of the processor, for ``raft``.

    Raises
    ------
    ConfigError
        If the weights cannot be used.
    """
    if name == "raft":
        from fidgety.pixels.raft import Raft

        network = Raft(Path(weights or "").expanduser(), threads)
        return FlowMethod(lambda picture: picture, network.between)
    if name == "farneback":
        return FlowMethod(
            grey,
            lambda a, b: np.asarray(
                cv2.calcOpticalFlowFarneback(a, b, None, **FARNEBACK),  # type: ignore[call-overload]
                dtype=np.float32,
            ),
        )
    # The fast preset is worse than no flow at all on slow movement; medium is not.
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]
    return FlowMethod(grey, lambda a, b: np.asarray(dis.calc(a, b, None), dtype=np.float32))


@dataclass(frozen=True)
class FieldTimes:
    """Between which frames the fields lie.

    Parameters
    ----------
    first, second : ndarray of shape (field,)
        Frame numbers.
    scale : ndarray of shape (field,)
        What a field is multiplied by, so that it is that of the nominal time.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scale: NDArray[np.float64]


def field_times(n_frames: int, fps: float, rate_hz: float) -> FieldTimes:
    """Lay fields over a recording.

    Parameters
    ----------
    n_frames, fps
        Of the standard video.
    rate_hz
        Fields a second; field k lies between the frames nearest to ``k / rate_hz`` and
        ``(k + 1) / rate_hz``.

    Raises
    ------
    ValueError
        If there would be more fields than frames.
    """
    if rate_hz > fps * (1 + 1e-6):
        raise ValueError(f"{rate_hz:g} fields a second of {fps:g} frames a second")
    # A tie goes to the earlier frame, so that fields of one length follow each other.
    n = max(0, int(np.floor((n_frames - 1) / fps * rate_hz + 1e-6)))
    edges = np.ceil(np.arange(n + 1) * fps / rate_hz - 0.5 - 1e-9).astype(np.int64)
    edges = np.clip(edges, 0, max(n_frames - 1, 0))
    first, second = edges[:-1], edges[1:]
    apart = np.maximum(second - first, 1) / fps
    return FieldTimes(first, second, 1.0 / (rate_hz * apart))
