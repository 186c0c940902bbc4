"""The official SDK as oracle: it sends what we send, and it reads what our fake service answers.

Both clients talk to one loopback server; the answers are made up from the documented formats.
"""

import copy
import json
import warnings
from contextlib import asynccontextmanager
from pathlib import Path

import oracles
import pytest

from jackfield import Document, Image, Mesh, Message, RawPart, Text, Thinking, ToolCall, ToolResult
from jackfield.testing import Answer, RecordingServer

cohere = pytest.importorskip("cohere", reason="the official SDK is not installed")

WIRE = Path(__file__).parent / "wire"
MODEL = "command-a-plus-05-2026"
KEY = "made-up-key"
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TOOL = {"type": "function", "function": {"name": "add", "description": "Add.", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": SCHEMA}}
USER = [{"role": "user", "content": "Why?"}]


@asynccontextmanager
async def both(monkeypatch):
    """A loopback service, our mesh and the SDK's two clients, configured alike."""
    monkeypatch.setenv("CO_API_KEY", KEY)
    async with RecordingServer() as server:
        connection = {
            "provider": "cohere",
            "base_url": server.url,
            "api_key": "env:CO_API_KEY",
            "retry": {"attempts": 1},
        }
        config = {"connections": {"cohere": connection}}
        async with Mesh.from_config(config) as mesh:
            new, old = (
                cohere.AsyncClientV2(KEY, base_url=server.url),
                cohere.AsyncClient(KEY, base_url=server.url),
            )
            async with new, old:
                yield server, mesh, new, old


def difference(ours, theirs):
    said = dict(theirs.json or {})
    if said.get("stream") is False:  # the SDK sends the default, we do not
        del said["stream"]
    return oracles.difference(ours, theirs, said=said or None)


SAMPLING = {
    "temperature": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.25,
    "max_tokens": 9,
    "seed": 7,
}
EXTRA = {"safety_mode": "STRICT", "priority": 3, "citation_options": {"mode": "OFF"}}

# What our caller writes, and what the SDK's caller writes for the same.
CHATS = {
    "nothing": ({}, {}),
    "zero": ({"temperature": 0, "seed": 0, "top_k": 0}, {"temperature": 0, "seed": 0, "k": 0}),
    "sampling": (SAMPLING, SAMPLING),
    "p and k": ({"top_p": 0.9, "top_k": 40}, {"p": 0.9, "k": 40}),
    "stop": ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    "no stop": ({"stop": []}, {"stop_sequences": []}),
    "logprobs": ({"logprobs": True}, {"logprobs": True}),
    "no logprobs": ({"logprobs": False}, {"logprobs": False}),
    "tools": ({"tools": [TOOL, OTHER]}, {"tools": [TOOL, OTHER]}),
    "auto": ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL]}),
    "none": ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [TOOL], "tool_choice": "NONE"}),
    "required": ({"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL], "tool_choice": "REQUIRED"}),
    "named": ({"tools": [TOOL, OTHER], "tool_choice": "add"}, {"tools": [TOOL], "tool_choice": "REQUIRED"}),
    "strict": (
        {"tools": [{"type": "function", "function": {**TOOL["function"], "strict": True}}]},
        {"tools": [TOOL], "strict_tools": True},
    ),
    "json": ({"response_format": "json"}, {"response_format": {"type": "json_object"}}),
    "schema": (
        {"response_format": SCHEMA},
        {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
    ),
    "thinking": ({"reasoning": {"budget_tokens": 9}}, {"thinking": {"type": "enabled", "token_budget": 9}}),
    "no thinking": ({"reasoning": "none"}, {"thinking": {"type": "disabled"}}),
    "extra": ({"extra": {"cohere": EXTRA}}, EXTRA),
}

CALL = {"id": "add_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
MESSAGES = {
    "system": (
        [{"role": "system", "content": "Be brief."}, *USER],
        [{"role": "system", "content": "Be brief."}, *USER],
        {},
    ),
    "image": (
        [Message("user", (Text("What?"), Image(data=b"png", media_type="image/png", detail="low")))],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,cG5n", "detail": "low"},
                    },
                ],
            }
        ],
        {},
    ),
    "documents": (
        [
            Message(
                "user",
                (
                    Document(text="Blue.", name="Sky"),
                    RawPart("cohere", {"type": "document", "document": {"id": "d", "data": {"a": "b"}}}),
                    Text("Why?"),
                ),
            )
        ],
        USER,
        {"documents": [{"data": {"title": "Sky", "text": "Blue."}}, {"id": "d", "data": {"a": "b"}}]},
    ),
    "tools": (
        [
            Message("user", "Add."),
            Message(
                "assistant",
                (
                    Thinking("I add.", "cohere", data={"field": "tool_plan"}),
                    ToolCall("add_1", "add", {"a": 1}),
                ),
            ),
            ToolResult("add_1", "1"),
            Message("assistant", (Thinking("Hm.", "cohere"), Text("One."))),
            Message("user", "Why?"),
        ],
        [
            {"role": "user", "content": "Add."},
            {"role": "assistant", "tool_plan": "I add.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "add_1", "content": "1"},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "One."}],
            },
            *USER,
        ],
        {},
    ),
}


