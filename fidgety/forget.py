"""Erase an infant: every file of its own, and everything made of many infants that names it.

Whose a file is follows from the rules: an output ``results/pose/raw/{recording}.h5`` is of one
recording, ``results/folds.tsv`` of nobody. Files of the infant's recordings and of the infant
itself go. Files of nobody are searched for its names; those that have one go too, with all that
the same job wrote (the weights of a model that was trained on it, the videos behind a key), and
the next run makes them anew. Two files cannot be made anew without loss and are rewritten: the
folds, in which nobody else may move, and the checksums of source files, which take hours for a
large cohort: out of them go the paths that name it, and those that its rows in the sheet name.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import csv
import glob
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fidgety import checksums
from fidgety.errors import ConfigError
from fidgety.files import write_text
from fidgety.registry import nearest
from fidgety.sources import index_without

_WILDCARD = re.compile(r"\{(\w+)(?:,[^{}]*)?\}")
#: Wildcards that say whose a file is.
OWNERS = ("recording", "infant")
#: Bytes that are read at once; names are shorter.
BLOCK = 1 << 20
FOLDS = "folds.tsv"
SOURCES = Path(".index") / "sources.json"
#: Snakemake's records by output, and what it installs or locks.
_RECORDS = ("metadata", "incomplete")
_SOFTWARE = ("conda", "conda-archive", "singularity", "locks")
#: Below the results folder, and not made of infants.
_NOT_SEARCHED = (".cache",)


@dataclass(frozen=True)
class Traces:
    """What there is of an infant.

    Parameters
    ----------
    remove
        Files and folders that go, sorted.
    rewrite
        Files out of which it is taken.
    trained
        Descriptions of models that were trained on it, or chosen by it; among ``remove``.
    records
        Checksums of what goes.
    """

    remove: tuple[Path, ...]
    rewrite: tuple[Path, ...]
    trained: tuple[Path, ...]
    records: tuple[Path, ...] = ()


def word(names: Iterable[str]) -> re.Pattern[bytes]:
    """Return a pattern of whole names: ``baby1`` is not in ``baby10`` and not in ``my-baby1``."""
    any_of = b"|".join(re.escape(name.encode()) for name in sorted(names))
    return re.compile(b"(?<![A-Za-z0-9_-])(?:" + any_of + b")(?![A-Za-z0-9_-])")


def recordings_in(tables: Iterable[Path], infant: str) -> set[str]:
    """Return an infant's recordings as tables of earlier runs know them."""
    found = set()
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            found |= {row.get("recording") for row in rows if row.get("infant") == infant}
    return {name for name in found if name}


def check_known(infant: str, recordings: Collection[str], infants: Iterable[str]) -> None:
    """Check that there is something to forget.

    Raises
    ------
    ConfigError
        If neither the sheet nor an earlier run knows the infant.
    """
    known = sorted(infants)
    if not recordings and infant not in known:
        raise ConfigError(
            f"infant: {infant!r} is neither in the sheet nor in the results."
            + nearest(infant, known)
        )


def _replaced(
    pattern: str, wildcard: Callable[[str], str], text: Callable[[str], str] = str
) -> str:
    """Return a rule's pattern with every wildcard, by its name, and the text between replaced."""
    # Text and names of wildcards take turns.
    return "".join(
        wildcard(part) if k % 2 else text(part) for k, part in enumerate(_WILDCARD.split(pattern))
    )


def filled(pattern: str, infant: str, recordings: Iterable[str]) -> Iterator[str]:
    """Yield the glob patterns of an infant's files among those of a rule's output.

    Parameters
    ----------
    pattern
        Of a rule, with wildcards. One without ``recording`` and ``infant`` is nobody's.
    infant, recordings
        Names.
    """
    names = {name for name in _WILDCARD.findall(pattern) if name in OWNERS}
    if not names:
        return
    for recording in sorted(recordings) if "recording" in names else [""]:
        values = {"infant": glob.escape(infant), "recording": glob.escape(recording)}
        yield _replaced(pattern, lambda name, v=values: v.get(name, "*"), glob.escape)  # type: ignore[misc]


