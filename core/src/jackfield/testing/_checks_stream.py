"""Checks of how streams are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from jackfield._calls.fold import Folded
from jackfield._types.content import Thinking
from jackfield._types.errors import StreamInterruptedError
from jackfield._types.events import Finish, RawEvent, Started, TextDelta

from ._case import Case, call_pairs
from ._check import check
from ._decoding import Decoded
from ._findings import SkipCheck
from ._framed import events_of, framing_of, spellings
from ._subject import Subject

_MOST_CUTS = 300
_STRANGER = {"type": "jackfield.stranger", "jackfield_probe": 1}


def _streams(subject: Subject) -> Iterator[tuple[Case, bytes, Decoded]]:
    """Return each streamed case that can be read, with its bytes and what it means.

    Raises:
        SkipCheck: There is none.
    """
    found = False
    for case in subject.some_cases(stream=True):
        decoded = subject.decoded(case)
        if decoded.error is None:  # else `answers.decode` tells of it
            found = True
            yield case, subject.body(case), decoded
    if not found:
        raise SkipCheck("no streamed case can be read; see answers.decode")


def framed(subject: Subject, *framings: str) -> Iterator[tuple[Case, bytes, Decoded, str]]:
    """Return each streamed case of some framings: with its bytes, what it means, and its framing.

    Raises:
        SkipCheck: There is none.
    """
    found = False
    for case, body, decoded in _streams(subject):
        framing = framing_of(subject, case, body)
        if framing in framings:
            found = True
            yield case, body, decoded, framing
    if not found:
        raise SkipCheck(f"no streamed case is framed as {' or '.join(framings)}")


def difference(one: Folded, other: Folded) -> str | None:
    """Return in what an answer differs from the one before; None if it is the same."""
    for name in ("id", "model", "choices", "usage", "finished"):
        first, second = getattr(one, name), getattr(other, name)
        if first != second:
            return f"{name} is {str(second)[:200]} instead of {str(first)[:200]}"
    return None


def _cuts(body: bytes) -> list[int]:
    """Return the places to cut at: all, or a spread of them with every one inside a character."""
    if len(body) <= _MOST_CUTS:
        return list(range(1, len(body)))
    spread = range(1, len(body), max(1, len(body) // _MOST_CUTS))
    inside = [i for i in range(1, len(body)) if body[i] & 0xC0 == 0x80][:_MOST_CUTS]
    return sorted({*spread, *inside})


@check(
    "stream.cuts",
    law="How the network cuts a stream does not change what it means.",
    remedy="let the core frame the stream (Wire.framing), and keep no bytes in the decoder",
)
def cuts(subject: Subject) -> Iterable[str]:
    for case, body, decoded in _streams(subject):
        if case.in_process:
            continue
        single = subject.decoded(case, step=1)
        found = "" if single.error is None else str(single.error)
        found = found or difference(decoded.folded, single.folded) or ""
        if found:
            yield f"{case.label}: read byte by byte, {found}"
            continue
        for cut in _cuts(body):
            parted = subject.decoded(case, cut=cut)
            if parted.error is not None or parted.events != decoded.events:
                yield f"{case.label}: cut at byte {cut}, it means something else"
                break


@check(
    "stream.characters",
    law="Characters of more than one byte survive, wherever the stream is cut.",
    remedy="parse the frame's bytes as UTF-8 JSON; never decode pieces of a frame",
)
def characters(subject: Subject) -> Iterable[str]:
    tried = False
    for case, body, decoded in _streams(subject):
        piece = piece_of(body, decoded)
        if piece is None or "eventstream" in case.media_type(body):  # whose checksums would tell
            continue
        tried = True
        new = piece + "é日🦊"
        changed = body.replace(quoted(piece), quoted(new))
        for step in (1, len(changed)):
            read = subject.decoded(case, changed, step=step)
            texts = [choice.text for choice in read.folded.choices]
            if read.error is not None or not any(new in text for text in texts):
                yield f"{case.label}: {new!r} was sent, {texts or read.error} was read"
                break
    if not tried:
        raise SkipCheck("no streamed case has a text that stands in its bytes exactly once")


def quoted(text: str) -> bytes:
    """Return a text as JSON has it."""
    return orjson.dumps(text)


def piece_of(body: bytes, decoded: Decoded) -> str | None:
    """Return a piece of the answer's text that stands in its bytes exactly once; None if there is none."""
    texts = [event.text for event in decoded.events if isinstance(event, TextDelta) and event.text.strip()]
    for text in sorted(set(texts), key=len, reverse=True):
        if body.count(quoted(text)) == 1:
            return text
    return None


