"""The request: what is sent, what is reported, and that inputs are not changed."""

from __future__ import annotations

import copy
import re

import pytest
from hypothesis import given, strategies as st

import jackfield_mistral as mistral
from jackfield import (
    Audio,
    Document,
    Image,
    Message,
    RawPart,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)
from jackfield.plugin import ChatRequest, CompletionRequest, CountRequest, EmbedRequest, ModelRef, Options
from jackfield.testing import translated
from jackfield_mistral._messages import make_id

WHY = (Message("user", "Why?"),)
ADD = Tool("add", "Add.", cache="5m")
SMALL, LARGE = "mistral-small-2603", "mistral-large-2512"


def made(request, model="a-new-model"):
    ref = ModelRef(model)
    return translated(mistral, ref, request)


def chat(messages=WHY, model="a-new-model", **options):
    return made(ChatRequest(tuple(messages), Options(**options)), model)


def fates(result):
    return {note.name: note.fate for note in result.report}


# -- ids of tool calls -------------------------------------------------------------------------------------------


def history(*ids):
    calls = Message("assistant", tuple(ToolCall(one, "add", {}) for one in ids))
    return (*WHY, calls, Message("tool", tuple(ToolResult(one, "1") for one in ids)))


def ids_in(body):
    calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"]
    return calls, results


def test_own_ids_stay():
    result = chat(history("Ab3De6Gh9"))
    assert ids_in(result.wire.body) == (["Ab3De6Gh9"], ["Ab3De6Gh9"])
    assert not list(result.report)


def test_foreign_ids_are_rewritten_and_reported():
    result = chat(history("call_of_elsewhere", "Ab3De6Gh9"))
    calls, results = ids_in(result.wire.body)
    assert calls == results
    assert calls[1] == "Ab3De6Gh9"
    assert re.fullmatch("[a-zA-Z0-9]{9}", calls[0])
    assert fates(result) == {"messages[1].tool_calls.id": "renamed", "messages[2].tool_call_id": "renamed"}


@given(st.lists(st.text(min_size=0, max_size=12), min_size=1, max_size=8, unique=True))
def test_ids_are_rewritten_one_to_one_and_always_the_same(ids):
    calls, results = ids_in(chat(history(*ids)).wire.body)
    assert calls == results
    assert len(set(calls)) == len(ids)
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", one) for one in calls)
    assert ids_in(chat(history(*ids)).wire.body) == (calls, results)


def test_a_rewritten_id_is_never_one_that_is_in_use():
    taken = make_id("foreign id")
    calls, _ = ids_in(chat(history("foreign id", taken)).wire.body)
    assert calls[0] != calls[1] == taken


# -- what is written how -----------------------------------------------------------------------------------------


def test_documents_and_recordings_have_their_own_form():
    parts = (
        Document(url="https://papers.example/a.pdf", name="a.pdf", citations=True, cache="5m"),
        Document(data=b"%PDF", media_type="application/pdf"),
        Document(text="Plain."),
        Audio(url="https://sounds.example/a.mp3"),
        Image(url="https://pictures.example/a.png"),
    )
    result = chat((Message("user", parts),))
    assert result.wire.body["messages"][0]["content"] == [
        {"type": "document_url", "document_url": "https://papers.example/a.pdf", "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "data:application/pdf;base64,JVBERg=="},
        {"type": "text", "text": "Plain."},
        {"type": "input_audio", "input_audio": "https://sounds.example/a.mp3"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}},
    ]
    assert fates(result) == {
        "messages[0].citations": "dropped",
        "messages[0].cache": "dropped",
        "messages[0]": "emulated",
    }


def test_documents_in_tool_results_have_their_own_form():
    found = (Text("See"), Document(data=b"%PDF", name="a.pdf"))
    result = chat((*WHY, Message("tool", (ToolResult("Ab3De6Gh9", found, cache="1h"),))))
    assert result.wire.body["messages"][1]["content"][1]["type"] == "document_url"
    assert fates(result) == {"messages[1].cache": "dropped"}


def test_names_and_refusals_have_no_field():
    result = chat(
        (Message("user", "Why?", name="Ann"), Message("assistant", Text("No.", refusal=True)), *WHY)
    )
    assert result.wire.body["messages"][:2] == [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "No."},
    ]
    assert fates(result) == {"messages[0].name": "dropped", "messages[1]": "emulated"}


