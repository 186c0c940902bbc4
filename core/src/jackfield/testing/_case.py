"""A case: an answer as it came over the wire, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs

from jackfield._types.capabilities import ModelRef
from jackfield._types.content import Message, ToolCall
from jackfield._types.errors import JackfieldError
from jackfield._types.events import FinishReason
from jackfield._types.option_rules import UNSET
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)
from jackfield._types.usage import Usage
from jackfield._types.wire import Head, Headers

__all__ = ["Case", "CaseKind", "plain_request"]

CaseKind: TypeAlias = Literal[
    "chat", "completion", "embedding", "summarization", "rerank", "count", "listing"
]

_TYPE_BY_SUFFIX: Mapping[str, str] = {
    ".json": "application/json",
    ".sse": "text/event-stream",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".eventstream": "application/vnd.amazon.eventstream",
}
_STREAMED = ("text/event-stream", "ndjson", "jsonl", "eventstream")


@attrs.frozen(kw_only=True)
class Case:
    """One recorded answer and what the plugin shall make of it. What is left out is not looked at.

    Attributes:
        model: The model's id; a listing has none.
        wire: The answer's body: bytes, a path (looked for from the working directory, from the test's folder
            and from the folder above it), or a list of objects for an in-process engine.
        kind: What was asked for; "count" for a token count, "listing" for one page of the list of models.
        request: The request that was answered; a plain one of the kind unless given.
        stream: The answer is streamed; told by its content type unless given.
        status: The HTTP status; None for an in-process engine.
        content_type: Told by the path's suffix or the body's beginning unless given.
        headers: More headers of the answer.
        underlying: The model behind a deployment.
        declared: The entry in `models`.
        text: The text of choice 0.
        thinking: The thinking of choice 0.
        usage: An `(input, output)` pair, a `Usage`, or None for a service that does not say.
        tool_call: `(name, arguments)` of the only tool call.
        tool_calls: Several of them.
        finish: The finish reason of choice 0.
        error: The class of the error that it means.
        retryable: The error is retryable, or not; as its class is unless given.
        raises: What the transport raises in place of an answer, such as an SDK's own exception.
        embedding: The vectors, or how many there are and how long they are, as a pair of integers.
        scores: `(index, score)` pairs of a rerank.
        count: The answer of a token count.
        models: The ids that a listing gives.
        always: Keys of the body that the service's format wants in every request, such as a version.
        shows: Features that it exercises, besides those that can be seen.
        pair: Cases with the same name here are one answer, once streamed and once whole.
        name: For messages; the path or the model unless given.
    """

    model: str = ""
    wire: bytes | str | Path | Sequence[object] = b""
    kind: CaseKind = "chat"
    request: Request | None = None
    stream: bool | None = None
    status: int | None = 200
    content_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    underlying: str | None = None
    declared: Mapping[str, Any] = attrs.field(factory=dict)
    text: str | None = None
    thinking: str | None = None
    usage: Any = UNSET
    tool_call: tuple[str, Mapping[str, Any]] | None = None
    tool_calls: Sequence[tuple[str, Mapping[str, Any]]] | None = None
    finish: FinishReason | None = None
    error: type[JackfieldError] | None = None
    retryable: bool | None = None
    raises: BaseException | None = None
    embedding: Sequence[Sequence[float]] | tuple[int, int] | None = None
    scores: Sequence[tuple[int, float]] | None = None
    count: int | None = None
    models: Sequence[str] | None = None
    always: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    pair: str | None = None
    name: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.kind == "listing") == bool(self.model):
            raise ValueError("a case has a model, unless it is a listing, which has none")
        if self.raises is not None and self.error is None:
            raise ValueError("a case that `raises` says by `error` which error that means")

    @property
    def label(self) -> str:
        """How messages call it."""
        if self.name is not None:
            return self.name
        return str(self.wire) if isinstance(self.wire, str | Path) else f"{self.kind} with {self.model}"

    @property
    def in_process(self) -> bool:
        """The answer is a list of objects or an exception, not bytes."""
        return self.raises is not None or not isinstance(self.wire, bytes | str | Path)

    @property
    def expected_calls(self) -> Sequence[tuple[str, Mapping[str, Any]]] | None:
        """The tool calls that are expected; None if they are not looked at."""
        return (self.tool_call,) if self.tool_call is not None else self.tool_calls

    @property
    def expected_usage(self) -> Usage | None:
        """The usage that is expected; None if the service says none."""
        if self.usage is None or isinstance(self.usage, Usage):
            return self.usage
        return Usage(*self.usage)

    def body(self, folders: Sequence[Path] = ()) -> bytes:
        """Return the answer's bytes.

        Args:
            folders: Where relative paths are looked for, after the working directory.

        Raises:
            FileNotFoundError: There is no such file.
        """
        if isinstance(self.wire, bytes):
            return self.wire
        if not isinstance(self.wire, str | Path):
            return b""
        for folder in (Path(), *folders):
            path = folder / self.wire
            if path.is_file():
                return path.read_bytes()
        where = ", ".join(str(folder.resolve()) for folder in (Path(), *folders))
        raise FileNotFoundError(f"the case's file {self.wire} is in none of {where}")

    def media_type(self, body: bytes) -> str:
        """Return the answer's content type."""
        if self.content_type is not None:
            return self.content_type
        suffix = Path(self.wire).suffix if isinstance(self.wire, str | Path) else ""
        if suffix in _TYPE_BY_SUFFIX:
            return _TYPE_BY_SUFFIX[suffix]
        return (
            "text/event-stream"
            if body.lstrip().startswith((b"data:", b"event:", b":"))
            else "application/json"
        )

    def head(self, body: bytes) -> Head:
        """Return the answer's head."""
        return Head(self.status, Headers({"content-type": self.media_type(body), **self.headers}))

    def is_stream(self, body: bytes) -> bool:
        """Return whether the answer is streamed."""
        if self.stream is not None:
            return self.stream
        if self.request is not None:
            return self.request.stream
        return any(word in self.media_type(body) for word in _STREAMED)

    def asked(self, body: bytes) -> Request:
        """Return the request that was answered."""
        if self.request is not None:
            return self.request
        return plain_request(self.kind, stream=self.is_stream(body))

    def ref(self, settings: object) -> ModelRef:
        """Return the model as a hook sees it."""
        kind: Any = "chat" if self.kind in {"count", "listing"} else self.kind
        return ModelRef(self.model, "conformance", kind, self.underlying, self.declared, settings)


def plain_request(kind: CaseKind, *, stream: bool = False, text: str = "Why is the sky blue?") -> Request:
    """Return a request of a kind that asks for nothing special."""
    if kind == "embedding":
        return EmbedRequest(inputs=(text,))
    if kind == "rerank":
        return RerankRequest(query=text, documents=("Light is scattered.", "Cats purr."))
    if kind == "count":
        return CountRequest((Message("user", text),))
    if kind == "completion":
        return CompletionRequest(text, stream=stream)
    if kind == "summarization":
        return SummarizeRequest(text, stream=stream)
    return ChatRequest((Message("user", text),), stream=stream)


def call_pairs(calls: Sequence[ToolCall]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return tool calls as `(name, arguments)` pairs."""
    return [(call.name, dict(call.arguments)) for call in calls]
