"""Gemini: the answer, streamed or whole; the count of tokens."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jackfield import (
    Event,
    Finish,
    FinishReason,
    LogprobsDelta,
    MalformedResponseError,
    PartAdded,
    RawEvent,
    RawPart,
    Started,
    StreamInterruptedError,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import Frame, Head, TokensCounted, exact_numbers, is_error_body, read_frame, write_json

from ._citations import read_citations
from ._errors import fail, is_blocked
from ._partial import PartialArguments
from ._usage import read_usage

__all__ = ["GeminiDecoder", "objects_in", "read_count", "values_of"]

PROVIDER: Final = "vertex"

# Sources: google.cloud.aiplatform.v1 (2.7.0), google-genai 2.34; every other word is `other`.
_FINISHES: Final[Mapping[str, FinishReason]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "IMAGE_SAFETY",
         "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
        "content_filter",
    ),
    **dict.fromkeys(
        ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
         "MALFORMED_RESPONSE", "LANGUAGE", "OTHER", "NO_IMAGE", "IMAGE_OTHER", "FINISH_REASON_UNSPECIFIED"),
        "other",
    ),
}  # fmt: skip
# A proxy may request enum-encoding=int; then the answer has the numbers of the published definition.
_WORDS: Final = (
    "FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST",
    "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION", "IMAGE_OTHER", "UNEXPECTED_TOOL_CALL", "NO_IMAGE",
)  # fmt: skip
_KNOWN: Final = frozenset(
    {"candidates", "usageMetadata", "modelVersion", "responseId", "createTime", "promptFeedback"}
)
_OF_CANDIDATE: Final = frozenset(
    {
        "index",
        "content",
        "finishReason",
        "finishMessage",
        "safetyRatings",
        "citationMetadata",
        "logprobsResult",
    }
)
_CONTENT: Final = frozenset({"content"})
_CALL: Final = b'"functionCall"'
_KNOWN_FEEDBACK: Final = frozenset({"safetyRatings"})


def values_of(frame: Frame, *, stream: bool) -> list[dict[str, Any]]:
    """Parse a frame: one object, or the array that a stream is without `alt=sse`; none for a heartbeat of a gateway.

    Raises:
        MalformedResponseError: It is neither.
        FailureInStream: It contains an error.
    """
    if stream and frame.data[:11].removeprefix(BOM_UTF8).strip() == b"[DONE]":
        # of gateways that also speak OpenAI's protocol
        return []
    value = read_frame(frame)
    if value in (None, "") and stream:
        return []
    if _CALL in frame.data:
        value = exact_numbers(value, frame.data)
    return objects_in(value)


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a frame's value.

    Raises:
        MalformedResponseError: It contains something else.
        FailureInStream: It contains an error.
    """
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not isinstance(one, dict):
            raise MalformedResponseError("the service sent something that is not a JSON object")
        if is_error_body(one):
            fail(one)
    return values


class _Choice:
    """The state of one candidate."""

    __slots__ = ("block", "calls", "cited", "detail", "partial", "stop", "texts", "thought")

    def __init__(self) -> None:
        self.block = 0
        self.calls = 0
        self.cited: list[Any] = []
        self.detail: dict[str, Any] = {}
        self.partial: PartialArguments | None = None
        self.stop: str | None = None
        self.texts: list[str] = []
        self.thought = False

    @property
    def is_begun(self) -> bool:
        """Whether something of its content has come."""
        return bool(self.texts or self.thought or self.calls or self.block)


