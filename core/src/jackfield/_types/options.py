"""What a caller may ask for, and the sentinel that means "did not ask"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield._faces import show_in
from jackfield._hints import hint
from jackfield._values import Value, field_names, frozen

from .content import Tool, ToolCall
from .dicts import describe
from .option_rules import (
    UNSET,
    UNSUPPORTED,
    Maybe,
    UnsupportedPolicy,
    extra_option,
    option,
    option_rules,
    unsupported_option,
)
from .replies import Reply

__all__ = ["PARAMETER_NAMES", "Continuation", "Options", "Reasoning", "options_of"]


@frozen
class Reasoning(Value):
    """How much a model shall think, normalised from `reasoning=`.

    Attributes:
        effort: A word such as "low", "medium", "high"; "none" switches it off.
        budget_tokens: Tokens that thinking may use.
        summary: Whether and how a summary of the thinking is shown: "auto", "concise", "detailed", True or False.
    """

    effort: str | None = None
    budget_tokens: int | None = None
    summary: str | bool | None = None


@frozen(kw_only=True)
class Continuation(Value):
    """An answer that the service keeps and that a call continues, out of `continue_from=`.

    Attributes:
        id: The service's name for the answer.
        provider: The provider that answered.
        connection: The connection that it came through.
        model: The id of the model that was asked.
        answered_by: The model that the service says answered.
        stored: Whether the service keeps it; None if it did not say.
        tool_calls: The calls in it, whose results may come now.
        seen: How many messages of this call the service knows already: those up to the answer itself, if it is among them.
    """

    id: str
    provider: str | None = None
    connection: str | None = None
    model: str | None = None
    answered_by: str | None = None
    stored: bool | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    seen: int = 0


def normalise_continuation(value: Reply | Continuation) -> Continuation:
    """Turn a reply into what a call must know to continue it.

    Raises:
        TypeError: The service has no name for the answer, or it is not complete.
    """
    if isinstance(value, Continuation):
        return value
    if value.id is None:
        msg = "the service gave the answer no id by which it could be continued"
        raise TypeError(msg)
    if not value.complete:
        msg = "the answer is not complete; send the whole conversation"
        raise TypeError(msg)
    return Continuation(
        id=value.id,
        provider=value.provider,
        connection=value.connection,
        model=value.attempts[-1].model if value.attempts else value.model,
        answered_by=value.model,
        stored=value.stored,
        tool_calls=value.tool_calls,
    )


_REASONING: Final = field_names(Reasoning)


def normalise_stop(stop: str | Sequence[str]) -> tuple[str, ...]:
    """Turn one stop sequence or several into a tuple.

    Raises:
        TypeError: One is not a string.
    """
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for one in stops:
        if type(one) is not str:
            msg = f"it must be a string or a list of strings, got {one!r} in it"
            raise TypeError(msg)
    return stops


def normalise_reasoning(value: str | Mapping[str, Any] | Reasoning) -> Reasoning:
    """Turn an effort word or a mapping into `Reasoning`.

    Raises:
        TypeError: A key is none of effort, budget_tokens, summary.
    """
    if isinstance(value, Reasoning):
        return value
    if isinstance(value, str):
        return Reasoning(effort=value)
    for key in value:
        if key not in _REASONING:
            msg = f"it has no key {key!r}{hint(key, _REASONING)}"
            raise TypeError(msg)
    return Reasoning(**value)


def check_numbers(biases: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a mapping whose values are all finite numbers.

    Raises:
        TypeError: One is not.
    """
    for one in biases.values():
        if not isinstance(one, int | float) or isinstance(one, bool) or not math.isfinite(one):
            msg = f"it must be a mapping of token id to number, got {one!r} in it"
            raise TypeError(msg)
    return biases


