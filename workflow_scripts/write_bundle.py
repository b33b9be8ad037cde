"""Pack the trained models, what they need and what is known of them."""

from functools import partial

from fidgety.bundle.card import characteristics, model_card, training_numbers
from fidgety.bundle.write import write_bundle
from fidgety.datasets.folds import read_table
from fidgety.errors import ConfigError
from fidgety.evaluation.records import read_cohorts
from fidgety.files import read_json
from fidgety.fingerprint import library_versions
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read models, folds, cohorts and evaluation, write folder and archive."""
    params = job.params
    if params.refused:
        raise ConfigError("\n".join(params.refused))
    models: dict[str, dict[int, str]] = {}
    for (name, fold), path in zip(params.model_of, job.input.models, strict=True):
        models.setdefault(str(name), {})[int(fold)] = str(path)
    folds = read_table(job.input.folds)
    development = read_cohorts([job.input.development])
    reference = job.input.get("reference") or []
    numbers = training_numbers(
        folds,
        development,
        read_cohorts([str(reference)]) if reference else None,
    )
    name = write_bundle(
        job.output.folder,
        job.output.archive,
        models=models,
        described={
            "classes": [dict(c) for c in params.classes],
            "folds": len(next(iter(models.values()))),
            "models": dict(params.models),
            "configuration": dict(params.configuration),
            "needs": dict(params.needs),
            "training": numbers,
            "stages": dict(params.stages),
            "libraries": library_versions(params.libraries),
            "licence": str(params.licence),
            "contact": str(params.contact),
        },
        card=partial(
            model_card,
            metrics=read_json(job.input.summary)["metrics"],
            described=characteristics(folds, development),
            confidence=float(params.confidence),
            with_infants=list(params.with_infants),
        ),
    )
    print(f"bundle {name}")
    print(
        f"\nThe bundle: {job.output.archive}\nIts identity: {name}", file=job.terminal, flush=True
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
