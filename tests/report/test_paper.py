"""Files for a paper: every item once, what is known filled in, the rest open."""

from __future__ import annotations

import pandas as pd
import pytest

from fidgety.config.root import Config
from fidgety.report.methods import methods
from fidgety.report.paper import CHECKLISTS, checklist, known_answers, methods_text

STUDY = Config().model_dump(mode="json")


METRICS = pd.DataFrame({"set": ["development", "external"], "n": [20, 8]})
#: Items of the published lists.
ITEMS = {
    "tripod-ai": [str(n) for n in range(1, 28)],
    "stard-ai": [
        *(str(n) for n in range(1, 15)),
        *("15a", "15b", "15c", "15d", "16a", "16b", "16c", "17a", "17b"),
        *(str(n) for n in range(18, 26)),
        *("26a", "26b"),
        *(str(n) for n in range(27, 40)),
        *("40a", "40b"),
    ],
    "claim": [str(n) for n in range(1, 45)],
}
#: Those that no run can know: ethics, sample size, funding.
OPEN = {
    "tripod-ai": ("17", "10", "19"),
    "stard-ai": ("6", "22", "38", "32"),
    "claim": ("21", "34", "44"),
}


def filled(name: str) -> dict[str, dict[str, str]]:
    """Item to its row of a checklist that a run as cloned fills in."""
    table = checklist(name, known_answers(methods(STUDY), STUDY, METRICS))
    return {str(row["item"]): row for row in table.to_dict("records")}  # type: ignore[misc]


@pytest.mark.parametrize("name", CHECKLISTS)
def test_a_checklist_has_all_items_and_leaves_open_what_no_run_knows(name: str) -> None:
    items = filled(name)
    assert list(items) == ITEMS[name]
    assert {items[item]["state"] for item in OPEN[name]} == {"open"}
    assert all(row["asks"].endswith("?") for row in items.values())
    for row in items.values():
        assert bool(row["answer"]) == (row["state"] == "from the run")


def test_checklists_tell_what_this_run_knows() -> None:
    assert "development, external" in filled("tripod-ai")["4"]["answer"]
    stard, claim = filled("stard-ai"), filled("claim")
    assert "development 20, external 8" in stard["15b"]["answer"]
    assert "Folds by infant." in stard["15b"]["answer"]
    assert f"seed {STUDY['seed']}" in claim["24"]["answer"]
    assert "report.faces: hidden" in claim["11"]["answer"]


def test_the_methods_carry_their_references_and_versions() -> None:
    found = methods(STUDY)
    text = methods_text(found, {"fidgety": "1.2.3"})
    assert f"{len(found.references)}. {found.references[-1]}" in text
    assert "- fidgety 1.2.3" in text
