"""Tools, the choice among them, and answers that follow a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, Options, ParameterWriter

from ._messages import cache_mark
from ._models import Profile

__all__ = ["put_tools"]

_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}
_JSON_TOOL: Final = "answer_in_json"


def put_tools(writer: ParameterWriter, profile: Profile, options: Options) -> str | None:
    """Write tools, the choice among them, and the answer's format.

    Returns:
        The name of the tool through which the answer in JSON comes, if it comes through one.
    """
    tools = [] if options.tools is UNSET else list(options.tools)
    writer.put("tools", convert=lambda given: [_tool(tool, i, writer) for i, tool in enumerate(given)])
    json_tool = _put_format(writer, profile, options, [tool.name for tool in tools])
    if json_tool is None:
        _put_choice(writer)
    return json_tool


def _tool(tool: Tool, index: int, writer: ParameterWriter) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    wire["input_schema"] = tool.parameters
    if tool.strict is not None:
        wire["strict"] = tool.strict
    if tool.cache is not None:
        wire["cache_control"] = cache_mark(tool.cache, writer, f"tools[{index}]")
    return wire


def _thinks_by_budget(writer: ParameterWriter) -> bool:
    return (writer.body.get("thinking") or {}).get("type") == "enabled"


def _put_choice(writer: ParameterWriter) -> None:
    """Write the choice and, inside it, whether several calls may come at once."""
    choice, parallel = writer.take("tool_choice"), writer.take("parallel_tool_calls")
    if choice is not UNSET and choice not in ("auto", "none") and _thinks_by_budget(writer):
        writer.refuse("tool_choice", "no tool call can be forced while the model thinks by a budget", choice)
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
        writer.default("tool_choice", "tool_choice", {"type": "auto"}, "it holds whether calls are parallel")
    writer.body["tool_choice"]["disable_parallel_tool_use"] = not parallel
    writer.note("parallel_tool_calls", "renamed", wire="tool_choice", value=parallel)


def _put_format(writer: ParameterWriter, profile: Profile, options: Options, names: list[str]) -> str | None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return None
    if wanted != "json" and profile.json_schema is not False:
        form = {"type": "json_schema", "schema": wanted}
        writer.write("response_format", "output_config.format", form)
        return None
    why = (
        "the service has no plain JSON mode" if wanted == "json" else "the model follows no schema by itself"
    )
    schema = {"type": "object"} if wanted == "json" else wanted
    obstacle = _obstacle(writer, profile, options, schema)
    if obstacle is not None:
        writer.refuse("response_format", f"{why}, and {obstacle}", wanted)
        return None
    return _through_tool(writer, options, names, schema, why)


def _obstacle(
    writer: ParameterWriter, profile: Profile, options: Options, schema: Mapping[str, Any]
) -> str | None:
    """Say why an answer in JSON cannot come through a forced tool; None if it can."""
    if not options.emulate:
        return "emulate=False forbids to force a tool in its place"
    if profile.forced is False:
        return "no tool call can be forced in its place"
    if _thinks_by_budget(writer):
        return "no tool call can be forced in its place while the model thinks by a budget"
    if options.tool_choice is not UNSET and options.tool_choice not in ("auto", "none"):
        return "the tool that tool_choice forces stands in the way of the one that would hold the answer"
    if schema.get("type") != "object":
        return "the tool that would hold the answer wants a schema of type object"
    return None


def _through_tool(
    writer: ParameterWriter, options: Options, names: list[str], schema: Mapping[str, Any], why: str
) -> str:
    """Offer a tool that takes the answer, and force it; beside other tools, force any of them."""
    name = _JSON_TOOL
    while name in names:
        name += "_"
    tool = {
        "name": name,
        "description": "Gives the answer. Call it when it is ready.",
        "input_schema": schema,
    }
    writer.body["tools"] = [*writer.body.get("tools", ()), tool]
    choice = writer.take("tool_choice")
    others = bool(names) and choice != "none"
    forced: dict[str, Any] = {"type": "any"} if others else {"type": "tool", "name": name}
    writer.body["tool_choice"] = forced
    writer.note(
        "response_format", "emulated", wire="tools", value=schema, why=f"{why}: through the tool {name}"
    )
    writer.note("tool_choice", "emulated", wire="tool_choice", value=forced, why="it makes the answer JSON")
    if writer.take("parallel_tool_calls") is not UNSET:
        forced["disable_parallel_tool_use"] = not options.parallel_tool_calls
        writer.note("parallel_tool_calls", "renamed", wire="tool_choice", value=options.parallel_tool_calls)
    return name