def of_the_same_job(path: str, rules: Iterable[Sequence[str]]) -> set[str]:
    """Return all that the job of a file wrote, itself included.

    Parameters
    ----------
    path
        File.
    rules
        The patterns of every rule's outputs.
    """
    found = {path}
    for outputs in rules:
        for output in outputs:
            values = _values(output, path)
            if values is None:
                continue
            for other in outputs:
                if set(_WILDCARD.findall(other)) <= set(values):
                    found.add(_replaced(other, values.__getitem__))
    return found


def _values(pattern: str, path: str) -> dict[str, str] | None:
    """Return the values of a pattern's wildcards in a path, or None if it is of another kind."""
    seen: set[str] = set()

    def group(name: str) -> str:
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>[^/]+)"

    text = _replaced(pattern, group, re.escape)
    match = re.fullmatch(text, path)
    return match.groupdict() if match else None


def is_owned(path: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    """Tell whether a file is one infant's or recording's, whoever's."""
    return any(pattern.match(path) for pattern in patterns)


def owned(patterns: Iterable[str]) -> list[re.Pattern[str]]:
    """Return what matches all files that are somebody's own, and files in such folders."""
    found = []
    for pattern in patterns:
        if not set(_WILDCARD.findall(pattern)) & set(OWNERS):
            continue
        found.append(re.compile(_replaced(pattern, lambda _: "[^/]+", re.escape) + "(/|$)"))
    return found


def names_it(path: Path, pattern: re.Pattern[bytes], longest: int = 256) -> bool:
    """Tell whether a file has a name in it, whatever its format.

    Parameters
    ----------
    path
        File.
    pattern
        See :func:`word`.
    longest
        Bytes of the longest name with what stands around it.
    """
    before = b""
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            if pattern.search(before + block):
                return True
            before = (before + block)[-longest:]
    return False


def find_traces(
    results: Path,
    rules: Sequence[Sequence[str]],
    infant: str,
    recordings: Collection[str],
    sources: Collection[str] = (),
) -> Traces:
    """Find all that there is of an infant below the results folder.

    Parameters
    ----------
    results
        Folder.
    rules
        Outputs, logs and benchmarks of every rule, with their wildcards.
    infant, recordings
        Whom to look for.
    sources
        Its own files, wherever they are and whatever they are called.
    """
    patterns = [pattern for rule in rules for pattern in rule]
    own = {
        Path(path)
        for pattern in patterns
        for one in filled(pattern, infant, recordings)
        for path in glob.glob(one, include_hidden=True)
    }
    names, somebodys = word({infant, *recordings}), owned(patterns)
    rewrite: list[Path] = []
    trained: list[Path] = []
    naming: set[Path] = set()
    records: set[Path] = set()
    for path in _files(results, own):
        inside = path.relative_to(results)
        if inside.parts[0] in _NOT_SEARCHED:
            continue
        if inside.parts[0] == checksums.FOLDER:
            about = "/".join(inside.parts[1:])
            records |= {path} if names.search(about.encode()) or names_it(path, names) else set()
            continue
        if is_owned(str(path), somebodys) and not names.search(path.name.encode()):
            continue
        if inside == Path(FOLDS):
            rewrite += [path] if names_it(path, names) else []
        elif inside == SOURCES:
            rewrite += [path] if rewritten(path, names, sources) != _text(path) else []
        elif folder := _folder_named(path, results, names):
            naming.add(folder)
        elif names.search(path.name.encode()) or names_it(path, names):
            naming |= {Path(p) for p in of_the_same_job(str(path), rules)}
            trained += [path] if path.name == "model.json" else []
    remove = {path for path in own | naming if path.exists()}
    # What lies in a folder that goes, goes with it.
    outermost = {p for p in remove if not remove & set(p.parents)}
    for path in outermost:
        records.update(checksums.records_below(path, results / checksums.FOLDER))
    return Traces(*(tuple(sorted(paths)) for paths in (outermost, rewrite, trained, records)))


def _folder_named(path: Path, results: Path, names: re.Pattern[bytes]) -> Path | None:
    """Return the folder that a file is in and that is called like the infant, if there is one.

    A stage's own folder, right below the results, is not meant.
    """
    inside = path.relative_to(results).parts
    called = [k for k in range(1, len(inside) - 1) if names.fullmatch(inside[k].encode())]
    return results.joinpath(*inside[: called[0] + 1]) if called else None


def _files(folder: Path, without: Collection[Path]) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(root, name) not in without]
        yield from (p for name in files if (p := Path(root, name)) not in without and p.is_file())


