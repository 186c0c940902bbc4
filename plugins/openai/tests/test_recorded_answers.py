"""Recorded traffic of real services, read by our decoders and compared with a second, simpler reading.

See `openai_recordings.py` for where the recordings are.
"""

from __future__ import annotations

from collections import Counter

import pytest
from openai_recordings import check_choices, check_response, floats_of, message_in
from recordings import BY_STATUS, counted, events_by, frames_of, head_of, raw_body, recorded

import jackfield_openai
from jackfield import JackfieldError, MalformedResponseError, ProviderError
from jackfield.plugin import EmbeddingData, Failure, FailureInStream, Frame, Head, Headers, Wire
from jackfield.testing import reply_of
from jackfield_openai import OPENAI, Dialect, decoder

FILES = ("openai", "compat", "hf")
LOCAL = Dialect(id="local")

# Every `api` of the files: the decoder that reads it, or why none does.
SERVED = {
    "openai.chat": "chat",
    "openai.completions": "completion",
    "openai.embeddings": "embedding",
    "openai.models": "models",
    "openai.responses": "responses",
    "compat.chat": "chat",
    "hf.chat": "chat",
    "hf.completions": "completion",
    "hf.embeddings": "embedding",
}
NOT_SERVED = {
    "openai.moderations": "moderation is none of the kinds of request",
    "hf.generate": "text-generation-inference's own API; not OpenAI's dialect",
    "hf.feature_extraction": "Hugging Face's own API; not OpenAI's dialect",
}
COUNTS = {
    "openai.chat": 593,
    "openai.completions": 58,
    "openai.embeddings": 47,
    "openai.models": 7,
    "openai.moderations": 4,
    "openai.responses": 84,
    "compat.chat": 177,
    "hf.chat": 112,
    "hf.completions": 5,
    "hf.embeddings": 1,
    "hf.generate": 119,
    "hf.feature_extraction": 6,
}


def rows():
    return recorded(*FILES)


def of(api, **facts):
    return [r for r in rows() if r["api"] == api and all(r["response"][k] == v for k, v in facts.items())]


