"""What middlewares booked as the cost of calls, for whoever keeps another ledger of the same calls."""

from __future__ import annotations

from contextvars import ContextVar
from decimal import Decimal
from typing import Final

import attrs

from jackfield._faces import show_in

from .cost import UNKNOWN_COST, Cost, CostItem

__all__ = ["BOOKINGS", "Bookings"]

_UNTOLD: Final = "estimate"
"""The unit of the line of a bill for what a service has not told."""
_SOURCE: Final = "estimated by limits"


@attrs.define
class _Booked:
    amount: Decimal = Decimal(0)
    estimated: bool = False


class Bookings:
    """What middlewares booked as the cost of one request, which may be several calls: those of an alias's targets.

    A service that has not told what an answer cost (the reader left, or an attempt timed out) may bill it. A middleware that
    limits money books an estimate then; a second ledger takes the sum from here, so that both agree.
    """

    def __init__(self) -> None:
        self._booked: dict[tuple[str, str, object], _Booked] = {}

    def add(self, connection: str, currency: str, book: object, amount: Decimal, *, estimated: bool) -> None:
        """Note what was booked for a call that has ended.

        Args:
            connection: The connection that the call went to.
            currency: Of the amount.
            book: Where it was booked. Several books have the same cost of a call, each in full.
            amount: What was booked.
            estimated: A part of it was not told by the service.
        """
        booked = self._booked.setdefault((connection, currency, book), _Booked())
        booked.amount += amount
        booked.estimated |= estimated

    def settle(self, told: Cost | None, connection: str | None) -> Cost | None:
        """Return the cost of the request: what was booked, and what was told where nothing was booked.

        Args:
            told: The cost that the reply, or the part of it that came, tells; None without any.
            connection: The connection that answered.
        """
        if not self._booked:
            return told
        cost = UNKNOWN_COST if told is None else told
        currencies = dict.fromkeys(currency for _, currency, _ in self._booked)
        currency = cost.currency if cost.amount is not None else next(iter(currencies))
        places: dict[str, _Booked] = {}
        for (place, its_currency, _), booked in self._booked.items():
            if its_currency == currency:
                known = places.setdefault(place, _Booked())
                known.amount = max(known.amount, booked.amount)
                known.estimated |= booked.estimated
        if not places:
            return told
        amount = sum((booked.amount for booked in places.values()), Decimal(0))
        if connection not in places:
            amount += cost.amount or 0
        estimated = any(booked.estimated for booked in places.values())
        if not estimated and amount == (cost.amount or 0):
            return told
        more = amount - (cost.amount or 0)
        line = CostItem(
            unit=_UNTOLD, quantity=Decimal(1), rate=more, per=1, amount=more, source=_SOURCE
        )  # the lines of a bill are its sum
        return Cost(
            status="partial" if estimated else cost.status,
            amount=amount,
            currency=currency,
            items=(*cost.items, line) if more else cost.items,
            missing=cost.missing if cost is not UNKNOWN_COST else (),
        )


BOOKINGS: Final[ContextVar[Bookings | None]] = ContextVar("jackfield_bookings", default=None)
"""Where middlewares note what they book for the calls that are made now; None if nobody asks."""

show_in("jackfield.plugin", Bookings)
