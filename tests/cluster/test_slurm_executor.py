"""What Slurm's executor makes of the profile, without a Slurm."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from tests.workflow.test_profiles import profile

pytestmark = pytest.mark.cluster

executor = pytest.importorskip("snakemake_executor_plugin_slurm")
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


@pytest.mark.parametrize(("min_job_age", "asked"), [(30, "sacct"), (100, "sacct"), (300, "squeue")])
def test_where_jobs_are_soon_forgotten_the_accounting_is_asked(
    min_job_age: int, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = profile("slurm")
    commands = []

    async def no_jobs(command: str, logger: object) -> tuple[dict[str, str], float]:
        commands.append(command.split()[0])
        return {}, 0.0

    monkeypatch.setattr(executor, "get_min_job_age", lambda: min_job_age)
    monkeypatch.setattr(executor, "is_query_tool_available", lambda name: True)
    monkeypatch.setattr(executor, "query_job_status", no_jobs)
    settings = executor.ExecutorSettings(
        status_command=found["slurm-status-command"],
        init_seconds_before_status_checks=found["slurm-init-seconds-before-status-checks"],
    )
    main: Any = MagicMock(
        **{
            "workflow.executor_settings": settings,
            "status_rate_limiter.__aenter__": AsyncMock(),
            "get_status_command.return_value": settings.status_command,
            "run_uuid": "run",
            "_status_query_calls": 0,
            "_status_query_total_seconds": 0.0,
            "_status_query_min_seconds": None,
            "_status_query_max_seconds": 0.0,
            "next_seconds_between_status_checks": 40,
        }
    )
    job = SimpleNamespace(external_jobid="1", aux={}, job=None)

    async def ask() -> list[object]:
        return [j async for j in executor.Executor.check_active_jobs(main, [job])]

    assert asyncio.run(ask()) == [job]
    assert commands == [asked]
