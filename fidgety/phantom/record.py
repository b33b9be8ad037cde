"""Making a phantom recording and its truth.

Truth file (schema ``phantom-truth/1``), a netCDF-4 file:

==================  ==========================  ==================================================
variable            dimensions                  content
==================  ==========================  ==================================================
time                time                        seconds, the frames' time stamps, the first at 0
keypoint            keypoint                    BlazePose-33 names
position            time, space, keypoint       pixels of the displayed picture, x right, y down
position_3d         time, space_3d, keypoint    metres in camera axes: x right, y down, z away
joint               joint                       Human3.6M-17 names
position_h36m       time, space_3d, joint       metres in camera axes
visible             time, keypoint              1: inside the picture and not hidden (depth test
                                                against body, cloth and hand; for tracks, which
                                                have no picture: inside the picture)
fm_envelope         time                        how far fidgety movements are on, 0 to 1
interval_start_s    interval                    see :func:`fidgety.phantom.plan.fm_intervals`
interval_end_s      interval
interval_movement   interval                    ``fidgety`` or ``other``
mask_frame          mask_frame                  frames (indices into time) that have a mask
mask                mask_frame, height, width   255 where the body is seen (videos alone)
==================  ==========================  ==================================================

Attributes: ``spec`` (JSON of the :class:`~fidgety.phantom.plan.PhantomSpec`: characteristics,
label and nuisances among it), ``fps``, ``camera_matrix`` (JSON, 3 x 3), ``size_px`` (JSON, width
and height of the displayed picture).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from fidgety.files import atomic_path, dumps
from fidgety.phantom.body import BodyPose, load_body, shape_of
from fidgety.phantom.camera import Camera, frame_times, place_camera, project
from fidgety.phantom.movement import fm_envelope, generate
from fidgety.phantom.plan import PhantomSpec, fm_intervals
from fidgety.progress import track
from fidgety.skeletons import BLAZEPOSE_33, HUMAN36M_17, convert
from fidgety.storage import Provenance, read_dataset, write_dataset

Array = NDArray[np.float64]

TRUTH_SCHEMA = "phantom-truth/1"
MASKS_PER_S = 5.0


@dataclass(frozen=True)
class Simulation:
    """A phantom's movement as a camera sees it, without a picture.

    Parameters
    ----------
    spec
        The phantom.
    time_s : ndarray of shape (frame,)
        Time stamps, the first at 0.
    pose
        Bones of the body.
    camera
        Place of the camera.
    keypoints_m : ndarray of shape (frame, 3, keypoint)
        BlazePose-33 in camera axes, metres.
    keypoints_px : ndarray of shape (frame, 2, keypoint)
        The same in pixels of the displayed picture.
    """

    spec: PhantomSpec
    time_s: Array
    pose: BodyPose
    camera: Camera
    keypoints_m: Array
    keypoints_px: Array

    @property
    def in_picture(self) -> NDArray[np.bool_]:
        """Whether each keypoint is inside the picture, of shape (frame, keypoint)."""
        width, height = self.spec.size
        x, y = self.keypoints_px[:, 0], self.keypoints_px[:, 1]
        return np.asarray((x >= 0) & (x < width) & (y >= 0) & (y < height))


def simulate(spec: PhantomSpec) -> Simulation:
    """Move a phantom and look at it: forward kinematics and projection, no mesh, no picture."""
    time_s = frame_times(spec)
    body = load_body(shape_of(spec))
    pose = body.pose(generate(spec, time_s, body.arm_axis, body.elbow_axis))
    points = pose.keypoints()
    # The camera is set up once, above the middle of where the body is in the first frame.
    camera = place_camera(spec, time_s, (points[0].min(axis=1) + points[0].max(axis=1)) / 2)
    seen = camera.to_camera(points)
    return Simulation(spec, time_s, pose, camera, seen, project(seen, camera.matrix))


def truth_dataset(
    simulation: Simulation,
    visible: NDArray[np.bool_],
    masks: NDArray[np.uint8] | None = None,
    mask_frames: NDArray[np.intp] | None = None,
) -> xr.Dataset:
    """Lay out the truth about a recording (the module's docstring has the table)."""
    spec = simulation.spec
    intervals = fm_intervals(spec)
    h36m = convert(simulation.keypoints_m, BLAZEPOSE_33.keypoints, HUMAN36M_17)
    variables: dict[str, object] = {
        "position": (("time", "space", "keypoint"), simulation.keypoints_px),
        "position_3d": (("time", "space_3d", "keypoint"), simulation.keypoints_m),
        "position_h36m": (("time", "space_3d", "joint"), h36m),
        "visible": (("time", "keypoint"), visible.astype(np.uint8)),
        "fm_envelope": ("time", fm_envelope(spec, simulation.time_s)),
        "interval_start_s": ("interval", np.array([i[0] for i in intervals])),
        "interval_end_s": ("interval", np.array([i[1] for i in intervals])),
        "interval_movement": ("interval", np.array([i[2] for i in intervals], dtype=object)),
    }
    coords: dict[str, object] = {
        "time": ("time", simulation.time_s),
        "space": ("space", ["x", "y"]),
        "space_3d": ("space_3d", ["x", "y", "z"]),
        "keypoint": ("keypoint", list(BLAZEPOSE_33.keypoints)),
        "joint": ("joint", list(HUMAN36M_17.keypoints)),
    }
    if masks is not None and mask_frames is not None:
        variables["mask"] = (("mask_frame", "height", "width"), masks)
        coords["mask_frame"] = ("mask_frame", mask_frames.astype(np.int64))
    return xr.Dataset(
        variables,
        coords=coords,
        attrs={
            "spec": dumps(spec.to_dict()),
            "fps": float(spec.fps),
            "camera_matrix": dumps(simulation.camera.matrix),
            "size_px": dumps(spec.size),
        },
    )


def record_video(
    spec: PhantomSpec,
    video: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    provenance: Provenance,
) -> None:
    """Render a phantom, encode it as a phone would, and write its truth.

    Parameters
    ----------
    spec
        The phantom.
    video, truth
        Files to write: MP4 and ``phantom-truth/1``.
    provenance
        What makes them.
    """
    from fidgety.phantom.render import PhoneEncoder, Scene, depth_tolerance

    simulation = simulate(spec)
    every = max(1, round(spec.fps / MASKS_PER_S))
    n = len(simulation.time_s)
    visible = simulation.in_picture.copy()
    tolerance = depth_tolerance()
    masks: list[NDArray[np.uint8]] = []
    scene = Scene(spec, simulation.pose, simulation.camera)
    try:
        with atomic_path(video) as temporary:
            encoder = PhoneEncoder(temporary, spec)
            shots = track(scene.frames(every), f"render {spec.recording}", total=n)
            for frame, shot in enumerate(shots):
                encoder.write(shot.picture, float(simulation.time_s[frame]))
                if shot.mask is not None:
                    masks.append(shot.mask)
                seen = np.flatnonzero(visible[frame])
                pixels = simulation.keypoints_px[frame][:, seen].astype(np.intp)
                nearest = shot.depth_at(pixels)
                depth = simulation.keypoints_m[frame, 2, seen]
                visible[frame, seen] = nearest >= depth - tolerance[seen]
            encoder.close()
    finally:
        scene.close()
    dataset = truth_dataset(simulation, visible, np.stack(masks), np.arange(0, n, every))
    write_dataset(truth, dataset, schema=TRUTH_SCHEMA, provenance=provenance)


def record_track(
    spec: PhantomSpec,
    track_file: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    provenance: Provenance,
) -> None:
    """Write a phantom's track, the known skeleton with measured noise, and its truth.

    Parameters
    ----------
    spec
        The phantom.
    track_file, truth
        Files to write: a movement-style pose file and ``phantom-truth/1``.
    provenance
        What makes them.
    """
    from fidgety.phantom.noise import noisy_pose
    from fidgety.pose.tracks import write_pose

    simulation = simulate(spec)
    write_pose(track_file, noisy_pose(simulation), provenance)
    dataset = truth_dataset(simulation, simulation.in_picture)
    write_dataset(truth, dataset, schema=TRUTH_SCHEMA, provenance=provenance)


def read_truth(path: str | os.PathLike[str]) -> tuple[PhantomSpec, xr.Dataset]:
    """Read a truth file: the phantom's specification and its truth.

    Raises
    ------
    StorageError
        If it is not such a file.
    """
    dataset = read_dataset(path, schema=TRUTH_SCHEMA)
    return PhantomSpec.from_dict(json.loads(str(dataset.attrs["spec"]))), dataset
