"""The official SDK as oracle: google-genai sends what we send, and reads what our fake service answers.

Both clients talk to one loopback server; the answers are samples written by us from the documented formats.
"""

import copy
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from oracles import difference

from jackfield import (
    Audio,
    Document,
    Image,
    Mesh,
    Message,
    RawPart,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from jackfield.testing import Answer, RecordingServer

genai = pytest.importorskip("google.genai")
credentials_of = pytest.importorskip("google.oauth2.credentials")
types = genai.types

# The SDK's own, about its own HTTP client.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")

WIRE = Path(__file__).parent / "wire"
SCHEMA = {
    "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False,
}  # fmt: skip
TOOL = Tool("add", "Add.", SCHEMA)
DECLARED = [
    {"function_declarations": [{"name": "add", "description": "Add.", "parameters_json_schema": SCHEMA}]}
]
WHY = [{"role": "user", "parts": [{"text": "Why?"}]}]
MODEL = "gemini-2.5-flash"


def whole(name):
    return Answer.json(json.loads((WIRE / name).read_text("utf-8")))


def streamed(name):
    blocks = [block + b"\r\n\r\n" for block in (WIRE / name).read_bytes().split(b"\r\n\r\n") if block]
    return Answer.stream(blocks, "text/event-stream")


@asynccontextmanager
async def both(monkeypatch, location="europe-west4"):
    """A loopback service, our mesh and the SDK, configured alike."""
    monkeypatch.setenv("GOOGLE_TOKEN", "ya29.made-up")
    async with RecordingServer() as server:
        config = {
            "credentials": {"g": {"kind": "google", "token": "env:GOOGLE_TOKEN"}},
            "connections": {
                "g": {
                    "provider": "vertex", "credentials": "g", "project": "my-project", "location": location,
                    "base_url": server.url,
                }
            },
        }  # fmt: skip
        client = genai.Client(
            vertexai=True,
            project="my-project",
            location=location,
            credentials=credentials_of.Credentials("ya29.made-up"),
            http_options={"base_url": server.url, "api_version": "v1"},
        )
        async with Mesh.from_config(config) as mesh:
            try:
                yield server, mesh, client.aio
            finally:
                await client.aio.aclose()
                client.close()


def alike(body):
    """Write a body of the SDK's as we write it, where the service reads both alike.

    The SDK writes a role on the system instruction, which is ignored; an empty generationConfig; some names in
    snake_case; base64 in the alphabet for addresses; and functions behind the service's own tools.
    """
    body = camel(copy.deepcopy(body))
    body.get("systemInstruction", {}).pop("role", None)
    if body.get("generationConfig") == {}:
        del body["generationConfig"]
    if "tools" in body:
        body["tools"] = sorted(body["tools"], key=lambda tool: "functionDeclarations" not in tool)
    return body


def camel(value):
    if isinstance(value, list):
        return [camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for name, inner in value.items():
        head, *rest = name.split("_")
        key = head + "".join(word.title() for word in rest)
        made[key] = inner.translate(str.maketrans("-_", "+/")) if key == "data" else camel(inner)
    return made


# What our caller writes, and the config that the SDK's caller writes for the same.
OPTIONS = {
    "nothing": ({}, {}),
    "max_tokens": ({"max_tokens": 9}, {"max_output_tokens": 9}),
    "zero": ({"temperature": 0}, {"temperature": 0}),
    "sampling": ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}),
    "n and seed": ({"n": 2, "seed": 7}, {"candidate_count": 2, "seed": 7}),
    "stop": ({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    "penalties": (
        {"presence_penalty": 0.5, "frequency_penalty": -1},
        {"presence_penalty": 0.5, "frequency_penalty": -1},
    ),
    "logprobs": ({"logprobs": True, "top_logprobs": 3}, {"response_logprobs": True, "logprobs": 3}),
    "system": ({"system": "Be brief."}, {"system_instruction": "Be brief."}),
    "tools": ({"tools": [TOOL]}, {"tools": DECLARED}),
    "auto": (
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": DECLARED, "tool_config": {"function_calling_config": {"mode": "AUTO"}}},
    ),
    "none": (
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": DECLARED, "tool_config": {"function_calling_config": {"mode": "NONE"}}},
    ),
    "required": (
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": DECLARED, "tool_config": {"function_calling_config": {"mode": "ANY"}}},
    ),
    "named": (
        {"tools": [TOOL], "tool_choice": "add"},
        {
            "tools": DECLARED,
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["add"]}},
        },
    ),
    "server tool": (
        {"tools": [TOOL], "extra": {"vertex": {"tools": [{"googleSearch": {}}]}}},
        {"tools": [*DECLARED, {"google_search": {}}]},
    ),
    "json": ({"response_format": "json"}, {"response_mime_type": "application/json"}),
    "schema": (
        {"response_format": SCHEMA},
        {"response_mime_type": "application/json", "response_json_schema": SCHEMA},
    ),
    "budget": ({"reasoning": {"budget_tokens": 99}}, {"thinking_config": {"thinking_budget": 99}}),
    "no thinking": ({"reasoning": "none"}, {"thinking_config": {"thinking_budget": 0}}),
    "shown thinking": ({"reasoning": {"summary": "auto"}}, {"thinking_config": {"include_thoughts": True}}),
    "hidden thinking": ({"reasoning": {"summary": False}}, {"thinking_config": {"include_thoughts": False}}),
    "safety": (
        {"extra": {"vertex": {"safetySettings": [
            {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}}},
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    ),
    "cache and labels": (
        {"extra": {"vertex": {"cachedContent": "projects/p/locations/l/cachedContents/1", "labels": {"team": "a"}}}},
        {"cached_content": "projects/p/locations/l/cachedContents/1", "labels": {"team": "a"}},
    ),
}  # fmt: skip
PNG = b"\x89PNG-made-up"
SIGNED = {"vertex": {"thoughtSignature": "c2ln"}}
CONVERSATIONS = {
    "files": (
        [
            Message(
                "user",
                (
                    Text("What?"),
                    Image(data=PNG, media_type="image/png"),
                    Document(url="gs://bucket/a.pdf"),
                    Audio(url="https://example.com/a.mp3"),
                ),
            )
        ],
        [
            {
                "role": "user",
                "parts": [
                    {"text": "What?"},
                    {"inline_data": {"mime_type": "image/png", "data": PNG}},
                    {"file_data": {"mime_type": "application/pdf", "file_uri": "gs://bucket/a.pdf"}},
                    {"file_data": {"mime_type": "audio/mpeg", "file_uri": "https://example.com/a.mp3"}},
                ],
            }
        ],
    ),
    "tool round": (
        [
            Message("user", "Add."),
            Message(
                "assistant",
                (
                    Thinking("Hm.", "vertex", MODEL),
                    Text("I add.", provider_data=SIGNED),
                    ToolCall("1", "add", {"name": "x"}, None, SIGNED),
                    ToolCall("2", "sub", {}),
                    RawPart("vertex", {"executableCode": {"language": "PYTHON", "code": "1"}}),
                ),
            ),
            # Given in another order than asked for: the service wants them in the order of the calls.
            ToolResult("2", (Text("no"),), is_error=True),
            ToolResult("1", "3"),
        ],
        [
            {"role": "user", "parts": [{"text": "Add."}]},
            {
                "role": "model",
                "parts": [
                    {"text": "Hm.", "thought": True},
                    {"text": "I add.", "thought_signature": b"sig"},
                    {"function_call": {"name": "add", "args": {"name": "x"}}, "thought_signature": b"sig"},
                    {"function_call": {"name": "sub", "args": {}}},
                    {"executable_code": {"language": "PYTHON", "code": "1"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"function_response": {"name": "add", "response": {"result": "3"}}},
                    {"function_response": {"name": "sub", "response": {"error": "no"}}},
                ],
            },
        ],
    ),
}


async def ask(mesh, client, model, messages, contents, ours, theirs, *, stream):
    if not stream:
        await mesh.chat(f"g:{model}", messages, **ours)
        await client.models.generate_content(model=model, contents=contents, config=theirs)
        return
    async with mesh.stream_chat(f"g:{model}", messages, **ours) as events:
        async for _ in events:
            pass
    async for _ in await client.models.generate_content_stream(model=model, contents=contents, config=theirs):
        pass


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", OPTIONS)
async def test_options_are_sent_as_the_sdk_sends_them(monkeypatch, case, stream):
    ours, theirs = OPTIONS[case]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*[streamed("chat.sse") if stream else whole("chat.json")] * 2)
        await ask(mesh, client, MODEL, "Why?", WHY, ours, {**theirs, **NO_LOOP}, stream=stream)
        compare(server)


# The SDK would call functions by itself.
NO_LOOP = {"automatic_function_calling": {"disable": True}}


def compare(server):
    ours, theirs = server.requests
    found = difference(ours, theirs)
    if "body" in found and found["body"][0] == alike(found["body"][1]):
        del found["body"]
    assert not found


@pytest.mark.parametrize("case", CONVERSATIONS)
async def test_conversations_are_sent_as_the_sdk_sends_them(monkeypatch, case):
    messages, contents = CONVERSATIONS[case]
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole("chat.json"), whole("chat.json"))
        await ask(mesh, client, MODEL, messages, contents, {}, {}, stream=False)
        compare(server)


@pytest.mark.parametrize(
    "model",
    ["projects/p/locations/l/endpoints/7", "publishers/google/models/gemini-2.5-pro", "gemini-1.5-pro-002"],
)
async def test_models_stand_in_the_path_as_the_sdk_writes_them(monkeypatch, model):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole("chat.json"), whole("chat.json"))
        await ask(mesh, client, model, "Why?", WHY, {}, {}, stream=False)
        compare(server)


