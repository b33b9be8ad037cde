"""Plain values out of a pickle, without unpickling it.

pandas' tables in HDF5 carry the names of their columns as a pickle, which may as well hold a
call of any function. So the pickle is not run: its instructions are taken apart by
:mod:`pickletools` and only those for text, whole numbers, lists and tuples are followed; any
other one is refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

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


def plain_values(data: bytes) -> Any:
    """Return the text, whole numbers, lists and tuples that a pickle describes.

    Parameters
    ----------
    data
        A pickle of any protocol.

    Raises
    ------
    ValueError
        If it holds anything else, or is damaged.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        place = len(stack) - 1 - stack[::-1].index(_MARK)
        items = stack[place + 1 :]
        del stack[place:]
        return items

    try:
        for opcode, found, _ in pickletools.genops(data):
            name = opcode.name
            argument: Any = found
            if name in _TEXT:
                stack.append(argument if isinstance(argument, str) else argument.decode("utf-8"))
            elif name in _WHOLE:
                stack.append(int(argument))
            elif name == "NONE":
                stack.append(None)
            elif name == "MARK":
                stack.append(_MARK)
            elif name in ("EMPTY_LIST", "EMPTY_TUPLE"):
                stack.append([] if name == "EMPTY_LIST" else ())
            elif name in ("LIST", "TUPLE"):
                items = since_mark()
                stack.append(items if name == "LIST" else tuple(items))
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                n = int(name[-1])
                items = [stack.pop() for _ in range(n)]
                stack.append(tuple(reversed(items)))
            elif name == "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            elif name == "APPENDS":
                items = since_mark()
                stack[-1].extend(items)
            elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
                memo[int(argument)] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[int(argument)])
            elif name == "STOP":
                return stack.pop()
            elif name not in ("PROTO", "FRAME"):
                raise ValueError(f"it holds {name}")
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise ValueError(f"the pickle is not of text and numbers alone: {error}") from None
    raise ValueError("the pickle does not end")
