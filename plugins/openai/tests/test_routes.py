"""What is sent to which model, and what is reported."""

from __future__ import annotations

import copy

import attrs
import pytest

import jackfield_openai
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
from jackfield.plugin import (
    UNSET,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    ModelRef,
    Options,
    RerankRequest,
)
from jackfield.testing import translated

HOOK = jackfield_openai.jackfield_translate
HELLO = (Message("user", "Hello"),)


def chat(model, messages=HELLO, *, stream=False, declared=None, **options):
    ref = ModelRef(model, declared=declared or {})
    request = ChatRequest(tuple(messages), Options(**options), stream)
    return translated(jackfield_openai, ref, request)


def body(model, messages=HELLO, **options):
    return chat(model, messages, **options).wire.body


def dropped(model, **options):
    report = chat(model, unsupported="drop", **options).report
    return {note.name for note in report if note.fate == "dropped"}


SAMPLING = {
    "temperature": 0.5, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": 1, "logit_bias": {1: 1},
    "logprobs": True, "top_logprobs": 2, "stop": ("a",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "effort", "active"),
    [
        ("o1", None, True),
        ("o3", "low", True),
        ("o4-mini", None, True),
        ("gpt-5", None, True),
        ("gpt-5-mini", "minimal", True),
        ("gpt-5.1", None, False),
        ("gpt-5.1", "none", False),
        ("gpt-5.1", "low", True),
        ("gpt-5.4", None, False),
        ("gpt-5.4", "high", True),
        ("gpt-5.5", None, True),
        ("gpt-5.5", "none", False),
        ("gpt-5.6-sol", None, True),
        ("gpt-6-luna", "none", False),
        ("gpt-6-astra", None, True),
        ("gpt-6.1-sol", "low", True),
        ("gpt-5.2-chat-latest", None, True),
        ("gpt-4o", None, False),
        ("gpt-4", None, False),
        ("gpt-3.5-turbo", None, False),
        ("a-model-of-tomorrow", None, False),
    ],
)
def test_sampling_settings_go_only_where_the_model_does_not_reason(model, effort, active):
    reasoning = {} if effort is None else {"reasoning": Reasoning(effort)}
    assert dropped(model, **SAMPLING, **reasoning) == (set(SAMPLING) if active else set())
    if active:
        with pytest.raises(UnsupportedError, match="temperature"):
            chat(model, temperature=0.5, **reasoning)


def test_the_default_value_is_accepted_while_a_model_reasons():
    assert body("gpt-5", temperature=1)["temperature"] == 1


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("o3", "minimal", "low"),
        ("gpt-5", "xhigh", "high"),
        ("gpt-5.2-chat-latest", "low", "medium"),
        ("gpt-6-astra", "none", "low"),
        ("gpt-5.6", "max", "max"),
        ("unknown", "max", "max"),
    ],
)
def test_an_effort_that_a_model_lacks_is_an_error_or_clamped(model, effort, sent):
    assert body(model, reasoning=Reasoning(effort), unsupported="drop")["reasoning_effort"] == sent
    if sent != effort:
        with pytest.raises(UnsupportedError, match="efforts are"):
            body(model, reasoning=Reasoning(effort))


def test_a_model_that_never_reasons_is_not_sent_the_parameter():
    assert "reasoning_effort" not in body("gpt-4o", reasoning=Reasoning("none"))
    with pytest.raises(UnsupportedError, match="reasoning"):
        body("gpt-4o", reasoning=Reasoning("low"))


def test_everything_is_sent_to_an_unknown_model():
    options = {
        **SAMPLING,
        "reasoning": Reasoning("low"),
        "seed": 0,
        "max_tokens": 10**9,
        "n": 500,
        "user": "u",
    }
    report = chat("a-model-of-tomorrow", **options).report
    assert {note.fate for note in report} <= {"sent", "renamed"}
    assert {note.name.partition(".")[0] for note in report} == set(options)


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    [("temperature", 3, 2), ("top_p", 2, 1), ("presence_penalty", -3, -2), ("top_logprobs", 30, 20), ("max_tokens", 5000, 4096), ("stop", ("a",) * 5, ["a"] * 4)],
)  # fmt: skip
def test_values_out_of_range(option, value, nearest):
    with pytest.raises(UnsupportedError, match=option):
        body("gpt-4-turbo", **{option: value})
    wire = {"max_tokens": "max_completion_tokens"}.get(option, option)
    assert body("gpt-4-turbo", unsupported="drop", **{option: value})[wire] == nearest


def test_top_k_does_not_exist_at_openai():
    with pytest.raises(UnsupportedError, match="top_k"):
        body("gpt-4o", top_k=5)


