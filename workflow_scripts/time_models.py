"""Time one fold model of every system on the first recording that it has a result of."""

from pathlib import Path

import pandas as pd
import torch

from fidgety.datasets.folds import read_folds
from fidgety.errors import NotAssessable
from fidgety.evaluation.cost import SPEED_COLUMNS
from fidgety.files import atomic_path
from fidgety.pose.summary import read_summary
from fidgety.training.fold_model import load_fold_model
from fidgety.training.predict import choose_models
from fidgety.training.speed import TimedRecording, time_model
from workflow_scripts.stage import Job, run


def timed_recordings(job: Job) -> list[TimedRecording]:
    """Return the recordings that may be timed, in the order of preference."""
    pixels = {Path(p).stem: Path(p) for p in job.input.get("pixels") or []}
    return [
        TimedRecording(
            recording=str(name),
            infant=str(infant),
            minutes=(read_summary(clean).duration_s or 0.0) / 60,
            features=Path(features),
            pixels=pixels.get(str(name)),
        )
        for name, infant, features, clean in zip(
            job.params.recordings,
            job.params.infants,
            job.input.features,
            job.input.clean,
            strict=True,
        )
    ]


def main(job: Job) -> None:
    """Read models and recordings, write the seconds of every round."""
    torch.set_num_threads(job.threads)
    entries = read_folds(job.input.folds) if job.input.get("folds") else []
    recordings = timed_recordings(job)
    rows: list[tuple] = []
    for model in [str(m) for m in job.params.models]:
        own = [p for p in job.input.models if Path(p).parts[-3] == model]
        reason = "there is no recording to assess"
        for one in recordings:
            fold_model = load_fold_model(choose_models(one.infant, entries, own)[model][0])
            try:
                seconds = time_model(
                    fold_model, one, int(job.params.rounds), job.params.get("characteristics") or {}
                )
            except NotAssessable as error:
                reason = f"{one.recording}: {error}"
                continue
            rows += [
                (model, one.recording, one.minutes, k, s, "")
                for k, s in enumerate(seconds, start=1)
            ]
            break
        else:
            rows.append((model, "", 0.0, 0, float("nan"), reason))
    table = pd.DataFrame(rows, columns=list(SPEED_COLUMNS))
    with atomic_path(job.output.speed) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
