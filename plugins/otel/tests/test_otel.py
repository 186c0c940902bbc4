"""Every call has its span and its measures, in the words of the GenAI conventions."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

import jackfield_otel
from jackfield import (
    Cost,
    Image,
    JackfieldError,
    Mesh,
    Message,
    Registry,
    StreamInterruptedError,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
)
from jackfield.plugin import RateCard, Replay, events_of, replayed_reply
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_otel._attributes import common
from jackfield_otel._providers import has_provider

PRICE = RateCard.of(source="test", input="1000000", output="2000000")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Exported:
    """What an SDK would export."""

    def __init__(self, monkeypatch):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader])
        # A provider can be set once a process, and these are for one test.
        monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: self.tracers)
        monkeypatch.setattr("opentelemetry.trace.get_tracer", self.tracers.get_tracer)
        monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", lambda: self.meters)
        monkeypatch.setattr("opentelemetry.metrics.get_meter", self.meters.get_meter)
        jackfield_otel._telemetry.cache_clear()

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def metric(self, name):
        """The points of a metric: attributes, and sum and count or value."""
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        return metric
        return None

    def points(self, name):
        metric = self.metric(name)
        return [] if metric is None else list(metric.data.data_points)


@pytest.fixture
def exported(monkeypatch):
    monkeypatch.delenv(CONTENT, raising=False)
    found = Exported(monkeypatch)
    yield found
    jackfield_otel._telemetry.cache_clear()
    found.tracers.shutdown()
    found.meters.shutdown()


def mesh_for(provider=None, middlewares=(), id="fake", **connection):
    registry = Registry.of(provider or FakeProvider(price=PRICE), extensions=[jackfield_otel])
    config = {
        "connections": {"main": {"provider": id, "retry": {"attempts": 2, "max_delay": 0.001}, **connection}}
    }
    return Mesh.from_config(config, registry=registry, middlewares=middlewares)


async def read(mesh, *args, **kwargs):
    async with mesh.stream_chat(*args, **kwargs) as stream:
        async for _ in stream:
            pass
    return stream.response


async def test_a_span_says_for_whom_a_call_was_made(exported):
    async with mesh_for() as mesh:
        await mesh.chat("main:echo", "hi", owner="org/team", labels={"key": "alice"})
    (span,) = exported.spans
    assert span.attributes["jackfield.owner"] == "org/team"
    assert span.attributes["jackfield.label.key"] == "alice"


async def test_a_call_has_a_span_in_the_words_of_the_conventions(exported):
    async with mesh_for() as mesh:
        reply = await mesh.chat(
            "main:echo", "Hello there", temperature=0, max_tokens=9, top_k=3, stop=["x"], seed=0, n=2,
            frequency_penalty=0.5, presence_penalty=0, top_p=1, response_format="json",
        )  # fmt: skip
    (span,) = exported.spans
    assert span.name == "chat echo"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fake",
        "gen_ai.request.model": "echo",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.top_k": 3.0,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.seed": 0,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.frequency_penalty": 0.5,
        "gen_ai.request.presence_penalty": 0.0,
        "gen_ai.output.type": "json",
        "gen_ai.response.id": "fake-1",
        "gen_ai.response.model": "echo",
        "gen_ai.response.finish_reasons": tuple(choice.finish_reason for choice in reply.choices),
        "gen_ai.usage.input_tokens": reply.usage.input_tokens,
        "gen_ai.usage.output_tokens": reply.usage.output_tokens,
        "jackfield.connection": "main",
        "jackfield.target": "main:echo",
        "jackfield.status": "ok",
        "jackfield.attempts": 1,
        "jackfield.cost.status": "complete",
        "jackfield.cost.amount": float(reply.cost.amount),
        "jackfield.cost.currency": "USD",
    }


async def test_every_name_of_theirs_is_known_to_the_conventions(exported):
    if not hasattr(gen_ai_attributes, "GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK"):
        pytest.skip("opentelemetry-semantic-conventions is older than the conventions that are followed")
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    async with mesh_for() as mesh:
        await mesh.chat("main:echo", "Hi", temperature=1, max_tokens=1, n=2, response_format="json")
        await mesh.embed("main:echo", "Hi", dimensions=4)
        await read(mesh, "main:echo", "Hi")
    used = {name for span in exported.spans for name in span.attributes if name.startswith("gen_ai.")}
    assert len(used) > 10
    assert used <= known


async def test_what_was_not_given_or_not_said_is_left_out(exported):
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="x", usage=None)])) as mesh:
        await mesh.chat("main:echo", "Hi")
    (span,) = exported.spans
    assert not [name for name in span.attributes if name.startswith(("gen_ai.usage", "gen_ai.request.t"))]
    assert span.attributes["jackfield.cost.status"] == "unknown"
    assert exported.points("gen_ai.client.token.usage") == []
    assert exported.points("jackfield.client.cost") == []


async def test_parts_of_usage_have_their_names(exported):
    usage = Usage(
        input_tokens=10, output_tokens=5, cached_input_tokens=4, cache_write_tokens=2, reasoning_tokens=3
    )
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="x", usage=usage)])) as mesh:
        await mesh.chat("main:echo", "Hi")
    said = exported.spans[0].attributes
    assert said["gen_ai.usage.cache_read.input_tokens"] == 4
    assert said["gen_ai.usage.cache_creation.input_tokens"] == 2
    assert said["gen_ai.usage.reasoning.output_tokens"] == 3


async def test_each_kind_of_call_has_its_operation(exported):
    async with mesh_for() as mesh:
        await mesh.complete("main:echo", "Hi")
        await mesh.embed("main:echo", ["Hi"], dimensions=4)
        await mesh.summarize("main:echo", "Hi")
        await mesh.rerank("main:echo", "a", ["b"])
        await mesh.count_tokens("main:echo", "Hi")
    assert [span.name for span in exported.spans] == [
        "text_completion echo", "embeddings echo", "summarize echo", "rerank echo", "count_tokens echo"
    ]  # fmt: skip
    assert exported.spans[1].attributes["gen_ai.embeddings.dimension.count"] == 4


@pytest.mark.parametrize(
    ("id", "name", "kind"),
    [
        ("azure-openai", "azure.ai.openai", SpanKind.CLIENT),
        ("bedrock", "aws.bedrock", SpanKind.CLIENT),
        ("mistral", "mistral_ai", SpanKind.CLIENT),
        ("vertex", "gcp.vertex_ai", SpanKind.CLIENT),
        ("openai", "openai", SpanKind.CLIENT),
        ("onnx", "onnx", SpanKind.INTERNAL),
    ],
)
async def test_providers_have_the_conventions_names(exported, id, name, kind):
    async with mesh_for(FakeProvider(id), id=id) as mesh:
        await mesh.chat("main:echo", "Hi")
    assert exported.spans[0].attributes["gen_ai.provider.name"] == name
    assert exported.spans[0].kind is kind


async def test_an_error_is_on_the_span_without_its_message(exported):
    async with mesh_for(FakeProvider(answers=[503, FakeAnswer(error=429, retry_after=0.0)])) as mesh:
        with pytest.raises(JackfieldError):
            await mesh.chat("main:echo", "A private question")
    (span,) = exported.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == span.attributes["error.type"] == "RateLimitError"
    assert span.attributes["jackfield.attempts"] == 2
    assert "rivate" not in span.to_json()
    (point,) = exported.points("gen_ai.client.operation.duration")
    assert point.attributes["error.type"] == "RateLimitError"


async def test_a_stream_has_a_span_and_its_time_to_the_first_event(exported):
    answer = FakeAnswer(chunks=["a", "b"], delay=0.02, chunk_delay=0.02)
    async with mesh_for(FakeProvider(answers=[answer])) as mesh:
        await read(mesh, "main:echo", "Hi")
    (span,) = exported.spans
    first = span.attributes["gen_ai.response.time_to_first_chunk"]
    assert span.attributes["gen_ai.request.stream"] is True
    (point,) = exported.points("gen_ai.client.operation.time_to_first_chunk")
    (whole,) = exported.points("gen_ai.client.operation.duration")
    assert 0.02 <= first == point.sum < whole.sum
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(whole.sum, abs=0.05)


async def test_a_whole_answer_has_no_time_to_the_first_event(exported):
    async with mesh_for() as mesh:
        await mesh.chat("main:echo", "Hi")
    assert exported.points("gen_ai.client.operation.time_to_first_chunk") == []
    assert "gen_ai.response.time_to_first_chunk" not in exported.spans[0].attributes


async def test_a_stream_that_is_left_and_one_that_breaks(exported):
    provider = FakeProvider(answers=["one two three", FakeAnswer(text="one two", truncate=True)])
    async with mesh_for(provider) as mesh:
        async with mesh.stream_chat("main:echo", "Hi") as stream:
            await anext(aiter(stream))
        with pytest.raises(StreamInterruptedError):
            await read(mesh, "main:echo", "Hi")
    left, broken = exported.spans
    assert (left.attributes["jackfield.status"], left.status.status_code) == ("cancelled", StatusCode.UNSET)
    assert broken.attributes["error.type"] == "StreamInterruptedError"


async def test_a_stream_whose_service_does_not_mark_its_end_is_ok_once_it_was_read(exported):
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="one two", unmarked=True)])) as mesh:
        reply = await read(mesh, "main:echo", "Hi")
    assert not reply.complete
    assert exported.spans[0].attributes["jackfield.status"] == "ok"


async def test_a_cancelled_call_ends_its_span(exported):
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="x", delay=5)])) as mesh:
        task = asyncio.create_task(mesh.chat("main:echo", "Hi"))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert exported.spans[0].attributes["jackfield.status"] == "cancelled"
    assert jackfield_otel._telemetry()._running == {}


# Where spans belong


async def test_a_span_is_below_the_callers_and_above_what_happens_in_the_call(exported):
    tracer = exported.tracers.get_tracer("test")

    async def http(call, proceed):
        with tracer.start_as_current_span("POST"):
            return await proceed(call)

    async with mesh_for(middlewares=[http]) as mesh:
        with tracer.start_as_current_span("request") as outer:
            await mesh.chat("main:echo", "Hi")
            assert trace.get_current_span() is outer
    inner, call, outer = exported.spans
    assert [span.name for span in (inner, call, outer)] == ["POST", "chat echo", "request"]
    assert call.parent.span_id == outer.context.span_id
    assert inner.parent.span_id == call.context.span_id


async def test_between_the_events_of_a_stream_the_caller_has_his_own_span(exported):
    tracer = exported.tracers.get_tracer("test")
    async with mesh_for() as mesh:
        with tracer.start_as_current_span("request") as outer:
            async with mesh.stream_chat("main:echo", "Hi") as stream:
                async for _ in stream:
                    assert trace.get_current_span() is outer
            assert trace.get_current_span() is outer
    assert exported.spans[0].parent.span_id == outer.get_span_context().span_id


async def test_calls_at_the_same_time_have_spans_of_their_own(exported):
    async with mesh_for() as mesh:
        await asyncio.gather(*(mesh.chat("main:echo", f"number {n}") for n in range(20)))
        assert not trace.get_current_span().is_recording()
    assert len({span.context.span_id for span in exported.spans}) == 20
    assert {span.parent for span in exported.spans} == {None}


# Measures


async def test_tokens_time_and_cost_are_measured(exported):
    async with mesh_for() as mesh:
        replies = [await mesh.chat("main:echo", "Hello there"), await mesh.chat("main:echo", "Hi")]
    points = {p.attributes["gen_ai.token.type"]: p for p in exported.points("gen_ai.client.token.usage")}
    assert points["input"].sum == sum(reply.usage.input_tokens for reply in replies)
    assert points["output"].sum == sum(reply.usage.output_tokens for reply in replies)
    assert points["input"].count == 2
    assert list(points["input"].explicit_bounds) == [4**n for n in range(14)]
    assert dict(points["input"].attributes) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "fake", "gen_ai.request.model": "echo",
        "gen_ai.response.model": "echo", "gen_ai.token.type": "input",
    }  # fmt: skip
    (duration,) = exported.points("gen_ai.client.operation.duration")
    assert duration.count == 2
    assert duration.explicit_bounds[:3] == pytest.approx([0.01, 0.02, 0.04])
    assert duration.explicit_bounds[-1] == pytest.approx(81.92)
    (cost,) = exported.points("jackfield.client.cost")
    assert cost.value == float(sum(reply.cost.amount for reply in replies))
    assert cost.attributes["jackfield.cost.currency"] == "USD"
    assert cost.attributes["jackfield.connection"] == "main"
    units = {
        name: exported.metric(name).unit for name in ("gen_ai.client.token.usage", "jackfield.client.cost")
    }
    assert units == {"gen_ai.client.token.usage": "{token}", "jackfield.client.cost": "{currency}"}


async def test_billed_tokens_are_counted_where_a_service_tells_them_apart(exported):
    usage = Usage(
        input_tokens=10, output_tokens=5, details={"billed_input_tokens": 4, "billed_output_tokens": 0}
    )
    async with mesh_for(FakeProvider(answers=[FakeAnswer(text="x", usage=usage)])) as mesh:
        await mesh.chat("main:echo", "Hi")
    assert {
        p.attributes["gen_ai.token.type"]: p.sum for p in exported.points("gen_ai.client.token.usage")
    } == {
        "input": 4,
        "output": 0,
    }


async def test_an_answer_from_a_cache_uses_nothing_and_saves(exported):
    async def cache(call, proceed):
        reply = await proceed(call)
        saved = Replay(by="cache", usage=reply.usage, cost=Cost("complete", reply.cost.amount, "USD"))
        return replayed_reply(call, events_of(reply), replay=saved)

    async with mesh_for(middlewares=[cache]) as mesh:
        reply = await mesh.chat("main:echo", "Hi")
    assert exported.spans[0].attributes["jackfield.replay.by"] == "cache"
    assert exported.points("gen_ai.client.token.usage") == []
    assert exported.points("jackfield.client.cost") == []
    (saved,) = exported.points("jackfield.client.cost.saved")
    assert saved.value == float(reply.replay.cost.amount)


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.example.com/v1", ("api.example.com", 443)),
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080)),
        (None, None),
        ("http://[", None),
        ("nothing", None),
    ],
)
def test_the_server_is_that_of_the_declared_address(base_url, expected):
    settings = SimpleNamespace(base_url=base_url)
    call = SimpleNamespace(
        model=SimpleNamespace(settings=settings, id="m"), provider="openai", kind="chat", request=None
    )
    found = {name: value for name, value in common(call).items() if name.startswith("server.")}
    assert found == ({} if expected is None else {"server.address": expected[0], "server.port": expected[1]})


# Content


MESSAGES = [
    Message(
        "user",
        (Text("A private question"), Image(data=b"123", media_type="image/png"), Image(url="http://x/y")),
    ),
    Message("assistant", (ToolCall("1", "look", {"a": "private"}),)),
    Message("tool", (ToolResult("1", "A private result"),)),
]


async def test_content_is_left_out_by_default(exported):
    async with mesh_for(FakeProvider(answers=["A private answer"] * 2)) as mesh:
        await mesh.chat("main:echo", MESSAGES, system="A private rule", tools=[Tool("look")], user="private")
        await read(mesh, "main:echo", MESSAGES)
    assert "rivate" not in "".join(span.to_json() for span in exported.spans)


@pytest.mark.parametrize("word", ["true", "SPAN_ONLY", "span_and_event"])
async def test_content_is_written_if_the_environment_asks_for_it(exported, monkeypatch, word):
    monkeypatch.setenv(CONTENT, word)
    answer = FakeAnswer(text="An answer", thinking="hm", tool_calls=[("look", {"a": 1})])
    async with mesh_for(FakeProvider(answers=[answer, answer])) as mesh:
        await mesh.chat("main:echo", MESSAGES, system="A rule")
        await read(mesh, "main:echo", MESSAGES)
    for span in exported.spans:
        asked = json.loads(span.attributes["gen_ai.input.messages"])
        assert asked[0]["parts"] == [
            {"type": "text", "content": "A private question"},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "bytes": 3},
            {"type": "uri", "modality": "image", "mime_type": None, "uri": "http://x/y"},
        ]
        assert asked[1]["parts"] == [
            {"type": "tool_call", "id": "1", "name": "look", "arguments": {"a": "private"}}
        ]
        assert asked[2]["parts"] == [
            {"type": "tool_call_response", "id": "1", "response": "A private result"}
        ]
        (said,) = json.loads(span.attributes["gen_ai.output.messages"])
        assert said["finish_reason"] == "tool_call"
        assert [part["type"] for part in said["parts"]] == ["reasoning", "text", "tool_call"]
    assert json.loads(exported.spans[0].attributes["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "A rule"}
    ]


@pytest.mark.parametrize("word", ["", "false", "event_only", "no_content"])
async def test_other_words_ask_for_none(exported, monkeypatch, word):
    monkeypatch.setenv(CONTENT, word)
    async with mesh_for() as mesh:
        await mesh.complete("main:echo", "A private question")
    assert "gen_ai.input.messages" not in exported.spans[0].attributes


# The package


def run(code, **environment):
    """Run code in a process of its own, in which no provider has ever been set."""
    lines = [
        "import asyncio, sys",
        "import jackfield_otel",
        "from jackfield import Mesh, Registry",
        "from jackfield.testing import FakeProvider",
        "registry = Registry.of(FakeProvider(), extensions=[jackfield_otel])",
        "config = {'connections': {'main': {'provider': 'fake'}}}",
        textwrap.dedent(code),
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr


def test_without_a_provider_a_call_imports_nothing_and_its_end_is_declined():
    run("""
        async def main():
            async with Mesh.from_config(config, registry=registry) as mesh:
                assert (await mesh.chat("main:echo", "Hi")).text
                async with mesh.stream_chat("main:echo", "Hi") as stream:
                    async for _ in stream:
                        pass
                assert jackfield_otel.jackfield_call_started(None) is False
                assert not [name for name in sys.modules if name.startswith("opentelemetry")]
                import opentelemetry.metrics, opentelemetry.trace
                assert (await mesh.chat("main:echo", "Hi")).text
                assert jackfield_otel.jackfield_call_started(None) is False

        asyncio.run(main())
        """)


@pytest.mark.parametrize("what", ["spans", "metrics"])
def test_a_provider_may_be_set_late(what):
    run(f"""
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()

        def set_provider():
            if {what!r} == "spans":
                trace.set_tracer_provider(TracerProvider())
                trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
            else:
                metrics.set_meter_provider(MeterProvider([reader]))

        async def main():
            async with Mesh.from_config(config, registry=registry) as mesh:
                await mesh.chat("main:echo", "Hi")
                async with mesh.stream_chat("main:echo", "Hi") as begun_before:
                    set_provider()
                    async for _ in begun_before:
                        pass
                await mesh.chat("main:echo", "Hi")
            if {what!r} == "spans":
                assert [span.name for span in exporter.get_finished_spans()] == ["chat echo"]
            else:
                metric = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics[0]
                assert [point.count for point in metric.data.data_points] == [1]

        asyncio.run(main())
        """)


def test_a_provider_that_the_environment_names_is_used():
    run(
        """
        from jackfield_otel._providers import has_provider
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        assert has_provider()
        """,
        OTEL_PYTHON_TRACER_PROVIDER="sdk_tracer_provider",
    )


@pytest.mark.parametrize(
    ("tracers", "meters", "expected"),
    [
        (trace.ProxyTracerProvider(), metrics.NoOpMeterProvider(), False),
        (trace.NoOpTracerProvider(), metrics.NoOpMeterProvider(), False),
        (TracerProvider(), metrics.NoOpMeterProvider(), True),
        (trace.NoOpTracerProvider(), MeterProvider(), True),
    ],
)
def test_a_provider_that_drops_everything_is_none(monkeypatch, tracers, meters, expected):
    monkeypatch.setattr("opentelemetry.trace.get_tracer_provider", lambda: tracers)
    monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", lambda: meters)
    assert has_provider() is expected


def test_importing_it_imports_no_opentelemetry():
    code = "import sys, jackfield_otel; assert not any(n.startswith('opentelemetry') for n in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_half_a_character_becomes_one_that_an_exporter_can_write(exported, monkeypatch):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    async with mesh_for(FakeProvider(answers=["ok"])) as mesh:
        await mesh.chat("main:echo", "half \ud83d")
    assert json.loads(exported.spans[0].attributes["gen_ai.input.messages"])[0]["parts"] == [
        {"type": "text", "content": "half \ufffd"}
    ]
