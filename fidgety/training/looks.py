"""Files of what networks of pictures look at (schema ``look/1``): one entry a clip that is shown.

==================  ====================  ======================================================
variable            dimensions            content
==================  ====================  ======================================================
model, recording    shown                 names
start_s, stop_s     shown                 the clip in its recording, seconds
class               shown                 what the model calls the infant, which is explained
probability         shown                 of that class in the clip, mean over fold models
spatial, temporal   shown, row, column    maps on the crop; NaN where there is no such stream
==================  ====================  ======================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

LOOK_SCHEMA = "look/1"
STREAMS = ("spatial", "temporal")


@dataclass(frozen=True)
class Look:
    """A clip, and where in it the networks look.

    Parameters
    ----------
    model, recording
        Names.
    start_s, stop_s
        The clip in its recording.
    called
        Class that is explained: what the model calls the infant.
    probability
        Of that class in the clip.
    maps
        Stream to ndarray of shape (row, column), between 0 and 1.
    """

    model: str
    recording: str
    start_s: float
    stop_s: float
    called: str
    probability: float
    maps: dict[str, NDArray[np.float32]]


def to_dataset(looks: Sequence[Look]) -> xr.Dataset:
    """Tabulate what was looked at, as the module's text says."""
    size = next(iter(looks[0].maps.values())).shape if looks else (0, 0)
    empty = np.full(size, np.nan, dtype=np.float32)

    def text(attribute: str) -> tuple[tuple[str], NDArray[np.object_]]:
        return ("shown",), np.array([getattr(one, attribute) for one in looks], dtype=object)

    def number(attribute: str) -> tuple[tuple[str], NDArray[np.float64]]:
        return ("shown",), np.array([getattr(one, attribute) for one in looks], dtype=np.float64)

    maps = {
        stream: (
            ("shown", "row", "column"),
            np.array([one.maps.get(stream, empty) for one in looks], np.float32).reshape(
                len(looks), *size
            ),
        )
        for stream in STREAMS
    }
    return xr.Dataset(
        {
            "model": text("model"),
            "recording": text("recording"),
            "class": text("called"),
            "start_s": number("start_s"),
            "stop_s": number("stop_s"),
            "probability": number("probability"),
            **maps,
        }
    )


def from_dataset(data: xr.Dataset) -> list[Look]:
    """Read what :func:`to_dataset` gave."""
    return [
        Look(
            str(data["model"].values[k]),
            str(data["recording"].values[k]),
            float(data["start_s"].values[k]),
            float(data["stop_s"].values[k]),
            str(data["class"].values[k]),
            float(data["probability"].values[k]),
            {s: data[s].values[k] for s in STREAMS if not np.isnan(data[s].values[k]).all()},
        )
        for k in range(data.sizes["shown"])
    ]
