"""Put the pieces of an answer in the order of APIs that have one open block at a time.

A service may mix the pieces of parallel tool calls. What belongs to a later block waits until the earlier ones have ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from jackfield import (
    Citation,
    CitationDelta,
    Event,
    Finish,
    LogprobsDelta,
    PartAdded,
    RawPart,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from jackfield.plugin import read_json

__all__ = ["BlockWriter", "Track", "TrackKind", "Tracks"]

TrackKind: TypeAlias = Literal["text", "refusal", "thinking", "call", "raw"]


class Track:
    """One block.

    Attributes:
        kind: What it holds.
        block: The number that the events gave it.
        id: The id of a tool call.
        name: The tool of a tool call.
        raw: A part that only one provider understands.
        pieces: What was written of it.
        data: Opaque data, merged.
        citations: Its citations.
        logprobs: Its tokens' log probabilities.
        ended: Nothing more comes.
        place: The writer's own.
    """

    __slots__ = (
        "block", "citations", "data", "ended", "id", "kind", "logprobs", "name", "pieces", "place", "raw", "waiting",
    )  # fmt: skip

    def __init__(self, kind: TrackKind, block: int | None = None) -> None:
        self.kind = kind
        self.block = block
        self.id = ""
        self.name = ""
        self.raw: RawPart | None = None
        self.pieces: list[str] = []
        self.data: dict[str, Any] = {}
        self.citations: list[Citation] = []
        self.logprobs: list[TokenLogprob] = []
        self.ended = False
        self.waiting: list[str | Citation | Sequence[TokenLogprob]] = []
        self.place: Any = None

    @property
    def text(self) -> str:
        """What was written of it, joined."""
        return "".join(self.pieces)

    def is_whole(self) -> bool:
        """Return whether a call's arguments, also those that wait, are a whole JSON object."""
        text = "".join([*self.pieces, *(piece for piece in self.waiting if isinstance(piece, str))]).strip()
        if not text.endswith("}"):
            return False
        try:
            read_json(text)
        except ValueError:
            return False
        return True


class BlockWriter(Protocol):
    """Writes blocks, one after the other."""

    def open(self, track: Track) -> None:
        """Begin a block."""

    def add(self, track: Track, piece: str) -> None:
        """Write a piece of the open block."""

    def cite(self, track: Track, citation: Citation) -> None:
        """Write a citation of the open block."""

    def add_logprobs(self, track: Track, tokens: Sequence[TokenLogprob]) -> None:
        """Write log probabilities of the open block."""

    def close(self, track: Track) -> None:
        """End the open block."""

    def add_late(self, track: Track) -> None:
        """Write the opaque data of a tool call that came after its block had ended."""


