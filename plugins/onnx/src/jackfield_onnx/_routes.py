"""Requests as data for the engine: the same shape that a service would get, and nothing is loaded for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from jackfield import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    ModelRef,
    ParameterWriter,
    Request,
    RerankRequest,
    SummarizeRequest,
    Translation,
    UnsupportedError,
    Wire,
    unserved,
)

from ._messages import written_messages, written_tool

__all__ = ["PROVIDER", "translate"]

PROVIDER: Final = "onnx"

_OPTIONS: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "logprobs",
    "top_logprobs",
)  # fmt: skip

# Values of options that ask for what the engine does anyway.
_NO_WISH: Final[Mapping[str, Callable[[Any], bool]]] = {
    "tools": lambda tools: tools == (),
    "reasoning": lambda reasoning: getattr(reasoning, "effort", None) == "none",
}
_WITHOUT_TOOLS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "tool_choice": lambda choice: choice in {"auto", "none"},
    "parallel_tool_calls": lambda parallel: isinstance(parallel, bool),
}
_LIKELIEST: Final = "a summarization model writes its likeliest text, and has no such option"


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire: `chat`, `completion`, `count`, `embedding`, `rerank` or `summarization`.

    Raises:
        UnsupportedError: The engine cannot honour something.
    """
    if isinstance(request, EmbedRequest):
        return _embedding(model, request, capabilities)
    if isinstance(request, RerankRequest):
        return _rerank(model, request, capabilities)
    if isinstance(request, SummarizeRequest):
        if not capabilities.kinds:
            # A chat model would sum up by emulation, which the core does when it knows the kind.
            raise UnsupportedError(
                f"{model.id} does not say whether it is made for summaries; declare its kind",
                parameter="kind",
            )
        return _summary(model, request, capabilities)
    if isinstance(request, CompletionRequest):
        return _text(model, request, capabilities, "completion")
    if isinstance(request, ChatRequest):
        return _text(model, request, capabilities, "chat")
    if isinstance(request, CountRequest):
        return _text(model, request, capabilities, "count")
    raise unserved("the engine", request)


def _body(model: ModelRef, *names: str) -> dict[str, Any]:
    """Begin a body: which model, and what its entry declares of it."""
    declared = {name: model.declared.get(name) for name in ("folder", "hub", "revision", *names)}
    return {"model": model.known_as, **{name: value for name, value in declared.items() if value is not None}}


def _embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    body = _body(model, "dimension_choices")
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["input"] = list(request.inputs)
    for name in ("truncate", "dimensions", "input_type"):
        writer.put(name)
    writer.merge_extra(request.extra, PROVIDER)
    return Translation(Wire("embedding", body), writer.finish())


def _rerank(model: ModelRef, request: RerankRequest, capabilities: Capabilities) -> Translation:
    body = _body(model)
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["query"], body["documents"] = request.query, list(request.documents)
    for name in ("top_n", "truncate"):
        writer.put(name)
    writer.merge_extra(request.extra, PROVIDER)
    return Translation(Wire("rerank", body), writer.finish())


def _summary(model: ModelRef, request: SummarizeRequest, capabilities: Capabilities) -> Translation:
    options = request.options
    body = _body(model)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    body["text"] = request.text
    writer.put("max_tokens")
    for name in tuple(writer.left):
        value = writer.take(name)
        if value is not UNSET:
            writer.refuse(name, _LIKELIEST, value)
    writer.merge_extra(options.extra, PROVIDER)
    return Translation(Wire("summarization", body, stream=request.stream), writer.finish())


def _text(
    model: ModelRef,
    request: ChatRequest | CompletionRequest | CountRequest,
    capabilities: Capabilities,
    call: str,
) -> Translation:
    options = request.options
    body = _body(model, "chat_template", "tool_format")
    given = options.given()
    tests = _NO_WISH if given.get("tools") else {**_NO_WISH, **_WITHOUT_TOOLS}
    no_wishes = {name: given.pop(name) for name, test in tests.items() if name in given and test(given[name])}
    writer = ParameterWriter(given, capabilities, options.unsupported, body, model=model.id)
    if isinstance(request, CompletionRequest):
        body["prompt"] = request.prompt
        _refuse_in_text(writer)
    else:
        tools = not capabilities.lacks("tools")
        messages = list(written_messages(request.messages, writer, tools=tools))
        system = writer.take("system")
        if system is not UNSET:
            messages.insert(0, {"role": "system", "content": system})
            writer.note("system", "renamed", wire="messages", value=system)
        body["messages"] = messages
        _tools(writer)
    for name in _OPTIONS:
        writer.put(name)
    writer.put("response_format", convert=lambda form: form if isinstance(form, str) else dict(form))
    writer.put("stop", convert=list)
    writer.put("logit_bias", convert=lambda bias: {str(token): value for token, value in bias.items()})
    writer.put("n")
    for name, value in no_wishes.items():
        writer.drop(name, "it asks for nothing, and the model does nothing else", value)
    writer.merge_extra(options.extra, PROVIDER)
    return Translation(Wire(call, body, stream=request.stream), writer.finish())


def _refuse_in_text(writer: ParameterWriter) -> None:
    for name, why in (
        ("system", "a text to be continued has no system prompt; write it into the text"),
        ("tools", "a text to be continued offers no tools"),
        ("tool_choice", "a text to be continued offers no tools"),
        ("parallel_tool_calls", "a text to be continued offers no tools"),
    ):
        value = writer.take(name)
        if value is not UNSET:
            writer.refuse(name, why, value)


def _tools(writer: ParameterWriter) -> None:
    tools = writer.take("tools")
    choice = writer.take("tool_choice")
    parallel = writer.take("parallel_tool_calls")
    if tools is UNSET:
        return
    if choice == "none":
        for name, value in (("tools", tools), ("tool_choice", choice)):
            writer.drop(name, 'tool_choice is "none", so the model is shown no tools', value)
        return
    writer.write("tools", "tools", [written_tool(tool, at, writer) for at, tool in enumerate(tools)])
    if choice is not UNSET:
        named = choice in {"auto", "required"}
        writer.write("tool_choice", "tool_choice", choice if named else {"function": {"name": choice}})
    if parallel is not UNSET:
        writer.write("parallel_tool_calls", "parallel_tool_calls", parallel)
