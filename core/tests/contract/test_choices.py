"""Of a service's values the nearest is chosen, and reported if it is another than was requested."""

import pytest

from jackfield.plugin import ReportBuilder, choose_lifetime, nearest_effort


@pytest.mark.parametrize(
    ("cache", "lifetimes", "chosen"),
    [
        ("5m", ("5m", "1h"), "5m"),
        ("1h", ("5m", "1h"), "1h"),
        ("90s", ("5m", "1h"), "5m"),
        ("301s", ("5m", "1h"), "1h"),
        ("24h", ("5m", "1h"), "1h"),
        ("1h", ("30m", "12h"), "12h"),
        ("1h", ("5m",), "5m"),
        ("forever", ("5m", "1h"), "5m"),
        ("", ("5m", "1h"), "5m"),
        ("\N{SUPERSCRIPT TWO}h", ("5m", "1h"), "5m"),
        ("9" * 5000 + "s", ("5m", "1h"), "5m"),
    ],
)
def test_a_lifetime_is_long_enough_if_the_service_has_one(cache, lifetimes, chosen):
    report = ReportBuilder("error")
    assert choose_lifetime(report, cache, lifetimes, where="messages[0]", wire="mark.ttl") == chosen
    notes = report.finish().notes
    if chosen == cache:
        assert not notes
    else:
        (note,) = notes
        assert (note.name, note.fate, note.wire, note.value) == (
            "messages[0].cache",
            "clamped",
            "mark.ttl",
            chosen,
        )
        assert f"for {' or '.join(lifetimes)}, not for {cache}" in note.why


@pytest.mark.parametrize(
    ("effort", "known", "nearest"),
    [
        ("low", ("low", "high"), "low"),
        ("medium", ("low", "high"), "low"),
        ("medium", ("high", "low"), "low"),
        ("minimal", ("none", "medium", "high"), "medium"),
        ("none", ("low",), "low"),
        ("max", ("low", "turbo"), "low"),
        ("turbo", ("low",), None),
        ("low", (), None),
        ("low", ("none", "turbo"), None),
    ],
)
def test_the_nearest_effort(effort, known, nearest):
    assert nearest_effort(effort, known) == nearest
