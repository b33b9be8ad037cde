"""Names of columns out of a pickle, without unpickling it.

pandas' tables in HDF5 carry the names of their columns as a pickle, which may as well hold a
call of any function. So the pickle is not run: its instructions are taken apart by
:mod:`pickletools` and only those for text, whole numbers, lists and tuples are followed; any
other one is refused.

A value that was noted once can be taken any number of times: a few bytes can stand for more
values than there is memory. So nothing nests deeper than a list of tuples, and what a list holds
is counted as often as it stands there.
"""

from __future__ import annotations

import pickletools
from typing import Any

Name = str | int

_TEXT = {
    "STRING",
    "BINSTRING",
    "SHORT_BINSTRING",
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
}
_WHOLE = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_MARK = object()
#: Most names in all: those of 1,000 keypoints and ten animals, in four rows of a header.
MAX_NAMES = 50_000
#: Longest name, in characters.
MAX_NAME = 1_000
#: Largest number as a name.
MAX_NUMBER = 2**63
#: Most bytes of a pickle: fewer than that many names of 20 characters need.
MAX_BYTES = 2_000_000


class _Stack:
    """What a pickle's instructions work on; refuses what is none of the values that are wanted."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._n = 0

    def put(self, value: Any) -> None:
        """Put a value on top, counted."""
        self._count(1)
        self.items.append(value)

    def put_name(self, value: Name) -> None:
        """Put text or a number on top."""
        if len(value) > MAX_NAME if isinstance(value, str) else abs(value) > MAX_NUMBER:
            raise ValueError("a name in it is too long")
        self.put(value)

    def put_tuple(self, items: list[Any]) -> None:
        """Put a tuple of names on top."""
        if not all(isinstance(item, str | int) for item in items):
            raise ValueError("a tuple in it holds more than names")
        self.put(tuple(items))

    def add(self, items: list[Any]) -> None:
        """Add to the list on top."""
        target = self.items[-1]
        if not isinstance(target, list):
            raise ValueError("it adds to what is no list")
        for item in items:
            if not isinstance(item, str | int | tuple):
                raise ValueError("a list in it holds more than names and tuples")
            self._count(len(item) if isinstance(item, tuple) else 1)
            target.append(item)

    def pop(self) -> Any:
        """Take the value on top."""
        return self.items.pop()

    def since_mark(self) -> list[Any]:
        """Take everything above the last mark, and the mark."""
        found = []
        while (item := self.items.pop()) is not _MARK:
            found.append(item)
        return found[::-1]

    def _count(self, n: int) -> None:
        self._n += n
        # An instruction for the name, for its tuple, for the list, and for marks.
        if self._n > 4 * MAX_NAMES:
            raise ValueError(f"it holds more than {MAX_NAMES} names")


def column_names(data: bytes) -> list[Name | tuple[Name, ...]]:
    """Return the names of columns that a pickle describes.

    Parameters
    ----------
    data
        A pickle of any protocol.

    Returns
    -------
    list
        Text, whole numbers, and tuples of both.

    Raises
    ------
    ValueError
        If it holds anything else or too much, or is damaged.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the pickle has {len(data)} bytes")
    stack = _Stack()
    memo: dict[int, Any] = {}
    try:
        for opcode, found, _ in pickletools.genops(data):
            name = opcode.name
            argument: Any = found
            if name in _TEXT:
                text = argument if isinstance(argument, str) else argument.decode("utf-8")
                stack.put_name(text)
            elif name in _WHOLE:
                stack.put_name(int(argument))
            elif name == "MARK":
                stack.put(_MARK)
            elif name == "EMPTY_LIST":
                stack.put([])
            elif name == "EMPTY_TUPLE":
                stack.put(())
            elif name == "LIST":
                items = stack.since_mark()
                stack.put([])
                stack.add(items)
            elif name == "TUPLE":
                stack.put_tuple(stack.since_mark())
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                stack.put_tuple([stack.pop() for _ in range(int(name[-1]))][::-1])
            elif name == "APPEND":
                stack.add([stack.pop()])
            elif name == "APPENDS":
                stack.add(stack.since_mark())
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[int(argument)] = stack.items[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack.items[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.put(memo[int(argument)])
            elif name == "STOP":
                names = stack.pop()
                if not isinstance(names, list):
                    raise ValueError("it is no list")
                return names
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"it holds {name}")
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"the pickle is not of text and numbers alone: {error}") from None
    raise ValueError("the pickle does not end")
