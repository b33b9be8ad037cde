"""Jobs of a machine with several GPUs are given different ones; the GPUs are made up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.gpu_slots import ALLOCATION_VARIABLE, take_gpu
from fidgety.hardware import CUDA_VARIABLE, visible_gpus
from fidgety.locks import LOCKS_VARIABLE, hold_one
from workflow_scripts.stage import run

ROOT = Path(__file__).resolve().parents[1]
#: A job that takes a GPU, marks it, and finds no other mark while it has it.
JOB = """\
import os, sys, time
from pathlib import Path
from fidgety.gpu_slots import take_gpu
with take_gpu(devices=Path(sys.argv[1]), poll_s=0.01) as gpu:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu
    mark = os.open(f"{sys.argv[2]}/{gpu}", os.O_CREAT | os.O_EXCL)
    print(gpu, flush=True)
    if len(sys.argv) > 3:
        time.sleep(600)
    time.sleep(0.1)
    os.unlink(f"{sys.argv[2]}/{gpu}")
assert "CUDA_VISIBLE_DEVICES" not in os.environ
"""


def made_up_devices(folder: Path, number: int) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("nvidiactl", "nvidia-uvm", "null", *(f"nvidia{k}" for k in range(number))):
        (folder / name).touch()
    return folder


def start(tmp_path: Path, *more: str, results: str = "results") -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != CUDA_VARIABLE}
    (tmp_path / "marks").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(tmp_path / "dev"), str(tmp_path / "marks"), *more],
        env=environment | {LOCKS_VARIABLE: str(tmp_path / results), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("given_value", "seen"),
    [
        (None, ("0", "1", "2")),
        ("", ()),
        ("-1", ()),
        ("1", ("1",)),
        ("2, 0", ("2", "0")),
        ("0,-1,2", ("0",)),
        ("1,1", ("1",)),
        ("GPU-8932f937,MIG-3f", ("GPU-8932f937", "MIG-3f")),
    ],
)
def test_visible_gpus_are_those_of_cuda(
    tmp_path: Path, given_value: str | None, seen: tuple[str, ...]
) -> None:
    environ = {} if given_value is None else {CUDA_VARIABLE: given_value}
    assert visible_gpus(environ, made_up_devices(tmp_path / "dev", 3)) == seen


def test_processes_on_one_machine_never_share_a_gpu(tmp_path: Path) -> None:
    made_up_devices(tmp_path / "dev", 3)
    jobs = [start(tmp_path) for _ in range(8)]
    ends = [(job.communicate(timeout=120), job.returncode) for job in jobs]
    assert [code for _, code in ends] == [0] * 8, ends
    used = [out.split()[-1] for (out, _), _ in ends]
    assert set(used) <= {"0", "1", "2"}
    assert len(set(used)) > 1


def test_a_killed_job_gives_its_gpu_back(tmp_path: Path) -> None:
    made_up_devices(tmp_path / "dev", 2)
    for _ in range(2):
        holders = [start(tmp_path, "stay") for _ in range(2)]
        try:
            taken = {holder.stdout.readline().strip() for holder in holders if holder.stdout}
            assert taken == {"0", "1"}
        finally:
            for holder in holders:
                holder.send_signal(signal.SIGKILL)
                holder.communicate()
        for mark in (tmp_path / "marks").iterdir():
            mark.unlink()


def test_two_runs_with_results_of_their_own_never_share_a_gpu(tmp_path: Path) -> None:
    made_up_devices(tmp_path / "dev", 2)
    holders = [start(tmp_path, "stay", results=name) for name in ("one", "other")]
    try:
        taken = {holder.stdout.readline().strip() for holder in holders if holder.stdout}
        assert taken == {"0", "1"}
        # Nothing is left by a lock, wherever it may be.
        assert {path.name for path in tmp_path.iterdir()} == {"dev", "marks"}
    finally:
        for holder in holders:
            holder.send_signal(signal.SIGKILL)
            holder.communicate()


@settings(max_examples=25)
@given(
    gpus=st.integers(min_value=2, max_value=4),
    jobs=st.lists(st.sampled_from([0.0, 0.001, 0.004]), min_size=1, max_size=12),
)
def test_two_holders_never_share_a_gpu(
    tmp_path_factory: pytest.TempPathFactory, gpus: int, jobs: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("slots")
    devices = made_up_devices(folder / "dev", gpus)
    held: set[str] = set()
    faults: list[str] = []
    guard = threading.Lock()

    def job(seconds: float) -> None:
        environ: dict[str, str] = {}
        with take_gpu(environ, devices, poll_s=0.001) as gpu:
            with guard:
                if gpu is None or gpu in held or environ[CUDA_VARIABLE] != gpu:
                    faults.append(f"{gpu} of {held}")
                held.add(str(gpu))
            time.sleep(seconds)
            with guard:
                held.discard(str(gpu))

    threads = [threading.Thread(target=job, args=(seconds,)) for seconds in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert not held


def test_what_a_cluster_has_dealt_stays(tmp_path: Path) -> None:
    devices = made_up_devices(tmp_path / "dev", 4)
    environ = {CUDA_VARIABLE: "2"}
    with take_gpu(environ, devices) as first, take_gpu(dict(environ), devices) as second:
        assert (first, second) == (None, None)
        assert environ[CUDA_VARIABLE] == "2"
    # Two jobs of the queue may see different GPUs under one number; jobs of one group do not.
    named = {CUDA_VARIABLE: "0,1"}
    one, mate, other = ({**named, ALLOCATION_VARIABLE: job} for job in ("7", "7", "8"))
    with (
        take_gpu(one, devices) as a,
        take_gpu(mate, devices) as b,
        take_gpu(other, devices) as c,
    ):
        assert (a, b, c) == ("0", "1", "0")
    assert one == {**named, ALLOCATION_VARIABLE: "7"}


def test_only_jobs_that_ask_for_a_gpu_are_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CUDA_VARIABLE, "4,5")
    seen: list[str] = []
    with take_gpu() as taken:
        for resources in ({"gpu": 1}, {}, {"gpu": 0}):
            snakemake = SimpleNamespace(
                rule="some", input={}, output={}, params={}, wildcards={}, threads=1, log=[],
                resources=resources,
            )  # fmt: skip
            monkeypatch.setenv(CUDA_VARIABLE, "4,5")
            run(lambda job: seen.append(os.environ[CUDA_VARIABLE]), snakemake)
    assert taken == "4"
    assert seen == ["5", "4,5", "4,5"]


def test_a_held_lock_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sub" / "lock"
    order: list[str] = []

    def second() -> None:
        with hold_one([path], "waits", poll_s=0.001):
            order.append("second")

    thread = threading.Thread(target=second)
    with hold_one([path]) as index:
        thread.start()
        while "waits" not in capsys.readouterr().out:
            time.sleep(0.001)
        order.append("first")
    thread.join()
    assert (index, order) == (0, ["first", "second"])
