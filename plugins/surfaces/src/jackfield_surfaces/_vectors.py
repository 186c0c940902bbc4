"""Embeddings and rerankings: the requests and the answers."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping
from typing import Any, Final

from jackfield import EmbedReply, RerankReply
from jackfield.plugin import UnsupportedPolicy

from ._asked import Asked
from ._encoding import new_id
from ._envelopes import Envelopes
from ._fields import Fields, Report

__all__ = ["read_embeddings", "read_rerank", "whole_embeddings", "whole_rerank"]

_WORDS: Final = "Unsupported parameter: '{name}': {why}."
_OPENAI: Final = "openai"
_COHERE: Final = "cohere"


def read_embeddings(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of embeddings. Source: types of OpenAI's Python SDK 3.54.0."""
    del headers, envelopes
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    target = fields.required("model", fields.text("model"))
    inputs = fields.required("input", fields.take("input"))
    texts = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise fields.wrong(
            "input", "must be a string or an array of strings; tokens are not served", "invalid_type"
        )
    if not texts:
        raise fields.wrong("input", "must have at least one text")
    dimensions, user = fields.integer("dimensions", least=1), fields.text("user")
    options |= {k: v for k, v in (("dimensions", dimensions), ("user", user)) if v is not None}
    encoding = fields.word("encoding_format", ("float", "base64")) or "float"
    own = dict(fields.left())
    for name, value in own.items():
        report.keep_for(_OPENAI, name, value)
    if own:
        options["extra"] = {_OPENAI: own}
    return Asked(
        surface="openai.embeddings",
        kind="embedding",
        target=target,
        arguments=(texts,),
        options=options,
        notes=tuple(report.notes),
        own=tuple(report.own),
        context={"encoding": encoding},
    )


def whole_embeddings(asked: Asked, reply: EmbedReply, envelopes: Envelopes) -> dict[str, Any]:
    """Return the answer of embeddings."""
    del envelopes
    form = _base64 if asked.context.get("encoding") == "base64" else _floats
    data = [
        {"object": "embedding", "index": index, "embedding": form(vector)}
        for index, vector in enumerate(reply.embeddings)
    ]
    used = reply.usage.input_tokens
    return {
        "object": "list",
        "data": data,
        "model": reply.model or asked.target,
        # The API requires the counts; 0 is what its servers write that count nothing.
        "usage": {"prompt_tokens": used or 0, "total_tokens": used or 0},
    }


def _floats(vector: Any) -> list[float]:
    values: list[float] = vector.tolist()
    return values


def _base64(vector: Any) -> str:
    """Return a vector of float32 as base64 of its bytes, the lowest first."""
    values = array("f", bytes(memoryview(vector).cast("B")))
    if sys.byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def read_rerank(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of a reranking, in Cohere's form or in that of Jina and vLLM."""
    del headers, envelopes
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    target = fields.required("model", fields.text("model"))
    query = fields.required("query", fields.text("query"))
    listed = fields.required("documents", fields.items("documents"))
    if not listed:
        raise fields.wrong("documents", "must have at least one document")
    documents = [_document(fields, number, value) for number, value in enumerate(listed)]
    top_n = fields.integer("top_n", least=1)
    if top_n is not None:
        options["top_n"] = top_n
    returned = fields.flag("return_documents") or False
    own = dict(fields.left())
    for name, value in own.items():
        report.keep_for(_COHERE, name, value)
    if own:
        options["extra"] = {_COHERE: own}
    return Asked(
        surface="cohere.rerank",
        kind="rerank",
        target=target,
        arguments=(query, documents),
        options=options,
        notes=tuple(report.notes),
        own=tuple(report.own),
        context={"return_documents": returned},
    )


def _document(fields: Fields, number: int, value: Any) -> str:
    if isinstance(value, str):
        return value
    document = Fields(value, f"documents[{number}]", fields.report)
    text = document.required("text", document.text("text"))
    document.end()
    return str(text)


def whole_rerank(asked: Asked, reply: RerankReply, envelopes: Envelopes) -> dict[str, Any]:
    """Return the answer of a reranking; one form serves the clients of Cohere, Jina and vLLM."""
    del envelopes
    documents = asked.arguments[1]
    results: list[dict[str, Any]] = []
    for ranking in reply.results:
        entry: dict[str, Any] = {"index": ranking.index, "relevance_score": ranking.score}
        if asked.context.get("return_documents"):
            entry["document"] = {"text": documents[ranking.index]}
        results.append(entry)
    value: dict[str, Any] = {
        "id": reply.id or new_id("rerank-"),
        "object": "list",
        "model": reply.model or asked.target,
        "results": results,
        "meta": {"api_version": {"version": "2"}},
    }
    units = {name: int(amount) for name, amount in reply.usage.units.items() if name in _UNITS}
    if units:
        value["meta"]["billed_units"] = {_UNITS[name]: amount for name, amount in units.items()}
    used = reply.usage.input_tokens
    if used is not None:
        value["usage"] = {"prompt_tokens": used, "total_tokens": used}
    return value


_UNITS: Final[Mapping[str, str]] = {"search_unit": "search_units"}
