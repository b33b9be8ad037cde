"""Train one model for one fold; the fold's own infants are not read."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from fidgety.datasets.folds import read_folds, read_table
from fidgety.datasets.shelf import Shelf
from fidgety.errors import RefusedError
from fidgety.files import atomic_path, file_sha256
from fidgety.training.fold import train_fold
from fidgety.training.fold_model import write_fold_model, write_refused
from fidgety.training.gather import FoldJob, gather
from fidgety.training.lit import HISTORY_COLUMNS
from workflow_scripts.stage import Job, run


def reference_tables(job: Job) -> list[str]:
    """Return the path of the reference cohorts' table, if the study has one."""
    found = job.input.get("reference") or []
    return [found] if isinstance(found, str) else [str(path) for path in found]


def decisive_parts(job: Job) -> dict[str, Any]:
    """Return what decides the training: its tables, features, parameters and code."""
    tables = [job.input.folds, job.input.cohort, *reference_tables(job)]
    return {
        "inputs": [file_sha256(path) for path in (*tables, *job.input.features)],
        "params": {
            k: job.params.get(k)
            for k in (
                "config",
                "classes",
                "intervals",
                "characteristics",
                "files_sha256",
                "seed",
                "code",
            )
        },
    }


def main(job: Job) -> None:
    """Read folds, cohorts and features, write weights, description and history."""
    torch.set_num_threads(job.threads)
    name, fold = str(job.wildcards.model), int(job.wildcards.fold)
    config = {**job.params.config, "training": job.on_device(job.params.config["training"])}
    fold_job = FoldJob.of(name, fold, config, job.params.classes, int(job.params.seed))
    reference = reference_tables(job)
    with job.alone():
        try:
            trained_fold(job, fold_job, reference)
        except RefusedError as error:
            if job.params.get("refusals") != "record":
                raise
            print(f"not trained: {error}")
            record_refusal(job, fold_job, str(error))
        shutil.rmtree(job.params.work, ignore_errors=True)


def record_refusal(job: Job, fold_job: FoldJob, reason: str) -> None:
    """Write that the model could not be trained, in place of the model."""
    with atomic_path(job.output.history) as temporary:
        pd.DataFrame(columns=list(HISTORY_COLUMNS)).to_csv(temporary, sep="\t", index=False)
    known = {"model": fold_job.model, "kind": fold_job.kind, "fold": fold_job.fold}
    write_refused(job.output.weights, job.output.model, reason, known)


def trained_fold(job: Job, fold_job: FoldJob, reference: list[str]) -> None:
    """Train the fold's model and write it."""
    name, fold = fold_job.model, fold_job.fold
    work = job.work_folder(decisive_parts(job))
    data = gather(
        fold_job,
        read_folds(job.input.folds),
        read_table(job.input.cohort),
        {Path(path).stem: Path(path) for path in job.input.features},
        read_table(reference[0]) if reference else None,
        job.params.get("characteristics") or {},
        Shelf(work),
    )
    print(
        f"{name}, fold {fold}: {len(data.labels)} training and "
        f"{len(data.validation_labels)} validation infants, "
        f"{len({s.infant for s in data.reference})} reference infants"
    )
    for what, why in data.left_out.items():
        print(f"left out: {what}: {why}")
    trained = train_fold(
        fold_job, data, list(job.params.intervals), work, readers=max(job.threads - 1, 0)
    )
    provenance = job.provenance(
        seed=int(job.params.seed),
        libraries=("torch", "lightning", "numpy", *fold_job.system.libraries),
    )
    description = {**trained.description, "provenance": json.loads(provenance.to_json())}
    with atomic_path(job.output.history) as temporary:
        trained.history.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    write_fold_model(job.output.weights, job.output.model, trained.network, description)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
