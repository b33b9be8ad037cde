"""Every kind of model trained and compared by one command, on the phantoms of a fresh clone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from fidgety.models.registry import MODEL_SYSTEMS
from tests.workflow.conftest import Workflow, copy_project

pytestmark = pytest.mark.long

COMMAND = ("compare", "--cores", "2", "--configfile", "config/compare_small.yaml")
KINDS = sorted(MODEL_SYSTEMS.names())
ENSEMBLES = {"(mean)", "(stacked)"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    workflow = copy_project(tmp_path_factory.mktemp("small") / "copy")
    workflow.run(*COMMAND)
    return workflow


def comparison(workflow: Workflow) -> Path:
    return workflow.folder / "results" / "compare_small" / "comparison"


def test_every_model_has_its_figures_with_n_and_interval(compared: Workflow) -> None:
    table = pd.read_csv(comparison(compared) / "metrics.tsv", sep="\t")
    for role in ("development", "external"):
        own = table[(table["set"] == role) & (table["metric"] == "auc")].set_index("model")
        assert sorted(set(own.index) - ENSEMBLES) == KINDS
        # Models of pictures answer for infants with a video: all are judged on these.
        assert set(own["n"]) == {8}
        assert own["value"].between(own["low"], own["high"]).all()
        assert own["value"].between(0, 1).all()
        assert (own["low"] < own["high"]).all()
    assert len(pd.read_csv(comparison(compared) / "pairs.tsv", sep="\t")) >= len(KINDS) * (
        len(KINDS) - 1
    )


def test_the_page_shows_them(compared: Workflow) -> None:
    page = BeautifulSoup((comparison(compared) / "index.html").read_text(), "html.parser")
    assert "Not compared" not in page.get_text()
    headings = [h for h in page.find_all("h2") if ", n = " in h.get_text()]
    assert [h.get_text().split(", n = ")[1] for h in headings] == ["8", "8"]
    for heading in headings:
        rows = heading.find_next("tbody").find_all("tr")
        by_name = {row.find("th").get_text(): row.find_all("td") for row in rows}
        assert sorted(set(by_name) - ENSEMBLES) == KINDS
        for name in KINDS:
            cells = [cell.get_text() for cell in by_name[name]]
            assert " to " in cells[0], f"{name}: {cells}"
            assert "–" not in cells[0]


def test_a_second_run_does_nothing(compared: Workflow) -> None:
    assert compared.planned(*COMMAND[:1], *COMMAND[3:]) == {}
