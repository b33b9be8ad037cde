"""Files for a paper: every item once, what is known filled in, the rest open."""

from __future__ import annotations

import pandas as pd

from fidgety.config.root import Config
from fidgety.report.methods import methods
from fidgety.report.paper import checklist, known_answers, methods_text

STUDY = Config().model_dump(mode="json")


def test_the_checklist_has_all_items_and_leaves_open_what_no_run_knows() -> None:
    metrics = pd.DataFrame({"set": ["development", "external"]})
    table = checklist(known_answers(methods(STUDY), STUDY, metrics)).to_dict("records")
    items = {str(row["item"]): row for row in table}
    assert list(items) == [str(n) for n in range(1, 28)]
    assert items["17"]["state"] == "open"
    assert "development, external" in items["4"]["answer"]
    assert all(row["answer"] for row in table if row["state"] == "from the run")


def test_the_methods_carry_their_references_and_versions() -> None:
    found = methods(STUDY)
    text = methods_text(found, {"fidgety": "1.2.3"})
    assert f"{len(found.references)}. {found.references[-1]}" in text
    assert "- fidgety 1.2.3" in text
