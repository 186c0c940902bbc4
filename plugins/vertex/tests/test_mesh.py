"""The whole way: mesh, core and plugin against a loopback service."""

import asyncio
import json
from pathlib import Path

import pytest
from meshes import mesh_for

from jackfield import (
    ConfigurationError,
    ContentFilteredError,
    ContextLengthExceededError,
    Message,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
    ToolResult,
    UnknownTargetError,
    UnsupportedError,
)
from jackfield.plugin import ModelRef
from jackfield.testing import Answer
from jackfield_vertex import VertexSettings
from jackfield_vertex._names import path_of

WIRE = Path(__file__).parent / "wire"
FLASH = "g:gemini-2.5-flash"


def whole(name, status=200):
    return Answer.json(json.loads((WIRE / name).read_text("utf-8")), status)


def streamed(name, **play):
    end = b"\r\n\r\n" if b"\r\n" in (WIRE / name).read_bytes() else b"\n\n"
    blocks = [block + end for block in (WIRE / name).read_bytes().split(end) if block]
    return Answer.stream(blocks, "text/event-stream", **play)


@pytest.fixture
async def mesh(service, monkeypatch):
    monkeypatch.setenv("GOOGLE_TOKEN", "ya29.made-up")
    identities = {"g": {"kind": "google", "token": "env:GOOGLE_TOKEN"}}
    keys = {
        "credentials": "g", "project": "my-project", "location": "europe-west4", "safety": {"HARM_CATEGORY_HARASSMENT": "BLOCK_ONLY_HIGH"},
        "models": [
            "gemini-*", "claude-*", "chat-bison@002", "text-bison", "text-embedding-*",
            {"id": "1234567890", "underlying": "gemini-2.5-flash"},
        ],
    }  # fmt: skip
    async with mesh_for("vertex", service.url, "g", identities=identities, **keys) as mesh:
        yield mesh


async def collect(mesh, target, messages, **options):
    async with mesh.stream_chat(target, messages, **options) as stream:
        async for _ in stream:
            pass
    return stream.response


async def test_a_chat_and_what_it_costs(service, mesh):
    service.answer(whole("json.json"))
    reply = await mesh.chat(FLASH, "Who?", response_format="json")
    assert reply.parsed == {"name": "Åre"}
    # 3 in at 0.30, 4 out at 2.50 USD a million
    assert str(reply.cost.amount.normalize()) == "0.0000109"
    (request,) = service.requests
    assert request.path_qs == (
        "/v1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent"
    )
    assert request.headers["authorization"] == "Bearer ya29.made-up"
    assert request.json["safetySettings"] == [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}
    ]


PLACE = "/v1/projects/my-project/locations/europe-west4"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-2.5-flash/operations/1", "/publishers/google/models/gemini-2.5-flash%2Foperations%2F1"),
        ("gemini-2.5-flash:predict", "/publishers/google/models/gemini-2.5-flash%3Apredict"),
        ("endpoints/7", "/endpoints/7"),
        ("endpoints/7:predict", "/endpoints/7%3Apredict"),
        ("endpoints/7/x", "/publishers/google/models/endpoints%2F7%2Fx"),
        ("publishers/meta/models/llama@1", "/publishers/meta/models/llama@1"),
        ("publishers/google/models/x:predict", "/publishers/google/models/x%3Apredict"),
        ("publishers/google/locations/x", "/publishers/google/models/publishers%2Fgoogle%2Flocations%2Fx"),
        (
            "projects/example.com:p/locations/l/endpoints/1",
            "/v1/projects/example.com:p/locations/l/endpoints/1",
        ),
        (
            "projects/p/locations/l/endpoints/1:rawPredict",
            "/v1/projects/p/locations/l/endpoints/1%3ArawPredict",
        ),
    ],
)
def test_an_id_stays_in_its_place_and_names_no_method(model, path):
    settings = VertexSettings(project="my-project", location="europe-west4")
    place = "" if path.startswith("/v1/") else PLACE
    assert path_of(ModelRef(model, "v", "chat", settings=settings), "generateContent") == (
        f"{place}{path}:generateContent"
    )


