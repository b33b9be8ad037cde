"""The gallery as a cohort of the workflow: each its outcome, and nobody else harmed."""

from __future__ import annotations

import shutil
from itertools import islice

import numpy as np
import pandas as pd
import pytest

from fidgety.pose.normalisation import trunk_length
from fidgety.pose.quality_record import read_quality_record
from fidgety.pose.tracks import read_pose
from fidgety.storage import read_outcome
from tests.gallery.content import KINDS as CONTENT
from tests.gallery.kinds import PROCESSED, REFUSED, Kind
from tests.gallery.scenes import SCENES
from tests.gallery.tracks import KINDS as TRACKS
from tests.gallery.videos import KINDS
from tests.workflow.conftest import Workflow, assert_unharmed, copy_project
from tests.workflow.test_own_recordings import decode, encode
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.long

#: Kinds that become a recording: what stops the plan has no row, nor has a path of two lines.
OF_A_RECORDING = [
    kind
    for kind in (*KINDS, *TRACKS)
    if kind.expected != REFUSED
    and not kind.ordinary
    and not kind.name.endswith(("newline", "pipe"))
]
RECORDINGS = {f"kind{n:03d}": kind for n, kind in enumerate(OF_A_RECORDING)}
#: What a whole run finds first in one that is long enough, and in one that is small and short.
OF_A_WHOLE_RUN = {"1 frame a second": "no_body", "16 x 16": "video_too_short"}

#: What is in the picture: as tracks, and as pictures of a phantom that go through the whole line.
#: What masks have shown is in no track of one person: there the scenes tell.
TRACKED = {
    f"content{n:02d}": kind
    for n, kind in enumerate(CONTENT)
    if kind.name != "nobody" and "in the masks" not in kind.name
}
#: Six seconds: enough to be judged, too little for some models.
SCENE_FRAMES = 150
FILMED = {f"scene{n:02d}": scene for n, scene in enumerate(SCENES)}

#: What a model may lack in a recording that is fit: hands and feet, a stretch of its length.
OF_MODELS = {"feature_unavailable", "no_complete_window"}

#: What is made anew beside the kinds, so that a job that harms another infant's files is seen.
REMADE = ("video", "background", "pose", "features", "quality", "predictions", "cohort")


def row(recording: str, **source: str) -> dict[str, str]:
    return {"recording": recording, "infant": recording, "cohort": "ward", **source}


def admitted(workflow: Workflow, kinds: dict[str, Kind]) -> list[dict[str, str]]:
    """Make kinds, and return a row of the sheet for each."""
    rows = []
    for recording, kind in kinds.items():
        folder = workflow.folder / "own" / recording
        folder.mkdir(parents=True)
        path = str(kind.make(folder).relative_to(workflow.folder))
        source = {"video": path} if kind.family == "video" else {"pose": path, "fps": "25"}
        rows.append(row(recording, **source))
    return rows


def filmed(workflow: Workflow) -> list[dict[str, str]]:
    """Make the scenes of a phantom's pictures, and return a row of the sheet for each."""
    phantom = min((workflow.folder / "results" / "phantom").glob("*/video.mp4"))
    seen, rows = np.stack(list(islice(decode(phantom), SCENE_FRAMES))), []
    for recording, scene in FILMED.items():
        encode(workflow.folder / f"own/{recording}.mp4", scene.play(seen), 25)
        rows.append(row(recording, video=f"own/{recording}.mp4"))
    return rows


@pytest.fixture(scope="module")
def ward(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a run with all of them as cohort ``new`` beside the phantoms."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("ward") / "copy")
    for part in REMADE:
        shutil.rmtree(workflow.folder / "results" / part)
    own_rows(workflow, admitted(workflow, RECORDINGS | TRACKED) + filmed(workflow))
    workflow.configure(sheet="recordings.tsv", cohorts={"ward": "new"})
    workflow.run("all", "assess", "results/cohort/new.tsv", "--cores", "2")
    return workflow


def test_what_is_processed_comes_through_the_whole_line(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A second or two of numbers, whatever the format: nobody is seen, and that is all."""
    workflow = copy_project(tmp_path_factory.mktemp("line") / "copy")
    own_rows(workflow, admitted(workflow, RECORDINGS))
    workflow.configure(
        sheet="recordings.tsv",
        cohorts={"ward": "new"},
        video={"min_duration_s": 0.5},
    )
    workflow.run("--cores", "2", *(f"results/features/{name}.h5" for name in RECORDINGS))
    told, expected = {}, {}
    for recording, kind in RECORDINGS.items():
        outcome = read_outcome(workflow.folder / f"results/features/{recording}.h5")
        told[kind.name] = outcome.reason.value if outcome.reason else PROCESSED
        expected[kind.name] = "no_body" if kind.expected == PROCESSED else kind.expected
    assert told == expected


def test_every_kind_has_its_outcome(ward: Workflow) -> None:
    table = pd.read_csv(
        ward.folder / "results/cohort/new.tsv", sep="\t", dtype=str, keep_default_na=False
    ).set_index("recording")
    told, expected = {}, {}
    for recording, kind in RECORDINGS.items():
        outcome = read_outcome(ward.folder / f"results/predictions/{recording}.h5")
        reason = outcome.reason.value if outcome.reason else PROCESSED
        assert table.loc[recording, "reason"] == (reason if outcome.reason else "")
        told[kind.name] = reason
        # What is processed there is a second or two, of which a whole run makes nothing.
        wanted = "video_too_short" if kind.expected == PROCESSED else kind.expected
        expected[kind.name] = OF_A_WHOLE_RUN.get(kind.name, wanted)
    assert told == expected


def test_who_is_in_the_picture_has_its_outcome(ward: Workflow) -> None:
    told, expected = {}, {}
    for recording, one in (TRACKED | FILMED).items():
        outcome = read_outcome(ward.folder / f"results/features/{recording}.h5")
        told[recording, one.name] = outcome.reason.value if outcome.reason else PROCESSED
        expected[recording, one.name] = one.expected
        prediction = read_outcome(ward.folder / f"results/predictions/{recording}.h5")
        if outcome.reason:
            assert prediction == outcome
        else:
            assert prediction.ok or prediction.reason in OF_MODELS, prediction
    assert told == expected


def test_nobody_is_not_said_to_be_alone_where_nobody_knows(ward: Workflow) -> None:
    """The default mask follows one person."""
    for recording, scene in FILMED.items():
        if scene.expected in (PROCESSED, "camera_moves"):
            path = ward.folder / f"results/quality/{recording}.json"
            record = read_quality_record(path)
            assert record["measures"]["other_person"] is None, scene.name
            assert record["measures"]["persons"] is None
            assert record["series"]["others"] is None


def test_a_hand_leaves_the_infants_pose_alone(ward: Workflow) -> None:
    pose = {
        scene.name: read_pose(ward.folder / f"results/pose/clean/{recording}.h5")
        for recording, scene in FILMED.items()
        if scene.name == "a calm infant" or "hand" in scene.name
    }
    calm = pose.pop("a calm infant")
    trunk = trunk_length(calm.position, calm.keypoints)
    assert len(pose) == 2
    for name, other in pose.items():
        away = np.linalg.norm(other.position - calm.position, axis=1) / trunk
        assert np.nanmean(away < 0.2) > 0.95, name


def test_everybody_elses_files_are_equal_bytes(ward: Workflow, tiny_run: Workflow) -> None:
    assert_unharmed(tiny_run, ward)
