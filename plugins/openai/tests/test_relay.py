"""Relays: what a client wrote goes to the service byte for byte, and the bytes of the answer come back.

The requests and answers here were written from OpenAI's reference.
"""

import json

import pytest

import jackfield_openai as plugin
from jackfield import AuthenticationError, Mesh, Registry, Secret, StreamInterruptedError, TimeoutError
from jackfield.plugin import ModelRef, RelayRequest, WatchedStream, hookimpl, relay
from jackfield.testing import Answer, RecordingServer
from jackfield_openai import OpenAISettings
from jackfield_openai._chat_decoder import ChatDecoder

BODY = (
    b'{ "model":"team-model" ,"messages":[{"role":"user","content":"h\\u00e9 \xf0\x9f\x98\x80"}],'
    b'"stream":true,"stream_options":{"include_usage":true},"seed":18446744073709551617,"unknown_field":[1.0e2]}'
)
HEADERS = {
    "Authorization": "Bearer sk-gateway",
    "OpenAI-Beta": "x=1",
    "x-other": "1",
    "OpenAI-Organization": "org",
}
EVENTS = [
    b'data: {"id":"c1","model":"gpt-6-luna","choices":[{"index":0,"delta":{"role":"assistant","content":"Hal"}}]}\r\n\r\n',
    b': keep-alive\n\ndata: {"id":"c1","model":"gpt-6-luna","choices":[{"index":0,"delta":{"content":"lo"}',
    b'}]}\n\ndata: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n',
    b"data: [DONE]\n\n",
]
WHOLE = (
    b'{"id":"c2" , "model":"gpt-6-luna","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},'
    b'"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}'
)


def asked(body=BODY, surface="openai.chat", kind="chat"):
    return RelayRequest(
        surface=surface, kind=kind, headers=HEADERS, body=body, stream=json.loads(body).get("stream", False)
    )


@pytest.fixture
async def served():
    async with RecordingServer() as server:
        yield server


def mesh_at(server, registry=None, **connection):
    openai = {"provider": "openai", "base_url": f"{server.url}/v1", "api_key": "env:KEY", **connection}
    config = {"connections": {"o": openai}, "aliases": {"best": ["o:gpt-6-luna"]}}
    return Mesh.from_config(config, registry=registry)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("KEY", "sk-upstream")


async def test_a_stream_comes_back_byte_for_byte(served):
    served.answer(Answer.stream(EVENTS, "text/event-stream"))
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "best", asked())
        pieces = [piece async for piece in answer]
    assert b"".join(pieces) == b"".join(EVENTS)
    sent = served.requests[0]
    assert sent.body == BODY.replace(b"team-model", b"gpt-6-luna")
    assert sent.headers["authorization"] == "Bearer sk-upstream"
    assert sent.headers["openai-beta"] == "x=1"
    assert not {"x-other", "openai-organization"} & {name.lower() for name in sent.headers}
    reply = answer.response
    assert (reply.text, reply.finish_reason, reply.complete) == ("Hallo", "stop", True)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 2)
    assert reply.cost.status != "unknown"


async def test_a_whole_answer_comes_back_byte_for_byte(served):
    served.answer(Answer(200, {"content-type": "application/json", "x-request-id": "r1"}, (WHOLE,)))
    body = b'{"messages":[{"role":"user","content":"hi"}],"model":"x"}'
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "o:gpt-6-luna", asked(body))
        assert b"".join([piece async for piece in answer]) == WHOLE
    assert answer.head.headers["x-request-id"] == "r1"
    assert answer.response.usage.output_tokens == 1
    assert answer.response.complete


async def test_an_error_before_the_first_byte_is_retried_and_raised_as_of_any_call(served):
    served.answer(Answer.retry_after_seconds(0), Answer.stream(EVENTS, "text/event-stream"))
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "best", asked())
        assert b"".join([piece async for piece in answer]) == b"".join(EVENTS)
        assert [attempt.error for attempt in answer.response.attempts] == ["RateLimitError", None]
        served.answer(Answer.json({"error": {"message": "Incorrect API key: sk-upstream"}}, status=401))
        with pytest.raises(AuthenticationError) as caught:
            await relay(mesh, "best", asked())
    assert "sk-upstream" not in str(caught.value)


async def test_a_cut_stream_hands_on_what_came_and_then_raises(served):
    served.answer(Answer.stream(EVENTS[:2], "text/event-stream", reset_after=2))
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "best", asked())
        got = b""
        with pytest.raises(StreamInterruptedError):
            async for piece in answer:
                got += piece
    assert got == b"".join(EVENTS[:2])
    assert not answer.response.complete


