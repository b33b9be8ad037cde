"""Split the probabilities of the study's MAM into contributions; tabulate its pooling weights."""

import pandas as pd
import torch

from fidgety.evaluation.predictions import read_infant
from fidgety.files import job_seed, write_text
from fidgety.report.pages import to_tsv
from fidgety.training.explain import SHAP_COLUMNS, contributions, infant_info, pooling_weights
from fidgety.training.fold_model import load_fold_model
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read models and predictions, write contributions and weights."""
    torch.set_num_threads(job.threads)
    model = str(job.params.model)
    fold_models = {b.fold: b for b in (load_fold_model(str(path)) for path in job.input.models)}
    asked = [read_infant(str(path)) for path in job.input.predictions]
    predictions = {p.infant: p.models[model] for p in asked if model in p.models}
    rows = job.params.get("characteristics") or {}
    table = pd.DataFrame(columns=list(SHAP_COLUMNS))
    if all(fold_model.info_scaling is not None for fold_model in fold_models.values()):
        info = {k: infant_info(p.sources, rows) for k, p in predictions.items()}
        roles = {p.infant: p.role for p in asked}
        table = contributions(
            fold_models, predictions, roles, info, job_seed(job.params.seed, model)
        )
    else:
        print(f"{model} reads no characteristics: there is nothing to split")
    write_text(job.output.contributions, to_tsv(table))
    write_text(job.output.weights, to_tsv(pooling_weights(fold_models)))


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
