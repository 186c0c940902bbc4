"""Reranking, legacy summaries and token counts: the requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield import Text, ToolResult, UnsupportedError
from jackfield.plugin import (
    UNSET,
    Capabilities,
    CountRequest,
    ModelRef,
    RerankRequest,
    SummarizeRequest,
    Translation,
)

if TYPE_CHECKING:
    from .dialect import Dialect

__all__ = ["translate_count", "translate_rerank", "translate_summary"]


def translate_rerank(
    dialect: Dialect, model: ModelRef, request: RerankRequest, capabilities: Capabilities
) -> Translation:
    """Write documents to rank. Source: Python SDK 7.3.1: v2 takes texts alone."""
    writer = dialect.writer("rerank", model, capabilities, request, request.given())
    writer.body["query"] = request.query
    writer.body["documents"] = list(request.documents)
    writer.put("top_n")
    truncate = writer.take("truncate")
    if truncate in (UNSET, "end"):
        why = "the service cuts documents longer than max_tokens_per_doc (4,096 unless `extra` says more) at their end"
        writer.note("truncate", "defaulted" if truncate is UNSET else "sent", value="end", why=why)
    else:
        writer.refuse("truncate", "the service cuts long documents at their end", truncate)
    return dialect.wire("rerank", model, writer, request, request.extra)


def translate_summary(
    dialect: Dialect, model: ModelRef, request: SummarizeRequest, capabilities: Capabilities
) -> Translation:
    """Write a text to sum up for the legacy endpoint; length, format and the like go through `extra`.

    Source: Python SDK 7.3.1.

    Raises:
        UnsupportedError: A stream is asked for; the endpoint has none.
    """
    if request.stream:
        raise UnsupportedError(
            f"{model.id} does not stream summaries; use the call without streaming", parameter="stream"
        )
    options = request.options
    writer = dialect.writer("summarize", model, capabilities, options, options.given())
    writer.body["text"] = request.text
    writer.put("temperature")
    return dialect.wire("summarize", model, writer, request, options.extra)


def translate_count(
    dialect: Dialect, model: ModelRef, request: CountRequest, capabilities: Capabilities
) -> Translation:
    """Write the texts of a conversation to be cut into tokens.

    The service counts plain text (1 to 65,536 characters), not conversations: what its template adds, images and
    tools are not counted. Source: API description, 2026-08-20.
    """
    options = request.options
    given = options.given()
    system = given.pop("system", None)
    writer = dialect.writer("chat", model, capabilities, options, {})
    texts = [] if system is None else [system]
    for index, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Text | ToolResult):
                texts.append(part.text)
            elif (text := getattr(part, "text", None)) and type(part).__name__ == "Document":
                texts.append(text)
            else:
                writer.drop(
                    f"messages[{index}]", f"a {type(part).__name__} is not counted: the service counts text"
                )
    for name, value in given.items():
        writer.drop(name, "the service counts text alone", value)
    writer.body["text"] = "\n".join(texts)
    writer.note(
        "messages", "emulated", wire="text", why="the texts are counted, without what a chat puts around them"
    )
    return dialect.wire("tokenize", model, writer, request, options.extra)
