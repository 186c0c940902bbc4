"""Read how long a service wants callers to wait: in headers, in fields of a body, in sentences."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from collections.abc import Mapping
from typing import Final

__all__ = [
    "delay_in",
    "read_reset",
    "reset_seconds",
    "retry_after_seconds",
    "seconds_of",
    "wait_in_headers",
]

_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART: Final = (
    r"(\d{1,15}(?:\.\d{1,15})?)\s*"
    r"(ms|milliseconds?|msecs?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
)
_ONE: Final = re.compile(_PART, re.IGNORECASE)
_DURATION: Final = re.compile(rf"{_PART}(?:(?:\s|,|and\b)*{_PART})*", re.IGNORECASE)
_CUE: Final = re.compile(
    r"\b(?:try(?:ing)? again|retry(?:ing)?|re-?try|wait(?:ing)?|available again|resets?|come back)\b[^.;\d]{0,60}",
    re.IGNORECASE,
)
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(?:Z|UTC|[+-]\d\d:?\d\d)?")
_CLOCK: Final = re.compile(r"(\d{1,3}):(\d\d):(\d\d)(?:\.\d+)?")
_EPOCH: Final = 1e9
"""A wait of more seconds than this, 31 years, is a moment in seconds since 1970; a thousand times more is in milliseconds."""
_RESET: Final = re.compile(
    r"(?:(?P<head>x-ratelimit|x-rate-limit|ratelimit|anthropic-ratelimit)-)(?P<name>.*-)?reset(?:-(?P<tail>.+))?"
)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a service asks callers to wait.

    Reads `retry-after-ms` and `x-ms-retry-after-ms` (milliseconds), then `Retry-After` (seconds or an HTTP date, RFC 9110
    section 10.2.3; also a duration such as "13s"). A date is compared with the service's own `Date`, if that came.

    Returns:
        Seconds, not negative; None if the headers do not say.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = headers.get(name)
        if milliseconds is not None and (number := _number(milliseconds)) is not None:
            return number / 1000
    value = headers.get("retry-after")
    if value is None:
        return None
    if (number := _number(value)) is not None:
        return number if number < _EPOCH else _until(number, headers)
    moment = _moment(value)
    return _whole_duration(value) if moment is None else _until(moment, headers)


def reset_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the limit that was hit is reset, by the headers that tell of limits.

    Reads `x-ratelimit-reset`, `ratelimit-reset`, `RateLimit` (its `t` or `reset`), and those for a kind of limit
    (`x-ratelimit-reset-tokens`, `anthropic-ratelimit-requests-reset`): seconds, durations ("6m0s"), moments as seconds or
    milliseconds since 1970, or dates. A limit of which something remains is not the one that was hit, and does not count; of
    the others the longest does. Only an answer with status 429 says by them when to come back.
    """
    waits = []
    for name, value in headers.items():
        low = name.lower()
        if low == "ratelimit":
            found = re.search(r"(?:\bt|\breset)\s*=\s*(\d{1,15})", value)
            remaining = re.search(r"(?:\br|\bremaining)\s*=\s*(\d{1,15})", value)
            wait = float(found[1]) if found is not None else None
            left = remaining[1] if remaining is not None else None
        else:
            match = _RESET.fullmatch(low)
            if match is None:
                continue
            wait = read_reset(value, headers)
            left = headers.get(low.replace("reset", "remaining"))
        if wait is not None and (left is None or not _number(left)):
            waits.append(wait)
    return max(waits, default=None)


def wait_in_headers(headers: Mapping[str, str]) -> float | None:
    """Return the wait that headers of a refused request ask for, `Retry-After` first."""
    wait = retry_after_seconds(headers)
    return reset_seconds(headers) if wait is None else wait


def seconds_of(text: str) -> float | None:
    """Parse a number of seconds or a duration: 13, 1.2s, 7m12s, 20 seconds."""
    number = _number(text)
    return _whole_duration(text) if number is None else number


def delay_in(text: str) -> float | None:
    """Return the seconds of a sentence such as "Please try again in 7m12s" or "retry after 20 seconds"."""
    for cue in _CUE.finditer(text):
        duration = _DURATION.match(text, cue.end())
        if duration is not None:
            return _sum(duration[0])
        moment = _MOMENT.match(text, cue.end())
        if moment is not None and (stamp := _moment(moment[0])) is not None:
            return max(0.0, stamp - time.time())
    return None


def read_reset(value: str, headers: Mapping[str, str]) -> float | None:
    """Return the seconds until a limit is reset: a number, a duration, a moment as a number, or a date; None if it is none."""
    number = _number(value)
    if number is not None:
        if number < _EPOCH:
            return number
        return _until(number / 1000 if number >= _EPOCH * 100 else number, headers)
    moment = _moment(value)
    return _whole_duration(value) if moment is None else _until(moment, headers)


def _until(moment: float, headers: Mapping[str, str]) -> float:
    """Return the seconds until a moment by the clock of the service, else by ours."""
    now = _moment(headers.get("date", ""))
    return max(0.0, moment - (time.time() if now is None else now))


def _moment(text: str) -> float | None:
    """Parse a date of HTTP or ISO 8601; one without a zone is in UTC. None if it is neither, or impossible."""
    text = text.strip()
    if not text or len(text) > 100:
        return None
    try:
        if _MOMENT.fullmatch(text):
            moment = dt.datetime.fromisoformat(
                text.replace("UTC", "+00:00").replace(" +", "+").replace(" Z", "Z")
            )
        else:
            from email.utils import parsedate_to_datetime  # slow to import, and a date is rare

            moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):  # the last for a year that no date of ours has
        return None


def _whole_duration(text: str) -> float | None:
    text = text.strip()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return int(clock[1]) * 3600.0 + int(clock[2]) * 60 + int(clock[3])
    return _sum(text) if _DURATION.fullmatch(text) else None


def _sum(text: str) -> float:
    # By the first letter, but for what is a thousandth: m is minutes.
    return math.fsum(float(number) * _unit(word.lower()) for number, word in _ONE.findall(text))


def _unit(word: str) -> float:
    return _UNITS["ms"] if word.startswith(("ms", "milli")) else _UNITS[word[0]]


def _number(text: str) -> float | None:
    """Parse a number and raise a negative one to 0; None if the text is not a finite number."""
    if "_" in text or not text.isascii():  # which only Python reads
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
