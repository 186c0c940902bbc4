"""What becomes of a request: what is sent, and what is refused, dropped, defaulted or emulated."""

import copy

import pytest

import jackfield_anthropic
from jackfield import (
    Audio,
    Document,
    Image,
    Message,
    RawPart,
    Reasoning,
    Secret,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    UnsupportedError,
)
from jackfield._calls.translation import translate
from jackfield.plugin import ChatRequest, CompletionRequest, ModelRef, Options
from jackfield_anthropic import AnthropicSettings, Dialect
from jackfield_anthropic.dialect import translate as translate_dialect

ASK = (Message("user", "Why?"),)
ADD = Tool("add", "Add.", {"type": "object", "properties": {}})
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}
NEW = AnthropicSettings(api_key=Secret("x"), api_version="2026-10-21")
OLD = AnthropicSettings(api_key=Secret("x"))


def made(model="claude-haiku-4-5", messages=ASK, *, settings=OLD, declared=None, stream=False, **options):
    ref = ModelRef(model, settings=settings, declared=declared or {})
    request = ChatRequest(tuple(messages), Options(**options), stream)
    capabilities = jackfield_anthropic.jackfield_capabilities(ref)
    return translate(jackfield_anthropic.jackfield_translate, ref, request, capabilities)


def body(*args, **kwargs):
    return made(*args, **kwargs).wire.body


def fates(translation):
    return {note.name: note.fate for note in translation.report}


# -- the limit of the answer ------------------------------------------------------------------------------------


def test_max_tokens_is_filled_from_the_models_data_and_told():
    translation = made("claude-haiku-4-5-20251001")
    assert translation.wire.body["max_tokens"] == 64000
    assert translation.report["max_tokens"].fate == "defaulted"


def test_max_tokens_of_an_unknown_model_leaves_room_for_its_budget():
    assert body("claude-of-tomorrow")["max_tokens"] == 4096
    assert body("claude-of-tomorrow", reasoning=Reasoning(budget_tokens=8000))["max_tokens"] == 12096


def test_an_unknown_model_gets_everything():
    sent = body(
        "claude-of-tomorrow",
        temperature=1.5,
        top_k=3,
        reasoning=Reasoning(effort="high"),
        response_format=SCHEMA,
    )
    assert (sent["temperature"], sent["top_k"]) == (1.5, 3)
    assert sent["output_config"] == {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}}


# -- sampling, by model and by version ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("claude-opus-4-7", OLD),
        ("claude-sonnet-5", OLD),
        ("claude-haiku-4-5", NEW),
        ("claude-of-tomorrow", NEW),
    ],
)
def test_sampling_is_refused_where_it_would_be_a_400(model, settings, name):
    with pytest.raises(UnsupportedError, match=name):
        made(model, settings=settings, **{name: 1})
    translation = made(model, settings=settings, unsupported="drop", **{name: 1})
    assert name not in translation.wire.body
    assert translation.report[name].fate == "dropped"


def test_sampling_is_sent_where_it_is_taken():
    sent = body("claude-opus-4-6", temperature=0, top_p=0.0, top_k=0)
    assert (sent["temperature"], sent["top_p"], sent["top_k"]) == (0, 0.0, 0)


def test_while_a_model_thinks_its_temperature_is_one():
    thinking = {"reasoning": Reasoning(budget_tokens=1024)}
    assert body(temperature=1, **thinking)["temperature"] == 1
    with pytest.raises(UnsupportedError, match="none of 1"):
        made(temperature=0.5, **thinking)


def test_parameters_that_the_service_does_not_have():
    for name, value in {"seed": 0, "presence_penalty": 0.0, "frequency_penalty": 1, "logit_bias": {}, "n": 2,
                        "logprobs": True, "top_logprobs": 1}.items():  # fmt: skip
        with pytest.raises(UnsupportedError, match=name):
            made(**{name: value})
    translation = made(n=1, logprobs=False)
    assert fates(translation)["n"] == fates(translation)["logprobs"] == "dropped"


# -- thinking -----------------------------------------------------------------------------------------------------

