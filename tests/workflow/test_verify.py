"""`snakemake verify` on a whole run: all is well, and what is damaged or gone is named."""

from __future__ import annotations

import os
import re

import pandas as pd
import pytest

from fidgety.checksums import FOLDER
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slow


def verify(workflow: Workflow, ok: bool) -> tuple[str, pd.DataFrame]:
    """Verify; return what is shown, and the table."""
    done = workflow.run("verify", "--cores", "1", ok=ok)
    assert bool(done.returncode) == (not ok)
    table = pd.read_csv(workflow.folder / "results" / "verify.tsv", sep="\t", dtype=str)
    return done.stdout + done.stderr, table


def test_every_output_has_a_checksum_and_damage_is_named(tiny_copy: Workflow) -> None:
    shown, table = verify(tiny_copy, ok=True)
    assert re.search(r"Nothing is wrong: \d{3} files were looked at", shown)
    assert "have no checksum" not in shown
    assert table.empty
    assert tiny_copy.planned() == {}

    results = tiny_copy.folder / "results"
    page = results / "report" / "infants" / "phantom-ext-01.html"
    content = bytearray(page.read_bytes())
    content[len(content) // 2] ^= 1
    times = page.stat()
    page.write_bytes(content)
    # A disk that rots changes no date.
    os.utime(page, ns=(times.st_atime_ns, times.st_mtime_ns))
    overlay = "results/report/media/phantom-dev-03.mp4"
    (tiny_copy.folder / overlay).unlink()
    shown, table = verify(tiny_copy, ok=False)
    assert "Traceback" not in shown
    said = table.set_index("file")
    assert set(said.index) == {"results/report/infants/phantom-ext-01.html", overlay}
    assert "checksum differs" in said.loc["results/report/infants/phantom-ext-01.html", "finding"]
    assert said.loc[overlay, "finding"] == (
        "is missing: neither result nor reason of infant phantom-dev-03, stage overlay"
    )
    assert f"snakemake {overlay} --cores 1" in said.loc[overlay, "what_to_do"]

    # What it says is what helps.
    page.unlink()
    tiny_copy.run("results/report/infants/phantom-ext-01.html", overlay, "--cores", "2")
    tiny_copy.run("--cores", "2")
    verify(tiny_copy, ok=True)


def test_results_from_before_there_were_checksums_are_told_not_failed(tiny_copy: Workflow) -> None:
    for path in (tiny_copy.folder / "results" / FOLDER).rglob("*.json"):
        path.unlink()
    shown, table = verify(tiny_copy, ok=True)
    assert re.search(r"\d{3} files have no checksum", shown)
    assert table.empty
