"""Which API a request goes to, and which decoder reads the answer."""

from __future__ import annotations

from typing import Final

import attrs

from jackfield import ConfigurationError, UnsupportedError
from jackfield.plugin import (
    Capabilities,
    ChatRequest,
    CountRequest,
    Decoder,
    EmbedRequest,
    ModelRef,
    Request,
    Translation,
    Wire,
    unserved,
)
from jackfield_anthropic import decoder as claude_decoder, translate as claude_translate
from jackfield_azure_openai.dialect import as_openai
from jackfield_openai import decoder as openai_decoder, translate as openai_translate

from ._chat_decoder import ThinkingDecoder
from ._dialect import CLAUDE, DIALECT, claude_for, dialect_for
from ._settings import AzureLLMSettings
from ._target import Target

__all__ = ["COMMON", "decoder", "translate"]

# Source: Microsoft's reference of chat completions, 2025-01, "Get chat completions": the roles differ, the set of
# fields does not. The service also accepts `stream_options` and `reasoning_effort` (recorded in 2026).
COMMON: Final = frozenset(
    {"model", "messages", "max_tokens", "temperature", "top_p", "stop", "seed", "presence_penalty",
     "frequency_penalty", "response_format", "tools", "tool_choice", "stream", "stream_options",
     "reasoning_effort", "input", "encoding_format", "dimensions", "input_type"}
)  # fmt: skip


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request into a wire.

    Raises:
        UnsupportedError: The model does not support an option, or the endpoint has no such kind of request.
    """
    settings = model.settings
    if not isinstance(settings, AzureLLMSettings):
        raise ConfigurationError(
            "the endpoints of Azure are known only from the settings of their connection"
        )
    target = settings.target(model.declared)
    if target.messages:
        return _translate_claude(model, request, capabilities, target, settings)
    if not isinstance(request, ChatRequest | EmbedRequest):
        raise unserved("an endpoint of Azure", request)
    known = as_openai(model, "foundry")
    if known.declared.get("route") == "responses":
        raise UnsupportedError(
            f"only the Responses API serves {model.id}; declare it in a connection of azure-openai",
            parameter="kind",
        )
    dialect = dialect_for(target, model.declared, relative=settings.base_url is not None)
    result = openai_translate(dialect, attrs.evolve(known, declared={}), request, capabilities)
    return attrs.evolve(result, wire=_add_address(result.wire, model, target, settings))


def _translate_claude(
    model: ModelRef, request: Request, capabilities: Capabilities, target: Target, settings: AzureLLMSettings
) -> Translation:
    """Translate a request into a wire of Anthropic's Messages API."""
    if not isinstance(request, ChatRequest | CountRequest):
        raise unserved("Anthropic's Messages API on Azure", request)
    start = target.path if settings.base_url is not None else target.origin + target.path
    dialect = claude_for(start, settings.anthropic_version)
    result = claude_translate(dialect, model, request, capabilities)
    wire = _add_address(result.wire, model, target, settings)
    headers = {"anthropic-version": settings.anthropic_version, **wire.headers}
    meta = {**wire.meta, "route": "messages"}
    return attrs.evolve(result, wire=attrs.evolve(wire, headers=headers, meta=meta))


def decoder(wire: Wire) -> Decoder:
    """Return the decoder for the answer to a wire."""
    if wire.meta.get("route") == "messages":
        return claude_decoder(CLAUDE, wire)
    inner = openai_decoder(DIALECT, wire)
    return ThinkingDecoder(inner) if wire.meta.get("api") == "chat" else inner


def _add_address(wire: Wire, model: ModelRef, target: Target, settings: AzureLLMSettings) -> Wire:
    """Add the model's name, headers, the query and the authentication of an endpoint."""
    name = model.declared.get("model_name")
    body = dict(wire.body)
    if name == "":
        del body["model"]
    elif name is not None:
        body["model"] = name
    headers = dict(wire.headers)
    if target.inference and not body.keys() <= COMMON:
        headers["extra-parameters"] = "pass-through"  # without it, the service rejects other fields
    if "deployment" in model.declared:
        headers["azureml-model-deployment"] = model.declared["deployment"]
    auth = settings.auth_name(model, target)
    return attrs.evolve(wire, body=body, headers=headers, query=target.query, auth=auth)
