"""Snakemake's own records below ``.snakemake``: one file for each file that a rule makes.

``metadata`` says how it was made; ``incomplete`` has those whose job has begun and not ended. A
record is called like the path of the file it is about, in base64, which is cut into folders, each
but the last with an ``@`` before it, where it is too long for a name.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

METADATA, INCOMPLETE = "metadata", "incomplete"


def recorded_file(record: Path, folder: Path) -> Path | None:
    """Return the file that a record is about, or None if it is no record.

    Parameters
    ----------
    record
        File somewhere below the folder.
    folder
        One of ``.snakemake/metadata`` and ``.snakemake/incomplete``.
    """
    encoded = "".join(part.removeprefix("@") for part in record.relative_to(folder).parts)
    try:
        return Path(base64.b64decode(encoded, altchars=b"-_", validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def unfinished_files(hidden: Path) -> set[str]:
    """Return the files whose job has begun and not ended, by the folder ``.snakemake``."""
    folder = hidden / INCOMPLETE
    found = (recorded_file(path, folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path is not None}
