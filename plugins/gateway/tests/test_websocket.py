"""Responses over a WebSocket."""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import openai
import pytest
from gateway_running import CONFIG, running

from jackfield import RateLimitError, Registry, ServerError, ToolCall, ToolResult
from jackfield.testing import Answer, FakeAnswer, RecordingServer
from jackfield_gateway import _socket
from jackfield_gateway._keys import hash_key

KEY = "jf-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
ONCE = {**CONFIG, "defaults": {"retry": {"attempts": 1}}}
ENDS = ("response.completed", "response.incomplete", "response.failed")
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


class Talk:
    """A connection of a client."""

    def __init__(self, socket):
        self.socket = socket

    async def create(self, input, **body):
        """Send a request without waiting for its answer."""
        await self.socket.send_json({"type": "response.create", "model": "best", "input": input, **body})

    async def events(self):
        """Return the events of one answer."""
        events = []
        while True:
            message = await asyncio.wait_for(self.socket.receive(), 3000)
            assert message.type is aiohttp.WSMsgType.TEXT, message
            events.append(json.loads(message.data))
            if events[-1]["type"] in ENDS or "status" in events[-1]:
                return events

    async def ask(self, input, **body):
        """Send a request and return its last event."""
        await self.create(input, **body)
        return (await self.events())[-1]


