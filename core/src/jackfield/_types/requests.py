"""The requests that a plugin translates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from jackfield._faces import show_in
from jackfield._values import Value

from .content import Message
from .options import UNSET, Maybe, Options

__all__ = [
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


@attrs.frozen(eq=False, repr=False)
class ChatRequest(Value):
    """A conversation to go on with."""

    messages: tuple[Message, ...]
    options: Options = attrs.field(factory=Options)
    stream: bool = False


@attrs.frozen(eq=False, repr=False)
class CompletionRequest(Value):
    """A text to go on with."""

    prompt: str
    options: Options = attrs.field(factory=Options)
    stream: bool = False


@attrs.frozen(eq=False, repr=False)
class SummarizeRequest(Value):
    """A text to sum up."""

    text: str
    options: Options = attrs.field(factory=Options)
    stream: bool = False


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbedRequest(Value):
    """Texts to embed.

    Attributes:
        inputs: The texts of this wire; the core has already cut what is too many for one.
        dimensions: Wished length (int) or `UNSET`.
        input_type: An `InputType` or `UNSET`.
        truncate: What happens to an input that is too long (a `Truncate`) or `UNSET`.
        user: As in `Options`.
        extra: As in `Options`.
        unsupported: As in `Options`.
        stream: Always False.
    """

    inputs: tuple[str, ...]
    dimensions: Maybe = UNSET
    input_type: Maybe = UNSET
    truncate: Maybe = UNSET
    user: Maybe = UNSET
    extra: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    unsupported: Literal["error", "drop"] = "error"
    stream: bool = False

    def given(self) -> dict[str, Any]:
        """Give the options that the caller gave, by name."""
        names = ("dimensions", "input_type", "truncate", "user")
        return {name: value for name in names if (value := getattr(self, name)) is not UNSET}


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RerankRequest(Value):
    """Documents to order by how well they fit a query."""

    query: str
    documents: tuple[str, ...]
    top_n: Maybe = UNSET
    truncate: Maybe = UNSET
    extra: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    unsupported: Literal["error", "drop"] = "error"
    stream: bool = False

    def given(self) -> dict[str, Any]:
        """Give the options that the caller gave, by name."""
        return {n: value for n in ("top_n", "truncate") if (value := getattr(self, n)) is not UNSET}


@attrs.frozen(eq=False, repr=False)
class CountRequest(Value):
    """A conversation whose input tokens are to be counted."""

    messages: tuple[Message, ...]
    options: Options = attrs.field(factory=Options)
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
