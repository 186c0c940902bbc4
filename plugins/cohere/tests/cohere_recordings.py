"""Recorded exchanges with Cohere, and how a test reads one.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import pytest
from recordings import events_by, head_of, raw_body, recorded

from jackfield.plugin import Failure, FailureInStream, ModelRef, Wire
from jackfield.testing import reply_of
from jackfield_cohere import COHERE, decoder, error


def rows():
    """Return every recorded exchange."""
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
    "detokenize": (1, "no call of ours asks for text from tokens"),
    "openai_chat": (2, "the compatibility API for OpenAI's SDK is read by jackfield_openai.compatible"),
}


def events_of(row, *, cut=None, api=None):
    """Return our events of a row's answer, framed in chunks of `cut` bytes."""
    api = api or SERVED[row["api"].removeprefix("cohere.")][1]
    reader = decoder(COHERE, Wire("/", stream=row["stream"], meta={"api": api}))
    return events_by(reader, row, cut=cut, framing="sse" if api == "chat" else "jsonlines", named=True)


def folded(row, **options):
    return reply_of(events_of(row, **options), provider="cohere", model=row["model"])


def error_of(row):
    """Return our error of a row that failed, or whose stream did."""
    response = row["response"]
    if response["status"] >= 400:
        return error(
            Failure(status=response["status"], headers=head_of(row).headers, body=raw_body(row, named=True))
        )
    with pytest.raises(FailureInStream) as caught:
        events_of(row)
    return error(caught.value.failure)


def model_of(row):
    return ModelRef((row.get("request") or {}).get("body", {}).get("model") or "command-a-03-2025")