@pytest.mark.parametrize(
    "body",
    [
        BODY.replace(b',"stream_options":{"include_usage":true}', b""),
        b'{"model":"a","model":"b","messages":[]}',
        rb'{"mod\u0065l":"b","model":"a","messages":[]}',
    ],
    ids=["without usage", "two models", "a model in disguise"],
)
async def test_what_must_be_translated_is_not_sent(served, body):
    async with mesh_at(served) as mesh:
        assert await relay(mesh, "best", asked(body)) is None
    assert served.requests == []


async def test_declared_options_are_for_translated_calls_only(served):
    models = [{"id": "gpt-6-luna", "options": {"max_tokens": 5}}]
    async with mesh_at(served, models=models) as mesh:
        assert await relay(mesh, "best", asked()) is None


async def test_a_middleware_sees_the_content_so_nothing_is_relayed(served):
    async def watch(call, proceed):
        return await proceed(call)

    registry = Registry.installed().extended(middlewares={"watch": lambda settings: watch})
    async with mesh_at(served, registry, middlewares=["watch"]) as mesh:
        assert await relay(mesh, "best", asked()) is None


def _answer(body):
    return (
        Answer.stream(EVENTS, "text/event-stream")
        if body is BODY
        else Answer.stream([WHOLE], "application/json")
    )


class Meter:
    """A middleware that reads no content."""

    needs_content = False

    def __init__(self):
        self.calls, self.ends = [], []

    async def __call__(self, call, proceed):
        self.calls.append(call)
        return WatchedStream(await proceed(call), lambda response, error: self.ends.append((response, error)))


@pytest.mark.parametrize("body", [BODY, BODY.replace(b"true", b"false", 1)], ids=["stream", "whole"])
async def test_a_middleware_that_needs_no_content_stands_around_a_relay(served, body):
    served.route("POST", "/v1/chat/completions", _answer(body))
    meter = Meter()
    registry = Registry.installed().extended(middlewares={"meter": lambda settings: meter})
    async with mesh_at(served, registry, middlewares=["meter"]) as mesh:
        answer = await relay(mesh, "best", asked(body), owner="org/team", labels={"key": "alice"})
        copied = b"".join([piece async for piece in answer])
        assert copied == (b"".join(EVENTS) if body is BODY else WHOLE)
        await answer.aclose()
    ((response, error),) = meter.ends
    assert (response.usage.output_tokens, response.ended, error) == (2 if body is BODY else 1, True, None)
    (call,) = meter.calls
    assert (call.relayed, call.owner, dict(call.labels)) == ("openai.chat", "org/team", {"key": "alice"})


async def test_a_relayed_call_is_forecast_from_its_body(served):
    served.answer(_answer(b""))
    meter = Meter()
    registry = Registry.installed().extended(middlewares={"meter": lambda settings: meter})
    body = (
        b'{"model":"m","messages":[{"role":"user","content":"max_tokens"}],"max_completion_tokens":40,"n":2}'
    )
    async with mesh_at(served, registry, middlewares=["meter"]) as mesh:
        async for _ in await relay(mesh, "best", asked(body)):
            pass
    forecast = meter.calls[0].forecast
    assert (forecast.most_output_tokens, forecast.choices) == (80, 2)
    assert forecast.most_input_tokens >= len(body)
    assert forecast.most_cost.status == "complete"


async def test_a_relay_that_a_middleware_breaks_is_closed(served):
    served.route("POST", "/v1/chat/completions", Answer.stream(EVENTS, "text/event-stream"))

    class Fails(Meter):
        async def __call__(self, call, proceed):
            await proceed(call)
            raise RuntimeError("no")

    registry = Registry.installed().extended(middlewares={"meter": lambda settings: Fails()})
    async with mesh_at(served, registry, middlewares=["meter"]) as mesh:
        with pytest.raises(RuntimeError, match="no"):
            await relay(mesh, "best", asked())


async def test_observers_hear_of_it(served):
    heard = []

    class Observer:
        @hookimpl
        def jackfield_call_started(self, call):
            heard.append(call.relayed)

        @hookimpl
        def jackfield_call_finished(self, call, outcome):
            heard.append((outcome.status, outcome.usage.input_tokens))

    served.answer(
        Answer.stream(EVENTS, "text/event-stream"), Answer.stream(EVENTS, "text/event-stream", stall_after=1)
    )
    registry = Registry.installed().extended(extensions=[Observer()])
    async with mesh_at(served, registry) as mesh:
        answer = await relay(mesh, "best", asked())
        async for _ in answer:
            pass
        await answer.aclose()
        left = await relay(mesh, "best", asked())
        async for _ in left:
            break
        await left.aclose()
    assert heard[:2] == ["openai.chat", ("ok", 9)]
    assert heard[2:] == ["openai.chat", ("cancelled", None)]


