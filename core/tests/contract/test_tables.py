"""Tables beside a module are read once; rates hold from their day, and by the length of the prompt."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from jackfield import PluginError
from jackfield.plugin import DatedRates, RateCard, load_table

ROWS = (
    {"input": "2", "output": "6"},
    {"from": "2026-10-20", "input": "1.36", "output": ["4", "4.5"]},
    {"from": "2026-10-29", "input": ["0.7", "1.4"]},
    {"from": "2027-01-01"},
)


def seconds(day: str) -> float:
    return datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC).timestamp()


def write(tmp_path, text):
    (tmp_path / "table.json").write_text(text, "utf-8")
    return str(tmp_path / "module.py")


def test_a_table_is_read_once(tmp_path):
    module = write(tmp_path, '{"models": {"m": 1}}')
    table = load_table(module, "table.json")
    (tmp_path / "table.json").unlink()
    assert load_table(module, "table.json") is table
    assert table == {"models": {"m": 1}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "is not valid JSON: "),
        ("[1]", "must be a JSON object, not list"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(tmp_path, text, fault):
    module = str(tmp_path / "module.py") if text is None else write(tmp_path, text)
    with pytest.raises(PluginError) as caught:
        load_table(module, "table.json")
    assert fault in caught.value.message
    assert str(tmp_path / "table.json") in caught.value.message


@pytest.mark.parametrize(
    ("day", "amounts"),
    [
        ("2026-10-19", {"input": "2", "output": "6"}),
        ("2026-10-20", {"input": "1.36", "output": "4"}),
        ("2026-10-28", {"input": "1.36", "output": "4"}),
        ("2026-10-29", {"input": "0.7"}),
        ("2027-01-01", {}),
    ],
)
@pytest.mark.parametrize("rows", [ROWS, ROWS[::-1]], ids=["in order", "reversed"])
def test_the_latest_row_whose_day_has_come_holds(rows, day, amounts):
    expected = {unit: Decimal(amount) for unit, amount in amounts.items()}
    assert DatedRates(rows, 1000).amounts(seconds(day)) == expected
    assert DatedRates(rows, 1000).amounts(seconds(day) + 86_399) == expected


def test_before_the_first_day_no_rate_is_known():
    assert DatedRates(ROWS[1:]).amounts(seconds("2026-10-19")) is None
    assert DatedRates(()).amounts(0.0) is None


@pytest.mark.parametrize(("tokens", "output"), [(None, "4"), (0, "4"), (1000, "4"), (1001, "4.5")], ids=str)
def test_a_long_prompt_is_charged_by_the_second_of_a_pair(tokens, output):
    amounts = DatedRates(ROWS, 1000).amounts(seconds("2026-10-20"), tokens)
    assert amounts == {"input": Decimal("1.36"), "output": Decimal(output)}


def test_without_a_limit_no_prompt_is_long():
    assert DatedRates(ROWS).amounts(seconds("2026-10-29"), 10**9) == {"input": Decimal("0.7")}


def test_a_table_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "marked.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert load_table(str(tmp_path / "module.py"), "marked.json") == {"a": 1}


def test_the_card_of_a_call_has_the_amounts_of_its_day_and_length():
    rows = [{"input": ["1", "2"]}, {"from": "2026-10-20", "input": ["3", "4"]}]
    rates, told = (
        DatedRates(rows, 1000),
        {"source": "a page", "as_of": "2026-11-01", "currency": "EUR", "per": 1000},
    )
    for day in ("2026-10-19", "2026-10-20", "2026-10-19"):
        for tokens in (None, 1000, 1001, 5):
            made = RateCard.of(rates.amounts(seconds(day), tokens), **told)
            assert rates.card(seconds(day), tokens, **told) == made
            assert rates.card(seconds(day) + 80_000, tokens, **told) is rates.card(
                seconds(day), tokens, **told
            )
    assert rates.card(seconds("2026-10-19"), source="another") != rates.card(seconds("2026-10-19"), **told)
    assert DatedRates([{"from": "2026-10-20", "input": "1"}]).card(0.0, **told) is None
