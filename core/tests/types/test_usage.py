"""Counts of usage: what services write in place of whole numbers, and what they say twice."""

from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from jackfield import Usage, UsageUpdate
from jackfield._calls.fold import fold
from jackfield.plugin import read_count, read_quantity


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12),
        (0, 0),
        (12.0, 12),
        ("12", 12),
        (" 12 ", 12),
        ("12.0", 12),
        (Decimal(12), 12),
        (Decimal("1.2E+1"), 12),
        (2**63 - 1, 2**63 - 1),
    ],
)
def test_a_whole_number_is_a_count_however_it_is_written(value, count):
    assert read_count(value) == count
    assert type(read_count(value)) is int


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, -1, -1.0, "-1", 12.5, "12.5", "", "a", "1,200", "1_200", "१२", "1e3", [12], {"a": 1}, b"12", 2**63,
        1e300, "9" * 5000, float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity"),
    ],
)  # fmt: skip
def test_anything_else_is_unknown(value):
    assert read_count(value) is None


@pytest.mark.parametrize(
    ("value", "quantity"),
    [
        (3, Decimal(3)),
        (1.5, Decimal("1.5")),
        ("1.5", Decimal("1.5")),
        (Decimal("0.10"), Decimal("0.10")),
        ("1e2", Decimal(100)),
        (0, Decimal(0)),
    ],
)
def test_a_quantity_is_a_number_or_its_text(value, quantity):
    assert read_quantity(value) == quantity


@pytest.mark.parametrize(
    "value", [None, True, -1, "", "a", [1], {}, "nan", float("inf"), "1e999999999", 10**18, b"1"]
)
def test_any_other_quantity_is_unknown(value):
    assert read_quantity(value) is None


def test_a_usage_has_whole_numbers_only_whatever_a_plugin_passes_on():
    usage = Usage("5", [1], 2.0, -3, True, {"a": "7", "b": "many", "c": 1})  # type: ignore[arg-type, dict-item]
    assert usage == Usage(5, None, 2, None, None, {"a": 7, "c": 1})
    assert usage.total_tokens is None


ANY = st.sampled_from(
    [None, 0, 1, 2**63 - 1, 2**63, -1, -(2**70), 2**70, True, False, 1.0, 1.5, "", "7", "x", [], [1], {}]
)


@given(st.tuples(ANY, ANY, ANY, ANY, ANY), st.dictionaries(st.sampled_from("abc"), ANY))
def test_each_count_of_a_usage_is_read_by_itself(counts, details):
    usage = Usage(*counts, details)
    found = [
        usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.cache_write_tokens, usage.reasoning_tokens
    ]  # fmt: skip
    wanted = [read_count(count) for count in counts]
    known = {name: count for name, value in details.items() if (count := read_count(value)) is not None}
    assert (found, usage.details) == (wanted, known)
    assert {type(count) for count in (*found, *usage.details.values())} <= {int, type(None)}


def test_a_total_does_not_fall_to_zero():
    first = Usage(10, 5, 4, 3, 2, {"a": 1}, {"second": Decimal(2)})
    zeros = Usage(0, 0, 0, 0, 0, {"a": 0, "b": 0}, {"second": Decimal(0)})
    assert first.updated(zeros) == Usage(10, 5, 4, 3, 2, {"a": 1, "b": 0}, {"second": Decimal(2)})
    assert zeros.updated(first) == Usage(10, 5, 4, 3, 2, {"a": 1, "b": 0}, {"second": Decimal(2)})
    assert first.updated(Usage(11, 0)).output_tokens == 5
    assert first.updated(Usage(3, 2)).input_tokens == 3  # a service may correct itself


def test_usage_that_comes_again_as_zeros_takes_nothing_away():
    raw = {"in": 10, "out": 5, "cost": "0.01"}
    folded = fold([UsageUpdate(Usage(10, 5), raw), UsageUpdate(Usage(0, 0), {"in": 0, "out": 0, "cost": 0})])
    assert folded.usage == Usage(10, 5)
    assert folded.raw_usage == raw
    folded = fold([UsageUpdate(Usage(0, 0), {"in": 0}), UsageUpdate(Usage(10, 5), raw)])
    assert (folded.usage, folded.raw_usage) == (Usage(10, 5), raw)
