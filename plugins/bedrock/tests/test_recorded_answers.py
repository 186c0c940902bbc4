"""Recorded answers, read by our decoders and compared with a second, simpler reading.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import base64
import json
from collections import Counter

import pytest
from recordings import BY_STATUS, counted, recorded
from unseen import check_unseen

import jackfield_bedrock
from jackfield import ContentFilteredError, Message, RawPart, Thinking
from jackfield.http import framer_for
from jackfield.plugin import (
    ChatRequest,
    CompletionRequest,
    CountRequest,
    EmbedRequest,
    Failure,
    FailureInStream,
    Head,
    Headers,
    ModelRef,
)
from jackfield.testing import encode_aws_event, reply_of

HUMAN = (Message("user", "Hi"),)

# Every `api` of the file: how many lines, and what reads it, or why nothing does.
SERVED = {
    "bedrock.converse": (266, "converse"),
    "bedrock.converse_stream": (50, "converse"),
    "bedrock.invoke": (171, "invoke"),
    "bedrock.invoke_stream": (64, "invoke"),
    "bedrock.openai_chat": (27, "mantle"),
    "bedrock.openai_responses": (4, "responses"),
    "bedrock.count_tokens": (2, "count"),
    "bedrock.control": (2, "the control plane; what we list is in test_listing.py"),
    "bedrock.apply_guardrail": (
        1,
        "a guardrail by itself is no call of a model; connections name one for calls",
    ),
}
READ = {api: how for api, (_, how) in SERVED.items() if how in ("converse", "invoke", "mantle", "responses")}

# Lines that no reading can hold against the service: their source project shaped them by hand, in a form that none has.
MADE_UP = {
    "messages that are answered by a completion": lambda row: (
        "messages" in asked(row) and "completion" in row["response"]["body"]
    ),
}

STOPS = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter", "content_filtered": "content_filter",
    "model_context_window_exceeded": "length", "refusal": "refusal",
    "FINISH": "stop", "FINISHED": "stop", "LENGTH": "length", "STOP_CRITERIA_MET": "stop",
    "stop": "stop", "length": "length", "endoftext": "stop", "tool_calls": "tool_calls",
    "COMPLETE": "stop", "MAX_TOKENS": "length", "ERROR_TOXIC": "content_filter",
}  # fmt: skip


def rows(api=None):
    """Return the recorded exchanges, or those of one api."""
    return [row for row in recorded("bedrock") if api in (None, row["api"])]


def good(api):
    made_up = MADE_UP.values()
    return [r for r in rows(api) if r["response"]["status"] < 400 and not any(test(r) for test in made_up)]


def asked(row):
    """Return the body that was asked, or {}."""
    body = (row.get("request") or {}).get("body")
    return body if isinstance(body, dict) else {}


def model_of(row):
    """Return the model as the caller of that line would have declared it."""
    model, answer = row["model"] or "unknown.model", natives(row)
    route = READ[row["api"]]
    if route == "invoke" and ("claude-v2" in model or "instant" in model):
        route = "messages" if any("type" in o and o["type"] != "completion" for o in answer) else route
    return ModelRef(model, declared={"route": route})


def wire_of(row):
    """Translate a plain request of the kind that this line shows, for its wire."""
    model, stream = model_of(row), row["stream"]
    answers = natives(row)
    if row["api"].startswith("bedrock.invoke") and any(
        "embedding" in a or "embeddings" in a for a in answers
    ):
        request = EmbedRequest(inputs=("Hi",))
    else:
        kinds = jackfield_bedrock.jackfield_capabilities(model).kinds
        plain = "chat" not in kinds or any("outputs" in a for a in answers)
        request = CompletionRequest("Hi", stream=stream) if plain else ChatRequest(HUMAN, stream=stream)
    known = jackfield_bedrock.jackfield_capabilities(model)
    return jackfield_bedrock.jackfield_translate(model, request, known).wire


def raw_body(row):
    """Return the bytes that came; events that were parsed by the recording program are framed again."""
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind == "eventstream":
        return base64.b64decode(body)
    if kind == "sse":
        return body.encode()
    if kind != "parsed_events":
        return json.dumps(body).encode()
    if row["api"].startswith("bedrock.openai"):
        return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in body)
    return b"".join(framed(row, event) for event in body)


def framed(row, event):
    if row["api"] == "bedrock.invoke_stream":
        payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode()}
        return encode_aws_event(
            {":message-type": "event", ":event-type": "chunk"}, json.dumps(payload).encode()
        )
    ((name, payload),) = event.items()
    return encode_aws_event({":message-type": "event", ":event-type": name}, json.dumps(payload).encode())


def head_of(row):
    kind = row["response"]["body_kind"]
    types = {"eventstream": "application/vnd.amazon.eventstream", "sse": "text/event-stream"}
    if kind == "parsed_events":
        kind = "sse" if row["api"].startswith("bedrock.openai") else "eventstream"
    headers = {**row["response"]["headers"], "content-type": types.get(kind, "application/json")}
    return Head(row["response"]["status"], Headers(headers))


def decoded(row, cut=None):
    head, data, wire = head_of(row), raw_body(row), wire_of(row)
    decode = jackfield_bedrock.jackfield_decoder(wire)
    framer = framer_for(head.headers["content-type"], wire.framing)
    events = list(decode.start(head))
    pieces = [data] if cut is None else [data[i : i + cut] for i in range(0, len(data), cut)]
    for frames in (*(framer.feed(piece) for piece in pieces), framer.close()):
        for frame in frames:
            events += decode.feed(frame)
    return events + decode.finish()


# -- the second reading ------------------------------------------------------------------------------------


def frames_of(data):
    """Cut an event stream by its lengths alone: name and payload."""
    while data:
        total, headers = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
        block, payload, name = data[12 : 12 + headers], data[12 + headers : total - 4], None
        while block:
            key, block = block[1 : 1 + block[0]], block[1 + block[0] :]
            size = int.from_bytes(block[1:3], "big")
            name = block[3 : 3 + size].decode() if key == b":event-type" else name
            block = block[3 + size :]
        yield name, json.loads(payload)
        data = data[total:]


def natives(row):
    """Return the native objects of an answer of InvokeModel, or what Converse says as `{event: payload}`."""
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind == "json":
        return [body]
    if kind == "parsed_events":
        return body
    if kind == "sse":
        return [json.loads(line[6:]) for line in body.split("\n") if line.startswith("data: {")]
    frames = frames_of(base64.b64decode(body))
    return [
        json.loads(base64.b64decode(payload["bytes"])) if name == "chunk" else {name: payload}
        for name, payload in frames
    ]


class Reading:
    """What an answer says, from the documented formats alone."""

    def __init__(self):
        self.text, self.thinking, self.stop = "", "", None
        self.calls, self.citations, self.raw = {}, 0, 0
        self.input = self.output = self.cached = self.written = None
        self.vectors = None

    def used(self, plain, output, cached=None, written=None):
        if plain is not None:
            self.input = plain + (cached or 0) + (written or 0)
        self.output = self.output if output is None else output
        self.cached = self.cached if cached is None else cached
        self.written = self.written if written is None else written


def reading(row):
    found = Reading()
    for value in natives(row):
        told = {name: inner for name, inner in value.items() if not name.startswith("amazon-bedrock-")}
        if told and not any(read(found, told) for read in READERS):
            raise AssertionError(f"{row['id']} holds {list(value)}, which no reading knows")
        metrics = value.get("amazon-bedrock-invocationMetrics") or {}
        if found.output is None and metrics:
            found.used(metrics["inputTokenCount"], metrics["outputTokenCount"])
    headers = row["response"]["headers"]
    for name in ("input", "output"):
        count = headers.get(f"x-amzn-bedrock-{name}-token-count")
        if getattr(found, name) is None and count is not None:
            setattr(found, name, int(count))
    return found


def read_converse(found, value):
    """Read Converse, whole or as events; Nova's own body is the same."""
    if "output" in value and "message" in value["output"]:
        for index, block in enumerate(value["output"]["message"].get("content") or ()):
            converse_block(found, index, block)
        converse_usage(found, value.get("usage") or {})
        found.stop = value.get("stopReason")
        return True
    known = {
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    }
    name = next((name for name in value if name in known), None)
    if name == "contentBlockStart":
        start = value[name].get("start") or {}
        call = start.get("toolUse")
        if call and call.get("type") != "server_tool_use":
            found.calls[value[name]["contentBlockIndex"]] = [call["name"], ""]
        elif start:
            found.raw += 1
    elif name == "contentBlockDelta":
        delta, index = value[name]["delta"], value[name]["contentBlockIndex"]
        found.text += delta.get("text") or ""
        found.thinking += (delta.get("reasoningContent") or {}).get("text") or ""
        found.citations += "citation" in delta
        if "toolUse" in delta and index in found.calls:
            found.calls[index][1] += delta["toolUse"].get("input") or ""
    elif name == "messageStop":
        found.stop = value[name]["stopReason"]
    elif name == "metadata":
        converse_usage(found, value[name].get("usage") or {})
    return name is not None


