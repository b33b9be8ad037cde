"""Rendering a phantom from above, off screen, and encoding it as a phone would.

The scene is the body on a textured blanket, lit from above, with whatever nuisances the
specification asks for. Masks and depth come from the same geometry, so truth and picture agree
to the pixel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyvista as pv
import scipy.sparse
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray

from fidgety.phantom.body import BodyPose, InfantBody
from fidgety.phantom.camera import CLOCK_HZ, Camera
from fidgety.phantom.plan import Nuisances, PhantomSpec, derive_seed
from fidgety.skeletons import BLAZEPOSE_33
from fidgety.video.write import REPRODUCIBLE_X264

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]

#: Red, green, blue of the skin at full light.
_SKIN = {
    "light": (244, 208, 186),
    "fair": (232, 190, 164),
    "medium": (214, 164, 130),
    "olive": (190, 142, 104),
    "brown": (148, 100, 70),
    "dark": (104, 70, 52),
}
_HAIR = {
    "light": (196, 156, 104),
    "fair": (150, 108, 70),
    "medium": (96, 66, 46),
    "olive": (64, 46, 36),
    "brown": (44, 34, 30),
    "dark": (32, 26, 24),
}
_FABRICS = (
    ((236, 236, 232), (206, 220, 236)),
    ((120, 164, 196), (228, 232, 230)),
    ((232, 206, 140), (196, 160, 110)),
    ((150, 186, 148), (220, 226, 206)),
    ((222, 170, 178), (244, 224, 226)),
    ((92, 104, 128), (170, 178, 190)),
)
#: Bones whose vertices a garment covers, by prefix of their names.
_GARMENTS = {
    "nappy": ("root", "pelvis", "upperleg01", "spine05", "spine04"),
    "bodysuit": ("root", "pelvis", "upperleg01", "spine", "clavicle", "shoulder01", "upperarm01"),
    "sleepsuit": (
        "root",
        "pelvis",
        "upperleg",
        "lowerleg",
        "foot",
        "toe",
        "spine",
        "clavicle",
        "shoulder01",
        "upperarm",
        "lowerarm",
    ),
}
#: Joints lie this deep inside the body; surface points lie on it. A keypoint is hidden where
#: the depth in front of it is nearer than this, in metres.
_DEPTH_TOLERANCE_M = {
    "shoulder": 0.055,
    "elbow": 0.035,
    "wrist": 0.03,
    "hip": 0.075,
    "knee": 0.04,
    "ankle": 0.035,
}
_SURFACE_TOLERANCE_M = 0.02
#: How far the picture can be seen around the body, in metres.
_BLANKET_M = 2.4
#: Bodies that are skinned together.
_BATCH = 25
#: Every lens blurs a little; it also softens the edges of the rendered body.
_LENS_BLUR_PX = 0.45


def depth_tolerance() -> Array:
    """Return how far behind the visible surface each keypoint may lie and count as seen."""
    return np.array(
        [
            _DEPTH_TOLERANCE_M.get(name.rpartition("_")[2], _SURFACE_TOLERANCE_M)
            for name in BLAZEPOSE_33.keypoints
        ]
    )


def _normal_operator(faces: NDArray[np.intp], n_vertices: int) -> scipy.sparse.csr_matrix:
    """Return the matrix that sums the faces' normals at their vertices."""
    rows = faces.ravel()
    columns = np.repeat(np.arange(len(faces)), 3)
    return scipy.sparse.csr_matrix(
        (np.ones(len(rows)), (rows, columns)), shape=(n_vertices, len(faces))
    )


