"""Messages: the encoder of streamed answers, and the whole answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jackfield import Citation, CitationDelta, Event, FinishReason, Reply, Started, TextDelta, TokenLogprob
from jackfield.plugin import events_of, parse_arguments, write_json

from ._asked import Asked
from ._encoding import Sealer, new_id
from ._envelopes import Envelopes
from ._errors import describe_error, error_object
from ._messages_request import NAMES
from ._sse import named_event
from ._tracks import Track, Tracks
from ._usage import messages_usage

__all__ = ["MessagesEncoder", "in_order", "whole_message"]

_FAMILY: Final = "anthropic"
_STOPS: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "other": "end_turn",
}
_TEXT: Final = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}\n\n'
)
_CONTEXT: Final = "model_context_window_exceeded"


class MessagesEncoder:
    """Writes events of Messages. Blocks come one after the other, never two at once."""

    def __init__(self, asked: Asked, envelopes: Envelopes) -> None:
        self._sealer = Sealer(envelopes, _FAMILY)
        self._tracks = Tracks(self)
        self._out: list[bytes] = []
        self._begun = False
        self._reply: Reply | None = None
        self.content: list[dict[str, Any]] = []
        self.message: dict[str, Any] = {
            "id": new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": asked.target,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    # -- the encoder ----------------------------------------------------------------------------------------------

    def start(self, head: Reply) -> list[bytes]:
        """Begin the answer; nothing is sent before its first block."""
        self._sealer.begin(head)
        self.message["model"] = head.model or self.message["model"]
        return []

    def feed(self, event: Event) -> list[bytes]:
        """Write an event."""
        self._tracks.feed(event)
        return self._take()

    def finish(self, reply: Reply) -> list[bytes]:
        """End the answer: why it ended, its usage, and the end marker."""
        self._tracks.close()
        self._begin()
        stop = self._stop()
        usage = self._usage(reply)
        self.message = {**self.message, **stop, "content": self.content, "usage": usage}
        self._send({"type": "message_delta", "delta": stop, "usage": usage})
        self._send({"type": "message_stop"})
        return self._take()

    def fail(self, error: BaseException, *, trusted: bool = False, begun: bool = False) -> list[bytes]:
        """End the answer with an error."""
        self._send(error_object(describe_error(error, "anthropic", NAMES, trusted=trusted), "anthropic"))
        return self._take()

    def keep_alive(self) -> list[bytes]:
        """Write a ping."""
        self._begin()
        self._send({"type": "ping"})
        return self._take()

    def _take(self) -> list[bytes]:
        out, self._out = self._out, []
        return out

    def _send(self, event: dict[str, Any]) -> None:
        self._out.append(named_event(event))

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        started, update = self._tracks.started, self._tracks.usage
        self.message["id"] = started.id or self.message["id"]
        self.message["model"] = started.model or self.message["model"]
        usage: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0}
        if update is not None:
            usage = messages_usage(update.usage)
        self._send({"type": "message_start", "message": {**self.message, "usage": usage}})

    def _usage(self, reply: Reply) -> dict[str, Any]:
        usage = messages_usage(reply.usage)
        tier = self._tracks.started.service_tier
        return usage if tier is None else {**usage, "service_tier": tier}

    def _stop(self) -> dict[str, Any]:
        finish = self._tracks.finish
        reason = "other" if finish is None else finish.reason
        word = _STOPS[reason]
        detail = finish.detail if finish is not None and isinstance(finish.detail, Mapping) else {}
        raw = None if finish is None else finish.raw
        if (
            word == "end_turn"
            and self._tracks.calls
            and not (self._sealer.is_own and raw in ("end_turn", "stop_sequence"))
        ):
            word = "tool_use"
        if raw == _CONTEXT:
            word = _CONTEXT
        sequence = detail.get("stop_sequence") if word == "end_turn" else None
        stop: dict[str, Any] = {"stop_reason": word, "stop_sequence": None}
        if isinstance(sequence, str):
            stop = {"stop_reason": "stop_sequence", "stop_sequence": sequence}
        if word == "refusal":
            empty = {"type": "refusal", "category": None, "explanation": None}
            told = detail.get("stop_details") if self._sealer.is_own else None
            stop["stop_details"] = told or empty
        return stop

    # -- the writer of blocks ----------------------------------------------------------------------------------------

    def open(self, track: Track) -> None:
        """Begin a block; text and thinking begin with their first piece, because the API has no empty ones."""
        track.place = None
        if track.kind == "call":
            own = _own_of(track.data)
            foreign = {name: value for name, value in track.data.items() if name != _FAMILY}
            self._carry(self._sealer.call(track.id, foreign))
            self._open_block(
                track, {"type": "tool_use", "id": track.id, "name": track.name, "input": {}, **own}
            )
        elif track.kind == "raw" and track.raw is not None:
            if track.raw.provider == _FAMILY:
                self._whole_block(dict(track.raw.data))
            else:
                self._carry(self._sealer.raw(track.raw))

    def add(self, track: Track, piece: str) -> None:
        """Write a piece of a block."""
        block = track.place
        if track.kind in ("text", "refusal"):
            if block is None:
                block = self._open_block(track, {"type": "text", "text": ""})
            self._out.append(_TEXT % (track.place, write_json(piece)))
        elif track.kind == "thinking":
            if block is None:
                block = self._open_block(track, {"type": "thinking", "thinking": "", "signature": ""})
            self._delta(track, {"type": "thinking_delta", "thinking": piece})
        elif track.kind == "call":
            self._delta(track, {"type": "input_json_delta", "partial_json": piece})

    def cite(self, track: Track, citation: Citation) -> None:
        """Write a citation."""
        if track.place is None:
            self._open_block(track, {"type": "text", "text": ""})
        wire = self._citation(citation)
        self.content[track.place].setdefault("citations", []).append(wire)
        self._delta(track, {"type": "citations_delta", "citation": wire})

    def add_logprobs(self, track: Track, tokens: Sequence[TokenLogprob]) -> None:
        """Leave log probabilities out: the API has none."""

    def close(self, track: Track) -> None:
        """End a block."""
        if track.kind == "thinking":
            self._close_thinking(track)
        elif track.kind in ("text", "refusal"):
            self._close_text(track)
        elif track.kind == "call":
            arguments, raw = parse_arguments(track.text)
            self.content[track.place]["input"] = arguments if raw is None else {"INVALID_JSON": raw}
            self._close_block(track)

    def add_late(self, track: Track) -> None:
        """Write the data of a call that had ended."""
        self._carry(self._sealer.call(track.id, {k: v for k, v in track.data.items() if k != _FAMILY}))

    def _close_text(self, track: Track) -> None:
        data = dict(track.data)
        own = data.get(_FAMILY)
        if track.place is not None:
            self.content[track.place]["text"] = track.text
            self._close_block(track)
        if isinstance(own, Mapping) and own.keys() <= {"citations"} and track.place is not None:
            block = self.content[track.place]
            if own.get("citations") and "citations" not in block:
                # Citations that came apart from their text have been written after it.
                block["citations"] = list(own["citations"])
            del data[_FAMILY]
        self._carry(self._sealer.text(data))

    def _close_thinking(self, track: Track) -> None:
        data = track.data
        signature = data.get("signature") if self._sealer.is_own and data.keys() == {"signature"} else None
        hidden = data.get("data") if self._sealer.is_own and data.keys() == {"data"} else None
        if track.place is None and isinstance(signature, str):
            self._open_block(track, {"type": "thinking", "thinking": "", "signature": ""})
        if track.place is None:
            sealed = hidden if isinstance(hidden, str) else self._sealer.thinking(data)
            self._carry(sealed)
            return
        signature = signature if isinstance(signature, str) else self._sealer.thinking(data)
        block = self.content[track.place]
        block["thinking"] = track.text
        if signature is not None:
            block["signature"] = signature
            self._delta(track, {"type": "signature_delta", "signature": signature})
        self._close_block(track)

    def _carry(self, sealed: str | None) -> None:
        """Write opaque data as a block of hidden thinking, which clients send back unchanged."""
        if sealed is not None:
            self._whole_block({"type": "redacted_thinking", "data": sealed})

    def _open_block(self, track: Track, block: dict[str, Any]) -> int:
        self._begin()
        index = track.place = len(self.content)
        self.content.append(dict(block))
        self._send({"type": "content_block_start", "index": index, "content_block": block})
        return index

    def _delta(self, track: Track, delta: dict[str, Any]) -> None:
        self._send({"type": "content_block_delta", "index": track.place, "delta": delta})

    def _close_block(self, track: Track) -> None:
        self._send({"type": "content_block_stop", "index": track.place})

    def _whole_block(self, block: dict[str, Any]) -> None:
        self._begin()
        index = len(self.content)
        self.content.append(block)
        self._send({"type": "content_block_start", "index": index, "content_block": block})
        self._send({"type": "content_block_stop", "index": index})

    def _citation(self, citation: Citation) -> dict[str, Any]:
        if self._sealer.is_own and citation.data is not None and "type" in citation.data:
            return dict(citation.data)
        return _citation_wire(citation)


def _own_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that Anthropic attached to a tool call."""
    own = data.get(_FAMILY)
    return dict(own) if isinstance(own, Mapping) else {}


