"""The whole way over REST: mesh, core and plugin against a loopback account. SQL's whole way is in `test_sql.py`."""

from __future__ import annotations

import asyncio
import json
import math

import pytest
from meshes import config_for

from jackfield import (
    AuthenticationError,
    ConfigurationError,
    ContextLengthExceededError,
    InvalidRequestError,
    Mesh,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    Secret,
    TimeoutError,
    UnsupportedError,
)
from jackfield.testing import Answer

USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
SKY = "The sky scätters blue 🌤 light."
CLAUDE = "s:claude-sonnet-4-6"


def connection(server, **keys):
    return config_for("snowflake", server.url, "s", **{"token": Secret("t0ken-secret"), **keys})


def answer_of(route):
    if route == "messages":
        return Answer.json({"id": "1", "type": "message", "role": "assistant", "model": "m-1", "stop_reason": "end_turn",
                            "content": [{"type": "text", "text": SKY}], "usage": {"input_tokens": 12, "output_tokens": 5}})  # fmt: skip
    choice = {"index": 0, "message": {"role": "assistant", "content": SKY}}
    return Answer.json({"id": "1", "model": "m-1", "choices": [choice], "usage": USAGE})


def stream_of(route, **play):
    if route == "messages":
        return None
    base = {"id": "1", "model": "m-1", "created": 1}
    events = [
        {**base, "choices": [{"index": 0, "delta": {"content": text}}], "usage": {}}
        for text in (SKY[:9], SKY[9:])
    ]
    events.append({**base, "choices": [{"delta": {}}] if route == "complete" else [], "usage": USAGE})
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return Answer.stream(
        pieces + ([] if route == "complete" else [b"data: [DONE]\n\n"]), "text/event-stream", **play
    )


@pytest.mark.parametrize("route", ["openai", "messages", "complete"])
async def test_every_form_gives_the_same_answer(service, route):
    service.answer(answer_of(route))
    async with Mesh.from_config(connection(service, route=route)) as mesh:
        reply = await mesh.chat(CLAUDE, "Why?", max_tokens=99)
    assert (reply.text, reply.model, reply.finish_reason) == (SKY, "m-1", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (12, 5)
    headers = service.requests[0].headers
    assert headers["authorization"] == "Bearer t0ken-secret"
    assert headers["x-snowflake-authorization-token-type"] == "PROGRAMMATIC_ACCESS_TOKEN"


@pytest.mark.parametrize("route", ["openai", "complete"])
async def test_a_stream(service, route):
    service.answer(stream_of(route))
    async with Mesh.from_config(connection(service, route=route)) as mesh:
        async with mesh.stream_chat(CLAUDE, "Why?") as stream:
            texts = [event.text async for event in stream if type(event).__name__ == "TextDelta"]
    assert texts == [SKY[:9], SKY[9:]]
    reply = stream.response
    assert (reply.complete, reply.finish_reason, reply.usage.output_tokens) == (True, "stop", 5)
    assert service.requests[0].json["stream"] is True


async def test_a_stream_that_is_left_closes_the_upstream(service):
    service.answer(stream_of("complete", stall_after=1))
    async with Mesh.from_config(connection(service, route="complete")) as mesh:
        async with mesh.stream_chat(CLAUDE, "Why?") as stream:
            async for _ in stream:
                break
        await service.wait_disconnected()


async def test_a_cancelled_call_closes_the_upstream(service):
    service.answer(Answer(delay=math.inf))
    async with Mesh.from_config(connection(service)) as mesh:
        call = asyncio.create_task(mesh.chat(CLAUDE, "Why?"))
        await service.wait_requests()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await service.wait_disconnected()


@pytest.mark.parametrize("route", ["openai", "complete"])
async def test_embeddings(service, route):
    entries = [{"object": "embedding", "index": i, "embedding": [[0.5, float(i)]]} for i in (1, 0)]
    service.answer(
        Answer.json({"object": "list", "data": entries, "model": "e", "usage": {"total_tokens": 3}})
    )
    declared = [{"id": "e5-base-v2", "credits": {"input": "0.03"}}]
    async with Mesh.from_config(connection(service, route=route, models=declared)) as mesh:
        reply = await mesh.embed("s:e5-base-v2", ["a", "b"])
    assert [list(vector) for vector in reply.embeddings] == [[0.5, 0.0], [0.5, 1.0]]
    assert service.requests[0].json == {"model": "e5-base-v2", "text": ["a", "b"]}
    assert (reply.cost.status, reply.cost.currency, str(reply.cost.amount.normalize())) == (
        "complete",
        "credit",
        "9E-8",
    )
    with pytest.raises(UnsupportedError, match="truncates"):
        async with Mesh.from_config(connection(service)) as mesh:
            await mesh.embed("s:e5-base-v2", ["a"], truncate="error")


async def test_a_summary_over_rest_is_a_chat_or_needs_sql(service):
    service.answer(answer_of("openai"))
    async with Mesh.from_config(connection(service)) as mesh:
        assert (await mesh.summarize("s:mistral-7b", "Long.")).text == SKY
        with pytest.raises(UnsupportedError, match="SQL"):
            await mesh.summarize("s:summarize", "Long.")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": 'unknown model "x"'}, NotFoundError),
        (400, {"message": "model x unavailable in your region. To enable cross region inference, …"}, NotFoundError),
        (400, {"message": "max tokens of count exceeded", "request_id": "1"}, ContextLengthExceededError),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, ContextLengthExceededError),
        (401, {"code": "390144", "message": "JWT token is invalid. [1]"}, AuthenticationError),
        (400, {"code": "390142", "message": "Incoming request does not contain a valid payload."}, InvalidRequestError),
        (401, {"code": "390142", "message": "Incoming request does not contain a valid payload."}, InvalidRequestError),
        (400, {"code": "390400", "message": "Bad request."}, InvalidRequestError),
        (403, {"code": "390189", "message": "Role 'X' specified in the connect string does not exist or not authorized."}, PermissionDeniedError),
        (403, {"code": "390201", "message": "The requested warehouse does not exist or not authorized."}, PermissionDeniedError),
        (401, {"code": "390422", "message": "Incoming request with IP/Token 1.2.3.4 is not allowed to access Snowflake."}, PermissionDeniedError),
        (401, {"code": "390432", "message": "Network policy is required."}, PermissionDeniedError),
        (401, {"code": "390303", "message": "Invalid OAuth access token."}, AuthenticationError),
        (401, {"code": "394400", "message": "Programmatic access token is invalid."}, AuthenticationError),
        (400, {"message": "Input tokens exceeded the limit"}, ContextLengthExceededError),
        (402, {"message": "budget exceeded"}, QuotaExceededError),
        (429, {"message": "too many requests"}, RateLimitError),
        (503, {"message": "inference timed out"}, TimeoutError),
        (503, {"message": "busy"}, OverloadedError),
        (504, {}, TimeoutError),
    ],
)  # fmt: skip
async def test_errors(service, status, body, kind):
    service.answer(Answer.json(body, status, headers={"retry-after": "7"}))
    async with Mesh.from_config(connection(service, route="complete")) as mesh:
        with pytest.raises(kind) as caught:
            await mesh.chat(CLAUDE, "Why?")
    assert caught.value.status == status
    assert caught.value.retry_after == 7
    assert "t0ken-secret" not in repr(caught.value)


