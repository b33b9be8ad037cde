"""What this machine has, found without importing a heavy library."""

from __future__ import annotations

from pathlib import Path

NVIDIA_DEVICES = Path("/dev")


def count_gpus(devices: Path = NVIDIA_DEVICES) -> int:
    """Count the NVIDIA GPUs that the system shows as device nodes.

    Parameters
    ----------
    devices
        Folder of the device nodes.
    """
    return sum(path.name[len("nvidia") :].isdigit() for path in devices.glob("nvidia*"))
