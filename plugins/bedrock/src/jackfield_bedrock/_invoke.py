"""InvokeModel: chats in the native body of a model's maker, and the envelope of every request."""

from __future__ import annotations

from typing import Any, Final

import attrs

from jackfield import Message, Part, Text, Thinking, UnsupportedError
from jackfield.plugin import Capabilities, ChatRequest, ModelRef, Translation

from ._dialect import claude, cohere, like_openai
from ._models import row_of
from ._names import path_of

__all__ = ["INVOKE", "STREAM", "translate_native", "with_envelope"]

INVOKE: Final = "invoke"
STREAM: Final = "invoke-with-response-stream"
_ACCEPT: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_STREAM_ACCEPT: Final = {"X-Amzn-Bedrock-Accept": "application/json", "Content-Type": "application/json"}


def translate_native(
    model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, messages: bool
) -> Translation:
    """Translate a chat into the native body of the model's maker.

    Raises:
        UnsupportedError: The model has no native body for chats.
    """
    native = "messages" if messages else row_of(model.known_as)["native"]
    if native == "messages":
        return _translate_claude(model, request, capabilities)
    if native == "command-r":
        return _translate_cohere(model, request, capabilities)
    if native == "openai-like":
        return _translate_openai_like(model, request, capabilities)
    if native == "nova":
        from ._converse import translate_chat

        translation = translate_chat(model, request, capabilities, native=True)
        return with_envelope(translation, model, "nova", stream=request.stream)
    raise UnsupportedError(f"{model.id} has no native body for chats", parameter="messages")


def _translate_claude(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    from jackfield_anthropic import translate

    dialect = claude(path_of(model, INVOKE), path_of(model, STREAM), text=False)
    marked = attrs.evolve(request, messages=tuple(map(_mark_foreign, request.messages)))
    translation = translate(dialect, model, marked, capabilities)
    old = row_of(model.known_as)["family"] != "claude"
    more = {"may_lack_end": True} if old else {}
    return with_envelope(translation, model, "claude", stream=request.stream, **more)


def _translate_cohere(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    from jackfield_cohere import translate

    dialect = cohere(path_of(model, INVOKE), path_of(model, STREAM), generate=False)
    plain = attrs.evolve(model, declared={})  # routes have other names in Cohere's own table
    translation = translate(dialect, plain, request, capabilities)
    return with_envelope(translation, model, "cohere", stream=request.stream)


def _translate_openai_like(model: ModelRef, request: ChatRequest, capabilities: Capabilities) -> Translation:
    from jackfield_openai import translate

    dialect = like_openai(path_of(model, STREAM if request.stream else INVOKE))
    translation = translate(dialect, attrs.evolve(model, declared={}), request, capabilities)
    body = {name: value for name, value in translation.wire.body.items() if name != "stream"}
    translation = Translation(attrs.evolve(translation.wire, body=body), translation.report)
    return with_envelope(translation, model, "openai-like", stream=request.stream)


def _mark_foreign(message: Message) -> Message:
    """Mark what only Converse accepts as foreign: thinking that it redacted, citations in its own form."""
    if not any(isinstance(part, Thinking | Text) and _has_data(part) for part in message.parts):
        return message
    return attrs.evolve(message, parts=tuple(map(_mark_part, message.parts)))


def _has_data(part: Thinking | Text) -> bool:
    return bool(part.data if isinstance(part, Thinking) else part.provider_data)


def _mark_part(part: Part) -> Part:
    """Change the provider of what Claude does not accept, so that it is dropped and reported."""
    if isinstance(part, Thinking) and "redactedContent" in (part.data or {}):
        return attrs.evolve(part, provider="bedrock converse")
    if isinstance(part, Text) and "citationsContent" in ((part.provider_data or {}).get("bedrock") or {}):
        return attrs.evolve(part, provider_data={"bedrock converse": part.provider_data})
    return part


def with_envelope(
    translation: Translation, model: ModelRef, family: str, *, stream: bool, **more: Any
) -> Translation:
    """Add the envelope to a wire: headers, framing, and what the decoder must know."""
    settings = model.settings
    headers = _STREAM_ACCEPT if stream else _ACCEPT
    if settings is not None and (own := settings.native_headers):
        headers = {**headers, **own}
    wire = attrs.evolve(
        translation.wire,
        headers=headers,
        framing="aws_eventstream" if stream else None,
        meta={**translation.wire.meta, "family": family, **more},
    )
    return Translation(wire, translation.report)
