"""A Slurm cluster of this one machine: munged, slurmctld and slurmd, started and stopped here.

Debian's packages, root, and no systemd are what it takes. All files of the cluster are in a
folder of its own; what was running before stays as it was.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "mungekey", "runuser")
#: Where Debian's Slurm looks; the plugin's job steps forget the variable that names another.
CONF = Path("/etc/slurm/slurm.conf")

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
SlurmdParameters=config_overrides
GresTypes=gpu
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
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:a100:1
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
"""
#: More than the machine has: two copies of a job are to run at once.
CPUS = 4
#: A device node that is no GPU stands in for one.
GRES = "Name=gpu Type=a100 File={device}\n"


def missing() -> str:
    """Say why no cluster can be started here, or nothing."""
    if os.geteuid() != 0:
        return "root is needed to start Slurm's daemons"
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if CONF.exists() or CONF.is_symlink():
        return f"{CONF} is there already: this machine has a cluster of its own"
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
    """A cluster with one node, this machine, and a made-up GPU.

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
                cpus=CPUS,
                memory_mb=max(pages * size // 2**20 - 500, 1000),
            )
        )
        self._call(
            "runuser", "-u", "munge", "--", shutil.which("munged") or "munged",
            f"--key-file={key}", f"--socket={run}/socket", f"--pid-file={run}/pid",
            f"--log-file={run}/log", f"--seed-file={run}/seed",
        )  # fmt: skip
        device = folder / "nvidia0"
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        self.conf.with_name("gres.conf").write_text(GRES.format(device=device))
        CONF.parent.mkdir(exist_ok=True)
        for name in ("slurm.conf", "gres.conf"):
            (CONF.parent / name).symlink_to(folder / name)
        self._call("slurmctld")
        self._call("slurmd", "-N", self.host)
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
        for name in ("slurm.conf", "gres.conf"):
            link = CONF.parent / name
            if link.is_symlink() and link.readlink() == self.folder / name:
                link.unlink()

    def _call(self, *command: str) -> None:
        subprocess.run(command, check=True)

    def ask(self, *command: str, ok: bool = True) -> str:
        """Return what one of Slurm's commands prints."""
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if ok and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def node_state(self) -> str:
        """Return the node's state in lower case, as ``sinfo`` says it."""
        return self.ask("sinfo", "-h", "-p", "debug", "-o", "%T", ok=False).strip().lower()

    def wait_for_node(self, state: str, seconds: float = 30) -> None:
        """Wait until the node's state begins as said."""
        try:
            wait(lambda: self.node_state().startswith(state), f"node {state}", seconds)
        except AssertionError as error:
            logs = "".join(p.read_text()[-2000:] for p in self.folder.glob("*.log"))
            raise AssertionError(f"{error}: the node is {self.node_state()!r}\n{logs}") from None

    def set_node(self, state: str) -> None:
        """Drain the node or resume it."""
        self.ask("scontrol", "update", f"NodeName={self.host}", f"State={state}", "Reason=test")

    def jobs(self, *states: str, of: str = "") -> set[str]:
        """Return the ids of jobs in the queue, of some states and rules or groups."""
        chosen = [f"--states={','.join(states)}"] if states else []
        lines = self.ask("squeue", "-h", "-o", "%i|%k", *chosen, ok=False).splitlines()
        found = [line.strip().split("|", 1) for line in lines]
        return {job for job, comment in found if of in comment}

    def describe(self, job: str) -> dict[str, str]:
        """Return what the controller knows of a job."""
        text = self.ask("scontrol", "-o", "show", "job", job)
        return dict(part.split("=", 1) for part in text.split() if "=" in part)


def wait(
    until: Callable[[], object],
    what: str,
    seconds: float = 300,
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Wait for something to become true, and no longer than the process lives that makes it."""
    deadline = time.monotonic() + seconds
    while not until():
        assert process is None or process.poll() is None, f"all was over before: {what}"
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.2)


def end(pid_file: Path) -> None:
    """End a daemon by its file and wait for it; what never started needs no end."""
    try:
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            time.sleep(0.1)
            os.kill(pid, 0)
        os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return
