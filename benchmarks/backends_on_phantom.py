"""Every pose estimator against one phantom's truth: ``python -m benchmarks.backends_on_phantom``.

Runs ``snakemake compare_pose`` on a rendered phantom in a scratch folder and prints its table.
Estimators whose weights are a user's own get weights that prove only that they run: networks of
random weights but for a last layer that was fitted, by least squares, to *another* phantom. Their
errors say nothing about the published weights. Compare those by ``--backends``, a YAML file with
what belongs under ``compare_pose.backends``.

``python -m benchmarks.importers_on_phantom`` is the same of the importers.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.conftest import copy_project

#: Recording of the tiny cohort that is compared on.
RECORDING = "phantom-ext-01"
PLAIN: dict[str, dict[str, Any]] = {
    "mediapipe-tracking": {"method": "mediapipe", "options": {"mode": "tracking"}},
    "mediapipe-static": {"method": "mediapipe", "options": {"mode": "static"}},
}
FITTED = (
    "random weights, a last layer fitted to another phantom: it runs, and says nothing about the "
    "published weights."
)


def own_weights(folder: Path) -> dict[str, dict[str, Any]]:
    """Make stand-ins for the weights that a user brings, and return their backends."""
    from tests.pose.fitted import CONFIG, fitted_checkpoint
    from tests.pose.sight import load_phantom
    from tests.pose.task_file import write_task_file
    from tests.pose.tiny_vitpose import fitted_model, save

    phantom = load_phantom()
    return {
        "mediapipe-tasks": {
            "method": "mediapipe_tasks",
            "options": {"model": str(write_task_file(folder / "pose.task"))},
            "note": "the networks of mediapipe's own package in a .task file.",
        },
        "mmpose-rtmpose-t": {
            "method": "mmpose",
            "options": {
                "config": CONFIG,
                "checkpoint": str(fitted_checkpoint(folder / "rtmpose.pth", phantom)),
                "min_score": 0.0,
            },
            "note": FITTED,
        },
        "vitpose-tiny": {
            "method": "vitpose",
            "options": {
                "folder": str(save(fitted_model(phantom), folder / "vitpose")),
                "min_score": 0.0,
            },
            "note": FITTED,
        },
    }


def main() -> None:
    """Run the comparison and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", type=Path, help="YAML file: compare_pose.backends")
    parser.add_argument("--duration-s", type=float, default=6.0, help="length of the phantom")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder to run in, kept with all results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch) / "run"
        workflow = copy_project(folder)
        if arguments.backends:
            backends = yaml.safe_load(arguments.backends.read_text(encoding="utf-8"))
        else:
            backends = PLAIN | own_weights(folder)
        workflow.configure(
            phantom={"preset": "tiny", "duration_s": arguments.duration_s},
            compare_pose={"backends": backends, "recordings": [RECORDING]},
        )
        workflow.run("compare_pose", "--cores", str(arguments.cores))
        print((folder / "results" / "compare" / "pose.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
