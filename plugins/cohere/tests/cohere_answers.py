"""Decode answers in tests."""

from pathlib import Path

import orjson

from jackfield.plugin import Frame, Head, Headers, Wire
from jackfield_cohere import COHERE, decoder

WIRE = Path(__file__).parent / "wire"


def read(api, *values, stream=True, kind=None):
    """Return the events of these JSON values, each a frame."""
    reader = decoder(COHERE, Wire("/", stream=stream, meta={"api": api}))
    headers = {"content-type": kind or ("text/event-stream" if stream else "application/json")}
    events = reader.start(Head(200, Headers(headers)))
    for value in values:
        events += reader.feed(Frame(value if isinstance(value, bytes) else orjson.dumps(value)))
    return events + reader.finish()


def end(reason="COMPLETE", **delta):
    return {"type": "message-end", "delta": {"finish_reason": reason, **delta}}


def piece(index, **content):
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": content}}}
