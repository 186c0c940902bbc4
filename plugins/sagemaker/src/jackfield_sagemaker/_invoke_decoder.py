"""InvokeEndpoint: the decoder of the envelope around a stream: parts of the container's bytes, and exceptions."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Final

from jackfield import Event, MalformedResponseError
from jackfield.http import Framer, FramingError, JSONLinesFramer, SSEFramer, event_payload
from jackfield.plugin import Decoder, Failure, FailureInStream, Frame, Head, WrappedDecoder, read_json

__all__ = ["EnvelopeDecoder", "JSONStreamFramer", "TextFramer"]

_MARK: Final = b"\xef\xbb\xbf"
_OF_JSON: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')


class JSONStreamFramer:
    """Frames JSON objects that follow one another, with or without separators."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._at = 0  # how far the bytes have been searched
        self._depth = 0
        self._quoted = False

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the objects that the next bytes complete."""
        self._held += chunk
        frames = []
        while (end := self._next_end()) is not None:
            frames.append(Frame(bytes(self._held[:end]).strip()))
            del self._held[:end]
            self._at = 0
        return frames

    def close(self) -> list[Frame]:
        """Handle the end of the body.

        Raises:
            FramingError: It ended inside an object.
        """
        if self._held.strip():
            raise FramingError("the body ends inside a JSON value", len(self._held), "json")
        return []

    def _next_end(self) -> int | None:
        held = self._held
        while True:
            found = (_IN_STRING if self._quoted else _OF_JSON).search(held, self._at)
            if found is None:
                self._at = len(held)
                return None
            place, character = found.start(), found.group()
            if character == b"\\":
                if place + 1 == len(held):  # the escaped character has not come yet
                    self._at = place
                    return None
                self._at = place + 2
                continue
            self._at = place + 1
            if character == b'"':
                self._quoted = not self._quoted
            elif character in b"{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth <= 0:
                    self._depth = 0
                    return self._at


class TextFramer:
    """Frames text as it comes, without splitting characters; each frame contains UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the characters that the next bytes complete."""
        text = self._decoder.decode(chunk)
        return [Frame(text.encode())] if text else []

    def close(self) -> list[Frame]:
        """Return the rest."""
        text = self._decoder.decode(b"", final=True)
        return [Frame(text.encode())] if text else []


class _SniffingFramer:
    """Chooses by the first byte: JSON objects, or server-sent events, whose lines begin with a letter or a colon."""

    def __init__(self) -> None:
        self._inner: Framer | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        if self._inner is None:
            chunk = chunk.lstrip().removeprefix(_MARK).lstrip()
            if not chunk:
                return []
            self._inner = JSONStreamFramer() if chunk[:1] in b"{[" else SSEFramer()
        return self._inner.feed(chunk)

    def close(self) -> list[Frame]:
        return [] if self._inner is None else self._inner.close()


_FRAMERS: Final[dict[str, type[Framer]]] = {
    "sse": SSEFramer, "jsonlines": JSONLinesFramer, "json": JSONStreamFramer, "text": TextFramer,
}  # fmt: skip
_BY_TYPE: Final = {
    "text/event-stream": "sse", "application/jsonlines": "jsonlines", "application/x-ndjson": "jsonlines",
    "application/jsonl": "jsonlines", "application/x-jsonlines": "jsonlines", "application/ndjson": "jsonlines",
}  # fmt: skip


def _framer(content_type: str, declared: str | None) -> Framer:
    name = declared or _BY_TYPE.get(content_type.partition(";")[0].strip().lower())
    return _SniffingFramer() if name is None else _FRAMERS[name]()


class EnvelopeDecoder(WrappedDecoder):
    """Joins the parts of a stream, frames the joined bytes by their own framing, and passes frames to the inner decoder.

    Source: SageMaker runtime service model, `ResponseStream` (botocore 1.44.5, 2026-11): events `PayloadPart`,
    exceptions `ModelStreamError` and `InternalStreamFailure`; the header `X-Amzn-SageMaker-Content-Type`
    has the media type of the joined bytes.

    Args:
        inner: Decodes the container's own answer.
        framing: sse, jsonlines, json or text; None: the response's header decides, or the first byte.
    """

    def __init__(self, inner: Decoder, framing: str | None) -> None:
        super().__init__(inner)
        self._framing = framing
        self._framer: Framer | None = None
        self._fault: Exception | None = None

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        content_type = head.headers.get("x-amzn-sagemaker-content-type", "")
        self._framer = _framer(content_type, self._framing)
        return self._inner.start(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of the envelope."""
        if self.ended:
            return []
        self._raise()
        payload = event_payload(frame)
        if payload is None:
            raise FailureInStream(_failure(frame))
        framer = self._framer
        if framer is None:
            framer = self._framer = _framer("", self._framing)
        return self._read(lambda: framer.feed(payload))

    def finish(self) -> list[Event]:
        """Check that the answer is complete."""
        if self.ended:  # nothing after the end belongs to the answer
            return self._inner.finish()
        self._raise()
        framer = self._framer
        events = [] if framer is None else self._read(framer.close)
        self._raise()
        return events + self._inner.finish()

    def _read(self, cut: Callable[[], list[Frame]]) -> list[Event]:
        events: list[Event] = []
        try:
            for inner in cut():
                events += self._inner.feed(inner)
                if self.ended:
                    break
        except FramingError as error:
            self._fault = MalformedResponseError(
                f"the container's answer does not follow its framing: {error}"
            )
        except Exception as error:  # the events before it are returned first
            self._fault = error
        if self._fault is not None and not events:
            self._raise()
        return events

    def _raise(self) -> None:
        if self._fault is not None:
            raise self._fault


def _failure(frame: Frame) -> Failure:
    headers = frame.headers or {}
    name = headers.get(":exception-type") or headers.get(":error-code") or frame.event
    try:
        data = read_json(frame.data) if frame.data else None
    except ValueError:
        data = None
    if not isinstance(data, dict):
        data = {"Message": str(headers.get(":error-message") or bytes(frame.data).decode("utf-8", "replace"))}
    return Failure(data=data, event=str(name) if name is not None else None, body=bytes(frame.data))
