"""Videos of who is in the picture, made of the pictures of one phantom.

Unlike the kinds of :mod:`tests.gallery.content`, which begin where each verdict is made, these go
through the whole line as a clinic's videos do: whom the segmentation takes for the body, and what
the estimate makes of it, is part of what is tried. What is expected was seen, and says so where
it is less than one would wish for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.gallery.kinds import PROCESSED
from tests.pose.company import SKIN

Pictures = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """What is in view, and the reason code or ``processed`` that must come of it.

    Parameters
    ----------
    name
        In words.
    play
        Makes pictures of those of a phantom, (frame, height, width, 3).
    expected
        Reason code, or ``processed``.
    """

    name: str
    play: Callable[[Pictures], Iterator[NDArray[np.uint8]]]
    expected: str = PROCESSED


def zoomed(picture: NDArray[np.uint8], times: float, left: float, top: float) -> NDArray[np.uint8]:
    """Look at a part of a picture, by its upper left corner as shares of what is not seen."""
    height, width = picture.shape[:2]
    w, h = round(width / times), round(height / times)
    x, y = round(left * (width - w)), round(top * (height - h))
    return np.asarray(cv2.resize(picture[y : y + h, x : x + w], (width, height)), np.uint8)


def calm(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    yield from seen


def nobody(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    """Show a blanket."""
    rng = np.random.default_rng(0)
    blanket = rng.integers(90, 160, seen.shape[1:], dtype=np.uint8)
    yield from (blanket for _ in seen)


def two_infants(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    """Show twins side by side: the other one is mirrored, and goes back in time."""
    for one, other in zip(seen, seen[::-1], strict=True):
        yield np.concatenate([one, other[:, ::-1]], axis=1)


def adult_beside(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    """Show a body of more than twice the size beside the infant, cut by the border."""
    for one, other in zip(seen, seen[::-1], strict=True):
        yield np.concatenate([one, zoomed(other, 2.2, 0.4, 0.3)], axis=1)


def adult_alone(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    """Show a body that the picture is too small for."""
    yield from (zoomed(one, 2.2, 0.5, 0.5) for one in seen)


def reaching(seen: Pictures, share: float) -> Iterator[NDArray[np.uint8]]:
    """Let an arm reach in from the right for a share of the time."""
    n, height, width = seen.shape[:3]
    for k, one in enumerate(seen):
        reach = 0.3 * width * min(np.sin(np.pi * k / (share * n)) * 4, 1) if k < share * n else 0
        picture = one.copy()
        if reach > 0:
            row, thick = round(0.3 * height), round(0.12 * height)
            cv2.line(picture, (width, row), (round(width - reach), row), SKIN, thick)
        yield picture


def hand(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    yield from reaching(seen, 0.3)


def hand_throughout(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    yield from reaching(seen, 1.0)


def leaving(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    """Move the camera away in the middle."""
    floor = np.full_like(seen[0], np.median(seen[0, :8], axis=(0, 1)).astype(np.uint8))
    yield from (one if k < len(seen) // 2 else floor for k, one in enumerate(seen))


def black(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    yield from (np.zeros_like(one) for one in seen)


def frozen(seen: Pictures) -> Iterator[NDArray[np.uint8]]:
    yield from (seen[0] for _ in seen)


SCENES = [
    Scene("a calm infant", calm),
    Scene("nobody", nobody, "no_body"),
    # The mask follows one person: the other one is a moving picture behind it.
    Scene("two infants", two_infants, "camera_moves"),
    Scene("an adult beside", adult_beside, "camera_moves"),
    # Nothing tells the size of a body that is alone in the picture.
    Scene("an adult alone", adult_alone),
    Scene("a hand in view for a while", hand),
    # Nobody counts others where the mask follows one person; the pose stays the infant's.
    Scene("a hand in view throughout", hand_throughout),
    Scene("out of view for half", leaving, "pose_too_sparse"),
    Scene("black", black, "no_body"),
    Scene("frozen picture", frozen, "infant_still"),
]
