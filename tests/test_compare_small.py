"""``config/compare_small.yaml``: every kind of model that there is, with options that are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fidgety.config.root import Config, parse_config
from fidgety.models.registry import MODEL_SYSTEMS
from fidgety.plan_check import check_methods, check_pixels

ROOT = Path(__file__).resolve().parents[1]


def on_top(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return one file on top of another, key by key, as Snakemake does."""
    merged = dict(base)
    for key, value in other.items():
        own = merged.get(key)
        both = isinstance(own, dict) and isinstance(value, dict)
        merged[key] = on_top(own, value) if both else value
    return merged


def small() -> Config:
    files = (ROOT / "config.yaml", ROOT / "config" / "compare_small.yaml")
    base, other = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in files)
    return parse_config(on_top(base, other))


def test_every_kind_is_compared() -> None:
    models = small().models
    kinds = [model.kind for model in models.values()]
    missing = sorted(set(MODEL_SYSTEMS.names()) - set(kinds))
    assert not missing, f"give {', '.join(missing)} a line in config/compare_small.yaml"
    assert list(models) == kinds, "one model a kind, under the kind's name"


def test_its_options_are_right() -> None:
    assert check_methods(small()) == []
    assert check_pixels(small()) == []
