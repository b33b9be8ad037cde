"""Where a network of an estimator runs, and how: the same for all that are made with torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fidgety.errors import ConfigError

if TYPE_CHECKING:
    from fidgety.pose.estimator_options import TorchOptions


def pick_device(device: str, where: str = "pose.options.device") -> str:
    """Return torch's name of the device for ``auto``, ``cpu`` or ``gpu``.

    Raises
    ------
    ConfigError
        If a GPU is asked for and torch finds none.
    """
    import torch

    gpu = torch.cuda.is_available()
    if device == "gpu" and not gpu:
        raise ConfigError(
            f"{where} is 'gpu', but torch finds none: set it to 'auto' or 'cpu', or install the "
            "build of torch for your GPU (docs/installation.md)."
        )
    return "cuda" if gpu and device != "cpu" else "cpu"


def use_threads(threads: int) -> None:
    """Let torch use this many processor threads."""
    import torch

    torch.set_num_threads(threads)


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """Compute without gradients, and the same on every run.

    On a GPU convolutions keep to 32 bits (not TF32) and to one algorithm.
    """
    import torch

    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ),
    ):
        yield


@contextlib.contextmanager
def mixed_precision(options: TorchOptions, device: str) -> Iterator[None]:
    """Compute with 16 bits where the options say so and there is a GPU."""
    import torch

    wanted = options.precision == "16-mixed" and device == "cuda"
    with torch.autocast("cuda", dtype=torch.float16, enabled=wanted):
        yield
