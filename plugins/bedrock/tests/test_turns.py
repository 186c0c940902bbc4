"""Rules for turns: who begins, who may speak after a tool, and models without a system prompt."""

import pytest
from bedrock_requests import ADD, CLAUDE, HI, chat, fate

from jackfield import Message, Text, ToolCall, ToolResult, UnsupportedError

LARGE = "mistral.mistral-large-2407-v1:0"
CALLED = (
    *HI,
    Message("assistant", (ToolCall("a", "add", {}), ToolCall("b", "add", {}))),
    Message("tool", (ToolResult("a", "1"),)),
    Message("tool", (ToolResult("b", "2"),)),
)


def turns(translation):
    return [
        (message["role"], [next(iter(block)) for block in message["content"]])
        for message in translation.wire.body["messages"]
    ]


RESULTS = ("user", ["toolResult", "toolResult"])
BEGIN = [("user", ["text"]), ("assistant", ["toolUse", "toolUse"])]


@pytest.mark.parametrize(
    "model", [LARGE, f"eu.{LARGE}", "us.mistral.pixtral-large-2502-v1:0", "mistral.ministral-3-8b-instruct"]
)
@pytest.mark.parametrize("between", [(), (Message("assistant", ""),), (Message("assistant", " \n"),)])
def test_mistrals_models_hear_the_assistant_between_a_result_and_the_user(model, between):
    translation = chat(model, (*CALLED, *between, Message("user", "And now?")), tools=(ADD,))
    assert turns(translation) == [*BEGIN, RESULTS, ("assistant", ["text"]), ("user", ["text"])]
    assert translation.wire.body["messages"][-1]["content"] == [{"text": "And now?"}]
    assert fate(translation, "messages") == ("emulated", "OK.")
    assert all(fate(translation, f"messages[{4 + index}]")[0] == "dropped" for index in range(len(between)))


def test_it_is_refused_if_nothing_may_be_emulated():
    with pytest.raises(UnsupportedError, match="straight after a tool's result"):
        chat(LARGE, (*CALLED, Message("user", "And now?")), tools=(ADD,), emulate=False)


def test_results_alone_and_other_makers_need_no_bridge():
    assert turns(chat(LARGE, CALLED, tools=(ADD,))) == [*BEGIN, RESULTS]
    answered = (*CALLED, Message("assistant", "3"), Message("user", "Thanks."))
    assert turns(chat(LARGE, answered, tools=(ADD,)))[2:] == [
        RESULTS,
        ("assistant", ["text"]),
        ("user", ["text"]),
    ]
    joined = turns(chat(CLAUDE, (*CALLED, Message("user", "And now?")), tools=(ADD,)))
    assert joined == [*BEGIN, ("user", ["toolResult", "toolResult", "text"])]


@pytest.mark.parametrize(
    "model", [CLAUDE, LARGE, "amazon.nova-pro-v1:0", "us.meta.llama3-3-70b-instruct-v1:0"]
)
@pytest.mark.parametrize("before", [(), (Message("user", ""),)])
def test_a_conversation_begins_with_the_user(model, before):
    messages = (*before, Message("assistant", "Hello!"), Message("user", "Hi"))
    translation = chat(model, messages)
    assert turns(translation) == [("user", ["text"]), ("assistant", ["text"]), ("user", ["text"])]
    assert fate(translation, "messages")[0] == "emulated"
    with pytest.raises(UnsupportedError, match="begin with a turn of the user"):
        chat(model, messages, emulate=False)


@pytest.mark.parametrize(
    "model",
    [
        "mistral.mistral-7b-instruct-v0:2",
        "mistral.mixtral-8x7b-instruct-v0:1",
        "amazon.titan-text-express-v1",
    ],
)
def test_a_system_prompt_of_a_model_without_one_is_refused_or_dropped(model):
    for messages, options, name in (
        (HI, {"system": "Be brief."}, "system"),
        ((Message("system", (Text("Be brief."),)), *HI), {}, "messages[0]"),
    ):
        with pytest.raises(UnsupportedError):
            chat(model, messages, **options)
        translation = chat(model, messages, unsupported="drop", **options)
        assert "system" not in translation.wire.body
        assert fate(translation, name)[0] == "dropped"
