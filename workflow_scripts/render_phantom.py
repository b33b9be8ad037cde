"""Render a phantom as a phone's video, with its truth."""

from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the specification, write video and truth."""
    from fidgety.phantom.plan import PhantomSpec
    from fidgety.phantom.record import record_video

    spec = PhantomSpec.from_dict(job.params.spec)
    libraries = ("anny", "av", "numpy", "pyvista", "torch", "vtk")
    provenance = job.provenance(seed=spec.seed, libraries=libraries)
    record_video(spec, job.output.video, job.output.truth, provenance)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
