"""Token counts in odd forms."""

from decimal import Decimal

import pytest

from jackfield import Usage
from jackfield_snowflake._usage import read_usage, with_credits

RAW = {
    "prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 16, "cache_read_input_tokens": 4, "guard_tokens": 5,
}  # fmt: skip


@pytest.mark.parametrize("form", [int, float, str])
def test_counts_are_read_however_they_are_written(form):
    usage = read_usage({name: form(count) for name, count in RAW.items()})
    assert (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens) == (14, 2, 4)
    assert usage.units == {"guard_token": Decimal(5)}


@pytest.mark.parametrize("odd", ["many", [4], {}, True, -4], ids=repr)
def test_what_is_no_number_is_unknown(odd):
    usage = read_usage({**RAW, "cache_read_input_tokens": odd, "guard_tokens": odd})
    assert usage == Usage(10, 2)
    assert read_usage(odd) == Usage()


def test_cache_writes_of_an_hour_have_no_credits():
    """The consumption table has one row of cache writes, which is that of five minutes."""
    per_token = {"input": Decimal(1), "output": Decimal(1), "cache_write": Decimal(2)}
    usage = Usage(10, 2, cache_write_tokens=4, details={"cache_write_1h_tokens": 4})
    assert with_credits(usage, per_token) == usage
    short = Usage(10, 2, cache_write_tokens=4, details={"cache_write_5m_tokens": 4})
    assert with_credits(short, per_token).units == {"credit": Decimal(16)}
