"""A sound provider, as small as the contract lets it be. `test_kit.py` breaks it, one fault at a time."""

from __future__ import annotations

import base64
from array import array

import attrs
import orjson

from jackfield import (
    ContextLengthExceededError,
    Finish,
    ModelCard,
    RateLimitError,
    RawEvent,
    RawPart,
    Reasoning,
    Secret,
    Started,
    StreamInterruptedError,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
    Usage,
    UsageUpdate,
)
from jackfield._contract.protocols import Listing
from jackfield._types.cost import RateCard
from jackfield._types.failures import Failure
from jackfield.http import error_from_status
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    EmbeddingData,
    EmbedRequest,
    FailureInStream,
    HttpAccess,
    Limits,
    ParameterRule,
    ParameterWriter,
    ProviderInfo,
    StaticHeader,
    Translation,
    Wire,
    hookimpl,
    read_frame,
    replace_model,
    secret,
    sift_frame,
)
from jackfield.testing import Case

TABLE = "table 2026-11-22"

CHAT = Capabilities(
    known=True,
    kinds=frozenset({"chat"}),
    parameters={
        "temperature": ParameterRule(maximum=1, minimum=0),
        "seed": ParameterRule(supported=False),
        "top_p": ParameterRule(excludes=("temperature",)),
    },
    limits=Limits(context_window=8000, max_output_tokens=1000),
    source=TABLE,
).with_features(TABLE, streaming=True, system=True, tools=True, reasoning=True, images=False, json=False)

EMBED = Capabilities(
    known=True, kinds=frozenset({"embedding"}), limits=Limits(dimensions=2), source=TABLE
).with_features(TABLE, dimensions=True)

RATES = {
    "acme-1": RateCard.of(source="acme price page", as_of="2026-11-22", input=2, output=8, cache_read="0.5")
}


@attrs.frozen
class Settings:
    base_url: str = "https://api.acme.example/v1"
    api_key: Secret | None = secret(env="ACME_API_KEY")
    max_response: int | None = 256 << 20


REASONS = {"done": "stop", "calls": "tool_calls", "limit": "length"}


class Decoder:
    """Reads streams and whole answers."""

    def __init__(self, wire):
        self.wire = wire
        self.done = not wire.stream
        self.ended = self.is_whole = False

    def start(self, head):
        return []

    def feed(self, frame):
        if frame.data == b"[DONE]":
            self.done = self.ended = True
            return []
        try:
            data = self.parse(frame.data)
        except ValueError:
            data = read_frame(frame)
        else:
            data = sift_frame(frame, data)
        if data is None and self.wire.stream:
            return []
        return self.event(data) if self.wire.stream else self.whole(data)

    def parse(self, data):
        return orjson.loads(data)

    def event(self, data):
        kind = data.get("type")
        if kind == "start":
            return [Started(data["id"], data["model"])]
        if kind == "text":
            return [TextDelta(data["text"])]
        if kind == "thought":
            return [ThinkingDelta(data["text"])]
        if kind == "call":
            return self.call(data)
        if kind == "usage":
            return [UsageUpdate(self.usage(data))]
        if kind == "end":
            return [self.end(data["reason"])]
        if kind == "error":
            raise FailureInStream(Failure(status=data.get("status"), data=data))
        return self.unknown(kind, data)

    def unknown(self, kind, data):
        return [RawEvent(kind or "unknown", data)]

    def whole(self, data):
        if "vectors" in data:
            vectors = [EmbeddingData(i, array("f", v)) for i, v in enumerate(data["vectors"])]
            return [*vectors, UsageUpdate(self.usage(data.get("usage", {})))]
        events = [Started(data["id"], data["model"])]
        if data.get("thought"):
            events.append(ThinkingDelta(data["thought"]))
        if data["text"]:
            events.append(TextDelta(data["text"]))
        for call in data.get("calls", ()):
            events += self.call(call)
        events.append(UsageUpdate(self.usage(data.get("usage", {}))))
        return [*events, self.end(data["end"])]

    def call(self, data):
        index = data["index"]
        return [
            ToolCallStart(index, data["id"], data["name"]),
            ToolCallDelta(index, data["arguments"]),
            ToolCallEnd(index),
        ]

    def usage(self, data):
        return Usage(data.get("input"), data.get("output"), data.get("cached"))

    def end(self, reason):
        self.is_whole = True
        return Finish(REASONS.get(reason, "other"), raw=reason)

    def finish(self):
        if not (self.done or self.is_whole):
            raise StreamInterruptedError("the stream ended without [DONE]")
        return []


