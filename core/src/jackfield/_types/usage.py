"""What an answer used. One meaning for all providers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from jackfield._faces import show_in
from jackfield._values import Value

__all__ = ["Usage"]


@attrs.frozen(slots=False, eq=False, repr=False)  # one a call: without slots it is made in half the time
class Usage(Value):
    """Count what an answer used; None means that the provider did not say, never 0.

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
    details: Mapping[str, int] = attrs.field(factory=dict)
    units: Mapping[str, Decimal] = attrs.field(factory=dict)

    @property
    def total_tokens(self) -> int | None:
        """Input and output together; None if either is unknown."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens

    def updated(self, later: Usage) -> Usage:
        """Return these totals with those that `later` knows in their place."""
        counts = {name: new for name in _COUNTS if (new := getattr(later, name)) is not None}
        details = {**self.details, **later.details}
        units = {**self.units, **later.units}
        return attrs.evolve(self, details=details, units=units, **counts)

    def __add__(self, other: Usage) -> Usage:
        """Sum two usages; a count that either does not know is unknown in the sum."""
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


_COUNTS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")


show_in("jackfield", Usage)
