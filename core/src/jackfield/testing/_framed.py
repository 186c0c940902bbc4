"""Where the frames of a recorded stream begin and end, for checks that slip something in or write it otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from ._case import Case
from ._subject import Subject

__all__ = ["events_of", "framing_of", "spellings"]


def framing_of(subject: Subject, case: Case, body: bytes) -> str:
    """Return how a case's stream is framed: "sse", "jsonlines" or "objects"; "" where no event can be inserted."""
    if case.in_process:
        return "objects"
    media_type = case.media_type(body).partition(";")[0].strip().lower()
    if media_type == "text/event-stream":
        return "sse"
    if any(word in media_type for word in ("ndjson", "jsonl", "stream+json")):
        return "jsonlines"
    hint = subject.wire(case).framing
    return (
        hint
        if hint in {"sse", "jsonlines"} and media_type in {"text/plain", "application/octet-stream"}
        else ""
    )


def events_of(body: bytes, framing: str) -> tuple[list[bytes], bytes]:
    """Cut a body at its frames; gives the pieces, each with what ends it, and what ends one."""
    if framing == "jsonlines":
        return [line + b"\n" for line in body.split(b"\n") if line.strip()], b"\n"
    body = body.replace(b"\r\n", b"\n")
    return [event + b"\n\n" for event in body.split(b"\n\n") if event.strip()], b"\n\n"


def spellings(body: bytes, framing: str) -> Iterator[tuple[str, bytes]]:
    """Write a stream in the other ways that its format allows, each with a name.

    Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html, as of 2026-11.
    """
    events, _ = events_of(body, framing)
    if framing == "jsonlines":
        yield "with CRLF", b"".join(event[:-1] + b"\r\n" for event in events)
        yield "without a last line end", b"".join(events)[:-1]
        return
    plain = b"".join(events)
    yield "with CRLF", plain.replace(b"\n", b"\r\n")
    yield (
        "without a space after the colon",
        b"".join(event.replace(b"data: ", b"data:", 1) for event in events),
    )
    yield "with a byte order mark", b"\xef\xbb\xbf" + plain
    yield "with ids and retry times", b"".join(b"id: 7\nretry: 3000\n" + event for event in events)
    yield "with data on several lines", b"".join(map(_on_two_lines, events))


def _on_two_lines(event: bytes) -> bytes:
    """Break the line of an event whose data is one JSON object."""
    return event.replace(b"data: {", b"data: {\ndata: ", 1) if event.count(b"data:") == 1 else event
