"""Turn what a caller wrote into options and requests, or say what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict

import attrs

from jackfield._faces import show_in
from jackfield._hints import a_or_an, hint
from jackfield._types.content import MessageLike, Tool
from jackfield._types.errors import ConfigurationError
from jackfield._types.options import (
    UNSET,
    Options,
    UnsupportedPolicy,
    normalise_reasoning,
    normalise_stop,
    normalise_tools,
)
from jackfield._types.policies import TimeoutPolicy
from jackfield._types.requests import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    RerankRequest,
    SummarizeRequest,
)

from .messages import normalise_messages

__all__ = [
    "ChatOptions",
    "EmbedOptions",
    "RerankOptions",
    "chat_request",
    "completion_request",
    "count_request",
    "embed_request",
    "option_fault",
    "rerank_request",
    "summarize_request",
    "take_timeout",
]


class ChatOptions(TypedDict, total=False):
    """The keyword options of `chat`, `complete`, `summarize`, their streams, `count_tokens` and `explain`.

    What is not given is not sent; 0, False, "" and [] are given. See `Options` for their meaning.
    """

    system: str
    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    stop: str | Sequence[str]
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[str, float] | Mapping[int, float]
    logprobs: bool
    top_logprobs: int
    n: int
    tools: Sequence[Tool | Mapping[str, Any]]
    tool_choice: str
    parallel_tool_calls: bool
    response_format: str | Mapping[str, Any]
    reasoning: str | Mapping[str, Any]
    user: str
    suffix: str
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    unsupported: UnsupportedPolicy
    emulate: bool


class EmbedOptions(TypedDict, total=False):
    """The keyword options of `embed`."""

    dimensions: int
    input_type: str
    truncate: str
    user: str
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    unsupported: UnsupportedPolicy


class RerankOptions(TypedDict, total=False):
    """The keyword options of `rerank`."""

    top_n: int
    truncate: str
    extra: Mapping[str, Mapping[str, Any]]
    timeout: float | Mapping[str, float]
    unsupported: UnsupportedPolicy


_NORMALISERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "stop": normalise_stop,
    "tools": normalise_tools,
    "reasoning": normalise_reasoning,
}
_INPUT_TYPES: Final = ("query", "document", "classification", "clustering", "similarity")
_TRUNCATE: Final = ("error", "start", "end")
_POLICIES: Final = ("error", "drop")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "input_type": _INPUT_TYPES,
    "truncate": _TRUNCATE,
    "unsupported": _POLICIES,
}
_NOT_NEGATIVE: Final = frozenset(
    {"max_tokens", "temperature", "top_p", "top_logprobs", "n", "dimensions", "top_n"}
)
_KNOWN_OPTIONS: Final = frozenset(field.name for field in attrs.fields(Options))
_KNOWN_TIMEOUTS: Final = tuple(field.name for field in attrs.fields(TimeoutPolicy))

# What a value must be; bool is an int to Python and no number here.
_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "system": ((str,), "a string"),
    "max_tokens": ((int,), "a whole number"),
    "temperature": ((int, float), "a number"),
    "top_p": ((int, float), "a number"),
    "top_k": ((int,), "a whole number"),
    "stop": ((str, list, tuple), "a string or a list of strings"),
    "seed": ((int,), "a whole number"),
    "presence_penalty": ((int, float), "a number"),
    "frequency_penalty": ((int, float), "a number"),
    "logit_bias": ((Mapping,), "a mapping of token id to number"),
    "logprobs": ((bool,), "True or False"),
    "top_logprobs": ((int,), "a whole number"),
    "n": ((int,), "a whole number"),
    "tools": ((list, tuple), "a list of tools"),
    "tool_choice": ((str,), '"auto", "none", "required" or the name of a tool'),
    "parallel_tool_calls": ((bool,), "True or False"),
    "response_format": ((str, Mapping), '"json" or a JSON schema'),
    "user": ((str,), "a string"),
    "suffix": ((str,), "a string"),
    "extra": ((Mapping,), "a mapping of provider id to a mapping"),
    "dimensions": ((int,), "a whole number"),
    "top_n": ((int,), "a whole number"),
    "emulate": ((bool,), "True or False"),
}


def chat_request(
    messages: str | Sequence[MessageLike],
    given: Mapping[str, Any],
    policy: UnsupportedPolicy,
    *,
    stream: bool,
) -> ChatRequest:
    """Make the request of `chat`."""
    return ChatRequest(_messages(messages), _options(given, policy), stream)


def count_request(
    messages: str | Sequence[MessageLike], given: Mapping[str, Any], policy: UnsupportedPolicy
) -> CountRequest:
    """Make the request of `count_tokens`."""
    return CountRequest(_messages(messages), _options(given, policy))


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
    options = _checked(given, EmbedOptions, policy)
    _choice(options, "input_type", _INPUT_TYPES)
    _choice(options, "truncate", _TRUNCATE)
    return EmbedRequest(inputs=texts, **options)


def rerank_request(
    query: str, documents: Sequence[str], given: Mapping[str, Any], policy: UnsupportedPolicy
) -> RerankRequest:
    """Make the request of `rerank`."""
    texts = _entries(documents, "rerank got")
    if not texts or isinstance(documents, str):
        raise ConfigurationError("rerank wants a list with at least one document")
    for index, text in enumerate(texts):
        _text(text, f"documents[{index}]")
    options = _checked(given, RerankOptions, policy)
    _choice(options, "truncate", _TRUNCATE)
    return RerankRequest(query=_text(query, "query"), documents=texts, **options)


def option_fault(name: str, value: Any) -> str | None:
    """Say what is wrong with an option that a configuration gives, as far as no model need be known; None is nothing."""
    try:
        _check_type(name, value)
        if name in _NORMALISERS:
            _NORMALISERS[name](value)
        if name in _CHOICES:
            _choice({name: value}, name, _CHOICES[name])
    except ConfigurationError as error:
        return error.message.removeprefix(f"{name} ")
    except (TypeError, ValueError) as error:
        return f"is not understood: {error}"
    if name in _NOT_NEGATIVE and not value >= 0:  # not a number is none either
        return f"must be 0 or more, got {value!r}"
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
        return attrs.evolve(policy, **{phase: _seconds(limit, phase) for phase, limit in value.items()})
    return attrs.evolve(policy, total=_seconds(value, None))


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
    if not given:
        return _default_options(policy)
    # What `Options(**given)` does, in a third of the time: most of its many fields keep their defaults.
    options = object.__new__(Options)
    options.__dict__.update(_DEFAULTS[policy].__dict__)
    options.__dict__.update(_checked(given, ChatOptions, policy))
    _check_words(options)
    return options


def _check_words(options: Options) -> None:
    """Refuse words that no provider could understand."""
    form, choice, tools = options.response_format, options.tool_choice, options.tools
    if isinstance(form, str) and form != "json":
        raise ConfigurationError(f'response_format must be "json" or a JSON schema, got {form!r}')
    if choice is UNSET or choice in ("auto", "none"):
        return
    names = [] if tools is UNSET else [tool.name for tool in tools]
    if not names:
        raise ConfigurationError(f"tool_choice is {choice!r}, but no tools are given")
    if choice != "required" and choice not in names:
        raise ConfigurationError(f"tool_choice names no tool that is given: {choice!r}{hint(choice, names)}")


def _default_options(policy: UnsupportedPolicy) -> Options:
    return _DEFAULTS[_checked_policy(policy)]


def _checked_policy(policy: UnsupportedPolicy) -> UnsupportedPolicy:
    if policy not in _POLICIES:  # callers without a type checker
        raise ConfigurationError(f'unsupported must be "error" or "drop", got {policy!r}')
    return policy


def _checked(given: Mapping[str, Any], known: Any, policy: UnsupportedPolicy) -> dict[str, Any]:
    names = known.__annotations__
    result: dict[str, Any] = {"unsupported": _checked_policy(policy)}
    for name, value in given.items():
        if name not in names:
            raise ConfigurationError(f"there is no option {name!r}{hint(name, names)}")
        _check_type(name, value)
        normalise = _NORMALISERS.get(name)
        try:
            result[name] = value if normalise is None else normalise(value)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{name} is not understood: {error}") from error
    return result


def _check_type(name: str, value: Any) -> None:
    rule = _TYPES.get(name)
    if rule is None:
        return
    types, words = rule
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigurationError(f"{name} must be {words}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):  # JSON has no word for it: null would be sent
        raise ConfigurationError(f"{name} must be a finite number, got {value!r}")
    if isinstance(value, Mapping) and name == "logit_bias" and not all(map(_is_number, value.values())):
        raise ConfigurationError(f"{name} must be a mapping of token id to number, got {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _choice(options: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> None:
    value = options.get(name, choices[0])
    if value not in choices:
        raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


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


_DEFAULTS: Final[Mapping[str, Options]] = {
    "error": Options(unsupported="error"),
    "drop": Options(unsupported="drop"),
}


show_in("jackfield", ChatOptions, EmbedOptions, RerankOptions)
