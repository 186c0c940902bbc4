"""Check what decoders make of a service's answer: a service may send anything, and events hold what they declare.

A text of another type is the service's fault, and ends the answer. A word beside the answer (an id, a model, the service's own
reason) is not worth an answer that was computed and billed: a number becomes its text, and anything else is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from operator import attrgetter
from typing import Any, Final

import attrs

from jackfield._hints import a_or_an
from jackfield._types import events as ev
from jackfield._types.usage import read_count

__all__ = ["EventChecker"]


class EventChecker:
    """Check the events of one answer, in the order in which they come."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: set[tuple[int, str]] = set()

    def check(self, events: list[ev.Event], since: int) -> str | None:
        """Mend events in place; remove the first that cannot be mended, and those after it.

        Args:
            events: All events of the answer so far.
            since: Number of the first that was not checked.

        Returns:
            What is wrong with the event that was removed; None if none was.
        """
        for place in range(since, len(events)):
            event: Any = events[place]
            kind = event.__class__
            fields = _FIELDS.get(kind)
            # Fast path: the fields have just the types that they declare.
            if fields is not None and (kind, *map(type, fields(event))) in _USUAL:
                continue
            read = _READERS.get(kind)
            fault = None if read is None else read(event)
            if fault is not None:
                del events[place:]
                return fault
            if kind is ev.ToolCallStart:
                self._make_unique(event)
        return None

    def _make_unique(self, call: ev.ToolCallStart) -> None:
        """Make the id of a call unique: a tool's result names one call by it."""
        name = call.id or f"call_{call.index}"
        found, number = name, call.index
        while (call.choice, found) in self._ids:
            found, number = f"{name}_{number}", number + 1
        self._ids.add((call.choice, found))
        call.id = found


def _reader(
    *,
    texts: tuple[str, ...] = (),
    words: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
    places: tuple[str, ...] = (),
) -> Callable[[Any], str | None]:
    """Return the function that checks events of one kind, and returns what is wrong with one.

    Args:
        texts: Fields that hold texts.
        words: Fields that hold texts or None.
        numbers: Fields that hold whole numbers.
        places: Fields that hold whole numbers or None.
    """

    def read(event: Any) -> str | None:
        for name in texts:
            if not isinstance(getattr(event, name), str):
                return _fault(event, name, "a text")
        for name in numbers:
            if not _is_number(getattr(event, name)):
                return _fault(event, name, "a whole number")
        for name in places:
            value = getattr(event, name)
            if value is not None and not _is_number(value):
                return _fault(event, name, "a whole number")
        for name in words:
            value = getattr(event, name)
            if value is not None and not isinstance(value, str):
                setattr(event, name, _word(value))
        return None

    return read


def _fault(event: Any, name: str, wanted: str) -> str:
    found = getattr(event, name)
    what = "null" if found is None else f"a {type(found).__name__}"
    return (
        f"the service sent {what} for the {name} of {a_or_an(type(event).__name__)}, which must be {wanted}"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _word(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_call(event: Any) -> str | None:
    event.id = _word(event.id) or ""
    if not event.name:
        return (
            _fault(event, "name", "a text")
            if event.name is None
            else "the service sent a tool call without a name"
        )
    return _CALL(event)


def _read_raw(event: Any) -> None:
    if not isinstance(event.kind, str):
        event.kind = str(event.kind)


_CITED_WORDS: Final = ("text", "title", "url", "source_id")
_CITED_PLACES: Final = ("start", "end")


def _read_citation(event: Any) -> str | None:
    """Check a citation; what is not a text or a position in it is unknown, and stays in its data."""
    cited = event.citation
    changed: dict[str, Any] = {name: _word(getattr(cited, name)) for name in _CITED_WORDS}
    for name in _CITED_PLACES:
        value = getattr(cited, name)
        changed[name] = value if _is_number(value) else None
    if not isinstance(cited.data, Mapping | None):
        changed["data"] = {"citation": cited.data}
    if any(getattr(cited, name) is not value for name, value in changed.items()):
        event.citation = attrs.evolve(cited, **changed)
    return _CHOICE(event)


def _read_tokens(event: Any) -> str | None:
    count = read_count(event.input_tokens)
    if count is None:
        return _fault(event, "input_tokens", "a whole number")
    event.input_tokens = count
    return None


def _read_logprobs(event: Any) -> str | None:
    for token in event.tokens:
        if not isinstance(token.token, str):
            return _fault(token, "token", "a text")
        if isinstance(token.logprob, bool) or not hasattr(
            token.logprob, "__float__"
        ):  # numpy's are not `float`
            return _fault(token, "logprob", "a number")
    return _CHOICE(event)


def _read_score(event: Any) -> str | None:
    if isinstance(event.score, bool) or not hasattr(event.score, "__float__"):
        return _fault(event, "score", "a number")
    return _INDEX(event)


_WORD: Final = (str, type(None))
_PLACE: Final = (int, type(None))
_DECLARED: Final[Mapping[type, Mapping[str, tuple[type, ...]]]] = {
    ev.Started: {"id": _WORD, "model": _WORD, "service_tier": _WORD, "region": _WORD},
    ev.TextDelta: {"text": (str,), "choice": (int,), "block": _PLACE},
    ev.ThinkingDelta: {"text": (str,), "choice": (int,), "block": _PLACE},
    ev.ToolCallDelta: {"arguments": (str,), "index": (int,), "choice": (int,)},
    ev.Finish: {"choice": (int,), "raw": _WORD},
}
_FIELDS: Final = {kind: attrgetter(*fields) for kind, fields in _DECLARED.items()}
_USUAL: Final = frozenset(
    (kind, *types) for kind, fields in _DECLARED.items() for types in product(*fields.values())
)
"""The kinds of events with the types that their fields may have together."""

_INDEX: Final = _reader(numbers=("index",))
_CHOICE: Final = _reader(numbers=("choice",))
_CALL: Final = _reader(texts=("id", "name"), numbers=("index", "choice"))
_READERS: Final[Mapping[type, Callable[[Any], str | None]]] = {
    ev.Started: _reader(words=("id", "model", "service_tier", "region")),
    ev.TextDelta: _reader(texts=("text",), numbers=("choice",), places=("block",)),
    ev.RefusalDelta: _reader(texts=("text",), numbers=("choice",)),
    ev.ThinkingDelta: _reader(texts=("text",), numbers=("choice",), places=("block",)),
    ev.ToolCallStart: _read_call,
    ev.ToolCallDelta: _reader(texts=("arguments",), numbers=("index", "choice")),
    ev.ToolCallEnd: _reader(numbers=("index", "choice")),
    ev.CitationDelta: _read_citation,
    ev.LogprobsDelta: _read_logprobs,
    ev.PartAdded: _CHOICE,
    ev.Finish: _reader(numbers=("choice",), words=("raw",)),
    ev.EmbeddingData: _INDEX,
    ev.RerankScore: _read_score,
    ev.TokensCounted: _read_tokens,
    ev.RawEvent: _read_raw,
}
