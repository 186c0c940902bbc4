"""Legacy text completions (`/v1/complete`), the only way of Claude 1, Instant and 2: request and answer.

Source: Anthropic's Python SDK 0.125.0, the last that had them; "Migrating from text completions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import orjson

from jackfield import (
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    Message,
    RawEvent,
    RawPart,
    Started,
    StreamInterruptedError,
    Text,
    TextDelta,
    Thinking,
    UnsupportedError,
)
from jackfield.plugin import (
    UNSET,
    Capabilities,
    CompletionRequest,
    Frame,
    Head,
    ModelRef,
    ParameterWriter,
    Translation,
)

from ._errors import raise_failure
from ._settings import OLD_VERSION

if TYPE_CHECKING:
    from .dialect import Dialect

__all__ = ["PROMPT_FORMAT", "CompletionDecoder", "chat_prompt", "put_max_tokens", "translate_completion"]

PROMPT_FORMAT: Final = "Human/Assistant turns, Anthropic's text completions guide"
_HUMAN: Final = "\n\nHuman:"
_ASSISTANT: Final = "\n\nAssistant:"
_TURNS: Final = {"user": _HUMAN, "assistant": _ASSISTANT}
_STOPS: Final[Mapping[str, FinishReason]] = {"stop_sequence": "stop", "max_tokens": "length"}
_ENVELOPE: Final = frozenset(
    {"type", "id", "completion", "stop_reason", "model", "stop", "log_id", "truncated"}
)
SMALLEST_OUTPUT: Final = 4096
"""Every model can write as much (Claude 3, 2024); asked of models of which nothing is known."""


def chat_prompt(messages: tuple[Message, ...]) -> tuple[str, tuple[str, ...]]:
    """Write a conversation as the prompt that Claude 1, Instant and 2 were trained on.

    Returns:
        The prompt, and no stop sequences: the models stop before the next Human turn by themselves.

    Raises:
        UnsupportedError: A part is no text.
    """
    pieces = []
    for index, message in enumerate(messages):
        for part in message.parts:
            # What other models thought and what only they can read stays behind.
            if not isinstance(part, Text | Thinking | RawPart):
                raise UnsupportedError(
                    f"messages[{index}] holds a {type(part).__name__}; text completions know text alone",
                    parameter="messages",
                )
        pieces.append(f"{_TURNS[message.role]} {message.text}" if message.role in _TURNS else message.text)
    prompt = "".join(pieces)
    if not messages or messages[-1].role != "assistant":
        prompt += _ASSISTANT
    return prompt, ()


def translate_completion(
    dialect: Dialect, model: ModelRef, request: CompletionRequest, capabilities: Capabilities
) -> Translation:
    """Write a text completion. The endpoint knows the old API version alone, whatever the connection says."""
    options = request.options
    place = (dialect.complete_stream_path if request.stream else None) or dialect.complete_path or ""
    path, body = dialect.start(model, place)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    body["prompt"] = _prompt(request.prompt, writer)
    put_max_tokens(writer, capabilities, "max_tokens_to_sample")
    writer.put("stop", "stop_sequences", list)
    for name in ("temperature", "top_p", "top_k"):
        writer.put(name)
    writer.put("user", "metadata.user_id")
    writer.merge_extra(options.extra, *dialect.ids)
    headers = {} if dialect.body_version else {"anthropic-version": OLD_VERSION}
    report = writer.finish()
    meta = {"api": "complete"}
    return Translation(
        dialect.wire(model, path, body, stream=request.stream, meta=meta, headers=headers), report
    )


def _prompt(prompt: str, writer: ParameterWriter) -> str:
    """Put a prompt that has no turns into one, and the system prompt before the first."""
    if not (prompt.lstrip().startswith("Human:") or _HUMAN in prompt):
        prompt = f"{_HUMAN} {prompt}{_ASSISTANT}"
        writer.note("prompt", "emulated", wire="prompt", why="the service wants Human and Assistant turns")
    system = writer.take("system")
    if system is UNSET:
        return prompt
    writer.note("system", "renamed", wire="prompt", value=system)
    return f"{system}{prompt}"


def put_max_tokens(writer: ParameterWriter, capabilities: Capabilities, wire: str, more: int = 0) -> None:
    """Write the limit of the answer, which the service requires.

    Args:
        writer: Where to.
        capabilities: The model's; its greatest output is the default.
        wire: The limit's name.
        more: Tokens that thinking may use, on top of the default for an unknown model.
    """
    if writer.put("max_tokens", wire) is not UNSET:
        return
    greatest = capabilities.limits.max_output_tokens
    if greatest is not None:
        writer.default("max_tokens", wire, greatest, "the service requires it; this is the model's greatest")
        return
    why = "the service requires it; nothing is known of the model, and every Claude can write as much"
    writer.default("max_tokens", wire, SMALLEST_OUTPUT + more, why)


class CompletionDecoder:
    """Reads one text completion, streamed or whole; its end is a stop reason. It tells no usage."""

    def __init__(self) -> None:
        self._started = False
        self._ended = False

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read one event of a stream, or a whole answer."""
        event = orjson.loads(frame.data)
        raise_failure(event)
        if not isinstance(event, dict):
            raise MalformedResponseError("the answer is no object", body=bytes(frame.data))
        if "completion" not in event:
            if "type" not in event:
                raise MalformedResponseError("the answer has no completion", body=bytes(frame.data))
            return [] if event["type"] == "ping" else [RawEvent(event["type"], event)]
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(event.get("id"), event.get("model")))
        if event["completion"]:
            events.append(TextDelta(event["completion"]))
        events += [
            RawEvent(name, event[name]) for name in event.keys() - _ENVELOPE if event[name] is not None
        ]
        raw = event.get("stop_reason")
        if raw is not None and not self._ended:
            self._ended = True
            stop = event.get("stop")
            detail = None if stop is None else {"stop_sequence": stop}
            events.append(Finish(_STOPS.get(raw, "other"), 0, raw, detail))
        return events

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self._ended:
            raise StreamInterruptedError("the stream ended without a stop reason; ask again")
        return []
