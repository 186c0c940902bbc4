"""Which API a request goes to, and which decoder reads the answer, for any service of the dialect."""

from __future__ import annotations

from functools import partial

from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Options,
    Request,
    Translation,
    WholeDecoder,
    Wire,
    unserved,
)

from ._chat import translate_chat
from ._chat_decoder import ChatDecoder
from ._dialect import Dialect
from ._models import only_responses

__all__ = ["decoder", "translate"]


def translate(dialect: Dialect, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire of the dialect.

    Raises:
        UnsupportedError: The dialect has no such kind of request, or the model does not support an option.
    """
    if isinstance(request, ChatRequest):
        if _uses_responses(dialect, model, request.options):
            from ._responses import translate_response

            return translate_response(dialect, model, request, capabilities)
        return translate_chat(dialect, model, request, capabilities)
    if isinstance(request, CompletionRequest):
        from ._completion import translate_completion

        return translate_completion(dialect, model, request, capabilities)
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(dialect, model, request, capabilities)
    if isinstance(request, CountRequest) and dialect.responses_path is not None:
        from ._responses import translate_count

        return translate_count(dialect, model, request, capabilities)
    raise unserved(dialect.id, request)


def decoder(dialect: Dialect, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire of the dialect."""
    api = wire.meta.get("api")
    if api == "embedding":
        from ._embeddings import read_embeddings

        return WholeDecoder(partial(read_embeddings, dialect.usage))
    if api in ("responses", "count"):
        from ._responses_decoder import ResponsesDecoder, read_count

        return ResponsesDecoder(dialect, wire) if api == "responses" else WholeDecoder(read_count)
    return ChatDecoder(dialect, wire)


def _uses_responses(dialect: Dialect, model: ModelRef, options: Options) -> bool:
    """Return whether a chat goes to the Responses API: by declaration, or because no other API serves the model or the call."""
    route = model.declared.get("route")
    if route is not None or dialect.responses_path is None:
        return route == "responses"
    if only_responses(model.known_as) or getattr(model.settings, "transport", None) == "websocket":
        return True
    return options.store is True or options.background is True or options.continue_from is not UNSET
