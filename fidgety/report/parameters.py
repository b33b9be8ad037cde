"""Every parameter of a run, as far as it may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: Parameters that are paths on the machine that ran the workflow.
_PATH_PARAMETERS = ("sheet", "intervals", "results", "folds.file", "corrections.folder")


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List all parameters as (dotted key, value)."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            if value and all(isinstance(v, Mapping) for v in value):
                for k, item in enumerate(value):
                    rows += flatten(item, f"{name}.{k}.")
            else:
                rows.append((name, ", ".join(map(str, value)) or "(none)"))
        else:
            rows.append((name, "(none)" if value in (None, {}) else str(value)))
    return rows


def parameters(study: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List all parameters as (dotted key, value); paths are not told: names are in them."""
    return [
        (key, "(a path, not shown)" if _is_path(key, value) else value)
        for key, value in flatten(study)
    ]


def _is_path(key: str, value: str) -> bool:
    if value == "(none)":
        return False
    named = value.startswith(("~", "./", "../")) or "://" in value
    return named or key in _PATH_PARAMETERS or Path(value).is_absolute()