def whole(name):
    return Answer.json(json.loads((WIRE / name).read_bytes()))


async def pair(server, ours, theirs, answer):
    """Let both call; give the two requests and the two answers."""
    server.answer(answer, copy.copy(answer))
    replies = (await ours, await theirs)
    first, second = server.requests[-2:]
    return first, second, replies


async def test_the_comparison_can_fail(monkeypatch):
    async with both(monkeypatch) as (server, mesh, new, _):
        calls = (
            mesh.chat(f"cohere:{MODEL}", USER, temperature=0.5),
            new.chat(model=MODEL, messages=USER, temperature=0.6),
        )
        ours, theirs, _ = await pair(server, *calls, whole("json.json"))

    assert list(difference(ours, theirs)) == ["body"]


@pytest.mark.parametrize("name", CHATS)
@pytest.mark.parametrize("streamed", [False, True])
async def test_chat_is_the_same_request(monkeypatch, name, streamed):
    given, said = CHATS[name]
    async with both(monkeypatch) as (server, mesh, new, _):
        if not streamed:
            calls = mesh.chat(f"cohere:{MODEL}", USER, **given), new.chat(model=MODEL, messages=USER, **said)
            ours, theirs, _ = await pair(server, *calls, whole("json.json"))
        else:
            server.answer(*stream("json.sse"), *stream("json.sse"))
            async with mesh.stream_chat(f"cohere:{MODEL}", USER, **given) as events:
                async for _ in events:
                    pass
            async for _ in new.chat_stream(model=MODEL, messages=USER, **said):
                pass
            ours, theirs = server.requests

    assert difference(ours, theirs) == {}


@pytest.mark.parametrize("name", MESSAGES)
async def test_messages_are_the_same_request(monkeypatch, name):
    given, said, more = MESSAGES[name]
    async with both(monkeypatch) as (server, mesh, new, _):
        calls = mesh.chat(f"cohere:{MODEL}", given), new.chat(model=MODEL, messages=said, **more)
        ours, theirs, _ = await pair(server, *calls, whole("json.json"))

    assert difference(ours, theirs) == {}


V1_TOOL = {
    "name": "add",
    "description": "Add.",
    "parameter_definitions": {"name": {"type": "str", "required": True}},
}
V1 = {
    "nothing": ("Why?", {}, {}),
    "sampling": ("Why?", {**SAMPLING, "top_p": 0.9, "top_k": 4}, {**SAMPLING, "p": 0.9, "k": 4}),
    "stop": ("Why?", {"stop": ["a"]}, {"stop_sequences": ["a"]}),
    "system": ("Why?", {"system": "Be brief."}, {"preamble": "Be brief."}),
    "history": (
        [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}, *USER],
        {},
        {"chat_history": [{"role": "USER", "message": "Hi."}, {"role": "CHATBOT", "message": "Hello."}]},
    ),
    "documents": (
        [Message("user", (Document(text="Blue.", name="Sky"), Text("Why?")))],
        {},
        {"documents": [{"title": "Sky", "text": "Blue."}]},
    ),
    "tools": ("Why?", {"tools": [TOOL]}, {"tools": [V1_TOOL]}),
    "schema": (
        "Why?",
        {"response_format": SCHEMA},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
    ),
}


@pytest.mark.parametrize("name", V1)
async def test_chat_v1_is_the_same_request(monkeypatch, name):
    messages, given, said = V1[name]
    async with both(monkeypatch) as (server, _, __, old):
        models = [{"id": "command-r", "route": "v1"}]
        config = {
            "connections": {
                "c": {
                    "provider": "cohere",
                    "base_url": server.url,
                    "api_key": "env:CO_API_KEY",
                    "models": models,
                }
            }
        }
        async with Mesh.from_config(config) as mesh:
            calls = (
                mesh.chat("c:command-r", messages, **given),
                old.chat(model="command-r", message="Why?", **said),
            )
            ours, theirs, _ = await pair(server, *calls, whole("chat_v1.json"))

    assert difference(ours, theirs) == {}


async def test_tool_results_of_v1_are_the_same_request(monkeypatch):
    messages = [
        Message("user", "Add."),
        Message("assistant", (ToolCall("x", "add", {"a": 1}),)),
        ToolResult("x", "2"),
    ]
    call = {"name": "add", "parameters": {"a": 1}}
    history = [{"role": "USER", "message": "Add."}, {"role": "CHATBOT", "message": "", "tool_calls": [call]}]
    async with both(monkeypatch) as (server, _, __, old):
        models = [{"id": "command-r", "route": "v1"}]
        config = {
            "connections": {
                "c": {
                    "provider": "cohere",
                    "base_url": server.url,
                    "api_key": "env:CO_API_KEY",
                    "models": models,
                }
            }
        }
        async with Mesh.from_config(config) as mesh:
            theirs = old.chat(
                model="command-r",
                message="",
                chat_history=history,
                tool_results=[{"call": call, "outputs": [{"output": "2"}]}],
            )
            first, second, _ = await pair(
                server, mesh.chat("c:command-r", messages), theirs, whole("chat_v1.json")
            )

    assert difference(first, second) == {}


