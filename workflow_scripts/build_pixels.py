"""Cut aligned crops of the body alone out of a video, and compute their optical flow."""

from pathlib import Path

from fidgety.config.pixels import PixelsConfig
from fidgety.pixels.build import build_pixels
from fidgety.pixels.store import PIXELS_SCHEMA
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write crops and flow, or hand the reason on."""
    read_video_record(job.input["record"]).outcome.raise_if_not_ok()
    build_pixels(
        Path(job.input["video"]),
        Path(job.input["background"]),
        Path(job.input["clean"]),
        Path(job.output["pixels"]),
        PixelsConfig.model_validate(job.params["config"]),
        job.provenance(libraries=("av", "opencv-contrib-python-headless")),
        threads=job.threads,
        name=str(job.wildcards.get("recording", "")),
    )


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"pixels": PIXELS_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
