"""The error of a call that a limit does not let through."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from jackfield import QuotaExceededError

__all__ = ["LimitReachedError", "describe_amount", "describe_moment"]


class LimitReachedError(QuotaExceededError):
    """A limit does not let a call through. Nothing was sent.

    It may be retried (`is_retryable`, after `retry_after` seconds) if its window ends within the call's time limit, and not
    otherwise.

    Attributes:
        limit: The limit's name.
        measure: What it measures.
        currency: Of money; None for other measures.
        asked: What the call would use at most; None if that is unknown.
        used: What was used in the window.
        reserved: What calls under way have reserved.
        most: The most that both may be together.
        resets_at: When the window ends, in seconds since 1970; None if it never does.
        largest: The largest amount that would pass now.
        largest_output: About how many output tokens a call with this input could have (`max_tokens=`); None if that is not what
            stands in its way.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        measure: str,
        currency: str | None = None,
        asked: Decimal | None = None,
        used: Decimal = Decimal(0),
        reserved: Decimal = Decimal(0),
        most: Decimal = Decimal(0),
        resets_at: float | None = None,
        largest: Decimal = Decimal(0),
        largest_output: int | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.limit = limit
        self.measure = measure
        self.currency = currency
        self.asked = asked
        self.used = used
        self.reserved = reserved
        self.most = most
        self.resets_at = resets_at
        self.largest = largest
        self.largest_output = largest_output


def describe_amount(measure: str, currency: str | None, amount: Decimal) -> str:
    """Write an amount with its unit: `0.25 USD`, `500 tokens`."""
    return f"{amount:f} {currency if measure == 'money' else measure.replace('_', ' ')}"


def describe_moment(moment: float) -> str:
    """Write a moment of time in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
