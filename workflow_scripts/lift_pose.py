"""Lift the clean pose of one recording to 3D."""

from fidgety.config.cleaning import CleaningConfig
from fidgety.config.lifting import LiftingConfig
from fidgety.config.options import parse_options
from fidgety.pose.cleaning import Cleaned
from fidgety.pose.lifters.registry import LIFTERS
from fidgety.pose.lifting import lift
from fidgety.pose.tracks import POSE_SCHEMA, read_pose, write_pose
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Write the lifted pose, or hand on the reason of the clean one."""
    config = LiftingConfig.model_validate(job.params["config"])
    kind = LIFTERS.get(config.method)
    options = job.on_device(config.options)
    lifter = kind(parse_options(kind.Options, options, "lifting.options"))
    lifter.use_threads(job.threads)
    picture = None
    if record := job.input.get("record"):
        video = read_video_record(record)
        picture = (video.width_px, video.height_px)
    cleaning = CleaningConfig.model_validate(job.params["cleaning"])
    lifted = lift(Cleaned(read_pose(job.input["clean"])), cleaning, lifter, picture)
    print(f"{lifted.n_frames} frames: {lifted.details['lifting']}")
    write_pose(job.output["lifted"], lifted, job.provenance(libraries=kind.libraries))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"lifted": POSE_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
