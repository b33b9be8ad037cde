"""Write the page of one infant."""

from fidgety.config.report import ReportConfig
from fidgety.evaluation.predictions import read_infant
from fidgety.report.infant import infant_page
from fidgety.storage import write_text
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read what the stages found, write the page."""
    write_text(
        job.output.page,
        infant_page(
            infant=str(job.params.infant),
            predictions=read_infant(str(job.input.predictions)),
            rows=job.params.rows,
            clean=[str(p) for p in job.input.clean],
            records=[str(p) for p in job.input.get("quality", [])],
            media=[str(p) for p in job.input.media],
            page=str(job.output.page),
            intervals=job.params.intervals,
            classes=job.params.classes,
            config=ReportConfig.model_validate(job.params.config),
            threshold=job.params.get("threshold"),
            clips=str(job.input.clips) if job.input.get("clips") else None,
            pictures=str(job.input.pictures) if job.input.get("pictures") else None,
            continuous_from=job.params.get("continuous_from", ""),
            bundle=job.params.get("bundle"),
        ),
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
