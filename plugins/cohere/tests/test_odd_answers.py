"""Answers that are not as documented: of gateways, of other versions."""

import json

import pytest
from cohere_answers import read

import jackfield_cohere
from jackfield import MalformedResponseError, StreamInterruptedError
from jackfield.plugin import (
    Capabilities,
    EmbedRequest,
    FailureInStream,
    Frame,
    ModelRef,
    RerankRequest,
    RerankScore,
    Wire,
)
from jackfield.testing import cost_of, reply_of, translated
from jackfield_cohere import COHERE, decoder, read_usage

NUMBER = 2**70
START = {"type": "message-start", "id": "c_1", "delta": {"message": {"role": "assistant"}}}
BEGIN = {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
PIECE = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "all of it"}}}}
END = {
    "type": "message-end",
    "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": "3", "output_tokens": 2.0}}},
}
TEXT = {"event_type": "text-generation", "text": "all of it"}


def begin_v1(name):
    return {"event_type": "stream-start", "generation_id": name}


def end_v1(**response):
    return {
        "event_type": "stream-end",
        "finish_reason": "COMPLETE",
        "response": {"generation_id": "g_1", "text": "all of it", **response},
    }


V1 = [begin_v1("g_1"), TEXT, end_v1()]
V2 = [START, BEGIN, PIECE, END]


def decoded(*events, api="chat", stream=True):
    decode = decoder(COHERE, Wire("/", {}, stream=stream, meta={"api": api}))
    found = []
    for event in events:
        frame = event if isinstance(event, Frame) else Frame(json.dumps(event).encode(), event.get("type"))
        found += decode.feed(frame)
    return decode, found + decode.finish()


@pytest.mark.parametrize(
    "beat",
    [
        Frame(b"", "ping"),
        Frame(b"ping", "ping"),
        Frame(b"{}", "heartbeat"),
        Frame(b"null"),
        Frame(b"null", "ping"),
    ],
)
@pytest.mark.parametrize(("api", "events"), [("chat", V2), ("chat_v1", V1)])
def test_a_heartbeat_changes_nothing(beat, api, events):
    for place in range(len(events) + 1):
        assert decoded(*events[:place], beat, *events[place:], api=api)[1] == decoded(*events, api=api)[1]


@pytest.mark.parametrize(
    ("api", "events"),
    [("chat", V2), ("chat_v1", V1), ("generate", [TEXT, end_v1(generations=[{"text": "all of it"}])])],
)
def test_after_the_end_marker_nothing_matters(api, events):
    for after in ([], [Frame(b"[DONE]")], [Frame(b"\xef\xbb\xbf[DONE]")], [Frame(b"{garbage")], events):
        decode, found = decoded(*events, *after, api=api)
        assert decode.ended
        assert decode.is_whole
        assert reply_of(found).choices[0].text == "all of it"


@pytest.mark.parametrize("marker", [b"[DONE]", b"\xef\xbb\xbf[DONE]"])
def test_done_before_the_end_is_an_interruption(marker):
    decode = decoder(COHERE, Wire("/", {}, stream=True, meta={"api": "chat"}))
    for event in (START, BEGIN, PIECE):
        decode.feed(Frame(json.dumps(event).encode()))
    decode.feed(Frame(marker))
    assert decode.ended
    with pytest.raises(StreamInterruptedError):
        decode.finish()


def test_another_choice_may_begin_after_one_has_finished():
    lines = [{"index": 0, "text": "a"}, {"index": 0, "is_finished": True, "finish_reason": "COMPLETE"}, {"index": 1, "text": "b"},
             {"index": 1, "is_finished": True, "finish_reason": "MAX_TOKENS"}]  # fmt: skip
    folded = reply_of(decoded(*lines, api="generate")[1])
    assert [(choice.text, choice.finish_reason) for choice in folded.choices] == [
        ("a", "stop"),
        ("b", "length"),
    ]