async def test_a_level_of_thinking(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole("chat.json"), whole("chat.json"))
        theirs = {"thinking_config": {"thinking_level": "LOW"}}
        await ask(mesh, client, "gemini-3-pro", "Why?", WHY, {"reasoning": "low"}, theirs, stream=False)
        compare(server)


async def test_counts_are_asked_and_read_alike(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole("count.json"), whole("count.json"))
        ours = await mesh.count_tokens(f"g:{MODEL}", "Why?", system="Be brief.", tools=[TOOL])
        config = {"system_instruction": "Be brief.", "tools": DECLARED}
        theirs = await client.models.count_tokens(model=MODEL, contents=WHY, config=config)
        compare(server)
        assert (ours.input_tokens, ours.exact) == (theirs.total_tokens, True)


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("text-embedding-005", "embedding.json"),
        ("gemini-embedding-001", "embedding.json"),
        ("gemini-embedding-2", "embed_content.json"),
    ],
)
async def test_embeddings_are_asked_and_read_alike(monkeypatch, model, answer):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole(answer), whole(answer))
        ours = await mesh.embed(f"g:{model}", ["a"], dimensions=2, input_type="query", truncate="error")
        config = {"task_type": "RETRIEVAL_QUERY", "output_dimensionality": 2, "auto_truncate": False}
        theirs = await client.models.embed_content(model=model, contents="a", config=config)
        first, second = (dict(request.json) for request in server.requests)
        second.get("content", {}).pop("role", None)  # ignored for the one text that is embedded
        assert first == second
        assert server.requests[0].path_qs == server.requests[1].path_qs
        assert ours.lists() == [theirs.embeddings[0].values]


