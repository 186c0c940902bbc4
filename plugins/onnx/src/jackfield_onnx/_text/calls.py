"""Parse tool calls from a reply's text as it arrives in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from jackfield import Event, RawEvent, TextDelta, ToolCallDelta, ToolCallEnd, ToolCallStart

from .call_readers import OPENS, CallReader, NamedReader, ObjectReader, TaggedReader
from .stops import measure_overlap
from .tools import ToolFormat

__all__ = ["CallParser"]

_SPACE: Final = " \t\r\n"


class CallParser:
    """Separates a reply's text into text and tool calls.

    Text that begins like a call but is not one is emitted as text.

    Args:
        form: The format in which the model writes calls.
        seed: Letters or digits from which call ids are built.
        single: Whether only one call is allowed; others become raw events.
        types: Schemas of parameters, by tool and parameter name.
    """

    def __init__(
        self,
        form: ToolFormat,
        seed: str,
        *,
        single: bool = False,
        types: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._form = form
        self._seed = seed
        self._single = single
        self._types = types or {}
        self._gaps = _SPACE + form.gap
        self._held = ""
        self._space = ""
        self._shown = False
        # Markers read before a possible call, which are text if no call follows; None while reading text.
        self._ahead: str | None = None
        self._call: CallReader | None = None
        self.calls = 0

    def feed(self, text: str) -> list[Event]:
        """Parse a piece of the reply."""
        self._held += text
        events: list[Event] = []
        while self._held and self._advance(events):
            pass
        return events

    def finish(self) -> list[Event]:
        """Handle the end of the reply; return the events that were held back."""
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
        """Parse more of the text; return False if more input is needed."""
        if self._call is not None:
            return self._read_call(self._call, events)
        if self._ahead is not None:
            return self._read_gap(self._ahead, events)
        return self._read_text(events)

    def _read_text(self, events: list[Event]) -> bool:
        begin = self._form.begin
        if self._form.bare and not self._shown and not self.calls:
            start = self._held.lstrip()
            if not start:
                return False
            if start.startswith("{"):
                self._begin_call(ObjectReader(self._held[: len(self._held) - len(start)]), start)
                return True
        # Qwen's coder models sometimes omit the outer tag.
        words = (begin, OPENS) if self._form.tagged else (begin,)
        found = min(((at, word) for word in words if (at := self._held.find(word)) >= 0), default=None)
        if found is not None:
            at, word = found
            self._show(self._held[:at], events)
            self._ahead, self._held = (
                (word, self._held[at + len(word) :]) if word == begin else ("", self._held[at:])
            )
            return True
        cut = len(self._held) - max(measure_overlap(self._held, word) for word in words)
        self._show(self._held[:cut], events)
        self._held = self._held[cut:]
        return False

    def _read_gap(self, ahead: str, events: list[Event]) -> bool:
        """Parse the text before a call, between two calls, or after the last."""
        rest = self._held.lstrip(self._gaps)
        if not rest:
            return False
        gap = self._held[: len(self._held) - len(rest)]
        reader = self._make_reader(ahead, gap, rest)
        if reader is not None:
            self._begin_call(reader, rest)
            return True
        if self._form.tagged and OPENS.startswith(rest):
            return False
        if self._form.separator and ahead.endswith(self._form.begin) and rest[0] == "[":
            listed = self._begin_older_list(rest)
            if listed is not None:
                return listed
        # An end marker closes a call; without a call it is text, like the marker before it.
        for word in filter(None, (self._form.begin, "" if ahead else self._form.end)):
            if rest.startswith(word):
                self._ahead = (ahead + gap if ahead else "") + word if word == self._form.begin else ""
                self._held = rest[len(word) :]
                return True
            if word.startswith(rest):
                return False
        # Not a call, so the begin marker is text, and so is what follows.
        self._ahead, self._held = None, rest
        self._show(ahead + gap if ahead else "", events)
        return True

    def _make_reader(self, ahead: str, gap: str, rest: str) -> CallReader | None:
        """Return a reader for the call that begins here, None if none does."""
        if self._form.tagged:
            return TaggedReader(ahead + gap, self._types) if rest.startswith(OPENS) else None
        if rest.startswith("{"):
            return ObjectReader(ahead + gap)
        # Any word may be a name, so it must follow the marker directly.
        if self._form.separator and ahead.endswith(self._form.begin) and rest[0] != "[":
            return NamedReader(ahead + gap, self._form.separator)
        return None

    def _begin_older_list(self, rest: str) -> bool | None:
        """Switch to a list of objects, as older models write; return False if more input is needed, None if it is not one."""
        behind = rest[1:].lstrip()
        if not behind:
            return False
        if not behind.startswith("{"):
            return None
        self._form, self._gaps = attrs.evolve(self._form, separator=""), _SPACE + ",[]"
        return True

    def _begin_call(self, reader: CallReader, rest: str) -> None:
        self._call, self._ahead, self._held = reader, None, rest

    def _read_call(self, call: CallReader, events: list[Event]) -> bool:
        used = call.feed(self._held)
        self._held = self._held[used:]
        if call.name is not None and not (self._single and self.calls):
            if not call.announced:
                call.announced, self._space = True, ""
                events.append(ToolCallStart(self.calls, f"{self._seed}{self.calls:02d}", call.name))
            piece = call.take()
            if piece:
                events.append(ToolCallDelta(self.calls, piece))
        if call.complete or call.failed:
            self._end_call(call, events)
        return True

    def _end_call(self, call: CallReader, events: list[Event]) -> None:
        self._call = None
        if call.announced:
            events.append(ToolCallEnd(self.calls))
            self.calls += 1
            self._ahead = ""
        elif call.complete and call.name is not None:
            events.append(RawEvent("tool_call_left_out", call.text))
            self._ahead = ""
        else:
            self._show(call.before + call.text, events)

    def _show(self, text: str, events: list[Event]) -> None:
        """Emit text; trailing spaces are held back, because spaces around calls are not part of the reply."""
        text = self._space + text
        kept = text.rstrip()
        self._space = text[len(kept) :]
        if kept:
            self._shown = True
            events.append(TextDelta(kept))
