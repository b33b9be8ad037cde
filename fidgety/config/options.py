"""The free ``options`` of a backend, checked against the backend's own section.

Apart from the rest of the configuration, because stages import it: what a stage imports is
part of its fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from fidgety.config.base import Section
from fidgety.errors import ConfigError
from fidgety.registry import nearest


def parse_options(model: type[Section], options: Mapping[str, Any], where: str) -> Any:
    """Check the free ``options`` of a backend against the backend's own model.

    Raises
    ------
    ConfigError
        With one line a finding; unknown keys come with the nearest right name.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        lines = []
        for finding in error.errors():
            key = ".".join(str(part) for part in finding["loc"])
            if finding["type"] == "extra_forbidden":
                known = list(model.model_fields)
                hint = nearest(key, known) or f" Known keys: {', '.join(known)}."
                lines.append(f"{where}.{key}: no such key.{hint}")
            else:
                lines.append(f"{where}.{key}: {finding['msg']} (found {finding['input']!r}).")
        raise ConfigError("\n".join(lines)) from None
