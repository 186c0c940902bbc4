"""Read token counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage

__all__ = ["missing_counts", "read_headers", "read_metrics", "read_usage"]

_HEADER: Final = "x-amzn-bedrock-"
_COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")


def _usage(
    plain: Any, output: Any, read: Any, written: Any, details: Mapping[str, int] | None = None
) -> Usage:
    """Sum up the input: Bedrock's counts do not include tokens read from and written to the cache."""
    total = None if plain is None else plain + (read or 0) + (written or 0)
    return Usage(total, output, read, written, None, details or {})


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the usage of Converse, or of Nova's own body, which has other names for the cache (or both; counted once).

    Source: AWS's service model in botocore 1.44.5 (2026-11); recorded answers, 2024-2026.
    """
    get = usage.get
    read = get("cacheReadInputTokens")
    written = get("cacheWriteInputTokens")
    rows = get("cacheDetails")
    details = rows and {
        f"cache_write_{row['ttl']}_tokens": int(row["inputTokens"])
        for row in rows
        if row.get("ttl") in ("5m", "1h") and row.get("inputTokens") is not None
    }
    return _usage(
        get("inputTokens"),
        get("outputTokens"),
        get("cacheReadInputTokenCount") if read is None else read,
        get("cacheWriteInputTokenCount") if written is None else written,
        details,
    )


def read_metrics(metrics: Mapping[str, Any]) -> Usage:
    """Read `amazon-bedrock-invocationMetrics`, which ends every stream of InvokeModel."""
    get = metrics.get
    return _usage(
        get("inputTokenCount"),
        get("outputTokenCount"),
        get("cacheReadInputTokenCount"),
        get("cacheWriteInputTokenCount"),
    )


def read_headers(headers: Mapping[str, str]) -> Usage | None:
    """Read the token counts in the headers of a response of InvokeModel; None if there are none."""

    def count(name: str) -> int | None:
        value = headers.get(f"{_HEADER}{name}-token-count", "")
        return int(value) if value.isdigit() else None

    plain, output = count("input"), count("output")
    if plain is None and output is None:
        return None
    return _usage(plain, output, count("cache-read-input"), count("cache-write-input"))


def missing_counts(counts: Usage, known: Usage | None) -> Usage | None:
    """Return the counts that are not known yet; None if all are known."""
    if known is None:
        return counts
    new = {
        name: value
        for name in _COUNTS
        if getattr(known, name) is None and (value := getattr(counts, name)) is not None
    }
    if not new.keys() & {"input_tokens", "output_tokens"}:
        return None
    return Usage(**new)
