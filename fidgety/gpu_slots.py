"""Which GPU a job uses, where a machine has several and nobody else deals them out.

Snakemake counts GPUs and does not say which: two jobs that each use one would both take the
first. So a job takes a lock of one GPU and shows itself that GPU alone. The lock is the machine's,
so that two runs know of each other. A cluster that has given the job a single GPU, or a user who
has named a single one, is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from fidgety.hardware import CUDA_VARIABLE, NVIDIA_DEVICES, visible_gpus
from fidgety.locks import hold_one_of_machine

#: A job of a cluster sees GPUs by numbers of its own.
ALLOCATION_VARIABLE = "SLURM_JOB_ID"


@contextlib.contextmanager
def take_gpu(
    environ: MutableMapping[str, str] = os.environ,
    devices: Path = NVIDIA_DEVICES,
    poll_s: float = 0.2,
) -> Iterator[str | None]:
    """Take one GPU for as long as the job runs; wait while all of them are taken.

    Parameters
    ----------
    environ
        The job's environment. ``CUDA_VISIBLE_DEVICES`` in it says which GPUs there are to take
        from, and afterwards which one was taken.
    devices
        Folder of the device nodes.
    poll_s
        Seconds between two looks.

    Yields
    ------
    str or None
        The GPU that was taken; None where there was nothing to choose.
    """
    gpus = visible_gpus(environ, devices)
    if len(gpus) < 2:
        yield None
        return
    names = [lock_name(gpu, devices, environ.get(ALLOCATION_VARIABLE, "")) for gpu in gpus]
    before = environ.get(CUDA_VARIABLE)
    with hold_one_of_machine(names, "waits for a free GPU", poll_s) as index:
        environ[CUDA_VARIABLE] = gpus[index]
        try:
            yield gpus[index]
        finally:
            if before is None:
                environ.pop(CUDA_VARIABLE, None)
            else:
                environ[CUDA_VARIABLE] = before


def lock_name(gpu: str, devices: Path, allocation: str) -> str:
    """Return the name that who uses a GPU of this machine holds.

    Parameters
    ----------
    gpu
        The GPU as CUDA names it.
    devices
        Folder of the device nodes.
    allocation
        The job of the cluster in which the GPU has this name, if it is one.
    """
    whole = "\n".join((gpu, str(devices), allocation))
    return f"fidgety-gpu-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"