class Acme:
    """The provider."""

    decoder = Decoder

    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(
            id="acme", title="Acme", settings=Settings, kinds=frozenset({"chat", "embedding"})
        )

    @hookimpl
    def jackfield_capabilities(self, model):
        known = {"acme-1": CHAT, "acme-embed": EMBED}.get(model.known_as)
        return Capabilities() if known is None else known

    @hookimpl
    def jackfield_table(self):
        return ("acme-1", "acme-embed")

    @hookimpl
    def jackfield_discover(self, settings):
        def parse(head, body):
            return [ModelCard(id=name) for name in orjson.loads(body)["models"]], None

        return Listing(Wire("models", method="GET"), parse)

    @hookimpl
    def jackfield_relay(self, model, surface, headers, body):
        if surface != "openai.chat":
            return None
        stream = b'"stream":true' in body
        return Wire(
            "generate",
            self.name_model(body, model.id),
            headers=self.choose_headers(headers),
            stream=stream,
            framing="sse" if stream else None,
        )

    def name_model(self, body, name):
        return replace_model(body, name)

    def choose_headers(self, headers):
        return {}

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        body = {"model": model.id}
        given = request.given() if isinstance(request, EmbedRequest) else request.options.given()
        options = request if isinstance(request, EmbedRequest) else request.options
        writer = ParameterWriter(given, capabilities, options.unsupported, body, model=model.id)
        if isinstance(request, EmbedRequest):
            body["texts"] = list(request.inputs)
            writer.put("dimensions", "size")
        elif isinstance(request, ChatRequest):
            body["messages"] = [self.message(m, i, writer) for i, m in enumerate(request.messages)]
            self.options(writer, request)
        else:
            writer.refuse("kind", "it only chats")
        self.extra(writer, options)
        if request.stream:
            body["stream"] = True
        report = writer.finish()
        path = "embed" if isinstance(request, EmbedRequest) else "chat"
        return Translation(Wire(path, body, stream=request.stream, framing="sse"), report)

    def extra(self, writer, options):
        writer.merge_extra(options.extra, "acme")

    def options(self, writer, request):
        for name in ("system", "temperature", "top_p", "max_tokens", "user"):
            self.option(writer, name)
        self.stop(writer)
        self.tools(writer)
        writer.put("reasoning", "effort", self.effort)

    def option(self, writer, name):
        writer.put(name)

    def stop(self, writer):
        writer.put("stop", "stop_at", list)

    def tools(self, writer):
        writer.put("tools", convert=lambda tools: [self.tool(tool) for tool in tools])

    def tool(self, tool):
        made = {"name": tool.name, "about": tool.description, "schema": tool.parameters}
        return made if tool.strict is None else {**made, "strict": tool.strict}

    def effort(self, reasoning: Reasoning):
        return reasoning.effort

    def message(self, message, index, writer):
        parts = []
        for part in message.parts:
            if isinstance(part, Text):
                parts.append(part.text)
            elif isinstance(part, ToolCall):
                parts.append({"call": part.name, "id": part.id, "arguments": dict(part.arguments)})
            elif isinstance(part, ToolResult):
                parts.append(self.result(part))
            else:
                self.other(part, index, writer, parts)
        return {"role": message.role, "parts": parts}

    def result(self, part):
        content = [Text(part.content)] if isinstance(part.content, str) else part.content
        sent = [one.text if isinstance(one, Text) else self.file(one) for one in content]
        made = {"result": sent, "id": part.tool_call_id}
        return {**made, "failed": True} if part.is_error else made

    def other(self, part, index, writer, parts):
        if isinstance(part, Thinking):
            writer.drop(f"messages[{index}]", "thinking is not sent back")
        elif isinstance(part, RawPart):
            writer.drop(f"messages[{index}]", "not ours")
        else:
            parts.append(self.file(part))

    def file(self, part):
        if part.url is not None:
            return {"address": part.url}
        data = part.text.encode() if part.data is None else part.data
        return {"file": base64.b64encode(data).decode(), "type": part.media_type}

    @hookimpl
    def jackfield_decoder(self, model, wire):
        return self.decoder(wire)

    @hookimpl
    def jackfield_error(self, model, failure):
        value = failure.json()
        error = value.get("error") if isinstance(value, dict) else None
        if isinstance(error, dict) and error.get("kind") == "too_long":
            return ContextLengthExceededError(
                "too long", status=failure.status, body=failure.body, headers=failure.headers
            )
        if failure.status == 429:
            return self.rate_limit(failure)
        return None

    def rate_limit(self, failure):
        error = error_from_status(failure)
        return RateLimitError(
            error.message,
            status=failure.status,
            body=failure.body,
            headers=failure.headers,
            retry_after=self.wait(failure, error.retry_after),
        )

    def wait(self, failure, seconds):
        return seconds

    @hookimpl
    def jackfield_cost(self, model, usage, context):
        return RATES.get(model.known_as)

    @hookimpl
    def jackfield_transport(self, settings):
        return HttpAccess(
            base_url=settings.base_url, auth=StaticHeader("Authorization", settings.api_key, prefix="Bearer ")
        )


