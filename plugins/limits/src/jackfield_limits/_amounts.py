"""Amounts: exact whole numbers, whatever is measured."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from typing import Final

__all__ = ["COUNTED", "MOST_AMOUNT", "SCALE", "as_amount", "as_quantity", "scale_of"]

SCALE: Final = 10**12
"""Parts of one unit of money, or of a service's unit (DBU, credit, second): a price has up to twelve decimal places."""

COUNTED: Final = frozenset({"requests", "input_tokens", "output_tokens", "tokens", "parallel"})
"""Measures that are whole numbers; all others are counted in parts of a unit."""

MOST_AMOUNT: Final = 10**24
"""No amount of a store reaches this: a million million units of money."""

_EXACTLY: Final = Context(prec=60, rounding=ROUND_CEILING)
_SCALE: Final = Decimal(SCALE)


def scale_of(measure: str) -> int:
    """Return how many parts one unit of a measure has: 1, or `SCALE`."""
    return 1 if measure in COUNTED else SCALE


def as_amount(measure: str, quantity: Decimal | int) -> int:
    """Return a quantity as an exact amount; what is finer than a part is rounded up, so that nothing is for free."""
    scale = 1 if measure in COUNTED else SCALE
    if isinstance(quantity, int):
        return quantity * scale
    return int(_EXACTLY.to_integral_value(quantity if scale == 1 else _EXACTLY.multiply(quantity, _SCALE)))


def as_quantity(measure: str, amount: int) -> Decimal:
    """Return an amount in the units that people read: `Decimal("0.25")` of a currency."""
    if measure in COUNTED:
        return Decimal(amount)
    whole, part = divmod(amount, SCALE)
    return _EXACTLY.normalize(_EXACTLY.divide(Decimal(amount), _SCALE)) if part else Decimal(whole)
