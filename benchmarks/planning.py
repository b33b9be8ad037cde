"""What planning costs: Snakemake on the real rules against empty rules, in the same run.

A cohort of recordings is made up: a sheet and small files that nobody opens. Measured are, as
processor seconds, seconds by the clock and largest memory of the whole process,

- a dry run of the workflow with nothing done yet, and with everything up to date;
- the same dry runs of as many empty jobs: `bare` (an input, an output and a shell command) and
  `alike` (a script, a log, a benchmark and parameters, and as many files, as the rules have);
- reading the configuration, the sheet and the source files (``--list-rules``);
- a dry run with 200 recordings more;
- with ``--start``, how long it takes from the first look at the jobs until so many of them, all
  of them ready, were handed to a scheduler that does nothing; again beside bare jobs. It needs
  the executor for any scheduler (``make cluster``).

``python -m benchmarks.planning --recordings 1000``; `make bench-scale` runs 1,000 and 10,000.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """\
sheet: recordings.tsv
cohorts: {ward: development, city: external, clinic: new}
phantom: {preset: none}
folds: {n: 5}
"""
#: One rule after another for every sample; ALIKE stands for what the rules have beside that.
EMPTY = """\
SAMPLES, RULES, ALIKE = int(config["samples"]), int(config["rules"]), config["alike"] == "yes"
FILES = 2 if ALIKE else 1

rule all:
    input: [f"out/{RULES - 1}/{k}.0" for k in range(SAMPLES)]

for r in range(RULES):
    rule:
        name: f"step{r}"
        input: [f"out/{r - 1}/{{k}}.{n}" for n in range(FILES)] if r else []
        output: [f"out/{r}/{{k}}.{n}" for n in range(FILES)]
"""
BARE = '        shell: "touch {output}"\n'
ALIKE = """\
        log: f"log/{r}/{{k}}.log"
        benchmark: f"benchmark/{r}/{{k}}.tsv"
        params: config={"a": [1, 2, 3]}, of=lambda wildcards: wildcards.k
        resources: mem_mb=1000, runtime=10
        message: "Make {wildcards.k}"
        script: "empty.py"
"""


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu_s: float
    clock_s: float
    memory_mb: float
    output: str

    def row(self, name: str) -> str:
        """Return it as a line of the table."""
        return f"{name:<44}{self.cpu_s:9.1f} s{self.clock_s:9.1f} s{self.memory_mb:8.0f} MB"


def measure(command: Sequence[str], folder: Path) -> Cost:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        With its output, if it fails.
    """
    start = os.times().elapsed
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{text[-3000:]}")
    return Cost(
        used.ru_utime + used.ru_stime, os.times().elapsed - start, used.ru_maxrss / 1024, text
    )