def events_of(row, *, cut=None):
    dialect = OPENAI if row["api"].startswith("openai") else LOCAL
    request = (row.get("request") or {}).get("body")
    body = request if isinstance(request, dict) else {}
    wire = Wire("/", body, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(decoder(dialect, wire), row, cut=cut)


def broken(row):
    """Return why a recording cannot be an answer; None if it can."""
    if "error_in_stream" in row["tags"]:
        return FailureInStream
    if "non_json_event" in row["tags"]:
        return MalformedResponseError
    return None


def is_answer(row):
    return row["response"]["status"] < 400 and broken(row) is None


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= set(COUNTS) == set(SERVED) | set(NOT_SERVED)


@pytest.mark.parametrize(
    ("api", "answers"),
    [
        ("openai.chat", 572),
        ("openai.completions", 52),
        ("compat.chat", 148),
        ("hf.chat", 103),
        ("hf.completions", 5),
    ],
)
def test_chats_and_completions_are_read_as_recorded(api, answers):
    read = [row for row in of(api) if is_answer(row)]
    assert counted(len(read)) == answers
    faults = {}
    for row in read:
        try:
            check_choices(row, reply_of(events_of(row), provider="local"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"], row.get("variant")] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def test_a_recording_that_is_not_an_answer_is_an_error():
    found = [
        row for row in rows() if row["api"] in SERVED and row["response"]["status"] < 400 and broken(row)
    ]
    assert counted(len(found)) == 2
    for row in found:
        with pytest.raises(broken(row)):
            events_of(row)


def test_responses_are_read_as_recorded():
    read = [row for row in of("openai.responses") if is_answer(row)]
    assert counted(len(read)) == 71
    faults = {}
    for row in read:
        try:
            check_response(row, reply_of(events_of(row), provider="openai"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


@pytest.mark.parametrize(("api", "answers"), [("openai.embeddings", 45), ("hf.embeddings", 1)])
def test_embeddings_are_read_as_recorded(api, answers):
    read = [row for row in of(api) if is_answer(row)]
    assert counted(len(read)) == answers
    for row in read:
        events = events_of(row)
        vectors = {event.index: event.vector.tolist() for event in events if isinstance(event, EmbeddingData)}
        body = row["response"]["body"]
        assert vectors == {entry["index"]: floats_of(entry["embedding"]) for entry in body["data"]}
        said = (body.get("usage") or {}).get("prompt_tokens")
        assert reply_of(events).usage.input_tokens == said


def test_listings_are_read_as_recorded():
    read = [r for r in of("openai.models", status=200) if r["request"]["method"] == "GET"]
    assert counted(len(read)) == 4
    listing = jackfield_openai.jackfield_discover()
    for row in read:
        cards, after = listing.parse(head_of(row), raw_body(row))
        assert [card.id for card in cards] == [entry["id"] for entry in row["response"]["body"]["data"]]
        assert after is None


# What an error's body says, and the class that it must become. The first that fits decides.
def expected_error(status, text):
    lower = text.lower()
    if (
        "maximum prompt length" in lower
        or "exceed_context_size" in lower
        or "context_length_exceeded" in lower
    ):
        return "ContextLengthExceededError"
    if "model_not_found" in lower or status == 404:
        return "NotFoundError"
    if status == 401 or "incorrect api key" in lower:
        return "AuthenticationError"
    if "insufficient_quota" in lower:
        return "QuotaExceededError"
    return BY_STATUS[status]


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["api"] in SERVED and row["response"]["status"] >= 400]
    assert counted(Counter(row["api"] for row in failed)) == {
        "openai.chat": 21, "openai.completions": 6, "openai.embeddings": 2, "openai.models": 2,
        "openai.responses": 13, "compat.chat": 27, "hf.chat": 9,
    }  # fmt: skip
    faults = {}
    for row in failed:
        status, head = row["response"]["status"], head_of(row)
        error = jackfield_openai.error(Failure(status=status, headers=head.headers, body=raw_body(row)))
        said = message_in(row["response"]["body"])
        if type(error).__name__ != expected_error(status, raw_body(row).decode()):
            faults[row["id"]] = (type(error).__name__, status, said)
        assert isinstance(error, ProviderError)
        assert error.status == status
        assert error.message.startswith(said[:40].partition(": ")[0])
        assert error.retry_after == (
            float(head.headers["retry-after"]) if "retry-after" in head.headers else None
        )
    assert not faults


def test_cuts_of_the_network_change_nothing():
    """One stream of each service, cut after every 1, 2, 3, 7 and 64 bytes."""
    streams = {}
    for row in rows():
        if SERVED.get(row["api"]) is None or row["response"]["body_kind"] != "sse" or not is_answer(row):
            continue
        if len(row["response"]["body"]) < 60_000:
            streams.setdefault((row["api"], row.get("variant"), "tool_call" in row["tags"]), row)
    assert counted(len(streams) >= 20)
    for row in streams.values():
        whole = events_of(row)
        for cut in (1, 2, 3, 7, 64):
            assert events_of(row, cut=cut) == whole


def test_a_stream_that_is_cut_is_never_a_short_answer():
    """Without its last events a stream of OpenAI's is an error, wherever it stops between two events."""
    row = next(r for r in of("openai.chat", body_kind="sse") if "done_marker" in r["tags"])
    frames = frames_of(raw_body(row), "text/event-stream")
    last = max(i for i, f in enumerate(frames) if b'"finish_reason":"' in bytes(f.data).replace(b": ", b":"))
    for count in range(last):
        decode = decoder(OPENAI, Wire("/", {}, stream=True, meta={"api": "chat"}))
        decode.start(Head(200, Headers({"content-type": "text/event-stream"})))
        for frame in frames[:count]:
            decode.feed(Frame(frame.data))
        with pytest.raises(JackfieldError, match="ended without"):
            decode.finish()