@asynccontextmanager
async def talking(gateway, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.http.ws_connect(f"{gateway.url}/v1/responses", headers=names) as socket:
        yield Talk(socket)


def said(request):
    """Return what a request to the provider says: role and text of each message."""
    return [
        (message.role, "".join(getattr(part, "text", "") for part in message.parts))
        for message in request.messages
    ]


async def test_events_come_as_frames_in_order(gateway):
    gateway.fake.script(FakeAnswer(text="one two", usage=(5, 2)))
    async with talking(gateway) as talk:
        await talk.create("hi", stream=True)
        events = await talk.events()
    assert [event["type"] for event in events if "delta" not in event["type"]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["usage"]["total_tokens"] == 7


async def test_a_conversation_goes_on_by_the_id_of_its_last_answer(gateway):
    async with talking(gateway) as talk:
        gateway.fake.script("OK", "cobalt")
        first = await talk.ask("The word is cobalt.", store=False)
        second = await talk.ask("Which word?", previous_response_id=first["response"]["id"], store=False)
        assert second["response"]["output"][0]["content"][0]["text"] == "cobalt"
        assert second["response"]["previous_response_id"] == first["response"]["id"]
    assert said(gateway.fake.requests[1]) == [
        ("user", "The word is cobalt."),
        ("assistant", "OK"),
        ("user", "Which word?"),
    ]


async def test_what_was_prepared_is_part_of_the_conversation(gateway):
    async with talking(gateway) as talk:
        prepared = await talk.ask([], generate=False, instructions="x")
        assert (prepared["type"], prepared["response"]["output"]) == ("response.completed", [])
        item = {"type": "message", "role": "developer", "content": "Be short."}
        more = await talk.ask([item], generate=False, previous_response_id=prepared["response"]["id"])
        assert gateway.fake.requests == []
        await talk.ask("hi", previous_response_id=more["response"]["id"])
    assert said(gateway.fake.requests[0]) == [("system", "Be short."), ("user", "hi")]


async def test_the_output_of_a_call_needs_its_call(gateway):
    async with talking(gateway) as talk:
        gateway.fake.script(FakeAnswer(tool_calls=[("weather", {"city": "Oslo"})]), "Sunny.")
        first = await talk.ask("How is it?", tools=[TOOL])
        call = first["response"]["output"][0]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        done = await talk.ask([output], previous_response_id=first["response"]["id"], tools=[TOOL])
        assert done["type"] == "response.completed"
        orphan = {**output, "call_id": "call_missing"}
        failed = await talk.ask([orphan], previous_response_id=done["response"]["id"])
        assert (failed["type"], failed["status"]) == ("error", 400)
        assert "call_missing" in failed["error"]["message"]
        # What a failed request continued is forgotten.
        stale = await talk.ask("again", previous_response_id=done["response"]["id"])
        assert stale["error"]["code"] == "previous_response_not_found"
        assert (await talk.ask("a new one"))["type"] == "response.completed"


async def test_an_answer_is_unknown_on_another_connection(gateway):
    async with talking(gateway) as talk:
        first = await talk.ask("hi")
    async with talking(gateway) as talk:
        unknown = await talk.ask("on", previous_response_id=first["response"]["id"])
        assert unknown["status"] == 400
        assert unknown["error"]["param"] == "previous_response_id"
        assert unknown["error"]["code"] == "previous_response_not_found"
        assert (await talk.ask("hi"))["type"] == "response.completed"


async def test_requests_are_answered_one_after_the_other(gateway):
    gateway.fake.script(*[FakeAnswer(text=f"a{n} b", chunk_delay=1) for n in range(3)])
    async with talking(gateway) as talk:
        for number in range(3):
            await talk.create(f"q{number}")
        texts = [(await talk.events())[-1]["response"]["output"][0]["content"][0]["text"] for _ in range(3)]
    assert texts == ["a0 b", "a1 b", "a2 b"]
    assert [said(request)[0][1] for request in gateway.fake.requests] == ["q0", "q1", "q2"]


async def test_too_many_that_wait_are_refused(gateway):
    gateway.fake.script(FakeAnswer(text="a", delay=30))
    async with talking(gateway) as talk:
        await talk.create("first")
        while not gateway.fake.requests:
            await asyncio.sleep(0.01)
        for number in range(_socket._WAITING + 3):
            await talk.create(f"q{number}")
        refused = [(await talk.events())[-1] for _ in range(3)]
        assert {(event["type"], event["status"]) for event in refused} == {("error", 429)}
        ended = [(await talk.events())[-1]["type"] for _ in range(_socket._WAITING + 1)]
    assert ended == ["response.completed"] * (_socket._WAITING + 1)


@pytest.mark.parametrize(
    ("frame", "status", "code"),
    [
        ("{", 400, "invalid_json"),
        ("[]", 400, "invalid_json"),
        ("[" * 100_000, 400, "invalid_json"),
        ('{"type":"response.cancel"}', 400, "invalid_value"),
        ('{"type":"response.create"}', 404, "model_not_found"),
        ('{"type":"response.create","model":"bset","input":"hi"}', 404, "model_not_found"),
        ('{"type":"response.create","model":"best","input":7}', 400, "invalid_type"),
        ('{"type":"response.create","model":"best","input":[7]}', 400, "invalid_type"),
        ('{"type":"response.create","model":"best","input":"x","background":true}', 400, "unsupported_parameter"),
        ('{"type":"response.create","model":"best","input":"x","top_p":"high"}', 400, "invalid_type"),
        ('{"type":"response.create","model":"best","input":[],"generate":false,"tools":7}', 400, "invalid_type"),
        ('{"type":"response.create","model":"best","input":"\\ud800"}', 400, None),
    ],
)  # fmt: skip
async def test_an_error_is_a_frame_and_the_connection_goes_on(gateway, frame, status, code):
    async with talking(gateway) as talk:
        await talk.socket.send_str(frame)
        event = (await talk.events())[-1]
        if code is not None:
            assert (event["type"], event["status"], event["error"]["code"]) == ("error", status, code)
        assert (await talk.ask("hi"))["type"] == "response.completed"


async def test_a_binary_frame_is_refused(gateway):
    async with talking(gateway) as talk:
        await talk.socket.send_bytes(b"{}")
        assert (await talk.events())[-1]["status"] == 400
        assert (await talk.ask("hi"))["type"] == "response.completed"


async def test_trouble_of_the_service_is_told():
    async with running(ONCE) as gateway, talking(gateway) as talk:
        gateway.fake.script(RateLimitError("slow down", retry_after=7))
        event = await talk.ask("hi")
        assert (event["status"], event["error"]["code"], event["headers"]) == (
            429,
            "rate_limit_exceeded",
            {"retry-after": "7"},
        )
        gateway.fake.script(FakeAnswer(text="one two three", error=ServerError("broken"), after=2))
        await talk.create("hi")
        events = await talk.events()
        assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
        assert (await talk.ask("hi"))["type"] == "response.completed"


async def test_a_client_that_leaves_cancels_what_runs(tmp_path):
    config = {**CONFIG, "defaults": {"retry": {"attempts": 1}}}
    path = tmp_path / "gateway.db"
    async with running(config, store=f"sqlite:///{path}") as gateway:
        gateway.fake.script(FakeAnswer(text="one two three", chunk_delay=5))
        async with talking(gateway) as talk:
            await talk.create("hi")
            await talk.create("never")
            await talk.socket.receive()
        for _ in range(200):
            if gateway.fake.cancelled and not gateway.state.current.calls:
                break
            await asyncio.sleep(0.01)
        assert gateway.fake.cancelled == 1
        assert len(gateway.fake.requests) == 1
        assert gateway.state.current.calls == 0
        assert gateway.state.metrics.running.count == 0
        rows = gateway.state.ledger._rows
        await asyncio.sleep(0)
        while rows:
            await asyncio.sleep(0.1)
        days = gateway.state.store.sum_spend(key="", since=0)
        assert [day["requests"] for day in days] == [1]


async def test_keys_and_their_allow_lists_hold():
    alice = {"hash": hash_key(KEY), "owner": "org/alice", "models": ["best"]}
    async with running(keys={"alice": alice}) as gateway:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with talking(gateway):
                pass
        assert refused.value.status == 401
        async with talking(gateway, authorization=f"Bearer {KEY}") as talk:
            assert (await talk.ask("hi"))["type"] == "response.completed"
            event = await talk.ask("hi", model="fake:secret-model")
            assert (event["status"], event["error"]["code"]) == (404, "model_not_found")
            event = await talk.ask([], model="fake:secret-model", generate=False)
            assert event["status"] == 404


async def test_a_key_that_is_blocked_is_refused_at_the_next_request():
    from jackfield_gateway._keys import Key, KeyRing

    async with running(keys={"alice": {"hash": hash_key(KEY)}}) as gateway:
        async with talking(gateway, authorization=f"Bearer {KEY}") as talk:
            await talk.ask("hi")
            gateway.state._ring = KeyRing([Key(name="alice", hash=hash_key(KEY), blocked=True)])
            event = await talk.ask("hi")
            assert (event["status"], event["error"]["code"]) == (401, "invalid_api_key")
            assert (await talk.socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert len(gateway.fake.requests) == 1


async def test_a_frame_has_the_limit_of_a_body():
    async with running(max_body="10 kB") as gateway, talking(gateway) as talk:
        assert (await talk.ask("x" * 9_000))["type"] == "response.completed"
        await talk.create("x" * 11_000)
        message = await talk.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.MESSAGE_TOO_BIG)


async def test_a_conversation_has_the_limit_of_a_body():
    async with running(max_body="10 kB") as gateway, talking(gateway) as talk:
        gateway.fake.script("OK", "OK", "OK")
        identity = (await talk.ask("x" * 6_000))["response"]["id"]
        identity = (await talk.ask("x" * 6_000, previous_response_id=identity))["response"]["id"]
        event = await talk.ask("more", previous_response_id=identity)
        assert (event["status"], event["error"]["code"]) == (413, "context_length_exceeded")
        assert (await talk.ask("new"))["type"] == "response.completed"


async def test_an_idle_connection_is_closed(gateway, monkeypatch):
    monkeypatch.setattr(_socket, "_IDLE", 20.0)
    gateway.fake.script(FakeAnswer(text="slow", delay=50))
    async with talking(gateway) as talk:
        assert (await talk.ask("hi"))["type"] == "response.completed"  # not while something runs
        message = await talk.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)


async def test_a_connection_lasts_an_hour(gateway, monkeypatch):
    monkeypatch.setattr(_socket, "_LIFETIME", 120.0)
    async with talking(gateway) as talk:
        event = (await talk.events())[-1]
        assert event["error"]["code"] == "websocket_connection_limit_reached"
        assert (await talk.socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_a_gateway_that_stops_closes_connections():
    async with running() as gateway:
        async with talking(gateway) as talk:
            gateway.fake.script(FakeAnswer(text="one two", chunk_delay=1))
            await talk.create("hi")
            await talk.socket.receive()
            gateway.state.draining = True
            assert (await talk.events())[-1]["type"] == "response.completed"  # what runs may end
            event = await talk.ask("another")
            assert event["status"] == 503
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with talking(gateway):
                pass
        assert refused.value.status == 503


async def test_idle_connections_do_not_hold_a_gateway_that_stops():
    async with aiohttp.ClientSession() as http:
        async with running() as gateway:
            gateway.http, kept = http, gateway.http
            socket = await http.ws_connect(f"{gateway.url}/v1/responses")
            gateway.http = kept
        message = await socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
        await socket.close()


async def test_a_page_of_another_site_cannot_open_one(gateway):
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with talking(gateway, origin="https://evil.example"):
            pass
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "12", "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13", "sec-websocket-key": "x"},
        {"upgrade": "h2c", "connection": "upgrade"},
    ],
)  # fmt: skip
async def test_an_upgrade_that_cannot_be_served_is_refused_with_426(gateway, headers):
    async with gateway.http.get(f"{gateway.url}/v1/responses", headers=headers) as answer:
        assert answer.status == 426
        assert (await answer.json())["error"]["code"] == "websocket_not_supported"


