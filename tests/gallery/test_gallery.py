"""Each kind of bad input comes to its result, its reason, or its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gallery.kinds import Kind, attempt
from tests.gallery.run import KINDS


def test_there_are_enough_kinds_each_once() -> None:
    names = [(kind.family, kind.name) for kind in KINDS]
    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            id=f"{kind.family}: {kind.name}",
            marks=[pytest.mark.slow] * kind.slow + [pytest.mark.long] * kind.long,
        )
        for kind in KINDS
    ],
)
def test_a_kind_comes_to_what_is_written_down(kind: Kind, tmp_path: Path) -> None:
    tried = attempt(kind, tmp_path)
    assert tried.outcome == kind.expected, tried.detail
    assert kind.says in tried.detail
