"""What is asked of the results folder before the first job runs: rights, and dates.

Snakemake compares dates. A file from the future, of a clock that was set back since, is newer than
whatever is made from it, so that every job behind it would fail, in each run anew.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from fidgety.errors import StorageError
from fidgety.faults import machine_fault

#: Clocks of the machines of a cluster differ by some seconds.
ALLOWED_S = 60.0
#: Below the results folder, and no input of any job.
_NO_INPUTS = ("logs", "benchmarks", "work")
LISTED = 3


def check_results_folder(
    folder: Path, now_s: float | None = None, stages: Collection[str] = ()
) -> None:
    """Check that jobs can write their results, and that what is there is from the past.

    Parameters
    ----------
    folder
        Is made if it is missing.
    now_s
        The time; None takes the clock's.
    stages
        Folders inside it that may be links to another disk; other links are not followed.

    Raises
    ------
    StorageError
        If it cannot be written, or holds files from the future: which, and what to do.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        lacking = machine_fault(error) or f"{folder}: cannot be written ({error.strerror})."
        raise StorageError(f"the results folder {folder} takes no file: {lacking}") from None
    limit_s = (time.time() if now_s is None else now_s) + ALLOWED_S
    late, tops = _later_than(folder, limit_s, stages)
    if late:
        shown = ", ".join(map(str, late[:LISTED])) + (", …" if len(late) > LISTED else "")
        raise StorageError(
            f"{len(late)} results have dates in the future ({shown}): the clock was set back, or "
            "they come from a machine whose clock is ahead. Whatever is made from them would count "
            "as older. Set the clock right; or, if it is right, date them now: "
            f"{date_them_now(tops)}"
        )


def date_them_now(folders: Iterable[Path]) -> str:
    """Return the command that dates all files of the future now, with one date for all.

    Links among ``folders`` are followed, others are not.
    """
    # A name that begins with a dash is no option of `find`.
    names = [f"./{one}" if str(one).startswith("-") else str(one) for one in folders]
    return (
        f"find -H {shlex.join(names)} -newermt now "
        """-exec touch --no-dereference --date="$(date)" {} +"""
    )


def _later_than(
    folder: Path, limit_s: float, stages: Collection[str]
) -> tuple[list[Path], list[Path]]:
    """Return files with a later date, hidden ones left out, and the folders that were looked at.

    The folders are the first one, and those behind links, each once.
    """
    late: list[Path] = []
    tops, seen = [folder], {os.path.realpath(folder)}
    for place in tops:
        for root, folders, files in os.walk(place):
            kept = []
            for name in sorted(folders):
                path = Path(root, name)
                inside = path.relative_to(folder).as_posix()
                if name.startswith(".") or inside in _NO_INPUTS:
                    continue
                if not path.is_symlink():
                    kept.append(name)
                elif inside in stages and (real := os.path.realpath(path)) not in seen:
                    seen.add(real)
                    tops.append(path)
            folders[:] = kept
            for name in files:
                # Another snakemake may remove one meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    path = Path(root, name)
                    if not name.startswith(".") and path.lstat().st_mtime > limit_s:
                        late.append(path)
    return sorted(late), tops
