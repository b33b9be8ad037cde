"""What Snakemake keeps of an infant: records, logs, scripts, copies of what a storage has."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from fidgety.forget.asking import MODEL, names_it, read_text
from fidgety.forget.layout import WORK, Layout
from fidgety.forget.search import FOLDS, nested_folders
from fidgety.forget.whom import Whom
from fidgety.snakemake_records import INCOMPLETE, METADATA, recorded_file
from fidgety.sources import is_remote

#: Snakemake's records by output; what it installs or locks; what it copied of the sources.
_RECORDS = (METADATA, INCOMPLETE)
_SOFTWARE = ("conda", "conda-archive", "singularity", "locks")
_STORAGE = "storage"


def of_snakemake(
    hidden: Path,
    results: Path,
    rules: Sequence[Sequence[str]],
    whom: Whom,
    removed: Collection[Path] = (),
    running: Collection[Path] = (),
) -> list[Path]:
    """Return Snakemake's own records that are about files that go, or name the infant.

    Parameters
    ----------
    hidden
        The folder ``.snakemake``.
    results, rules
        See :func:`find_traces`.
    whom
        Whom to look for.
    removed
        What goes.
    running
        Files that the job which asks is itself made of.
    """
    layout, gone = Layout(results, rules, whom), set(map(Path, removed))
    roots = [*reversed(nested_folders(results)), results]
    found = []
    for part in _RECORDS:
        for path in files_below(hidden / part):
            about = recorded_file(path, hidden / part)
            if about is None:
                continue
            inside = _below(about, roots)
            if about in gone or gone & set(about.parents) or layout.is_own(inside):
                found.append(path)
                continue
            if not layout.is_somebodys(inside) and _made_of(path, layout, roots):
                found.append(path)
    kept = {path.absolute() for path in (*running, *newest_log(hidden))}
    for path in files_below(hidden, {hidden / part for part in (*_RECORDS, *_SOFTWARE, _STORAGE)}):
        inside = str(path.relative_to(hidden))
        if path.absolute() in kept:
            continue
        if whom.words.search(inside.encode()) or names_it(path, whom.words):
            found.append(path)
    return sorted(found)


def fetched(storage: Path, whom: Whom) -> list[Path]:
    """Return Snakemake's local copies of an infant's URLs.

    Parameters
    ----------
    storage
        Folder of the copies: below it one for each storage, and in that what a URL has behind
        its scheme.
    whom
        Whom to look for.
    """
    own, others = (
        {re.split(r"[?#]", one.split("://", 1)[1])[0] for one in urls if is_remote(one)}
        for urls in (whom.sources, whom.protected - whom.sources)
    )
    found = []
    for path in files_below(storage):
        inside = path.relative_to(storage).as_posix().partition("/")[2]
        if inside in own or (inside not in others and path.stem in whom.names):
            found.append(path)
    return sorted(found)


def _below(path: Path, roots: Iterable[Path]) -> str:
    """Return a path below the innermost results folder that it is in."""
    root = next((root for root in roots if path.is_relative_to(root)), None)
    return "" if root is None else path.relative_to(root).as_posix()


def _made_of(record: Path, layout: Layout, roots: Sequence[Path]) -> bool:
    """Tell whether Snakemake's record of a file of nobody names the infant."""
    try:
        content = json.loads(read_text(record))
        inputs, params = content.get("input") or [], content.get("params") or []
    except (OSError, ValueError, AttributeError):
        return False
    whom = layout.whom
    return any(
        layout.is_own(_below(Path(one), roots)) or os.path.abspath(one) in whom.sources
        for one in map(str, inputs)
    ) or any(whom.quoted.search(str(one)) for one in params)


def newest_log(hidden: Path) -> list[Path]:
    """Return the log of the run that asks, which is being written, if there is one."""
    return sorted(files_below(hidden / "log"), key=lambda path: path.stat().st_mtime)[-1:]


def blacken(path: Path, names: re.Pattern[bytes]) -> None:
    """Write over the names in a file that another process goes on to write at its end."""
    with open(path, "r+b") as file:
        for found in names.finditer(file.read()):
            file.seek(found.start())
            file.write(b"*" * len(found[0]))


def files_below(folder: Path, without: Collection[Path] = ()) -> Iterator[Path]:
    """Yield the files below a folder, but for those in some of its folders."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(root, name) not in without]
        yield from (path for name in files if (path := Path(root, name)).is_file())


def in_use(locks: Path, paths: Collection[Path]) -> list[str]:
    """Return the files among some that another snakemake is working on."""
    # Whoever is in a fold may be learned from just now, by a model that is not there yet.
    training = any(path.name in (WORK, FOLDS) for path in paths)
    found = []
    for lock in sorted(locks.glob("*")):
        for line in lock.read_text(encoding="utf-8").splitlines():
            held = Path(line)
            if any(
                held == path or path in held.parents or held in path.parents for path in paths
            ) or (training and held.name == MODEL):
                found.append(line)
    return found


def empty_folders(hidden: Path, names: Collection[str]) -> list[Path]:
    """Return empty folders that are called like the infant, innermost first."""
    walked = os.walk(hidden, topdown=False)
    return [
        Path(r) for r, folders, files in walked if not folders + files and Path(r).name in names
    ]
