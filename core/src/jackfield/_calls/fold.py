"""Fold events into a reply. Streamed and whole replies are folded in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from jackfield._types import events as ev
from jackfield._types.content import Message, Part, Text, Thinking, ToolCall, parse_arguments
from jackfield._types.replies import Choice
from jackfield._types.usage import Usage

__all__ = ["MANY_EVENTS", "Folded", "GrowingFold", "fold"]

MANY_EVENTS = 1_000
"""Folding these many takes at most some 50 ms; more of them are folded in turns with other work."""

_NOTHING_USED = Usage()


def fold(events: Iterable[ev.Event], *, provider: str | None = None, model: str | None = None) -> Folded:
    """Fold events.

    Args:
        events: In the order they came.
        provider: Tags thinking, so that it goes back to the same provider only.
        model: Tags thinking; what the service reports wins.
    """
    if events.__class__ is list and tuple(map(type, events)) == _ONE_TEXT:
        one = _fold_one_text(events, provider, model)
        if one is not None:
            return one
    folded = Folded(provider, model)
    folded.add(events)
    folded.close()
    return folded


class GrowingFold:
    """Fold the events of a stream that is still read, each once, however often the reply is looked at.

    Args:
        provider: As for `fold`.
        model: As there.
    """

    __slots__ = ("_broken", "_counted", "_counted_to", "_folded", "_names", "_taken")

    def __init__(self, provider: str | None, model: str | None) -> None:
        self._names = (provider, model)
        self._folded = Folded(provider, model)
        self._taken = 0
        self._counted: Folded | None = None
        self._counted_to = 0
        self._broken = False

    def up_to(self, events: Sequence[ev.Event], end: int) -> Folded:
        """Return the fold of the events that were read, and of what the others say of the usage.

        Args:
            events: All events so far, in the order they came.
            end: How many of them were read; no fewer than the last time.
        """
        if not self._taken and end == len(events) == len(_ONE_TEXT):
            return fold(events, provider=self._names[0], model=self._names[1])
        folded = self._folded
        if end > self._taken:
            try:
                folded.add(events[self._taken : end])
                self._taken = end
            except BaseException:
                self._folded, self._taken = Folded(*self._names), 0
                raise
        folded.close()
        if end == len(events):
            return folded
        folded = copy(folded)
        counted = self._count(events)
        folded.usage, folded.raw_usage = counted.usage, counted.raw_usage
        return folded

    def _count(self, events: Sequence[ev.Event]) -> Folded:
        """Fold what all events say of the usage."""
        counted = self._counted
        if counted is None:
            counted = self._counted = Folded(*self._names)
        new = events[self._counted_to :]
        counted.add([event for event in new if type(event) is ev.UsageUpdate])
        self._counted_to = len(events)
        return counted

    def lags(self, end: int) -> bool:
        """Return whether the events before `end` that are not folded are many."""
        return end - self._taken >= MANY_EVENTS and not self._broken

    async def keep_up(self, events: Sequence[ev.Event], end: int) -> None:
        """Fold the events before `end` if they are many, in turns with other tasks.

        So the end of a long stream need not fold it all at once, while nothing else runs. Events that do not fit
        together are left to `up_to`, which raises.
        """
        while self.lags(end):
            try:
                self.up_to(events, self._taken + MANY_EVENTS)
            except Exception:
                self._broken = True
            await asyncio.sleep(0)


class _Piece:
    """A part in the making: consecutive pieces of one kind, a tool call, or a part that came whole.

    Attributes:
        place: Its number among the parts.
        kind: The class of the events that it is made of.
        block: Its number, if the service numbers parts.
        pieces: Its text so far.
        data: Opaque data so far.
        part: The part; None if something has come since it was built.
        whole: The part, if it came whole.
        id: Of a tool call.
        name: Of a tool call.
    """

    # Values that most parts lack stay in the class: fewer attributes to set for each reply.
    data: dict[str, Any] | None = None
    part: Part | None = None
    whole: Part | None = None
    id = name = ""

    def __init__(self, place: int, kind: type, block: int | None = None) -> None:
        self.place = place
        self.kind = kind
        self.block = block
        self.pieces: list[str] = []

    def add_data(self, data: Mapping[str, Any]) -> None:
        """Merge opaque data; the later value wins."""
        if self.data is None:
            self.data = {}
        self.data.update(data)

    def text(self) -> str:
        """Join the pieces, also for the next time."""
        if len(self.pieces) != 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0]


class _ChoiceState:
    """A choice in the making.

    Attributes:
        index: Its number.
        last: Its last part.
        changed: What must be built, for the first time or again.
        built: The parts, as far as they are built.
    """

    last: _Piece | None = None
    logprobs: list[ev.TokenLogprob] | None = None
    finish: ev.Finish | None = None
    is_changed = False

    def __init__(self, index: int) -> None:
        self.index = index
        self.changed: list[_Piece] = []
        self.built: list[Any] = []
        self.calls: dict[int, _Piece] = {}
        self.citations: list[ev.Citation] = []

    def begin(self, kind: type, block: int | None = None) -> _Piece:
        """Begin another part."""
        piece = self.last = _Piece(len(self.built), kind, block)
        self.built.append(None)
        self.changed.append(piece)
        return piece

    def change(self, piece: _Piece) -> None:
        """Note that more came of a part that may have been built."""
        if piece.part is not None:
            piece.part = None
            self.changed.append(piece)

    def add_piece(self, kind: type, text: str, block: int | None, data: Mapping[str, Any] | None) -> None:
        last = self.last
        if last is None or last.kind is not kind or (block is not None and block != last.block):
            last = self.begin(kind, block)
        elif last.part is not None:
            self.change(last)
        last.pieces.append(text)
        if data:
            last.add_data(data)


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
        stored: Whether the service keeps the reply.
        raw_usage: The service's own usage object.
    """

    # Values that most replies lack stay in the class: fewer attributes to set for each reply.
    id: str | None = None
    model: str | None = None
    choices: tuple[Choice, ...] = ()
    usage: Usage = _NOTHING_USED
    finished: bool = True
    raw: tuple[ev.RawEvent, ...] = ()
    scores: tuple[tuple[int, float], ...] = ()
    counted: int | None = None
    service_tier: str | None = None
    region: str | None = None
    stored: bool | None = None
    raw_usage: Any = None
    _built_for: str | None = None
    _unfinished: int = 0
    _is_sorted: bool = True

    def __init__(self, provider: str | None, model: str | None) -> None:
        self._provider = provider
        self._asked_model = model
        self._choices: dict[int, _ChoiceState] = {}
        self._changed: list[_ChoiceState] = []
        self._built: dict[int, Choice] = {}
        self._raw: list[ev.RawEvent] = []
        self._scores: list[tuple[int, float]] = []
        self._thoughts: list[tuple[_ChoiceState, _Piece]] = []
        self.vectors: dict[int, Any] = {}

    def _find_choice(self, index: int) -> _ChoiceState:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _ChoiceState(index)
            self._unfinished += 1
        if not state.is_changed:
            state.is_changed = True
            self._changed.append(state)
        return state

    def add(self, events: Iterable[ev.Event]) -> None:
        """Fold more events."""
        handlers = _HANDLERS
        for event in events:
            handlers[type(event)](self, event)

    def add_start(self, event: ev.Started) -> None:
        self.id = self.id if event.id is None else event.id
        self.model = self.model if event.model is None else event.model
        self.service_tier = self.service_tier if event.service_tier is None else event.service_tier
        self.region = self.region if event.region is None else event.region
        if event.stored is not None:
            self.stored = event.stored

    def add_text(self, event: ev.TextDelta) -> None:
        self._find_choice(event.choice).add_piece(ev.TextDelta, event.text, event.block, event.provider_data)

    def add_refusal(self, event: ev.RefusalDelta) -> None:
        self._find_choice(event.choice).add_piece(ev.RefusalDelta, event.text, None, None)

    def add_thinking(self, event: ev.ThinkingDelta) -> None:
        choice = self._find_choice(event.choice)
        before = choice.last
        choice.add_piece(ev.ThinkingDelta, event.text, event.block, event.data)
        if choice.last is not None and choice.last is not before:
            self._thoughts.append((choice, choice.last))

    def start_call(self, event: ev.ToolCallStart) -> None:
        choice = self._find_choice(event.choice)
        call = choice.begin(ev.ToolCallStart)
        call.id, call.name = event.id, event.name
        if event.provider_data:
            call.add_data(event.provider_data)
        choice.calls[event.index] = call

    def add_arguments(self, event: ev.ToolCallDelta) -> None:
        choice = self._find_choice(event.choice)
        call = choice.calls[event.index]
        choice.change(call)
        call.pieces.append(event.arguments)

    def end_call(self, event: ev.ToolCallEnd) -> None:
        if event.provider_data:
            choice = self._find_choice(event.choice)
            call = choice.calls[event.index]
            choice.change(call)
            call.add_data(event.provider_data)

    def add_citation(self, event: ev.CitationDelta) -> None:
        self._find_choice(event.choice).citations.append(event.citation)

    def add_logprobs(self, event: ev.LogprobsDelta) -> None:
        choice = self._find_choice(event.choice)
        if choice.logprobs is None:
            choice.logprobs = []
        choice.logprobs.extend(event.tokens)  # in place: a new list for each event would be quadratic

    def add_part(self, event: ev.PartAdded) -> None:
        self._find_choice(event.choice).begin(ev.PartAdded).whole = event.part

    def add_usage(self, event: ev.UsageUpdate) -> None:
        # Most replies report their usage once.
        if self.usage is _NOTHING_USED:
            self.usage, self.raw_usage = event.usage, event.raw or self.raw_usage
            return
        if event.raw and not (event.usage.total_tokens == 0 and self.usage.total_tokens):
            self.raw_usage = event.raw
        self.usage = self.usage.updated(event.usage)

    def add_finish(self, event: ev.Finish) -> None:
        choice = self._find_choice(event.choice)
        if choice.finish is None:
            self._unfinished -= 1
        choice.finish = event

    def keep_raw(self, event: ev.RawEvent) -> None:
        self._raw.append(event)

    def add_vector(self, event: ev.EmbeddingData) -> None:
        self.vectors[event.index] = event.vector

    def add_score(self, event: ev.RerankScore) -> None:
        self._scores.append((event.index, event.score))

    def add_count(self, event: ev.TokensCounted) -> None:
        self.counted = event.input_tokens

    def close(self) -> None:
        """Build the choices of all events so far; what did not change since the last time is not built again."""
        if self._raw and len(self._raw) != len(self.raw):
            self.raw = tuple(self._raw)
        if self._scores and len(self._scores) != len(self.scores):
            self.scores = tuple(self._scores)
        model = self.model or self._asked_model
        if model != self._built_for:
            if self._thoughts:
                self._forget_thinking()
            self._built_for = model
        if self._changed:
            built = self._built
            for state in self._changed:
                index = state.index
                if built and index not in built and index < next(reversed(built)):
                    self._is_sorted = False
                built[index] = self._build_choice(state)
            self._changed.clear()
            if not self._is_sorted:
                built = self._built = dict(sorted(built.items()))
                self._is_sorted = True
            self.choices = tuple(built.values())
        self.finished = not self._unfinished

    def _forget_thinking(self) -> None:
        """Build thinking again: it is tagged with the model, which has become known."""
        for choice, piece in self._thoughts:
            self._find_choice(choice.index).change(piece)

    def _build_choice(self, state: _ChoiceState) -> Choice:
        finish, parts = state.finish, state.built
        for piece in state.changed:
            piece.part = parts[piece.place] = self._build_part(piece)
        state.changed.clear()
        state.is_changed = False
        return Choice(
            index=state.index,
            message=Message("assistant", tuple(parts)),
            finish_reason=None if finish is None else finish.reason,
            finish_raw=None if finish is None else finish.raw,
            finish_detail=None if finish is None else finish.detail,
            logprobs=None if state.logprobs is None else tuple(state.logprobs),
            citations=tuple(state.citations),
        )

    def _build_part(self, piece: _Piece) -> Part:
        if piece.whole is not None:
            return piece.whole
        kind, data = piece.kind, piece.data
        if data is not None:
            data = data.copy()
        if kind is ev.ToolCallStart:
            arguments, raw = parse_arguments(piece.text())
            return ToolCall(piece.id, piece.name, arguments, raw, data)
        text = _whole(piece.text())
        if kind is ev.ThinkingDelta:
            return Thinking(text, self._provider, self._built_for, data)
        return Text(text, refusal=kind is ev.RefusalDelta, provider_data=data)


_ONE_TEXT: tuple[type, ...] = (ev.Started, ev.TextDelta, ev.Finish, ev.UsageUpdate)


def _fold_one_text(events: Iterable[Any], provider: str | None, model: str | None) -> Folded | None:
    """Fold a whole answer of one text, as most are, without its intermediate states; None if it has more."""
    started, text, finish, used = events
    index = text.choice
    if finish.choice != index or text.provider_data:
        return None
    folded = Folded(provider, model)  # fast path: there is one part, which needs no place among others
    folded.id, folded.model = started.id, started.model
    folded.service_tier, folded.region, folded.stored = started.service_tier, started.region, started.stored
    folded.usage, folded.raw_usage = used.usage, used.raw or None
    folded.choices = (
        Choice(
            index=index,
            message=Message("assistant", (Text(_whole(text.text)),)),
            finish_reason=finish.reason,
            finish_raw=finish.raw,
            finish_detail=finish.detail,
        ),
    )
    return folded


def _whole(text: str) -> str:
    if text.isascii():
        return text
    from jackfield._json import whole_text  # with the readers of JSON, which load late

    return whole_text(text)


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
