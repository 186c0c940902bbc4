"""Tools and structured output: how a request declares them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jackfield import Tool
from jackfield.plugin import UNSET, ParameterWriter

__all__ = ["named_schema", "put_format", "put_tools"]


def put_tools(writer: ParameterWriter) -> None:
    """Write `tools` and `tool_choice` for chat completions."""
    writer.put("tools", convert=lambda tools: [{"type": "function", "function": _function(t)} for t in tools])
    writer.put("tool_choice", convert=_convert_choice)


def _function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function


def _convert_choice(choice: str) -> Any:
    return (
        choice
        if choice in ("auto", "none", "required")
        else {"type": "function", "function": {"name": choice}}
    )


def put_format(writer: ParameterWriter) -> None:
    """Write `response_format` for chat completions."""
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    if wanted == "json":
        writer.write("response_format", "response_format", {"type": "json_object"})
        return
    form = {"type": "json_schema", "json_schema": named_schema(wanted, writer, "response_format.json_schema")}
    writer.write("response_format", "response_format", form)


def named_schema(schema: Mapping[str, Any], writer: ParameterWriter, path: str) -> dict[str, Any]:
    """Return a schema with the required name, and with `strict` if the schema allows it.

    Args:
        schema: The schema.
        writer: Reports both additions.
        path: The place in the wire, for the report.
    """
    name, strict = _schema_name(schema), _follows_strict_rules(schema)
    why = "the service requires a name"
    writer.note("response_format.name", "defaulted", wire=f"{path}.name", value=name, why=why)
    why = "the schema is closed" if strict else "the schema has optional or additional properties"
    writer.note("response_format.strict", "defaulted", wire=f"{path}.strict", value=strict, why=why)
    return {"name": name, "schema": schema, "strict": strict}


def _follows_strict_rules(schema: Any) -> bool:
    """Check whether `strict` is possible: every object is closed and requires all of its properties.

    Source: OpenAI's guide to structured outputs; with `strict: true`, any other schema gets status 400.
    """
    if isinstance(schema, Mapping):
        if schema.get("type") == "object" or "properties" in schema:
            properties = schema.get("properties", {})
            if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(
                properties
            ):
                return False
        return all(_follows_strict_rules(value) for value in schema.values())
    if isinstance(schema, list | tuple):
        return all(_follows_strict_rules(value) for value in schema)
    return True


def _schema_name(schema: Mapping[str, Any]) -> str:
    """Return a name for a schema: its title in the letters that are allowed, or "response"."""
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title)[:64].strip("_") if isinstance(title, str) else ""
    return name or "response"
