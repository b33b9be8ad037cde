"""Export formats by name."""

from __future__ import annotations

from fidgety.pose.exporters.base import TrackExporter
from fidgety.registry import Registry

EXPORTERS: Registry[type[TrackExporter]] = Registry(
    "export format",
    {
        "movement": "fidgety.pose.exporters.movement:MovementFile",
        "deeplabcut": "fidgety.pose.exporters.deeplabcut:DeepLabCutFile",
        "nwb": "fidgety.pose.exporters.nwb:NwbFile",
    },
)
