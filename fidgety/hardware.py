"""What this machine has, found without importing a heavy library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NVIDIA_DEVICES = Path("/dev")
#: What names the GPUs that a process may use, as CUDA reads it.
CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"


def count_gpus(devices: Path = NVIDIA_DEVICES) -> int:
    """Count the NVIDIA GPUs that the system shows as device nodes.

    Parameters
    ----------
    devices
        Folder of the device nodes.
    """
    return sum(path.name[len("nvidia") :].isdigit() for path in devices.glob("nvidia*"))


def visible_gpus(
    environ: Mapping[str, str] = os.environ, devices: Path = NVIDIA_DEVICES
) -> tuple[str, ...]:
    """Return the GPUs that a process may use, as ``CUDA_VISIBLE_DEVICES`` would name them.

    Parameters
    ----------
    environ
        Where that variable is set, it alone counts: by the user, or by a cluster that has dealt
        the GPUs of its machine.
    devices
        Folder of the device nodes, which count otherwise.
    """
    given = environ.get(CUDA_VARIABLE)
    if given is None:
        return tuple(str(number) for number in range(count_gpus(devices)))
    named: list[str] = []
    for name in (part.strip() for part in given.split(",")):
        # CUDA takes what comes before the first name that is none.
        if not name or name.startswith("-"):
            break
        if name not in named:
            named.append(name)
    return tuple(named)
