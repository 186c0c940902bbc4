"""Requests as data for the engine: the same shape that a service would get, and nothing is loaded for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import (
    UNSET,
    Capabilities,
    ChatRequest,
    CompletionRequest,
    CountRequest,
    Document,
    EmbedRequest,
    Message,
    ModelRef,
    ParameterWriter,
    RawPart,
    Request,
    Text,
    Thinking,
    Translation,
    UnsupportedError,
    Wire,
)

__all__ = ["PROVIDER", "translate"]

PROVIDER: Final = "onnx"

_OPTIONS: Final = (
    "max_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty", "logprobs",
    "top_logprobs",
)  # fmt: skip

# Values of options that the engine does not know, which ask for what it does anyway.
_NO_WISH: Final[Mapping[str, Callable[[Any], bool]]] = {
    "tools": lambda tools: tools == (),
    "tool_choice": lambda choice: choice in {"auto", "none"},
    "reasoning": lambda reasoning: getattr(reasoning, "effort", None) == "none",
}


def translate(model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Turn a request into a wire: `chat`, `completion`, `count` or `embedding`.

    Raises:
        UnsupportedError: The engine cannot honour something.
    """
    if isinstance(request, EmbedRequest):
        return _embedding(model, request, capabilities)
    if isinstance(request, CompletionRequest):
        return _text(model, request, capabilities, "completion")
    if isinstance(request, ChatRequest):
        return _text(model, request, capabilities, "chat")
    if isinstance(request, CountRequest):
        return _text(model, request, capabilities, "count")
    raise UnsupportedError(
        f"the engine has no such call, and {model.id} does not say what it serves; declare its kind",
        parameter="kind",
    )


def _body(model: ModelRef) -> dict[str, Any]:
    """Begin a body: which model, and what its entry declares of it."""
    declared = {name: model.declared.get(name) for name in ("folder", "chat_template")}
    return {"model": model.known_as, **{name: value for name, value in declared.items() if value is not None}}


def _embedding(model: ModelRef, request: EmbedRequest, capabilities: Capabilities) -> Translation:
    body = _body(model)
    writer = ParameterWriter(request.given(), capabilities, request.unsupported, body, model=model.id)
    body["input"] = list(request.inputs)
    writer.put("truncate")
    writer.merge_extra(request.extra, PROVIDER)
    return Translation(Wire("embedding", body), writer.finish())


def _text(
    model: ModelRef,
    request: ChatRequest | CompletionRequest | CountRequest,
    capabilities: Capabilities,
    call: str,
) -> Translation:
    options = request.options
    body = _body(model)
    given = options.given()
    no_wishes = {
        name: given.pop(name) for name, means_nothing in _NO_WISH.items() if means_nothing(given.get(name))
    }
    writer = ParameterWriter(given, capabilities, options.unsupported, body, model=model.id)
    if isinstance(request, CompletionRequest):
        body["prompt"] = request.prompt
        _system_of_text(writer)
    else:
        messages = list(_messages(request.messages, writer))
        system = writer.take("system")
        if system is not UNSET:
            messages.insert(0, {"role": "system", "content": system})
            writer.note("system", "renamed", wire="messages", value=system)
        body["messages"] = messages
    for name in _OPTIONS:
        writer.put(name)
    writer.put("stop", convert=list)
    writer.put("logit_bias", convert=lambda bias: {str(token): value for token, value in bias.items()})
    writer.put("n")
    _drop_no_wishes(no_wishes, writer)
    writer.merge_extra(options.extra, PROVIDER)
    return Translation(Wire(call, body, stream=request.stream), writer.finish())


def _system_of_text(writer: ParameterWriter) -> None:
    system = writer.take("system")
    if system is not UNSET:
        writer.refuse("system", "a text to be continued has no system prompt; write it into the text", system)


def _drop_no_wishes(given: dict[str, Any], writer: ParameterWriter) -> None:
    for name, value in given.items():
        writer.drop(name, "it asks for nothing, and the model does nothing else", value)


def _messages(messages: Sequence[Message], writer: ParameterWriter) -> Iterator[dict[str, Any]]:
    """Write each message as `{"role", "content"}`; one of which nothing is left is left out."""
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        texts = list(_texts(message, where, writer))
        if message.name is not None:
            writer.drop(f"{where}.name", "the model's template knows no names", message.name)
        if texts or not message.parts:
            yield {"role": message.role, "content": "".join(texts)}


def _texts(message: Message, where: str, writer: ParameterWriter) -> Iterator[str]:
    for part in message.parts:
        if isinstance(part, Text | Document) and part.text is not None:
            if part.cache is not None:
                writer.drop(f"{where}.cache", "the engine keeps no prefixes", part.cache)
            if isinstance(part, Document):
                writer.note(where, "emulated", why="the document's text was put into the message")
            yield part.text
        elif isinstance(part, Thinking):
            writer.drop(
                where, "thinking goes back to the model that thought it, and this one does not", part.text
            )
        elif isinstance(part, RawPart):
            writer.drop(where, f"only {part.provider} understands this part", part.data)
        else:
            writer.refuse(where, f"the engine reads no {type(part).__name__}", part)
