"""The phantoms' body: an infant of ``anny`` (Apache-2.0 code, CC0 body data).

Axes of the body, in metres: x to the infant's left, y from front to back, z to the head; the
infant faces -y, so a camera above a supine infant looks along +y.

Keypoints are points that move rigidly with one bone each: joints are heads of bones, points of
the face are those of anny's own COCO regressor on the surface, fingers and toes are knuckles
(BlazePose's definition). So bone lengths are constant but for spine, neck and shoulders, and a
track needs forward kinematics alone, no mesh.

Loading anny takes half a minute on a machine that never did, a few seconds afterwards (it keeps
a cache of its own); :func:`load_body` does it once a process.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidgety.locks import hold_one
from fidgety.phantom.movement import Movement
from fidgety.phantom.plan import PhantomSpec, derive_seed
from fidgety.skeletons import BLAZEPOSE_33

Array = NDArray[np.float64]

#: Which bones carry a part's rotation, and how large a share of it each.
_BONES: dict[str, tuple[tuple[str, float], ...]] = {
    "neck": (("neck01", 0.35), ("neck03", 0.25), ("head", 0.4)),
    "trunk": (("spine05", 0.3), ("spine03", 0.4), ("spine01", 0.3)),
    "shoulder": (("upperarm01", 1.0),),
    "elbow": (("lowerarm01", 1.0),),
    "wrist": (("wrist", 1.0),),
    "hip": (("upperleg01", 1.0),),
    "knee": (("lowerleg01", 1.0),),
    "ankle": (("foot", 1.0),),
}
#: Keypoints that are heads of bones.
_JOINTS = {
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
    "pinky": "finger5-1",
    "index": "finger2-1",
    "thumb": "finger1-2",
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
}
#: Keypoints on the surface: name of anny's COCO regressor and the bone that carries them.
_SURFACE = {
    "ear": ("ear", "head"),
    "heel": ("heel", "foot"),
    "foot_index": ("big_toe", "foot"),
}
#: Fingers half closed, as infants hold them: degrees of bending a phalanx.
_FIST_DEG = 28.0


@dataclass(frozen=True)
class Shape:
    """An infant's body.

    Parameters
    ----------
    scale
        Size relative to anny's youngest body (0.67 m from head to toes).
    weight, proportions, muscle
        anny's phenotype values between 0 and 1.
    """

    scale: float = 1.0
    weight: float = 0.5
    proportions: float = 0.5
    muscle: float = 0.5


def shape_of(spec: PhantomSpec) -> Shape:
    """Draw the body of a phantom's infant: larger with age and birth weight, never with class."""
    rng = np.random.default_rng(derive_seed(spec.body_seed, "shape"))
    # About 59 cm at 9 weeks to 64 cm at 19 weeks (WHO growth standards), head to heel; anny's
    # 0.67 m includes pointed toes.
    scale = 0.93 + 0.008 * (spec.corrected_age_weeks - 9) + 0.02 * float(rng.standard_normal())
    heavy = (spec.birth_weight_g - 2700) / 4000
    return Shape(
        scale=round(float(np.clip(scale, 0.85, 1.1)), 4),
        weight=round(float(np.clip(0.6 + heavy + 0.1 * rng.standard_normal(), 0.35, 0.95)), 4),
        proportions=round(float(rng.uniform(0.35, 0.65)), 4),
        muscle=round(float(rng.uniform(0.35, 0.65)), 4),
    )


@contextlib.contextmanager
def _one_fills_the_cache() -> Iterator[None]:
    """Let jobs that start together wait for the first one to fill anny's cache."""
    folder = os.environ.get("ANNY_CACHE_DIR")
    # A cache that cannot be written is shared and full.
    if not folder or (os.path.isdir(folder) and not os.access(folder, os.W_OK)):
        yield
        return
    with hold_one([Path(folder, ".lock")], "waits for another job to load the body model"):
        yield


@functools.cache
def _load_anny() -> tuple[Any, Any, NDArray[np.intp]]:
    import anny
    import torch

    with torch.no_grad(), _one_fills_the_cache():
        model = anny.Anny(skinning_method="lbs")
        faces = np.asarray(model.get_triangular_faces()).astype(np.intp)
        regressor = anny.KeypointsRegressor.coco(model)
    for module in (model, regressor):
        if isinstance(module, torch.nn.Module):
            module.requires_grad_(False)
    return model, regressor, faces


