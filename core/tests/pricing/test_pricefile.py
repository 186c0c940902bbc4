"""The user's price file: which rate holds when, and what is wrong with which line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from jackfield import ConfigurationError, Usage
from jackfield._pricing.price_file import PriceTable
from jackfield._types.billing import compute_cost
from jackfield.plugin import Rate

HEADER = "provider,model,unit,per,rate,currency,from,source\n"


def table(*lines, header=HEADER):
    return PriceTable.parse([header, *(f"{line}\n" for line in lines)], "prices.csv")


def wrong(*lines, header=HEADER):
    with pytest.raises(ConfigurationError) as caught:
        table(*lines, header=header)
    return caught.value.message


def test_rates_are_found_by_provider_and_model():
    prices = table(
        "openai,gpt-5,input,1000000,1.25,USD,2026-01-01,contract 7",
        "openai,gpt-5,output,1000000,10,USD,2026-01-01,contract 7",
        "azure,gpt-5,input,1000000,2,USD,,",
    )
    card = prices.rates("openai", "gpt-5", date(2026, 2, 1))
    assert card.currency == "USD"
    assert card.rates == {
        "input": Rate("input", Decimal("1.25"), 1_000_000, "contract 7", "2026-01-01"),
        "output": Rate("output", Decimal(10), 1_000_000, "contract 7", "2026-01-01"),
    }
    assert set(prices.rates("azure", "gpt-5", 0.0).rates) == {"input"}


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-5-mini"), ("openai", "gpt"), ("bedrock", "gpt-5"), ("openai", "GPT-5")],
)
def test_a_model_that_is_not_written_has_no_rates(provider, model):
    assert table("openai,gpt-5,input,,1,,,").rates(provider, model, 0.0) is None


@pytest.mark.parametrize(
    ("day", "amount"),
    [
        ("2025-12-31", None),
        ("2026-01-01", "1"),
        ("2026-05-31", "1"),
        ("2026-06-01", "2"),
        ("2030-01-01", "2"),
    ],
)
def test_the_latest_rate_whose_day_has_come_is_in_force(day, amount):
    prices = table("o,m,input,,2,,2026-06-01,", "o,m,input,,1,,2026-01-01,")
    card = prices.rates("o", "m", date.fromisoformat(day))
    assert (card and str(card.rates["input"].amount)) == amount


def test_units_change_on_days_of_their_own():
    prices = table("o,m,input,,1,,,", "o,m,output,,5,,2026-06-01,")
    assert set(prices.rates("o", "m", date(2026, 1, 1)).rates) == {"input"}
    assert set(prices.rates("o", "m", date(2026, 7, 1)).rates) == {"input", "output"}


def test_seconds_since_the_epoch_are_a_day_in_utc():
    prices = table("o,m,input,,1,,2026-06-01,")
    start = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    assert prices.rates("o", "m", start - 1) is None
    assert prices.rates("o", "m", start) is not None


def test_what_is_left_out_has_a_default():
    prices = table("o,m,input,3", "o,m,request,1", "o,m,second,2", header="provider,model,unit,rate\n")
    card = prices.rates("o", "m", 0.0)
    assert card.currency == "USD"
    assert card.rates["input"] == Rate("input", Decimal(3), 1_000_000, "prices.csv", None)
    assert card.rates["request"].per == 1
    assert card.rates["second"].per == 1


def test_numbers_are_exact():
    card = table("o,m,input,1000000,0.1,,,").rates("o", "m", 0.0)
    assert card.rates["input"].amount == Decimal("0.1")
    assert compute_cost(Usage(input_tokens=3_000_000), card).amount == Decimal("0.3")


def test_spaces_and_empty_lines_do_not_matter():
    assert table("", " o , m ,input,, 1 ,,,").rates("o", "m", 0.0) is not None


def test_a_cell_may_hold_a_comma():
    card = table('o,m,input,,1,,,"contract 7, page 2"').rates("o", "m", 0.0)
    assert card.rates["input"].source == "contract 7, page 2"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",m,input,,1,,,", "provider is empty"),
        ("o,,input,,1,,,", "model is empty"),
        ("o,m,,,1,,,", "unit is empty"),
        ("o,m,input,,,,,", "rate is empty"),
        ("o,m,input,,abc,,,", "'abc' is not a number"),
        ("o,m,input,,NaN,,,", "must be 0 or more"),
        ("o,m,input,,-1,,,", "must be 0 or more"),
        ("o,m,input,0,1,,,", "per '0' must be a whole number"),
        ("o,m,input,1.5,1,,,", "per '1.5' must be a whole number"),
        ("o,m,input,,1,,01.06.2026,", "from '01.06.2026' must be a day as 2026-01-31"),
        ("o,m,inptu,,1,,,", "unknown unit 'inptu'; did you mean 'input'?"),
        ("o,m,output_tokens,,1,,,", "unknown unit 'output_tokens'; did you mean 'output'?"),
        ("o,m,cache_write_1h_tokens,,1,,,", "did you mean 'cache_write_1h'?"),
        ("o,m,Input,,1,,,", "unknown unit 'Input'; did you mean 'input'?"),
        ("o,m,tokens,,1,,,", "unknown unit 'tokens'; did you mean 'input'?"),
        ("o,m,input_audoi,,1,,,", "unknown unit 'input_audoi'; did you mean 'input_audio'?"),
        ("o,m,dbu,,1,,,", "unknown unit 'dbu'; did you mean 'DBU'?"),
        ("o,m,input,,1,EURO,,", "unknown currency 'EURO'; did you mean 'EUR'?"),
        ("o,m,input,,1,UDS,,", "unknown currency 'UDS'; did you mean 'USD'?"),
        ("o,m,input,,1,US,,", "unknown currency 'US'; did you mean 'USD'?"),
        ("o,m,input,,1,eur,,", "unknown currency 'eur'; did you mean 'EUR'?"),
        ("o,m,input,,1,€,,", "unknown currency '€'; write its code (ISO 4217), such as USD"),
        ("o,m-*,input,,1,,,", "a price is for one model"),
        ("o,m,input,,1,20,,,,", "more cells than the header"),
        ("o,m", "unit is empty"),
        ('o,m,input,,1,,,"contract" 7', "',' expected after"),
        ('o,m,input,,1,,,"contract', "unexpected end of data"),
    ],
)
def test_a_wrong_line_is_an_error_with_its_number(line, message):
    said = wrong("o,x,input,,1,,,", line)
    assert "prices.csv: line 3: " in said
    assert message in said


@pytest.mark.parametrize(
    "line",
    [
        "o,m,page,,1,,,",
        "o,m,guard_token,,1,,,",
        "o,m,input_video,,1,,,",
        "o,m,cache_write_2h,,1,,,",
        "o,m,input,,1,credit,,",
        "o,m,input,,1,DBU,,",
        "o,m,input,,1,CHF,,",
    ],
)
def test_a_unit_that_only_its_plugin_knows_is_no_slip(line):
    assert table(line).rates("o", "m", 0.0) is not None


def test_all_wrong_lines_are_said_together():
    said = wrong("o,m,input,,a,,,", "o,m,output,,1,,,", "o,m,input,,b,,,")
    assert "line 2" in said
    assert "line 3" not in said
    assert "line 4" in said


def test_two_rates_for_one_unit_and_day_are_an_error_that_names_both_lines():
    assert "line 4: says the same unit and day as line 2" in wrong(
        "o,m,input,,1,,,", "o,m,output,,1,,,", "o,m,input,,2,,,"
    )


def test_two_currencies_for_one_model_are_an_error():
    assert "line 3: EUR, but line 2 prices the same model in USD" in wrong(
        "o,m,input,,1,USD,,", "o,m,output,,1,EUR,,"
    )


def test_an_unknown_column_is_an_error_with_the_closest():
    said = wrong(header="provider,model,unit,rate,curency\n")
    assert "unknown column 'curency'; did you mean 'currency'?" in said


def test_a_column_that_stands_twice_is_an_error():
    assert "line 1: the column 'rate' stands twice" in wrong(header="provider,model,unit,rate,rate\n")


def test_a_file_of_another_separator_is_told_so():
    said = wrong("o;m;input;1", header="provider;model;unit;rate\n")
    assert said == "the price file prices.csv: line 1: the columns are separated by ';'; write commas"


def test_a_missing_column_is_an_error():
    assert "the columns unit, rate are missing" in wrong(header="provider,model\n")


def test_an_empty_file_is_an_error():
    with pytest.raises(ConfigurationError, match="are missing"):
        PriceTable.parse([], "prices.csv")


def test_a_file_from_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.strip().encode() + b"\r\no,m,input,,1,,,\r\n")
    assert PriceTable.read(path).rates("o", "m", 0.0) is not None


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigurationError, match="no.csv cannot be read"):
        PriceTable.read(tmp_path / "no.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"o,m,input,,1,,,\xe9\n")
    with pytest.raises(ConfigurationError, match="not valid CSV in UTF-8"):
        PriceTable.read(tmp_path / "latin.csv")
