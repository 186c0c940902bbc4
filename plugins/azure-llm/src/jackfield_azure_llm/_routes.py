"""Requests to endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import ConfigurationError, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    EmbedRequest,
    ModelRef,
    Request,
    Translation,
    Wire,
    unserved,
)
from jackfield_azure_openai.dialect import as_openai
from jackfield_openai import Dialect, translate as translate_openai

from ._settings import AzureLLMSettings
from ._target import Target

__all__ = ["DIALECT", "translate"]

DIALECT: Final = Dialect(id="azure-llm", models_path=None, end="finish", late_finish=True)
"""OpenAI's v1, as the models of the catalogue speak it. Source: Microsoft's reference of chat completions, 2025-01."""

# Source: the same, "Get chat completions": roles differ, the set does not. `stream_options` and
# `reasoning_effort` are accepted beside it (recorded in 2026).
_COMMON: Final = frozenset(
    {"model", "messages", "max_tokens", "temperature", "top_p", "stop", "seed", "presence_penalty",
     "frequency_penalty", "response_format", "tools", "tool_choice", "stream", "stream_options",
     "reasoning_effort", "input", "encoding_format", "dimensions", "input_type"}
)  # fmt: skip
_INPUT_TYPES: Final = {"query": "query", "document": "document"}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire.

    Raises:
        UnsupportedError: The model cannot honour an option, or the endpoint has no such kind of request.
    """
    settings = model.settings
    if not isinstance(settings, AzureLLMSettings):
        raise ConfigurationError("endpoints of Azure are known by their connection's settings alone")
    if not isinstance(request, ChatRequest | EmbedRequest):
        raise unserved("an endpoint of Azure", request)
    known = as_openai(model, "foundry")
    if known.declared.get("route") == "responses":
        raise UnsupportedError(
            f"{model.id} is served by the Responses API alone; declare it in a connection of azure-openai",
            parameter="kind",
        )
    target = settings.target(model.declared)
    dialect = _dialect(target, settings.base_url is not None, model.declared)
    made = translate_openai(dialect, attrs.evolve(known, declared={}), request, capabilities)
    return attrs.evolve(made, wire=_addressed(made.wire, model, target, settings))


def _dialect(target: Target, replaced: bool, declared: Mapping[str, Any]) -> Dialect:
    start = target.path if replaced else target.origin + target.path
    return attrs.evolve(
        DIALECT,
        chat_path=f"{start}/chat/completions",
        embedding_path=f"{start}/embeddings",
        usage_option=declared.get("stream_usage", True),
        input_types=_INPUT_TYPES if target.inference else {},
    )


def _addressed(wire: Wire, model: ModelRef, target: Target, settings: AzureLLMSettings) -> Wire:
    name = model.declared.get("model_name")
    body = dict(wire.body)
    if name == "":
        del body["model"]
    elif name is not None:
        body["model"] = name
    headers = {}
    if target.inference and not body.keys() <= _COMMON:
        headers["extra-parameters"] = "pass-through"  # the service refuses fields outside its set otherwise
    if "deployment" in model.declared:
        headers["azureml-model-deployment"] = model.declared["deployment"]
    auth = settings.auth_name(model, target)
    return attrs.evolve(wire, body=body, headers=headers, query=target.query, auth=auth)
