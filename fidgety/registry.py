"""Registries: one a family (backgrounds, estimators, feature sets, models).

A registry maps a name to ``"module:attribute"`` and imports only what is asked for. So a
heavy backend costs nothing until it is chosen, adding a module is one line, and the code
fingerprint of a stage contains the chosen backend alone (:mod:`fidgety.fingerprint`).
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from fidgety.errors import ConfigError

T = TypeVar("T")


def nearest(name: str, names: list[str]) -> str:
    """Say which known name was probably meant, as a clause to append, or nothing."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


class Registry(Generic[T]):
    """Names of one family and where each implementation lives.

    Parameters
    ----------
    family
        What the members are, for messages: ``"background method"``.
    members
        Name to ``"package.module:Attribute"``.
    """

    def __init__(self, family: str, members: Mapping[str, str]) -> None:
        self.family = family
        self._members = dict(members)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """Names in the order of their registration."""
        return list(self._members)

    def module(self, name: str) -> str:
        """Return the dotted module that implements ``name``, without importing it.

        Raises
        ------
        ConfigError
            If the name is unknown; the message lists the known ones.
        """
        if name not in self._members:
            raise ConfigError(
                f"unknown {self.family} {name!r}; known are: {', '.join(self._members)}."
                + nearest(name, self.names())
            )
        return self._members[name].partition(":")[0]

    def get(self, name: str) -> T:
        """Import and return the member called ``name``.

        Raises
        ------
        ConfigError
            If the name is unknown.
        """
        module = importlib.import_module(self.module(name))
        return cast(T, getattr(module, self._members[name].partition(":")[2]))

    def options(self, name: str) -> Any:
        """Return the model of a member's options, without importing the member itself.

        By convention it is ``Options`` in the module called like the member's with ``_options``
        behind: options are checked where a member's libraries need not be installed.

        Raises
        ------
        ConfigError
            If the name is unknown.
        """
        return importlib.import_module(f"{self.module(name)}_options").Options
