"""Choose the API for a request, and the decoder for its answer."""

from __future__ import annotations

from jackfield import ConfigurationError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    RerankRequest,
    SummarizeRequest,
    Translation,
    Wire,
)

from ._dialect import Dialect
from ._models import route_of

__all__ = ["decoder", "translate"]


def translate(dialect: Dialect, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire of the dialect.

    Raises:
        UnsupportedError: The dialect does not support this kind of request, or the model cannot honour an option.
    """
    if isinstance(request, ChatRequest):
        if _route(dialect, model) == "v1":
            from ._chat_v1 import translate_chat_v1

            return translate_chat_v1(dialect, model, request, capabilities)
        from ._chat import translate_chat

        return translate_chat(dialect, model, request, capabilities)
    if isinstance(request, CompletionRequest):
        from ._completion import translate_completion

        return translate_completion(dialect, model, request, capabilities)
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(dialect, model, request, capabilities)
    if isinstance(request, RerankRequest):
        from ._rerank import translate_rerank

        return translate_rerank(dialect, model, request, capabilities)
    if isinstance(request, SummarizeRequest):
        from ._summary import translate_summary

        return translate_summary(dialect, model, request, capabilities)
    from ._count import translate_count

    return translate_count(dialect, model, request, capabilities)


def _route(dialect: Dialect, model: ModelRef) -> str:
    route = model.declared.get("route")
    if route not in (None, "v1", "v2"):
        raise ConfigurationError(f'route of {model.id} must be "v1" or "v2", got {route!r}')
    return dialect.route or route or route_of(dialect.name(model))


def decoder(dialect: Dialect, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire of the dialect."""
    api = wire.meta.get("api")
    if api == "chat":
        from ._chat_decoder import ChatDecoder

        return ChatDecoder(dialect.id, stream=wire.stream)
    if api == "chat_v1":
        from ._chat_v1_decoder import ChatV1Decoder

        return ChatV1Decoder(stream=wire.stream)
    if api == "generate":
        from ._completion_decoder import GenerateDecoder

        return GenerateDecoder(stream=wire.stream)
    return _field_decoder(str(api))


def _field_decoder(api: str) -> Decoder:
    """Return the decoder for an answer that is never streamed."""
    from ._decoder import FieldDecoder

    if api == "embed":
        from ._embeddings import read_embeddings

        return FieldDecoder("embeddings", read_embeddings)
    if api == "rerank":
        from ._rerank import read_ranking

        return FieldDecoder("results", read_ranking)
    if api == "summarize":
        from ._summary import read_summary

        return FieldDecoder("summary", read_summary)
    from ._count import read_count

    return FieldDecoder("tokens", read_count)
