"""Files that are rewritten without the infant, as they cannot be made anew without loss."""

from __future__ import annotations

from pathlib import Path

from fidgety.forget.asking import is_of, read_text
from fidgety.forget.whom import OWNERS, Whom
from fidgety.sources import index_without

#: Checksums of source files, below a results folder.
SOURCES = Path(".index") / "sources.json"


def rewritten(path: Path, whom: Whom) -> str:
    """Return a file's text without the rows, or entries, of the infant and its files."""
    if path.name == SOURCES.name:
        text = path.read_text(encoding="utf-8", errors="replace")
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
    lines = read_text(path).splitlines(keepends=True)
    header = lines[0].rstrip("\r\n").split("\t") if lines else []
    columns = {c: header.index(c) for c in OWNERS if c in header}
    return "".join(
        line
        for k, line in enumerate(lines)
        if k == 0 or not is_of(line.rstrip("\r\n").split("\t"), columns, whom)
    )
