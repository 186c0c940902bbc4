"""The types that plugins, observers and tests are written with. Read by type checkers alone, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_never, assert_type

import attrs

from jackfield import (
    Audio,
    Cost,
    Document,
    EmbedReply,
    Event,
    Image,
    JackfieldError,
    Mesh,
    ModelCard,
    ParameterReport,
    Part,
    ProviderError,
    RateLimitError,
    RawPart,
    Reasoning,
    Registry,
    Reply,
    RerankReply,
    Secret,
    StreamInterruptedError,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    TransportError,
    Usage,
)
from jackfield.http import Framer, SSEFramer, error_from_status, event_payload, failure_message
from jackfield.plugin import (
    UNSET,
    Auth,
    Bearer,
    Call,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CostContext,
    CountRequest,
    CredentialKind,
    DatedRates,
    EmbedRequest,
    Exchange,
    Failure,
    FailureInStream,
    Head,
    HttpAccess,
    InputType,
    JSONTool,
    Limits,
    Listing,
    Maybe,
    ModelRef,
    NoAuth,
    Options,
    Outcome,
    ParameterRule,
    ParameterWriter,
    PluginState,
    Provider,
    RateCard,
    ReportBuilder,
    Request,
    RerankRequest,
    StaticHeader,
    SummarizeRequest,
    Timings,
    Token,
    Translation,
    Transport,
    Unset,
    UnsupportedPolicy,
    WholeDecoder,
    Wire,
    events_of,
    hookimpl,
    json_tool,
    load_table,
    nearest_effort,
    suggestion,
    vector_reader,
)
from jackfield.progress import listening
from jackfield.testing import (
    Check,
    StandIn,
    checks,
    conformance,
    forbid_network,
    no_sockets,
    stand_ins,
)

# What a provider is given, and what it answers with


def every_request_can_be_told_apart(request: Request) -> str:
    match request:
        case ChatRequest(messages=messages, stream=stream):
            assert_type(stream, bool)
            return messages[0].role
        case CompletionRequest() | SummarizeRequest():
            return "text"
        case EmbedRequest(inputs=inputs):
            return str(len(inputs))
        case RerankRequest(query=query):
            return query
        case CountRequest():
            return "count"
        case _:
            assert_never(request)


def every_part_can_be_told_apart(part: Part) -> str:
    match part:
        case Text(text=text) | Thinking(text=text):
            return text
        case Image() | Audio() | Document():
            return "file"
        case ToolCall() | ToolResult() | RawPart():
            return "other"
        case _:
            assert_never(part)


def a_translator(request: ChatRequest, capabilities: Capabilities) -> ParameterReport:
    body: dict[str, Any] = {}
    given = request.options.given()
    writer = ParameterWriter(given, capabilities, request.options.unsupported, body, model="m")
    writer.put("max_tokens", "limit")
    writer.put("stop", convert=list)
    writer.default("max_tokens", "limit", 5, "the service wants one")
    writer.put("stop", convert=3)  # type: ignore[arg-type]
    return writer.finish()


def options_have_the_types_of_their_values(
    options: Options, embed: EmbedRequest, rerank: RerankRequest
) -> None:
    assert_type(options.temperature, float | Unset)
    assert_type(options.stop, tuple[str, ...] | Unset)
    assert_type(options.reasoning, Reasoning | Unset)
    assert_type(options.response_format, str | Mapping[str, Any] | Unset)
    assert_type(options.unsupported, UnsupportedPolicy)
    assert_type(embed.input_type, InputType | Unset)
    assert_type(rerank.top_n, int | Unset)
    if options.tools is not UNSET:
        assert_type([tool.name for tool in options.tools], list[str])
    if options.max_tokens is UNSET:
        return
    assert_type(options.max_tokens + 1, int)
    own: Maybe[int] = options.top_k
    wrong: str | Unset = options.top_k  # type: ignore[assignment]
    Options(temperature="hot")  # type: ignore[arg-type]
    EmbedRequest(inputs=("x",), truncate="middle")  # type: ignore[arg-type]
    del own, wrong


def a_translation_holds_one_wire(translation: Translation) -> None:
    assert_type(translation.wire, Wire)
    assert_type(translation.report, ParameterReport)
    Translation("wire")  # type: ignore[arg-type]


def a_report_without_a_body(request: ChatRequest) -> ParameterReport:
    report = ReportBuilder(request.options.unsupported, model="m")
    report.drop("thinking", "it is another provider's")
    writer: ReportBuilder = ParameterWriter({}, Capabilities(), "drop", {})
    report.extend(writer.finish())
    tool = json_tool(report, "json", names=(), choice=UNSET, emulate=True)
    assert_type(tool, JSONTool | None)
    return report.finish()


def tables_and_rates() -> RateCard | None:
    rows = load_table(__file__, "prices.json")["rows"]
    amounts = DatedRates(rows, long_prompt=200_000).amounts(0.0, 5)
    assert_type(amounts, dict[str, Decimal] | None)
    assert_type(nearest_effort("low", ("high",)), str | None)
    assert_type(suggestion("opnai", ("openai",)), str | None)
    return None if amounts is None else RateCard.of(amounts, source="page")


def a_table() -> Capabilities:
    rule = ParameterRule(minimum=0, maximum=1)
    known = Capabilities(parameters={"temperature": rule}, limits=Limits(max_inputs=96))
    assert_type(known.limits.max_inputs, int | None)
    Limits(max_inputs="96")  # type: ignore[arg-type]
    return known.with_features("page, 2026-11-01", tools=True)


def a_listing() -> Listing:
    def parse(head: Head, body: bytes) -> tuple[list[ModelCard], Wire | None]:
        assert_type(head.status, int | None)
        return [ModelCard(id="m")], None

    return Listing(Wire("/models", method="GET"), parse)


def ways_to_prove_who_asks(key: Secret) -> Sequence[HttpAccess]:
    header: Auth = StaticHeader("Authorization", key, prefix="Bearer ")
    bearer: Auth = Bearer(lambda: Token("x", None))
    nothing: Auth = NoAuth()
    HttpAccess(base_url="https://api.acme.example", auth=key)  # type: ignore[arg-type]
    return [HttpAccess(base_url="https://api.acme.example", auth=auth) for auth in (header, bearer, nothing)]


def a_decoder_for_whole_answers() -> None:
    def events(answer: dict[str, Any]) -> list[Event]:
        vector_reader()(answer["vector"])
        return []

    decoder = WholeDecoder(events)
    assert_type(decoder.start(Head(200)), list[Event])


def failures(failure: Failure) -> JackfieldError | None:
    assert_type(failure.status, int | None)
    assert_type(failure.headers, Mapping[str, str])
    assert_type(failure_message(failure), str)
    if failure.in_stream:
        raise FailureInStream(failure)
    return error_from_status(failure)


def errors_are_a_tree(error: RateLimitError, cut: StreamInterruptedError) -> None:
    provider: ProviderError = error
    transport: TransportError = cut
    base: list[JackfieldError] = [provider, transport]
    wrong: TransportError = error  # type: ignore[assignment]
    del base, wrong


async def a_transport(transport: Transport) -> None:
    await transport.open()
    async with transport.exchange(Wire("/chat")) as exchange:
        assert_type(exchange, Exchange)
        assert_type(exchange.head, Head)
    await transport.aclose()


def framers() -> None:
    framer: Framer = SSEFramer()
    for frame in framer.feed(b"data: x\n\n"):
        event_payload(frame)


@attrs.frozen
class Identity:
    profile: str = "default"


kind = CredentialKind(Identity, lambda settings: settings)


# Prices and observers


class Accounts:
    @hookimpl
    def jackfield_price(self, model: ModelRef, context: CostContext) -> RateCard | None:
        assert_type(context.when, float)
        return RateCard.of(source="contract 17", input="1")

    @hookimpl
    def jackfield_call_finished(self, call: Call, outcome: Outcome) -> None:
        assert_type(call.id, str)
        assert_type(outcome.usage, Usage)
        assert_type(outcome.cost, Cost)
        assert_type(outcome.timings, Timings | None)
        if outcome.cost.amount is not None:
            assert_type(outcome.cost.amount, Decimal)


def what_is_installed(registry: Registry) -> None:
    assert_type(registry.provider("acme"), Provider)
    for state in registry.plugins(load=True):
        assert_type(state, PluginState)
        assert_type(state.reason, str | None)


# Answers


async def what_comes_back(mesh: Mesh, texts: list[str]) -> None:
    reply = await mesh.chat("a:b", "hi", response_format={"type": "object"})
    assert_type(reply.parsed, Any)
    assert_type(reply.raw, Any)
    embedded = await mesh.embed("a:b", texts)
    assert_type(embedded.embeddings, Sequence[Any])
    assert_type(embedded.lists(), list[list[float]])
    assert_type(embedded.usage, Usage)
    ranked = await mesh.rerank("a:b", "q", texts)
    assert_type([(one.index, one.score) for one in ranked.results], list[tuple[int, float]])
    for answer in (reply, embedded, ranked):
        assert_type(answer, Reply | EmbedReply | RerankReply)
        assert_type(answer.cost, Cost)
    assert_type(events_of(reply), list[Event])
    async with mesh.stream_chat("a:b", "hi") as stream:
        async for event in stream:
            every: Event = event
            del every
        assert_type(stream.response, Reply)
    mesh.stream_chat("a:b", "hi", stream=True)  # type: ignore[call-arg]
    await mesh.rerank("a:b", "q", texts, temperature=0)  # type: ignore[call-arg]


# Tests


def what_tests_use(plugin: object) -> None:
    assert_type(stand_ins("jackfield.toml", ["Hello!"]), dict[str, StandIn])
    assert_type(stand_ins(Path("jackfield.toml")), dict[str, StandIn])
    for check in checks():
        assert_type(check, Check)
        assert_type(check.law, str)
    with no_sockets() as seen:
        assert_type(seen, list[str])
    with forbid_network():
        pass

    @conformance(plugin, settings={"region": "eu-central-1"})
    def test_conformance(check: Any) -> None:
        check()

    assert_type(test_conformance(None), None)


def progress() -> None:
    with listening(lambda stage, done, total: None):
        pass
