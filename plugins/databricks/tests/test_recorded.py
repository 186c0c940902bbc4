"""Recorded traffic of Databricks: answers read and compared with a simpler reading, requests built again.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are
skipped; in CI that is a failure.
"""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest
from recordings import BY_STATUS, counted, events_by, head_of, raw_body, recorded
from unseen import check_unseen

import jackfield_databricks as databricks
from jackfield import RawPart, Reasoning, Thinking, Tool, UnsupportedError
from jackfield.plugin import (
    ChatRequest,
    EmbeddingData,
    EmbedRequest,
    Failure,
    ModelRef,
    Options,
    Wire,
)
from jackfield.testing import messages_of, reply_of, translated

# Every `api` of the file, and what reads it.
SERVED = {"databricks.chat": "chat", "databricks.embeddings": "embedding"}
COUNTS = {"databricks.chat": 19, "databricks.embeddings": 2}


def rows():
    """Return every recorded exchange."""
    return recorded("databricks")


def of(api):
    return [row for row in rows() if row["api"] == api]


# -- our reading -------------------------------------------------------------------------------------------------


def model_of(row):
    return ModelRef(row["model"] or "unnamed")


def events_of(row, *, cut=None):
    wire = Wire("/", {}, stream=row["stream"], meta={"api": SERVED[row["api"]]})
    return events_by(databricks.jackfield_decoder(model_of(row), wire), row, cut=cut)


# -- the second reading ------------------------------------------------------------------------------------------


def values_of(row):
    body, kind = row["response"]["body"], row["response"]["body_kind"]
    if kind != "sse":
        return body if kind == "parsed_events" else [body]
    lines = body.replace("\r\n", "\n").split("\n")
    data = [line[5:].strip() for line in lines if line.startswith("data:")]
    return [json.loads(text) for text in data if text != "[DONE]"]


def expected(row):
    """Text, thinking, `[name, arguments]` of each call, the raw finish reason, and the last usage."""
    text, thinking, calls, raw, usage = "", "", {}, None, {}
    for value in values_of(row):
        usage = value.get("usage") or usage
        for choice in value["choices"]:
            piece = choice.get("delta") or choice.get("message")
            content = piece.get("content")
            for part in content if isinstance(content, list) else []:
                if part["type"] == "text":
                    text += part["text"]
                elif part["type"] == "reasoning":
                    thinking += "".join(entry.get("text", "") for entry in part["summary"])
            text += content if isinstance(content, str) else ""
            thinking += piece.get("reasoning_content") or ""
            for position, call in enumerate(piece.get("tool_calls") or []):
                known = calls.setdefault(call.get("index", position), [None, ""])
                known[0] = known[0] or call["function"].get("name")
                known[1] += call["function"].get("arguments") or ""
            raw = choice.get("finish_reason") or raw
    return text, thinking, [tuple(call) for call in calls.values()], raw, usage


def check(row):
    text, thinking, calls, raw, usage = expected(row)
    answer = reply_of(events_of(row), provider="databricks")
    (choice,) = answer.choices
    assert choice.text == text
    assert "".join(p.text for p in choice.message.parts if isinstance(p, Thinking)) == thinking
    ours = [(call.name, dict(call.arguments)) for call in choice.message.tool_calls]
    assert ours == [(name, json.loads(said or "{}")) for name, said in calls]
    assert choice.finish_raw == raw
    assert choice.finish_reason == {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}[raw]
    cached = usage.get("cache_read_input_tokens")
    if cached is None:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    used = answer.usage
    assert (used.input_tokens, used.output_tokens) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert used.cached_input_tokens == cached
    assert used.cache_write_tokens == usage.get("cache_creation_input_tokens")
    assert answer.model == values_of(row)[0]["model"]


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= COUNTS.keys() == SERVED.keys()


def test_chats_are_read_as_recorded():
    read = [row for row in of("databricks.chat") if row["response"]["status"] < 400]
    assert counted(len(read)) == 16
    for row in read:
        check(row)


def test_cuts_of_the_network_change_nothing():
    streams = [row for row in of("databricks.chat") if row["response"]["body_kind"] == "sse"]
    assert counted(len(streams)) == 10
    for row in streams:
        whole = events_of(row)
        for cut in (1, 7, 64):
            assert events_of(row, cut=cut) == whole


def test_usage_in_every_chunk_is_a_running_total():
    streams = [row for row in of("databricks.chat") if "usage_on_many_chunks" in row["tags"]]
    assert counted(len(streams)) == 11
    for row in streams:
        told = [value["usage"]["prompt_tokens"] for value in values_of(row)]
        assert len(told) > 1
        assert reply_of(events_of(row)).usage.input_tokens == told[-1]


def test_embeddings_are_read_as_recorded():
    for row in of("databricks.embeddings"):
        events = events_of(row)
        (vector,) = (event.vector for event in events if isinstance(event, EmbeddingData))
        (entry,) = row["response"]["body"]["data"]
        assert list(vector) == pytest.approx(entry["embedding"])
        usage = reply_of(events).usage
        assert usage.input_tokens == row["response"]["body"]["usage"]["prompt_tokens"]
        assert usage.units["DBU"] > 0


