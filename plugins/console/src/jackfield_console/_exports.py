"""Exports of what was used: CSV for spreadsheets, and FOCUS 1.3 for programs that collect the costs of many services.

FOCUS (https://focus.finops.org) has no rows with an unknown cost: where a cost is partial or unknown, `x_CostState` says so, and an
unknown one counts as zero in the currency XXX.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from jackfield_gateway._days import COUNTS, EPOCH, amount_of

from ._schema import spend_days
from ._usage import Selection

__all__ = ["FOCUS_COLUMNS", "USAGE_COLUMNS", "day_rows", "focus_row", "usage_row", "write_csv"]

USAGE_COLUMNS: Final = (
    "day",
    "owner",
    "key",
    "connection",
    "model",
    *COUNTS,
    "amount",
    "currency",
    "cost",
)

FOCUS_COLUMNS: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_CostState",
    "x_InputTokens",
    "x_OutputTokens",
    "x_Requests",
)
"""Every mandatory column of version 1.3 (`ProviderName` and `PublisherName` for readers of 1.2), and what else is known."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def day_rows(connection: Connection, selection: Selection) -> Sequence[Mapping[str, Any]]:
    """Return the sums of days, with their amounts."""
    first, last = selection.period.numbers
    days = (spend_days.c.day >= first, spend_days.c.day <= last)
    query = (
        select(spend_days)
        .where(*days, *selection.conditions(spend_days))
        .order_by(*spend_days.primary_key.columns)
    )
    found = []
    for row in connection.execute(query).mappings():
        amount = amount_of(row["units"], row["nanos"], row["attos"])
        found.append({**row, "day": EPOCH + timedelta(days=row["day"]), "amount": f"{amount:f}"})
    return found


def usage_row(row: Mapping[str, Any]) -> Sequence[Any]:
    """Return a line of the CSV; what is not known is empty."""
    known = {**row, "amount": row["amount"] if row["currency"] else ""}
    return [known[name] for name in USAGE_COLUMNS]


def focus_row(row: Mapping[str, Any], providers: Mapping[str, str]) -> Sequence[Any]:
    """Return a line of the FOCUS export.

    Args:
        row: A sum of `day_rows`.
        providers: The names of the services by connection.
    """
    day: date = row["day"]
    provider = providers.get(row["connection"]) or row["connection"] or "unknown"
    tokens = row["input_tokens"] + row["output_tokens"]
    cost = row["amount"] if row["currency"] else "0"
    month = day.replace(day=1)
    values = {
        "BilledCost": cost,
        "BillingAccountId": row["connection"] or "none",
        "BillingAccountName": row["connection"] or "none",
        "BillingCurrency": row["currency"] or "XXX",
        "BillingPeriodEnd": _moment((month + timedelta(days=32)).replace(day=1)),
        "BillingPeriodStart": _moment(month),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"{row['requests']} calls of {row['model'] or 'no model'}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": _moment(day + timedelta(days=1)),
        "ChargePeriodStart": _moment(day),
        "ConsumedQuantity": tokens,
        "ConsumedUnit": "Tokens",
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "HostProviderName": "",
        "InvoiceIssuerName": provider,
        "ListCost": cost,
        "PricingQuantity": tokens,
        "PricingUnit": "Tokens",
        "ProviderName": provider,
        "PublisherName": provider,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": provider,
        "ServiceProviderName": provider,
        "ServiceSubcategory": "Generative AI",
        "SkuId": row["model"],
        "SubAccountId": row["owner"],
        "SubAccountName": row["owner"],
        "Tags": json.dumps({"owner": row["owner"], "key": row["key"]}, ensure_ascii=False),
        "x_CostState": row["cost"],
        "x_InputTokens": row["input_tokens"],
        "x_OutputTokens": row["output_tokens"],
        "x_Requests": row["requests"],
    }
    return [values[name] for name in FOCUS_COLUMNS]


def _moment(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def write_csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Return lines of CSV. A text that a spreadsheet would take for a formula is marked as a text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_safe(value) for value in row])
    return out.getvalue().encode("utf-8")


def _safe(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    return text.removeprefix("-").replace(".", "", 1).isdecimal()
