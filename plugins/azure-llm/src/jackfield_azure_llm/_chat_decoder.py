"""Answers of chats: thinking between `<think>` and `</think>` is separated from the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jackfield import Event, Finish, TextDelta, ThinkingDelta
from jackfield.plugin import Decoder, Frame, WrappedDecoder

__all__ = ["ThinkingDecoder"]

_BEGIN: Final = "<think>"
_END: Final = "</think>"


class ThinkingDecoder(WrappedDecoder):
    """Separates thinking from the text of an answer.

    Models like DeepSeek-R1 think at the beginning of their answer, between two tags, unless their server removes
    it. Later tags are text.
    """

    def __init__(self, inner: Decoder) -> None:
        super().__init__(inner)
        self._splitters: dict[int, _Splitter] = {}
        self._done: set[int] = set()

    def feed(self, frame: Frame) -> list[Event]:
        """Decode one event of a stream, or a whole answer."""
        events = self._inner.feed(frame)
        if len(events) == 1 and isinstance(events[0], TextDelta) and events[0].choice in self._done:
            return events
        return list(self._split(events))

    def finish(self) -> list[Event]:
        """Handle the end of the body; check that nothing is missing."""
        return list(self._split(self._inner.finish()))

    def _split(self, events: list[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, TextDelta) and event.choice not in self._done:
                splitter = self._splitters.setdefault(event.choice, _Splitter(event.choice))
                yield from splitter.feed(event.text)
                if splitter.state == "text":
                    self._done.add(event.choice)
                continue
            if isinstance(event, Finish) and event.choice in self._splitters:
                yield from self._splitters[event.choice].finish()
            yield event


class _Splitter:
    """Reads the beginning of one choice's text in pieces of any size.

    Attributes:
        state: "start", "thinking", "between" (line breaks after the thinking, which are removed) or "text".
    """

    __slots__ = ("_begun", "_choice", "_held", "state")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._held = ""
        self._begun = False
        self.state = "start"

    def feed(self, text: str) -> Iterator[Event]:
        self._held += text
        if self.state == "start":
            start = self._held.lstrip()
            if start.startswith(_BEGIN):
                self.state, self._held = "thinking", start.removeprefix(_BEGIN)
            elif not _BEGIN.startswith(start):
                self.state = "text"
        if self.state == "thinking":
            yield from self._read_thinking()
        if self.state == "between":
            self._held = self._held.lstrip()
            self.state = "text" if self._held else "between"
        if self.state == "text":
            yield from self._read_text()

    def finish(self) -> Iterator[Event]:
        """Yield what was held back because it could have been a tag."""
        held, self._held = self._held, ""
        if not held:
            return
        if self.state == "thinking":
            yield ThinkingDelta(held, self._choice)
        elif self.state == "start":
            yield TextDelta(held, self._choice)

    def _read_thinking(self) -> Iterator[Event]:
        thought, end, rest = self._held.partition(_END)
        if not end:
            # It may end with the beginning of the tag, or with the line break before it.
            cut = _find_cut_tag(thought)
            whole = thought[:cut].rstrip()
            rest = thought[len(whole) :]
        thought = thought.rstrip() if end else thought[: len(thought) - len(rest)]
        if not self._begun:
            thought = thought.lstrip()
        if thought:
            self._begun = True
            yield ThinkingDelta(thought, self._choice)
        self._held = rest
        if end:
            self.state = "between"

    def _read_text(self) -> Iterator[Event]:
        held, self._held = self._held, ""
        if held:
            yield TextDelta(held, self._choice)


def _find_cut_tag(text: str) -> int:
    """Return the index of a tag that the end of the text may cut; the text's length if there is none."""
    for length in range(min(len(_END) - 1, len(text)), 0, -1):
        if text.endswith(_END[:length]):
            return len(text) - length
    return len(text)
