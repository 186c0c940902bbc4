from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jackfield_limits import SCALE, LimitSettings
from jackfield_limits._amounts import as_amount, as_quantity

MONEY: dict[str, Any] = {
    "name": "a",
    "measure": "money",
    "most": Decimal(250),
    "currency": "USD",
    "window": "month",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "a b"}, "name must be letters"),
        ({"owner": "org//x"}, "owner must be a path"),
        ({"measure": ""}, "measure must be money"),
        ({"most": Decimal(-1)}, "0 or more"),
        ({"currency": None}, "needs its currency"),
        ({"measure": "tokens"}, "only a limit of money has a currency"),
        ({"window": None}, "window is missing"),
        ({"window": "year"}, "window must be one of"),
        ({"zone": "Europe/Atlantis"}, "zone must be the name of a time zone"),
        ({"warn_at": (0.5, 1.5)}, "warn_at must be parts"),
        ({"measure": "requests", "currency": None, "most": Decimal("1.5")}, "whole number of requests"),
        ({"measure": "parallel", "currency": None}, "leave window out"),
        ({"wait": -1.0}, "wait must be 0 or more"),
    ],
)
def test_mistakes_are_refused_with_what_to_write(change, message):
    with pytest.raises(ValueError, match=message):
        LimitSettings(**{**MONEY, **change})


def test_money_is_exact_to_twelve_places_and_never_rounded_down():
    assert LimitSettings(**MONEY).amount == 250 * SCALE
    assert as_amount("money", Decimal("0.000000018750")) == 18750
    assert as_amount("money", Decimal("0.0000000000001")) == 1
    assert as_quantity("money", as_amount("money", Decimal("123456789.000000000001"))) == Decimal(
        "123456789.000000000001"
    )
    assert str(as_quantity("money", 250 * SCALE)) == "250"


def test_counts_are_counts():
    assert as_amount("tokens", 500_000) == 500_000
    assert as_amount("tokens", Decimal("2.5")) == 3
    assert as_quantity("DBU", as_amount("DBU", Decimal("0.07"))) == Decimal("0.07")
