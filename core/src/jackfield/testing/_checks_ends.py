"""Checks of where an answer ends, and of what stands around it: markers, cuts, heartbeats, errors, odd JSON and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from ._case import Case
from ._check import check
from ._checks_answers import COUNTS, USAGE_KEYS, is_count_name
from ._checks_stream import difference, framed, piece_of, quoted
from ._decoding import Decoded
from ._findings import SkipCheck
from ._framed import events_of
from ._subject import Subject

_DONE = b"[DONE]"
_BEATS = {
    "`event: ping` without data": b"event: ping\ndata:\n\n",
    "`event: ping` with a word": b"event: ping\ndata: ping\n\n",
    "`event: keepalive` with null": b"event: keepalive\ndata: null\n\n",
    "`event: heartbeat` with {}": b"event: heartbeat\ndata: {}\n\n",
}
_WORDS = "jackfield-conformance: the upstream failed"
_HALF = rb"\ud83d"


@check(
    "stream.ended",
    law="At `[DONE]` an answer has ended, although its connection may stay open.",
    remedy="set the decoder's attribute `ended` when the end marker comes (self.ended = True in a subclass of EventDecoder); "
    "a decoder around another one inherits from WrappedDecoder",
    gentle=True,
)
def ended(subject: Subject) -> Iterable[str]:
    tried = False
    for case, body, decoded, framing in framed(subject, "sse"):
        events, _ = events_of(body, framing)
        if _DONE not in events[-1]:
            continue
        tried = True
        if not decoded.ended:
            yield f"{case.label}: after [DONE], the decoder waits for the end of the body"
    if not tried:
        raise SkipCheck("no streamed case ends with [DONE]")


@check(
    "stream.whole_when_cut",
    law="Once each choice has its reason to finish, an answer is whole, although its body is cut; before that, it is not.",
    remedy="let the decoder's `is_whole` be True as soon as each choice has its finish reason, as EventDecoder does",
    gentle=True,
)
def whole_when_cut(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse", "jsonlines"):
        events, _ = events_of(body, framing)
        found = _find_wrong_end(subject, case, events, decoded)
        if found:
            yield f"{case.label}: {found}"


def _find_wrong_end(subject: Subject, case: Case, events: list[bytes], whole: Decoded) -> str | None:
    wanted = whole.folded.choices
    if not wanted or any(choice.finish_raw is None for choice in wanted):
        return None  # the service sends no reasons
    for kept in range(1, len(events)):
        read = subject.decoded(case, b"".join(events[:kept]))
        is_all = read.error is None and read.folded.choices == wanted
        if read.is_whole and read.folded.choices != wanted:
            return f"after {kept} of {len(events)} events, half the answer counts as whole"
        if is_all and not read.is_whole:
            return f"cut after {kept} of {len(events)} events, where nothing is missing, the answer is lost"
    return None


@check(
    "stream.heartbeats",
    law="Named events of gateways without a JSON object mean nothing.",
    remedy="parse frames with jackfield.plugin.read_frame, which returns None for them",
    gentle=True,
)
def heartbeats(subject: Subject) -> Iterable[str]:
    for case, body, decoded, framing in framed(subject, "sse"):
        events, _ = events_of(body, framing)
        for name, beat in _BEATS.items():
            read = subject.decoded(case, beat + beat.join(events))
            found = str(read.error) if read.error is not None else difference(decoded.folded, read.folded)
            if found:
                yield f"{case.label}: with {name}, {found}"


@check(
    "stream.error_event",
    law="An event that is named `error` is an error, in the service's words.",
    remedy="parse frames with jackfield.plugin.read_frame, which raises it",
    gentle=True,
)
def error_event(subject: Subject) -> Iterable[str]:
    for case, body, _, framing in framed(subject, "sse"):
        events, _ = events_of(body, framing)
        middle = max(1, len(events) // 2)
        data = orjson.dumps({"error": {"message": _WORDS}})
        read = subject.decoded(case, b"".join([*events[:middle], b"event: error\ndata: " + data + b"\n\n"]))
        if _WORDS not in str(read.error):
            yield f"{case.label}: {read.error or 'it is passed over'}"


@check(
    "stream.halves",
    law="Half of a character at the end of a text, as services that count in UTF-16 send it, loses no answer.",
    remedy="parse frames with jackfield.plugin.read_frame",
    gentle=True,
)
def halves(subject: Subject) -> Iterable[str]:
    tried = False
    for case, body, decoded, _ in framed(subject, "sse", "jsonlines"):
        piece = piece_of(body, decoded)
        if piece is None:
            continue
        tried = True
        old = quoted(piece)
        read = subject.decoded(case, body.replace(old, old[:-1] + _HALF + old[-1:]))
        if read.error is not None:
            yield f"{case.label}: {read.error}"
    if not tried:
        raise SkipCheck("no streamed case has a text that stands in its bytes exactly once")


@check(
    "answers.odd_counts",
    law="A count of usage that is written as text is read, and one that is no number loses no answer.",
    remedy="take each count through jackfield.plugin.read_count before you calculate with it",
    gentle=True,
)
def odd_counts(subject: Subject) -> Iterable[str]:
    tried = False
    for case in subject.some_cases(stream=False):
        if case.in_process or case.error is not None:
            continue
        own = subject.decoded(case)
        try:
            value = orjson.loads(subject.body(case))
        except orjson.JSONDecodeError:
            continue
        if own.error is not None or _counts(value, str) == value:
            continue
        tried = True
        yield from _wrong_counts(subject, case, value, own)
    if not tried:
        raise SkipCheck("no whole case has a usage that could be written otherwise")


def _wrong_counts(subject: Subject, case: Case, value: Any, own: Decoded) -> Iterator[str]:
    read = subject.decoded(case, orjson.dumps(_counts(value, str)))
    if read.error is not None:
        yield f"{case.label}: with counts as text, {read.error}"
    else:
        for name in COUNTS:
            found, wanted = getattr(read.folded.usage, name), getattr(own.folded.usage, name)
            if found != wanted:
                yield f"{case.label}: with counts as text, {name} is {found!r}, not {wanted!r}"
    if case.kind == "count":
        return  # the count is the answer
    for what, odd in (("lists", lambda count: [count]), ("words", lambda count: f"{count} tokens")):
        read = subject.decoded(case, orjson.dumps(_counts(value, odd)))
        if read.error is not None:
            yield f"{case.label}: with {what} in place of counts, {read.error}"


def _counts(value: Any, write: Callable[[int], Any], *, inside: bool = False) -> Any:
    """Return JSON whose counts of usage are written otherwise."""
    if isinstance(value, dict):
        return {
            name: write(inner)
            if type(inner) is int and (inside or is_count_name(name))
            else _counts(inner, write, inside=inside or name.lower() in USAGE_KEYS)
            for name, inner in value.items()
        }
    return [_counts(inner, write, inside=inside) for inner in value] if isinstance(value, list) else value
