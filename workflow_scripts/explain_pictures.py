"""Find what the models of pictures look at in an infant's clips."""

from pathlib import Path

import torch

from fidgety.evaluation.predictions import read_infant
from fidgety.storage import write_dataset
from fidgety.training.description import read_description
from fidgety.training.fold_model import load_fold_model
from fidgety.training.grad_cam import look_at
from fidgety.training.looks import LOOK_SCHEMA, Look, to_dataset
from fidgety.training.model_list import read_model_list
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read predictions, models and pixels, write the maps."""
    torch.set_num_threads(job.threads)
    said = read_infant(str(job.input.predictions)).models
    pixels = {Path(path).stem: Path(path) for path in job.input.pixels}
    described = [(path, read_description(path)) for path in read_model_list(job.input.models)]
    looks: list[Look] = []
    for name in sorted(str(model) for model in job.params.models):
        prediction = said.get(name)
        if prediction is None or not prediction.outcome.ok:
            continue
        own = [p for p, d in described if d["model"] == name and d["fold"] in prediction.folds]
        fold_models = [load_fold_model(path) for path in own]
        looks += look_at(name, fold_models, prediction, pixels, int(job.params.n))
    write_dataset(
        job.output.looks,
        to_dataset(looks),
        schema=LOOK_SCHEMA,
        provenance=job.provenance(libraries=("torch", "captum", "numpy")),
    )
    print(f"{len(looks)} clips")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
