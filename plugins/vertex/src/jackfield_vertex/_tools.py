"""Tools, the choice among them, the answer's format, and how much Gemini thinks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, Options, ParameterWriter

__all__ = ["put_format", "put_reasoning", "put_tools"]

_MODES: Final = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
# What the OpenAPI subset of `parameters` and `responseSchema` has; models that take JSON schema take it as it is.
_OPENAPI: Final = frozenset(
    {"type", "format", "title", "description", "nullable", "default", "items", "minItems", "maxItems", "enum",
     "properties", "propertyOrdering", "required", "minProperties", "maxProperties", "minimum", "maximum",
     "minLength", "maxLength", "pattern", "example", "anyOf"}
)  # fmt: skip
_LEVELS: Final = ("minimal", "low", "medium", "high")
# Jackfield's own choice for models that know budgets alone; -1 lets the model choose, which is what it does unasked.
_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}


def put_tools(writer: ParameterWriter, options: Options, row: Mapping[str, Any]) -> None:
    """Write tools and the choice among them."""
    plain = row.get("schemas") == "openapi"

    def declared(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
        made = [_tool(tool, f"tools[{i}]", writer, plain=plain) for i, tool in enumerate(tools)]
        return [{"functionDeclarations": made}]

    if options.tools == ():
        writer.take("tools")
        writer.note("tools", "dropped", value=(), why="no tool is offered by an empty list")
    else:
        writer.put("tools", convert=declared)
    choice = writer.take("tool_choice")
    if choice is not UNSET:
        config: dict[str, Any] = {"mode": _MODES.get(choice, "ANY")}
        if choice not in _MODES:
            config["allowedFunctionNames"] = [choice]
        writer.write("tool_choice", "toolConfig.functionCallingConfig", config)
    parallel = writer.take("parallel_tool_calls")
    if parallel is True:
        writer.drop("parallel_tool_calls", "the service has no switch for it; the model may do so", parallel)
    elif parallel is False:
        writer.refuse("parallel_tool_calls", "the service has no switch for it", parallel)


def _tool(tool: Tool, where: str, writer: ParameterWriter, *, plain: bool) -> dict[str, Any]:
    if tool.strict is not None:
        why = "the service has no such setting of a tool; the mode VALIDATED is one of all (extra.vertex.toolConfig)"
        writer.drop(f"{where}.strict", why, tool.strict)
    if tool.cache is not None:
        writer.drop(f"{where}.cache", "the service caches prefixes by itself", tool.cache)
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    if not plain:
        wire["parametersJsonSchema"] = tool.parameters
    elif tool.parameters.get("properties"):  # an object without properties is refused by the subset
        wire["parameters"] = _subset(tool.parameters, f"{where}.parameters", writer)
    return wire


def _subset(schema: Mapping[str, Any], where: str, writer: ParameterWriter) -> dict[str, Any]:
    """Write a JSON schema in the OpenAPI subset; what it does not have is left out and reported."""
    dropped: set[str] = set()
    made = _reduced(schema, dropped)
    if dropped:
        why = "the model knows a subset of OpenAPI's schemas, without these words"
        writer.drop(where, why, sorted(dropped))
    return made


def _reduced(schema: Mapping[str, Any], dropped: set[str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name not in _OPENAPI:
            dropped.add(name)
        elif name == "properties":
            made[name] = {key: _reduced(inner, dropped) for key, inner in value.items()}
        elif name == "items":
            made[name] = _reduced(value, dropped)
        elif name == "anyOf":
            made[name] = [_reduced(inner, dropped) for inner in value]
        elif name == "type" and isinstance(value, list):
            kinds = [kind for kind in value if kind != "null"]
            made.update({"nullable": True} if len(kinds) < len(value) else {})
            made.update({"type": kinds[0]} if len(kinds) == 1 else {"anyOf": [{"type": k} for k in kinds]})
        else:
            made[name] = value
    return made


def put_format(writer: ParameterWriter, row: Mapping[str, Any]) -> None:
    """Write that the answer is JSON, and by which schema."""
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    writer.write("response_format", "generationConfig.responseMimeType", "application/json")
    if wanted == "json":
        return
    config = writer.body["generationConfig"]
    if row.get("schemas") == "openapi":
        config["responseSchema"] = _subset(wanted, "response_format", writer)
    else:
        config["responseJsonSchema"] = wanted


def put_reasoning(writer: ParameterWriter, options: Options, row: Mapping[str, Any]) -> None:
    """Write the wish for reasoning the way the model's family takes it: a budget (2.5) or a level (3).

    A model that nobody has listed is asked by what was given: a budget for a budget, a level for an effort.
    """
    reasoning = writer.take("reasoning")
    if reasoning is UNSET:
        return
    way = row.get("thinking")
    effort, budget, summary = reasoning.effort, reasoning.budget_tokens, reasoning.summary
    if effort == "none" and way == "none":
        writer.drop("reasoning.effort", "the model never thinks", effort)
    elif effort == "none" and way == "level":
        writer.refuse(
            "reasoning.effort", "the model cannot be told not to think; its least is minimal", effort
        )
    elif effort == "none":
        writer.write("reasoning.effort", f"{_THINKING}.thinkingBudget", 0)
    elif effort is not None and way == "budget":
        _budget_for(writer, effort, budget, options)
    elif effort is not None and way != "none":
        _put_level(writer, effort)
    if budget is not None:
        writer.write("reasoning.budget_tokens", f"{_THINKING}.thinkingBudget", budget)
    if summary is not None:
        writer.write("reasoning.summary", f"{_THINKING}.includeThoughts", summary is not False)


_THINKING: Final = "generationConfig.thinkingConfig"


def _put_level(writer: ParameterWriter, effort: str) -> None:
    if effort not in _LEVELS:
        writer.refuse("reasoning.effort", f"{effort!r} is none of the levels {', '.join(_LEVELS)}", effort)
        return
    writer.write("reasoning.effort", f"{_THINKING}.thinkingLevel", effort.upper())


def _budget_for(writer: ParameterWriter, effort: str, budget: int | None, options: Options) -> None:
    why = "the model knows budgets of tokens, no efforts"
    if effort not in _BUDGETS or not options.emulate:
        writer.refuse("reasoning.effort", f"{why}: pass budget_tokens", effort)
    elif budget is not None:
        writer.drop("reasoning.effort", f"{why}; the budget that was given holds", effort)
    else:
        path = f"{_THINKING}.thinkingBudget"
        writer.write("reasoning.effort", path, _BUDGETS[effort])
        writer.note("reasoning.effort", "emulated", wire=path, value=_BUDGETS[effort], why=why)
