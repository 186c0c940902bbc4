"""Answers that are not as documented: of gateways in front of the service, and of its own models."""

import base64
import json

import pytest
from bedrock_samples import BEGUN, CHAT_STREAM, EVENT_STREAM, SKY, delta, ended, stop, stream, whole

import jackfield_bedrock
from jackfield import RawEvent, StreamInterruptedError
from jackfield.http import framer_for
from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield.testing import encode_aws_event, reply_of

NUMBER = 2**70


def decoder(*, streamed=True, family="converse", **meta):
    return jackfield_bedrock.jackfield_decoder(
        Wire("/", {}, stream=streamed, meta={"family": family, **meta})
    )


def decoded(data, *, family="converse", **meta):
    """Decode a stream; returns the decoder and its events."""
    decode = decoder(family=family, **meta)
    events = list(decode.start(Head(200, Headers({"content-type": EVENT_STREAM}))))
    for frame in framer_for(EVENT_STREAM, "aws_eventstream").feed(data):
        events += decode.feed(frame)
    return decode, events + decode.finish()


def answered(content, reason="end_turn", **more):
    decode = decoder(streamed=False)
    return reply_of([*decode.feed(Frame(whole(content, reason, **more))), *decode.finish()])


def event(name, data):
    return encode_aws_event({":event-type": name, ":message-type": "event"}, data)


def begin(index, name, **more):
    return "contentBlockStart", {
        "contentBlockIndex": index,
        "start": {"toolUse": {"toolUseId": name, "name": "add", **more}},
    }


def test_an_answer_ends_with_its_metadata_and_is_whole_from_its_stop_reason_on():
    decode = decoder()
    frames = framer_for(EVENT_STREAM, "aws_eventstream").feed(
        stream(BEGUN, delta(0, text="a"), stop(0), *ended("end_turn"))
    )
    for frame in frames[:-2]:
        decode.feed(frame)
    assert (decode.is_whole, decode.ended) == (False, False)
    decode.feed(frames[-2])
    assert (decode.is_whole, decode.ended) == (True, False)
    decode.feed(frames[-1])
    assert (decode.is_whole, decode.ended) == (True, True)
    assert decode.feed(Frame(b"garbage", "contentBlockDelta")) == []


@pytest.mark.parametrize(
    "beat",
    [
        ("ping", b""),
        ("ping", b"ping"),
        ("keepalive", b"{}"),
        ("heartbeat", b"null"),
        ("contentBlockDelta", b"null"),
    ],
)
def test_a_heartbeat_changes_nothing(beat):
    body = event(*beat)
    assert decoded(body + CHAT_STREAM)[1] == decoded(CHAT_STREAM)[1]


def test_an_index_of_null_is_the_first_block():
    name, begun = begin(0, "t1")
    events = [BEGUN, (name, begun), delta(0, toolUse={"input": '{"a": 1}'}), stop(0), *ended("tool_use")]
    nulled = [
        (kind, {**data, "contentBlockIndex": None} if "contentBlockIndex" in data else data)
        for kind, data in events
    ]
    assert decoded(stream(*nulled))[1] == decoded(stream(*events))[1]


@pytest.mark.parametrize("name", ["contentBlockStop", "contentBlockStart", "messageStart", "metadata"])
def test_a_nameless_event_of_null_says_nothing(name):
    decode = decoder()
    events = []
    for kind, value in [(name, None), BEGUN, delta(0, text="a"), stop(0), *ended("end_turn")]:
        events += decode.feed(Frame(json.dumps({kind: value}).encode()))
    events += decode.finish()
    assert reply_of(events).choices[0].text == "a"
    assert events[0] == RawEvent(name, {name: None})


def test_what_strict_parsers_refuse_is_read():
    odd = event(
        "contentBlockDelta",
        b'\xef\xbb\xbf{"contentBlockIndex": 0, "x": NaN, "delta": {"text": "a\xff\\ud83d"}}',
    )
    rest = event("contentBlockDelta", b'{"contentBlockIndex": 0, "delta": {"text": "\\ude00"}}')
    events = decoded(stream(BEGUN) + odd + rest + stream(stop(0), *ended("end_turn")))[1]
    assert reply_of(events).choices[0].text == "a\ufffd\U0001f600"


def test_another_beginning_is_an_interruption_once_the_first_has_content():
    again = stream(BEGUN, delta(0, text="the whole"), stop(0), *ended("end_turn"))
    with pytest.raises(StreamInterruptedError, match="another message"):
        decoded(stream(BEGUN, delta(0, text="the ha")) + again)
    assert reply_of(decoded(stream(BEGUN) + again)[1]).choices[0].text == "the whole"


