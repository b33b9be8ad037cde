"""Whose a file is, by the wildcards of the rules."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from fidgety.forget.whom import OWNERS, Whom

_WILDCARD = re.compile(r"\{(\w+)(?:,[^{}]*)?\}")
WORK = "work"
#: What jobs write beside their outputs, and what a rule has written that another configuration
#: leaves out.
BESIDE = (
    "frames/{recording}",
    "pose/lifted/{recording}.h5",
    "logs/lift_pose/{recording}.log",
    "benchmarks/lift_pose/{recording}.tsv",
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


def stage_folders(patterns: Iterable[str]) -> set[str]:
    """Return the folders of stages, of patterns below the results folder."""
    tops = [PurePosixPath(pattern.split("{")[0] + "x") for pattern in patterns]
    return {str(parent) for top in tops for parent in top.parents} | {WORK}


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
        self.stages = stage_folders(self.patterns)

    def is_own(self, inside: str) -> bool:
        """Tell whether a file below the results is the infant's."""
        return self._own.match(inside) is not None

    def is_somebodys(self, inside: str) -> bool:
        """Tell whether a file below the results is one infant's or recording's, whoever's."""
        return self._somebodys.match(inside) is not None

    def is_output(self, inside: str) -> bool:
        """Tell whether a file below the results is one that a job writes, or in such a folder."""
        return self._outputs.match(inside) is not None

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
