"""Responses: the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Message, Tool
from jackfield.plugin import UnsupportedPolicy

from ._asked import Asked, AskedKind
from ._envelopes import Envelopes
from ._failures import SurfaceError
from ._fields import Fields, Report
from ._parts import allow_tools, function_tool, put_format, put_numbers, put_user
from ._responses_input import InputReader
from ._tool_forms import ToolForm, ToolForms, custom_tool

__all__ = ["NAMES", "read_input_tokens", "read_response"]

NAMES: Final[Mapping[str, str]] = {
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "messages": "input",
    "system": "instructions",
    "logprobs": "include",
}
"""The client's names of Jackfield's options, where they differ."""

_WORDS: Final = "Unsupported parameter: '{name}': {why}."
_FAMILY: Final = "openai"
# Fields that chat completions have as well, by which OpenAI's family may be asked instead; they do not change the answer.
_SHARED: Final = (
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
)
_RELAYED: Final = "only OpenAI's Responses API has it, and a model may be reached by another one"
_CHOICES: Final = ("none", "auto", "required")
_LOGPROBS: Final = "message.output_text.logprobs"
# What an answer holds anyway, or what only tools of OpenAI's give.
_INCLUDED: Final = ("reasoning.encrypted_content",)
_PRIVATE: Final = "it describes the client's machine, and is sent to nobody"


def read_response(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of Responses.

    Source: types of OpenAI's Python SDK 3.54.0, Open Responses of April 2026, and requests recorded of real clients,
    November 2026.
    """
    del headers
    return _read(body, policy, envelopes, "openai.responses", "chat")


def read_input_tokens(
    headers: Mapping[str, str], body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes
) -> Asked:
    """Read a request of the count of input tokens."""
    del headers
    return _read(body, policy, envelopes, "openai.input_tokens", "count")


def _read(
    body: Mapping[str, Any], policy: UnsupportedPolicy, envelopes: Envelopes, surface: str, kind: AskedKind
) -> Asked:
    report = Report(policy, _WORDS)
    fields = Fields(body, "", report)
    options: dict[str, Any] = {"unsupported": policy}
    target = fields.required("model", fields.text("model"))
    stream = fields.flag("stream") or False
    _refuse_stored(fields)
    forms, tools = (
        ToolForms(),
        [Fields(t, f"tools[{n}]", report) for n, t in enumerate(fields.items("tools") or ())],
    )
    found = [tool for wire in tools for tool in read_tools(wire, forms, report)]
    reader = InputReader(report, envelopes, forms)
    messages = _input(fields, reader)
    found += [tool for wire in reader.tools for tool in read_tools(wire, forms, report)]
    # Items may name tools that come later.
    messages = reader.name_calls(messages)
    if found:
        options["tools"] = _unique(found)
    _put_choice(fields, options, forms, report)
    _put_options(fields, options, reader, report)
    extra = _put_own(fields, options, report)
    if extra:
        options["extra"] = {_FAMILY: extra}
    return Asked(
        surface=surface,
        kind=kind,
        target=target,
        arguments=(messages,),
        options=options,
        stream=stream,
        notes=tuple(report.notes),
        own=tuple(report.own),
        context={"tools": forms, "echo": _echo(body)},
    )


def _input(fields: Fields, reader: InputReader) -> list[Message]:
    instructions = fields.text("instructions")
    messages = [Message("system", instructions)] if instructions else []
    given = fields.take("input")
    if isinstance(given, str):
        return [*messages, Message("user", given)]
    if given is None or given == []:
        raise fields.wrong("input", "must not be empty", "missing_required_parameter")
    if not isinstance(given, list):
        raise fields.wrong("input", "must be a string or an array of items", "invalid_type")
    return [*messages, *reader.read(given)]


def _refuse_stored(fields: Fields) -> None:
    """Refuse what needs an answer that was stored; whoever stores answers resolves these fields before."""
    if fields.flag("background"):
        raise fields.wrong("background", "is not served: no answer is stored", "unsupported_parameter")
    previous = fields.text("previous_response_id")
    if previous is not None:
        raise SurfaceError(
            f"Previous response with id '{previous}' not found (previous_response_id): no answer is stored. "
            "Send the whole conversation.",
            parameter="previous_response_id",
            kind="previous_response_not_found",
        )
    for name in ("conversation", "prompt"):
        if fields.take(name) is not None:
            raise fields.wrong(name, "is not served: it is stored with OpenAI", "unsupported_parameter")


def _unique(tools: list[Tool]) -> list[Tool]:
    """Return the tools, of which the last one of a name counts."""
    return list({tool.name: tool for tool in tools}.values())


def read_tools(fields: Fields, forms: ToolForms, report: Report, namespace: str | None = None) -> list[Tool]:
    """Return the tools that one entry of `tools` declares: one, several of a namespace, or none."""
    kind = fields.required("type", fields.text("type"))
    if kind == "function":
        name = fields.required("name", fields.text("name"))
        return [function_tool(fields, forms.add(ToolForm(name, namespace=namespace)), report)]
    if kind == "custom":
        name = fields.required("name", fields.text("name"))
        tool = custom_tool(forms.add(ToolForm(name, custom=True, namespace=namespace)), fields, report)
        fields.forget("defer_loading")
        fields.end()
        return [tool]
    if kind == "namespace":
        name = fields.required("name", fields.text("name"))
        described = fields.text("description")
        if described:
            report.drop(
                fields.place("description"),
                "a mesh has no namespaces; their names precede those of tools",
                described,
            )
        inner = fields.items("tools") or ()
        fields.end()
        where = fields.where
        wires = [Fields(wire, f"{where}.tools[{n}]", report) for n, wire in enumerate(inner)]
        return [tool for wire in wires for tool in read_tools(wire, forms, report, name)]
    report.refuse(fields.where, f"only OpenAI runs tools of the type {kind!r}", fields.raw)
    return []


