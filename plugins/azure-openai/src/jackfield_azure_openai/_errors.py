"""Map failures of Azure services to errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield import ContentFilteredError, JackfieldError, OverloadedError, RateLimitError
from jackfield.plugin import Failure
from jackfield_openai import error as openai_error

__all__ = ["error"]

# Source: Microsoft's page on troubleshooting errors (2026-09): a 429 has four causes; this one is not the
# caller's quota.
_CAPACITY: Final = re.compile(
    r"system capacity|no ?capacity|high demand|experiencing high|currently overloaded|server is busy",
    re.IGNORECASE,
)
_WAIT: Final = re.compile(r"(?:retry after|try again in) (\d+(?:\.\d+)?) (milli)?seconds?", re.IGNORECASE)


def error(failure: Failure) -> JackfieldError | None:
    """Map a failure to an error.

    The error's message names the categories that a filter blocked; its `body` contains all verdicts. If no header
    contains the delay before a retry, the message does ("Please retry after 20 seconds").
    """
    found = openai_error(failure)
    if found is None:
        return None
    value = failure.json()
    inner = _inner_error(value)
    if inner.get("code") == "ResponsibleAIPolicyViolation" and not isinstance(found, ContentFilteredError):
        found = _convert(ContentFilteredError, found)
    if isinstance(found, ContentFilteredError):
        blocked = _describe_verdicts(
            inner.get("content_filter_result") or inner.get("content_filter_results")
        )
        found.message += f" (filtered: {blocked})" if blocked else ""
    elif type(found) is RateLimitError:
        if _CAPACITY.search(found.message):
            found = _convert(OverloadedError, found)
        if found.retry_after is None:
            found.retry_after = _read_delay(found.message)
    return found


def _inner_error(value: Any) -> Mapping[str, Any]:
    outer = value.get("error") if isinstance(value, Mapping) else None
    inner = outer.get("innererror") if isinstance(outer, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _describe_verdicts(verdicts: Any) -> str:
    if not isinstance(verdicts, Mapping):
        return ""
    found = [
        f"{name} {verdict.get('severity') or ''}".strip()
        for name, verdict in verdicts.items()
        if isinstance(verdict, Mapping) and verdict.get("filtered")
    ]
    return ", ".join(found)


def _read_delay(message: str) -> float | None:
    found = _WAIT.search(message)
    if found is None:
        return None
    return float(found[1]) / (1000 if found[2] else 1)


def _convert(kind: type[JackfieldError], error: JackfieldError) -> JackfieldError:
    """Return the same error as an object of another class."""
    return kind(
        error.message,
        status=error.status,
        code=error.code,
        body=error.body,
        headers=error.headers,
        retry_after=error.retry_after,
    )