def converse_block(found, index, block):
    call = block.get("toolUse")
    if "text" in block:
        found.text += block["text"]
    elif call and call.get("type") != "server_tool_use":
        found.calls[index] = [call["name"], json.dumps(call["input"])]
    elif "reasoningContent" in block:
        found.thinking += (block["reasoningContent"].get("reasoningText") or {}).get("text") or ""
    elif "citationsContent" in block:
        found.text += "".join(piece["text"] for piece in block["citationsContent"].get("content") or ())
        found.citations += len(block["citationsContent"]["citations"])
    else:
        found.raw += 1


def converse_usage(found, usage):
    if usage:
        cached = usage.get("cacheReadInputTokens", usage.get("cacheReadInputTokenCount"))
        written = usage.get("cacheWriteInputTokens", usage.get("cacheWriteInputTokenCount"))
        found.used(usage.get("inputTokens"), usage.get("outputTokens"), cached, written)


def read_claude(found, value):
    kind = value.get("type")
    if "completion" in value:
        found.text += value["completion"]
        found.stop = value["stop_reason"] or found.stop
    elif kind == "message":
        for index, block in enumerate(value["content"]):
            claude_block(found, index, block, json.dumps(block.get("input")))
        found.stop = value["stop_reason"]
        claude_usage(found, value.get("usage"))
    elif kind == "message_start":
        claude_usage(found, value["message"].get("usage"))
    elif kind == "content_block_start":
        claude_block(found, value["index"], value["content_block"], "")
    elif kind == "content_block_delta":
        delta = value["delta"]
        found.text += delta.get("text") or ""
        found.thinking += delta.get("thinking") or ""
        if "partial_json" in delta:
            found.calls[value["index"]][1] += delta["partial_json"]
    elif kind == "message_delta":
        found.stop = value["delta"]["stop_reason"]
        usage = value.get("usage") or {}
        found.output = usage.get("output_tokens", found.output)
    return "completion" in value or kind in (
        "message", "message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
        "content_block_stop", "ping",
    )  # fmt: skip


