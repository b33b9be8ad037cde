"""Unpack the models of a bundle, each file checked against its checksum, and try to load them."""

from pathlib import Path

from fidgety.bundle.archive import unpack_models
from fidgety.errors import ConfigError
from fidgety.training.fold_model import load_fold_model
from workflow_scripts.stage import Job, run


def try_to_load(path: Path) -> None:
    """Load a model once: weights that do not fit their description are found before any infant.

    Raises
    ------
    ConfigError
        If they do not: whoever made the checksums made them of something else than a model.
    """
    try:
        load_fold_model(path)
    except Exception as error:
        name = "/".join(path.parts[-3:])
        raise ConfigError(
            f"bundle: {name} cannot be used ({type(error).__name__}: {str(error)[:300]}). Ask for "
            "the bundle anew."
        ) from None


def main(job: Job) -> None:
    """Write the models below the folder that their places have in common."""
    models = [Path(path) for path in job.output.models]
    bundle = unpack_models(job.input.bundle, models[0].parents[2], str(job.params.bundle))
    for path in models:
        try_to_load(path)
    print(f"unpacked {', '.join(bundle.manifest.models)} of bundle {bundle.identity}")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
