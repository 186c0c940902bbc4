"""Traces of clients, and content in the log."""

import json
import logging
import subprocess
import sys

import aiohttp
import pytest
from gateway_running import CONFIG, running
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import jackfield_otel
from jackfield import Registry
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_gateway import GatewaySettings
from jackfield_gateway._keys import hash_key

HELLO = {"model": "best", "messages": [{"role": "user", "content": "a secret\nplan"}], "max_tokens": 50}
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1", "baggage": "who=me"}
KEY = "jf-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


@pytest.fixture
def spans(monkeypatch):
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: tracers)
    monkeypatch.setattr("opentelemetry.trace.get_tracer", tracers.get_tracer)
    jackfield_otel._telemetry.cache_clear()
    yield exporter.get_finished_spans
    jackfield_otel._telemetry.cache_clear()
    tracers.shutdown()


def traced(**settings):
    fake = FakeProvider()
    registry = Registry.of(fake, tables={"gateway": GatewaySettings}, extensions=[jackfield_otel])
    return running(CONFIG, fake, registry=registry, **settings)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_a_call_is_a_child_of_the_clients_span(spans, path, stream):
    async with traced() as gateway:
        for _ in range(2):
            async with gateway.http.post(
                f"{gateway.url}{path}", json={**HELLO, "stream": stream}, headers=PARENT
            ) as answer:
                assert answer.status == 200
                await answer.read()
        await gateway.post(path, HELLO)
    first, second, other = spans()
    assert {f"{span.context.trace_id:032x}" for span in (first, second)} == {TRACE}
    assert {f"{span.parent.span_id:016x}" for span in (first, second)} == {SPAN}
    assert first.context.trace_state.get("vendor") == "1"
    assert other.parent is None


async def test_calls_of_a_websocket_are_children_of_the_span_that_opened_it(spans):
    async with (
        traced() as gateway,
        gateway.http.ws_connect(f"{gateway.url}/v1/responses", headers=PARENT) as socket,
    ):
        await socket.send_json({"type": "response.create", "model": "best", "input": "hi"})
        while "response.completed" not in (await socket.receive()).data:
            pass
    assert f"{spans()[0].parent.span_id:016x}" == SPAN


@pytest.mark.parametrize("header", ["", "00-x-y-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "ff" * 5000])
async def test_a_trace_that_is_not_valid_changes_nothing(spans, header):
    async with traced() as gateway:
        status, _, _ = await gateway.post("/v1/chat/completions", HELLO, traceparent=header)
    assert status == 200
    assert spans()[0].parent is None


@pytest.mark.real_time
def test_without_tracing_nothing_of_it_is_imported():
    code = (
        "import sys; from jackfield_gateway._tracing import in_trace_of\n"
        "with in_trace_of({'traceparent': '00-1-1-01'}): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_content_is_logged_where_it_is_asked_for(caplog, stream):
    caplog.set_level(logging.DEBUG, "jackfield.gateway")
    alice = {"hash": hash_key(KEY), "owner": "org/alice"}
    async with running(log_content=True, keys={"alice": alice}) as gateway:
        gateway.fake.script(FakeAnswer(thinking="hm", text="an answer", tool_calls=[("f", {"a": 1})]))
        async with gateway.http.post(
            f"{gateway.url}/v1/chat/completions",
            json={**HELLO, "stream": stream},
            headers={"authorization": f"Bearer {KEY}"},
        ) as answer:
            await answer.read()
        await gateway.post("/v1/chat/completions", HELLO, authorization="Bearer jf-wrong")
    request, answer = [one.getMessage() for one in caplog.records if one.name.endswith(".content")]
    assert request.startswith("request req_")
    assert json.loads(request.partition(": ")[2])["messages"] == HELLO["messages"]
    assert json.loads(answer.partition(": ")[2])["choices"][0] == {
        "thinking": "hm", "text": "an answer", "tool_calls": [{"name": "f", "arguments": {"a": 1}}], "finish": "tool_calls",
    }  # fmt: skip
    assert "\n" not in request + answer
    assert KEY not in caplog.text


async def test_content_is_not_logged_otherwise(caplog):
    caplog.set_level(logging.DEBUG)
    async with running() as gateway:
        await gateway.post("/v1/chat/completions", HELLO)
        async with gateway.http.ws_connect(f"{gateway.url}/v1/responses") as socket:
            await socket.send_json({"type": "response.create", "model": "best", "input": "a secret plan"})
            while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                if not gateway.state.current.calls:
                    break
    assert "secret" not in caplog.text


async def test_long_content_is_cut(caplog):
    caplog.set_level(logging.DEBUG, "jackfield.gateway")
    async with running(log_content=True) as gateway:
        await gateway.post(
            "/v1/chat/completions", {**HELLO, "messages": [{"role": "user", "content": "x" * 300_000}]}
        )
    assert all(len(one.getMessage()) < 101_000 for one in caplog.records)
