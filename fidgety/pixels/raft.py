"""Optical flow by RAFT, from a file of weights that the user brings.

Teed Z, Deng J (2020). RAFT: recurrent all-pairs field transforms for optical flow. ECCV 2020,
402-419. Any export to ONNX that takes two pictures of 0 to 255, red, green and blue first, and
gives the flow in its pixels will do; those of the OpenCV Zoo and of the PINTO model zoo do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fidgety.errors import ConfigError
from fidgety.pixels.packing import Field

#: RAFT halves its pictures three times.
STRIDE = 8
WHERE_TO_GET_IT = (
    "Download optical_flow_estimation_raft_2023aug.onnx from the OpenCV Zoo (opencv/opencv_zoo on "
    "GitHub, or opencv/optical_flow_estimation_raft on Hugging Face), and name its place in "
    "pixels.raft_weights. Nothing is downloaded by the workflow."
)


class Raft:
    """The network.

    Parameters
    ----------
    weights
        ONNX file.
    threads
        Of the processor.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no such network.
    """

    def __init__(self, weights: Path, threads: int = 1) -> None:
        import onnxruntime

        if not weights.is_file():
            raise ConfigError(f"pixels.raft_weights: there is no file {weights}. {WHERE_TO_GET_IT}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(weights), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has an exception of its own for every state
            raise ConfigError(
                f"pixels.raft_weights: {weights} cannot be opened as a network: {error}"
            ) from None
        inputs = self._session.get_inputs()
        shapes = [list(one.shape) for one in inputs]
        if len(inputs) != 2 or any(len(s) != 4 or s[1] != 3 for s in shapes):
            raise ConfigError(
                f"pixels.raft_weights: the network in {weights} takes {shapes}, expected two "
                "pictures of shape [1, 3, height, width]."
            )
        self._names = [one.name for one in inputs]
        self._size = [s if isinstance(s, int) else None for s in shapes[0][2:]]
        self._weights = weights

    def between(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Field:
        """Return where each pixel of the first picture went to.

        Parameters
        ----------
        first, second : ndarray of uint8 of shape (height, width, 3)
            RGB. They are brought to the network's size and the flow back to theirs.

        Returns
        -------
        ndarray of float32 of shape (height, width, 2)
            x right and y down, in pixels.
        """
        height, width = first.shape[:2]
        rows, columns = (
            own or -(-side // STRIDE) * STRIDE
            for own, side in zip(self._size, (height, width), strict=True)
        )
        given = {}
        for name, picture in zip(self._names, (first, second), strict=True):
            sized = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)
            given[name] = sized.transpose(2, 0, 1)[None].astype(np.float32)
        outputs = self._session.run(None, given)
        whole = [o for o in outputs if o.shape == (1, 2, rows, columns)]
        if not whole:
            raise ConfigError(
                f"pixels.raft_weights: the network in {self._weights} gives "
                f"{[o.shape for o in outputs]}, none of which is the flow of the whole picture."
            )
        flow = whole[-1][0].transpose(1, 2, 0) * np.array([width / columns, height / rows])
        sized = cv2.resize(flow.astype(np.float32), (width, height))
        return np.asarray(sized, dtype=np.float32)
