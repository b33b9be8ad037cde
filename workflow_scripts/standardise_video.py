"""Standardise one recording's video."""

from dataclasses import replace
from pathlib import Path

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable
from fidgety.files import file_sha256
from fidgety.video.record import write_not_assessable_video, write_video_record
from fidgety.video.standardise import export_frames, standardise_video
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the standard video and its record, or an empty video and the reason."""
    config = VideoConfig.model_validate(job.params["config"])
    recording = str(job.wildcards.get("recording", ""))
    video, record = job.output["video"], job.output["record"]
    provenance = job.provenance(libraries=("av", "numpy"))
    if not provenance.input_sha256:
        provenance = replace(provenance, input_sha256=file_sha256(job.input["video"]))
    try:
        result = standardise_video(
            job.input["video"],
            video,
            config,
            crop=job.params.get("crop"),
            source_sha256=provenance.input_sha256,
            threads=job.threads,
            name=recording,
        )
    except NotAssessable as error:
        print(f"not assessable: {error}")
        write_not_assessable_video(video, record, error, provenance)
        return
    for warning in result.warnings:
        print(f"warning: {warning}")
    frames = job.params.get("frames")
    if config.export_frames != "none" and frames:
        job.beside.append(Path(frames) / recording)
        export_frames(video, job.beside[-1], config.export_frames)
    write_video_record(record, result, provenance)


if __name__ == "__main__":
    run(main, snakemake)  # type: ignore[name-defined]  # noqa: F821