def test_options_with_empty_values_are_sent():
    tool = Tool("now")
    sent = body(
        "gpt-4o", temperature=0, logprobs=False, stop=(), user="", tools=(tool,), parallel_tool_calls=False
    )
    assert sent.pop("tools")
    assert sent == {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0,
        "logprobs": False,
        "stop": [],
        "user": "",
        "parallel_tool_calls": False,
    }


def test_a_stream_requests_its_usage_and_reports_that():
    made = chat("gpt-4o", stream=True)
    assert made.wire.body["stream_options"] == {"include_usage": True}
    assert made.report["stream_options"].fate == "defaulted"
    off = chat("gpt-4o", stream=True, extra={"openai": {"stream_options": {"include_usage": False}}})
    assert off.wire.body["stream_options"] == {"include_usage": False}


def test_a_schema_is_strict_where_it_can_be():
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}  # fmt: skip
    loose = {"type": "object", "properties": {"a": {}}, "title": "My answer!"}
    assert body("gpt-4o", response_format=closed)["response_format"]["json_schema"]["strict"] is True
    form = body("gpt-4o", response_format=loose)["response_format"]["json_schema"]
    assert (form["strict"], form["name"]) == (False, "My_answer")


@pytest.mark.parametrize("model", ["gpt-4", "gpt-3.5-turbo"])
def test_the_first_models_are_declarable_with_what_they_lack(model):
    ref = ModelRef(model)
    known = jackfield_openai.jackfield_capabilities(ref)
    assert known.known
    assert known.kinds == {"chat"}
    with pytest.raises(UnsupportedError, match="json_schema"):
        body(model, response_format={"type": "object"})
    picture = (Message("user", (Image(url="https://pictures.example/a.png"),)),)
    with pytest.raises(UnsupportedError, match="images"):
        body(model, picture)


# -- messages ---------------------------------------------------------------------------------------------------


def test_foreign_data_is_left_out_and_reported():
    turn = Message(
        "assistant",
        (Thinking("Hm", "anthropic", "claude", {"signature": "s"}), RawPart("bedrock", {"a": 1}), Text("Hi")),
    )
    made = chat("gpt-4o", (*HELLO, turn))
    assert made.wire.body["messages"][1] == {"role": "assistant", "content": "Hi"}
    notes = [note for note in made.report if note.fate == "dropped"]
    assert {note.name for note in notes} == {"messages[1].thinking", "messages[1]"}


def test_thinking_of_a_compatible_server_is_sent_back_in_its_field():
    local = jackfield_openai.compatible(id="local", base_url="http://127.0.0.1:1/v1")
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    turn = Message("assistant", (Thinking("Hm", "local", "m", {"field": "reasoning_content", "reasoning_details": details}), Text("a")))  # fmt: skip
    ref = ModelRef("m")
    made = local.jackfield_translate(ref, ChatRequest((turn,)), local.jackfield_capabilities(ref))
    assert made.wire.body["messages"] == [
        {"role": "assistant", "content": "a", "reasoning_content": "Hm", "reasoning_details": details}
    ]


def test_parts():
    parts = (
        Audio(data=b"x", media_type="audio/mpeg"),
        Document(data=b"x", media_type="application/pdf", name="a.pdf"),
        Document(text="plain"),
        RawPart("openai", {"type": "file", "file": {"file_id": "f"}}),
    )
    assert body("a-model-of-tomorrow", (Message("user", parts),))["messages"][0]["content"] == [
        {"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,eA=="}},
        {"type": "text", "text": "plain"},
        {"type": "file", "file": {"file_id": "f"}},
    ]
    with pytest.raises(UnsupportedError, match="not as a URL"):
        body("gpt-4o", (Message("user", (Document(url="https://documents.example/a.pdf"),)),))


def test_results_of_tools_become_messages_of_their_own():
    turn = Message(
        "user", (ToolResult("a", "1"), ToolResult("b", (Text("2"),), is_error=True), Text("go on"))
    )
    made = chat("gpt-4o", (turn,))
    assert made.wire.body["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "go on"},
    ]
    assert made.report["messages[0].is_error"].fate == "dropped"


