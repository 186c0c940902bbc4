"""The Responses API over WebSockets, against a loopback server. Its answers are made up from the documented formats."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web
from openai import AsyncOpenAI
from openai_oracle import RESPONSE

from jackfield import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    Mesh,
    NotFoundError,
    ProviderError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    TextDelta,
    TimeoutError,
)
from jackfield_openai._websocket import _id_in

MODEL = "openai:gpt-5.2"
USER = [{"role": "user", "content": "Why?"}]


def events(identity="resp_1", *, store=True):
    started = {**RESPONSE, "id": identity, "status": "in_progress", "output": [], "store": store}
    text = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    all_ = [
        {"type": "response.created", "response": started},
        *({**text, "delta": piece} for piece in ("Be", "cause", ".")),
        {"type": "response.completed", "response": {**RESPONSE, "id": identity, "store": store}},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(all_)]


def error(code, message="no", number=400):
    return {
        "type": "error",
        "status": number,
        "error": {"code": code, "message": message, "type": "invalid_request_error"},
    }


CLOSE, HANG, CUT = "close", "hang", "cut"


class Service:
    """A loopback service: what it was asked on which socket, and what it answers."""

    def __init__(self):
        self.sockets = []
        self.asked = []  # (number of the socket, message)
        self.handshakes = []
        self.script = []
        self.refusals = []
        self.ended = []

    def play(self, *steps):
        """Answer the next request by events, and by closing or hanging."""
        self.script.append(steps)

    async def handle(self, request):
        self.handshakes.append(request)
        if self.refusals:
            return self.refusals.pop(0)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({**RESPONSE, "store": True})
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        number = len(self.sockets)
        self.sockets.append(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.asked.append((number, json.loads(message.data)))
                    steps = self.script.pop(0) if self.script else events(f"resp_{len(self.asked)}")
                    await self.answer(socket, request, steps)
        finally:
            self.ended.append((number, socket.close_code))
        return socket

    async def answer(self, socket, request, steps):
        for step in steps:
            if step == CLOSE:
                await socket.close(code=1011, message=b"restart")
            elif step == CUT:
                request.transport.abort()
            elif step != HANG:
                await socket.send_str(json.dumps(step))

    def bodies(self):
        return [message for _, message in self.asked]


@asynccontextmanager
async def served(**keys):
    service = Service()
    application = web.Application()
    application.router.add_route("*", "/v1/responses", service.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    connection = {"provider": "openai", "base_url": address, "api_key": "env:OPENAI_API_KEY", "transport": "websocket",
        "organization": "org-1", "retry": {"attempts": 1}, **keys}  # fmt: skip
    try:
        async with Mesh.from_config({"connections": {"openai": connection}}) as mesh:
            yield service, mesh, address
        await asyncio.sleep(0.1)
        assert len(service.ended) == len(service.sockets), "every socket is closed with the mesh"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-made-up")


async def stream(mesh, **options):
    async with mesh.stream_chat(MODEL, "Why?", **options) as found:
        pieces = [event.text async for event in found if isinstance(event, TextDelta)]
    return "".join(pieces), found.response


async def test_one_socket_carries_one_answer_after_another():
    async with served() as (service, mesh, _):
        whole = await mesh.chat(MODEL, "Why?", max_tokens=50)
        text, streamed = await stream(mesh)
        assert whole.text == text == streamed.text == "Because."
        assert (whole.usage, whole.id, whole.finish_reason) == (streamed.usage, "resp_1", "stop")
        assert whole.cost.status == "complete"
        assert [number for number, _ in service.asked] == [0, 0]
        assert service.bodies() == [
            {"type": "response.create", "model": "gpt-5.2", "input": USER, "max_output_tokens": 50},
            {"type": "response.create", "model": "gpt-5.2", "input": USER},
        ]


async def test_answers_at_the_same_time_have_sockets_of_their_own():
    async with served() as (service, mesh, _):
        await asyncio.gather(*(mesh.chat(MODEL, "Why?") for _ in range(3)))
        assert sorted(number for number, _ in service.asked) == [0, 1, 2]
        await asyncio.gather(*(mesh.chat(MODEL, "Why?") for _ in range(3)))
        assert len(service.sockets) == 3


async def test_the_handshake_is_the_sdks():
    async with served() as (service, mesh, address):
        await mesh.chat(MODEL, "Why?")
        client = AsyncOpenAI(base_url=address, api_key="sk-made-up", organization="org-1")
        async with client, client.responses.connect() as connection:
            await connection.response.create(model="gpt-5.2", input=USER)
            types = []
            async for event in connection:
                types.append(event.type)
                if event.type == "response.completed":
                    break
        ours, theirs = service.handshakes
        assert (ours.method, ours.path_qs) == (theirs.method, theirs.path_qs) == ("GET", "/v1/responses")
        for name in ("Authorization", "OpenAI-Organization"):
            assert ours.headers[name] == theirs.headers[name]
        assert service.bodies()[0] == service.bodies()[1]
        assert types == [event["type"] for event in events()]


async def test_the_oracle_sees_another_message():
    async with served() as (service, mesh, address):
        await mesh.chat(MODEL, "Why?", temperature=0)
        client = AsyncOpenAI(base_url=address, api_key="sk-made-up")
        async with client, client.responses.connect() as connection:
            await connection.response.create(model="gpt-5.2", input=USER)
        await asyncio.sleep(0.1)
        ours, theirs = service.bodies()
        assert ours != theirs
        assert "OpenAI-Organization" not in service.handshakes[1].headers


async def test_a_socket_that_the_service_closed_is_replaced():
    async with served() as (service, mesh, _):
        await mesh.chat(MODEL, "Why?")
        await service.sockets[0].close()
        assert (await mesh.chat(MODEL, "Why?")).text == "Because."
        assert [number for number, _ in service.asked] == [0, 1]


@pytest.mark.parametrize("how", [CLOSE, CUT])
async def test_a_used_socket_that_closes_before_the_answer_is_replaced_once(how):
    async with served() as (service, mesh, _):
        await mesh.chat(MODEL, "Why?")
        service.play(how)
        assert (await mesh.chat(MODEL, "Why?")).text == "Because."
        assert [number for number, _ in service.asked] == [0, 0, 1]
        service.play(how)
        service.play(how)
        with pytest.raises(ConnectionFailedError, match="before the answer began"):
            await mesh.chat(MODEL, "Why?")


async def test_a_socket_at_its_limit_is_replaced():
    async with served() as (service, mesh, _):
        await mesh.chat(MODEL, "Why?")
        service.play(error("websocket_connection_limit_reached"), CLOSE)
        assert (await mesh.chat(MODEL, "Why?")).text == "Because."
        assert [number for number, _ in service.asked] == [0, 0, 1]


async def test_an_old_socket_is_not_used_again():
    async with served() as (service, mesh, _):
        await mesh.chat(MODEL, "Why?")
        await asyncio.sleep(54 * 60)
        await mesh.chat(MODEL, "Why?")
        assert len(service.sockets) == 1  # it has answered pings all the time
        await asyncio.sleep(2 * 60)
        await mesh.chat(MODEL, "Why?")
        assert [number for number, _ in service.asked] == [0, 0, 1]


@pytest.mark.parametrize("how", [CLOSE, CUT])
async def test_an_answer_that_is_cut_was_interrupted(how):
    async with served() as (service, mesh, _):
        service.play(*events()[:2], how)
        with pytest.raises(StreamInterruptedError) as caught:
            await stream(mesh)
        assert caught.value.partial.text == "Be"
        if how == CLOSE:
            assert "1011" in str(caught.value)
        assert (await mesh.chat(MODEL, "Why?")).text == "Because."
        assert len(service.sockets) == 2


async def test_a_new_socket_that_closes_is_a_failed_connection_and_tried_again():
    async with served(retry={"attempts": 2, "initial_delay": 0.1}) as (service, mesh, _):
        service.play(CLOSE)
        reply = await mesh.chat(MODEL, "Why?")
        assert [attempt.error for attempt in reply.attempts] == ["ConnectionFailedError", None]


@pytest.mark.parametrize(
    ("event", "kind", "words"),
    [
        (error("previous_response_not_found", "Previous response not found"), InvalidRequestError, "not found"),
        (error("rate_limit_exceeded", "slow down", 429), RateLimitError, "slow down"),
        (error("odd", "odd", 500), ServerError, "odd"),
        ({"type": "error", "status": 404, "error": {"code": "x", "message": "gone"}}, NotFoundError, "gone"),
        ({"type": "error", "code": "invalid_api_key", "message": "bad", "param": None}, AuthenticationError, "bad"),
    ],
)  # fmt: skip
async def test_an_error_is_read_and_the_socket_is_not_used_again(event, kind, words):
    async with served() as (service, mesh, _):
        service.play(event)
        with pytest.raises(kind, match=words):
            await mesh.chat(MODEL, "Why?")
        await mesh.chat(MODEL, "Why?")
        assert [number for number, _ in service.asked] == [0, 1]


@pytest.mark.parametrize(
    ("code", "kind"), [(401, AuthenticationError), (426, ProviderError), (307, ProviderError)]
)
async def test_a_handshake_that_is_refused_is_the_services_error(code, kind):
    async with served() as (service, mesh, address):
        headers = {"Location": address.replace("/v1", "/elsewhere")} if code == 307 else {}
        service.refusals = [web.Response(status=code, headers=headers) for _ in range(2)]
        with pytest.raises(kind) as caught:
            await mesh.chat(MODEL, "Why?")
        assert caught.value.status == code
        assert "sk-made-up" not in repr(caught.value)
        service.refusals.clear()


async def test_nobody_there_is_a_failed_connection():
    async with served(base_url="http://127.0.0.1:9/v1") as (_, mesh, _):
        with pytest.raises(ConnectionFailedError):
            await mesh.chat(MODEL, "Why?")


@pytest.mark.parametrize("when", [0, 2])
async def test_a_cancelled_call_closes_its_socket(when):
    async with served() as (service, mesh, _):
        service.play(*events()[:when], HANG)
        task = asyncio.create_task(mesh.chat(MODEL, "Why?"))
        await asyncio.sleep(0.5)
        assert len(service.asked) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert [number for number, _ in service.ended] == [0]
        assert (await mesh.chat(MODEL, "Why?")).text == "Because."


async def test_a_stream_that_is_left_closes_its_socket():
    async with served() as (service, mesh, _):
        async with mesh.stream_chat(MODEL, "Why?") as found:
            async for event in found:
                if isinstance(event, TextDelta):
                    break
        await asyncio.sleep(0.1)
        assert [number for number, _ in service.ended] == [0]


async def test_a_silent_service_is_held_to_the_limits():
    async with served() as (service, mesh, _):
        service.play(HANG)
        with pytest.raises(TimeoutError) as caught:
            await mesh.chat(MODEL, "Why?", timeout={"first_event": 3})
        assert caught.value.phase == "first_event"
        service.play(*events()[:2], HANG)
        with pytest.raises(TimeoutError) as caught:
            await stream(mesh, timeout={"idle": 3})
        assert caught.value.phase == "idle"


async def test_an_answer_that_is_not_kept_is_continued_on_its_socket():
    async with served() as (service, mesh, _):
        service.play(*events("resp_a", store=False))
        service.play(*events("resp_b", store=False))
        replies = await asyncio.gather(*(mesh.chat(MODEL, word, store=False) for word in "ab"))
        socket_of = {body["input"][0]["content"]: number for number, body in service.asked}
        for word, reply in zip("ab", replies, strict=True):
            await mesh.chat(MODEL, word * 2, continue_from=reply, store=False)
            number, body = service.asked[-1]
            assert (number, body["previous_response_id"], body["store"]) == (socket_of[word], reply.id, False)


async def test_what_needs_http_goes_over_http():
    async with served(models=["gpt-5.2", {"id": "gpt-4o", "route": "chat"}]) as (service, mesh, _):
        assert (await mesh.chat(MODEL, "Why?", background=True)).text == "Because."
        assert [request.method for request in service.handshakes] == ["POST"]
        assert mesh.explain("openai:gpt-4o", "Why?").wire.path == "/chat/completions"
        plan = mesh.explain(MODEL, "Why?")
        assert (plan.wire.transport, plan.wire.body["type"]) == ("websocket", "response.create")


async def test_a_message_that_is_too_large_is_refused():
    async with served(max_response=40_000) as (service, mesh, _):
        big = {**events()[1], "delta": "x" * 20_000}
        service.play(events()[0], big)
        with pytest.raises(StreamInterruptedError, match="1009"):
            await mesh.chat(MODEL, "Why?")


@pytest.mark.parametrize(
    ("data", "identity"),
    [
        (b'{"response": {"id": "resp_1", "text": "\\ud83d"}}', "resp_1"),
        (b'{"response": {"id": "resp_1", "logprob": NaN}}', "resp_1"),
        (b'{"response": {"id": 1}}', None),
        (b'{"response": ', None),
        (b"[]", None),
    ],
)
def test_the_id_of_a_response_is_read_from_odd_events(data, identity):
    assert _id_in(data) == identity
