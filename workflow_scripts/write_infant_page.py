"""Write the page of one infant, its figures as files, and cut the clips to look at first."""

from pathlib import Path

from fidgety.config.report import ReportConfig
from fidgety.evaluation.predictions import InfantPredictions, read_infant
from fidgety.files import atomic_directory, write_text
from fidgety.report.clips import (
    LIST,
    choose_clips,
    clip_model,
    cut_clip,
    list_clips,
    overlay_length_s,
)
from fidgety.report.infant import infant_page, write_figures
from fidgety.report.pages import to_tsv
from workflow_scripts.stage import Job, run


def cut_clips(job: Job, said: InfantPredictions, config: ReportConfig) -> None:
    """Cut the clips most and least like fidgety movements out of the overlay videos; list them."""
    recordings = [str(row["recording"]) for row in job.params.rows]
    media = dict(zip(recordings, map(Path, job.input.media), strict=True))
    name = clip_model(said.models, config.best_clips_model)
    lengths_s = {recording: overlay_length_s(path) for recording, path in media.items()}
    clips = (
        []
        if name is None
        else choose_clips(name, said.models[name], config.best_clips, lengths_s, config.least_clips)
    )
    with atomic_directory(str(job.output.clips)) as folder:
        for clip in clips:
            cut_clip(media[clip.recording], clip, folder / clip.file)
        write_text(folder / LIST, to_tsv(list_clips(clips)))
    if name is None:
        who = config.best_clips_model or "no model that finds fidgety movements"
        print(f"{who}: there is no result, so there are no clips")


def main(job: Job) -> None:
    """Read what the stages found, write clips, figures and page."""
    config = ReportConfig.model_validate(job.params.config)
    said = read_infant(str(job.input.predictions))
    clips = job.output.get("clips")
    if clips:
        cut_clips(job, said, config)
    figures = job.output.get("figures")
    if figures:
        with atomic_directory(str(figures)) as folder:
            write_figures(
                folder,
                said,
                [str(row["recording"]) for row in job.params.rows],
                [str(p) for p in job.input.clean],
                [str(p) for p in job.input.quality],
                job.params.intervals,
                [bool(c["at_risk"]) for c in job.params.classes],
            )
    write_text(
        job.output.page,
        infant_page(
            infant=str(job.params.infant),
            predictions=said,
            rows=job.params.rows,
            clean=[str(p) for p in job.input.clean],
            records=[str(p) for p in job.input.get("quality", [])],
            media=[str(p) for p in job.input.media],
            page=str(job.output.page),
            intervals=job.params.intervals,
            classes=job.params.classes,
            config=config,
            threshold=job.params.get("threshold"),
            clips=str(clips) if clips else None,
            pictures=str(job.input.pictures) if job.input.get("pictures") else None,
            continuous_from=job.params.get("continuous_from", ""),
            figures=str(figures) if figures else None,
            bundle=job.params.get("bundle"),
            learned=job.params.get("learned"),
        ),
    )


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
