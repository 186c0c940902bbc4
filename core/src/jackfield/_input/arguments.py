"""Turn what a caller wrote into options and requests, or explain what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield._hints import a_or_an, hint
from jackfield._types.content import Message, MessageLike
from jackfield._types.errors import ConfigurationError
from jackfield._types.option_rules import UNSET, UNSUPPORTED, OptionRule, UnsupportedPolicy, option_rules
from jackfield._types.options import Options, options_of
from jackfield._types.policies import TimeoutPolicy
from jackfield._types.replies import Reply
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    RerankRequest,
    SummarizeRequest,
)
from jackfield._values import evolve, field_names

from .messages import normalise_messages

__all__ = [
    "DECLARABLE",
    "chat_request",
    "completion_request",
    "count_request",
    "embed_request",
    "option_fault",
    "rerank_request",
    "summarize_request",
    "take_timeout",
]


_FORMS_OF_SERVICES: Final = ("json_schema", "json_object", "text")
"""Types of `response_format` of services' own, of which none is a type of JSON Schema."""


_KNOWN_TIMEOUTS: Final = field_names(TimeoutPolicy)

_OF_CHAT: Final = option_rules(Options)
_OF_EMBED: Final = option_rules(EmbedRequest)
_OF_RERANK: Final = option_rules(RerankRequest)
# Options of other libraries that are not options here, and what there is instead: nothing is spelled like it.
_ELSEWHERE: Final[Mapping[str, str]] = {
    "stream": "; to stream an answer, call stream_chat or stream_complete",
    "model": '; the model is in the target, "connection:model"',
}
DECLARABLE: Final[Mapping[str, OptionRule]] = {**_OF_EMBED, **_OF_RERANK, **_OF_CHAT}
"""The rules of all options that a configuration may give to a model, by name."""


def chat_request(
    messages: str | Sequence[MessageLike],
    given: Mapping[str, Any],
    policy: UnsupportedPolicy,
    *,
    stream: bool,
) -> ChatRequest:
    """Make the request of `chat`."""
    read = _messages(messages)
    return ChatRequest(read, _place(_options(given, policy), read, given), stream)


def count_request(
    messages: str | Sequence[MessageLike], given: Mapping[str, Any], policy: UnsupportedPolicy
) -> CountRequest:
    """Make the request of `count_tokens`."""
    read = _messages(messages)
    return CountRequest(read, _place(_options(given, policy), read, given))


def completion_request(
    prompt: str, given: Mapping[str, Any], policy: UnsupportedPolicy, *, stream: bool
) -> CompletionRequest:
    """Make the request of `complete`."""
    return CompletionRequest(_text(prompt, "prompt"), _options(given, policy), stream)


def summarize_request(
    text: str, given: Mapping[str, Any], policy: UnsupportedPolicy, *, stream: bool
) -> SummarizeRequest:
    """Make the request of `summarize`."""
    return SummarizeRequest(_text(text, "text"), _options(given, policy), stream)


def embed_request(
    inputs: str | Sequence[str], given: Mapping[str, Any], policy: UnsupportedPolicy
) -> EmbedRequest:
    """Make the request of `embed`."""
    texts = (inputs,) if isinstance(inputs, str) else _entries(inputs, "embed got")
    if not texts:
        raise ConfigurationError("embed got no text; give a string or a list with at least one")
    for index, text in enumerate(texts):
        _text(text, f"inputs[{index}]")
    return EmbedRequest(inputs=texts, **_check_options(given, _OF_EMBED, policy))


def rerank_request(
    query: str, documents: Sequence[str], given: Mapping[str, Any], policy: UnsupportedPolicy
) -> RerankRequest:
    """Make the request of `rerank`."""
    texts = _entries(documents, "rerank got")
    if not texts or isinstance(documents, str):
        raise ConfigurationError("rerank wants a list with at least one document")
    for index, text in enumerate(texts):
        _text(text, f"documents[{index}]")
    options = _check_options(given, _OF_RERANK, policy)
    return RerankRequest(query=_text(query, "query"), documents=texts, **options)


def option_fault(name: str, value: Any) -> str | None:
    """Return what is wrong with an option that a configuration gives, as far as no model need be known; None is nothing."""
    rule = DECLARABLE[name]
    try:
        _check_value(name, value, rule)
    except ConfigurationError as error:
        return error.message.removeprefix(f"{name} ")
    if rule.minimum is not None and not value >= rule.minimum:
        return f"must be {rule.minimum} or more, got {value!r}"
    if name == "response_format" and isinstance(value, str) and value != "json":
        return f'must be "json" or a JSON schema, got {value!r}'
    return None


