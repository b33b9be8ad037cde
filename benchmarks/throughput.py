"""What the line from video to features costs, read from a finished run.

Snakemake wrote each job's time and memory below ``results/benchmarks``; the records of the standard
videos say how long the recordings are. Printed are, a stage: processor seconds a second of video
(the start of the job included), largest memory, disk for five minutes; and what a thousand videos
of five minutes would take.

``python -m benchmarks.throughput --results results`` after ``make run``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

#: Stages of a recording with a video, and where each writes.
STAGES = {
    "standardise_video": ("video/{recording}.mp4",),
    "extract_background": ("background/{recording}.h5",),
    "estimate_pose": ("pose/raw/{recording}.h5",),
    "clean_pose": ("pose/clean/{recording}.h5", "pose/lifted/{recording}.h5"),
    "build_features": ("features/{recording}.h5",),
}
FIVE_MINUTES_S = 300
VIDEOS = 1000


@dataclass(frozen=True)
class Cost:
    """What a stage takes.

    Parameters
    ----------
    cpu_s
        Processor seconds a second of video.
    memory_mb
        Largest of all its jobs.
    disk_mb
        For five minutes.
    """

    cpu_s: float
    memory_mb: float
    disk_mb: float

    def row(self, name: str) -> str:
        """Return it as a line of the table."""
        return f"{name:<22}{self.cpu_s:8.2f}{self.memory_mb:10.0f}{self.disk_mb:10.0f}"


def durations(results: Path) -> dict[str, float]:
    """Return the seconds of every recording that has a standard video."""
    found = {}
    for path in sorted((results / "video").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("status") == "ok":
            found[path.stem] = float(record["duration_s"])
    return found


def stage_cost(results: Path, stage: str, lengths: Mapping[str, float]) -> Cost:
    """Sum up a stage over the recordings of which it has a benchmark.

    Raises
    ------
    ValueError
        If there is none.
    """
    cpu_s = memory_mb = n_bytes = seconds = 0.0
    for recording, length_s in lengths.items():
        path = results / "benchmarks" / stage / f"{recording}.tsv"
        if not path.exists():
            continue
        used = pd.read_csv(path, sep="\t").iloc[0]
        cpu_s += float(used["cpu_time"])
        memory_mb = max(memory_mb, float(used["max_rss"]))
        made = [results / pattern.format(recording=recording) for pattern in STAGES[stage]]
        n_bytes += sum(one.stat().st_size for one in made if one.exists())
        seconds += length_s
    if not seconds:
        raise ValueError(f"{results}: no recording with a video has a benchmark of {stage}")
    return Cost(cpu_s / seconds, memory_mb, n_bytes / seconds * FIVE_MINUTES_S / 1e6)


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results"))
    results = parser.parse_args().results
    lengths = durations(results)
    if not lengths:
        parser.error(f"{results}: has no recording with a video; run the workflow first")
    print(f"{len(lengths)} videos, {sum(lengths.values()):.0f} s")
    print(f"{'stage':<22}{'cpu s/s':>8}{'MB':>10}{'MB/5 min':>10}")
    costs = {stage: stage_cost(results, stage, lengths) for stage in STAGES}
    for stage, cost in costs.items():
        print(cost.row(stage))
    whole = Cost(
        sum(c.cpu_s for c in costs.values()),
        max(c.memory_mb for c in costs.values()),
        sum(c.disk_mb for c in costs.values()),
    )
    print(whole.row("together"))
    hours = whole.cpu_s * FIVE_MINUTES_S * VIDEOS / 3600
    print(f"{VIDEOS} videos of five minutes: {hours:.0f} core-hours, "
          f"{whole.disk_mb * VIDEOS / 1000:.0f} GB")  # fmt: skip


if __name__ == "__main__":
    main()
