"""The items of an answer of the Responses API, which come in pieces, whole, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import (
    CitationDelta,
    Event,
    LogprobsDelta,
    PartAdded,
    RawEvent,
    RawPart,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from jackfield.plugin import write_json

from ._answer_fields import read_citation, read_logprobs

__all__ = ["Item", "Items"]

_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_SEPARATOR: Final = "\n\n"


def _type_of(kind: str) -> str | None:
    """Return the type of the items that an event is about; None if several types have it."""
    name = kind.removeprefix("response.")
    if name.startswith(("output_text", "refusal")):
        return "message"
    if name.startswith("reasoning"):
        return "reasoning"
    if name.startswith("function_call"):
        return "function_call"
    return "custom_tool_call" if name.startswith("custom_tool_call") else None


_TYPES: Final[dict[str, str | None]] = {}


class Items:
    """The items of one answer.

    Attributes:
        answer: The answer's id, if it is known.
        calls: How many tool calls there were.
        refused: The model declined.
    """

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.answer: str | None = None
        self.calls = 0
        self.refused = False
        self._ids: set[str] = set()
        self._all: list[Item] = []
        self._by_index: dict[int, Item] = {}
        self._by_id: dict[str, Item] = {}

    @property
    def any(self) -> bool:
        """Whether an item has begun."""
        return bool(self._all)

    def find(self, event: Mapping[str, Any], kind: str) -> Item:
        """Return the item that an event is about: by its place, else by its id, else the last one that fits.

        Some servers leave out the place (llama.cpp), use one place for all, or give an item another id in each event.
        """
        whole = event.get("item")
        whole = whole if isinstance(whole, dict) else {}
        index = event.get("output_index")
        identity = event.get("item_id") or whole.get("id") or whole.get("call_id") or event.get("call_id")
        wanted = whole.get("type") or _TYPES.setdefault(kind, _type_of(kind))
        found = None if index is None else self._by_index.get(index)
        if found is not None and (
            not found.fits(wanted) or (found.done and identity not in (None, found.id))
        ):
            found = None
        if found is None and identity:
            found = self._by_id.get(identity)
        if found is None and index is None and (not identity or kind.endswith((".delta", ".done"))):
            last = self._all[-1] if self._all else None
            fits = last is not None and last.fits(wanted) and not last.done
            found = last if fits and last is not None and None in (identity, last.id) else None
        if found is None:
            found = self._add(index)
        if identity and found.id is None:
            found.id = identity
            self._by_id[identity] = found
        found.type = found.type or wanted
        return found

    def end_all(self, output: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        """Read the items of the whole answer, without what came before, and end those that have no end."""
        left = list(self._all)
        for position, whole in enumerate(output):
            item = self._match(position, whole, left)
            if item is None:
                item = self._add(None)
            else:
                left.remove(item)
            yield from item.end({"item": whole})
        for item in left:
            if item.type == "message" or item.type in _CALLS:
                yield from item.end({"item": item.announced})

    def new_id(self, identity: str | None) -> str:
        """Return an id for a tool call that no other call of the answer has."""
        found = identity or f"call_{self.answer or 'answer'}_{self.calls}"
        while found in self._ids:  # a result must name one call
            found = f"{found}_{self.calls}"
        self._ids.add(found)
        return found

    def _add(self, index: int | None) -> Item:
        item = Item(self, len(self._all))
        self._all.append(item)
        if index is not None:
            self._by_index[index] = item
        return item

    def _match(self, position: int, whole: Mapping[str, Any], left: Sequence[Item]) -> Item | None:
        """Return the item that one of the whole answer is."""
        kind = whole.get("type")
        for identity in (whole.get("id"), whole.get("call_id")):
            for item in left:
                if identity and identity in (item.id, item.call_id):
                    return item
        placed = self._by_index.get(position)
        if placed in left and placed is not None and placed.fits(kind):
            return placed
        return next((item for item in left if item.fits(kind)), None)


class Item:
    """One item: a message, thinking, a tool call, or what only the service understands.

    Attributes:
        number: Its number, from 0.
        id: The service's id of it; None if there is none.
        call_id: The id of a tool call.
        type: The service's type of it; None as long as it is unknown.
        done: It has ended.
        announced: What its first event said of it.
    """

    def __init__(self, items: Items, number: int) -> None:
        self.number = number
        self.id: str | None = None
        self.call_id: str | None = None
        self.type: str | None = None
        self.done = False
        self.announced: Mapping[str, Any] = {}
        self._items = items
        self._pieces: dict[tuple[str, Any], list[str]] = {}
        self._separated: Any = None
        self._annotations: list[Mapping[str, Any]] = []
        self._call: int | None = None
        self._started = False
        self._has_logprobs = False

    def fits(self, kind: str | None) -> bool:
        """Return whether the item may be of a type."""
        return kind is None or self.type in (None, kind)

    def pieces_of(self, what: str, event: Mapping[str, Any]) -> list[str]:
        """Return the pieces that have come of the part that an event is about, for more to be appended."""
        place = event.get("content_index", event.get("summary_index"))
        return self._pieces.setdefault((what, place), [])

    # -- events of a stream ---------------------------------------------------------------------------------------

    def begin(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the announcement of an item."""
        self.announced = event.get("item") or {}
        if self.type in _CALLS and not self._started:
            yield from self._start_call(self.announced)

    def add_text(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle a piece of text."""
        self.pieces_of("text", event).append(event.get("delta") or "")
        yield TextDelta(event.get("delta") or "", 0, self.number)
        if event.get("logprobs"):
            self._has_logprobs = True
            yield LogprobsDelta(read_logprobs({"content": event["logprobs"]}))

    def end_text(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the text of a part."""
        rest = self._rest_of("text", event, event.get("text"))
        if rest:
            yield from self.add_text({**event, "delta": rest, "logprobs": None})
            yield from self._read_logprobs(event)

    def begin_part(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the announcement of a part; it is empty."""
        yield from ()

    def end_part(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the end of a part: text, a refusal, or thinking."""
        part = event.get("part") or {}
        kind = part.get("type")
        if kind == "output_text":
            yield from self.end_text({**event, **part})
        elif kind == "refusal":
            yield from self.end_refusal({**event, **part})
        elif kind == "reasoning_text":
            yield from self.end_thinking({**event, **part})

    def add_annotation(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Keep an annotation for the end: an item repeats its annotations there."""
        if isinstance(event.get("annotation"), dict):
            self._annotations.append(event["annotation"])
        yield from ()

    def add_refusal(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle a piece of a refusal."""
        self._items.refused = True
        self.pieces_of("refusal", event).append(event.get("delta") or "")
        yield RefusalDelta(event.get("delta") or "")

    def end_refusal(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle a refusal."""
        rest = self._rest_of("refusal", event, event.get("refusal"))
        if rest:
            yield from self.add_refusal({**event, "delta": rest})

    def begin_summary(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Separate the parts of a summary."""
        place = event.get("summary_index")
        if place and place != self._separated:
            self._separated = place
            yield ThinkingDelta(_SEPARATOR, 0, self.number)

    def end_summary(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the end of a part of a summary."""
        yield from self.end_thinking({**event, "text": (event.get("part") or {}).get("text")})

    def add_thinking(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle a piece of thinking."""
        yield from self.begin_summary(event)
        self.pieces_of("thinking", event).append(event.get("delta") or "")
        yield ThinkingDelta(event.get("delta") or "", 0, self.number)

    def end_thinking(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the thinking of a part."""
        rest = self._rest_of("thinking", event, event.get("text"))
        if rest:
            yield from self.add_thinking({**event, "delta": rest})

    def add_arguments(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle a piece of the arguments, which may come before the call's name."""
        piece = event.get("delta") or ""
        self._pieces.setdefault(("arguments", None), []).append(piece)
        if self._call is not None and self._started:
            yield ToolCallDelta(self._call, piece)

    def end_arguments(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Handle the arguments of a call; some servers repeat its name here."""
        if not self._started:
            yield from self._start_call({**self.announced, **event, "id": self.id})
        yield from self._fill_arguments(event.get(_CALLS.get(self.type or "", "arguments")))

    def end(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Read a whole item, without what came before."""
        whole: Mapping[str, Any] = event.get("item") or {}
        kind = self.type = whole.get("type") or self.type
        if self.done:
            return
        self.done = True
        if kind == "message":
            yield from self._end_message(whole)
        elif kind == "reasoning":
            yield from self._end_reasoning(whole)
        elif kind in _CALLS:
            yield from self._end_call(whole)
        elif whole:
            yield PartAdded(RawPart(self._items.provider, whole))

    # -- whole items ------------------------------------------------------------------------------------------------

    def _end_message(self, whole: Mapping[str, Any]) -> Iterator[Event]:
        provider = self._items.provider
        phase = None if whole.get("phase") is None else {provider: {"phase": whole["phase"]}}
        content: Any = whole.get("content") or ()
        parts: Sequence[Mapping[str, Any]] = (
            [{"type": "output_text", "text": content}] if isinstance(content, str) else content
        )
        texts = [part for part in parts if part.get("type") != "refusal"]
        rest = self._rest_of_all("text", "".join(part.get("text") or "" for part in texts))
        if rest or phase or (texts and not self._received("text")):
            yield TextDelta(rest, 0, self.number, phase)
        if rest and rest == "".join(part.get("text") or "" for part in texts):
            for part in texts:
                yield from self._read_logprobs(part)
        refusals = "".join(part.get("refusal") or "" for part in parts if part.get("type") == "refusal")
        self._items.refused |= bool(refusals)
        rest = self._rest_of_all("refusal", refusals)
        if rest:
            yield RefusalDelta(rest)
        repeated: list[Mapping[str, Any]] = [note for part in texts for note in part.get("annotations") or ()]
        for annotation in repeated or self._annotations:
            citation = read_citation(annotation)
            yield RawEvent("annotation", annotation) if citation is None else CitationDelta(citation)

    def _end_reasoning(self, whole: Mapping[str, Any]) -> Iterator[Event]:
        pieces = whole.get("summary") or whole.get("content") or ()
        text = _SEPARATOR.join(piece.get("text") or "" for piece in pieces)
        rest = "" if self._received("thinking") else text
        data = {"item": {name: value for name, value in whole.items() if name != "status"}} if whole else None
        yield ThinkingDelta(rest, 0, self.number, data)

    def _end_call(self, whole: Mapping[str, Any]) -> Iterator[Event]:
        if not self._started:
            yield from self._start_call(whole, must=True)
        yield from self._fill_arguments(whole.get(_CALLS[self.type or ""]))
        yield ToolCallEnd(self._call or 0)

    def _start_call(self, item: Mapping[str, Any], *, must: bool = False) -> Iterator[Event]:
        """Start the call, if its name is known, and give it the arguments that came before."""
        name = item.get("name")
        if not name and not must:
            return
        self._started = True
        self._call = self._items.calls
        self.call_id = item.get("call_id") or item.get("id")
        identity = self._items.new_id(self.call_id)
        self._items.calls += 1
        own = {key: item[key] for key in ("id", "namespace") if item.get(key) is not None}
        if self.type == "custom_tool_call":
            own["type"] = "custom"
        yield ToolCallStart(self._call, identity, name or "", 0, {self._items.provider: own} if own else None)
        for piece in self._pieces.get(("arguments", None), ()):
            yield ToolCallDelta(self._call, piece)

    def _fill_arguments(self, value: Any) -> Iterator[Event]:
        text = value if isinstance(value, str) else "" if value is None else write_json(value).decode()
        rest = self._rest_of_all("arguments", text)
        if rest:
            yield from self.add_arguments({"delta": rest})

    def _read_logprobs(self, part: Mapping[str, Any]) -> Iterator[Event]:
        if part.get("logprobs") and not self._has_logprobs:
            yield LogprobsDelta(read_logprobs({"content": part["logprobs"]}))

    # -- what came before ---------------------------------------------------------------------------------------------

    def _received(self, what: str) -> str:
        return "".join(
            piece for (name, _), pieces in self._pieces.items() if name == what for piece in pieces
        )

    def _rest_of(self, what: str, event: Mapping[str, Any], whole: Any) -> str:
        """Return what of a part did not come in pieces."""
        return _rest("".join(self.pieces_of(what, event)), whole)

    def _rest_of_all(self, what: str, whole: str) -> str:
        """Return what of all parts did not come in pieces."""
        return _rest(self._received(what), whole)


def _rest(received: str, whole: Any) -> str:
    """Return the end of a whole text whose beginning was received; "" if it has another beginning."""
    if not isinstance(whole, str) or not whole.startswith(received):
        return ""
    return whole[len(received) :]
