"""Answers of endpoints: OpenAI's, and thinking between `<think>` and `</think>`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jackfield import Event, Finish, TextDelta, ThinkingDelta
from jackfield.plugin import Decoder, Frame, Head, Wire
from jackfield_openai import decoder as openai_decoder

from ._routes import DIALECT

__all__ = ["decoder"]

_BEGIN: Final = "<think>"
_END: Final = "</think>"


def decoder(wire: Wire) -> Decoder:
    """Give the decoder for the answer to a wire."""
    inner = openai_decoder(DIALECT, wire)
    return ThinkingDecoder(inner) if wire.meta.get("api") == "chat" else inner


class ThinkingDecoder:
    """Takes thinking out of the text of an answer.

    Models of the DeepSeek-R1 kind think at the beginning of their answer, between two tags, where their server
    does not take it out. Tags that come later are text.
    """

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self._splitters: dict[int, _Splitter] = {}
        self._done: set[int] = set()

    def start(self, head: Head) -> list[Event]:
        """Hear that the answer began."""
        return self._inner.start(head)

    def feed(self, frame: Frame) -> list[Event]:
        """Read one event of a stream, or a whole answer."""
        events = self._inner.feed(frame)
        if len(events) == 1 and isinstance(events[0], TextDelta) and events[0].choice in self._done:
            return events
        return list(self._split(events))

    def finish(self) -> list[Event]:
        """Hear that the body ended; check that nothing is missing."""
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
    """Reads the beginning of one choice's text, however it is cut into pieces.

    Attributes:
        state: "start", "thinking", "between" (the line breaks behind the thinking belong to nobody) or "text".
    """

    __slots__ = ("_choice", "_held", "_said", "state")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._held = ""
        self._said = False
        self.state = "start"

    def feed(self, text: str) -> Iterator[Event]:
        self._held += text
        if self.state == "start":
            begun = self._held.lstrip()
            if begun.startswith(_BEGIN):
                self.state, self._held = "thinking", begun.removeprefix(_BEGIN)
            elif not _BEGIN.startswith(begun):
                self.state = "text"
        if self.state == "thinking":
            yield from self._think()
        if self.state == "between":
            self._held = self._held.lstrip()
            self.state = "text" if self._held else "between"
        if self.state == "text":
            yield from self._rest()

    def finish(self) -> Iterator[Event]:
        """Give what was held back in case that it was a tag."""
        held, self._held = self._held, ""
        if not held:
            return
        if self.state == "thinking":
            yield ThinkingDelta(held, self._choice)
        elif self.state == "start":
            yield TextDelta(held, self._choice)

    def _think(self) -> Iterator[Event]:
        thought, end, rest = self._held.partition(_END)
        if not end:
            # The end of it may be the beginning of the tag, or the line break before it.
            cut = _beginning_of_tag(thought)
            whole = thought[:cut].rstrip()
            rest = thought[len(whole) :]
        thought = thought.rstrip() if end else thought[: len(thought) - len(rest)]
        if not self._said:
            thought = thought.lstrip()
        if thought:
            self._said = True
            yield ThinkingDelta(thought, self._choice)
        self._held = rest
        if end:
            self.state = "between"

    def _rest(self) -> Iterator[Event]:
        held, self._held = self._held, ""
        if held:
            yield TextDelta(held, self._choice)


def _beginning_of_tag(text: str) -> int:
    """Give where a tag may begin that the text's end cuts; its length if nowhere."""
    for length in range(min(len(_END) - 1, len(text)), 0, -1):
        if text.endswith(_END[:length]):
            return len(text) - length
    return len(text)
