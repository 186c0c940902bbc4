"""InvokeModel: the decoder of the envelope around a native answer, streamed or whole."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from jackfield import (
    Event,
    MalformedResponseError,
    RawEvent,
    Started,
    StreamInterruptedError,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import (
    Decoder,
    Frame,
    Head,
    WholeDecoder,
    Wire,
    WrappedDecoder,
    exact_numbers,
    read_frame,
    read_json,
    write_json,
)

from ._converse_decoder import fail_by_frame
from ._guardrails import fail_blocked, is_blocked
from ._usage import missing_counts, read_headers, read_metrics

__all__ = ["InvokeDecoder", "native_decoder"]

_MARK: Final = b'"amazon-bedrock-'
_METRICS: Final = "amazon-bedrock-invocationMetrics"
_ACTION: Final = "amazon-bedrock-guardrailAction"
_TRACE: Final = "amazon-bedrock-trace"
_MESSAGE_STOP: Final = Frame(b'{"type":"message_stop"}')
_CHUNK: Final = ("chunk",)
_BLOCK_STOP: Final = b'"content_block_stop"'

Adapt = Callable[[dict[str, Any]], dict[str, Any]]


class InvokeDecoder(WrappedDecoder):
    """Unwraps a native answer, and adds what only its envelope contains.

    A stream consists of frames `chunk` whose payload contains one native object in base64; the last has the metrics. A
    whole answer has its token counts in headers. Source: Bedrock user guide (2024-2026); recorded answers, 2023-2026.

    Args:
        inner: Decodes native objects.
        adapt: Converts a native object into one that `inner` accepts.
        ends: What ends a stream without the native end: nothing (`own`), the metrics (`metrics`), or also the end of a
            block (`block`: old Claudes, recorded in 2024).
    """

    def __init__(
        self,
        inner: Decoder,
        adapt: Adapt | None = None,
        *,
        ends: Literal["own", "metrics", "block"] = "own",
    ) -> None:
        super().__init__(inner)
        self._adapt = adapt
        self._ends = ends
        self._last = b""
        self._headers: Mapping[str, str] = {}
        self._known: Usage | None = None
        self._has_metrics = False
        self._action: str | None = None
        self._trace: Any = None

    @property
    def ended(self) -> bool:
        """Whether the metrics have come, which end a stream."""
        return self._has_metrics

    @property
    def is_whole(self) -> bool:
        """Whether each choice has its finish reason, or the metrics stand for it."""
        return super().is_whole or super().ended or (self._has_metrics and self._ends != "own")

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        self._headers = head.headers
        tier = head.headers.get("x-amzn-bedrock-service-tier")
        return [
            Started(head.headers.get("x-amzn-requestid"), service_tier=tier),
            *self._inner.start(head),
        ]

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame of a stream, or a whole answer."""
        if self._has_metrics:
            return []
        if frame.event is None:
            events = self._native(frame.data)
            return events + self._add_usage(read_headers(self._headers))
        if frame.event != "chunk":
            fail_by_frame(frame)
            value = read_frame(frame)
            return [] if value is None else [RawEvent(frame.event, value)]
        value = read_frame(frame, _CHUNK)
        if not value or value.get("bytes") in (None, ""):  # nothing but padding
            return []
        data = base64.b64decode(value["bytes"])
        self._last = data
        return self._native(data)

    def finish(self) -> list[Event]:
        """Check that the answer is complete, and that no guardrail blocked it."""
        if self._action == "INTERVENED" and is_blocked(self._trace):
            fail_blocked("", self._trace)
        try:
            return self._inner.finish()
        except StreamInterruptedError:
            has_ended = self._has_metrics or (self._ends == "block" and _BLOCK_STOP in self._last)
            if self._ends == "own" or not has_ended:
                raise
            # The envelope has reported the end, though the native answer has not; the reason stays unknown.
            return self._inner.feed(_MESSAGE_STOP)

    def _native(self, data: bytes) -> list[Event]:
        envelope: dict[str, Any] = {}
        if _MARK in data or self._adapt is not None:
            value = exact_numbers(_read(data), data)
            if isinstance(value, dict):
                envelope = {name: value.pop(name) for name in [*value] if name.startswith("amazon-bedrock-")}
                if self._adapt is not None:
                    value = self._adapt(value)
            data = write_json(value, halves=True) if value or not envelope else b""
        events = self._inner.feed(Frame(data)) if data else []
        for event in events:
            if type(event) is UsageUpdate:
                self._known = event.usage if self._known is None else self._known.updated(event.usage)
        return events + self._read_envelope(envelope) if envelope else events

    def _read_envelope(self, envelope: dict[str, Any]) -> list[Event]:
        """Read what the envelope adds: the metrics that end a stream, and a guardrail's verdict."""
        events: list[Event] = []
        metrics = envelope.pop(_METRICS, None)
        if metrics is not None:
            self._has_metrics = True
            events += self._add_usage(read_metrics(metrics), metrics)
        action = envelope.pop(_ACTION, self._action)
        if action != self._action:  # every piece repeats it
            self._action = action
            events.append(RawEvent(_ACTION, action))
        self._trace = envelope.get(_TRACE, self._trace)
        return events + [RawEvent(name, value) for name, value in envelope.items()]

    def _add_usage(self, usage: Usage | None, raw: Any = None) -> list[Event]:
        """Return the token counts that the native answer leaves out."""
        new = None if usage is None else missing_counts(usage, self._known)
        return [] if new is None else [UsageUpdate(new, raw)]


def native_decoder(wire: Wire) -> InvokeDecoder:
    """Return the decoder for the answer to a wire of InvokeModel."""
    family = wire.meta.get("family")
    if family == "claude":
        from jackfield_anthropic import decoder as claude_decoder

        from ._dialect import CLAUDE_KNOWN

        inner = claude_decoder(CLAUDE_KNOWN, wire)
        if wire.meta.get("api") == "complete":
            return InvokeDecoder(inner)
        return InvokeDecoder(inner, ends="block" if wire.meta.get("may_lack_end") else "metrics")
    if family == "cohere":
        from jackfield_cohere import decoder as cohere_decoder

        from ._dialect import COHERE_KNOWN

        return InvokeDecoder(cohere_decoder(COHERE_KNOWN, wire))
    if family == "openai-like":
        from jackfield_openai import decoder as openai_decoder

        from ._dialect import LIKE_OPENAI

        return InvokeDecoder(openai_decoder(LIKE_OPENAI, wire), _adapt_like_openai)
    if family == "nova":
        from ._converse_decoder import ConverseDecoder

        return InvokeDecoder(ConverseDecoder(wire.meta.get("json_tool"), stream=wire.stream))
    if family == "embedding":
        from ._embeddings import read_embedding

        return InvokeDecoder(WholeDecoder(read_embedding))
    from ._completion_decoder import TextDecoder

    return InvokeDecoder(TextDecoder(str(wire.meta["body"]), stream=wire.stream), ends="metrics")


def _read(data: bytes) -> Any:
    try:
        return read_json(data, halves=True)
    except ValueError as error:
        raise MalformedResponseError(
            f"the service sent something that is not JSON ({error}): {data[:80]!r}", body=data
        ) from error


def _adapt_like_openai(value: dict[str, Any]) -> dict[str, Any]:
    """Rename the finish reason of Mistral's choices to OpenAI's. Source: Bedrock user guide, Mistral chat (2024-2026)."""
    for choice in value.get("choices") or ():
        if "stop_reason" in choice:
            choice.setdefault("finish_reason", choice.pop("stop_reason"))
    return value