def _normals(vertices: Array, faces: NDArray[np.intp], operator: Any) -> Array:
    """Return unit vertex normals."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = operator @ across
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12))


def blanket_texture(kind: str, rng: np.random.Generator, side: int = 1024) -> Picture:
    """Draw a blanket as an RGB picture of ``side`` x ``side`` pixels."""
    ground, mark = (np.array(c, dtype=np.float64) for c in _FABRICS[rng.integers(len(_FABRICS))])
    if rng.random() < 0.5:
        ground, mark = mark, ground
    y, x = np.mgrid[0:side, 0:side] / side
    period = float(rng.uniform(0.025, 0.06))
    if kind == "checks":
        weight = 0.5 * (np.floor(x / period) % 2) + 0.5 * (np.floor(y / period) % 2)
    elif kind == "stripes":
        weight = np.floor((x + 0.3 * y) / period) % 2
    elif kind == "dots":
        fx, fy = (x / period) % 1 - 0.5, (y / period) % 1 - 0.5
        weight = (np.hypot(fx, fy) < 0.27).astype(np.float64)
    elif kind == "patches":
        coarse = rng.random((24, 24)).astype(np.float32)
        weight = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    else:
        weight = np.zeros((side, side))
    picture = ground + (mark - ground) * weight[..., None]
    # Folds and weave: a smooth shade and a fine grain.
    folds = cv2.resize(
        rng.standard_normal((14, 14)).astype(np.float32),
        (side, side),
        interpolation=cv2.INTER_CUBIC,
    )
    grain = rng.standard_normal((side, side))
    picture *= (1 + 0.035 * folds + 0.03 * grain)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


def body_colours(body: InfantBody, nuisances: Nuisances, rng: np.random.Generator) -> Picture:
    """Return the colour (red, green, blue) of every vertex: skin, hair, eyes, lips, clothes."""
    labels = np.array(body.bone_labels)[body.vertex_bone]
    points = body.rest_vertices / body.shape.scale
    colours = np.tile(np.array(_SKIN[nuisances.skin], dtype=np.float64), (len(points), 1))
    colours *= 1 + 0.015 * rng.standard_normal((len(points), 1))
    reference = body.reference_keypoints()
    names = BLAZEPOSE_33.keypoints
    eyes = (reference[names.index("left_eye")] + reference[names.index("right_eye")]) / 2
    mouth = (reference[names.index("mouth_left")] + reference[names.index("mouth_right")]) / 2
    head = np.char.startswith(labels, "head")
    # Hair: the top and the back of the head, behind a line from the brow to the nape.
    crown = points[:, 2] - eyes[2] - 0.035
    behind = points[:, 1] - eyes[1] - 0.028
    scalp = head & (0.55 * crown + behind > 0.03) & (crown > -0.05)
    colours[scalp] = 0.5 * np.array(_HAIR[nuisances.skin]) + 0.5 * colours[scalp]
    lips = (
        head
        & (np.abs(points[:, 0] - mouth[0]) < 0.014)
        & (np.abs(points[:, 2] - mouth[2] + 0.001) < 0.006)
        & (points[:, 1] < mouth[1] + 0.006)
    )
    colours[lips] *= np.array([0.94, 0.76, 0.76])
    for side in ("left", "right"):
        eye = reference[names.index(f"{side}_eye")]
        ball = labels == ("eye.L" if side == "left" else "eye.R")
        colours[ball] = (236, 232, 228)
        iris = ball & (np.hypot(points[:, 0] - eye[0], points[:, 2] - eye[2]) < 0.0055)
        colours[iris] = (52, 44, 46)
        brow = (
            head
            & (np.abs(points[:, 0] - eye[0]) < 0.011)
            & (np.abs(points[:, 2] - eye[2] - 0.0125) < 0.003)
            & (points[:, 1] < eye[1] + 0.012)
        )
        colours[brow] = 0.5 * np.array(_HAIR[nuisances.skin]) + 0.5 * colours[brow]
    garment = np.zeros(len(points), dtype=bool)
    for prefix in _GARMENTS[nuisances.clothing]:
        garment |= np.char.startswith(labels, prefix)
    cloth = np.array(_FABRICS[rng.integers(len(_FABRICS))][rng.integers(2)], dtype=np.float64)
    if nuisances.clothing == "nappy":
        cloth = np.array([244.0, 244.0, 242.0])
    colours[garment] = cloth * (1 + 0.02 * rng.standard_normal((int(garment.sum()), 1)))
    return np.clip(colours, 0, 255).astype(np.uint8)


def _light_up(plotter: Any, nuisances: Nuisances) -> None:
    """Add the lights; directions are in body axes (the camera side is -y)."""
    plotter.remove_all_lights()
    tint = {"warm": (1.0, 0.9, 0.74), "cold": (0.84, 0.93, 1.0)}.get(
        nuisances.lighting, (1.0, 1.0, 1.0)
    )
    strength = 0.9
    if nuisances.lighting == "side":
        sources = (((1.5, -1.0, 0.5), 0.75), ((-0.4, -2.0, 0.2), 0.35))
    else:
        sources = (((0.5, -2.0, 0.8), 0.6), ((-0.8, -1.6, -0.4), 0.45))
    for position, share in sources:
        plotter.add_light(
            pv.Light(
                position=position, color=tint, intensity=strength * share, light_type="scenelight"
            )
        )


def _helping_hand() -> Any:
    """Return a simple adult hand and forearm pointing along +x, the wrist at the origin."""
    palm = pv.ParametricEllipsoid(0.05, 0.016, 0.042)
    parts = [palm.translate((0.03, 0, 0), inplace=False)]
    for i, (z, length) in enumerate(
        ((-0.03, 0.06), (-0.01, 0.075), (0.012, 0.072), (0.033, 0.055))
    ):
        finger = pv.Capsule(
            center=(0.07 + length / 2, 0.004 * (i % 2), z),
            direction=(1, 0, 0.12 * (i - 1.5)),
            radius=0.0095,
            cylinder_length=length,
        )
        parts.append(finger)
    parts.append(
        pv.Capsule(
            center=(0.03, 0, -0.055), direction=(1, 0, -0.7), radius=0.011, cylinder_length=0.05
        )
    )
    parts.append(pv.Cylinder(center=(-0.17, 0, 0), direction=(1, 0, 0), radius=0.032, height=0.34))
    return pv.merge([part.triangulate() for part in parts])


def _cloth(centre: Array, rng: np.random.Generator) -> Any:
    """Return a crumpled cloth of 16 cm at a place, facing the camera."""
    plane = pv.Plane(
        center=tuple(centre),
        direction=(0, -1, 0),
        i_size=0.16,
        j_size=0.12,
        i_resolution=24,
        j_resolution=24,
    ).triangulate()
    bumps = cv2.resize(rng.standard_normal((6, 6)).astype(np.float32), (25, 25)).ravel()
    points = np.array(plane.points)
    points[:, 1] += 0.008 * bumps
    plane.points = points
    return plane


@dataclass(frozen=True)
class Shot:
    """One rendered frame.

    Parameters
    ----------
    picture : ndarray of shape (height, width, 3)
        The displayed picture, red, green, blue.
    mask : ndarray of shape (height, width) or None
        255 where the body is seen.
    z_buffer : ndarray of shape (height, width)
        Rows from the bottom up, as the renderer keeps it.
    clipping : tuple of float
        Nearest and farthest distance that is rendered, in metres.
    """

    picture: Picture
    mask: Picture | None
    z_buffer: NDArray[np.float32]
    clipping: tuple[float, float]

    def depth_at(self, pixels: NDArray[np.intp]) -> Array:
        """Return how far away what is seen at some pixels (2, point) is, in metres."""
        near, far = self.clipping
        z = self.z_buffer[len(self.z_buffer) - 1 - pixels[1], pixels[0]].astype(np.float64)
        return np.asarray(near * far / (far - z * (far - near)))


class Scene:
    """A phantom's scene, rendered frame by frame.

    Parameters
    ----------
    spec
        The phantom.
    pose
        Its bones in every frame.
    camera
        Where the camera is in every frame.
    """

    def __init__(self, spec: PhantomSpec, pose: BodyPose, camera: Camera) -> None:
        self.spec, self.camera = spec, camera
        self._pose = pose
        self._body = pose.body
        self._rng = np.random.default_rng(derive_seed(spec.seed, "picture"))
        person = np.random.default_rng(derive_seed(spec.body_seed, "clothes"))
        faces = self._body.faces
        self._operator = _normal_operator(faces, len(self._body.rest_vertices))
        cells = np.c_[np.full(len(faces), 3), faces].ravel()
        self._mesh = pv.PolyData(np.array(pose.vertices(slice(0, 1))[0]), cells)
        self._mesh.point_data["Normals"] = np.zeros((self._mesh.n_points, 3))
        self._mesh.point_data.active_normals_name = "Normals"
        self._mesh.point_data["colour"] = body_colours(self._body, spec.nuisances, person)
        # The blanket lies under the lowest point that is ever reached, but not far below
        # the back: what goes deeper sinks into it.
        sample = pose.vertices(slice(None, None, max(1, len(pose.bones) // 20)))
        self._floor = float(min(sample[..., 1].max(), np.median(sample[..., 1].max(axis=1)) + 0.02))
        self._extras: list[Any] = []
        self._plotter = self._picture_plotter()
        self._mask_plotter = self._silhouette_plotter()
        near, far = 0.4, 3.0
        for plotter in (self._plotter, self._mask_plotter):
            plotter.camera.clipping_range = (near, far)
            plotter.show(auto_close=False)  # opens the window; nothing is shown off screen
        self._range = (near, far)

    def _blanket(self) -> Any:
        plane = pv.Plane(
            center=(0, self._floor, 0), direction=(0, -1, 0), i_size=_BLANKET_M, j_size=_BLANKET_M
        )
        return plane

    def _new_plotter(self) -> Any:
        plotter = pv.Plotter(off_screen=True, window_size=list(self.spec.size), lighting="none")
        # Three times as fast without; the lens's blur softens the edges.
        plotter.disable_anti_aliasing()
        plotter.camera.view_angle = float(
            np.rad2deg(2 * np.arctan(self.spec.size[1] / 2 / self.camera.focal_px))
        )
        return plotter

    def _picture_plotter(self) -> Any:
        nuisances = self.spec.nuisances
        plotter = self._new_plotter()
        plotter.set_background((60, 58, 56))
        plotter.add_mesh(
            self._blanket(),
            texture=pv.numpy_to_texture(blanket_texture(nuisances.blanket, self._rng)),
            ambient=0.35,
            diffuse=0.65,
            specular=0.0,
        )
        plotter.add_mesh(
            self._mesh,
            scalars="colour",
            rgb=True,
            ambient=0.3,
            diffuse=0.75,
            specular=0.06,
            specular_power=12,
            smooth_shading=False,
            show_scalar_bar=False,
        )
        actor = plotter.actors[list(plotter.actors)[-1]]
        actor.prop.interpolation = "Phong"
        if nuisances.hand_in_view:
            hand = _helping_hand()
            self._hand = plotter.add_mesh(
                hand, color=(206, 160, 130), ambient=0.3, diffuse=0.75, smooth_shading=True
            )
            self._extras.append(("hand", hand))
        if nuisances.occlusion:
            knees = self._pose.keypoints()[:, :, BLAZEPOSE_33.index("left_knee")]
            ankles = self._pose.keypoints()[:, :, BLAZEPOSE_33.index("left_ankle")]
            centre = (knees.mean(axis=0) + ankles.mean(axis=0)) / 2
            centre[1] = min(float(np.minimum(knees[:, 1], ankles[:, 1]).min()) - 0.05, centre[1])
            cloth = _cloth(centre, self._rng)
            plotter.add_mesh(cloth, color=(186, 120, 96), ambient=0.35, diffuse=0.7)
            self._extras.append(("cloth", cloth))
        _light_up(plotter, nuisances)
        return plotter

    def _silhouette_plotter(self) -> Any:
        plotter = self._new_plotter()
        plotter.set_background("black")
        plotter.add_mesh(self._mesh, color="white", lighting=False)
        plotter.add_mesh(self._blanket(), color="black", lighting=False)
        for name, mesh in self._extras:
            actor = plotter.add_mesh(mesh, color="black", lighting=False)
            if name == "hand":
                self._hand_shadow = actor
        return plotter

    def _aim(self, plotter: Any, frame: int) -> None:
        axes, position = self.camera.rotation[frame], self.camera.position[frame]
        plotter.camera.position = tuple(position)
        plotter.camera.focal_point = tuple(position + axes[2])
        plotter.camera.up = tuple(-axes[1])
        plotter.camera.clipping_range = self._range

    def _place_hand(self, frame: int) -> None:
        """Move the hand: it comes into the picture's edge and goes again, over ten seconds."""
        share = frame / self.spec.fps % 10 / 10
        reach = 0.42 * np.sin(np.pi * share) ** 2
        matrix = np.eye(4)
        matrix[:3, 3] = (-0.84 + reach, self._floor - 0.06, 0.18)
        self._hand.user_matrix = matrix
        self._hand_shadow.user_matrix = matrix

    def _move(self, vertices: Array) -> None:
        self._mesh.points = vertices
        self._mesh.point_data["Normals"] = _normals(vertices, self._body.faces, self._operator)

    def frames(self, mask_every: int) -> Iterator[Shot]:
        """Render all frames, a mask with every ``mask_every``-th of them."""
        n = len(self._pose.bones)
        for first in range(0, n, _BATCH):
            batch = self._pose.vertices(slice(first, min(first + _BATCH, n)))
            for frame, vertices in enumerate(batch, start=first):
                self._move(vertices)
                if self.spec.nuisances.hand_in_view:
                    self._place_hand(frame)
                self._aim(self._plotter, frame)
                self._plotter.render()
                picture = np.asarray(self._plotter.image)[..., :3]
                mask = None
                if frame % mask_every == 0:
                    self._aim(self._mask_plotter, frame)
                    self._mask_plotter.render()
                    white = np.asarray(self._mask_plotter.image)[..., 0]
                    mask = np.where(white > 127, 255, 0).astype(np.uint8)
                yield Shot(self._spoil(picture, frame), mask, self._z_buffer(), self._range)

    def _z_buffer(self) -> NDArray[np.float32]:
        width, height = self.spec.size
        buffer = vtkFloatArray()
        self._plotter.render_window.GetZbufferData(0, 0, width - 1, height - 1, buffer)
        return np.asarray(vtk_to_numpy(buffer)).reshape(height, width)

    def _spoil(self, picture: Picture, frame: int) -> Picture:
        """Apply blur, low light and the sensor's noise."""
        nuisances = self.spec.nuisances
        rng = np.random.default_rng([self.spec.seed, frame])
        width = float(np.hypot(_LENS_BLUR_PX, nuisances.blur_px))
        out = cv2.GaussianBlur(picture, (0, 0), width).astype(np.float32)
        gain, noise = (0.38, 7.0) if nuisances.low_light else (1.0, 1.5)
        out = gain * out + noise * rng.standard_normal(out.shape[:2], dtype=np.float32)[..., None]
        return np.clip(out, 0, 255).astype(np.uint8)

    def close(self) -> None:
        """Free the windows."""
        self._plotter.close()
        self._mask_plotter.close()