WORDS = {400: "Bad request: rpc error", 401: "Credential was not", 429: "REQUEST_LIMIT_EXCEEDED"}


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    assert counted(Counter(row["response"]["status"] for row in failed)) == {400: 1, 401: 1, 429: 1}
    for row in failed:
        head = head_of(row)
        status = row["response"]["status"]
        error = databricks.jackfield_error(Failure(status=status, headers=head.headers, body=raw_body(row)))
        assert type(error).__name__ == BY_STATUS[status]
        assert counted(error.message[: len(WORDS[status])]) == WORDS[status]
        assert error.status == status


# -- requests ----------------------------------------------------------------------------------------------------


def chat_of(body):
    options, extra = {}, {}
    for name, value in body.items():
        if name in ("model", "messages", "stream") or value is None:
            continue
        if name == "tools":
            options["tools"] = tuple(Tool.from_dict(tool) for tool in value)
        elif name == "tool_choice":
            options[name] = value if isinstance(value, str) else value["function"]["name"]
        elif name == "stop":
            options[name] = (value,) if isinstance(value, str) else tuple(value)
        elif name == "thinking" and set(value) == {"type", "budget_tokens"}:
            options["reasoning"] = Reasoning(budget_tokens=value["budget_tokens"])
        elif name == "reasoning_effort":
            options["reasoning"] = Reasoning(effort=value)
        elif name == "response_format" and value["type"] == "json_object":
            options[name] = "json"
        elif name == "response_format" and "schema" in value.get("json_schema", {}):
            options[name] = value["json_schema"]["schema"]
            rest = {key: inner for key, inner in value["json_schema"].items() if key != "schema"}
            extra[name] = {"json_schema": rest}
        elif name in ("max_tokens", "temperature", "top_p", "top_k", "n", "logprobs", "top_logprobs"):
            options[name] = value
        elif name == "stream_options" and value == {"include_usage": True}:
            continue
        else:
            extra[name] = value
    messages = []
    for wire in body["messages"]:
        known = dict(wire)
        if isinstance(known.get("content"), list):
            known["content"] = [
                part
                if part["type"] in ("text", "image_url") and len(part) == 2
                else RawPart("databricks", part)
                for part in known["content"]
            ]
        messages += messages_of([known])
    return ChatRequest(
        tuple(messages), Options(**options, extra={"databricks": extra}), body.get("stream") is True
    )


def embedding_of(body):
    extra = {key: value for key, value in body.items() if key not in ("model", "input", "dimensions", "user")}
    given = body["input"]
    options = {key: body[key] for key in ("dimensions", "user") if key in body}
    inputs = (given,) if isinstance(given, str) else tuple(given)
    return EmbedRequest(inputs=inputs, **options, extra={"databricks": extra})


def as_we_write_it(body, reasons):
    body = copy.deepcopy(body)
    if body.get("stream") is False:
        del body["stream"]
        reasons["stream: false is the default, and is not sent"] += 1
    if body.get("stream") and "stream_options" not in body and "claude" not in body["model"]:
        body["stream_options"] = {"include_usage": True}
        reasons["a stream is asked for its usage, but of Claude"] += 1
    if isinstance(body.get("input"), str):
        body["input"] = [body["input"]]
        reasons["one input is sent as a list"] += 1
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
            message["content"] = content[0]["text"]
            reasons["content of one text part is sent as a string"] += 1
    return body


def test_recorded_requests_are_built_again():
    reasons, refused, equal = Counter(), Counter(), 0
    bodies = [
        (row, row["request"]["body"])
        for row in rows()
        if isinstance((row.get("request") or {}).get("body"), dict)
    ]
    for row, body in bodies:
        request = embedding_of(body) if row["api"] == "databricks.embeddings" else chat_of(body)
        model = ModelRef(body["model"])
        known = databricks.jackfield_capabilities(model)
        local = Counter()
        try:
            wire = translated(databricks, model, request, known).wire
        except UnsupportedError as fault:
            refused[fault.parameter, row["response"]["status"]] += 1
            continue
        assert wire.body == as_we_write_it(body, local), row["id"]
        assert row["request"]["url"].endswith(wire.path)
        reasons.update(local.keys())
        equal += 1
    assert not refused
    assert counted((equal, len(bodies))) == (19, 19)
    assert counted(dict(reasons)) == {
        "a stream is asked for its usage, but of Claude": 1,
        "content of one text part is sent as a string": 11,
        "one input is sent as a list": 2,
        "stream: false is the default, and is not sent": 6,
    }


def test_fields_that_a_service_may_add_later_change_nothing():
    read = check_unseen([row for row in of("databricks.chat") if row["response"]["status"] < 400], events_of)
    assert counted(read) == 16
