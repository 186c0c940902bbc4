"""InvokeModel: text completions by the table of bodies, and chats in a maker's own form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import orjson

from jackfield import (
    Event,
    Finish,
    MalformedResponseError,
    Message,
    Part,
    RawEvent,
    StreamInterruptedError,
    Text,
    TextDelta,
    Thinking,
    UnsupportedError,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CompletionRequest,
    Frame,
    Head,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
)

from ._dialects import claude, cohere, like_openai
from ._models import body_named, finish_words, row_of
from ._paths import path_of

__all__ = ["TextDecoder", "sealed", "translate_completion", "translate_native"]

_INVOKE: Final = "invoke"
_STREAM: Final = "invoke-with-response-stream"
_ACCEPT: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_STREAM_ACCEPT: Final = {"X-Amzn-Bedrock-Accept": "application/json", "Content-Type": "application/json"}


def translate_completion(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Write a text completion in the body of the model's maker.

    Raises:
        UnsupportedError: The model has no body for it.
    """
    row = row_of(model.known_as)
    native = row.get("text", row["native"])
    path, stream_path = path_of(model, _INVOKE), path_of(model, _STREAM)
    if native == "claude-text":
        from jackfield_anthropic import translate as of_claude

        made = of_claude(claude(path, stream_path, text=True), model, request, capabilities)
        return sealed(made, model, "claude", stream=request.stream)
    if native == "command":
        from jackfield_cohere import translate as of_cohere

        made = of_cohere(cohere(path, stream_path, generate=True), model, request, capabilities)
        return sealed(made, model, "cohere", stream=request.stream)
    if native is None or "completion" not in row["kinds"]:
        raise UnsupportedError(f"{model.id} completes no text", parameter="prompt")
    return _by_table(model, request, capabilities, native)


def _by_table(
    model: ModelRef, request: CompletionRequest, capabilities: Capabilities, native: str
) -> Translation:
    """Write a body of the table. Source: named in the table."""
    form = body_named(native)
    options = request.options
    body: dict[str, Any] = {form["prompt"]: request.prompt}
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    for name, path in form["options"].items():
        if name in writer.left:
            writer.put(name, path, list if name == "stop" else None)
    writer.merge_extra(options.extra, "bedrock")
    wire = Wire(path_of(model, _STREAM if request.stream else _INVOKE), body, stream=request.stream)
    meta = {"body": native}
    made = Translation(attrs.evolve(wire, meta=meta), writer.finish())
    return sealed(made, model, "text", stream=request.stream)


def translate_native(
    model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, messages: bool
) -> Translation:
    """Write a chat in the form of the model's maker.

    Raises:
        UnsupportedError: The model has no such form.
    """
    native = "messages" if messages else row_of(model.known_as)["native"]
    path, stream_path = path_of(model, _INVOKE), path_of(model, _STREAM)
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


class TextDecoder:
    """Reads a text completion by the table of bodies, streamed or whole; pieces have the form of the whole.

    Its end is a finish reason for each choice.
    """

    def __init__(self, body: str, *, stream: bool) -> None:
        self._form = body_named(body)
        self._stream = stream
        self._finished: set[int] = set()
        self._said: set[int] = set()

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read one native object."""
        value = orjson.loads(frame.data)
        if not isinstance(value, dict):
            raise MalformedResponseError("the answer is no JSON object", body=frame.data)
        if value.get("type") == "message_stop":  # the envelope tells the end in the form's place
            return self._end()
        return list(self._read(value))

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self._finished or self._said - self._finished:
            if self._stream:
                raise StreamInterruptedError("the stream ended without a finish reason; ask again")
            raise MalformedResponseError("the answer has no finish reason")
        return []

    def _end(self) -> list[Event]:
        return [Finish("other", index) for index in sorted(self._said - self._finished)]

    def _read(self, value: dict[str, Any]) -> Iterator[Event]:
        form = self._form
        items: Sequence[Any] = value.get(form["items"]) or () if form["items"] in value else (value,)
        output = None
        for index, item in enumerate(items):
            text = _at(item, form["text"])
            if text is None and item is value:
                if not self._stream:
                    raise MalformedResponseError(
                        f"the answer has no text; it has {', '.join(value) or 'nothing'}"
                    )
                if _at(item, form["finish"]) is None:  # makers add chunks without asking
                    yield RawEvent(next(iter(value), "empty"), value)
                    return
            if text:
                self._said.add(index)
                yield TextDelta(text, index)
            count = next((item[name] for name in form.get("output", ()) if item.get(name) is not None), None)
            output = count if output is None or count is None else output + count
            raw = _at(item, form["finish"])
            if raw is not None and index not in self._finished:
                self._finished.add(index)
                yield Finish(finish_words().get(raw, "other"), index, raw)
        read = value.get(form["input"]) if "input" in form else None
        if read is not None or (output is not None and self._finished):
            # Counts have been recorded as 28.0.
            yield UsageUpdate(Usage(_whole(read), _whole(output)))


def _at(value: Mapping[str, Any], path: Sequence[str]) -> Any:
    *parents, last = path
    for name in parents:
        value = value.get(name) or {}
    return value.get(last)


def _whole(count: Any) -> int | None:
    return None if count is None else int(count)
