"""Print the gallery: input, outcome, reason. Run by `make gallery`.

``--write`` puts the table, and how many kinds there are, into `docs/robustness.md`.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.gallery import content, tables, tracks, videos
from tests.gallery.kinds import Kind, attempt
from tests.gallery.scenes import SCENES

KINDS: list[Kind] = [*videos.KINDS, *content.KINDS, *tables.KINDS, *tracks.KINDS]
PAGE = Path(__file__).resolve().parents[2] / "docs/robustness.md"
HEAD = "| | input | outcome | reason |\n|---|---|---|---|"
SCENES_HEAD = "| filmed | outcome of the whole line |\n|---|---|"


def cell(text: str, most: int = 160) -> str:
    """Make a text fit into a Markdown table."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= most else text[:most] + "…"


def rows() -> Iterator[str]:
    """Try every kind, and yield a row of the table for each."""
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            tried = attempt(kind, Path(folder))
        yield f"| {kind.family} | {kind.name} | {tried.outcome} | {cell(tried.detail)} |"


def scene_rows() -> list[str]:
    """Return the table's rows of the filmed scenes: what their test demands."""
    return [f"| {scene.name} | {scene.expected} |" for scene in SCENES]


def counts() -> str:
    """Say how many kinds there are, and of what."""
    n = Counter(kind.family for kind in KINDS)
    return (
        f"{len(KINDS)} kinds of bad input ({n['video']} of videos, {n['content']} of what is in "
        f"the picture, {n['table']} of tables, {n['tracks']} of track files)"
    )


def with_table(page: str, table: Sequence[str]) -> str:
    """Return the page with the counts and the tables of now."""
    page = re.sub(r"\d+ kinds of bad input \([^)]*\)", counts(), page)
    page = re.sub(r"(?<=far: )\d+ kinds", f"{len(KINDS)} kinds", page)
    page = _replaced(page, SCENES_HEAD, scene_rows())
    return _replaced(page, HEAD, table)


def _replaced(page: str, head: str, table: Sequence[str]) -> str:
    start = page.index(head)
    end = page.find("\n\n", start)
    after = page[end:] if end >= 0 else "\n"
    return page[:start] + "\n".join([head, *table]) + after


def main() -> None:
    """Try every kind, print what came of it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name} as well")
    asked = parser.parse_args()
    print(HEAD)
    table = []
    for row in rows():
        print(row)
        sys.stdout.flush()
        table.append(row)
    if asked.write:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
