"""Recorded exchanges with Cohere, and how a test reads one.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import json

import pytest
from recordings import recorded

from jackfield._calls.fold import fold
from jackfield.http import framer_for
from jackfield.plugin import Failure, FailureInStream, Head, Headers, ModelRef, Wire
from jackfield_cohere import COHERE, decoder, error


def rows():
    """Give every recorded exchange."""
    return recorded("cohere")


def of(api):
    return [row for row in rows() if row["api"] == f"cohere.{api}"]


# Every `api` of the file: how many lines, and what reads them, or why nothing does.
SERVED = {
    "chat_v2": (116, "chat"),
    "chat_v1": (25, "chat_v1"),
    "generate": (8, "generate"),
    "summarize": (1, "summarize"),
    "embed_v2": (7, "embed"),
    "embed_v1": (8, "embed"),
    "rerank_v2": (6, "rerank"),
    "rerank_v1": (4, "rerank"),
    "tokenize": (1, "tokenize"),
    "models": (4, "models"),
}
NOT_SERVED = {
    "detokenize": (1, "nothing of ours asks for text from tokens"),
    "openai_chat": (2, "the facade for OpenAI's SDK is read by jackfield_openai.compatible"),
}


def raw_body(row):
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind in ("sse", "ndjson", "text"):
        return body.encode()
    if kind == "parsed_events":
        return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in body)
    return json.dumps(body).encode()


def head_of(row):
    kinds = {
        "sse": "text/event-stream",
        "parsed_events": "text/event-stream",
        "ndjson": "application/stream+json",
    }
    headers = dict(row["response"].get("headers") or {})
    headers.setdefault("content-type", kinds.get(row["response"]["body_kind"], "application/json"))
    return Head(row["response"]["status"], Headers(headers))


def events_of(row, *, cut=None, api=None):
    """Give our events of a row's answer, framed in chunks of `cut` bytes."""
    head, body = head_of(row), raw_body(row)
    api = api or SERVED[row["api"].removeprefix("cohere.")][1]
    framer = framer_for(head.headers["content-type"], "sse" if api == "chat" else "jsonlines")
    reader = decoder(COHERE, Wire("/", stream=row["stream"], meta={"api": api}))
    events = reader.start(head)
    size = cut or len(body) or 1
    for at in range(0, len(body), size):
        for frame in framer.feed(body[at : at + size]):
            events += reader.feed(frame)
    for frame in framer.close():
        events += reader.feed(frame)
    return events + reader.finish()


def folded(row, **options):
    return fold(events_of(row, **options), provider="cohere", model=row["model"])


def error_of(row):
    """Give our error of a row that failed, or whose stream did."""
    response = row["response"]
    if response["status"] >= 400:
        return error(Failure(status=response["status"], headers=head_of(row).headers, body=raw_body(row)))
    with pytest.raises(FailureInStream) as caught:
        events_of(row)
    return error(caught.value.failure)


def model_of(row):
    return ModelRef((row.get("request") or {}).get("body", {}).get("model") or "command-a-03-2025")