def claude_block(found, index, block, arguments):
    found.text += block.get("text") or ""
    found.thinking += block.get("thinking") or ""
    if block["type"] == "tool_use":
        found.calls[index] = [block["name"], arguments]


def claude_usage(found, usage):
    if usage:
        found.used(
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            usage.get("cache_read_input_tokens"),
            usage.get("cache_creation_input_tokens"),
        )


def read_embedding(found, value):
    """Read vectors as lists."""
    if "embedding" in value:
        found.vectors, found.input = [value["embedding"]], value.get("inputTextTokenCount", found.input)
    elif "embeddings" in value:
        told = value["embeddings"]
        told = told["float"] if isinstance(told, dict) else told
        found.vectors = [one["embedding"] if isinstance(one, dict) else one for one in told]
    return "embedding" in value or "embeddings" in value


def read_others(found, value):
    """Read Titan, Llama, Mistral, Jurassic-2, Cohere and OpenAI's form, choice 0."""
    if "results" in value or "outputText" in value:
        one = value["results"][0] if "results" in value else value
        found.text += one["outputText"]
        found.stop = one.get("completionReason") or found.stop
        found.input = value.get("inputTextTokenCount") or found.input
        found.output = one.get("tokenCount") or one.get("totalOutputTextTokenCount") or found.output
    elif "generation" in value:
        found.text += value["generation"]
        found.stop = value["stop_reason"] or found.stop
        found.input = value["prompt_token_count"] or found.input
        found.output = value["generation_token_count"]
    elif "outputs" in value:
        found.text += value["outputs"][0]["text"]
        found.stop = value["outputs"][0]["stop_reason"] or found.stop
    elif "completions" in value:
        one = value["completions"][0]
        found.text, found.stop = one["data"]["text"], one["finishReason"]["reason"]
    elif "generations" in value:
        found.text, found.stop = value["generations"][0]["text"], value["generations"][0]["finish_reason"]
    elif value.get("event_type") == "stream-end":
        found.stop = value.get("finish_reason") or value["response"]["finish_reason"]
        tokens = (value["response"].get("meta") or {}).get("tokens") or {}
        found.used(tokens.get("input_tokens"), tokens.get("output_tokens"))
    elif "choices" in value:
        read_openai(found, value)
    elif "finish_reason" in value or "is_finished" in value:
        found.text += (value.get("text") or "") if value.get("index", 0) == 0 else ""
        found.stop = value.get("finish_reason") or found.stop
    elif "event_type" not in value:
        return False
    return True


