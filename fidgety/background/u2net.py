"""Salient-object masks by U2-Net through rembg, from a weights file that you bring.

Qin et al. 2020, "U2-Net: going deeper with nested U-structure for salient object detection"
(Pattern Recognition 106:107404). rembg loads the network and prepares the pictures; it would
also download weights, which nothing here does: the file is named in the options and its
checksum is compared before it is opened.

rembg stretches every prediction to the whole range, so that a picture of nothing gets a
"salient" object as well. Here the network's own probability is kept.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.background.base import BackgroundMethod, Frame, Mask
from fidgety.background.u2net_options import U2NetOptions
from fidgety.config.base import Section
from fidgety.errors import ConfigError
from fidgety.files import file_sha256

SIDE_PX = 320
# Normalisation of the published network (ImageNet), as in rembg's own session.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WHERE_TO_GET_IT = (
    "Download u2net.onnx (175,997,641 bytes) from the release v0.0.0 of the rembg project on "
    "GitHub (danielgatis/rembg), put it there, or name its place in "
    "background.options.weights of config.yaml. Nothing is downloaded by the workflow."
)


class U2Net(BackgroundMethod):
    """U2-Net's saliency map.

    Raises
    ------
    ConfigError
        If the weights are missing, are not the expected file, or are no such network.
    """

    name: ClassVar[str] = "u2net"
    Options: ClassVar[type[Section]] = U2NetOptions
    libraries: ClassVar[tuple[str, ...]] = ("rembg", "onnxruntime", "pillow")
    work_side_px: ClassVar[int] = 400

    def __init__(self, options: U2NetOptions) -> None:
        super().__init__(options)
        weights = Path(options.weights).expanduser().resolve()
        if not weights.is_file():
            raise ConfigError(
                f"background.options.weights: there is no file {weights}. {WHERE_TO_GET_IT}"
            )
        found = file_sha256(weights)
        if found != options.sha256.lower():
            raise ConfigError(
                f"background.options.weights: {weights} has SHA-256 {found}, expected "
                f"{options.sha256}. Either the file is damaged, or it is another one: then give "
                f"its checksum in background.options.sha256. {WHERE_TO_GET_IT}"
            )
        self._session = _load(weights, options.threads)
        size = self._session.inner_session.get_inputs()[0].shape[0]
        self._batch = size if isinstance(size, int) else options.batch

    def masks(self, frames: Iterable[Frame]) -> Iterator[Mask]:
        """Yield a mask a frame."""
        source = iter(frames)
        while batch := list(itertools.islice(source, self._batch)):
            saliency = self._predict(batch)
            for frame, soft in zip(batch, saliency, strict=True):
                height, width = frame.shape[:2]
                soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
                yield np.rint(255 * np.clip(soft, 0.0, 1.0)).astype(np.uint8)

    def _predict(self, batch: list[Frame]) -> NDArray[np.float32]:
        """Return saliency (frame, SIDE_PX, SIDE_PX) from 0 to 1."""
        from PIL import Image

        inner = self._session.inner_session
        prepared = [
            self._session.normalize(Image.fromarray(frame), MEAN, STD, (SIDE_PX, SIDE_PX))
            for frame in batch
        ]
        key = next(iter(prepared[0]))
        tensor = np.concatenate([p[key] for p in prepared])
        # A network with a fixed batch size gets its last batch filled up.
        if len(tensor) < self._batch and isinstance(inner.get_inputs()[0].shape[0], int):
            tensor = np.concatenate([tensor, np.repeat(tensor[-1:], self._batch - len(tensor), 0)])
        # The first output is the fused map; the others are side outputs.
        fused = inner.run([inner.get_outputs()[0].name], {key: tensor})[0]
        return np.asarray(fused[: len(batch), 0], dtype=np.float32)


def _import_new_session() -> Any:
    """Import rembg without the minute that it takes the first time.

    It pulls in pymatting, whose functions numba compiles when they are imported. They cut out
    hair and are not called here.
    """
    import numba  # type: ignore[import-untyped]

    compiling = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        from rembg import new_session
    finally:
        numba.config.DISABLE_JIT = compiling
    return new_session


def _load(weights: Path, threads: int) -> Any:
    """Open the network in rembg's session for files of one's own."""
    import onnxruntime

    new_session = _import_new_session()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    # rembg opens files below this folder alone.
    with mock.patch.dict(os.environ, {"U2NET_HOME": str(weights.parent)}):
        try:
            session = new_session(
                "u2net_custom",
                sess_opts=options,
                model_path=str(weights),
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:
            raise ConfigError(
                f"background.options.weights: {weights} cannot be opened as a network: {error}"
            ) from None
    shape = session.inner_session.get_inputs()[0].shape
    if (
        len(shape) != 4
        or shape[1] != 3
        or not all(s in (SIDE_PX,) or isinstance(s, str) for s in shape[2:])
    ):
        raise ConfigError(
            f"background.options.weights: the network in {weights} takes {shape}, expected "
            f"[batch, 3, {SIDE_PX}, {SIDE_PX}]."
        )
    return session
