"""Which recordings and source files an infant has had: kept below the results, for erasing it.

The sheet forgets an infant as soon as its rows are taken out, and the next run rewrites the tables
that were made of them. Every plan that starts jobs adds to this index what the sheet says then;
``snakemake forget`` reads it, and takes its own entry out at the very end.

No run can bring back what it knew, so it has a checksum of its own, and one that is damaged is kept
aside under another name until somebody has looked into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from fidgety.errors import DamagedError, StorageError
from fidgety.files import read_sealed, write_sealed

SCHEMA = "infants/2"
#: Without a checksum of its own.
EARLIER = "infants/1"
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
        If it cannot be read; as :class:`DamagedError` if it is damaged.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[dict[str, Owned], bool]:
    """Return what the index knows, and whether it has a checksum of its own."""
    if not path.exists():
        return {}, True
    content, sealed = read_sealed(path, SCHEMA, EARLIER)
    try:
        infants = {
            str(infant): Owned(frozenset(own["recordings"]), frozenset(own["sources"]))
            for infant, own in content["infants"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path}: is no index of infants ({error})") from None
    return infants, sealed


def _write(path: Path, infants: Mapping[str, Owned]) -> None:
    content = {
        infant: {"recordings": sorted(own.recordings), "sources": sorted(own.sources)}
        for infant, own in infants.items()
    }
    write_sealed(path, {"schema": SCHEMA, "infants": content})


def kept_aside(path: Path) -> list[Path]:
    """Return the damaged indexes that lie beside one."""
    return sorted(path.parent.glob(f"{path.name}.damaged*"))


def require_whole(path: Path) -> None:
    """Check that the index is all that was ever known.

    Raises
    ------
    StorageError
        If it is damaged, or a damaged one was kept aside: what to do.
    """
    aside = kept_aside(path)
    try:
        read_infants(path)
    except DamagedError:
        aside = [*aside, path]
    if aside:
        raise StorageError(
            f"{aside[0]}: this index of infants is damaged, so that not all recordings of an "
            f"infant may be known. {what_to_do(aside[0])}"
        )


def what_to_do(damaged: Path) -> str:
    """Return what to do about a damaged index."""
    if damaged.name == INFANTS.name:
        copy, then = "Put a copy of it back if you have one, and leave it at that", "Then"
    else:
        copy, then = f"Put a copy back as {INFANTS.name} if you have one", "Then, either way,"
    return (
        f"{copy}; else look into it for infants and recordings that the sheet does not have any "
        f"more: their files below the results are yours to remove. {then} "
        f"delete it: rm {quote(str(damaged))}"
    )


def add_infants(path: Path, infants: Mapping[str, Owned]) -> Path | None:
    """Add what is known now; an index that has it already is left as it is.

    Returns
    -------
    Path or None
        Where a damaged index was put, in whose place a new one is begun: what the old one knew of
        infants that have left the sheet is not in it.

    Raises
    ------
    StorageError
        If the machine cannot read it.
    """
    aside = None
    try:
        known, sealed = _read(path)
    except DamagedError:
        known, sealed = {}, False
        aside = path.with_name(f"{path.name}.damaged")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}+")
        os.replace(path, aside)
    merged = known | {infant: known.get(infant, Owned()) | own for infant, own in infants.items()}
    if merged != known or not sealed:
        _write(path, merged)
    return aside


def without_infant(path: Path, infant: str) -> None:
    """Take an infant's entry out."""
    known = read_infants(path)
    if known.pop(infant, None) is not None:
        _write(path, known)


def absolute(sources: Iterable[str | os.PathLike[str]], urls: Iterable[str] = ()) -> frozenset[str]:
    """Return sources as the index has them."""
    return frozenset({*map(os.path.abspath, sources), *urls})
