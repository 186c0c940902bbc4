"""Recorded answers, read by our decoders and compared with a second, simpler reading.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import json
from collections import Counter

import pytest
from recordings import BY_STATUS, counted, recorded
from unseen import check_unseen

import jackfield_vertex
from jackfield import (
    ContentFilteredError,
    JackfieldError,
    MalformedResponseError,
    RawPart,
    StreamInterruptedError,
    Text,
    Thinking,
    ToolCall,
)
from jackfield.http import framer_for
from jackfield.plugin import Failure, FailureInStream, Head, Headers, ModelRef, Wire
from jackfield.testing import reply_of


def rows():
    """Yield every recorded exchange."""
    return recorded("vertex")


# Every `api` of the file: what reads it, or why nothing does.
SERVED = {
    "vertex.generateContent": {"family": "gemini"},
    "vertex.streamGenerateContent": {"family": "gemini"},
    "vertex.countTokens": {"family": "count"},
    "vertex.rawPredict": {"family": "claude", "api": "messages"},
    "vertex.streamRawPredict": {"family": "claude", "api": "messages"},
    "vertex.predict_palm": {"family": "palm"},
    "vertex.serverStreamingPredict": {"family": "palm"},
    "vertex.predict_embeddings": {"family": "embedding"},
    "vertex.embedContent": {"family": "embedding"},
    "vertex.models": "listed by the host: Vertex AI's own listing is read, the Gemini API's is not asked for",
    "vertex.batchEmbedContents": "a method of the Gemini API; Vertex AI has predict and embedContent",
    "vertex.openai_chat": "the OpenAI-shaped facade of the Gemini API; a compatible plugin serves such",
    "vertex.palm_generateMessage": "a method of the PaLM API, gone with it; Vertex AI has predict",
    "vertex.palm_generateText": "a method of the PaLM API, gone with it; Vertex AI has predict",
}
COUNTS = {
    "vertex.generateContent": 475,
    "vertex.streamGenerateContent": 250,
    "vertex.countTokens": 11,
    "vertex.rawPredict": 7,
    "vertex.streamRawPredict": 8,
    "vertex.predict_palm": 6,
    "vertex.serverStreamingPredict": 1,
    "vertex.predict_embeddings": 7,
    "vertex.embedContent": 9,
    "vertex.models": 5,
    "vertex.batchEmbedContents": 18,
    "vertex.openai_chat": 1,
    "vertex.palm_generateMessage": 1,
    "vertex.palm_generateText": 1,
}
FINISH = {
    "STOP": "stop", "MAX_TOKENS": "length", **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), "content_filter"),
}  # fmt: skip


def of(api):
    return [row for row in rows() if row["api"] == api]


def good(api):
    return [row for row in of(api) if row["response"]["status"] < 400]


def raw_body(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind == "sse":
        return body.encode()
    if kind == "parsed_events":
        named = row["api"] == "vertex.streamRawPredict"
        return b"".join(
            (f"event: {event['type']}\n" if named else "").encode() + b"data: " + json.dumps(event).encode() + b"\r\n\r\n"
            for event in body
        )  # fmt: skip
    return json.dumps(body).encode()


def head_of(row):
    streamed = row["response"]["body_kind"] in ("sse", "parsed_events")
    kind = "text/event-stream" if streamed else "application/json"
    return Head(row["response"]["status"], Headers({"content-type": kind}))


def decoded(row, cut=None):
    head, data = head_of(row), raw_body(row)
    wire = Wire("/", {}, stream=row["stream"], meta=SERVED[row["api"]])
    decode = jackfield_vertex.jackfield_decoder(ModelRef(row["model"] or "m"), wire)
    framer = framer_for(head.headers["content-type"], "sse" if row["stream"] else None)
    events = list(decode.start(head))
    pieces = [data] if cut is None else [data[i : i + cut] for i in range(0, len(data), cut)]
    for frames in (*(framer.feed(piece) for piece in pieces), framer.close()):
        for frame in frames:
            events += decode.feed(frame)
    return events + decode.finish()


def values(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind == "sse":
        lines = body.replace("\r\n", "\n").split("\n")
        return [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    return [body] if isinstance(body, dict) else body


# -- the second reading ------------------------------------------------------------------------------------


def reading(row):
    """Put together what an answer says, candidate by candidate, from the documented format alone."""
    found, usage, top = {}, None, {}
    for value in values(row):
        usage = value.get("usageMetadata") or usage
        top.update({k: value[k] for k in ("responseId", "modelVersion") if value.get(k)})
        for position, candidate in enumerate(value.get("candidates") or ()):
            one = found.setdefault(
                candidate.get("index", position), {"parts": [], "stop": None, "grounding": [], "cited": []}
            )
            one["parts"] += (candidate.get("content") or {}).get("parts") or []
            stop = candidate.get("finishReason")
            one["stop"] = ("STOP" if stop == 1 else stop) or one["stop"]
            one["grounding"].append(candidate.get("groundingMetadata") or {})
            told = candidate.get("citationMetadata") or {}
            one["cited"] += (told.get("citations") or []) + (told.get("citationSources") or [])
    return found, usage, top


def pieces_of_calls(parts):
    calls = []
    for part in parts:
        call = part.get("functionCall")
        if call and "name" in call:
            calls.append([part, call, []])
        elif call is not None and calls:
            calls[-1][2] += call.get("partialArgs") or []
    return calls


def strings_of(pieces):
    texts = {}
    for piece in pieces:
        if "stringValue" in piece:
            texts[piece["jsonPath"]] = texts.get(piece["jsonPath"], "") + piece["stringValue"]
    return sorted(texts.values())


def leaves(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for one in inner for leaf in leaves(one)]


def signatures(parts):
    return [part["thoughtSignature"] for part in parts if part.get("thoughtSignature")]


def kept_signatures(parts):
    found = []
    for part in parts:
        if isinstance(part, Text | ToolCall):
            data = (part.provider_data or {}).get("vertex", {})
        else:
            data = part.data or {}
        found += [data["thoughtSignature"]] if "thoughtSignature" in data else []
    return found


def check_choice(said, choice):
    parts, ours = said["parts"], choice.message.parts
    spoken = [part for part in parts if "text" in part]
    assert choice.text == "".join(part["text"] for part in spoken if not part.get("thought"))
    thinking = "".join(part.text for part in ours if isinstance(part, Thinking))
    assert thinking == "".join(part["text"] for part in spoken if part.get("thought"))
    calls = pieces_of_calls(parts)
    assert [call.name for call in choice.message.tool_calls] == [call["name"] for _, call, _ in calls]
    for ours_, (_, call, pieces) in zip(choice.message.tool_calls, calls, strict=True):
        if pieces:
            assert sorted(leaf for leaf in leaves(ours_.arguments) if isinstance(leaf, str)) == strings_of(
                pieces
            )
        else:
            assert dict(ours_.arguments) == (call.get("args") or {})
        assert not call.get("id") or ours_.id == call["id"]
    assert len({call.id for call in choice.message.tool_calls}) == len(calls)
    assert [part.data for part in ours if isinstance(part, RawPart)] == [
        part for part in parts if part and "text" not in part and "functionCall" not in part
    ]
    assert kept_signatures(ours) == signatures(parts)
    expected = FINISH.get(said["stop"], "other")
    assert choice.finish_reason == ("tool_calls" if expected == "stop" and calls else expected)
    assert choice.finish_raw == said["stop"]
    check_citations(said, choice)


def check_citations(said, choice):
    urls = [cited.get("uri") for cited in said["cited"]]
    grounded = set()
    for told in said["grounding"]:
        chunks = told.get("groundingChunks") or []
        for chunk in chunks:
            grounded |= {one.get("uri") for one in chunk.values() if isinstance(one, dict)}
        for support in told.get("groundingSupports") or ():
            for number in support.get("groundingChunkIndices") or ():
                text = (support.get("segment") or {}).get("text")
                assert any(
                    one.text == text and one.url == chunks[number].get("web", {"uri": one.url}).get("uri")
                    for one in choice.citations
                )
    assert {one.url for one in choice.citations} == {*urls, *grounded}
    for one in choice.citations:
        if one.text is not None and one.start is not None:
            assert choice.text[one.start : one.end] == one.text


def check_usage(told, folded):
    used = folded.usage
    if told is None:
        assert used.input_tokens is used.output_tokens is None
        return
    if "promptTokenCount" in told:
        assert used.input_tokens == told["promptTokenCount"] + told.get("toolUsePromptTokenCount", 0)
    assert used.reasoning_tokens == told.get("thoughtsTokenCount")
    assert used.cached_input_tokens == told.get("cachedContentTokenCount")
    counts = [told.get(name, 0) for name in ("candidatesTokenCount", "thoughtsTokenCount")]
    assert used.output_tokens in (sum(counts), None if not sum(counts) else -1)
    assert folded.raw_usage == told


# -- tests --------------------------------------------------------------------------------------------------


def test_every_line_is_accounted_for():
    assert counted(Counter(row["api"] for row in rows())) == COUNTS
    assert {row["api"] for row in rows()} <= set(COUNTS) == set(SERVED)


def unanswered(row):
    """Return why a good status holds no answer of a model, or None."""
    found, _, _ = reading(row)
    if row["stream"] and any(one["stop"] is None for one in found.values()):
        return StreamInterruptedError  # one line, shaped by hand
    if any((value.get("promptFeedback") or {}).get("blockReason") for value in values(row)):
        return ContentFilteredError
    return None if found else MalformedResponseError  # two lines are caches that were made, under this name


@pytest.mark.parametrize(
    ("api", "read"), [("vertex.generateContent", 448), ("vertex.streamGenerateContent", 243)]
)
def test_gemini_is_read_as_recorded(api, read):
    faults, count = {}, 0
    for row in good(api):
        if unanswered(row) is not None:
            continue
        count += 1
        try:
            folded = reply_of(decoded(row), provider="vertex")
            found, usage, top = reading(row)
            assert [choice.index for choice in folded.choices] == sorted(found)
            for choice in folded.choices:
                check_choice(found[choice.index], choice)
            check_usage(usage, folded)
            assert (folded.id, folded.model) == (top.get("responseId"), top.get("modelVersion"))
        except (AssertionError, JackfieldError, FailureInStream, KeyError) as fault:
            faults[row["id"]] = f"{type(fault).__name__}: {str(fault)[:600]}"
    assert not faults, json.dumps(dict(list(faults.items())[:5]), indent=1)
    assert counted(count) == read


def test_what_is_no_answer_is_an_error():
    kinds = Counter()
    for api in ("vertex.generateContent", "vertex.streamGenerateContent"):
        for row in good(api):
            expected = unanswered(row)
            if expected is None:
                continue
            kinds[expected.__name__] += 1
            with pytest.raises((MalformedResponseError, StreamInterruptedError, FailureInStream)) as caught:
                decoded(row)
            made = caught.value
            if isinstance(made, FailureInStream):
                made = jackfield_vertex.jackfield_error(made.failure)
            assert type(made) is expected
    assert counted(kinds) == {
        "ContentFilteredError": 3,
        "MalformedResponseError": 2,
        "StreamInterruptedError": 1,
    }


def claude_message(row):
    first = values(row)[0]
    if first["type"] == "message":  # some recording programs keep a stream as the message it came to
        return first
    message, inputs = None, {}
    for event in values(row):
        if event["type"] == "message_start":
            message = {**event["message"], "content": []}
        elif event["type"] == "content_block_start":
            message["content"].append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            for name, value in event["delta"].items():
                if name == "partial_json":
                    inputs.setdefault(event["index"], []).append(value)
                elif name != "type":
                    block = message["content"][event["index"]]
                    block[name] = block.get(name, "") + value
        elif event["type"] == "message_delta":
            message["stop_reason"] = event["delta"]["stop_reason"]
    for index, pieces in inputs.items():
        message["content"][index]["input"] = json.loads("".join(pieces) or "{}")
    return message


@pytest.mark.parametrize("api", ["vertex.rawPredict", "vertex.streamRawPredict"])
def test_claude_is_read_as_recorded(api):
    for row in good(api):
        message, folded = claude_message(row), reply_of(decoded(row), provider="vertex")
        (choice,) = folded.choices
        blocks = message["content"]
        assert choice.text == "".join(block["text"] for block in blocks if block["type"] == "text")
        assert [(call.name, dict(call.arguments)) for call in choice.message.tool_calls] == [
            (block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"
        ]
        assert [part.text for part in choice.message.parts if isinstance(part, Thinking)] == [
            block["thinking"] for block in blocks if block["type"] == "thinking"
        ]
        assert (folded.id, choice.finish_raw) == (message["id"], message["stop_reason"])
        assert folded.usage.input_tokens >= message["usage"]["input_tokens"]


def test_palm_is_read_as_recorded():
    for row in good("vertex.predict_palm"):
        (prediction,) = row["response"]["body"]["predictions"]
        folded = reply_of(decoded(row))
        candidates = prediction.get("candidates", [prediction])
        assert [choice.text for choice in folded.choices] == [one["content"] for one in candidates]
        verdicts = prediction["safetyAttributes"]
        verdicts = verdicts if isinstance(verdicts, list) else [verdicts]
        assert [choice.finish_reason == "content_filter" for choice in folded.choices] == [
            verdict["blocked"] for verdict in verdicts
        ]
        told = (prediction.get("groundingMetadata") or {}).get("citations", [])
        assert [one.url for one in folded.choices[0].citations] == [one["url"] for one in told]
        tokens = (row["response"]["body"].get("metadata") or {}).get("tokenMetadata")
        if tokens:
            assert folded.usage.input_tokens == tokens["inputTokenCount"]["totalTokens"]
            assert folded.usage.output_tokens == tokens["outputTokenCount"]["totalTokens"]


def test_a_stream_of_tensors_is_read_as_recorded():
    for row in good("vertex.serverStreamingPredict"):
        (choice,) = reply_of(decoded(row)).choices
        pieces = [
            candidate["structVal"]["content"]["stringVal"][0]
            for value in row["response"]["body"]
            for candidate in value["outputs"][0]["structVal"]["candidates"]["listVal"]
        ]
        assert choice.text == "".join(pieces)
        assert counted(choice.finish_reason) == "content_filter"
    assert counted(len(good("vertex.serverStreamingPredict"))) == 1


def test_embeddings_are_read_as_recorded():
    count = 0
    for row in good("vertex.predict_embeddings"):
        folded, told = reply_of(decoded(row)), row["response"]["body"]["predictions"]
        assert [vector.shape[0] for vector in folded.vectors.values()] == [
            len(one["embeddings"]["values"]) for one in told
        ]
        assert folded.vectors[0].tolist() == pytest.approx(told[0]["embeddings"]["values"], rel=1e-6)
        counts = [one["embeddings"].get("statistics", {}).get("token_count") for one in told]
        assert folded.usage.input_tokens == (None if None in counts else sum(counts))
        count += 1
    for row in good("vertex.embedContent"):
        vector = reply_of(decoded(row)).vectors[0]
        assert vector.tolist() == pytest.approx(row["response"]["body"]["embedding"]["values"], rel=1e-6)
        count += 1
    assert counted(count) == 15


def test_counts_are_read_as_recorded():
    for row in good("vertex.countTokens"):
        assert reply_of(decoded(row)).counted == row["response"]["body"]["totalTokens"]
    assert counted(len(good("vertex.countTokens"))) == 10


def test_the_listing_of_vertex_is_read_as_recorded():
    listings = [row for row in good("vertex.models") if row["variant"] == "vertex_ai"]
    assert counted(len(listings)) == 1
    for row in listings:
        settings = jackfield_vertex.VertexSettings(project="p")
        cards, after = jackfield_vertex.jackfield_discover(settings).parse(head_of(row), raw_body(row))
        body = row["response"]["body"]
        assert [f"publishers/google/models/{card.id}" for card in cards] == [
            one["name"] for one in body["publisherModels"]
        ]
        assert (after is None) == ("nextPageToken" not in body)


def expected_error(status, said):
    message = said["message"]
    if "input token count" in message:
        return "ContextLengthExceededError"
    if "API key not valid" in message:
        return "AuthenticationError"
    if said["status"] == "FAILED_PRECONDITION":
        return "PermissionDeniedError"
    return BY_STATUS[status]


def test_errors_are_classed_as_recorded():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    waits = 0
    for row in failed:
        status, body = row["response"]["status"], row["response"]["body"]
        said = (body[0] if isinstance(body, list) else body)["error"]
        failure = Failure(status=status, headers=head_of(row).headers, body=json.dumps(body).encode())
        error = jackfield_vertex.jackfield_error(failure)
        assert type(error).__name__ == expected_error(status, said), row["id"]
        assert (error.status, error.message) == (status, said["message"])
        assert error.is_retryable == (status in {408, 409, 429} or status >= 500)
        waits += error.retry_after is not None
    assert counted((len(failed), waits)) == (31, 1)


def test_cuts_of_the_network_change_nothing():
    """A stream of each kind, cut after every 1, 7 and 64 bytes."""
    streams = {}
    for row in rows():
        whole = isinstance(SERVED[row["api"]], dict) and row["response"]["status"] < 400
        if (
            whole
            and row["response"]["body_kind"] == "sse"
            and len(raw_body(row)) < 30_000
            and not unanswered(row)
        ):
            interesting = frozenset(row["tags"]) & {"tool_call", "signature", "citations", "thinking"}
            streams.setdefault((row["api"], interesting), row)
    assert counted(len(streams) >= 4)
    for row in streams.values():
        whole = decoded(row)
        for cut in (1, 7, 64):
            assert decoded(row, cut=cut) == whole


def test_what_a_service_may_add_tomorrow_changes_nothing():
    read = check_unseen(
        [
            row
            for api in ("vertex.generateContent", "vertex.streamGenerateContent")
            for row in good(api)
            if not unanswered(row)
        ],
        decoded,
    )
    assert counted(read) == 691
