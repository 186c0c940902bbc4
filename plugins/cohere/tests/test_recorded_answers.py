"""Recorded answers, read by our decoders and compared with a second, simpler reading."""

import json
from array import array
from collections import Counter

import pytest
from cohere_recordings import NOT_SERVED, SERVED, error_of, events_of, folded, of, rows
from recordings import BY_STATUS, counted
from unseen import check_unseen

import jackfield_cohere
from jackfield import (
    AuthenticationError,
    CitationDelta,
    ConnectionFailedError,
    ContextLengthExceededError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    RateLimitError,
    RawEvent,
    StreamInterruptedError,
    Thinking,
)
from jackfield.plugin import EmbeddingData, Head, RerankScore


def test_every_line_has_a_reader_or_a_reason():
    found = Counter(row["api"].removeprefix("cohere.") for row in rows())

    assert set(found) <= set(SERVED | NOT_SERVED)
    assert counted(dict(found)) == {api: count for api, (count, _) in (SERVED | NOT_SERVED).items()}


# -- a simple reading of our own, by the documented formats ------------------------------------------------------


def data_of(row):
    body, kind = row["response"]["body"], row["response"]["body_kind"]
    if kind == "sse":
        return [json.loads(line[6:]) for line in body.split("\n") if line.startswith("data: {")]
    return [json.loads(line) for line in body.split("\n") if line] if kind == "ndjson" else body


def simple(row):
    """Return a chat's text, thinking, calls, citations, usage and raw finish reason, streamed or whole."""
    if row["api"] == "cohere.chat_v1":
        return simple_v1(row)
    found = {"text": "", "thinking": "", "calls": [], "citations": [], "usage": None, "raw": None}
    body = data_of(row)
    if isinstance(body, dict):
        message = body["message"]
        found["thinking"] = message.get("tool_plan") or ""
        for part in message.get("content") or ():
            found[part["type"]] += part[part["type"]]
        for call in message.get("tool_calls") or ():
            found["calls"].append((call["id"], call["function"]["name"], call["function"]["arguments"]))
        found["citations"] = message.get("citations") or []
        return {**found, "usage": body.get("usage"), "raw": body.get("finish_reason")}
    for event in body:
        message = event.get("delta", {}).get("message", {})
        match event["type"]:
            case "content-delta":
                for name, piece in message["content"].items():
                    found[name] += piece
            case "tool-plan-delta":
                found["thinking"] += message["tool_plan"]
            case "tool-call-start":
                call = message["tool_calls"]
                found["calls"].append((call["id"], call["function"]["name"], ""))
            case "tool-call-delta":
                identity, name, text = found["calls"][-1]
                found["calls"][-1] = (identity, name, text + message["tool_calls"]["function"]["arguments"])
            case "citation-start":
                found["citations"].append(message["citations"])
            case "message-end":
                found["usage"], found["raw"] = event["delta"].get("usage"), event["delta"]["finish_reason"]
    return found


def simple_v1(row):
    body = data_of(row)
    body = body[-1]["response"] if isinstance(body, list) else body
    calls = [(None, call["name"], json.dumps(call["parameters"])) for call in body.get("tool_calls") or ()]
    return {
        "text": body["text"],
        "thinking": "",
        "calls": calls,
        "citations": body.get("citations") or [],
        "usage": {**body["meta"], **({"token_count": body["token_count"]} if "token_count" in body else {})},
        "raw": body.get("finish_reason"),
    }


FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


def good_chats():
    return [
        row
        for api in ("chat_v2", "chat_v1")
        for row in of(api)
        if row["response"]["status"] < 400 and '"finish_reason":"ERROR"' not in str(row["response"]["body"])
    ]