def test_another_beginning_before_the_end_is_an_interruption():
    for events, api in (
        ([START, BEGIN, PIECE, {**START, "id": "c_2"}, BEGIN, PIECE, END], "chat"),
        ([*V1[:2], begin_v1("g_2"), *V1[1:]], "chat_v1"),
    ):
        with pytest.raises(StreamInterruptedError, match="another answer"):
            decoded(*events, api=api)
    for again in (START, {**START, "id": None}):
        assert reply_of(decoded(START, BEGIN, PIECE, again, END)[1]).choices[0].text == "all of it"


def test_an_answer_that_begins_again_at_its_first_block_is_an_interruption():
    for again in (START, {**START, "id": None}):
        with pytest.raises(StreamInterruptedError, match="another answer"):
            decoded(START, BEGIN, PIECE, again, BEGIN, PIECE, END)


@pytest.mark.parametrize(
    "error",
    [
        {"detail": "Too much."},
        {"code": 500, "msg": "Too much."},
        {"error_msg": "Too much.", "error_code": 18},
    ],
)
def test_an_error_without_a_type_is_an_error_whatever_follows(error):
    with pytest.raises(FailureInStream):
        decoded(START, BEGIN, PIECE, error)


def test_what_strict_parsers_refuse_is_read():
    odd = Frame(
        b'\xef\xbb\xbf{"type": "content-delta", "index": 0, "x": NaN, "delta": {"message": {"content": {"text": "\xffa"}}}}'
    )
    assert reply_of(decoded(START, BEGIN, odd, END)[1]).choices[0].text == "\ufffda"


def call_start(index, identity, arguments=""):
    call = {"id": identity, "type": "function", "function": {"name": "add", "arguments": arguments}}
    return {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": call}}}


def call_piece(index, text):
    return {
        "type": "tool-call-delta",
        "index": index,
        "delta": {"message": {"tool_calls": {"function": {"arguments": text}}}},
    }


def test_calls_that_share_an_index_are_calls_of_their_own():
    events = [
        START,
        call_start(0, "t"),
        call_piece(0, '{"a": 1}'),
        call_start(0, "t"),
        call_piece(0, f'{{"a": {NUMBER}}}'),
        call_start(0, "t3"),
        END,
    ]
    (choice,) = reply_of(decoded(*events)[1]).choices
    assert [dict(call.arguments) for call in choice.message.tool_calls] == [{"a": 1}, {"a": NUMBER}, {}]
    assert choice.finish_reason == "tool_calls"
    chunks = [{"event_type": "tool-calls-chunk", "tool_call_delta": {"index": 0, **piece}}
              for _ in range(3) for piece in ({"name": "add"}, {"parameters": '{"a": 1}'})]  # fmt: skip
    found = (
        reply_of(decoded(begin_v1("g"), *chunks, end_v1(text=""), api="chat_v1")[1])
        .choices[0]
        .message.tool_calls
    )
    assert [dict(call.arguments) for call in found] == [{"a": 1}] * 3


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
    call = {"id": "t", "type": "function", "function": {"name": "add", "arguments": given}}
    body = {"id": "c", "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": [call]}}
    (found,) = reply_of(decoded(body, stream=False)[1]).choices[0].message.tool_calls
    assert (dict(found.arguments), found.arguments_raw) == (wanted, None)