# What the services' own bytes look like on a socket


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def answer_of(identity, *output):
    response = {"id": identity, "object": "response", "status": "completed", "output": list(output),
                "usage": {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}}  # fmt: skip
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    return [
        event("response.created", response=begun),
        event("x.unknown", value="1.0e2"),
        event("response.completed", response=response),
    ]


@asynccontextmanager
async def relaying():
    async with RecordingServer() as upstream:
        config = {
            "connections": {
                "up": {
                    "provider": "openai",
                    "base_url": f"{upstream.url}/v1",
                    "api_key": "none",
                    "retry": {"attempts": 1},
                }
            },
            "aliases": {"best": ["up:gpt-5-mini"]},
        }
        registry = Registry.installed()
        async with running(config, registry=registry) as gateway:
            yield gateway, upstream


@pytest.mark.real_time
async def test_a_relayed_request_goes_on_as_it_is_and_its_events_come_back():
    async with relaying() as (gateway, upstream):
        message = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "OK"}],
        }
        hidden = {"type": "reasoning", "id": "rs_1", "summary": []}
        upstream.route("POST", "/v1/responses", Answer.sse(answer_of("resp_a", hidden, message)))
        headers = {"openai_beta": "responses_websockets=2026-02-06", "session_id": "s1"}
        async with talking(gateway, **headers) as talk:
            await talk.create("hi", store=False, tools=[{"type": "web_search"}], own={"n": 1})
            events = await talk.events()
            assert [one["type"] for one in events] == ["response.created", "x.unknown", "response.completed"]
            await talk.ask("on", previous_response_id="resp_a", store=False)
            await talk.ask("elsewhere", previous_response_id="resp_of_the_service")
        first, second, third = upstream.requests
        body = json.loads(first.body)
        assert (body["model"], body["stream"], body["own"], body["tools"]) == (
            "gpt-5-mini",
            True,
            {"n": 1},
            [{"type": "web_search"}],
        )
        assert "type" not in body
        assert "openai-beta" not in {name.lower() for name in first.headers}
        # Without a store, the service would not find thinking by its id.
        assert [item.get("type") for item in json.loads(second.body)["input"]] == [
            "message",
            "message",
            "message",
        ]
        assert "id" not in json.loads(second.body)["input"][1]
        assert "previous_response_id" not in json.loads(second.body)
        assert json.loads(third.body)["previous_response_id"] == "resp_of_the_service"


