"""Read the calls of tools out of a text that comes in pieces, as it comes."""

from __future__ import annotations

import json
from typing import Any, Final

from jackfield import Event, RawEvent, TextDelta, ToolCallDelta, ToolCallEnd, ToolCallStart

from ._tools import ToolFormat

__all__ = ["CallParser"]

_SPACE: Final = " \t\r\n"


class CallParser:
    """Turns the text of an answer into text and calls.

    What begins like a call and is none is given as the text that it is.

    Args:
        form: How the model writes calls.
        seed: Letters or digits, of which the calls' ids are made.
        single: Only one call is wanted; others become raw events.
    """

    def __init__(self, form: ToolFormat, seed: str, *, single: bool = False) -> None:
        self._form = form
        self._seed = seed
        self._single = single
        self._gaps = _SPACE + (",[]" if form.listed else ";" if form.bare else "")
        self._held = ""
        self._space = ""
        self._shown = False
        # What was read on the way to a call, and is text if none comes; None while text is read.
        self._ahead: str | None = None
        self._call: _CallReader | None = None
        self.calls = 0

    def feed(self, text: str) -> list[Event]:
        """Read a piece of the answer."""
        self._held += text
        events: list[Event] = []
        while self._held and self._advance(events):
            pass
        return events

    def finish(self) -> list[Event]:
        """Hear that the answer has ended, and give what was held back."""
        events: list[Event] = []
        if self._call is not None:
            self._end_call(self._call, events)
        left = (self._ahead or "") + self._held
        self._held, self._ahead = "", None
        if not self.calls or left.strip(self._gaps):
            self._show(left, events)
        if self._space and not self.calls:
            events.append(TextDelta(self._space))
        self._space = ""
        return events

    def _advance(self, events: list[Event]) -> bool:
        """Read on; False when more is needed."""
        if self._call is not None:
            return self._in_call(self._call, events)
        if self._ahead is not None:
            return self._before_call(self._ahead, events)
        return self._in_text(events)

    def _in_text(self, events: list[Event]) -> bool:
        begin = self._form.begin
        if self._form.bare and not self._shown and not self.calls:
            start = self._held.lstrip()
            if not start:
                return False
            if start.startswith("{"):
                self._begin_call(self._held[: len(self._held) - len(start)], start)
                return True
        before, found, behind = self._held.partition(begin)
        if found:
            self._show(before, events)
            self._ahead, self._held = begin, behind
            return True
        keep = next((n for n in range(len(begin) - 1, 0, -1) if self._held.endswith(begin[:n])), 0)
        cut = len(self._held) - keep
        self._show(self._held[:cut], events)
        self._held = self._held[cut:]
        return False

    def _before_call(self, ahead: str, events: list[Event]) -> bool:
        """Read what stands before a call, between two, or behind the last."""
        rest = self._held.lstrip(self._gaps)
        if not rest:
            return False
        gap = self._held[: len(self._held) - len(rest)]
        if rest.startswith("{"):
            self._begin_call(ahead + gap, rest)
            return True
        for word in filter(None, (self._form.end, self._form.begin)):
            if rest.startswith(word):
                self._ahead = word if word == self._form.begin else ""
                self._held = rest[len(word) :]
                return True
            if word.startswith(rest):
                return False
        # No call here. The marker that announced one is text, and so is what follows.
        self._ahead, self._held = None, rest
        self._show(ahead + gap if ahead else "", events)
        return True

    def _begin_call(self, before: str, rest: str) -> None:
        self._call, self._ahead, self._held = _CallReader(before), None, rest

    def _in_call(self, call: _CallReader, events: list[Event]) -> bool:
        used = call.feed(self._held)
        self._held = self._held[used:]
        if call.name is not None and not (self._single and self.calls):
            if not call.told:
                call.told, self._space = True, ""
                events.append(ToolCallStart(self.calls, f"{self._seed}{self.calls:02d}", call.name))
            piece = call.take()
            if piece:
                events.append(ToolCallDelta(self.calls, piece))
        if call.whole or call.failed:
            self._end_call(call, events)
        return True

    def _end_call(self, call: _CallReader, events: list[Event]) -> None:
        self._call = None
        if call.told:
            events.append(ToolCallEnd(self.calls))
            self.calls += 1
            self._ahead = ""
        elif call.whole and call.name is not None:
            events.append(RawEvent("tool_call_left_out", call.text))
            self._ahead = ""
        else:
            self._show(call.before + call.text, events)

    def _show(self, text: str, events: list[Event]) -> None:
        """Show text; spaces wait for what follows, for those around calls are no answer."""
        text = self._space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        if kept:
            self._shown = True
            events.append(TextDelta(kept))


class _CallReader:
    """Reads one JSON object with a name and arguments, and gives the arguments as they come.

    Args:
        before: What stood before the object and belongs to it if it is no call.
    """

    def __init__(self, before: str) -> None:
        self.before = before
        self.text = ""
        self.name: str | None = None
        self.told = False
        self.whole = False
        self.failed = False
        self._depth = 0
        self._quoted = False
        self._escaped = False
        self._key: str | None = None
        self._start: int | None = None
        self._token = 0
        self._arguments: tuple[int, int | None] | None = None
        self._taken = 0

    def feed(self, text: str) -> int:
        """Read on; gives how much of the text was read, all of it unless the object ended."""
        for at, character in enumerate(text):
            self.text += character
            self._read(character)
            if self.whole or self.failed:
                return at + 1
        return len(text)

    def take(self) -> str:
        """Give what is known of the arguments and was not taken before."""
        if self._arguments is None:
            return "{}" if self.whole and not self._done() else ""
        start, end = self._arguments
        raw = self.text[start:end]
        if raw.lstrip().startswith('"'):  # an object that was written as a string
            return "" if end is None or self._done() else str(json.loads(raw))
        raw = raw.strip()  # spaces at the end may yet turn out to stand within
        piece = raw[self._taken :]
        self._taken = len(raw)
        return piece

    def _done(self) -> bool:
        done, self._taken = self._taken > 0, 1
        return done

    def _read(self, character: str) -> None:
        here = len(self.text) - 1
        if self._quoted:
            if self._escaped:
                self._escaped = False
            elif character == "\\":
                self._escaped = True
            elif character == '"':
                self._quoted = False
                if self._depth == 1 and self._key is None:
                    self._key = _loaded(self.text[self._token :])
        elif character == '"':
            self._quoted, self._token = True, here
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            if self._depth == 0:
                self._value_ends(here)
                self.whole = not self.failed and isinstance(_loaded(self.text), dict)
                self.failed = not self.whole
        elif self._depth == 1:
            self._between(character, here)

    def _between(self, character: str, here: int) -> None:
        if character == ":" and self._key is not None and self._start is None:
            self._start = here + 1
            if self._key in {"arguments", "parameters"}:
                self._arguments = (here + 1, None)
        elif character == ",":
            self._value_ends(here)

    def _value_ends(self, here: int) -> None:
        if self._start is None:
            return
        if self._key == "name":
            value: Any = _loaded(self.text[self._start : here])
            if isinstance(value, str):
                self.name = value
            else:
                self.failed = True
        elif self._arguments is not None and self._arguments[1] is None:
            self._arguments = (self._arguments[0], here)
        self._key = self._start = None


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
