"""Recorded traffic of real services, read by our decoders and compared with a second, simpler reading.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are
skipped; in CI that is a failure.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

import jackfield_openai
from jackfield import (
    EmbeddingData,
    Failure,
    FailureInStream,
    Frame,
    Head,
    Headers,
    JackfieldError,
    MalformedResponseError,
    ProviderError,
    ToolCall,
    Wire,
)
from jackfield._fold import fold
from jackfield.http import framer_for
from jackfield_openai import OPENAI, Dialect, decoder

FOLDER = Path(__file__).parents[4] / "shared" / "wire"
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


@lru_cache(maxsize=1)
def rows():
    if not FOLDER.is_dir():
        message = "the recordings are not here; they lie beside the repository in shared/wire"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    texts = ((FOLDER / f"{name}.jsonl").read_text(encoding="utf-8") for name in FILES)
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


def of(api, **facts):
    return [r for r in rows() if r["api"] == api and all(r["response"][k] == v for k, v in facts.items())]


# -- our reading ---------------------------------------------------------------------------------------------


def raw_body(row):
    body = row["response"]["body"]
    kind = row["response"]["body_kind"]
    if kind in ("sse", "text"):
        return body.encode()
    if kind == "parsed_events":
        return (
            b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in body) + b"data: [DONE]\n\n"
        )
    return json.dumps(body).encode()


def head_of(row):
    kind = row["response"]["body_kind"]
    default = "text/event-stream" if kind in ("sse", "parsed_events") else "application/json"
    headers = dict(row["response"].get("headers") or {})
    headers.setdefault("content-type", default)
    return Head(row["response"]["status"], Headers(headers))


def frames_of(data, content_type, *, cut=None):
    framer = framer_for(content_type, "sse")
    pieces = [data] if cut is None else [data[i : i + cut] for i in range(0, len(data), cut)]
    frames = [frame for piece in pieces for frame in framer.feed(piece)]
    return [*frames, *framer.close()]


def events_of(row, *, cut=None):
    dialect = OPENAI if row["api"].startswith("openai") else LOCAL
    request = (row.get("request") or {}).get("body")
    wire = Wire(
        "/",
        request if isinstance(request, dict) else {},
        stream=row["stream"],
        meta={"api": SERVED[row["api"]]},
    )
    head = head_of(row)
    decode = decoder(dialect, wire)
    events = list(decode.start(head))
    for frame in frames_of(raw_body(row), head.headers["content-type"], cut=cut):
        events += decode.feed(frame)
    return events + decode.finish()


# -- the second reading: no streaming logic, no classes, only what the documents say ---------------------------


def sse_values(text):
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data and data != "[DONE]":
            yield json.loads(data)


def values_of(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    return list(sse_values(body)) if kind == "sse" else body if kind == "parsed_events" else [body]


def piece_of(row, choice):
    whole = row["response"]["body_kind"] == "json"
    first, second = ("message", "delta") if whole else ("delta", "message")
    piece = choice.get(first) or choice.get(second)
    return piece if piece is not None else {"content": choice.get("text")}


def expected_choices(row):
    """`{index: {"text", "refusal", "thinking", "calls": [[name, arguments text]], "raw"}}`."""
    found = {}
    for value in values_of(row):
        for choice in value.get("choices") or []:
            blank = {"text": "", "refusal": "", "thinking": "", "calls": [], "keys": [], "raw": None}
            state = found.setdefault(choice.get("index", 0), blank)
            piece = piece_of(row, choice)
            state["text"] += piece.get("content") or ""
            state["refusal"] += piece.get("refusal") or ""
            details = "".join(
                d.get("text") or d.get("summary") or "" for d in piece.get("reasoning_details") or []
            )
            state["thinking"] += piece.get("reasoning_content") or piece.get("reasoning") or details
            if piece.get("function_call"):
                add_call(state, 0, piece["function_call"])
            for position, call in enumerate(piece.get("tool_calls") or []):
                fallback = len(state["keys"]) + position if "name" in (call.get("function") or {}) else 0
                add_call(state, call.get("index", fallback), call.get("function") or call["custom"])
            state["raw"] = choice.get("finish_reason") or state["raw"]
    return found


def add_call(state, key, function):
    if key not in state["keys"]:
        state["keys"].append(key)
        state["calls"].append([function.get("name"), ""])
    call = state["calls"][state["keys"].index(key)]
    arguments = function.get("arguments", function.get("input")) or ""
    call[1] += arguments if isinstance(arguments, str) else json.dumps(arguments)


def expected_usage(row):
    """Input, output, cached and thinking tokens; None where the service did not say."""
    said = [v.get("usage") or (v.get("x_groq") or {}).get("usage") for v in values_of(row)]
    usage = next((u for u in reversed(said) if u), None)
    if usage is None:
        return (None, None, None, None)
    inside = usage.get("prompt_tokens_details") or {}
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    cached = inside.get("cached_tokens", usage.get("prompt_cache_hit_tokens", usage.get("cached_tokens")))
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if row.get("variant") == "xai" and thought and written is not None:  # xAI counts thinking apart
        written = usage["total_tokens"] - read
    return (read, written, cached, thought)


FINISH = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "length": "length", "tool_calls": "tool_calls",
    "function_call": "tool_calls", "content_filter": "content_filter", None: "other",
}  # fmt: skip


def same_arguments(ours: ToolCall, text):
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        value = None
    return ours.arguments == value if isinstance(value, dict) else ours.arguments_raw == text


def check_choices(row, answer):
    expected = expected_choices(row)
    assert {choice.index for choice in answer.choices} == set(expected)
    for choice in answer.choices:
        want = expected[choice.index]
        message = choice.message
        assert message.text == want["text"]
        assert "".join(p.text for p in message.parts if type(p).__name__ == "Thinking") == want["thinking"]
        assert "".join(p.text for p in message.parts if getattr(p, "refusal", False)) == want["refusal"]
        assert [call.name for call in message.tool_calls] == [name for name, _ in want["calls"]]
        for ours, (_, text) in zip(message.tool_calls, want["calls"], strict=True):
            assert same_arguments(ours, text)
            assert ours.id
        assert choice.finish_raw == want["raw"]
        finish = FINISH[want["raw"]]
        if finish == "stop":
            finish = "tool_calls" if want["calls"] else "refusal" if want["refusal"] else "stop"
        assert choice.finish_reason == finish
    used = answer.usage
    mine = (used.input_tokens, used.output_tokens, used.cached_input_tokens, used.reasoning_tokens)
    assert mine == expected_usage(row)


def broken(row):
    """Why a recording cannot be an answer, or None."""
    if "error_in_stream" in row["tags"]:
        return FailureInStream
    if "non_json_event" in row["tags"]:
        return MalformedResponseError
    return None


def is_answer(row):
    return row["response"]["status"] < 400 and broken(row) is None


# -- tests ----------------------------------------------------------------------------------------------------


def test_every_line_is_accounted_for():
    assert Counter(row["api"] for row in rows()) == COUNTS
    assert set(COUNTS) == set(SERVED) | set(NOT_SERVED)


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
    assert len(read) == answers
    faults = {}
    for row in read:
        try:
            check_choices(row, fold(events_of(row), provider="local"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"], row.get("variant")] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def test_what_is_no_answer_is_an_error():
    found = [
        row for row in rows() if row["api"] in SERVED and row["response"]["status"] < 400 and broken(row)
    ]
    assert len(found) == 2
    for row in found:
        with pytest.raises(broken(row)):
            events_of(row)


def test_responses_are_read_as_recorded():
    read = [row for row in of("openai.responses") if is_answer(row)]
    assert len(read) == 71
    faults = {}
    for row in read:
        try:
            check_response(row, fold(events_of(row), provider="openai"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:400]}"
    assert not faults


def check_response(row, answer):
    values = values_of(row)
    last = values[-1]["response"] if row["response"]["body_kind"] == "sse" else values[-1]
    items = last["output"]
    if not items:  # some recordings leave the output out of the last event
        items = [v["item"] for v in values if v.get("type") == "response.output_item.done"]
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    (choice,) = answer.choices
    assert choice.text == "".join(p["text"] for p in parts if p["type"] == "output_text")
    refusal = "".join(p["refusal"] for p in parts if p["type"] == "refusal")
    assert "".join(p.text for p in choice.message.parts if getattr(p, "refusal", False)) == refusal
    calls = [item for item in items if item["type"] in ("function_call", "custom_tool_call")]
    assert [(c.id, c.name) for c in choice.message.tool_calls] == [(i["call_id"], i["name"]) for i in calls]
    for ours, item in zip(choice.message.tool_calls, calls, strict=True):
        # One recording was edited in its whole texts alone; a reader of the stream saw the pieces.
        pieces = [
            v["delta"]
            for v in values
            if v.get("item_id") == item["id"] and v["type"].endswith("arguments.delta")
        ]
        assert same_arguments(ours, "".join(pieces) or item.get("arguments", item.get("input")))
    kept = [part for part in choice.message.parts if type(part).__name__ == "RawPart"]
    spoken = ("message", "reasoning", "function_call", "custom_tool_call")
    assert [part.data for part in kept] == [item for item in items if item["type"] not in spoken]
    thinking = [part for part in choice.message.parts if type(part).__name__ == "Thinking"]
    assert [part.data["item"]["id"] for part in thinking] == [
        i["id"] for i in items if i["type"] == "reasoning"
    ]
    usage = last["usage"]
    assert answer.usage.input_tokens == usage["input_tokens"]
    assert answer.usage.output_tokens == usage["output_tokens"]
    details = usage.get("output_tokens_details") or {}
    assert answer.usage.reasoning_tokens == details.get("reasoning_tokens")
    reason = (last.get("incomplete_details") or {}).get("reason")
    plain = "tool_calls" if calls else "refusal" if refusal else "stop"
    assert choice.finish_reason == {"max_output_tokens": "length", None: plain}[reason]
    assert answer.model == last["model"]


def floats_of(value):
    if isinstance(value, str):
        raw = base64.b64decode(value)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    return [struct.unpack("<f", struct.pack("<f", number))[0] for number in value]


@pytest.mark.parametrize(("api", "answers"), [("openai.embeddings", 45), ("hf.embeddings", 1)])
def test_embeddings_are_read_as_recorded(api, answers):
    read = [row for row in of(api) if is_answer(row)]
    assert len(read) == answers
    for row in read:
        events = events_of(row)
        vectors = {event.index: event.vector.tolist() for event in events if isinstance(event, EmbeddingData)}
        body = row["response"]["body"]
        assert vectors == {entry["index"]: floats_of(entry["embedding"]) for entry in body["data"]}
        said = (body.get("usage") or {}).get("prompt_tokens")
        assert fold(events).usage.input_tokens == said


def test_listings_are_read_as_recorded():
    read = [r for r in of("openai.models", status=200) if r["request"]["method"] == "GET"]
    assert len(read) == 4
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
    return {400: "InvalidRequestError", 403: "PermissionDeniedError", 422: "InvalidRequestError", 429: "RateLimitError",
            500: "ServerError"}[status]  # fmt: skip


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["api"] in SERVED and row["response"]["status"] >= 400]
    assert Counter(row["api"] for row in failed) == {
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


def message_in(body):
    if isinstance(body, str):
        return body
    inner = body.get("error", body)
    inner = inner[0] if isinstance(inner, list) else inner
    return inner if isinstance(inner, str) else inner["message"]


def test_cuts_of_the_network_change_nothing():
    """One stream of each service, cut after every 1, 2, 3, 7 and 64 bytes."""
    streams = {}
    for row in rows():
        if SERVED.get(row["api"]) is None or row["response"]["body_kind"] != "sse" or not is_answer(row):
            continue
        if len(row["response"]["body"]) < 60_000:
            streams.setdefault((row["api"], row.get("variant"), "tool_call" in row["tags"]), row)
    assert len(streams) >= 20
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