@pytest.mark.real_time
async def test_a_relayed_answer_that_breaks_is_an_error():
    async with relaying() as (gateway, upstream):
        upstream.route("POST", "/v1/responses", Answer.sse(answer_of("resp_a")[:1]))
        async with talking(gateway) as talk:
            last = await talk.ask("hi")
        assert (last["type"], last["status"]) == ("error", 502)


@pytest.mark.real_time
async def test_the_service_refuses_a_relayed_request_in_its_own_words():
    words = {
        "message": "Unsupported value: 'x'",
        "type": "invalid_request_error",
        "param": "x",
        "code": "unsupported_value",
    }
    async with relaying() as (gateway, upstream):
        upstream.route("POST", "/v1/responses", Answer.json({"error": words}, status=400))
        async with talking(gateway) as talk:
            last = await talk.ask("hi")
        assert (last["type"], last["status"], last["error"]) == ("error", 400, words)


@pytest.mark.real_time
async def test_a_conversation_with_envelopes_is_translated():
    async with relaying() as (gateway, upstream):
        upstream.route("POST", "/v1/responses", Answer.sse(answer_of("resp_a")))
        sealed = gateway.state.surface("openai.responses", "default")._envelopes.of_thinking(
            "other", "m", {"signature": "x"}
        )
        item = {"type": "reasoning", "id": "rs_jf1", "summary": [], "encrypted_content": sealed}
        async with talking(gateway) as talk:
            await talk.create([{"role": "user", "content": "a"}, item, {"role": "user", "content": "b"}])
            await talk.socket.receive()
        assert sealed.encode() not in b"".join(request.body for request in upstream.requests)


