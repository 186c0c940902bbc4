"""The whole way: mesh, core and plugin against a loopback service."""

import asyncio
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from meshes import mesh_for

from jackfield import (
    AuthenticationError,
    Document,
    Mesh,
    Message,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    Text,
    ToolResult,
)
from jackfield.testing import Answer

WIRE = Path(__file__).parent / "wire"
COMMAND = "cohere:command-a-03-2025"
SKY = "The sky scätters blue 🌤 light."
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("add", "now")
]


def whole(name, **more):
    return Answer.json(orjson.loads((WIRE / name).read_bytes()), **more)


def streamed(name):
    return Answer.stream(
        [(WIRE / name).read_bytes()], "text/event-stream" if ".sse" in name else "application/stream+json"
    )


@pytest.fixture
async def mesh(service, monkeypatch):
    monkeypatch.setenv("CO_API_KEY", "made-up-key")
    keys = {"api_key": "env:CO_API_KEY", "client_name": "tests"}
    async with mesh_for("cohere", service.url, "cohere", **keys) as mesh:
        yield mesh


async def test_a_chat_and_what_it_costs(service, mesh):
    service.answer(whole("chat.json"))
    parts = (Document(text="The sky scatters.", name="Optics"), Text("Why?"))
    reply = await mesh.chat(COMMAND, [Message("user", parts)], temperature=0)

    assert (reply.text, reply.thinking, reply.finish_reason) == (SKY, "Rayleigh, of course.", "stop")
    assert [(c.text, c.title, c.source_id) for c in reply.citations] == [("sky", "Optics", "doc:0")]
    assert (reply.usage.input_tokens, reply.usage.cached_input_tokens) == (500, 448)
    # Billed are 5 and 9 of the tokens, not 500 and 14; nothing of it is cheaper for having been cached.
    assert reply.cost.amount == (5 * Decimal("2.5") + 9 * 10) / 1_000_000
    assert reply.cost.status == "complete"
    (request,) = service.requests
    assert request.headers["authorization"] == "Bearer made-up-key"
    assert request.headers["x-client-name"] == "tests"


@pytest.mark.parametrize(
    ("model", "name"), [("command-a-03-2025", "chat.sse"), ("command-light", "chat_v1.ndjson")]
)
async def test_a_stream(service, mesh, model, name):
    service.answer(streamed(name))
    async with mesh.stream_chat(f"cohere:{model}", "Why?") as stream:
        async for _ in stream:
            pass

    assert stream.response.text == SKY
    assert stream.response.complete
    assert stream.response.cost.status == "complete"


async def test_an_answer_goes_back_as_it_came(service, mesh):
    service.answer(whole("tools.json"), whole("chat.json"), whole("json.json"))
    user = {"role": "user", "content": "Add."}
    called = await mesh.chat(COMMAND, [user], tools=TOOLS)
    results = [ToolResult(call.id, "3") for call in called.tool_calls]
    said = await mesh.chat(COMMAND, [user, called.message, *results], tools=TOOLS)
    await mesh.chat(COMMAND, [user, called.message, *results, said.message, user], tools=TOOLS)

    sent = service.requests[2].json["messages"]
    assert sent[1]["tool_plan"] == "I will add."
    assert [call["id"] for call in sent[1]["tool_calls"]] == ["add_1", "now_1"]
    assert [message["tool_call_id"] for message in sent[2:4]] == ["add_1", "now_1"]
    assert sent[4]["content"] == orjson.loads((WIRE / "chat.json").read_bytes())["message"]["content"]


async def test_a_conversation_of_v1_goes_on(service, mesh, monkeypatch):
    config = {
        "provider": "cohere",
        "base_url": service.url,
        "api_key": "env:CO_API_KEY",
        "models": [{"id": "command-r", "route": "v1"}],
    }
    service.answer(streamed("tools_v1.ndjson"), whole("chat_v1.json"))
    async with Mesh.from_config({"connections": {"c": config}}) as old:
        async with old.stream_chat("c:command-r", "Add.", tools=TOOLS) as stream:
            async for _ in stream:
                pass
        reply = stream.response
        results = [ToolResult(call.id, "3") for call in reply.tool_calls]
        await old.chat("c:command-r", [{"role": "user", "content": "Add."}, reply.message, *results])

    sent = service.requests[1].json
    assert [one["call"]["name"] for one in sent["tool_results"]] == ["add", "now"]
    assert sent["tool_results"][0]["call"]["parameters"] == {"a": 1, "b": 2}


