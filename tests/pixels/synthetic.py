"""Files of crops and flow, made of arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from fidgety.pixels.store import PIXELS_SCHEMA
from fidgety.storage import Provenance, write_dataset


def write_pixels(path: Path, crops: np.ndarray, flow: np.ndarray, rate_hz: float = 6.0) -> None:
    """Write crops of shape (moment, row, column, 3) and flow, 8 bits, with a field fewer."""
    data = xr.Dataset(
        {
            "crop": (("moment", "row", "column", "channel"), crops.astype(np.uint8)),
            "flow": (("field", "row", "column", "direction"), flow.astype(np.uint8)),
            "frame": (("moment",), np.arange(len(crops)) * 5),
            "time_s": (("moment",), np.arange(len(crops)) / rate_hz),
        },
        attrs={
            "centre_x_px": 10.0,
            "centre_y_px": 10.0,
            "length_px": 20.0,
            "angle_deg": 0.0,
            "frames": 3,
            "fps": 30.0,
            "rate_hz": rate_hz,
            "flow_method": "farneback",
            "size_px": crops.shape[1],
        },
    )
    write_dataset(path, data, schema=PIXELS_SCHEMA, provenance=Provenance(path.stem))
