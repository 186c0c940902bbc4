"""The requests that a plugin translates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from jackfield._faces import show_in
from jackfield._values import Value, field, frozen

from .content import Message
from .option_rules import (
    UNSET,
    Maybe,
    UnsupportedPolicy,
    extra_option,
    option,
    option_rules,
    unsupported_option,
)
from .options import Options

__all__ = [
    "EMBED_OPTIONS",
    "RERANK_OPTIONS",
    "ChatRequest",
    "CompletionRequest",
    "CountRequest",
    "EmbedRequest",
    "InputType",
    "Request",
    "RerankRequest",
    "SummarizeRequest",
    "Truncate",
]

InputType: TypeAlias = Literal["query", "document", "classification", "clustering", "similarity"]
Truncate: TypeAlias = Literal["error", "start", "end"]


@frozen
class ChatRequest(Value):
    """A conversation to go on with."""

    messages: tuple[Message, ...]
    options: Options = field(factory=Options)
    stream: bool = False


@frozen
class CompletionRequest(Value):
    """A text to go on with."""

    prompt: str
    options: Options = field(factory=Options)
    stream: bool = False


@frozen
class SummarizeRequest(Value):
    """A text to sum up."""

    text: str
    options: Options = field(factory=Options)
    stream: bool = False


@frozen(kw_only=True)
class EmbedRequest(Value):
    """Texts to embed.

    Attributes:
        inputs: The texts of this wire; the core has already cut what is too many for one.
        dimensions: Wished length.
        input_type: What the texts are for.
        truncate: What happens to an input that is too long.
        user: An id of the end user.
        extra: As in `Options`.
        unsupported: As in `Options`.
        stream: Always False.
    """

    inputs: tuple[str, ...]
    dimensions: Maybe[int] = option("a whole number", int, minimum=0)
    input_type: Maybe[InputType] = option("a word", str, choices=get_args(InputType))
    truncate: Maybe[Truncate] = option("a word", str, choices=get_args(Truncate))
    user: Maybe[str] = option("a string", str)
    extra: Mapping[str, Mapping[str, Any]] = extra_option()
    unsupported: UnsupportedPolicy = unsupported_option()
    stream: bool = False

    def given(self) -> dict[str, Any]:
        """Return the options that the caller gave, by name."""
        return _given(self, EMBED_OPTIONS)


@frozen(kw_only=True)
class RerankRequest(Value):
    """Documents to order by how well they fit a query.

    Attributes:
        query: What they are to fit.
        documents: The texts of this wire; the core has already cut what is too many for one.
        top_n: How many of the best are wished.
        truncate: What happens to a document that is too long.
        extra: As in `Options`.
        unsupported: As in `Options`.
        stream: Always False.
    """

    query: str
    documents: tuple[str, ...]
    top_n: Maybe[int] = option("a whole number", int, minimum=0)
    truncate: Maybe[Truncate] = option("a word", str, choices=get_args(Truncate))
    extra: Mapping[str, Mapping[str, Any]] = extra_option()
    unsupported: UnsupportedPolicy = unsupported_option()
    stream: bool = False

    def given(self) -> dict[str, Any]:
        """Return the options that the caller gave, by name."""
        return _given(self, RERANK_OPTIONS)


def _names(cls: type[EmbedRequest | RerankRequest]) -> tuple[str, ...]:
    return tuple(name for name in option_rules(cls) if name not in {"extra", "unsupported"})


EMBED_OPTIONS: Final = _names(EmbedRequest)
RERANK_OPTIONS: Final = _names(RerankRequest)
"""Every option of these requests that a provider may honour or not."""


def _given(request: EmbedRequest | RerankRequest, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(request, name)) is not UNSET}


@frozen
class CountRequest(Value):
    """A conversation whose input tokens are to be counted."""

    messages: tuple[Message, ...]
    options: Options = field(factory=Options)
    stream: bool = False


Request: TypeAlias = (
    ChatRequest | CompletionRequest | EmbedRequest | SummarizeRequest | RerankRequest | CountRequest
)


show_in(
    "jackfield.plugin",
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    RerankRequest,
    SummarizeRequest,
)
