"""Tracks written as other trackers write them, by their own libraries where they are installed.

Each writer takes the same truth (:class:`Truth`) and gives a file or folder; what a format cannot
hold is in :data:`FORMATS`. They are for tests and for ``benchmarks/importers_on_phantom.py``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fidgety.skeletons import COCO_17, HALPE_26, OPENPOSE_18, OPENPOSE_25, Skeleton

#: OpenPose's own spelling is not in its files; SLEAP and DeepLabCut labs invent theirs.
CENTRE = 0.5


@dataclass(frozen=True)
class Truth:
    """Tracks to write.

    Parameters
    ----------
    position : ndarray of shape (frame, 2, keypoint)
        Pixels, 0 at the outer corner of the first one; NaN is missing.
    confidence : ndarray of shape (frame, keypoint)
        0 where missing, else above 0.
    skeleton
        Of the keypoints.
    fps
        Frames a second.
    """

    position: NDArray[np.float64]
    confidence: NDArray[np.float64]
    skeleton: Skeleton
    fps: float = 25.0

    @property
    def n(self) -> int:
        """Number of frames."""
        return len(self.position)

    def centred(self) -> NDArray[np.float64]:
        """Positions with 0 at the centre of the first pixel."""
        return self.position - CENTRE

    def triples(self, *, centred: bool) -> NDArray[np.float64]:
        """x, y, confidence of shape (frame, keypoint, 3); all 0 where missing."""
        xy = self.centred() if centred else self.position
        values = np.concatenate([xy.transpose(0, 2, 1), self.confidence[..., None]], axis=2)
        values[~np.isfinite(values).all(axis=2)] = 0
        return values


def random_truth(
    skeleton: Skeleton = COCO_17, n: int = 30, seed: int = 0, gaps: float = 0.1
) -> Truth:
    """Make a smooth random body in a picture of 640 x 480 pixels."""
    rng = np.random.default_rng(seed)
    k = len(skeleton.keypoints)
    place = rng.uniform([[200], [120]], [[440], [360]], size=(2, k))
    steps = np.cumsum(rng.normal(scale=1.0, size=(n, 2, k)), axis=0)
    position = place + steps
    confidence = rng.uniform(0.05, 1, size=(n, k))
    missing = rng.uniform(size=(n, k)) < gaps
    position[missing.nonzero()[0], :, missing.nonzero()[1]] = np.nan
    confidence[missing] = 0
    return Truth(position, confidence, skeleton)


def dlc_frame(
    truth: Truth,
    *,
    individuals: dict[str, Truth] | None = None,
    scorer: str = "DLC_resnet50",
    labels: tuple[str, ...] | None = None,
    likelihood: bool = True,
) -> pd.DataFrame:
    """Make the table of DeepLabCut: of one animal, or of several by name."""
    names = labels or truth.skeleton.keypoints
    parts, columns = [], []
    for who, one in (individuals or {"": truth}).items():
        xy = one.centred()
        for k, name in enumerate(names):
            for c, values in (("x", xy[:, 0, k]), ("y", xy[:, 1, k])) + (
                (("likelihood", one.confidence[:, k]),) if likelihood else ()
            ):
                columns.append((scorer, who, name, c) if individuals else (scorer, name, c))
                parts.append(values)
    levels = ["scorer", "individuals", "bodyparts", "coords"]
    if not individuals:
        levels.remove("individuals")
    return pd.DataFrame(
        np.stack(parts, axis=1),
        columns=pd.MultiIndex.from_tuples(columns, names=levels),
        index=range(truth.n),
    )


def write_dlc_csv(truth: Truth, folder: Path, **more: Any) -> Path:
    """DeepLabCut's CSV."""
    path = folder / "tracks_dlc.csv"
    dlc_frame(truth, **more).to_csv(path)
    return path


def write_lightning_csv(truth: Truth, folder: Path) -> Path:
    """Lightning Pose's CSV: DeepLabCut's with another scorer."""
    path = folder / "tracks_lp.csv"
    dlc_frame(truth, scorer="heatmap_tracker").to_csv(path)
    return path


