"""Choose the API for a request, and the decoder for its answer."""

from __future__ import annotations

from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    ModelRef,
    Request,
    Translation,
    WholeDecoder,
    Wire,
    unserved,
)

from ._dialect import Dialect

__all__ = ["decoder", "translate"]


def translate(dialect: Dialect, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into one wire of the dialect.

    Raises:
        UnsupportedError: The dialect does not support this kind of request, or the model cannot honour an option.
    """
    if isinstance(request, ChatRequest):
        from ._chat import translate_chat

        return translate_chat(dialect, model, request, capabilities)
    if isinstance(request, CountRequest) and dialect.count_path is not None:
        from ._count import translate_count

        return translate_count(dialect, model, request, capabilities)
    if isinstance(request, CompletionRequest) and dialect.complete_path is not None:
        from ._completion import translate_completion

        return translate_completion(dialect, model, request, capabilities)
    raise unserved(dialect.id, request)


def decoder(dialect: Dialect, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire of the dialect.

    The decoder of messages also decodes a line of batch results.
    """
    api = wire.meta.get("api")
    if api == "complete":
        from ._completion_decoder import CompletionDecoder

        return CompletionDecoder()
    if api == "count":
        from ._count import read_count

        return WholeDecoder(read_count)
    from ._chat_decoder import MessageDecoder

    return MessageDecoder(dialect.id, wire.meta.get("json_tool"), stream=wire.stream)
