"""Tools and structured output: how a request declares them, and the tool calls of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from jackfield import Event, Tool, ToolCallDelta, ToolCallEnd, ToolCallStart
from jackfield.plugin import UNSET, ParameterWriter

__all__ = ["ToolCallReader", "named_schema", "put_format", "put_tools"]


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


class _Call:
    """One call; it starts when its name is known."""

    __slots__ = ("held", "id", "key", "kind", "name", "number", "started")

    def __init__(self, number: int, key: Any) -> None:
        self.number = number
        self.key = key
        self.id = ""
        self.name = ""
        self.kind = "function"
        self.held: list[str] = []
        self.started = False


class ToolCallReader:
    """Assembles the tool calls of one choice from pieces.

    Servers differ: the index may be missing or always 0, the id may be missing or repeated in every piece, a
    call may arrive whole, and its arguments may be an object.
    """

    __slots__ = ("_calls", "_choice", "_provider")

    def __init__(self, choice: int, provider: str) -> None:
        self._choice = choice
        self._provider = provider
        self._calls: list[_Call] = []

    @property
    def any(self) -> bool:
        """Whether there was a call."""
        return bool(self._calls)

    def read(self, pieces: Sequence[Mapping[str, Any]], answer: str | None) -> Iterator[Event]:
        """Read the pieces of one event.

        Args:
            pieces: The pieces, unchanged.
            answer: The answer's id, from which a call without an id gets one.
        """
        for piece in pieces:
            function = piece.get("function") or piece.get("custom") or {}
            call = self._find_call(piece, function)
            call.id = call.id or _id_of(piece) or ""
            call.name = call.name or function.get("name") or ""
            if piece.get("type"):
                call.kind = piece["type"]
            arguments = function.get("arguments", function.get("input"))
            text = arguments if isinstance(arguments, str) else _to_json(arguments)
            if call.started:
                if text:
                    yield ToolCallDelta(call.number, text, self._choice)
                continue
            if text:
                call.held.append(text)
            if call.name:
                yield from self._start(call, answer)

    def end(self, answer: str | None) -> Iterator[Event]:
        """End all calls."""
        for call in self._calls:
            if not call.started:
                yield from self._start(call, answer)
            yield ToolCallEnd(call.number, self._choice)

    def _find_call(self, piece: Mapping[str, Any], function: Mapping[str, Any]) -> _Call:
        """Return the call that a piece belongs to, a new one if it belongs to none."""
        index, name, identity = piece.get("index"), function.get("name"), _id_of(piece)
        last = self._calls[-1] if self._calls else None
        if index is not None:
            # A piece without id and name does not begin a call, even if its index is new.
            beginning = identity or name
            last = next((c for c in reversed(self._calls) if c.key == index), None if beginning else last)
        elif identity:
            last = next((call for call in self._calls if call.id == identity), last if not name else None)
        elif name and last is not None and last.name:
            last = None  # whole calls without index and id: every name is a new call
        if last is None or (identity and last.id and identity != last.id and name):
            last = _Call(len(self._calls), index)
            self._calls.append(last)
        return last

    def _start(self, call: _Call, answer: str | None) -> Iterator[Event]:
        call.started = True
        # The number makes the id unique in the answer, the answer's id in the conversation.
        identity = call.id or f"call_{answer or 'answer'}_{self._choice}_{call.number}"
        data = None if call.kind == "function" else {self._provider: {"type": call.kind}}
        yield ToolCallStart(call.number, identity, call.name, self._choice, data)
        for text in call.held:
            yield ToolCallDelta(call.number, text, self._choice)
        call.held.clear()


def _id_of(piece: Mapping[str, Any]) -> str | None:
    # Mistral's SDK reads "null" as a missing id, so the service must have sent it.
    identity: str | None = piece.get("id")
    return None if identity == "null" else identity


def _to_json(arguments: Any) -> str:
    return "" if arguments is None else orjson.dumps(arguments).decode()
