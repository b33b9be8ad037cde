"""`snakemake status`: what would run and why, before it runs."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pandas as pd
import pytest

from tests.workflow.conftest import Workflow
from tests.workflow.test_reruns import a_video, own_rows

pytestmark = pytest.mark.slow


def status(workflow: Workflow, *args: str) -> tuple[str, pd.DataFrame]:
    """Ask; return what is shown, and the whole table."""
    done = workflow.run("status", "--cores", "1", *args)
    table = pd.read_csv(workflow.folder / "results" / "status.tsv", sep="\t", dtype=str)
    return done.stdout + done.stderr, table.set_index("infant")


def test_after_a_run_there_is_nothing_to_do(tiny_copy: Workflow) -> None:
    shown, table = status(tiny_copy)
    assert f"Everything is up to date: {len(table)} infants." in shown
    stages = table.drop(columns=["role", "recordings"])
    assert set(stages.to_numpy().ravel()) <= {"done", "–"}
    assert (stages == "done").any().all()
    assert tiny_copy.planned() == {}


def test_what_a_change_would_cost_is_told_and_not_done(tiny_copy: Workflow) -> None:
    """A new recording, and a setting of cleaning given on the command line."""
    own_rows(
        tiny_copy,
        [{"recording": "mine", "infant": "me", "cohort": "clinic", "video": a_video(tiny_copy)}],
    )
    tiny_copy.configure(sheet="recordings.tsv", cohorts={"clinic": "new"})
    before = tiny_copy.checksums("predictions", "pose")
    shown, table = status(tiny_copy)
    assert f"1 of {len(table)} infants have something to do." in shown
    assert set(table.loc["me"].drop(["role", "recordings", "phantom"])) == {"new"}
    assert "write_report: " in shown
    assert "train_model" not in shown
    shown, table = status(tiny_copy, "--config", "cleaning={max_gap_s: 0.3}")
    assert "train_model: " in shown
    others = table.drop(index="me")
    assert set(others["cleaning"]) == {"changed"}
    assert set(others["features"]) == {"follows"}
    assert tiny_copy.checksums("predictions", "pose") == before


def test_what_was_broken_off_is_told_with_all_that_follows(tiny_copy: Workflow) -> None:
    """As after a killed main process; the plan of a dry run is the truth."""
    file = "results/features/phantom-ext-01.h5"
    record = tiny_copy.folder / ".snakemake/incomplete" / urlsafe_b64encode(file.encode()).decode()
    record.write_text("{}")
    wanted = tiny_copy.planned()
    shown, table = status(tiny_copy)
    assert wanted["build_features"] == {"recording=phantom-ext-01"}
    assert f"1 of {len(table)} infants have something to do." in shown
    assert table.loc["phantom-ext-01", "features"] == "broken off"
    assert table.loc["phantom-ext-01", "assessment"] == "follows"
    assert ("train_model: " in shown) == ("train_model" in wanted)
    assert ("write_report: " in shown) == ("write_report" in wanted)


def test_what_is_forced_is_told(tiny_copy: Workflow) -> None:
    shown, table = status(tiny_copy, "--forcerun", "train_model")
    assert "train_model: " in shown
    assert set(table["features"]) == {"done"}
