"""InvokeModel: chats in the form of a model's maker, and what every request of the operation has."""

from __future__ import annotations

from typing import Any, Final

import attrs

from jackfield import Message, Part, Text, Thinking, UnsupportedError
from jackfield.plugin import Capabilities, ChatRequest, ModelRef, Translation

from ._dialect import claude, cohere, like_openai
from ._models import row_of
from ._names import path_of

__all__ = ["INVOKE", "STREAM", "sealed", "translate_native"]

INVOKE: Final = "invoke"
STREAM: Final = "invoke-with-response-stream"
_ACCEPT: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_STREAM_ACCEPT: Final = {"X-Amzn-Bedrock-Accept": "application/json", "Content-Type": "application/json"}


def translate_native(
    model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, messages: bool
) -> Translation:
    """Write a chat in the form of the model's maker.

    Raises:
        UnsupportedError: The model has no such form.
    """
    native = "messages" if messages else row_of(model.known_as)["native"]
    path, stream_path = path_of(model, INVOKE), path_of(model, STREAM)
    if native == "messages":
        from jackfield_anthropic import translate as of_claude

        asked = attrs.evolve(request, messages=tuple(map(_for_claude, request.messages)))
        made = of_claude(claude(path, stream_path, text=False), model, asked, capabilities)
        old = row_of(model.known_as)["family"] != "claude"
        return sealed(made, model, "claude", stream=request.stream, **({"may_lack_end": True} if old else {}))
    if native == "command-r":
        from jackfield_cohere import translate as of_cohere

        plain = attrs.evolve(model, declared={})  # Cohere's own table has routes of other names
        made = of_cohere(cohere(path, stream_path, generate=False), plain, request, capabilities)
        return sealed(made, model, "cohere", stream=request.stream)
    if native == "openai-like":
        from jackfield_openai import translate as of_openai

        place = stream_path if request.stream else path
        made = of_openai(like_openai(place), attrs.evolve(model, declared={}), request, capabilities)
        body = {name: value for name, value in made.wire.body.items() if name != "stream"}
        made = Translation(attrs.evolve(made.wire, body=body), made.report)
        return sealed(made, model, "openai-like", stream=request.stream)
    if native == "nova":
        from ._converse import translate_chat

        made = translate_chat(model, request, capabilities, native=True)
        return sealed(made, model, "nova", stream=request.stream)
    raise UnsupportedError(f"{model.id} chats by no body of its own", parameter="messages")


def _for_claude(message: Message) -> Message:
    """Leave out what Converse alone understands: thinking that it redacted, citations in its own form."""
    if not any(isinstance(part, Thinking | Text) and _marked(part) for part in message.parts):
        return message
    return attrs.evolve(message, parts=tuple(map(_for_claude_part, message.parts)))


def _marked(part: Thinking | Text) -> bool:
    return bool(part.data if isinstance(part, Thinking) else part.provider_data)


def _for_claude_part(part: Part) -> Part:
    """Name what Claude cannot read as foreign, so that it is dropped and reported."""
    if isinstance(part, Thinking) and "redactedContent" in (part.data or {}):
        return attrs.evolve(part, provider="bedrock converse")
    if isinstance(part, Text) and "citationsContent" in ((part.provider_data or {}).get("bedrock") or {}):
        return attrs.evolve(part, provider_data={"bedrock converse": part.provider_data})
    return part


def sealed(made: Translation, model: ModelRef, family: str, *, stream: bool, **more: Any) -> Translation:
    """Add the envelope: headers, framing, and what the decoder must know."""
    settings = model.settings
    headers = _STREAM_ACCEPT if stream else _ACCEPT
    if settings is not None and (own := settings.native_headers):
        headers = {**headers, **own}
    wire = attrs.evolve(
        made.wire,
        headers=headers,
        framing="aws_eventstream" if stream else None,
        meta={**made.wire.meta, "family": family, **more},
    )
    return Translation(wire, made.report)
