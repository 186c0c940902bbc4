"""Responses: the encoder of streamed answers, and the whole answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jackfield import Citation, Event, Reply, TokenLogprob
from jackfield.plugin import events_of, write_json

from ._asked import Asked
from ._chat_answer import logprobs_of
from ._encoding import Sealer, new_id
from ._envelopes import Envelopes
from ._errors import ErrorWords, describe_error
from ._messages_encoder import in_order
from ._responses_input import MARK
from ._responses_request import NAMES
from ._sse import DONE, named_event
from ._tool_forms import ToolForms, custom_input
from ._tracks import Track, Tracks
from ._usage import responses_usage

__all__ = ["ResponsesEncoder", "begin_response", "whole_response"]

_FAMILY: Final = "openai"
_COMMENT: Final = b": keep-alive\n\n"
_TEXT: Final = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta",%b,"content_index":0,"delta":%b,"logprobs":[],"sequence_number":%d}\n\n'
)
_INCOMPLETE: Final[Mapping[str, str]] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
    "pause": "pause",
}


class _Place:
    """Where a track is in the output."""

    __slots__ = ("head", "index", "item", "part")

    def __init__(self, index: int, item: dict[str, Any]) -> None:
        self.index = index
        self.item = item
        self.part: dict[str, Any] = {}
        self.head = b'"item_id":%b,"output_index":%d' % (write_json(item["id"]), index)


def begin_response(asked: Asked) -> dict[str, Any]:
    """Return an answer to which nothing has come yet."""
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": asked.target,
        "output": [],
        "usage": None,
        **asked.context.get("echo", {}),
    }


class ResponsesEncoder:
    """Writes events of Responses. Items come one after the other, each with its end; the last event holds them all."""

    def __init__(self, asked: Asked, envelopes: Envelopes) -> None:
        self._sealer = Sealer(envelopes, _FAMILY)
        self._forms: ToolForms = asked.context.get("tools") or ToolForms()
        self._tracks = Tracks(self)
        self._out: list[bytes] = []
        self._number = 0
        self._begun = False
        self._output: list[dict[str, Any]] = []
        self._last: dict[str, Any] | None = None
        self.response = begin_response(asked)
        self._has_own_id = "id" in asked.context.get("echo", {})

    # -- the encoder ----------------------------------------------------------------------------------------------

    def start(self, head: Reply) -> list[bytes]:
        """Begin the answer; nothing is sent before its first item."""
        self._sealer.begin(head)
        self.response["model"] = head.model or self.response["model"]
        return []

    def feed(self, event: Event) -> list[bytes]:
        """Write an event."""
        self._tracks.feed(event)
        return self._take()

    def finish(self, reply: Reply) -> list[bytes]:
        """End the answer with the event that holds it as a whole."""
        self._begin()
        self._tracks.close()
        status = self._end(reply)
        self._send({"type": f"response.{status}", "response": self.response})
        return [*self._take(), DONE]

    def fail(self, error: BaseException, *, trusted: bool = False, begun: bool = False) -> list[bytes]:
        """End the answer with an error, which is told twice: SDKs read one event, Codex the other."""
        words = describe_error(error, "openai", NAMES, trusted=trusted)
        self._begun = self._begun or begun
        self._begin()
        told = {"type": words.type, "code": words.code, "message": words.message, "param": words.param}
        self._send({"type": "error", "error": told})
        failed = {"code": words.code or "server_error", "message": _message(words)}
        self.response = {**self.response, "status": "failed", "error": failed, "output": self._output}
        self._send({"type": "response.failed", "response": self.response})
        return [*self._take(), DONE]

    def keep_alive(self) -> list[bytes]:
        """Write a comment."""
        return [_COMMENT]

    def _take(self) -> list[bytes]:
        out, self._out = self._out, []
        return out

    def _send(self, event: dict[str, Any]) -> None:
        event["sequence_number"] = self._number
        self._number += 1
        self._out.append(named_event(event))

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        started = self._tracks.started
        if started.id and not self._has_own_id:
            self.response["id"] = started.id
        self.response["model"] = started.model or self.response["model"]
        self._send({"type": "response.created", "response": self.response})
        self._send({"type": "response.in_progress", "response": self.response})

    def _end(self, reply: Reply) -> str:
        finish = self._tracks.finish
        reason = None if finish is None else _INCOMPLETE.get(finish.reason)
        status = "completed" if reason is None else "incomplete"
        changed: dict[str, Any] = {
            "status": status,
            "completed_at": int(time.time()) if reason is None else None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "output": self._output,
            "usage": responses_usage(reply.usage),
        }
        if self._tracks.started.service_tier is not None:
            changed["service_tier"] = self._tracks.started.service_tier
        self.response = {**self.response, **changed}
        return status

    # -- the writer of blocks ----------------------------------------------------------------------------------------

    def open(self, track: Track) -> None:
        """Begin an item; text and thinking begin with their first piece."""
        track.place = None
        if track.kind == "call":
            self._carry(self._sealer.call(track.id, track.data))
            self._open_call(track)
        elif track.kind == "raw" and track.raw is not None:
            if track.raw.provider == _FAMILY and "id" in track.raw.data and "type" in track.raw.data:
                self._whole_item(dict(track.raw.data))
            else:
                self._carry(self._sealer.raw(track.raw))

    def add(self, track: Track, piece: str) -> None:
        """Write a piece of an item."""
        if track.kind == "text":
            place = self._text(track)
            self._out.append(_TEXT % (place.head, write_json(piece), self._number))
            self._number += 1
        elif track.kind == "refusal":
            self._text(track)
            self._event(track, "refusal.delta", content_index=0, delta=piece)
        elif track.kind == "thinking":
            self._thinking(track)
            self._event(track, "reasoning_summary_text.delta", summary_index=0, delta=piece)
        elif track.kind == "call" and not self._forms.form_of(track.name).custom:
            self._event(track, "function_call_arguments.delta", delta=piece)

    def cite(self, track: Track, citation: Citation) -> None:
        """Write a citation."""
        place = self._text(track)
        annotation = _annotation_wire(citation)
        place.part["annotations"].append(annotation)
        self._event(
            track,
            "output_text.annotation.added",
            content_index=0,
            annotation_index=len(place.part["annotations"]) - 1,
            annotation=annotation,
        )

    def add_logprobs(self, track: Track, tokens: Sequence[TokenLogprob]) -> None:
        """Write log probabilities, with an empty piece of text: they may come apart from theirs."""
        if track.kind == "text":
            place = self._text(track)
            logprobs = logprobs_of(tokens)
            place.part["logprobs"] += logprobs
            self._event(track, "output_text.delta", content_index=0, delta="", logprobs=logprobs)

    def close(self, track: Track) -> None:
        """End an item."""
        if track.kind in ("text", "refusal"):
            self._close_text(track)
        elif track.kind == "thinking":
            self._close_thinking(track)
        elif track.kind == "call":
            self._close_call(track)

    def add_late(self, track: Track) -> None:
        """Write the data of a call that had ended."""
        self._carry(self._sealer.call(track.id, track.data))

    def _event(self, track: Track, kind: str, **fields: Any) -> None:
        place: _Place = track.place
        self._send(
            {"type": f"response.{kind}", "item_id": place.item["id"], "output_index": place.index, **fields}
        )

    def _open_item(self, track: Track, item: dict[str, Any]) -> _Place:
        self._begin()
        place = track.place = _Place(len(self._output), item)
        self._output.append(item)
        self._send({"type": "response.output_item.added", "output_index": place.index, "item": dict(item)})
        return place

    def _close_item(self, track: Track, **changed: Any) -> None:
        place: _Place = track.place
        place.item.update(changed)
        if self._is_cut(track):
            place.item["status"] = "incomplete"
        self._send(
            {"type": "response.output_item.done", "output_index": place.index, "item": dict(place.item)}
        )

    def _is_cut(self, track: Track) -> bool:
        """Return whether an item is the last one of an answer that was cut."""
        finish = self._tracks.finish
        return (
            finish is not None
            and finish.reason == "length"
            and track.kind in ("text", "call")
            and not track.ended
        )

    def _whole_item(self, item: dict[str, Any]) -> None:
        self._begin()
        index = len(self._output)
        self._output.append(item)
        self._send({"type": "response.output_item.added", "output_index": index, "item": item})
        self._send({"type": "response.output_item.done", "output_index": index, "item": item})

    def _carry(self, sealed: str | None) -> None:
        """Write opaque data as an item of hidden thinking, which clients send back unchanged."""
        if sealed is not None:
            item = {
                "id": new_id(f"rs_{MARK}"),
                "type": "reasoning",
                "summary": [],
                "encrypted_content": sealed,
            }
            self._whole_item(item)

    # messages

    def _text(self, track: Track) -> _Place:
        if track.place is not None:
            place: _Place = track.place
            return place
        own = track.data.get(_FAMILY)
        phase = own.get("phase") if isinstance(own, Mapping) else None
        item = {
            "id": new_id(f"msg_{MARK}"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        place = self._open_item(track, item if phase is None else {**item, "phase": phase})
        place.part = (
            {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            if track.kind == "text"
            else {"type": "refusal", "refusal": ""}
        )
        self._event(track, "content_part.added", content_index=0, part=_copied(place.part))
        return place

    def _close_text(self, track: Track) -> None:
        data = dict(track.data)
        own = data.pop(_FAMILY, None)
        phase = own.get("phase") if isinstance(own, Mapping) else None
        if track.place is None and phase is not None:
            self._text(track)
        if track.place is not None:
            self._end_part(track, phase)
        rest = {k: v for k, v in (own or {}).items() if k != "phase"}
        self._carry(self._sealer.text({**data, _FAMILY: rest} if rest else data))

    def _end_part(self, track: Track, phase: Any) -> None:
        part, text = track.place.part, track.text
        if track.kind == "text":
            part["text"] = text
            self._event(
                track, "output_text.done", content_index=0, text=text, logprobs=list(part["logprobs"])
            )
        else:
            part["refusal"] = text
            self._event(track, "refusal.done", content_index=0, refusal=text)
        self._event(track, "content_part.done", content_index=0, part=_copied(part))
        changed = {} if phase is None else {"phase": phase}
        self._close_item(track, status="completed", content=[part], **changed)

    # thinking

    def _thinking(self, track: Track) -> None:
        if track.place is None:
            item = {"id": new_id(f"rs_{MARK}"), "type": "reasoning", "summary": []}
            self._open_item(track, item)
            part = {"type": "summary_text", "text": ""}
            self._event(track, "reasoning_summary_part.added", summary_index=0, part=part)

    def _close_thinking(self, track: Track) -> None:
        sealed = self._sealer.thinking(track.data)
        if track.place is None:
            self._carry(sealed)
            return
        text = track.text
        part = {"type": "summary_text", "text": text}
        self._event(track, "reasoning_summary_text.done", summary_index=0, text=text)
        self._event(track, "reasoning_summary_part.done", summary_index=0, part=part)
        self._close_item(track, summary=[part], **({} if sealed is None else {"encrypted_content": sealed}))

    # calls

    def _open_call(self, track: Track) -> None:
        form = self._forms.form_of(track.name)
        kind, prefix, field = (
            ("custom_tool_call", "ctc_", "input") if form.custom else ("function_call", "fc_", "arguments")
        )
        item: dict[str, Any] = {
            "id": new_id(f"{prefix}{MARK}"),
            "type": kind,
            "status": "in_progress",
            "call_id": track.id,
            "name": form.name,
            field: "",
        }
        if form.namespace is not None:
            item["namespace"] = form.namespace
        self._open_item(track, item)

    def _close_call(self, track: Track) -> None:
        form = self._forms.form_of(track.name)
        if form.custom:
            text = custom_input(track.pieces)
            self._event(track, "custom_tool_call_input.delta", delta=text)
            self._event(track, "custom_tool_call_input.done", input=text)
            self._close_item(track, status="completed", input=text)
            return
        text = track.text
        if not text.strip():  # clients parse the arguments of a finished call
            text = "{}"
            self._event(track, "function_call_arguments.delta", delta=text)
        self._event(track, "function_call_arguments.done", name=form.name, arguments=text)
        self._close_item(track, status="completed", arguments=text)


def _copied(part: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, list) else value for name, value in part.items()}


def _annotation_wire(citation: Citation) -> dict[str, Any]:
    if citation.url is None:
        return {
            "type": "file_citation",
            "file_id": citation.source_id or "",
            "filename": citation.title or "",
            "index": citation.start or 0,
        }
    wire: dict[str, Any] = {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title or "",
        "start_index": citation.start or 0,
        "end_index": citation.end or 0,
    }
    return wire if citation.text is None else {**wire, "content": citation.text}


def _message(words: ErrorWords) -> str:
    """Return a message; Codex reads the time to wait in it."""
    if words.retry_after is None or words.code != "rate_limit_exceeded":
        return words.message
    return f"{words.message} Please try again in {words.retry_after:g}s."


def whole_response(asked: Asked, reply: Reply, envelopes: Envelopes) -> dict[str, Any]:
    """Return a whole answer of Responses: what its last event holds."""
    encoder = ResponsesEncoder(asked, envelopes)
    encoder.start(reply)
    for event in in_order(events_of(reply)):
        encoder.feed(event)
    encoder.finish(reply)
    return encoder.response
