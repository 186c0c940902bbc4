"""Answers that are not as documented: of gateways, of compatible services, of other versions."""

import json

import pytest

import jackfield_anthropic
from jackfield import CitationDelta, MalformedResponseError, StreamInterruptedError
from jackfield.plugin import CostContext, FailureInStream, Frame, Wire
from jackfield.testing import cost_of, reply_of
from jackfield_anthropic import ANTHROPIC, decoder

USED = {"input_tokens": 43, "output_tokens": 1}
START = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
         "content": [], "usage": USED}}  # fmt: skip
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
PIECE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "all of it"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
STOP = {"type": "message_stop"}


def frames(*events):
    return [e if isinstance(e, Frame) else Frame(json.dumps(e).encode(), e.get("type")) for e in events]


def decoded(*events, stream=True):
    decode = decoder(ANTHROPIC, Wire("/", {}, stream=stream, meta={"api": "messages"}))
    found = []
    for frame in frames(*events):
        found += decode.feed(frame)
    return decode, found + decode.finish()


def whole(stop="end_turn", *content, usage=USED):
    body = {**START["message"], "content": list(content), "stop_reason": stop, "usage": usage}
    return reply_of(decoded(Frame(json.dumps(body).encode()), stream=False)[1])


HEARTBEATS = [
    Frame(b"", "ping"), Frame(b"ping", "ping"), Frame(b"{}", "heartbeat"), Frame(b"null", "keepalive"), Frame(b"null"),
    Frame(b"<3", "event_of_a_gateway"), Frame(b"{}", "ping"),
]  # fmt: skip


@pytest.mark.parametrize("beat", HEARTBEATS)
@pytest.mark.parametrize("place", range(6))
def test_a_heartbeat_changes_nothing(beat, place):
    events = [START, BLOCK, PIECE, END, STOP]
    events.insert(place, beat)
    assert decoded(*events)[1] == decoded(START, BLOCK, PIECE, END, STOP)[1]


@pytest.mark.parametrize(
    "last",
    [
        (STOP,),
        (Frame(b"[DONE]"),),
        (Frame(b"  [DONE] "),),
        (Frame(b"\xef\xbb\xbf[DONE]"),),
        (STOP, Frame(b"[DONE]")),
        (STOP, Frame(b"{garbage")),
    ],
)
def test_after_the_end_marker_nothing_matters(last):
    decode, events = decoded(START, BLOCK, PIECE, END, *last)
    assert decode.ended
    assert decode.is_whole
    assert reply_of(events).choices[0].text == "all of it"


def test_the_name_of_an_event_is_its_type_where_it_has_none():
    events = [START, BLOCK, PIECE, END, STOP]
    nameless = [Frame(json.dumps({**event, "type": None}).encode(), event["type"]) for event in events]
    ping = Frame(b'{"type": null}', "ping")
    assert decoded(ping, *nameless)[1] == decoded(*events)[1]


def test_an_event_of_nulls_alone_says_nothing():
    events = [START, BLOCK, PIECE, END, STOP]
    empty = Frame(b'{"type": null, "x": null}')
    assert decoded(empty, *events)[1] == decoded(*events)[1]
    with pytest.raises(MalformedResponseError, match="not a message"):
        decoded(empty, stream=False)


def test_done_without_a_stop_reason_is_an_interruption_though_the_stream_has_ended():
    decode = decoder(ANTHROPIC, Wire("/", {}, stream=True, meta={"api": "messages"}))
    for frame in frames(START, BLOCK, PIECE, Frame(b"[DONE]")):
        decode.feed(frame)
    assert decode.ended
    with pytest.raises(StreamInterruptedError):
        decode.finish()


def test_a_stop_reason_makes_the_answer_whole_and_does_not_end_it():
    decode = decoder(ANTHROPIC, Wire("/", {}, stream=True, meta={"api": "messages"}))
    for frame in frames(START, BLOCK, PIECE):
        decode.feed(frame)
    assert not decode.is_whole
    decode.feed(frames(END)[0])
    assert decode.is_whole
    assert not decode.ended


def test_what_strict_parsers_refuse_is_read():
    text = json.dumps(PIECE).encode()
    odd = Frame(b"\xef\xbb\xbf" + text.replace(b"all of it", b"\xff\\ud83d\x01"), "content_block_delta")
    (delta,) = decoded(START, BLOCK, odd, END, STOP)[1][2:3]
    assert delta.text.startswith("\ufffd")


