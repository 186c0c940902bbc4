"""JSON is read as services write it, and written so that every service can read it."""

import datetime as dt
import enum
import json
import math
import uuid

import orjson
import pytest
from hypothesis import given, strategies as st

from jackfield._json import Halves, exact_numbers, exact_part, read_exactly, read_json, whole_text, write_json
from jackfield._types.content import parse_arguments

HALF = "\ud83d"
OTHER = "\ude00"
EMOJI = "\U0001f600"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        (rb'{"a": "x\ud83d"}', {"a": "x\ufffd"}),
        (rb'{"a": "\ude00x"}', {"a": "\ufffdx"}),
        (rb'{"a": "x\ud83dy\ude00"}', {"a": "x\ufffdy\ufffd"}),
        (rb'{"a": "\ud83d\ude00\ud83d"}', {"a": f"{EMOJI}\ufffd"}),
        (rb'{"\ud83d": [["\ud83d"]]}', {"\ufffd": [["\ufffd"]]}),
        ('{"a": "x' + HALF + '"}', {"a": "x\ufffd"}),
        ('{"a": "' + HALF + OTHER + '"}', {"a": EMOJI}),
        (b'{"a": "x\xf0\x9f"}', {"a": "x\ufffd"}),
        (b'{"a": "\xed\xa0\xbd\xed\xb8\x80"}', {"a": EMOJI}),
        (b'{"a": "1\n2\t3"}', {"a": "1\n2\t3"}),
        (b'{"a": 1e999, "b": -1e999}', {"a": math.inf, "b": -math.inf}),
        (b'[Infinity, -Infinity, inf, -inf, +inf, -Infinity]', [math.inf, -math.inf, math.inf, -math.inf, math.inf, -math.inf]),
        (b'{"a": -inf, "b": "-inf, nan \\" nan"}', {"a": -math.inf, "b": '-inf, nan " nan'}),
        ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
        (bytearray(b'\xef\xbb\xbf[1]'), [1]),
        (memoryview(b'\xef\xbb\xbf[1]'), [1]),
        (b"9" * 5000, math.inf),
    ],
)  # fmt: skip
def test_what_strict_parsers_refuse_is_read(data, value):
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(data)
    assert read_json(data) == value


@pytest.mark.parametrize("word", ["NaN", "nan", "-nan", "NAN", "-NaN"])
def test_a_number_that_is_none_is_read(word):
    assert math.isnan(read_json(f'{{"a": {word}}}')["a"])


@pytest.mark.parametrize(
    "data", [b"", b" ", b"{", b"ping", b"nano", b"[DONE]", b'{"a": 1} {"a": 2}', b"<html>", b"\xff", b"[" * 100_000, b'"nan']
)  # fmt: skip
def test_what_is_not_json_is_refused_in_the_words_of_the_strict_parser(data):
    with pytest.raises(orjson.JSONDecodeError):
        read_json(data)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_that_python_writes_is_read_as_characters(text):
    read = read_json(json.dumps([text]))
    assert read == [whole_text(text)]
    read[0].encode()


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 20))
def test_halves_at_the_ends_are_kept_and_join(text, place):
    text = EMOJI + text + EMOJI
    units = text.encode("utf-16-le", "surrogatepass")
    cut = 2 * min(place, len(units) // 2)
    pieces = [part.decode("utf-16-le", "surrogatepass") for part in (units[:cut], units[cut:])]
    read = [read_json(json.dumps({"text": piece}), halves=True)["text"] for piece in pieces]
    assert whole_text("".join(read)) == whole_text(text)


def test_kept_halves_are_counted_and_others_are_not():
    before = Halves.kept
    read_json(rb'["a\ud83db", "\ud83d\ude00", "x"]', halves=True)
    assert Halves.kept == before
    assert read_json(rb'["a\ud83d"]', halves=True) == ["a" + HALF]
    assert Halves.kept > before


@pytest.mark.parametrize("number", [2**64, -(2**64), 10**30])
def test_integers_of_any_size_are_exact_where_it_is_asked_for(number):
    assert read_exactly(str(number)) == number
    assert type(read_json(str(number))) is float
    with pytest.raises(ValueError, match="nested|depth"):
        read_exactly("[" * 100_000)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e400", 10**400),
        ("-1.5E+400", -15 * 10**399),
        ("1e22", 1e22),
        ("1.5e-400", 0.0),
        ("1e99999", math.inf),
        ("1.0", 1.0),
    ],
)
def test_a_whole_number_beyond_floats_is_an_integer_where_it_is_asked_for(text, number):
    value = read_exactly(f'{{"a": [{text}, 12345678901234567890123]}}')
    assert value == {"a": [number, 12345678901234567890123]}
    assert type(value["a"][0]) is type(number)
    assert read_exactly(text) == number


def test_what_is_written_again_is_the_same_number():
    text = '{"a":123456789012345678901234567890,"b":[-98765432109876543210],"c":"12345678901234567890"}'
    assert write_json(read_exactly(text)).decode() == text


