"""Recorded answers, read by our decoders and compared with a second, simpler reading.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import json
from collections import Counter

import pytest
from recordings import BY_STATUS, counted, events_by, head_of, raw_body, recorded

import jackfield_anthropic
from jackfield import (
    JackfieldError,
    OverloadedError,
    ProviderError,
    RawPart,
    StreamInterruptedError,
    Thinking,
)
from jackfield.http import framer_for
from jackfield.plugin import Failure, FailureInStream, Wire
from jackfield.testing import reply_of
from jackfield_anthropic import ANTHROPIC, decoder


def rows():
    """Return every recorded exchange."""
    return recorded("anthropic")


def of(api, **facts):
    """Return the exchanges of an API whose responses have these facts."""
    return [r for r in rows() if r["api"] == api and all(r["response"][k] == v for k, v in facts.items())]


# Every `api` of the file: what reads it, or why nothing does. A batch is asked for with other tools; its results
# are read here.
SERVED = {
    "anthropic.messages": "messages",
    "anthropic.complete": "complete",
    "anthropic.count_tokens": "count",
    "anthropic.models": "models",
    "anthropic.batches": "messages",
}
COUNTS = {
    "anthropic.messages": 598,
    "anthropic.complete": 6,
    "anthropic.count_tokens": 13,
    "anthropic.models": 3,
    "anthropic.batches": 8,
}


# -- our reading ---------------------------------------------------------------------------------------------


def events_of(row, *, cut=None):
    wire = Wire("/", {}, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(decoder(ANTHROPIC, wire), row, cut=cut, named=True)


def broken(row):
    """Why a recording cannot be an answer, or None."""
    return FailureInStream if "error_in_stream" in row["tags"] else None


def answers(api):
    return [row for row in of(api) if row["response"]["status"] < 400 and broken(row) is None]


# -- the second reading: a message is put together from the events as the documents say ------------------------


def sse_values(text):
    for block in text.replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data:
            yield json.loads(data)


def message_of(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind == "json":
        return body
    message, texts = None, {}
    for event in sse_values(body) if kind == "sse" else body:
        if event["type"] == "message_stop":  # three recordings hold several answers one after the other
            break
        if event["type"] == "message_start" and message is None:
            message = {**event["message"], "content": {}}
        elif event["type"] == "content_block_start":
            message["content"][event["index"]] = dict(event["content_block"])
        elif event["type"] == "content_block_delta":
            add(message["content"][event["index"]], event["delta"], texts.setdefault(event["index"], []))
        elif event["type"] == "message_delta":
            message.update({k: v for k, v in event["delta"].items() if v is not None})
            said = {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
            message["usage"] = {**(message.get("usage") or {}), **said}
    for index, pieces in texts.items():
        if "".join(pieces):
            message["content"][index]["input"] = json.loads("".join(pieces))
    message["content"] = [message["content"][index] for index in sorted(message["content"])]
    return message


def add(block, delta, inputs):
    if delta["type"] == "text_delta":
        block["text"] += delta["text"]
    elif delta["type"] == "thinking_delta":
        block["thinking"] += delta["thinking"]
    elif delta["type"] == "signature_delta":
        block["signature"] = delta["signature"]
    elif delta["type"] == "citations_delta":
        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
    else:
        assert delta["type"] == "input_json_delta"
        inputs.append(delta["partial_json"])


FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "refusal",
    "pause_turn": "pause", "model_context_window_exceeded": "length", None: "other",
}  # fmt: skip
SPOKEN = ("text", "thinking", "redacted_thinking", "tool_use")


def check_message(message, folded):
    blocks = message["content"]
    (choice,) = folded.choices
    parts = choice.message.parts
    assert choice.text == "".join(b["text"] for b in blocks if b["type"] == "text")
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    said = [b for b in blocks if "thinking" in b["type"]]
    assert [replayed(part) for part in thoughts] == [
        {k: v for k, v in b.items() if v is not None} for b in said
    ]
    calls = [b for b in blocks if b["type"] == "tool_use"]
    assert [(c.id, c.name, dict(c.arguments)) for c in choice.message.tool_calls] == [
        (b["id"], b["name"], b["input"]) for b in calls
    ]
    kept = [part.data for part in parts if isinstance(part, RawPart)]
    assert kept == [b for b in blocks if b["type"] not in SPOKEN]
    cited = [c for b in blocks if b["type"] == "text" for c in b.get("citations") or ()]
    assert [c.data for c in choice.citations] == cited
    assert [c.text for c in choice.citations] == [c["cited_text"] for c in cited]
    assert choice.finish_reason == FINISH[message.get("stop_reason")]
    assert choice.finish_raw == message.get("stop_reason")
    if message.get("stop_sequence"):
        assert choice.finish_detail["stop_sequence"] == message["stop_sequence"]
    requests = (message.get("usage") or {}).get("iterations") or ()
    answering = [one["model"] for one in requests if one["type"] == "fallback_message"] or [
        message.get("model")
    ]
    assert (folded.id, folded.model) == (message.get("id"), answering[-1])
    check_usage(message.get("usage") or {}, folded)


def replayed(part):
    kind = "thinking" if "signature" in part.data else "redacted_thinking"
    return {"type": kind, **({"thinking": part.text} if kind == "thinking" else {}), **part.data}


def check_usage(told, folded):
    used, raw = folded.usage, told
    buckets = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    requests = told.get("iterations") or ()
    if requests:  # in every recorded answer they are all requests of the call
        names = (*buckets, "output_tokens")
        told = {**told, **{name: sum(one.get(name) or 0 for one in requests) for name in names}}
    whole = None if told.get("input_tokens") is None else sum(told.get(name) or 0 for name in buckets)
    assert used.input_tokens == whole
    assert used.output_tokens == told.get("output_tokens")
    assert used.cached_input_tokens == told.get("cache_read_input_tokens")
    assert used.cache_write_tokens == told.get("cache_creation_input_tokens")
    assert used.reasoning_tokens == (told.get("output_tokens_details") or {}).get("thinking_tokens")
    split = told.get("cache_creation") or {}
    assert used.details.get("cache_write_1h_tokens") == split.get("ephemeral_1h_input_tokens")
    served = told.get("server_tool_use") or {}
    assert used.units.get("web_search_request") == served.get("web_search_requests")
    assert folded.service_tier == told.get("service_tier")
    assert folded.raw_usage == ({k: v for k, v in raw.items() if v is not None} or None)


# -- tests ----------------------------------------------------------------------------------------------------


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= set(COUNTS) == set(SERVED)


def test_messages_are_read_as_recorded():
    read = answers("anthropic.messages")
    assert counted(len(read)) == 577
    faults = {}
    for row in read:
        try:
            check_message(message_of(row), reply_of(events_of(row), provider="anthropic"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:500]}"
    assert not faults


def test_an_overloaded_error_inside_a_stream_is_that_error():
    failed = [row for row in of("anthropic.messages") if broken(row) is FailureInStream]
    assert counted(len(failed)) == 1
    for row in failed:
        with pytest.raises(FailureInStream) as caught:
            events_of(row)
        error = jackfield_anthropic.error(caught.value.failure)
        assert counted(type(error)) == OverloadedError
        assert counted((error.message, error.code, error.is_retryable)) == (
            "Overloaded",
            "overloaded_error",
            True,
        )


def test_a_stream_that_is_cut_is_never_a_short_answer():
    """Wherever a stream ends between two events before message_stop, it is interrupted."""
    row = next(row for row in answers("anthropic.messages") if row["response"]["body_kind"] == "sse")
    blocks = raw_body(row, named=True).split(b"\n\n")
    last = next(i for i, block in enumerate(blocks) if b"event: message_stop" in block)
    for count in range(last):
        decode = decoder(ANTHROPIC, Wire("/", {}, stream=True, meta={"api": "messages"}))
        framer = framer_for("text/event-stream", "sse")
        for frame in framer.feed(b"".join(block + b"\n\n" for block in blocks[:count])):
            decode.feed(frame)
        with pytest.raises(StreamInterruptedError):
            decode.finish()


def test_text_completions_are_read_as_recorded():
    read = answers("anthropic.complete")
    assert counted(len(read)) == 4
    for row in read:
        whole = row["response"]["body_kind"] == "json"
        values = [row["response"]["body"]] if whole else list(sse_values(row["response"]["body"]))
        values = [value for value in values if value["type"] == "completion"]
        folded = reply_of(events_of(row))
        assert folded.choices[0].text == "".join(value["completion"] for value in values)
        assert folded.choices[0].finish_raw == values[-1]["stop_reason"]
        assert folded.choices[0].finish_reason == FINISH[values[-1]["stop_reason"]]
        assert (folded.id, folded.model) == (values[0]["id"], values[0]["model"])
        assert folded.usage.input_tokens is folded.usage.output_tokens is None


def test_counts_are_read_as_recorded():
    read = answers("anthropic.count_tokens")
    assert counted(len(read)) == 12
    for row in read:
        assert reply_of(events_of(row)).counted == row["response"]["body"]["input_tokens"]


def test_listings_are_read_as_recorded():
    read = answers("anthropic.models")
    assert counted(len(read)) == 2
    listing = jackfield_anthropic.jackfield_discover()
    for row in read:
        body = row["response"]["body"]
        cards, after = listing.parse(head_of(row), raw_body(row, named=True))
        assert [card.id for card in cards] == [entry["id"] for entry in body["data"]]
        assert [card.title for card in cards] == [entry["display_name"] for entry in body["data"]]
        assert (after is not None) == body["has_more"]
        for card, entry in zip(cards, body["data"], strict=True):
            told = entry.get("capabilities") or {}
            if "image_input" in told:
                assert card.capabilities.feature("images").value == told["image_input"]["supported"]
                assert card.limits.max_output_tokens == entry["max_tokens"]


def test_lines_of_batch_results_are_read_as_recorded():
    """Results are read, the two that say so; the rest of the lines is the management of batches."""
    lines = []
    for row in answers("anthropic.batches"):
        body = row["response"]["body"]
        values = map(json.loads, body.splitlines()) if isinstance(body, str) else [body]
        lines += [value for value in values if "custom_id" in value]
    assert counted(len(lines)) == 3
    for line in lines:
        decode = decoder(ANTHROPIC, Wire("/", meta={"api": "messages"}))
        (frame,) = framer_for("application/x-jsonl").feed(json.dumps(line).encode() + b"\n")
        folded = reply_of([*decode.feed(frame), *decode.finish()])
        check_message(line["result"]["message"], folded)
        assert [event.data for event in folded.raw if event.kind == "custom_id"] == [line["custom_id"]]


EXPECTED_ERRORS = {
    "authentication_error": "AuthenticationError",
    "not_found_error": "NotFoundError",
    "invalid_request_error": "InvalidRequestError",
    "overloaded_error": "OverloadedError",
}


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    counts = Counter(row["api"] for row in failed)
    assert counted(counts) == {
        "anthropic.messages": 20, "anthropic.complete": 2, "anthropic.count_tokens": 1, "anthropic.models": 1,
        "anthropic.batches": 2,
    }  # fmt: skip
    for row in failed:
        status, head, said = row["response"]["status"], head_of(row), row["response"]["body"]["error"]
        error = jackfield_anthropic.error(
            Failure(status=status, headers=head.headers, body=raw_body(row, named=True))
        )
        too_long = "too long" in said["message"]
        expected = (
            "ContextLengthExceededError" if too_long else EXPECTED_ERRORS.get(said["type"], BY_STATUS[status])
        )
        assert type(error).__name__ == expected
        assert isinstance(error, ProviderError)
        assert (error.status, error.message, error.code) == (status, said["message"], said["type"])
        assert error.is_retryable == (status in {408, 409, 429} or status >= 500)


def test_cuts_of_the_network_change_nothing():
    """A stream of each kind, cut after every 1, 2, 3, 7 and 64 bytes."""
    streams = {}
    for row in rows():
        if (
            row["response"]["body_kind"] == "sse"
            and broken(row) is None
            and len(raw_body(row, named=True)) < 40_000
        ):
            interesting = frozenset(row["tags"]) & {
                "tool_call",
                "signature",
                "citations",
                "server_tool_result",
            }
            streams.setdefault((row["api"], interesting), row)
    assert counted(len(streams) >= 5)
    for row in streams.values():
        whole = events_of(row)
        for cut in (1, 2, 3, 7, 64):
            assert events_of(row, cut=cut) == whole
