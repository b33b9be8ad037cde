"""Erase an infant: every file of its own, and everything made of many infants that names it.

Whose a file is follows from the rules: an output ``results/pose/raw/{recording}.h5`` is of one
recording, ``results/folds.tsv`` of nobody. Files of the infant's recordings and of the infant
itself go, by the values of the rules' wildcards alone: an id may be ``1`` or ``h5``, so that a word
in a name says nothing. What is somebody else's is not even opened.

Files of nobody are asked for the infant: tables by their columns, models by the infants that they
learned from, all else by its words. Those that have it go too, with all that the same job wrote,
and the next run makes them anew; a common word as an id makes more of them go than need be, and
costs their jobs. Three files cannot be made anew without loss and are rewritten: the folds, in
which nobody else may move, the checksums of source files, which take hours for a large cohort, and
the index of who has had which recordings, last of all, so that what was interrupted can be called
again.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import csv
import glob
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from fidgety import checksums
from fidgety.errors import ConfigError, StorageError
from fidgety.files import write_text
from fidgety.infants_index import INFANTS, Owned, read_infants, without_infant
from fidgety.registry import nearest
from fidgety.sources import index_without, is_remote

_WILDCARD = re.compile(r"\{(\w+)(?:,[^{}]*)?\}")
#: Wildcards that say whose a file is, and columns of tables that do.
OWNERS = ("recording", "infant")
#: Bytes that are read at once; names are shorter.
BLOCK = 1 << 20
FOLDS = "folds.tsv"
MODEL = "model.json"
WORK = "work"
SOURCES = Path(".index") / "sources.json"
#: What jobs write beside their outputs.
BESIDE = ("frames/{recording}",)
#: Weights in another form; they have no id in them, and go where a model goes.
BUNDLES = ("bundle", "bundle.zip")
#: Snakemake's records by output; what it installs or locks; what it copied of the sources.
_RECORDS = ("metadata", "incomplete")
_SOFTWARE = ("conda", "conda-archive", "singularity", "locks")
_STORAGE = "storage"
#: Below the results folder, and not made of infants: caches, numbers, the log of forgetting.
_NOT_SEARCHED = (".cache", ".index", checksums.FOLDER, "benchmarks", "logs/forget.log")
#: Lists of models, whose numbers are no ids.
_NAMELESS = ("models.tsv",)
_HDF5 = (".h5", ".nc", ".nwb")
#: No names in them, and any short one by chance.
_PICTURES_AND_NUMBERS = (
    *(".mp4", ".png", ".jpg", ".zip", ".gz", ".npy", ".npz", ".safetensors", ".ckpt", ".pt"),
    *(".pth", ".woff2"),
)


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


@dataclass(frozen=True)
class Traces:
    """What there is of an infant.

    Parameters
    ----------
    remove
        Files and folders that go. What names the infant comes last: it is what the rest is found
        by, should this be interrupted.
    rewrite
        Files out of which it is taken.
    trained
        Descriptions of models that were trained on it, or chosen by it; among ``remove``.
    records
        Checksums of what goes.
    links
        Links to folders that were not followed.
    index
        Indexes of infants that know it.
    """

    remove: tuple[Path, ...]
    rewrite: tuple[Path, ...] = ()
    trained: tuple[Path, ...] = ()
    records: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    index: tuple[Path, ...] = ()


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
        with table.open(encoding="utf-8", newline="") as file:
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
    """
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


def _replaced(
    pattern: str, wildcard: Callable[[str], str], text: Callable[[str], str] = str
) -> str:
    """Return a rule's pattern with every wildcard, by its name, and the text between replaced."""
    # Text and names of wildcards take turns.
    return "".join(
        wildcard(part) if k % 2 else text(part) for k, part in enumerate(_WILDCARD.split(pattern))
    )


def _fillings(
    pattern: str, infant: str, recordings: Iterable[str], other: str, escape: Callable[[str], str]
) -> Iterator[str]:
    names = {name for name in _WILDCARD.findall(pattern) if name in OWNERS}
    if not names:
        return
    for recording in sorted(recordings) if "recording" in names else [""]:
        values = {"infant": escape(infant), "recording": escape(recording)}
        yield _replaced(pattern, lambda name, v=values: v.get(name, other), escape)  # type: ignore[misc]