def write_cohort(folder: Path, n: int, pages: str = "auto") -> None:
    """Write a sheet with n recordings, one an infant, and their files."""
    rows = []
    (folder / "videos").mkdir(exist_ok=True)
    for k in range(n):
        video = Path("videos") / f"v{k:05d}.mp4"
        if not (folder / video).exists():
            (folder / video).write_bytes(f"recording {k}".encode())
        # Spread evenly, so that recordings that are added belong to all three.
        cohort = ("ward", "ward", "ward", "city", "clinic")[k % 5]
        label = "" if cohort == "clinic" else ("risk" if k % 4 == 0 else "normal")
        rows.append((f"r{k:05d}", f"i{k:05d}", cohort, str(video), label))
    with open(folder / "recordings.tsv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(("recording", "infant", "cohort", "video", "label"))
        writer.writerows(rows)
    (folder / "own.yaml").write_text(f"{CONFIG}report: {{pages: {pages}}}\n")


def jobs_of(text: str) -> dict[str, int]:
    """Read the numbers of jobs from a dry run."""
    found = re.search(r"^job +count\n[- ]+\n(.*?)^total +(\d+)", text, flags=re.M | re.S)
    if not found:
        return {}
    counts = dict(re.findall(r"^(\w+) +(\d+)$", found[1], flags=re.M))
    return {rule: int(n) for rule, n in counts.items()}


#: Snakemake, whose `--touch` sleeps for a tenth of a second a job, without the sleep.
SLEEPLESS = """\
from snakemake.cli import main
from snakemake.executors import touch

touch.Executor.SLEEPING_TIME = 0
main()
"""


def touch_everything(options: Sequence[str], folder: Path) -> None:
    """Make every file of the workflow, empty, and have Snakemake take them for its own."""
    summary = measure([sys.executable, "-m", "snakemake", *options, "--summary"], folder).output
    for line in summary.splitlines():
        parts = line.split("\t")
        if len(parts) < 6 or parts[0] == "output_file":
            continue
        path = folder / parts[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.touch()
        else:
            path.mkdir(exist_ok=True)
    touch = ("--touch", "--cores", "100", "--scheduler", "greedy", "--quiet", "all")
    measure([sys.executable, "-c", SLEEPLESS, *options, *touch], folder)


#: Every ready job is submitted to a command that prints something and does nothing.
SUBMIT = (
    *("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "echo"),
    *("--scheduler", "greedy", "--quiet", "reason", "--jobs"),
)
NOTHING = "Nothing to be done"
FIRST_LOOK, SUBMITTED = "Select jobs to execute", "with external jobid"


def measure_start(command: Sequence[str], folder: Path, n: int) -> float:
    """Return the seconds from the first look at the jobs until n of them are submitted.

    Raises
    ------
    RuntimeError
        With the end of its output, if the process ends before.
    """
    log = folder / "start.log"
    with open(log, "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, *SUBMIT, str(n)],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path[1:]))},
        )
    first = None
    try:
        while process.poll() is None:
            time.sleep(0.1)
            text = log.read_text(encoding="utf-8")
            if first is None and FIRST_LOOK in text:
                first = time.monotonic()
            if first is not None and text.count(SUBMITTED) >= n:
                return time.monotonic() - first
    finally:
        process.kill()
        process.wait()
    raise RuntimeError(f"{' '.join(command)}\n{log.read_text(encoding='utf-8')[-3000:]}")


def compare_start(run: Sequence[str], ours: Sequence[str], folder: Path, n: int) -> None:
    """Print how long n ready jobs take to be handed over, ours and bare ones."""
    write_cohort(folder, n)
    # Of each recording's jobs the first is ready.
    own = measure_start(ours, folder, n)
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "bare").write_text(EMPTY + BARE)
    size = ("--config", f"samples={n}", "rules=1", "alike=no")
    bare = measure_start([*run, "all", "--snakefile", "bare", *size], empty, n)
    print(f"{n} ready jobs handed over: {own:.1f} s, bare ones {bare:.1f} s ({own / bare:.2f})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--more", type=int, default=200)
    parser.add_argument("--up-to-date", action="store_true", help="as well with everything done")
    parser.add_argument("--pages", choices=("auto", "all", "new", "none"), default="auto")
    parser.add_argument("--start", type=int, default=0, help="start so many ready jobs, no more")
    asked = parser.parse_args()
    run = [sys.executable, "-m", "snakemake"]
    options = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "own.yaml")
    ours = [*run, *options]
    # Said to nobody is how many jobs there are; a dry run that tells looks at each once more.
    dry, telling = ["--dry-run", "--quiet"], ["--dry-run", "--quiet", "rules", "host"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.start:
            compare_start(run, ours, folder, asked.start)
            return
        write_cohort(folder, asked.recordings, asked.pages)
        measure([*ours, "--list-rules"], folder)  # checksums and modules are looked at once
        read = measure([*ours, "--list-rules"], folder)
        plan = measure([*ours, *dry], folder)
        told = measure([*ours, *telling], folder)
        jobs = jobs_of(told.output)
        each = round(sum(jobs.values()) / asked.recordings)
        print(f"{asked.recordings} recordings, {sum(jobs.values())} jobs, {each} a recording")
        print(read.row("configuration, sheet and sources"))
        print(plan.row("dry run, nothing done"))
        print(told.row("  that tells how many jobs there are"))
        empty = folder / "empty"
        empty.mkdir()
        (empty / "empty.py").write_text("")
        for kind, body in (("bare", BARE), ("alike", ALIKE)):
            (empty / kind).write_text(EMPTY + body)
            size = (f"samples={asked.recordings}", f"rules={each}")
            command = [*run, "all", "--snakefile", kind, *dry, "--scheduler", "greedy"]
            cost = measure(
                [*command, "--config", *size, f"alike={'yes' if kind == 'alike' else 'no'}"], empty
            )
            print(cost.row(f"as many empty jobs, {kind}"))
            print(
                f"{'  ours against it':<44}{plan.cpu_s / cost.cpu_s:9.2f}  "
                f"{plan.clock_s / cost.clock_s:9.2f}  {plan.memory_mb / cost.memory_mb:8.2f}"
            )
        if asked.up_to_date:
            touch_everything(options, folder)
            again = measure([*ours, *dry], folder)
            print(again.row("dry run, everything up to date"))
            if NOTHING not in again.output:
                would_run = jobs_of(measure([*ours, *telling], folder).output)
                print(f"  but these would run: {would_run}")
        write_cohort(folder, asked.recordings + asked.more, asked.pages)
        more = measure([*ours, *dry], folder)
        print(more.row(f"dry run, {asked.more} recordings more"))
        if asked.up_to_date:
            print(f"  of them run: {jobs_of(measure([*ours, *telling], folder).output)}")


if __name__ == "__main__":
    main()
