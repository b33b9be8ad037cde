"""An infant is erased from a whole run, and nothing of anybody else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import CACHE, Workflow, copy_project
from tests.workflow.test_reruns import own_rows

pytestmark = pytest.mark.slow

INFANT = "phantom-dev-01"
NAMED = re.compile(rb"phantom-dev-01(?![0-9])")


def test_no_trace_of_an_infant_is_left(tiny_copy: Workflow) -> None:
    before = tiny_copy.checksums("")
    folds = pd.read_csv(tiny_copy.folder / "results/folds.tsv", sep="\t").set_index("infant")
    shown = tiny_copy.run("forget", "--config", f"infant={INFANT}", "--cores", "1", "--dry-run")
    assert tiny_copy.checksums("") == before
    done = tiny_copy.run("forget", "--config", f"infant={INFANT}", "--cores", "1")
    for line in (f"results/predictions/{INFANT}.h5", "the infant is taken out of it"):
        assert line in shown.stdout + shown.stderr
        assert line in done.stdout + done.stderr
    assert "its rows" in done.stdout + done.stderr

    for part in ("results", ".snakemake"):
        for path in (tiny_copy.folder / part).rglob("*"):
            if CACHE in path.parts:
                continue
            assert not NAMED.search(str(path.relative_to(tiny_copy.folder)).encode())
            assert not (path.is_file() and NAMED.search(path.read_bytes())), path
    after = tiny_copy.checksums("pose", "features", "predictions", "phantom", "quality")
    assert after
    assert after == {name: before[name] for name in after}
    gone = {name for name in before if name.startswith("results/predictions/")} - set(after)
    assert gone == {f"results/predictions/{INFANT}.h5"}
    kept = pd.read_csv(tiny_copy.folder / "results/folds.tsv", sep="\t").set_index("infant")
    pd.testing.assert_frame_equal(kept, folds.drop(INFANT))


def clinic(folder: Path, infant: str) -> tuple[Workflow, set[str]]:
    """Return a study with results made by hand: of an infant whose video is called like it.

    Returns
    -------
    tuple
        The study, and the files of its own.
    """
    workflow = copy_project(folder)
    videos = [f"r1/{infant}/{infant}.mp4", "r1/other/other.mp4"]
    for name in videos:
        (workflow.folder / name).parent.mkdir(parents=True)
        (workflow.folder / name).write_bytes(name.encode())
    rows = [
        {"recording": f"{one}-r", "infant": one, "cohort": "clinic", "video": video}
        for one, video in zip((infant, "other"), videos, strict=True)
    ]
    own_rows(workflow, rows)
    workflow.configure(sheet="recordings.tsv", cohorts={"clinic": "new"})
    own = {f"results/pose/raw/{infant}-r.h5", f"results/predictions/{infant}.h5"}
    for name in (*own, "results/pose/raw/other-r.h5", "results/predictions/other.h5"):
        (workflow.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (workflow.folder / name).write_text("made")
    return workflow, own


@pytest.mark.parametrize("infant", ["babyA", "003"])
def test_an_infant_of_ones_own_is_erased_its_rows_gone_or_not(tmp_path: Path, infant: str) -> None:
    """Its id may look like a number, and its video may be called like it."""
    workflow, own = clinic(tmp_path / "study", infant)
    config = ("--config", f"infant={infant}", "--cores", "1")
    others = {"results/pose/raw/other-r.h5", "results/predictions/other.h5"}
    shown = workflow.run("forget", *config, "--dry-run")
    assert all(name in shown.stdout + shown.stderr for name in own)
    assert not (workflow.folder / "results/.index/infants.json").exists()
    workflow.run("forget", *config)
    left = {str(p.relative_to(workflow.folder)) for p in (workflow.folder / "results").rglob("*")}
    assert others <= left
    assert not own & left
    assert (workflow.folder / f"r1/{infant}/{infant}.mp4").exists()

    # Any run that starts jobs remembers it, so that its rows may go first.
    workflow.run("forget", "--config", "infant=other", "--cores", "1")
    for name in own:
        (workflow.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (workflow.folder / name).write_text("made")
    workflow.configure()
    done = workflow.run("forget", *config)
    assert "of an earlier sheet" in done.stdout + done.stderr
    assert not any((workflow.folder / name).exists() for name in own)
    named = re.compile(rf"(?<![\w-]){infant}(-r)?(?![\w-])".encode())
    for part in ("results", ".snakemake"):
        for path in (workflow.folder / part).rglob("*"):
            assert not named.search(str(path.relative_to(workflow.folder)).encode())
            assert not (path.is_file() and named.search(path.read_bytes())), path
    again = workflow.run("forget", *config, ok=False)
    assert "is neither in the sheet nor in the results" in again.stdout + again.stderr


def test_nobody_is_a_message(tiny_copy: Workflow) -> None:
    for given, expected in (
        ((), "Name the infant: --config infant=ID"),
        (("--config", "infant=phantom-dev-001"), "Did you mean 'phantom-dev-01'?"),
    ):
        done = tiny_copy.run("forget", *given, "--cores", "1", ok=False)
        assert done.returncode
        assert expected in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
