"""What an answer used. One meaning for all providers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import itemgetter, or_
from typing import TYPE_CHECKING, Any, Final

import attrs

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Usage", "read_count", "read_quantity"]

_TOO_MANY: Final = 2**63
_TOO_LARGE: Final = 18
"""The first power of ten that no quantity has."""


@frozen(slots=False)  # one a call: without slots it is made in half the time
class Usage(Value):
    """Count what an answer used; None means that the provider did not say, never 0.

    Counts are whole numbers, whatever a plugin passes on: each is read by `read_count`.

    Attributes:
        input_tokens: All input, cached included.
        output_tokens: All output, reasoning included.
        cached_input_tokens: The part of the input that was read from a cache.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that was thinking.
        details: Named, non-overlapping counts (`cache_write_1h_tokens`, `input_audio_tokens`). Counts of other models
            than the one that answered name their model (`input@model_tokens`, `output@model_tokens`,
            `cache_read@model_tokens`, `cache_write@model_tokens`): they are priced by rates of these names alone.
        units: What is not tokens: seconds, requests, images, DBU, credits.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    details: Mapping[str, int] = field(factory=dict)
    units: Mapping[str, Decimal] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        own = self.__dict__
        counts, details = _counts_of(own), own["details"]
        if not (_KNOWN_OR_NOT.issuperset(map(type, counts)) and _in_range(filter(None, counts))):
            own.update({name: read_count(own[name]) for name in _COUNTS})
        if details and not (_KNOWN.issuperset(map(type, details.values())) and _in_range(details.values())):
            own["details"] = {
                name: read for name, value in details.items() if (read := read_count(value)) is not None
            }

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; None if either is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens

    def updated(self, later: Usage) -> Usage:
        """Return these totals with those that `later` knows in their place.

        A total does not fall to 0: services are known to repeat their usage as zeros in the last event.
        """
        counts = {
            name: new
            for name in _COUNTS
            if (new := getattr(later, name)) is not None and (new or not getattr(self, name))
        }
        details = {
            **self.details,
            **{k: new for k, new in later.details.items() if new or not self.details.get(k)},
        }
        units = {**self.units, **{k: new for k, new in later.units.items() if new or not self.units.get(k)}}
        return attrs.evolve(self, details=details, units=units, **counts)

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages; a count that either does not know is unknown in the sum."""
        from decimal import Decimal  # most answers count nothing in it

        sums: dict[str, int | None] = {}
        for name in _COUNTS:
            mine, theirs = getattr(self, name), getattr(other, name)
            sums[name] = None if mine is None or theirs is None else mine + theirs
        details = {
            k: self.details.get(k, 0) + other.details.get(k, 0) for k in {**self.details, **other.details}
        }
        zero = Decimal(0)
        units = {k: self.units.get(k, zero) + other.units.get(k, zero) for k in {**self.units, **other.units}}
        return attrs.evolve(self, details=details, units=units, **sums)


_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_counts_of: Final = itemgetter(*_COUNTS)
_KNOWN: Final = frozenset({int})
_KNOWN_OR_NOT: Final = _KNOWN | {type(None)}


def _in_range(counts: Iterable[int]) -> bool:
    # All at once: one negative number makes the whole negative, and one bit beyond 64 stays there.
    return 0 <= reduce(or_, counts, 0) < _TOO_MANY


def read_count(value: Any) -> int | None:
    """Return a count of a service's usage as a whole number; None if it is none, so that no answer is lost for it.

    Services and gateways also write counts as text ("12") and as floats (12.0). What is no whole number, negative, true or
    false, a list, or beyond 64 bits is unknown; `UsageUpdate.raw` keeps what came.

    Args:
        value: What the service sent; None if it sent nothing.
    """
    if value.__class__ is int:
        return value if 0 <= value < _TOO_MANY else None
    if value is None or isinstance(value, bool):
        return None
    from decimal import Decimal

    if isinstance(value, Decimal):
        value = format(value, "f")
    if isinstance(value, str):
        digits, _, fraction = value.strip().partition(".")
        if not (digits.isascii() and digits.isdigit() and len(digits) < _TOO_LARGE + 2) or fraction.strip(
            "0"
        ):
            return None
        value = int(digits)
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    return int(value) if isinstance(value, int) and 0 <= value < _TOO_MANY else None


def read_quantity(value: Any) -> Decimal | None:
    """Return a quantity of a service's usage (seconds, search units, credits) as a number; None if it is none.

    Args:
        value: What the service sent: a number, or its text; None if it sent nothing.
    """
    from decimal import Decimal, InvalidOperation

    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number < 0 or number.adjusted() >= _TOO_LARGE:
        return None
    return number


show_in("jackfield", Usage)
