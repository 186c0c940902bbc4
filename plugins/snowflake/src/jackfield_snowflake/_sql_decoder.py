"""The SQL functions of Cortex: the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield import Event, Finish, MalformedResponseError, Started, TextDelta, UsageUpdate
from jackfield.plugin import (
    EmbeddingData,
    Failure,
    FailureInStream,
    Frame,
    Head,
    read_json,
    vector_reader,
    write_json,
)

from ._usage import read_usage

__all__ = ["SqlDecoder"]


class SqlDecoder:
    """Decode `{"rows": [[…]], "query_id": …}`, in which form the transport returns a result.

    Source: docs.snowflake.com, COMPLETE and AI_COMPLETE (2026): `choices[0].messages` is text; structured output is in
    `structured_output`; AI_COMPLETE returns an error in the row (`{"value", "error"}`), or NULL.
    """

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self._function = meta["function"]
        self._model = meta.get("model")
        self._has_come = False

    def start(self, head: Head) -> list[Event]:
        """Handle the response head."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Decode the whole result."""
        result = frame.data if isinstance(frame.data, dict) else read_json(frame.data)
        rows = result.get("rows") if isinstance(result, dict) else None
        if not isinstance(rows, list) or not rows:
            raise MalformedResponseError("the statement returned no row")
        self._has_come = True
        started = Started(result.get("query_id"), self._model)
        if self._function == "embed":
            return [started, *self._vectors(rows)]
        value = rows[0][0]
        if self._function == "complete":
            return list(self._completion(value, started))
        if value is None:
            _fail("the function returned NULL: the text could not be summarized")
        return [started, TextDelta(str(value)), Finish("stop")]

    def finish(self) -> list[Event]:
        """Check that there was a result."""
        if not self._has_come:
            raise MalformedResponseError("the statement returned no result")
        return []

    def _vectors(self, rows: list[Any]) -> Iterator[Event]:
        read = vector_reader()
        for index, value in rows:
            if value is None:
                _fail(f"the function returned NULL for the text {index}")
            # VECTOR is numbers, ARRAY and VARIANT are JSON.
            yield EmbeddingData(int(index), read(read_json(value) if isinstance(value, str) else value))

    def _completion(self, value: Any, started: Started) -> Iterator[Event]:
        answer = _parse(value)
        if isinstance(answer, dict) and "value" in answer and "error" in answer:
            if answer["error"]:
                _fail(answer["error"])
            answer = _parse(answer["value"])
        if answer is None:
            _fail("the function returned NULL: the model did not answer, and no reason was given")
        if not isinstance(answer, dict) or not ({"choices", "structured_output"} & answer.keys()):
            yield started
            yield TextDelta(answer if isinstance(answer, str) else write_json(answer).decode())
            yield Finish("other")
            return
        yield Started(started.id, answer.get("model") or started.model)
        yield TextDelta(_text_of(answer))
        usage = answer.get("usage")
        if usage:
            yield UsageUpdate(read_usage(usage), usage)
        yield Finish("other")  # the functions return no reason; `CortexDecoder` infers it


def _text_of(answer: Mapping[str, Any]) -> str:
    """Return the text of an answer: `choices[0].messages`, or the structured output as JSON."""
    for entry in answer.get("structured_output") or ():
        raw = entry.get("raw_message")
        return raw if isinstance(raw, str) else write_json(raw).decode()
    for choice in answer.get("choices") or ():
        text = choice.get("messages", choice.get("message"))
        return text if isinstance(text, str) else write_json(text).decode()
    raise MalformedResponseError("the function's answer has no choice")


def _parse(value: Any) -> Any:
    """Parse a VARIANT, or a text that is JSON; return other text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value


def _fail(why: Any) -> None:
    text = why if isinstance(why, str) else write_json(why).decode()
    raise FailureInStream(Failure(body=write_json({"message": text}), in_stream=True, data={"message": text}))
