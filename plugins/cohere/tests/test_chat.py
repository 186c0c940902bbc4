"""Translate chats for v2: options, tools, structured output, thinking."""

import copy

import pytest
from cohere_requests import ADD, chat, fates, made

from jackfield import Document, Message, Reasoning, Text, Tool, UnsupportedError
from jackfield.plugin import ChatRequest, Options
from jackfield.testing import no_sockets


@pytest.mark.parametrize(
    ("model", "option", "value"),
    [
        ("command-a-03-2025", "temperature", 1.5),
        ("command-a-03-2025", "top_p", 1.0),
        ("command-a-03-2025", "top_k", 501),
        ("command-a-03-2025", "max_tokens", 8001),
        ("command-a-03-2025", "stop", tuple("abcdef")),
        ("command-a-03-2025", "frequency_penalty", -1),
        ("command-a-03-2025", "n", 2),
        ("command-a-03-2025", "top_logprobs", 2),
        ("command-a-03-2025", "logit_bias", {"1": 1}),
        ("command-a-03-2025", "user", "u"),
        ("command-a-03-2025", "parallel_tool_calls", False),
        ("command-a-03-2025", "reasoning", Reasoning(effort="high")),
        ("command", "temperature", 1.5),
        ("command", "n", 2),
        ("command", "tools", (ADD,)),
        ("command", "response_format", "json"),
        ("command", "logprobs", True),
    ],
)
def test_what_a_chat_model_cannot_honour(model, option, value):
    with pytest.raises(UnsupportedError, match=option.split("_", maxsplit=1)[0]):
        chat(model=model, **{option: value})

    sent = chat(model=model, unsupported="drop", **{option: value})
    assert fates(sent)[option] in {"clamped", "dropped"}


def test_a_model_that_nobody_knows_gets_everything():
    given = {"temperature": 9, "top_p": 5, "top_k": 9999, "stop": tuple("abcdefgh")}
    body = chat(model="someone-s-own", **given).wire.body

    assert body == {
        "model": "someone-s-own",
        "messages": [{"role": "user", "content": "Why?"}],
        "temperature": 9,
        "p": 5,
        "k": 9999,
        "stop_sequences": list("abcdefgh"),
    }


def test_a_tool_is_forced_by_name_by_offering_it_alone():
    sent = chat(tools=(ADD, Tool("now")), tool_choice="add")

    assert [tool["function"]["name"] for tool in sent.wire.body["tools"]] == ["add"]
    assert sent.wire.body["tool_choice"] == "REQUIRED"
    assert fates(sent)["tool_choice"] == "emulated"


def test_command_r_of_2024_chooses_freely():
    for choice in ("required", "none", "add"):
        with pytest.raises(UnsupportedError):
            chat(model="command-r-08-2024", tools=(ADD,), tool_choice=choice)
    assert "tool_choice" not in chat(model="command-r-08-2024", tools=(ADD,), tool_choice="auto").wire.body


def test_one_strict_tool_makes_all_strict():
    sent = chat(tools=(Tool("add", strict=True), Tool("now")))

    assert sent.wire.body["strict_tools"] is True
    assert fates(sent)["tools.strict"] == "emulated"


def test_efforts_are_a_switch():
    sent = chat(model="command-a-reasoning-08-2025", reasoning=Reasoning(effort="low", budget_tokens=5))

    assert sent.wire.body["thinking"] == {"type": "enabled", "token_budget": 5}
    assert fates(sent)["reasoning.effort"] == "clamped"


def test_json_and_documents_exclude_each_other():
    shown = (Message("user", (Document(text="a"), Text("Why?"))),)
    with pytest.raises(UnsupportedError, match="documents"):
        chat(shown, response_format="json")


def test_extra_is_merged():
    sent = chat(extra={"cohere": {"safety_mode": "OFF"}, "openai": {"store": True}})

    assert sent.wire.body["safety_mode"] == "OFF"
    assert "store" not in sent.wire.body


def test_translation_is_pure():
    request = ChatRequest(
        (Message("user", (Text("a"), Document(text="b"))),), Options(tools=(ADD,), stop=("x",))
    )
    before = copy.deepcopy(request)
    with no_sockets():
        first, second = made(request), made(request)

    assert first == second
    assert request == before
