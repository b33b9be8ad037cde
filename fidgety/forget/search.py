"""All that there is of an infant below the results folder."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fidgety import checksums
from fidgety.files import finals_of
from fidgety.forget.asking import MODEL, asked
from fidgety.forget.layout import WORK, Layout
from fidgety.forget.rewriting import SOURCES, rewritten
from fidgety.forget.whom import Whom
from fidgety.infants_index import INFANTS, read_infants, require_whole

FOLDS = "folds.tsv"
#: Weights in another form; they have no id in them, and go where a model goes.
BUNDLES = ("bundle", "bundle.zip")
#: Tables that no rule has as its output.
TABLES = ("status.tsv", "verify.tsv")
#: Below the results folder, and not made of infants: caches, numbers, the log of forgetting.
_NOT_SEARCHED = (".cache", ".index", checksums.FOLDER, "benchmarks", "logs/forget.log")


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
    half_written
        Whose temporaries are among ``remove``: another snakemake may be writing them now.
    """

    remove: tuple[Path, ...]
    rewrite: tuple[Path, ...] = ()
    trained: tuple[Path, ...] = ()
    records: tuple[Path, ...] = ()
    links: tuple[Path, ...] = ()
    index: tuple[Path, ...] = ()
    half_written: tuple[Path, ...] = ()


def nested_folders(results: Path) -> list[Path]:
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
    nested = nested_folders(results)
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
    half_written: set[Path] = field(default_factory=set)

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
        require_whole(root / INFANTS)
        self._look_for_half_written(root, root)
        if (root / INFANTS).exists() and whom.infant in read_infants(root / INFANTS):
            self.index.add(root / INFANTS)
        sources = root / SOURCES
        if sources.exists() and rewritten(sources, whom) != sources.read_text(
            encoding="utf-8", errors="replace"
        ):
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

    def _look_for_half_written(self, folder: Path, root: Path) -> None:
        """Find what killed jobs left: nobody reads it, and its name hides whose it is."""
        for here, folders, files in os.walk(folder):
            kept = []
            for name in sorted(folders):
                path = Path(here, name)
                inside = path.relative_to(root).as_posix()
                if path in self.roots or inside == ".cache" or self._note_half_written(path, root):
                    continue
                if not path.is_symlink():
                    kept.append(name)
                elif inside in self.layout.stages:
                    self._look_for_half_written(path, root)
            folders[:] = kept
            for name in files:
                self._note_half_written(Path(here, name), root)

    def _note_half_written(self, path: Path, root: Path) -> bool:
        """Note a hidden temporary of something that the workflow writes; tell whether it is one."""
        if path.is_symlink():
            return False
        finals = [path.with_name(name) for name in finals_of(path.name)]
        ours = [one for one in finals if self._is_ours(one.relative_to(root).as_posix())]
        if ours:
            self.own.add(path)
            state = root / WORK
            self.half_written.update([state] if path.is_relative_to(state) else ours)
        return bool(ours)

    def _is_ours(self, inside: str) -> bool:
        top = inside.split("/")[0]
        return (
            top in (".index", checksums.FOLDER, WORK)
            or inside in TABLES
            or self.layout.is_output(inside)
        )

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
        rest = (self.rewrite, self.trained, self.records, self.links, self.index, self.half_written)
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
