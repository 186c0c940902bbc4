"""Headers that tell a client of the limit that is nearest: what a middleware wrote into the reply, or its refusal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["limit_headers"]


def limit_headers(
    limits: Mapping[str, Mapping[str, Any]] | None, error: BaseException | None
) -> dict[str, str]:
    """Return `ratelimit-*` and the name of the limit; nothing without limits.

    Args:
        limits: `reply.metadata["limits"]`.
        error: What the call ended with; the refusal of a limit has its name and what is left.
    """
    name = getattr(error, "limit", None)
    if isinstance(name, str):
        told: Any = error
        if getattr(error, "asked", "") is None:  # the call cannot be counted: what is left was not looked up
            return {"x-jackfield-limit": _name(name, told.measure, told.currency)}
        return _headers(name, told.measure, told.currency, told.most, told.largest, told.resets_at)
    if not limits:
        return {}
    rows = [row for row in limits.values() if row["action"] != "warn"]
    if not rows:
        return {}
    row = min(rows, key=_share)
    return _headers(
        row["limit"], row["measure"], row["currency"], row["most"], row["remaining"], row["resets_at"]
    )


def _share(row: Mapping[str, Any]) -> Decimal:
    most = Decimal(row["most"])
    return Decimal(row["remaining"]) / most if most else Decimal(0)


def _headers(
    name: str, measure: str, currency: str | None, most: object, left: object, resets_at: float | None
) -> dict[str, str]:
    headers = {
        "ratelimit-limit": f"{Decimal(str(most)):f}",
        "ratelimit-remaining": f"{Decimal(str(left)):f}",
        "x-jackfield-limit": _name(name, measure, currency),
    }
    if resets_at is not None:
        headers["ratelimit-reset"] = str(max(0, -int(-(resets_at - time.time()) // 1)))
    return headers


def _name(name: str, measure: str, currency: str | None) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in f"{name}; {currency or measure}")
