"""A small honest HTTP provider, and what tests of the core do with it.

Its dialect: `POST /chat`, `/complete`, `/embed`, `/rerank`, `/count`, `GET /models?page=N`. A stream is
server-sent events of the same objects as a whole answer, and ends with `data: [DONE]`.
"""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from typing import Any

import attrs
import orjson

from jackfield import (
    Finish,
    Mesh,
    ModelCard,
    QuotaExceededError,
    Secret,
    Started,
    StreamInterruptedError,
    TextDelta,
    Usage,
    UsageUpdate,
)
from jackfield._calls.translation import kind_of
from jackfield._plugins.registry import Registry
from jackfield._types.failures import error_from_status
from jackfield.plugin import (
    Capabilities,
    EmbeddingData,
    Failure,
    FailureInStream,
    HttpAccess,
    Listing,
    ParameterRule,
    ParameterWriter,
    ProviderInfo,
    RerankScore,
    StaticHeader,
    TokensCounted,
    Translation,
    Wire,
    hookimpl,
    secret,
)
from jackfield.testing import Answer

KINDS = frozenset({"chat", "completion", "embedding", "rerank"})
TABLE = Capabilities(
    known=True,
    kinds=KINDS,
    parameters={
        "temperature": ParameterRule(minimum=0, maximum=2),
        "max_tokens": ParameterRule(wire="limit"),
    },
    source="table 2026-01-01",
)
_KNOWN = (
    "system",
    "max_tokens",
    "temperature",
    "stop",
    "tools",
    "response_format",
    "user",
    "dimensions",
    "top_n",
)


@attrs.frozen
class PlainSettings:
    base_url: str = "http://127.0.0.1:9"
    api_key: Secret | None = secret(env="PLAIN_KEY")


class PlainProvider:
    """The plugin. `capabilities` is one for all models or a dict by model id; other arguments replace parts of it."""

    def __init__(self, id="plain", *, capabilities=TABLE, auth=None, decoder=None, path="", price=None):
        self.id = id
        self.capabilities = capabilities
        self.auth = auth
        self.decoder = decoder
        self.path = path
        self.price = price

    @hookimpl
    def jackfield_provider(self):
        return ProviderInfo(id=self.id, title="Plain", settings=PlainSettings, kinds=KINDS)

    @hookimpl
    def jackfield_capabilities(self, model):
        if isinstance(self.capabilities, dict):
            return self.capabilities.get(model.id, Capabilities(kinds=KINDS))
        return self.capabilities

    @hookimpl
    def jackfield_translate(self, model, request, capabilities):
        kind = kind_of(request)
        body: dict[str, Any] = {"model": model.id}
        given = request.options.given() if hasattr(request, "options") else request.given()
        policy = request.options.unsupported if hasattr(request, "options") else request.unsupported
        writer = ParameterWriter(given, capabilities, policy, body, model=model.id)
        if kind == "chat":
            body["messages"] = [{"role": m.role, "text": m.text} for m in request.messages]
        elif kind == "completion":
            body["prompt"] = request.prompt
        elif kind == "embedding":
            body["inputs"] = list(request.inputs)
        else:
            body |= {"query": request.query, "documents": list(request.documents)}
        for name in _KNOWN:
            writer.put(name, convert=_plain_tools if name == "tools" else None)
        extra = request.options.extra if hasattr(request, "options") else request.extra
        writer.merge_extra(extra, self.id)
        if request.stream:
            body["stream"] = True
        path = {"chat": "chat", "completion": "complete", "embedding": "embed", "rerank": "rerank"}[kind]
        if type(request).__name__ == "CountRequest":
            path = "count"
        wire = Wire(
            self.path + "/" + path, body, stream=request.stream, framing="sse" if request.stream else None
        )
        return Translation(wire, writer.finish())

    @hookimpl
    def jackfield_decoder(self, model, wire):
        return (self.decoder or PlainDecoder)(wire)

    @hookimpl
    def jackfield_error(self, model, failure):
        error = (failure.json() or {}).get("error", {}) if isinstance(failure.json(), dict) else {}
        code = error.get("code") if isinstance(error, dict) else None
        if code == "quota":
            return QuotaExceededError(error["message"], status=failure.status, code=code)
        if failure.in_stream:
            failure = attrs.evolve(failure, status=error.get("status"))
        if failure.exception is not None or code is None:
            return None if failure.status is None else error_from_status(failure)
        made = error_from_status(failure, message=error.get("message"), code=code)
        made.refresh_credentials = code == "expired"
        return made

    @hookimpl
    def jackfield_discover(self, settings):
        return Listing(Wire("models", method="GET", query={"page": "1"}), _page)

    @hookimpl
    def jackfield_cost(self):
        return self.price

    @hookimpl
    def jackfield_transport(self, settings):
        auth = self.auth or StaticHeader("Authorization", settings.api_key, "Bearer ", optional=True)
        return HttpAccess(base_url=settings.base_url, auth=auth, headers={"X-Plain": "1"})


