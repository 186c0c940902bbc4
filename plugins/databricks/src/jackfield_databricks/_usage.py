"""Token counts of Databricks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from jackfield import Event, Usage, UsageUpdate
from jackfield.plugin import Decoder, Frame, WrappedDecoder, read_count
from jackfield_openai import read_usage as read_openai

from ._prices import add_dbu

__all__ = ["DbuCounter", "read_usage"]


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Read token counts; endpoints of Claude use Anthropic's names for cached tokens.

    Sources: docs.databricks.com (2026): `prompt_tokens` includes what the server adds;
    databricks-ai-bridge issue 446 (2026-06): it includes cached tokens. If an endpoint counts them
    separately, as Anthropic itself does, its total or the counts show that, and they are added.
    """
    usage = read_openai(raw)
    read, written = (
        read_count(raw.get(name)) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
    )
    if read is None and written is None:
        return usage
    prompt, parts = usage.input_tokens, (read or 0) + (written or 0)
    total, out = read_count(raw.get("total_tokens")), usage.output_tokens
    if prompt is not None and parts:
        beside = total is not None and out is not None and total == prompt + parts + out
        if beside or parts > prompt:
            prompt += parts
    return attrs.evolve(
        usage,
        input_tokens=prompt,
        cached_input_tokens=read if usage.cached_input_tokens is None else usage.cached_input_tokens,
        cache_write_tokens=written if usage.cache_write_tokens is None else usage.cache_write_tokens,
    )


class DbuCounter(WrappedDecoder):
    """Adds DBU to the token counts that another decoder reads.

    Args:
        inner: The decoder.
        per_token: DBU per token, by unit.
    """

    def __init__(self, inner: Decoder, per_token: Mapping[str, Decimal]) -> None:
        super().__init__(inner)
        self._per_token = per_token

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        return self._count(self._inner.feed(frame))

    def finish(self) -> list[Event]:
        """Handle the end of the body."""
        return self._count(self._inner.finish())

    def _count(self, events: Sequence[Event]) -> list[Event]:
        return [self._add(event) if isinstance(event, UsageUpdate) else event for event in events]

    def _add(self, event: UsageUpdate) -> UsageUpdate:
        usage = event.usage
        return attrs.evolve(event, usage=add_dbu(usage, self._per_token, output=usage.output_tokens))