def take_timeout(given: dict[str, Any], policy: TimeoutPolicy) -> TimeoutPolicy:
    """Take `timeout` out of a call's options: seconds in total, or a mapping by phase.

    Raises:
        ConfigurationError: A phase is unknown.
    """
    if "timeout" not in given:
        return policy
    value = given.pop("timeout")
    if isinstance(value, Mapping):
        for phase in value:
            if phase not in _KNOWN_TIMEOUTS:
                raise ConfigurationError(f"timeout has no phase {phase!r}{hint(phase, _KNOWN_TIMEOUTS)}")
        return evolve(policy, **{phase: _seconds(limit, phase) for phase, limit in value.items()})
    return evolve(policy, total=_seconds(value, None))


def _seconds(value: Any, phase: str | None) -> float | None:
    if value is None:
        return None
    where = "timeout" if phase is None else f"timeout of the phase {phase}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        wanted = "seconds or a mapping by phase" if phase is None else "seconds or None"
        raise ConfigurationError(f"{where} must be {wanted}, got {value!r}")
    if not value >= 0:
        raise ConfigurationError(f"{where} must be 0 or more seconds, got {value!r}")
    return None if value == math.inf else value


def _options(given: Mapping[str, Any], policy: UnsupportedPolicy) -> Options:
    options = options_of(_check_options(given, _OF_CHAT, policy), policy)
    if given:
        _check_words(options)
    return options


def _place(options: Options, messages: Sequence[Message], given: Mapping[str, Any]) -> Options:
    """Find the answer that is continued among the messages: what stands before it, the service knows."""
    reply = given.get("continue_from")
    if not isinstance(reply, Reply) or options.continue_from is UNSET:
        return options
    said = reply.message
    seen = next((at for at in range(len(messages), 0, -1) if messages[at - 1] == said), 0)
    if seen == len(messages):
        raise ConfigurationError(
            "messages end with the answer that is continued; add what is said now behind it, or pass that alone"
        )
    return evolve(options, continue_from=evolve(options.continue_from, seen=seen))


def _check_words(options: Options) -> None:
    """Refuse words that no provider could understand."""
    form, choice, tools = options.response_format, options.tool_choice, options.tools
    if isinstance(form, str) and form != "json":
        raise ConfigurationError(f'response_format must be "json" or a JSON schema, got {form!r}')
    if isinstance(form, Mapping) and form.get("type") in _FORMS_OF_SERVICES:
        raise ConfigurationError(
            f'response_format must be "json" or a JSON schema itself, got {{"type": {form["type"]!r}}}, '
            "which is the form of a service: pass its schema alone"
        )
    if choice is UNSET or choice in ("auto", "none"):
        return
    names = [] if tools is UNSET else [tool.name for tool in tools]
    if not names:
        raise ConfigurationError(f"tool_choice is {choice!r}, but no tools are given")
    if choice != "required" and choice not in names:
        raise ConfigurationError(f"tool_choice names no tool that is given: {choice!r}{hint(choice, names)}")


def _check_options(
    given: Mapping[str, Any], rules: Mapping[str, OptionRule], policy: UnsupportedPolicy
) -> dict[str, Any]:
    if policy not in UNSUPPORTED:  # callers without a type checker
        raise ConfigurationError(f'unsupported must be "error" or "drop", got {policy!r}')
    result: dict[str, Any] = {}
    for name, value in given.items():
        rule = rules.get(name)
        if rule is None:
            meant = _ELSEWHERE.get(name) or hint(name, (*rules, "timeout", "owner", "labels"))
            raise ConfigurationError(f"there is no option {name!r}{meant}")
        result[name] = _check_value(name, value, rule)
    return result


def _check_value(name: str, value: Any, rule: OptionRule) -> Any:
    types = rule.types
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigurationError(f"{name} must be {rule.words}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no word for it: null would be sent
        raise ConfigurationError(f"{name} must be a finite number, got {value!r}")
    if rule.minimum is not None and isinstance(value, int) and float not in types and value < rule.minimum:
        raise ConfigurationError(f"{name} must be {rule.minimum} or more, got {value!r}")
    if rule.choices and value not in rule.choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(rule.choices)}, got {value!r}")
    if rule.normalise is None:
        return value
    try:
        return rule.normalise(value)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{name} is not understood: {error}") from error


def _messages(messages: str | Sequence[MessageLike]) -> Any:
    try:
        result = normalise_messages(messages)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"messages are not understood: {error}") from error
    if not result:
        raise ConfigurationError("messages are empty; give a string or a list with at least one message")
    return result


def _entries(value: Any, who: str) -> tuple[Any, ...]:
    try:
        return tuple(value)
    except TypeError as error:  # callers without a type checker
        raise ConfigurationError(
            f"{who} {a_or_an(type(value).__name__)}; give a list with at least one text"
        ) from error


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where} must be a string, got {a_or_an(type(value).__name__)}")
    return value
