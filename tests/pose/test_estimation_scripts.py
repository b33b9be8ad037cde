"""The scripts of the rules estimate_pose and import_pose, run by hand."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from fidgety.config.background import BackgroundConfig
from fidgety.config.pose import PoseConfig
from fidgety.errors import ConfigError, NotAssessable, Reason
from fidgety.pose.tracks import read_pose, to_dataset
from fidgety.storage import Provenance, read_provenance, write_dataset, write_not_assessable
from fidgety.video.record import VideoRecord, write_not_assessable_video, write_video_record
from tests.pose.sight import DATA, load_phantom
from workflow_scripts.estimate_pose import main as estimate
from workflow_scripts.import_pose import main as import_
from workflow_scripts.stage import Job


class Files(dict[str, str]):
    """Names with attributes, as Snakemake gives them."""

    def __getattr__(self, name: str) -> str:
        return self[name]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Make a job of estimate_pose on the small phantom."""
    return make_job(tmp_path)


def make_job(tmp_path: Path, follows_one: int = 0) -> Job:
    """Make a job of estimate_pose on the small phantom, its upstream files in place."""
    video, record = tmp_path / "video.mp4", tmp_path / "video.json"
    background = tmp_path / "background.h5"
    shutil.copy(DATA / "phantom.mp4", video)
    phantom = load_phantom()
    n, height, width = phantom.masks.shape
    write_video_record(
        record,
        VideoRecord(width_px=width, height_px=height, fps=25.0, n_frames=n, duration_s=n / 25),
        Provenance(),
    )
    write_dataset(
        background,
        xr.Dataset(
            {"mask": (("frame", "height", "width"), phantom.masks[:, ::2, ::2])},
            attrs={
                "scale": 0.5,
                "fps": 25.0,
                "method": "test",
                "follows_one": follows_one,
                "video_width_px": width,
                "video_height_px": height,
            },
        ),
        schema="background/1",
        provenance=Provenance(),
    )
    return Job(
        input=Files(video=str(video), record=str(record), background=str(background)),
        output=Files(pose=str(tmp_path / "pose.h5")),
        params={
            "config": PoseConfig().model_dump(mode="json"),
            "background": BackgroundConfig().model_dump(mode="json"),
            "code": "abc",
        },
        wildcards={"recording": "baby-01"},
    )


def test_a_video_becomes_a_pose(job: Job) -> None:
    estimate(job)
    pose, phantom = read_pose(job.output["pose"]), load_phantom()
    assert np.mean(phantom.errors(pose.position) < 0.2) >= 0.95
    np.testing.assert_allclose(pose.time_s, np.arange(len(phantom.frames)) / 25)
    provenance = read_provenance(job.output["pose"])
    assert provenance["recording"] == "baby-01"
    assert provenance["code"] == "abc"
    assert provenance["libraries"]["mediapipe"]


@pytest.mark.parametrize("follows_one", [0, 1])
def test_a_mask_of_one_person_leaves_open_who_else_is_there(
    tmp_path: Path, follows_one: int
) -> None:
    job = make_job(tmp_path, follows_one)
    estimate(job)
    assert read_pose(job.output["pose"]).details["persons"]["known"] is not bool(follows_one)


def test_the_same_again_gives_the_same_bytes(job: Job) -> None:
    estimate(job)
    first = Path(job.output["pose"]).read_bytes()
    estimate(job)
    assert Path(job.output["pose"]).read_bytes() == first


def test_the_background_option_reaches_the_estimator(job: Job) -> None:
    estimate(job)
    plain = read_pose(job.output["pose"])
    job.params["background"] = BackgroundConfig(apply="black").model_dump(mode="json")
    estimate(job)
    black = read_pose(job.output["pose"])
    assert not np.array_equal(plain.position, black.position)
    assert np.mean(load_phantom().errors(black.position) < 0.2) >= 0.95


def test_reasons_of_earlier_stages_are_handed_on(job: Job) -> None:
    error = NotAssessable(Reason.NO_BODY, "3 of 100 frames")
    write_not_assessable(
        job.input["background"], error, schema="background/1", provenance=Provenance()
    )
    with pytest.raises(NotAssessable) as caught:
        estimate(job)
    assert (caught.value.reason, caught.value.detail) == (error.reason, error.detail)
    error = NotAssessable(Reason.VIDEO_EMPTY, "0 bytes")
    write_not_assessable_video(job.input["video"], job.input["record"], error, Provenance())
    with pytest.raises(NotAssessable) as caught:
        estimate(job)
    assert caught.value.reason is Reason.VIDEO_EMPTY


@pytest.mark.parametrize(
    "change", [{"method": "mediapip"}, {"options": {"mod": "static"}}, {"options": {"mode": "x"}}]
)
def test_a_wrong_config_is_the_users_error(job: Job, change: dict[str, Any]) -> None:
    job.params["config"] = {**job.params["config"], **change}
    with pytest.raises(ConfigError):
        estimate(job)


def test_tracks_become_a_raw_pose(job: Job, tmp_path: Path) -> None:
    estimate(job)
    raw = read_pose(job.output["pose"])
    to_dataset(raw).to_netcdf(tmp_path / "track.nc", engine="h5netcdf")
    job.input = Files(track=str(tmp_path / "track.nc"))
    job.output = Files(pose=str(tmp_path / "imported.h5"))
    import_(job)
    pose = read_pose(job.output["pose"])
    np.testing.assert_array_equal(pose.position, raw.position)
    np.testing.assert_array_equal(pose.world, raw.world)  # type: ignore[arg-type]
    job.input = Files(track=str(DATA / "phantom.mp4"))
    with pytest.raises(NotAssessable) as caught:
        import_(job)
    assert caught.value.reason is Reason.POSE_UNREADABLE
