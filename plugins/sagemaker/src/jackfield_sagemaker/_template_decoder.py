"""The decoder for answers of any container, by the paths of a template."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

import jmespath

from jackfield import (
    Event,
    Finish,
    FinishReason,
    MalformedResponseError,
    Started,
    StreamInterruptedError,
    TextDelta,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import (
    EmbeddingData,
    Failure,
    FailureInStream,
    Frame,
    Head,
    Wire,
    read_count,
    read_frame,
    vector_reader,
)

from ._completion_decoder import reason_of
from ._embeddings import vectors_of

__all__ = ["TemplateDecoder"]


class TemplateDecoder:
    """Decodes one answer, streamed or whole, by the paths in the wire.

    Attributes:
        ended: A `[DONE]` has come.
    """

    def __init__(self, wire: Wire) -> None:
        self._paths: dict[str, Any] = wire.meta["template"]
        self._inputs: int = wire.meta["inputs"]
        self._stream: dict[str, Any] | None = self._paths["stream"] if wire.stream else None
        self._json = self._stream is None or self._stream["framing"] != "text"
        self._is_text = False
        self._started = False
        self._has_text = False
        self._complete = False
        self.ended = False

    @property
    def is_whole(self) -> bool:
        """Whether the answer has its finish reason."""
        return self._complete

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        self._is_text = head.headers.get("content-type", "").startswith("text/")
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one item of a stream, or a whole answer."""
        events: list[Event] = [] if self._started else [Started()]
        self._started = True
        if self.ended:
            return events
        if self._json and frame.data[:11].removeprefix(BOM_UTF8).strip() == b"[DONE]":
            self.ended = True
            return events
        if not self._json:
            self._has_text = True
            return [*events, TextDelta(bytes(frame.data).decode("utf-8", "replace"))]
        value = self._value(frame)
        if value is None and self._stream is not None:  # a heartbeat
            return events
        self._fail(value)
        return [*events, *(self._item(value) if self._stream else self._whole(value, frame))]

    def finish(self) -> list[Event]:
        """Check that the answer is complete: it has a finish reason if a path of it is declared, otherwise any text."""
        if self._complete:
            return []
        if (self._stream or {}).get("finish") is not None or not self._has_text:
            raise StreamInterruptedError("the stream ended without a finish reason or text; ask again")
        return [Finish("other")]

    def _value(self, frame: Frame) -> Any:
        """Parse an answer; if its media type is text and it is not JSON, it is a text, which the path `@` selects."""
        try:
            return read_frame(frame)
        except MalformedResponseError:
            if self._is_text and self._stream is None:
                return bytes(frame.data).decode("utf-8", "replace")
            raise

    def _find(self, name: str, value: Any) -> Any:
        path = self._paths.get(name)
        return None if path is None else jmespath.search(path, value)

    def _fail(self, value: Any) -> None:
        error = self._find("error", value)
        if error:
            raise FailureInStream(Failure(data={"error": error}))

    def _item(self, value: Any) -> Iterator[Event]:
        stream = self._stream or {}
        piece = jmespath.search(stream["text"], value)
        if isinstance(piece, str) and piece:
            self._has_text = True
            yield TextDelta(piece)
        elif piece is not None and not isinstance(piece, str):
            raise MalformedResponseError(
                f"stream.text ({stream['text']}) selects a {type(piece).__name__}, not a text"
            )
        yield from self._usage(value)
        raw = None if stream.get("finish") is None else jmespath.search(stream["finish"], value)
        if raw is not None and raw is not False and not self._complete:
            yield self._end(raw, 0)

    def _whole(self, value: Any, frame: Frame) -> Iterator[Event]:
        if self._inputs:
            vectors = vectors_of(self._find("embeddings", value), self._inputs)
            read = vector_reader()
            yield from (EmbeddingData(index, read(vector)) for index, vector in enumerate(vectors))
            yield from self._usage(value)
            self._complete = True
            return
        found = self._find("text", value)
        texts = found if isinstance(found, list) else [found]
        if not texts or not all(isinstance(text, str) for text in texts):
            path = self._paths.get("text")
            what = "nothing" if found is None else f"a {type(found).__name__}"
            raise MalformedResponseError(
                f"text ({path}) selects {what} in the answer", body=bytes(frame.data)
            )
        for number, text in enumerate(texts):
            if text:
                yield TextDelta(text, number)
        yield from self._usage(value)
        reasons = self._find("finish", value)
        for number in range(len(texts)):
            yield self._end(reasons[number] if isinstance(reasons, list) else reasons, number)

    def _end(self, raw: Any, choice: int) -> Finish:
        self._complete = True
        word = None if raw is None or raw is True else str(raw)
        named: dict[str, FinishReason] = self._paths.get("finish_map", {})
        return Finish(named.get(word or "") or reason_of(word), choice, word)

    def _usage(self, value: Any) -> Iterator[Event]:
        counts = [self._find(name, value) for name in ("input_tokens", "output_tokens")]
        known = [read_count(count) for count in counts]
        if any(count is not None for count in known):
            yield UsageUpdate(
                Usage(known[0], known[1]), {"input_tokens": counts[0], "output_tokens": counts[1]}
            )
