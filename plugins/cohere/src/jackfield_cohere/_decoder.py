"""What the decoders of Cohere's APIs share."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, TypeAlias

import orjson

from jackfield import (
    Citation,
    Event,
    FinishReason,
    MalformedResponseError,
    RawEvent,
    Started,
    StreamInterruptedError,
    TokenLogprob,
    UsageUpdate,
)
from jackfield.plugin import Frame, Head, WholeDecoder

from ._errors import fail, raise_failure
from ._usage import read_usage

__all__ = [
    "AnswerDecoder",
    "FieldDecoder",
    "fail_by_reason",
    "read_citation",
    "read_logprobs",
    "read_meta",
    "read_warning",
    "reason_of",
]

# Sources: API description, 2026-08-20 (v2); Python SDK 7.3.1 (v1 and generate, which say ERROR_TOXIC of text that
# was deemed toxic and ERROR_LIMIT of text that reached the model's context). Bedrock has been recorded to write small.
_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILED: Final = frozenset({"ERROR", "TIMEOUT"})


class AnswerDecoder(abc.ABC):
    """Reads one answer: a stream whose frames are JSON objects, or one JSON object as a whole.

    Args:
        stream: The answer was asked for as a stream.

    Attributes:
        marker: What ends a stream, for messages.
    """

    marker: ClassVar[str] = "stream-end"

    def __init__(self, *, stream: bool = False) -> None:
        self._streamed = stream
        self._ended = False

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began; JSON instead of a stream is a whole answer."""
        if head.headers.get("content-type", "").startswith("application/json"):
            self._streamed = False
        return read_warning(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Read one event of a stream, or a whole answer."""
        try:
            value = orjson.loads(frame.data)
        except orjson.JSONDecodeError as error:
            if frame.data == b"[DONE]":
                return []
            raise MalformedResponseError(f"the answer is not JSON: {error}", body=frame.data) from error
        if not isinstance(value, dict):
            raise MalformedResponseError("the answer is no JSON object", body=frame.data)
        raise_failure(value)
        return list(self._read(value))

    @abc.abstractmethod
    def _read(self, value: dict[str, Any]) -> Iterable[Event]:
        """Give the events of one JSON object."""

    def finish(self) -> list[Event]:
        """Check that the end was told.

        Raises:
            StreamInterruptedError: A stream has no end marker.
            MalformedResponseError: A whole answer has no body.
        """
        if self._ended:
            return []
        if self._streamed:
            raise StreamInterruptedError(f"the stream ended without {self.marker}")
        raise MalformedResponseError("the answer has no body")

    def _unknown(self, kind: Any, value: dict[str, Any], wanted: str) -> Iterator[Event]:
        """Keep an event of a stream that we do not know; a whole answer must hold what was asked for."""
        if not self._streamed:
            raise MalformedResponseError(
                f"the answer has no {wanted}; it has {', '.join(value) or 'nothing'}"
            )
        yield RawEvent(str(kind), value)


Reader: TypeAlias = Callable[[Any], Iterator[Event]]


class FieldDecoder(WholeDecoder):
    """Reads an answer that only comes whole, and must hold one field.

    Args:
        field: What the answer must hold.
        read: Gives the events of that field.
    """

    def __init__(self, field: str, read: Reader) -> None:
        super().__init__(partial(_read_field, field, read))

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began, and read the warning that a header may hold."""
        return read_warning(head)


def _read_field(field: str, read: Reader, value: Any) -> Iterator[Event]:
    """Read an answer that must hold one field.

    Args:
        field: What the answer must hold.
        read: Gives the events of that field.
        value: The answer.

    Raises:
        FailureInStream: It is the message of an error.
        MalformedResponseError: It does not hold the field.
    """
    if not isinstance(value, dict):
        raise MalformedResponseError("the answer is no JSON object")
    raise_failure(value)
    if value.get(field) is None:
        raise MalformedResponseError(f"the answer has no {field}; it has {', '.join(value) or 'nothing'}")
    yield Started(value.get("id"))
    yield from read(value[field])
    yield from read_meta(value)


def read_warning(head: Head) -> list[Event]:
    """Read what the service warns of in a header: a model that will be removed, say."""
    warning = head.headers.get("x-api-warning")
    return [] if warning is None else [RawEvent("warning", warning)]


def fail_by_reason(raw: Any, told: Mapping[str, Any], problem: Any = None) -> None:
    """Raise an error that the end of an answer tells.

    Raises:
        FailureInStream: It tells one.
    """
    if problem or str(raw).upper() in _FAILED:
        message = problem or f"the service ended the answer with the finish reason {raw}"
        fail({**told, "message": message, "finish_reason": raw})


def read_meta(answer: Mapping[str, Any]) -> Iterator[Event]:
    """Read the warnings and the usage that `meta` tells."""
    meta = {**(answer.get("meta") or {}), **{k: answer[k] for k in ("token_count",) if answer.get(k)}}
    if meta.get("warnings"):
        yield RawEvent("warnings", meta["warnings"])
    if meta.get("billed_units") or meta.get("tokens") or meta.get("token_count"):
        yield UsageUpdate(read_usage(meta), meta)


def reason_of(raw: str | None, *, calls: bool) -> FinishReason:
    """Give our word for why an answer ended; chat v1 says COMPLETE also of one that calls tools."""
    reason = _FINISH_REASONS.get(str(raw).upper(), "other")
    return "tool_calls" if calls and reason == "stop" else reason


def read_citation(
    told: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]] | None = None
) -> Citation:
    """Read a citation of v2 (`sources` hold what is cited) or of v1 (`document_ids` name it).

    A citation may rest on several sources; ours names the first, and `data` has them all. Its place is told in the
    text, unless it belongs to the thinking or the plan.
    """
    sources = told.get("sources") or ()
    source = sources[0] if sources else {}
    names = told.get("document_ids") or ()
    identity = source.get("id") or (names[0] if names else None)
    shown = source.get("document") or source.get("tool_output") or (documents or {}).get(identity or "") or {}
    placed = told.get("type") in (None, "TEXT_CONTENT")
    return Citation(
        text=told.get("text"),
        title=_text(shown.get("title")),
        url=_text(shown.get("url")),
        start=told.get("start") if placed else None,
        end=told.get("end") if placed else None,
        source_id=identity,
        data=told,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_logprobs(item: Mapping[str, Any]) -> list[TokenLogprob]:
    """Read the log probabilities of a piece of text.

    A piece of several tokens is told as one text and several numbers; the text stands with the first of them.
    """
    texts = [item.get("text") or ""]
    return [
        TokenLogprob(text, logprob)
        for text, logprob in zip(
            texts + [""] * len(item.get("logprobs") or ()), item.get("logprobs") or (), strict=False
        )
    ]
