"""Each kind of bad input comes to its result, its reason, or its message."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from fidgety.datasets.clips import FM, NON_FM, reference_clips
from fidgety.datasets.series import Series
from tests.gallery.kinds import Kind, attempt, open_folder, ordinary_user
from tests.gallery.run import HEAD, KINDS, PAGE, SCENES_HEAD, counts, scene_rows
from tests.gallery.scenes import SCENES

#: Processor time of a kind, making included.
MOST_S = 30.0


def test_there_are_enough_kinds_each_once() -> None:
    names = [(kind.family, kind.name) for kind in KINDS]
    assert len(set(names)) == len(names) >= 40


def test_the_page_tells_every_kind_and_how_many() -> None:
    page = PAGE.read_text("utf-8")
    assert counts() in page
    assert f"far: {len(KINDS)} kinds" in page
    table = page[page.index(HEAD) + len(HEAD) :].strip().split("\n\n")[0]
    told = [tuple(cell.strip() for cell in row.split(" | ")[:3]) for row in table.splitlines()]
    assert told == [(f"| {kind.family}", kind.name, kind.expected) for kind in KINDS]


def test_the_page_tells_every_filmed_scene() -> None:
    page = PAGE.read_text("utf-8")
    assert f"{len(SCENES)} filmed scenes" in page
    table = page[page.index(SCENES_HEAD) + len(SCENES_HEAD) :].strip().split("\n\n")[0]
    assert table.splitlines() == scene_rows()


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
    began = time.process_time()
    tried = attempt(kind, tmp_path)
    assert kind.long or time.process_time() - began < MOST_S
    assert tried.outcome == kind.expected, tried.detail
    assert kind.says in tried.detail


def test_an_ordinary_user_may_read_what_lies_beside_a_forbidden_file() -> None:
    """Else the kind would tell of its folder's rights, not of its own."""
    with open_folder() as folder:
        (folder / "beside").write_text("anybody")
        with ordinary_user():
            assert (folder / "beside").read_text() == "anybody"


def test_intervals_outside_the_video_reach_no_clip_of_it() -> None:
    """Part of one counts as far as the video goes; of one beyond its end there is nothing."""
    video = Series("a1", "a", "", np.zeros((200, 1), np.float32), ("f",), 0.0, 25.0)
    row = {"recording": "a1", "rater": "consensus", "movement": "fidgety"}
    for start_s, end_s, expected in ((4.0, 1e6, [NON_FM, FM]), (1e6, 2e6, [NON_FM, NON_FM])):
        clips, labels = reference_clips(
            [video], [row | {"start_s": start_s, "end_s": end_s}], length=100, step=100
        )
        assert clips.start.tolist() == [0, 100]
        assert labels.tolist() == expected