REASONING = {
    ("claude-sonnet-4-6", "high"): ({"effort": "high"}, {"type": "adaptive"}),
    ("claude-opus-4-5", "high"): ({"effort": "high"}, None),
    ("claude-opus-5", "max"): ({"effort": "max"}, None),
    ("claude-opus-5", "none"): (None, {"type": "disabled"}),
    ("claude-haiku-4-5", "low"): (None, {"type": "enabled", "budget_tokens": 2048}),
    ("claude-haiku-4-5", "none"): (None, {"type": "disabled"}),
    ("claude-3-5-haiku-20241022", "none"): (None, None),
}


@pytest.mark.parametrize(("model", "effort"), REASONING)
def test_efforts_are_written_as_the_family_takes_them(model, effort):
    output, thinking = REASONING[model, effort]
    sent = body(model, reasoning=Reasoning(effort=effort))
    assert (sent.get("output_config"), sent.get("thinking")) == (output, thinking)


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        ("claude-opus-4-5", Reasoning(effort="max")),
        ("claude-opus-5", Reasoning(budget_tokens=2048)),
        ("claude-fable-5", Reasoning(effort="none")),
        ("claude-sonnet-5-5", Reasoning(effort="none")),
        ("claude-3-haiku-20240307", Reasoning(effort="low")),
        ("claude-3-haiku-20240307", Reasoning(budget_tokens=2048)),
        ("claude-haiku-4-5", Reasoning(summary="auto")),
        ("claude-haiku-4-5", Reasoning(effort="enormous")),
    ],
)
def test_reasoning_that_a_model_does_not_take_is_refused(model, reasoning):
    with pytest.raises(UnsupportedError, match="reasoning"):
        made(model, reasoning=reasoning)
    assert "thinking" not in body(model, reasoning=reasoning, unsupported="drop")


def test_an_effort_is_clamped_to_the_nearest_if_it_may():
    translation = made("claude-opus-4-5", reasoning=Reasoning(effort="max"), unsupported="drop")
    assert translation.wire.body["output_config"] == {"effort": "high"}
    assert fates(translation)["reasoning.effort"] == "clamped"


def test_a_budget_that_stands_for_an_effort_fits_below_max_tokens():
    sent = body(reasoning=Reasoning(effort="high"), max_tokens=2000)
    assert sent["thinking"] == {"type": "enabled", "budget_tokens": 1999}
    with pytest.raises(UnsupportedError, match="at least 1024"):
        made(reasoning=Reasoning(effort="high"), max_tokens=1000)
    with pytest.raises(UnsupportedError, match="budget_tokens"):
        made(reasoning=Reasoning(effort="high"), emulate=False)


# -- tools and JSON -------------------------------------------------------------------------------------------------


def test_no_tool_is_forced_on_a_model_that_refuses_it_or_thinks_by_a_budget():
    with pytest.raises(UnsupportedError, match="tool_choice"):
        made("claude-opus-5-5", tools=(ADD,), tool_choice="required")
    with pytest.raises(UnsupportedError, match="tool_choice"):
        made(tools=(ADD,), tool_choice="add", reasoning=Reasoning(budget_tokens=1024))
    assert body("claude-opus-5", tools=(ADD,), tool_choice="add")["tool_choice"] == {
        "type": "tool",
        "name": "add",
    }


def test_a_schema_goes_through_a_forced_tool_where_there_is_nothing_better():
    translation = made("claude-3-haiku-20240307", response_format=SCHEMA)
    sent = translation.wire.body
    (tool,) = sent["tools"]
    assert tool["input_schema"] == SCHEMA
    assert sent["tool_choice"] == {"type": "tool", "name": tool["name"]}
    assert translation.wire.meta["json_tool"] == tool["name"]
    assert fates(translation)["response_format"] == "emulated"
    with pytest.raises(UnsupportedError, match="emulate=False"):
        made("claude-3-haiku-20240307", response_format=SCHEMA, emulate=False)


