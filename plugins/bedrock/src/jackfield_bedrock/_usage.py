"""Read token counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jackfield import Usage
from jackfield.plugin import read_count

__all__ = ["missing_counts", "read_headers", "read_metrics", "read_usage"]

_HEADER: Final = "x-amzn-bedrock-"
_COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")


def _usage(
    plain: Any, output: Any, read: Any, written: Any, details: Mapping[str, int] | None = None
) -> Usage:
    """Sum up the input: Bedrock's counts do not include tokens read from and written to the cache.

    A count of the cache that cannot be read makes the sum unknown.
    """
    counts = [read_count(value) for value in (plain, read, written)]
    unknown = counts[0] is None or any(
        count is None and value is not None
        for count, value in zip(counts, (plain, read, written), strict=True)
    )
    total = None if unknown else sum(count or 0 for count in counts)
    return Usage(total, read_count(output), counts[1], counts[2], None, details or {})


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the usage of Converse, or of Nova's own body, which has other names for the cache (or both; counted once).

    Source: AWS's service model in botocore 1.44.5 (2026-11); recorded answers, 2024-2026.
    """
    get = usage.get
    read = get("cacheReadInputTokens")
    written = get("cacheWriteInputTokens")
    read = get("cacheReadInputTokenCount") if read is None else read
    written = get("cacheWriteInputTokenCount") if written is None else written
    details = get("cacheDetails") and _by_lifetime(get("cacheDetails"))
    if written is None and details:
        written = sum(details.values())
    return _usage(get("inputTokens"), get("outputTokens"), read, written, details)


def _by_lifetime(rows: Any) -> dict[str, int]:
    """Return the tokens that were written to the cache, by the lifetime of the entry."""
    found: dict[str, int] = {}
    for row in rows if isinstance(rows, list) else ():
        count = read_count(row.get("inputTokens")) if isinstance(row, Mapping) else None
        if count is not None and isinstance(row.get("ttl"), str):
            name = f"cache_write_{row['ttl']}_tokens"
            found[name] = found.get(name, 0) + count
    return found


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
        return read_count(headers.get(f"{_HEADER}{name}-token-count"))

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
