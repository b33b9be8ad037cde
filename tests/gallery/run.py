"""Print the gallery: input, outcome, reason. Run by `make gallery`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.gallery import content, tables, tracks, videos
from tests.gallery.kinds import Kind, attempt

KINDS: list[Kind] = [*videos.KINDS, *content.KINDS, *tables.KINDS, *tracks.KINDS]


def cell(text: str, most: int = 160) -> str:
    """Make a text fit into a Markdown table."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= most else text[:most] + "…"


def main() -> None:
    """Try every kind and print what came of it."""
    print("| | input | outcome | reason |\n|---|---|---|---|")
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            tried = attempt(kind, Path(folder))
        print(f"| {kind.family} | {kind.name} | {tried.outcome} | {cell(tried.detail)} |")


if __name__ == "__main__":
    main()