def test_beside_other_tools_any_of_them_is_forced():
    sent = body("claude-3-haiku-20240307", response_format=SCHEMA, tools=(ADD,), parallel_tool_calls=False)
    assert [tool["name"] for tool in sent["tools"]] == ["add", "answer_in_json"]
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    with pytest.raises(UnsupportedError, match="stands in the way"):
        made("claude-3-haiku-20240307", response_format=SCHEMA, tools=(ADD,), tool_choice="add")


def test_plain_json_is_a_forced_tool_and_impossible_where_none_can_be_forced():
    assert body(response_format="json")["tools"][0]["input_schema"] == {"type": "object"}
    with pytest.raises(UnsupportedError, match="json"):
        made("claude-fable-5-2", response_format="json")
    with pytest.raises(UnsupportedError, match="type object"):
        made("claude-3-haiku-20240307", response_format={"type": "array"})
    with pytest.raises(UnsupportedError, match="thinks by a budget"):
        made(response_format="json", reasoning=Reasoning(budget_tokens=1024))


# -- the conversation -----------------------------------------------------------------------------------------------


def test_what_others_thought_stays_behind_and_is_told():
    parts = (
        Thinking("Hm.", "openai", "gpt-5", {"x": 1}),
        Thinking("cut off", "anthropic", "claude", None),
        RawPart("openai", {"a": 1}),
        Text("So.", provider_data={"openai": {"phase": 1}}),
    )
    translation = made(messages=(*ASK, Message("assistant", parts), *ASK))
    assert translation.wire.body["messages"][1] == {"role": "assistant", "content": "So."}
    assert [note.fate for note in translation.report if note.name.startswith("messages[1]")] == [
        "dropped"
    ] * 4


def test_results_of_a_turn_stand_in_one_message_before_all_else():
    messages = (
        Message("assistant", (ToolCall("a", "add", {}), ToolCall("b", "add", {}))),
        Message("tool", (ToolResult("a", "1"),)),
        Message("tool", (ToolResult("b", "2"),)),
        Message("assistant", (ToolCall("c", "add", {}),)),
        Message("user", (Text("Now?"), ToolResult("c", "3"))),
    )
    translation = made(messages=messages)
    sent = translation.wire.body["messages"]
    assert [block["tool_use_id"] for block in sent[1]["content"]] == ["a", "b"]
    assert [block["type"] for block in sent[3]["content"]] == ["tool_result", "text"]
    assert translation.report["messages[4]"].fate == "emulated"


def test_ids_of_other_services_are_written_in_our_letters_one_to_one():
    messages = (
        Message(
            "assistant", (ToolCall("a.b", "add", {}), ToolCall("a:b", "add", {}), ToolCall("", "add", {}))
        ),
        Message("tool", (ToolResult("a.b", "1"), ToolResult("a:b", "2"), ToolResult("", "3"))),
    )
    sent = body(messages=messages)["messages"]
    ids = [block["id"] for block in sent[0]["content"]]
    assert ids == [block["tool_use_id"] for block in sent[1]["content"]]
    assert len(set(ids)) == 3
    assert all(name.replace("_", "").isalnum() for name in ids)


def test_arguments_that_are_no_object_are_shown_to_the_model_as_such():
    messages = (
        Message("assistant", (ToolCall("a", "add", {}, '{"a": '),)),
        Message("tool", (ToolResult("a"),)),
    )
    translation = made(messages=messages)
    assert translation.wire.body["messages"][0]["content"][0]["input"] == {"INVALID_JSON": '{"a": '}
    assert translation.report["messages[0].arguments"].fate == "emulated"


def test_system_messages_in_the_middle_stay_where_they_are_honoured_and_move_up_where_not():
    messages = (Message("system", "One."), *ASK, Message("system", "Two."))
    stays = body("claude-opus-5", messages)
    assert (stays["system"], stays["messages"][1]) == ("One.", {"role": "system", "content": "Two."})
    translation = made("claude-sonnet-5", messages)
    assert [block["text"] for block in translation.wire.body["system"]] == ["One.", "Two."]
    assert translation.report["messages[2]"].fate == "emulated"
    with pytest.raises(UnsupportedError):
        made("claude-sonnet-5", messages, emulate=False)


