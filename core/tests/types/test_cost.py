"""Every token is charged once, and unknown is never zero."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest
from hypothesis import given, strategies as st

from jackfield import Cost, Usage
from jackfield._types.billing import compute_cost, sum_costs
from jackfield.plugin import Rate, RateCard

COUNTS = st.integers(0, 10**9)
INPUT_UNITS = ("input", "cache_read", "cache_write", "cache_write_1h", "input_audio")
OUTPUT_UNITS = ("output", "reasoning", "output_audio")


def card(per=1_000_000, currency="USD", **amounts):
    return RateCard.of(source="test", currency=currency, per=per, **amounts)


def quantities(cost):
    return {item.unit: item.quantity for item in cost.items}


@st.composite
def usages(draw):
    """A usage whose parts fit into what they are parts of."""
    plain, audio, cached, written, written_1h, text, audio_out, thought = (draw(COUNTS) for _ in range(8))
    return Usage(
        input_tokens=plain + audio + cached + written + written_1h,
        output_tokens=text + audio_out + thought,
        cached_input_tokens=cached,
        cache_write_tokens=written + written_1h,
        reasoning_tokens=thought,
        details={
            "input_audio_tokens": audio,
            "cache_write_1h_tokens": written_1h,
            "output_audio_tokens": audio_out,
        },
    )


class TestEveryTokenOnce:
    @given(usages(), st.sets(st.sampled_from((*INPUT_UNITS[1:], *OUTPUT_UNITS[1:]))))
    def test_whichever_units_have_rates_of_their_own(self, usage, units):
        amounts = dict.fromkeys(("input", "output", *units), 1)
        cost = compute_cost(usage, card(per=1, **amounts))
        unpriced = (
            usage.details["cache_write_1h_tokens"]
            if units & {"cache_write"} and "cache_write_1h" not in units
            else 0
        )
        assert cost.amount == usage.input_tokens + usage.output_tokens - unpriced
        assert cost.status == ("partial" if unpriced else "complete")
        found = quantities(cost)
        assert sum(found.get(unit, 0) for unit in INPUT_UNITS) == usage.input_tokens - unpriced
        assert sum(found.get(unit, 0) for unit in OUTPUT_UNITS) == usage.output_tokens
        assert all(item.quantity > 0 for item in cost.items)

    @given(usages(), usages())
    def test_the_bill_of_a_sum_is_the_sum_of_the_bills(self, one, two):
        rates = card(
            input="0.3",
            output="2.5",
            cache_read="0.03",
            cache_write="0.375",
            cache_write_1h="0.6",
            reasoning=1,
        )
        total = sum_costs([compute_cost(one, rates), compute_cost(two, rates)])
        assert total.amount == compute_cost(one + two, rates).amount

    def test_cached_input_is_charged_at_its_own_rate_and_not_as_input(self):
        usage = Usage(input_tokens=1000, output_tokens=10, cached_input_tokens=800)
        cost = compute_cost(usage, card(input=10, output=20, cache_read=1))
        assert quantities(cost) == {"cache_read": 800, "input": 200, "output": 10}
        assert cost.amount == Decimal("0.003")

    def test_cached_input_without_a_rate_is_input(self):
        usage = Usage(input_tokens=1000, output_tokens=0, cached_input_tokens=800)
        assert quantities(compute_cost(usage, card(input=10, output=20))) == {"input": 1000}

    def test_cache_writes_of_an_hour_are_taken_out_of_cache_writes(self):
        usage = Usage(
            input_tokens=100,
            output_tokens=0,
            cache_write_tokens=60,
            details={"cache_write_1h_tokens": 40},
        )
        both = card(input=1, output=1, cache_write=2, cache_write_1h=3)
        assert quantities(compute_cost(usage, both)) == {"cache_write_1h": 40, "cache_write": 20, "input": 40}
        other = card(input=1, output=1, cache_write_1h=3)
        assert quantities(compute_cost(usage, other)) == {"cache_write_1h": 40, "input": 60}

    @pytest.mark.parametrize("lifetime", ["1h", "12h", "30m"])
    def test_cache_writes_of_a_lifetime_without_a_rate_are_missing_and_not_ordinary_ones(self, lifetime):
        usage = Usage(
            input_tokens=100,
            output_tokens=0,
            cache_write_tokens=60,
            details={"cache_write_5m_tokens": 20, f"cache_write_{lifetime}_tokens": 40},
        )
        for rates in ({"cache_write": 2}, {"cache_write": 2, "cache_write_24h": 9}, {"cache_write_5m": 2}):
            cost = compute_cost(usage, card(input=1, output=1, **rates))
            short = "cache_write" if "cache_write" in rates else "cache_write_5m"
            assert quantities(cost) == {short: 20, "input": 40}
            assert (cost.status, cost.missing) == ("partial", (f"cache_write_{lifetime}",))
        none = attrs.evolve(usage, details={f"cache_write_{lifetime}_tokens": 0})
        assert compute_cost(none, card(input=1, output=1, cache_write=2)).status == "complete"
        # A card that prices no writes at all charges them as input, whatever their lifetime.
        assert quantities(compute_cost(usage, card(input=1, output=1))) == {"input": 100}

    def test_reasoning_is_output_unless_it_has_a_rate(self):
        usage = Usage(input_tokens=0, output_tokens=100, reasoning_tokens=70)
        assert quantities(compute_cost(usage, card(input=1, output=1))) == {"output": 100}
        assert quantities(compute_cost(usage, card(input=1, output=1, reasoning=1))) == {
            "reasoning": 70,
            "output": 30,
        }

    def test_a_request_is_charged_once(self):
        usage = Usage(input_tokens=0, output_tokens=0)
        assert quantities(compute_cost(usage, card(input=1, output=1, request="0.01"))) == {"request": 1}

    def test_a_request_that_the_service_counts_is_not_charged_again(self):
        usage = Usage(input_tokens=0, output_tokens=0, units={"request": Decimal(1)})
        assert compute_cost(usage, card(input=1, output=1, request="0.01")).amount == Decimal("0.01")

    def test_counts_that_contradict_each_other_never_make_a_negative_line(self):
        usage = Usage(input_tokens=10, output_tokens=0, cached_input_tokens=20)
        cost = compute_cost(usage, card(input=1, output=1, cache_read="0.1"))
        assert all(item.amount >= 0 for item in cost.items)

    def test_units_are_added(self):
        rates = RateCard({"second": Rate("second", Decimal("1.20"), 3600)})
        cost = compute_cost(Usage(units={"second": Decimal("1.5")}), rates)
        assert cost.amount == Decimal("0.0005")
        assert cost.status == "complete"

    def test_what_is_paid_by_time_has_no_price_per_token(self):
        rates = RateCard({"second": Rate("second", Decimal("3.60"), 3600)})
        usage = Usage(input_tokens=10, output_tokens=20, units={"second": Decimal(2)})
        cost = compute_cost(usage, rates)
        assert (cost.status, cost.amount, cost.missing) == ("complete", Decimal("0.002"), ())

    def test_dbu_are_charged_where_they_are_what_has_a_price(self):
        usage = Usage(input_tokens=1_000_000, output_tokens=0, units={"DBU": Decimal("1.5")})
        cost = compute_cost(usage, RateCard({"DBU": Rate("DBU", Decimal("0.07"), 1)}))
        assert (cost.status, cost.amount) == ("complete", Decimal("0.105"))

    def test_tokens_are_not_charged_a_second_time_as_dbu(self):
        usage = Usage(input_tokens=1_000_000, output_tokens=0, units={"DBU": Decimal("1.5")})
        both = {"input": Rate("input", Decimal(1)), "DBU": Rate("DBU", Decimal("0.07"), 1)}
        for rates in (both, {"input": both["input"]}):
            cost = compute_cost(usage, RateCard(rates))
            assert (cost.status, cost.amount) == ("complete", Decimal(1))

    def test_what_the_service_says_it_bills_is_what_is_charged(self):
        details = {"billed_input_tokens": 46, "billed_output_tokens": 9}
        usage = Usage(input_tokens=755, output_tokens=11, cached_input_tokens=704, details=details)
        cost = compute_cost(usage, card(input=1, output=2, cache_read="0.1"))
        assert (cost.status, cost.amount) == ("complete", Decimal("0.000064"))

    def test_seconds_that_nobody_prices_are_no_gap(self):
        usage = Usage(input_tokens=1_000_000, output_tokens=0, units={"second": Decimal(2)})
        cost = compute_cost(usage, card(input=1, output=1))
        assert (cost.status, cost.amount) == ("complete", 1)


class TestUnknownIsNeverZero:
    @pytest.mark.parametrize("rates", [None, RateCard({})])
    def test_no_rates(self, rates):
        cost = compute_cost(Usage(input_tokens=1, output_tokens=1), rates)
        assert (cost.status, cost.amount, cost.currency) == ("unknown", None, None)
        assert cost.missing

    def test_nothing_was_counted(self):
        cost = compute_cost(Usage(), card(input=1, output=1))
        assert (cost.status, cost.amount) == ("unknown", None)
        assert cost.missing == ("input_tokens", "output_tokens")

    def test_time_has_a_rate_and_was_not_counted(self):
        cost = compute_cost(Usage(input_tokens=1), RateCard({"second": Rate("second", Decimal(1), 1)}))
        assert (cost.status, cost.amount, cost.missing) == ("unknown", None, ("second",))

    def test_half_was_counted(self):
        cost = compute_cost(Usage(input_tokens=1_000_000), card(input=1, output=1))
        assert (cost.status, cost.amount, cost.missing) == ("partial", 1, ("output_tokens",))

    def test_half_has_a_rate(self):
        usage = Usage(input_tokens=1_000_000, output_tokens=5)
        cost = compute_cost(usage, card(input=1))
        assert (cost.status, cost.amount, cost.missing) == ("partial", 1, ("output",))

    def test_a_unit_without_a_rate_is_named(self):
        cost = compute_cost(
            Usage(input_tokens=1, output_tokens=0, units={"image": Decimal(2)}), card(input=1)
        )
        assert cost.status == "partial"
        assert "image" in cost.missing

    def test_a_rate_of_zero_is_known(self):
        cost = compute_cost(Usage(input_tokens=5, output_tokens=5), card(input=0, output=0))
        assert (cost.status, cost.amount) == ("complete", 0)

    def test_a_cost_is_unknown_until_it_is_known(self):
        assert (Cost().status, Cost().amount) == ("unknown", None)


class TestBills:
    def test_a_line_says_where_its_rate_comes_from(self):
        rates = RateCard.of(source="table", as_of="2026-01-01", input="2")
        (item,) = compute_cost(Usage(input_tokens=500_000, output_tokens=0), rates).items
        assert (item.quantity, item.rate, item.per, item.amount) == (500_000, 2, 1_000_000, 1)
        assert (item.source, item.as_of) == ("table", "2026-01-01")

    @given(usages())
    def test_the_lines_add_up(self, usage):
        cost = compute_cost(usage, card(input="0.15", output="0.6", cache_read="0.075", input_audio=10))
        assert sum(item.amount for item in cost.items) == cost.amount

    def test_amounts_are_exact(self):
        cost = compute_cost(Usage(input_tokens=1, output_tokens=2), card(input="0.1", output="0.2"))
        assert cost.amount == Decimal("0.0000005")

    def test_parts_in_two_currencies_have_no_sum(self):
        usage = Usage(input_tokens=1, output_tokens=1)
        dollars = compute_cost(usage, card(input=1, output=1))
        euros = compute_cost(usage, card(input=1, output=1, currency="EUR"))
        assert sum_costs([dollars, euros]).status == "unknown"
        assert sum_costs([dollars, dollars]).currency == "USD"

    def test_one_unknown_part_makes_a_partial_sum(self):
        known = compute_cost(Usage(input_tokens=1, output_tokens=1), card(input=1, output=1))
        total = sum_costs([known, Cost()])
        assert (total.status, total.amount) == ("partial", known.amount)
        assert sum_costs([Cost(), Cost()]).status == "unknown"
        assert sum_costs([]).status == "unknown"


def test_a_card_takes_amounts_as_a_mapping_too():
    made = RateCard.of({"input": Decimal("0.5"), "search_unit": None}, source="s", output="1")
    assert made == RateCard.of(source="s", input="0.5", output="1")


OTHERS = {
    "input@big_tokens": 300,
    "cache_read@big_tokens": 100,
    "cache_write_1h@big_tokens": 50,
    "output@big_tokens": 7,
}


def test_tokens_of_another_model_are_priced_by_its_own_rates_alone():
    usage = Usage(1450, 17, 100, 50, details=OTHERS)
    own = RateCard.of(source="declared", per=1, input="1", output="10", cache_read="5")
    partial = compute_cost(usage, own)
    assert (partial.status, partial.amount) == ("partial", Decimal(1000 + 100))
    assert partial.missing == tuple(name.removesuffix("_tokens") for name in OTHERS)
    rates = {
        f"{unit}@big": Rate(f"{unit}@big", Decimal(2), 1)
        for unit in ("input", "cache_read", "cache_write_1h", "output")
    }
    complete = compute_cost(usage, RateCard({**own.rates, **rates}))
    assert (complete.status, complete.amount) == ("complete", Decimal(1100 + 2 * 457))