def _plain_tools(tools):
    return [{"name": tool.name, "parameters": tool.parameters} for tool in tools]


def _page(head, body):
    page = orjson.loads(body)
    cards = [ModelCard(id=name) for name in page["models"]]
    after = page.get("next")
    return cards, None if after is None else Wire("models", method="GET", query={"page": after})


class PlainDecoder:
    def __init__(self, wire):
        self.wire = wire
        self.done = False

    def start(self, head):
        return []

    def feed(self, frame):
        if frame.data == b"[DONE]":
            self.done = True
            return []
        return list(self.events(orjson.loads(frame.data)))

    def finish(self):
        if self.wire.stream and not self.done:
            raise StreamInterruptedError("the stream ended without [DONE]")
        return []

    def events(self, data):
        if "error" in data:
            raise FailureInStream(Failure(status=200, data=data))
        if "id" in data:
            yield Started(data["id"], data.get("model"))
        if "text" in data:
            yield TextDelta(data["text"], data.get("choice", 0))
        if "usage" in data:
            yield UsageUpdate(Usage(*data["usage"]))
        for index, vector in enumerate(data.get("vectors", ())):
            yield EmbeddingData(index, array("f", vector))
        for index, score in data.get("scores", ()):
            yield RerankScore(index, score)
        if "count" in data:
            yield TokensCounted(data["count"])
        if "finish" in data:
            yield Finish(data["finish"], data.get("choice", 0), data["finish"])


def hello(text="hello", **more):
    """Script a whole answer."""
    return Answer.json({"id": "a1", "text": text, "finish": "stop", "usage": [3, 2], **more})


PIECES = ({"id": "a1"}, {"text": "he"}, {"text": "llo"}, {"usage": [3, 2]}, {"finish": "stop"})


def streamed(*pieces, done=True, **play):
    """Script a streamed answer."""
    return Answer.sse(pieces or PIECES, done=done, **play)


def mesh_for(url, plugin=None, *, registry=None, mesh=None, tables=None, **connection):
    """Make a mesh with one connection, `c`, to a server."""
    plugin = plugin or PlainProvider()
    table = {"provider": plugin.id, "base_url": url, "api_key": "env:PLAIN_KEY", **connection}
    config = {"connections": {"c": table}, **(tables or {})}
    return Mesh.from_config(config, registry=registry or Registry.of(plugin), **(mesh or {}))


async def read(stream):
    """Read a stream to its end; gives its events."""
    async with stream:
        return [event async for event in stream]


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@contextlib.asynccontextmanager
async def nothing_left(server=None):
    """Check that what runs inside leaves no task and no timer behind, and no connection open."""
    loop = asyncio.get_running_loop()
    tasks, timers = asyncio.all_tasks(), set(_timers(loop))
    yield
    if server is not None:
        await server.wait_closed()
    for _ in range(3):
        await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - tasks if not task.done()}
    assert not left, f"tasks are left: {left}"
    waiting = [timer for timer in _timers(loop) if timer not in timers]
    assert not waiting, f"timers are left: {waiting}"


def _timers(loop):
    return [handle for handle in loop._scheduled if not handle.cancelled()]
