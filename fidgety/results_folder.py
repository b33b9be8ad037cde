"""What is asked of the results folder before the first job runs: rights, and dates.

Snakemake compares dates. A file from the future, of a clock that was set back since, is newer than
whatever is made from it, so that every job behind it would fail, in each run anew.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from fidgety.errors import StorageError
from fidgety.faults import machine_fault

#: Clocks of the machines of a cluster differ by some seconds.
ALLOWED_S = 60.0
#: Below the results folder, and no input of any job.
_NO_INPUTS = ("logs", "benchmarks", "work")
LISTED = 3


def check_results_folder(folder: Path, now_s: float | None = None) -> None:
    """Check that jobs can write their results, and that what is there is from the past.

    Parameters
    ----------
    folder
        Is made if it is missing.
    now_s
        The time; None takes the clock's.

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
    late = sorted(_later_than(folder, (time.time() if now_s is None else now_s) + ALLOWED_S))
    if late:
        shown = ", ".join(map(str, late[:LISTED])) + (", …" if len(late) > LISTED else "")
        raise StorageError(
            f"{len(late)} results have dates in the future ({shown}): the clock was set back, or "
            "they come from a machine whose clock is ahead. Whatever is made from them would count "
            "as older. Set the clock right; or, if it is right, date them now: "
            f"""find {folder} -newermt now -exec touch --date="$(date)" {{}} +"""
        )


def _later_than(folder: Path, limit_s: float) -> Iterator[Path]:
    """Yield files with a later date, hidden ones left out."""
    for root, folders, files in os.walk(folder):
        top = Path(root) == folder
        folders[:] = [n for n in folders if not n.startswith(".") and not (top and n in _NO_INPUTS)]
        for name in files:
            # Another snakemake may remove one meanwhile.
            with contextlib.suppress(FileNotFoundError):
                path = Path(root, name)
                if not name.startswith(".") and path.lstat().st_mtime > limit_s:
                    yield path
