"""What is in the picture: somebody else, nobody, an infant that does not lie or move as it should.

Everything is a raw pose, as the estimate hands it on, or pictures with masks where the estimate
itself decides. Pose, person and movement are those of the tests of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.pose.tracks import Pose, write_pose
from fidgety.skeletons import COCO_17
from fidgety.storage import Provenance
from tests.gallery.kinds import PROCESSED, Kind
from tests.pose.foreign import Truth, coco_results
from tests.pose.test_persons import HEIGHT, WIDTH, Mask, arm, disc, film, sort_all
from tests.pose.test_verdict import ENDS, lying, moved

N = 500


def calm(pose: Pose | None = None) -> Pose:
    """Return an infant that moves its hands and feet a little."""
    return moved(pose or lying(N), 0.1, 1.0, ENDS)


def made(pose: Pose) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        # Cleaning tells the origins anew.
        write_pose(folder / "pose.nc", replace(pose, origin=None), Provenance(recording="a"))
        return folder / "pose.nc"

    return make


def among(*others: Callable[[int], Mask]) -> Callable[[Path], Path]:
    """Make a calm infant in company: what the choice of the infant records of these masks."""
    _, persons = sort_all(film(N, lambda i: disc(60 + 3 * np.sin(i / 7), 60, 25), *others))
    return made(replace(calm(), details={"persons": persons.record()}))


def two_in_a_file(folder: Path) -> Path:
    """Write a file of tracks in which each frame has two infants, as COCO's results do."""
    infant = calm()
    one = Truth(infant.position, infant.confidence, COCO_17)
    other = replace(one, position=one.position + np.array([250.0, 0.0])[:, None])
    path = folder / "two.json"
    path.write_text(json.dumps(coco_results(one) + coco_results(other)))
    return path


def nobody(folder: Path) -> Path:
    shape = (50, HEIGHT, WIDTH)
    frames, masks = np.full((*shape, 3), 120, np.uint8), np.zeros(shape, np.uint8)
    np.savez_compressed(folder / "seen.npz", frames=frames, masks=masks)
    return folder / "seen.npz"


def adult(i: int) -> Mask:
    """Draw somebody who is larger than the infant, and cut by the border."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(mask, (WIDTH + 25, 60 + i % 3), 55, 255, -1)
    return mask


def hand(i: int) -> Mask:
    """Draw a hand that reaches in for 5 of 20 seconds."""
    return arm(50 * np.sin(np.pi * (i - 80) / 120) if 80 <= i <= 200 else 0)


def prone(pose: Pose) -> Pose:
    position = pose.position.copy()
    position[:, 0] = 2 * 300 - position[:, 0]
    return replace(pose, position=position)


def grown(pose: Pose) -> Pose:
    """Give the body an adult's legs: 1.7 times the trunk, where an infant's are about as long."""
    position = pose.position.copy()
    for side in ("left", "right"):
        hip, knee, ankle = (pose.keypoints.index(f"{side}_{k}") for k in ("hip", "knee", "ankle"))
        for joint, far in ((knee, 85.0), (ankle, 170.0)):
            position[:, 1, joint] = position[:, 1, hip] + far
    return replace(pose, position=position)


def away(pose: Pose, frames: slice) -> Pose:
    """Take the infant out of the picture."""
    position: NDArray[np.floating] = pose.position.copy()
    confidence = pose.confidence.copy()
    position[frames], confidence[frames] = np.nan, 0.0
    return replace(pose, position=position, confidence=confidence)


def second_infant(i: int) -> Mask:
    return disc(130, 60 + 3 * np.cos(i / 9), 24)


KINDS = [
    Kind("content", "a calm infant", made(calm())),
    Kind("content", "nobody", nobody, "no_body"),
    # Nothing tells the size of a body, and nothing looks at its proportions.
    Kind("content", "an adult alone", made(grown(calm())), PROCESSED),
    Kind("content", "an adult beside, both in the masks", among(adult), "other_person"),
    Kind("content", "two infants, both in the masks", among(second_infant), "other_person"),
    Kind("content", "two infants in one file of tracks", two_in_a_file, "other_person"),
    Kind("content", "a hand in the masks for a while", among(hand), PROCESSED),
    Kind("content", "prone", made(prone(calm())), "not_supine"),
    Kind(
        "content", "out of frame for half", made(away(calm(), slice(N // 2, N))), "pose_too_sparse"
    ),
    Kind("content", "out of frame from first to last", made(away(calm(), slice(N))), "pose_empty"),
    Kind("content", "a still infant", made(moved(lying(N), 0.01, 1.0, ENDS)), "infant_still"),
    Kind("content", "a crying infant", made(moved(lying(N), 0.6, 2.0, ENDS)), "infant_fussing"),
]
