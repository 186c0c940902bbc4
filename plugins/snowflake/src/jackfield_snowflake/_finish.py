"""A decoder around the decoder of a route: it infers why an answer ended, and adds credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from jackfield import Event, Finish, FinishReason, TextDelta, ToolCallStart, Usage, UsageUpdate
from jackfield.plugin import Decoder, Frame, WrappedDecoder

from ._usage import with_credits

__all__ = ["CortexDecoder", "infer_reason"]


def infer_reason(usage: Usage | None, limit: Any, *, calls: bool) -> FinishReason:
    """Return why an answer without a finish reason ended.

    Cortex leaves it out in its own API and sends "" in OpenAI's (recorded 2026). An answer without token counts may have
    been cut off, so its reason is unknown.
    """
    if calls:
        return "tool_calls"
    if usage is None or usage.output_tokens is None:
        return "other"
    if isinstance(limit, int) and usage.output_tokens >= limit:
        return "length"
    return "stop"


class CortexDecoder(WrappedDecoder):
    """Decode with another decoder, and add why the answer ended and what it cost in credits.

    Args:
        inner: The dialect's decoder.
        limit: The limit of output tokens that was sent, or None.
        per_token: Declared credits per token of each kind, or None.
        embeds: Whether it is an embedding, which has no output.
    """

    def __init__(
        self, inner: Decoder, limit: Any, per_token: Mapping[str, Decimal] | None, *, embeds: bool = False
    ) -> None:
        super().__init__(inner)
        self._limit = limit
        self._per_token = per_token
        self._embeds = embeds
        self._usage: Usage | None = None
        self._calls: set[int] = set()

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one frame."""
        events = self._inner.feed(frame)
        if len(events) == 1 and type(events[0]) is TextDelta:  # fast path: nearly every event of a stream
            return events
        return self._complete(events)

    def finish(self) -> list[Event]:
        """Handle the clean end of the body."""
        return self._complete(self._inner.finish())

    def _complete(self, events: Sequence[Event]) -> list[Event]:
        for event in events:  # a finish may come before the counts that explain it
            if isinstance(event, UsageUpdate):
                self._usage = event.usage
            elif isinstance(event, ToolCallStart):
                self._calls.add(event.choice)
        return [self._fill_in(event) for event in events]

    def _fill_in(self, event: Event) -> Event:
        if isinstance(event, Finish) and event.reason == "other" and not event.raw:
            reason = infer_reason(self._usage, self._limit, calls=event.choice in self._calls)
            return Finish(reason, event.choice, None, event.detail)
        if isinstance(event, UsageUpdate) and self._per_token is not None:
            return attrs.evolve(event, usage=with_credits(event.usage, self._per_token, embeds=self._embeds))
        return event
