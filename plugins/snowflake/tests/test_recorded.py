"""Recorded traffic of Snowflake: answers read and compared with a simpler reading, requests built again.

Most lines of `snowflake.complete` are quoted from the service's documentation, those of `snowflake.openai_chat` were recorded
(four parsed, one on the wire). They lie beside the repository (`../shared/wire`), not in it.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from recordings import BY_STATUS, are_counted, counted, events_by, head_of, raw_body, recorded
from unseen import check_unseen

import jackfield_snowflake as snowflake
from jackfield import (
    ContextLengthExceededError,
    InvalidRequestError,
    PermissionDeniedError,
    QuotaExceededError,
    Reasoning,
    Thinking,
    Tool,
)
from jackfield.plugin import ChatRequest, Failure, ModelRef, Options, Wire
from jackfield.testing import messages_of, reply_of, translated

# Every `api` of the file, and the `api` of our wire that reads it.
SERVED = {"snowflake.complete": "complete", "snowflake.openai_chat": "chat"}
COUNTS = {"snowflake.complete": 6, "snowflake.openai_chat": 5}
ROUTES = {"snowflake.complete": "complete", "snowflake.openai_chat": "openai"}


def rows():
    return recorded("snowflake")


def good():
    return [row for row in rows() if row["response"]["status"] < 400]


def events_of(row, *, cut=None):
    wire = Wire("/", row["request"]["body"] or {}, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(snowflake.jackfield_decoder(ModelRef(row["model"] or "m"), wire), row, cut=cut)


# -- the second reading ------------------------------------------------------------------------------------------


def values_of(row):
    body = row["response"]["body"]
    if row["response"]["body_kind"] != "sse":
        return [body]
    # One documented example spreads a JSON object over several lines of data.
    blocks = ["\n".join(line[5:] for line in block.split("\n")) for block in body.split("\n\n") if block]
    return [json.loads(block) for block in blocks if block.strip() != "[DONE]"]


def expected(row):
    """Text, thinking, calls, and the last usage that says something."""
    text, thinking, calls, usage = "", "", [], {}
    for value in values_of(row):
        usage = value.get("usage") or usage
        for choice in value["choices"]:
            piece = choice.get("delta") or choice.get("message") or {}
            text += piece.get("content") or ""
            for item in piece.get("content_list") or ():
                if "tool_use_id" in item:
                    calls.append([item["name"], ""])
                elif "input" in item:
                    calls[-1][1] += item["input"]
            for call in piece.get("tool_calls") or ():
                calls += [[call["function"]["name"], call["function"]["arguments"]]]
            thinking += "".join(entry["text"] for entry in piece.get("reasoning_details") or ())
    return text, thinking, [(name, json.loads(said)) for name, said in calls], usage


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= COUNTS.keys() == SERVED.keys()


def test_answers_are_read_as_recorded():
    assert counted(len(good())) == 7
    ends = Counter()
    for row in good():
        text, thinking, calls, usage = expected(row)
        answer = reply_of(events_of(row), provider="snowflake")
        (choice,) = answer.choices
        assert choice.text == text
        assert "".join(p.text for p in choice.message.parts if isinstance(p, Thinking)) == thinking
        assert [(call.name, dict(call.arguments)) for call in choice.message.tool_calls] == calls
        assert counted(choice.finish_raw is None), "no line has a finish reason"
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )
        assert answer.model == values_of(row)[0]["model"]
        ends[choice.finish_reason] += 1
    assert counted(ends) == {"stop": 5, "tool_calls": 2}


def test_cuts_of_the_network_change_nothing():
    streams = [row for row in good() if row["response"]["body_kind"] == "sse"]
    assert counted(len(streams)) == 3
    for row in streams:
        whole = events_of(row)
        for cut in (1, 7, 64):
            assert events_of(row, cut=cut) == whole


ERRORS = {
    400: (ContextLengthExceededError, "max tokens of count exceeded"),
    402: (QuotaExceededError, "budget exceeded"),
    403: (PermissionDeniedError, "Not Authorized"),
    422: (InvalidRequestError, "input schema validation error"),
}


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    assert counted(Counter(row["response"]["status"] for row in failed)) == dict.fromkeys(ERRORS, 1)
    for row in failed:
        status = row["response"]["status"]
        error = snowflake.jackfield_error(
            Failure(status=status, headers=head_of(row).headers, body=raw_body(row))
        )
        kind, words = ERRORS.get(status, (None, ""))
        assert type(error) is kind or (not are_counted() and type(error).__name__ == BY_STATUS[status])
        assert counted(error.message.startswith(words))
        assert error.status == status


# -- requests ----------------------------------------------------------------------------------------------------


def request_of(row):
    """Write a recorded body through our API."""
    body = row["request"]["body"]
    options, extra = {}, {}
    for name, value in body.items():
        if name in ("model", "messages", "stream", "stream_options"):
            continue
        if name == "tools" and row["api"] == "snowflake.complete":
            specs = [tool["tool_spec"] for tool in value]
            options["tools"] = tuple(
                Tool(spec["name"], spec.get("description"), spec["input_schema"]) for spec in specs
            )
        elif name == "tools":
            options["tools"] = tuple(Tool.from_dict(tool) for tool in value)
        elif name == "reasoning":
            options["reasoning"] = Reasoning(effort=value["effort"])
        elif name == "response_format":
            options[name] = value["json_schema"]["schema"]
            extra[name] = {"json_schema": {"name": value["json_schema"]["name"]}}
        elif name in ("max_tokens", "temperature", "top_p", "tool_choice"):
            options[name] = value
        else:
            extra[name] = value
    messages = messages_of([{"role": "user", **message} for message in body["messages"]])
    streamed = body.get("stream", row["api"] == "snowflake.complete")
    return ChatRequest(tuple(messages), Options(**options, extra={"snowflake": extra}), streamed)


def as_we_write_it(row, reasons):
    """The recorded body, changed where we write the same in another way; each change is counted."""
    body = json.loads(json.dumps(row["request"]["body"]))
    if "stream" not in body:
        body["stream"] = True
        reasons["stream is said, though it is the default"] += 1
    elif body["stream"] is False and row["api"] == "snowflake.openai_chat":
        del body["stream"]
        reasons["stream: false is OpenAI's default and is not sent"] += 1
    for message in body["messages"]:
        if "role" not in message:
            message["role"] = "user"
            reasons["the role user is said, though it is the default"] += 1
    form = body.get("response_format")
    if form is not None:
        form["json_schema"]["strict"] = True
        reasons["strict is said where the schema is closed"] += 1
    return body


def test_requests_are_built_again():
    reasons = Counter()
    built = [row for row in rows() if row["request"]["body"] is not None]
    assert counted(len(built)) == 7
    for row in built:
        settings = snowflake.SnowflakeSettings(account="a-b", route=ROUTES[row["api"]])
        model = ModelRef(row["request"]["body"]["model"], settings=settings)
        known = snowflake.jackfield_capabilities(model)
        made = translated(snowflake, model, request_of(row), known)
        assert made.wire.body == as_we_write_it(row, reasons)
        assert row["request"]["url"].endswith(made.wire.path)
    assert counted(reasons) == {
        "stream is said, though it is the default": 1,
        "the role user is said, though it is the default": 1,
        "stream: false is OpenAI's default and is not sent": 4,
        "strict is said where the schema is closed": 1,
    }


def test_the_comparison_can_fail():
    native = (
        row for row in rows() if row["api"] == "snowflake.complete" and row["request"]["body"] is not None
    )
    row = next(native, None)
    if row is None:
        pytest.skip("no recording of the native route has its request")
    model = ModelRef(row["model"], settings=snowflake.SnowflakeSettings(account="a-b", route="complete"))
    with pytest.raises(AssertionError):
        made = snowflake.jackfield_translate(
            model, ChatRequest(request_of(row).messages), snowflake.jackfield_capabilities(model)
        )
        assert made.wire.body == as_we_write_it(row, Counter())


def test_what_a_service_may_add_tomorrow_changes_nothing():
    read = check_unseen(good(), events_of)
    assert counted(read) == 7
