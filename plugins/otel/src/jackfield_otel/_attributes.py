"""What the conventions call the things we know.

Semantic conventions for generative AI, open-telemetry/semantic-conventions-genai, spans and metrics (status:
development), as of November 2026; names as in opentelemetry-semantic-conventions 0.66b2. Names of our own begin
with `jackfield.`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
"""The conventions' names where they are not ours; others are taken as they are."""

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
    """Name what a call does."""
    return "count_tokens" if isinstance(call.request, CountRequest) else _OPERATIONS[call.kind]


def common(call: Call) -> Attributes:
    """Give what spans and metrics share: operation, provider, model, server."""
    return {
        "gen_ai.operation.name": operation(call),
        "gen_ai.provider.name": PROVIDERS.get(call.provider, call.provider),
        "gen_ai.request.model": call.model.id,
        **server(call),
    }


def server(call: Call) -> Attributes:
    """Give the server's address, where the connection declares one."""
    try:
        parts = urlsplit(str(getattr(call.model.settings, "base_url", None) or ""))
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return {}
    if parts.hostname is None or port is None:
        return {}
    return {"server.address": parts.hostname, "server.port": port}


def of_request(call: Call) -> Attributes:
    """Give what is known of a call when it begins; of options those that the caller gave."""
    said: Attributes = {
        **common(call),
        **_of_options(call.request),
        "jackfield.connection": call.connection,
        "jackfield.target": call.target,
    }
    if call.stream:
        said["gen_ai.request.stream"] = True
    return said


def _of_options(request: Request) -> Attributes:
    if isinstance(request, EmbedRequest):
        wished = request.dimensions
        return {} if wished is UNSET else {"gen_ai.embeddings.dimension.count": int(wished)}
    if isinstance(request, RerankRequest):
        return {}
    given, said = request.options.given(), Attributes()
    for name, (key, kind) in _OPTIONS.items():
        if given.get(name) is not None:
            said[key] = kind(given[name])
    if given.get("n", 1) != 1:
        said["gen_ai.request.choice.count"] = int(given["n"])
    if "response_format" in given:
        said["gen_ai.output.type"] = "json"
    return said


def of_outcome(outcome: Outcome) -> Attributes:
    """Give what is known of a call when it ended; what the service did not say is left out."""
    said: Attributes = {"jackfield.status": outcome.status, "jackfield.attempts": len(outcome.attempts)}
    if outcome.response_id is not None:
        said["gen_ai.response.id"] = outcome.response_id
    if outcome.model is not None:
        said["gen_ai.response.model"] = outcome.model
    if any(outcome.finish_reasons):
        said["gen_ai.response.finish_reasons"] = [reason or "error" for reason in outcome.finish_reasons]
    for name, key in _USAGE.items():
        count = getattr(outcome.usage, name)
        if count is not None:
            said[key] = count
    cost = outcome.cost
    said["jackfield.cost.status"] = cost.status
    if cost.amount is not None:
        said["jackfield.cost.amount"] = float(cost.amount)
        said["jackfield.cost.currency"] = cost.currency or ""
    if outcome.replay is not None:
        said["jackfield.replay.by"] = outcome.replay.by
    return said
