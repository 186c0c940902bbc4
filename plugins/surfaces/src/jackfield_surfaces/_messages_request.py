"""Messages: the request, and that of the count of tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UnsupportedPolicy

from ._asked import Asked, AskedKind
from ._envelopes import Envelopes
from ._fields import Fields, Report
from ._messages_conversation import FAMILY, Conversation, cache_of
from ._parts import put_numbers

__all__ = ["NAMES", "read_count", "read_messages"]

NAMES: Final[Mapping[str, str]] = {
    "stop": "stop_sequences",
    "reasoning.effort": "output_config.effort",
    "reasoning.budget_tokens": "thinking.budget_tokens",
    "reasoning": "thinking",
    "reasoning.summary": "thinking.display",
    "response_format": "output_config.format",
    "user": "metadata.user_id",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
}
"""The client's names of Jackfield's options, where they differ."""

_WORDS: Final = "{name}: Extra inputs are not permitted"
# Fields that only services of this API have, and whether the answer may be another one without them.
_OWN: Final[Mapping[str, bool]] = {
    "cache_control": False,
    "container": True,
    "context_management": False,
    "diagnostics": False,
    "inference_geo": True,
    "mcp_servers": True,
    "service_tier": False,
    "speed": False,
}
_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "any": "required", "none": "none"}


def read_messages(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of Messages.

    Source: types of Anthropic's Python SDK 2.12.0 and requests recorded of real clients, November 2026.
    """
    return _read(headers, body, policy, envelopes, "anthropic.messages", "chat")


