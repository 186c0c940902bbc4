"""What a caller may ask for, and the sentinel that means "did not ask"."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from jackfield._faces import show_in
from jackfield._hints import hint
from jackfield._values import Value

from .content import Tool
from .dicts import describe

__all__ = ["UNSET", "Maybe", "Options", "Reasoning", "Unset", "UnsupportedPolicy"]


class Unset(enum.Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        # `if option:` would drop 0, False, "" and []; make the mistake loud.
        msg = "UNSET has no truth value; compare with `is UNSET`"
        raise TypeError(msg)


UNSET: Final = Unset.UNSET
"""Not given. 0, False, "" and [] are given."""

UnsupportedPolicy: TypeAlias = Literal["error", "drop"]


@attrs.frozen(eq=False, repr=False)
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


Maybe: TypeAlias = Any
"""A value or `UNSET`; the class below names the value's type in its docstring."""


# One a call: setting this many slots of a frozen object takes thrice as long.
@attrs.frozen(kw_only=True, slots=False)
class Options:
    """The options of one call; each is `UNSET` unless the caller gave it.

    Attributes:
        system: Text (str) put before the conversation.
        max_tokens: Most tokens (int) to generate, thinking included.
        temperature: Sampling temperature (float).
        top_p: Nucleus sampling mass (float).
        top_k: Sample among this many tokens (int).
        stop: Stop sequences (tuple of str).
        seed: Sampling seed (int).
        presence_penalty: Float.
        frequency_penalty: Float.
        logit_bias: Mapping of token id to bias.
        logprobs: Whether log probabilities are wanted (bool).
        top_logprobs: Alternatives per position (int).
        n: Number of choices (int).
        tools: Tuple of `Tool`.
        tool_choice: "auto", "none", "required" or a tool's name.
        parallel_tool_calls: Bool.
        response_format: "json" or a JSON schema (mapping).
        reasoning: `Reasoning`.
        user: An id (str) of the end user.
        suffix: Text (str) that follows the completion (text completion only).
        extra: Provider id to a mapping that is merged into that provider's wire body. Ids of other providers are
            left alone, for one call may go to several; an id that nobody has is a `ConfigurationError`.
        unsupported: What happens to what the model cannot honour.
        emulate: Whether a kind of request may be emulated by another.
    """

    system: Maybe = UNSET
    max_tokens: Maybe = UNSET
    temperature: Maybe = UNSET
    top_p: Maybe = UNSET
    top_k: Maybe = UNSET
    stop: Maybe = UNSET
    seed: Maybe = UNSET
    presence_penalty: Maybe = UNSET
    frequency_penalty: Maybe = UNSET
    logit_bias: Maybe = UNSET
    logprobs: Maybe = UNSET
    top_logprobs: Maybe = UNSET
    n: Maybe = UNSET
    tools: Maybe = UNSET
    tool_choice: Maybe = UNSET
    parallel_tool_calls: Maybe = UNSET
    response_format: Maybe = UNSET
    reasoning: Maybe = UNSET
    user: Maybe = UNSET
    suffix: Maybe = UNSET
    extra: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    unsupported: UnsupportedPolicy = "error"
    emulate: bool = True

    def given(self) -> dict[str, Any]:
        """Give the options that the caller gave, by name; policies and `extra` left out."""
        given = {name: value for name, value in self.__dict__.items() if value is not UNSET}
        for policy in _POLICIES:
            del given[policy]
        return given


_POLICIES: Final = ("extra", "unsupported", "emulate")
PARAMETER_NAMES: Final[tuple[str, ...]] = tuple(
    field.name for field in attrs.fields(Options) if field.name not in _POLICIES
)
"""Every option that a provider may honour or not."""
_REASONING: Final = tuple(field.name for field in attrs.fields(Reasoning))


def normalise_stop(stop: str | Sequence[str]) -> tuple[str, ...]:
    """Turn one stop sequence or several into a tuple.

    Raises:
        TypeError: One is no string.
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


def normalise_tools(tools: Sequence[Tool | Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Turn tools and OpenAI tool dicts into a tuple of `Tool`.

    Raises:
        TypeError: One is neither.
        ValueError: A dict is not one of a function.
    """
    return tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools))


def _tool(tool: object, where: str) -> Tool:
    if isinstance(tool, Tool):
        return tool
    if isinstance(tool, Mapping):
        return Tool.from_dict(tool, where=where)
    msg = f"{where} is {describe(tool)}; want a Tool or a dict"
    raise TypeError(msg)


show_in("jackfield", Reasoning)
show_in("jackfield.plugin", Options, Unset)