class InfantBody:
    """One infant's body: skeleton, surface and keypoints in any pose.

    Parameters
    ----------
    shape
        The infant.

    Attributes
    ----------
    bone_labels : list of str
    faces : ndarray of shape (triangle, 3)
    vertex_bone : ndarray of shape (vertex,)
        The bone that moves each vertex most.
    rest_vertices : ndarray of shape (vertex, 3)
        Surface in the reference pose.
    arm_axis, elbow_axis : ndarray of shape (3,)
        Axes that :func:`fidgety.phantom.movement.generate` needs.
    """

    def __init__(self, shape: Shape) -> None:
        import torch

        model, regressor, self.faces = _load_anny()
        self._model, self._torch = model, torch
        self.shape = shape
        self.bone_labels: list[str] = list(model.bone_labels)
        output = model(
            phenotype_kwargs={
                "age": 0.0,
                "weight": shape.weight,
                "proportions": shape.proportions,
                "muscle": shape.muscle,
            },
            pose_parameters=self._deltas({}, np.eye(3)[None]),
        )
        self._rest = {k: output[k] for k in ("rest_vertices", "rest_bone_poses")}
        weights = np.asarray(model.vertex_bone_weights)
        indices = np.asarray(model.vertex_bone_indices)
        self.vertex_bone = indices[np.arange(len(indices)), weights.argmax(axis=1)]
        self.rest_vertices = np.asarray(output["vertices"][0]) * shape.scale
        reference = np.asarray(output["bone_poses"][0])
        self._reference = reference
        self._attach(np.asarray(regressor(output)[0]), list(regressor.labels))
        upper = self._head("lowerarm01.L") - self._head("upperarm01.L")
        fore = self._head("wrist.L") - self._head("lowerarm01.L")
        self.arm_axis = upper / np.linalg.norm(upper)
        bend = np.cross(upper, fore)
        self.elbow_axis = bend / np.linalg.norm(bend)

    def _head(self, label: str) -> Array:
        return np.asarray(self._reference[self.bone_labels.index(label), :3, 3])

    def _attach(self, surface: Array, names: list[str]) -> None:
        """Fix every keypoint to a bone, in that bone's own axes."""
        points: dict[str, tuple[str, Array]] = {}
        landmarks = dict(zip(names, surface, strict=True))
        skin = self.rest_vertices / self.shape.scale

        def on_face(point: Array) -> Array:
            """Move a point along y to the front of the face."""
            near = np.linalg.norm((skin - point)[:, [0, 2]], axis=1) < 0.004
            return np.array([point[0], skin[near, 1].min(), point[2]])

        # anny's head stands 2 mm beside the middle: sides are mirrored about the head's own.
        middle = float(landmarks["left_eye"][0] + landmarks["right_eye"][0]) / 2
        half = float(landmarks["left_eye"][0] - landmarks["right_eye"][0]) / 2
        nose = np.array([middle, landmarks["nose"][1], landmarks["nose"][2]])
        points["nose"] = ("head", on_face(nose))
        for side, suffix, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
            for name, bone in _JOINTS.items():
                points[f"{side}_{name}"] = (f"{bone}.{suffix}", self._head(f"{bone}.{suffix}"))
            for name, (source, bone) in _SURFACE.items():
                label = bone if bone == "head" else f"{bone}.{suffix}"
                points[f"{side}_{name}"] = (label, landmarks[f"{side}_{source}"])
            # Corners of eye and mouth, in units of half the distance between the eyes: read
            # off a picture of the face.
            eye = np.array([middle + sign * half, 0.0, landmarks["left_eye"][2]])
            across = np.array([sign * half, 0.0, 0.0])
            mouth = np.array([middle, 0.0, nose[2] - 1.35 * half]) + 0.75 * across
            points[f"{side}_eye"] = ("head", on_face(eye))
            points[f"{side}_eye_inner"] = ("head", on_face(eye - 0.38 * across))
            points[f"{side}_eye_outer"] = ("head", on_face(eye + 0.38 * across))
            points[f"mouth_{side}"] = ("head", on_face(mouth))
        self._key_bone = np.array(
            [self.bone_labels.index(points[name][0]) for name in BLAZEPOSE_33.keypoints]
        )
        self._key_local = np.stack(
            [
                np.linalg.inv(self._reference[self.bone_labels.index(bone)]) @ np.append(point, 1.0)
                for bone, point in (points[name] for name in BLAZEPOSE_33.keypoints)
            ]
        )

    def reference_keypoints(self) -> Array:
        """Return the keypoints of the unscaled body in its reference pose, (keypoint, 3)."""
        return np.stack(
            [
                (self._reference[bone] @ local)[:3]
                for bone, local in zip(self._key_bone, self._key_local, strict=True)
            ]
        )

    def _deltas(self, rotations: dict[str, Array], root: Array) -> Any:
        """Return anny's pose parameters (frame, bone, 4, 4) of rotations by bone label."""
        frames = len(root)
        out = np.tile(np.eye(4), (frames, len(self.bone_labels), 1, 1))
        out[:, 0, :3, :3] = root
        for label, matrices in rotations.items():
            out[:, self.bone_labels.index(label), :3, :3] = matrices
        return self._torch.as_tensor(out, dtype=self._model.dtype)

    def _rotations_by_bone(self, movement: Movement) -> dict[str, Array]:
        from scipy.spatial.transform import Rotation

        out: dict[str, Array] = {}
        for part, matrices in movement.rotations.items():
            side, _, kind = part.rpartition("_")
            suffix = {"left": ".L", "right": ".R", "": ""}[side]
            vectors = Rotation.from_matrix(matrices).as_rotvec()
            for bone, share in _BONES[kind]:
                out[bone + suffix] = Rotation.from_rotvec(share * vectors).as_matrix()
        fist = np.deg2rad(_FIST_DEG)
        for suffix, mirror in ((".L", 1.0), (".R", -1.0)):
            # Fingers bend about the line from the little to the index finger's knuckle.
            across = self._head(f"finger2-1{suffix}") - self._head(f"finger5-1{suffix}")
            across = across / np.linalg.norm(across) * -mirror
            for finger in range(2, 6):
                for phalanx in range(1, 4):
                    out[f"finger{finger}-{phalanx}{suffix}"] = Rotation.from_rotvec(
                        fist * across
                    ).as_matrix()
        return out

    def pose(self, movement: Movement) -> BodyPose:
        """Return bones of all frames of a movement (forward kinematics, no mesh)."""
        deltas = self._deltas(self._rotations_by_bone(movement), movement.root)
        transforms, bones = self._model.get_bone_transforms(deltas, self._rest["rest_bone_poses"])
        return BodyPose(self, np.asarray(bones), np.asarray(transforms), movement.shift_m)