def filled(pattern: str, infant: str, recordings: Iterable[str]) -> Iterator[str]:
    """Yield the glob patterns of an infant's files among those of a rule's output.

    Parameters
    ----------
    pattern
        Of a rule, with wildcards. One without ``recording`` and ``infant`` is nobody's.
    infant, recordings
        Names.
    """
    yield from _fillings(pattern, infant, recordings, "*", glob.escape)


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


def _matching(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return what matches files, and files in such folders, of regular expressions."""
    return re.compile("(?:" + "|".join(sorted(set(patterns))) + ")(?:/|$)" if patterns else "(?!)")


class Layout:
    """Whose files are, by the rules.

    Parameters
    ----------
    results
        Folder of the configuration.
    rules
        Outputs, logs and benchmarks of every rule, with their wildcards.
    whom
        Whom to look for.
    """

    def __init__(self, results: Path, rules: Sequence[Sequence[str]], whom: Whom) -> None:
        top = os.path.normpath(results)
        self.rules = [
            [os.path.relpath(pattern, top) for pattern in rule if _is_below(pattern, top)]
            for rule in rules
        ] + [[pattern] for pattern in BESIDE]
        self.patterns = sorted({pattern for rule in self.rules for pattern in rule})
        self.whom = whom
        of_somebody = [p for p in self.patterns if set(_WILDCARD.findall(p)) & set(OWNERS)]
        self._somebodys = _matching(
            [_replaced(p, lambda _: "[^/]+", re.escape) for p in of_somebody]
        )
        self._own = _matching(
            [
                one
                for p in of_somebody
                for one in _fillings(p, whom.infant, whom.recordings, "[^/]+", re.escape)
            ]
        )
        self._outputs = _matching(
            [_replaced(p, lambda _: "[^/]+", re.escape) for p in self.patterns]
        )
        #: Folders of stages, which may be links to another disk.
        self.stages = {
            str(parent)
            for p in self.patterns
            for parent in PurePosixPath(p.split("{")[0] + "x").parents
        } | {WORK}

    def is_own(self, inside: str) -> bool:
        """Tell whether a file below the results is the infant's."""
        return self._own.match(inside) is not None

    def is_somebodys(self, inside: str) -> bool:
        """Tell whether a file below the results is one infant's or recording's, whoever's."""
        return self._somebodys.match(inside) is not None

    def job(self, inside: str) -> set[str]:
        """Return all that the job of a file of nobody wrote; it may be in a folder that is one."""
        names = [inside, *map(str, PurePosixPath(inside).parents)]
        whole = next((name for name in names if self._is_output(name)), inside)
        return {inside, *of_the_same_job(whole, self.rules)}

    def inner(self, inside: str) -> str:
        """Return the part of a path that is inside of an output that is a folder."""
        folders = [str(p) for p in PurePosixPath(inside).parents if self._is_output(str(p))]
        return os.path.relpath(inside, folders[-1]) if folders else ""

    def _is_output(self, inside: str) -> bool:
        return self._outputs.fullmatch(inside) is not None

    def own_globs(self) -> Iterator[str]:
        """Yield the glob patterns of its files, of their records, and of what killed jobs left."""
        for pattern in self.patterns:
            for one in filled(pattern, self.whom.infant, self.whom.recordings):
                path = PurePosixPath(one)
                left = [path.with_name(f".{path.name}.*")]
                left += [path.with_name(f".{path.stem}.*{path.suffix}")] if path.suffix else []
                yield from (one, *map(str, left))


def _is_below(pattern: str, top: str) -> bool:
    return os.path.normpath(pattern).startswith(top + os.sep)


def _nested(results: Path) -> list[Path]:
    """Return the results folders of other configurations that lie below one."""
    found = []
    for root, folders, _ in os.walk(results):
        if Path(root) != results and {".index", checksums.FOLDER} & set(folders):
            found.append(Path(root))
        folders[:] = [name for name in folders if not name.startswith(".")]
    return found


def find_traces(results: Path, rules: Sequence[Sequence[str]], whom: Whom) -> Traces:
    """Find all that there is of an infant below the results folder.

    Parameters
    ----------
    results
        Folder.
    rules
        Outputs, logs and benchmarks of every rule, with their wildcards.
    whom
        Whom to look for.
    """
    nested = _nested(results)
    search = _Search(Layout(results, rules, whom), {results, *nested})
    for root in (*nested, results):
        search.look_in(root)
    return search.traces()


@dataclass
class _Search:
    """What was found so far."""

    layout: Layout
    roots: set[Path]
    own: set[Path] = field(default_factory=set)
    mates: set[Path] = field(default_factory=set)
    naming: set[Path] = field(default_factory=set)
    rewrite: set[Path] = field(default_factory=set)
    trained: set[Path] = field(default_factory=set)
    records: set[Path] = field(default_factory=set)
    links: set[Path] = field(default_factory=set)
    index: set[Path] = field(default_factory=set)

    def look_in(self, root: Path) -> None:
        """Look at every file below a results folder, but for other results folders in it."""
        whom = self.layout.whom
        for one in self.layout.own_globs():
            for base, found in ((root, self.own), (root / checksums.FOLDER, self.records)):
                here = os.path.join(glob.escape(str(base)), one)
                found.update(map(Path, glob.glob(here, include_hidden=True)))
                if found is self.records:
                    ending = glob.escape(checksums.SUFFIX)
                    found.update(map(Path, glob.glob(here + ending, include_hidden=True)))
        if (root / INFANTS).exists() and whom.infant in read_infants(root / INFANTS):
            self.index.add(root / INFANTS)
        sources = root / SOURCES
        if sources.exists() and rewritten(sources, whom) != _text(sources):
            self.rewrite.add(sources)
        learned, trained = False, False
        for path in self._files(root, root):
            inside = path.relative_to(root).as_posix()
            if _is_any(inside, (*_NOT_SEARCHED, WORK, *BUNDLES)):
                continue
            if self.layout.is_somebodys(inside):
                continue
            job = self.layout.job(inside)
            of_model = any(PurePosixPath(one).name == MODEL for one in job)
            if of_model and path.name != MODEL and path.suffix != ".log":
                # The model's description says whom all of them have learned from.
                continue
            if not asked(path, self.layout.inner(inside), whom):
                continue
            if path.name == FOLDS:
                self.rewrite.add(path)
                learned = True
                continue
            learned |= inside.startswith("training/")
            if path.name == MODEL:
                self.trained.add(path)
                trained = True
            self.naming.add(path)
            if not of_model or path.name == MODEL:
                self.mates |= {root / one for one in job}
        if trained:
            self.mates |= {root / name for name in BUNDLES}
        if learned or trained:
            # The state of interrupted trainings: weights that have learned, infants' windows.
            self.mates.add(root / WORK)

    def _files(self, folder: Path, root: Path) -> Iterator[Path]:
        for here, folders, files in os.walk(folder):
            kept = []
            for name in folders:
                path = Path(here, name)
                inside = path.relative_to(root).as_posix()
                if path in self.own or path in self.roots or _is_any(inside, _NOT_SEARCHED):
                    continue
                if not path.is_symlink():
                    kept.append(name)
                elif inside in self.layout.stages:
                    yield from self._files(path, root)
                elif not self.layout.is_somebodys(inside):
                    self.links.add(path)
            folders[:] = kept
            for name in files:
                path = Path(here, name)
                if path not in self.own and path.is_file():
                    yield path

    def traces(self) -> Traces:
        """Return what goes; what lies in a folder that goes, goes with it."""
        names = sorted(self.mates - self.naming) + sorted(self.own) + sorted(self.naming)
        there = [path for path in dict.fromkeys(names) if os.path.lexists(path)]
        whole = set(there)
        outermost = [path for path in there if not whole & set(path.parents)]
        outermost = [one for path in outermost for one in self._unprotected(path)]
        for path in outermost:
            for root in self.roots:
                if path.is_relative_to(root):
                    self.records.update(checksums.records_below(path, root / checksums.FOLDER))
        rest = (self.rewrite, self.trained, self.records, self.links, self.index)
        return Traces(tuple(outermost), *(tuple(sorted(paths)) for paths in rest))

    def _is_stage(self, path: Path) -> bool:
        below = [path.relative_to(root) for root in self.roots if path.is_relative_to(root)]
        return any(one.as_posix() in self.layout.stages for one in below)

    def _unprotected(self, path: Path) -> list[Path]:
        """Return a path, or what may go of it where files of the user are in it."""
        protected = self.layout.whom.protected
        name = os.path.abspath(path)
        real = os.path.realpath(path)
        if any(kept in (name, real) or name.startswith(f"{kept}/") for kept in protected):
            return []
        if path.is_symlink() and path.is_dir() and self._is_stage(path):
            # The link stays for the next run; what it leads to goes.
            return [one for inner in sorted(path.iterdir()) for one in self._unprotected(inner)]
        if path.is_dir() and any(kept.startswith((f"{name}/", f"{real}/")) for kept in protected):
            return [one for inner in sorted(path.iterdir()) for one in self._unprotected(inner)]
        return [path]


def _is_any(inside: str, names: Iterable[str]) -> bool:
    return any(inside == name or inside.startswith(f"{name}/") for name in names)


def asked(path: Path, inner: str, whom: Whom) -> bool:
    """Tell whether a file of nobody has an infant in it.

    Parameters
    ----------
    path, inner
        File, and its path inside of the output that it is in, where that is a folder.
    whom
        Whom it is asked for.
    """
    if path.name in _NAMELESS:
        return False
    if path.name == MODEL:
        return _learned_from(path, whom)
    # Of a folder that is an output, files may be called like a recording.
    if any(whom.words.search(Path(part).stem.encode()) for part in Path(inner).parts):
        return True
    if path.suffix in (".tsv", ".csv"):
        return _in_table(path, whom)
    if path.suffix in _PICTURES_AND_NUMBERS:
        return False
    if path.suffix == ".json":
        with contextlib.suppress(OSError, ValueError):
            return any(_says(text, whom) for text in _strings(json.loads(_text(path))))
    if path.suffix in _HDF5:
        return _in_hdf5(path, whom)
    return names_it(path, whom.words)


def _says(text: str, whom: Whom) -> bool:
    """Tell whether a text is an id, or a list, sentence or path with one: no version's number."""
    stem = Path(text).stem
    if text in whom.names or (stem in whom.names and not stem.isdigit()):
        return True
    return bool(set(" /,;") & set(text)) and whom.words.search(text.encode()) is not None


def _strings(value: Any) -> Iterator[str]:
    """Yield the keys and texts of what was read from JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _learned_from(path: Path, whom: Whom) -> bool:
    """Tell whether a model was trained on an infant, or chosen by it."""
    try:
        description = json.loads(_text(path))
        infants = {*description.get("training_infants", ())}
        infants |= {*description.get("reference_infants", ()), *description.get("left_out", ())}
        infants |= {entry["infant"] for entry in description.get("validation", ())}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # What cannot be asked is searched.
        return names_it(path, whom.words)
    return bool(infants & whom.names)


def _in_table(path: Path, whom: Whom) -> bool:
    """Tell whether a table has an infant's row; where no column says whose rows are, its words."""
    try:
        rows = list(csv.reader(io.StringIO(_text(path)), delimiter=_delimiter(path)))
    except (OSError, ValueError, csv.Error):
        return names_it(path, whom.words)
    columns = {c: rows[0].index(c) for c in OWNERS if rows and c in rows[0]}
    if columns:
        return any(_is_of(row, columns, whom) for row in rows[1:])
    # A number or a class there is what it looks like.
    meant = {name for name in whom.names - whom.common if not name.isdigit()}
    return any(
        cell in meant or (cell not in whom.names and _says(cell, whom))
        for row in rows[1:]
        for cell in row
    )


def _delimiter(path: Path) -> str:
    return "," if path.suffix == ".csv" else "\t"


def _is_of(row: Sequence[str], columns: Mapping[str, int], whom: Whom) -> bool:
    ids = {"infant": {whom.infant}, "recording": whom.recordings}
    return any(at < len(row) and row[at] in ids[column] for column, at in columns.items())


def _in_hdf5(path: Path, whom: Whom) -> bool:
    import h5py
    import numpy as np

    found = False

    def look(_: str, item: Any) -> None:
        nonlocal found
        values = list(item.attrs.values())
        if isinstance(item, h5py.Dataset) and h5py.check_string_dtype(item.dtype) is not None:
            values.append(item[()])
        for value in values:
            for one in np.ravel(np.asarray(value, dtype=object)).tolist():
                text = one.decode(errors="replace") if isinstance(one, bytes) else str(one)
                found = found or any(_says(part, whom) for part in _parts(text))

    try:
        with h5py.File(path, "r") as file:
            look("", file)
            file.visititems(look)
    except (OSError, ValueError, KeyError, RuntimeError):
        return names_it(path, whom.words)
    return found


def _parts(text: str) -> Iterator[str]:
    """Yield the texts in an attribute, which may be JSON."""
    if text[:1] in "{[":
        with contextlib.suppress(ValueError):
            yield from _strings(json.loads(text))
            return
    yield text


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
    roots = [*reversed(_nested(results)), results]
    found = []
    for part in _RECORDS:
        for path in _files(hidden / part):
            # The file's path in base64, cut into folders where it is long.
            encoded = "".join(p.removeprefix("@") for p in path.relative_to(hidden / part).parts)
            try:
                about = Path(base64.b64decode(encoded, validate=True).decode())
            except (binascii.Error, UnicodeDecodeError):
                continue
            inside = _below(about, roots)
            if about in gone or gone & set(about.parents) or layout.is_own(inside):
                found.append(path)
                continue
            if not layout.is_somebodys(inside) and _made_of(path, layout, roots):
                found.append(path)
    kept = {path.absolute() for path in (*running, *newest_log(hidden))}
    for path in _files(hidden, {hidden / part for part in (*_RECORDS, *_SOFTWARE, _STORAGE)}):
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
    for path in _files(storage):
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
        content = json.loads(_text(record))
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
    return sorted(_files(hidden / "log"), key=lambda path: path.stat().st_mtime)[-1:]


def blacken(path: Path, names: re.Pattern[bytes]) -> None:
    """Write over the names in a file that another process goes on to write at its end."""
    with open(path, "r+b") as file:
        for found in names.finditer(file.read()):
            file.seek(found.start())
            file.write(b"*" * len(found[0]))


def _files(folder: Path, without: Collection[Path] = ()) -> Iterator[Path]:
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
            if any(held == path or path in held.parents for path in paths) or (
                training and held.name == MODEL
            ):
                found.append(line)
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def rewritten(path: Path, whom: Whom) -> str:
    """Return a file's text without the rows, or entries, of the infant and its files."""
    text = _text(path)
    if path.name == SOURCES.name:
        others = whom.protected - whom.sources
        return index_without(
            text,
            lambda source: (
                source in whom.sources
                or (
                    source not in others
                    and any(Path(part).stem in whom.names for part in Path(source).parts)
                )
            ),
        )
    lines = text.splitlines(keepends=True)
    header = lines[0].rstrip("\r\n").split("\t") if lines else []
    columns = {c: header.index(c) for c in OWNERS if c in header}
    return "".join(
        line
        for k, line in enumerate(lines)
        if k == 0 or not _is_of(line.rstrip("\r\n").split("\t"), columns, whom)
    )


def remove(paths: Iterable[Path], tops: Collection[Path]) -> None:
    """Remove files and folders, and folders that are empty then, up to some that stay."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=False)
        else:
            path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent in tops or parent.is_symlink():
                break
            try:
                parent.rmdir()
            except OSError:
                break


def empty_folders(hidden: Path, names: Collection[str]) -> list[Path]:
    """Return empty folders that are called like the infant, innermost first."""
    walked = os.walk(hidden, topdown=False)
    return [
        Path(r) for r, folders, files in walked if not folders + files and Path(r).name in names
    ]


def forget(traces: Traces, whom: Whom, results: Path) -> None:
    """Remove and rewrite what :func:`find_traces` found; done twice, it does no harm.

    Checksums go first, so that none is left of a file that is gone; what the rest is found by goes
    last.
    """
    checksums.drop(traces.records)
    remove(traces.remove, {results, *results.parents})
    for path in traces.rewrite:
        write_text(path, rewritten(path, whom))
        checksums.renew(path, path.parent / checksums.FOLDER)
    for path in traces.index:
        with contextlib.suppress(StorageError):
            without_infant(path, whom.infant)


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
    lines += [f"  {path}" for path in sorted(traces.remove)]
    rewritten_ones = (*traces.rewrite, *traces.index)
    lines += [f"{path}: the infant is taken out of it" for path in rewritten_ones]
    if traces.trained:
        lines.append(
            f"{len(traces.trained)} models had a part of it and go too. Bundles, and copies of "
            "results, that were given away have learned from it: ask for them back, or say so."
        )
    if traces.links:
        lines.append("Links to folders, which were not followed; look into them yourself:")
        lines += [f"  {path}" for path in traces.links]
    if yours:
        lines.append(
            "Yours, and left alone; with its rows in the sheet the next run makes it anew:"
        )
        lines += [f"  {one}" for one in yours]
    return "\n".join(lines)
