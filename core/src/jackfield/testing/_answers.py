"""Scripted answers for the recording server: good ones, and those that services give on a bad day."""

from __future__ import annotations

import datetime as dt
import email.utils
import json as json_module
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

import attrs

from jackfield.testing._eventstream import encode_aws_event

__all__ = ["Answer", "Play"]

_JSON = "application/json"


class Play(TypedDict, total=False):
    """How a stream is played: the keywords that the streaming constructors of `Answer` share.

    See the attributes of `Answer` of the same names.
    """

    status: int
    headers: Mapping[str, str]
    delay: float
    interval: float
    stall_after: int | None
    reset_after: int | None
    truncate_after: int | None


@attrs.frozen
class Answer:
    """One scripted answer, faults included.

    Usually made by one of the class methods. A body of one piece is sent with `Content-Length`, a stream
    chunked, each chunk written by itself.

    Attributes:
        status: The HTTP status.
        headers: Sent as they are; framing headers are added.
        chunks: The body in pieces.
        streamed: Send it chunked, also where there is one piece only.
        delay: Seconds before the first byte, status line included. `math.inf` never answers.
        interval: Seconds before each chunk but the first.
        stall_after: After this many chunks send nothing more, until the client goes.
        reset_after: After this many chunks reset the connection (TCP RST).
        truncate_after: After this many chunks end the connection in order (TCP FIN), without the last chunk
            of the chunked encoding or with less than `Content-Length` promised.
        declared_length: The `Content-Length` to promise, where it is not the true one.
        hang_up: Close the connection without a single byte of answer.
        close: Close the connection after the answer, and say so in a header.
    """

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    chunks: tuple[bytes, ...] = ()
    streamed: bool = False
    delay: float = 0.0
    interval: float = 0.0
    stall_after: int | None = None
    reset_after: int | None = None
    truncate_after: int | None = None
    declared_length: int | None = None
    hang_up: bool = False
    close: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("stall_after", "reset_after", "truncate_after"):
            place = getattr(self, name)
            if place is not None and not 0 <= place <= len(self.chunks):
                raise ValueError(f"{name}={place} never comes: the answer has {len(self.chunks)} chunks")

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    # Whole answers

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None, *, delay: float = 0.0
    ) -> Answer:
        """Answer with one JSON value."""
        body = json_module.dumps(value, ensure_ascii=False).encode()
        return cls._whole(body, _JSON, status, headers, delay)

    @classmethod
    def malformed_json(
        cls, body: bytes = b'{"id": "cut-sho', status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Answer with something that says it is JSON and is not."""
        return cls._whole(body, _JSON, status, headers)

    @classmethod
    def text(
        cls,
        text: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        content_type: str = "text/plain; charset=utf-8",
    ) -> Answer:
        """Answer with text."""
        return cls._whole(text.encode(), content_type, status, headers)

    @classmethod
    def html(
        cls,
        html: str = "<!doctype html><title>Welcome</title><h1>Please log in</h1>",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Answer with a page, as a captive portal or a wrong address does; the status is a cheerful 200."""
        return cls.text(html, status, headers, content_type="text/html; charset=utf-8")

    # Refusals

    @classmethod
    def retry_after_seconds(
        cls, seconds: float, status: int = 429, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Refuse, with `Retry-After` in seconds (RFC 9110, section 10.2.3; some services send fractions)."""
        return cls._refusal(f"{seconds:g}", status, body, headers)

    @classmethod
    def retry_after_date(
        cls,
        when: dt.datetime | float,
        status: int = 429,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Refuse, with `Retry-After` as an HTTP date (RFC 9110, section 5.6.7).

        Args:
            when: The moment (aware), or seconds from now; the format cuts it to whole seconds.
            status: The HTTP status.
            body: A JSON value in place of the usual one.
            headers: Further headers.
        """
        if not isinstance(when, dt.datetime):
            when = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=when)
        date = email.utils.format_datetime(when.astimezone(dt.UTC), usegmt=True)
        return cls._refusal(date, status, body, headers)

    @classmethod
    def overloaded(cls, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Refuse with 529, which is what Anthropic sends when it is overloaded."""
        if body is None:
            body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return cls.json(body, 529, headers)

    # Streams

    @classmethod
    def stream(cls, chunks: Iterable[bytes], content_type: str, **play: Unpack[Play]) -> Answer:
        """Answer with a stream of these chunks; none of them empty, for an empty chunk ends a stream."""
        options: dict[str, Any] = dict(play)
        options["headers"] = {"Content-Type": content_type, **play.get("headers", {})}
        return cls(chunks=tuple(chunk for chunk in chunks if chunk), streamed=True, **options)

    @classmethod
    def sse(cls, events: Iterable[Any], *, done: bool = False, **play: Unpack[Play]) -> Answer:
        """Answer with server-sent events, one a chunk.

        Args:
            events: A str is an event's data as it is, bytes are sent untouched (a comment, half an event),
                a tuple is `(name, data)`; anything else becomes JSON.
            done: End with `data: [DONE]`.
            play: How it is played.
        """
        chunks = [_event(event) for event in events]
        if done:
            chunks.append(b"data: [DONE]\n\n")
        return cls.stream(chunks, "text/event-stream; charset=utf-8", **play)

    @classmethod
    def json_lines(cls, values: Iterable[Any], **play: Unpack[Play]) -> Answer:
        """Answer with JSON values, one a line and a chunk."""
        return cls.stream([_dump(value) + b"\n" for value in values], "application/x-ndjson", **play)

    @classmethod
    def json_array(cls, values: Iterable[Any], **play: Unpack[Play]) -> Answer:
        """Answer with a JSON array, one element a chunk, divided as Google's services do it."""
        pieces = [_dump(value) for value in values]
        chunks = [(b",\r\n" if index else b"[") + piece for index, piece in enumerate(pieces)]
        return cls.stream([*chunks, b"]" if pieces else b"[]"], "application/json; charset=UTF-8", **play)

    @classmethod
    def aws_eventstream(
        cls, messages: Iterable[tuple[Mapping[str, object], bytes]], **play: Unpack[Play]
    ) -> Answer:
        """Answer with an AWS event stream, one message (headers, payload) a chunk."""
        chunks = [encode_aws_event(headers, payload) for headers, payload in messages]
        return cls.stream(chunks, "application/vnd.amazon.eventstream", **play)

    # Broken connections

    @classmethod
    def never(cls) -> Answer:
        """Take the request and say nothing, until the client goes."""
        return cls(delay=math.inf)

    @classmethod
    def hangup(cls) -> Answer:
        """Take the request and close the connection."""
        return cls(hang_up=True)

    @classmethod
    def reset(cls) -> Answer:
        """Take the request and reset the connection."""
        return cls(hang_up=True, reset_after=0)

    @classmethod
    def short_body(cls, body: bytes, *, missing: int = 10, content_type: str = _JSON) -> Answer:
        """Promise `missing` bytes more than are sent."""
        headers = {"Content-Type": content_type}
        return cls(headers=headers, chunks=(body,), declared_length=len(body) + missing, truncate_after=1)

    @classmethod
    def _whole(
        cls,
        body: bytes,
        content_type: str,
        status: int,
        headers: Mapping[str, str] | None,
        delay: float = 0.0,
    ) -> Answer:
        return cls(
            status=status,
            headers={"Content-Type": content_type, **(headers or {})},
            chunks=(body,),
            delay=delay,
        )

    @classmethod
    def _refusal(cls, wait: str, status: int, body: Any, headers: Mapping[str, str] | None) -> Answer:
        if body is None:
            body = {"error": {"type": "rate_limit_error", "message": "Too many requests"}}
        return cls.json(body, status, {"Retry-After": wait, **(headers or {})})


def _dump(value: Any) -> bytes:
    return json_module.dumps(value, ensure_ascii=False).encode()


def _event(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    name = ""
    if isinstance(event, tuple):
        name, event = event
    data = event if isinstance(event, str) else json_module.dumps(event, ensure_ascii=False)
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()