def write_dlc_h5(
    truth: Truth, folder: Path, form: Literal["table", "fixed"] = "table", **more: Any
) -> Path:
    """DeepLabCut's HDF5: appendable (as it writes it) or fixed (as movement does)."""
    path = folder / f"tracks_dlc_{form}.h5"
    path.unlink(missing_ok=True)
    dlc_frame(truth, **more).to_hdf(path, key="df_with_missing", format=form, mode="w")
    return path


def write_dlc_h5_fixed(truth: Truth, folder: Path) -> Path:
    """DeepLabCut's HDF5, fixed."""
    return write_dlc_h5(truth, folder, "fixed")


def sleap_labels(truth: Truth, tracks: dict[str, Truth] | None = None) -> Any:
    """Make SLEAP labels with predicted instances."""
    import sleap_io as sio

    skeleton = sio.Skeleton(nodes=list(truth.skeleton.keypoints))
    video = sio.Video(filename="clip.mp4", open_backend=False)
    frames = []
    named = {name: (sio.Track(name=name), one) for name, one in (tracks or {}).items()}
    for t in range(truth.n):
        instances = [
            sio.PredictedInstance.from_numpy(
                one.centred()[t].T,
                skeleton=skeleton,
                point_scores=one.confidence[t],
                score=1.0,
                track=track,
            )
            for track, one in (named.values() if named else [(None, truth)])
            if np.isfinite(one.position[t]).all(axis=0).any()
        ]
        if instances:
            frames.append(sio.LabeledFrame(video=video, frame_idx=t, instances=instances))
    return sio.Labels(
        labeled_frames=frames,
        videos=[video],
        skeletons=[skeleton],
        tracks=[track for track, _ in named.values()],
    )


def write_slp(truth: Truth, folder: Path, tracks: dict[str, Truth] | None = None) -> Path:
    """SLEAP's labels, by sleap-io."""
    import sleap_io as sio

    path = folder / "tracks.slp"
    sio.save_slp(sleap_labels(truth, tracks), str(path), embed=False, verbose=False)
    return path


def write_sleap_analysis(truth: Truth, folder: Path) -> Path:
    """SLEAP's analysis file, by sleap-io."""
    import sleap_io as sio

    path = folder / "tracks.analysis.h5"
    sio.save_analysis_h5(sleap_labels(truth), str(path), all_frames=True)
    return path


def openpose_files(truth: Truth, others: list[Truth] | None = None) -> dict[str, str]:
    """Name and content of OpenPose's files."""
    out = {}
    values = truth.triples(centred=False)
    for t in range(truth.n):
        people = [values[t]] if values[t].any() else []
        people = [other.triples(centred=False)[t] for other in others or []] + people
        content = {
            "version": 1.3,
            "people": [
                {
                    "person_id": [-1],
                    "pose_keypoints_2d": [round(float(v), 4) for v in p.ravel()],
                    "face_keypoints_2d": [],
                }
                for p in people
                if p.any()
            ],
        }
        out[f"clip7_{t:012d}_keypoints.json"] = json.dumps(content)
    return out


def write_openpose(truth: Truth, folder: Path, others: list[Truth] | None = None) -> Path:
    """OpenPose's folder."""
    path = folder / "openpose"
    path.mkdir()
    for name, text in openpose_files(truth, others).items():
        (path / name).write_text(text)
    return path


def write_openpose_zip(truth: Truth, folder: Path) -> Path:
    """OpenPose's folder in an archive."""
    path = folder / "openpose.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in openpose_files(truth).items():
            archive.writestr(f"json/{name}", text)
    return path


def coco_results(truth: Truth) -> list[dict[str, Any]]:
    """COCO's results: a list, image ids counting frames."""
    values = truth.triples(centred=True)
    return [
        {"image_id": t, "category_id": 1, "keypoints": values[t].ravel().tolist(), "score": 0.9}
        for t in range(truth.n)
        if values[t].any()
    ]


def write_coco_results(truth: Truth, folder: Path) -> Path:
    path = folder / "results.json"
    path.write_text(json.dumps(coco_results(truth)))
    return path


