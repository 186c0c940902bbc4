"""Change recorded answers as services, gateways and networks are known to: one small change, or a few, to a whole body.

Every change comes from a random generator that the caller seeds, so a mutant can be made again from its number.
"""

from __future__ import annotations

import base64
import copy
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import attrs

from jackfield.http import framer_for
from jackfield.testing import encode_aws_event

__all__ = [
    "Body",
    "Event",
    "breaking",
    "cut",
    "harmless",
    "in_envelope",
    "is_envelope",
    "nulled",
    "out_of_envelope",
]

_STREAM: Final = "application/vnd.amazon.eventstream"
_ODD: Final[tuple[Any, ...]] = (
    None, "", "x", "7", "null", "\ud83d", "\ude00 y", 0, -1, 7, 28.0, 1.5, True, False, 2**70, -(2**70), math.nan, math.inf, [], {},
    [None], ["a"], [[1]], {"a": None}, {"text": 5}, "\x00", " ",
)  # fmt: skip
_HEARTBEATS: Final = ("ping", "keep-alive", "heartbeat")
_AFTER: Final = (
    b"data: [DONE]\n\n",
    b"data: {broken\n\n",
    b": end\n\n",
    b"event: ping\ndata:\n\n",
    b"\x00\xff",
)


@attrs.define
class Event:
    """One event of a stream, or a whole answer: its JSON, or text where it is none.

    Attributes:
        value: The JSON.
        name: The event's name, where the framing has names.
        headers: The frame's other headers (AWS event stream).
        wrapped: The JSON is in base64 under `bytes` in the frame's payload (Bedrock's InvokeModel).
        text: Written in place of `value`.
    """

    value: Any
    name: str | None = None
    headers: dict[str, Any] | None = None
    wrapped: bool = False
    text: bytes | None = None
    _written: bytes | None = None

    def data(self) -> bytes:
        """Return the JSON text."""
        if self.text is not None:
            return self.text
        if self._written is None:
            self._written = json.dumps(self.value).encode()
        return self._written

    def open(self) -> Any:
        """Return a value of its own that can be changed; copies of a body share theirs until then."""
        self.value = copy.deepcopy(self.value)
        self._written = None
        return self.value

    def copy(self) -> Event:
        """Return a copy that shares the value."""
        self.data()
        return copy.copy(self)


@attrs.define
class Body:
    """An answer in pieces that can be changed and written again.

    Attributes:
        events: The events; one for a whole answer.
        form: `json`, `sse`, `lines` or `eventstream`.
        before: Bytes before the first event.
        after: Bytes after the last.
        line_end: What ends the lines of server-sent events.
        colon: What is between a field of server-sent events and its value.
        comment: Server-sent events: bytes before each event.
    """

    events: list[Event]
    form: str
    before: bytes = b""
    after: bytes = b""
    line_end: bytes = b"\n"
    colon: bytes = b": "
    comment: bytes = b""

    @classmethod
    def read(cls, data: bytes, content_type: str, *, stream: bool) -> Body:
        """Take a body apart."""
        if not stream or content_type.partition(";")[0] == "application/json":
            return cls([_read(data)], "json")
        if content_type == _STREAM:
            frames = framer_for(_STREAM, "aws_eventstream").feed(data)
            return cls(list(map(_of_frame, frames)), "eventstream")
        form = "sse" if content_type == "text/event-stream" else "lines"
        framer = framer_for(content_type, "sse" if form == "sse" else "jsonlines")
        return cls([_read(one.data, one.event) for one in [*framer.feed(data), *framer.close()]], form)

    def copy(self) -> Body:
        """Return a copy whose events can be changed."""
        return attrs.evolve(self, events=[event.copy() for event in self.events])

    def write(self) -> bytes:
        """Put the body together again."""
        writer = {"json": _plain, "sse": self._sse, "lines": _line, "eventstream": _frame}[self.form]
        return self.before + b"".join(map(writer, self.events)) + self.after

    def _sse(self, event: Event) -> bytes:
        fields = [] if event.name is None else [(b"event", event.name.encode("utf-8", "replace"))]
        fields += [(b"data", line) for line in event.data().split(b"\n")]
        lines = [name + self.colon + value + self.line_end for name, value in fields]
        return self.comment + b"".join(lines) + self.line_end