@pytest.mark.parametrize(
    "model", ["..", "m/../x", "projects/p/../../x", "publishers/../models/x", "endpoints/.."]
)
def test_an_id_with_dot_segments_is_refused_by_the_plugin_itself(model):
    with pytest.raises(ConfigurationError, match="cannot stand in the path"):
        path_of(ModelRef(model, "v", "chat"), "generateContent")


async def test_an_allow_list_is_not_walked_past(service, mesh):
    for tail in ("/../../../anthropic/models/claude-opus-4", "?a=", "#", "%2e%2e", "\\..\\x", "//x", "/"):
        with pytest.raises(UnknownTargetError, match="is not valid as the id of a model"):
            await mesh.chat(f"{FLASH}{tail}", "hi")
    assert service.requests == []


async def test_a_streamed_chat(service, mesh):
    service.answer(streamed("chat.sse"))
    reply = await collect(mesh, FLASH, "Why?")
    assert (reply.text, reply.thinking) == ("The sky scätters blue 🌤 light.", "Rayleigh, of course.")
    assert service.requests[0].path_qs.endswith(":streamGenerateContent?alt=sse")


@pytest.mark.parametrize("name", ["chat", "tools", "grounded"])
@pytest.mark.parametrize("form", ["json", "sse"])
async def test_an_answer_goes_back_byte_for_byte(service, mesh, name, form):
    service.answer(streamed(f"{name}.sse") if form == "sse" else whole(f"{name}.json"), whole("chat.json"))
    reply = await collect(mesh, FLASH, "Go.") if form == "sse" else await mesh.chat(FLASH, "Go.")
    results = [ToolResult(call.id, "3") for call in reply.tool_calls]
    await mesh.chat(FLASH, [Message("user", "Go."), reply.message, *results])
    sent = service.requests[1].json["contents"]
    whole_answer = json.loads((WIRE / f"{name}.json").read_text("utf-8"))
    assert sent[1] == whole_answer["candidates"][0]["content"]
    if results:
        assert [part["functionResponse"]["name"] for part in sent[2]["parts"]] == ["add", "now"]


async def test_grounding_is_cited(service, mesh):
    service.answer(whole("grounded.json"))
    reply = await mesh.chat(FLASH, "Why?")
    (cited,) = reply.citations
    assert (cited.text, cited.url, cited.start, cited.end) == (
        "It is scättered.", "https://example.org/sky", 0, 16,
    )  # fmt: skip


async def test_claude_speaks_its_own_dialect(service, mesh):
    service.answer(whole("claude.json"), streamed("claude.sse"), Answer.json({"input_tokens": 5}))
    model = "g:claude-sonnet-4-6"
    assert (await mesh.chat(model, "Why?", max_tokens=9)).text == "Because of scättered light."
    extra = {"vertex": {"service_tier": "auto"}}
    assert (await collect(mesh, model, "Why?", max_tokens=9, extra=extra)).finish_reason == "stop"
    assert (await mesh.count_tokens(model, "Why?")).input_tokens == 5
    first, second, third = service.requests
    assert first.path_qs.endswith("/publishers/anthropic/models/claude-sonnet-4-6:rawPredict")
    assert first.json == {
        "anthropic_version": "vertex-2023-10-16", "max_tokens": 9, "messages": [{"role": "user", "content": "Why?"}],
    }  # fmt: skip
    assert second.path_qs.endswith(":streamRawPredict")
    assert (second.json["stream"], second.json["service_tier"]) == (True, "auto")
    assert third.path_qs.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert third.json["model"] == "claude-sonnet-4-6"


async def test_what_gemini_said_goes_on_with_claude_and_back(service, mesh):
    """Both answer through one connection, yet neither is sent what only the other reads."""
    thought = {
        **json.loads((WIRE / "claude.json").read_text("utf-8")),
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "text", "text": "Ah."},
        ],
    }
    service.answer(whole("chat.json"), Answer.json(thought), whole("chat.json"), Answer.json(thought))
    talk = [Message("user", "Why?")]
    for target in (FLASH, "g:claude-sonnet-4-5@20250929", FLASH, "g:claude-sonnet-4-5@20250929"):
        reply = await mesh.chat(target, talk)
        talk = [*talk, reply.message, Message("user", "And?")]
    sent = [request.json for request in service.requests]
    assert sent[1]["messages"][1]["content"] == "The sky scätters blue 🌤 light."
    assert "Hm." not in json.dumps(sent[2])
    assert sent[3]["messages"][3]["content"] == thought["content"]
    assert "thoughtSignature" not in json.dumps(sent[3])
    assert "thoughtSignature" in json.dumps(sent[2])


