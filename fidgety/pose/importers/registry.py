"""Track formats by name; the first that claims a file reads it."""

from __future__ import annotations

from fidgety.pose.importers.base import TrackImporter
from fidgety.registry import Registry

IMPORTERS: Registry[type[TrackImporter]] = Registry(
    "track format",
    {
        "movement": "fidgety.pose.importers.movement:MovementImporter",
    },
)

#: All of them decide what an import gives, so all are part of its fingerprint.
IMPORTER_MODULES: tuple[str, ...] = tuple(IMPORTERS.module(name) for name in IMPORTERS)
