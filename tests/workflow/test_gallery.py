"""The gallery as a cohort of the workflow: each its outcome, and nobody else harmed."""

from __future__ import annotations

import pandas as pd
import pytest

from fidgety.storage import read_outcome
from tests.gallery.kinds import PROCESSED, REFUSED
from tests.gallery.tracks import KINDS as TRACKS
from tests.gallery.videos import KINDS
from tests.workflow.conftest import Workflow, assert_unharmed
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.long

#: Kinds that become a recording: what stops the plan has no row, nor has a path of two lines.
OF_A_RECORDING = [
    kind
    for kind in (*KINDS, *TRACKS)
    if kind.expected != REFUSED and not kind.ordinary and "newline" not in kind.name
]
RECORDINGS = {f"kind{n:03d}": kind for n, kind in enumerate(OF_A_RECORDING)}


@pytest.fixture(scope="module")
def ward(tiny_run: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a run with every kind of video and track as cohort ``new`` beside the phantoms."""
    workflow = tiny_run.copy(tmp_path_factory.mktemp("ward") / "copy")
    rows = []
    for recording, kind in RECORDINGS.items():
        folder = workflow.folder / "own" / recording
        folder.mkdir(parents=True)
        path = str(kind.make(folder).relative_to(workflow.folder))
        source = {"video": path} if kind.family == "video" else {"pose": path, "fps": "25"}
        rows.append({"recording": recording, "infant": recording, "cohort": "ward", **source})
    own_rows(workflow, rows)
    workflow.configure(sheet="recordings.tsv", cohorts={"ward": "new"})
    workflow.run("assess", "results/cohort/new.tsv", "--cores", "2")
    return workflow


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
        expected[kind.name] = wanted
    assert told == expected


def test_everybody_elses_files_are_equal_bytes(ward: Workflow, tiny_run: Workflow) -> None:
    assert_unharmed(tiny_run, ward)
