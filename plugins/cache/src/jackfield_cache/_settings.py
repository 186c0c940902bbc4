"""The configuration keys of `[middleware.cache]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

__all__ = ["CacheSettings"]

Kinds = tuple[Literal["chat", "completion", "summarization", "embedding", "rerank"], ...]
Reasons = tuple[Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "other"], ...]


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        msg = f"{attribute.name} must be more than 0, not {value}"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class CacheSettings:
    """Settings of the response cache.

    Attributes:
        path: A SQLite file, which outlives the process and may be shared by several; without it, answers are in memory.
        ttl: Seconds for which an answer is valid.
        max_entries: The greatest number of answers; the least recently used are dropped first.
        max_bytes: The greatest number of bytes of all answers.
        kinds: The kinds of calls whose answers are recorded.
        finish_reasons: Answers with other finish reasons are not recorded.
        per_user: Whether calls that differ only in `user` are different.
        per_key: Whether calls with different keys, tokens or passwords are different. If not, everyone who shares the file
            gets the answers to the others' calls.
    """

    path: Path | None = None
    ttl: float = attrs.field(default=3600.0, validator=_positive)
    max_entries: int = attrs.field(default=1000, validator=_positive)
    max_bytes: int = attrs.field(default=64_000_000, validator=_positive)
    kinds: Kinds = ("chat", "completion", "summarization", "embedding", "rerank")
    finish_reasons: Reasons = ("stop", "tool_calls")
    per_user: bool = False
    per_key: bool = True
