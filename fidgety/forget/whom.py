"""Whom to forget: its ids as typed, and what the sheet, tables and the index know of it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fidgety.errors import ConfigError
from fidgety.infants_index import INFANTS, Owned, read_infants, require_whole
from fidgety.registry import nearest

#: Wildcards that say whose a file is, and columns of tables that do.
OWNERS = ("recording", "infant")


@dataclass(frozen=True)
class Whom:
    """Whom to forget.

    Parameters
    ----------
    infant, recordings
        Its ids.
    sources
        Its own files: absolute paths and URLs, whatever they are called.
    protected
        Absolute paths and URLs of all of the user's files, and its folder of corrections: none of
        them is removed, wherever it is.
    common
        Words that stand in files for something else: the names of the classes.
    """

    infant: str
    recordings: frozenset[str]
    sources: frozenset[str] = frozenset()
    protected: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Whom:
        """Take it from plain values."""
        sets = {
            key: frozenset(map(str, values[key]))
            for key in ("recordings", "sources", "protected", "common")
        }
        return cls(str(values["infant"]), **sets)

    @property
    def names(self) -> frozenset[str]:
        """All ids."""
        return self.recordings | {self.infant}

    @cached_property
    def words(self) -> re.Pattern[bytes]:
        """Pattern of all ids in any text."""
        return word(self.names)

    @cached_property
    def quoted(self) -> re.Pattern[str]:
        """Pattern of all ids in what Snakemake keeps of parameters."""
        name = "|".join(map(re.escape, sorted(self.names)))
        alone = "|".join(map(re.escape, sorted(self.names - self.common - set(OWNERS)))) or "(?!)"
        return re.compile(rf"'(?:{'|'.join(OWNERS)})': '(?:{name})'|'(?:{alone})'")


def word(names: Iterable[str]) -> re.Pattern[bytes]:
    """Return a pattern of whole names: ``baby1`` is not in ``baby10`` and not in ``my-baby1``."""
    any_of = b"|".join(re.escape(name.encode()) for name in sorted(names))
    return re.compile(b"(?<![A-Za-z0-9_-])(?:" + any_of + b")(?![A-Za-z0-9_-])")


def typed_infant(words: Sequence[str]) -> str | None:
    """Return the infant's id as it was typed behind ``--config``.

    Snakemake takes ``003`` for a number; what was typed is the id.
    """
    found, inside = None, False
    for one in words:
        option, _, rest = one.partition("=")
        if one.startswith("-"):
            inside = one in ("--config", "-C")
            one = rest if option == "--config" else one[2:] if one.startswith("-C") else ""
        elif not inside:
            continue
        if one.startswith("infant="):
            value = one.removeprefix("infant=")
            quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
            found = value[1:-1] if quoted else value
    return found or None


def recordings_in(tables: Iterable[Path], infant: str) -> set[str]:
    """Return an infant's recordings as tables of earlier runs know them."""
    found = set()
    for table in tables:
        # Ids are plain, whatever has become of the rest.
        with table.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            found |= {row.get("recording") for row in rows if row.get("infant") == infant}
    return {name for name in found if name}


def known_of(
    results: Path, infant: str, in_sheet: Mapping[str, Owned], tables: Iterable[Path]
) -> Owned:
    """Return what an infant has and has had, but for what the sheet gives to others now.

    Parameters
    ----------
    results
        Folder, with the index.
    infant
        Its id.
    in_sheet
        What the sheet says of everybody.
    tables
        Of earlier runs.

    Raises
    ------
    ConfigError
        If neither the sheet nor an earlier run knows the infant.
    StorageError
        If the index is damaged, so that not all may be known.
    """
    require_whole(results / INFANTS)
    remembered = read_infants(results / INFANTS)
    recordings = recordings_in(tables, infant)
    known = sorted({*in_sheet, *remembered})
    if infant not in known and not recordings:
        raise ConfigError(
            f"infant: {infant!r} is neither in the sheet nor in the results."
            + nearest(infant, known)
        )
    own = remembered.get(infant, Owned()) | in_sheet.get(infant, Owned())
    others = [one for name, one in in_sheet.items() if name != infant]
    return Owned(
        (own.recordings | recordings).difference(*(one.recordings for one in others)),
        own.sources.difference(*(one.sources for one in others)),
    )
