"""Translate requests into wires for the engine, and choose the decoder of its replies; no model is loaded for it."""

from __future__ import annotations

from typing import Final

from jackfield import UnsupportedError
from jackfield.plugin import (
    UNSET,
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
    unserved,
)

from ._chat import translate_text
from ._decoder import ReplyDecoder
from ._models import PROVIDER, begin_body

__all__ = ["decoder", "translate"]

_NO_SAMPLING: Final = "a summarization model writes its most probable text and does not sample"


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire: `chat`, `completion`, `count`, `embedding`, `rerank` or `summarization`.

    Raises:
        UnsupportedError: The engine cannot serve the request or honour an option.
    """
    if isinstance(request, EmbedRequest):
        return _translate_embedding(model, request, capabilities)
    if isinstance(request, RerankRequest):
        return _translate_rerank(model, request, capabilities)
    if isinstance(request, SummarizeRequest):
        if not capabilities.kinds:
            # For a chat model the core emulates summaries, but only if it knows the kind.
            raise UnsupportedError(
                f"the kind of {model.id} is unknown, so it may not be a summarization model; declare its kind",
                parameter="kind",
            )
        return _translate_summary(model, request, capabilities)
    if isinstance(request, CompletionRequest):
        return translate_text(model, request, capabilities, "completion")
    if isinstance(request, ChatRequest):
        return translate_text(model, request, capabilities, "chat")
    if isinstance(request, CountRequest):
        return translate_text(model, request, capabilities, "count")
    raise unserved("the engine", request)


def decoder(model: ModelRef) -> Decoder:
    """Return the decoder; it is the same for all wires, since each frame names its data."""
    return ReplyDecoder(model.known_as)


def _translate_embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    body = begin_body(model, "dimension_choices")
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["input"] = list(request.inputs)
    for name in ("truncate", "dimensions", "input_type"):
        writer.put(name)
    writer.merge_extra(request.extra, PROVIDER)
    return Translation(Wire("embedding", body), writer.finish())


def _translate_rerank(model: ModelRef, request: RerankRequest, capabilities: Capabilities) -> Translation:
    body = begin_body(model)
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["query"], body["documents"] = request.query, list(request.documents)
    for name in ("top_n", "truncate"):
        writer.put(name)
    writer.merge_extra(request.extra, PROVIDER)
    return Translation(Wire("rerank", body), writer.finish())


def _translate_summary(model: ModelRef, request: SummarizeRequest, capabilities: Capabilities) -> Translation:
    options = request.options
    body = begin_body(model)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    body["text"] = request.text
    writer.put("max_tokens")
    for name in tuple(writer.left):
        value = writer.take(name)
        if value is not UNSET:
            writer.refuse(name, _NO_SAMPLING, value)
    writer.merge_extra(options.extra, PROVIDER)
    return Translation(Wire("summarization", body, stream=request.stream), writer.finish())