def test_every_chat_is_read():
    read = 0
    for row in good_chats():
        found, expected = folded(row), simple(row)
        (choice,) = found.choices
        parts = choice.message.parts
        assert choice.message.text.strip() == expected["text"].strip(), row["id"]
        assert "".join(part.text for part in parts if isinstance(part, Thinking)) == expected["thinking"], (
            row["id"]
        )
        assert [c.name for c in choice.message.tool_calls] == [name for _, name, _ in expected["calls"]], row[
            "id"
        ]
        for call, (identity, _, arguments) in zip(choice.message.tool_calls, expected["calls"], strict=True):
            assert call.arguments == json.loads(arguments or "{}"), row["id"]
            assert identity in (None, call.id), row["id"]
        assert [citation.data for citation in choice.citations] == expected["citations"], row["id"]
        check_citations(choice, row)
        reason = FINISH.get(expected["raw"], "other")
        assert choice.finish_reason == ("tool_calls" if expected["calls"] else reason), row["id"]
        assert choice.finish_raw == expected["raw"], row["id"]
        check_usage(found.usage, expected["usage"], row)
        read += 1

    assert counted(read) == 78 + 23 + 24


def check_citations(choice, row):
    for citation in choice.citations:
        assert (citation.start, citation.end) == (citation.data["start"], citation.data["end"]), row["id"]
        named = citation.data.get("document_ids") or [source["id"] for source in citation.data["sources"]]
        assert citation.source_id == named[0], row["id"]


def check_usage(usage, told, row):
    tokens = told.get("tokens") or told.get("billed_units")
    if "token_count" in told:
        tokens = {
            "input_tokens": told["token_count"]["prompt_tokens"],
            "output_tokens": told["token_count"]["response_tokens"],
        }
    assert usage.input_tokens == tokens["input_tokens"] + tokens.get("image_tokens", 0), row["id"]
    assert usage.output_tokens == tokens["output_tokens"], row["id"]
    assert usage.cached_input_tokens == told.get("cached_tokens"), row["id"]
    assert usage.reasoning_tokens == tokens.get("reasoning_tokens"), row["id"]
    for name, count in told["billed_units"].items():
        assert usage.details[f"billed_{name}"] == count, row["id"]


def test_streams_cut_anywhere_read_alike():
    for row in rows():
        if row["stream"] and row["api"].removeprefix("cohere.") in SERVED and row in good_chats():
            whole = events_of(row)
            assert events_of(row, cut=1) == whole, row["id"]
            assert events_of(row, cut=7) == whole, row["id"]


def test_the_plan_and_the_thinking_say_what_they_are():
    fields = Counter(
        (part.data or {}).get("field")
        for row in good_chats()
        for part in folded(row).choices[0].message.parts
        if isinstance(part, Thinking)
    )

    assert set(fields) <= {"tool_plan", None}
    assert counted(fields["tool_plan"] > 15)
    assert counted(fields[None] > 35)


def test_sources_are_named():
    cited = [e.citation for row in good_chats() for e in events_of(row) if isinstance(e, CitationDelta)]
    titles = {citation.title for citation in cited}
    addresses = {citation.url for citation in cited}

    assert counted(titles >= {"facts.txt", "Early life of Isaac Newton - Wikipedia"})
    assert counted("https://en.wikipedia.org/wiki/Early_life_of_Isaac_Newton" in addresses)


ERRORS = {
    "prompt must be at least 1 token": InvalidRequestError,
    "list of documents must not be empty": InvalidRequestError,
    "system turn must be the first": InvalidRequestError,
    "valid input_type must be provided": InvalidRequestError,
    "invalid tool generation": InvalidRequestError,
    "too many tokens": ContextLengthExceededError,
    "trial token rate limit exceeded": RateLimitError,
    "40 API calls / minute": RateLimitError,
    "Incorrect API key": AuthenticationError,
    "API key has expired": AuthenticationError,
    "invalid api token": AuthenticationError,
    "update your payment method": QuotaExceededError,
    "was removed on": NotFoundError,
    "not found": NotFoundError,
    "failed to find org": NotFoundError,
    "cancelled by user": ConnectionFailedError,
}


def test_every_error_is_read():
    failed = [row for row in rows() if row["response"]["status"] >= 400]
    failed += [row for row in of("chat_v2") if '"finish_reason":"ERROR"' in str(row["response"]["body"])]
    met = set()
    for row in failed:
        found = error_of(row)
        words = next((words for words in ERRORS if words in found.message), None)
        met.add(words)
        expected = BY_STATUS[row["response"]["status"]] if words is None else ERRORS[words].__name__
        assert type(found).__name__ == expected, row["id"]
        assert found.status in (row["response"]["status"], None)  # None: inside a good stream

    assert counted(len(failed)) == 18 + 1
    assert counted(met) == ERRORS.keys()