def test_a_model_goes_on_with_its_own_words_or_not():
    messages = (*ASK, Message("assistant", "Because"))
    assert body("claude-haiku-4-5", messages)["messages"][-1]["role"] == "assistant"
    with pytest.raises(UnsupportedError, match="own"):
        made("claude-opus-4-6", messages)
    assert len(body("claude-opus-4-6", messages, unsupported="drop")["messages"]) == 1
    paused = (*ASK, Message("assistant", (RawPart("anthropic", {"type": "server_tool_use"}),)))
    assert len(body("claude-opus-4-6", paused)["messages"]) == 2


def test_a_document_of_the_assistants_is_refused_by_the_new_version():
    messages = (*ASK, Message("assistant", (Document(text="A."), Text("See."))), *ASK)
    assert body(messages=messages)["messages"][1]["content"][0]["type"] == "document"
    with pytest.raises(UnsupportedError, match="2026-10-21"):
        made(messages=messages, settings=NEW)


def test_citations_of_a_user_are_not_sent_under_the_new_version():
    text = Text("So.", provider_data={"anthropic": {"citations": [{"type": "char_location"}]}})
    assert "citations" in body(messages=(Message("user", (text,)),))["messages"][0]["content"][0]
    translation = made(messages=(Message("user", (text,)),), settings=NEW)
    assert translation.wire.body["messages"][0]["content"] == "So."
    assert translation.report["messages[0].citations"].fate == "dropped"


def test_details_that_the_service_lacks_are_told():
    message = Message(
        "user", (Image(data=b"x", detail="high"), Image(url="https://a/b", detail="low")), name="Ann"
    )
    assert fates(made(messages=(message,))) == {
        "messages[0].name": "dropped",
        "messages[0].detail": "dropped",
        "messages[0].media_type": "defaulted",
        "max_tokens": "defaulted",
    }
    with pytest.raises(UnsupportedError, match="audio"):
        made(messages=(Message("user", (Audio(data=b"x"),)),))
    with pytest.raises(UnsupportedError, match="Audio"):
        made("claude-of-tomorrow", (Message("user", (Audio(data=b"x"),)),))


