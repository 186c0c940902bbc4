"""Frames hold JSON; heartbeats of gateways between them mean nothing, and what is named an error is one."""

import pytest

from jackfield import MalformedResponseError
from jackfield._json import Halves
from jackfield.plugin import FailureInStream, Frame, read_frame, sift_frame

HEARTBEATS = [b"", b"ping", b"null", b"{}", b"[]", b'"ping"', b"1700000000", b"true", b": x", b"\xff"]


@pytest.mark.parametrize("name", ["ping", "heartbeat", "keep-alive", "message"])
@pytest.mark.parametrize("data", HEARTBEATS)
def test_a_named_frame_without_an_object_is_a_heartbeat(name, data):
    assert read_frame(Frame(data, name)) is None


@pytest.mark.parametrize("data", HEARTBEATS)
def test_a_frame_with_a_name_that_the_decoder_knows_is_read_as_it_is(data):
    try:
        value = read_frame(Frame(data, "delta"), {"delta"})
    except MalformedResponseError:
        assert data in (b"", b"ping", b": x", b"\xff")
    else:
        assert value == sift_frame(Frame(data, "delta"), value, {"delta"})


def test_a_named_frame_with_an_object_is_the_decoders_to_judge():
    assert read_frame(Frame(b'{"a": 1}', "ping")) == {"a": 1}
    assert sift_frame(Frame(b'{"a": 1}', "ping"), {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    "data", [b"ping", b": keep-alive", b" heartbeat 12", b"keepalive\n", b": ping - 2026-12-01"]
)
def test_a_frame_without_a_name_may_be_a_word_for_a_heartbeat(data):
    assert read_frame(Frame(data)) is None


@pytest.mark.parametrize("data", [b"pinging", b"Internal Server Error", b"alive", b""])
def test_other_words_are_no_heartbeat(data):
    with pytest.raises(MalformedResponseError):
        read_frame(Frame(data))


@pytest.mark.parametrize("name", ["server_error", "upstream.error", "stream-exception", "ERROR"])
def test_a_frame_whose_name_tells_of_an_error_is_one(name):
    with pytest.raises(FailureInStream) as caught:
        read_frame(Frame(b"boom", name))
    assert (caught.value.failure.data, caught.value.failure.event) == ({"message": "boom"}, name)
    assert read_frame(Frame(b"{}", name), {name}) == {}
    assert read_frame(Frame(b'{"a": 1}', "errorless")) == {"a": 1}


def test_frames_without_a_name_hold_json():
    assert read_frame(Frame(b'{"a": 1}')) == {"a": 1}
    assert read_frame(Frame(b"[1]")) == [1]
    assert read_frame(Frame(b"null")) is None
    assert read_frame(Frame({"a": 1})) == {"a": 1}
    assert read_frame(Frame('\ufeff{"a": 1}')) == {"a": 1}


def test_half_a_pair_is_kept_for_the_next_frame():
    before = Halves.kept
    assert read_frame(Frame(rb'{"text": "a\ud83d"}')) == {"text": "a\ud83d"}
    assert Halves.kept > before


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"message": "too long", "code": 400}', {"message": "too long", "code": 400}),
        (b"Internal Server Error", {"message": "Internal Server Error"}),
        (b'"too long"', {"message": "too long"}),
        ({"message": "own transport"}, {"message": "own transport"}),
    ],
)
def test_a_frame_named_error_is_one(data, told):
    with pytest.raises(FailureInStream) as caught:
        read_frame(Frame(data, "error"))
    failure = caught.value.failure
    assert (failure.data, failure.event, failure.in_stream) == (told, "error", True)
    assert failure.body == (data if isinstance(data, bytes) else b"")
    assert read_frame(Frame(b'{"a": 1}', "error"), {"error"}) == {"a": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<!doctype html>", "a page, which is not JSON; is base_url right"),
        (b"upstream connect error", "not JSON .*upstream connect error"),
        (b'{"cut": ', "not JSON"),
        (b" ", "no body"),
        ("\ud83d", "not JSON"),
    ],
)
def test_what_is_not_json_is_shown(data, message):
    with pytest.raises(MalformedResponseError, match=message) as caught:
        read_frame(Frame(data))
    assert caught.value.body == (data if isinstance(data, bytes) else b"?")
