"""Options of the ``mmpose`` lifter, apart from its heavy libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fidgety.pose.estimator_options import EstimatorOptions
from fidgety.pose.mmpose_runtime import check_network_files, network_files

Fit = Literal["trunk", "box", "picture"]


class MMPoseLifterOptions(EstimatorOptions):
    """Options of the ``mmpose`` lifter (docs/lifting.md)."""

    max_threads: ClassVar[int] = 4
    mem_mb: ClassVar[int] = 3000

    config: str = "video-pose-lift_tcn-243frm-supv-cpn-ft_8xb128-200e_h36m"
    """Name of a lifter that mmpose ships below ``body_3d_keypoint``, or a config file of your
    own. Such a file is Python and is executed."""
    checkpoint: str = (
        "weights/videopose_h36m_243frames_fullconv_supervised_cpn_ft-88f5abbb_20210527.pth"
    )
    """File with the weights that were trained with this config."""
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Checksum that the file must have; without one every file is taken. A changed file lifts
    all recordings again in any case."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """``auto`` uses a GPU where there is one."""
    batch_size: Annotated[int, Field(ge=1)] = 1024
    """Frames that go through the network at once."""
    fit: Fit = "trunk"
    """How the pose is put into a picture like those that the network learned from: with the
    ``trunk`` or the ``box`` around the body as long as an adult's there, or as the ``picture``
    of the recording has it."""

    def files(self) -> dict[str, Path]:
        """Return the checkpoint, and the config where it is the user's own."""
        return network_files(self.config, self.checkpoint)

    def wants_gpu(self, n_gpus: int) -> bool:
        """Tell whether the job takes a GPU on a machine with ``n_gpus`` of them."""
        return self.device == "gpu" or (self.device == "auto" and n_gpus > 0)

    def expected_sha256(self) -> dict[str, str]:
        """Return the checkpoint's checksum where it is given."""
        return {} if self.sha256 is None else {"checkpoint": self.sha256.lower()}

    def check(self) -> list[str]:
        """Find a config that is not there, and a checkpoint that is not there."""
        return check_network_files(self.config, self.checkpoint, "lifting.options")


Options = MMPoseLifterOptions