class Tracks:
    """Sorts the events of the first choice into blocks.

    Attributes:
        started: What is known of the answer as a whole.
        finish: How it ended.
        usage: The last update.
        calls: How many tool calls there were.
    """

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer
        self._tracks: deque[Track] = deque()
        self._by_index: dict[int, Track] = {}
        self._choice: int | None = None
        self.started = Started()
        self.finish: Finish | None = None
        self.usage: UsageUpdate | None = None
        self.calls = 0
        self._handlers: dict[type, Any] = {
            Started: self._start,
            TextDelta: self._text,
            RefusalDelta: self._refusal,
            ThinkingDelta: self._thinking,
            ToolCallStart: self._call,
            ToolCallDelta: self._arguments,
            ToolCallEnd: self._end_call,
            CitationDelta: self._citation,
            LogprobsDelta: self._logprobs,
            PartAdded: self._part,
            UsageUpdate: self._usage,
            Finish: self._finish,
        }

    def feed(self, event: Event) -> None:
        """Handle an event."""
        handler = self._handlers.get(type(event))
        if handler is None:
            return
        choice = getattr(event, "choice", None)
        if choice is not None:
            if self._choice is None:
                self._choice = choice
            if choice != self._choice:
                return
        handler(event)

    def close(self) -> None:
        """End all blocks."""
        while self._tracks:
            self._close_first()

    def _start(self, event: Started) -> None:
        old = self.started
        self.started = Started(
            event.id or old.id, event.model or old.model, event.service_tier or old.service_tier
        )

    def _usage(self, event: UsageUpdate) -> None:
        self.usage = event

    def _finish(self, event: Finish) -> None:
        self.finish = event

    def _text(self, event: TextDelta) -> None:
        self._piece("text", event.text, event.block, event.provider_data)

    def _refusal(self, event: RefusalDelta) -> None:
        self._piece("refusal", event.text, None, None)

    def _thinking(self, event: ThinkingDelta) -> None:
        self._piece("thinking", event.text, event.block, event.data)

    def _piece(self, kind: TrackKind, text: str, block: int | None, data: Mapping[str, Any] | None) -> None:
        last = self._tracks[-1] if self._tracks else None
        if last is None or last.kind != kind or last.ended or block not in (None, last.block):
            last = Track(kind, block)
            if data:
                last.data.update(data)
            self._begin(last)
        elif data:
            last.data.update(data)
        if text:
            self._put(last, text)

    def _call(self, event: ToolCallStart) -> None:
        track = Track("call")
        track.id, track.name = event.id, event.name
        track.data.update(event.provider_data or {})
        self._by_index[event.index] = track
        self.calls += 1
        self._begin(track)

    def _arguments(self, event: ToolCallDelta) -> None:
        track = self._by_index[event.index]
        if event.arguments and not track.ended:
            self._put(track, event.arguments)

    def _end_call(self, event: ToolCallEnd) -> None:
        track = self._by_index[event.index]
        late = {
            name: value
            for name, value in (event.provider_data or {}).items()
            if track.data.get(name) != value
        }
        track.data.update(late)
        if not track.ended:
            track.ended = True
            self._close_ended()
        elif late and track not in self._tracks:
            self._writer.add_late(track)

    def _citation(self, event: CitationDelta) -> None:
        last = self._tracks[-1] if self._tracks else None
        if last is None or last.kind != "text":
            last = Track("text", -1)
            self._begin(last)
        self._put(last, event.citation)

    def _logprobs(self, event: LogprobsDelta) -> None:
        last = self._tracks[-1] if self._tracks else None
        if last is None or last.kind not in ("text", "refusal"):
            last = Track("text", -1)
            self._begin(last)
        self._put(last, event.tokens)

    def _part(self, event: PartAdded) -> None:
        track = Track("raw")
        track.raw, track.ended = event.part, True
        self._begin(track)
        self._close_ended()

    def _begin(self, track: Track) -> None:
        """Add a block; those before it end, but for calls whose arguments are not whole."""
        for before in self._tracks:
            before.ended = before.ended or before.kind != "call" or before.is_whole()
        self._close_ended()
        self._tracks.append(track)
        if self._tracks[0] is track:
            self._writer.open(track)

    def _put(self, track: Track, what: str | Citation | Sequence[TokenLogprob]) -> None:
        if track is self._tracks[0]:
            self._write(track, what)
        else:
            track.waiting.append(what)

    def _write(self, track: Track, what: str | Citation | Sequence[TokenLogprob]) -> None:
        if isinstance(what, str):
            track.pieces.append(what)
            self._writer.add(track, what)
        elif isinstance(what, Citation):
            track.citations.append(what)
            self._writer.cite(track, what)
        else:
            track.logprobs.extend(what)
            self._writer.add_logprobs(track, what)

    def _close_ended(self) -> None:
        while self._tracks and self._tracks[0].ended:
            self._close_first()

    def _close_first(self) -> None:
        self._writer.close(self._tracks.popleft())
        if self._tracks:
            following = self._tracks[0]
            self._writer.open(following)
            waiting, following.waiting = following.waiting, []
            for what in waiting:
                self._write(following, what)
