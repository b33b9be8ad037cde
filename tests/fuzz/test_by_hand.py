"""What people send back, changed at random: corrections by hand, and files of readings."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fidgety.errors import FidgetyError, NotAssessable
from fidgety.pose.corrections_table import load_corrections
from fidgety.reading.returned import read_returned, tabulate
from tests.fuzz.mutate import examples, limited, mutate
from tests.fuzz.test_fuzz import ANY, EXAMPLE_S, LOOSE, SEEDS
from tests.fuzz.test_tracks import CELLS, ENDS
from tests.reading.test_reading import file_of, key_of

HEAD = ("frame", "time_s", "keypoint", "x", "y", "action", "rater", "note")
WORDS = st.sampled_from(("set", "missing", "SET", "nose", "12,5", "=1+1", "7", "8.5")) | CELLS


@st.composite
def tables(draw: Any) -> str:
    """Build a table of corrections with one of the three separators."""
    separator = draw(st.sampled_from(",,,;\t"))
    header = [draw(WORDS) if draw(st.integers(0, 19)) == 0 else name for name in HEAD]
    rows = [header]
    for number in range(draw(st.integers(0, 5))):
        row = [str(number), "", "nose", "1.5", "2", "set", "me", ""]
        for _ in range(draw(st.integers(0, 3))):
            row[draw(st.integers(0, len(row) - 1))] = draw(WORDS)
        rows.append(row[: draw(st.sampled_from((8, 8, 8, 3)))])
    return "".join(separator.join(row) + draw(ENDS) for row in rows)


@settings(LOOSE, max_examples=examples(150))
@given(text=tables(), encoding=st.sampled_from(["utf-8", "utf-8", "utf-16", "cp1252"]))
def test_any_table_of_corrections(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding, errors="replace"))
    with limited(EXAMPLE_S), contextlib.suppress(NotAssessable):
        for entry in load_corrections(path).entries:
            assert entry.keypoint
            assert entry.frame is None or 0 <= entry.frame < 10**7


@settings(LOOSE, max_examples=examples(100))
@given(data=st.data(), seed=SEEDS)
def test_any_file_of_readings(tmp_path: Path, data: Any, seed: int) -> None:
    """A value somewhere in the file is another one, or bytes are."""
    key = key_of()
    content = copy.deepcopy(file_of(key))
    place: Any = content
    while True:
        at = data.draw(
            st.sampled_from(sorted(place) if isinstance(place, dict) else [*range(len(place))])
        )
        inside = place[at]
        if not isinstance(inside, dict | list) or not inside or data.draw(st.integers(0, 4)) == 0:
            break
        place = inside
    if data.draw(st.booleans()):
        place[at] = data.draw(ANY | st.sampled_from([10**400, -1, 1e308, "\x00", "9" * 5000]))
    raw = json.dumps(content).encode()
    if data.draw(st.booleans()):
        raw = mutate(raw, np.random.default_rng(seed))
    path = tmp_path / "a.json"
    path.write_bytes(raw)
    with limited(EXAMPLE_S), contextlib.suppress(FidgetyError):
        intervals, readings = tabulate(read_returned([path], key), key)
        assert (intervals.end_s > intervals.start_s).all()
        assert not readings.note.str.contains("\n").any()


@pytest.mark.parametrize("text", ["[" * 100_000, "null", "", "9" * 5000, '"\\ud800"'])
def test_a_file_of_readings_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FidgetyError, match=r"a\.json"):
        read_returned([path], key_of())
