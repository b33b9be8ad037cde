"""What would run, put together by infant from Snakemake's summary."""

from __future__ import annotations

import pytest

from fidgety.errors import StorageError
from fidgety.status import (
    ABSENT,
    COLUMNS,
    DONE,
    Known,
    Planned,
    other_jobs,
    owner_of,
    parse_summary,
    status_lines,
    status_table,
)

INFANTS = {
    "anna": Known("development", ("anna-1", "anna-2")),
    # A recording that is called like another infant.
    "bob": Known("new", ("anna",)),
}


def summary(*rows: tuple[str, str, str, bool]) -> str:
    """What Snakemake prints: other lines, then the table."""
    lines = ["Building DAG of jobs...", "\t".join(COLUMNS)]
    for file, rule, status, pending in rows:
        plan = "update pending" if pending else "no update"
        lines.append("\t".join((file, "-", rule, "-", status, plan)))
    return "\n".join(lines) + "\n"


def planned(*rows: tuple[str, str, str, bool]) -> list[Planned]:
    return parse_summary(summary(*rows))


def test_a_file_belongs_to_whom_it_is_called_after() -> None:
    assert owner_of("standardise_video", "results/video/anna-1.mp4") == "anna-1"
    assert owner_of("render_phantom", "results/phantom/anna-1/video.mp4") == "anna-1"
    assert owner_of("write_infant_page", "results/report/clips/anna") == "anna"
    assert owner_of("write_infant_page", "results/report/infants/anna.html") == "anna"
    assert owner_of("build_features", "results/features/video.h5") == "video"


def test_infants_by_stage() -> None:
    table = status_table(
        planned(
            ("results/video/anna-1.mp4", "standardise_video", "ok", False),
            ("results/video/anna-1.json", "standardise_video", "ok", False),
            ("results/video/anna-2.mp4", "standardise_video", "missing", True),
            ("results/video/anna-2.json", "standardise_video", "ok", True),
            ("results/video/anna.mp4", "standardise_video", "params changed", True),
            ("results/features/anna.h5", "build_features", "ok", True),
            ("results/predictions/anna.h5", "predict_infant", "ok", False),
            ("results/report/index.html", "write_report", "ok", True),
        ),
        INFANTS,
    ).set_index("infant")
    assert list(table.columns) == ["role", "recordings", "video", "features", "assessment"]
    assert table.loc["anna"].to_dict() == {
        "role": "development",
        "recordings": "2",
        "video": "new (1 of 2)",
        "features": ABSENT,
        "assessment": DONE,
    }
    assert table.loc["bob", "video"] == "changed"
    assert table.loc["bob", "features"] == "follows"
    assert table.loc["bob", "assessment"] == ABSENT


def test_what_belongs_to_all_is_told_apart() -> None:
    rows = planned(
        ("results/evaluation/metrics.tsv", "evaluate", "ok", True),
        ("results/evaluation/roc.tsv", "evaluate", "missing", True),
        ("results/folds.tsv", "assign_folds", "ok", False),
        ("results/video/anna-1.mp4", "standardise_video", "missing", True),
    )
    assert other_jobs(rows) == ["evaluate: new"]
    text = "\n".join(status_lines(status_table(rows, INFANTS), other_jobs(rows), "here.tsv"))
    assert "1 of 2 infants have something to do." in text
    assert "evaluate: new" in text
    assert "here.tsv" in text
    assert "bob" not in text
    assert "new: is not there yet" in text
    assert "follows:" not in text


def test_nothing_to_do_is_said() -> None:
    rows = planned(("results/video/anna-1.mp4", "standardise_video", "ok", False))
    lines = status_lines(status_table(rows, INFANTS), other_jobs(rows), "here.tsv")
    assert lines[0] == "Everything is up to date: 2 infants."
    assert status_table([], {}).empty


def test_long_lists_are_cut_and_say_so() -> None:
    rows = planned(
        *((f"results/video/r{k}.mp4", "standardise_video", "missing", True) for k in range(100))
    )
    infants = {f"i{k}": Known("new", (f"r{k}",)) for k in range(100)}
    lines = status_lines(status_table(rows, infants), [], "here.tsv")
    assert "100 of 100 infants have something to do." in lines
    assert "... and 60 infants more" in lines


def test_no_table_is_an_error() -> None:
    with pytest.raises(StorageError, match="no table"):
        parse_summary("Building DAG of jobs...\n")


def test_what_nothing_before_it_explains_was_broken_off() -> None:
    alone = planned(
        ("results/video/anna-1.mp4", "standardise_video", "ok", False),
        ("results/features/anna-1.h5", "build_features", "ok", True),
        ("results/predictions/anna.h5", "predict_infant", "ok", True),
    )
    row = status_table(alone, INFANTS).set_index("infant").loc["anna"]
    assert row["features"] == "broken off"
    assert row["assessment"] == "follows"
    models = planned(
        ("results/models/m/fold-1/model.json", "train_model", "missing", True),
        ("results/predictions/anna.h5", "predict_infant", "ok", True),
    )
    row = status_table(models, INFANTS).set_index("infant").loc["anna"]
    assert row["assessment"] == "follows"


def test_what_snakemake_says_nothing_of_is_known_by_its_records() -> None:
    text = "\n".join(
        "\t".join(row)
        for row in (
            COLUMNS,
            ("results/models/m/model.json", "-", "train_model", "-", "ok", "update pending"),
            ("results/folds.tsv", "-", "assign_folds", "-", "missing", "update pending"),
            ("results/roles.tsv", "-", "assign_roles", "-", "ok", "no update"),
        )
    )
    files = {"results/models/m/model.json", "results/folds.tsv", "results/roles.tsv"}
    found = {one.rule: one.reason for one in parse_summary(text, files)}
    assert found == {"train_model": "broken off", "assign_folds": "new", "assign_roles": ""}
