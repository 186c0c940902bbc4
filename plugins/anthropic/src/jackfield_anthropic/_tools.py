"""Tools, the choice among them, and structured output."""

from __future__ import annotations

from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, JSONTool, Options, ParameterWriter, json_tool

from ._messages import cache_mark
from ._models import Profile
from ._schemas import SchemaAdapter

__all__ = ["put_tools"]

_FORMAT: Final = "output_config.format"
_SUBSET: Final = "the service holds a model to a subset of JSON schema alone"
_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}


def put_tools(writer: ParameterWriter, profile: Profile, options: Options) -> str | None:
    """Write tools, the choice among them, and the answer's format.

    Returns:
        The name of the tool through which an answer in JSON comes; None if it comes as text.
    """
    tools = [] if options.tools is UNSET else list(options.tools)
    writer.put("tools", convert=lambda tools: [_tool(tool, i, writer) for i, tool in enumerate(tools)])
    through = _put_format(writer, profile, options, [tool.name for tool in tools])
    if through is None:
        _put_choice(writer)
    return through


def _tool(tool: Tool, index: int, writer: ParameterWriter) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    wire["input_schema"] = tool.parameters
    if tool.strict is not None:
        wire["strict"] = tool.strict
    if tool.strict:
        _hold_to_schema(wire, f"tools[{index}]", writer)
    if tool.cache is not None:
        wire["cache_control"] = cache_mark(tool.cache, writer, f"tools[{index}]")
    return wire


def _hold_to_schema(wire: dict[str, Any], where: str, writer: ParameterWriter) -> None:
    """Write the schema of a strict tool in the subset to which the service holds arguments."""
    adapter = SchemaAdapter()
    adapted = adapter.adapt(wire["input_schema"])
    if adapter.maps:
        why = "the service cannot hold arguments to a schema with objects of any keys"
        writer.refuse(f"{where}.strict", why, wire.pop("strict"))
    elif (changes := adapter.changes()) is not None:
        wire["input_schema"] = adapted
        writer.note(
            f"{where}.parameters", "emulated", wire="tools", value=adapted, why=f"{_SUBSET}: {changes}"
        )


def _thinks_with_budget(writer: ParameterWriter) -> bool:
    return (writer.body.get("thinking") or {}).get("type") == "enabled"


def _put_choice(writer: ParameterWriter) -> None:
    """Write the choice and, within it, whether calls may be parallel."""
    choice, parallel = writer.take("tool_choice"), writer.take("parallel_tool_calls")
    if choice is not UNSET and choice not in ("auto", "none") and _thinks_with_budget(writer):
        writer.refuse(
            "tool_choice", "no tool call can be forced while the model thinks with a budget", choice
        )
        choice = UNSET
    if choice is not UNSET:
        named = {"type": _CHOICES[choice]} if choice in _CHOICES else {"type": "tool", "name": choice}
        writer.write("tool_choice", "tool_choice", named)
    if parallel is UNSET:
        return
    if choice == "none":
        writer.drop("parallel_tool_calls", "no tool is called", parallel)
        return
    if choice is UNSET:
        writer.default(
            "tool_choice", "tool_choice", {"type": "auto"}, "it contains whether calls are parallel"
        )
    writer.body["tool_choice"]["disable_parallel_tool_use"] = not parallel
    writer.note("parallel_tool_calls", "renamed", wire="tool_choice", value=parallel)


def _put_format(writer: ParameterWriter, profile: Profile, options: Options, names: list[str]) -> str | None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return None
    if wanted != "json" and profile.json_schema is not False:
        adapter = SchemaAdapter()
        adapted, changes = adapter.adapt(wanted), adapter.changes()
        if changes is not None and not options.emulate:
            writer.refuse("response_format", f"{_SUBSET}; emulate is off", wanted)
            return None
        if not adapter.maps:  # objects of any keys are for a tool, whose arguments are held to nothing
            writer.write("response_format", _FORMAT, {"type": "json_schema", "schema": adapted})
            if changes is not None:
                why = f"{_SUBSET}: {changes}"
                writer.note("response_format.schema", "emulated", wire=_FORMAT, value=adapted, why=why)
            return None
    through = json_tool(
        writer,
        wanted,
        names=names,
        choice=options.tool_choice,
        emulate=options.emulate,
        obstacle=_obstacle(writer, profile),
    )
    if through is None:
        return None
    _force(writer, options, through)
    return through.tool.name


def _obstacle(writer: ParameterWriter, profile: Profile) -> str | None:
    """Return why the model cannot be forced to call a tool that takes the answer; None if it can."""
    if profile.forced is False:
        return "no tool call can be forced in its place"
    if _thinks_with_budget(writer):
        return "no tool call can be forced in its place while the model thinks with a budget"
    return None


def _force(writer: ParameterWriter, options: Options, through: JSONTool) -> None:
    """Offer the tool that takes the answer, and force a call."""
    writer.body["tools"] = [*writer.body.get("tools", ()), _tool(through.tool, 0, writer)]
    writer.take("tool_choice")
    forced: dict[str, Any] = (
        {"type": "tool", "name": through.tool.name} if through.by_name else {"type": "any"}
    )
    writer.body["tool_choice"] = forced
    through.note(writer, tools="tools", choice="tool_choice", forced=forced)
    if writer.take("parallel_tool_calls") is not UNSET:
        forced["disable_parallel_tool_use"] = not options.parallel_tool_calls
        writer.note("parallel_tool_calls", "renamed", wire="tool_choice", value=options.parallel_tool_calls)
