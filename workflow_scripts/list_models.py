"""List the fold models that infants are assessed with."""

from fidgety.training.model_list import write_model_list
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the models' descriptions, write their list."""
    n = write_model_list(job.output.models, [str(path) for path in job.input.models])
    print(f"{n} fold models")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
