"""A fast path to equality, hash and repr of attrs classes.

attrs would write and compile these methods for each class. There are nearly a hundred classes, and compiling was a
sixth of the CPU of a program that asks one question; so they are declared with `eq=False, repr=False` and inherit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import attrs

__all__ = ["Record", "Value"]


class Record:
    """A mutable attrs class whose instances are equal if their fields are. No instance has a hash."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as attrs would have it

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        cls: Any = self.__class__
        compared = _compared(cls)
        return bool(compared(self) == compared(other))

    def __repr__(self) -> str:
        cls: Any = self.__class__
        fields = ", ".join(
            f"{name}={write(getattr(self, name, attrs.NOTHING))}" for name, write in _shown(cls)
        )
        return f"{cls.__qualname__.rsplit('>.', 1)[-1]}({fields})"


class Value(Record):
    """A frozen attrs class whose instances are equal, and have one hash, if their fields are."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        cls: Any = self.__class__
        return hash((cls, _compared(cls)(self)))


@cache
def _compared(cls: Any) -> Callable[[object], object]:
    names = [field.name for field in attrs.fields(cls) if field.eq]
    return attrgetter(*names) if names else lambda _: ()


@cache
def _shown(cls: Any) -> tuple[tuple[str, Callable[[object], str]], ...]:
    return tuple(
        (field.name, field.repr if callable(field.repr) else repr)
        for field in attrs.fields(cls)
        if field.repr
    )
