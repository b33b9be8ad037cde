"""Import the tracks of a recording that comes as a track file."""

from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import POSE_SCHEMA, write_pose
from fidgety.skeletons import from_dict
from workflow_scripts.stage import Job, run


def main(job: Job) -> None:
    """Read the file, whatever its format, and write it as a raw pose."""
    skeletons = [from_dict(values) for values in job.params.get("skeletons", [])]
    pose = read_track(job.input.track, skeletons)
    print(
        f"{pose.n_frames} frames, {pose.n_space}D, {pose.skeleton}, {pose.units}, "
        f"{pose.fps:g} frames a second: {dict(pose.details)}"
    )
    write_pose(job.output.pose, pose, job.provenance(libraries=("xarray", "h5netcdf")))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"pose": POSE_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