def test_calls_that_share_an_index_or_an_id_are_calls_of_their_own():
    body = stream(
        BEGUN, begin(0, "t1"), delta(0, toolUse={"input": '{"a": 1}'}), begin(0, "t1"), delta(0, toolUse={"input": {"a": NUMBER}}),
        begin(0, "t3", input={"a": 3}), stop(0), *ended("tool_use"),
    )  # fmt: skip
    calls = reply_of(decoded(body)[1]).choices[0].message.tool_calls
    assert [dict(call.arguments) for call in calls][::2] == [{"a": 1}, {"a": 3}]
    assert len(calls) == 3


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
    call = {"toolUse": {"toolUseId": "t1", "name": "add", "input": given}}
    (found,) = answered([call], "tool_use").choices[0].message.tool_calls
    assert (dict(found.arguments), found.arguments_raw) == (wanted, None)


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("end_turn", "tool_calls"),
        (None, "tool_calls"),
        ("max_tokens", "length"),
        ("content_filtered", "content_filter"),
    ],
)
def test_a_turn_that_holds_a_call_says_so_whatever_its_stop_reason(reason, wanted):
    call = {"toolUse": {"toolUseId": "t1", "name": "add", "input": {}}}
    assert answered([call], reason).choices[0].finish_reason == wanted
    assert (
        reply_of(decoded(stream(BEGUN, begin(0, "t1"), stop(0), *ended(reason)))[1]).choices[0].finish_reason
        == wanted
    )


@pytest.mark.parametrize(
    ("usage", "wanted", "details"),
    [
        ({"inputTokens": "6", "outputTokens": 12.0, "cacheReadInputTokens": "3"}, (9, 12, 3, None), {}),
        ({"inputTokens": 6, "outputTokens": 12, "cacheDetails": [{"ttl": "1h", "inputTokens": "20"}, {"ttl": "24h", "inputTokens": 4}]},
         (30, 12, None, 24), {"cache_write_1h_tokens": 20, "cache_write_24h_tokens": 4}),
        ({"inputTokens": 6, "outputTokens": 12, "cacheDetails": [None, 7, {"ttl": None}]}, (6, 12, None, None), {}),
        ({"inputTokens": 6, "outputTokens": 12, "cacheReadInputTokens": [1]}, (None, 12, None, None), {}),
        ({"inputTokens": -6, "outputTokens": {}}, (None, None, None, None), {}),
        ([1, 2], (None, None, None, None), {}),
    ],
)  # fmt: skip
def test_counts_in_odd_forms_cost_no_answer(usage, wanted, details):
    reply = answered([{"text": SKY}], usage=usage)
    used = reply.usage
    assert (
        used.input_tokens,
        used.output_tokens,
        used.cached_input_tokens,
        used.cache_write_tokens,
    ) == wanted
    assert used.details == details
    assert reply.choices[0].text == SKY


def chunk(native):
    data = native if isinstance(native, bytes) else json.dumps(native).encode()
    return event("chunk", json.dumps({"bytes": base64.b64encode(data).decode(), "p": "ab"}).encode())


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": "9", "outputTokenCount": 7.0}}


def test_a_native_answer_ends_with_its_metrics_and_is_read_as_leniently():
    pieces = [{"generation": "a", "stop_reason": None}, b'\xef\xbb\xbf{"generation": "\xff\\ud83d", "x": NaN}', b'{"generation": "\\ude00"}',
              {"generation": "", "stop_reason": "stop", **METRICS}]  # fmt: skip
    body = b"".join(
        [event("ping", b""), event("chunk", b'{"bytes": ""}'), *map(chunk, pieces), chunk(b"garbage")]
    )
    decode, events = decoded(body, family="text", body="llama")
    folded = reply_of(events)
    assert folded.choices[0].text == "a\ufffd\U0001f600"
    assert (folded.usage.input_tokens, folded.usage.output_tokens) == (9, 7)
    assert decode.ended


def test_numbers_beyond_64_bits_survive_the_envelope():
    message = {"type": "message", "id": "m", "role": "assistant", "model": "claude", "stop_reason": "tool_use", "usage": {},
               "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {"a": NUMBER}}], **METRICS}  # fmt: skip
    decode = decoder(streamed=False, family="claude", api="messages")
    events = [*decode.start(Head(200)), *decode.feed(Frame(json.dumps(message).encode())), *decode.finish()]
    assert reply_of(events).choices[0].message.tool_calls[0].arguments == {"a": NUMBER}


def test_a_second_message_in_a_native_stream_is_an_interruption():
    def start(name):
        return chunk(
            {
                "type": "message_start",
                "message": {"id": name, "role": "assistant", "model": "claude", "usage": {}},
            }
        )

    block = chunk(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "half"}}
    )
    with pytest.raises(StreamInterruptedError, match="another message"):
        decoded(start("m1") + block + start("m2") + block, family="claude", api="messages")
