from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest

from jackfield_limits import Window
from jackfield_limits._windows import parse_window


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "zone", "now", "begin", "end"),
    [
        ("minute", "UTC", "2026-03-01T10:11:12Z", "2026-03-01T10:11:00Z", "2026-03-01T10:12:00Z"),
        ("hour", "Asia/Kolkata", "2026-03-01T10:11:12Z", "2026-03-01T09:30:00Z", "2026-03-01T10:30:00Z"),
        ("day", "UTC", "2026-03-01T10:11:12Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"),
        # A day of 23 hours, and one of 25.
        ("day", "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("day", "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("week", "UTC", "2026-03-01T10:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"),
        ("month", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("month", "America/New_York", "2026-03-31T10:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"),
        ("rolling 5h", "UTC", "2026-03-01T10:11:12Z", "2026-03-01T10:10:00Z", "2026-03-01T10:15:00Z"),
    ],
)
def test_a_window_contains_its_moment(text, zone, now, begin, end):
    assert parse_window(text, zone).span(at(now)) == (int(at(begin)), int(at(end)))


@pytest.mark.parametrize("hour", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"])
def test_an_hour_that_the_clocks_repeat_is_two_windows(hour):
    begin, end = parse_window("hour", "Europe/Berlin").span(at(hour))
    assert end is not None
    assert (begin, end - begin) == (int(at(hour)) - 1800, 3600)


@pytest.mark.parametrize("text", ["minute", "hour", "day", "week", "month", "rolling 7s", "rolling 90m"])
def test_bounds_are_those_of_the_windows_around(text):
    window, now = parse_window(text, "Europe/Berlin"), datetime(2026, 3, 29, 0, 59, tzinfo=UTC).timestamp()
    bounds = window.bounds(now, around=2)
    assert len(bounds) == 6
    assert list(bounds) == sorted(set(bounds))
    for begin, end in itertools.pairwise(bounds):
        assert window.span(begin) == (begin, end)
        assert window.span(end - 0.001) == (begin, end)


def test_windows_without_end_have_no_bounds():
    assert Window(kind="ever").bounds(0) == Window(kind="now").bounds(0) == ()


@pytest.mark.parametrize(
    "text", ["rolling", "rolling 0h", "rolling 5", "rolling 900d", "year", "rolling 5h "]
)
def test_what_is_no_window_is_refused_with_what_would_be_one(text):
    with pytest.raises(ValueError, match="window must be one of minute"):
        parse_window(text)


def test_windows_are_written_as_they_are_read():
    for text in ("minute", "month", "ever", "rolling 5h", "rolling 90m", "rolling 2d"):
        assert str(parse_window(text)) == text
