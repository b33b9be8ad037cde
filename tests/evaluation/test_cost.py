"""What models cost, from files that may be missing."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fidgety.errors import StorageError
from fidgety.evaluation.cost import (
    SPEED_COLUMNS,
    benchmark_seconds,
    budget_words,
    cost_table,
    read_speed,
    speed_words,
    training_seconds,
)
from fidgety.report.compare_models import cost_text, seconds_text

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"


def benchmark(path: Path, seconds: float) -> str:
    path.write_text(f"{HEADER}\n{seconds:.2f}\t0:00:01\t1\t1\t1\t1\t0\t0\t90\t-\n")
    return str(path)


def speed(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(SPEED_COLUMNS))


def test_times_of_all_candidates_of_a_fold_are_added(tmp_path: Path) -> None:
    files = {
        "plain": {k: [benchmark(tmp_path / f"p{k}.tsv", 10.0 * k)] for k in (1, 2, 3)},
        "grid": {1: [benchmark(tmp_path / f"g{c}.tsv", c) for c in (1.5, 2.5)]},
        "gone": {1: [benchmark(tmp_path / "x.tsv", 4.0), str(tmp_path / "nowhere.tsv")], 2: []},
    }
    found = training_seconds(files)
    assert found["plain"] == {1: 10.0, 2: 20.0, 3: 30.0}
    assert found["grid"] == {1: 4.0}
    # Half of a fold's time is no time of it.
    assert math.isnan(found["gone"][1])
    told = {m: {k: {"parameters": 100 * k} for k in (1, 2, 3)} for m in files}
    table = cost_table(told, {"plain": 1, "grid": 2, "gone": 1}, found, speed())
    rows = table.set_index(["model", "measure"])
    plain = rows.loc[("plain", "training_s")]
    assert (plain["value"], plain["low"], plain["high"], plain["n"]) == (20.0, 10.0, 30.0, 3)
    assert rows.loc[("plain", "parameters"), "value"] == 200
    assert rows.loc[("grid", "settings"), "value"] == 2
    nothing = rows.loc[("plain", "predicting_s_per_minute")]
    assert np.isnan(nothing["value"])
    assert nothing["n"] == 0


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"a\tb\n1\t2\n", b"s\n-\n", b"s\n"])
def test_a_benchmark_that_is_no_benchmark_is_no_time(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tsv"
    if content is not None:
        path.write_bytes(content)
    assert math.isnan(benchmark_seconds(path))


def test_judging_is_told_a_minute_of_recording(tmp_path: Path) -> None:
    given = speed(
        *[("fast", "r1", 2.0, k, s, "") for k, s in enumerate((1.0, 3.0, 2.0), start=1)],
        ("blind", "", 0.0, 0, np.nan, "r1: feature_unavailable: no video"),
    )
    path = tmp_path / "speed.tsv"
    given.to_csv(path, sep="\t", index=False)
    read = read_speed(path)
    told = {"fast": {1: {"parameters": 1}}, "blind": {1: {"parameters": 1}}}
    table = cost_table(told, {"fast": 1, "blind": 1}, {}, read)
    rows = table.set_index(["model", "measure"]).xs("predicting_s_per_minute", level="measure")
    fast = rows.loc["fast"]
    assert (fast["value"], fast["low"], fast["high"], fast["n"]) == (1.0, 0.5, 1.5, 3)
    assert rows.loc["blind", "n"] == 0
    assert speed_words(read) == [
        "fast: timed on r1 (2 minutes)",
        "blind: not timed: r1: feature_unavailable: no video",
    ]
    assert speed_words(speed()) == []
    path.write_text("a\tb\n1\t2\n")
    with pytest.raises(StorageError, match="is not a table with the columns"):
        read_speed(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_speed(tmp_path / "nowhere.tsv")


def test_budgets_that_differ_are_said() -> None:
    assert budget_words({"a": 1, "b": 1}).startswith("Same tuning budget: every model tried the")
    assert "tried 6 settings" in budget_words({"a": 6, "b": 6})
    words = budget_words({"a": 1, "b": 6, "c": 1})
    assert words.startswith("Not the same tuning budget: ")
    assert "6 in b; 1 in a, c" in words


def test_times_are_written_in_a_unit_that_suits_them() -> None:
    assert [seconds_text(s) for s in (0.0123, 28.5, 300, 9000, math.nan)] == [
        "0.0123 s",
        "28.5 s",
        "5 min",
        "2.5 h",
        "–",
    ]
    row = {"measure": "training_s", "value": 20.0, "low": 10.0, "high": 300.0, "n": 3}
    assert cost_text(row) == "20 s (10 s to 5 min, n = 3)"
    assert cost_text(row | {"n": 0}) == "–"
    same = {"measure": "parameters", "value": 1e6, "low": 1e6, "high": 1e6, "n": 3}
    assert cost_text(same) == "1,000,000"