async def test_palm(service, mesh):
    service.answer(whole("bison.json"), streamed("bison.sse"), whole("text_bison.json"))
    reply = await mesh.chat("g:chat-bison@002", "Why?", system="Be brief.", max_tokens=5)
    assert (reply.text, reply.finish_reason) == ("Because of light.", "length")
    streamed_reply = await collect(mesh, "g:chat-bison@002", "Why?", temperature=0.2)
    assert streamed_reply.text == "Because of light."
    assert (await mesh.complete("g:text-bison", "Why?", stop="x")).text == "Because of light."
    chat, stream, text = service.requests
    assert chat.json["instances"] == [
        {"context": "Be brief.", "messages": [{"author": "user", "content": "Why?"}]}
    ]
    assert stream.path_qs.endswith(":serverStreamingPredict?alt=sse")
    assert stream.json["parameters"] == {"structVal": {"temperature": {"floatVal": [0.2]}}}
    assert text.json == {"instances": [{"prompt": "Why?"}], "parameters": {"stopSequences": ["x"]}}


async def test_a_tuned_model_is_an_endpoint(service, mesh):
    service.answer(whole("chat.json"))
    await mesh.chat("g:1234567890", "Why?", reasoning="low", unsupported="drop")
    (request,) = service.requests
    assert "/locations/europe-west4/endpoints/1234567890:generateContent" in request.path_qs
    assert request.json["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 1024}


async def test_embeddings_are_cut_into_requests(service, mesh):
    service.answer(whole("embedding.json"), whole("embedding.json"))
    reply = await mesh.embed("g:gemini-embedding-001", ["a", "b"])
    assert reply.lists() == [[0.5, -0.25]] * 2
    assert reply.usage.input_tokens == 6
    assert all(request.json["parameters"] == {"autoTruncate": False} for request in service.requests)


async def test_errors(service, mesh):
    service.answer(whole("blocked.json"), whole("too_long.json", 400), whole("busy.json", 429))
    with pytest.raises(ContentFilteredError):
        await mesh.chat(FLASH, "Why?")
    with pytest.raises(ContextLengthExceededError):
        await mesh.chat(FLASH, "Why?")
    with pytest.raises(RateLimitError) as caught:
        await mesh.chat(FLASH, "Why?")
    assert caught.value.retry_after == 23
    with pytest.raises(UnsupportedError):
        await mesh.chat(FLASH, "Why?", temperature=3)


async def test_an_error_inside_a_stream_keeps_what_had_come(service, mesh):
    service.answer(streamed("overloaded.sse"))
    with pytest.raises(OverloadedError) as caught:
        await collect(mesh, FLASH, "Why?")
    assert caught.value.partial.text == "The sky"


async def test_a_stream_without_its_end_is_interrupted(service, mesh):
    blocks = (WIRE / "chat.sse").read_bytes().split(b"\r\n\r\n")
    service.answer(Answer.stream([b"\r\n\r\n".join(blocks[:3]) + b"\r\n\r\n"], "text/event-stream"))
    with pytest.raises(StreamInterruptedError):
        await collect(mesh, FLASH, "Why?")


async def test_an_error_that_comes_as_an_array(service, mesh):
    failure = json.loads((WIRE / "too_long.json").read_text("utf-8"))
    service.answer(Answer.json([failure], 400))
    with pytest.raises(ContextLengthExceededError):
        await collect(mesh, FLASH, "Why?")


async def test_who_leaves_closes_the_upstream(service, mesh):
    service.answer(streamed("chat.sse", stall_after=2))
    async with mesh.stream_chat(FLASH, "Why?") as stream:
        async for _ in stream:
            break
    await service.wait_disconnected()
    assert stream.response.complete is False
    service.answer(Answer.never())
    task = asyncio.create_task(mesh.chat(FLASH, "Why?"))
    await service.wait_requests(2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.wait_disconnected(count=2)
