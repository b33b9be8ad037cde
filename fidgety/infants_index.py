"""Which recordings and source files an infant has had: kept below the results, for erasing it.

The sheet forgets an infant as soon as its rows are taken out, and the next run rewrites the tables
that were made of them. Every plan that starts jobs adds to this index what the sheet says then;
``snakemake forget`` reads it, and takes its own entry out at the very end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fidgety.errors import StorageError
from fidgety.files import read_json_record, write_text

SCHEMA = "infants/1"
INFANTS = Path(".index") / "infants.json"


@dataclass(frozen=True)
class Owned:
    """What an infant has, or has had.

    Parameters
    ----------
    recordings
        Ids.
    sources
        Its files: absolute paths, or URLs.
    """

    recordings: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def __or__(self, other: Owned) -> Owned:
        """Return what either has."""
        return Owned(self.recordings | other.recordings, self.sources | other.sources)


def read_infants(path: Path) -> dict[str, Owned]:
    """Read the index; a missing one is empty.

    Raises
    ------
    StorageError
        If it is damaged.
    """
    if not path.exists():
        return {}
    content = read_json_record(path, SCHEMA)
    try:
        return {
            str(infant): Owned(frozenset(own["recordings"]), frozenset(own["sources"]))
            for infant, own in content["infants"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{path}: is no index of infants ({error})") from None


def _write(path: Path, infants: Mapping[str, Owned]) -> None:
    content = {
        infant: {"recordings": sorted(own.recordings), "sources": sorted(own.sources)}
        for infant, own in infants.items()
    }
    text = json.dumps({"schema": SCHEMA, "infants": content}, sort_keys=True) + "\n"
    write_text(path, text)


def add_infants(path: Path, infants: Mapping[str, Owned]) -> None:
    """Add what is known now; an index that has it already is left as it is.

    A damaged index is written anew: what it knew is lost, and no run stops because of it.
    """
    try:
        known = read_infants(path)
    except StorageError:
        known = {}
    merged = known | {infant: known.get(infant, Owned()) | own for infant, own in infants.items()}
    if merged != known:
        _write(path, merged)


def without_infant(path: Path, infant: str) -> None:
    """Take an infant's entry out."""
    known = read_infants(path)
    if known.pop(infant, None) is not None:
        _write(path, known)


def absolute(sources: Iterable[str | os.PathLike[str]], urls: Iterable[str] = ()) -> frozenset[str]:
    """Return sources as the index has them."""
    return frozenset({*map(os.path.abspath, sources), *urls})
