"""The gallery's videos as a cohort of the workflow: each its outcome, and nobody else harmed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fidgety.config.video import VideoConfig
from fidgety.errors import NotAssessable
from fidgety.storage import read_outcome
from fidgety.video.standardise import standardise_video
from tests.gallery.videos import KINDS
from tests.workflow.conftest import Workflow, assert_unharmed
from tests.workflow.test_reruns import own_rows

#: Kind of the gallery to the name of its recording, and its reason in a whole run.
#: The workflow's own shortest duration is longer than that of the gallery.
CHOSEN = {
    "empty file": ("empty", "video_empty"),
    "text named .mp4": ("text", "video_unreadable"),
    "cut in half, index at the end": ("half", "video_unreadable"),
    "index missing": ("unindexed", "video_unreadable"),
    "no frame": ("frameless", "video_no_stream"),
    "zero duration": ("timeless", "video_too_short"),
    "sound alone": ("sound", "video_no_stream"),
    "one frame": ("single", "video_too_short"),
    "time stamps that run backwards": ("backwards", "video_too_short"),
    "name with quotes": ("quotes", "video_too_short"),
}


def make(kind: str, folder: Path) -> Path:
    """Make a kind of the gallery in a folder of its own."""
    folder.mkdir(parents=True)
    (found,) = (k for k in KINDS if k.name == kind)
    return found.make(folder)


@pytest.mark.parametrize("kind", CHOSEN)
def test_a_chosen_video_has_its_reason(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path / "own")
    with pytest.raises(NotAssessable) as told:
        standardise_video(path, tmp_path / "standard.mp4", VideoConfig())
    assert told.value.reason.value == CHOSEN[kind][1]
    assert not (tmp_path / "standard.mp4").exists()


@pytest.fixture(scope="module")
def ward(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a run with the chosen videos as cohort ``new`` beside the phantoms."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("ward") / "copy")
    rows = []
    for kind, (recording, _) in CHOSEN.items():
        path = make(kind, workflow.folder / "own" / recording)
        video = str(path.relative_to(workflow.folder))
        rows.append({"recording": recording, "infant": recording, "cohort": "ward", "video": video})
    own_rows(workflow, rows)
    workflow.configure(sheet="recordings.tsv", cohorts={"ward": "new"})
    workflow.run("--cores", "2")
    return workflow


@pytest.mark.long
@pytest.mark.parametrize(("recording", "reason"), CHOSEN.values())
def test_each_has_its_outcome(ward: Workflow, recording: str, reason: str) -> None:
    outcome = read_outcome(ward.folder / f"results/predictions/{recording}.h5")
    assert outcome.reason is not None
    assert outcome.reason.value == reason
    table = pd.read_csv(
        ward.folder / "results/cohort/new.tsv", sep="\t", dtype=str, keep_default_na=False
    ).set_index("recording")
    assert table.loc[recording, "reason"] == reason


@pytest.mark.long
def test_everybody_elses_files_are_equal_bytes(ward: Workflow, tiny_run: Workflow) -> None:
    assert_unharmed(tiny_run, ward)
