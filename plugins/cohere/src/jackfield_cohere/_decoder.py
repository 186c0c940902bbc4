"""What the decoders of Cohere's APIs share."""

from __future__ import annotations

import abc
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, NoReturn, TypeAlias

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
from jackfield.plugin import Frame, Head, WholeDecoder, is_error_body, read_frame

from ._errors import fail, raise_failure
from ._usage import as_mapping, read_usage

__all__ = [
    "AnswerDecoder",
    "FieldDecoder",
    "as_word",
    "fail_by_reason",
    "read_citation",
    "read_logprobs",
    "read_meta",
    "read_warning",
    "reason_of",
]

# Sources: API description, 2026-08-20 (v2); Python SDK 7.3.1 (v1 and generate: ERROR_TOXIC is text that was deemed
# toxic, ERROR_LIMIT text that reached the model's context). Bedrock has been recorded to write them in lower case.
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
    """Decodes one answer: a stream whose frames are JSON objects, or one JSON object as a whole.

    Args:
        stream: The answer was requested as a stream.

    Attributes:
        marker: The name of the event that ends a stream, for messages.
        names: The names of the events that are known, where frames have names.
        ended: The marker has come, or a whole answer.
    """

    marker: ClassVar[str] = "stream-end"
    names: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, stream: bool = False) -> None:
        self._streamed = stream
        self._complete = False
        self._id: str | None = None
        self._begun = False  # something of the answer has come
        self._again = False  # a second beginning came after that
        self.ended = False

    @property
    def is_whole(self) -> bool:
        """Whether the answer has its finish reason."""
        return self._complete

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; JSON instead of a stream is a whole answer."""
        if head.headers.get("content-type", "").startswith("application/json"):
            self._streamed = False
        return read_warning(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        if self.ended:
            return []
        if frame.data[:11].removeprefix(BOM_UTF8).strip() == b"[DONE]":
            self.ended = True
            return []
        value = read_frame(frame, self.names)
        if not value and not isinstance(value, dict) and self._streamed:  # a heartbeat of a gateway
            return []
        if not isinstance(value, dict):
            raise MalformedResponseError("the answer is not a JSON object", body=frame.data)
        raise_failure(value)
        return list(self._read(value, frame.data))

    @abc.abstractmethod
    def _read(self, value: dict[str, Any], data: bytes) -> Iterable[Event]:
        """Return the events of one JSON object; `data` is its text."""

    def _begin(self, identity: Any) -> Iterator[Event]:
        """Handle the beginning of an answer: another one before the first has ended is an interruption.

        Raises:
            StreamInterruptedError: A gateway lost its upstream and asked again.
        """
        if self._begun and self._id is not None and identity not in (None, "", self._id):
            self._reject_another(identity)
        self._again = self._begun
        self._id = self._id or identity
        yield Started(identity)

    def _reject_another(self, identity: Any) -> NoReturn:
        raise StreamInterruptedError(
            f"the service began another answer, {identity}, before {self._id} had ended; ask again"
        )

    def finish(self) -> list[Event]:
        """Check that the answer is complete.

        Raises:
            StreamInterruptedError: A stream has no end marker.
            MalformedResponseError: A whole answer has no body.
        """
        if self._complete:
            return []
        if self._streamed:
            raise StreamInterruptedError(f"the stream ended without {self.marker}")
        raise MalformedResponseError("the answer has no body")

    def _unknown(self, kind: Any, value: dict[str, Any], wanted: str) -> Iterator[Event]:
        """Keep an unknown event of a stream; a whole answer must contain what was requested."""
        if kind is None and is_error_body(value, refused=True):
            fail(value)
        if not self._streamed:
            raise MalformedResponseError(
                f"the answer has no {wanted}; it has {', '.join(value) or 'nothing'}"
            )
        yield RawEvent(str(kind), value)


Reader: TypeAlias = Callable[[Any], Iterator[Event]]


class FieldDecoder(WholeDecoder):
    """Decodes an answer that is never streamed and must contain one field.

    Args:
        field: The name of the field.
        read: Returns the events of the field's value.
    """

    def __init__(self, field: str, read: Reader) -> None:
        super().__init__(partial(_read_field, field, read))

    def start(self, head: Head) -> list[Event]:
        """Handle the response head; one of its headers may contain a warning."""
        return read_warning(head)


def _read_field(field: str, read: Reader, value: Any) -> Iterator[Event]:
    """Read an answer that must contain one field.

    Args:
        field: The name of the field.
        read: Returns the events of the field's value.
        value: The answer.

    Raises:
        FailureInStream: The answer is an error.
        MalformedResponseError: The answer does not have the field.
    """
    if not isinstance(value, dict):
        raise MalformedResponseError("the answer is not a JSON object")
    raise_failure(value)
    if value.get(field) is None:
        raise MalformedResponseError(f"the answer has no {field}; it has {', '.join(value) or 'nothing'}")
    yield Started(value.get("id"))
    yield from read(value[field])
    yield from read_meta(value)


def read_warning(head: Head) -> list[Event]:
    """Read a warning in a header, such as that a model will be removed."""
    warning = head.headers.get("x-api-warning")
    return [] if warning is None else [RawEvent("warning", warning)]


def fail_by_reason(raw: Any, fields: Mapping[str, Any], problem: Any = None) -> None:
    """Raise the error with which an answer ended, if it ended with one.

    Raises:
        FailureInStream: The answer ended with an error.
    """
    if problem or str(raw).upper() in _FAILED:
        message = problem or f"the service ended the answer with the finish reason {raw}"
        fail({**fields, "message": message, "finish_reason": raw})


def read_meta(answer: Mapping[str, Any]) -> Iterator[Event]:
    """Read the warnings and the usage in `meta`."""
    meta = {**as_mapping(answer.get("meta")), **{k: answer[k] for k in ("token_count",) if answer.get(k)}}
    if meta.get("warnings"):
        yield RawEvent("warnings", meta["warnings"])
    if meta.get("billed_units") or meta.get("tokens") or meta.get("token_count"):
        yield UsageUpdate(read_usage(meta), meta)


def as_word(value: Any) -> str | None:
    """Return a word of the service; what is no text is none."""
    return value if isinstance(value, str) else None


def reason_of(raw: str | None, *, calls: bool) -> FinishReason:
    """Return the finish reason of an answer; chat v1 says COMPLETE also if tools are called."""
    reason = _FINISH_REASONS.get(str(raw).upper(), "other")
    return "tool_calls" if calls and reason == "stop" else reason


def read_citation(
    citation: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]] | None = None
) -> Citation:
    """Read a citation of v2 (`sources` contain what is cited) or of v1 (`document_ids` name it).

    A citation may have several sources: the result names the first, and `data` contains them all. Its position is in
    the text, unless it belongs to the thinking or the plan.
    """
    sources = citation.get("sources") or ()
    source = sources[0] if sources else {}
    names = citation.get("document_ids") or ()
    identity = source.get("id") or (names[0] if names else None)
    shown = source.get("document") or source.get("tool_output") or (documents or {}).get(identity or "") or {}
    is_in_text = citation.get("type") in (None, "TEXT_CONTENT")
    return Citation(
        text=citation.get("text"),
        title=_text(shown.get("title")),
        url=_text(shown.get("url")),
        start=citation.get("start") if is_in_text else None,
        end=citation.get("end") if is_in_text else None,
        source_id=identity,
        data=citation,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def read_logprobs(item: Mapping[str, Any]) -> list[TokenLogprob]:
    """Read the log probabilities of a piece of text.

    A piece of several tokens comes as one text and several numbers; the text is that of the first token.
    """
    texts = [item.get("text") or ""]
    return [
        TokenLogprob(text, logprob)
        for text, logprob in zip(
            texts + [""] * len(item.get("logprobs") or ()), item.get("logprobs") or (), strict=False
        )
    ]
