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

from fidgety.storage import read_outcome
from tests.workflow.conftest import Workflow, copy_project
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.cluster

VIDEO = Path(__file__).resolve().parents[1] / "pose" / "data" / "phantom.mp4"
URL = "s3://ward/videos/baby01.mp4"
RESULTS_IN_S3 = ("--default-storage-provider", "s3", "--default-storage-prefix", "s3://ward/run")
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
        background={"method": "median"},
    )
    return workflow


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return the same recording run from a file to files."""
    workflow = project(tmp_path_factory.mktemp("plain") / "copy", "video.mp4")
    shutil.copyfile(VIDEO, workflow.folder / "video.mp4")
    workflow.run(FEATURES, "--cores", "1")
    return workflow


def values(path: Path) -> dict[str, bytes]:
    """Return all values of a results file, without where they come from."""
    found = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "provenance" not in name:
            found[name] = np.asarray(item[()]).tobytes()

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
    assert fetched.read_bytes() == (plain.folder / FEATURES).read_bytes()
    done = workflow.run(FEATURES, "--dry-run", "--cores", "1", *RESULTS_IN_S3, env=store.variables)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_what_the_storage_lacks_is_a_message(store: Store, tmp_path: Path) -> None:
    workflow = project(tmp_path / "copy", "s3://ward/videos/nobody.mp4")
    done = workflow.run(FEATURES, "--dry-run", "--cores", "1", ok=False, env=store.variables)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "s3://ward/videos/nobody.mp4" in said
    assert "Traceback (most recent call last)" not in said
