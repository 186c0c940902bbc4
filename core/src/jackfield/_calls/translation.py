"""Adapt a request to its model: reject or drop what it is known not to do, emulate a kind by another, translate.

This is what stands between a call and `jackfield_translate`, the same for every provider.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeAlias

import attrs

from jackfield._hints import a_or_an
from jackfield._types.capabilities import Capabilities, Kind, ModelRef
from jackfield._types.content import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    RawPart,
    Text,
    Thinking,
    ToolResult,
)
from jackfield._types.errors import UnsupportedError
from jackfield._types.option_rules import UNSET
from jackfield._types.options import Options
from jackfield._types.parameters import ParameterNote, ParameterReport, Translation
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Request,
    RerankRequest,
    SummarizeRequest,
)

__all__ = ["SUMMARY_PROMPT", "kind_of", "translate"]

SUMMARY_PROMPT: Final = (
    "Summarize the text that the user sends. Keep to what it says, in its own language, in a few sentences. "
    "Answer with the summary alone."
)
"""The system prompt of `summarize` on a model that has no summary endpoint of its own."""

Translate: TypeAlias = Callable[[ModelRef, Request, Capabilities], Translation]

_KIND_BY_REQUEST: Final[dict[type, Kind]] = {
    ChatRequest: "chat",
    CountRequest: "chat",
    CompletionRequest: "completion",
    EmbedRequest: "embedding",
    RerankRequest: "rerank",
    SummarizeRequest: "summarization",
}


def kind_of(request: Request) -> Kind:
    """Return the kind of a request."""
    return _KIND_BY_REQUEST[type(request)]


def translate(hook: Translate, model: ModelRef, request: Request, capabilities: Capabilities) -> Translation:
    """Translate a request as a call does.

    Args:
        hook: The provider's `jackfield_translate`, bound.
        model: The model; its `kind` is set anew where the request is emulated by another kind.
        request: What is asked.
        capabilities: What the model can do.

    Raises:
        UnsupportedError: The model is known not to do what is asked.
        JackfieldError: What the hook raises.
    """
    notes: list[ParameterNote] = []
    request = _emulate(request, capabilities, model, notes)
    request = _drop_impossible(request, capabilities, model, notes)
    kind = kind_of(request)
    if model.kind != kind:
        model = attrs.evolve(model, kind=kind)
    try:
        result = hook(model, request, capabilities)
    except UnsupportedError as error:
        _add_hint(error, kind, model, capabilities)
        raise
    if not notes:
        return result
    return Translation(result.wire, ParameterReport((*notes, *result.report.notes)))


def _add_hint(error: UnsupportedError, kind: Kind, model: ModelRef, capabilities: Capabilities) -> None:
    """Add to the refusal of a kind how to have it emulated: of a model that nothing is known of, a declaration."""
    if error.parameter == "kind" and not capabilities.kinds and kind in ("summarization", "completion"):
        error.message += (
            f'; if it is a chat model, declare that: models = [{{ id = "{model.id}", kind = "chat" }}]'
        )
        error.args = (error.message,)


def _emulate(
    request: Request, capabilities: Capabilities, model: ModelRef, notes: list[ParameterNote]
) -> Request:
    """Return a request of a kind that the model serves."""
    kinds = capabilities.kinds
    kind = kind_of(request)
    if not kinds or kind in kinds or isinstance(request, CountRequest):
        return request
    emulated: ChatRequest | CompletionRequest
    if isinstance(request, ChatRequest):
        emulated, how = _chat_as_completion(request, capabilities, model)
    elif isinstance(request, CompletionRequest):
        emulated, how = _completion_as_chat(request, capabilities, model)
    elif isinstance(request, SummarizeRequest):
        emulated, how = _summary_as_chat(request, capabilities, model)
    else:
        raise UnsupportedError(
            f"{model.id} does not serve {kind}; it serves {', '.join(sorted(kinds))}", parameter="kind"
        )
    if not emulated.options.emulate:
        raise UnsupportedError(
            f"{model.id} serves {kind} only by emulation ({how}), which emulate=False forbids",
            parameter="emulate",
        )
    notes.append(ParameterNote(kind, "emulated", why=how))
    if isinstance(request, ChatRequest):
        notes += _note_losses(request)
    return emulated


def _note_losses(request: ChatRequest) -> Iterator[ParameterNote]:
    """Yield notes on the system prompt and on parts that cannot be written into one prompt."""
    if request.options.system is not UNSET:
        yield ParameterNote("system", "renamed", "prompt", request.options.system)
    for index, message in enumerate(request.messages):
        for part in message.parts:
            if isinstance(part, Thinking | RawPart):
                yield ParameterNote(
                    f"messages[{index}]", "dropped", why=f"{a_or_an(type(part).__name__)} is not text"
                )


def _chat_as_completion(
    request: ChatRequest, capabilities: Capabilities, model: ModelRef
) -> tuple[CompletionRequest, str]:
    if capabilities.chat_prompt is None or "completion" not in capabilities.kinds:
        raise UnsupportedError(
            f"{model.id} does not chat, and no prompt format for conversations is documented for it; "
            f"it serves {', '.join(sorted(capabilities.kinds))}",
            parameter="messages",
        )
    options, messages = request.options, request.messages
    if options.system is not UNSET:
        messages = (Message("system", options.system), *messages)
    prompt, stops = capabilities.chat_prompt(messages)
    given = () if options.stop is UNSET else options.stop
    # Stop sequences that belong to the format come first: a service that takes few must have those.
    merged = tuple(dict.fromkeys((*stops, *given)))
    options = attrs.evolve(options, system=UNSET, stop=merged or options.stop)
    how = f"the conversation was written as one prompt ({capabilities.chat_prompt_name or 'the documented format'})"
    return CompletionRequest(prompt, options, request.stream), how


def _completion_as_chat(
    request: CompletionRequest, capabilities: Capabilities, model: ModelRef
) -> tuple[ChatRequest, str]:
    if "chat" not in capabilities.kinds:
        raise UnsupportedError(
            f"{model.id} does not complete text; it serves {', '.join(sorted(capabilities.kinds))}",
            parameter="prompt",
        )
    return (
        ChatRequest((Message("user", request.prompt),), request.options, request.stream),
        "the prompt was sent as one user turn",
    )


def _summary_as_chat(
    request: SummarizeRequest, capabilities: Capabilities, model: ModelRef
) -> tuple[ChatRequest | CompletionRequest, str]:
    options = request.options
    if "chat" in capabilities.kinds and options.system is UNSET and capabilities.lacks("system"):
        how = "the text was sent as a user turn behind Jackfield's own summary prompt"
        return ChatRequest(
            (Message("user", f"{SUMMARY_PROMPT}\n\n{request.text}"),), options, request.stream
        ), how
    if "chat" in capabilities.kinds:
        if options.system is UNSET:
            options = attrs.evolve(options, system=SUMMARY_PROMPT)
        how = "the text was sent as a user turn under Jackfield's own summary prompt"
        return ChatRequest((Message("user", request.text),), options, request.stream), how
    if "completion" in capabilities.kinds:
        head = SUMMARY_PROMPT if options.system is UNSET else options.system
        options = attrs.evolve(options, system=UNSET)
        how = "the text was put into a prompt under Jackfield's own summary prompt"
        return CompletionRequest(
            f"{head}\n\nText:\n{request.text}\n\nSummary:\n", options, request.stream
        ), how
    raise UnsupportedError(
        f"{model.id} does not summarize; it serves {', '.join(sorted(capabilities.kinds))}", parameter="text"
    )


def _drop_impossible(
    request: Request, capabilities: Capabilities, model: ModelRef, notes: list[ParameterNote]
) -> Request:
    """Reject or drop whatever needs a feature that the model is known not to have."""
    lacking = capabilities.lacking
    if not lacking:
        return request
    if "streaming" in lacking and request.stream:
        raise UnsupportedError(
            f"{model.id} cannot stream; use the call without streaming", parameter="stream"
        )
    if not isinstance(request, _WITH_OPTIONS):
        return request
    options = request.options
    gone: dict[str, Any] = {}
    for name, feature in _list_needs(options):
        if feature in lacking:
            _refuse_or_note(name, feature, options, model, notes)
            gone[name] = UNSET
    if gone:
        request = attrs.evolve(request, options=attrs.evolve(options, **gone))
    if isinstance(request, CompletionRequest) or lacking.isdisjoint(_PART_FEATURES):
        return request
    # A conversation of text alone has nothing that could go unseen.
    if not _TEXT.issuperset(map(type, chain.from_iterable(map(_parts_of, request.messages)))):
        request = attrs.evolve(request, messages=tuple(_drop_unseen(request, lacking, model, notes)))
    return request


_WITH_OPTIONS: Final = (ChatRequest, CompletionRequest, CountRequest)
_PART_FEATURES: Final = frozenset({"images", "documents", "audio"})
_TEXT: Final = frozenset({Text})
_parts_of: Final = attrgetter("parts")
_FEATURE_BY_PART: Final[dict[type, str]] = {Image: "images", Document: "documents", Audio: "audio"}


def _list_needs(options: Options) -> Iterator[tuple[str, str]]:
    """Yield the given options that need a feature, as `(option, feature)`."""
    if options.tools is not UNSET and options.tools:
        yield "tools", "tools"
    if options.tool_choice is not UNSET and options.tool_choice not in ("auto", "none"):
        yield "tool_choice", "tool_choice"
    if options.response_format is not UNSET:
        yield "response_format", "json" if options.response_format == "json" else "json_schema"
    if options.reasoning is not UNSET and options.reasoning.effort != "none":
        yield "reasoning", "reasoning"
    if options.system is not UNSET:
        yield "system", "system"


def _refuse_or_note(
    name: str, feature: str, options: Options, model: ModelRef, notes: list[ParameterNote]
) -> None:
    why = f"{model.id} does not have the feature {feature}"
    if options.unsupported == "error":
        raise UnsupportedError(
            f'{why}, so {name} cannot be honoured; leave it out, or pass unsupported="drop"', parameter=name
        )
    notes.append(ParameterNote(name, "dropped", why=why))


def _drop_unseen(
    request: ChatRequest | CountRequest, lacking: frozenset[str], model: ModelRef, notes: list[ParameterNote]
) -> Iterator[Message]:
    """Yield the messages without the parts that the model cannot see."""
    for index, message in enumerate(request.messages):
        kept: list[Part] = []
        for part in message.parts:
            feature = _FEATURE_BY_PART.get(type(part))
            if feature in lacking and not (isinstance(part, Document) and part.text is not None):
                _refuse_or_note(f"messages[{index}]", feature or "", request.options, model, notes)
            elif isinstance(part, ToolResult):
                kept.append(
                    _drop_unseen_of_result(part, lacking, f"messages[{index}]", request.options, model, notes)
                )
            else:
                kept.append(part)
        yield attrs.evolve(message, parts=tuple(kept))


def _drop_unseen_of_result(
    result: ToolResult,
    lacking: frozenset[str],
    where: str,
    options: Options,
    model: ModelRef,
    notes: list[ParameterNote],
) -> ToolResult:
    if isinstance(result.content, str):
        return result
    kept: list[Text | Image | Document] = []
    for part in result.content:
        feature = _FEATURE_BY_PART.get(type(part))
        if feature in lacking and not (isinstance(part, Document) and part.text is not None):
            _refuse_or_note(where, feature or "", options, model, notes)
        else:
            kept.append(part)
    return attrs.evolve(result, content=tuple(kept))