def _put_choice(fields: Fields, options: dict[str, Any], forms: ToolForms, report: Report) -> None:
    choice, tools = fields.peek("tool_choice"), options.get("tools", [])
    parallel = fields.flag("parallel_tool_calls")
    if parallel is not None and tools:
        options["parallel_tool_calls"] = parallel
    elif parallel is not None:
        report.drop("parallel_tool_calls", "there are no tools", parallel)
    if choice is None:
        return
    if isinstance(choice, str):
        word = fields.word("tool_choice", _CHOICES)
        if tools:
            options["tool_choice"] = word
        elif word == "required":
            raise fields.wrong("tool_choice", "requires a tool, but no tools are given")
        return
    named = Fields(fields.take("tool_choice"), "tool_choice", report)
    kind = named.required("type", named.text("type"))
    if kind == "allowed_tools":
        mode = named.word("mode", ("auto", "required", "none")) or "auto"
        allowed = [Fields(one, f"{named.where}.tools", report) for one in named.items("tools") or ()]
        names = [forms.name_of(one.required("name", one.text("name"))) for one in allowed]
        options["tools"] = allow_tools(named, tools, names, mode, options, report)
    elif kind in ("function", "custom"):
        name = named.required("name", named.text("name"))
        ours = forms.name_of(name, named.text("namespace"), custom=kind == "custom")
        if all(tool.name != ours for tool in tools):
            raise named.wrong("name", f"names no tool that is given: {name!r}")
        options["tool_choice"] = ours
    else:
        report.refuse("tool_choice", f"only OpenAI runs tools of the type {kind!r}", choice)


def _put_options(fields: Fields, options: dict[str, Any], reader: InputReader, report: Report) -> None:
    limit = fields.integer("max_output_tokens", least=0)
    if limit is not None:
        options["max_tokens"] = limit
    put_numbers(fields, options, "temperature", "top_p", "presence_penalty", "frequency_penalty")
    top = fields.integer("top_logprobs", least=0)
    included = [str(one) for one in fields.items("include") or ()]
    if _LOGPROBS in included:
        options["logprobs"] = True
    if top:
        options["top_logprobs"] = top
        options["logprobs"] = True
    for name in included:
        if name != _LOGPROBS and name not in _INCLUDED:
            report.drop("include", "only tools that OpenAI runs give it", name)
    reasoning: dict[str, Any] = {}
    for one in [fields.inner("reasoning"), *(update.inner("reasoning") for update in reader.updates)]:
        if one is not None:
            _put_reasoning(one, reasoning, report)
    if reasoning:
        options["reasoning"] = reasoning
    for update in reader.updates:
        update.end()
    put_user(fields, options)


def _put_reasoning(fields: Fields, reasoning: dict[str, Any], report: Report) -> None:
    effort = fields.text("effort")
    if effort is not None:
        reasoning["effort"] = effort
    new, old = fields.text("summary"), fields.text("generate_summary")
    summary = new if new is not None else old
    if summary is not None:
        reasoning["summary"] = summary
    for name in ("context", "mode"):
        value = fields.take(name)
        if value is not None:
            report.refuse(fields.place(name), _RELAYED, value)
    fields.end()


def _put_own(fields: Fields, options: dict[str, Any], report: Report) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    text = fields.inner("text")
    if text is not None:
        put_format(text.inner("format"), options)
        verbosity = text.text("verbosity")
        if verbosity is not None:
            report.refuse("text.verbosity", _RELAYED, verbosity)
        text.end()
    if fields.peek("truncation") == "disabled":  # as everywhere
        fields.forget("truncation")
    if fields.take("store"):
        report.drop("store", "no answer is stored here")
    if fields.take("client_metadata") is not None:
        report.drop("client_metadata", _PRIVATE)
    fields.forget("stream_options", "type")
    for name in _SHARED:
        value = fields.take(name)
        if value is not None:
            extra[name] = value
            report.keep_for(_FAMILY, name, value, changes=False)
    management = fields.take("context_management")
    if management is not None:
        report.drop("context_management", _RELAYED, management)
    for name, value in fields.left():
        report.refuse(name, _RELAYED, value)
    return extra


# What an answer repeats of its request, with the value of what was not given.
_ECHO: Final[Mapping[str, Any]] = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}


def _echo(body: Mapping[str, Any]) -> dict[str, Any]:
    echo = {name: default if body.get(name) is None else body[name] for name, default in _ECHO.items()}
    echo["store"] = False
    if echo["service_tier"] == "auto":
        echo["service_tier"] = "default"
    if isinstance(echo["text"], Mapping):
        echo["text"] = {"format": {"type": "text"}, **echo["text"]}
    echo["tools"] = [_tool_echo(tool) for tool in echo["tools"] if isinstance(tool, Mapping)]
    return echo


def _tool_echo(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    return {"description": None, "parameters": None, "strict": None, **tool}