def test_every_completion_is_read():
    read = 0
    for row in of("generate"):
        if row["response"]["status"] >= 400:
            continue
        body, found = row["response"]["body"], folded(row)
        assert [choice.text for choice in found.choices] == [g["text"] for g in body["generations"]]
        raw = body["generations"][0].get("finish_reason")
        assert found.choices[0].finish_raw == raw
        assert found.choices[0].finish_reason == ("stop" if raw else "other")
        billed = body["meta"].get("billed_units") or {}
        assert found.usage.input_tokens == billed.get("input_tokens")
        assert found.usage.output_tokens == billed.get("output_tokens")
        assert found.id == body["id"]
        read += 1

    assert counted(read) == 7


def test_every_embedding_is_read():
    read = 0
    for row in [*of("embed_v1"), *of("embed_v2")]:
        body = row["response"]["body"]
        if row["response"]["status"] >= 400:
            continue
        told = body["embeddings"]
        expected = next(iter(told.values())) if isinstance(told, dict) else told
        vectors = [event.vector.tolist() for event in events_of(row) if isinstance(event, EmbeddingData)]
        assert vectors == [array("f", vector).tolist() for vector in expected]
        assert folded(row).usage.input_tokens == body["meta"]["billed_units"].get("input_tokens")
        read += 1

    assert counted(read) == 7 + 6


def test_every_ranking_is_read():
    read = 0
    for row in [*of("rerank_v1"), *of("rerank_v2")]:
        body = row["response"]["body"]
        scores = [(event.index, event.score) for event in events_of(row) if isinstance(event, RerankScore)]
        assert scores == [(result["index"], result["relevance_score"]) for result in body["results"]]
        assert folded(row).usage.units == {"search_unit": body["meta"]["billed_units"]["search_units"]}
        read += 1

    assert counted(read) == 10


def test_summary_and_count_are_read():
    for row in of("summarize"):
        billed = row["response"]["body"]["meta"]["billed_units"]
        assert folded(row).choices[0].text == row["response"]["body"]["summary"]
        assert folded(row).usage.input_tokens == billed["input_tokens"]
    for row in of("tokenize"):
        assert folded(row).counted == len(row["response"]["body"]["tokens"])
    assert counted((len(of("summarize")), len(of("tokenize")))) == (1, 1)


def test_every_listing_is_read():
    parse = jackfield_cohere.jackfield_discover().parse
    read = 0
    for row in of("models"):
        body = row["response"]["body"]
        cards, following = parse(Head(200), json.dumps(body).encode())
        entries = body.get("models", [body])
        assert [card.id for card in cards] == [entry["name"] for entry in entries]
        assert [card.limits.context_window for card in cards] == [
            entry["context_length"] for entry in entries
        ]
        assert all(
            card.kinds == {"chat"} for card in cards
        )  # the older entries name endpoints that refuse them
        assert following is None
        read += 1

    assert counted(read) == 4


def test_warnings_are_kept():
    headers = [row for row in rows() if "x-api-warning" in (row["response"].get("headers") or {})]
    bodies = [row for row in rows() if '"warnings"' in json.dumps(row["response"]["body"])]
    warned = [row for row in headers + bodies if row["api"].removeprefix("cohere.") in SERVED]
    for row in warned:
        assert any(isinstance(event, RawEvent) and "warning" in event.kind for event in events_of(row)), row[
            "id"
        ]

    assert counted(bool(warned))


def test_a_stream_without_its_end_is_told():
    told = 0
    for row in rows():
        if (
            not row["stream"]
            or row["response"]["body_kind"] not in ("sse", "ndjson")
            or row not in good_chats()
        ):
            continue
        body = row["response"]["body"]
        cut = body.rindex('"type":"message-end"' if "message-end" in body else '"event_type":"stream-end"')
        start = body.rindex("\n", 0, cut)
        short = {**row, "response": {**row["response"], "body": body[:start]}}
        with pytest.raises(StreamInterruptedError):
            events_of(short)
        told += 1

    assert counted(told > 20)


def test_what_a_service_may_add_tomorrow_changes_nothing():
    read = check_unseen(good_chats(), events_of)
    assert counted(read) == 125
