"""How an answer ended where the service does not say: a decoder around a decoder, which adds credits as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from jackfield import Event, Finish, FinishReason, TextDelta, ToolCallStart, Usage, UsageUpdate
from jackfield.plugin import Decoder, Frame, Head

from ._usage import with_credits

__all__ = ["CortexDecoder", "inferred"]


def inferred(usage: Usage | None, limit: Any, *, calls: bool) -> FinishReason:
    """Say why an answer ended that has no finish reason.

    Cortex leaves it out in its own form and sends "" in OpenAI's (recorded 2026). An answer of which nothing was
    counted may as well have been cut, so its end is not known.
    """
    if calls:
        return "tool_calls"
    if usage is None or usage.output_tokens is None:
        return "other"
    if isinstance(limit, int) and usage.output_tokens >= limit:
        return "length"
    return "stop"


class CortexDecoder:
    """Reads what another dialect's decoder reads, and fills in how the answer ended and what it cost in credits.

    Args:
        inner: The dialect's decoder.
        limit: The limit of the answer's tokens that was sent, or None.
        per_token: Declared credits for a token of each kind, or None.
        embeds: It is an embedding, which has no output.
    """

    def __init__(
        self, inner: Decoder, limit: Any, per_token: Mapping[str, Decimal] | None, *, embeds: bool = False
    ) -> None:
        self._inner = inner
        self._limit = limit
        self._per_token = per_token
        self._embeds = embeds
        self._usage: Usage | None = None
        self._calls: set[int] = set()

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return self._inner.start(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Read one frame."""
        events = self._inner.feed(frame)
        if len(events) == 1 and type(events[0]) is TextDelta:  # fast path: nearly every event of a stream
            return events
        return self._completed(events)

    def finish(self) -> list[Event]:
        """Hear that the body ended cleanly."""
        return self._completed(self._inner.finish())

    def _completed(self, events: Sequence[Event]) -> list[Event]:
        for event in events:  # an end may stand before the count by which it is known
            if isinstance(event, UsageUpdate):
                self._usage = event.usage
            elif isinstance(event, ToolCallStart):
                self._calls.add(event.choice)
        return [self._changed(event) for event in events]

    def _changed(self, event: Event) -> Event:
        if isinstance(event, Finish) and event.reason == "other" and not event.raw:
            reason = inferred(self._usage, self._limit, calls=event.choice in self._calls)
            return Finish(reason, event.choice, None, event.detail)
        if isinstance(event, UsageUpdate) and self._per_token is not None:
            return attrs.evolve(event, usage=with_credits(event.usage, self._per_token, embeds=self._embeds))
        return event