@pytest.mark.parametrize(
    ("usage", "counts", "details", "units"),
    [
        ({"billed_units": {"input_tokens": "5", "output_tokens": 9.0}, "tokens": {"input_tokens": "500", "output_tokens": "14"}, "cached_tokens": "448"},
         (500, 14, 448), {"billed_input_tokens": 5, "billed_output_tokens": 9}, {}),
        ({"billed_units": {"input_tokens": 7, "image_tokens": 30, "search_units": "2", "oracles": 3}}, (7 + 30, None, None),
         {"billed_input_tokens": 7, "input_image_tokens": 30}, {"image_token": 30, "search_unit": 2, "oracle": 3}),
        ({"billed_units": [1], "tokens": 7, "cached_tokens": {}}, (None, None, None), {}, {}),
        ({"tokens": {"input_tokens": -1, "output_tokens": [1]}}, (None, None, None), {}, {}),
    ],
)  # fmt: skip
def test_counts_in_odd_forms_cost_no_answer(usage, counts, details, units):
    used = read_usage(usage)
    assert (used.input_tokens, used.output_tokens, used.cached_input_tokens) == counts
    assert used.details == details
    assert used.units == units


def test_pictures_that_are_billed_and_have_no_rate_make_the_cost_partial():
    used = read_usage({"billed_units": {"input_tokens": 7, "image_tokens": 30}})
    cost = cost_of(jackfield_cohere, "embed-v4.0", used)
    assert (cost.status, cost.missing) == ("partial", ("image_token",))


@pytest.mark.parametrize(
    "model",
    ["rerank-v4.0-pro", "rerank-v4.0-fast", "rerank-v3.5", "rerank-english-v3.0", "rerank-multilingual-v3.0"],
)
def test_every_model_that_ranks_is_known_to(model):
    known = jackfield_cohere.jackfield_capabilities(ModelRef(model))
    assert (known.known, known.kinds) == (True, {"rerank"})
    wire = translated(
        jackfield_cohere,
        ModelRef(model, kind="rerank"),
        RerankRequest(query="q", documents=("a", "b"), top_n=1),
    ).wire
    assert wire.path.endswith("/v2/rerank")
    assert wire.body == {"model": model, "query": "q", "documents": ["a", "b"], "top_n": 1}


@pytest.mark.parametrize(
    ("model", "context", "dimensions"),
    [("embed-v5.0-pro", 128_000, None), ("embed-v5.0-fast", 128_000, None), ("embed-v4.0", 128_000, 1536), ("embed-english-v3.0", 512, 1024),
     ("embed-multilingual-v3.0", 512, 1024), ("embed-english-light-v3.0", 512, 384)],
)  # fmt: skip
def test_every_model_that_embeds_is_known_to(model, context, dimensions):
    known: Capabilities = jackfield_cohere.jackfield_capabilities(ModelRef(model))
    assert (known.known, known.kinds) == (True, {"embedding"})
    assert (known.limits.max_input_tokens, known.limits.dimensions, known.limits.max_inputs) == (
        context,
        dimensions,
        96,
    )
    wire = translated(
        jackfield_cohere, ModelRef(model, kind="embedding"), EmbedRequest(inputs=("a",), input_type="query")
    ).wire
    assert wire.body["input_type"] == "search_query"
    assert wire.body["embedding_types"] == ["base64"]


def test_dimensions_are_those_of_the_model():
    for model, sizes in (("embed-v4.0", (256, 512, 1024, 1536)), ("embed-v5.0-pro", (7,))):
        for size in sizes:
            body = translated(
                jackfield_cohere,
                ModelRef(model, kind="embedding"),
                EmbedRequest(inputs=("a",), dimensions=size),
            ).wire.body
            assert body["output_dimension"] == size


def test_scores_come_with_the_indexes_of_their_documents():
    (_, *scores) = read(
        "rerank",
        {"id": "r", "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0}]},
        stream=False,
    )
    assert scores == [RerankScore(2, 0.9), RerankScore(0, 0)]


@pytest.mark.parametrize(
    "results", [[{"relevance_score": 0.9}], [{"index": 0}], [None], "many", {"index": 0}]
)
def test_a_ranking_without_an_index_or_a_score_is_malformed(results):
    with pytest.raises(
        (MalformedResponseError, KeyError, TypeError, AttributeError)
    ):  # the core names them all as the first
        read("rerank", {"results": results}, stream=False)
