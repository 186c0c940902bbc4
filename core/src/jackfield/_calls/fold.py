"""Fold the events of an answer into the answer. Streamed and whole answers go the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from jackfield._types import events as ev
from jackfield._types.content import Message, Part, RawPart, Text, Thinking, ToolCall, parse_arguments
from jackfield._types.replies import Choice
from jackfield._types.usage import Usage
from jackfield._values import Record

__all__ = ["Folded", "fold"]

_NOTHING_USED = Usage()


def fold(events: Iterable[ev.Event], *, provider: str | None = None, model: str | None = None) -> Folded:
    """Fold events.

    Args:
        events: In the order they came.
        provider: Tags thinking, so that it goes back to the same provider only.
        model: Tags thinking; what the service reports wins.
    """
    folded = Folded(provider, model)
    handlers = _HANDLERS
    for event in events:
        handlers[type(event)](folded, event)
    folded.close()
    return folded


@attrs.define(eq=False, repr=False)
class _Run(Record):
    """Consecutive pieces that make one part."""

    kind: type
    block: int | None
    pieces: list[str]
    data: dict[str, Any] | None = None


@attrs.define(eq=False, repr=False)
class _Call(Record):
    """A tool call in the making."""

    id: str
    name: str
    pieces: list[str]
    data: Mapping[str, Any] | None


class _ChoiceState:
    __slots__ = ("calls", "citations", "finish", "logprobs", "parts")

    def __init__(self) -> None:
        self.parts: list[_Run | _Call | RawPart] = []
        self.calls: dict[int, _Call] = {}
        self.citations: list[ev.Citation] = []
        self.logprobs: list[ev.TokenLogprob] | None = None
        self.finish: ev.Finish | None = None

    def piece(self, kind: type, text: str, block: int | None, data: Mapping[str, Any] | None) -> None:
        last = self.parts[-1] if self.parts else None
        if not (isinstance(last, _Run) and last.kind is kind and block in (None, last.block)):
            last = _Run(kind, block, [])
            self.parts.append(last)
        last.pieces.append(text)
        if data:
            last.data = {**(last.data or {}), **data}


class Folded:
    """What a list of events amounts to.

    Attributes:
        id: The service's name for the answer.
        model: The model that the service says answered.
        choices: By index.
        usage: The last totals.
        finished: Every choice that began has its `Finish`.
        raw: What had no event of its own.
        vectors: Embeddings by index.
        scores: `(index, score)` in the order they came.
        counted: What a token-counting endpoint answered.
        service_tier: The tier that was used.
        region: Where it ran.
        raw_usage: The service's own usage object.
    """

    # What most answers say nothing of stays in the class: one object less to fill for each of them.
    id: str | None = None
    model: str | None = None
    choices: tuple[Choice, ...] = ()
    usage: Usage = _NOTHING_USED
    finished: bool = True
    raw: tuple[ev.RawEvent, ...]
    scores: tuple[tuple[int, float], ...]
    counted: int | None = None
    service_tier: str | None = None
    region: str | None = None
    raw_usage: Any = None

    def __init__(self, provider: str | None, model: str | None) -> None:
        self._provider = provider
        self._asked_model = model
        self._choices: dict[int, _ChoiceState] = {}
        self._raw: list[ev.RawEvent] = []
        self._scores: list[tuple[int, float]] = []
        self.vectors: dict[int, Any] = {}

    def choice(self, index: int) -> _ChoiceState:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _ChoiceState()
        return state

    def started(self, event: ev.Started) -> None:
        self.id = self.id if event.id is None else event.id
        self.model = self.model if event.model is None else event.model
        self.service_tier = self.service_tier if event.service_tier is None else event.service_tier
        self.region = self.region if event.region is None else event.region

    def text(self, event: ev.TextDelta) -> None:
        self.choice(event.choice).piece(ev.TextDelta, event.text, event.block, event.provider_data)

    def refusal(self, event: ev.RefusalDelta) -> None:
        self.choice(event.choice).piece(ev.RefusalDelta, event.text, None, None)

    def thinking(self, event: ev.ThinkingDelta) -> None:
        self.choice(event.choice).piece(ev.ThinkingDelta, event.text, event.block, event.data)

    def call_start(self, event: ev.ToolCallStart) -> None:
        choice = self.choice(event.choice)
        call = _Call(event.id, event.name, [], event.provider_data)
        choice.calls[event.index] = call
        choice.parts.append(call)

    def call_delta(self, event: ev.ToolCallDelta) -> None:
        self.choice(event.choice).calls[event.index].pieces.append(event.arguments)

    def ignore(self, event: ev.Event) -> None:
        pass

    def citation(self, event: ev.CitationDelta) -> None:
        self.choice(event.choice).citations.append(event.citation)

    def logprobs(self, event: ev.LogprobsDelta) -> None:
        choice = self.choice(event.choice)
        choice.logprobs = (choice.logprobs or []) + list(event.tokens)

    def part(self, event: ev.PartAdded) -> None:
        self.choice(event.choice).parts.append(event.part)

    def used(self, event: ev.UsageUpdate) -> None:
        # Most answers tell their usage once.
        self.usage = event.usage if self.usage is _NOTHING_USED else self.usage.updated(event.usage)
        self.raw_usage = event.raw or self.raw_usage

    def finish(self, event: ev.Finish) -> None:
        self.choice(event.choice).finish = event

    def keep(self, event: ev.RawEvent) -> None:
        self._raw.append(event)

    def vector(self, event: ev.EmbeddingData) -> None:
        self.vectors[event.index] = event.vector

    def score(self, event: ev.RerankScore) -> None:
        self._scores.append((event.index, event.score))

    def count(self, event: ev.TokensCounted) -> None:
        self.counted = event.input_tokens

    def close(self) -> None:
        """Make the choices, once all events are in."""
        self.raw, self.scores = tuple(self._raw), tuple(self._scores)
        states = self._choices
        self.choices = tuple([self._choice(index, states[index]) for index in sorted(states)])
        self.finished = None not in [state.finish for state in states.values()]

    def _choice(self, index: int, state: _ChoiceState) -> Choice:
        finish = state.finish
        return Choice(
            index=index,
            message=Message("assistant", tuple([self._part(part) for part in state.parts])),
            finish_reason=None if finish is None else finish.reason,
            finish_raw=None if finish is None else finish.raw,
            finish_detail=None if finish is None else finish.detail,
            logprobs=None if state.logprobs is None else tuple(state.logprobs),
            citations=tuple(state.citations),
        )

    def _part(self, part: _Run | _Call | RawPart) -> Part:
        if isinstance(part, RawPart):
            return part
        if isinstance(part, _Call):
            arguments, raw = parse_arguments("".join(part.pieces))
            return ToolCall(part.id, part.name, arguments, raw, part.data)
        text = "".join(part.pieces)
        if part.kind is ev.ThinkingDelta:
            return Thinking(text, self._provider, self.model or self._asked_model, part.data)
        return Text(text, refusal=part.kind is ev.RefusalDelta, provider_data=part.data)


_HANDLERS: dict[type, Any] = {
    ev.Started: Folded.started,
    ev.TextDelta: Folded.text,
    ev.RefusalDelta: Folded.refusal,
    ev.ThinkingDelta: Folded.thinking,
    ev.ToolCallStart: Folded.call_start,
    ev.ToolCallDelta: Folded.call_delta,
    ev.ToolCallEnd: Folded.ignore,
    ev.CitationDelta: Folded.citation,
    ev.LogprobsDelta: Folded.logprobs,
    ev.PartAdded: Folded.part,
    ev.UsageUpdate: Folded.used,
    ev.Finish: Folded.finish,
    ev.RawEvent: Folded.keep,
    ev.EmbeddingData: Folded.vector,
    ev.RerankScore: Folded.score,
    ev.TokensCounted: Folded.count,
}
