"""The Responses API: chats, and the endpoint that counts their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeGuard

import attrs

from jackfield import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    RawPart,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CountRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._chat import put_renamed
from ._dialect import Dialect
from ._messages import (
    arguments_text,
    audio_format,
    custom_input,
    data_url,
    document_text,
    document_url,
    make_breakpoint,
    own_data,
)
from ._models import rules_for
from ._reasoning import effort_of, put_effort
from ._state import ask_for_thinking, continue_answer, put_background, uses_websocket
from ._tools import complete_parameters, named_schema, put_with_tools

__all__ = ["translate_count", "translate_response"]

# How the types of items end, of which programs write some: computer_call_output, mcp_approval_response, item_reference.
# Source: OpenAI's Python SDK 3.54.0, `ResponseInputItem`.
_ITEMS: Final = (
    "_output", "_call", "_response", "_request", "_reference", "_trigger", "_update", "_tools", "compaction",
)  # fmt: skip
_OF_CHATS: Final = ("fields", "function", "message")
_COUNTED: Final = frozenset(
    {"system", "tools", "tool_choice", "response_format", "reasoning", "parallel_tool_calls", "continue_from"}
)


def translate_response(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat into a wire for the Responses API.

    Source: OpenAI's Python SDK 3.54.0, November 2026. The API has no stop, seed, n, penalties or logit_bias.
    """
    writer, body, path = _begin(dialect, model, request.messages, request.options, capabilities)
    background = put_background(dialect, writer, request.options)
    socket = uses_websocket(model) and not background
    put_renamed(dialect, writer, "max_tokens", "max_output_tokens")
    for name in ("temperature", "top_p", "user"):
        put_renamed(dialect, writer, name)
    _put_logprobs(writer)
    _put_count(writer)
    if socket:
        body["type"] = "response.create"
    elif request.stream:
        body["stream"] = True
    writer.merge_extra(request.options.extra, *dialect.ids, joined=("tools", "include"))
    ask_for_thinking(dialect, body, capabilities)
    wire = Wire(
        path,
        body,
        stream=request.stream or socket,
        framing="sse" if request.stream else None,
        transport="websocket" if socket else "background" if background else None,
        meta={"api": "responses"},
    )
    return Translation(wire, writer.finish())


def translate_count(
    dialect: Dialect, model: ModelRef, request: CountRequest, capabilities: Capabilities
) -> Translation:
    """Translate a conversation into a wire for the endpoint that counts its tokens."""
    given = request.options
    unset: dict[str, Any] = {name: UNSET for name in given.given() if name not in _COUNTED}
    options = attrs.evolve(given, **unset)
    writer, body, path = _begin(dialect, model, request.messages, options, capabilities)
    for name, value in given.given().items():
        if name not in _COUNTED:
            writer.drop(name, "it does not affect the count", value)
    writer.merge_extra(given.extra, *dialect.ids, joined=("tools",))
    wire = Wire(f"{path}/input_tokens", body, meta={"api": "count"})
    return Translation(wire, writer.finish())


def _begin(
    dialect: Dialect,
    model: ModelRef,
    messages: tuple[Message, ...],
    options: Options,
    capabilities: Capabilities,
) -> tuple[ParameterWriter, dict[str, Any], str]:
    """Write what a chat and a count of tokens have in common."""
    rules = rules_for(model.known_as, effort_of(options), capabilities)
    path, body = dialect.start(dialect.responses_path or "/responses", model)
    writer = ParameterWriter(options.given(), rules, options.unsupported, body, model=model.id)
    known, answer = continue_answer(writer, model, messages)
    items = _Items(dialect, writer, capabilities, messages, () if answer is None else answer.tool_calls)
    body["input"] = [
        item
        for index, message in enumerate(messages[known:], known)
        for item in items.message(index, message)
    ]
    put_renamed(dialect, writer, "system", "instructions")
    _put_tools(dialect, writer, options)
    _put_format(writer, narrow=dialect.is_narrow(model))
    reasoning = writer.take("reasoning")
    if reasoning is not UNSET:
        put_effort(writer, reasoning, capabilities, "reasoning.effort", options.unsupported)
        if reasoning.budget_tokens is not None:
            writer.refuse(
                "reasoning.budget_tokens",
                "the service accepts efforts, but not token budgets",
                reasoning.budget_tokens,
            )
        if reasoning.summary not in (None, False):
            summary = "auto" if reasoning.summary is True else reasoning.summary
            writer.write("reasoning.summary", "reasoning.summary", summary)
    return writer, body, path