def coco_annotations(truth: Truth) -> dict[str, Any]:
    """COCO's annotations: visibility in place of a confidence."""
    values = truth.triples(centred=True)
    values[..., 2] = 2.0 * (values[..., 2] > 0)
    return {
        "images": [{"id": 100 + t, "file_name": f"img{t:05d}.png"} for t in range(truth.n)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(truth.skeleton.keypoints)}],
        "annotations": [
            {
                "id": t,
                "image_id": 100 + t,
                "category_id": 1,
                "keypoints": values[t].ravel().tolist(),
                "iscrowd": 0,
            }
            for t in range(truth.n)
            if values[t].any()
        ],
    }


def write_coco_annotations(truth: Truth, folder: Path) -> Path:
    """COCO's annotations."""
    path = folder / "annotations.json"
    path.write_text(json.dumps(coco_annotations(truth)))
    return path


def alphapose_people(truth: Truth) -> list[dict[str, Any]]:
    """AlphaPose's list of persons."""
    values = truth.triples(centred=True)
    return [
        {
            "image_id": f"{t}.jpg",
            "category_id": 1,
            "keypoints": values[t].ravel().tolist(),
            "score": 2.7,
            "box": [0.0, 0.0, 1.0, 1.0],
            "idx": [0.0],
        }
        for t in range(truth.n)
        if values[t].any()
    ]


def write_alphapose(truth: Truth, folder: Path) -> Path:
    """AlphaPose's results."""
    path = folder / "alphapose-results.json"
    path.write_text(json.dumps(alphapose_people(truth)))
    return path


def write_movement(truth: Truth, folder: Path) -> Path:
    """A netCDF file by the movement library; its coordinates are taken as they are."""
    from movement.io import load_poses

    dataset = load_poses.from_numpy(
        truth.position[..., None],
        truth.confidence[..., None],
        individual_names=["infant"],
        keypoint_names=list(truth.skeleton.keypoints),
        fps=truth.fps,
        source_software="fidgety",
    )
    path = folder / "tracks.nc"
    dataset.to_netcdf(path, engine="h5netcdf")
    return path


@dataclass(frozen=True)
class Form:
    """A format to write.

    Parameters
    ----------
    importer
        Name of the importer that must claim it.
    write
        Truth and folder to path.
    skeletons
        That it can hold; the first is the usual one.
    lost
        What is not in the file.
    tolerance_px
        Largest error that its numbers allow.
    confidence
        Whether it keeps the confidence.
    """

    importer: str
    write: Callable[[Truth, Path], Path]
    skeletons: tuple[Skeleton, ...]
    lost: str
    tolerance_px: float = 1e-9
    confidence: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


FORMATS: dict[str, Form] = {
    "movement netCDF": Form("movement", write_movement, (COCO_17,), "nothing"),
    "DeepLabCut CSV": Form("deeplabcut_csv", write_dlc_csv, (COCO_17,), "times"),
    "DeepLabCut h5 (table)": Form("deeplabcut_h5", write_dlc_h5, (COCO_17,), "times"),
    "DeepLabCut h5 (fixed)": Form("deeplabcut_h5", write_dlc_h5_fixed, (COCO_17,), "times"),
    "Lightning Pose CSV": Form("deeplabcut_csv", write_lightning_csv, (COCO_17,), "times"),
    "SLEAP .slp": Form("sleap_slp", write_slp, (COCO_17,), "times"),
    "SLEAP analysis h5": Form("sleap_analysis", write_sleap_analysis, (COCO_17,), "times"),
    "OpenPose-25 folder": Form(
        "openpose", write_openpose, (OPENPOSE_25,), "times, 4 decimals", 1e-4
    ),
    "OpenPose-18 zip": Form(
        "openpose", write_openpose_zip, (OPENPOSE_18,), "times, 4 decimals", 1e-4
    ),
    "COCO results": Form("coco", write_coco_results, (COCO_17,), "times"),
    "COCO annotations": Form(
        "coco", write_coco_annotations, (COCO_17,), "times, confidence", confidence=False
    ),
    "AlphaPose": Form("alphapose", write_alphapose, (COCO_17, HALPE_26), "times"),
}