async def test_many_texts_are_sent_in_parts(service, mesh):
    def answer(count):
        vectors = [[float(i)] for i in range(count)]
        return Answer.json(
            {"embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": count}}}
        )

    service.answer(answer(96), answer(4))
    reply = await mesh.embed("cohere:embed-v4.0", [str(i) for i in range(100)])

    assert [len(request.json["texts"]) for request in service.requests] == [96, 4]
    assert len(reply.embeddings) == 100
    assert reply.usage.input_tokens == 100
    assert reply.cost.amount == Decimal("0.000012")


async def test_the_other_calls(service, mesh):
    service.answer(
        *(whole(name) for name in ("completion.json", "summary.json", "rerank.json", "count.json"))
    )

    assert (await mesh.complete("cohere:command", "Why?")).text == " Because of scättered light."
    summary = await mesh.summarize("cohere:command", "Long.")
    assert (summary.text, summary.cost.amount) == ("It is short.", Decimal("0.000329"))
    ranked = await mesh.rerank("cohere:rerank-v3.5", "q", ["a", "b"])
    assert [result.index for result in ranked.results] == [1, 0]
    assert ranked.cost.status == "unknown"
    assert (await mesh.count_tokens(COMMAND, "Hello, world")).input_tokens == 3


async def test_the_listing(service, mesh):
    first = {"models": [{"name": "command-a-03-2025", "endpoints": ["chat"], "context_length": 256000}]}
    entry = {
        "name": "mine",
        "endpoints": ["generate", "classify"],
        "context_length": 4096.0,
        "features": ["tools"],
    }
    service.answer(Answer.json({**first, "next_page_token": "t"}), Answer.json({"models": [entry]}))
    cards = await mesh.models("cohere")

    assert [(card.id, sorted(card.kinds)) for card in cards] == [
        ("command-a-03-2025", ["chat"]),
        ("mine", ["completion"]),
    ]
    assert cards[1].limits.context_window == 4096
    assert cards[1].capabilities.feature("tools").value is True
    assert cards[1].capabilities.feature("reasoning").value is False
    assert [request.path_qs for request in service.requests] == [
        "/v1/models?page_size=1000",
        "/v1/models?page_size=1000&page_token=t",
    ]


async def test_errors(service, mesh):
    service.answer(
        whole("no_key.json", status=401), whole("monthly.json", status=429), streamed("failed.sse")
    )
    with pytest.raises(AuthenticationError, match="no api key supplied"):
        await mesh.chat(COMMAND, "Why?")
    with pytest.raises(QuotaExceededError) as caught:
        await mesh.chat(COMMAND, "Why?")
    assert not caught.value.is_retryable
    with pytest.raises(ServerError, match="something went wrong") as failed:
        async with mesh.stream_chat(COMMAND, "Why?") as stream:
            async for _ in stream:
                pass
    assert failed.value.partial.text == "Be"


async def test_a_stream_that_is_cut(service, mesh):
    body = (WIRE / "chat.sse").read_bytes().partition(b"event: message-end")[0]
    service.answer(Answer.stream([body], "text/event-stream"))
    with pytest.raises(StreamInterruptedError):
        async with mesh.stream_chat(COMMAND, "Why?") as stream:
            async for _ in stream:
                pass


async def test_limits_of_rate_are_waited_for(service, monkeypatch):
    connection = {
        "provider": "cohere",
        "base_url": service.url,
        "api_key": "env:CO_API_KEY",
        "retry": {"attempts": 2},
    }
    refusal = Answer.json(
        {"message": "trial token rate limit exceeded"}, status=429, headers={"retry-after": "0"}
    )
    service.answer(refusal, whole("json.json"))
    monkeypatch.setenv("COHERE_API_KEY", "the-other-name")
    monkeypatch.delenv("CO_API_KEY", raising=False)
    async with Mesh.from_config({"connections": {"cohere": connection}}) as mesh:
        reply = await mesh.chat(COMMAND, "Why?")

    assert [attempt.error for attempt in reply.attempts] == [RateLimitError.__name__, None]
    assert service.requests[1].headers["authorization"] == "Bearer the-other-name"


async def test_leaving_a_stream_closes_it(service, mesh):
    service.answer(Answer.never())
    task = asyncio.create_task(mesh.chat(COMMAND, "Why?"))
    while not service.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
