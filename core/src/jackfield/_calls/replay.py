"""Replies that a middleware returns itself: converted to events, and built from events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jackfield._hints import a_or_an
from jackfield._types import events as ev
from jackfield._types.calls import Call
from jackfield._types.content import Part, RawPart, Text, Thinking, ToolCall
from jackfield._types.replies import Choice, EmbedReply, Replay, Reply, RerankReply

from .building import build_replay
from .fold import fold

__all__ = ["events_of", "replayed_reply"]


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
    # The order of the dialects: usage precedes the finish.
    finishes = [event for event in events if isinstance(event, ev.Finish)]
    return [event for event in events if not isinstance(event, ev.Finish)] + finishes


def replayed_reply(
    call: Call, events: Sequence[ev.Event], *, replay: Replay | None = None
) -> Reply | EmbedReply | RerankReply:
    """Build the reply to a call out of events, without asking the service.

    Args:
        call: The call.
        events: From `events_of`, from a stream, or a middleware's own.
        replay: Where they are from. With it nothing was used and nothing paid: `usage` is 0, `cost` is 0 and says
            why; what the recorded reply used and cost stays in `reply.replay`.
    """
    folded = fold(events, provider=call.provider, model=call.model.id)
    return build_replay(call, folded, replay, complete=True)


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
        from jackfield._json import write_json

        arguments = write_json(call.arguments).decode()
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
    msg = f"{a_or_an(type(part).__name__)} is not a part of a reply"
    raise TypeError(msg)