def of_snakemake(hidden: Path, removed: Collection[str], names: re.Pattern[bytes]) -> list[Path]:
    """Return Snakemake's own records that are about files that go, or name the infant.

    Parameters
    ----------
    hidden
        The folder ``.snakemake``.
    removed
        Paths that go, as Snakemake has them.
    names
        See :func:`word`.
    """
    found = []
    for part in _RECORDS:
        for path in _files(hidden / part, ()):
            # The file's path in base64, cut into folders where it is long.
            encoded = "".join(p.removeprefix("@") for p in path.relative_to(hidden / part).parts)
            try:
                about = base64.b64decode(encoded, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                about = ""
            gone = any(about == one or about.startswith(f"{one}/") for one in removed)
            if gone or names.search(about.encode()) or names_it(path, names):
                found.append(path)
    for path in _files(hidden, {hidden / part for part in _RECORDS + _SOFTWARE}):
        inside = str(path.relative_to(hidden)).encode()
        if names.search(inside) or names_it(path, names):
            found.append(path)
    return sorted(found)


def in_use(locks: Path, paths: Collection[Path]) -> list[str]:
    """Return the files among some that another snakemake is working on."""
    found = []
    for lock in sorted(locks.glob("*")):
        for line in lock.read_text(encoding="utf-8").splitlines():
            held = Path(line)
            if any(held == path or path in held.parents for path in paths):
                found.append(line)
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rewritten(path: Path, names: re.Pattern[bytes], sources: Collection[str] = ()) -> str:
    """Return a file's text without the lines, or entries, that name the infant or its files."""
    text = _text(path)
    if path.name == SOURCES.name:
        own = {os.path.abspath(source) for source in sources}
        return index_without(
            text, lambda source: source in own or names.search(source.encode()) is not None
        )
    kept = [line for line in text.splitlines(keepends=True) if not names.search(line.encode())]
    return "".join(kept)


def forget(traces: Traces, names: re.Pattern[bytes], sources: Collection[str] = ()) -> None:
    """Remove and rewrite what :func:`find_traces` found; done twice, it does no harm."""
    for path in traces.rewrite:
        write_text(path, rewritten(path, names, sources))
        checksums.renew(path, path.parent / checksums.FOLDER)
    checksums.drop(traces.records)
    for path in traces.remove:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=False)
        else:
            path.unlink(missing_ok=True)
        # A folder of its own bears its name.
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def told(traces: Traces, yours: Sequence[str], verb: str) -> str:
    """Say what goes, what is rewritten, and what is the user's own and stays.

    Parameters
    ----------
    traces
        What was found.
    yours
        Files of the user that are about the infant, in words.
    verb
        ``removed`` or ``would be removed``.
    """
    lines = [f"{len(traces.remove)} files and folders {verb}:"]
    lines += [f"  {path}" for path in traces.remove]
    lines += [f"{path}: the infant is taken out of it" for path in traces.rewrite]
    if traces.trained:
        lines.append(
            f"{len(traces.trained)} models had a part of it and go too. Bundles, and copies of "
            "results, that were given away have learned from it: ask for them back, or say so."
        )
    if yours:
        lines.append(
            "Yours, and left alone; with its rows in the sheet the next run makes it anew:"
        )
        lines += [f"  {one}" for one in yours]
    return "\n".join(lines)
