"""Token counts: the request and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jackfield import Event, Text, ToolResult
from jackfield.plugin import Capabilities, CountRequest, ModelRef, TokensCounted, Translation

from ._dialect import Dialect
from ._options import start_writer

__all__ = ["read_count", "translate_count"]


def translate_count(
    dialect: Dialect, model: ModelRef, request: CountRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request to count tokens into one to tokenize the texts of its conversation.

    The service tokenizes plain text (1 to 65,536 characters), not conversations: what the model's template adds, images
    and tools are not counted. Source: API description, 2026-08-20.
    """
    options = request.options
    given = options.given()
    system = given.pop("system", None)
    writer = start_writer(dialect, "chat", model, capabilities, options, {})
    texts = [] if system is None else [system]
    for index, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Text | ToolResult):
                texts.append(part.text)
            elif (text := getattr(part, "text", None)) and type(part).__name__ == "Document":
                texts.append(text)
            else:
                writer.drop(
                    f"messages[{index}]",
                    f"a {type(part).__name__} is not counted: the service counts only text",
                )
    for name, value in given.items():
        writer.drop(name, "the service counts only text", value)
    writer.body["text"] = "\n".join(texts)
    writer.note(
        "messages",
        "emulated",
        wire="text",
        why="the texts are counted, without what the model's template adds",
    )
    return dialect.wire("tokenize", model, writer, request, options.extra)


def read_count(tokens: Sequence[int]) -> Iterator[Event]:
    yield TokensCounted(len(tokens))
