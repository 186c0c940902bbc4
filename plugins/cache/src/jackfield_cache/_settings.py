"""What `[middleware.cache]` says."""

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
        path: A SQLite file, which outlives the process and may be shared by several; in memory without it.
        ttl: Seconds for which an answer is given again.
        max_entries: Most answers that are kept; those that were not used for longest go first.
        max_bytes: Most bytes that they take together.
        kinds: The kinds of calls whose answers are kept.
        finish_reasons: Answers that ended otherwise are not kept.
        per_user: Calls that differ in `user` alone are not equal.
        per_key: Calls under different keys, tokens or passwords are not equal. Without it, a file that is shared gives
            everybody what one of them was answered.
    """

    path: Path | None = None
    ttl: float = attrs.field(default=3600.0, validator=_positive)
    max_entries: int = attrs.field(default=1000, validator=_positive)
    max_bytes: int = attrs.field(default=64_000_000, validator=_positive)
    kinds: Kinds = ("chat", "completion", "summarization", "embedding", "rerank")
    finish_reasons: Reasons = ("stop", "tool_calls")
    per_user: bool = False
    per_key: bool = True
