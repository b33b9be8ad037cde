"""Options of the ``mmpose`` estimator, apart from its heavy libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from fidgety.pose.estimator_options import TorchOptions
from fidgety.pose.mmpose_runtime import check_network_files, network_files


class MMPoseOptions(TorchOptions):
    """Options of the ``mmpose`` estimator (docs/pose-backends.md)."""

    config: str = "rtmpose-m_8xb512-700e_body8-halpe26-256x192"
    """Name of a top-down 2D config that mmpose ships, or a config file of your own. Such a file
    is Python and is executed."""
    checkpoint: str = (
        "weights/rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605.pth"
    )
    """File with the weights that were trained with this config."""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Checksum that the file must have; without one every file is taken. A changed file runs the
    pose again in any case."""
    flip_test: bool = False
    """Average with the mirrored picture's prediction: a little better, half as fast."""
    box_share: Annotated[float, Field(gt=0.1, le=1)] = 0.72
    """Share of the crop's side that the body's box takes. The crop leaves a seventh on each side
    of the body; the network sees the box with its own margin."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Smallest mean confidence of trunk and limbs for a frame to have a body. A network that was
    trained on people alone finds keypoints in every picture."""

    def files(self) -> dict[str, Path]:
        """Return the checkpoint, and the config where it is the user's own."""
        return network_files(self.config, self.checkpoint)

    def expected_sha256(self) -> dict[str, str]:
        """Return the checkpoint's checksum where it is given."""
        return {} if self.sha256 is None else {"checkpoint": self.sha256.lower()}

    def check(self) -> list[str]:
        """Find a config that is not there, and a checkpoint that is not there."""
        return check_network_files(self.config, self.checkpoint, "pose.options")


Options = MMPoseOptions
