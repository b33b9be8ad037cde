"""`snakemake --report`: every figure and table of the study's page is there, with its caption."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.conftest import ROOT, Workflow

pytestmark = pytest.mark.slow

#: File to the category that it is in.
SHOWN = {
    "metrics.tsv": "Models",
    "infants.tsv": "Models",
    "roc.svg": "Models",
    "calibration.svg": "Models",
    "net_benefit.svg": "Models",
    "characteristics.tsv": "Cohorts",
    "fms_frequency.svg": "Fidgety movements",
    "fms_frequency.tsv": "Fidgety movements",
    "quality.svg": "Recordings",
    "quality.tsv": "Recordings",
    "not_assessable.tsv": "Recordings",
}


def variable(page: str, name: str) -> Any:
    """Return a value that the page's script is given."""
    found = re.search(rf"^\s*var {name} = (?=[{{\[\"])", page, flags=re.M)
    assert found is not None, name
    value, _ = json.JSONDecoder().raw_decode(page[found.end() :])
    return value


def test_figures_and_tables_carry_captions(tiny_run: Workflow, tmp_path: Path) -> None:
    archive = tmp_path / "report.zip"
    tiny_run.run("--report", str(archive))
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        page = packed.read("report/report.html").decode("utf-8")
    found, categories = variable(page, "results"), variable(page, "categories")
    paths = {f"results/evaluation/{name}": category for name, category in SHOWN.items()}
    assert set(found) == set(paths)
    for path, category in paths.items():
        assert any(path in shown for shown in categories[category].values())
        caption = " ".join(re.sub(r"<[^>]+>", "", found[path]["caption"]).split())
        assert len(caption.split()) > 10, path
        assert "{{" not in caption
        assert "nothing about infants" in caption, "phantoms are marked as such"
        assert any(name.endswith(Path(path).name) for name in names), "the file itself is there"
    assert "95 % interval" in " ".join(found["results/evaluation/roc.svg"]["caption"].split())
    assert "Not a diagnosis" in " ".join(variable(page, "workflow_desc").split())


def test_every_marked_file_has_a_caption_of_its_own() -> None:
    stems = {Path(name).stem for name in SHOWN}
    assert {path.stem for path in (ROOT / "report").glob("*.rst")} == stems | {"workflow"}