# Oracles


@pytest.fixture
async def client(gateway):
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        yield client


async def test_the_official_client_connects(gateway, client):
    gateway.fake.script(FakeAnswer(text="Hello", usage=(3, 1)), "cobalt")
    async with client.responses.connect() as connection:
        await connection.response.create(model="best", input="hi", store=False)
        async for event in connection:
            if event.type == "response.completed":
                assert event.response.output_text == "Hello"
                assert event.response.usage.total_tokens == 4
                break
        await connection.response.create(model="best", input="which?", previous_response_id=event.response.id)
        async for event in connection:
            if event.type == "response.completed":
                assert event.response.output_text == "cobalt"
                break
        await connection.response.create(model="nothing", input="hi")
        event = await connection.recv()
        assert event.type == "error"


CAPTURED = Path(__file__).parents[4] / "shared" / "gateway" / "captured"


def frames_of(name):
    """Return the frames that a client sent, with texts of real size."""
    if not CAPTURED.is_dir():
        pytest.skip("the captured requests are not here; they lie beside the repository in shared/gateway")
    recorded = json.loads((CAPTURED / f"{name}.json").read_text())
    filled = re.sub(
        r"\{\{text:(\d+)\}\}", lambda found: ("lorem " * 99999)[: int(found[1])], json.dumps(recorded)
    )
    return [one["body"] for one in json.loads(filled)["requests"] if one.get("frame") == "text"]


@pytest.mark.parametrize("name", ["codex_ws_plain", "codex_ws_lite", "agents_responses_ws"])
async def test_recorded_conversations_are_served(name):
    frames = frames_of(name)
    config = {
        "connections": {"fake": {"provider": "fake", "unsupported": "drop"}},
        "aliases": {frame["model"]: ["fake:echo"] for frame in frames},
    }
    async with running(config) as gateway, talking(gateway) as talk:
        identity, call = None, 0
        for frame in frames:
            if "previous_response_id" in frame:
                frame["previous_response_id"] = identity
            asked = [item["call_id"] for item in frame["input"] if item.get("type", "").endswith("_output")]
            generates = frame.get("generate", True)
            if generates:
                call += 1
                names = {"codex_ws_lite": "functions_exec", "codex_ws_plain": "exec_command"}
                tool = names.get(name, "read_file")
                gateway.fake.script(
                    FakeAnswer(tool_calls=[ToolCall(f"call_{call:04}", tool, {"input": "x", "cmd": "ls"})])
                )
            await talk.socket.send_json(frame)
            last = (await talk.events())[-1]
            assert last["type"] == "response.completed", last
            identity = last["response"]["id"]
            if generates:
                request = gateway.fake.requests[-1]
                results = [
                    part.tool_call_id
                    for message in request.messages
                    for part in message.parts
                    if isinstance(part, ToolResult)
                ]
                assert set(asked) <= set(results)
        assert request.options.tools


async def test_leaving_connections_keep_nothing(gateway):
    for _ in range(20):
        async with talking(gateway) as talk:
            await talk.ask("hi")
    await asyncio.sleep(1)
    assert gateway.state.current.calls == 0
    mine = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
    assert not any("_Connection" in name for name in mine)
