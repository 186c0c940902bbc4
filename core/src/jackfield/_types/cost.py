"""Money: rate cards and bills. `billing` makes one of the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._values import Value, frozen

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Cost", "CostItem", "Rate", "RateCard"]

CostStatus: TypeAlias = Literal["complete", "partial", "unknown"]

_MILLION: Final = 1_000_000


@frozen
class Rate(Value):
    """The price of one unit.

    Attributes:
        unit: input, output, cache_read, cache_write, request, second, or a name out of `Usage.details`
            or `Usage.units` without `_tokens` (`cache_write_1h`, `DBU`).
        amount: What `per` units cost.
        per: How many units `amount` is for.
        source: Where the rate comes from.
        as_of: The day (ISO) on which it held.
    """

    unit: str
    amount: Decimal
    per: int = _MILLION
    source: str = "declared"
    as_of: str | None = None


@frozen
class RateCard(Value):
    """The rates of one model for one call; tiers have been chosen already.

    Attributes:
        rates: By unit.
        currency: ISO 4217, or the name of a unit of account.
    """

    rates: Mapping[str, Rate]
    currency: str = "USD"

    @classmethod
    def of(
        cls,
        by_unit: Mapping[str, str | int | Decimal | None] | None = None,
        /,
        *,
        source: str,
        as_of: str | None = None,
        currency: str = "USD",
        per: int = _MILLION,
        **amounts: str | int | Decimal | None,
    ) -> RateCard:
        """Make a card from amounts by unit, as a mapping or by keyword; None leaves a unit out.

        Amounts are strings, integers or decimals.
        """
        from decimal import Decimal  # many calls need no number of it

        rates = {
            unit: Rate(unit, Decimal(amount), 1 if unit in {"request", "second"} else per, source, as_of)
            for unit, amount in {**(by_unit or {}), **amounts}.items()
            if amount is not None
        }
        return cls(rates, currency)


@frozen
class CostItem(Value):
    """One line of a bill: `quantity * rate / per`."""

    unit: str
    quantity: Decimal
    rate: Decimal
    per: int
    amount: Decimal
    source: str
    as_of: str | None = None


@frozen
class Cost(Value):
    """What a call cost.

    Attributes:
        status: complete, partial (`missing` names what has no rate or no count) or unknown.
        amount: The sum of `items`; None if unknown.
        currency: None if unknown.
        items: Line by line.
        missing: What could not be priced.
    """

    status: CostStatus = "unknown"
    amount: Decimal | None = None
    currency: str | None = None
    items: tuple[CostItem, ...] = ()
    missing: tuple[str, ...] = ()


UNKNOWN_COST: Final = Cost(missing=("no rate is known",))


show_in("jackfield", Cost, CostItem)
show_in("jackfield.plugin", Rate, RateCard)