async def test_answers_are_read_as_the_sdk_reads_them(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(*[whole("tools.json")] * 2, *[whole("chat.json")] * 2)
        ours = await mesh.chat(f"g:{MODEL}", "Add.")
        theirs = await client.models.generate_content(model=MODEL, contents=WHY)
        assert [(c.name, dict(c.arguments)) for c in ours.tool_calls] == [
            (c.name, c.args) for c in theirs.function_calls
        ]
        assert (ours.id, ours.model) == (theirs.response_id, theirs.model_version)
        ours = await mesh.chat(f"g:{MODEL}", "Why?")
        theirs = await client.models.generate_content(model=MODEL, contents=WHY)
        assert ours.text == theirs.text
        assert ours.usage.total_tokens == theirs.usage_metadata.total_token_count


async def test_streams_are_read_as_the_sdk_reads_them(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(streamed("chat.sse"), streamed("chat.sse"))
        async with mesh.stream_chat(f"g:{MODEL}", "Why?") as stream:
            async for _ in stream:
                pass
        chunks = [c async for c in await client.models.generate_content_stream(model=MODEL, contents=WHY)]
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
        assert stream.response.text == "".join(part.text for part in parts if not part.thought)
        assert stream.response.thinking == "".join(part.text for part in parts if part.thought)


async def test_the_comparison_can_fail(monkeypatch):
    async with both(monkeypatch) as (server, mesh, client):
        server.answer(whole("chat.json"), whole("chat.json"))
        await ask(
            mesh, client, MODEL, "Why?", WHY, {"max_tokens": 9}, {"max_output_tokens": 10}, stream=False
        )
        assert set(difference(*server.requests)) == {"body"}
        with pytest.raises(AssertionError):
            compare(server)


@pytest.mark.parametrize("name", ["chat.json", "tools.json", "grounded.json", "blocked.json"])
def test_our_samples_are_answers_by_the_sdks_types(name):
    """A field that the published types do not know would be a mistake of ours."""
    types.GenerateContentResponse.model_validate_json((WIRE / name).read_text("utf-8"))