async def test_a_price_by_tokens_is_charged_alone(service):
    service.answer(answer_of("openai"))
    model = {
        "id": "mistral-7b",
        "credits": {"input": "1", "output": "1"},
        "price": {"input": "1", "output": "2"},
    }
    async with Mesh.from_config(connection(service, models=[model])) as mesh:
        reply = await mesh.chat("s:mistral-7b", "Why?")
    assert reply.usage.units["credit"]
    assert (reply.cost.status, reply.cost.currency, str(reply.cost.amount)) == ("complete", "USD", "0.000022")


@pytest.mark.parametrize("credits", [{"input": "x"}, {"inputs": "1"}, {"output": "-1"}])
def test_credits_that_are_no_amounts_are_refused_at_once(credits):
    model = {"id": "mistral-7b", "credits": credits}
    with pytest.raises(ConfigurationError, match="credits"):
        Mesh.from_config(
            {
                "connections": {
                    "s": {"provider": "snowflake", "account": "a", "token": "env:T", "models": [model]}
                }
            }
        )


async def test_an_error_that_echoes_the_token_does_not_show_it(service):
    service.answer(Answer.json({"message": "bad t0ken-secret"}, 403))
    async with Mesh.from_config(connection(service)) as mesh:
        with pytest.raises(Exception) as caught:
            await mesh.chat(CLAUDE, "Why?")
    assert "t0ken-secret" not in f"{caught.value} {caught.value.body}"


async def test_models_are_listed(service):
    service.answer(Answer.json({"models": [{"name": "mistral-large"}, {"name": "new"}]}))
    async with Mesh.from_config(connection(service)) as mesh:
        cards = {card.id: card for card in await mesh.models("s")}
    assert cards["mistral-large"].retired == "2026-07-10"
    assert set(cards) == {"mistral-large", "new"}
    assert service.requests[0].path_qs == "/api/v2/cortex/models"


def test_explain_shows_what_would_be_sent():
    config = {"connections": {"s": {"provider": "snowflake", "account": "Org-Acct", "token": "env:T"}}}
    plan = Mesh.from_config(config).explain(CLAUDE, "Why?", max_tokens=5)
    assert plan.url == "https://org-acct.snowflakecomputing.com/api/v2/cortex/v1/chat/completions"
    assert plan.headers["Authorization"] == "Bearer <env:T>"
    sql = {"connections": {"s": {"provider": "snowflake", "account": "a", "token": "env:T", "route": "sql"}}}
    plan = Mesh.from_config(sql).explain("s:mistral-7b", "Why?", temperature=0)
    assert plan.wire.body["bind"] == {
        "model": "mistral-7b",
        "prompt": "Why?",
        "model_parameters": {"temperature": 0},
    }


async def test_the_maker_of_a_model_behind_a_deployment_does_not_price_it(service):
    """The account pays credits. OpenAI's plugin knows a price of tokens; it is none of Snowflake's bill."""
    pytest.importorskip("jackfield_openai")
    service.answer(answer_of("complete"))
    models = [{"id": "mine", "underlying": "openai:gpt-5-mini", "kind": "chat"}]
    async with Mesh.from_config(connection(service, models=models)) as mesh:
        reply = await mesh.chat("s:mine", "Hi")
    assert (reply.cost.status, reply.cost.amount) == ("unknown", None)
