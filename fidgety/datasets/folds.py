"""Folds over infants: stratified, deterministic, stable when infants are added.

Infants are dealt one at a time, class by class, in the order of a hash of seed and id; each goes
to the fold with the fewest of its class, then with the fewest infants, then with the lowest
number. The order of the table's rows does not matter. An infant that has a fold keeps it, also
when its label is corrected: its predictions stay comparable, and models of other folds need no
new training on its account.

Or by site: every site is a fold of its own (leave one site out). A site that has a number keeps
it; new ones get the lowest free numbers, in the order of their names. An infant is in the fold of
its site, also when its site is corrected.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fidgety.errors import ConfigError, Status, StorageError
from fidgety.files import atomic_path

COLUMNS = ("infant", "label", "fold")
#: Of a table of folds by site.
SITE_COLUMNS = (*COLUMNS, "site")
#: Fewest training infants of a class for one of them to be kept aside for validation.
MIN_FOR_VALIDATION = 3


@dataclass(frozen=True)
class FoldEntry:
    """One infant of the cross-validation.

    Parameters
    ----------
    infant, label
        As in the cohort table.
    fold
        1 to the number of folds: the fold in which the infant is tested.
    site
        The site whose infants this fold tests; empty if folds are by infant.
    """

    infant: str
    label: str
    fold: int
    site: str = ""


def hash_order(infants: Iterable[str], *names: str) -> list[str]:
    """Order infants by a hash of their id and of ``names``: random, but always the same."""
    return sorted(
        infants, key=lambda infant: hashlib.sha256("/".join((*names, infant)).encode()).digest()
    )


def assign_folds(
    labels: Mapping[str, str], n: int, seed: int, previous: Iterable[FoldEntry] = ()
) -> list[FoldEntry]:
    """Deal infants into folds.

    Parameters
    ----------
    labels
        Infant to class.
    n
        Number of folds.
    seed
        Seed of the configuration.
    previous
        An earlier assignment. Its infants keep their folds, if it has the same number of folds;
        otherwise all infants are dealt anew, and so they are if it was by site. Infants that are
        no longer there leave it.

    Returns
    -------
    list of FoldEntry
        Sorted by infant.

    Raises
    ------
    ConfigError
        If a class has fewer infants than there are folds, so that a fold would be tested, or a
        model trained, without it.
    """
    count = _count_classes(labels)
    rarest, fewest = min(count.items(), key=lambda item: (item[1], item[0]))
    if fewest < n:
        remedy = (
            f"Set folds.n to at most {fewest}, or add infants of this class."
            if fewest >= 2
            else "Cross-validation needs at least 2: add infants of this class."
        )
        raise ConfigError(
            f"class {rarest!r} has {fewest} assessable development "
            f"infant{'s' if fewest > 1 else ''}, fewer than folds.n = {n}. {remedy}"
        )
    earlier = {entry.infant: entry.fold for entry in previous if not entry.site}
    if set(earlier.values()) != set(range(1, n + 1)):
        earlier = {}
    fold_of = {infant: earlier[infant] for infant in labels if infant in earlier}
    total = Counter(fold_of.values())
    per_class = Counter((labels[infant], fold) for infant, fold in fold_of.items())
    for label in sorted(count):
        new = [i for i in labels if labels[i] == label and i not in fold_of]
        for infant in hash_order(new, str(seed), "folds"):
            fold = min(range(1, n + 1), key=lambda k: (per_class[label, k], total[k], k))
            fold_of[infant] = fold
            per_class[label, fold] += 1
            total[fold] += 1
    return [FoldEntry(infant, labels[infant], fold_of[infant]) for infant in sorted(labels)]


def _count_classes(labels: Mapping[str, str]) -> Counter[str]:
    """Count the infants of each class, of which there must be two at least."""
    count = Counter(labels.values())
    if not count:
        raise ConfigError(
            "no development infant is left to train on: all are excluded or not assessable. "
            "See the cohort table's column 'reason', or add recordings."
        )
    if len(count) < 2:
        raise ConfigError(
            f"all {len(labels)} development infants have the label {next(iter(count))!r}: a model "
            "needs at least two classes. Add infants of another class."
        )
    return count


def assign_sites(
    labels: Mapping[str, str],
    site_of: Mapping[str, str],
    sites: Iterable[str],
    previous: Iterable[FoldEntry] = (),
) -> list[FoldEntry]:
    """Make every site a fold.

    Parameters
    ----------
    labels
        Infant to class.
    site_of
        Infant to site.
    sites
        The sites that the sheet has: so many folds are planned.
    previous
        An earlier assignment by site, the more important entries first: its sites keep their
        numbers, unless there are fewer sites than that by now. One by infant says nothing.

    Returns
    -------
    list of FoldEntry
        Sorted by infant.

    Raises
    ------
    ConfigError
        If a site has no infant, so that nobody would be tested in its fold, or if without a site
        no infant of some class is left to learn from.
    """
    count, wanted = _count_classes(labels), sorted(set(sites))
    empty = sorted(set(wanted) - {site_of[infant] for infant in labels})
    if empty:
        raise ConfigError(
            f"no development infant of the site {', '.join(map(repr, empty))} is assessable, so "
            "nobody can be tested in its fold. The cohort table's column 'reason' says why; take "
            "its recordings out of the sheet, or set folds.by to infant."
        )
    number: dict[str, int] = {}
    for entry in previous:
        known = entry.site in wanted and entry.site not in number
        if known and 1 <= entry.fold <= len(wanted) and entry.fold not in number.values():
            number[entry.site] = entry.fold
    free = iter(k for k in range(1, len(wanted) + 1) if k not in number.values())
    number |= {site: next(free) for site in wanted if site not in number}
    for site in wanted:
        rest = {labels[infant] for infant in labels if site_of[infant] != site}
        for label in sorted(set(count) - rest):
            raise ConfigError(
                f"without the site {site!r} no assessable development infant of class {label!r} "
                "is left to learn from. Add infants of another site, or set folds.by to infant."
            )
    return [
        FoldEntry(infant, labels[infant], number[site_of[infant]], site_of[infant])
        for infant in sorted(labels)
    ]


def choose_validation(
    labels: Mapping[str, str], share: float, seed: int, fold: int
) -> tuple[str, ...]:
    """Choose the training infants of a fold that are kept aside for validation.

    None where ``share`` is 0. Else stratified: of a class with m infants, ``share`` of m
    (rounded), at least one and at most m - 2. A class with fewer than 3 training infants gives
    none: it would be left with a single one to learn from. If fewer than two classes can give one,
    nobody is kept aside, as a loss over one class would reward always answering it; training then
    runs for a fixed number of epochs, and the threshold is 0.5.

    Parameters
    ----------
    labels
        Training infant of this fold to class.
    share
        At least 0, below 1.
    seed
        Seed of the configuration.
    fold
        Number of the fold, so that folds differ in whom they keep aside.

    Returns
    -------
    tuple of str
        Sorted; empty if the classes are too small.
    """
    if not share:
        return ()
    chosen: dict[str, list[str]] = {}
    for label in sorted(set(labels.values())):
        own = [infant for infant in labels if labels[infant] == label]
        if len(own) < MIN_FOR_VALIDATION:
            continue
        wanted = min(max(round(share * len(own)), 1), len(own) - 2)
        chosen[label] = hash_order(own, str(seed), "validation", str(fold))[:wanted]
    if len(chosen) < 2:
        return ()
    return tuple(sorted(infant for own in chosen.values() for infant in own))


def infant_labels(cohort: pd.DataFrame) -> dict[str, str]:
    """Return the labels of the infants that have an assessable recording.

    Parameters
    ----------
    cohort
        Cohort table with columns recording, infant, label and status.

    Raises
    ------
    ConfigError
        If an assessable infant has no label, or two different ones.
    """
    return _one_of_each(cohort, "label")


def infant_sites(cohort: pd.DataFrame) -> dict[str, str]:
    """Return the sites of the infants that have an assessable recording.

    Raises
    ------
    ConfigError
        If an assessable infant has no site, or two different ones.
    """
    return _one_of_each(cohort, "site")


def _one_of_each(cohort: pd.DataFrame, column: str) -> dict[str, str]:
    """Return every assessable infant's one value of a column."""
    usable = cohort[cohort["status"] == Status.OK.value]
    values: dict[str, str] = {}
    problems = []
    for infant, rows in usable.groupby("infant", sort=True):
        found = sorted({str(value) for value in rows[column]} - {""})
        if len(found) == 1:
            values[str(infant)] = found[0]
        else:
            what = f"the {column}s {', '.join(found)}" if found else f"no {column}"
            problems.append(f"development infant {infant} has {what}; give it one.")
    if problems:
        raise ConfigError("\n".join(problems))
    return values


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a TSV table: every value as text, empty where missing.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    try:
        return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: cannot be read as a table: {error}") from None


