"""Tools and structured output: how a request declares them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from jackfield import Tool
from jackfield.plugin import UNSET, Options, ParameterWriter

from ._dialect import Dialect

__all__ = ["complete_parameters", "named_schema", "put_format", "put_tools", "put_with_tools"]


def put_tools(dialect: Dialect, writer: ParameterWriter, options: Options) -> None:
    """Write `tools`, `tool_choice` and `parallel_tool_calls` for chat completions."""
    put_with_tools(dialect, writer, options, _convert_tool, _convert_choice)


def put_with_tools(
    dialect: Dialect,
    writer: ParameterWriter,
    options: Options,
    convert: Callable[[Tool], Any],
    convert_choice: Callable[[str], Any],
) -> Any:
    """Write the tools and, if there are any, the options about them, which services refuse without tools.

    Args:
        dialect: The service's.
        writer: Receives them.
        options: What was asked for; `extra` may have tools of the service's own.
        convert: Returns the service's form of a tool.
        convert_choice: Returns the service's form of a choice.

    Returns:
        The list of tools that was written, or `UNSET`.
    """
    tools = writer.put("tools", convert=lambda tools: [convert(tool) for tool in tools])
    own = any("tools" in (options.extra.get(name) or {}) for name in dialect.ids)
    if tools is not UNSET or own:
        writer.put("tool_choice", convert=convert_choice)
        parallel = dialect.renamed.get("parallel_tool_calls", "parallel_tool_calls")
        if parallel is not None:
            writer.put("parallel_tool_calls", parallel)
        return tools
    for name in ("tool_choice", "parallel_tool_calls"):
        value = writer.take(name)
        if value is not UNSET:
            writer.drop(name, "there are no tools, without which the service refuses it", value)
    return tools


def complete_parameters(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the schema of a tool's arguments in the form that services accept: an object with properties.

    Servers of tools leave out what is empty, or send null for it (FastMCP, mcp-go), and OpenAI and LM Studio refuse that.
    """
    found = {name: value for name, value in (schema or {}).items() if value is not None}
    if not found.keys() & {"type", "$ref", "anyOf", "oneOf", "allOf"}:
        found = {"type": "object", **found}
    if found.get("type") == "object" and "properties" not in found:
        found["properties"] = {}
    return found


def _convert_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = complete_parameters(tool.parameters)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _convert_choice(choice: str) -> Any:
    return (
        choice
        if choice in ("auto", "none", "required")
        else {"type": "function", "function": {"name": choice}}
    )


def put_format(writer: ParameterWriter, *, narrow: bool) -> None:
    """Write `response_format` for chat completions; for `narrow`, see `Dialect.narrow_strict`."""
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    if wanted == "json":
        writer.write("response_format", "response_format", {"type": "json_object"})
        return
    named = named_schema(wanted, writer, "response_format.json_schema", narrow=narrow)
    form = {"type": "json_schema", "json_schema": named}
    writer.write("response_format", "response_format", form)


def named_schema(
    schema: Mapping[str, Any], writer: ParameterWriter, path: str, *, narrow: bool
) -> dict[str, Any]:
    """Return a schema with the required name, and with `strict` if the schema allows it.

    Args:
        schema: The schema.
        writer: Reports both additions.
        path: The place in the wire, for the report.
        narrow: See `Dialect.narrow_strict`.
    """
    name, obstacle = _schema_name(schema), _StrictRules(narrow=narrow).find_obstacle(schema)
    why = "the service requires a name"
    writer.note("response_format.name", "defaulted", wire=f"{path}.name", value=name, why=why)
    strict, why = obstacle is None, obstacle or "the schema is closed"
    writer.note("response_format.strict", "defaulted", wire=f"{path}.strict", value=strict, why=why)
    return {"name": name, "schema": schema, "strict": strict}


