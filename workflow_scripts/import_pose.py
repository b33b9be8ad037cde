"""Import the tracks of a recording that comes with a track file."""

from fidgety.errors import ConfigError
from fidgety.pose.importers.onto_video import onto_video
from fidgety.pose.importers.reader import read_track
from fidgety.pose.tracks import POSE_SCHEMA, write_pose
from fidgety.skeletons import from_dict
from fidgety.video.record import read_video_record
from workflow_scripts.stage import Job, run

LIBRARIES = ("h5netcdf", "h5py", "pandas", "scipy", "sleap-io", "xarray")


def main(job: Job) -> None:
    """Read the file, whatever its format, and write it as a raw pose.

    A video beside the tracks gives their times; they are brought onto its standard form. A video
    that is not assessable leaves the tracks as they are.
    """
    recording = str(job.wildcards.get("recording", ""))
    record = read_video_record(job.input["record"]) if job.input.get("record") else None
    if record is not None and not record.outcome.ok:
        print(f"the video is not used: {record.outcome.reason}: {record.outcome.detail}")
        record = None
    fps = job.params.get("fps") or (record.source_fps if record else None)
    try:
        pose = read_track(
            job.input["track"],
            [from_dict(values) for values in job.params.get("skeletons", [])],
            fps=fps,
            keypoint_names=job.params["config"].get("keypoint_names"),
        )
    except ConfigError as error:
        raise ConfigError(f"recording {recording}: {error}.") from None
    if record is not None:
        pose = onto_video(pose, record)
    print(
        f"{pose.n_frames} frames, {pose.n_space}D, {pose.skeleton}, {pose.units}, "
        f"{pose.fps:g} frames a second: {dict(pose.details)}"
    )
    write_pose(job.output["pose"], pose, job.provenance(libraries=LIBRARIES))


if __name__ == "__main__":
    run(main, snakemake, not_assessable={"pose": POSE_SCHEMA})  # type: ignore[name-defined]  # noqa: F821
