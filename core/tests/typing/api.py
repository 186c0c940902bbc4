"""The types of the public surface, as a program and a plugin author meet them. Read by mypy alone, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never, assert_type

import attrs

import jackfield
from jackfield import (
    Attempt,
    ChatOptions,
    CheckResult,
    Choice,
    Citation,
    CitationDelta,
    ConnectionConfig,
    Cost,
    CostItem,
    EmbedReply,
    Event,
    Finish,
    FinishReason,
    JackfieldError,
    LogprobsDelta,
    Mesh,
    MeshConfig,
    Message,
    MessageLike,
    ModelCard,
    ParameterNote,
    ParameterReport,
    Part,
    PartAdded,
    Plan,
    Ranking,
    RawEvent,
    RefusalDelta,
    Registry,
    Reply,
    RerankReply,
    Secret,
    Started,
    Stream,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    TimeoutError,
    TokenCount,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    ToolResult,
    Usage,
    UsageUpdate,
    load_config,
)
from jackfield.http import HttpTransport, framer_for, retry_after_seconds
from jackfield.plugin import (
    UNSET,
    Call,
    Capabilities,
    Capability,
    Decoder,
    EmbeddingData,
    Failure,
    Frame,
    Handler,
    Head,
    HttpAccess,
    Middleware,
    MiddlewareKind,
    ModelRef,
    ProviderInfo,
    RateCard,
    Replay,
    ReplayedStream,
    Request,
    RerankScore,
    StreamSource,
    TokensCounted,
    Translation,
    Transport,
    Unset,
    WatchedStream,
    Wire,
    hookimpl,
    replayed_reply,
    secret,
)
from jackfield.testing import (
    Answer,
    Case,
    FakeAnswer,
    FakeProvider,
    FullProviderPlugin,
    ProviderPlugin,
    RecordedRequest,
    RecordingServer,
    Result,
    check_provider,
)


async def a_program(tools: list[Tool], options: ChatOptions) -> None:
    mesh = Mesh.from_config("jackfield.toml")
    assert_type(mesh, Mesh)
    async with Mesh.from_config({"connections": {}}) as entered:
        assert_type(entered, Mesh)

    reply = await mesh.chat("a:b", "hello", max_tokens=3, temperature=0, stop="END", tools=tools)
    assert_type(reply, Reply)
    assert_type(reply.text, str)
    assert_type(reply.thinking, str)
    assert_type(reply.refusal, str | None)
    assert_type(reply.tool_calls, tuple[ToolCall, ...])
    assert_type(reply.finish_reason, FinishReason | None)
    assert_type(reply.choices, tuple[Choice, ...])
    assert_type(reply.usage, Usage)
    assert_type(reply.cost, Cost)
    assert_type(reply.model, str | None)
    assert_type(reply.id, str | None)
    assert_type(reply.parameters, ParameterReport)
    assert_type(reply.attempts, tuple[Attempt, ...])
    assert_type(reply.message, Message)
    assert_type(reply.complete, bool)
    assert_type(reply.citations, tuple[Citation, ...])
    assert_type(reply.logprobs, tuple[TokenLogprob, ...] | None)
    assert_type(reply.choices[0].text, str)
    assert_type(list(reply.parameters), list[ParameterNote])

    await mesh.chat("a:b", [{"role": "user", "content": "hi"}, reply.message, ToolResult("1", "2")])
    await mesh.chat("a:b", [Message("user", "hi"), *[ToolResult("1", "2")]], **options)
    await mesh.chat("a:b", "hi", timeout={"total": 3}, reasoning="low", response_format={"type": "object"})
    await mesh.chat("a:b", "hi", max_tokens="3")  # type: ignore[arg-type]
    await mesh.chat("a:b", "hi", max_token=3)  # type: ignore[call-arg]
    await mesh.chat("a:b", "hi", unsupported="ignore")  # type: ignore[arg-type]
    turns: list[MessageLike] = [{"role": "user", "content": "hi"}, reply.message, ToolResult("1", "2")]
    await mesh.chat("a:b", turns)
    await mesh.chat("a:b", 3)  # type: ignore[arg-type]
    Message("robot", "hi")  # type: ignore[arg-type]

    assert_type(await mesh.complete("a:b", "Once"), Reply)
    assert_type(await mesh.summarize("a:b", "Long"), Reply)
    embedded = await mesh.embed("a:b", ["x"], dimensions=8, input_type="query", truncate="error")
    assert_type(embedded, EmbedReply)
    assert_type(embedded.lists(), list[list[float]])
    await mesh.embed("a:b", "x", temperature=1)  # type: ignore[call-arg]
    ranked = await mesh.rerank("a:b", "q", ["d"], top_n=1)
    assert_type(ranked, RerankReply)
    assert_type(ranked.results, tuple[Ranking, ...])
    assert_type(ranked.results[0].score, float)
    assert_type(await mesh.count_tokens("a:b", "hi"), TokenCount)
    assert_type(await mesh.models(), list[ModelCard])
    assert_type(await mesh.models("a", refresh=True), list[ModelCard])
    assert_type(await mesh.check("a"), CheckResult)
    assert_type(mesh.explain("a:b", "hi", max_tokens=3), Plan)
    assert_type(mesh.connections, Mapping[str, ConnectionConfig])
    assert_type(mesh.aliases, Mapping[str, tuple[str, ...]])


async def a_stream(mesh: Mesh) -> None:
    stream = mesh.stream_chat("a:b", "hi")
    assert_type(stream, Stream)
    async with stream as entered:
        assert_type(entered, Stream)
        async for event in entered:
            assert_type(event, Event)
    async with mesh.stream_complete("a:b", "hi") as other:
        async for piece in other.text():
            assert_type(piece, str)
    assert_type(stream.response, Reply)
    assert_type(stream.map(lambda event: None), Stream)


def every_event_can_be_told_apart(event: Event) -> str:
    match event:
        case Started() | TextDelta() | RefusalDelta() | ThinkingDelta():
            return "said"
        case ToolCallStart() | ToolCallDelta() | ToolCallEnd():
            return "called"
        case CitationDelta() | LogprobsDelta() | PartAdded() | UsageUpdate() | RawEvent():
            return "aside"
        case EmbeddingData() | RerankScore() | TokensCounted():
            return "data"
        case Finish(reason=reason):
            assert_type(reason, FinishReason)
            return "end"
        case _:
            assert_never(event)


def parts_of_a_message(part: Part) -> None:
    if isinstance(part, ToolCall):
        assert_type(part.arguments, Mapping[str, Any])
        assert_type(part.arguments_raw, str | None)
    if isinstance(part, Thinking):
        assert_type(part.data, Mapping[str, Any] | None)
    if isinstance(part, Text):
        part.text = "frozen"  # type: ignore[misc]


def money(cost: Cost, usage: Usage) -> None:
    assert_type(cost.amount, Decimal | None)
    assert_type(cost.items, tuple[CostItem, ...])
    assert_type(usage.input_tokens, int | None)
    assert_type(usage.total_tokens, int | None)
    assert_type(RateCard.of(source="page", input="1", output=2), RateCard)
    RateCard.of(source="page", input=1.5)  # type: ignore[arg-type]


def errors(error: JackfieldError) -> None:
    assert_type(error.is_retryable, bool)
    assert_type(error.status, int | None)
    assert_type(error.retry_after, float | None)
    assert_type(error.partial, Reply | None)
    assert_type(error.attempts, tuple[Attempt, ...])
    if isinstance(error, TimeoutError):
        phase: str = error.phase
        del phase
    builtin: BaseException = TimeoutError("late", phase="total")
    assert_type(isinstance(builtin, OSError), bool)


def configuration(registry: Registry) -> None:
    config = load_config("jackfield.toml", registry)
    assert_type(config, MeshConfig)
    assert_type(config.failures, Mapping[str, JackfieldError])
    assert_type(Registry.installed(), Registry)
    assert_type(Registry.of(FakeProvider()), Registry)
    unset: Unset = UNSET
    del unset
    assert_type(jackfield.__version__, str)


# Middlewares


async def shout(call: Call, proceed: Handler) -> Any:
    answer = await proceed(attrs.evolve(call, metadata={"shouted": True}))
    return answer


shouting: Middleware = shout


async def streams_are_mapped(source: StreamSource) -> None:
    assert_type(source.map(lambda event: [event]), StreamSource)
    async for event in source:
        assert_type(event, Event)


def streams_of_middlewares_are_streams(call: Call, source: StreamSource, events: list[Event]) -> None:
    replayed: StreamSource = ReplayedStream(call, events, replay=Replay(by="cache"))
    watched: StreamSource = WatchedStream(replayed, lambda reply, error: None)
    assert_type(replayed_reply(call, events), Reply | EmbedReply | RerankReply)
    assert_type(watched.response.replay, Replay | None)


@attrs.frozen
class Depth:
    depth: int = 1


class Deep:
    def __init__(self, settings: Depth) -> None:
        self.depth = settings.depth

    async def __call__(self, call: Call, proceed: Handler) -> Any:
        return await proceed(call)

    async def aclose(self) -> None:
        """Nothing is open."""


deep: Middleware = MiddlewareKind(Depth, Deep)({"depth": 2})


# A plugin: what each hook gives and takes


@attrs.frozen
class Settings:
    base_url: str = "https://api.acme.example"
    api_key: Secret = secret(env="ACME_API_KEY")


class AcmeDecoder:
    def start(self, head: Head) -> list[Event]:
        return []

    def feed(self, frame: Frame) -> list[Event]:
        return [TextDelta("x")]

    def finish(self) -> list[Event]:
        return [Finish("stop")]


class Acme:
    @hookimpl
    def jackfield_provider(self) -> ProviderInfo:
        return ProviderInfo(id="acme", title="Acme", settings=Settings, kinds=frozenset({"chat"}))

    @hookimpl
    def jackfield_capabilities(self, model: ModelRef) -> Capabilities:
        return Capabilities(features={"tools": Capability(True, "table")})

    @hookimpl
    def jackfield_translate(
        self, model: ModelRef, request: Request, capabilities: Capabilities
    ) -> Translation:
        return Translation(Wire("chat", {"model": model.id}))

    @hookimpl
    def jackfield_decoder(self, wire: Wire) -> Decoder:
        return AcmeDecoder()

    @hookimpl
    def jackfield_transport(self, settings: Settings) -> HttpAccess:
        return HttpAccess(base_url=settings.base_url)


class AcmeWithMore(Acme):
    @hookimpl
    def jackfield_discover(self) -> None:
        return None

    @hookimpl
    def jackfield_error(self, failure: Failure) -> JackfieldError | None:
        return None

    @hookimpl
    def jackfield_cost(self, usage: Usage) -> RateCard | None:
        return None


class WrongDecoder(Acme):
    def jackfield_decoder(self, wire: Wire) -> str:  # type: ignore[override]
        return "no decoder"


class WithoutTransport:
    jackfield_provider = Acme.jackfield_provider


plugin: ProviderPlugin = Acme()
full: FullProviderPlugin = AcmeWithMore()
fake: FullProviderPlugin = FakeProvider()
not_full: FullProviderPlugin = Acme()  # type: ignore[assignment]
wrong: ProviderPlugin = WrongDecoder()  # type: ignore[assignment]
incomplete: ProviderPlugin = WithoutTransport()  # type: ignore[assignment]
decoder: Decoder = AcmeDecoder()
not_a_decoder: Decoder = Acme()  # type: ignore[assignment]
transport: Transport = HttpTransport(HttpAccess(base_url="https://api.acme.example"))


# What tests use


async def a_test() -> None:
    provider = FakeProvider("fake", ["hello", 503, FakeAnswer(text="x", usage=(1, 2))])
    assert_type(check_provider(provider, Case(model="m", wire=b"{}")), list[Result])
    async with RecordingServer() as server:
        assert_type(server.url, str)
        assert_type(server.requests, list[RecordedRequest])
        server.answer(Answer.json({"ok": True}), Answer.sse([{"a": 1}], done=True))
    assert_type(retry_after_seconds({"retry-after": "1"}), float | None)
    frames: Sequence[Frame] = framer_for("text/event-stream").feed(b"data: x\n\n")
    del frames
