"""Framers: equal frames wherever the network cut the body, and faults said where they are."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import itertools
import json
import os
import pickle
import random
import struct
import uuid
import zlib
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st
from recordings import folder

from jackfield._types.wire import Frame
from jackfield.http import (
    FRAMINGS,
    AWSEventStreamFramer,
    Framer,
    FramingError,
    JSONArrayFramer,
    JSONLinesFramer,
    NestedFramer,
    SSEFramer,
    WholeFramer,
    event_payload,
    framer_for,
)
from jackfield.testing._eventstream import encode_aws_event

AWS_HEADERS = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}


def frames_of(framer: Framer, *chunks: bytes) -> list[Frame]:
    frames = []
    for chunk in chunks:
        frames += framer.feed(chunk)
    return frames + framer.close()


def outcome(framer: Framer, *chunks: bytes) -> tuple[list[Frame], str | None]:
    """The frames, and the fault if there was one, as a caller sees them."""
    frames = []
    try:
        for chunk in chunks:
            frames += framer.feed(chunk)
        frames += framer.close()
    except FramingError as fault:
        return frames, str(fault)
    return frames, None


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def bytewise(body: bytes) -> list[bytes]:
    return [body[i : i + 1] for i in range(len(body))]


def aws_body(*payloads: bytes) -> bytes:
    return b"".join(encode_aws_event(AWS_HEADERS, payload) for payload in payloads)


def flipped(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


SSE_BODY = (
    '\ufeff: hello\n\ndata: {"t":"日本 🎉"}\n\ndata:{"no":"space"}\n\nevent: ping\ndata: {}\n\n'
    "id: 7\nretry: 10\nevent:named\ndata: one\ndata:  two\ndata\n\n\n\n: keep-alive\n\ndata:\n\nevent: bare\n\n"
    'data: {"é":1}\n\ndata: [DONE]\n\ndata: last'
).encode()
SSE_FRAMES = [
    Frame('{"t":"日本 🎉"}'.encode()),
    Frame(b'{"no":"space"}'),
    Frame(b"{}", "ping"),
    Frame(b"one\n two\n", "named"),
    Frame('{"é":1}'.encode()),
    Frame(b"[DONE]"),
    Frame(b"last"),
]
ARRAY_BODY = (
    ' [{"a":"日本 🎉","b":[1,{"c":"}],{\\"\\\\"}]}\n,\r\n[[],{}] , 12 ,"x,]\\\\",null,\t{"é": {} }\n]\n'
).encode()
ARRAY_FRAMES = [
    Frame(data.encode())
    for data in (
        '{"a":"日本 🎉","b":[1,{"c":"}],{\\"\\\\"}]}',
        "[[],{}]",
        "12",
        '"x,]\\\\"',
        "null",
        '{"é": {} }',
    )
]
LINES_BODY = '\ufeff{"a":"日本"}\r\n\n  \n{"b":"\\n🎉"}\n{"c":1}'.encode()
LINES_FRAMES = [Frame('{"a":"日本"}'.encode()), Frame(b'{"b":"\\n\xf0\x9f\x8e\x89"}'), Frame(b'{"c":1}')]
AWS_BODY = aws_body('{"t":"日本"}'.encode(), b"", b"x" * 300)
AWS_FRAMES = [Frame(payload, "chunk", AWS_HEADERS) for payload in ('{"t":"日本"}'.encode(), b"", b"x" * 300)]
EXCEPTION = {":message-type": "exception", ":exception-type": "modelStreamErrorException"}
NESTED_BODY = (
    aws_body(*cut(SSE_BODY, [5, 40, 41, 90]))
    + encode_aws_event(EXCEPTION, b'{"message":"no"}')
    + aws_body(b" event\n\n")
)
NESTED_FRAMES = [
    *SSE_FRAMES[:-1],
    Frame(b'{"message":"no"}', "modelStreamErrorException", EXCEPTION),
    Frame(b"last event"),
]
NESTED_LINES_BODY = aws_body(*cut(LINES_BODY, [3, 12, 13, 30]))

SAMPLES = [
    pytest.param("sse", SSE_BODY, SSE_FRAMES, id="sse"),
    pytest.param("sse", SSE_BODY.replace(b"\n", b"\r\n"), SSE_FRAMES, id="sse-crlf"),
    pytest.param("sse", SSE_BODY.replace(b"\n", b"\r"), SSE_FRAMES, id="sse-cr"),
    pytest.param("json_array", ARRAY_BODY, ARRAY_FRAMES, id="json_array"),
    pytest.param("json_array", b'\xef\xbb\xbf {"error": {"a": "]"}} \n', [Frame(b'{"error": {"a": "]"}}')],
                 id="json_array-object"),
    pytest.param("json_array", b"[ ]\n", [], id="json_array-empty"),
    pytest.param("jsonlines", LINES_BODY, LINES_FRAMES, id="jsonlines"),
    pytest.param("aws_eventstream", AWS_BODY, AWS_FRAMES, id="aws_eventstream"),
    pytest.param("whole", SSE_BODY, [Frame(SSE_BODY)], id="whole"),
    pytest.param("aws_eventstream+sse", NESTED_BODY, NESTED_FRAMES, id="aws-sse"),
    pytest.param("aws_eventstream+jsonlines", NESTED_LINES_BODY, LINES_FRAMES, id="aws-jsonlines"),
]  # fmt: skip


class TestCuts:
    @pytest.mark.parametrize(("framing", "body", "expected"), SAMPLES)
    def test_a_body_in_one_chunk(self, framing, body, expected):
        assert frames_of(framer_for(None, framing), body) == expected

    @pytest.mark.parametrize(("framing", "body", "expected"), SAMPLES)
    def test_a_body_byte_by_byte(self, framing, body, expected):
        assert frames_of(framer_for(None, framing), *bytewise(body)) == expected

    @pytest.mark.parametrize(("framing", "body", "expected"), SAMPLES)
    def test_a_body_cut_in_two_at_every_byte_with_an_empty_chunk_between(self, framing, body, expected):
        for at in range(len(body) + 1):
            assert frames_of(framer_for(None, framing), body[:at], b"", body[at:]) == expected, at

    @pytest.mark.parametrize("cut_short", range(0, 60, 7))
    @pytest.mark.parametrize(("framing", "body", "expected"), SAMPLES)
    def test_a_fault_comes_after_the_same_frames_however_the_body_is_cut(
        self, framing, body, expected, cut_short
    ):
        broken = body[: len(body) - cut_short] + b"\xff}]\x00"
        assert outcome(framer_for(None, framing), broken) == outcome(
            framer_for(None, framing), *bytewise(broken)
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
places = st.lists(st.integers(min_value=0, max_value=2000), max_size=12)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


def cut_anywhere(body: bytes, where: list[int]) -> list[bytes]:
    return cut(body, [place % (len(body) + 1) for place in where])


class TestProperties:
    @given(st.lists(json_values, max_size=6), places, st.sampled_from([None, 1]), st.booleans())
    def test_a_json_array_is_its_elements(self, values, where, indent, ascii_only):
        body = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        frames = frames_of(JSONArrayFramer(), *cut_anywhere(body, where))
        assert [json.loads(frame.data) for frame in frames] == values

    @given(st.lists(json_values, max_size=6), places)
    def test_json_lines_are_their_values(self, values, where):
        body = b"".join(json.dumps(value).encode() + b"\n" for value in values)
        frames = frames_of(JSONLinesFramer(), *cut_anywhere(body, where))
        assert [json.loads(frame.data) for frame in frames] == values

    @given(
        st.lists(st.tuples(st.sampled_from(["", "a", "délta"]), json_values), max_size=6),
        places,
        line_ends,
        st.sampled_from([b"", b" "]),
        st.sampled_from([b"", b": note", b"id: 1"]),
    )
    def test_events_are_what_was_sent(self, events, where, end, space, extra):
        blocks = []
        for name, value in events:
            lines = [b"event:" + space + name.encode()] if name else []
            lines += [b"data:" + space + line for line in json.dumps(value, indent=1).encode().split(b"\n")]
            blocks.append(end.join([*lines, *([extra] if extra else [])]) + end + end)
        frames = frames_of(SSEFramer(), *cut_anywhere(b"".join(blocks), where))
        assert [(frame.event or "", json.loads(frame.data)) for frame in frames] == events

    @given(st.binary(max_size=80).map(lambda raw: raw.replace(b"x", b"\n").replace(b"y", b"data: ")), places)
    def test_any_bytes_at_all_are_framed_alike_however_cut(self, body, where):
        for framing in FRAMINGS:
            assert outcome(framer_for(None, framing), body) == outcome(
                framer_for(None, framing), *cut_anywhere(body, where)
            ), framing

    @given(st.text(alphabet='de:a t\n\r"[]{},\\', max_size=60), places)
    def test_any_text_of_the_formats_own_characters_is_framed_alike_however_cut(self, text, where):
        body = text.encode()
        for framing in ("sse", "jsonlines", "json_array"):
            assert outcome(framer_for(None, framing), body) == outcome(
                framer_for(None, framing), *cut_anywhere(body, where)
            ), framing

    @given(
        st.lists(
            st.tuples(
                st.dictionaries(
                    st.text(min_size=1, max_size=20),
                    st.booleans()
                    | st.integers(-(2**63), 2**63 - 1)
                    | st.binary(max_size=30)
                    | st.text(max_size=30)
                    | st.uuids()
                    | st.datetimes(timezones=st.just(dt.UTC)).map(
                        lambda when: when.replace(microsecond=when.microsecond // 1000 * 1000)
                    ),
                    max_size=4,
                ),
                st.binary(max_size=60),
            ),
            max_size=5,
        ),
        places,
    )
    def test_aws_messages_are_what_was_encoded(self, messages, where):
        body = b"".join(encode_aws_event(headers, payload) for headers, payload in messages)
        frames = frames_of(AWSEventStreamFramer(), *cut_anywhere(body, where))
        assert [(frame.headers, frame.data) for frame in frames] == messages

    @given(st.integers(0, len(AWS_BODY) - 1))
    def test_no_flipped_bit_of_an_aws_stream_gets_through(self, at):
        frames, fault = outcome(AWSEventStreamFramer(), flipped(AWS_BODY, at))
        assert fault is not None
        assert frames == AWS_FRAMES[: len(frames)]


class TestSSE:
    def test_an_event_is_given_with_its_blank_line_not_later(self):
        framer = SSEFramer()
        assert framer.feed(b"data: 1\n") == []
        assert framer.feed(b"\n") == [Frame(b"1")]
        assert framer.feed(b"data: 2\r\n\r") == [Frame(b"2")]
        assert framer.feed(b"\ndata: 3\r\r") == [Frame(b"3")]
        assert framer.close() == []

    def test_a_line_end_of_two_bytes_that_was_cut_is_one_line_end(self):
        framer = SSEFramer()
        assert framer.feed(b"data: 1\r") == []
        assert framer.feed(b"\ndata: 2\r") == []
        assert framer.feed(b"\n\r") == [Frame(b"1\n2")]

    def test_line_ends_may_be_mixed(self):
        assert frames_of(SSEFramer(), b"data: 1\ndata: 2\r\n\ndata: 3\r\r\ndata: 4\n\r\n") == [
            Frame(b"1\n2"),
            Frame(b"3"),
            Frame(b"4"),
        ]

    def test_only_one_space_is_taken_off(self):
        assert frames_of(SSEFramer(), b"data:   x \n\n") == [Frame(b"  x ")]

    def test_a_payload_that_looks_like_a_field_stays_whole(self):
        assert frames_of(SSEFramer(), b"data: data: x\n\ndata: event: y\n\n") == [
            Frame(b"data: x"),
            Frame(b"event: y"),
        ]

    def test_named_and_unnamed_events_in_one_body(self):
        body = (
            b"event: a\ndata: 1\n\nevent: \ndata: 2\n\nevent: c\ndata: 3\ndata: 4\n\nevent: d\n\ndata: 5\n\n"
        )
        assert frames_of(SSEFramer(), body) == [
            Frame(b"1", "a"),
            Frame(b"2"),
            Frame(b"3\n4", "c"),
            Frame(b"5"),
        ]

    def test_the_name_may_stand_after_the_data(self):
        assert frames_of(SSEFramer(), b"data: 1\nevent: late\n\n") == [Frame(b"1", "late")]

    def test_an_event_with_empty_data_is_a_keep_alive_whatever_its_name(self):
        body = b"event: ping\ndata:\n\nevent: b\n\ndata:\n\nevent: a\ndata: 1\n\nevent: a\ndata: \n\n"
        assert frames_of(SSEFramer(), body) == [Frame(b"1", "a")]
        assert frames_of(SSEFramer(), b"event: error\ndata:\n\n") == [Frame(b"", "error")]
        assert frames_of(SSEFramer(), b"event: error\n\n") == [Frame(b"", "error")]

    @pytest.mark.parametrize(("framer", "end"), [(SSEFramer, b"\n\n"), (JSONLinesFramer, b"\n")])
    def test_a_body_that_ends_without_the_end_of_its_last_frame_is_open(self, framer, end):
        for body, is_open in ((b"data: 1" + end, False), (b"data: 1" + end + b"data: {", True), (b"", False)):
            reader = framer()
            frames_of(reader, body)
            assert reader.is_open is is_open

    @pytest.mark.parametrize("step", [1, 3, 1000])
    @pytest.mark.parametrize(
        ("block", "frames"),
        [
            (b'error: {"code": 400}', [Frame(b'{"code": 400}', "error")]),
            (b"Error:too long", [Frame(b"too long", "error")]),
            (b'data: 1\nerror: {"code": 400}', [Frame(b"1"), Frame(b'{"code": 400}', "error")]),
            (b'{"error": {"code": 400}}', [Frame(b'{"error": {"code": 400}}')]),
            (b'{\n "error": {\n  "data": ":x"\n }\n}', [Frame(b'{\n"error": {\n"data": ":x"\n}\n}')]),
            (b'[{"error": "x"}]', [Frame(b'[{"error": "x"}]')]),
            (b'data: 1\n{"error": "x"}\ndata: 2', [Frame(b"1\n2"), Frame(b'{"error": "x"}')]),
            (b'{"a": 1}\n{"a": 2}', [Frame(b'{"a": 1}'), Frame(b'{"a": 2}')]),
            (b'{"a": 1}\n: comment\nid: 3\nretry: 1', [Frame(b'{"a": 1}')]),
            (b"[DONE]", [Frame(b"[DONE]")]),
            (b"<html><title>502</title>", [Frame(b"<html><title>502</title>")]),
        ],
    )
    def test_errors_and_json_without_a_field_are_events(self, block, frames, step):
        body = b"data: 0\n\n" + block + b"\n\ndata: 9\n\n"
        pieces = [body[i : i + step] for i in range(0, len(body), step)]
        assert frames_of(SSEFramer(), *pieces) == [Frame(b"0"), *frames, Frame(b"9")]
        assert frames_of(SSEFramer(), block) == frames

    @pytest.mark.parametrize(
        ("body", "stray"),
        [
            (b"upstream connect error: reset", b"upstream connect error: reset\n"),
            (b"data: 1\n\nInternal Server Error\n\n", b"Internal Server Error\n"),
            (b"data: 1\nno more\n\n", b"no more\n"),
            (b"sorry\n\ndata: 1\n\n", b""),
            (b"sorry\n\ndata: 1\n: x\n\n", b""),
            (b"sorry\n\n: ping\n\nid: 3\nretry: 1\nfoo: bar\n\n", b"sorry\n"),
            (b"x y\n" * 1000, b"x y\n" * 125),
        ],
    )
    def test_text_that_is_no_part_of_an_event_is_kept_aside(self, body, stray):
        for chunks in ([body], list(bytewise(body))):
            framer = SSEFramer()
            for chunk in chunks:
                framer.feed(chunk)
            framer.close()
            assert framer.stray == stray

    def test_unknown_fields_and_a_field_name_cut_short_are_ignored(self):
        assert frames_of(SSEFramer(), b"dat: 1\nDATA: 2\ndata-x: 3\n\ndat") == []

    def test_only_the_first_mark_is_a_byte_order_mark(self):
        body = "\ufeffdata: 1\n\n\ufeffdata: 2\n\ndata: 3\n\n".encode()
        assert frames_of(SSEFramer(), body) == [Frame(b"1"), Frame(b"3")]

    def test_names_that_are_not_utf8_do_not_stop_the_stream(self):
        assert frames_of(SSEFramer(), b"event: \xff\ndata: 1\n\n") == [Frame(b"1", "\ufffd")]

    def test_many_names_are_all_read(self):
        body = b"".join(b"event: n%d\ndata: x\n\n" % i for i in range(500))
        assert [frame.event for frame in frames_of(SSEFramer(), body)] == [f"n{i}" for i in range(500)]

    def test_a_huge_event_in_small_pieces_takes_linear_time(self):
        payload = b"x" * 4_000_000
        body = b"data: " + payload + b"\n\n"
        chunks = [body[i : i + 100] for i in range(0, len(body), 100)]
        assert frames_of(SSEFramer(), *chunks) == [Frame(payload)]


class TestJSONArray:
    def test_an_element_is_given_with_its_bracket_not_later(self):
        framer = JSONArrayFramer()
        assert framer.feed(b'[{"a":[{}') == []
        assert framer.feed(b"]}") == [Frame(b'{"a":[{}]}')]
        assert framer.feed(b", 5") == []
        assert framer.feed(b"6\n") == []
        assert framer.feed(b",") == [Frame(b"56")]

    @pytest.mark.parametrize(
        ("body", "frames", "offset"),
        [
            (b"", 0, 0),
            (b"  ", 0, 2),
            (b"<html>", 0, 0),
            (b"nope", 0, 0),
            (b"[1 2", 0, 4),
            (b"[,1]", 0, 1),
            (b"[1,]", 1, 3),
            (b"[1,,2]", 1, 3),
            (b"[1}", 1, 2),
            (b"[{} {}]", 1, 4),
            (b"[] x", 0, 3),
            (b"[1][2]", 1, 3),
            (b'{"a":1}{"b":2}', 1, 7),
            (b'[{"a":1},', 1, 9),
            (b'[{"a":1}', 1, 8),
            (b'[{"a":"x', 0, 8),
            (b'{"error": "cut', 0, 14),
        ],
    )
    def test_a_fault_says_where(self, body, frames, offset):
        framer = JSONArrayFramer()
        given_frames = []
        with pytest.raises(FramingError) as caught:
            given_frames += framer.feed(body)
            given_frames += framer.close()
        assert (len(given_frames), caught.value.offset) == (frames, offset)
        assert caught.value.framing == "json_array"

    def test_a_huge_string_full_of_escapes_in_small_pieces_takes_linear_time(self):
        element = b'{"a":"' + b'\\"}\\\\' * 300_000 + b'"}'
        body = b"[" + element + b",1]"
        chunks = [body[i : i + 100] for i in range(0, len(body), 100)]
        assert frames_of(JSONArrayFramer(), *chunks) == [Frame(element), Frame(b"1")]
        assert frames_of(JSONArrayFramer(), body) == [Frame(element), Frame(b"1")]

    def test_a_string_that_never_ends_takes_linear_time(self):
        _, fault = outcome(JSONArrayFramer(), b'["' + b'ab\\"' * 300_000)
        assert fault is not None

    def test_deep_nesting_takes_no_recursion(self):
        element = b"[" * 50_000 + b"]" * 50_000
        assert frames_of(JSONArrayFramer(), b"[" + element + b"]") == [Frame(element)]


class TestAWSEventStream:
    def test_every_header_type_is_read(self):
        when = dt.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=dt.UTC)
        identity = uuid.UUID(int=7)
        headers = {
            ":event-type": "é", "t": True, "f": False, "i8": -128, "i16": 128, "i32": -40_000, "i64": 2**40,
            "raw": b"\x00\xff", "when": when, "id": identity,
        }  # fmt: skip
        (frame,) = frames_of(AWSEventStreamFramer(), encode_aws_event(headers, b"p"))
        assert (frame.event, frame.headers, frame.data) == ("é", headers, b"p")

    @pytest.mark.parametrize(
        ("headers", "event"),
        [
            ({":event-type": "chunk"}, "chunk"),
            ({":message-type": "exception", ":exception-type": "throttlingException"}, "throttlingException"),
            ({":message-type": "error", ":error-code": "500", ":error-message": "no"}, "500"),
            ({}, None),
        ],
    )
    def test_the_event_is_the_messages_own_name(self, headers, event):
        (frame,) = frames_of(AWSEventStreamFramer(), encode_aws_event(headers))
        assert frame.event == event

    @pytest.mark.parametrize(
        ("at", "part"), [(0, "prelude"), (9, "prelude"), (20, "message"), (-1, "message")]
    )
    def test_a_checksum_that_does_not_fit_is_a_fault_after_the_good_frames(self, at, part):
        good, second = aws_body(b"1"), aws_body(b"2")
        framer = AWSEventStreamFramer()
        assert framer.feed(good + flipped(second, at % len(second))) == [Frame(b"1", "chunk", AWS_HEADERS)]
        for call in (lambda: framer.feed(b""), framer.close):
            with pytest.raises(FramingError, match=part) as caught:
                call()
            assert caught.value.offset == len(good)

    def test_a_wrong_prelude_is_a_fault_before_its_length_is_waited_for(self):
        with pytest.raises(FramingError, match="prelude"):
            AWSEventStreamFramer().feed(b"<html><body>")

    def test_a_body_that_ends_inside_a_message_is_a_fault(self):
        framer = AWSEventStreamFramer()
        framer.feed(AWS_BODY[:-1])
        with pytest.raises(FramingError, match="ended"):
            framer.close()

    @pytest.mark.parametrize(
        "block",
        [
            b"\x05ab",  # a name longer than the headers
            b"\x01a",  # no type
            b"\x01a\x0a",  # a type that does not exist
            b"\x01a\x07\x00\x09ab",  # a value longer than the headers
            b"\x01a\x05\x00",  # an integer cut short
            b"\x01a\x09\x00",  # an identity cut short
            b"\x01a\x07\x00\x01\xff",  # a string that is not UTF-8
            b"\x01a\x08\x7f\xff\xff\xff\xff\xff\xff\xff",  # a time that no calendar has
            b"\x01a\x00\x01a\x00",  # a name that stands twice
        ],
    )
    def test_headers_that_cannot_be_read_are_a_fault(self, block):
        prelude = struct.pack(">II", 16 + len(block), len(block))
        message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block
        with pytest.raises(FramingError, match="header"):
            AWSEventStreamFramer().feed(message + struct.pack(">I", zlib.crc32(message)))

    def test_a_message_shorter_than_its_headers_is_a_fault(self):
        prelude = struct.pack(">II", 16, 1)
        with pytest.raises(FramingError, match="claims 1 bytes"):
            AWSEventStreamFramer().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))

    def test_headers_that_a_reader_changes_are_its_own(self):
        first, second = AWSEventStreamFramer().feed(aws_body(b"", b""))
        first.headers["x"] = "y"
        assert second.headers == AWS_HEADERS

    def test_a_frame_can_be_pickled(self):
        (frame,) = AWSEventStreamFramer().feed(aws_body(b"1"))
        assert pickle.loads(pickle.dumps(frame)) == frame

    def test_headers_that_never_repeat_are_all_read(self):
        body = b"".join(encode_aws_event({":event-type": f"e{i}"}) for i in range(300))
        assert [frame.event for frame in frames_of(AWSEventStreamFramer(), body)] == [
            f"e{i}" for i in range(300)
        ]

    def test_a_message_of_megabytes(self):
        payload = os.urandom(3_000_000)
        body = aws_body(payload)
        chunks = [body[i : i + 500] for i in range(0, len(body), 500)]
        assert frames_of(AWSEventStreamFramer(), *chunks) == [Frame(payload, "chunk", AWS_HEADERS)]

    def test_the_encoder_refuses_what_it_cannot_say(self):
        with pytest.raises(TypeError, match="no header type"):
            encode_aws_event({"a": None})
        with pytest.raises(struct.error):
            encode_aws_event({"a": "x" * 70_000})
        with pytest.raises(struct.error):
            encode_aws_event({"a": 2**63})


class TestWholeAndNested:
    def test_an_empty_body_is_one_empty_frame(self):
        assert frames_of(WholeFramer()) == [Frame(b"")]

    def test_any_two_framers_nest(self):
        framer = NestedFramer(
            JSONLinesFramer(), JSONArrayFramer, lambda frame: json.loads(frame.data).encode()
        )
        assert frames_of(framer, b'"[1,"\n"2"\n', b'"3]"') == [Frame(b"1"), Frame(b"23")]

    def test_a_fault_of_the_inner_framing_comes_after_the_good_frames(self):
        framer = NestedFramer(AWSEventStreamFramer(), JSONArrayFramer, event_payload)
        assert framer.feed(aws_body(b"[1,", b"2,]")) == [Frame(b"1"), Frame(b"2")]
        with pytest.raises(FramingError, match="json_array"):
            framer.close()

    def test_a_fault_of_the_outer_framing_comes_after_the_good_frames(self):
        framer = framer_for("application/vnd.amazon.eventstream", "aws_eventstream+jsonlines")
        assert framer.feed(aws_body(b"1\n2") + b"x" * 12) == [Frame(b"1")]
        with pytest.raises(FramingError, match="aws_eventstream"):
            framer.close()

    def test_an_inner_body_cut_short_is_a_fault(self):
        framer = NestedFramer(AWSEventStreamFramer(), JSONArrayFramer, event_payload)
        framer.feed(aws_body(b"[1"))
        with pytest.raises(FramingError, match="ended inside an element"):
            framer.close()


SSE, LINES, AWS = "text/event-stream", "application/x-ndjson", "application/vnd.amazon.eventstream"


class TestChoice:
    @pytest.mark.parametrize(
        ("content_type", "hint", "expected"),
        [
            (LINES, None, JSONLinesFramer),
            ("application/jsonl", "jsonlines", JSONLinesFramer),
            ("application/jsonlines", None, JSONLinesFramer),
            ("application/stream+json", None, JSONLinesFramer),
            ("application/json", None, WholeFramer),
            ("application/json", "jsonlines", WholeFramer),
            ("application/json; charset=UTF-8", "json_array", JSONArrayFramer),
            ("application/problem+json", "json_array", WholeFramer),
            ("text/html", "jsonlines", WholeFramer),
            (None, None, WholeFramer),
            ("text/plain; charset=utf-8", "jsonlines", JSONLinesFramer),
            ("application/octet-stream", "whole", WholeFramer),
            ("text/plain", None, WholeFramer),
        ],
    )
    def test_the_content_type_decides_and_the_hint_fills_in(self, content_type, hint, expected):
        framer = framer_for(content_type, hint)
        assert type(framer) is expected
        assert isinstance(framer, Framer)

    @pytest.mark.parametrize(
        ("content_type", "hint", "by_beginning"),
        [
            (SSE, None, {"d": SSEFramer, "{": SSEFramer, "<": WholeFramer, "0": AWSEventStreamFramer}),
            ("Text/Event-Stream;charset=utf-8", "sse", {"d": SSEFramer, "[": SSEFramer, "<": WholeFramer}),
            (SSE, "jsonlines", {"d": SSEFramer, "{": JSONLinesFramer, "<": WholeFramer}),
            (SSE, "json_array", {"d": SSEFramer, "[": JSONArrayFramer, "<": WholeFramer}),
            (SSE, "aws_eventstream+sse", {"d": SSEFramer, "{": SSEFramer, "0": NestedFramer}),
            (AWS, None, {"0": AWSEventStreamFramer, "d": SSEFramer, "{": WholeFramer, "<": WholeFramer}),
            (AWS, "sse", {"0": AWSEventStreamFramer, "d": SSEFramer, "{": WholeFramer, "<": WholeFramer}),
            (AWS, "aws_eventstream+sse", {"0": NestedFramer, "d": SSEFramer, "{": WholeFramer}),
            (AWS, "aws_eventstream+jsonlines", {"0": NestedFramer, "{": JSONLinesFramer}),
            ("application/json", "sse", {"d": SSEFramer, "{": WholeFramer, "<": WholeFramer}),
            ("application/json", "aws_eventstream", {"0": AWSEventStreamFramer, "{": WholeFramer}),
            ("application/json", "aws_eventstream+sse", {"0": NestedFramer, "{": WholeFramer, "d": SSEFramer}),
            (None, "sse", {"d": SSEFramer, "{": WholeFramer, "<": WholeFramer}),
            ("text/html; charset=utf-8", "sse", {"d": SSEFramer, ":": SSEFramer, "{": WholeFramer, "<": WholeFramer}),
            ("text/json", "sse", {"d": SSEFramer, "{": WholeFramer}),
            ("application/problem+json", "sse", {"e": SSEFramer, "{": WholeFramer}),
            (LINES, "sse", {"d": SSEFramer, "{": JSONLinesFramer, "[": JSONLinesFramer}),
            (None, "aws_eventstream+sse", {"0": NestedFramer, "d": SSEFramer, "{": WholeFramer}),
        ],
    )  # fmt: skip
    def test_the_first_byte_decides_between_what_gateways_label_wrongly(
        self, content_type, hint, by_beginning
    ):
        beginnings = {
            "0": b"\0\0\0\x10",
            "d": b"data: x",
            ":": b": x",
            "e": b"event: x",
            "{": b'{"a"',
            "[": b"[1",
            "<": b"<!doctype",
        }
        for beginning, expected in by_beginning.items():
            framer = framer_for(content_type, hint)
            assert isinstance(framer, Framer)
            with contextlib.suppress(FramingError):
                framer.feed(b"" if beginning == "0" else b" \r\n")
                framer.feed(beginnings[beginning])
            assert type(framer.inner) is expected, beginning

    def test_what_a_body_should_have_been_called_is_found(self):
        cases = [
            ("application/json", "sse", b"data: 1\n\n", SSE),
            ("text/plain", "sse", b'{"a": 1}', "application/json"),
            (SSE, "sse", b"<html>", "text/html"),
            (SSE, "sse", b'{"a": 1}', None),  # it may be the first line of a stream
            (AWS, "sse", b"data: 1\n\n", SSE),
        ]
        for content_type, hint, body, found in cases:
            framer = framer_for(content_type, hint)
            framer.feed(body)
            assert framer.found == found, (content_type, body)

    def test_an_empty_body_is_an_empty_answer_only_where_no_stream_was_announced(self):
        assert framer_for(SSE, "sse").close() == framer_for(AWS, "sse").close() == []
        assert framer_for("application/json", "sse").close() == [Frame(b"")]

    def test_an_unknown_hint_is_answered_with_the_closest_one(self):
        with pytest.raises(ValueError, match="'json_lines'; did you mean 'jsonlines'"):
            framer_for("application/json", "json_lines")
        with pytest.raises(ValueError, match="'grpc'; known: aws_eventstream, "):
            framer_for(None, "grpc")

    def test_a_fault_can_be_pickled(self):
        fault = FramingError("no", 3, "sse")
        assert str(pickle.loads(pickle.dumps(fault))) == str(fault) == "sse: no (at byte 3)"


KINDS = {
    "sse": "sse",
    "eventstream": "aws_eventstream",
    "ndjson": "jsonlines",
    "json_array_stream": "json_array",
}


@pytest.fixture(scope="module")
def recorded():
    lines = []
    for path in sorted(folder().glob("*.jsonl")):
        with path.open("rb") as file:  # not splitlines(): texts hold line separators of other alphabets
            lines += [line for raw in file if (line := json.loads(raw))["response"]["body_kind"] in KINDS]
    return lines


def body_bytes(line) -> bytes:
    kind, body = line["response"]["body_kind"], line["response"]["body"]
    if kind == "eventstream":
        return base64.b64decode(body, validate=True)
    if kind == "json_array_stream":
        return json.dumps(body, indent=2, ensure_ascii=False).encode()
    return body.encode()


class TestRecordedTraffic:
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_body_is_framed_the_same_however_it_is_cut(self, recorded, kind):
        seen, frames_seen = 0, 0
        for line in recorded:
            if line["response"]["body_kind"] != kind:
                continue
            body = body_bytes(line)
            expected = frames_of(framer_for(None, KINDS[kind]), body)
            assert expected, line["id"]
            places = random.Random(line["id"]).sample(range(len(body)), min(50, len(body)))
            assert frames_of(framer_for(None, KINDS[kind]), *cut(body, places)) == expected, line["id"]
            if len(body) < 4000:
                assert frames_of(framer_for(None, KINDS[kind]), *bytewise(body)) == expected, line["id"]
            seen += 1
            frames_seen += len(expected)
        assert seen > 0
        assert frames_seen > seen

    def test_every_event_is_json_or_the_end_marker(self, recorded):
        counts = Counter()
        for line in recorded:
            if line["response"]["body_kind"] != "sse":
                continue
            broken = 0
            for frame in frames_of(SSEFramer(), body_bytes(line)):
                counts["frames"] += 1
                if frame.data != b"[DONE]":
                    try:
                        json.loads(frame.data)
                    except ValueError:
                        broken += 1
            assert (broken > 0) == ("non_json_event" in line["tags"]), line["id"]
            counts["bodies"] += 1
        assert counts["bodies"] > 0
        assert counts["frames"] > counts["bodies"]

    def test_the_events_are_those_that_a_line_by_line_reader_finds(self, recorded):
        checked = 0
        for line in recorded:
            if line["response"]["body_kind"] == "sse":
                body = body_bytes(line)
                assert frames_of(SSEFramer(), body) == list(line_by_line(body)), line["id"]
                checked += 1
        assert checked > 0

    def test_the_array_elements_are_those_of_the_parsed_array(self, recorded):
        checked = 0
        for line in recorded:
            if line["response"]["body_kind"] == "json_array_stream":
                frames = frames_of(JSONArrayFramer(), body_bytes(line))
                assert [json.loads(frame.data) for frame in frames] == line["response"]["body"], line["id"]
                checked += 1
        assert checked > 0

    def test_sagemaker_streams_hold_streams(self, recorded):
        nested = 0
        for line in recorded:
            inner = {
                name.lower(): value for name, value in (line["response"].get("headers") or {}).items()
            }.get("x-amzn-sagemaker-content-type", "")
            if line["response"]["body_kind"] == "eventstream" and inner.startswith("text/event-stream"):
                framer = framer_for("application/vnd.amazon.eventstream", "aws_eventstream+sse")
                assert frames_of(framer, body_bytes(line)), line["id"]
                nested += 1
        assert nested > 0


def line_by_line(body: bytes):
    """The plain reading of the standard, as an independent opinion."""
    name, data = "", []
    for line in [*body.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if not line:
            if data and (name or data != [""]):
                yield Frame("\n".join(data).encode(), name or None)
            name, data = "", []
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value


@pytest.mark.parametrize("named", [False, True])
@settings(deadline=None)
@given(st.data())
def test_long_streams_in_network_sized_chunks(named, data):
    count = data.draw(st.integers(1, 400))
    head = b"event: delta\n" if named else b""
    odd = data.draw(st.integers(0, count))  # one event that does not have the shape of all others
    payloads = [b'{"i":%d,"t":"\xe6\x97\xa5"}' % i for i in range(count)]
    body = b"".join(
        (b": ping\n\ndata:" if i == odd else head + b"data: ") + payload + b"\n\n"
        for i, payload in enumerate(payloads)
    )
    size = data.draw(st.integers(1, 3000))
    frames = frames_of(SSEFramer(), *[body[i : i + size] for i in range(0, len(body), size)])
    assert [frame.data for frame in frames] == payloads
    assert [frame.event for frame in frames] == [
        "delta" if named and i != odd else None for i in range(count)
    ]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
def test_an_event_stream_under_a_type_that_does_not_tell_is_read_by_its_first_byte(
    content_type: str | None,
) -> None:
    from jackfield.http import framer_for

    def read(body: bytes, size: int) -> list[bytes]:
        framer = framer_for(content_type, "sse")
        frames = [f for i in range(0, len(body), size) for f in framer.feed(body[i : i + size])]
        return [frame.data for frame in frames + framer.close()]

    for size in (1, 7, 1000):
        assert read(b'\ndata: {"a":1}\n\ndata: [DONE]\n\n', size) == [b'{"a":1}', b"[DONE]"]
        assert read(b' {"error": "data: no"}', size) == [b' {"error": "data: no"}']
    assert read(b"", 1) == [b""]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "text", [b'{\n  "error": {\n    "message": "no"\n  }\n}\n', b'\r\n{\r\n "a": 1\r\n}', b"[\n 1,\n 2\n]"]
)
def test_a_value_over_several_lines_is_one_frame(text, size):
    framer = JSONLinesFramer()
    frames = [frame for at in range(0, len(text), size) for frame in framer.feed(text[at : at + size])]
    frames += framer.close()
    assert [json.loads(frame.data) for frame in frames] == [json.loads(text)]
