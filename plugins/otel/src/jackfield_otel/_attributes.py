"""Attributes of spans and metrics, by the names of the conventions.

Semantic conventions for generative AI, open-telemetry/semantic-conventions-genai, spans and metrics (status:
development), as of November 2026; names as in opentelemetry-semantic-conventions 0.66b2. Names of our own begin
with `jackfield.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from jackfield.plugin import UNSET, Call, CountRequest, EmbedRequest, Outcome, Request, RerankRequest

__all__ = ["IN_PROCESS", "Attributes", "common", "of_outcome", "of_request", "operation", "server"]

Attributes: TypeAlias = dict[str, str | bool | int | float | list[str]]

PROVIDERS: Final[Mapping[str, str]] = {
    "azure-llm": "azure.ai.inference",
    "azure-openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
}
"""The conventions' names of providers that differ from ours."""

IN_PROCESS: Final = frozenset({"onnx"})
"""Providers that run in this process."""

_OPERATIONS: Final = {
    "chat": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "summarization": "summarize",  # the conventions have no name for these
    "rerank": "rerank",
}
_OPTIONS: Final[Mapping[str, tuple[str, type]]] = {
    "temperature": ("gen_ai.request.temperature", float),
    "top_p": ("gen_ai.request.top_p", float),
    "top_k": ("gen_ai.request.top_k", float),
    "max_tokens": ("gen_ai.request.max_tokens", int),
    "seed": ("gen_ai.request.seed", int),
    "stop": ("gen_ai.request.stop_sequences", list),
    "frequency_penalty": ("gen_ai.request.frequency_penalty", float),
    "presence_penalty": ("gen_ai.request.presence_penalty", float),
}
_USAGE: Final = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def operation(call: Call) -> str:
    """Return the name of a call's operation."""
    return "count_tokens" if isinstance(call.request, CountRequest) else _OPERATIONS[call.kind]


def common(call: Call) -> Attributes:
    """Return what spans and metrics share: operation, provider, model, server."""
    return {
        "gen_ai.operation.name": operation(call),
        "gen_ai.provider.name": PROVIDERS.get(call.provider, call.provider),
        "gen_ai.request.model": call.model.id,
        **server(str(getattr(call.model.settings, "base_url", None) or "")),
    }


# The few addresses of a process are parsed once.
@lru_cache(maxsize=64)
def server(base_url: str) -> Mapping[str, str | int]:
    """Return host and port of an address; nothing if it has none."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return {}
    if parts.hostname is None or port is None:
        return {}
    return {"server.address": parts.hostname, "server.port": port}


def of_request(call: Call, shared: Attributes) -> Attributes:
    """Return the attributes of a call that begins, with those options that the caller gave.

    Args:
        call: The call.
        shared: What `common` returned for it.
    """
    attributes: Attributes = {
        **shared,
        **_of_options(call.request),
        "jackfield.connection": call.connection,
        "jackfield.target": call.target,
    }
    if call.owner:
        attributes["jackfield.owner"] = call.owner
    for name, value in call.labels.items():
        attributes[f"jackfield.label.{name}"] = value
    if call.stream:
        attributes["gen_ai.request.stream"] = True
    return attributes


def _of_options(request: Request) -> Attributes:
    if isinstance(request, EmbedRequest):
        dimensions = request.dimensions
        return {} if dimensions is UNSET else {"gen_ai.embeddings.dimension.count": int(dimensions)}
    if isinstance(request, RerankRequest):
        return {}
    given, attributes = request.options.given(), Attributes()
    for name, value in given.items():
        if name in _OPTIONS and value is not None:
            key, kind = _OPTIONS[name]
            attributes[key] = kind(value)
    if given.get("n", 1) != 1:
        attributes["gen_ai.request.choice.count"] = int(given["n"])
    if "response_format" in given:
        attributes["gen_ai.output.type"] = "json"
    return attributes


def of_outcome(outcome: Outcome) -> Attributes:
    """Return the attributes of a call that ended; what the service did not send is left out."""
    attributes: Attributes = {
        "jackfield.status": outcome.status,
        "jackfield.attempts": len(outcome.attempts),
    }
    if outcome.response_id is not None:
        attributes["gen_ai.response.id"] = outcome.response_id
    if outcome.model is not None:
        attributes["gen_ai.response.model"] = outcome.model
    if any(outcome.finish_reasons):
        attributes["gen_ai.response.finish_reasons"] = [
            reason or "error" for reason in outcome.finish_reasons
        ]
    for name, key in _USAGE.items():
        count = getattr(outcome.usage, name)
        if count is not None:
            attributes[key] = count
    cost = outcome.cost
    attributes["jackfield.cost.status"] = cost.status
    if cost.amount is not None:
        attributes["jackfield.cost.amount"] = float(cost.amount)
        attributes["jackfield.cost.currency"] = cost.currency or ""
    if outcome.replay is not None:
        attributes["jackfield.replay.by"] = outcome.replay.by
    return attributes
