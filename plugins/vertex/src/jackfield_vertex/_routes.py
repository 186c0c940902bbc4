"""Choose the API by the family of the model, and the decoder of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from jackfield import Message, Thinking
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    Translation,
    WholeDecoder,
    Wire,
    unserved,
)
from jackfield_anthropic import Dialect, decoder as claude_decoder, translate as claude_translate
from jackfield_anthropic.dialect import relay as claude_relay

from ._dialect import claude
from ._names import family_of, path_of

__all__ = ["decoder", "relay", "translate"]


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire.

    Raises:
        UnsupportedError: The model's family does not serve the request, or cannot honour an option.
    """
    family = family_of(model.known_as)
    if isinstance(request, EmbedRequest):
        from ._embeddings import translate_embedding

        return translate_embedding(model, request, capabilities)
    if isinstance(request, ChatRequest | CountRequest) and family == "claude":
        return _translate_claude(model, request, capabilities)
    if isinstance(request, ChatRequest | CompletionRequest) and family.startswith("palm"):
        from ._palm import translate_palm

        return translate_palm(model, request, capabilities)
    if isinstance(request, ChatRequest | CountRequest) and family == "gemini":
        from ._gemini import translate_chat, translate_count

        if isinstance(request, CountRequest):
            return translate_count(model, request, capabilities)
        return translate_chat(model, request, capabilities)
    raise unserved(f"{model.id} on Vertex AI", request)


def _translate_claude(
    model: ModelRef, request: ChatRequest | CountRequest, capabilities: Capabilities
) -> Translation:
    """Translate with Claude's own dialect, in which this provider is called `anthropic`."""
    options = request.options
    ours = options.extra.get("vertex", {})
    if ours:
        extra = {**options.extra.get("anthropic", {}), **ours}
        options = attrs.evolve(options, extra={"anthropic": extra})
    messages = tuple(map(_for_claude, request.messages))
    request = attrs.evolve(request, messages=messages, options=options)
    translation = claude_translate(_claude_at(model), model, request, capabilities)
    wire = attrs.evolve(translation.wire, meta={**translation.wire.meta, "family": "claude"})
    if isinstance(request, CountRequest):  # one path counts for all models, so the body names the model
        wire = attrs.evolve(wire, body={**wire.body, "model": model.id})
    return Translation(wire, translation.report)


def _claude_at(model: ModelRef) -> Dialect:
    """Return Claude's dialect with the paths of a model."""
    return claude(
        path_of(model, "rawPredict"),
        path_of(model, "streamRawPredict"),
        path_of(attrs.evolve(model, id="publishers/anthropic/models/count-tokens"), "rawPredict"),
    )


def relay(model: ModelRef, surface: str, headers: Mapping[str, str], body: bytes) -> Wire | None:
    """Return the wire that hands a request on to Claude; None if it must be translated.

    The body's model, which stands in the path, gives its place to the service's version; the answer is the model's own.
    Source: Claude on Vertex AI, 2026.
    """
    if family_of(model.known_as) != "claude":
        return None
    wire = claude_relay(_claude_at(model), model, surface, headers, body)
    return None if wire is None else attrs.evolve(wire, meta={**wire.meta, "family": "claude"})


def _for_claude(message: Message) -> Message:
    """Rename the provider of Claude's own thinking to `anthropic`; Gemini's has other data and is left alone."""
    if not any(isinstance(part, Thinking) for part in message.parts):
        return message
    return attrs.evolve(
        message,
        parts=tuple(
            attrs.evolve(part, provider="anthropic")
            if isinstance(part, Thinking) and _is_claudes(part)
            else part
            for part in message.parts
        ),
    )


def _is_claudes(part: Thinking) -> bool:
    data: Mapping[str, Any] = part.data or {}
    return part.provider == "vertex" and ("signature" in data or "data" in data)


def decoder(model: ModelRef, wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    family = wire.meta.get("family")
    if family == "claude":
        return claude_decoder(claude("", "", ""), wire)
    if family == "palm":
        from ._palm import PalmDecoder

        return PalmDecoder(wire.meta, stream=wire.stream)
    if family == "embedding":
        from ._embeddings import read_embeddings

        return WholeDecoder(read_embeddings)
    from ._gemini_decoder import GeminiDecoder, read_count

    return WholeDecoder(read_count) if family == "count" else GeminiDecoder(stream=wire.stream)
