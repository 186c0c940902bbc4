"""Checks of values that come from the files of a model, so that a wrong one is named when the model is read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import attrs

__all__ = ["check_number", "check_text", "check_token_ids", "check_whole", "whole"]

_Field: TypeAlias = "attrs.Attribute[Any]"
_MOST: Final = 2**31 - 1  # no model has so many of anything


def whole(name: str, value: object, least: int) -> int:
    """Return a value that must be an integer.

    Args:
        name: What it is, for the message.
        value: The value.
        least: Its minimum.

    Raises:
        ValueError: It is none, or too small or too large.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MOST:
        raise ValueError(f"{name} is {value!r}, not an integer of {least} or more")
    return value


def check_whole(least: int) -> Any:
    """Return a validator of integers."""

    def check(_: object, field: _Field, value: object) -> None:
        whole(field.name, value, least)

    return check


def check_number(_: object, field: _Field, value: object) -> None:
    """Check a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{field.name} is {value!r}, not a number")


def check_text(_: object, field: _Field, value: object) -> None:
    """Check a string."""
    if not isinstance(value, str):
        raise TypeError(f"{field.name} is {value!r}, not a string")


def check_token_ids(_: object, field: _Field, value: Iterable[object]) -> None:
    """Check the ids of tokens."""
    for token in value:
        whole(field.name, token, 0)
