"""Removing what there is of an infant, and saying so."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fidgety import checksums
from fidgety.errors import StorageError
from fidgety.files import write_text
from fidgety.forget.rewriting import rewritten
from fidgety.forget.search import Traces
from fidgety.forget.whom import Whom
from fidgety.infants_index import without_infant


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
