"""Text completions by InvokeModel: the decoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield import (
    Event,
    Finish,
    MalformedResponseError,
    RawEvent,
    StreamInterruptedError,
    TextDelta,
    Usage,
    UsageUpdate,
)
from jackfield.plugin import Frame, Head, read_count, read_frame

from ._models import body_named, finish_reasons

__all__ = ["TextDecoder"]


class TextDecoder:
    """Decodes a text completion by the table of bodies, streamed or whole; pieces have the form of a whole answer.

    It ends with a finish reason for each choice.
    """

    def __init__(self, body: str, *, stream: bool) -> None:
        self._form = body_named(body)
        self._stream = stream
        self._finished: set[int] = set()
        self._begun: set[int] = set()

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one native object."""
        value = read_frame(frame)
        if value is None and self._stream:
            return []
        if not isinstance(value, dict):
            raise MalformedResponseError("the answer is not a JSON object", body=frame.data)
        if (
            value.get("type") == "message_stop"
        ):  # InvokeDecoder reports the end, which the native form has not reported
            return self._end()
        return list(self._read(value))

    @property
    def is_whole(self) -> bool:
        """Whether each choice has its finish reason."""
        return bool(self._finished) and not self._begun - self._finished

    def finish(self) -> list[Event]:
        """Check that the answer is complete."""
        if not self.is_whole:
            if self._stream:
                raise StreamInterruptedError("the stream ended without a finish reason; ask again")
            raise MalformedResponseError("the answer has no finish reason")
        return []

    def _end(self) -> list[Event]:
        return [Finish("other", index) for index in sorted(self._begun - self._finished)]

    def _read(self, value: dict[str, Any]) -> Iterator[Event]:
        form = self._form
        items: Sequence[Any] = value.get(form["items"]) or () if form["items"] in value else (value,)
        output = None
        for index, item in enumerate(items):
            text = _at(item, form["text"])
            if text is None and item is value:
                if not self._stream:
                    raise MalformedResponseError(
                        f"the answer has no text; it has {', '.join(value) or 'nothing'}"
                    )
                if _at(item, form["finish"]) is None:  # services add kinds of chunks
                    yield RawEvent(next(iter(value), "empty"), value)
                    return
            if text not in (None, ""):
                self._begun.add(index)
                yield TextDelta(text, index)
            count = next(
                (
                    found
                    for name in form.get("output", ())
                    if (found := read_count(item.get(name))) is not None
                ),
                None,
            )
            output = count if output is None or count is None else output + count
            raw = _at(item, form["finish"])
            if raw is not None and index not in self._finished:
                self._finished.add(index)
                yield Finish(finish_reasons().get(raw, "other"), index, raw)
        read = read_count(value.get(form["input"])) if "input" in form else None
        if read is not None or (output is not None and self._finished):
            yield UsageUpdate(Usage(read, output))


def _at(value: Mapping[str, Any], path: Sequence[str]) -> Any:
    *parents, last = path
    for name in parents:
        value = value.get(name) or {}
    return value.get(last)
