"""Cut the clips with the likeliest fidgety movements out of an infant's overlay videos."""

from pathlib import Path

from fidgety.evaluation.predictions import read_infant
from fidgety.report.clips import (
    LIST,
    choose_clips,
    clip_model,
    cut_clip,
    list_clips,
    overlay_length_s,
)
from fidgety.report.pages import to_tsv
from fidgety.storage import atomic_directory, write_text
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read predictions, write clips and their list."""
    media = dict(
        zip([str(r) for r in job.params.recordings], map(Path, job.input.media), strict=True)
    )
    models = read_infant(str(job.input.predictions)).models
    name = clip_model(models, job.params.model)
    lengths_s = {recording: overlay_length_s(path) for recording, path in media.items()}
    n = int(job.params.n)
    clips = [] if name is None else choose_clips(name, models[name], n, lengths_s)
    with atomic_directory(str(job.output.clips)) as folder:
        for clip in clips:
            cut_clip(media[clip.recording], clip, folder / clip.file)
        write_text(folder / LIST, to_tsv(list_clips(clips)))
    if name is None:
        who = job.params.model or "no model that finds fidgety movements"
        print(f"{who}: there is no result, so there are no clips")


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
