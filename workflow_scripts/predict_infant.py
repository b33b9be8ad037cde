"""Ask every model about one infant: the fold model that never saw it, or all of them."""

from pathlib import Path

import torch

from fidgety.datasets.folds import read_folds
from fidgety.training.predict import predict_infant
from fidgety.training.results import write_predictions
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read features and models, write the infant's predictions."""
    torch.set_num_threads(job.threads)
    infant = str(job.params.infant)
    features = [Path(path) for path in job.input.features]
    recordings = dict(zip([str(r) for r in job.params.recordings], features, strict=True))
    predictions = predict_infant(
        infant, recordings, read_folds(job.input.folds), list(job.input.models)
    )
    write_predictions(
        job.output.predictions,
        predictions,
        infant=infant,
        role=str(job.params.role),
        provenance=job.provenance(libraries=("torch", "numpy")),
    )
    for model, said in predictions.items():
        if said.outcome.ok:
            print(
                f"{model}: risk {said.risk_probability:.3f} "
                f"({'positive' if said.positive else 'negative'}) by "
                f"{len(said.folds)} fold models, {len(said.start_s)} instances"
            )
        else:
            print(f"{model}: not assessable: {said.outcome.reason}: {said.outcome.detail}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