def test_an_answer_at_the_end_is_marked_for_continuation():
    result = chat((*WHY, Message("assistant", "Be")))
    assert result.wire.body["messages"][-1] == {"role": "assistant", "content": "Be", "prefix": True}
    assert fates(result) == {"prefix": "defaulted"}
    assert "prefix" not in chat((*WHY, Message("assistant", "Be"), *WHY)).wire.body["messages"][1]


def test_a_turn_with_only_calls_has_empty_content():
    body = chat(history("Ab3De6Gh9")).wire.body
    assert body["messages"][1]["content"] == ""
    assert "prefix" not in chat(history("Ab3De6Gh9")[:2]).wire.body["messages"][1]


def test_thinking_is_sent_back_to_mistral_only():
    own = Thinking(
        "Hm.", "mistral", SMALL, {"part": "thinking", "beside": {"signature": "s", "closed": True}}
    )
    foreign = Thinking("Hm.", "openai", "o3", {"item": {}})
    result = chat((*WHY, Message("assistant", (own, foreign, Text("Blue."))), *WHY))
    assert result.wire.body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "signature": "s", "closed": True},
        {"type": "text", "text": "Blue."},
    ]
    assert fates(result) == {"messages[1].thinking": "dropped"}


def test_raw_parts_are_sent_back_to_mistral_only():
    own, foreign = (
        RawPart("mistral", {"type": "reference", "reference_ids": [1]}),
        RawPart("openai", {"type": "x"}),
    )
    result = chat((*WHY, Message("assistant", (own, foreign, Text("Blue."))), *WHY))
    assert [part["type"] for part in result.wire.body["messages"][1]["content"]] == ["reference", "text"]
    assert fates(result) == {"messages[1]": "dropped"}


def test_tool_choice_none_sends_no_tools():
    result = chat(tools=(ADD,), tool_choice="none")
    assert not {"tools", "tool_choice"} & result.wire.body.keys()
    assert fates(result)["tools"] == fates(result)["tool_choice"] == "dropped"


def test_marks_of_prefixes_on_tools_are_dropped_and_reported():
    result = chat(tools=(ADD,))
    assert "cache" not in str(result.wire.body)
    assert fates(result)["tools[0].cache"] == "dropped"


def test_the_seed_has_another_name():
    result = chat(seed=0)
    assert result.wire.body["random_seed"] == 0
    assert fates(result) == {"seed": "renamed"}


@pytest.mark.parametrize("option", [{"user": "ann"}, {"logit_bias": {1: 1}}])
def test_options_that_the_service_lacks_are_never_sent(option):
    (name,) = option
    with pytest.raises(UnsupportedError, match=name):
        chat(**option)
    result = chat(**option, unsupported="drop")
    assert name not in result.wire.body
    assert fates(result) == {name: "dropped"}


# -- rules of models ---------------------------------------------------------------------------------------------


def test_a_temperature_out_of_range_is_refused_or_clamped():
    with pytest.raises(UnsupportedError, match="temperature"):
        chat(model=LARGE, temperature=1.6)
    assert chat(model=LARGE, temperature=1.6, unsupported="drop").wire.body["temperature"] == 1.5


@pytest.mark.parametrize("effort", ["high", "none"])
def test_efforts_that_the_model_has_are_sent(effort):
    body = chat(model=SMALL, reasoning=Reasoning(effort=effort)).wire.body
    assert body["reasoning_effort"] == effort


def test_efforts_that_the_model_lacks_are_refused_or_clamped():
    with pytest.raises(UnsupportedError, match=r"reasoning\.effort"):
        chat(model=SMALL, reasoning=Reasoning(effort="low"))
    low = Reasoning(effort="low")
    assert chat(model=SMALL, reasoning=low, unsupported="drop").wire.body["reasoning_effort"] == "high"
    assert chat(reasoning=low).wire.body["reasoning_effort"] == "low"  # nothing is known of it


def test_a_model_that_always_reasons_accepts_no_effort():
    high = Reasoning(effort="high")
    with pytest.raises(UnsupportedError, match="always reasons"):
        chat(model="magistral-medium-2507", reasoning=high)
    result = chat(model="magistral-medium-2507", reasoning=high, unsupported="drop")
    assert fates(result) == {"reasoning": "dropped"}


