"""The decoder of answers that are never streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from jackfield._faces import show_in
from jackfield._types.errors import MalformedResponseError
from jackfield._types.events import Event
from jackfield._types.wire import Frame, Head

__all__ = ["WholeDecoder"]


class WholeDecoder:
    """Reads an answer that is one JSON value: embeddings, rankings, counts of tokens.

    Args:
        read: Gives the events of the value. It may raise `FailureInStream` where the value tells of a failure, and
            any `JackfieldError`; what else it trips over makes the answer a malformed one.
    """

    def __init__(self, read: Callable[[Any], Iterable[Event]]) -> None:
        self._reader = read
        self._has_come = False

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return []

    def feed(self, frame: Frame) -> list[Event]:
        """Read the whole answer.

        Raises:
            MalformedResponseError: It is not JSON, or the reader says so; with the body.
        """
        try:
            value = orjson.loads(frame.data)
        except orjson.JSONDecodeError as error:
            raise MalformedResponseError(
                f"the answer is not JSON: {error}", body=bytes(frame.data)
            ) from error
        self._has_come = True
        try:
            return list(self._reader(value))
        except MalformedResponseError as error:
            if error.body is None:  # a reader has the value, not the bytes
                error.body = bytes(frame.data)
            raise

    def finish(self) -> list[Event]:
        """Check that there was an answer.

        Raises:
            MalformedResponseError: There was none.
        """
        if not self._has_come:
            raise MalformedResponseError("the answer has no body")
        return []


show_in("jackfield.plugin", WholeDecoder)
