"""Translate chat, completion and count requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    ModelRef,
    ParameterWriter,
    Translation,
    Wire,
)

from ._messages import write_messages, write_tool
from ._models import PROVIDER, begin_body

__all__ = ["translate_text"]

_OPTIONS: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "logprobs",
    "top_logprobs",
)  # fmt: skip

# Option values that request what the engine does anyway.
_NO_EFFECT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "tools": lambda tools: tools == (),
    "reasoning": lambda reasoning: getattr(reasoning, "effort", None) == "none",
}
_NO_EFFECT_WITHOUT_TOOLS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "tool_choice": lambda choice: choice in {"auto", "none"},
    "parallel_tool_calls": lambda parallel: isinstance(parallel, bool),
}


def translate_text(
    model: ModelRef,
    request: ChatRequest | CompletionRequest | CountRequest,
    capabilities: Capabilities,
    call: str,
) -> Translation:
    """Translate a request whose reply is text, or the count of its tokens.

    Args:
        model: The target.
        request: What was asked for.
        capabilities: What the model is known to support.
        call: The wire's path: `chat`, `completion` or `count`.

    Raises:
        UnsupportedError: An option cannot be honoured.
    """
    options = request.options
    body = begin_body(model, "chat_template", "tool_format")
    given = options.given()
    tests = _NO_EFFECT if given.get("tools") else {**_NO_EFFECT, **_NO_EFFECT_WITHOUT_TOOLS}
    without_effect = {
        name: given.pop(name) for name, test in tests.items() if name in given and test(given[name])
    }
    writer = ParameterWriter(given, capabilities, options.unsupported, body, model=model.id)
    if isinstance(request, CompletionRequest):
        body["prompt"] = request.prompt
        _refuse_in_text(writer)
    else:
        body["messages"] = _write_conversation(request, writer, tools=not capabilities.lacks("tools"))
        _write_tools(writer)
    for name in _OPTIONS:
        writer.put(name)
    writer.put("response_format", convert=lambda form: form if isinstance(form, str) else dict(form))
    writer.put("stop", convert=list)
    writer.put("logit_bias", convert=lambda bias: {str(token): value for token, value in bias.items()})
    writer.put("n")
    for name, value in without_effect.items():
        writer.drop(name, "this value requests nothing, and the model does nothing else", value)
    writer.merge_extra(options.extra, PROVIDER)
    return Translation(Wire(call, body, stream=request.stream), writer.finish())


def _write_conversation(
    request: ChatRequest | CountRequest, writer: ParameterWriter, *, tools: bool
) -> list[dict[str, Any]]:
    messages = list(write_messages(request.messages, writer, tools=tools))
    system = writer.take("system")
    if system is not UNSET:
        messages.insert(0, {"role": "system", "content": system})
        writer.note("system", "renamed", wire="messages", value=system)
    return messages


def _refuse_in_text(writer: ParameterWriter) -> None:
    for name, why in (
        ("system", "completions have no system prompt; write it into the prompt"),
        ("tools", "completions do not support tools"),
        ("tool_choice", "completions do not support tools"),
        ("parallel_tool_calls", "completions do not support tools"),
    ):
        value = writer.take(name)
        if value is not UNSET:
            writer.refuse(name, why, value)


def _write_tools(writer: ParameterWriter) -> None:
    tools = writer.take("tools")
    choice = writer.take("tool_choice")
    parallel = writer.take("parallel_tool_calls")
    if tools is UNSET:
        return
    if choice == "none":
        for name, value in (("tools", tools), ("tool_choice", choice)):
            writer.drop(name, 'tool_choice is "none", so no tools are sent to the model', value)
        return
    writer.write("tools", "tools", [write_tool(tool, at, writer) for at, tool in enumerate(tools)])
    if choice is not UNSET:
        named = choice in {"auto", "required"}
        writer.write("tool_choice", "tool_choice", choice if named else {"function": {"name": choice}})
    if parallel is not UNSET:
        writer.write("parallel_tool_calls", "parallel_tool_calls", parallel)
