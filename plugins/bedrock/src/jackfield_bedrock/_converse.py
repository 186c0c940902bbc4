"""Converse, ConverseStream and token counts of them: the request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from jackfield import ParameterReport
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CountRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._messages import CachePoints, Conversation
from ._models import row_of, rules_of_effort
from ._names import claude_name, path_of, table
from ._reasoning import FIELDS, put_reasoning
from ._tools import put_tools

__all__ = ["count_body", "translate_chat"]

# Source: AWS's service model in botocore 1.44.5 (2026-11).
_PLAIN: Final[Mapping[str, str]] = {
    "max_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
}
# Makers' own names of options, for unknown models.
_FIELDS: Final[Mapping[str, str]] = {
    "top_k": "top_k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
# The service has no such parameters; these values request what it does anyway.
_REDUNDANT: Final = {"n": 1, "logprobs": False}
_COUNTED: Final = frozenset({"system", "tools", "tool_choice", "reasoning"})


@lru_cache(maxsize=512)
def _row(name: str) -> tuple[Mapping[str, Any], Any]:
    """Return a model's row and, for Claude, its profile."""
    row = row_of(name)
    if not row["family"].startswith("claude"):
        return row, None
    from jackfield_anthropic.dialect import profile_of

    profile = profile_of(claude_name(name))
    schema = "tool" if profile.json_schema is False else None
    return {
        **row,
        "schema": schema,
        "forced": profile.forced,
        "fields": {"top_k": "top_k"},
        "cache": _cache_of_claude(name),
    }, profile


def _cache_of_claude(name: str) -> Mapping[str, Any] | None:
    """Return what marks of cacheable prefixes a Claude accepts, if it is an older one."""
    older = table()["claude_cache"]
    return {"lifetimes": ("5m",)} if claude_name(name).startswith(tuple(older["only_5m"])) else None


def translate_chat(
    model: ModelRef, request: ChatRequest, capabilities: Capabilities, *, native: bool = False
) -> Translation:
    """Translate a chat for Converse; `native` for InvokeModel with Nova's own body, which is nearly the same.

    Source: AWS's service model in botocore 1.44.5 (2026-11); Nova's own body: recorded 2025-2026.
    """
    options = request.options
    row, profile = _row(model.known_as)
    rules = _rules_while_thinking(row, profile, options, capabilities)
    body: dict[str, Any] = {}
    writer = ParameterWriter(options.given(), rules, options.unsupported, body, model=model.id)
    cache = CachePoints(writer, row, supported=not capabilities.lacks("prompt_cache"))
    _put_conversation(model, request, writer, cache, capabilities)
    put_reasoning(writer, options, row, profile, native=native)
    json_tool = put_tools(writer, options, row, request.messages, cache=cache, stream=request.stream)
    for name, path in _PLAIN.items():
        if name in writer.left:
            writer.put(name, path)
    writer.put("stop", "inferenceConfig.stopSequences", list)
    for name, field in row.get("fields", _FIELDS).items():
        if name in writer.left:
            writer.put(name, field if native else f"{FIELDS}.{field}")
    for name, value in _REDUNDANT.items():
        given = getattr(options, name)
        if given is not UNSET and given == value:
            writer.drop(name, "the service has no such parameter, and does this anyway", writer.take(name))
    if native:
        writer.default("schema_version", "schemaVersion", "messages-v1", "the model's own body has a version")
    else:
        _put_settings(body, model.settings, stream=request.stream)
    writer.merge_extra(options.extra, "bedrock")
    meta = {"family": "nova" if native else "converse"}
    if json_tool is not None:
        meta["json_tool"] = json_tool
    report = writer.finish()
    return Translation(_wire(model, body, meta, stream=request.stream, native=native), report)


def _wire(
    model: ModelRef, body: dict[str, Any], meta: Mapping[str, str], *, stream: bool, native: bool
) -> Wire:
    operation = ("invoke", "invoke-with-response-stream") if native else ("converse", "converse-stream")
    framing = "aws_eventstream" if stream else None
    return Wire(path_of(model, operation[stream]), body, stream=stream, framing=framing, meta=meta)


def _put_conversation(
    model: ModelRef,
    request: ChatRequest | CountRequest,
    writer: ParameterWriter,
    cache: CachePoints,
    capabilities: Capabilities,
) -> None:
    conversation = Conversation(
        model.known_as,
        writer,
        cache,
        emulate=request.options.emulate,
        system=not capabilities.lacks("system"),
        documents=not capabilities.lacks("documents"),
    )
    system, messages = conversation.write(writer.take("system"), request.messages)
    writer.body["messages"] = messages
    if system:
        writer.body["system"] = system


def _rules_while_thinking(
    row: Mapping[str, Any], profile: Any, options: Options, capabilities: Capabilities
) -> Capabilities:
    """Return the capabilities with the rules that apply while the model thinks as much as is requested."""
    if options.reasoning is UNSET:
        return capabilities
    if profile is None:
        more = rules_of_effort(row["family"], options.reasoning.effort)
        return (
            attrs.evolve(capabilities, parameters={**capabilities.parameters, **more})
            if more
            else capabilities
        )
    from jackfield_anthropic.dialect import rules_for

    return rules_for(profile, options.reasoning, capabilities)


def _put_settings(body: dict[str, Any], settings: Any, *, stream: bool) -> None:
    """Write the connection's options for every call; `extra` takes precedence over them."""
    if settings is None:
        return
    if settings.guardrail_id is not None:
        guardrail = {
            "guardrailIdentifier": settings.guardrail_id,
            "guardrailVersion": settings.guardrail_version,
            "trace": settings.guardrail_trace,
            "streamProcessingMode": settings.guardrail_stream if stream else None,
        }
        body["guardrailConfig"] = {name: value for name, value in guardrail.items() if value is not None}
    if settings.service_tier is not None:
        body["serviceTier"] = {"type": settings.service_tier}
    if settings.latency is not None:
        body["performanceConfig"] = {"latency": settings.latency}
    if settings.request_metadata:
        body["requestMetadata"] = dict(settings.request_metadata)


def count_body(
    model: ModelRef, request: CountRequest, capabilities: Capabilities
) -> tuple[dict[str, Any], ParameterReport]:
    """Build the body of a token count; options that do not change the count are dropped."""
    options = request.options
    given = options.given()
    counted = {name: value for name, value in given.items() if name in _COUNTED}
    inner: dict[str, Any] = {}
    body: dict[str, Any] = {"input": {"converse": inner}}
    writer = ParameterWriter(counted, capabilities, options.unsupported, inner, model=model.id)
    for name in given.keys() - counted:
        writer.drop(name, "it does not change the count", given[name])
    row, profile = _row(model.known_as)
    cache = CachePoints(writer, row, supported=not capabilities.lacks("prompt_cache"))
    _put_conversation(model, request, writer, cache, capabilities)
    put_reasoning(writer, options, row, profile)
    without_format = attrs.evolve(options, response_format=UNSET)
    put_tools(writer, without_format, row, request.messages, cache=cache, stream=False)
    writer.merge_extra(options.extra, "bedrock", into=body)
    return body, writer.finish()
