"""Folds over infants: stratified, deterministic, stable when infants are added.

Infants are dealt one at a time, class by class, in the order of a hash of seed and id; each goes
to the fold with the fewest of its class, then with the fewest infants, then with the lowest
number. The order of the table's rows does not matter. An infant that has a fold keeps it, also
when its label is corrected: its predictions stay comparable, and models of other folds need no
new training on its account.
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
from fidgety.storage import atomic_path

COLUMNS = ("infant", "label", "fold")
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
    """

    infant: str
    label: str
    fold: int


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
        otherwise all infants are dealt anew. Infants that are no longer there leave it.

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
    earlier = {entry.infant: entry.fold for entry in previous}
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
    usable = cohort[cohort["status"] == Status.OK.value]
    labels: dict[str, str] = {}
    problems = []
    for infant, rows in usable.groupby("infant", sort=True):
        found = sorted({str(label) for label in rows["label"]} - {""})
        if len(found) == 1:
            labels[str(infant)] = found[0]
        else:
            what = f"the labels {', '.join(found)}" if found else "no label"
            problems.append(f"development infant {infant} has {what}; give it one.")
    if problems:
        raise ConfigError("\n".join(problems))
    return labels


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
    if tuple(table.columns) != COLUMNS or not table["fold"].str.fullmatch(r"[0-9]+").all():
        raise StorageError(
            f"{path}: is not a table of folds with the columns {', '.join(COLUMNS)}. "
            "Delete it and run the workflow again: the infants are then dealt anew."
        )
    return [
        FoldEntry(str(row.infant), str(row.label), int(str(row.fold)))
        for row in table.itertuples(index=False)
    ]


def read_previous_folds(path: str | os.PathLike[str]) -> list[FoldEntry]:
    """Read an earlier ``folds.tsv`` if there is one."""
    return read_folds(path) if Path(path).is_file() else []


def write_folds(path: str | os.PathLike[str], entries: Iterable[FoldEntry]) -> None:
    """Write ``folds.tsv``, whole or not at all."""
    table = pd.DataFrame([vars(entry) for entry in entries], columns=list(COLUMNS))
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
