"""The fast paths of Converse give what the general path gives, for every shape of an answer."""

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from jackfield import Finish, TextDelta, UsageUpdate
from jackfield.plugin import FailureInStream, Frame
from jackfield_bedrock import _converse_decoder
from jackfield_bedrock._converse_decoder import ConverseDecoder
from jackfield_bedrock._converse_fast_path import read_text_answer

USUAL = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    "metrics": {"latencyMs": 5},
}
CALL = {"toolUseId": "t", "name": "add", "input": {"a": 1}}
TEXTS = st.sampled_from(["Hi", "", " ", "é\n", None])
BLOCKS = st.one_of(
    st.fixed_dictionaries({"text": TEXTS}),
    st.fixed_dictionaries({"text": TEXTS}, optional={"toolUse": st.just(None), "new": st.just({"a": 1})}),
    st.sampled_from(
        [
            {},
            {"toolUse": CALL},
            {"toolUse": {**CALL, "name": "answer_in_json"}},
            {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "s"}}},
            {"citationsContent": {"content": [{"text": "Hi"}], "citations": [{"title": "t"}]}},
            {"image": {"format": "png"}},
        ]
    ),
)
COUNTS = st.one_of(
    st.none(),
    st.just({}),
    st.fixed_dictionaries(
        {"inputTokens": st.integers(0, 9)},
        optional={
            "outputTokens": st.integers(0, 9),
            "cacheReadInputTokens": st.none() | st.integers(0, 9),
            "cacheWriteInputTokenCount": st.integers(0, 9),
            "cacheDetails": st.just([{"ttl": "5m", "inputTokens": 2}]),
            "serverToolUsage": st.just({}),
        },
    ),
)
STOPS = st.sampled_from(
    ["end_turn", "stop_sequence", "max_tokens", "model_context_window_exceeded", "tool_use", "content_filtered",
     "guardrail_intervened", "of_tomorrow", "", None]
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {
        "output": st.fixed_dictionaries(
            {
                "message": st.fixed_dictionaries(
                    {"role": st.just("assistant")},
                    optional={"content": st.none() | st.lists(BLOCKS, max_size=2)},
                )
            }
        )
    },
    optional={
        "stopReason": STOPS,
        "usage": COUNTS,
        "metrics": st.just({"latencyMs": 5}),
        "trace": st.sampled_from([None, {}, {"guardrail": {"action": "BLOCKED"}}, {"action": "ANONYMIZED"}]),
        "performanceConfig": st.sampled_from([None, {"latency": "optimized"}]),
        "serviceTier": st.sampled_from([None, {"type": "flex"}]),
        "additionalModelResponseFields": st.sampled_from([None, {"stop_sequence": "."}]),
        "new": st.sampled_from([None, 0, {"a": 1}]),
    },
)


def outcome(answer, json_tool):
    """Return the events of an answer, or the failure that it is."""
    decoder = ConverseDecoder(json_tool, stream=False)
    try:
        return [*decoder.feed(Frame(orjson.dumps(answer))), *decoder.finish()]
    except FailureInStream as error:
        return ("failed", error.failure.data, error.failure.event)
    except Exception as error:
        return type(error), str(error)


@settings(max_examples=400)
@given(ANSWERS, st.sampled_from([None, "answer_in_json"]))
def test_the_fast_path_reads_an_answer_as_the_general_one_does(answer, json_tool):
    fast = outcome(answer, json_tool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_converse_decoder, "read_text_answer", lambda _: None)
        assert fast == outcome(answer, json_tool)


@settings(max_examples=300)
@given(
    st.lists(BLOCKS, min_size=1, max_size=1),
    STOPS,
    COUNTS,
    st.dictionaries(st.sampled_from(["metrics", "trace", "serviceTier", "new"]), st.sampled_from([None, {"type": "a"}])),
)  # fmt: skip
def test_answers_near_the_usual_one_are_read_alike_too(content, stop, usage, more):
    answer = {"output": {"message": {"content": content}}, "stopReason": stop, "usage": usage, **more}
    fast = outcome(answer, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_converse_decoder, "read_text_answer", lambda _: None)
        assert fast == outcome(answer, None)


def test_a_usual_answer_takes_the_fast_path():
    text, usage, end = read_text_answer(USUAL)
    assert (type(text), type(usage), type(end)) == (TextDelta, UsageUpdate, Finish)


@pytest.mark.parametrize(
    "change",
    [
        {"stopReason": "guardrail_intervened"},
        {"stopReason": "of_tomorrow"},
        {"usage": {}},
        {"trace": {"a": 1}},
        {"output": {"message": {"content": [{"text": "a"}, {"text": "b"}]}}},
        {"output": {"message": {"content": [{"toolUse": CALL}]}}},
        {"output": {"message": {"content": []}}},
    ],
)
def test_every_other_answer_takes_the_general_path(change):
    assert read_text_answer({**USUAL, **change}) is None


DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS,
        "citation": st.sampled_from([None, {"title": "t"}]),
        "reasoningContent": st.sampled_from([None, {"text": "Hm"}]),
        "new": st.sampled_from([None, 1]),
    },
)


@settings(max_examples=200)
@given(st.fixed_dictionaries({"delta": DELTAS}, optional={"contentBlockIndex": st.integers(0, 2)}))
def test_the_fast_path_reads_a_piece_of_a_stream_as_the_general_one_does(event):
    fast = ConverseDecoder(stream=True).feed(Frame(orjson.dumps(event), "contentBlockDelta"))
    assert fast == list(ConverseDecoder(stream=True)._block_delta(event))
