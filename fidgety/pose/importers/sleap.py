"""SLEAP: labels (.slp) by sleap-io, and analysis files (.h5).

Both are HDF5 with numbers and JSON; nothing is unpickled and no video is opened. What a person
placed in SLEAP has no score and counts as certain; it wins over a prediction in the same frame.

Coordinates are 0 at the centre of the first pixel since SLEAP 1.1; sleap-io shifts older labels
(it does not know the age of analysis files, which carry none).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from numpy.typing import NDArray

from fidgety.pose.importers.assemble import Listing, assemble, individuals_listing
from fidgety.pose.importers.base import TrackImporter
from fidgety.pose.importers.content import (
    HDF5_MAGIC,
    MAX_TABLE_BYTES,
    empty,
    open_hdf5,
    require_frames,
    require_size,
    text_of,
    unreadable,
)
from fidgety.pose.importers.people import Sights
from fidgety.pose.tracks import Pose

#: Order of the axes of ``tracks`` in files that do not say it.
AXES = ("track", "xy", "node", "frame")
#: Names of the pictures in a package of labels, which are not looked at.
PICTURES = "video"


class SleapLabels(TrackImporter):
    """SLEAP's own files."""

    name: ClassVar[str] = "sleap_slp"
    description: ClassVar[str] = "SLEAP labels (.slp)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim HDF5 files with SLEAP's tables, and whatever is called ``.slp``."""
        return path.suffix.lower() == ".slp" or _has(path, head, "instances", "pred_points")

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        require_size(path.stat().st_size, MAX_TABLE_BYTES)
        with open_hdf5(path, unread=PICTURES) as file:
            # Points are bounded by the size of all; each frame and instance costs more by itself.
            for name in ("frames", "instances"):
                require_frames(len(file[name]) if name in file else 0)
        return assemble(
            labels_listing(path),
            self.name,
            fps=self.fps,
            skeletons=self.skeletons,
            names=self.keypoint_names,
        )


class SleapAnalysis(TrackImporter):
    """SLEAP's analysis files."""

    name: ClassVar[str] = "sleap_analysis"
    description: ClassVar[str] = "SLEAP analysis (.h5)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Claim HDF5 files with the tracks and nodes of SLEAP."""
        return _has(path, head, "tracks", "node_names")

    def read(self, path: Path) -> Pose:
        """Read a file; see :meth:`TrackImporter.read`."""
        with open_hdf5(path) as file:
            listing = analysis_listing(file)
        return assemble(
            listing, self.name, fps=self.fps, skeletons=self.skeletons, names=self.keypoint_names
        )


def _has(path: Path, head: bytes, *names: str) -> bool:
    if not head.startswith(HDF5_MAGIC):
        return False
    try:
        with h5py.File(path, "r") as file:
            return all(name in file for name in names)
    except Exception:
        return False


def labels_listing(path: Path) -> Listing:
    """Read SLEAP labels of one video and one skeleton."""
    # Heavy, and needed for this format alone.
    from sleap_io.io.slp import read_labels

    labels = read_labels(str(path), open_videos=False)
    if not labels.skeletons:
        empty("no skeleton")
    videos = {id(frame.video) for frame in labels.labeled_frames}
    if len(videos) > 1:
        unreadable(f"frames of {len(videos)} videos; export the tracks of one")
    skeleton = labels.skeletons[0]
    nodes = tuple(str(name) for name in skeleton.node_names)
    tracks = {id(track): str(i) for i, track in enumerate(labels.tracks)}
    frames: list[int] = []
    persons: list[str | None] = []
    position, confidence = [], []
    n_user = n_other = 0
    for labelled in sorted(labels.labeled_frames, key=lambda frame: int(frame.frame_idx)):
        placed = labelled.user_instances
        taken = {id(instance.track) for instance in placed if instance.track is not None}
        by_hand = [(instance, True) for instance in placed]
        predicted = [
            (instance, False)
            for instance in labelled.predicted_instances
            if (id(instance.track) not in taken if instance.track is not None else not placed)
        ]
        for instance, hand in by_hand + predicted:
            if instance.skeleton is not skeleton:
                n_other += 1
                continue
            points = instance.numpy() if hand else instance.numpy(scores=True)
            n_user += hand
            frames.append(int(labelled.frame_idx))
            persons.append(None if instance.track is None else tracks[id(instance.track)])
            position.append(points[:, :2].T)
            scores = np.ones(len(points)) if hand else points[:, 2]
            confidence.append(np.where(np.isfinite(scores), scores, 0.0))
    if not frames:
        empty(f"no instance in {len(labels.labeled_frames)} frames")
    details: dict[str, Any] = {"placed_by_hand": n_user}
    if n_other:
        details["instances_of_other_skeletons_left_out"] = n_other
    named = all(person is not None for person in persons)
    return Listing(
        Sights(
            np.array(frames, dtype=np.int64),
            np.array(position, dtype=np.float64),
            np.array(confidence, dtype=np.float64),
            [str(person) for person in persons] if named else None,
        ),
        nodes,
        np.unique([int(frame.frame_idx) for frame in labels.labeled_frames]),
        every_frame=False,
        join=True,
        software="SLEAP",
        details=details,
    )


def analysis_listing(file: h5py.File) -> Listing:
    """Read a SLEAP analysis file."""
    labels = [text_of(name) for name in _items(file["node_names"])]
    stored = file["tracks"]
    stated = stored.attrs.get("dims")
    order = tuple(json.loads(text_of(stated))) if stated is not None else AXES
    if sorted(order) != sorted(AXES) or stored.ndim != 4 or stored.dtype.kind not in "iuf":
        unreadable(f"tracks has shape {stored.shape} with axes ({', '.join(map(str, order))})")
    require_frames(stored.shape[order.index("frame")])
    wanted = ("frame", "track", "xy", "node")
    position = _arrange(stored, order, wanted)
    n, n_tracks, n_space, n_nodes = position.shape
    if n_space != 2 or n_nodes != len(labels):
        unreadable(f"{len(labels)} node names for tracks of shape {stored.shape}")
    if n == 0:
        empty("no frame")
    names = [text_of(name) for name in _items(file["track_names"])] if "track_names" in file else []
    individuals = names if len(names) == n_tracks else [str(i) for i in range(n_tracks)]
    confidence = None
    if "point_scores" in file:
        rest = tuple(axis for axis in order if axis != "xy")
        confidence = _arrange(file["point_scores"], rest, ("frame", "track", "node"))
        if confidence.shape != (n, n_tracks, n_nodes):
            unreadable(f"point_scores has shape {file['point_scores'].shape}")
        if not np.isfinite(confidence).any():
            confidence = None
    return individuals_listing(
        position,
        confidence,
        np.arange(n, dtype=np.int64),
        labels,
        individuals,
        # The last frames with nobody in them are not written.
        every_frame=False,
        join=True,
        software="SLEAP",
    )


def _items(dataset: h5py.Dataset) -> list[Any]:
    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "SO" or dataset.ndim != 1:
        return []
    return list(dataset[...].tolist())


def _arrange(
    dataset: h5py.Dataset, order: tuple[str, ...], wanted: tuple[str, ...]
) -> NDArray[np.float64]:
    if dataset.ndim != len(order):
        unreadable(f"{dataset.name} has shape {dataset.shape}")
    values = np.asarray(dataset[...], dtype=np.float64)
    return values.transpose([order.index(axis) for axis in wanted])