def read_openai(found, value):
    for choice in value["choices"]:
        if choice["index"]:
            continue
        said = choice.get("message") or choice.get("delta") or {}
        found.text += said.get("content") or ""
        found.thinking += said.get("reasoning") or said.get("reasoning_content") or ""
        for index, call in enumerate(said.get("tool_calls") or ()):
            one = found.calls.setdefault(call.get("index", index), ["", ""])
            one[0] += call["function"].get("name") or ""
            one[1] += call["function"].get("arguments") or ""
        found.stop = choice.get("finish_reason") or found.stop
    usage = value.get("usage")
    if usage:
        found.used(usage.get("prompt_tokens"), usage.get("completion_tokens"))
        found.cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")


READERS = (read_converse, read_claude, read_embedding, read_others)


# -- the tests -----------------------------------------------------------------------------------------------


def test_every_api_of_the_recordings_is_served_or_has_its_reason():
    assert {row["api"] for row in rows()} <= SERVED.keys()
    assert counted(Counter(row["api"] for row in rows())) == {
        api: count for api, (count, _) in SERVED.items()
    }


# Good answers: how many, how many of them a guardrail stopped, and how many are made up.
GOOD = {
    "bedrock.converse": (247, 1, 0),
    "bedrock.converse_stream": (49, 0, 0),
    "bedrock.invoke": (165, 0, 1),
    "bedrock.invoke_stream": (61, 0, 0),
    "bedrock.openai_chat": (27, 0, 0),
}


@pytest.mark.parametrize("api", GOOD)
def test_answers_say_what_the_second_reading_finds(api):
    read = stopped = 0
    for row in good(api):
        expected = reading(row)
        try:
            folded = reply_of(decoded(row))
        except FailureInStream as failure:
            error = jackfield_bedrock.jackfield_error(failure.failure)
            assert isinstance(error, ContentFilteredError), row["id"]
            assert (expected.stop, error.message) == ("guardrail_intervened", expected.text), row["id"]
            assert b'"BLOCKED"' in error.body
            stopped += 1
            continue
        check(row, expected, folded)
        read += 1
    everything, blocked, made_up = GOOD[api]
    assert counted((read, stopped, len(rows_that_are_good(api)))) == (
        everything - blocked - made_up,
        blocked,
        everything,
    )


def rows_that_are_good(api):
    return [row for row in rows(api) if row["response"]["status"] < 400]


def check(row, expected, folded):
    where = row["id"]
    if expected.vectors is not None:
        assert [list(map(float, v)) for _, v in sorted(folded.vectors.items())] == pytest.approx(
            [pytest.approx(v, rel=1e-5, abs=1e-7) for v in expected.vectors]
        ), where
        assert folded.usage.input_tokens == expected.input, where
        return
    first = folded.choices[0]
    assert first.text == expected.text, where
    thought = "".join(part.text for part in first.message.parts if isinstance(part, Thinking))
    assert thought == expected.thinking, where
    calls = [[call.name, dict(call.arguments)] for call in first.message.tool_calls]
    assert calls == [[name, json.loads(raw or "{}")] for name, raw in expected.calls.values()], where
    assert len(first.citations) == expected.citations, where
    assert sum(isinstance(part, RawPart) for part in first.message.parts) == expected.raw, where
    wanted = "other" if expected.stop is None else STOPS[expected.stop]
    if wanted == "stop" and expected.calls and not row["api"].startswith("bedrock.converse"):
        wanted = "tool_calls"
    assert (first.finish_reason, first.finish_raw) == (wanted, expected.stop), where
    usage = folded.usage
    assert (usage.input_tokens, usage.output_tokens) == (expected.input, expected.output), where
    assert (usage.cached_input_tokens or 0, usage.cache_write_tokens or 0) == (
        expected.cached or 0,
        expected.written or 0,
    ), where


