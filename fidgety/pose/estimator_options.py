"""What the options of all pose estimators tell the plan, before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from fidgety.config.base import Section


class EstimatorOptions(Section):
    """Base of an estimator's options.

    Attributes
    ----------
    max_threads
        Processor threads that its job asks for.
    mem_mb
        Memory that its job asks for.
    runtime_min
        Minutes that its job asks for, enough for a recording of ten minutes.
    """

    max_threads: ClassVar[int] = 1
    mem_mb: ClassVar[int] = 2000
    runtime_min: ClassVar[int] = 60

    def files(self) -> dict[str, Path]:
        """Return the user's files whose content decides the result, by the option naming them."""
        return {}

    def wants_gpu(self, n_gpus: int) -> bool:
        """Tell whether the job takes a GPU on a machine with ``n_gpus`` of them."""
        return False

    def expected_sha256(self) -> dict[str, str]:
        """Return the checksums that the user expects of :meth:`files`, by the same keys."""
        return {}

    def check(self) -> list[str]:
        """Return what is wrong with the options that their values alone do not show."""
        return []


class TorchOptions(EstimatorOptions):
    """Options of the estimators that are networks in torch."""

    max_threads: ClassVar[int] = 4
    mem_mb: ClassVar[int] = 4000
    # The larger networks need half a second a frame and core.
    runtime_min: ClassVar[int] = 600

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """``auto`` uses a GPU where there is one."""
    precision: Literal["32", "16-mixed"] = "32"
    """``16-mixed`` is faster on a GPU and rounds more; a CPU always computes with 32 bits."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 15
    """Frames that go through the network at once; a stretch has 60."""

    def wants_gpu(self, n_gpus: int) -> bool:
        """Tell whether the job takes a GPU on a machine with ``n_gpus`` of them."""
        return self.device == "gpu" or (self.device == "auto" and n_gpus > 0)