_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
_KEYWORDS: Final = frozenset(
    {"type", "title", "description", "enum", "const", "anyOf", "properties", "required", "additionalProperties", "items",
     "$ref", "$defs", "definitions", "$schema"}
)  # fmt: skip
_LIMITS: Final = frozenset(
    {"pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
)  # fmt: skip
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_MOST_VALUES: Final = 1000
_MOST_LETTERS: Final = 120_000


class _StrictRules:
    """The subset of JSON Schema for which `strict: true` is possible; any other schema gets status 400.

    Sources: OpenAI's guide to structured outputs, "Supported schemas" (2026-11); Microsoft's page on structured outputs
    (2026): no limits of values, 100 properties, five levels. Fine-tuned models of OpenAI have no limits of values either.
    """

    def __init__(self, *, narrow: bool) -> None:
        self._keywords = _KEYWORDS if narrow else _KEYWORDS | _LIMITS
        self._most_properties, self._deepest = (100, 5) if narrow else (5000, 10)
        self._properties = self._values = self._letters = 0

    def find_obstacle(self, schema: Mapping[str, Any]) -> str | None:
        """Return why a schema cannot be strict; None if it can."""
        try:
            return self._find_obstacle(schema)
        except (TypeError, AttributeError, RecursionError):  # it is not a schema, which the service will say
            return "a part of the schema is not valid"

    def _find_obstacle(self, schema: Mapping[str, Any]) -> str | None:
        if schema.get("type") != "object" or "anyOf" in schema:
            return "the root of the schema is not an object"
        found = self._schema(schema, 1)
        if found is not None:
            return found
        if self._properties > self._most_properties:
            return f"the schema has more than {self._most_properties} properties"
        if self._values > _MOST_VALUES or self._letters > _MOST_LETTERS:
            return "the schema has too many names and values"
        return None

    def _schema(self, schema: Any, depth: int) -> str | None:
        if not isinstance(schema, Mapping):
            return "a part of the schema is not an object"
        unknown = next((name for name in schema if name not in self._keywords), None)
        if unknown is not None:
            return f"strict mode does not accept {unknown!r}"
        if "$ref" in schema:
            local = isinstance(schema["$ref"], str) and schema["$ref"].startswith("#")
            return None if local and len(schema) == 1 else "a $ref must be local and stand alone"
        types = schema.get("type", ())
        types = {types} if isinstance(types, str) else set(types)
        if not types <= _TYPES or not (types or "anyOf" in schema):
            return "a part of the schema has no type"
        if depth > self._deepest and types & {"object", "array"}:
            return f"the schema has more than {self._deepest} levels"
        if schema.get("format", "date") not in _FORMATS:
            return f"strict mode does not accept the format {schema['format']!r}"
        self._count(schema)
        return (
            self._object(schema, types, depth)
            or self._array(schema, types, depth)
            or self._all(schema.get("anyOf", ()), depth)
            or self._all(schema.get("$defs", {}).values(), depth)
            or self._all(schema.get("definitions", {}).values(), depth)
        )

    def _count(self, schema: Mapping[str, Any]) -> None:
        values = schema.get("enum", ())
        self._values += len(values)
        names = (*schema.get("properties", ()), *schema.get("$defs", ()), *schema.get("definitions", ()))
        texts = (*names, *values, schema.get("const"))
        self._letters += sum(len(text) for text in texts if isinstance(text, str))

    def _object(self, schema: Mapping[str, Any], types: set[str], depth: int) -> str | None:
        if "object" not in types:
            return None if "properties" not in schema else "a part with properties is not an object"
        properties = schema.get("properties")
        if not isinstance(properties, Mapping):
            return "an object has no properties"
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(
            properties
        ):
            return "the schema has optional or additional properties"
        self._properties += len(properties)
        return self._all(properties.values(), depth + 1)

    def _array(self, schema: Mapping[str, Any], types: set[str], depth: int) -> str | None:
        return self._schema(schema.get("items"), depth + 1) if "array" in types else None

    def _all(self, schemas: Iterable[Any], depth: int) -> str | None:
        return next((found for schema in schemas if (found := self._schema(schema, depth))), None)


def _schema_name(schema: Mapping[str, Any]) -> str:
    """Return a name for a schema: its title in the letters that are allowed, or "response"."""
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title)[:64].strip("_") if isinstance(title, str) else ""
    return name or "response"
