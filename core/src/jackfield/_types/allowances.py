"""Read what the headers of an answer tell of the limits of its service: how much is left, and until when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["Allowance", "AllowanceHeaders", "Measure", "find_allowance_headers"]

Measure: TypeAlias = Literal["requests", "tokens", "input", "output"]

_FAMILY: Final = re.compile(r"(?:x-|anthropic-)?rate-?limit(?:bysize)?-(?:.+-)?remaining(?:-.+)?")
_FEW: Final = 4
"""The part of a limit, one in so many, of which little is left."""
_FEW_OF: Final[Mapping[Measure, int]] = {"requests": 10, "tokens": 10_000, "input": 10_000, "output": 10_000}
"""How much is little of a limit that is not told."""
_COMBINED: Final = "ratelimit"
_LEFT: Final = re.compile(r"\b(?:r|remaining)\s*=\s*(\d{1,15})")
_UNTIL: Final = re.compile(r"\b(?:t|reset)\s*=\s*(\d{1,15})")
_MOST: Final = re.compile(r"\b(?:q|limit)\s*=\s*(\d{1,15})")


class Allowance(NamedTuple):
    """What an answer tells of one limit.

    Attributes:
        remaining: How much is left of it.
        reset: Seconds until it is whole again.
        limit: How much that is; None if it is not told.
    """

    remaining: int
    reset: float
    limit: int | None


class AllowanceHeaders(NamedTuple):
    """The names of the headers that tell of one limit.

    Attributes:
        measure: What it limits.
        remaining: The header that tells what is left.
        reset: The header that tells until when.
        limit: The header that tells how much it is.
        few: How much is little of it.
    """

    measure: Measure
    remaining: str
    reset: str
    limit: str
    few: int

    def is_low(self, headers: Mapping[str, str]) -> bool:
        """Return whether an answer says that little is left."""
        text = headers.get(self.remaining)
        if text is None:
            return False
        if self.remaining == _COMBINED:
            found = _LEFT.search(text)
            return found is not None and int(found[1]) <= self.few
        return text.isdecimal() and int(text) <= self.few

    def read(self, headers: Mapping[str, str]) -> Allowance | None:
        """Return what an answer tells of the limit; None if it does not."""
        if self.remaining == _COMBINED:
            return _read_combined(headers)
        from .waits import read_reset  # few services tell, and patterns are slow to compile

        left, until = _count(headers.get(self.remaining)), headers.get(self.reset)
        reset = None if until is None else read_reset(until, headers)
        if left is None or reset is None:
            return None
        return Allowance(left, reset, _count(headers.get(self.limit)))


def find_allowance_headers(headers: Mapping[str, str]) -> tuple[AllowanceHeaders, ...]:
    """Return the headers by which the service of an answer tells of its limits; one without a reset tells nothing.

    They are `x-ratelimit-remaining-requests` and the like, `anthropic-ratelimit-tokens-remaining`, `ratelimit-remaining`, and
    `RateLimit` with its parameters `r` and `t` (or `remaining` and `reset`).
    """
    found = []
    for written in headers:
        name = written.lower()
        if name == _COMBINED or _FAMILY.fullmatch(name):
            reset, limit = (name.replace("remaining", other) for other in ("reset", "limit"))
            one = AllowanceHeaders(_measure(name), name, reset, limit, few=0)
            told = one.read(headers)
            if told is not None:
                few = _FEW_OF[one.measure] if told.limit is None else max(1, told.limit // _FEW)
                found.append(one._replace(few=few))
    return tuple(found)


def _measure(name: str) -> Measure:
    if "token" not in name and "bysize" not in name:
        return "requests"
    return "input" if "input" in name else "output" if "output" in name else "tokens"


def _read_combined(headers: Mapping[str, str]) -> Allowance | None:
    text = headers.get(_COMBINED, "")
    left, until, most = _LEFT.search(text), _UNTIL.search(text), _MOST.search(text)
    if most is None:
        most = _MOST.search(headers.get("ratelimit-policy", ""))
    if left is None or until is None:
        return None
    return Allowance(int(left[1]), float(until[1]), None if most is None else int(most[1]))


def _count(text: str | None) -> int | None:
    """Return a whole number, also one that is followed by its window (`100, 100;w=60`)."""
    found = re.match(r"\s*(\d{1,15})\s*(?:$|[,;])", text or "")
    return None if found is None else int(found[1])
