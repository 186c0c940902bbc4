"""Answers that a middleware gives itself: out of events, and back into events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import attrs

from jackfield._faces import show_in
from jackfield._hints import a_or_an
from jackfield._types import events as ev
from jackfield._types.calls import Call
from jackfield._types.content import Part, RawPart, Text, Thinking, ToolCall
from jackfield._types.cost import UNKNOWN_COST, Cost, CostItem
from jackfield._types.replies import Choice, EmbedReply, Replay, Reply, RerankReply
from jackfield._types.usage import Usage

from .building import build_reply
from .fold import Folded, fold
from .streams import EventMap, MappedStream, StreamSource

__all__ = ["ReplayedStream", "WatchedStream", "events_of", "replayed_reply"]

NOTHING_USED: Final = Usage(input_tokens=0, output_tokens=0)


def events_of(reply: Reply | EmbedReply | RerankReply) -> list[ev.Event]:
    """Return events that fold into this reply: what a recording holds of a reply that came whole."""
    events: list[ev.Event] = [ev.Started(reply.id, reply.model)]
    if isinstance(reply, Reply):
        for choice in reply.choices:
            events += _events_of_choice(choice)
    elif isinstance(reply, EmbedReply):
        events += [ev.EmbeddingData(index, vector) for index, vector in enumerate(reply.embeddings)]
    else:
        events += [ev.RerankScore(ranking.index, ranking.score) for ranking in reply.results]
    events.append(ev.UsageUpdate(reply.usage))
    # The order of the dialects: what is used is said before the end.
    finishes = [event for event in events if isinstance(event, ev.Finish)]
    return [event for event in events if not isinstance(event, ev.Finish)] + finishes


def replayed_reply(
    call: Call, events: Sequence[ev.Event], *, replay: Replay | None = None
) -> Reply | EmbedReply | RerankReply:
    """Build the reply to a call out of events, without asking the service.

    Args:
        call: The call that is answered.
        events: What `events_of` gives, what was heard of a stream, or a middleware's own.
        replay: Where they are from. With it nothing was used and nothing paid: `usage` is 0, `cost` is 0 and says
            why; what the recorded answer used and cost stays in `reply.replay`.
    """
    folded = fold(events, provider=call.provider, model=call.model.id)
    return _build_replayed(call, folded, replay, complete=True)


class ReplayedStream:
    """The stream of an answer that is there already; what a middleware gives for a streaming call.

    Args:
        call: The call that is answered.
        events: As for `replayed_reply`.
        replay: As there.
    """

    def __init__(self, call: Call, events: Sequence[ev.Event], *, replay: Replay | None = None) -> None:
        self._call = call
        self._events = tuple(events)
        self._replay = replay
        self._next = 0
        self._closed = False

    @property
    def response(self) -> Reply:
        """The answer as far as it was read."""
        folded = fold(self._events[: self._next], provider=self._call.provider, model=self._call.model.id)
        reply = _build_replayed(self._call, folded, self._replay, complete=self._next == len(self._events))
        if not isinstance(reply, Reply):
            msg = f"{a_or_an(self._call.kind)} is not streamed"
            raise TypeError(msg)
        return reply

    def map(self, change: EventMap) -> MappedStream:
        """Give a stream whose events are changed."""
        return MappedStream(self, change)

    def __aiter__(self) -> AsyncIterator[ev.Event]:
        return self

    async def __anext__(self) -> ev.Event:
        if self._closed or self._next == len(self._events):
            raise StopAsyncIteration
        event = self._events[self._next]
        self._next += 1
        # Events are mutable: each reader has its own, or one would change the recording.
        return attrs.evolve(event)

    async def aclose(self) -> None:
        """End it; what was read is kept."""
        self._closed = True


class WatchedStream:
    """A stream that says when it ended: for what counts, records or writes down.

    Args:
        source: What `proceed` gave.
        on_end: Called once, when the answer is whole, failed, was left or cancelled: with the answer as far as it was
            read (`complete` says whether it is whole) and the exception, if there was one. It must not block.
        on_event: Called with each event before the reader has it.
    """

    def __init__(
        self,
        source: StreamSource,
        on_end: Callable[[Reply, BaseException | None], None],
        on_event: Callable[[ev.Event], None] | None = None,
    ) -> None:
        self._source = source
        self._on_end = on_end
        self._on_event = on_event
        self._ended = False

    @property
    def response(self) -> Reply:
        """The answer as far as it was read."""
        return self._source.response

    def map(self, change: EventMap) -> StreamSource:
        """Give a stream whose events are changed; it is watched no less."""
        return MappedStream(self, change)

    def __aiter__(self) -> AsyncIterator[ev.Event]:
        return self

    async def __anext__(self) -> ev.Event:
        try:
            event = await self._source.__anext__()
        except StopAsyncIteration:
            # Another task may have closed it, which ends the iteration but not the answer.
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        if self._on_event is not None:
            self._on_event(event)
        return event

    async def aclose(self) -> None:
        """Close the upstream; what was read is kept."""
        try:
            await self._source.aclose()
        finally:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if not self._ended:
            self._ended = True
            self._on_end(self._source.response, error)


def _build_replayed(
    call: Call, folded: Folded, replay: Replay | None, *, complete: bool
) -> Reply | EmbedReply | RerankReply:
    return build_reply(
        call,
        folded,
        complete=complete,
        usage=folded.usage if replay is None else NOTHING_USED,
        cost=UNKNOWN_COST if replay is None else _explain_no_cost(replay),
        replay=replay,
    )


def _explain_no_cost(replay: Replay) -> Cost:
    zero = Decimal(0)
    saved = replay.cost
    why = f"{replay.by}: the service was not asked"
    if saved.amount is not None:
        why += f", which saved {saved.amount} {saved.currency}"
    item = CostItem("replay", Decimal(1), zero, 1, zero, why)
    return Cost("complete", zero, saved.currency, (item,))


def _events_of_choice(choice: Choice) -> Iterator[ev.Event]:
    index, calls = choice.index, 0
    for block, part in enumerate(choice.message.parts):
        if isinstance(part, ToolCall):
            yield from _events_of_call(part, calls, index)
            calls += 1
        else:
            yield _event_of_part(part, block, index)
    for citation in choice.citations:
        yield ev.CitationDelta(citation, index)
    if choice.logprobs is not None:
        yield ev.LogprobsDelta(choice.logprobs, index)
    if choice.finish_reason is not None:
        yield ev.Finish(choice.finish_reason, index, choice.finish_raw, choice.finish_detail)


def _events_of_call(call: ToolCall, number: int, choice: int) -> Iterator[ev.Event]:
    yield ev.ToolCallStart(number, call.id, call.name, choice, call.provider_data)
    arguments = call.arguments_raw
    if arguments is None:
        import orjson

        arguments = orjson.dumps(call.arguments).decode()
    yield ev.ToolCallDelta(number, arguments, choice)
    yield ev.ToolCallEnd(number, choice)


def _event_of_part(part: Part, block: int, choice: int) -> ev.Event:
    if isinstance(part, Text):
        if part.refusal:
            return ev.RefusalDelta(part.text, choice)
        return ev.TextDelta(part.text, choice, block, part.provider_data)
    if isinstance(part, Thinking):
        return ev.ThinkingDelta(part.text, choice, block, part.data)
    if isinstance(part, RawPart):
        return ev.PartAdded(part, choice)
    msg = f"{a_or_an(type(part).__name__)} is no part of an answer"
    raise TypeError(msg)


show_in("jackfield.plugin", ReplayedStream, WatchedStream)