def _put_count(writer: ParameterWriter) -> None:
    wanted = writer.take("n")
    if wanted == 1:
        writer.drop(
            "n", "the Responses API has no such parameter, and returns a single answer anyway", wanted
        )
    elif wanted is not UNSET:
        writer.refuse("n", "the Responses API returns a single answer", wanted)


def _put_tools(dialect: Dialect, writer: ParameterWriter, options: Options) -> None:
    if put_with_tools(dialect, writer, options, _convert_tool, _convert_choice) is UNSET:
        return
    if options.tools is not UNSET and any(tool.strict is None for tool in options.tools):
        why = "the API's default is true, and it would reject an open schema"
        writer.note("tools.strict", "defaulted", wire="tools.strict", value=False, why=why)


def _convert_tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        wire["description"] = tool.description
    return {**wire, "parameters": complete_parameters(tool.parameters), "strict": bool(tool.strict)}


def _convert_choice(choice: str) -> Any:
    return choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}


def _put_format(writer: ParameterWriter, *, narrow: bool) -> None:
    wanted = writer.take("response_format")
    if wanted is UNSET:
        return
    if wanted == "json":
        writer.write("response_format", "text.format", {"type": "json_object"})
        return
    form = {"type": "json_schema", **named_schema(wanted, writer, "text.format", narrow=narrow)}
    writer.write("response_format", "text.format", form)


def _put_logprobs(writer: ParameterWriter) -> None:
    wanted = writer.take("logprobs")
    if wanted is True:
        writer.write("logprobs", "include", ["message.output_text.logprobs"])
    elif wanted is False:
        writer.drop("logprobs", "an answer contains them only on request", value=False)
    writer.put("top_logprobs")


