"""What a failure of an Azure service means. Public for plugins that build on this one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from jackfield import ContentFilteredError, JackfieldError, OverloadedError, RateLimitError
from jackfield.plugin import Failure
from jackfield_openai import error as openai_error

__all__ = ["error"]

# Source: Microsoft's page on troubleshooting errors (2026-09): four things are a 429; this one is not the
# caller's quota.
_CAPACITY: Final = re.compile(
    r"system capacity|no ?capacity|high demand|experiencing high|currently overloaded|server is busy",
    re.IGNORECASE,
)
_WAIT: Final = re.compile(r"(?:retry after|try again in) (\d+(?:\.\d+)?) (milli)?seconds?", re.IGNORECASE)


def error(failure: Failure) -> JackfieldError | None:
    """Turn a failure into our error.

    What the filter objected to stands in the message; all its verdicts are in the error's `body`. Where no
    header says when to try again, the message does ("Please retry after 20 seconds").
    """
    made = openai_error(failure)
    if made is None:
        return None
    value = failure.json()
    inner = _inner_error(value)
    if inner.get("code") == "ResponsibleAIPolicyViolation" and not isinstance(made, ContentFilteredError):
        made = _as(ContentFilteredError, made)
    if isinstance(made, ContentFilteredError):
        objected = _objected(inner.get("content_filter_result") or inner.get("content_filter_results"))
        made.message += f" (filtered: {objected})" if objected else ""
    elif type(made) is RateLimitError:
        if _CAPACITY.search(made.message):
            made = _as(OverloadedError, made)
        if made.retry_after is None:
            made.retry_after = _told_wait(made.message)
    return made


def _inner_error(value: Any) -> Mapping[str, Any]:
    outer = value.get("error") if isinstance(value, Mapping) else None
    inner = outer.get("innererror") if isinstance(outer, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _objected(verdicts: Any) -> str:
    if not isinstance(verdicts, Mapping):
        return ""
    found = [
        f"{name} {verdict.get('severity') or ''}".strip()
        for name, verdict in verdicts.items()
        if isinstance(verdict, Mapping) and verdict.get("filtered")
    ]
    return ", ".join(found)


def _told_wait(message: str) -> float | None:
    found = _WAIT.search(message)
    if found is None:
        return None
    return float(found[1]) / (1000 if found[2] else 1)


def _as(kind: type[JackfieldError], made: JackfieldError) -> JackfieldError:
    """Make the same error in another class."""
    return kind(
        made.message,
        status=made.status,
        code=made.code,
        body=made.body,
        headers=made.headers,
        retry_after=made.retry_after,
    )
