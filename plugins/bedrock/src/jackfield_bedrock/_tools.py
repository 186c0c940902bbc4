"""Tools, the choice among them, and structured output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield import Message, Tool, ToolCall, ToolResult
from jackfield.plugin import UNSET, Options, ParameterWriter, json_tool, write_json

from ._messages import CachePoints
from ._reasoning import thinks_with_budget

__all__ = ["put_tools"]

_CHOICES: Final[Mapping[str, str]] = {"auto": "auto", "required": "any"}
_CONFIG: Final = "toolConfig"
_OPTIONS: Final = frozenset({"tools", "tool_choice", "parallel_tool_calls", "response_format"})


def put_tools(
    writer: ParameterWriter,
    options: Options,
    row: Mapping[str, Any],
    messages: Sequence[Message],
    *,
    cache: CachePoints,
    stream: bool,
) -> str | None:
    """Write tools, the choice among them, and the answer's format.

    Returns:
        The name of the tool through which an answer in JSON comes; None if it comes as text.
    """
    if _OPTIONS.isdisjoint(writer.left) and not _called_tools(messages):
        return None
    offered, choice = writer.take("tools"), _take_choice(writer)
    tools = [] if offered is UNSET else _tools(offered, cache)
    if tools and stream and row.get("streams_tools") is False:
        writer.refuse(
            "tools",
            "the service does not stream tool calls of this model; call it without streaming",
            offered,
        )
        tools, offered = [], UNSET
    if offered is not UNSET and not offered:
        writer.drop("tools", "the service does not accept an empty list of tools", offered)
    through = _put_format(writer, options, row, tools, choice)
    if through is None:
        _omit_or_keep(writer, tools, choice, messages)
    if tools:
        writer.body[_CONFIG] = {"tools": tools}
        if offered is not UNSET and offered:
            writer.note("tools", "renamed", wire=f"{_CONFIG}.tools", value=offered)
    if through is not None:
        writer.body[_CONFIG]["toolChoice"] = through[1]
    elif choice is not UNSET and choice != "none":
        _put_choice(writer, choice, any_tools=bool(tools))
    _put_parallel(writer)
    return None if through is None else through[0]


def _put_choice(writer: ParameterWriter, choice: str, *, any_tools: bool) -> None:
    if any_tools:
        named = {_CHOICES[choice]: {}} if choice in _CHOICES else {"tool": {"name": choice}}
        writer.write("tool_choice", f"{_CONFIG}.toolChoice", named)
    else:
        report = writer.drop if choice == "auto" else writer.refuse
        report("tool_choice", "there is no tool to choose", choice)


def _tools(given: Sequence[Tool], cache: CachePoints) -> list[dict[str, Any]]:
    tools = []
    for index, tool in enumerate(given):
        tools += [_tool(tool), *cache.build(tool.cache, f"tools[{index}]", tool=True)]
    return tools


def _take_choice(writer: ParameterWriter) -> Any:
    """Take the choice; no call can be forced while a model thinks with a budget."""
    choice = writer.take("tool_choice")
    if choice not in (UNSET, "auto", "none") and thinks_with_budget(writer):
        writer.refuse(
            "tool_choice", "no tool call can be forced while the model thinks with a budget", choice
        )
        return UNSET
    return choice


def _tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    wire["inputSchema"] = {"json": tool.parameters}
    if tool.strict is not None:
        wire["strict"] = tool.strict
    return {"toolSpec": wire}


def _omit_or_keep(
    writer: ParameterWriter, tools: list[dict[str, Any]], choice: Any, messages: Sequence[Message]
) -> None:
    """Emulate the choice "none", which the service does not have, by omitting tools unless the history requires them.

    Source: Bedrock user guide, tool use (2024-2026): a history with calls or results requires `toolConfig`.
    """
    called = _called_tools(messages)
    if choice == "none":
        if tools and called:
            writer.refuse(
                "tool_choice", "the service cannot forbid calls while the history contains some", choice
            )
            return
        why = "the service does not have this choice: the tools were left out"
        writer.note("tool_choice", "emulated", value=choice, why=why)
        tools.clear()
    if not tools and called:
        tools += [
            {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in called
        ]
        why = "the history contains tool calls, and the service then requires the tools"
        writer.note("tools", "defaulted", wire=f"{_CONFIG}.tools", value=called, why=why)


def _called_tools(messages: Sequence[Message]) -> list[str]:
    names: dict[str, None] = {}
    found = False
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                names[part.name] = None
                found = True
            elif isinstance(part, ToolResult):
                found = True
    return list(names) or (["tool"] if found else [])


def _put_parallel(writer: ParameterWriter) -> None:
    parallel = writer.take("parallel_tool_calls")
    if parallel is True:
        writer.drop("parallel_tool_calls", "the service has no such parameter, and does this anyway", True)
    elif parallel is not UNSET:
        writer.refuse(
            "parallel_tool_calls", "Converse cannot prevent a model from calling several tools", parallel
        )


def _put_format(
    writer: ParameterWriter,
    options: Options,
    row: Mapping[str, Any],
    tools: list[dict[str, Any]],
    choice: Any,
) -> tuple[str, dict[str, Any]] | None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return None
    if wanted != "json" and row.get("schema") != "tool" and _put_schema(writer, wanted, options):
        return None
    through = json_tool(
        writer,
        wanted,
        names=[tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool],
        choice=choice,
        emulate=options.emulate,
        obstacle=_obstacle(writer, row),
    )
    if through is None:
        return None
    name = through.tool.name
    tools.append(_tool(through.tool))
    forced: dict[str, Any] = {"tool": {"name": name}} if through.by_name else {"any": {}}
    through.note(writer, tools=f"{_CONFIG}.tools", choice=f"{_CONFIG}.toolChoice", forced=forced)
    return name, forced


def _put_schema(writer: ParameterWriter, wanted: Mapping[str, Any], options: Options) -> bool:
    """Write the schema of the answer in the subset that the service has; False if the subset cannot describe it.

    Source: Bedrock user guide, structured outputs (2026): the subset is that of Anthropic's own API; recorded 2026:
    lengths of strings are accepted, numbers of items are not.
    """
    from jackfield_anthropic.dialect import SchemaAdapter

    adapter = SchemaAdapter("minLength", "maxLength")
    adapted, changes = adapter.adapt(wanted), adapter.changes()
    why = f"the service holds a model to a subset of JSON schema alone: {changes}"
    if changes is not None and not options.emulate:
        writer.refuse("response_format", f"{why}; emulate is off", wanted)
        return True
    if adapter.maps:
        return False
    form = {"schema": write_json(adapted).decode()}
    text = {"type": "json_schema", "structure": {"jsonSchema": form}}
    writer.write("response_format", "outputConfig.textFormat", text)
    if changes is not None:
        writer.note(
            "response_format.schema", "emulated", wire="outputConfig.textFormat", value=adapted, why=why
        )
    return True


def _obstacle(writer: ParameterWriter, row: Mapping[str, Any]) -> str | None:
    """Return why the model cannot be forced to call a tool that takes the answer; None if it can."""
    if row.get("forced") is False:
        return "no tool call can be forced in its place"
    if thinks_with_budget(writer):
        return "no tool call can be forced in its place while the model thinks with a budget"
    return None
