"""Videos and results in an S3 storage: a server of this machine, Snakemake's own plugin."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fidgety.pose.tracks import read_pose
from fidgety.storage import read_outcome
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_corrections import correct
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.cluster

VIDEO = Path(__file__).resolve().parents[1] / "pose" / "data" / "phantom.mp4"
URL = "s3://ward/videos/baby01.mp4"
RESULTS_IN_S3 = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://ward/run")
ELSEWHERE = (*RESULTS_IN_S3[:-1], "s3://ward/another")
#: The video lasts 0.8 s, in which the trunk lies still: to the median, limbs are others.
LENIENT = {
    "background": {"method": "median"},
    "video": {"min_duration_s": 0.5},
    "quality": {"max_other_person": 1},
}
FEATURES = "results/features/baby01.h5"


@dataclass
class Store:
    """A bucket, and what reaches it."""

    client: Any
    variables: dict[str, str]

    def keys(self) -> set[str]:
        """Return the names of all that is in the bucket."""
        return {o["Key"] for o in self.client.list_objects_v2(Bucket="ward").get("Contents", [])}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Return an empty bucket of a server of this machine."""
    boto3 = pytest.importorskip("boto3", reason="make cluster installs it")
    moto = pytest.importorskip("moto.server", reason="make cluster installs it")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=address,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="ward")
        variables = {
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": address,
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "key",
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "secret",
        }
        yield Store(client, variables)
    finally:
        server.stop()


def project(folder: Path, name: str) -> Workflow:
    """Return a project with one recording."""
    workflow = copy_project(folder)
    own_rows(
        workflow,
        [{"recording": "baby01", "infant": "baby01", "cohort": "clinic", "video": name}],
    )
    workflow.configure(
        sheet="recordings.tsv",
        cohorts={"clinic": "new"},
        **LENIENT,
    )
    return workflow


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return the same recording run from a file to files."""
    workflow = project(tmp_path_factory.mktemp("plain") / "copy", "video.mp4")
    shutil.copyfile(VIDEO, workflow.folder / "video.mp4")
    workflow.run(FEATURES, "--cores", "1")
    return workflow


def values(path: Path) -> dict[str, Any]:
    """Return all values of a results file, without where they come from."""
    found = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "provenance" not in name:
            value = np.asarray(item[()])
            # Texts are objects, whose bytes are where they lie in memory.
            found[name] = value.tolist() if value.dtype.hasobject else value.tobytes()

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def test_a_video_of_a_storage_gives_what_a_file_gives(
    store: Store, plain: Workflow, tmp_path: Path
) -> None:
    store.client.upload_file(str(VIDEO), "ward", "videos/baby01.mp4")
    workflow = project(tmp_path / "copy", URL)
    workflow.run(FEATURES, "--cores", "1", env=store.variables)
    own, file = (w.folder / "results" / "video" / "baby01.mp4" for w in (workflow, plain))
    assert own.read_bytes() == file.read_bytes()
    assert values(workflow.folder / FEATURES) == values(plain.folder / FEATURES)
    ask = (FEATURES, "--dry-run", "--cores", "1")
    done = workflow.run(*ask, env=store.variables)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert not list((workflow.folder / ".snakemake" / "storage").rglob("*.mp4")), "no copy stays"

    # A later object of the same name is another video.
    store.client.upload_file(str(VIDEO), "ward", "videos/baby01.mp4")
    done = workflow.run(*ask, env=store.variables)
    assert "standardise_video" in done.stdout + done.stderr


def test_results_can_be_in_the_storage(store: Store, plain: Workflow, tmp_path: Path) -> None:
    """The sheet's paths are of this machine all the same."""
    workflow = project(tmp_path / "copy", "video.mp4")
    shutil.copyfile(VIDEO, workflow.folder / "video.mp4")
    workflow.run(FEATURES, "--cores", "1", *RESULTS_IN_S3, env=store.variables)
    assert {f"run/{FEATURES}", "run/results/pose/clean/baby01.h5"} <= store.keys()
    assert not (workflow.folder / FEATURES).exists()
    fetched = tmp_path / "features.h5"
    store.client.download_file("ward", f"run/{FEATURES}", str(fetched))
    assert read_outcome(fetched) == read_outcome(plain.folder / FEATURES)
    assert read_outcome(fetched).ok
    assert fetched.read_bytes() == (plain.folder / FEATURES).read_bytes()
    done = workflow.run(FEATURES, "--dry-run", "--cores", "1", *RESULTS_IN_S3, env=store.variables)
    assert "Nothing to be done" in done.stdout + done.stderr


@pytest.mark.long
def test_corrections_and_folds_are_tables_of_this_machine(store: Store, tmp_path: Path) -> None:
    workflow = project(tmp_path / "copy", "video.mp4")
    shutil.copyfile(VIDEO, workflow.folder / "video.mp4")
    correct(workflow, "3,,nose,1.5,2.5,set,AB,seen in the video", name="baby01")
    clean = "results/pose/clean/baby01.h5"
    workflow.run(clean, "--cores", "1", *ELSEWHERE, env=store.variables)
    fetched = tmp_path / "clean.h5"
    store.client.download_file("ward", f"another/{clean}", str(fetched))
    pose = read_pose(fetched)
    assert pose.position[3, :, pose.keypoints.index("nose")].tolist() == [1.5, 2.5]

    # A study's own deal: the storage has no such table, which would be a missing input.
    (workflow.folder / "folds.tsv").write_text("infant\tfold\nbaby01\t1\n")
    workflow.configure(
        sheet="recordings.tsv",
        cohorts={"clinic": "new"},
        **LENIENT,
        folds={"n": 2, "file": "folds.tsv"},
    )
    ask = ("results/folds.tsv", "--dry-run", "--cores", "1")
    done = workflow.run(*ask, *ELSEWHERE, env=store.variables)
    assert "Deal the development infants into 2 folds" in done.stdout + done.stderr


def test_what_the_storage_lacks_is_a_message(store: Store, tmp_path: Path) -> None:
    workflow = project(tmp_path / "copy", "s3://ward/videos/nobody.mp4")
    done = workflow.run(FEATURES, "--dry-run", "--cores", "1", ok=False, env=store.variables)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "s3://ward/videos/nobody.mp4" in said
    assert "Traceback (most recent call last)" not in said