@pytest.mark.parametrize(
    ("asked", "sent"), [("5m", "5m"), ("60s", "5m"), ("1h", "1h"), ("30m", "1h"), ("24h", "1h")]
)
def test_a_cache_mark_lives_as_long_as_the_service_lets_it(asked, sent):
    translation = made(messages=(Message("user", (Text("Why?", cache=asked),)),))
    (block,) = translation.wire.body["messages"][0]["content"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": sent}
    assert ("messages[0].cache" in fates(translation)) == (asked != sent)


def test_messages_without_content_are_left_out_and_told():
    translation = made(messages=(*ASK, Message("assistant", ()), *ASK))
    assert len(translation.wire.body["messages"]) == 2
    assert translation.report["messages[1]"].fate == "dropped"


def test_nothing_of_the_callers_is_changed():
    messages = (
        *ASK,
        Message("assistant", (ToolCall("a", "add", {"x": [1]}), RawPart("anthropic", {"type": "x"}))),
    )
    options = {"tools": (ADD,), "extra": {"anthropic": {"tools": [{"type": "web_search", "name": "w"}]}}}
    before = copy.deepcopy((messages, options))
    first = made(messages=messages, **options)
    second = made(messages=messages, **options)
    assert first == second
    assert (messages, options) == before
    first.wire.body["messages"][1]["content"][1]["type"] = "changed"
    assert (messages, options) == before


# -- text completions ---------------------------------------------------------------------------------------------


def completed(prompt, model="claude-2.1", *, settings=OLD, declared=None, **options):
    ref = ModelRef(model, settings=settings, declared=declared or {})
    request = CompletionRequest(prompt, Options(**options))
    capabilities = jackfield_anthropic.jackfield_capabilities(ref)
    return translate(jackfield_anthropic.jackfield_translate, ref, request, capabilities)


def test_a_text_completion_has_turns():
    translation = completed("Why?", system="Be brief.", stop=("x",), temperature=0, user="u")
    assert translation.wire.path == "/v1/complete"
    assert translation.wire.body == {
        "model": "claude-2.1",
        "prompt": "Be brief.\n\nHuman: Why?\n\nAssistant:",
        "max_tokens_to_sample": 8191,
        "stop_sequences": ["x"],
        "temperature": 0,
        "metadata": {"user_id": "u"},
    }
    assert fates(translation)["prompt"] == "emulated"
    as_it_is = "\n\nHuman: Why?\n\nAssistant: Because"
    assert completed(as_it_is).wire.body["prompt"] == as_it_is


def test_a_text_completion_speaks_the_old_version_whatever_the_connection_does():
    translation = completed("Why?", settings=NEW, temperature=0.5)
    assert translation.wire.headers == {"anthropic-version": "2023-06-01"}
    assert translation.wire.body["temperature"] == 0.5


@pytest.mark.parametrize(
    "model", ["claude-1", "claude-1.3", "claude-instant-1.2", "claude-2", "claude-2.0", "claude-2.1"]
)
def test_a_chat_with_an_old_model_is_one_prompt(model):
    messages = (Message("system", "Be brief."), Message("user", "Hi."), Message("assistant", "Hello."), *ASK)
    translation = made(model, messages)
    assert translation.wire.body["prompt"] == (
        "Be brief.\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: Why?\n\nAssistant:"
    )
    assert fates(translation)["chat"] == "emulated"
    with pytest.raises(UnsupportedError, match="ToolCall"):
        made(model, (Message("assistant", (ToolCall("a", "add", {}),)),))


def test_an_old_model_is_asked_through_messages_on_request():
    translation = made("claude-2.1", declared={"route": "messages"}, temperature=0.5)
    assert translation.wire.path == "/v1/messages"
    assert translation.wire.body["max_tokens"] == 8191
    with pytest.raises(UnsupportedError, match="tools"):
        made("claude-2.1", declared={"route": "messages"}, tools=(ADD,))
    assert completed("Why?", declared={"route": "messages"}).wire.body["messages"][0]["content"] == "Why?"


def test_a_completion_with_a_new_model_is_one_user_turn():
    assert completed("Why?", "claude-haiku-4-5").wire.body["messages"] == [
        {"role": "user", "content": "Why?"}
    ]


# -- the dialect of others ------------------------------------------------------------------------------------------


def test_a_service_that_resells_claude_says_what_differs():
    dialect = Dialect(
        id="acme", also=("anthropic",), name=lambda model: model.id.removeprefix("acme."), messages_path="/{model}/raw",
        stream_path="/{model}/stream", send_model=False, send_stream=False, body_version="acme-1", betas="body",
        count_path=None, complete_path=None, framing="aws_eventstream",
    )  # fmt: skip
    ref = ModelRef("acme.claude-opus-4-7")
    thinking = Thinking("Hm.", "anthropic", None, {"signature": "s"})
    messages = (*ASK, Message("assistant", (thinking, Text("So."))), *ASK)
    options = Options(extra={"acme": {"x": 1}, "anthropic": {"betas": ["b"]}})
    known = jackfield_anthropic.capabilities(dialect, ref)
    wire = translate_dialect(dialect, ref, ChatRequest(messages, options, stream=True), known).wire
    assert (wire.path, wire.framing, wire.headers) == ("/acme.claude-opus-4-7/stream", "aws_eventstream", {})
    assert wire.body["messages"][1]["content"][0]["signature"] == "s"
    assert {k: v for k, v in wire.body.items() if k != "messages"} == {
        "anthropic_version": "acme-1", "max_tokens": 128000, "x": 1, "anthropic_beta": ["b"],
    }  # fmt: skip
    assert known.parameters["temperature"].supported is False
    with pytest.raises(UnsupportedError, match="acme does not complete a text"):
        translate_dialect(dialect, ref, CompletionRequest("x"), known)