def test_an_error_by_its_events_name_is_raised_whatever_its_data():
    for data in (
        b'{"message": "over"}',
        b"over",
        b'{"error": {"type": "overloaded_error", "message": "over"}}',
    ):
        with pytest.raises(FailureInStream) as caught:
            decoded(START, BLOCK, PIECE, Frame(data, "error"))
        assert "over" in str(jackfield_anthropic.error(caught.value.failure))


NUMBER = 2**70


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"a": NUMBER}, {"a": NUMBER}),
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        (None, {}),
        ("", {}),
        ("null", {}),
        ({}, {}),
    ],
)
def test_arguments_in_odd_forms_are_read(given, wanted):
    call = (
        whole("tool_use", {"type": "tool_use", "id": "t1", "name": "add", "input": given})
        .choices[0]
        .message.tool_calls[0]
    )
    assert (dict(call.arguments), call.arguments_raw) == (wanted, None)
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t1", "name": "add", "input": given},
    }
    reply = reply_of(decoded(START, start, END, STOP)[1])
    assert dict(reply.choices[0].message.tool_calls[0].arguments) == wanted


def test_numbers_beyond_64_bits_in_pieces_are_exact():
    start = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t1", "name": "add", "input": {}},
    }
    pieces = [{"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
              for text in ('{"a": 11805916', f'{str(NUMBER)[8:]}}}')]  # fmt: skip
    (call,) = reply_of(decoded(START, start, *pieces, END, STOP)[1]).choices[0].message.tool_calls
    assert call.arguments == {"a": NUMBER}


def test_a_turn_that_holds_a_call_says_so_whatever_its_stop_reason():
    call = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
    for stop, wanted in (
        ("end_turn", "tool_calls"),
        (None, "tool_calls"),
        ("max_tokens", "length"),
        ("refusal", "refusal"),
        ("pause_turn", "pause"),
    ):
        assert whole(stop, call).choices[0].finish_reason == wanted
    assert whole("end_turn", {**call, "caller": {"type": "direct"}}).choices[0].finish_reason == "tool_calls"
    by_code = {**call, "caller": {"type": "code_execution_20250825", "tool_id": "s"}}
    assert whole("end_turn", by_code).choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("usage", "wanted"),
    [
        ({"input_tokens": "43", "output_tokens": 5.0, "cache_read_input_tokens": "7"}, (50, 5, 7, None)),
        ({"input_tokens": 43, "output_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 20}}, (63, 5, None, 20)),
        ({"input_tokens": 43, "output_tokens": 5, "cache_read_input_tokens": [7]}, (None, 5, None, None)),
        ({"input_tokens": [1], "output_tokens": -5}, (None, None, None, None)),
        ({"input_tokens": 43, "output_tokens": 5, "cache_creation": 7, "server_tool_use": [], "output_tokens_details": 3}, (43, 5, None, None)),
        ("many", (None, None, None, None)),
    ],
)  # fmt: skip
def test_counts_that_are_not_whole_numbers_cost_no_answer(usage, wanted):
    reply = whole("end_turn", {"type": "text", "text": "a"}, usage=usage)
    used = reply.usage
    assert (
        used.input_tokens,
        used.output_tokens,
        used.cached_input_tokens,
        used.cache_write_tokens,
    ) == wanted
    assert reply.choices[0].text == "a"


def test_a_tool_of_the_service_that_has_no_price_makes_the_cost_partial():
    used = whole(usage={**USED, "server_tool_use": {"web_search_requests": "2", "oracle_requests": 3}}).usage
    assert {name: int(n) for name, n in used.units.items()} == {"web_search_request": 2, "oracle_request": 3}
    cost = cost_of(jackfield_anthropic, "claude-sonnet-4-6", used, CostContext(when=1.79e9))
    assert (cost.status, cost.missing) == ("partial", ("oracle_request",))


def test_a_thought_without_text_or_with_nothing_but_a_signature_is_kept():
    parts = (
        whole(
            "end_turn",
            {"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
        )
        .choices[0]
        .message.parts
    )
    assert [(part.text, dict(part.data)) for part in parts] == [("", {"signature": "s"}), ("", {"data": "d"})]


def test_a_citation_is_not_lost_for_a_field_of_another_type():
    events = decoded(Frame(json.dumps({**START["message"], "content": [
        {"type": "text", "text": "a", "citations": [{"type": "char_location", "cited_text": "b", "document_index": 0}]}],
        "stop_reason": "end_turn"}).encode()), stream=False)[1]  # fmt: skip
    assert [event.citation.text for event in events if isinstance(event, CitationDelta)] == ["b"]