def read_folds(path: str | os.PathLike[str]) -> list[FoldEntry]:
    """Read ``folds.tsv``.

    Raises
    ------
    StorageError
        If it is not such a table.
    """
    table = read_table(path)
    known = tuple(table.columns) in (COLUMNS, SITE_COLUMNS)
    if not known or not table["fold"].str.fullmatch(r"[0-9]+").all():
        raise StorageError(
            f"{path}: is not a table of folds with the columns {', '.join(COLUMNS)}. "
            "Delete it and run the workflow again: the infants are then dealt anew."
        )
    return [
        FoldEntry(infant, label, int(fold), *site)
        for infant, label, fold, *site in table.itertuples(index=False, name=None)
    ]


def read_previous_folds(path: str | os.PathLike[str]) -> list[FoldEntry]:
    """Read an earlier ``folds.tsv`` if there is one."""
    return read_folds(path) if Path(path).is_file() else []


def write_folds(path: str | os.PathLike[str], entries: Iterable[FoldEntry]) -> None:
    """Write ``folds.tsv``, whole or not at all; the column ``site`` if folds are by site."""
    rows = [vars(entry) for entry in entries]
    columns = SITE_COLUMNS if any(row["site"] for row in rows) else COLUMNS
    table = pd.DataFrame(rows, columns=list(columns))
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