def _read(data: bytes, name: str | None = None) -> Event:
    try:
        return Event(json.loads(data), name)
    except ValueError:
        return Event(None, name, text=bytes(data))


def _of_frame(frame: Any) -> Event:
    headers = dict(frame.headers or {})
    event = _read(frame.data, frame.event)
    event.headers = headers
    inner = event.value.get("bytes") if isinstance(event.value, dict) else None
    if frame.event == "chunk" and isinstance(inner, str):
        event = attrs.evolve(_read(base64.b64decode(inner), "chunk"), headers=headers, wrapped=True)
    return event


def _plain(event: Event) -> bytes:
    return event.data()


def _line(event: Event) -> bytes:
    return event.data() + b"\n"


def in_envelope(data: bytes, size: int = 64) -> bytes:
    """Put a container's stream into SageMaker's envelope, in parts of so many bytes."""
    headers = {
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    return b"".join(encode_aws_event(headers, data[at : at + size]) for at in range(0, len(data), size))


def is_envelope(data: bytes) -> bool:
    """Return whether an event stream of AWS is SageMaker's envelope, and nothing has failed in it."""
    frames = framer_for(_STREAM, "aws_eventstream").feed(data)
    return bool(frames) and all(frame.event == "PayloadPart" for frame in frames)


def out_of_envelope(data: bytes) -> bytes:
    """Return a container's stream without SageMaker's envelope."""
    return b"".join(frame.data for frame in framer_for(_STREAM, "aws_eventstream").feed(data))


def _frame(event: Event) -> bytes:
    payload = event.data()
    if event.wrapped:
        payload = json.dumps({"bytes": base64.b64encode(payload).decode(), "p": "abc"}).encode()
    headers = dict(event.headers or {":message-type": "event", ":content-type": "application/json"})
    if headers.get(":message-type", "event") == "event":
        headers[":event-type"] = event.name or "unknown"
    return encode_aws_event(headers, payload)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from _places(one, (*path, key))


def _parent(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def _some_place(random: Random, body: Body) -> tuple[Event, Any, Any] | None:
    """Return an event, and a container in it with a key."""
    event = random.choice(body.events)
    if event.text is not None:
        return None
    places = list(_places(event.value))
    if not places:
        return None
    path = random.choice(places)
    return event, _parent(event.open(), path), path[-1]


def _replace(random: Random, body: Body) -> None:
    found = _some_place(random, body)
    if found is not None:
        _, parent, key = found
        parent[key] = copy.deepcopy(random.choice(_ODD))


def _remove(random: Random, body: Body) -> None:
    found = _some_place(random, body)
    if found is not None:
        _, parent, key = found
        del parent[key]


def _other_form(random: Random, body: Body) -> None:
    """Write a value in another form: a number as text, an object as text, a text as a list."""
    found = _some_place(random, body)
    if found is None:
        return
    _, parent, key = found
    value = parent[key]
    forms: list[Any] = [[value], {"value": value}, json.dumps(value), str(value)]
    if isinstance(value, int | float) and not isinstance(value, bool):
        forms += [float(value), -value, str(value), str(float(value)), 0]
    if isinstance(value, str):
        forms += [list(value), {"text": value}, [{"type": "text", "text": value}], value + "\ud83d"]
    parent[key] = random.choice(forms)


def _double_key(random: Random, body: Body) -> None:
    """Write a key a second time, with another value."""
    _write_twice(random, body, last=True)


def _write_twice(random: Random, body: Body, *, last: bool) -> None:
    """Write a key twice; the odd value is the last, which counts, or the first, which does not."""
    found = _some_place(random, body)
    if found is None or not isinstance(found[1], dict):
        return
    event, parent, key = found
    mark = "8d2f-doubled"
    given = dict(parent)
    parent.clear()
    parent.update({**given, mark: None} if last else {mark: None, **given})
    text = json.dumps(event.value)
    odd = json.dumps(random.choice(_ODD))
    event.text = text.replace(f'"{mark}": null', f"{json.dumps(key)}: {odd}").encode()


def _exchange_values(random: Random, body: Body) -> None:
    first, second = _some_place(random, body), _some_place(random, body)
    if first is not None and second is not None:
        first[1][first[2]] = copy.deepcopy(second[1][second[2]]) if second[2] in _keys(second[1]) else None


def _keys(value: Any) -> Any:
    return value if isinstance(value, dict) else range(len(value))


def _drop_event(random: Random, body: Body) -> None:
    del body.events[random.randrange(len(body.events))]


def _double_event(random: Random, body: Body) -> None:
    at = random.randrange(len(body.events))
    body.events.insert(random.randrange(len(body.events) + 1), copy.deepcopy(body.events[at]))


def _swap_events(random: Random, body: Body) -> None:
    one, two = random.randrange(len(body.events)), random.randrange(len(body.events))
    body.events[one], body.events[two] = body.events[two], body.events[one]


def _cut_events(random: Random, body: Body) -> None:
    del body.events[random.randrange(len(body.events)) :]


def _interleave(random: Random, body: Body) -> None:
    """Send the answer a second time, from some event on."""
    begin = random.randrange(len(body.events))
    at = random.randrange(len(body.events) + 1)
    body.events[at:at] = copy.deepcopy(body.events[begin:])


def _bare(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    event.text = random.choice(
        (b"", b"null", b"[]", b"{}", b'"x"', b"7", b"{", b"<html>", b"[DONE]", b"\xff\xfe", b"[{}]")
    )


def _cut_text(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    data = event.data()
    event.text = data[: random.randrange(len(data) + 1)]


def _spoil_byte(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    data = bytearray(event.data())
    if data:
        data[random.randrange(len(data))] = random.randrange(256)
        event.text = bytes(data)


def _rename(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    event.name = random.choice((None, "error", "ping", "unknown", event.name))


def _add_error(random: Random, body: Body) -> None:
    value: Any = random.choice((
        {"error": {"message": "boom", "type": "overloaded_error", "code": 503}}, {"type": "error", "error": {"message": "boom"}},
        {"error": "boom"}, {"message": "boom"}, {"error": {"code": 13, "status": "INTERNAL", "message": "boom"}}, {"error": [1]},
        {"error": {"message": None}}, {"type": "error", "error": None}, {"type": "error", "error": "boom"},
    ))  # fmt: skip
    body.events.insert(random.randrange(len(body.events) + 1), Event(value, random.choice((None, "error"))))


_BREAKING: Final[tuple[Callable[[Random, Body], None], ...]] = (
    _replace, _replace, _replace, _remove, _remove, _other_form, _other_form, _double_key, _exchange_values, _bare, _cut_text,
    _spoil_byte, _rename,
)  # fmt: skip
_OF_STREAMS: Final[tuple[Callable[[Random, Body], None], ...]] = (
    _drop_event, _double_event, _swap_events, _cut_events, _interleave, _add_error,
)  # fmt: skip


def breaking(random: Random, body: Body) -> str:
    """Change a body in one to three places; the answer may become a wrong one.

    Returns:
        The names of the changes.
    """
    known = _BREAKING if body.form == "json" else _BREAKING + _OF_STREAMS
    names = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = random.choice(known)
        names.append(change.__name__.strip("_"))
        if body.events:
            change(random, body)
    return "+".join(names)


def _unknown_key(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    if isinstance(event.value, dict) and event.text is None:
        event.open()["x_unknown_8d2f"] = random.choice((None, math.nan, math.inf, 2**70, "\ud83d"))


def _heartbeat(random: Random, body: Body) -> None:
    if body.form != "sse":
        return
    data = random.choice((b"", b"ping", b"{}", b"null", b"."))
    name = random.choice(_HEARTBEATS)
    body.events.insert(random.randrange(len(body.events) + 1), Event(None, name, text=data))


def _null_event(random: Random, body: Body) -> None:
    if body.form in ("sse", "lines"):
        body.events.insert(random.randrange(len(body.events) + 1), Event(None, None, text=b"null"))


def _mark(random: Random, body: Body) -> None:
    body.before = b"\xef\xbb\xbf" if body.form != "eventstream" else b""


def _mark_inside(random: Random, body: Body) -> None:
    event = random.choice(body.events)
    if body.form != "json" and event.name != "PayloadPart":  # these are parts of a body, cut anywhere
        event.text = b"\xef\xbb\xbf" + event.data()


def _trailing(random: Random, body: Body) -> None:
    if body.form == "sse":
        body.after = random.choice(_AFTER)


def _unknown_event(random: Random, body: Body) -> None:
    """Insert an event of a type that nobody knows."""
    if body.form == "json" or any(event.name == "PayloadPart" for event in body.events):
        return
    like = random.choice(body.events)
    name = like.name if like.name is None or like.wrapped else "x_unknown_8d2f"
    unknown = Event({"type": "x_unknown_8d2f", "x": [1]}, name, wrapped=like.wrapped)
    body.events.insert(random.randrange(len(body.events) + 1), unknown)


def _doubled_before(random: Random, body: Body) -> None:
    """Write a key twice, the right value last: it is the one that counts, as in Python's own parser."""
    _write_twice(random, body, last=False)


def _other_spaces(random: Random, body: Body) -> None:
    """Write the JSON of all events with other white space."""
    indent = random.choice((None, 1)) if body.form in ("json", "sse") else None
    separators = random.choice(((",", ":"), (" , ", " : "), (",\t", ":\t")))
    for event in body.events:
        if event.text is None:
            text = json.dumps(event.value, indent=indent, separators=separators)
            event.text = random.choice(("", " ")).encode() + text.encode() + random.choice((b"", b" "))


def _other_escapes(random: Random, body: Body) -> None:
    """Write letters as they are, and others as numbers."""
    for event in body.events:
        if event.text is None:
            text = json.dumps(event.value, ensure_ascii=False)
            if not any("\ud800" <= letter <= "\udfff" for letter in text):
                event.text = text.encode()


def _other_order(random: Random, body: Body) -> None:
    """Write the keys of an event in another order."""
    event = random.choice(body.events)
    if isinstance(event.value, dict) and event.text is None:
        items = list(event.value.items())
        random.shuffle(items)
        event.value = dict(items)
        event.text = json.dumps(event.value).encode()


def _other_lines(random: Random, body: Body) -> None:
    """Write server-sent events with other line ends, without spaces, or with comments."""
    body.line_end = random.choice((b"\n", b"\r\n", b"\r"))
    body.colon = random.choice((b":", b": "))
    body.comment = random.choice((b"", b": keep-alive\n\n", b":\r\n"))


_HARMLESS: Final = (
    _unknown_key, _unknown_key, _heartbeat, _null_event, _mark, _mark_inside, _trailing, _unknown_event, _unknown_event,
    _doubled_before, _doubled_before, _other_spaces, _other_escapes, _other_order, _other_lines,
)  # fmt: skip


def harmless(random: Random, body: Body) -> str:
    """Change a body so that the answer stays what it is.

    Returns:
        The name of the change.
    """
    change = random.choice(_HARMLESS)
    if body.events:
        change(random, body)
    return change.__name__.strip("_")


def cut(random: Random, body: Body) -> bytes:
    """Return the beginning of a body: some of its events, or of its bytes."""
    data = body.write()
    if body.form == "json" or random.random() < 0.4:
        return data[: random.randrange(len(data.rstrip()))]
    return attrs.evolve(body, events=body.events[: random.randrange(len(body.events))]).write()


def nulled(random: Random, body: Body) -> Body | None:
    """Set a field to null.

    Returns:
        The same body without the field; None if it has no fields.
    """
    at = random.randrange(len(body.events))
    event = body.events[at]
    places = list(_places(event.value)) if event.text is None else []
    places = [path for path in places if isinstance(path[-1], str)]
    if not places:
        return None
    path = random.choice(places)
    without = body.copy()
    del _parent(without.events[at].open(), path)[path[-1]]
    _parent(event.open(), path)[path[-1]] = None
    return without
