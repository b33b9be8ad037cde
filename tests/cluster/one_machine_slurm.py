"""A Slurm cluster of this one machine: munged, slurmctld and slurmd, started and stopped here.

Debian's packages, root, and no systemd are what it takes. All files of the cluster are in a
folder of its own; what was running before stays as it was.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "runuser")
#: The tests' copies of snakemake and its jobs find the cluster by it.
VARIABLE = "SLURM_CONF"

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={slurmd_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MinJobAge=300
ReturnToService=2
MpiDefault=none
DefMemPerCPU=500
KillWait=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb}
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Say why no cluster can be started here, or nothing."""
    if os.geteuid() != 0:
        return "root is needed to start Slurm's daemons"
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"{', '.join(lacking)} not found (Debian: apt-get install {' '.join(PACKAGES)})"
    return ""


def install() -> None:
    """Install Debian's packages if a program is missing and root may do so."""
    if not missing() or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def free_ports(number: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class OneMachineSlurm:
    """A cluster with one node of two CPUs, this machine.

    Parameters
    ----------
    folder
        A folder of its own with a short path, as it holds a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().split(".")[0]
        self.conf = folder / "slurm.conf"

    def start(self) -> None:
        """Start the daemons and wait until the node is idle."""
        folder = self.folder
        # Nothing above the key and the socket may be writable by others, and munge must get there.
        folder.chmod(0o755)
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir()
        key, run = folder / "munge" / "key", folder / "munge"
        subprocess.run(["mungekey", "--create", "--keyfile", str(key)], check=True)
        for path in (run, key):
            shutil.chown(path, "munge", "munge")
        run.chmod(0o755)
        key.chmod(0o400)
        port, slurmd_port = free_ports(2)
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        self.conf.write_text(
            CONFIGURATION.format(
                host=self.host,
                folder=folder,
                port=port,
                slurmd_port=slurmd_port,
                cpus=2,
                memory_mb=max(pages * size // 2**20 - 500, 1000),
            )
        )
        self._call(
            "runuser", "-u", "munge", "--", shutil.which("munged") or "munged",
            f"--key-file={key}", f"--socket={run}/socket", f"--pid-file={run}/pid",
            f"--log-file={run}/log", f"--seed-file={run}/seed",
        )  # fmt: skip
        self._call("slurmctld", "-f", str(self.conf))
        self._call("slurmd", "-f", str(self.conf), "-N", self.host)
        self.wait_for_node("idle")

    def stop(self) -> None:
        """End what was started: jobs first, then the daemons."""
        self.ask("scancel", "--full", "--state=RUNNING", "--user=root", ok=False)
        self.ask("scancel", "--user=root", ok=False)
        for _ in range(50):
            if not self.jobs():
                break
            time.sleep(0.1)
        for name in ("slurmd.pid", "slurmctld.pid", "munge/pid"):
            end(self.folder / name)

    def _call(self, *command: str) -> None:
        subprocess.run(command, check=True, env=self.environment())

    def environment(self) -> dict[str, str]:
        """Return the environment in which Slurm's commands mean this cluster."""
        return {**os.environ, VARIABLE: str(self.conf)}

    def ask(self, *command: str, ok: bool = True) -> str:
        """Return what one of Slurm's commands prints."""
        done = subprocess.run(
            command, env=self.environment(), text=True, capture_output=True, check=False
        )
        if ok and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def node_state(self) -> str:
        """Return the node's state in lower case, as ``sinfo`` says it."""
        return self.ask("sinfo", "-h", "-N", "-o", "%T", ok=False).strip().lower()

    def wait_for_node(self, state: str, seconds: float = 30) -> None:
        """Wait until the node's state begins as said."""
        deadline = time.monotonic() + seconds
        while not self.node_state().startswith(state):
            if time.monotonic() > deadline:
                logs = "".join(p.read_text()[-2000:] for p in self.folder.glob("*.log"))
                raise AssertionError(f"the node is {self.node_state()!r}, not {state!r}\n{logs}")
            time.sleep(0.2)

    def jobs(self, state: str = "") -> dict[str, str]:
        """Return comments (rules or groups) of the jobs in the queue, by their ids."""
        chosen = [f"--states={state}"] if state else []
        lines = self.ask("squeue", "-h", "-o", "%i|%k", *chosen, ok=False).splitlines()
        return dict(line.strip().split("|", 1) for line in lines)


def end(pid_file: Path) -> None:
    """End a daemon by its file and wait for it; what never started needs no end."""
    try:
        pid = int(pid_file.read_text())
    except (OSError, ValueError):
        return
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(100):
            try:
                os.kill(pid, sent if _ == 0 else 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)
