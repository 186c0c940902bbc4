"""Answers that are never streamed are read by one decoder."""

import pytest

from jackfield import MalformedResponseError
from jackfield.plugin import Frame, Head, TokensCounted, WholeDecoder


def count(value):
    yield TokensCounted(value["tokens"])


def test_the_value_becomes_events() -> None:
    decoder = WholeDecoder(count)
    assert decoder.start(Head(200)) == []
    assert decoder.feed(Frame(b'{"tokens": 7}')) == [TokensCounted(7)]
    assert decoder.finish() == []


def test_no_body_is_no_answer() -> None:
    decoder = WholeDecoder(count)
    with pytest.raises(MalformedResponseError, match="no body"):
        decoder.finish()


def test_what_is_not_json_is_told_with_the_body() -> None:
    with pytest.raises(MalformedResponseError, match="not JSON") as caught:
        WholeDecoder(count).feed(Frame(b"<html>"))
    assert caught.value.body == b"<html>"


def test_what_the_reader_refuses_is_told_with_the_body() -> None:
    def refuse(value):
        raise MalformedResponseError("no")

    with pytest.raises(MalformedResponseError) as caught:
        WholeDecoder(refuse).feed(Frame(b"{}"))
    assert caught.value.body == b"{}"
