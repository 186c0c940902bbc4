"""Chat completions: the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import Tool
from jackfield.plugin import UnsupportedPolicy

from ._asked import Asked
from ._chat_messages import FAMILY, ChatMessages, join_results
from ._envelopes import Envelopes
from ._fields import Fields, Report
from ._parts import (
    allow_tools,
    cache_of,
    function_tool,
    put_format,
    put_numbers,
    put_user,
)
from ._tool_forms import ToolForm, ToolForms, custom_tool

__all__ = ["NAMES", "read_chat"]

NAMES: Final[Mapping[str, str]] = {
    "max_tokens": "max_completion_tokens",
    "reasoning.effort": "reasoning_effort",
    "reasoning": "reasoning_effort",
}
"""The client's names of Jackfield's options, where they differ."""

_WORDS: Final = "Unsupported parameter: '{name}': {why}."
# Fields that only services of this API have, and whether the answer may be another one without them.
_OWN: Final[Mapping[str, bool]] = {
    "metadata": False,
    "moderation": True,
    "modalities": True,
    "audio": True,
    "prediction": False,
    "prompt_cache_key": False,
    "prompt_cache_options": False,
    "prompt_cache_retention": False,
    "service_tier": False,
    "store": False,
    "verbosity": True,
    "web_search_options": True,
}
_LEGACY: Final = ("functions", "function_call")
_CHOICES: Final = ("none", "auto", "required")


def read_chat(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of chat completions.

    Source: types of OpenAI's Python SDK 3.54.0 and requests recorded of real clients, November 2026.
    """
    del headers
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    target = fields.required("model", fields.text("model"))
    stream = fields.flag("stream") or False
    context: dict[str, Any] = {"include_usage": _takes_usage(fields)}
    _refuse_legacy(fields)
    forms = ToolForms()
    _put_tools(fields, options, forms, report)
    context["tools"] = forms
    wires = fields.required("messages", fields.items("messages"))
    if not wires:
        raise fields.wrong("messages", "must have at least one message")
    reader = ChatMessages(report, envelopes, forms)
    messages = [reader.message(Fields(wire, f"messages[{n}]", report)) for n, wire in enumerate(wires)]
    _put_options(fields, options)
    own = {name: value for name in _OWN if (value := fields.take(name)) is not None}
    unknown = dict(fields.left())
    for name, value in {**own, **unknown}.items():
        report.keep_for(FAMILY, name, value, changes=_OWN.get(name, True))
    if own or unknown:
        options["extra"] = {FAMILY: {**own, **unknown}}
    return Asked(
        surface="openai.chat",
        kind="chat",
        target=target,
        arguments=(join_results(messages),),
        options=options,
        stream=stream,
        notes=tuple(report.notes),
        own=tuple(report.own),
        context=context,
    )


def _takes_usage(fields: Fields) -> bool:
    wanted = fields.inner("stream_options")
    if wanted is None:
        return False
    include = wanted.flag("include_usage") or False
    wanted.forget("include_obfuscation")
    wanted.end()
    return include


def _refuse_legacy(fields: Fields) -> None:
    for name in _LEGACY:
        if fields.take(name) is not None:
            raise fields.wrong(name, "is not served; use tools and tool_choice", "unsupported_parameter")


def _put_options(fields: Fields, options: dict[str, Any]) -> None:
    new, old = fields.integer("max_completion_tokens", least=0), fields.integer("max_tokens", least=0)
    if new is not None or old is not None:
        options["max_tokens"] = new if new is not None else old
    put_numbers(fields, options, "temperature", "top_p", "presence_penalty", "frequency_penalty")
    for name, least in (("seed", None), ("top_logprobs", 0), ("n", 1), ("top_k", None)):
        value = fields.integer(name, least=least)
        if value is not None:
            options[name] = value
    for name in ("logprobs", "parallel_tool_calls"):
        flag = fields.flag(name)
        if flag is not None:
            options[name] = flag
    bias = fields.mapping("logit_bias")
    if bias is not None:
        options["logit_bias"] = bias
    effort = fields.text("reasoning_effort")
    if effort is not None:
        options["reasoning"] = effort
    put_stop(fields, options, "stop")
    put_user(fields, options)
    form = fields.inner("response_format")
    put_format(form, options, None if form is None else form.inner("json_schema"))
    if not options.get("tools"):
        for name in ("tool_choice", "parallel_tool_calls"):
            if options.pop(name, None) is not None:
                fields.report.drop(name, "there are no tools")


def put_stop(fields: Fields, options: dict[str, Any], name: str) -> None:
    """Read stop sequences: one string, or several."""
    stop = fields.take(name)
    if stop is None:
        return
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        raise fields.wrong(name, "must be a string or an array of strings", "invalid_type")
    if stops:
        options["stop"] = stops


def _put_tools(fields: Fields, options: dict[str, Any], forms: ToolForms, report: Report) -> None:
    tools: list[Tool] = []
    for number, wire in enumerate(fields.items("tools") or ()):
        tool = Fields(wire, f"tools[{number}]", report)
        kind = tool.text("type") or "function"
        if kind == "function":
            inner = tool.required("function", tool.inner("function"))
            name = inner.required("name", inner.text("name"))
            tools.append(_with_mark(function_tool(inner, name, report), cache_of(tool)))
            tool.end()
        elif kind == "custom":
            inner = tool.required("custom", tool.inner("custom"))
            name = inner.required("name", inner.text("name"))
            tools.append(custom_tool(forms.add(ToolForm(name, custom=True)), inner, report))
            inner.end()
            tool.end()
        else:
            report.refuse(tool.where, f"a mesh has no tool of the type {kind!r}", wire)
    if tools:
        options["tools"] = tools
    _put_choice(fields, options, tools, report)


def _with_mark(tool: Tool, cache: str | None) -> Tool:
    return tool if cache is None else attrs.evolve(tool, cache=cache)


def _put_choice(fields: Fields, options: dict[str, Any], tools: list[Tool], report: Report) -> None:
    choice = fields.peek("tool_choice")
    if choice is None or isinstance(choice, str):
        word = fields.word("tool_choice", _CHOICES)
        if word is not None:
            options["tool_choice"] = word
        return
    named = Fields(fields.take("tool_choice"), "tool_choice", report)
    kind = named.word("type", ("function", "custom", "allowed_tools"))
    inner = named.required(str(kind), named.inner(str(kind)))
    if kind == "allowed_tools":
        mode = inner.word("mode", ("auto", "required")) or "auto"
        allowed = [Fields(one, f"{inner.where}.tools", report) for one in inner.items("tools") or ()]
        names = [one.required("name", _name_in(one)) for one in allowed]
        options["tools"] = allow_tools(inner, tools, names, mode, options, report)
        return
    name = inner.required("name", inner.text("name"))
    if all(tool.name != name for tool in tools):
        raise inner.wrong("name", f"names no tool that is given: {name!r}")
    options["tool_choice"] = name


def _name_in(choice: Fields) -> str | None:
    kind = choice.text("type") or "function"
    inner = choice.inner(kind)
    return None if inner is None else inner.text("name")
