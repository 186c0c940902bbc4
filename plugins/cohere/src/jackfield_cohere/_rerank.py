"""Reranking: the request and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield import Event
from jackfield.plugin import UNSET, Capabilities, ModelRef, RerankRequest, RerankScore, Translation

from ._dialect import Dialect
from ._options import start_writer

__all__ = ["read_ranking", "translate_rerank"]


def translate_rerank(
    dialect: Dialect, model: ModelRef, request: RerankRequest, capabilities: Capabilities
) -> Translation:
    """Translate a request to rerank. Source: Python SDK 7.3.1: v2 accepts only texts."""
    writer = start_writer(dialect, "rerank", model, capabilities, request, request.given())
    writer.body["query"] = request.query
    writer.body["documents"] = list(request.documents)
    writer.put("top_n")
    truncate = writer.take("truncate")
    if truncate in (UNSET, "end"):
        why = "the service truncates documents longer than max_tokens_per_doc (4,096, or a value in `extra`) at the end"
        writer.note("truncate", "defaulted" if truncate is UNSET else "sent", value="end", why=why)
    else:
        writer.refuse("truncate", "the service truncates long documents at the end", truncate)
    return dialect.wire("rerank", model, writer, request, request.extra)


def read_ranking(results: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    """Read the scores; their order is that of relevance, so one without an index is of no document."""
    for result in results:
        yield RerankScore(result["index"], result["relevance_score"])