class _Items:
    """Builds input items from messages."""

    def __init__(
        self,
        dialect: Dialect,
        writer: ParameterWriter,
        capabilities: Capabilities,
        messages: Sequence[Message],
        earlier: Sequence[ToolCall] = (),
    ) -> None:
        self.dialect = dialect
        self.writer = writer
        self.marks = capabilities.feature("prompt_cache").value is True
        calls = (*earlier, *(call for message in messages for call in message.tool_calls))
        self.custom = {call.id for call in calls if own_data(dialect, call).get("type") == "custom"}

    def message(self, index: int, message: Message) -> Iterator[dict[str, Any]]:
        where = f"messages[{index}]"
        if message.name is not None:
            self.writer.drop(
                f"{where}.name", "the Responses API does not support names of participants", message.name
            )
        if message.role == "assistant":
            for part in message.parts:
                item = self.output(part, where)
                if item is not None:
                    yield item
            return
        others: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield self.result(part, where)
            elif self.is_item(part):
                yield dict(part.data)
            else:
                others.append(part)
        if others and message.role == "tool":
            self.writer.drop(where, "a tool turn may contain only tool results")
        elif others or not message.parts:
            content = self.content(others, where)
            if others and content == []:
                self.writer.drop(
                    where, "nothing of it is left to send, and the service refuses an empty turn"
                )
                return
            role = self.dialect.system_role if message.role == "system" else message.role
            yield {"role": role, "content": content or ""}

    def is_item(self, part: Part) -> TypeGuard[RawPart]:
        """Return whether a part of another turn than the assistant's is an item of its own: the output of a hosted tool."""
        if not isinstance(part, RawPart) or part.provider not in self.dialect.ids:
            return False
        kind = part.data.get("type")
        return isinstance(kind, str) and kind.endswith(_ITEMS)

    def output(self, part: Part, where: str) -> dict[str, Any] | None:
        """Build an item from a part of an assistant's turn."""
        if isinstance(part, Text):
            if part.refusal:
                return {"role": "assistant", "content": [{"type": "refusal", "refusal": part.text}]}
            phase = own_data(self.dialect, part).get("phase")
            message = {"role": "assistant", "content": part.text}
            return message if phase is None else {**message, "phase": phase}
        if isinstance(part, ToolCall):
            return self.call(part)
        if isinstance(part, Thinking):
            item = (part.data or {}).get("item")
            if part.provider in self.dialect.ids and item is not None:
                return dict(item)
            self.writer.drop(
                f"{where}.thinking",
                f"it was produced by {part.provider}, or not by the Responses API, and cannot be sent here",
            )
            return None
        if isinstance(part, RawPart) and part.provider in self.dialect.ids:
            return dict(part.data)
        self.writer.drop(where, f"an assistant's turn cannot contain a {type(part).__name__}", part)
        return None

    def call(self, call: ToolCall) -> dict[str, Any]:
        own = {k: v for k, v in own_data(self.dialect, call).items() if k not in _OF_CHATS}
        if own.pop("type", None) == "custom":
            item = {
                "type": "custom_tool_call",
                "call_id": call.id,
                "name": call.name,
                "input": custom_input(call),
            }
        else:
            item = {
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments_text(call),
            }
        return {**item, **own}

    def result(self, result: ToolResult, where: str) -> dict[str, Any]:
        if result.is_error:
            self.writer.drop(
                f"{where}.is_error", "a tool's output has no field for it; its content says what failed"
            )
        kind = "custom_tool_call_output" if result.tool_call_id in self.custom else "function_call_output"
        output: Any = result.content
        if not isinstance(output, str):
            output = self.content(output, where) or ""
        return {"type": kind, "call_id": result.tool_call_id, "output": output}

    def content(self, parts: Sequence[Part], where: str) -> str | list[dict[str, Any]]:
        wires = [wire for part in parts if (wire := self.part(part, where)) is not None]
        if len(wires) == 1 and wires[0] == {"type": "input_text", "text": wires[0].get("text")}:
            text: str = wires[0]["text"]
            return text
        return wires

    def part(self, part: Part, where: str) -> dict[str, Any] | None:
        if isinstance(part, Text):
            return self.mark(part.cache, {"type": "input_text", "text": part.text}, where)
        if isinstance(part, Image):
            url = part.url if part.url is not None else data_url(part.data, part.media_type or "image/png")
            image = {"type": "input_image", "image_url": url}
            return self.mark(
                part.cache, image if part.detail is None else {**image, "detail": part.detail}, where
            )
        if isinstance(part, Document):
            return self.mark(part.cache, self.document(part, where), where)
        if isinstance(part, Audio) and part.data is not None:
            data = data_url(part.data, "").partition(",")[2]
            return {
                "type": "input_audio",
                "input_audio": {"data": data, "format": audio_format(part.media_type)},
            }
        if isinstance(part, RawPart) and part.provider in self.dialect.ids:
            return dict(part.data)
        self.writer.drop(where, f"the Responses API does not accept a {type(part).__name__} here", part)
        return None

    def document(self, part: Document, where: str) -> dict[str, Any]:
        if part.citations:
            self.writer.drop(f"{where}.citations", "the service does not support citations of documents")
        text = document_text(part)
        if text is not None:
            self.writer.note(where, "emulated", why="the document's text was sent as a text part")
            return {"type": "input_text", "text": text}
        if part.url is not None:
            return {"type": "input_file", "file_url": part.url}
        return {
            "type": "input_file",
            "filename": part.name or "document.pdf",
            "file_data": document_url(part),
        }

    def mark(self, cache: str | None, wire: dict[str, Any], where: str) -> dict[str, Any]:
        if cache is None:
            return wire
        if self.marks:
            return {**wire, "prompt_cache_breakpoint": make_breakpoint(cache, self.writer, where)}
        self.writer.drop(f"{where}.cache", "the model does not support marks of cacheable prefixes", cache)
        return wire
