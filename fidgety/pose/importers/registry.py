"""Track formats by name; the first that claims a file reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fidgety.registry import Registry

if TYPE_CHECKING:
    from fidgety.pose.importers.base import TrackImporter

IMPORTERS: Registry[type[TrackImporter]] = Registry(
    "track format",
    {
        "openpose": "fidgety.pose.importers.openpose:OpenPoseFolder",
        "sleap_slp": "fidgety.pose.importers.sleap:SleapLabels",
        "sleap_analysis": "fidgety.pose.importers.sleap:SleapAnalysis",
        "deeplabcut_h5": "fidgety.pose.importers.deeplabcut:DeepLabCutStore",
        # Any other HDF5 file, ours among them.
        "movement": "fidgety.pose.importers.movement:MovementImporter",
        "alphapose": "fidgety.pose.importers.coco:AlphaPoseResults",
        "coco": "fidgety.pose.importers.coco:CocoKeypoints",
        "deeplabcut_csv": "fidgety.pose.importers.deeplabcut:DeepLabCutTable",
    },
)

#: All of them decide what an import gives, so all are part of its fingerprint.
IMPORTER_MODULES: tuple[str, ...] = tuple(
    dict.fromkeys(IMPORTERS.module(name) for name in IMPORTERS)
)
