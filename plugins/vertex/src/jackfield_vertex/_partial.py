"""Join the arguments of a tool call that come in pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from jackfield.plugin import parse_arguments

__all__ = ["PartialArguments"]

_STEP: Final = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[['"](.*?)['"]\]""")
_VALUES: Final = ("stringValue", "numberValue", "boolValue", "nullValue")


class PartialArguments:
    """Collect `args` or `partialArgs`: values by JSON path, where a string may continue in the next piece.

    Source: google-genai 2.34, PartialArg (2026): `jsonPath` is RFC 9535; `willContinue` says that a string continues.

    Attributes:
        number: The number of the call.
        value: The arguments so far.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.value: dict[str, Any] = {}
        self._open: str | None = None

    def add(self, call: Mapping[str, Any]) -> None:
        """Add one piece of the call."""
        given = call.get("args")
        if isinstance(given, str):  # a gateway's
            self.value.update(parse_arguments(given)[0])
        elif given:
            self.value.update(given)
        for piece in call.get("partialArgs") or ():
            path = piece.get("jsonPath", "$")
            kind = next((name for name in _VALUES if name in piece), None)
            value = None if kind in (None, "nullValue") else piece[kind]
            self._put(path, value, joined=path == self._open and isinstance(value, str))
            self._open = path if piece.get("willContinue") else None

    def _put(self, path: str, value: Any, *, joined: bool) -> None:
        steps = [
            int(number) if number else name or quoted for name, number, quoted in _STEP.findall(path[1:])
        ]
        place: Any = self.value
        for step, after in pairwise(steps):
            place = _inside(place, step, [] if isinstance(after, int) else {})
        if steps:
            present = _inside(place, steps[-1], "" if joined else None)
            place[steps[-1]] = present + value if joined and isinstance(present, str) else value


def _inside(place: Any, step: Any, new: Any) -> Any:
    """Return the value at a step; if there is none, put a new one there."""
    if isinstance(place, list):
        while len(place) <= step:
            place.append(None)
        if place[step] is None:
            place[step] = new
        return place[step]
    if place.get(step) is None:
        place[step] = new
    return place[step]