def _citation_wire(citation: Citation) -> dict[str, Any]:
    cited = citation.text or ""
    if citation.url is not None or citation.source_id is None:
        return {
            "type": "web_search_result_location",
            "url": citation.url or "",
            "title": citation.title,
            "cited_text": cited,
            "encrypted_index": "",
        }
    if not citation.source_id.isdecimal():
        return {
            "type": "search_result_location",
            "source": citation.source_id,
            "title": citation.title,
            "cited_text": cited,
            "search_result_index": 0,
            "start_block_index": 0,
            "end_block_index": 0,
        }
    return {
        "type": "char_location",
        "cited_text": cited,
        "document_index": int(citation.source_id),
        "document_title": citation.title,
        "file_id": None,
        "start_char_index": 0,
        "end_char_index": 0,
    }


def whole_message(asked: Asked, reply: Reply, envelopes: Envelopes) -> dict[str, Any]:
    """Return a whole answer of Messages: what the events of a stream amount to."""
    encoder = MessagesEncoder(asked, envelopes)
    encoder.start(reply)
    for event in in_order(events_of(reply)):
        encoder.feed(event)
    encoder.finish(reply)
    return encoder.message


def in_order(events: Sequence[Event]) -> Iterator[Event]:
    """Put the citations of a whole reply, which come last, where a stream has them: after their text."""
    left = [event for event in events if isinstance(event, CitationDelta)]
    texts = [event for event in events if isinstance(event, TextDelta)]
    for event in events:
        if isinstance(event, CitationDelta):
            continue
        yield event
        if isinstance(event, TextDelta) and left:
            own = (event.provider_data or {}).get(_FAMILY)
            count = len(own.get("citations") or ()) if isinstance(own, Mapping) else 0
            count = len(left) if event is texts[-1] else count
            yield from left[:count]
            left = left[count:]
        elif not texts and left and isinstance(event, Started):
            yield from left
            left = []