def _tkhd_matrix(rotation_deg: int) -> bytes:
    """Return the display matrix of a track header (ISO 14496-12, 8.3.2), without translation.

    ``rotation_deg`` is counter-clockwise, as PyAV reports it.
    """
    a, b = {0: (1, 0), 90: (0, -1), 180: (-1, 0), 270: (0, 1)}[rotation_deg]
    numbers = (a << 16, b << 16, 0, -b << 16, a << 16, 0, 0, 0, 1 << 30)
    return b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)


def set_rotation_flag(path: str | os.PathLike[str], rotation_deg: int) -> None:
    """Write the rotation that players shall apply into an MP4 file's track headers.

    Raises
    ------
    ValueError
        If the file has no track header.
    """
    data = bytearray(Path(path).read_bytes())
    at = data.find(b"tkhd")
    if at < 0:
        raise ValueError(f"{path}: no track header")
    while at >= 0:
        # After the type: version and flags (4), five 32-bit fields (version 0) or three of
        # them 64 bits long (version 1), two reserved words, layer, group, volume, reserved.
        start = at + 4 + 4 + (32 if data[at + 4] == 1 else 20) + 8 + 8
        data[start : start + 36] = _tkhd_matrix(rotation_deg)
        at = data.find(b"tkhd", at + 4)
    Path(path).write_bytes(bytes(data))