def test_a_part_of_parsed_json_is_exact_where_it_is_asked_for():
    data = b'{"x": [{"a": {"id": 12345678901234567890123, "b": 1e30}}, {"a": {"id": 1}}]}'
    whole = orjson.loads(data)
    first, second = whole["x"][0]["a"], whole["x"][1]["a"]
    assert exact_part(first, whole, data) == {"id": 12345678901234567890123, "b": 1e30}
    assert exact_part(second, whole, data) is second
    copy = dict(first)
    assert exact_part(copy, whole, data) is copy  # nobody knows where it is from


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\n {"a": 1} \n\n', {"a": 1}),
        ('{"a": 1}\x00', {"a": 1}),
        ('\ufeff{"a": 1}\u200b\u00a0', {"a": 1}),
        (json.dumps('{"a": "b\\"c"}'), {"a": 'b"c'}),
        (json.dumps(' {"a": 12345678901234567890123} '), {"a": 12345678901234567890123}),
        (json.dumps(""), {}),
        (json.dumps("null"), {}),
        ("", {}),
        (" \t\n", {}),
        ("null", {}),
        ("{}", {}),
        ("[]", {}),
    ],
)
def test_arguments_in_odd_forms_are_read(text, arguments):
    assert parse_arguments(text) == (arguments, None)


@pytest.mark.parametrize("text", ['{"a": 1', "[1]", "5", "false", '"text"', '"{"', "{} {}"])
def test_arguments_that_are_no_object_are_kept_as_text(text):
    assert parse_arguments(text) == ({}, text)


def test_arguments_of_a_tool_keep_large_integers_and_mend_halves():
    assert parse_arguments('{"id": 123456789012345678901234567890}') == (
        {"id": 123456789012345678901234567890},
        None,
    )
    assert parse_arguments('{"id": 1234567890123456789}') == ({"id": 1234567890123456789}, None)
    assert parse_arguments(r'{"a": "x\ud83d"}') == ({"a": "x\ufffd"}, None)
    assert parse_arguments('{"a": "' + HALF + OTHER + '"}') == ({"a": EMOJI}, None)
    assert parse_arguments("cut " + HALF) == ({}, "cut \ufffd")
    assert parse_arguments("[1]") == ({}, "[1]")
    assert parse_arguments("[" * 100_000)[1] is not None


class Colour(enum.Enum):
    RED = "red" + HALF


class Word(enum.StrEnum):
    GO = "go"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": "x" + HALF}, {"a": "x\ufffd"}),
        ({"a": HALF + OTHER}, {"a": EMOJI}),
        ({HALF: 1}, {"\ufffd": 1}),
        ([2**64, -(2**70)], [2**64, -(2**70)]),
        ({"a": math.nan, "b": [math.inf], "c": 2**64}, {"a": None, "b": [None], "c": 2**64}),
        ({"a": (HALF,), 1: True, None: None}, {"a": ["\ufffd"], "1": True, "null": None}),
        ([Colour.RED, Word.GO, {Word.GO: HALF}], ["red\ufffd", "go", {"go": "\ufffd"}]),
        ([dt.date(2026, 1, 2), uuid.UUID(int=0), HALF], ["2026-01-02", str(uuid.UUID(int=0)), "\ufffd"]),
        ({dt.date(2026, 1, 2): HALF}, {"2026-01-02": "\ufffd"}),
    ],
)
def test_what_the_strict_writer_refuses_is_written(value, written):
    assert read_exactly(write_json(value)) == written


def test_halves_may_be_kept_for_a_reader_that_joins_them():
    assert write_json({"a": "é" + HALF}, halves=True) == rb'{"a":"\u00e9\ud83d"}'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_slow_ways_agree_with_orjson(value):
    # A half beside it makes the writer take the slow way, and a byte order mark the reader.
    assert read_exactly(write_json([value, HALF]))[0] == value
    assert read_json(b"\xef\xbb\xbf" + orjson.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (
            {"messages": [{"content": "x"}, {"content": [{"text": {1}}]}]},
            r"messages\[1\]\.content\[0\]\.text",
        ),
        ({"a": object()}, "a"),
        ({"a": {("b",): 1}}, "a has a key"),
    ],
)
def test_what_cannot_be_written_is_named(value, place):
    with pytest.raises(TypeError, match=f"^{place}.* cannot be written as JSON"):
        write_json(value)


def test_what_holds_itself_cannot_be_written():
    endless = []
    endless.append(endless)
    with pytest.raises(TypeError, match="nested too deeply"):
        write_json(endless)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**70), 10**30])
def test_numbers_beyond_64_bits_are_exact_where_that_matters(number):
    data = json.dumps({"a": [number], "b": 0.5}).encode()
    assert exact_numbers(read_json(data), data) == {"a": [number], "b": 0.5}
    value = {"a": 5}
    assert exact_numbers(value, b'{"a": 5}') is value
