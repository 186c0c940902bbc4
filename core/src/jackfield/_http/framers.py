"""Framers: they cut the bytes of an answer into frames, and choose themselves by its content type.

All are sans-I/O: bytes in, frames out. Formats in which a body can be wrong stand in modules of their own
(`json_array`, `aws_eventstream`); those here accept every body.
"""

from __future__ import annotations

from collections.abc import Callable

from jackfield._hints import hint as hint_for
from jackfield._types.wire import Frame

from .framer import Framer, FramingError, StrictFramer
from .sse import BYTE_ORDER_MARK, SSEFramer

__all__ = [
    "FRAMINGS",
    "Framer",
    "FramingError",
    "JSONLinesFramer",
    "NestedFramer",
    "SSEFramer",
    "WholeFramer",
    "event_payload",
    "framer_for",
]


class JSONLinesFramer:
    """Cut a body of newline-delimited JSON into one frame a line.

    Lines end in LF or CRLF; blank lines are skipped; the last line needs no end. Source: jsonlines.org. A body whose first
    line is an opening bracket alone is one value over several lines, an error of a gateway perhaps: it is one frame.

    Attributes:
        is_open: The body ended without the end of its last line, which may thus have been cut.
    """

    __slots__ = ("_begun", "_pending", "_whole", "is_open")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._begun = False
        self._whole: bytearray | None = None
        self.is_open = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and give the lines that they complete."""
        if self._whole is not None:
            self._whole += chunk
            return []
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._pending += chunk
            return []
        self._pending += chunk[:end]
        lines = bytes(self._pending)
        self._pending = bytearray(chunk[end:])
        return self._lines(lines)

    def close(self) -> list[Frame]:
        """Take the clean end of the body; a last line without its line end is delivered."""
        if self._whole is not None:
            return [Frame(bytes(self._whole).strip())]
        rest = bytes(self._pending)
        self._pending.clear()
        self.is_open = bool(rest.strip())
        return self._lines(rest)

    def _lines(self, text: bytes) -> list[Frame]:
        if not self._begun:
            text = text.removeprefix(BYTE_ORDER_MARK)
            first = text.lstrip().partition(b"\n")[0].strip()
            self._begun = bool(first)
            if first in (b"{", b"["):
                self._whole = bytearray(text + self._pending)
                self._pending.clear()
                return []
        return [Frame(line) for raw in text.split(b"\n") if (line := raw.strip())]


class WholeFramer:
    """Return the whole body as one frame when it ends; b"" where the body is empty."""

    __slots__ = ("_body",)

    def __init__(self) -> None:
        self._body = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Keep the bytes; nothing is complete before the end."""
        self._body += chunk
        return []

    def close(self) -> list[Frame]:
        """Return the body."""
        body = bytes(self._body)
        self._body.clear()
        return [Frame(body)]


class NestedFramer(StrictFramer):
    """Read one framing inside another: the payloads of the outer frames are the inner body.

    The service may cut the inner body anywhere, a line over several outer frames included.

    Args:
        outer: Reads the body itself.
        inner_factory: Makes the framer of the joined payloads.
        extract: Returns an outer frame's payload, or None for a frame that has none (an exception that
            the outer framing reports): that one is passed on as it is, in its place.
    """

    def __init__(
        self,
        outer: Framer,
        inner_factory: Callable[[], Framer],
        extract: Callable[[Frame], bytes | None],
    ) -> None:
        super().__init__()
        self._outer = outer
        self._inner = inner_factory()
        self._extract = extract

    def _advance(self, chunk: bytes, frames: list[Frame]) -> None:
        self._unwrap(self._outer.feed(chunk), frames)

    @property
    def stray(self) -> bytes:
        """Text that is not part of an event of the inner framing, since the last event."""
        found: bytes = getattr(self._inner, "stray", b"")
        return found

    @property
    def is_open(self) -> bool:
        """Whether the inner body ended without the end of its last frame."""
        return bool(getattr(self._inner, "is_open", False))

    def _finish(self) -> list[Frame]:
        frames: list[Frame] = []
        self._unwrap(self._outer.close(), frames)
        frames += self._inner.close()
        return frames

    def _unwrap(self, outer_frames: list[Frame], frames: list[Frame]) -> None:
        for frame in outer_frames:
            payload = self._extract(frame)
            if payload is None:
                frames.append(frame)
            else:
                frames += self._inner.feed(payload)


class SniffedFramer:
    """Read a body by what it begins with, where its content type may be wrong: gateways label one thing as another.

    No field of an event stream begins with `{`, `[`, `"` or `<`; every AWS message begins with a zero byte.

    Args:
        framing: What the content type says; `whole` if it says nothing.
        hint: How a stream of the service is framed.

    Attributes:
        inner: Reads the body; None as long as nothing but white space has come.
        found: The content type that the body should have; None if that is not known.
    """

    __slots__ = ("_framing", "_held", "_hint", "found", "inner")

    def __init__(self, framing: str, hint: str | None) -> None:
        self._framing = framing
        self._hint = hint or framing
        self._held = bytearray()
        self.inner: Framer | None = None
        self.found: str | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """Choose the framer by the first byte that is not white space, then pass on."""
        if self.inner is None:
            start = chunk.lstrip(_SPACE)
            self._held += chunk
            if not start:
                return []
            framing, self.found = self._choose(start[:1])
            self.inner = _MAKERS[framing]()
            chunk = bytes(self._held)
            self._held.clear()
        return self.inner.feed(chunk)

    @property
    def stray(self) -> bytes:
        """Text that is not part of an event, since the last event."""
        found: bytes = getattr(self.inner, "stray", b"")
        return found

    def close(self) -> list[Frame]:
        """Return what is left."""
        if self.inner is not None:
            return self.inner.close()
        return [Frame(bytes(self._held))] if self._framing == "whole" else []

    def _choose(self, first: bytes) -> tuple[str, str | None]:
        """Return the framing of a body by its first byte, and the content type that it should have."""
        framing, hint = self._framing, self._hint
        if first == b"\0":
            names = [name for name in (framing, hint) if name.startswith("aws_eventstream")]
            return (names or ["aws_eventstream"])[0], _AWS
        if first == b"<":
            return "whole", "text/html"
        inner = hint.rpartition("+")[2]
        if framing == "jsonlines":
            return (framing, None) if first in _BEGINNINGS_OF_JSON else (inner, None)
        if first in _BEGINNINGS_OF_JSON:
            if inner in {"jsonlines", "json_array"}:
                return inner, None
            # Under its own label it may be the first line of a stream, with events behind it.
            return ("sse", None) if framing == "sse" else ("whole", "application/json")
        return ("sse", "text/event-stream") if framing != "whole" or inner == "sse" else (framing, None)