class GeminiDecoder:
    """Decode one answer. It ends with a finish reason for each choice and the end of the body.

    Reasons are returned only at the end: Gemini 1.0 sends one with every chunk, and usage may follow the last.

    Args:
        stream: Whether the answer is streamed.
    """

    def __init__(self, *, stream: bool = False) -> None:
        self._stream = stream
        self._choices: dict[int, _Choice] = {}
        self._started: tuple[Any, ...] = ()
        self._usage: Any = None

    @property
    def is_whole(self) -> bool:
        """Whether each choice has its finish reason; usage may follow."""
        return bool(self._choices) and all(choice.stop is not None for choice in self._choices.values())

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one chunk of a stream, or a whole answer."""
        events: list[Event] = []
        try:
            for value in values_of(frame, stream=self._stream):
                self._chunk(value, events)
        except MalformedResponseError:
            if not self.is_whole:
                raise  # after the last finish reason, nothing that cannot be read belongs to the answer
        return events

    def finish(self) -> list[Event]:
        """Check that there was an answer, and return why each choice ended."""
        if not self._choices:
            if self._stream:
                raise StreamInterruptedError("the stream ended before any content; try again")
            raise MalformedResponseError("the answer has no candidates")
        events: list[Event] = []
        for index, choice in sorted(self._choices.items()):
            events += self._end_call(index, choice, choice.partial)
            word = choice.stop
            if word is None and self._stream:
                raise StreamInterruptedError("the stream ended without a finish reason; try again")
            reason = _FINISHES.get(word or "", "other")
            if reason == "stop" and choice.calls:
                reason = "tool_calls"  # the service has no word for it
            events.append(Finish(reason, index, word, choice.detail or None))
        return events

    def _chunk(self, value: dict[str, Any], events: list[Event]) -> None:
        if is_blocked(value):
            fail(value)
        usage = value.get("usageMetadata")
        if not isinstance(usage, Mapping):
            usage = None
        tier = None if usage is None else usage.get("serviceTier") or usage.get("trafficType")
        started = (
            value.get("responseId"),
            value.get("modelVersion"),
            tier if isinstance(tier, str) else None,
        )
        begins = not self._started and ("candidates" in value or "usageMetadata" in value)
        if started != self._started and (begins or any(started)):
            self._require_one_answer(started[0])
            self._started = started
            events.append(Started(*started))
        for position, candidate in enumerate(value.get("candidates") or ()):
            index = candidate.get("index")
            index = position if index is None else index
            choice = self._choices.get(index)
            if choice is None:
                choice = self._choices[index] = _Choice()
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._part(part, index, choice, events)
            if candidate.keys() != _CONTENT:  # an index of 0 and empty content are left out
                events += self._metadata(candidate, index, choice)
        if usage and usage != self._usage:
            self._usage = usage
            events.append(UsageUpdate(read_usage(usage), usage))
        if not value.keys() <= _KNOWN:
            others = sorted(value.keys() - _KNOWN)
            events += [RawEvent(name, value[name]) for name in others if value[name] is not None]
        feedback = value.get("promptFeedback")
        if feedback and not feedback.keys() <= _KNOWN_FEEDBACK:
            events.append(RawEvent("promptFeedback", feedback))

    def _require_one_answer(self, identity: Any) -> None:
        """Check that a chunk with another id does not follow the content of an answer that has not ended.

        Raises:
            StreamInterruptedError: A gateway lost its upstream and asked again.
        """
        known = self._started[0] if self._started else None
        if (
            None not in (known, identity)
            and known != identity
            and any(c.is_begun for c in self._choices.values())
            and not self.is_whole
        ):
            raise StreamInterruptedError(
                f"the service began another answer, {identity}, before {known} had ended; try again"
            )

    def _part(self, part: dict[str, Any], index: int, choice: _Choice, events: list[Event]) -> None:
        text = part.get("text")
        if text is not None and len(part) == 1:  # fast path: nearly every part of a stream
            if text != "":
                choice.texts.append(text)
                events.append(TextDelta(text, index, choice.block))
            return
        if None in part.values():  # a proxy may write absent fields as null
            part = {name: value for name, value in part.items() if value is not None}
        if text is not None:
            self._signed_text(part, text, index, choice, events)
        elif "functionCall" in part:
            events += self._call(part, index, choice)
        elif part:
            events.append(PartAdded(RawPart(PROVIDER, part), index))

    def _signed_text(
        self, part: dict[str, Any], text: str, index: int, choice: _Choice, events: list[Event]
    ) -> None:
        """Read text that is thinking, or that has a signature, which belongs to this part only."""
        rest = {name: value for name, value in part.items() if name not in ("text", "thought")}
        if rest:
            choice.block += 1
        if part.get("thought"):
            choice.thought = True
            events.append(ThinkingDelta(text, index, choice.block, rest or None))
        else:
            choice.texts.append(text)
            events.append(TextDelta(text, index, choice.block, {PROVIDER: rest} if rest else None))
        if rest:
            choice.block += 1

    def _call(self, part: dict[str, Any], index: int, choice: _Choice) -> Iterator[Event]:
        """Read a tool call, or a piece of one (`streamFunctionCallArguments`)."""
        call = part["functionCall"]
        partial = choice.partial
        if call.get("name"):  # a proxy may write null in the pieces that follow
            yield from self._end_call(index, choice, partial)
            own = {name: value for name, value in part.items() if name != "functionCall"}
            name = call.get("id")
            if name:
                own["id"] = name
            else:  # Vertex has no ids: make one, which is not sent back
                name = f"{self._started[0] if self._started and self._started[0] else 'call'}-{index}-{choice.calls}"
            partial = choice.partial = PartialArguments(choice.calls)
            yield ToolCallStart(choice.calls, name, call["name"], index, {PROVIDER: own} if own else None)
            choice.calls += 1
        elif partial is None:
            if call:
                yield PartAdded(RawPart(PROVIDER, part), index)
            return
        partial.add(call)
        if not call.get("willContinue"):
            yield from self._end_call(index, choice, partial)

    def _end_call(self, index: int, choice: _Choice, partial: PartialArguments | None) -> Iterator[Event]:
        if partial is None:
            return
        choice.partial = None
        if partial.value:
            yield ToolCallDelta(partial.number, write_json(partial.value).decode(), index)
        yield ToolCallEnd(partial.number, index)

    def _metadata(self, candidate: dict[str, Any], index: int, choice: _Choice) -> Iterator[Event]:
        """Read the fields beside the content."""
        stop = candidate.get("finishReason")
        if isinstance(stop, int) and not isinstance(stop, bool):
            stop = _WORDS[stop] if 0 <= stop < len(_WORDS) else str(stop)
        choice.stop = (stop if isinstance(stop, str) else None) or choice.stop
        for name in ("finishMessage", "safetyRatings"):
            if candidate.get(name):
                choice.detail[name] = candidate[name]
        if candidate.get("logprobsResult"):
            yield LogprobsDelta(_logprobs(candidate["logprobsResult"]), index)
        if "citationMetadata" in candidate or "groundingMetadata" in candidate:
            text = "".join(choice.texts)
            if len(choice.texts) > 1:
                choice.texts[:] = [text]  # joined once for all: every chunk may have citations
            for cited in read_citations(candidate, text, index):
                if cited.citation not in choice.cited:  # a stream may repeat citations with every chunk
                    choice.cited.append(cited.citation)
                    yield cited
        if not candidate.keys() <= _OF_CANDIDATE:
            for name in sorted(candidate.keys() - _OF_CANDIDATE):
                if candidate[name] is not None:
                    yield RawEvent(name, candidate[name])


def _logprobs(value: Mapping[str, Any]) -> tuple[TokenLogprob, ...]:
    chosen = value.get("chosenCandidates") or ()
    tops = value.get("topCandidates") or ()
    return tuple(
        TokenLogprob(
            one.get("token", ""),
            one.get("logProbability", 0.0),
            None,
            tuple(
                TokenLogprob(top.get("token", ""), top.get("logProbability", 0.0))
                for top in (tops[i].get("candidates") or () if i < len(tops) else ())
            ),
        )
        for i, one in enumerate(chosen)
    )


def read_count(value: Any) -> Iterator[Event]:
    """Decode the answer of `countTokens`. The service leaves out a count of zero."""
    (body,) = objects_in(value)
    if body and body.get("totalTokens") is None and "totalBillableCharacters" not in body:
        raise MalformedResponseError("the answer has no totalTokens")
    yield TokensCounted(body.get("totalTokens", 0))
