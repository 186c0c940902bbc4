"""Token counts: the request and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jackfield import Event
from jackfield.plugin import Capabilities, CountRequest, ModelRef, ParameterWriter, TokensCounted, Translation

from ._chat import merge_extra, put_conversation
from ._dialect import Dialect
from ._errors import raise_failure
from ._models import profile_of

__all__ = ["read_count", "translate_count"]

_COUNTED: Final = frozenset(
    {"system", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning"}
)


def translate_count(
    dialect: Dialect, model: ModelRef, request: CountRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request to count tokens; options that do not change the count are dropped."""
    options = request.options
    given = options.given()
    path, body = dialect.start(model, dialect.count_path or "")
    counted = {name: value for name, value in given.items() if name in _COUNTED}
    writer = ParameterWriter(counted, capabilities, options.unsupported, body, model=model.id)
    for name in given.keys() - counted:
        writer.drop(name, "it does not change the count", given[name])
    put_conversation(dialect, model, request, writer, profile_of(dialect.name(model)))
    merge_extra(dialect, options, writer)
    report = writer.finish()
    return Translation(dialect.wire(model, path, body, stream=False, meta={"api": "count"}), report)


def read_count(value: Any) -> Iterator[Event]:
    """Read a token count."""
    raise_failure(value)
    yield TokensCounted(value["input_tokens"])
