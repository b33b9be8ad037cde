"""Who else was in view, as a pose's ``details`` say it, whoever found out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def in_view_record(others: ArrayLike, most: int, fps: float) -> dict[str, Any]:
    """Say how often somebody else was in view.

    Parameters
    ----------
    others : array of int, shape (frame,)
        Other persons in each frame.
    most
        Most persons in a frame, the infant included.
    fps
        Frames a second.

    Returns
    -------
    dict
        ``known`` (True), ``max_in_view``, ``share_with_others``, ``frames_with_others`` and
        ``others_by_second``: the share of each second's frames with somebody else.
    """
    there = np.asarray(others) > 0
    # 29.97 frames a second do not end with the second: each frame counts where it begins.
    second = np.floor(np.arange(there.size) / fps + 1e-6).astype(np.intp)
    frames = np.bincount(second)
    shares = np.bincount(second, weights=there) / np.maximum(frames, 1)
    return {
        "known": True,
        "max_in_view": int(most),
        "share_with_others": round(float(there.mean()), 4) if there.size else 0.0,
        "frames_with_others": int(there.sum()),
        "others_by_second": shares.round(2).tolist(),
    }


def nobody_knows() -> dict[str, Any]:
    """Return the same where it cannot be told."""
    return {
        "known": False,
        "max_in_view": None,
        "share_with_others": None,
        "frames_with_others": None,
        "others_by_second": None,
    }
