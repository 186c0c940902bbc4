"""Messages: the request."""

from __future__ import annotations

from typing import Final

from jackfield import Message, RawPart
from jackfield.plugin import (
    UNSET,
    Capabilities,
    ChatRequest,
    CountRequest,
    ModelRef,
    Options,
    ParameterWriter,
    Translation,
)

from ._dialect import Dialect
from ._messages import Conversation
from ._models import Profile, profile_of, rules_for
from ._options import put_max_tokens, put_sampling
from ._reasoning import put_reasoning
from ._tools import put_tools

__all__ = ["merge_extra", "put_conversation", "translate_chat"]

# The service has no such parameters; these values request what it does anyway.
_REDUNDANT: Final = {"n": 1, "logprobs": False}


def translate_chat(
    dialect: Dialect, model: ModelRef, request: ChatRequest, capabilities: Capabilities
) -> Translation:
    """Translate a chat into a wire for messages."""
    options = request.options
    profile = profile_of(dialect.name(model))
    path, body = dialect.start(
        model, (dialect.stream_path if request.stream else None) or dialect.messages_path
    )
    reasoning = None if options.reasoning is UNSET else options.reasoning
    capabilities = rules_for(profile, reasoning, capabilities)
    writer = ParameterWriter(options.given(), capabilities, options.unsupported, body, model=model.id)
    json_tool = put_conversation(dialect, model, request, writer, profile)
    _refuse_prefill(request.messages, writer, profile)
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    put_max_tokens(writer, capabilities, "max_tokens", budget)
    put_sampling(writer)
    for name, value in _REDUNDANT.items():
        given = getattr(options, name)
        if given is not UNSET and given == value:
            writer.drop(name, "the service has no such parameter, and does this anyway", writer.take(name))
    merge_extra(dialect, options, writer)
    meta = {"api": "messages"} if json_tool is None else {"api": "messages", "json_tool": json_tool}
    report = writer.finish()
    return Translation(dialect.wire(model, path, body, stream=request.stream, meta=meta), report)


def put_conversation(
    dialect: Dialect,
    model: ModelRef,
    request: ChatRequest | CountRequest,
    writer: ParameterWriter,
    profile: Profile,
) -> str | None:
    """Write messages, system prompt, reasoning and tools; return the name of the tool that answers in JSON."""
    options = request.options
    conversation = Conversation(dialect, writer, profile, dialect.version_of(model), options)
    system, messages = conversation.write(writer.take("system"), request.messages)
    writer.body["messages"] = messages
    if system is not None:
        writer.body["system"] = system
    put_reasoning(writer, profile, options)
    return put_tools(writer, profile, options)


def _refuse_prefill(messages: tuple[Message, ...], writer: ParameterWriter, profile: Profile) -> None:
    """Refuse a final assistant message if the model does not continue one; a paused turn (raw parts) is sent back."""
    last = messages[-1] if messages else None
    if profile.prefill is not False or last is None or last.role != "assistant":
        return
    if any(isinstance(part, RawPart) for part in last.parts):
        return
    place = f"messages[{len(messages) - 1}]"
    writer.refuse(place, "the model does not continue an assistant message; end with a user message")
    writer.body["messages"].pop()


def merge_extra(dialect: Dialect, options: Options, writer: ParameterWriter) -> None:
    """Merge `extra`; its tools (server tools) are appended to the caller's."""
    writer.merge_extra(options.extra, *dialect.ids, joined=("tools",))
