"""Read what the docstring of a settings class says of its fields."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

__all__ = ["attribute_meanings"]


def attribute_meanings(cls: type) -> Mapping[str, str]:
    """Return the section `Attributes` of a class's docstring: the meaning of each field, on one line, by its name.

    Fields of base classes are included. Where docstrings are left out (`python -OO`), there is none.

    Args:
        cls: The class.
    """
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        meanings |= _read_section(inspect.cleandoc(base.__dict__.get("__doc__") or ""))
    return meanings


def _read_section(docstring: str) -> dict[str, str]:
    found = re.search(r"(?ms)^Attributes:\n(.*?)(?:\n(?=\S)|\Z)", docstring)
    meanings: dict[str, str] = {}
    name = ""
    for line in found[1].splitlines() if found else ():
        entry = re.match(r"    (\w+): ?(.*)", line)
        if entry:
            name = entry[1]
            meanings[name] = entry[2]
        elif name:
            meanings[name] = f"{meanings[name]} {line.strip()}".strip()
    return meanings
