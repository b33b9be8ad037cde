"""Which recordings have corrections by hand, and in which files: what planning needs to know."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from fidgety.registry import nearest
from fidgety.sources import user_path
from fidgety.tables import LISTED_LINES, Findings

SUFFIXES = (".csv", ".tsv", ".nc")
WORKBOOKS = (".xlsx", ".xls", ".ods", ".numbers")


def find_corrections(
    folder: str | os.PathLike[str], recordings: Iterable[str], findings: Findings | None = None
) -> dict[str, Path]:
    """Find the corrections of each recording.

    Parameters
    ----------
    folder
        It need not exist. Files that are neither table nor netCDF are not looked at.
    recordings
        Known ids.
    findings
        Receives files of unknown recordings, workbooks, and recordings with two files.

    Returns
    -------
    dict
        Recording to its file.
    """
    folder = user_path(os.fspath(folder))
    findings = Findings() if findings is None else findings
    known = dict.fromkeys(recordings)
    found: dict[str, Path] = {}
    if folder.exists() and not folder.is_dir():
        findings.add(str(folder), None, "", None, "is a file; corrections.folder names a folder.")
        return found
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        suffix = path.suffix.lower()
        if path.name.startswith((".", "~")) or suffix not in (*SUFFIXES, *WORKBOOKS):
            continue
        if path.stem not in known:
            # What may have been meant takes time to find; nobody reads it beyond what is listed.
            few = len(findings) < LISTED_LINES
            hint = nearest(path.stem, list(known)) if few else ""
            hint = hint or " Move it away, or name it after its recording."
            findings.add(str(path), None, "", None, f"there is no recording {path.stem!r}.{hint}")
        elif suffix in WORKBOOKS:
            findings.add(str(path), None, "", None, "is a workbook; save the table as CSV.")
        elif not path.is_file():
            findings.add(str(path), None, "", None, "is no file that could be read.")
        elif path.stem in found:
            findings.add(
                str(path), None, "", None, f"stands beside {found[path.stem].name}; keep one."
            )
        else:
            found[path.stem] = path
    return found
