"""Write a phantom's track, the known skeleton with measured noise, with its truth."""

from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the specification, write track and truth."""
    from fidgety.phantom.plan import PhantomSpec
    from fidgety.phantom.record import record_track

    spec = PhantomSpec.from_dict(job.params.spec)
    provenance = job.provenance(seed=spec.seed, libraries=("anny", "numpy", "scipy", "torch"))
    record_track(spec, job.output.track, job.output.truth, provenance)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
