"""The list of an infant's strips of what models of pictures look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

LIST = "pictures.tsv"
COLUMNS = ("file", "model", "recording", "start_s", "stop_s", "called", "probability", "panels")
PANELS = {
    "crop": "the crop",
    "flow": "its optical flow",
    "spatial": "where the picture's stream looks",
    "temporal": "where the flow's stream looks",
}


def read_pictures(folder: Path) -> list[dict[str, Any]]:
    """Read the list of a folder of strips: one row a strip, by :data:`COLUMNS`."""
    names = {"model": str, "recording": str, "called": str, "panels": str, "file": str}
    table = pd.read_csv(folder / LIST, sep="\t", dtype=names, na_filter=False)
    rows = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    return [row | {"panels": str(row["panels"]).split(",")} for row in rows]
