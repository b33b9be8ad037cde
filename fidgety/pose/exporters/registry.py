"""Export formats by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fidgety.registry import Registry

if TYPE_CHECKING:
    from fidgety.pose.exporters.base import TrackExporter

EXPORTERS: Registry[type[TrackExporter]] = Registry(
    "export format",
    {
        "movement": "fidgety.pose.exporters.movement:MovementFile",
        "deeplabcut": "fidgety.pose.exporters.deeplabcut:DeepLabCutFile",
        "nwb": "fidgety.pose.exporters.nwb:NwbFile",
    },
)
