"""Legacy summaries: the request and the answer."""

from __future__ import annotations

from collections.abc import Iterator

from jackfield import Event, Finish, TextDelta, UnsupportedError
from jackfield.plugin import Capabilities, ModelRef, SummarizeRequest, Translation

from ._dialect import Dialect
from ._options import start_writer

__all__ = ["read_summary", "translate_summary"]


def translate_summary(
    dialect: Dialect, model: ModelRef, request: SummarizeRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request for a summary; length, format and the like go through `extra`.

    Source: Python SDK 7.3.1.

    Raises:
        UnsupportedError: A stream is requested; the endpoint does not stream.
    """
    if request.stream:
        raise UnsupportedError(
            f"{model.id} does not stream summaries; use the call without streaming", parameter="stream"
        )
    options = request.options
    writer = start_writer(dialect, "summarize", model, capabilities, options, options.given())
    writer.body["text"] = request.text
    writer.put("temperature")
    return dialect.wire("summarize", model, writer, request, options.extra)


def read_summary(text: str) -> Iterator[Event]:
    yield TextDelta(text)
    yield Finish("other")  # the API does not report why a summary ended
