"""Text completions of InvokeModel: the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

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
from jackfield.plugin import Frame, Head

from ._models import body_named, finish_words

__all__ = ["TextDecoder"]


class TextDecoder:
    """Reads a text completion by the table of bodies, streamed or whole; pieces have the form of the whole.

    Its end is a finish reason for each choice.
    """

    def __init__(self, body: str, *, stream: bool) -> None:
        self._form = body_named(body)
        self._stream = stream
        self._finished: set[int] = set()
        self._said: set[int] = set()

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read one native object."""
        value = orjson.loads(frame.data)
        if not isinstance(value, dict):
            raise MalformedResponseError("the answer is no JSON object", body=frame.data)
        if value.get("type") == "message_stop":  # the envelope tells the end in the form's place
            return self._end()
        return list(self._read(value))

    def finish(self) -> list[Event]:
        """Check that the answer has its end."""
        if not self._finished or self._said - self._finished:
            if self._stream:
                raise StreamInterruptedError("the stream ended without a finish reason; ask again")
            raise MalformedResponseError("the answer has no finish reason")
        return []

    def _end(self) -> list[Event]:
        return [Finish("other", index) for index in sorted(self._said - self._finished)]

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
                if _at(item, form["finish"]) is None:  # makers add chunks without asking
                    yield RawEvent(next(iter(value), "empty"), value)
                    return
            if text:
                self._said.add(index)
                yield TextDelta(text, index)
            count = next((item[name] for name in form.get("output", ()) if item.get(name) is not None), None)
            output = count if output is None or count is None else output + count
            raw = _at(item, form["finish"])
            if raw is not None and index not in self._finished:
                self._finished.add(index)
                yield Finish(finish_words().get(raw, "other"), index, raw)
        read = value.get(form["input"]) if "input" in form else None
        if read is not None or (output is not None and self._finished):
            # Counts have been recorded as 28.0.
            yield UsageUpdate(Usage(_whole(read), _whole(output)))


def _at(value: Mapping[str, Any], path: Sequence[str]) -> Any:
    *parents, last = path
    for name in parents:
        value = value.get(name) or {}
    return value.get(last)


def _whole(count: Any) -> int | None:
    return None if count is None else int(count)