def test_marks_of_cacheable_prefixes():
    turn = (Message("user", (Text("long", cache="1h"), Text("short"))),)
    marked = body("gpt-5.6", turn)["messages"][0]["content"][0]
    assert marked["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    made = chat("gpt-4o", turn)
    assert made.wire.body["messages"][0]["content"][0] == {"type": "text", "text": "long"}
    assert made.report["messages[0].cache"].fate == "dropped"


def test_a_custom_call_and_a_refusal_are_sent_back():
    call = ToolCall("c", "shell", {}, "ls", {"openai": {"type": "custom"}})
    said = body("gpt-4o", (Message("assistant", (call, Text("No.", refusal=True))),))["messages"][0]
    custom = {"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    assert said == {"role": "assistant", "content": None, "tool_calls": [custom], "refusal": "No."}


# -- Responses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "declared", "path"),
    [
        ("gpt-5.2-pro", {}, "/responses"),
        ("o3-pro", {}, "/responses"),
        ("gpt-5.3-codex", {}, "/responses"),
        ("gpt-4o", {"route": "responses"}, "/responses"),
        ("gpt-5.2", {}, "/chat/completions"),
        ("unknown", {}, "/chat/completions"),
        ("gpt-5.2-pro", {"route": "chat"}, "/chat/completions"),
    ],
)
def test_the_route(model, declared, path):
    assert chat(model, declared=declared).wire.path == path


def test_encrypted_thinking_is_sent_back():
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "b3BhcXVl"}
    turn = Message("assistant", (Thinking("", "openai", "o3-pro", {"item": item}), ToolCall("c", "add", {"a": 1}, None, {"openai": {"id": "fc_1"}})))  # fmt: skip
    sent = body("o3-pro", (*HELLO, turn, Message("tool", (ToolResult("c", "1"),))))["input"]
    assert sent[1:] == [
        item,
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a":1}', "id": "fc_1"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]


@pytest.mark.parametrize(
    "option", [{"stop": ("a",)}, {"seed": 1}, {"n": 2}, {"presence_penalty": 1}, {"logit_bias": {1: 1}}]
)
def test_options_that_the_responses_api_lacks_are_refused(option):
    route = {"route": "responses"}
    with pytest.raises(UnsupportedError):
        chat("gpt-4o", declared=route, **option)
    report = chat("gpt-4o", declared=route, unsupported="drop", **option).report
    assert report[next(iter(option))].fate == "dropped"


# -- completions and embeddings -------------------------------------------------------------------------------------


def test_completions():
    ref = ModelRef("gpt-3.5-turbo-instruct")
    known = jackfield_openai.jackfield_capabilities(ref)
    request = CompletionRequest(
        "Once", Options(max_tokens=5, suffix="end", stop=("x",), top_logprobs=2), stream=True
    )
    assert HOOK(ref, request, known).wire.body == {
        "model": "gpt-3.5-turbo-instruct",
        "prompt": "Once",
        "suffix": "end",
        "max_tokens": 5,
        "stop": ["x"],
        "logprobs": 2,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    with pytest.raises(UnsupportedError, match="tools"):
        HOOK(ref, CompletionRequest("Once", Options(tools=(Tool("f"),))), known)


def test_embeddings():
    ref = ModelRef("text-embedding-ada-002")
    known = jackfield_openai.jackfield_capabilities(ref)
    assert (known.limits.max_inputs, known.limits.max_input_tokens_per_request) == (2048, 300_000)
    with pytest.raises(UnsupportedError, match="one size"):
        HOOK(ref, EmbedRequest(inputs=("a",), dimensions=5), known)
    with pytest.raises(UnsupportedError, match="never truncates"):
        HOOK(ref, EmbedRequest(inputs=("a",), truncate="end"), known)
    with pytest.raises(UnsupportedError, match="input_type"):
        HOOK(ref, EmbedRequest(inputs=("a",), input_type="query"), known)


# -- purity -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5.6", "o3-pro", "unknown"])
def test_translating_twice_gives_equal_results_and_changes_no_input(model):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    options = Options(
        tools=(Tool("f", "F.", schema, cache="5m"),),
        response_format=schema,
        logit_bias=UNSET,
        extra={"openai": {"metadata": {"k": "v"}, "response_format": {"json_schema": {"name": "n"}}}},
    )
    call = ToolCall("c", "f", {"a": [1]}, None, {"openai": {"id": "x"}})
    messages = (*HELLO, Message("assistant", (call,)), Message("tool", (ToolResult("c", "1"),)))
    request = ChatRequest(messages, options)
    before = copy.deepcopy(attrs.asdict(request))
    ref = ModelRef(model)
    first = translated(jackfield_openai, ref, request)
    second = translated(jackfield_openai, ref, request)
    assert first == second
    assert attrs.asdict(request) == before


def test_an_unsupported_kind_of_request_is_refused_in_words():
    ref, request = ModelRef("m"), RerankRequest(query="q", documents=("a",))
    with pytest.raises(UnsupportedError, match="openai does not rerank"):
        HOOK(model=ref, request=request, capabilities=jackfield_openai.jackfield_capabilities(ref))
