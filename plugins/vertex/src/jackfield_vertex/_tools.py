"""Tools, tool choice, response format and reasoning of Gemini."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, Options, ParameterWriter

__all__ = ["put_format", "put_reasoning", "put_tools"]

_MODES: Final = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
# The OpenAPI subset of `parameters` and `responseSchema`; newer models accept JSON schema as it is.
_OPENAPI: Final = frozenset(
    {"type", "format", "title", "description", "nullable", "default", "items", "minItems", "maxItems", "enum",
     "properties", "propertyOrdering", "required", "minProperties", "maxProperties", "minimum", "maximum",
     "minLength", "maxLength", "pattern", "example", "anyOf"}
)  # fmt: skip
_LEVELS: Final = ("minimal", "low", "medium", "high")
# Jackfield's own choice for models that only have budgets; -1 lets the model choose, which is the default.
_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}


def put_tools(writer: ParameterWriter, options: Options, row: Mapping[str, Any]) -> None:
    """Write tools and tool choice."""
    plain = row.get("schemas") == "openapi"

    def declare(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
        made = [_tool(tool, f"tools[{i}]", writer, plain=plain) for i, tool in enumerate(tools)]
        return [{"functionDeclarations": made}]

    if options.tools == ():
        writer.take("tools")
        writer.note("tools", "dropped", value=(), why="the list of tools is empty")
    else:
        writer.put("tools", convert=declare)
    choice = writer.take("tool_choice")
    if choice is not UNSET:
        config: dict[str, Any] = {"mode": _MODES.get(choice, "ANY")}
        if choice not in _MODES:
            config["allowedFunctionNames"] = [choice]
        writer.write("tool_choice", "toolConfig.functionCallingConfig", config)
    parallel = writer.take("parallel_tool_calls")
    if parallel is True:
        writer.drop(
            "parallel_tool_calls",
            "the service has no such switch; the model may call several tools",
            parallel,
        )
    elif parallel is False:
        writer.refuse("parallel_tool_calls", "the service has no such switch", parallel)


def _tool(tool: Tool, where: str, writer: ParameterWriter, *, plain: bool) -> dict[str, Any]:
    if tool.strict is not None:
        why = "the service has no such setting per tool; the mode VALIDATED is for all tools (extra.vertex.toolConfig)"
        writer.drop(f"{where}.strict", why, tool.strict)
    if tool.cache is not None:
        writer.drop(f"{where}.cache", "the service caches prefixes by itself", tool.cache)
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    if not plain:
        wire["parametersJsonSchema"] = tool.parameters
    elif tool.parameters.get("properties"):  # the subset rejects an object without properties
        wire["parameters"] = _subset(tool.parameters, f"{where}.parameters", writer)
    return wire


def _subset(schema: Mapping[str, Any], where: str, writer: ParameterWriter) -> dict[str, Any]:
    """Write a JSON schema in the OpenAPI subset; other keywords are dropped and reported."""
    dropped: set[str] = set()
    reduced = _reduce(schema, dropped)
    if dropped:
        why = "the model supports a subset of OpenAPI's schemas, without these keywords"
        writer.drop(where, why, sorted(dropped))
    return reduced


def _reduce(schema: Mapping[str, Any], dropped: set[str]) -> dict[str, Any]:
    reduced: dict[str, Any] = {}
    for name, value in schema.items():
        if name not in _OPENAPI:
            dropped.add(name)
        elif name == "properties":
            reduced[name] = {key: _reduce(inner, dropped) for key, inner in value.items()}
        elif name == "items":
            reduced[name] = _reduce(value, dropped)
        elif name == "anyOf":
            reduced[name] = [_reduce(inner, dropped) for inner in value]
        elif name == "type" and isinstance(value, list):
            kinds = [kind for kind in value if kind != "null"]
            reduced.update({"nullable": True} if len(kinds) < len(value) else {})
            reduced.update({"type": kinds[0]} if len(kinds) == 1 else {"anyOf": [{"type": k} for k in kinds]})
        else:
            reduced[name] = value
    return reduced


def put_format(writer: ParameterWriter, row: Mapping[str, Any]) -> None:
    """Write the response format: JSON, and its schema."""
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
    """Translate `reasoning=` for the model's family: a budget (2.5) or a level (3).

    A model that is not in the table gets what was passed: a budget as a budget, an effort as a level.
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
            "reasoning.effort", "the model cannot be kept from thinking; the least effort is minimal", effort
        )
    elif effort == "none":
        writer.write("reasoning.effort", f"{_THINKING}.thinkingBudget", 0)
    elif effort is not None and way == "budget":
        _put_budget(writer, effort, budget, options)
    elif effort is not None and way != "none":
        _put_level(writer, effort)
    if budget is not None:
        writer.write("reasoning.budget_tokens", f"{_THINKING}.thinkingBudget", budget)
    if summary is not None:
        writer.write("reasoning.summary", f"{_THINKING}.includeThoughts", summary is not False)


_THINKING: Final = "generationConfig.thinkingConfig"


def _put_level(writer: ParameterWriter, effort: str) -> None:
    if effort not in _LEVELS:
        writer.refuse("reasoning.effort", f"{effort!r} is not one of the levels {', '.join(_LEVELS)}", effort)
        return
    writer.write("reasoning.effort", f"{_THINKING}.thinkingLevel", effort.upper())


def _put_budget(writer: ParameterWriter, effort: str, budget: int | None, options: Options) -> None:
    why = "the model has budgets of tokens, not efforts"
    if effort not in _BUDGETS or not options.emulate:
        writer.refuse("reasoning.effort", f"{why}: pass budget_tokens", effort)
    elif budget is not None:
        writer.drop("reasoning.effort", f"{why}; budget_tokens is used", effort)
    else:
        path = f"{_THINKING}.thinkingBudget"
        writer.write("reasoning.effort", path, _BUDGETS[effort])
        writer.note("reasoning.effort", "emulated", wire=path, value=_BUDGETS[effort], why=why)
