"""The dialects of Cohere, for its own API and for the services that carry its models.

Amazon Bedrock (Command and Command Light as `generate`, Command R as `chat_v1`, Embed as `embed`), Amazon SageMaker
and Azure carry Cohere's native bodies with small differences: where they live, whether the body names the model,
whether it says that it streams. A plugin for such a service makes a `Dialect` and calls `translate`, `decoder`,
`capabilities`, `error`, `rates` and `read_usage` with it:

    BEDROCK = Dialect(
        id="bedrock", also=("cohere",), route="v1", send_model=False, send_stream=False, base64=False,
        stop="stop_sequences", name=without_region_and_maker,
        paths=dict.fromkeys(("chat_v1", "generate", "embed"), "/model/{model}/invoke"),
        stream_paths=dict.fromkeys(("chat_v1", "generate"), "/model/{model}/invoke-with-response-stream"),
        framing="aws_eventstream",
    )

A wire that `translate` makes tells the decoder in `Wire.meta["api"]` what it asked for: chat, chat_v1, generate,
summarize, embed, rerank or tokenize. A frame that `decoder` reads holds one JSON object of the stream, or a whole
answer; unwrap a service's own envelope before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import attrs

from jackfield import ConfigurationError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Request,
    RerankRequest,
    SummarizeRequest,
    Translation,
    Wire,
    quote_segment,
    unserved,
)

from ._errors import error
from ._models import known_capabilities, route_of, rules_for
from ._prices import rates
from ._usage import read_usage

__all__ = [
    "COHERE",
    "PATHS",
    "Dialect",
    "capabilities",
    "decoder",
    "error",
    "rates",
    "read_usage",
    "translate",
]

PATHS: Final[Mapping[str, str]] = {
    "chat": "/v2/chat",
    "chat_v1": "/v1/chat",
    "generate": "/v1/generate",
    "summarize": "/v1/summarize",
    "embed": "/v2/embed",
    "rerank": "/v2/rerank",
    "tokenize": "/v1/tokenize",
    "models": "/v1/models",
}
"""Where Cohere's own API has what. Source: its Python SDK 7.3.1."""

Route = Literal["v1", "v2"]


def _known_as(model: ModelRef) -> str:
    return model.known_as


@attrs.frozen(kw_only=True)
class Dialect:
    """How one service carries Cohere's models. The defaults are Cohere's own API.

    Attributes:
        id: The provider's id; tags thinking and raw parts, and names the service's own options in `extra`.
        also: Further ids whose `extra`, thinking and raw parts this service understands.
        name: Gives the id under which Cohere's own table knows a model.
        paths: Where each API is (see `PATHS`); the model's id replaces `{model}`. An API that is absent is not served.
        stream_paths: Where an API is whose answer is streamed, if not in the same place.
        route: The version of the chat API; None for the one that the entry in `models` or the table says.
        send_model: The body names the model.
        send_stream: The body says `stream: true` where the answer shall be streamed.
        framing: How streams are framed; None for Cohere's own (`sse` of chat v2, else `jsonlines`).
        stop: What `generate` calls stop sequences. Cohere's `end_sequences` are left out of the text, as those of
            every other service; its `stop_sequences` stay in it.
        base64: Embeddings come as base64 if asked for.
    """

    id: str
    also: tuple[str, ...] = ()
    name: Callable[[ModelRef], str] = _known_as
    paths: Mapping[str, str] = PATHS
    stream_paths: Mapping[str, str] = attrs.field(factory=dict)
    route: Route | None = None
    send_model: bool = True
    send_stream: bool = True
    framing: str | None = None
    stop: str = "end_sequences"
    base64: bool = True

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids under which callers may address this service."""
        return (self.id, *self.also)

    def writer(
        self, kind: str, model: ModelRef, capabilities: Capabilities, request: Any, given: Mapping[str, Any]
    ) -> ParameterWriter:
        """Begin a body; `kind` names the rules that hold for it."""
        body = {"model": model.id} if self.send_model else {}
        return ParameterWriter(
            given, rules_for(kind, capabilities), request.unsupported, body, model=model.id
        )

    def wire(
        self, api: str, model: ModelRef, writer: ParameterWriter, request: Any, extra: Any
    ) -> Translation:
        """End a body: say that it streams, merge `extra`, and give the wire and the report.

        Raises:
            UnsupportedError: The service has no such API, or something that was given cannot be honoured.
        """
        path = self.paths.get(api)
        if path is None:
            raise unserved(self.id, request)
        stream = request.stream
        if stream:
            path = self.stream_paths.get(api, path)
            if self.send_stream:
                writer.body["stream"] = True
        writer.merge_extra(extra, *self.ids)
        framing = (self.framing or ("sse" if api == "chat" else "jsonlines")) if stream else None
        if "{model}" in path:
            path = path.replace("{model}", quote_segment(model.id, safe="@"))
        wire = Wire(path, writer.body, stream=stream, framing=framing, meta={"api": api})
        return Translation(wire, writer.finish())


COHERE: Final = Dialect(id="cohere")
"""Cohere itself."""


def capabilities(dialect: Dialect, model: ModelRef) -> Capabilities:
    """Say what Cohere's table knows of a model."""
    return known_capabilities(dialect.name(model))


def translate(dialect: Dialect, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into one wire of the dialect.

    Raises:
        UnsupportedError: The dialect has no such kind of request, or the model cannot honour an option.
    """
    if isinstance(request, ChatRequest):
        if _route(dialect, model) == "v1":
            from ._chat_v1 import translate_chat_v1

            return translate_chat_v1(dialect, model, request, capabilities)
        from ._chat import translate_chat

        return translate_chat(dialect, model, request, capabilities)
    if isinstance(request, CompletionRequest):
        from ._generate import translate_completion

        return translate_completion(dialect, model, request, capabilities)
    if isinstance(request, EmbedRequest):
        from ._embed import translate_embedding

        return translate_embedding(dialect, model, request, capabilities)
    return _translate_other(dialect, model, request, capabilities)


def _translate_other(
    dialect: Dialect,
    model: ModelRef,
    request: RerankRequest | SummarizeRequest | CountRequest,
    known: Capabilities,
) -> Translation:
    from . import _other as other

    if isinstance(request, RerankRequest):
        return other.translate_rerank(dialect, model, request, known)
    if isinstance(request, SummarizeRequest):
        return other.translate_summary(dialect, model, request, known)
    return other.translate_count(dialect, model, request, known)


def _route(dialect: Dialect, model: ModelRef) -> str:
    route = model.declared.get("route")
    if route not in (None, "v1", "v2"):
        raise ConfigurationError(f'route of {model.id} must be "v1" or "v2", got {route!r}')
    return dialect.route or route or route_of(dialect.name(model))


def decoder(dialect: Dialect, wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire of the dialect."""
    api = wire.meta.get("api")
    if api == "chat":
        from ._chat_decoder import ChatDecoder

        return ChatDecoder(dialect.id, stream=wire.stream)
    if api == "chat_v1":
        from ._chat_v1_decoder import ChatV1Decoder

        return ChatV1Decoder(stream=wire.stream)
    if api == "generate":
        from ._generate import GenerateDecoder

        return GenerateDecoder(stream=wire.stream)
    from ._whole import decoder_of

    return decoder_of(str(api))
