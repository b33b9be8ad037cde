"""An infant is erased from a whole run, and nothing of anybody else changes."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.workflow.conftest import CACHE, Workflow

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


def test_nobody_is_a_message(tiny_copy: Workflow) -> None:
    for given, expected in (
        ((), "Name the infant: --config infant=ID"),
        (("--config", "infant=phantom-dev-001"), "Did you mean 'phantom-dev-01'?"),
    ):
        done = tiny_copy.run("forget", *given, "--cores", "1", ok=False)
        assert done.returncode
        assert expected in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