plugin = Acme()


def collect_into(faults):
    """Return a decorator that says which checks have to catch a fault; the first is the one that is meant for it."""

    def caught_by(*names):
        def add(cls):
            faults.append((cls, names))
            return cls

        return add

    return caught_by


def sse(*events, done=True):
    body = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    return body + (b"data: [DONE]\n\n" if done else b"")


START = {"type": "start", "id": "a1", "model": "acme-1"}
USED = {"type": "usage", "input": 9, "output": 4, "cached": 3}

HELLO = sse(
    START,
    {"type": "thought", "text": "greet"},
    {"type": "text", "text": "Grüß "},
    {"type": "text", "text": "Gott"},
    USED,
    {"type": "end", "reason": "done"},
)
HELLO_WHOLE = orjson.dumps(
    {
        "id": "a1",
        "model": "acme-1",
        "thought": "greet",
        "text": "Grüß Gott",
        "usage": {"input": 9, "output": 4, "cached": 3},
        "end": "done",
    }
)
TOOLS = sse(
    START,
    {"type": "call", "index": 0, "id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'},
    USED,
    {"type": "end", "reason": "calls"},
)
EMBEDDED = orjson.dumps({"vectors": [[0.5, -0.5]], "usage": {"input": 2}})
SILENT = orjson.dumps({"id": "a1", "model": "acme-1", "text": "Hm", "end": "done"})
TOO_LONG = b'{"error": {"kind": "too_long", "message": "too long"}}'
FAILED = sse(
    START, {"type": "text", "text": "Hel"}, {"type": "error", "status": 503, "error": {"message": "busy"}}
)

CASES = (
    Case(
        model="acme-1",
        wire=HELLO,
        text="Grüß Gott",
        thinking="greet",
        usage=(9, 4),
        finish="stop",
        pair="hello",
        shows=("system",),
        name="hello, streamed",
    ),
    Case(
        model="acme-1",
        wire=HELLO_WHOLE,
        text="Grüß Gott",
        thinking="greet",
        usage=Usage(9, 4, 3),
        finish="stop",
        pair="hello",
        name="hello, whole",
    ),
    Case(model="acme-1", wire=TOOLS, tool_call=("add", {"a": 1, "b": 2}), finish="tool_calls", name="tools"),
    Case(model="acme-1", wire=SILENT, text="Hm", usage=None, name="silent"),
    Case(
        model="acme-embed",
        kind="embedding",
        wire=EMBEDDED,
        embedding=[[0.5, -0.5]],
        usage=(2, None),
        shows=("dimensions",),
        name="embedded",
    ),
    Case(model="acme-1", wire=TOO_LONG, status=400, error=ContextLengthExceededError, name="too long"),
    Case(kind="listing", wire=b'{"models": ["acme-1", "acme-embed"]}', models=("acme-1", "acme-embed")),
    Case(model="acme-1", wire=FAILED, error=RateLimitError.__mro__[1], name="failed in the stream"),
)

MORE_CASES = (
    Case(
        model="acme-embed",
        kind="embedding",
        wire=orjson.dumps({"vectors": [[0.5, -0.5], [0.25, 1.0]], "usage": {"input": 4}}),
        request=EmbedRequest(inputs=("a", "b")),
        embedding=(2, 2),
        name="two embedded",
    ),
    Case(
        model="acme-1",
        wire=orjson.dumps(
            {"id": "a1", "model": "acme-1", "text": "Hm", "end": "done", "input_tokens": 9, "eval_count": 4}
        ),
        text="Hm",
        name="counts at the top",
    ),
)