@dataclass(frozen=True)
class BodyPose:
    """A body's bones in a sequence of frames.

    Parameters
    ----------
    body
        The infant.
    bones : ndarray of shape (frame, bone, 4, 4)
        Pose of each bone, unscaled, before the pelvis moves.
    transforms : ndarray of shape (frame, bone, 4, 4)
        What skinning needs.
    shift_m : ndarray of shape (frame, 3)
        Translation of the pelvis.
    """

    body: InfantBody
    bones: Array
    transforms: Array
    shift_m: Array

    def keypoints(self) -> Array:
        """Return BlazePose-33 keypoints in metres, of shape (frame, 3, keypoint)."""
        bones = self.bones[:, self.body._key_bone]
        points = np.einsum("fkij,kj->fik", bones, self.body._key_local)[:, :3]
        return np.asarray(points * self.body.shape.scale + self.shift_m[:, :, None])

    def vertices(self, frames: slice) -> Array:
        """Return the surface in some frames, in metres, of shape (frame, vertex, 3)."""
        torch, model = self.body._torch, self.body._model
        transforms = torch.as_tensor(self.transforms[frames], dtype=model.dtype)
        rest = self.body._rest["rest_vertices"].expand(len(transforms), -1, -1)
        out = np.asarray(model.get_skinned_vertices(rest, transforms))
        return np.asarray(out * self.body.shape.scale + self.shift_m[frames][:, None, :])


@functools.lru_cache(maxsize=4)
def load_body(shape: Shape) -> InfantBody:
    """Return a body, loaded once a process."""
    return InfantBody(shape)