def event_payload(frame: Frame) -> bytes | None:
    """Return the payload of an AWS event; None for an exception or error message.

    Tells them apart by the header `:message-type`: `event`, `exception` or `error`.
    """
    if frame.headers is not None and frame.headers.get(":message-type", "event") != "event":
        return None
    data: bytes = frame.data
    return data


# Two formats load with their first answer: they are few services' own, and slower to import than all others together.


def _event_stream() -> Framer:
    from .aws_eventstream import AWSEventStreamFramer

    return AWSEventStreamFramer()


def _json_array() -> Framer:
    from .json_array import JSONArrayFramer

    return JSONArrayFramer()


_MAKERS: dict[str, Callable[[], Framer]] = {
    "sse": SSEFramer,
    "jsonlines": JSONLinesFramer,
    "json_array": _json_array,
    "aws_eventstream": _event_stream,
    "whole": WholeFramer,
    "aws_eventstream+sse": lambda: NestedFramer(_event_stream(), SSEFramer, event_payload),
    "aws_eventstream+jsonlines": lambda: NestedFramer(_event_stream(), JSONLinesFramer, event_payload),
}

FRAMINGS: tuple[str, ...] = tuple(_MAKERS)
"""The names that `framer_for` takes as a hint."""

_SPACE = b" \t\r\n" + BYTE_ORDER_MARK
_BEGINNINGS_OF_JSON = frozenset({b"{", b"[", b'"'})
_AWS = "application/vnd.amazon.eventstream"
_BY_TYPE = {
    "text/event-stream": "sse",
    "application/x-ndjson": "jsonlines",
    "application/ndjson": "jsonlines",
    "application/jsonl": "jsonlines",
    "application/x-jsonlines": "jsonlines",
    "application/jsonlines": "jsonlines",
    "application/x-jsonl": "jsonlines",
    "application/stream+json": "jsonlines",
    _AWS: "aws_eventstream",
}

# These say nothing about the framing: a service that streams under one of them is believed by its hint.
_UNSPECIFIC = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})


def framer_for(content_type: str | None, hint: str | None = None) -> Framer:
    """Choose the framer for an answer.

    The answer's content type decides; the hint, which says how a *stream* of this service is framed, only
    fills in what the type leaves open:

    * `text/event-stream`: `sse`.
    * `application/x-ndjson`, `application/jsonl`, `application/stream+json` and their kin: `jsonlines`.
    * `application/vnd.amazon.eventstream`: `aws_eventstream`, or the nested framing that the hint names.
    * `application/json`, and types that end in `+json`: `whole`, also where the hint is a stream's framing
      (a service answers a streaming request with plain JSON when it refuses it, or cannot stream). The hint
      `json_array` is for this type and is followed.
    * no type, `text/plain`, `application/octet-stream`, `binary/octet-stream`: what the hint names, else
      `whole`.
    * every other type, such as `text/html`: `whole`. A page is never read as an empty stream.

    Where the type or the hint says `sse` or an event stream of AWS, the body's first byte has the last word, because
    gateways send events under the type that is their server's default: JSON, a page and the one under the label of the
    other are read as what they are.

    Args:
        content_type: The header as it came, parameters included; None where the answer has none.
        hint: One of `FRAMINGS`, or None.

    Raises:
        ValueError: The hint is not one of `FRAMINGS`.
    """
    if hint is not None and hint not in _MAKERS:
        raise ValueError(f"unknown framing {hint!r}{hint_for(hint, _MAKERS)}")
    media_type = (content_type or "").partition(";")[0].strip().lower()
    framing = _choose(media_type, hint)
    if _may_be_wrong(media_type, framing, hint or ""):
        return SniffedFramer("whole" if media_type in _UNSPECIFIC else framing, hint)
    return _MAKERS[framing]()


def _may_be_wrong(media_type: str, framing: str, hint: str) -> bool:
    """Return whether the first byte of a body shows more than its type."""
    if framing == "json_array":
        return False
    if framing == "jsonlines":
        return hint == "sse"
    return any(name == "sse" or name.startswith("aws_eventstream") for name in (framing, hint))


def _choose(media_type: str, hint: str | None) -> str:
    framing = _BY_TYPE.get(media_type)
    if framing == "aws_eventstream" and hint is not None and hint.startswith("aws_eventstream+"):
        return hint
    if framing is not None:
        return framing
    if media_type in _UNSPECIFIC:
        return "whole" if hint is None else hint
    if hint == "json_array" and media_type == "application/json":
        return hint
    return "whole"
