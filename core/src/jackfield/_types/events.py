"""What can happen in an answer. Mutable and slotted: one is made for each piece of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from jackfield._faces import show_in
from jackfield._values import Record, Value, define, field, frozen

from .content import RawPart
from .usage import Usage

__all__ = [
    "Citation",
    "CitationDelta",
    "EmbeddingData",
    "Event",
    "Finish",
    "FinishReason",
    "LogprobsDelta",
    "PartAdded",
    "RawEvent",
    "RefusalDelta",
    "RerankScore",
    "Started",
    "TextDelta",
    "ThinkingDelta",
    "TokenLogprob",
    "TokensCounted",
    "ToolCallDelta",
    "ToolCallEnd",
    "ToolCallStart",
    "UsageUpdate",
]

FinishReason: TypeAlias = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "pause", "other"
]


@define
class Started(Record):
    """The answer began; says what the service calls it and which model answers.

    May come again when the service says more; what is None does not unsay anything.

    Attributes:
        id: The service's name for the answer.
        model: The model that answers.
        service_tier: The tier that is really used; it may decide the price.
        region: Where it runs.
        stored: Whether the service keeps the answer, so that a later call can continue it.
    """

    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    region: str | None = None
    stored: bool | None = None


@define
class TextDelta(Record):
    """A piece of text.

    Attributes:
        text: The piece.
        choice: Which choice it belongs to.
        block: A new number begins a new part; None goes on with the current text part.
        provider_data: Opaque data of the part, by provider id; the last one given is kept.
    """

    text: str
    choice: int = 0
    block: int | None = None
    provider_data: Mapping[str, Any] | None = None


@define
class RefusalDelta(Record):
    """A piece of the text in which a model declines."""

    text: str
    choice: int = 0


@define
class ThinkingDelta(Record):
    """A piece of thinking.

    Attributes:
        text: What may be read; "" where there is only data.
        choice: Which choice it belongs to.
        block: A new number begins a new part; None goes on with the current thinking part.
        data: Opaque; mappings of one part are merged, the later value wins.
    """

    text: str
    choice: int = 0
    block: int | None = None
    data: Mapping[str, Any] | None = None


@define
class ToolCallStart(Record):
    """A tool call began. `index` numbers the calls of one choice."""

    index: int
    id: str
    name: str
    choice: int = 0
    provider_data: Mapping[str, Any] | None = None


@define
class ToolCallDelta(Record):
    """A piece of a tool call's arguments: JSON text."""

    index: int
    arguments: str
    choice: int = 0


@define
class ToolCallEnd(Record):
    """A tool call's arguments are whole.

    Attributes:
        index: Number of the call within its choice.
        choice: Which choice it belongs to.
        provider_data: Opaque, by provider id: what came after the start; replaces what the start said of a provider.
    """

    index: int
    choice: int = 0
    provider_data: Mapping[str, Any] | None = None


@frozen
class Citation(Value):
    """Where a statement comes from.

    Attributes:
        text: The words of the answer or of the source that are cited, if told.
        title: The source's title.
        url: The source's address.
        start: First character in the answer's text, if told.
        end: One past the last.
        source_id: A document's id or index, as told.
        data: The whole citation as it came.
    """

    text: str | None = None
    title: str | None = None
    url: str | None = None
    start: int | None = None
    end: int | None = None
    source_id: str | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)


@define
class CitationDelta(Record):
    """A citation of what was said."""

    citation: Citation
    choice: int = 0


@frozen
class TokenLogprob(Value):
    """One token's log probability and the alternatives to it."""

    token: str
    logprob: float
    token_bytes: bytes | None = None
    top: tuple[TokenLogprob, ...] = ()


@define
class LogprobsDelta(Record):
    """Log probabilities of the tokens said since the last."""

    tokens: Sequence[TokenLogprob]
    choice: int = 0


@define
class PartAdded(Record):
    """A whole part that came at once and has no neutral form; kept in the message."""

    part: RawPart
    choice: int = 0


@define
class UsageUpdate(Record):
    """Usage so far: running totals, never increments; the last value of each count stands.

    Attributes:
        usage: Ours.
        raw: The service's own usage object, for `CostContext.raw_usage`.
    """

    usage: Usage
    raw: Any = None


@define
class Finish(Record):
    """A choice is finished. Once per choice.

    Attributes:
        reason: Ours.
        choice: Which choice.
        raw: The provider's own word.
        detail: More that the provider says: the stop sequence, filter verdicts.
    """

    reason: FinishReason
    choice: int = 0
    raw: str | None = None
    detail: Any = None


@define
class EmbeddingData(Record):
    """One embedding.

    Attributes:
        index: Position of its input in this wire's inputs.
        vector: float32 values: a numpy array of shape (dimensions,) if numpy is installed, else `array("f")`.
    """

    index: int
    vector: Any


@define
class RerankScore(Record):
    """How well one document fits the query."""

    index: int
    score: float


@define
class TokensCounted(Record):
    """The answer of a token-counting endpoint."""

    input_tokens: int


@define
class RawEvent(Record):
    """Something that has no event of its own, kept as it came."""

    kind: str
    data: Any


Event: TypeAlias = (
    Started
    | TextDelta
    | RefusalDelta
    | ThinkingDelta
    | ToolCallStart
    | ToolCallDelta
    | ToolCallEnd
    | CitationDelta
    | LogprobsDelta
    | PartAdded
    | UsageUpdate
    | Finish
    | EmbeddingData
    | RerankScore
    | TokensCounted
    | RawEvent
)


show_in(
    "jackfield",
    Citation,
    CitationDelta,
    Finish,
    LogprobsDelta,
    PartAdded,
    RawEvent,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
show_in("jackfield.plugin", EmbeddingData, RerankScore, TokensCounted)
