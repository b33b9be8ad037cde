"""Run cleaning, features, training and prediction in this process: FOLDER, threads, kinds.

A program of its own, so that each run starts anew, with an environment of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.features.test_scripts import _run_both, _write
from tests.pose.infant import infant_pose
from tests.training.conftest import Cohort
from tests.training.synthetic import write_recording
from tests.training.test_predict import Names, listed, train_job, write_clean
from workflow_scripts import predict_infant, train_model
from workflow_scripts.stage import Job


def main(folder: Path, threads: int, kinds: list[str]) -> None:
    """Leave ``pose/``, ``models/`` and ``new.h5`` in the folder."""
    pose = folder / "pose"
    pose.mkdir(parents=True)
    _write(pose, infant_pose(6.0))
    _run_both(pose)
    cohort = Cohort(folder / "cohort")
    for kind in kinds:
        for fold in (1, 2):
            job = train_job(cohort, folder, kind, fold)
            job.threads = threads
            train_model.main(job)
    write_recording(folder / "new.features.h5", True, 8.0, 25.0, seed=500)
    job = Job(
        Names(
            features=[str(folder / "new.features.h5")],
            models=listed(folder, folder),
            clean=[write_clean(folder / "new.clean.h5", 8.0)],
            folds=str(folder / "folds.tsv"),
        ),
        Names(predictions=str(folder / "new.h5")),
        Names(infant="new", recordings=["new"], role="new", config={}, inclusion={}, code="c0de"),
        Names(infant="new"),
        threads,
    )
    predict_infant.main(job)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