def read_count(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of the count of tokens."""
    return _read(headers, body, policy, envelopes, "anthropic.count_tokens", "count")


def _read(
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    policy: UnsupportedPolicy,
    envelopes: Envelopes,
    surface: str,
    kind: AskedKind,
) -> Asked:
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    extra: dict[str, Any] = {}
    target = fields.required("model", fields.text("model"))
    stream = fields.flag("stream") or False
    limit = fields.integer("max_tokens", least=1)
    if kind == "chat":
        options["max_tokens"] = fields.required("max_tokens", limit)
    wires = fields.required("messages", fields.items("messages"))
    if not wires:
        raise fields.wrong("messages", "must have at least one message")
    reader = Conversation(report, envelopes)
    messages = reader.system(fields)
    for number, wire in enumerate(wires):
        messages += reader.messages(Fields(wire, f"messages.{number}", report))
    _put_tools(fields, options, extra, reader.referenced, report)
    _put_thinking(fields, options, extra, reader.settings, report)
    _put_options(fields, options, report)
    betas = [name.strip() for name in headers.get("anthropic-beta", "").split(",") if name.strip()]
    if betas:
        extra["betas"] = betas
        report.keep_for(FAMILY, "anthropic-beta", betas, changes=False)
    for name, changes in _OWN.items():
        value = fields.take(name)
        if value is not None:
            extra[name] = value
            report.keep_for(FAMILY, name, value, changes=changes)
    fields.end()
    if extra:
        options["extra"] = {FAMILY: extra}
    return Asked(
        surface=surface,
        kind=kind,
        target=target,
        arguments=(messages,),
        options=options,
        stream=stream,
        notes=tuple(report.notes),
        own=tuple(report.own),
    )


def _put_options(fields: Fields, options: dict[str, Any], report: Report) -> None:
    put_numbers(fields, options, "temperature", "top_p")
    top_k = fields.integer("top_k", least=0)
    if top_k is not None:
        options["top_k"] = top_k
    stops = fields.items("stop_sequences")
    if stops:
        if not all(isinstance(one, str) for one in stops):
            raise fields.wrong("stop_sequences", "must be an array of strings", "invalid_type")
        options["stop"] = stops
    metadata = fields.inner("metadata")
    user = None if metadata is None else metadata.text("user_id")
    if metadata is not None:
        metadata.end()
    if user is not None:
        options["user"] = _discreet(user, report)


def _discreet(user: str, report: Report) -> str:
    """Return an id of the end user; one that holds data of a device and a session becomes a number that means nothing."""
    if "{" not in user and len(user) <= 64:
        return user
    report.emulate("metadata.user_id", "it holds personal data, so a hash of it is sent")
    return hashlib.sha256(user.encode()).hexdigest()[:32]


def _put_thinking(
    fields: Fields,
    options: dict[str, Any],
    extra: dict[str, Any],
    settings: list[Fields],
    report: Report,
) -> None:
    """Read how much the model shall think, and in which form it shall answer."""
    reasoning: dict[str, Any] = {}
    thinking = fields.inner("thinking")
    if thinking is not None:
        kind = thinking.word("type", ("enabled", "adaptive", "disabled", "between_tools"))
        display = thinking.word("display", ("summarized", "omitted"))
        if kind == "enabled":
            budget = thinking.integer("budget_tokens", least=1)
            reasoning["budget_tokens"] = thinking.required("budget_tokens", budget)
        elif kind == "disabled":
            reasoning["effort"] = "none"
        if kind in ("adaptive", "between_tools"):
            extra["thinking"] = {"type": kind} if display is None else {"type": kind, "display": display}
            report.keep_for(FAMILY, "thinking", extra["thinking"], changes=kind == "between_tools")
        elif display is not None:
            extra["thinking"] = {"display": display}
            report.keep_for(FAMILY, "thinking.display", display, changes=False)
        thinking.end()
    config = fields.inner("output_config")
    for one in [*([config] if config is not None else []), *settings]:  # the last one counts
        effort = one.text("effort")
        if effort is not None:
            reasoning["effort"] = effort
        form = one.inner("format")
        if form is not None:
            form.word("type", ("json_schema",))
            options["response_format"] = form.required("schema", form.mapping("schema"))
            form.end()
        one.end()
    if reasoning:
        options["reasoning"] = reasoning


def _put_tools(
    fields: Fields,
    options: dict[str, Any],
    extra: dict[str, Any],
    referenced: set[str],
    report: Report,
) -> None:
    tools: list[Tool] = []
    servers: list[Any] = []
    wires = [Fields(wire, f"tools.{n}", report) for n, wire in enumerate(fields.items("tools") or ())]
    searches = any(str(tool.peek("type")).startswith("tool_search_tool") for tool in wires)
    for tool in wires:
        kind = tool.text("type") or "custom"
        if kind != "custom":
            servers.append(tool.raw)
            report.keep_for(FAMILY, tool.where, tool.raw)
            continue
        name = tool.required("name", tool.text("name"))
        deferred = tool.flag("defer_loading") or False
        if deferred and name not in referenced and not searches:
            report.drop(
                tool.where, "the tool is deferred, and nothing in the conversation has loaded it", name
            )
            continue
        tools.append(_tool(tool, name, report))
    if servers:
        extra["tools"] = servers  # the plugin adds them to the others
    if tools:
        options["tools"] = tools
    _put_choice(fields, options, extra, [tool.name for tool in tools], report)


def _tool(fields: Fields, name: str, report: Report) -> Tool:
    schema = fields.required("input_schema", fields.mapping("input_schema"))
    tool = Tool(name, fields.text("description"), schema, fields.flag("strict"), cache_of(fields))
    for field in ("eager_input_streaming", "input_examples", "allowed_callers"):
        value = fields.take(field)
        if value:
            report.drop(fields.place(field), "a mesh has no such setting of a tool", value)
    fields.end()
    return tool


def _put_choice(
    fields: Fields, options: dict[str, Any], extra: dict[str, Any], names: list[str], report: Report
) -> None:
    choice = fields.inner("tool_choice")
    if choice is None:
        return
    kind = choice.required("type", choice.word("type", ("auto", "any", "tool", "none")))
    name, single = choice.text("name"), choice.flag("disable_parallel_tool_use")
    choice.end()
    if not names:
        if extra.get("tools"):
            extra["tool_choice"] = dict(choice.raw)
            report.keep_for(FAMILY, "tool_choice", choice.raw)
        else:
            report.drop("tool_choice", "there are no tools", choice.raw)
        return
    if kind == "tool":
        if name not in names:
            raise choice.wrong("name", f"names no tool that is given: {name!r}")
        options["tool_choice"] = name
    else:
        options["tool_choice"] = _CHOICES[kind]
    if single is not None:
        options["parallel_tool_calls"] = not single
