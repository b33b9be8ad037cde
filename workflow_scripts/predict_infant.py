"""Ask every model about one infant: the fold model that never saw it, or all of them."""

from pathlib import Path

import torch

from fidgety.config.inclusion import InclusionConfig
from fidgety.datasets.folds import read_folds
from fidgety.errors import NotAssessable, Reason
from fidgety.inclusion import duration_decision
from fidgety.pose.summary import read_summary
from fidgety.training.model_list import read_model_list
from fidgety.training.predict import predict_infant
from fidgety.training.results import write_predictions
from workflow_scripts.stage import Job, run


def too_short(clean: dict[str, str], inclusion: InclusionConfig) -> dict[str, NotAssessable]:
    """Return the recordings that the criterion of duration leaves out."""
    found = {}
    for recording, path in clean.items():
        duration_s = read_summary(path).duration_s
        if duration_s is None:
            continue
        decision = duration_decision(inclusion, duration_s)
        if not decision.included:
            found[recording] = NotAssessable(Reason.EXCLUDED, decision.detail)
    return found


def main(job: Job) -> None:
    """Read features and models, write the infant's predictions."""
    torch.set_num_threads(job.threads)
    infant = str(job.params.infant)
    features = [Path(path) for path in job.input.features]
    recordings = dict(zip([str(r) for r in job.params.recordings], features, strict=True))
    clean = dict(zip(recordings, [str(p) for p in job.input.clean], strict=True))
    pixels = {Path(p).stem: Path(p) for p in job.input.get("pixels") or []}
    excluded = too_short(clean, InclusionConfig.model_validate(dict(job.params.inclusion)))
    predictions = predict_infant(
        infant,
        recordings,
        read_folds(job.input.folds) if job.input.get("folds") else [],
        read_model_list(job.input.models),
        excluded,
        str(job.params.get("other_units", "refuse")),
        job.params.get("characteristics") or {},
        pixels,
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
