"""A conversation that one provider began goes on with every other.

Nothing is lost silently: what a service can be told is in the wire, what cannot travel is in the report.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from jackfield import (
    Image,
    Mesh,
    Message,
    Plan,
    RawPart,
    Registry,
    Secret,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)

REGISTRY = Registry.installed()
KEY = Secret("not-a-key")
PNG = b"\x89PNG\r\n\x1a\n-not-really-a-picture"

# What a connection of each provider needs to be declared; the rest need an `api_key` alone.
DECLARED: Mapping[str, Mapping[str, Any]] = {
    "onnx": {},
    "azure-openai": {
        "endpoint": "https://example.openai.azure.com",
        "api_key": KEY,
        "models": [{"id": "chat-model", "underlying": "gpt-4o", "kind": "chat"}],
    },
    "azure-llm": {
        "models": [
            {
                "id": "chat-model",
                "target_uri": "https://example.eastus2.models.ai.azure.com",
                "api_key": KEY,
                "kind": "chat",
                "capabilities": {"tools": True},
                "price": {"input": 1, "output": 1},
            }
        ],
    },
    "databricks": {"host": "https://example.cloud.databricks.com", "token": KEY},
    "snowflake": {"account": "org-account", "token": KEY},
    "vertex": {"project": "p", "location": "us-central1"},
    "bedrock": {"region": "eu-central-1", "api_key": KEY},
    "sagemaker": {
        "region": "eu-central-1",
        "models": [
            {"id": "chat-model", "mode": "openai", "kind": "chat", "price": {"input": 1, "output": 1}}
        ],
    },
}
# A model that may see pictures and call tools, where the table must know it to let it.
MODELS = {
    "openai": "gpt-4o",
    "anthropic": "claude-sonnet-4-5",
    "mistral": "mistral-large-latest",
    "cohere": "command-a-vision-07-2025",
    "databricks": "databricks-claude-sonnet-4",
    "snowflake": "claude-sonnet-4-6",
    "vertex": "gemini-2.5-flash",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "azure-openai": "chat-model",
    "azure-llm": "chat-model",
    "sagemaker": "chat-model",
    "onnx": "smollm2-135m",
}
# How each service names a tool call, and what its thinking carries.
CALL_IDS = {
    "openai": "call_9Jx2Qm4LzW8vT1",
    "anthropic": "toolu_01A09q90qw90lq917835lq9",
    "mistral": "D681PevKs",
    "cohere": "get_weather_4f2k1j0d8s1z",
    "vertex": "function-call-1234567890",
    "bedrock": "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q",
}
THINKING_DATA = {
    "anthropic": {"type": "thinking", "signature": "c2lnbmVkLWJ5LWFudGhyb3BpYw=="},
    "bedrock": {"signature": "c2lnbmVkLWJ5LWJlZHJvY2s="},
    "openai": {"type": "reasoning", "id": "rs_1", "encrypted_content": "b3BhcXVl"},
}


def chat_providers() -> list[str]:
    return [name for name in REGISTRY.provider_ids() if "chat" in REGISTRY.provider(name).info.kinds]


def history_of(author: str) -> list[Message]:
    """What a program holds after one turn with a tool at this provider."""
    call_id = CALL_IDS.get(author, "call_of_" + author)
    return [
        Message("system", "Answer like a sailor."),
        Message("user", (Text("Is it windy in Vlissingen?"), Image(data=PNG, media_type="image/png"))),
        Message(
            "assistant",
            (
                Thinking("I should look it up.", author, "its-model", THINKING_DATA.get(author)),
                Text("Let me look."),
                RawPart(author, {"type": "made_up_server_tool", "note": "only-" + author}),
                ToolCall(call_id, "get_weather", {"city": "Vlissingen", "unit": "Beaufort"}),
            ),
        ),
        Message("tool", (ToolResult(call_id, "wind force 7", name="get_weather"),)),
    ]


def explained(reader: str, history: list[Message]) -> Plan:
    connection = {"provider": reader, **DECLARED.get(reader, {"api_key": KEY})}
    mesh = Mesh.from_config({"connections": {"c": connection}}, registry=REGISTRY)
    tool = Tool(
        "get_weather", "Tell the weather.", {"type": "object", "properties": {"city": {"type": "string"}}}
    )
    target = f"c:{MODELS.get(reader, 'some-model')}"
    return mesh.explain(target, history, tools=[tool], max_tokens=64, unsupported="drop")


def dropped(plan: Plan) -> str:
    """Everything that the report says was left out, in one text."""
    return " ".join(f"{note.name} {note.why}" for note in plan.parameters if note.fate == "dropped").lower()


def strings_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in strings_in(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in strings_in(inner)]
    return []


PAIRS = [(author, reader) for author in chat_providers() for reader in chat_providers()]


@pytest.mark.parametrize(("author", "reader"), PAIRS, ids=[f"{a}-to-{r}" for a, r in PAIRS])
def test_a_history_travels(author: str, reader: str) -> None:
    history = history_of(author)
    before = repr(history)
    plan = explained(reader, history)
    body = json.dumps(plan.body, ensure_ascii=False, default=repr)
    report = dropped(plan)

    assert repr(history) == before, "the caller's history was changed"
    for words in ("Answer like a sailor.", "Is it windy in Vlissingen?", "Let me look."):
        assert words in body, f"{words!r} is not in the wire"
    if author != reader:
        assert "I should look it up." not in body, "thinking went to a provider that did not think it"
        assert "think" in report or "reasoning" in report, "foreign thinking was left out without a word"
        assert "only-" + author not in body, "a raw part went to a provider that cannot know it"
        assert "raw" in report or author in report, "a foreign raw part was left out without a word"
    else:
        told = "only-" + author in body or "raw" in report or "this part" in report
        assert told, "the provider's own raw part was lost silently"


@pytest.mark.parametrize(("author", "reader"), PAIRS, ids=[f"{a}-to-{r}" for a, r in PAIRS])
def test_pictures_and_tools_travel_or_are_reported(author: str, reader: str) -> None:
    plan = explained(reader, history_of(author))
    strings = strings_in(plan.body)
    report = dropped(plan)

    picture = base64.b64encode(PNG).decode()
    assert any(picture in text for text in strings) or "image" in report, "the picture was lost silently"
    has_tools = plan.capabilities.feature("tools").value is not False
    result_came = any("wind force 7" in text for text in strings)
    assert result_came or (not has_tools and "tool" in report), "the tool's result was lost silently"
    if result_came:
        assert any("get_weather" in text for text in strings), "the tool's call was lost"
        assert any(
            "Vlissingen" in text and "windy" not in text for text in strings
        ) or "Vlissingen" in json.dumps(plan.body, default=repr), "the call's arguments were lost"


@pytest.mark.parametrize(("author", "reader"), PAIRS, ids=[f"{a}-to-{r}" for a, r in PAIRS])
def test_a_call_and_its_result_keep_naming_each_other(author: str, reader: str) -> None:
    """Whatever a service wants an id to look like, the two stay a pair."""
    plan = explained(reader, history_of(author))
    if plan.capabilities.feature("tools").value is False:
        pytest.skip(f"{reader} has no tools in this model")
    ids = [text for text in strings_in(plan.body) if text == CALL_IDS.get(author, "call_of_" + author)]
    if len(ids) >= 2:
        return  # kept as it was
    # Rewritten (Mistral wants nine characters), or paired by name and order (Gemini).
    repeated = {text for text in strings_in(plan.body) if strings_in(plan.body).count(text) >= 2}
    assert repeated, "nothing ties the result to its call"
