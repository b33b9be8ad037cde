"""What Slurm's executor makes of the profile's lines for GPUs."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.cluster

slurm = pytest.importorskip("snakemake_executor_plugin_slurm.utils")


class Resources(dict[str, object]):
    """A job's resources, as executors ask for them."""

    __getattr__ = dict.__getitem__


class Job:
    """A job that asks for something."""

    def __init__(self, **resources: object) -> None:
        self.resources = Resources(resources)


def test_a_model_alone_books_a_gpu() -> None:
    """Why docs/clusters.md has only the lines of rules that use one uncommented."""
    assert slurm.set_gres_string(Job(gpu=1, gpu_model="a100")) == " --gpus=a100:1"
    assert slurm.set_gres_string(Job(gpu_model="a100")) == " --gpus=a100:1"
    assert slurm.set_gres_string(Job()) == ""
