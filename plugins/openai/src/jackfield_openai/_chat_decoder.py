"""Chat and text completions: the decoder of streamed and whole answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    RefusalDelta,
    Started,
    StreamInterruptedError,
    TextDelta,
)
from jackfield.plugin import Frame, Head, Wire, read_frame, sift_frame

from ._answer_fields import (
    FILTER_FIELDS,
    FINISH_REASONS,
    GenerationWatch,
    exact_event,
    is_end_marker,
    join_verdicts,
    read_citation,
    read_logprobs,
    read_part_citation,
)
from ._chat_fast_path import ENVELOPE, SIMPLE_CHOICE, SIMPLE_MESSAGE, PieceReader, read_simple_answer
from ._dialect import Dialect
from ._errors import fail, raise_failure
from ._reasoning import ThinkingReader
from ._tool_calls import ToolCallReader
from ._usage import usage_event

__all__ = ["ChatDecoder"]

_MESSAGE: Final = SIMPLE_MESSAGE | {
    "tool_calls", "function_call", "reasoning", "reasoning_content", "reasoning_details", "annotations", "audio", "name",
    "token_id", "channel",
}  # fmt: skip
_NOTHING: Final[Mapping[str, Any]] = {}
_DETAILS: Final = ("content_filter_result", "stop_reason", "native_finish_reason", "finish_details")


class _Choice:
    """The state of one choice."""

    __slots__ = ("audio", "detail", "ended", "finished", "raw", "refused", "thinking", "tools", "watch")

    def __init__(self, index: int, provider: str) -> None:
        self.tools = ToolCallReader(index, provider)
        self.thinking = ThinkingReader(index)
        self.watch = GenerationWatch()
        self.audio: dict[str, Any] = {}
        self.detail: dict[str, Any] = {}
        self.refused = False
        self.ended = False  # it has a finish reason, and nothing followed
        self.finished = False  # `Finish` was reported
        self.raw: str | None = None

    def append_audio(self, audio: Mapping[str, Any]) -> None:
        """Join the pieces of spoken audio."""
        for name, value in audio.items():
            pieces = name in ("data", "transcript") and name in self.audio
            self.audio[name] = self.audio[name] + value if pieces else value


class ChatDecoder:
    """Decodes one answer of chat or text completions.

    A stream ends with `[DONE]`, and is whole if each of its choices has a finish reason; `Dialect.end` says which services
    send less. Its choices finish at its end, with the last reason: text, calls and thinking may follow a finish reason, and
    Azure's filter may block an answer after it.

    Attributes:
        ended: `[DONE]` has come.
        lacks_end: It came before each choice had a finish reason, from a service that usually sends them.
    """

    def __init__(self, dialect: Dialect, wire: Wire) -> None:
        self._dialect = dialect
        self._streamed = wire.stream
        self._expected = wire.body.get("n") if isinstance(wire.body, dict) else None
        self.ended = self.lacks_end = False
        self._over = False  # what comes is of another answer
        self._has_content = False
        self._is_odd = False  # the last event is not of a kind that is known
        self._id: str | None = None
        self._started: Started | None = None
        self._choices: dict[int, _Choice] = {}
        self._pieces = PieceReader()
        self._usage: Any = None
        self._extras: dict[str, Any] = {}

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; JSON instead of a stream is a whole answer."""
        if head.headers.get("content-type", "").startswith("application/json"):
            self._streamed = False
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        data = frame.data
        piece = self._pieces.read_same(data) if self._streamed else None
        if piece is not None:
            return [piece]
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            if is_end_marker(data):  # looked for here, so that no other event pays for it
                self.ended = True
                return []
            event = read_frame(frame)
        piece = self._pieces.read(event) if self._streamed else None
        if piece is not None:
            self._pieces.learn(data, piece)
            return [piece]
        if frame.event is not None:
            event = sift_frame(frame, event)
        if not event and self._streamed:
            return []  # a heartbeat
        if not isinstance(event, dict):
            if isinstance(event, str) and is_end_marker(event.encode()):
                self.ended = True
                return []
            fail(event)
        if not self._streamed and self._started is None:
            answer = read_simple_answer(event, self._dialect)
            if answer is not None:
                self._started = answer[0]
                return list(answer)
        return list(self._read(exact_event(event, data)))

    def read_block(self, block: bytes) -> list[Event] | None:
        """Decode several server-sent events together, if all of them are further pieces of one text."""
        piece = self._pieces.read_block(block) if self._streamed else None
        return None if piece is None else [piece]

    def finish(self) -> list[Event]:
        """Check that nothing is missing, and finish the choices that have not ended."""
        if self._started is not None and not self._streamed and not self._choices:
            return []  # a whole answer was read at once, or has no choices
        if self._started is None or not (not self._streamed or self.is_whole or self._may_end()):
            raise StreamInterruptedError(
                "the stream ended without a finish reason for each choice; ask again"
                if self.ended
                else "the stream ended without [DONE] and without a finish reason for each choice; ask again"
            )
        ends = [(index, choice) for index, choice in self._choices.items() if not choice.finished]
        return [event for index, choice in ends for event in self._finish(index, choice)]

    @property
    def is_whole(self) -> bool:
        """Whether each choice has a finish reason, so that only usage, a filter's verdict or the marker can follow."""
        begun = self._has_begun or (self.ended and bool(self._choices))
        return begun and all(choice.ended for choice in self._choices.values())

    def _may_end(self) -> bool:
        """Return whether the dialect lets a stream end without a finish reason for each choice."""
        rule = self._dialect.end
        if not self.ended:
            self.lacks_end = self._is_odd
            return rule == "clean" and self._has_begun and (self._has_content or self._pieces.steady)
        self.lacks_end = rule == "clean"
        return rule != "finish" and bool(self._choices)

    @property
    def _has_begun(self) -> bool:
        """Whether all choices that were asked for have begun."""
        return len(self._choices) >= (self._expected or 1)

    def _read(self, event: dict[str, Any]) -> Iterator[Event]:
        beside = event.get("x_groq") or _NOTHING
        if event.get("error") or beside.get("error"):
            fail(event if event.get("error") else {**event, "error": beside["error"]})
        choices = event.get("choices")
        usage = event.get("usage") or beside.get("usage")
        if (choices is None and not usage) or not (choices or self._streamed):
            raise_failure(event)
            if self._started is None and not self._streamed:
                raise MalformedResponseError(
                    f"the answer has no choices; it has {', '.join(event) or 'no fields'}"
                )
        self._has_content |= self._pieces.steady
        self._is_odd = choices is None and not usage
        if self._streamed and choices:
            self._over = self._over or self._is_another(event.get("id"), choices)
        if self._over:
            return
        yield from self._read_envelope(event, usage if isinstance(usage, dict) else _NOTHING)
        for position, choice in enumerate(choices or ()):
            index = choice.get("index")
            yield from self._read_choice(choice, position if index is None else index)
        if usage and usage != self._usage:
            self._usage = usage
            yield usage_event(self._dialect.usage, usage)
        self._pieces.remember(event)

    def _read_envelope(self, event: dict[str, Any], usage: Mapping[str, Any]) -> Iterator[Event]:
        # Mistral sends the tier within the usage, at the end.
        tier = event.get("service_tier") or usage.get("service_tier")
        if tier is None and self._started is not None:
            tier = self._started.service_tier
        started = Started(event.get("id") or None, event.get("model") or None, tier)
        nameless = started.id is None and started.model is None  # a note of Azure's filter
        begins = self._started is None and ("choices" in event or bool(usage))
        if started != self._started and (begins or not nameless):
            self._started = started
            self._id = started.id or self._id
            yield started
        for name in () if ENVELOPE.issuperset(event) else event.keys() - ENVELOPE:
            if event[name] is not None and self._extras.get(name) != event[name]:
                self._extras[name] = event[name]
                yield RawEvent(name, event[name])
        # Perplexity repeats the list of sources on every chunk.
        sources = event.get("citations")
        if sources and sources != self._extras.get("citations"):
            self._extras["citations"] = sources
            for source in sources:
                url = source if isinstance(source, str) else source.get("url")
                yield CitationDelta(Citation(url=url, data={"citation": source}))

    def _is_another(self, identity: str | None, choices: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether a chunk is of another generation, after the one that answers.

        Raises:
            StreamInterruptedError: The one that answers has not ended.
        """
        another = False
        for wire in choices:
            choice = self._choices.get(wire.get("index") or 0)
            if choice is not None:
                delta = wire.get("delta") or {"content": wire.get("text")}
                another = choice.watch.is_another(identity, delta, steady=self._pieces.steady)
                if another and not choice.ended:
                    raise StreamInterruptedError(
                        f"the service began another answer, {identity}, before the first had ended; ask again"
                    )
        return another

    def _read_choice(self, wire: dict[str, Any], index: int) -> Iterator[Event]:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index, self._dialect.id)
            choice.watch.begin(self._id, wire.get("delta") or {"content": wire.get("text")})
        simple = SIMPLE_CHOICE.issuperset(wire)
        if not simple and wire.get("error"):
            fail({"error": wire["error"]})
        for message in self._find_messages(wire):
            for event in self._read_message(message, choice, index):
                self._has_content = True
                yield event
        if wire.get("logprobs"):
            tokens = read_logprobs(wire["logprobs"])
            if tokens:
                yield LogprobsDelta(tokens, index)
        if not simple:
            yield from self._read_filter(wire, choice, index)
        raw = wire.get("finish_reason")
        if raw and raw != "null":  # old servers say "" or "null" until the end
            # The last one counts, as some gateways say "stop" from the first chunk; but what was blocked stays so.
            choice.raw = choice.raw if choice.raw == "content_filter" else raw
            choice.ended = True
        if choice.thinking.open or choice.ended or choice.watch.is_unsure:
            self._pieces.choices.discard(index)
        else:
            self._pieces.choices.add(index)
        if raw and not self._streamed and not choice.finished:
            yield from self._finish(index, choice)
        nested = None if simple else wire.get("usage")  # Moonshot puts the usage into the choice
        if nested and nested != self._usage:
            self._usage = nested
            yield usage_event(self._dialect.usage, nested)

    def _find_messages(self, wire: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Return the delta or the message, or several messages if the service ran tools itself (Mistral)."""
        message = wire.get("delta") if self._streamed else wire.get("message")
        if message is None:
            message = wire.get("message") or wire.get("delta")
        if message is None:
            return wire.get("messages") or ({"content": wire.get("text")},)
        return (message,)

    def _read_filter(self, wire: Mapping[str, Any], choice: _Choice, index: int) -> Iterator[Event]:
        """Keep details of the end, and the verdicts of a content filter, which each chunk has for its own text."""
        for name in _DETAILS:
            if wire.get(name):
                choice.detail[name] = wire[name]
        verdicts = wire.get("content_filter_results")
        if verdicts:
            self._pieces.verdicts[index] = verdicts
            known = choice.detail.get("content_filter_results")
            choice.detail["content_filter_results"] = join_verdicts(known, verdicts)
        if wire.get("content_filter_offsets"):
            yield RawEvent("content_filter", {name: wire[name] for name in wire.keys() & FILTER_FIELDS})

    def _read_message(self, message: Mapping[str, Any], choice: _Choice, index: int) -> Iterator[Event]:
        simple = SIMPLE_MESSAGE.issuperset(message)
        if not simple:
            if (
                message.get("role") == "tool"
            ):  # the result of a tool that the service ran itself, not the model's text
                yield RawEvent("tool_message", message)
                return
            yield from choice.thinking.read(message, whole=not self._streamed)
        content, refusal, calls = message.get("content"), message.get("refusal"), message.get("tool_calls")
        if content or refusal or calls:
            choice.ended = False
            if choice.thinking.open:
                yield from choice.thinking.end()
        if isinstance(content, str):
            if content:
                yield TextDelta(content, index, None, None if simple else self._read_beside(message))
        elif content:
            yield from self._read_parts(content, choice, index)
        if refusal:
            choice.refused = True
            yield RefusalDelta(refusal, index)
        if not simple:
            yield from self._read_extras(message, choice, index)

    def _read_beside(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what goes back with the text of a message: Gemini's thought signature."""
        found = message.get("extra_content")
        return {self._dialect.id: {"extra_content": found}} if found else None

    def _read_extras(self, message: Mapping[str, Any], choice: _Choice, index: int) -> Iterator[Event]:
        """Read all but text: calls, annotations, audio, and fields without an event of their own."""
        calls = message.get("tool_calls")
        if calls:
            pieces = [calls] if isinstance(calls, dict) else calls
            yield from choice.tools.read(pieces, self._id, whole=not self._streamed)
        legacy = message.get("function_call")
        if legacy and any(legacy.values()):  # Snowflake sends empty fields
            yield from choice.tools.read([{"index": 0, "function": legacy}], self._id)
        for annotation in message.get("annotations") or ():
            citation = read_citation(annotation)
            yield RawEvent("annotation", annotation) if citation is None else CitationDelta(citation, index)
        audio = message.get("audio")
        if audio and any(audio.values()):
            choice.append_audio(audio)
        for name in () if _MESSAGE.issuperset(message) else message.keys() - _MESSAGE:
            if message[name] not in (None, []):
                yield RawEvent(name, message[name])

    def _read_parts(self, content: Any, choice: _Choice, index: int) -> Iterator[Event]:
        """Read content that is a list of parts (Databricks, Mistral)."""
        for part in [content] if isinstance(content, dict) else content:
            kind = part.get("type")
            if kind == "text":
                yield from choice.thinking.end()
                yield TextDelta(part.get("text") or "", index)
                for cited in part.get("citations") or ():
                    yield CitationDelta(read_part_citation(cited), index)
            elif kind in ("reasoning", "thinking"):
                yield from choice.thinking.read_part(part)
            else:
                source = self._dialect.source(part)
                if source is not None:
                    yield CitationDelta(source, index)
                yield PartAdded(RawPart(self._dialect.id, part), index)

    def _finish(self, index: int, choice: _Choice) -> Iterator[Event]:
        raw = choice.raw
        choice.ended = choice.finished = True
        if raw == "error":
            fail({"error": {"message": 'the service ended the answer with the finish reason "error"'}})
        if choice.thinking.open:
            yield from choice.thinking.end()
        if choice.tools.any:
            yield from choice.tools.end(self._id, choice.thinking.empty)
        if choice.audio:
            yield PartAdded(RawPart(self._dialect.id, {"type": "audio", "audio": choice.audio}), index)
        reason = FINISH_REASONS.get(raw.lower(), "other") if isinstance(raw, str) else "other"
        if reason == "stop" and choice.tools.any:
            reason = "tool_calls"
        elif reason == "stop" and choice.refused:
            reason = "refusal"
        yield Finish(reason, index, raw, choice.detail or None)