def test_answers_of_the_responses_api_say_what_they_hold():
    for row in good("bedrock.openai_responses"):
        folded = reply_of(decoded(row))
        told = [v.get("response", v) for v in natives(row) if v.get("type") in (None, "response.completed")][
            -1
        ]
        texts = [
            piece["text"]
            for item in told["output"] if item["type"] == "message"
            for piece in item["content"] if piece["type"] == "output_text"
        ]  # fmt: skip
        assert folded.choices[0].text == "".join(texts)
        calls = [item["name"] for item in told["output"] if item["type"] == "function_call"]
        assert [call.name for call in folded.choices[0].message.tool_calls] == calls
        assert folded.usage.output_tokens == told["usage"]["output_tokens"]


def test_the_count_of_tokens_is_read():
    answers = [row for row in rows("bedrock.count_tokens") if row["response"]["status"] < 400]
    assert counted(len(answers)) == 1
    for answer in answers:
        check_count(answer)


def check_count(answer):
    wire = jackfield_bedrock.jackfield_translate(
        model := ModelRef(answer["model"]),
        CountRequest(HUMAN),
        jackfield_bedrock.jackfield_capabilities(model),
    ).wire
    decode = jackfield_bedrock.jackfield_decoder(wire)
    framer = framer_for("application/json")
    frames = framer.feed(raw_body(answer)) + framer.close()
    assert reply_of(decode.feed(frames[0])).counted == answer["response"]["body"]["inputTokens"]


def test_tokens_are_counted_without_the_profile():
    """Profiles are refused there."""
    ref = ModelRef("us.anthropic.claude-sonnet-4-20250514-v1:0")
    known = jackfield_bedrock.jackfield_capabilities(ref)
    path = jackfield_bedrock.jackfield_translate(ref, CountRequest(HUMAN), known).wire.path
    assert path == "/model/anthropic.claude-sonnet-4-20250514-v1%3A0/count-tokens"


def test_streams_give_the_same_events_however_the_network_cuts_them():
    cut = 0
    for api in ("bedrock.converse_stream", "bedrock.invoke_stream"):
        for row in good(api):
            if len(raw_body(row)) < 20_000:
                whole = decoded(row)
                assert decoded(row, cut=1) == whole
                assert decoded(row, cut=997) == whole
                cut += 1
    assert counted(cut >= 50)


# What each refusal means, by its text or its name.
ERRORS = {
    "end of its life": "NotFoundError",
    "Internal error": "ServerError",
    "The model returned the following errors": "InvalidRequestError",
    "A text block must be included": "InvalidRequestError",
    "on-demand throughput": "InvalidRequestError",
    "doesn't support the video content block": "InvalidRequestError",
    "doesn't support the s3Uri field": "InvalidRequestError",
    "Rate exceeded": "RateLimitError",
    "security token included in the request is": "AuthenticationError",
    "model identifier is invalid": "NotFoundError",
    "Signature expired": "AuthenticationError",
    "You don't have access to the model": "PermissionDeniedError",
    "Malformed input request": "InvalidRequestError",
    "support counting tokens": "InvalidRequestError",
}


def test_refusals_become_our_errors():
    seen = Counter()
    for row in rows():
        answer = row["response"]
        if answer["status"] < 400:
            continue
        failure = Failure(
            status=answer["status"],
            headers=Headers(answer["headers"]),
            body=json.dumps(answer["body"]).encode(),
        )
        error = jackfield_bedrock.jackfield_error(failure)
        text = answer["body"].get("message") or answer["body"].get("Message")
        words = next((words for words in ERRORS if words in text), None)
        expected = BY_STATUS[answer["status"]] if words is None else ERRORS[words]
        assert type(error).__name__ == expected, (row["id"], error)
        seen[expected] += words is not None
    assert counted(sum(seen.values())) == 30


def test_what_a_service_may_add_tomorrow_changes_nothing():
    stopped = "finish:guardrail_intervened"
    read = check_unseen([row for row in good("bedrock.converse") if stopped not in row["tags"]], decoded)
    assert counted(read) == 244
