"""Framers: they cut the bytes of an answer into frames, and choose themselves by its content type.

All are sans-I/O: bytes in, frames out. Formats in which a body can be wrong stand in modules of their own
(`json_array`, `aws_eventstream`); those here accept every body.
"""

from __future__ import annotations

from collections.abc import Callable

from jackfield._hints import hint as hint_for
from jackfield._types.wire import Frame

from .framer import Framer, FramingError, StrictFramer

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

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CACHED_NAMES = 64  # a bound against a service that makes up names


class SSEFramer:
    """Cut a stream of server-sent events into frames.

    `Frame.data` is the event's data: several `data:` lines joined by newlines, one space after the colon
    taken off. `Frame.event` is the event's name, None where it has none. Lines may end in LF, CRLF or CR.

    Source: WHATWG HTML living standard, section 9.2 "Server-sent events". Three departures, each because of
    what services do: the last event counts without the blank line after it (at a clean end only); an event
    without name whose data is empty is a keep-alive and is dropped; `id:` and `retry:` mean nothing here,
    because an answer of a model is never resumed by event id.
    """

    __slots__ = ("_after_return", "_begun", "_names", "_pending")

    def __init__(self) -> None:
        # What came since the last blank line. It grows in place, so that a huge event costs linear time and no more
        # memory than its size, also where it comes byte by byte.
        self._pending = bytearray()
        self._after_return = False
        self._begun = False
        self._names: dict[bytes, str] = {}

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and give the events that they complete."""
        if self._after_return or b"\r" in chunk:
            chunk = self._to_newlines(chunk)
        pending = self._pending
        end = chunk.rfind(b"\n\n") + 2
        if end < 2 and not (chunk[:1] == b"\n" and pending[-1:] == b"\n"):
            pending += chunk
            return []
        if pending:
            pending += chunk
            chunk = bytes(pending)
            pending.clear()
            end = chunk.rfind(b"\n\n") + 2
        if end < len(chunk):
            pending += chunk[end:]
            chunk = chunk[:end]
        return self._events(chunk)

    def close(self) -> list[Frame]:
        """Take the clean end of the body; an event that only lacks its blank line is delivered."""
        rest = bytes(self._pending)
        self._pending.clear()
        return self._events(rest + b"\n\n") if rest else []

    def _to_newlines(self, chunk: bytes) -> bytes:
        """Replace CRLF and CR by LF, also where the network cut between the two bytes of a CRLF.

        A CR at the end of a chunk is a line's end at once, so that no event waits for the next chunk; the
        LF that may follow is then dropped.
        """
        if not chunk:
            return chunk
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r")
        chunk = chunk.replace(b"\r\n\r\n", b"\n\n")  # usually all there is: half the replacements
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk

    def _events(self, text: bytes) -> list[Frame]:
        """Read whole events; `text` has LF line ends only and ends with a blank line."""
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_BYTE_ORDER_MARK)
        # Fast path: nearly all bodies have one shape over and over: `data: {...}`, or a name before it. One split gives all
        # events, and one count of newlines proves that there was nothing else between them.
        if text.startswith(b"data: "):
            payloads = text[6:-2].split(b"\n\ndata: ")
            if text.count(b"\n") == 2 * len(payloads) and all(payloads):
                return list(map(Frame, payloads))
        elif text.startswith(b"event: "):
            blocks = text[7:-2].split(b"\n\nevent: ")
            if text.count(b"\n") == 3 * len(blocks):
                pairs = [block.partition(b"\ndata: ") for block in blocks]
                if all(name and data for name, _, data in pairs):
                    return [Frame(data, self._name(name)) for name, _, data in pairs]
        return [frame for block in text.split(b"\n\n") if (frame := self._read_event(block)) is not None]

    def _name(self, raw: bytes) -> str:
        """Decode an event's name; a stream has few, so each is decoded once."""
        name = self._names.get(raw)
        if name is None:
            name = raw.decode("utf-8", "replace")
            if len(self._names) < _CACHED_NAMES:
                self._names[raw] = name
        return name

    def _read_event(self, block: bytes) -> Frame | None:
        """Read the lines of one event; None where there is nothing to deliver."""
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")  # a comment has the empty field name
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        if not data:
            return None
        joined = b"\n".join(data)
        if name:
            return Frame(joined, self._name(name))
        return Frame(joined) if joined else None


class JSONLinesFramer:
    """Cut a body of newline-delimited JSON into one frame a line.

    Lines end in LF or CRLF; blank lines are skipped; the last line needs no end. Source: jsonlines.org.
    """

    __slots__ = ("_begun", "_pending")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._begun = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take the next bytes and give the lines that they complete."""
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
        rest = bytes(self._pending)
        self._pending.clear()
        return self._lines(rest)

    def _lines(self, text: bytes) -> list[Frame]:
        if not self._begun:
            self._begun = True
            text = text.removeprefix(_BYTE_ORDER_MARK)
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


class SniffedSSEFramer:
    """Read server-sent events, unless the body turns out to be JSON or a page.

    For types that do not tell: services have been recorded that send an event stream as `application/json`.
    No field name of an event stream begins with `{`, `[` or `<`.
    """

    __slots__ = ("_held", "_inner")

    def __init__(self) -> None:
        self._inner: Framer | None = None
        self._held = bytearray()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Choose the framer by the first byte that is not white space, then pass on."""
        if self._inner is None:
            start = chunk.lstrip(b" \t\r\n\xef\xbb\xbf")
            self._held += chunk
            if not start:
                return []
            self._inner = WholeFramer() if start[:1] in b"{[<" else SSEFramer()
            chunk = bytes(self._held)
            self._held.clear()
        return self._inner.feed(chunk)

    def close(self) -> list[Frame]:
        """Return what is left."""
        return [Frame(bytes(self._held))] if self._inner is None else self._inner.close()


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

_BY_TYPE = {
    "text/event-stream": "sse",
    "application/x-ndjson": "jsonlines",
    "application/ndjson": "jsonlines",
    "application/jsonl": "jsonlines",
    "application/x-jsonlines": "jsonlines",
    "application/jsonlines": "jsonlines",
    "application/x-jsonl": "jsonlines",
    "application/stream+json": "jsonlines",
    "application/vnd.amazon.eventstream": "aws_eventstream",
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
      `json_array` is for this type and is followed. With the hint `sse` the body's first byte decides.
    * no type, `text/plain`, `application/octet-stream`, `binary/octet-stream`: what the hint names, else
      `whole`. With the hint `sse` the body's first byte decides.
    * every other type, such as `text/html`: `whole`. A page is never read as an empty stream.

    Args:
        content_type: The header as it came, parameters included; None where the answer has none.
        hint: One of `FRAMINGS`, or None.

    Raises:
        ValueError: The hint is not one of `FRAMINGS`.
    """
    if hint is not None and hint not in _MAKERS:
        raise ValueError(f"unknown framing {hint!r}{hint_for(hint, _MAKERS)}")
    framing = _choose(content_type or "", hint)
    if hint == "sse" and framing in {"whole", "sse"} and not _says_how(content_type or ""):
        return SniffedSSEFramer()
    return _MAKERS[framing]()


def _says_how(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type not in _UNSPECIFIC and media_type != "application/json"


def _choose(content_type: str, hint: str | None) -> str:
    media_type = content_type.partition(";")[0].strip().lower()
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
