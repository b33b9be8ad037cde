"""Tell the body from the background in one recording."""

from fidgety.background.extract import SCHEMA, extract_background
from fidgety.background.registry import BACKGROUNDS
from fidgety.config.background import BackgroundConfig
from fidgety.config.options import parse_options
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the masks, or hand the video's reason on."""
    read_video_record(job.input["record"]).outcome.raise_if_not_ok()
    config = BackgroundConfig.model_validate(job.params["config"])
    kind = BACKGROUNDS.get(config.method)
    with kind(parse_options(kind.Options, config.options, "background.options")) as method:
        extract_background(
            job.input["video"],
            job.output["background"],
            method,
            config,
            job.provenance(libraries=("av", *kind.libraries)),
            name=str(job.wildcards.get("recording", "")),
        )


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"background": SCHEMA})  # type: ignore[name-defined]  # noqa: F821
