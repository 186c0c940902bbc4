"""Read declared prices and rates. Money is strings and integers, never floats."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

from jackfield._contract.settings import INVALID, Reader, join
from jackfield._types.cost import Rate, RateCard

__all__ = ["read_price", "read_rate"]

PRICED: Final = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "request")

_MILLION: Final = 1_000_000
_HOUR: Final = 3600


def read_price(reader: Reader, value: Any, where: str, units: Collection[str] = ()) -> RateCard | None:
    """Read `{ currency, per, input, output, cache_read, cache_write, cache_write_1h, request }`.

    Args:
        reader: Collects what is wrong.
        value: What is written.
        where: Its place.
        units: Of the provider (`ProviderInfo.units`), which a currency may be.
    """
    before = len(reader.problems)
    table = reader.table(value, where)
    reader.unknown_keys(table, ("currency", "per", *PRICED), where)
    amounts = {unit: _read_amount(reader, table[unit], join(where, unit)) for unit in PRICED if unit in table}
    if not amounts and len(reader.problems) == before:
        reader.wrong(where, 'says no price; write at least input = "..." (0 is a price)')
    currency, per = _read_currency(reader, table, where, units), _read_per(reader, table, where, _MILLION)
    if len(reader.problems) > before:
        return None
    return RateCard.of(source="declared", currency=currency, per=per, **amounts)


def read_rate(reader: Reader, value: Any, where: str, units: Collection[str] = ()) -> RateCard | None:
    """Read `{ hour, currency }` or `{ unit, amount, per, currency }`; arguments are those of `read_price`."""
    before = len(reader.problems)
    table = reader.table(value, where)
    if "hour" in table:
        reader.unknown_keys(table, ("hour", "currency"), where)
        rate = Rate("second", _read_amount(reader, table["hour"], join(where, "hour")), per=_HOUR)
    else:
        reader.unknown_keys(table, ("hour", "unit", "amount", "per", "currency"), where)
        if len(reader.problems) == before and not {"unit", "amount"} <= table.keys():
            reader.wrong(where, 'write { hour = "1.20" } or { unit = "DBU", amount = "0.07" }')
        unit = reader.value(str, table.get("unit", ""), join(where, "unit"))
        amount = _read_amount(reader, table.get("amount", 0), join(where, "amount"))
        rate = Rate(unit, amount, per=_read_per(reader, table, where, 1))
    currency = _read_currency(reader, table, where, units)
    return RateCard({rate.unit: rate}, currency) if len(reader.problems) == before else None


def _read_amount(reader: Reader, value: Any, where: str) -> Any:
    amount = reader.decimal(value, where)
    if isinstance(amount, Decimal) and amount < 0:
        return reader.wrong(where, "must not be negative")
    return amount


def _read_currency(reader: Reader, table: Mapping[str, Any], where: str, units: Collection[str]) -> Any:
    from .names import currency_fault  # most configurations declare no price

    text = reader.value(str, table.get("currency", "USD"), join(where, "currency"))
    fault = None if text is INVALID else currency_fault(text, units)
    return text if fault is None else reader.wrong(join(where, "currency"), fault)


def _read_per(reader: Reader, table: Mapping[str, Any], where: str, default: int) -> Any:
    per = reader.value(int, table.get("per", default), join(where, "per"))
    if per is not INVALID and per < 1:
        return reader.wrong(join(where, "per"), "must be 1 or more")
    return per
