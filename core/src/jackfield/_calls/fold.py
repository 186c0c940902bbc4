"""Fold events into a reply. Streamed and whole replies are folded in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import attrs

from jackfield._types import events as ev
from jackfield._types.content import Message, Part, RawPart, Text, Thinking, ToolCall, parse_arguments
from jackfield._types.replies import Choice
from jackfield._types.usage import Usage
from jackfield._values import Record

__all__ = ["Folded", "GrowingFold", "fold"]

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

    def add_piece(self, kind: type, text: str, block: int | None, data: Mapping[str, Any] | None) -> None:
        last = self.parts[-1] if self.parts else None
        if not (isinstance(last, _Run) and last.kind is kind and block in (None, last.block)):
            last = _Run(kind, block, [])
            self.parts.append(last)
        last.pieces.append(text)
        if data:
            last.data = {**(last.data or {}), **data}


class Folded:
    """The result of folding events.

    Attributes:
        id: The service's id of the reply.
        model: The model that replied, as the service reports it.
        choices: By index.
        usage: The last totals.
        finished: Every choice that began has its `Finish`.
        raw: What had no event of its own.
        vectors: Embeddings by index.
        scores: `(index, score)` in the order they came.
        counted: The count of a token-counting endpoint.
        service_tier: The tier that was used.
        region: Where it ran.
        raw_usage: The service's own usage object.
    """

    # Values that most replies lack stay in the class: fewer attributes to set for each reply.
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

    def _find_choice(self, index: int) -> _ChoiceState:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _ChoiceState()
        return state

    def add_start(self, event: ev.Started) -> None:
        self.id = self.id if event.id is None else event.id
        self.model = self.model if event.model is None else event.model
        self.service_tier = self.service_tier if event.service_tier is None else event.service_tier
        self.region = self.region if event.region is None else event.region

    def add_text(self, event: ev.TextDelta) -> None:
        self._find_choice(event.choice).add_piece(ev.TextDelta, event.text, event.block, event.provider_data)

    def add_refusal(self, event: ev.RefusalDelta) -> None:
        self._find_choice(event.choice).add_piece(ev.RefusalDelta, event.text, None, None)

    def add_thinking(self, event: ev.ThinkingDelta) -> None:
        self._find_choice(event.choice).add_piece(ev.ThinkingDelta, event.text, event.block, event.data)

    def start_call(self, event: ev.ToolCallStart) -> None:
        choice = self._find_choice(event.choice)
        call = _Call(event.id, event.name, [], event.provider_data)
        choice.calls[event.index] = call
        choice.parts.append(call)

    def add_arguments(self, event: ev.ToolCallDelta) -> None:
        self._find_choice(event.choice).calls[event.index].pieces.append(event.arguments)

    def end_call(self, event: ev.ToolCallEnd) -> None:
        if event.provider_data:
            call = self._find_choice(event.choice).calls[event.index]
            call.data = {**(call.data or {}), **event.provider_data}

    def add_citation(self, event: ev.CitationDelta) -> None:
        self._find_choice(event.choice).citations.append(event.citation)

    def add_logprobs(self, event: ev.LogprobsDelta) -> None:
        choice = self._find_choice(event.choice)
        if choice.logprobs is None:
            choice.logprobs = []
        choice.logprobs.extend(event.tokens)  # in place: a new list for each event would be quadratic

    def add_part(self, event: ev.PartAdded) -> None:
        self._find_choice(event.choice).parts.append(event.part)

    def add_usage(self, event: ev.UsageUpdate) -> None:
        # Most replies report their usage once.
        if self.usage is _NOTHING_USED:
            self.usage, self.raw_usage = event.usage, event.raw or self.raw_usage
            return
        if event.raw and not (event.usage.total_tokens == 0 and self.usage.total_tokens):
            self.raw_usage = event.raw
        self.usage = self.usage.updated(event.usage)

    def add_finish(self, event: ev.Finish) -> None:
        self._find_choice(event.choice).finish = event

    def keep_raw(self, event: ev.RawEvent) -> None:
        self._raw.append(event)

    def add_vector(self, event: ev.EmbeddingData) -> None:
        self.vectors[event.index] = event.vector

    def add_score(self, event: ev.RerankScore) -> None:
        self._scores.append((event.index, event.score))

    def add_count(self, event: ev.TokensCounted) -> None:
        self.counted = event.input_tokens

    def close(self) -> None:
        """Build the choices after all events were added."""
        self.raw, self.scores = tuple(self._raw), tuple(self._scores)
        states = self._choices
        self.choices = tuple([self._build_choice(index, states[index]) for index in sorted(states)])
        self.finished = None not in [state.finish for state in states.values()]

    def _build_choice(self, index: int, state: _ChoiceState) -> Choice:
        finish = state.finish
        return Choice(
            index=index,
            message=Message("assistant", tuple([self._build_part(part) for part in state.parts])),
            finish_reason=None if finish is None else finish.reason,
            finish_raw=None if finish is None else finish.raw,
            finish_detail=None if finish is None else finish.detail,
            logprobs=None if state.logprobs is None else tuple(state.logprobs),
            citations=tuple(state.citations),
        )

    def _build_part(self, part: _Run | _Call | RawPart) -> Part:
        if isinstance(part, RawPart):
            return part
        if isinstance(part, _Call):
            arguments, raw = parse_arguments(_joined(part.pieces))
            return ToolCall(part.id, part.name, arguments, raw, part.data)
        from jackfield._json import whole_text  # with the readers of JSON, which load late

        text = whole_text(_joined(part.pieces))
        if part.kind is ev.ThinkingDelta:
            return Thinking(text, self._provider, self.model or self._asked_model, part.data)
        return Text(text, refusal=part.kind is ev.RefusalDelta, provider_data=part.data)


class GrowingFold:
    """Fold the events of a stream that is still read, each once, however often the reply is looked at.

    Args:
        provider: As for `fold`.
        model: As there.
    """

    __slots__ = ("_folded", "_names", "_taken")

    def __init__(self, provider: str, model: str) -> None:
        self._names = (provider, model)
        self._folded = Folded(provider, model)
        self._taken = 0

    def up_to(self, events: Sequence[ev.Event], end: int) -> Folded:
        """Return the fold of the events that were read, and of what the others say of the usage.

        Args:
            events: All events so far, in the order they came.
            end: How many of them were read; no fewer than the last time.
        """
        try:
            for event in events[self._taken : end]:
                _HANDLERS[type(event)](self._folded, event)
            self._taken = end
        except BaseException:
            self._folded, self._taken = Folded(*self._names), 0
            raise
        folded = copy(self._folded)
        for event in events[end:]:
            if type(event) is ev.UsageUpdate:
                folded.add_usage(event)
        folded.close()
        return folded


def _joined(pieces: list[str]) -> str:
    """Join the pieces of a part, once for all."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""


_HANDLERS: dict[type, Any] = {
    ev.Started: Folded.add_start,
    ev.TextDelta: Folded.add_text,
    ev.RefusalDelta: Folded.add_refusal,
    ev.ThinkingDelta: Folded.add_thinking,
    ev.ToolCallStart: Folded.start_call,
    ev.ToolCallDelta: Folded.add_arguments,
    ev.ToolCallEnd: Folded.end_call,
    ev.CitationDelta: Folded.add_citation,
    ev.LogprobsDelta: Folded.add_logprobs,
    ev.PartAdded: Folded.add_part,
    ev.UsageUpdate: Folded.add_usage,
    ev.Finish: Folded.add_finish,
    ev.RawEvent: Folded.keep_raw,
    ev.EmbeddingData: Folded.add_vector,
    ev.RerankScore: Folded.add_score,
    ev.TokensCounted: Folded.add_count,
}