class PhoneEncoder:
    """Writes pictures as an H.264 MP4 with B-frames, time stamps and a rotation flag.

    Parameters
    ----------
    path
        File to write.
    spec
        The phantom: frame rate, picture size, rotation flag.
    """

    def __init__(self, path: str | os.PathLike[str], spec: PhantomSpec) -> None:
        self._path, self._rotation = path, spec.nuisances.rotation_flag_deg
        self._container = av.open(
            str(path), "w", format="mp4", options={"fflags": "+bitexact", "movflags": "+faststart"}
        )
        rate = Fraction(spec.fps).limit_denominator(1001)
        stream: Any = self._container.add_stream("libx264", rate=rate)
        width, height = spec.size
        if self._rotation % 180:
            width, height = height, width
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, CLOCK_HZ)
        stream.codec_context.time_base = Fraction(1, CLOCK_HZ)
        stream.codec_context.thread_count = 1
        stream.options = {
            "crf": "20",
            "preset": "veryfast",
            "bf": "2",
            "g": "60",
            **REPRODUCIBLE_X264,
        }
        self._stream = stream

    def write(self, picture: Picture, time_s: float) -> None:
        """Append a displayed picture (height, width, 3)."""
        stored = np.ascontiguousarray(np.rot90(picture, -self._rotation // 90))
        frame: Any = av.VideoFrame.from_ndarray(stored, format="rgb24")
        frame.pts = round(time_s * CLOCK_HZ)
        frame.time_base = Fraction(1, CLOCK_HZ)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode())
        self._container.close()
        if self._rotation:
            set_rotation_flag(self._path, self._rotation)