@check(
    "stream.keep_alives",
    law="Comments and blank lines between events mean nothing.",
    remedy="let the core frame the stream, and ignore frames without data",
)
def keep_alives(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse", "jsonlines"):
        events, end = events_of(body, framing)
        beat = b": keep-alive" + end if framing == "sse" else end
        read = subject.decoded(case, beat + beat.join(events) + beat)
        found = str(read.error) if read.error is not None else difference(decoded.folded, read.folded)
        if found:
            yield f"{case.label}: with keep-alives, {found}"


@check(
    "stream.spellings",
    law="A stream means the same in every way of writing that its format allows: CRLF, ids, data on several lines.",
    remedy="let the core frame the stream (Wire.framing), and parse a frame's data as JSON, not by its looks",
    gentle=True,
)
def spelt(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse", "jsonlines"):
        for how, changed in spellings(body, framing):
            for step in (len(changed), 1):
                read = subject.decoded(case, changed, step=step)
                found = str(read.error) if read.error is not None else difference(decoded.folded, read.folded)
                if found:
                    yield f"{case.label}: {how}, {found}"
                    break


@check(
    "stream.start",
    law="Before the first frame a decoder returns at most what the head says (Started, RawEvent), and nothing of the answer.",
    remedy="return the events of an answer from feed() or finish(): the core holds back what start() returns until a "
    "frame has brought an event, so that retries and the time limit of the first event work",
)
def start(subject: Subject) -> Iterable[str]:
    for case, _, decoded in _streams(subject):
        early = [
            type(event).__name__ for event in decoded.started if not isinstance(event, Started | RawEvent)
        ]
        if early:
            yield f"{case.label}: start() returns {', '.join(early)}"


@check(
    "stream.finish_once",
    law="Each choice that began finishes, once.",
    remedy="give one Finish per choice, at its end; usage may come later",
)
def finish_once(subject: Subject) -> Iterable[str]:
    for case, _, decoded in _streams(subject):
        if case.kind not in {"chat", "completion", "summarization"}:
            continue
        finishes = decoded.finishes()
        for choice, events in finishes.items():
            if len(events) > 1:
                yield f"{case.label}: choice {choice} finishes {len(events)} times"
        begun = {choice.index for choice in decoded.folded.choices}
        if not finishes or begun - finishes.keys():
            yield f"{case.label}: choice {min(begun - finishes.keys(), default=0)} does not finish"


@check(
    "stream.unknown_events",
    law="An event of a kind that the plugin does not know is kept as a RawEvent and disturbs nothing.",
    remedy="end the decoder's dispatch with `return [RawEvent(kind, data)]`",
)
def unknown_events(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse", "jsonlines"):
        events, end = events_of(body, framing)
        stranger = orjson.dumps(_STRANGER) + end
        if framing == "sse":
            stranger = b"event: jackfield.stranger\ndata: " + stranger
        middle = max(1, len(events) // 2)
        read = subject.decoded(case, b"".join([*events[:middle], stranger, *events[middle:]]))
        found = str(read.error) if read.error is not None else difference(decoded.folded, read.folded)
        if found:
            yield f"{case.label}: it disturbs the answer: {found}"
        elif not any("jackfield" in repr(event) for event in read.events if isinstance(event, RawEvent)):
            yield f"{case.label}: it is lost"


@check(
    "stream.garbage",
    law="A frame that is not what the format says is an error, never skipped.",
    remedy="parse each frame and let the exception pass: the core makes MalformedResponseError of it",
    gentle=True,
)
def garbage(subject: Subject) -> Iterable[str]:
    for case, body, _, framing in framed(subject, "sse", "jsonlines"):
        events, end = events_of(body, framing)
        middle = max(1, len(events) // 2)
        broken = (b"data: " if framing == "sse" else b"") + b'{"jackfield": ' + end
        read = subject.decoded(case, b"".join([*events[:middle], broken, *events[middle:]]))
        if read.error is None:
            yield f"{case.label}: a frame that is cut JSON is skipped"


@check(
    "stream.truncated",
    law="A stream that ends too early is StreamInterruptedError, never a short answer.",
    remedy="raise StreamInterruptedError in the decoder's finish() unless the end marker, or a finish reason for "
    "each choice, has come",
)
def truncated(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse", "jsonlines"):
        events, _ = events_of(body, framing)
        # Where the reason to finish is in the stream, a stream without it is cut; else "other" is an answer.
        declared = any(isinstance(event, Finish) and event.reason != "other" for event in decoded.events)
        for kept in range(1, len(events)):
            read = subject.decoded(case, b"".join(events[:kept]))
            if read.error is None:
                short = _short(decoded, read, declared=declared)
                if short:
                    yield f"{case.label}: after {kept} of {len(events)} events, {short}"
                    break
            elif not isinstance(read.error, StreamInterruptedError) or read.fault is not None:
                yield f"{case.label}: after {kept} of {len(events)} events, {type(read.error).__name__} is raised"
                break


def _short(whole: Decoded, read: Decoded, *, declared: bool) -> str | None:
    """Return why a cut stream must not pass as complete; None if it is complete."""
    wanted, found = whole.folded.choices, read.folded.choices
    if found == wanted:
        return None  # only usage or the marker is missing
    if any(choice.finish_reason not in {None, "other"} for choice in found) or declared:
        text = found[0].text if found else ""
        return f"the answer {text[:80]!r} counts as complete"
    return None


@check(
    "stream.empty",
    law="A stream without any event is StreamInterruptedError.",
    remedy="check in finish() that something came",
)
def nothing(subject: Subject) -> Iterable[str]:
    for case, _, _, _ in framed(subject, "sse", "jsonlines"):
        read = subject.decoded(case, b"")
        if not isinstance(read.error, StreamInterruptedError):
            yield f"{case.label}: it is {type(read.error).__name__ if read.error else 'an answer'}"


@check(
    "stream.equals_whole",
    law="A streamed answer, collected, equals the whole answer.",
    remedy="let both go through the same decoder",
)
def equals_whole(subject: Subject) -> Iterable[str]:
    pairs: dict[str, list[Case]] = {}
    for case in subject.good_cases():
        if case.pair is not None:
            pairs.setdefault(case.pair, []).append(case)
    if not pairs:
        raise SkipCheck("no two cases say by `pair` that they are the same answer")
    for name, cases in pairs.items():
        said = [_said(subject.decoded(case).folded) for case in cases]
        for other, case in zip(said[1:], cases[1:], strict=True):
            for what, value in other.items():
                if value != said[0][what]:
                    yield f"{name}: {what} is {said[0][what]!r} in {cases[0].label}, {value!r} in {case.label}"


def _said(folded: Folded) -> dict[str, Any]:
    if not folded.choices:
        return {"choices": ()}
    choice = folded.choices[0]
    thinking = "".join(part.text for part in choice.message.parts if isinstance(part, Thinking))
    return {
        "text": choice.text,
        "thinking": thinking,
        "tool calls": call_pairs(choice.message.tool_calls),
        "finish reason": choice.finish_reason,
    }


@check(
    "stream.usage_is_total",
    law="Usage grows: later updates are totals, never smaller than earlier ones.",
    remedy="give running totals in UsageUpdate, not increments",
)
def usage_is_total(subject: Subject) -> Iterable[str]:
    for case, _, decoded in _streams(subject):
        last: dict[str, int] = {}
        for event in decoded.events:
            usage = getattr(event, "usage", None)
            for name in ("input_tokens", "output_tokens"):
                count = getattr(usage, name, None)
                if count is not None and count < last.get(name, 0):
                    yield f"{case.label}: {name} falls from {last[name]} to {count}"
                if count is not None:
                    last[name] = count
