"""Chat completions: the request."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from jackfield import Message
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
    Wire,
)

from ._dialect import Dialect
from ._messages import bridge_tools, build_messages
from ._models import rules_for
from ._reasoning import effort_of, put_reasoning
from ._tools import put_format, put_tools

__all__ = ["convert_bias", "put_renamed", "put_usage_option", "translate_chat"]

# Mistral's models, whoever serves them.
_MISTRAL: Final = (
    "mistral",
    "mixtral",
    "ministral",
    "magistral",
    "codestral",
    "pixtral",
    "devstral",
    "voxtral",
)


@lru_cache(maxsize=1024)
def _is_mistral(model: str) -> bool:
    lower = model.lower()
    return any(name in lower for name in _MISTRAL)


_STATEFUL: Final = ("store", "continue_from", "background")
# In the order of the API reference.
_UNCHANGED: Final = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "n",
    "user",
)


def translate_chat(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat into a wire for chat completions."""
    options = request.options
    rules = rules_for(model.known_as, effort_of(options), capabilities)
    path, body = dialect.start(dialect.chat_path, model)
    writer = ParameterWriter(options.given(), rules, options.unsupported, body, model=model.id)
    messages = _prepend_system(options, request.messages, writer)
    body["messages"] = build_messages(dialect, messages, writer, capabilities)
    if dialect.bridges_tools or _is_mistral(model.known_as):
        body["messages"] = bridge_tools(body["messages"], writer)
    put_renamed(dialect, writer, "max_tokens", dialect.max_tokens)
    left = writer.left
    if left:  # most callers pass one or two options
        for name in _UNCHANGED:
            if name in left:
                put_renamed(dialect, writer, name)
        put_renamed(dialect, writer, "stop", convert=list)
        put_renamed(dialect, writer, "logit_bias", convert=convert_bias)
        put_tools(dialect, writer, options)
        put_format(writer, narrow=dialect.is_narrow(model))
        put_reasoning(dialect, writer, capabilities, options.unsupported)
        if not left.isdisjoint(_STATEFUL):
            from ._state import put_stateless

            put_stateless(dialect, writer, options)
    if request.stream:
        body["stream"] = True
        put_usage_option(dialect, writer)
    writer.merge_extra(options.extra, *dialect.ids, joined=("tools",))
    wire = Wire(
        path, body, stream=request.stream, framing="sse" if request.stream else None, meta={"api": "chat"}
    )
    return Translation(wire, writer.finish())


def _prepend_system(
    options: Options, messages: tuple[Message, ...], writer: ParameterWriter
) -> tuple[Message, ...]:
    system = writer.take("system")
    if system is UNSET:
        return messages
    writer.note("system", "renamed", wire="messages", value=system)
    return (Message("system", system), *messages)


def put_renamed(
    dialect: Dialect, writer: ParameterWriter, name: str, wire: str | None = None, convert: Any = None
) -> Any:
    """Write an option under the dialect's name for it; `finish` reports one that the dialect does not have."""
    path = dialect.renamed.get(name, wire or name)
    return UNSET if path is None else writer.put(name, path, convert)


def put_usage_option(dialect: Dialect, writer: ParameterWriter) -> None:
    """Request the usage of a stream, if the dialect has an option for it."""
    if dialect.usage_option:
        why = "a stream reports its usage only on request"
        writer.default("stream_options", "stream_options", {"include_usage": True}, why)


def convert_bias(bias: Any) -> dict[str, Any]:
    """Return a `logit_bias` whose keys are text, as JSON requires."""
    return {str(token): value for token, value in bias.items()}
