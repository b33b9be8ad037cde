"""DeepLabCut's CSV, by the movement library.

It holds positions and likelihoods (no likelihood in 3D), in rows of frames; times, 3D beside 2D,
and which values are imputed stay behind. Coordinates have 0 at the centre of the first pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from fidgety.pose.exporters.base import TrackExporter, movement_dataset
from fidgety.pose.tracks import INDIVIDUAL, Pose
from fidgety.storage import Provenance

SCORER = "fidgety"


class DeepLabCutFile(TrackExporter):
    """A table of one animal, with a header of three rows."""

    name: ClassVar[str] = "deeplabcut"
    file_name: ClassVar[str] = "pose.csv"
    libraries: ClassVar[tuple[str, ...]] = ("movement", "pandas")

    def write(self, pose: Pose, path: Path, provenance: Provenance) -> None:
        """Write a file; see :meth:`TrackExporter.write`."""
        from movement.io import save_poses

        dataset = movement_dataset(pose, shift=-0.5)
        table = save_poses.to_dlc_style_df(dataset, split_individuals=True)[INDIVIDUAL]
        table.columns = table.columns.set_levels([SCORER], level="scorer")
        # As many digits as bring every value back.
        table.to_csv(path, lineterminator="\n")
