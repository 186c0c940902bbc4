"""Recorded traffic of real services, for the tests of every package.

The recordings are beside the repository (`../shared/wire`), not in it. If they are missing, the tests are skipped; in CI
they fail.
"""

import hashlib
import json
import os
from functools import cache, lru_cache
from pathlib import Path
from unittest.mock import ANY

import pytest

from jackfield.http import framer_for
from jackfield.plugin import Head, Headers

__all__ = [
    "BY_STATUS", "Odd", "are_counted", "are_here", "bodies_of", "counted", "events_by", "folder", "frames_of", "head_of", "raw_body",
    "recorded",
]  # fmt: skip

# The class of an error by its status alone, for bodies that say no more. As the design has it, and not as the code does.
BY_STATUS = {
    400: "InvalidRequestError", 401: "AuthenticationError", 402: "QuotaExceededError", 403: "PermissionDeniedError",
    404: "NotFoundError", 408: "TimeoutError", 409: "InvalidRequestError", 413: "InvalidRequestError",
    422: "InvalidRequestError", 424: "ServerError", 429: "RateLimitError", 498: "AuthenticationError",
    499: "ConnectionFailedError", 500: "ServerError", 502: "ServerError", 503: "OverloadedError", 504: "TimeoutError",
    529: "OverloadedError",
}  # fmt: skip

_FOLDER = Path(__file__).parents[3] / "shared" / "wire"


def are_here():
    """Return whether there are recordings on this machine."""
    return _FOLDER.is_dir()


def folder():
    """Return the folder of the recordings; skip the test if it is missing, or fail in CI."""
    if not are_here():
        message = "the recordings are not here; they lie beside the repository in shared/wire"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return _FOLDER


@lru_cache(maxsize=4)
def recorded(*files):
    """Return all exchanges of these files, in order."""
    # Not splitlines(): texts hold line separators of other alphabets.
    texts = [(folder() / f"{name}.jsonl").read_text(encoding="utf-8") for name in files]
    return [json.loads(line) for text in texts for line in text.split("\n") if line]


class Odd(Exception):
    """A recorded request that is none of the documented form, or that nobody would write through our API."""


def bodies_of(rows, *apis):
    """Return the exchanges of these APIs whose request has a JSON object for a body, each with it."""
    bodies = ((row, (row.get("request") or {}).get("body")) for row in rows if row["api"] in apis)
    return [(row, body) for row, body in bodies if isinstance(body, dict)]


_TYPES = {
    "sse": "text/event-stream",
    "parsed_events": "text/event-stream",
    "ndjson": "application/stream+json",
}


def head_of(row):
    """Return the head of a recorded answer; where no content type was recorded, the one that goes with the body."""
    headers = dict(row["response"].get("headers") or {})
    headers.setdefault("content-type", _TYPES.get(row["response"]["body_kind"], "application/json"))
    return Head(row["response"]["status"], Headers(headers))


def raw_body(row, *, named=False):
    """Return the bytes of a recorded answer; events that were recorded parsed are framed again.

    Args:
        row: The exchange.
        named: Whether events have their type for a name, as Anthropic's and Cohere's; else `[DONE]` ends them.
    """
    kind, body = row["response"]["body_kind"], row["response"]["body"]
    if kind in ("sse", "ndjson", "text"):
        return body.encode()
    if kind != "parsed_events":
        return json.dumps(body).encode()
    names = [f"event: {event['type']}\n" if named else "" for event in body]
    events = [f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, body, strict=True)]
    return "".join([*events, *([] if named else ["data: [DONE]\n\n"])]).encode()


def frames_of(data, content_type, *, cut=None, framing="sse"):
    """Frame a body in pieces of `cut` bytes, or all at once."""
    framer = framer_for(content_type, framing)
    pieces = [data] if cut is None else [data[at : at + cut] for at in range(0, len(data), cut)]
    frames = [frame for piece in pieces for frame in framer.feed(piece)]
    return [*frames, *framer.close()]


def events_by(decode, row, *, cut=None, framing="sse", named=False):
    """Read a recorded answer with a decoder, in pieces of `cut` bytes or all at once."""
    head = head_of(row)
    data = raw_body(row, named=named)
    events = list(decode.start(head))
    for frame in frames_of(data, head.headers["content-type"], cut=cut, framing=framing):
        events += decode.feed(frame)
    return events + decode.finish()


# The first digits of the SHA-256 of the files whose lines the tests have counted.
_COUNTED = {
    "anthropic": "ec98f151722b1814",
    "azure_ml": "075c6e5d1d202fdd",
    "azure_openai": "76a16b76d783aa3a",
    "bedrock": "6116bfc3a7afed53",
    "cohere": "e90ee1a504b1d637",
    "compat": "8941b1057d8684a0",
    "databricks": "d978b738e9613eef",
    "hf": "95b70535e0cea417",
    "mistral": "8b30c9139d281782",
    "openai": "726fb9ea29e6c857",
    "sagemaker": "44170e0b6f5e185c",
    "snowflake": "0855b78da839b79c",
    "vertex": "d681529fe649d316",
}


@cache
def are_counted():
    """Return whether the recordings are those that the tests have counted, and not others of the same kind."""
    found = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in folder().glob("*.jsonl")
    }
    return found == _COUNTED


def counted(number):
    """Return a number that depends on which recordings are present; with other recordings it equals every number.

    The same tests can then read recordings that nobody has counted yet. They assert either way that each line is read, and
    read correctly.
    """
    return number if are_counted() else ANY
