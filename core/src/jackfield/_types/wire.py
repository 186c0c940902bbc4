"""Data between a plugin and a service: requests as data, framed pieces of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield._faces import show_in
from jackfield._values import Record, Value, define, field, frozen

__all__ = ["Frame", "Head", "Headers", "Wire"]

_NO_HEADERS: Mapping[str, str] = {}


class Headers(Mapping[str, str]):
    """Hold HTTP headers; names compare without regard to case, values of one name are joined by ", "."""

    __slots__ = ("_values",)

    def __init__(self, items: Mapping[str, str] | list[tuple[str, str]] | None = None) -> None:
        values: dict[str, str] = {}
        pairs = items.items() if isinstance(items, Mapping) else items or ()
        for name, value in pairs:
            key = name.lower()
            values[key] = f"{values[key]}, {value}" if key in values else value
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a header; `Mapping.get` does so in four times the time."""
        return self._values.get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


@define
class Frame(Record):
    """One framed piece of an answer, as it came.

    Mutable and slotted because one is made for each event of a stream.

    Attributes:
        data: Bytes from a wire, or any object from an in-process engine.
        event: The event's name where the framing has one (SSE `event:`, AWS `:event-type`).
        headers: The frame's own headers where the framing has them (AWS event stream).
    """

    data: Any
    event: str | None = None
    headers: Mapping[str, object] | None = None


@frozen
class Head(Value):
    """What comes before the body of an answer.

    Attributes:
        status: The HTTP status; None for an answer made in this process.
        headers: Case-insensitive.
    """

    status: int | None
    headers: Mapping[str, str] = field(factory=Headers)


@frozen(slots=False)  # one a call: without slots it is made in half the time
class Wire(Value):
    """A provider-shaped request as data, before anything is sent.

    Attributes:
        path: Appended to the connection's base address as it stands, never re-quoted; an absolute
            `http(s)://` address replaces it. For an in-process transport: the operation's name.
        body: JSON-able (the core serialises it once), bytes (sent as they are), or None.
        method: The HTTP method.
        headers: Headers of this request only. No secrets: those come from the connection's auth.
        query: Query parameters, in order.
        stream: The answer is asked for as a stream.
        framing: How a stream of this service is framed: a name from `jackfield.http.framer_for`,
            or None to follow the answer's content type alone.
        auth: The name of one of `HttpAccess.named_auth`; None for the connection's own.
        transport: The name of one of `HttpAccess.named_transports`, which carries it; None for plain HTTP.
        meta: Facts that the plugin's decoder wants to know; never sent.
    """

    path: str
    body: Any = None
    method: str = "POST"
    headers: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    stream: bool = False
    framing: str | None = None
    auth: str | None = None
    transport: str | None = None
    meta: Mapping[str, Any] = field(factory=dict)


show_in("jackfield.plugin", Frame, Head, Headers, Wire)
