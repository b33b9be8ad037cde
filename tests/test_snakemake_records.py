"""Snakemake's records are found by the names that Snakemake itself gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from fidgety.snakemake_records import INCOMPLETE, recorded_file, unfinished_files


def record_of(file: str, folder: Path, longest: int) -> Path:
    """Return where Snakemake keeps the record of a file."""

    class Names(FilePersistence):
        def __init__(self) -> None:
            """Begin nothing: only names are asked for."""

        def _fetch_max_len(self, subject: object) -> int:
            return longest

    return Path(Names()._record_path(str(folder), file))


@pytest.mark.parametrize("longest", [255, 20])
@pytest.mark.parametrize("file", ["results/features/r1.h5", "results/ä ö?>~/é.json", "x" * 300])
def test_the_file_of_a_record_is_read_from_its_name(
    file: str, longest: int, tmp_path: Path
) -> None:
    record = record_of(file, tmp_path / INCOMPLETE, longest)
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    assert recorded_file(record, tmp_path / INCOMPLETE) == Path(file)
    assert unfinished_files(tmp_path) == {file}


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    assert unfinished_files(tmp_path) == set()
    (tmp_path / INCOMPLETE).mkdir()
    (tmp_path / INCOMPLETE / "migration_underway").write_text("")
    (tmp_path / INCOMPLETE / "no base64!").write_text("")
    assert unfinished_files(tmp_path) == set()