def normalise_tools(tools: Sequence[Tool | Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Turn tools and OpenAI tool dicts into a tuple of `Tool`.

    Raises:
        TypeError: One is neither.
        ValueError: A dict is not one of a function.
    """
    return tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools))


def _tool(tool: object, where: str) -> Tool:
    if isinstance(tool, Mapping):
        tool = Tool.from_dict(tool, where=where)
    if not isinstance(tool, Tool):
        msg = f"{where} is {describe(tool)}; want a Tool or a dict"
        raise TypeError(msg)
    schema: Any = tool.parameters  # callers without a type checker
    if not isinstance(schema, Mapping):
        msg = f"{where}.parameters is {describe(schema)}; want a JSON schema: a dict with type object"
        raise TypeError(msg)
    return tool


# One a call: setting this many slots of a frozen object takes thrice as long.
@frozen(kw_only=True, slots=False)
class Options(Value):
    """The options of one call; each is `UNSET` unless the caller gave it.

    Attributes:
        system: Put before the conversation.
        max_tokens: Most tokens to generate, thinking included.
        temperature: Sampling temperature.
        top_p: Nucleus sampling mass.
        top_k: Sample among this many tokens.
        stop: Stop sequences.
        seed: Sampling seed.
        presence_penalty: Penalty for tokens that have occurred.
        frequency_penalty: Penalty for tokens by how often they have occurred.
        logit_bias: Bias by token id.
        logprobs: Whether log probabilities are wanted.
        top_logprobs: Alternatives per position.
        n: Number of choices.
        tools: What the model may call.
        tool_choice: Whether tools are called, and which.
        parallel_tool_calls: Whether several tools may be called at once.
        response_format: The form of an answer that shall be JSON.
        reasoning: How much the model shall think.
        user: An id of the end user.
        suffix: Text that follows the completion (text completion only).
        store: Whether the service keeps the answer, so that a later call can continue it.
        continue_from: The answer that this call continues: the service keeps what was said before, and only the
            messages behind it are sent.
        background: Whether the service computes the answer on its own, while the answer is asked for from time to time.
        extra: Provider id to a mapping that is merged into that provider's wire body. Ids of other providers are
            left alone, for one call may go to several; an id that nobody has is a `ConfigurationError`.
        unsupported: What happens to what the model cannot honour.
        emulate: Whether a kind of request may be emulated by another.
    """

    system: Maybe[str] = option("a string", str)
    max_tokens: Maybe[int] = option("a whole number", int, minimum=0)
    temperature: Maybe[float] = option("a number", int, float, minimum=0)
    top_p: Maybe[float] = option("a number", int, float, minimum=0)
    top_k: Maybe[int] = option("a whole number", int)
    stop: Maybe[tuple[str, ...]] = option(
        "a string or a list of strings", str, list, tuple, normalise=normalise_stop
    )
    seed: Maybe[int] = option("a whole number", int)
    presence_penalty: Maybe[float] = option("a number", int, float)
    frequency_penalty: Maybe[float] = option("a number", int, float)
    logit_bias: Maybe[Mapping[str, float] | Mapping[int, float]] = option(
        "a mapping of token id to number", Mapping, normalise=check_numbers
    )
    logprobs: Maybe[bool] = option("True or False", bool)
    top_logprobs: Maybe[int] = option("a whole number", int, minimum=0)
    n: Maybe[int] = option("a whole number", int, minimum=1)
    tools: Maybe[tuple[Tool, ...]] = option("a list of tools", list, tuple, normalise=normalise_tools)
    tool_choice: Maybe[str] = option(
        '"auto", "none", "required" or the name of a tool', str, keywords=("auto", "none", "required")
    )
    parallel_tool_calls: Maybe[bool] = option("True or False", bool)
    response_format: Maybe[str | Mapping[str, Any]] = option(
        '"json" or a JSON schema', str, Mapping, keywords=("json",)
    )
    reasoning: Maybe[Reasoning] = option(
        "an effort or a mapping", str, Mapping, Reasoning, normalise=normalise_reasoning
    )
    user: Maybe[str] = option("a string", str)
    suffix: Maybe[str] = option("a string", str)
    store: Maybe[bool] = option("True or False", bool)
    continue_from: Maybe[Continuation] = option(
        "a reply", Reply, Continuation, normalise=normalise_continuation
    )
    background: Maybe[bool] = option("True or False", bool)
    extra: Mapping[str, Mapping[str, Any]] = extra_option()
    unsupported: UnsupportedPolicy = unsupported_option()
    emulate: bool = option("True or False", bool, default=True)

    def given(self) -> dict[str, Any]:
        """Return the options that the caller gave, by name; policies and `extra` left out."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if value is not UNSET and name not in _POLICIES
        }


_POLICIES: Final = frozenset({"extra", "unsupported", "emulate"})
PARAMETER_NAMES: Final[tuple[str, ...]] = tuple(
    name for name in option_rules(Options) if name not in _POLICIES
)
"""Every option of `Options` that a provider may honour or not."""

_DEFAULTS: Final = {policy: Options(unsupported=policy) for policy in UNSUPPORTED}
_PLACES: Final = {name: place for place, name in enumerate(option_rules(Options))}
for _name, _default in _DEFAULTS["error"].__dict__.items():
    setattr(Options, _name, _default)  # so that options need not hold what a caller did not give


def options_of(given: Mapping[str, Any], policy: UnsupportedPolicy) -> Options:
    """Return `Options(unsupported=policy, **given)`, of values that have been checked."""
    if not given:
        return _DEFAULTS[policy]
    # A fast path, in a fifth of the constructor's time: most of the many fields keep their defaults, which the class has.
    options = object.__new__(Options)
    own = options.__dict__
    own["unsupported"] = policy
    if len(given) == 1:
        own.update(given)
    else:  # in the order of the fields, as from the constructor
        own.update(sorted(given.items(), key=_place_of))
    return options


def _place_of(option: tuple[str, object]) -> int:
    return _PLACES[option[0]]


show_in("jackfield", Reasoning)
show_in("jackfield.plugin", Continuation, Options)