def test_log_probabilities_are_refused_where_they_are_not_enabled():
    with pytest.raises(UnsupportedError, match="logprobs"):
        chat(model="ministral-3b-2512", logprobs=True)
    assert chat(logprobs=True, top_logprobs=2).wire.body["top_logprobs"] == 2


def test_a_model_without_vision_is_not_sent_images():
    with pytest.raises(UnsupportedError):
        chat((Message("user", Image(data=b"x", media_type="image/png")),), model="open-mistral-7b")


# -- the first users' models -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", ["open-mistral-7b", "open-mixtral-8x7b", "mistral-small-2402", "mistral-large-2402"]
)
def test_the_first_users_models_chat_and_complete(model):
    assert chat(model=model, temperature=0, max_tokens=0).wire.body == {
        "model": model,
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 0,
        "max_tokens": 0,
    }
    completed = made(CompletionRequest("Once"), model)
    assert completed.wire.path == "/v1/chat/completions"
    assert fates(completed) == {"completion": "emulated"}


def test_mistral_embed_embeds():
    result = made(EmbedRequest(inputs=("a", "b")), "mistral-embed")
    assert (result.wire.path, result.wire.body) == (
        "/v1/embeddings",
        {"model": "mistral-embed", "input": ["a", "b"]},
    )
    with pytest.raises(UnsupportedError, match="one size"):
        made(EmbedRequest(inputs=("a",), dimensions=8), "mistral-embed")
    other = made(EmbedRequest(inputs=("a",), dimensions=8, truncate="error"), "codestral-embed-2505")
    assert other.wire.body["output_dimension"] == 8
    with pytest.raises(UnsupportedError, match="truncate"):
        made(EmbedRequest(inputs=("a",), truncate="end"), "mistral-embed")
    with pytest.raises(UnsupportedError, match="input_type"):
        made(EmbedRequest(inputs=("a",), input_type="query"), "mistral-embed")


# -- text completion ---------------------------------------------------------------------------------------------


def test_text_completion_fills_in_the_middle():
    options = Options(suffix="", max_tokens=0, seed=1, stop=("x",), extra={"mistral": {"min_tokens": 2}})
    result = made(CompletionRequest("def", options, stream=True), "codestral-2508")
    assert result.wire.path == "/v1/fim/completions"
    assert result.wire.body == {
        "model": "codestral-2508", "prompt": "def", "suffix": "", "max_tokens": 0, "random_seed": 1, "stop": ["x"],
        "stream": True, "min_tokens": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "option", ["n", "top_k", "presence_penalty", "frequency_penalty", "logprobs", "user"]
)
def test_fill_in_the_middle_lacks_options_of_chats(option):
    with pytest.raises(UnsupportedError, match=option):
        made(CompletionRequest("def", Options(**{option: 1})), "codestral-2508")


# -- the rest ----------------------------------------------------------------------------------------------------


def test_tokens_are_counted_by_the_endpoint_of_responses():
    assert made(CountRequest(WHY), SMALL).wire.path == "/v1/responses/input_tokens"


def test_extra_is_merged_last():
    result = chat(
        temperature=0.5, extra={"mistral": {"safe_prompt": False, "temperature": 0}, "openai": {"a": 1}}
    )
    assert result.wire.body["temperature"] == 0
    assert result.wire.body["safe_prompt"] is False
    assert "a" not in result.wire.body


def test_translating_changes_no_input_and_is_repeatable():
    messages = (
        *history("call_1"),
        Message("user", (Document(data=b"x"), Audio(data=b"y"))),
        Message("assistant", "Be"),
    )
    request = ChatRequest(
        messages, Options(tools=(ADD,), tool_choice="none", extra={"mistral": {"metadata": {"a": 1}}})
    )
    before = copy.deepcopy(request)
    one, other = made(request), made(request)
    assert one == other
    assert request == before


def test_a_turn_of_nothing_is_left_out_and_a_user_never_follows_a_tool():
    call = ToolCall("Ab3De6Gh9", "f", {})
    empty = Message("assistant", Thinking("hm", "other", "o"))
    blank = Message("assistant", "")
    result = Message("tool", ToolResult("Ab3De6Gh9", [Text("see"), Image(data=b"x", media_type="image/png")]))
    made = chat((*WHY, empty, blank, Message("assistant", call), result, Message("user", "and?")))
    turns = made.wire.body["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "assistant", "user", "user"]
    assert turns[2]["content"] == "see"
    assert all(turn.get("content") or turn.get("tool_calls") for turn in turns)