async def test_leaving_closes_the_upstream(served):
    served.answer(Answer.stream(EVENTS[:1], "text/event-stream", stall_after=1))
    async with mesh_at(served) as mesh:
        answer = await relay(mesh, "best", asked())
        async for _ in answer:
            await answer.aclose()
            break
        await served.wait_disconnected()
    assert answer.response.text == "Hal"


async def test_the_limit_of_silence_holds(served):
    served.answer(Answer.stream(EVENTS[:1], "text/event-stream", stall_after=1))
    async with mesh_at(served, timeout={"idle": 0.2}) as mesh:
        answer = await relay(mesh, "best", asked())
        with pytest.raises(TimeoutError):
            async for _ in answer:
                pass


@pytest.mark.parametrize(
    ("dialect", "more", "goes"),
    [
        ({}, {"seed": 1}, True),
        ({"renamed": {"seed": "random_seed"}}, {"seed": 1}, False),
        ({}, {"max_completion_tokens": 5}, False),
        ({"max_tokens": "max_completion_tokens"}, {"max_completion_tokens": 5}, True),
        ({"effort": None}, {"reasoning_effort": "low"}, False),
        ({}, {"reasoning_effort": "low"}, True),
        ({"usage_option": False}, {"stream": True}, True),
        ({"usage_option": False}, {"stream": True, "stream_options": {"include_usage": True}}, False),
    ],
)
def test_what_a_service_calls_otherwise_is_translated(dialect, more, goes):
    from jackfield.plugin import ModelRef
    from jackfield_openai import compatible

    plugin = compatible(id="acme", base_url="https://acme.example/v1", **dialect)
    body = json.dumps({"model": "x", "messages": [], **more}).encode()
    assert (plugin.jackfield_relay(ModelRef("m"), "openai.chat", {}, body) is not None) is goes


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("https://api.vendor.example/v1", False),
        ("https://api.openai.com.vendor.example/v1", False),
        ("http://vendor.example/v1", False),
    ],
)
def test_what_codex_tells_of_a_device_goes_to_openai_alone(address, own):
    settings = OpenAISettings(api_key=Secret("key"), base_url=address)
    model = ModelRef("gpt-6-luna", "o", None, None, {}, settings)
    headers = {"originator": "codex_exec", "x-codex-turn-metadata": '{"workspace":"/srv/work"}'}
    wire = plugin.jackfield_relay(model, "openai.responses", headers, b'{"model":"m","input":"hi"}')
    assert ("/srv/work" in str(dict(wire.headers))) is own
    body = b'{"model":"m","input":"hi","client_metadata":{"workspace":"/srv/work"}}'
    assert (plugin.jackfield_relay(model, "openai.responses", {}, body) is not None) is own


def long_stream(pieces):
    """Return the events of a stream as OpenAI writes them, with padding."""

    def event(choices, usage=None):
        told = {"id": "c1", "model": "gpt-6-luna", "choices": choices, "usage": usage, "obfuscation": "aB3"}
        return b"data: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"

    def choice(delta, reason=None):
        return [{"index": 0, "delta": delta, "finish_reason": reason}]

    usage = {"prompt_tokens": 9, "completion_tokens": 80, "total_tokens": 89}
    first, *rest = (
        event(choice({"role": "assistant", "content": ""})),
        *(event(choice({"content": one})) for one in pieces),
    )
    return [first, *rest, event(choice({}, "stop")), event([], usage), b"data: [DONE]\n\n"]


@pytest.mark.parametrize("size", [1000, 1 << 20, 7])
async def test_events_that_are_read_together_make_the_reply_that_they_make_one_by_one(
    served, monkeypatch, size
):
    pieces = ["The", " sk\u00ff", ' "is"', "\nblue\\", "\U0001f600", "."] * 12
    body = b"".join(long_stream(pieces))
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    replies, blocks = [], []
    real = ChatDecoder.read_block

    def read_block(self, block):
        found = real(self, block)
        blocks.append(found)
        return found

    for reader in (read_block, lambda self, block: None):
        monkeypatch.setattr(ChatDecoder, "read_block", reader)
        served.answer(Answer.stream(cut, "text/event-stream"))
        async with mesh_at(served) as mesh:
            answer = await relay(mesh, "best", asked())
            assert b"".join([piece async for piece in answer]) == body
        reply = answer.response
        replies.append(
            (reply.choices, reply.usage, reply.cost, reply.complete, reply.ended, reply.id, reply.model)
        )
    assert replies[0] == replies[1]
    assert replies[0][0][0].message.text == "".join(pieces)
    assert any(blocks) or size > len(body)