GENERATE = {
    "nothing": ({}, {}),
    "sampling": (
        {**SAMPLING, "top_p": 0.9, "top_k": 4, "n": 2},
        {**SAMPLING, "p": 0.9, "k": 4, "num_generations": 2},
    ),
    "hot": ({"temperature": 5}, {"temperature": 5}),
    "stop": ({"stop": ["a"]}, {"end_sequences": ["a"]}),
    "logprobs": ({"logprobs": True}, {"return_likelihoods": "GENERATION"}),
    "extra": ({"extra": {"cohere": {"truncate": "NONE"}}}, {"truncate": "NONE"}),
}


@pytest.mark.parametrize("name", GENERATE)
async def test_generate_is_the_same_request(monkeypatch, name):
    given, said = GENERATE[name]
    async with both(monkeypatch) as (server, mesh, _, old):
        calls = (
            mesh.complete("cohere:command", "Why?", **given),
            old.generate(model="command", prompt="Why?", **said),
        )
        ours, theirs, _ = await pair(server, *calls, whole("completion.json"))

    assert difference(ours, theirs) == {}


EMBED = {
    "query": (
        {"input_type": "query", "truncate": "end", "dimensions": 256},
        {"input_type": "search_query", "truncate": "END", "output_dimension": 256},
    ),
    "nothing": ({}, {"input_type": "search_document", "truncate": "NONE"}),
    "clustering": (
        {"input_type": "clustering", "truncate": "start"},
        {"input_type": "clustering", "truncate": "START"},
    ),
    "extra": (
        {"extra": {"cohere": {"max_tokens": 9}}},
        {"input_type": "search_document", "truncate": "NONE", "max_tokens": 9},
    ),
}


@pytest.mark.parametrize("name", EMBED)
async def test_embeddings_are_the_same_request(monkeypatch, name):
    given, said = EMBED[name]
    async with both(monkeypatch) as (server, mesh, new, _):
        theirs = new.embed(model="embed-v4.0", texts=["a", "b"], embedding_types=["base64"], **said)
        ours, theirs, replies = await pair(
            server, mesh.embed("cohere:embed-v4.0", ["a", "b"], **given), theirs, whole("embedding.json")
        )

    assert difference(ours, theirs) == {}
    assert replies[0].lists() == [[1.0, -2.0], [0.5, 0.25]]


async def test_the_other_endpoints_are_the_same_requests(monkeypatch):
    async with both(monkeypatch) as (server, mesh, new, old):
        calls = [
            (
                mesh.rerank("cohere:rerank-v3.5", "q", ["a", "b"], top_n=2),
                new.rerank(model="rerank-v3.5", query="q", documents=["a", "b"], top_n=2),
                "rerank.json",
            ),
            (
                mesh.summarize(
                    "cohere:command", "Long.", temperature=1, extra={"cohere": {"length": "short"}}
                ),
                old.summarize(model="command", text="Long.", temperature=1, length="short"),
                "summary.json",
            ),
            (
                mesh.count_tokens(f"cohere:{MODEL}", "Hello, world"),
                new.tokenize(model=MODEL, text="Hello, world", offline=False),
                "count.json",
            ),
        ]
        for ours, theirs, answer in calls:
            first, second, _ = await pair(server, ours, theirs, whole(answer))
            assert difference(first, second) == {}


# -- the SDK reads what our fakes answer ---------------------------------------------------------------------------


def stream(name):
    kind = "text/event-stream" if name.endswith("sse") else "application/stream+json"
    return [Answer.stream([(WIRE / name).read_bytes()], kind)]


async def test_the_sdk_reads_our_answers(monkeypatch):
    async with both(monkeypatch) as (server, _, new, old):
        server.answer(
            *(whole(name) for name in ("chat.json", "tools.json", "completion.json", "chat_v1.json"))
        )
        said = await new.chat(model=MODEL, messages=USER)
        called = await new.chat(model=MODEL, messages=USER)
        completed = await old.generate(model="command", prompt="Why?")
        old_said = await old.chat(model="command", message="Why?")

    assert [part.type for part in said.message.content] == ["thinking", "text"]
    assert said.message.citations[0].sources[0].document["title"] == "Optics"
    assert said.usage.cached_tokens == 448
    assert [call.function.name for call in called.message.tool_calls] == ["add", "now"]
    assert completed.generations[0].text == " Because of scättered light."
    assert old_said.citations[0].document_ids == ["doc_0"]


async def test_the_sdk_reads_our_streams(monkeypatch):
    async with both(monkeypatch) as (server, _, new, old):
        server.answer(*stream("chat.sse"), *stream("chat_v1.ndjson"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own reading of the end marker
            events = [event async for event in new.chat_stream(model=MODEL, messages=USER)]
        lines = [line async for line in old.chat_stream(model="command", message="Why?")]

    texts = [e.delta.message.content.text for e in events if e and e.type == "content-delta"]
    assert "".join(text for text in texts if text) == "The sky scätters blue 🌤 light."
    assert lines[-1].response.text == "The sky scätters blue 🌤 light."
