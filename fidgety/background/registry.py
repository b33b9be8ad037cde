"""Background methods by name."""

from __future__ import annotations

from fidgety.background.base import BackgroundMethod
from fidgety.registry import Registry

#: A member's module is imported only when it is chosen, so heavy libraries cost nothing else.
BACKGROUNDS: Registry[type[BackgroundMethod]] = Registry(
    "background method",
    {
        "mediapipe": "fidgety.background.mediapipe:MediapipeMask",
        "median": "fidgety.background.median:TemporalMedian",
        "u2net": "fidgety.background.u2net:U2Net",
    },
)
